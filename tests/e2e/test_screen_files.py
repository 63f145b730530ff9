"""Files on the full screen: sent, shown, saved, opened by the system's opener, and over SSH not opened."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.screen import ON, Screen
from tests.support.server import ServerProcess, wait_until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are Unix")
Open = Callable[..., Screen]
CTRL_UP = "\x1b[1;5A"


def opened(screen: Open, name: str, home: Path, **env: str) -> Screen:
    """A person's screen, connected, with a home and an opener that notes what it gets."""
    opener = home / "bin" / "xdg-open"
    opener.parent.mkdir(parents=True)
    opener.write_text(f'#!/bin/sh\nprintf "%s" "$1" > {home}/opened.new\nmv {home}/opened.new {home}/opened\n')
    opener.chmod(0o755)
    where = {**ON, "HOME": str(home), "PATH": f"{opener.parent}:/usr/bin:/bin", **env}
    one = screen("--name", name, env={"DISPLAY": "", "SSH_CONNECTION": "", "XDG_DOWNLOAD_DIR": "", **where})
    one.wait_for("Write a message")
    one.wait_for("connected")
    return one


@pytest.mark.parametrize("over_ssh", [False, True])
def test_a_file_is_saved_by_enter_and_opened_by_the_next(screen: Open, tmp_path: Path, over_ssh: bool) -> None:
    report = tmp_path / "report.pdf"
    report.write_bytes(b"%PDF-1.4 figures")
    env = {"DISPLAY": ":0", **({"SSH_CONNECTION": "10.0.0.1 2 10.0.0.2 22"} if over_ssh else {})}
    ann, bob = opened(screen, "ann", tmp_path / "ann"), opened(screen, "bob", tmp_path / "bob", **env)
    ann.wait_for("bob joined")
    ann.line(f"/upload {report} the figures")
    bob.wait_for("+ report.pdf")
    bob.type(f"{CTRL_UP}\r")
    bob.wait_for("Saved: ")
    (saved,) = (tmp_path / "bob").rglob("report*.pdf")
    assert saved.read_bytes() == report.read_bytes()
    bob.type("\r")
    if over_ssh:
        bob.wait_for("Not opened. The file is here:")
        assert not (tmp_path / "bob" / "opened").exists()
        return
    bob.wait_for("Opening ")
    wait_until((tmp_path / "bob" / "opened").exists, "the opener")
    assert (tmp_path / "bob" / "opened").read_text() == str(saved)
    saved.unlink()
    bob.type("\r")
    wait_until(saved.exists, "saved once more")


def test_a_saved_program_is_not_opened(screen: Open, tmp_path: Path) -> None:
    script = tmp_path / "run.sh"
    script.write_bytes(b"#!/bin/sh\n")
    ann = opened(screen, "ann", tmp_path / "ann", DISPLAY=":0")
    ann.line(f"/upload {script}")
    ann.wait_for("+ run.sh")
    ann.wait_until(lambda: "sending" not in ann.text, "stored")
    ann.type(f"{CTRL_UP}\r")
    ann.wait_for("Saved: ")
    ann.type("\r")
    ann.wait_for("Not opened. The file is here:")
    assert not (tmp_path / "ann" / "opened").exists()


def test_ctrl_c_ends_a_transfer_and_not_the_chat(screen: Open, server: ServerProcess, tmp_path: Path) -> None:
    report = tmp_path / "report.pdf"
    report.write_bytes(b"%PDF-1.4 figures")
    ann = opened(screen, "ann", tmp_path / "ann")
    server.signal(signal.SIGSTOP)
    try:
        ann.line(f"/upload {report}")
        ann.wait_for("0 % of report.pdf")
        ann.type("\x03")
        ann.wait_for("1 transfer cancelled")
        ann.wait_until(lambda: "0 % of" not in ann.text, "no progress")
    finally:
        server.signal(signal.SIGCONT)
    ann.line("still here")
    ann.wait_until(lambda: "still here" in ann.text and "sending" not in ann.text, "stored")
