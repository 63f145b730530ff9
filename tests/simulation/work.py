"""What the loop's work takes: made microseconds for each unit, so that a pass has a length and a freeze can be seen.

The simulated clock stands still while code runs, so a real loop that computes for seconds would not be noticed. Here
each unit of work that a peer can ask for takes its time: a command, a candidate of a mention, a name that is folded, an
encoded byte. The costs follow what was measured on one core, rounded; a run is the same on any machine. Whole
milliseconds of a pass keep the next pass waiting (`SimulatedPasses`); what is below is what any busy pass takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from precis_i18n import get_profile

from securechat.testing.log_checks import HistoryBroken
from securechat.text import names
from securechat.wire.native import NativeFormat

if TYPE_CHECKING:
    from securechat.hub.hub import Hub
    from securechat.hub.interfaces import Peer
    from securechat.limits import PageLimits
    from securechat.model import Command, Event

COMMAND_US = 20
"""Taking a command, and deciding about it: 256 frames are some 5 ms (`session._FRAMES_PER_PASS`)."""
CANDIDATE_US = 3
"""Looking for one name that a text may mean."""
KEY_CHARS_PER_US = 4
"""And for so many code points of its key."""
FOLDED_CHAR_US = 4
"""PRECIS, for each code point of a name that is not ASCII (measured: 31 in 70 to 120 µs)."""
GROWN_CHAR_US = 17
"""The same for each code point more than there were before (measured: 31 times U+FDFA in 9.4 ms)."""
EVENT_US = 3
"""Encoding an event."""
BYTES_PER_US = 100
"""And so many bytes of it."""
LONGEST_PASS_MS = 100.0
"""Nobody may keep everybody waiting for longer: over this, a server that runs writes a line into its log."""

_PROFILE: Any = type(get_profile("NicknameCaseMapped:CaseFold"))


class Work:
    """What one server has computed.

    Attributes:
        us: made microseconds in this pass.
        longest_ms: the longest pass so far.
    """

    def __init__(self) -> None:
        self.us = 0.0
        self.longest_ms = 0.0

    def pass_is_over(self) -> float:
        """Return how many seconds the pass keeps the next one waiting: its whole milliseconds.

        Raises:
            HistoryBroken: nobody may work that long.
        """
        us, self.us = self.us, 0.0
        if us < 1_000:
            return 0.0
        ms = us / 1_000
        if ms > LONGEST_PASS_MS:
            raise HistoryBroken(f"the loop worked for {ms:.0f} ms in one pass, and nobody else was heard")
        self.longest_ms = max(self.longest_ms, ms)
        return int(ms) / 1_000

    def folded(self, before: str, after: str) -> None:
        """A name was folded."""
        self.us += FOLDED_CHAR_US * len(before) + GROWN_CHAR_US * max(0, len(after) - len(before))

    def measure(self, hub: Hub) -> None:
        """Count what a hub takes and looks for."""
        handle, posting = hub.handle, hub._posting
        whose = posting._sender_named

        def counted_handle(peer: Peer, command: Command) -> float:
            self.us += COMMAND_US
            return handle(peer, command)

        def counted_whose(room: str, key: str) -> int | None:
            self.us += CANDIDATE_US + len(key) / KEY_CHARS_PER_US
            return whose(room, key)

        hub.handle = counted_handle  # type: ignore[method-assign]
        posting._sender_named = counted_whose  # type: ignore[method-assign]


class CountedFormat(NativeFormat):
    """The native format with frames of any size, and what encoding takes.

    Args:
        pages: how large a frame and a page may be.
        work: who counts.
    """

    def __init__(self, pages: PageLimits, work: Work) -> None:
        super().__init__(pages)
        self._work = work

    def encode(self, event: Event) -> bytes:
        """Return the event as one frame."""
        encoded = super().encode(event)
        self._work.us += EVENT_US + len(encoded) / BYTES_PER_US
        return encoded


@contextmanager
def folding_counted(work: Callable[[], Work]) -> Iterator[None]:
    """Count what folding names takes, for as long as a run lasts.

    Names that were folded before are remembered by the product; forgetting them first makes a run the same whatever ran
    before it.

    Args:
        work: of the server that runs now.
    """
    for function in vars(names).values():
        if hasattr(function, "cache_clear"):
            function.cache_clear()
    enforce = _PROFILE.enforce

    def counted(self: Any, value: Any, *args: Any, **kwargs: Any) -> str:
        after = value
        try:
            after = enforce(self, value, *args, **kwargs)
        finally:
            work().folded(value, after)
        return str(after)

    _PROFILE.enforce = counted
    try:
        yield
    finally:
        _PROFILE.enforce = enforce
