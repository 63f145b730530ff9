"""What becomes of a message when an edit, a deletion or a reaction is applied, and changes that come before it does.

The rules (docs/protocol.md, section 15): changes are applied in the order of their seq; what a message from the server
says already includes changes that are still on their way, up to the one that it names (``changed``). So what is in a
copy is not applied again: a reaction that was taken away and put there anew would change its place, and the user would
be told of both. An edit without text was replaced by a later one, which follows, and a deletion stays.

Pure: knows no conversation and no connection.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from msgspec.structs import replace

from securechat.client.core.state import ConversationId
from securechat.model import Deleted, Edited, Message, MessageChange, Reacted, Reaction

KEPT_CHANGES = 1_000
"""Changes of messages that are not here: enough for those on their way to us while a page of history is read."""


def apply_change(message: Message, change: MessageChange) -> Message:
    """Return the message after the change; the same object when it says nothing new."""
    if message.deleted is not None or change.seq <= (message.changed or 0):
        return message
    match change:
        case Deleted(seq):
            return replace(message, text="", deleted=seq, edited=None, mentions=[], reactions=[], changed=seq)
        case Edited(seq, text=text, mentions=mentions):
            if text is None or seq <= (message.edited or 0):  # a server that does not name the last change
                return message
            return replace(message, text=text, edited=seq, mentions=mentions, changed=seq)
        case Reacted(sender_id=who, sign=sign, on=on):
            after = _reacted(message, sign, who, on=on)
            return after if after is message else replace(after, changed=change.seq)
        case _:
            assert_never(change)


def has_reacted(message: Message, sign: str, who: int) -> bool:
    """Tell whether somebody has put this sign under the message."""
    return any(reaction.sign == sign and who in reaction.by for reaction in message.reactions)


def _reacted(message: Message, sign: str, who: int, *, on: bool) -> Message:
    if has_reacted(message, sign, who) == on:
        return message
    rest = []
    for reaction in message.reactions:
        by = reaction.by
        if reaction.sign == sign:
            by = [*by, who] if on else [one for one in by if one != who]
        if by:
            rest.append(Reaction(reaction.sign, by))
    if on and all(reaction.sign != sign for reaction in message.reactions):
        rest.append(Reaction(sign, [who]))
    return replace(message, reactions=rest)


class PendingChanges:
    """Changes of messages that are not here, in case these are read later in an older state.

    The oldest are let go first: a page that is asked for now has them.
    """

    def __init__(self) -> None:
        self._changes: dict[int, tuple[ConversationId, MessageChange]] = {}

    def keep(self, key: ConversationId, change: MessageChange) -> None:
        """Remember a change in a conversation."""
        self._changes[change.seq] = (key, change)
        if len(self._changes) > KEPT_CHANGES:
            del self._changes[next(iter(self._changes))]

    def applied(self, message: Message) -> Message:
        """Return the message with every change of it that came before it."""
        for change in self._of(message.seq):
            message = apply_change(message, change)
        return message

    def forget(self, key: ConversationId) -> None:
        """What follows in this conversation is not told us any more, so what is known of it grows old."""
        self._changes = {seq: kept for seq, kept in self._changes.items() if kept[0] != key}

    def clear(self) -> None:
        """Another log."""
        self._changes.clear()

    def _of(self, target: int) -> Iterable[MessageChange]:
        return [change for _, change in self._changes.values() if change.target == target] if self._changes else ()
