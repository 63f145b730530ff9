"""How fast worlds run in a row: a world is garbage as a whole, and collecting before its end is mostly vain."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def rarely_collected() -> Iterator[None]:
    """Let the garbage collector come seldom (measured: 6 % of a run)."""
    before = gc.get_threshold()
    gc.set_threshold(50_000, 20, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)
