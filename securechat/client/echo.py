"""Turns the terminal's echo off while a password is typed without a line editor (TERM=dumb)."""

from __future__ import annotations

import contextlib
import sys
from typing import Any


class EchoControl:
    """Turns the echo of standard input off and on again; does nothing where that is impossible."""

    def __init__(self) -> None:
        self._was: Any = None

    def on(self) -> bool:
        """Turn the echo off; tell whether that succeeded."""
        if sys.platform != "win32" and self._was is None:
            import termios  # noqa: PLC0415 - Unix alone has it

            with contextlib.suppress(termios.error, OSError):
                was = termios.tcgetattr(sys.stdin.fileno())
                quiet = [*was[:3], was[3] & ~termios.ECHO, *was[4:]]
                # Input typed ahead, with echo, is not a password.
                termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, quiet)
                self._was = was
        return self._was is not None

    def off(self) -> None:
        """Restore the echo."""
        was, self._was = self._was, None
        if sys.platform != "win32" and was is not None:
            import termios  # noqa: PLC0415 - Unix alone has it

            with contextlib.suppress(termios.error, OSError):
                termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, was)
