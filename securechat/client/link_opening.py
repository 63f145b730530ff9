"""Opens links and saved files with the system's opener: an argument list, never a shell.

Of links nothing but http and https. Of files only what a viewer shows or plays: what a peer sent may be a program, and
an opener runs some of these.

Over SSH the opener would start on a machine without a person in front of it, so there is none.
"""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from shutil import which

_LINK = re.compile(r"https?://[!-~]+", re.IGNORECASE)
_SSH = ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY")
VIEWED = frozenset(
    [
        ".png",
        ".jpg",
        ".jpeg",
        ".gif",
        ".webp",
        ".bmp",
        ".pdf",
        ".txt",
        ".mp3",
        ".ogg",
        ".oga",
        ".opus",
        ".flac",
        ".wav",
        ".m4a",
        ".mp4",
        ".webm",
        ".mkv",
        ".mov",
    ]
)
"""Endings of files that a viewer shows or plays; none that may hold a program, a script or macros."""
_LINKS_ONLY = "termux-open-url"
"""An opener that takes no files."""
_DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")


def is_link_target(target: str) -> bool:
    """Tell whether a target is http or https, and printable ASCII alone: no OSC can be ended early by it."""
    return _LINK.fullmatch(target) is not None


def opener(
    environ: Mapping[str, str], find: Callable[[str], str | None] = which, system: str = sys.platform
) -> tuple[str, ...]:
    """Return the command of the opener; empty over SSH, or where there is none."""
    if any(environ.get(name) for name in _SSH):
        return ()
    if system == "win32":
        return ("rundll32", "url.dll,FileProtocolHandler")
    if system == "darwin":
        return ("open",)
    if any(environ.get(name) for name in _DISPLAYS):
        path = find("xdg-open")
        return (path,) if path else ()
    path = find("termux-open-url") or find("wslview")
    return (path,) if path else ()


def open_link(link: str, environ: Mapping[str, str], done: Callable[[bool], None]) -> None:
    """Start the opener, and tell from another thread whether it did.

    Args:
        link: is not opened unless it is http or https in printable ASCII.
        environ: says whether this is SSH.
        done: told whether the opener took the link.
    """
    _start(opener(environ) if is_link_target(link) else (), link, done)


def is_viewed(path: str) -> bool:
    """Tell whether a file, by the ending of its name, is one that is looked at or listened to."""
    return Path(path).suffix.lower() in VIEWED


def open_file(path: str, environ: Mapping[str, str], done: Callable[[bool], None]) -> None:
    """Start the opener for a file of this machine, and tell from another thread whether it did.

    Args:
        path: absolute; is not opened unless `is_viewed`.
        environ: says whether this is SSH.
        done: told whether the opener took the file.
    """
    command = opener(environ) if is_viewed(path) and Path(path).is_absolute() else ()
    _start(() if command and command[0].endswith(_LINKS_ONLY) else command, path, done)


def _start(command: Sequence[str], argument: str, done: Callable[[bool], None]) -> None:
    if not command:
        done(False)
        return

    def run() -> None:
        try:
            ended = subprocess.run(  # noqa: S603 - a list of arguments, and one that was checked
                [*command, argument],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=False,
                start_new_session=True,
            )
        except OSError:
            done(False)
        else:
            done(ended.returncode == 0)

    threading.Thread(target=run, name="opener", daemon=True).start()
