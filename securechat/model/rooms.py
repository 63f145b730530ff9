"""What a member says and hears about rooms: their rules, who belongs to them, and what has been read."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct, field

from securechat.model.base import Id, Person, Raw, Record, Seconds

RoleName: TypeAlias = Literal["owner", "moderator", "member"]
Act: TypeAlias = Literal["kick", "ban", "unban", "mute", "unmute"]
Reason: TypeAlias = Annotated[str, Meta(max_length=300)]


class SetRoom(Record, frozen=True, tag="room"):
    """Change the rules of a room; what is left out stays. Answered by Done or Refused; members get RoomRules.

    Attributes:
        name: a new name.
        topic: what it is about.
        private: only those who belong to it see that it exists.
        read_only: only moderators write.
        slow_s: seconds between two messages of one member; 0 for none.
        retention_days: older messages are deleted; 0 keeps them.
        history: ``all``, or ``joined``: members read only what was said since they joined.
        archived: nobody writes any more.
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
    """Let somebody with an account enter a room; answered by Done or Refused. They get Invited."""

    ref: Id
    room: Raw
    person: Id


class Moderate(Record, frozen=True, tag="moderate"):
    """Keep order in a room; answered by Done or Refused.

    ``seconds`` limits a ban or mute; without it, it is for good.
    """

    ref: Id
    room: Raw
    person: Id
    act: Act
    seconds: Annotated[int, Meta(ge=1, le=31_536_000)] | None = None
    reason: Reason = ""


class Grant(Record, frozen=True, tag="grant"):
    """Give somebody a role in a room; answered by Done or Refused. Members get RoleChanged."""

    ref: Id
    room: Raw
    person: Id
    role: RoleName


class Typing(Record, frozen=True, tag="typing"):
    """I am writing something here. No answer; others get TypingNow, at most once in a few seconds."""

    room: Raw | None = None
    peer: Id | None = None


class AskUnread(Record, frozen=True, tag="unread", rename={"after_room": "afterroom"}):
    """Ask what has not been read; answered by UnreadList, in pages, or Refused for a guest.

    Attributes:
        after: the next page: only dialogues with sender_ids above this, and no rooms.
        after_room: the next page: only rooms with names above this, and all dialogues.
    """

    ref: Id
    after: Id | None = None
    after_room: Raw | None = None


RoomCommand: TypeAlias = SetRoom | AskRoom | InviteTo | Moderate | Grant


class RoomRules(Record, frozen=True, tag="roomrules"):
    """The rules of a room, all of them; sent to members when they change (``ref`` 0), and as an answer.

    Attributes:
        was: its former name, when that has just changed.
        by: who changed them.
        role: yours, in an answer to AskRoom; otherwise None: it has not changed.
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


class Invited(Record, frozen=True, tag="invited"):
    """You may enter this room now."""

    room: str
    by: Person


class RoleChanged(Record, frozen=True, tag="role"):
    """Somebody has another role in the room; ``muted_s`` tells of a mute: 0 for its end, None where it is for good."""

    room: str
    person: Person
    role: str
    by: Person | None = None
    muted_s: Seconds | None = 0.0


class TypingNow(Record, frozen=True, tag="typing"):
    """Somebody is writing, in this room or to you."""

    by: Person
    room: str | None = None


class UnreadItem(Struct, frozen=True, gc=False, omit_defaults=True, rename={"read_seq": "read", "first_seq": "first"}):
    """How you stand in a room, or in the dialogue with ``peer``.

    Attributes:
        read_seq: you have read up to here.
        unread: messages of others above it; counted up to 999.
        mentions: those of them that name you.
        first_seq: the first of them; 0 for none.
    """

    read_seq: Id
    unread: int
    mentions: int
    first_seq: Id
    room: str | None = None
    peer: Person | None = None


class UnreadList(Record, frozen=True, tag="unreadlist", rename={"through_room": "throughroom"}):
    """Where something has not been read: rooms by name, then dialogues by sender_id; a page may have no items.

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
