"""The limit of file descriptors of this process, raised as far as possible."""

from __future__ import annotations

import sys

WINDOWS_DESCRIPTORS = 512
"""The sockets that ``select`` accepts on Windows (FD_SETSIZE as CPython is built there)."""
UNLIMITED_DESCRIPTORS = 1_048_576
"""The number used for RLIM_INFINITY: the default of Linux' fs.nr_open."""


if sys.platform == "win32":

    def descriptor_limit() -> int:
        """Return the limit of ``select``: there is no RLIMIT_NOFILE here."""
        return WINDOWS_DESCRIPTORS

else:
    import resource

    def descriptor_limit() -> int:
        """Raise the soft RLIMIT_NOFILE to the hard one and return it: 1,024 is a default for users of ``select``."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = UNLIMITED_DESCRIPTORS if hard == resource.RLIM_INFINITY else hard
        if soft == resource.RLIM_INFINITY or soft >= wanted:
            return UNLIMITED_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError):  # macOS refuses more than OPEN_MAX
            return soft
        return wanted
