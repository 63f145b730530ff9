"""Hides an event loop that is suspended beneath the code that runs."""

from __future__ import annotations

import sys
from asyncio import events
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_running_loop() -> Iterator[None]:
    """Take the thread's running loop away for a while.

    Its hooks for asynchronous generators go, too. A generator that a test drives by hand, and drops in the middle of a
    wait, would be closed by that loop at its own end, which logs an error for each.
    """
    loop = events._get_running_loop()
    if loop is None:
        yield
        return
    hooks = sys.get_asyncgen_hooks()
    events._set_running_loop(None)
    sys.set_asyncgen_hooks(None, None)
    try:
        yield
    finally:
        sys.set_asyncgen_hooks(*hooks)
        events._set_running_loop(loop)
