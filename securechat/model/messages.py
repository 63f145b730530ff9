"""A message, before and after the log has it."""

from __future__ import annotations

from msgspec import Struct

from securechat.model.base import Id, Record


class Message(Record, frozen=True, tag="msg", rename={"sender_id": "by", "sent_at_ms": "at", "to_name": "toname"}):
    """A message that the log has: what members are shown and what history holds. On the wire: ``msg``.

    It belongs to a room, or to the dialogue between ``sender_id`` and ``to``.

    Attributes:
        seq: its place in the log.
        prev: the seq before it in the same room or dialogue; 0 for the first.
        sender_id: who sent it.
        name: the sender's name at that time.
        sent_at_ms: when the log took it, milliseconds since the epoch, UTC.
        text: at most 4,000 code points; may contain newlines and anything else: show it through text.visible.
        room: the room, without ``#``; None for a dialogue.
        to: the other person of a dialogue.
        to_name: that person's name at that time.
    """

    seq: Id
    prev: Id
    sender_id: Id
    name: str
    sent_at_ms: int
    text: str
    room: str | None = None
    to: Id | None = None
    to_name: str | None = None


class Draft(Struct, frozen=True, gc=False):
    """A message before commit: what the hub gives to the log. Exactly one of ``room`` and ``to`` is set.

    ``stream`` is the device it comes from: (stream, client_id) is what a retry is recognised by. 0 means the sender's
    only one, ``sender_id``.
    """

    sender_id: int
    name: str
    client_id: int
    text: str
    room: str | None = None
    to: int | None = None
    to_name: str | None = None
    stream: int = 0
