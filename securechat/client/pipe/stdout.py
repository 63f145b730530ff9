"""Standard output of a pipe: lines, until nobody reads them any more or it takes none."""

from __future__ import annotations

import io
import os
import select
import sys
import threading
from collections.abc import Callable


class Stdout:
    """Lines to stdout, until it takes no more: whoever reads it may leave, and its disk may be full.

    A reader that leaves (``| head``) is noticed without writing, where the platform has poll (POSIX: POLLERR and
    POLLHUP are always reported); elsewhere the next line notices.

    Args:
        on_end: told once, by `put` or on a thread of its own: None when the reader has left, else what is wrong.
    """

    def __init__(self, on_end: Callable[[str | None], None]) -> None:
        self._on_end = on_end
        self._over = False
        if isinstance(sys.stdout, io.TextIOWrapper):  # a file on Windows, or an old locale, has not every character
            sys.stdout.reconfigure(errors="backslashreplace")

    def put(self, line: str) -> None:
        """Write a line, at once."""
        if self._over:
            return
        try:
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
        except OSError as error:
            self._over = True
            # Python flushes stdout once more at exit: give it something that takes it (docs of SIGPIPE, signal module).
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            self._on_end(None if isinstance(error, BrokenPipeError) else error.strerror or str(error))

    def watch(self) -> None:
        """Notice in the background when the reader leaves."""
        if sys.platform != "win32" and hasattr(select, "poll"):
            poller = select.poll()
            poller.register(sys.stdout.fileno(), 0)

            def wait() -> None:
                # macOS answers POLLNVAL for devices it cannot watch.
                if any(events & (select.POLLERR | select.POLLHUP) for _, events in poller.poll()):
                    self._on_end(None)

            threading.Thread(target=wait, name="stdout", daemon=True).start()
