"""Writes lines to standard output until it is closed or cannot be written."""

from __future__ import annotations

import io
import os
import select
import sys
import threading
from collections.abc import Callable

from securechat.translation import system_error


class Stdout:
    """Standard output that notices when its reader closes it, or its disk is full.

    A reader that closes it (``| head``) is noticed without writing, where the platform has poll (POSIX: POLLERR and
    POLLHUP are always reported); elsewhere the next line notices.

    Args:
        on_end: called once, by `put` or on another thread: with None when the reader has closed it, else with the
            error.
    """

    def __init__(self, on_end: Callable[[str | None], None]) -> None:
        self._on_end = on_end
        self._over = False
        if isinstance(sys.stdout, io.TextIOWrapper):  # a file on Windows, or an old locale, lacks some characters
            sys.stdout.reconfigure(errors="backslashreplace")

    def put(self, line: str) -> None:
        """Write a line, unbuffered."""
        if self._over:
            return
        try:
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
        except OSError as error:
            self._over = True
            # Python flushes stdout once more at exit: give it a descriptor that accepts it (docs of SIGPIPE, signal
            # module).
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            self._on_end(None if isinstance(error, BrokenPipeError) else system_error(error))

    def watch(self) -> None:
        """Watch for the reader's end on a thread."""
        if sys.platform != "win32" and hasattr(select, "poll"):
            poller = select.poll()
            poller.register(sys.stdout.fileno(), 0)

            def wait() -> None:
                # macOS answers POLLNVAL for devices it cannot watch.
                if any(events & (select.POLLERR | select.POLLHUP) for _, events in poller.poll()):
                    self._on_end(None)

            threading.Thread(target=wait, name="stdout", daemon=True).start()
