"""The JSON of answers. Messages and their changes are the records of ``securechat/1``, which docs/protocol.md tells."""

from __future__ import annotations

from msgspec import Struct

from securechat.model import FileId, Hit, Id, Message, MessageChange, OwnFile, OwnUpload, Person, RoomCount


class Stored(Struct, frozen=True, gc=False):
    """A message or a change is durable, as the entry ``seq`` of the log."""

    seq: Id


class OwnIdentity(Struct, frozen=True):
    """Who the token speaks for.

    Attributes:
        id: its sender_id.
        name: as others see it.
        server: the program and its version.
    """

    id: Id
    name: str
    server: str


class RoomList(Struct, frozen=True):
    """A page of the rooms that may be entered, by name; with ``more``, ask again with ``after`` the last name."""

    rooms: list[RoomCount]
    more: bool


class RoomInfo(Struct, frozen=True):
    """A room and its rules; see ``roomrules`` in docs/protocol.md."""

    room: str
    id: Id
    topic: str
    private: bool
    read_only: bool
    archived: bool
    slow_s: int
    retention_days: int
    history: str
    role: str | None


class MemberList(Struct, frozen=True):
    """A page of the members present in a room, by id; with ``more``, ask again with ``after`` the last id."""

    members: list[Person]
    total: int
    more: bool


class MessagePage(Struct, frozen=True):
    """Messages by rising seq.

    Attributes:
        messages: of the page.
        through: everything of the conversation up to this seq is in this page or before it; the next ``after``.
        more: whether there is more in the direction that was asked for.
        changes: edits, deletions and reactions of the same span, where the page goes forward.
    """

    messages: list[Message]
    through: Id
    more: bool
    changes: list[MessageChange]


class HitList(Struct, frozen=True):
    """What a search has found, the newest first; with ``more``, ask again with ``before`` the last seq.

    Attributes:
        hits: messages, and what of their texts matched.
        more: whether there are older ones.
        indexed: only messages up to this seq were searched, where the index is not complete.
    """

    hits: list[Hit]
    more: bool
    indexed: Id | None


class KnownPerson(Struct, frozen=True):
    """The owner of a name; ``absent``: has an account, and is not connected."""

    id: Id
    name: str
    absent: bool


class FileListing(Struct, frozen=True):
    """A page of the program's own files, the largest first; with ``more``, ask again with ``after`` the last id.

    Attributes:
        files: of the page.
        uploads: those that no message has, the oldest first; on the first page.
        more: whether there are further files.
        used: bytes of all of them, with uploads and what is not unlinked yet.
        most: the quota, bytes.
    """

    files: list[OwnFile]
    uploads: list[OwnUpload]
    more: bool
    used: Id
    most: Id


class DeletedFile(Struct, frozen=True):
    """A file is deleted: ``seq`` of the change that deleted its message; null for an upload, which had none."""

    id: FileId
    seq: Id | None
