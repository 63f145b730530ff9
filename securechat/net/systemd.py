"""Notifies systemd (``Type=notify``) that the server is ready, reloading or stopping.

The protocol is sd_notify(3): a datagram of ``KEY=value`` lines to the socket that ``NOTIFY_SOCKET`` names, without an
answer. Calls never fail: a missing listener must not stop a server. Without the variable, and on systems without such
sockets, every call does nothing.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import time
from collections.abc import Mapping

from securechat.text.sanitize import one_line

_PATIENCE_S = 1.0
"""Longest time that a full queue (net.unix.max_dgram_qlen) may block the loop's thread: losing READY=1 would end the
server after TimeoutStartSec, and no peer gives up within a second."""


class ServiceManager:
    """Reports the server's state to the service manager.

    Args:
        environ: the environment; ``NOTIFY_SOCKET`` is an absolute path, or ``@`` and a name in the abstract namespace
            of unix(7). Other forms (sd_notify(3) has vsock for virtual machines) are ignored.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        name = environ.get("NOTIFY_SOCKET", "")
        self._address = f"\0{name[1:]}" if name.startswith("@") else name
        if not name.startswith(("/", "@")):
            self._address = ""

    def ready(self, status: str) -> None:
        """Report that the server is ready: after the start, and again after a reload.

        Args:
            status: the line for ``systemctl status``; sanitised here.
        """
        self._tell("READY=1", f"STATUS={one_line(status)}")

    def reloading(self) -> None:
        """Report that the server reloads its certificate; `ready` must follow, whether that succeeded or not."""
        # Since systemd 253 the time tells a ready that answers this reload from an older one: CLOCK_MONOTONIC, which is
        # what time.monotonic_ns() reads on Linux.
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Report that the server stops in order."""
        self._tell("STOPPING=1", "STATUS=stopping: telling the clients and closing the log")

    if sys.platform == "win32":

        def _tell(self, *lines: str) -> None:
            """Do nothing: this system has no such socket."""

    else:

        def _tell(self, *lines: str) -> None:
            if not self._address:
                return
            # OSError: no listener, or a full queue for _PATIENCE_S; ValueError: the name is not a path.
            with contextlib.suppress(OSError, ValueError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.settimeout(_PATIENCE_S)
                sender.sendto("\n".join(lines).encode(), self._address)
