"""Rules between limits: values that are valid alone but not together.

A ``fatal`` rule stops the start; any other is a warning of ``--check-config``, because the server works, but not as
intended. `securechat.limits.Limits` enforces the rules that the code depends on; they are repeated here, so that all
problems are reported at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from securechat.limits import KIB, MAX_FRAME_BYTES, MAX_TEXT_BYTES, PAGE_ROWS

_C_INT_MAX = 2**31 - 1
"""The largest value for listen(2) and SO_SNDBUF."""
_C_INT_MAX_MS_AS_S = _C_INT_MAX / 1000
"""TCP_USER_TIMEOUT is in milliseconds (RFC 5482, tcp(7))."""


class LimitRule(Struct, frozen=True):
    """A rule: ``smaller`` must not exceed ``larger``.

    Attributes:
        smaller: a limit, or a number that the protocol or the system fixes.
        larger: likewise.
        why: the consequence otherwise, as a clause.
        fatal: whether the server cannot work otherwise.
        strict: whether they must not be equal either.
    """

    smaller: str | float
    larger: str | float
    why: str
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
    def reason(self) -> str:
        """The valid relation, and its reason."""
        if isinstance(self.smaller, str):
            bound = "must be smaller than" if self.strict else "must be at most"
            return f"{bound} {self._shown(self.larger)}, or {self.why}"
        return f"must be at least {self._shown(self.smaller)}, or {self.why}"

    @staticmethod
    def _shown(side: str | float) -> str:
        return side if isinstance(side, str) else f"{side:.0f}"


RULES: tuple[LimitRule, ...] = (
    LimitRule("presence_names", PAGE_ROWS, "a greeting would not fit into a frame", fatal=True),
    LimitRule(
        "outbox_soft_bytes",
        "outbox_hard_bytes",
        "a slow reader would be closed before it is given time",
        fatal=True,
        strict=True,
    ),
    LimitRule("emfile_pause_min_s", "emfile_pause_max_s", "the pause could not grow", fatal=True),
    LimitRule("listen_backlog", _C_INT_MAX, "the system does not take it", fatal=True),
    LimitRule("send_buffer_bytes", _C_INT_MAX, "the system does not take it", fatal=True),
    LimitRule("tcp_user_timeout_s", _C_INT_MAX_MS_AS_S, "the system does not take it", fatal=True),
    LimitRule(
        MAX_FRAME_BYTES + KIB, "outbox_hard_bytes", "one full answer would close the connection that asked for it"
    ),
    LimitRule("outbox_hard_bytes", "outboxes_total_bytes", "one slow reader may have more than there is for all"),
    LimitRule("half_open_per_address", "half_open_handshakes", "it is never reached"),
    LimitRule("handshake_timeout_s", "hello_timeout_s", "it is never reached"),
    LimitRule("unacknowledged_drafts", "append_queue", "one member can fill the queue of all"),
    LimitRule(MAX_TEXT_BYTES, "stored_bytes_per_address_day", "no member can send a message of full length"),
)


def broken_rules(limits: Mapping[str, float]) -> Iterator[LimitRule]:
    """The rules that these limits break; ``limits`` must be complete."""
    return (rule for rule in RULES if rule.is_broken(limits))
