"""Messages and their changes, before and after commit."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct, field

from securechat.model.base import Id, Person, Record
from securechat.model.files import FileInfo, StoredFile


class Reaction(Struct, frozen=True, gc=False):
    """An emoji reaction to a message, and the members who added it."""

    sign: str
    by: list[Id]


class Message(Record, frozen=True, tag="msg", rename={"sender_id": "by", "sent_at_ms": "at", "to_name": "toname"}):
    """A message in the log, as shown to members and kept in history. On the wire: ``msg``.

    It belongs to a room, or to the dialogue between ``sender_id`` and ``to``.

    Attributes:
        seq: its place in the log.
        prev: the seq before it in the same room or dialogue; 0 for the first.
        sender_id: who sent it.
        name: the sender's name at that time.
        sent_at_ms: when the log stored it, milliseconds since the epoch, UTC.
        text: at most 4,000 code points; may contain any character: show it through sanitize.visible.
        room: the room, without ``#``; None for a dialogue.
        to: the recipient, in a dialogue.
        to_name: the recipient's name at that time.
        reply: the seq of the message it answers, in the same room or dialogue.
        mentions: the sender_ids of the members it mentions.
        edited: the seq of the last edit, which set ``text``.
        deleted: the seq of the deletion; ``text`` is empty then, and ``reactions`` too.
        reactions: in the order in which each emoji was first used.
        changed: the seq of the last change, of any kind; this copy includes all changes up to it.
        edited_by: who made the last edit, with the name at that time, unless it was the sender.
        deleted_by: likewise, who deleted it.
        bot: whether a program sent it, a bot or an incoming webhook.
        files: its files. The last lines of ``text`` name them for clients that do not know files: see
            `securechat.text.file_lines`.
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
    edited_by: Person | None = None
    deleted_by: Person | None = None
    bot: bool = False
    files: list[FileInfo] = field(default_factory=list)


class Draft(Struct, frozen=True, gc=False):
    """A message before commit, as the hub gives it to the log. Exactly one of ``room`` and ``to`` is set.

    ``stream`` is the device that sent it: (stream, client_id) identifies a retry. 0 means the sender's only device,
    ``sender_id``. With ``known_only`` the draft is not stored, because a rule forbids it by now: the log answers it
    only as the retry of an earlier copy, if there is one.

    A draft with a ``key`` that its sender has used in the last `KEY_DAYS` days is a retry too, on any device. With
    another text, reply or conversation than then, or when that text was changed since, it is refused.

    The bytes of ``files`` are durable already, and the last lines of ``text`` name them.
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
    key: str | None = None
    bot: bool = False
    files: tuple[StoredFile, ...] = ()


class RevisionKind(StrEnum):
    """The kinds of change to a message."""

    EDIT = "edit"
    DELETE = "delete"
    REACT = "react"
    UNREACT = "unreact"


class Revision(Struct, frozen=True, gc=False):
    """A change of a message before commit, as the hub gives it to the log; apart from the text, it works like a draft.

    Attributes:
        target: the seq of the message.
        room: the room that the message must be in; or
        to: the other side of the dialogue that it must be in.
        text: of an EDIT; its ``mentions`` replace the earlier ones.
        sign: the emoji of a REACT or UNREACT; at most MAX_SIGN_CHARS code points.
        any_author: whether it may change another author's message;
        spared: but not those of these authors, who stand as high as its own.
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
    spared: frozenset[int] = frozenset()
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
    """The text of a message changed. Without ``text``, a later edit or a deletion has replaced this one."""

    text: str | None = None
    mentions: list[Id] = field(default_factory=list)


class Deleted(_Revised, frozen=True, tag="deleted"):
    """A message was deleted; a placeholder stays."""


class Reacted(_Revised, frozen=True, tag="reacted"):
    """A member added a reaction to the message, or (``on`` false) removed it."""

    sign: str = ""
    on: bool = True


MessageChange: TypeAlias = Edited | Deleted | Reacted
LogEntry: TypeAlias = Message | MessageChange


class Hit(Struct, frozen=True, gc=False):
    """A search result: a message, and the spans of its text that matched, [start, end) in code points."""

    message: Message
    marks: list[tuple[int, int]] = field(default_factory=list)
