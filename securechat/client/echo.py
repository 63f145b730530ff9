"""Turns the terminal's echo off while a password is typed without a line editor (TERM=dumb)."""

from __future__ import annotations

import contextlib
import os
import signal
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

    def restore_on_signals(self) -> None:
        """Restore the echo before SIGQUIT ends the program or SIGTSTP stops it; call it on the main thread.

        Ctrl-Z leaves the shell a terminal with echo, and the echo is off again when the program goes on.
        """
        for name in ("SIGQUIT", "SIGTSTP"):
            if (number := getattr(signal, name, None)) is not None and signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, self._signalled)

    def _signalled(self, number: int, _frame: object) -> None:
        was_hidden = self._was is not None
        self.off()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)  # ends the program, or stops it here until it goes on
        signal.signal(number, self._signalled)
        if was_hidden:
            self.on()

    def off(self) -> None:
        """Restore the echo."""
        was, self._was = self._was, None
        if sys.platform != "win32" and was is not None:
            import termios  # noqa: PLC0415 - Unix alone has it

            with contextlib.suppress(termios.error, OSError):
                termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, was)
