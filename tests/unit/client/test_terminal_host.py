"""What a terminal client hands to the machine: links, an editor, the clipboard, notifications."""

from __future__ import annotations

import base64
import sys
import threading
from pathlib import Path

import pytest

from securechat.client import external_editor, link_opening
from securechat.client.tty import clipboard
from securechat.client.tty import notices as terminal_notices
from securechat.client.tty.notices import NoticeSequence

LINK = "https://example.org/?a=b&c=$(id)"


def test_the_clipboard_is_written_and_never_asked() -> None:
    sequence = clipboard.copying("zwölf\x1b\\")
    assert sequence is not None
    assert sequence.startswith("\x1b]52;c;")
    assert base64.b64decode(sequence[7:-2]).decode() == "zwölf\x1b\\"
    assert clipboard.copying("x" * (clipboard.MOST_BYTES + 1)) is None


@pytest.mark.parametrize(
    ("environ", "system", "wanted"),
    [
        ({"DISPLAY": ":0"}, "linux", ("/bin/xdg-open",)),
        ({"WAYLAND_DISPLAY": "w"}, "linux", ("/bin/xdg-open",)),
        ({"DISPLAY": ":0", "SSH_CONNECTION": "1"}, "linux", ()),
        ({"SSH_TTY": "/dev/pts/1"}, "darwin", ()),
        ({}, "linux", ("/bin/termux-open-url",)),
        ({}, "darwin", ("open",)),
        ({}, "win32", ("rundll32", "url.dll,FileProtocolHandler")),
    ],
)
def test_the_opener_is_the_systems_and_none_over_ssh(
    environ: dict[str, str], system: str, wanted: tuple[str, ...]
) -> None:
    assert link_opening.opener(environ, lambda name: f"/bin/{name}", system) == wanted


@pytest.mark.skipif(sys.platform == "win32", reason="a program of the shell")
def test_a_link_is_an_argument_and_no_shell_sees_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program, seen = tmp_path / "opener", tmp_path / "seen"
    program.write_text(f'#!/bin/sh\nprintf "%s" "$1" > {seen}\n', encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setattr(link_opening, "opener", lambda _: (str(program),))
    done = threading.Event()
    told: list[bool] = []

    def tell(opened: bool) -> None:
        told.append(opened)
        done.set()

    link_opening.open_link(LINK, {}, tell)
    assert done.wait(20)
    assert told == [True]
    assert seen.read_text(encoding="utf-8") == LINK


@pytest.mark.parametrize("link", ["file:///etc/passwd", "javascript:x", "--help", "https://ä.example", "https://a b"])
def test_what_is_no_link_is_not_opened(link: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_opening, "opener", lambda _: ("/nonexistent",))
    told: list[bool] = []
    link_opening.open_link(link, {}, told.append)
    assert told == [False]


def _editor(tmp_path: Path, body: str) -> dict[str, str]:
    program = tmp_path / "editor"
    program.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    program.chmod(0o755)
    return {"EDITOR": f"{program} --flag"}


@pytest.mark.skipif(sys.platform == "win32", reason="a program of the shell")
def test_an_editor_gets_the_text_in_a_file_of_the_users_own_and_leaves_nothing(tmp_path: Path) -> None:
    environ = _editor(tmp_path, f'stat -c %a "$2" > {tmp_path}/mode; echo "$2" > {tmp_path}/path; echo more >> "$2"')
    assert external_editor.edited("text\n", environ) == "text\nmore"
    assert (tmp_path / "mode").read_text(encoding="utf-8").strip() == "600"
    assert not Path((tmp_path / "path").read_text(encoding="utf-8").strip()).parent.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="a program of the shell")
@pytest.mark.parametrize("body", ["exit 1", 'rm "$2"; touch "$2~"; exit 3'])
def test_an_editor_that_fails_changes_nothing(tmp_path: Path, body: str) -> None:
    assert external_editor.edited("text", _editor(tmp_path, body)) is None
    assert external_editor.edited("text", {"EDITOR": str(tmp_path / "none")}) is None


@pytest.mark.parametrize(
    ("environ", "answered", "wanted"),
    [
        ({"TERM": "xterm-kitty"}, True, NoticeSequence.OSC_99),
        ({"TERM": "foot"}, False, NoticeSequence.OSC_777),
        ({"TERM_PROGRAM": "iTerm.app"}, False, NoticeSequence.OSC_9),
        ({"TERM": "xterm-256color"}, False, NoticeSequence.NONE),
        ({"TERM": "foot", "TMUX": "/tmp/t"}, True, NoticeSequence.NONE),
    ],
)
def test_the_notification_is_the_one_that_the_terminal_knows(
    environ: dict[str, str], answered: bool, wanted: NoticeSequence
) -> None:
    assert terminal_notices.known_sequence(environ, answered_99=answered) is wanted


@pytest.mark.parametrize("sequence", list(NoticeSequence))
def test_no_text_ends_a_notification_early(sequence: NoticeSequence) -> None:
    text = terminal_notices.notifying("a\x1b\\b\x07c\x9c;d", sequence, rings=True)
    assert text.count("\x1b") in {0, 2}
    assert sum(map(text.count, "\x07\x9c")) == (1 if sequence is NoticeSequence.NONE else 0)
    assert terminal_notices.notifying("a", NoticeSequence.NONE, rings=False) == ""


@pytest.mark.skipif(sys.platform == "win32", reason="a program of the shell")
def test_a_file_that_a_viewer_shows_is_opened_by_an_argument(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program, seen, file = tmp_path / "opener", tmp_path / "seen", tmp_path / "-$(id) a.PDF"
    program.write_text(f'#!/bin/sh\nprintf "%s" "$1" > {seen}\n', encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setattr(link_opening, "opener", lambda _: (str(program),))
    told: list[bool] = []
    done = threading.Event()

    def tell(opened: bool) -> None:
        told.append(opened)
        done.set()

    link_opening.open_file(str(file), {}, tell)
    assert done.wait(20)
    assert told == [True]
    assert seen.read_text(encoding="utf-8") == str(file)


@pytest.mark.parametrize("path", ["/a/run.sh", "/a/x.desktop", "/a/x.html", "/a/x.svg", "/a/x.docm", "/a/x", "-x.pdf"])
def test_no_other_file_is_opened(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_opening, "opener", lambda _: ("/nonexistent",))
    told: list[bool] = []
    link_opening.open_file(path, {}, told.append)
    assert told == [False], "at once, without a thread that starts something"


def test_no_file_is_opened_over_ssh_or_by_an_opener_of_links(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[bool] = []
    link_opening.open_file("/a/x.pdf", {"SSH_CONNECTION": "1", "DISPLAY": ":0"}, told.append)
    monkeypatch.setattr(link_opening, "opener", lambda _: ("/bin/termux-open-url",))
    link_opening.open_file("/a/x.pdf", {}, told.append)
    assert told == [False, False]
