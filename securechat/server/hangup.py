"""SIGHUP means one of two: the terminal of this process was closed, or the operator renewed the certificate.

The kernel and the shell send it within moments of the closing. A server that outlives its terminal (``disown``) gets
none then: a SIGHUP that comes later is the operator's.

A start without a terminal keeps a SIGHUP until the server can read the certificate again (`hold_hangups`): by itself
the signal would end the process, and a renewal that comes together with a restart would stop the server.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable

LOOK_S = 5.0
"""Seconds between two looks at the terminal; two in a row must miss it, because the signal can be on its way."""
_LOOKS = 2


class TerminalWatcher:
    """Tells whether a SIGHUP comes from the closing of the terminal that this process was started in.

    Args:
        has_terminal: whether there is a controlling terminal now.
        ignored: whether SIGHUP was ignored at the start, as under ``nohup``.
    """

    def __init__(self, has_terminal: Callable[[], bool], *, ignored: bool) -> None:
        self._has_terminal = has_terminal
        self._missed = 0 if not ignored and has_terminal() else _LOOKS

    @property
    def watched(self) -> bool:
        """Whether the process still ends with its terminal, so that `look` has to be called."""
        return self._missed < _LOOKS

    def look(self) -> None:
        """Note whether the terminal is still there; to be called every `LOOK_S` seconds."""
        self._missed = 0 if self._has_terminal() else self._missed + 1

    @property
    def was_closed(self) -> bool:
        """Whether a SIGHUP that came now means that the terminal was closed."""
        return self.watched and not self._has_terminal()


_held: list[int] = []
"""The hang-ups that came before the server had its handler."""


def hold_hangups() -> None:
    """Keep hang-ups from here on, where there is no terminal that they could come from. Idempotent."""
    if sys.platform != "win32":
        is_untouched = signal.getsignal(signal.SIGHUP) in (signal.SIG_DFL, signal.SIG_IGN)
        if is_untouched and threading.current_thread() is threading.main_thread() and not _is_there():
            signal.signal(signal.SIGHUP, lambda number, _: _held.append(number))


def was_hung_up() -> bool:
    """Whether a hang-up was kept; asked once, after the server's own handler is installed."""
    held = bool(_held)
    _held.clear()
    return held


def controlling_terminal() -> TerminalWatcher:
    """Return the terminal of this process; called before a handler for SIGHUP is installed."""
    if sys.platform == "win32":
        return TerminalWatcher(lambda: False, ignored=True)
    else:  # noqa: RET505 - mypy for Windows calls a return after it unreachable
        return TerminalWatcher(_is_there, ignored=signal.getsignal(signal.SIGHUP) is signal.SIG_IGN)


def _is_there() -> bool:
    """Whether this process has a controlling terminal: after a hang-up it cannot be opened any more (tty(4))."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR))
    except OSError:
        return False
    return True
