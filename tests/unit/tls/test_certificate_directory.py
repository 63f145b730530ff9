from __future__ import annotations

import ipaddress
import re
import stat
import sys
from pathlib import Path

import pytest

from securechat.errors import TlsFailure, TlsProblem
from securechat.tls import certificate_directory, private_files
from securechat.tls.certificate_directory import (
    client_file_name,
    create_authority,
    ensure_server,
    issue_client,
    issue_server,
    load_authority,
    needs_renewal,
)
from securechat.tls.hostnames import Names, parse_names
from securechat.tls.issuing import Issuer, new_authority, new_server_leaf
from securechat.tls.pem_bundle import fingerprint, read_bundle

from .conftest import DAY, NAMES, NOW


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose addresses do not depend on where the tests run."""
    monkeypatch.setattr(certificate_directory, "local_names", lambda: NAMES)


def snapshot(directory: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in directory.iterdir()}


def refusal(directory: Path) -> str:
    before = snapshot(directory)
    with pytest.raises(TlsFailure) as caught:
        ensure_server(directory, now=NOW, always=True)
    assert caught.value.problem is TlsProblem.BAD_FILE
    assert "\n" not in caught.value.detail
    assert snapshot(directory) == before, "a refusal must change nothing"
    return caught.value.detail


def test_first_run_makes_everything(tmp_path: Path) -> None:
    done = ensure_server(tmp_path / "certs", parse_names(["extra.example"]), now=NOW)
    assert done.new_ca
    assert done.reasons == ("there was none",)
    assert done.bundle.names == parse_names(["extra.example"]) | NAMES
    issuer = load_authority(tmp_path / "certs", now=NOW)
    assert issuer is not None
    assert done.ca_fingerprint == fingerprint(issuer.certificate)
    assert sorted(snapshot(tmp_path / "certs")) == ["ca.key", "ca.pem", "server.pem"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_keys_are_private(tmp_path: Path) -> None:
    ensure_server(tmp_path, now=NOW)
    modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in tmp_path.iterdir()}
    assert modes == {"ca.key": 0o600, "server.pem": 0o600, "ca.pem": 0o644}


def test_second_run_renews_under_the_same_ca(tmp_path: Path) -> None:
    first = ensure_server(tmp_path, parse_names(["extra.example"]), now=NOW)
    before = snapshot(tmp_path)
    second = ensure_server(tmp_path, now=NOW + DAY, always=True)
    after = snapshot(tmp_path)
    assert not second.new_ca
    assert second.ca_fingerprint == first.ca_fingerprint
    assert before["ca.pem"] == after["ca.pem"] and before["ca.key"] == after["ca.key"]
    assert second.bundle.not_after == first.bundle.not_after + DAY
    assert "extra.example" in second.bundle.names.dns, "names given once survive"
    third = ensure_server(tmp_path, now=NOW, always=True, keep_names=False)
    assert third.bundle.names == NAMES


def test_nothing_is_written_while_it_is_good(tmp_path: Path) -> None:
    ensure_server(tmp_path, now=NOW)
    before = snapshot(tmp_path)
    assert ensure_server(tmp_path, now=NOW + 59 * DAY).reasons == ()
    assert snapshot(tmp_path) == before
    (tmp_path / "ca.key").unlink()  # not needed as long as nothing is to be signed
    assert ensure_server(tmp_path, now=NOW).reasons == ()


def test_the_tail_of_old_names_is_dropped(tmp_path: Path) -> None:
    many = Names(ips=tuple(ipaddress.IPv4Address("10.0.0.0") + number for number in range(1, 120)))
    done = ensure_server(tmp_path, many, now=NOW)
    assert len(done.bundle.names) <= 100
    assert done.bundle.names.ips[0] == many.ips[0]
    new = parse_names(["10.9.9.9"])
    assert ensure_server(tmp_path, new, now=NOW).bundle.names.ips[0] == new.ips[0]


class TestNeedsRenewal:
    @pytest.fixture
    def issuer(self) -> Issuer:
        return new_authority(NOW, NAMES)

    def reasons(self, tmp_path: Path, issuer: Issuer, days: float, names: Names = NAMES) -> list[str]:
        bundle = issue_server(tmp_path, issuer, NAMES, now=NOW)
        return needs_renewal(bundle, names, NOW + days * DAY)

    def test_good(self, tmp_path: Path, issuer: Issuer) -> None:
        assert self.reasons(tmp_path, issuer, 0) == []
        assert self.reasons(tmp_path, issuer, 60) == []

    def test_old(self, tmp_path: Path, issuer: Issuer) -> None:
        assert self.reasons(tmp_path, issuer, 60.01) == ["it expires in 29 days"]
        assert self.reasons(tmp_path, issuer, 91) == [f"it expired on {NOW + 90 * DAY:%Y-%m-%d}"]

    def test_clock_was_set_back(self, tmp_path: Path, issuer: Issuer) -> None:
        assert "it is valid only from" in self.reasons(tmp_path, issuer, -1)[0]

    def test_lacking_address(self, tmp_path: Path, issuer: Issuer) -> None:
        names = NAMES | parse_names(["10.0.0.9", "new.example"])
        assert self.reasons(tmp_path, issuer, 0, names) == ["it does not name new.example, 10.0.0.9"]

    def test_not_when_it_would_not_help(self, tmp_path: Path) -> None:
        ending = new_authority(NOW - 3640 * DAY, NAMES)
        bundle = issue_server(tmp_path, ending, NAMES, now=NOW)
        assert needs_renewal(bundle, NAMES, NOW) == []


class TestRefusals:
    @pytest.fixture
    def made(self, tmp_path: Path) -> Path:
        ensure_server(tmp_path, now=NOW)
        return tmp_path

    def test_key_missing(self, made: Path) -> None:
        (made / "ca.key").unlink()
        assert "ca.key: is missing, so nothing can be signed" in refusal(made)

    def test_certificate_missing(self, made: Path) -> None:
        (made / "ca.pem").unlink()
        assert "ca.pem: is missing while ca.key is there: an earlier run was cut short" in refusal(made)

    def test_run_cut_short_between_the_files(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        real = private_files.write_pem

        def power_cut(path: Path, data: bytes, *, mode: int, replace: bool) -> None:
            if path.name == "ca.pem":
                raise KeyboardInterrupt
            real(path, data, mode=mode, replace=replace)

        monkeypatch.setattr(certificate_directory, "write_pem", power_cut)
        with pytest.raises(KeyboardInterrupt):
            ensure_server(tmp_path, now=NOW)
        monkeypatch.setattr(certificate_directory, "write_pem", real)
        assert "cut short" in refusal(tmp_path)

    def test_foreign_key(self, made: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
        other = tmp_path_factory.mktemp("other")
        create_authority(other, now=NOW)
        (made / "ca.key").write_bytes((other / "ca.key").read_bytes())
        assert "ca.key: does not belong to ca.pem" in refusal(made)

    @pytest.mark.parametrize("name", ["ca.pem", "ca.key", "server.pem"])
    @pytest.mark.parametrize("content", [b"", b"garbage", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
    def test_corrupt(self, made: Path, name: str, content: bytes) -> None:
        (made / name).write_bytes(content)
        assert f"{name}: holds" in refusal(made)

    def test_corrupt_server_is_replaced_when_asked(self, made: Path) -> None:
        (made / "server.pem").write_bytes(b"garbage")
        assert ensure_server(made, now=NOW, force=True).bundle.names == NAMES

    def test_unreadable(self, made: Path) -> None:
        (made / "ca.key").unlink()
        (made / "ca.key").mkdir()  # nobody can read a directory as a file, root neither
        with pytest.raises(TlsFailure, match=r"ca\.key: cannot be read"):
            ensure_server(made, now=NOW, always=True)

    def test_expired(self, tmp_path: Path) -> None:
        create_authority(tmp_path, now=NOW - 3651 * DAY)
        assert "the CA expired on" in refusal(tmp_path)

    def test_clock_behind(self, tmp_path: Path) -> None:
        create_authority(tmp_path, now=NOW + DAY)
        assert "set the clock right" in refusal(tmp_path)

    def test_leaf_as_ca(self, made: Path) -> None:
        leaf = (made / "server.pem").read_bytes()
        (made / "ca.pem").write_bytes(leaf)
        (made / "ca.key").write_bytes(leaf)
        assert "ca.pem: is no CA certificate" in refusal(made)

    def test_server_of_another_ca(self, made: Path, other_authority: Issuer) -> None:
        (made / "server.pem").write_bytes(new_server_leaf(other_authority, NAMES, NOW).to_pem())
        assert "was not issued by ca.pem and is not overwritten; --force" in refusal(made)
        done = ensure_server(made, now=NOW, force=True)
        assert done.reasons == ("it was not issued by ca.pem, so clients that have ca.pem refuse it",)

    def test_ca_is_not_replaced_unasked(self, made: Path) -> None:
        before = snapshot(made)
        with pytest.raises(TlsFailure, match="every client must then get the new"):
            create_authority(made, now=NOW)
        assert snapshot(made) == before
        create_authority(made, now=NOW, replace=True)
        assert snapshot(made)["ca.key"] != before["ca.key"]

    def test_cannot_write(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(TlsFailure, match="is no directory; name another one with --dir"):
            ensure_server(tmp_path / "file", now=NOW)


class TestClient:
    def test_issued_once(self, tmp_path: Path, authority: Issuer) -> None:
        bundle = issue_client(tmp_path, authority, "user1 pc", now=NOW)
        assert bundle.path.name == "client-user1_pc.pem"
        assert bundle.leaf.subject.rfc4514_string() == "CN=user1 pc"
        assert bundle.authority == authority.certificate
        assert bundle.not_after == NOW + 365 * DAY
        before = snapshot(tmp_path)
        with pytest.raises(TlsFailure, match="exists already and is not overwritten; --force"):
            issue_client(tmp_path, authority, "user1 pc", now=NOW)
        assert snapshot(tmp_path) == before
        issue_client(tmp_path, authority, "user1 pc", now=NOW, force=True)
        assert read_bundle(tmp_path / "client-user1_pc.pem").leaf != bundle.leaf

    @pytest.mark.parametrize(
        ("name", "file"),
        [
            ("ci", "client-ci.pem"),
            ("user1 pc", "client-user1_pc.pem"),
            ("-rf", "client--rf.pem"),
            ("CON", "client-CON.pem"),
            ("Zoë", "client-Zo_-c6a12698.pem"),
            ("аня", "client-___-514e5dae.pem"),
            ("оля", "client-___-7e39d130.pem"),
        ],
    )
    def test_file_name(self, name: str, file: str) -> None:
        assert client_file_name(name) == file

    def test_no_name_leads_out_of_the_directory(self, tmp_path: Path) -> None:
        for name in ("../../etc/x", "..", "/etc/x", "C:\\x", "a:b", ".hidden"):
            assert (tmp_path / client_file_name(name)).parent == tmp_path
            assert re.fullmatch(r"client-[A-Za-z0-9._-]+\.pem", client_file_name(name))

    def test_its_time_can_be_chosen_up_to_its_authoritys(self, tmp_path: Path, authority: Issuer) -> None:
        bundle = issue_client(tmp_path, authority, "ana", now=NOW, lifetime=7 * DAY)
        assert bundle.not_after == NOW + 7 * DAY
        bundle = issue_client(tmp_path, authority, "ana", now=NOW, lifetime=9999 * DAY, force=True)
        assert bundle.not_after == authority.certificate.not_valid_after_utc

    @pytest.mark.parametrize("name", ["", "  ", "x" * 65, "a\nb", "a\x1b[2J"])
    def test_refused_name(self, name: str) -> None:
        with pytest.raises(ValueError, match="client name"):
            client_file_name(name)
