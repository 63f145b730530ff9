"""The last that went over a connection, for the report of a failure."""

from __future__ import annotations

import time
from collections import deque


class Ring:
    """The last frames of a connection, for the report."""

    def __init__(self) -> None:
        self._last: deque[tuple[float, str, bytes]] = deque(maxlen=200)

    def add(self, way: str, data: bytes) -> None:
        """Remember a piece."""
        if self._last and self._last[-1][1] == way and len(data) < 50:
            at, _, before = self._last[-1]  # what was cut into pieces is one line
            self._last[-1] = (at, way, (before + data)[-1500:])
        else:
            self._last.append((time.monotonic(), way, data[:1500]))

    def lines(self) -> list[str]:
        """What was remembered, a line each."""
        return [f"{at:.4f} {way} {data!r}" for at, way, data in self._last]
