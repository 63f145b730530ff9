"""A server with ``--files off`` on a data directory that has files: messages show, and no file is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from securechat.model import AskFiles, AskLinks, Message, Refused, Say
from tests.support.admin import admin, needs_socket, row
from tests.support.api import ApiClient, make_token
from tests.support.native import NativeClient
from tests.support.promised_files import Links, names_on_disk
from tests.support.server import ServerProcess, wait_until

BODIES = {"kept": b"kept " * 1000, "doomed": b"doomed " * 1000}


def texts(client: NativeClient) -> list[str]:
    return [message.text for message in client.history("lobby")]


@needs_socket
def test_files_off_and_on_again(certs: Path, tmp_path: Path) -> None:
    data, archive, cert = tmp_path / "data", tmp_path / "backup.tar", str(certs / "server.pem")
    with ServerProcess(certs, data, "--rate-limit", "off").start() as server:
        token = make_token(server, "deploy", "post", "read", "files")
        with ApiClient(server, token) as api, NativeClient(server.port, server.ca) as ana:
            ana.hello("ana")
            seqs = {}
            for name, body in BODIES.items():
                put = api.ask("PUT", f"/rooms/lobby/files/{name}.txt?text={name}", body)
                seqs[name] = put.json["seq"]
            ids = {message.text.partition("\n")[0]: message.files[0].id for message in ana.history("lobby")}
            ana.send(AskLinks(90, list(ids.values())))
        server.stop()
    shown = ["kept\n[file: kept.txt, 5 KiB]", "doomed\n[file: doomed.txt, 7 KiB]"]

    with ServerProcess(certs, data, "--rate-limit", "off", "--files", "off").start() as server:
        with ApiClient(server, token) as api, NativeClient(server.port, server.ca) as ana:
            assert "files" not in ana.hello("ana2").features
            assert texts(ana) == shown
            ana.send(AskLinks(91, list(ids.values())), AskFiles(92), Say(5, "lobby", "x", files=[ids["kept"]]))
            refused = [ana.wait_for(Refused, lambda each, ref=ref: each.ref == ref) for ref in (91, 92)]  # type: ignore[misc]
            refused.append(ana.wait_for(Refused, lambda each: each.client_id == 5))
            assert {each.reason for each in refused} == {"files_off"}
            for path in (
                f"/api/v1/files/{ids['kept']}",
                f"/files/{ids['kept']}/{'0' * 32}/kept.txt",
                "/api/v1/uploads",
            ):
                assert api.ask_path("GET", path).status == 404
            put = api.ask("PUT", "/rooms/lobby/files/new.txt", b"x")
            assert put.status in {404, 405}, put
            assert api.ask("DELETE", f"/rooms/lobby/messages/{seqs['doomed']}").status == 200
            assert texts(ana) == [shown[0], ""]
        assert row(server, "backup", str(archive))["files"] is True
        assert row(server, "files")["files"] == 1
        assert server.stop() == 0
    assert names_on_disk(data)[0] >= {ids["kept"]}
    assert admin(data, "check", "--cert", cert, "--json").stdout == '{"findings": 0}\n'

    again = tmp_path / "again"
    done = admin(again, "restore", str(archive), "--certs", str(tmp_path / "again-certs"))
    assert done.returncode == 0, done.stderr
    for directory in (data, again):
        with ServerProcess(certs, directory, "--rate-limit", "off").start() as server:
            with (
                ApiClient(server, token) as api,
                ApiClient(server, None) as page,
                NativeClient(server.port, server.ca) as ana,
            ):
                assert "files" in ana.hello("ana3").features
                links = Links(ana, page)
                (message,) = [each for each in ana.history("lobby") if isinstance(each, Message) and each.files]
                assert message.files[0].id == ids["kept"]
                assert api.get(f"/files/{ids['kept']}").body == links.read(ids["kept"]).body == BODIES["kept"]
                assert api.get(f"/files/{ids['doomed']}").status == links.read(ids["doomed"]).status == 404
            wait_until(lambda at=directory: names_on_disk(at)[0] == {ids["kept"]}, "the deleted file is unlinked")  # type: ignore[misc]
            assert admin(directory, "check", "--cert", cert, "--json").stdout == '{"findings": 0}\n'


@pytest.mark.parametrize("flag", [("--files", "off")])
def test_uploads_under_way_wait_for_the_files(certs: Path, tmp_path: Path, flag: tuple[str, str]) -> None:
    data = tmp_path / "data"
    tus = {"Tus_Resumable": "1.0.0"}
    with ServerProcess(certs, data, "--rate-limit", "off").start() as server:
        token = make_token(server, "deploy", "post", "read", "files")
        with ApiClient(server, token) as api:
            made = api.ask("POST", "/uploads", **tus, Upload_Length="4", Upload_Metadata="filename bG9nLmJpbg==")
            path = made.headers["location"].removeprefix("/api/v1")
            part = {**tus, "Content_Type": "application/offset+octet-stream"}
            assert api.ask("PATCH", path, b"ab", **part, Upload_Offset="0").status == 204
        server.stop()
    with ServerProcess(certs, data, *flag).start() as server, ApiClient(server, token) as api:
        assert api.ask("HEAD", path, **tus).status == 404
        server.stop()
    with ServerProcess(certs, data).start() as server, ApiClient(server, None) as page:
        wait_until(lambda: page.ask("HEAD", path, **tus).status != 503, "the uploads are read")
        assert page.ask("HEAD", path, **tus).headers["upload-offset"] == "2"
        assert page.ask("PATCH", path, b"cd", **part, Upload_Offset="2").status == 204
