"""A message, before and after the log has it."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct, field

from securechat.model.base import Id, Record


class Reaction(Struct, frozen=True, gc=False):
    """A sign under a message, and whose it is."""

    sign: str
    by: list[Id]


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
        reply: the seq of the message it answers, in the same room or dialogue.
        mentions: whom it names: sender_ids.
        edited: the seq of the last edit; ``text`` is what it says since.
        deleted: the seq of the deletion; ``text`` is empty then, and ``reactions`` too.
        reactions: who reacted with what, in the order in which each sign was first used.
        changed: the seq of the last change, of whatever kind, that this copy includes; changes up to here are in it.
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
    reply: Id | None = None
    mentions: list[Id] = field(default_factory=list)
    edited: Id | None = None
    deleted: Id | None = None
    reactions: list[Reaction] = field(default_factory=list)
    changed: Id | None = None


class Draft(Struct, frozen=True, gc=False):
    """A message before commit: what the hub gives to the log. Exactly one of ``room`` and ``to`` is set.

    ``stream`` is the device it comes from: (stream, client_id) is what a retry is recognised by. 0 means the sender's
    only one, ``sender_id``. With ``known_only`` it is never stored, because a rule forbids it by now: it is answered as
    the retry of an earlier copy, if there is one.
    """

    sender_id: int
    name: str
    client_id: int
    text: str
    room: str | None = None
    to: int | None = None
    to_name: str | None = None
    stream: int = 0
    reply: int | None = None
    mentions: tuple[int, ...] = ()
    known_only: bool = False


class RevisionKind(StrEnum):
    """What a revision does to a message."""

    EDIT = "edit"
    DELETE = "delete"
    REACT = "react"
    UNREACT = "unreact"


class Revision(Struct, frozen=True, gc=False):
    """A change of a message before commit: what the hub gives to the log. A draft in everything but the text.

    Attributes:
        target: the seq of the message.
        room: the room it must be in; or
        to: the other side of the dialogue it must be in.
        text: of an EDIT; its ``mentions`` replace the earlier ones.
        sign: of a REACT or UNREACT; at most MAX_SIGN_CHARS code points.
        any_author: whether it may be somebody else's message (never for an EDIT by others: moderators may too).
    """

    kind: RevisionKind
    sender_id: int
    name: str
    client_id: int
    target: int
    room: str | None = None
    to: int | None = None
    text: str = ""
    sign: str = ""
    any_author: bool = False
    stream: int = 0
    mentions: tuple[int, ...] = ()


class _Revised(Record, frozen=True, rename={"sender_id": "by", "sent_at_ms": "at"}):
    """An entry of the log that changes a message: ``target`` is that message's seq, the rest as in `Message`.

    Entries share the numbers of messages but not their chain: no ``prev`` leads to them or from them.
    """

    seq: Id
    target: Id
    sender_id: Id
    name: str
    sent_at_ms: int
    room: str | None = None
    to: Id | None = None


class Edited(_Revised, frozen=True, tag="edited"):
    """The message says something else now. Without ``text`` a later edit or a deletion has replaced this one."""

    text: str | None = None
    mentions: list[Id] = field(default_factory=list)


class Deleted(_Revised, frozen=True, tag="deleted"):
    """The message is gone; a mark stays."""


class Reacted(_Revised, frozen=True, tag="reacted"):
    """Somebody put a sign under the message, or (``on`` false) took theirs away."""

    sign: str = ""
    on: bool = True


MessageChange: TypeAlias = Edited | Deleted | Reacted
LogEntry: TypeAlias = Message | MessageChange


class Hit(Struct, frozen=True, gc=False):
    """A message that a search found, and where its text matched: [start, end) in code points."""

    message: Message
    marks: list[tuple[int, int]] = field(default_factory=list)
