"""Applies edits, deletions and reactions to messages, and keeps changes of messages that are not here yet.

The rules (docs/protocol.md, section 15): changes are applied in the order of their seq. A message from the server
includes changes that are still on their way, up to the one that it names (``changed``), so these are not applied again:
a reaction that was removed and added anew would change its place, and the user would be told of both. An edit without
text was replaced by a later one, which follows. A deletion is final.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from msgspec.structs import replace

from securechat.client.core.state import ConversationId
from securechat.model import Deleted, Edited, Message, MessageChange, Person, Purged, Reacted, Reaction

KEPT_CHANGES = 1_000
"""Changes of messages that are not here: enough for those on their way while a page of history is read."""


def apply_change(message: Message, change: MessageChange) -> Message:
    """Return the message after the change; the same object when it says nothing new."""
    if message.deleted is not None or change.seq <= (message.changed or 0):
        return message
    match change:
        case Deleted(seq):
            return replace(
                message, text="", deleted=seq, deleted_by=_by_another(message, change), edited=None, edited_by=None,
                mentions=[], reactions=[], changed=seq, files=[],
            )  # fmt: skip
        case Edited(seq, text=text, mentions=mentions):
            if text is None or seq <= (message.edited or 0):  # a server that does not name the last change
                return message
            by = _by_another(message, change)
            return replace(message, text=text, edited=seq, edited_by=by, mentions=mentions, changed=seq)
        case Reacted(sender_id=who, sign=emoji, on=on):
            after = _reacted(message, emoji, who, on=on)
            return after if after is message else replace(after, changed=change.seq)
        case _:
            assert_never(change)


def _by_another(message: Message, change: MessageChange) -> Person | None:
    """Return who made the change; None for the author of the message."""
    return None if change.sender_id == message.sender_id else Person(change.sender_id, change.name)


def has_reacted(message: Message, emoji: str, who: int) -> bool:
    """Tell whether the sender ``who`` has reacted to the message with this emoji."""
    return any(reaction.sign == emoji and who in reaction.by for reaction in message.reactions)


def _reacted(message: Message, emoji: str, who: int, *, on: bool) -> Message:
    if has_reacted(message, emoji, who) == on:
        return message
    rest = []
    for reaction in message.reactions:
        by = reaction.by
        if reaction.sign == emoji:
            by = [*by, who] if on else [one for one in by if one != who]
        if by:
            rest.append(Reaction(reaction.sign, by))
    if on and all(reaction.sign != emoji for reaction in message.reactions):
        rest.append(Reaction(emoji, [who]))
    return replace(message, reactions=rest)


class PendingChanges:
    """Changes of messages that are not here, for pages that were read before the change.

    The oldest are dropped first: a page that is asked for now includes them.
    """

    def __init__(self) -> None:
        self._changes: dict[int, tuple[ConversationId, MessageChange]] = {}

    def keep(self, key: ConversationId, change: MessageChange) -> None:
        """Remember a change in a conversation."""
        self._changes[change.seq] = (key, change)
        if len(self._changes) > KEPT_CHANGES:
            del self._changes[next(iter(self._changes))]

    def applied(self, message: Message) -> Message:
        """Return the message with all kept changes of it."""
        for change in self._of(message.seq):
            message = apply_change(message, change)
        return message

    def forget(self, key: ConversationId) -> None:
        """Forget the changes in a conversation that is not delivered any more."""
        self._changes = {seq: kept for seq, kept in self._changes.items() if kept[0] != key}

    def purge(self, purged: Purged, key: ConversationId | None) -> None:
        """Forget the changes of messages that were purged, in a conversation, or as far as it is known of a sender."""
        self._changes = {
            seq: kept
            for seq, kept in self._changes.items()
            if kept[1].target > purged.through
            or (kept[0] != key if key is not None else kept[1].sender_id != purged.sender_id)
        }

    def clear(self) -> None:
        """Forget all: the log is another one."""
        self._changes.clear()

    def _of(self, target: int) -> Iterable[MessageChange]:
        return [change for _, change in self._changes.values() if change.target == target] if self._changes else ()
