"""Rules between limits: values that are valid alone but not together.

A ``fatal`` rule stops the start; any other is a warning of ``--check-config``, because the server works, but not as
intended. `securechat.limits.Limits` enforces the rules that the code depends on; they are repeated here, so that all
problems are reported at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from securechat.limits import KIB, MAX_FRAME_BYTES, MAX_TEXT_BYTES, PAGE_ROWS
from securechat.translation import Sentence

_C_INT_MAX = 2**31 - 1
"""The largest value for listen(2) and SO_SNDBUF."""
_C_INT_MAX_MS_AS_S = _C_INT_MAX / 1000
"""TCP_USER_TIMEOUT is in milliseconds (RFC 5482, tcp(7))."""
_NOT_TAKEN = Sentence("the system does not take it")
_NEVER_REACHED = Sentence("it is never reached")


class LimitRule(Struct, frozen=True):
    """A rule: ``smaller`` must not exceed ``larger``.

    Attributes:
        smaller: a limit, or a number that the protocol or the system fixes.
        larger: likewise.
        why: the consequence otherwise, as a clause behind "or".
        fatal: whether the server cannot work otherwise.
        strict: whether they must not be equal either.
    """

    smaller: str | float
    larger: str | float
    why: Sentence
    fatal: bool = False
    strict: bool = False

    def is_broken(self, limits: Mapping[str, float]) -> bool:
        """Tell whether these limits break the rule."""
        low = limits[self.smaller] if isinstance(self.smaller, str) else self.smaller
        high = limits[self.larger] if isinstance(self.larger, str) else self.larger
        return low > high or (self.strict and low == high)

    @property
    def names(self) -> tuple[str, ...]:
        """The limits in the rule, the one to report first."""
        return tuple(side for side in (self.smaller, self.larger) if isinstance(side, str))

    @property
    def reason(self) -> Sentence:
        """The valid relation, and its reason."""
        if not isinstance(self.smaller, str):
            return Sentence("must be at least {bound}, or {why}", bound=self._shown(self.smaller), why=self.why)
        if self.strict:
            return Sentence("must be smaller than {bound}, or {why}", bound=self._shown(self.larger), why=self.why)
        return Sentence("must be at most {bound}, or {why}", bound=self._shown(self.larger), why=self.why)

    @staticmethod
    def _shown(side: str | float) -> str:
        return side if isinstance(side, str) else f"{side:.0f}"


RULES: tuple[LimitRule, ...] = (
    LimitRule("presence_names", PAGE_ROWS, Sentence("a greeting would not fit into a frame"), fatal=True),
    LimitRule(
        "outbox_soft_bytes",
        "outbox_hard_bytes",
        Sentence("a slow reader would be closed before it is given time"),
        fatal=True,
        strict=True,
    ),
    LimitRule("emfile_pause_min_s", "emfile_pause_max_s", Sentence("the pause could not grow"), fatal=True),
    LimitRule("listen_backlog", _C_INT_MAX, _NOT_TAKEN, fatal=True),
    LimitRule("send_buffer_bytes", _C_INT_MAX, _NOT_TAKEN, fatal=True),
    LimitRule("tcp_user_timeout_s", _C_INT_MAX_MS_AS_S, _NOT_TAKEN, fatal=True),
    LimitRule(
        MAX_FRAME_BYTES + KIB,
        "outbox_hard_bytes",
        Sentence("one full answer would close the connection that asked for it"),
    ),
    LimitRule(
        "outbox_hard_bytes",
        "outboxes_total_bytes",
        Sentence("one slow reader may have more than there is for all"),
    ),
    LimitRule("half_open_per_address", "half_open_handshakes", _NEVER_REACHED),
    LimitRule("handshake_timeout_s", "hello_timeout_s", _NEVER_REACHED),
    LimitRule("unacknowledged_drafts", "append_queue", Sentence("one member can fill the queue of all")),
    LimitRule(MAX_TEXT_BYTES, "stored_bytes_per_address_day", Sentence("no member can send a message of full length")),
)


def broken_rules(limits: Mapping[str, float]) -> Iterator[LimitRule]:
    """The rules that these limits break; ``limits`` must be complete."""
    return (rule for rule in RULES if rule.is_broken(limits))
