"""Lets input gather between two passes while many connections talk, as a network card coalesces its interrupts.

At the pace of real people, a pass finds one message. Each then pays alone for what a pass costs whatever it does: a
commit, the hand-over to the writing thread and back, a flush. 2,000 messages a second in 100 rooms took 46 us a
delivery so, and 35 when a pass begins 1.8 ms after the last one (`python -m tools.bench.run --case rooms-r2000`).

Only input waits. What other threads have finished runs at once, in passes of its own: a message waits for its turn to
be read, and never for its acknowledgement or its delivery. A few connections are never held back: what they say next
often answers what they were just sent, so that waiting for more brings nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from selectors import SelectorKey

GAP_S = 0.0018
"""Seconds from the beginning of a pass that reads to that of the next one. 3 ms save another quarter, and bring the
median latency to 5 ms; 2 ms is what a median may be."""
CROWD_PER_S = 500
"""Different connections a second that make a crowd: at least one more then comes within GAP_S, on the average."""
WINDOW_S = 0.02
"""Seconds over which they are counted: a pause of a crowd, and a crowd's beginning, are noticed within two windows."""
IS_EXACT = time.get_clock_info("monotonic").resolution < GAP_S / 2
"""Whether the clock can count GAP_S. Python 3.11's on Windows goes by 16 ms, so that input would wait as long."""


class InputPacing:
    """Counts the connections that talk, and says how long the next pass that reads must wait.

    Args:
        now: monotonic seconds.
        is_exact: whether the clock can count GAP_S; nothing is held back otherwise.

    Attributes:
        until: monotonic seconds; no pass reads before. 0.0 while no input is held back.
    """

    __slots__ = ("_heard", "_is_crowd", "_is_exact", "_since", "until")

    def __init__(self, now: float, *, is_exact: bool = IS_EXACT) -> None:
        self.until = 0.0
        self._is_exact = is_exact
        self._since = now
        # Descriptors: a number that is used again within 20 ms counts once. The listeners' and the wake-up's are among
        # them, which are few.
        self._heard: set[int] = set()
        self._is_crowd = False

    def note(self, now: float, ready: Iterable[tuple[SelectorKey, int]]) -> None:
        """Note a pass that reads.

        Args:
            now: monotonic seconds, when the pass began.
            ready: what the selector reported.
        """
        self._heard.update([key.fd for key, _ in ready])
        window_s = now - self._since
        if window_s >= WINDOW_S:
            self._is_crowd = self._is_exact and len(self._heard) >= CROWD_PER_S * window_s
            self._heard.clear()
            self._since = now
        self.until = now + GAP_S if self._is_crowd else 0.0
