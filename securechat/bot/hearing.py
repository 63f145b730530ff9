"""Entries of the queue between the network's thread and a bot's loop, in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from securechat.bot.records import Deleted, Disconnected, Edited, Gap, LeftRoom, Reacted, Reconnected

OtherEvent: TypeAlias = Edited | Deleted | Reacted | Gap | LeftRoom | Disconnected | Reconnected


@dataclass(slots=True)
class HeardEntry:
    """One of them.

    Attributes:
        seq: of a message or a change; 0 for what is no entry of the log.
        through: once it is handled, everything up to this seq is, except what was handled before out of order.
        fields: those of a message; None for another event.
        event: another event.
    """

    seq: int = 0
    through: int = 0
    fields: dict[str, Any] | None = None
    event: OtherEvent | None = None
