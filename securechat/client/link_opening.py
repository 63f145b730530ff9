"""Opens a link with the system's opener: an argument list, never a shell, and nothing but http and https.

Over SSH the opener would start on a machine that nobody sits at, so there is none.
"""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from shutil import which

_LINK = re.compile(r"https?://[!-~]+", re.IGNORECASE)
_SSH = ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY")
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
    command = opener(environ)
    if not command or not is_link_target(link):
        done(False)
        return

    def run() -> None:
        try:
            ended = subprocess.run(  # noqa: S603 - a list of arguments, and a link that was checked
                [*command, link],
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

    threading.Thread(target=run, name="link-opener", daemon=True).start()
