"""What systemd is told of a server that it started with ``Type=notify``: ready, reloading, stopping, and one line.

The protocol is sd_notify(3): a datagram of ``KEY=value`` lines to the socket that ``NOTIFY_SOCKET`` names, and nothing
back. Promises never to fail its caller: whoever is not there to listen cannot keep a server from serving. Refuses to
know what the server does; without the variable, and on systems without such sockets, every call does nothing.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import time
from collections.abc import Mapping

from securechat.text.sanitize import one_line

_PATIENCE_S = 1.0
"""How long a full queue there (net.unix.max_dgram_qlen) may hold the loop's thread: a lost READY=1 would end the server
after TimeoutStartSec, so it is worth a wait, and no peer gives up so soon."""


class ServiceManager:
    """Tells the service manager how the server is.

    Args:
        environ: the environment; ``NOTIFY_SOCKET`` is an absolute path, or ``@`` and a name in the abstract namespace
            of unix(7). Anything else (sd_notify(3) has vsock for virtual machines) is left alone.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        name = environ.get("NOTIFY_SOCKET", "")
        self._address = f"\0{name[1:]}" if name.startswith("@") else name
        if not name.startswith(("/", "@")):
            self._address = ""

    def ready(self, status: str) -> None:
        """Say that it serves: after the start, and again after a reload.

        Args:
            status: what ``systemctl status`` shows; made safe and put on one line here.
        """
        self._tell("READY=1", f"STATUS={one_line(status)}")

    def reloading(self) -> None:
        """Say that it reads its certificate again; `ready` must follow, whether that went well or not."""
        # Since systemd 253 the time is how a ready that answers this reload is told from an older one: CLOCK_MONOTONIC,
        # which is what time.monotonic_ns() reads on Linux.
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Say that it is on its way out, in order."""
        self._tell("STOPPING=1", "STATUS=stopping: telling the clients and closing the log")

    if sys.platform == "win32":

        def _tell(self, *lines: str) -> None:
            """There is no such socket here."""

    else:

        def _tell(self, *lines: str) -> None:
            if not self._address:
                return
            # OSError: nobody listens there, or has read for _PATIENCE_S; ValueError: the name is no path.
            with contextlib.suppress(OSError, ValueError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.settimeout(_PATIENCE_S)
                sender.sendto("\n".join(lines).encode(), self._address)
