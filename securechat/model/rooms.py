"""Commands and events about rooms and dialogues: rules, roles, typing, unread counts, and the list of all of them."""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Meta, Struct, field

from securechat.model.base import Id, Person, Raw, Record, Seconds

RoleName: TypeAlias = Literal["owner", "moderator", "member"]
Act: TypeAlias = Literal["kick", "ban", "unban", "mute", "unmute"]
Reason: TypeAlias = Annotated[str, Meta(max_length=300)]


NOT_MUTED: Final = 0.0
"""The default of ``muted_s``: msgspec leaves a fraction out only if it is the very object of the default."""


class SetRoom(Record, frozen=True, tag="room"):
    """Change the rules of a room; omitted fields stay. Answered by Done or Refused; members get RoomRules.

    Attributes:
        name: a new name.
        topic: the new topic.
        private: only its members see that it exists.
        read_only: only moderators write.
        slow_s: seconds between two messages of one member; 0 for none.
        retention_days: older messages are deleted; 0 keeps them.
        history: ``all``, or ``joined``: members read only messages sent since they joined.
        archived: read-only for all.
    """

    ref: Id
    room: Raw
    name: Raw | None = None
    topic: Annotated[str, Meta(max_length=1200)] | None = None
    private: bool | None = None
    read_only: bool | None = None
    slow_s: Annotated[int, Meta(ge=0, le=86_400)] | None = None
    retention_days: Annotated[int, Meta(ge=0, le=36_500)] | None = None
    history: Literal["all", "joined"] | None = None
    archived: bool | None = None


class AskRoom(Record, frozen=True, tag="roominfo"):
    """Ask for the rules of a room; answered by RoomRules (with this ref) or Refused."""

    ref: Id
    room: Raw


class InviteTo(Record, frozen=True, tag="invite"):
    """Invite an account to a room; answered by Done or Refused. The account gets Invited."""

    ref: Id
    room: Raw
    person: Id


class Moderate(Record, frozen=True, tag="moderate"):
    """Kick, ban or mute a member of a room, or undo it; answered by Done or Refused.

    ``seconds`` limits a ban or mute; without it, it has no end.
    """

    ref: Id
    room: Raw
    person: Id
    act: Act
    seconds: Annotated[int, Meta(ge=1, le=31_536_000)] | None = None
    reason: Reason = ""


class Grant(Record, frozen=True, tag="grant"):
    """Give an account a role in a room; answered by Done or Refused. Members get RoleChanged."""

    ref: Id
    room: Raw
    person: Id
    role: RoleName


class Typing(Record, frozen=True, tag="typing"):
    """The member is typing here. No answer; others get TypingNow, at most once in a few seconds."""

    room: Raw | None = None
    peer: Id | None = None


class AskUnread(Record, frozen=True, tag="unread", rename={"after_room": "afterroom"}):
    """Ask for the unread counts; answered by UnreadList, in pages, or Refused for a guest.

    Attributes:
        after: the next page: only dialogues with sender_ids above this, and no rooms.
        after_room: the next page: only rooms with names above this, and all dialogues.
    """

    ref: Id
    after: Id | None = None
    after_room: Raw | None = None


class AskConversations(Record, frozen=True, tag="conversations", rename={"after_room": "afterroom"}):
    """Ask for all rooms that the member is in, and all its dialogues; answered by ConversationList, in pages.

    Attributes:
        after: the next page: only dialogues with sender_ids above this, and no rooms.
        after_room: the next page: only rooms with names above this, and all dialogues.
    """

    ref: Id
    after: Id | None = None
    after_room: Raw | None = None


RoomCommand: TypeAlias = SetRoom | AskRoom | InviteTo | Moderate | Grant


class RoomRules(Record, frozen=True, tag="roomrules", rename={"room_id": "id"}):
    """All rules of a room; sent to members when they change (``ref`` 0), and as an answer.

    Attributes:
        was: its former name, if this change renamed it.
        by: the member who changed them.
        role: yours, in an answer to AskRoom; otherwise None (unchanged).
        room_id: the room's number, which no change of name changes; 0 for a room without a record, which has none.
    """

    room: str
    ref: Id = 0
    topic: str = ""
    private: bool = False
    read_only: bool = False
    slow_s: int = 0
    retention_days: int = 0
    history: str = "all"
    archived: bool = False
    was: str | None = None
    by: Person | None = None
    role: str | None = None
    room_id: Id = 0


class Invited(Record, frozen=True, tag="invited"):
    """You are invited to this room."""

    room: str
    by: Person


class RoleChanged(Record, frozen=True, tag="role"):
    """An account's role in the room has changed.

    Attributes:
        muted_s: of the mute in the room: 0 at its end, None for one without end.
        reason: of a mute, for the muted account alone.
    """

    room: str
    person: Person
    role: str
    by: Person | None = None
    muted_s: Seconds | None = NOT_MUTED
    reason: str = ""


class TypingNow(Record, frozen=True, tag="typing"):
    """A member is typing in this room, or to you."""

    by: Person
    room: str | None = None


class UnreadItem(Struct, frozen=True, gc=False, omit_defaults=True, rename={"read_seq": "read", "first_seq": "first"}):
    """Your read state in a room, or in the dialogue with ``peer``.

    Attributes:
        read_seq: you have read up to here.
        unread: messages of others above it, at most 999.
        mentions: those of them that mention you.
        first_seq: the first of them; 0 for none.
    """

    read_seq: Id
    unread: int
    mentions: int
    first_seq: Id
    room: str | None = None
    peer: Person | None = None


class UnreadList(Record, frozen=True, tag="unreadlist", rename={"through_room": "throughroom"}):
    """The conversations with unread messages: rooms by name, then dialogues by sender_id; a page may have no items.

    Attributes:
        more: whether there may be more: continue with ``after`` = ``through``, ``after_room`` = ``through_room``.
        through: the dialogues with people up to this sender_id are in this page or an earlier one.
        through_room: the rooms with names up to this are.
    """

    ref: Id
    items: list[UnreadItem] = field(default_factory=list)
    more: bool = False
    through: Id | None = None
    through_room: str | None = None


class ConversationItem(
    Struct,
    frozen=True,
    gc=False,
    omit_defaults=True,
    rename={
        "room_id": "id",
        "last_seq": "last",
        "sent_at_ms": "at",
        "read_seq": "read",
        "first_seq": "first",
    },
):
    """A room that you are in, or your dialogue with ``peer``: what a list of conversations shows of it.

    Attributes:
        room: its name; or
        peer: the other side; its name now, or the last one known.
        room_id: see RoomRules.
        last_seq: the last message that you may read; 0 for none.
        by: its sender, with the name at that time.
        sent_at_ms: when the log stored it, milliseconds since the epoch, UTC.
        text: its first EXCERPT_CHARS code points, as they are: show them through sanitize.visible.
        cut: whether the text goes on.
        deleted: whether it was deleted; ``text`` is empty then.
        edited_by: who wrote ``text``, where that is not the sender; see Message.
        deleted_by: likewise, who deleted the message.
        read_seq, unread, mentions, first_seq: see UnreadItem; 0 for a guest, for whom nothing is counted.
        muted_s: for so many seconds you may not write here, because of a mute in the room or on the server, whichever
            lasts longer; None for one without end.
        slow_s: see RoomRules.
    """

    room: str | None = None
    peer: Person | None = None
    room_id: Id = 0
    last_seq: Id = 0
    by: Person | None = None
    sent_at_ms: int = 0
    text: str = ""
    cut: bool = False
    deleted: bool = False
    read_seq: Id = 0
    unread: int = 0
    mentions: int = 0
    first_seq: Id = 0
    muted_s: Seconds | None = NOT_MUTED
    slow_s: int = 0
    edited_by: Person | None = None
    deleted_by: Person | None = None


class ConversationList(Record, frozen=True, tag="conversations", rename={"through_room": "throughroom"}):
    """Your rooms by name, then your dialogues by sender_id; ``more`` and what follows as in UnreadList."""

    ref: Id
    items: list[ConversationItem] = field(default_factory=list)
    more: bool = False
    through: Id | None = None
    through_room: str | None = None
