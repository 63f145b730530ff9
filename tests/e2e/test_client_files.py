"""Files from the terminal, from scripts and from a bot, against a real server: there and back, byte for byte."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from base64 import b64decode
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from securechat.bot import AsyncClient, Client, Refused
from securechat.client.exit_codes import ClientExit
from securechat.client.tty.png import png_size
from securechat.limits import MIB
from tests.support.client import CLIENT, ROOT, at, run_client
from tests.support.native import NativeClient
from tests.support.screen import CTRL_C, Screen
from tests.support.server import PATIENCE_S, ServerProcess, wait_until

Open = Callable[..., Screen]
Connect = Callable[..., NativeClient]
unix = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are Unix")


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "sent" / "report one.pdf"
    path.parent.mkdir()
    path.write_bytes(os.urandom(3 * MIB + 17))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "saved"
    path.mkdir()
    return path


@pytest.fixture
def robi(server: ServerProcess) -> Iterator[Client]:
    with Client(f"127.0.0.1:{server.port}", "robi", ca=server.ca, state="") as chat:
        chat.join("ops")
        yield chat


def send(server: ServerProcess, *flags: str) -> subprocess.CompletedProcess[str]:
    return run_client(*at(server, "--name", "ci", "--room", "ops", "--send", *flags))


def digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


# --- scripts ----------------------------------------------------------------------------------------------------------


def test_a_script_sends_files_and_a_bot_saves_them(
    server: ServerProcess, robi: Client, report: Path, folder: Path
) -> None:
    log = report.parent / "nightly.log"
    log.write_text("all is well\n")
    sent = send(server, "--file", str(report), "--file", str(log), "the numbers")
    assert (sent.returncode, sent.stdout, sent.stderr) == (ClientExit.OK, "", "")
    message = next(robi.messages())
    assert message.text == "the numbers"
    assert [(file.name, file.size) for file in message.files] == [("report one.pdf", 3 * MIB + 17), ("nightly.log", 12)]
    saved = message.files[0].save(folder)
    assert saved == folder / "report one.pdf"
    assert digest(saved) == digest(report)
    assert saved.stat().st_mode & 0o777 == 0o600
    assert message.files[0].save(folder) == folder / "report one (1).pdf"
    assert message.files[1].read() == b"all is well\n"
    with pytest.raises(Refused) as refused:
        message.files[0].read(most_bytes=MIB)
    assert refused.value.code == "file_too_large"


def test_every_failure_of_a_script_has_its_exit_code(server: ServerProcess, report: Path) -> None:
    missing = send(server, "--file", str(report.parent / "none"))
    assert missing.returncode == ClientExit.USAGE
    assert "There is no such file" in missing.stderr
    many = send(server, *(flag for _ in range(11) for flag in ("--file", str(report))))
    assert (many.returncode, "at most 10 files" in many.stderr) == (ClientExit.USAGE, True)
    large = report.parent / "film.mkv"
    large.touch()
    os.truncate(large, 25 * MIB + 1)
    refused = send(server, "--file", str(large))
    assert refused.returncode == ClientExit.MESSAGE_REFUSED
    assert refused.stderr.endswith("are allowed for one file. Send a smaller one. Not sent: film.mkv\n")
    without = run_client(*at(server, "--name", "ci", "--file", str(report)), stdin="")
    assert (without.returncode, "--file needs --send" in without.stderr) == (ClientExit.USAGE, True)
    text = run_client(*at(server, "--name", "ci", "--send", "no file"), stdin="")
    assert text.returncode == ClientExit.USAGE


def test_a_server_without_files_says_so(certs: Path, tmp_path: Path, report: Path) -> None:
    with ServerProcess(certs, tmp_path / "data", "--files", "off").start() as server:
        refused = send(server, "--file", str(report))
        assert refused.returncode == ClientExit.MESSAGE_REFUSED
        assert "-- This server takes no files. Ask its administrator. Not sent: report one.pdf\n" in refused.stderr


def test_tail_tells_the_files_in_its_json(server: ServerProcess, report: Path) -> None:
    flags = at(server, "--tail", "--json", "--room", "ops")
    with subprocess.Popen([*CLIENT, *flags], stdout=subprocess.PIPE, text=True, cwd=ROOT) as reading:
        assert reading.stdout is not None
        wait_until(lambda: send(server, "--file", str(report)).returncode == ClientExit.OK, "a message")
        fields = json.loads(reading.stdout.readline())
        reading.terminate()
        reading.wait(PATIENCE_S)
    assert fields["text"] == "[file: report one.pdf, 3.0 MiB]"
    (file,) = fields["files"]
    assert (file["name"], file["size"], file["type"]) == ("report one.pdf", 3 * MIB + 17, "application/pdf")


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9")
def test_an_upload_survives_kill_9_of_the_server(server: ServerProcess, tmp_path: Path, folder: Path) -> None:
    large = tmp_path / "large.bin"
    large.write_bytes(os.urandom(24 * MIB))
    incoming = server.data / "files" / "incoming"

    def received() -> int:
        return max((each.stat().st_size for each in incoming.glob("*") if not each.suffix), default=0)

    flags = at(server, "--name", "ci", "--send", "--file", str(large))
    with subprocess.Popen([*CLIENT, *flags], cwd=ROOT) as sending:
        wait_until(lambda: received() > MIB, "a part of the file")
        server.kill()
        server.start()
        assert sending.wait(PATIENCE_S) == ClientExit.OK
    with Client(f"127.0.0.1:{server.port}", "robi", ca=server.ca, state="") as chat:
        (message,) = chat.history("lobby")
        (file,) = message.files
        assert digest(file.save(folder)) == digest(large)


# --- pictures ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A photo with a maker, as a phone takes it."""
    image = pytest.importorskip("PIL.Image")
    path = tmp_path / "photo.jpg"
    picture = image.new("RGB", (640, 480), "teal")
    exif = picture.getexif()
    exif[0x010F] = "Maker of the phone"
    picture.save(path, exif=exif)
    assert b"Maker of the phone" in path.read_bytes()
    return path


def test_a_picture_is_written_anew_unless_it_is_sent_as_a_file(
    server: ServerProcess, robi: Client, photo: Path
) -> None:
    assert send(server, "--file", str(photo)).returncode == ClientExit.OK
    assert send(server, "--file", str(photo), "--as-file").returncode == ClientExit.OK
    (written,), (kept,) = (message.files for message in robi.history("ops"))
    assert (written.width, written.height, written.type) == (640, 480, "image/jpeg")
    assert b"Maker of the phone" not in written.read()
    assert kept.width == 0
    assert kept.read() == photo.read_bytes()


def test_a_picture_that_cannot_be_read_is_asked_about(server: ServerProcess, robi: Client, photo: Path) -> None:
    photo.write_bytes(photo.read_bytes()[:200])
    refused = send(server, "--file", str(photo))
    assert refused.returncode == ClientExit.MESSAGE_REFUSED
    assert "The picture cannot be read" in refused.stderr
    assert refused.stderr.endswith("--as-file sends it so. Not sent: photo.jpg\n")
    assert send(server, "--as-file", "--file", str(photo)).returncode == ClientExit.OK
    with pytest.raises(Refused) as of_bot:
        robi.send("ops", files=[photo])
    assert of_bot.value.code == "picture_unreadable"
    robi.send("ops", files=[photo], as_file=True)
    assert [message.files[0].size for message in robi.history("ops")] == [200, 200]


@unix
def test_a_person_is_told_what_becomes_of_a_picture(screen: Open, photo: Path) -> None:
    ann = screen("--name", "ann", columns=120)
    ann.wait_for("Joined #lobby")
    ann.line(f"/upload {photo}")
    ann.wait_for("Place, time and camera are taken out of the picture")
    ann.wait_for("[1] ann:")
    ann.wait_for("      + photo.jpg")
    assert "picture 640 × 480" in ann.text
    ann.line(f"/upload --as-file {photo}")
    ann.wait_for("The picture is sent as it is: place, time and camera stay inside")
    ann.wait_for("[2] ann:")


KITTY = ("--pictures", "kitty")
OUTSIDE = {"TMUX": "", "STY": ""}


def shown_pictures(output: bytes) -> list[bytes]:
    """The pictures in what a terminal got, by kitty's protocol."""
    begun, shown = b"", []
    for keys, text in re.findall(rb"\x1b_G([^;]*);([A-Za-z0-9+/=]*)\x1b\\", output):
        begun += text
        if keys.endswith(b"m=0"):
            shown.append(b64decode(begun))
            begun = b""
    return shown


@unix
def test_a_picture_is_shown_where_the_user_wants_it(screen: Open, photo: Path) -> None:
    bob = screen("--name", "bob", columns=120, env=OUTSIDE)
    bob.wait_for("Joined #lobby")
    ann = screen("--name", "ann", *KITTY, columns=120, env=OUTSIDE)
    in_tmux = screen("--name", "tim", *KITTY, columns=120, env={"TMUX": "/tmp/tmux-1/default,1,0"})
    in_tmux.wait_for("-- No pictures are shown, because tmux and screen do not pass them on")
    for each in (ann, in_tmux):
        each.wait_for("Joined #lobby")
    bob.line(f"/upload {photo} the sea")
    ann.wait_until(lambda: len(shown_pictures(ann.output)) == 1, "a picture")
    (picture,) = shown_pictures(ann.output)
    assert png_size(picture) == (240, 180)
    head, behind = ann.output.split(b"        \x1b_Ga=T", 1)
    assert head.count("picture 640 × 480".encode()) == 1, "its row is the last one, and is not repeated"
    assert b"\n" not in behind.partition(b"\x1b\\")[0]
    bob.line("that was it")
    for each in (bob, ann, in_tmux):
        each.wait_for("bob: that was it")
    assert [b"\x1b_" in each.output for each in (bob, in_tmux)] == [False, False]
    assert len(shown_pictures(ann.output)) == 1


@unix
def test_pictures_of_history_come_with_their_rows(screen: Open, photo: Path, server: ServerProcess) -> None:
    for name in ("one.jpg", "two.jpg"):
        path = photo.with_name(name)
        path.write_bytes(photo.read_bytes())
        assert run_client(*at(server, "--name", "ci", "--send", "--file", str(path))).returncode == ClientExit.OK
    ann = screen("--name", "ann", columns=120, env={**OUTSIDE, "SECURECHAT_PICTURES": "kitty"})
    ann.wait_until(lambda: len(shown_pictures(ann.output)) == 2, "two pictures")
    above = [each.decode().rstrip().splitlines()[-1] for each in ann.output.split(b"        \x1b_Ga=T")[:-1]]
    assert [re.findall("one.jpg|two.jpg", row) for row in above] == [["one.jpg"], ["two.jpg"]]


def test_pipes_have_no_pictures(server: ServerProcess, photo: Path) -> None:
    assert send(server, "--file", str(photo)).returncode == ClientExit.OK
    env = {**os.environ, "SECURECHAT_PICTURES": "kitty"}
    shown = run_client(*at(server, "--room", "ops", "--tail", "--history", "5"), env=env, stop_after=1)
    assert "[file: photo.jpg" in shown.stdout
    assert "\x1b" not in shown.stdout


@unix
def test_another_value_of_the_variable_is_refused(screen: Open) -> None:
    ann = screen("--name", "ann", columns=120, env={"SECURECHAT_PICTURES": "iterm"})
    ann.wait_for("-- SECURECHAT_PICTURES is off or kitty or sixel, and not iterm")
    assert ann.wait_for_exit() == ClientExit.USAGE


# --- bots -------------------------------------------------------------------------------------------------------------


def test_a_bot_sends_files(server: ServerProcess, robi: Client, report: Path, connect: Connect) -> None:
    ana = connect(server, "ana")
    ana.join("ops")
    assert robi.send("ops", files=[report]) == ana.wait_for_text("[file: report one.pdf, 3.0 MiB]").seq
    robi.direct("ana", "for you", files=[report])
    assert [file.size for file in ana.wait_for_text("for you\n[file: report one.pdf, 3.0 MiB]").files] == [3 * MIB + 17]
    with pytest.raises(Refused) as refused:
        robi.send("ops", "gone", files=[report.parent / "none"])
    assert refused.value.code == "file_unusable"
    ana.say_acked("look", "ops")
    heard = next(robi.messages())
    answered = heard.reply(files=[report])
    assert answered is not None
    assert [file.name for file in robi.history("ops")[-1].files] == ["report one.pdf"]
    assert robi.history("ops")[-1].text == ""


def test_a_file_is_gone_with_its_message(robi: Client, report: Path, folder: Path) -> None:
    seq = robi.send("ops", files=[report])
    (message,) = robi.history("ops")
    (file,) = message.files
    robi.delete(seq)
    with pytest.raises(Refused) as refused:
        file.save(folder)
    assert refused.value.code == "not_found"
    assert list(folder.iterdir()) == []


def test_a_bot_on_asyncio_sends_and_saves(server: ServerProcess, report: Path, folder: Path) -> None:
    async def both() -> Path:
        async with AsyncClient(f"127.0.0.1:{server.port}", "robi", ca=server.ca, state="") as chat:
            await chat.join("ops")
            await asyncio.gather(*(chat.send("ops", str(number), files=[report]) for number in range(3)))
            messages = await chat.history("ops")
            assert {message.text for message in messages} == {"0", "1", "2"}
            assert len(await messages[0].files[0].read()) == 3 * MIB + 17
            return await messages[0].files[0].save(folder)

    assert digest(asyncio.run(both())) == digest(report)


# --- the terminal -----------------------------------------------------------------------------------------------------


@unix
def test_a_person_sends_and_another_one_saves(screen: Open, report: Path, folder: Path) -> None:
    ann = screen("--name", "ann", columns=120)
    ann.wait_for("Joined #lobby")
    bob = screen("--name", "bob", columns=120)
    ann.wait_for("bob joined")
    ann.type(f"/upload {report.parent}/rep")
    ann.type("\t")
    ann.wait_for('report one.pdf"')
    ann.line("have a look")
    ann.wait_for("Sending report one.pdf, 3 MiB. The file is sent as it is")
    bob.wait_for("[1] ann: have a look")
    bob.wait_for("      + report one.pdf, 3 MiB")
    assert "[file:" not in bob.text
    bob.line(f"/save 1 {folder}")
    bob.wait_for("Saved: ")
    assert digest(folder / "report one.pdf") == digest(report)
    ann.wait_for("+ report one.pdf")
    ann.line("/files")
    ann.wait_for("Your files take 3 MiB of 25 MiB")
    ann.line("/delete 1")
    bob.wait_for("-- ann deleted their own [1]")
    bob.line("/save 1")
    bob.wait_for("There is no such message here, or it was deleted")


@unix
def test_ctrl_c_cancels_a_transfer_and_nothing_else(screen: Open, server: ServerProcess, report: Path) -> None:
    ann = screen("--name", "ann", columns=120)
    ann.wait_for("Joined #lobby")
    ann.wait_until(lambda: ann.rows[-1:] == [">>"], "a prompt")
    server.signal(signal.SIGSTOP)
    ann.line(f"/upload '{report}'")
    ann.wait_for("0 % of report one.pdf")
    ann.type(CTRL_C)
    ann.wait_for("1 transfer cancelled")
    ann.wait_until(lambda: ann.rows[-1:] == [">>"], "a prompt with nothing below it")
    server.signal(signal.SIGCONT)
    ann.line("still here")
    ann.wait_for("ann: still here")
    assert "+ [" not in ann.text
