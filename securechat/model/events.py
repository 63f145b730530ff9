"""Events: the records that the server sends."""

from __future__ import annotations

from typing import Annotated, Self, TypeAlias

from msgspec import Meta, Struct, field

from securechat.errors import ErrorCode, Refusal, RemoteProtocolError
from securechat.model.accounts import CertificateList, Done, LoginList, Registered
from securechat.model.base import Id, Person, Record, Renaming, Seconds, Secretive
from securechat.model.commands import Ping, Pong
from securechat.model.files import FileLinks, FileList, UploadAdded
from securechat.model.messages import Hit, Message, MessageChange
from securechat.model.programs import BotList, TokenList, TokenMade
from securechat.model.rooms import ConversationList, Invited, RoleChanged, RoomRules, TypingNow, UnreadList

Arguments: TypeAlias = Annotated[dict[str, str | int], Meta(max_length=16)]
"""The arguments of a sentence of the server, by name."""


FEATURES = (
    "around_more",
    "bots",
    "conversations",
    "editors",
    "keys",
    "order",
    "people",
    "purged",
    "retry_times",
    "room_ids",
)
"""The words of `Welcome.features`: additions that a client cannot notice by trying, or not without a request."""
FILES_FEATURE = "files"
"""A further word of `Welcome.features`, where the server takes files."""
PICTURES_FEATURE = "pictures"
"""And another one, where it writes pictures anew, so that place and time go and previews come."""
WELCOME_LIMITS = {
    "message_burst": "messages at once",
    "message_rate": "messages a second after them",
    "byte_burst": "bytes at once",
    "byte_rate": "bytes a second after them",
    "request_burst": "other requests at once",
    "request_rate": "other requests a second after them",
    "unacknowledged_drafts": "drafts without an answer, then the server reads no more",
    "rooms_per_member": "rooms of a member, the lobby included",
    "presence_names": "members of a room whose names are told",
    "idle_ping_s": "seconds of silence before the server pings",
    "ping_timeout_s": "seconds for the answer",
    "name_reservation_s": "seconds for which a lost name is kept",
    "file_bytes": "bytes of one file",
    "guest_file_hours": "hours after which a guest's file is deleted",
}
"""The keys of `Welcome.limits`, each the name of a limit. Message and byte rates, and those of files, are left out
where they are off."""


class Welcome(Secretive, frozen=True, tag="welcome", rename={"last_client_id": "lastcid", "seen_seq": "seen"}):
    """The hello was accepted; the lobby's Joined follows.

    Attributes:
        version: the protocol version both will speak.
        server: the program and its version.
        sender_id: your permanent identity with this secret.
        name: your name as others see it.
        live_from: everything above this seq comes live; up to it, pull History.
        last_client_id: the highest of your client_ids that has reached the log, which may have refused it; continue
            above it.
        resumed: whether your membership was still alive, so that others did not see you leave.
        account: whether you are logged in to an account.
        admin: whether that account administers the server.
        token: of a new login: the next hello sends it instead of a password. Keep it as secret as one.
        seen_seq: of an account: direct messages above it may have come while no device of yours was here.
        must_change: the password was set by an administrator: choose your own.
        rooms: so many rooms, the lobby included, follow as Joined, or Refused with the room, with ``ref`` 0.
        limits: the numbers of this server that a client should pace itself by; see `WELCOME_LIMITS`.
        features: additions to the first securechat/1 that this server has; see `FEATURES`, `FILES_FEATURE` and
            `PICTURES_FEATURE`.
    """

    version: int
    server: str
    sender_id: Id
    name: str
    live_from: Id
    last_client_id: Id = 0
    resumed: bool = False
    account: bool = False
    admin: bool = False
    token: str = ""
    seen_seq: Id | None = None
    must_change: bool = False
    rooms: int = 0
    limits: Annotated[dict[str, float], Meta(max_length=64)] = field(default_factory=dict)
    features: tuple[str, ...] = ()


class Joined(Record, frozen=True, tag="joined", rename={"room_id": "id"}):
    """You are in the room.

    Attributes:
        room: its name without ``#``.
        live_from: everything above this seq comes live; up to it, pull History.
        total: members, you included.
        members: those present; left out (empty) when there are more than presence_names.
        ref: the Join this answers; 0 for the lobby after hello.
        topic: the room's topic.
        role: yours there; None for a guest, or in a room without roles.
        private, read_only, archived: see RoomRules.
        room_id: see RoomRules.
        made: whether this Join has made the room: it did not exist before, or was empty and had no owner.
        purged: no message of the room up to this seq is left; drop what you have kept of them. See `Purged`.
    """

    room: str
    live_from: Id
    total: int
    members: list[Person] = field(default_factory=list)
    ref: Id = 0
    topic: str = ""
    role: str | None = None
    private: bool = False
    read_only: bool = False
    archived: bool = False
    room_id: Id = 0
    made: bool = False
    purged: Id = 0


class Left(Record, frozen=True, tag="left", rename={"arguments": "args"}):
    """You are no longer in the room. ``code`` and ``text`` give the reason, unless you asked to leave.

    Attributes:
        room: which.
        ref: the Leave this answers; 0 when you did not ask.
        code: the reason, from the table of codes.
        text: one English sentence for people.
        reason, arguments: as in Refused.
        owner: the new owner of the room, if you were its only one.
    """

    room: str
    ref: Id
    code: ErrorCode | None = None
    text: str = ""
    reason: str = ""
    arguments: Arguments = field(default_factory=dict)
    owner: Person | None = None

    @classmethod
    def of(cls, refusal: Refusal, *, room: str, ref: int = 0) -> Self:
        """Return the event that says the same as a refusal."""
        return cls(room, ref, refusal.code, refusal.detail, refusal.reason, dict(refusal.arguments))


class Named(Record, frozen=True, tag="named"):
    """Your name has changed to ``name``."""

    name: str
    ref: Id


class ReadElsewhere(Record, frozen=True, tag="read"):
    """Another of your connections has read a room, or the dialogue with ``peer``, up to ``seq``."""

    seq: Id
    room: str | None = None
    peer: Id | None = None


class Notice(Record, frozen=True, tag="notice", rename={"sent_at_ms": "at", "arguments": "args"}):
    """An announcement by the server's operators; with a reason, what they or the server tell you alone.

    Not part of any history.

    Attributes:
        text: what the operators wrote; with a reason, one English sentence.
        sent_at_ms: when it was sent.
        reason, arguments: as in Refused.
    """

    text: str
    sent_at_ms: int
    reason: str = ""
    arguments: Arguments = field(default_factory=dict)

    @classmethod
    def of(cls, refusal: Refusal, sent_at_ms: int) -> Self:
        """Return the notice to one member that says the same as a row of the table of refusals."""
        return cls(refusal.detail, sent_at_ms, refusal.reason, dict(refusal.arguments))


class Purged(Record, frozen=True, tag="purged", rename={"sender_id": "by"}):
    """Messages were deleted for good, by retention or with an account: no mark of them stays. Not an entry of the log.

    Attributes:
        through: the messages with a seq up to this one;
        room: that were said in this room; or
        sender_id: that this sender wrote, wherever.
    """

    through: Id
    room: str | None = None
    sender_id: Id | None = None


class Acked(Record, frozen=True, tag="acked", rename={"client_id": "cid"}):
    """The draft is durable as message ``seq``. A repeated draft gets the first seq again."""

    client_id: Id
    seq: Id


class Refused(
    Record, frozen=True, tag="refused", rename={"client_id": "cid", "retry_after_s": "retry", "arguments": "args"}
):
    """The server refused a request by a rule; it stored and changed nothing.

    Attributes:
        code: the reason, from the table of codes.
        text: one English sentence for people, saying what to do.
        ref: the request this answers.
        client_id: the draft this answers.
        room: the room it is about, when a request named several.
        retry_after_s: seconds after which the same request may succeed.
        reason: a stable word, finer than the code, by which a client finds the sentence in its own language; empty from
            a server that has none.
        arguments: what the sentence is made from, by name; durations in seconds.
    """

    code: ErrorCode
    text: str
    ref: Id | None = None
    client_id: Id | None = None
    room: str | None = None
    retry_after_s: Seconds | None = None
    reason: str = ""
    arguments: Arguments = field(default_factory=dict)

    @classmethod
    def of(
        cls, refusal: Refusal, *, ref: int | None = None, client_id: int | None = None, room: str | None = None
    ) -> Self:
        """Return the event that says the same as a refusal."""
        return cls(
            refusal.code,
            refusal.detail,
            ref,
            client_id,
            room,
            refusal.retry_after_s,
            refusal.reason,
            dict(refusal.arguments),
        )

    def refusal(self) -> Refusal:
        """Return the refusal that this tells."""
        return _refusal(self)


class Throttled(Record, frozen=True, tag="throttled", rename={"retry_after_s": "retry"}):
    """You exceed a rate: nothing is lost, but the server reads nothing from you for this long; expect silence."""

    retry_after_s: Seconds


class HistoryPage(Record, frozen=True, tag="page"):
    """Messages in the order of their seq.

    Attributes:
        ref: the History this answers.
        messages: at most PAGE_ROWS and PAGE_BYTES.
        through: this page and the earlier ones hold everything up to this seq; continue with after=through.
        more: whether there is more in the requested direction.
        more_before, more_after: around a message or from a time on: whether there is more below and above the page.
        changes: edits, deletions and reactions of the same span, to apply to messages you already have.
    """

    ref: Id
    messages: list[Message]
    through: Id
    more: bool = False
    changes: list[MessageChange] = field(default_factory=list)
    more_before: bool = False
    more_after: bool = False


class SearchPage(Record, frozen=True, tag="hits"):
    """The results of a search, the newest first.

    Attributes:
        ref: the Search this answers.
        hits: at most ``limit``, and fewer where they are long.
        more: whether there are older ones; continue with ``before`` = the seq of the last.
        indexed: the search covered messages up to this seq only, because the index is incomplete.
    """

    ref: Id
    hits: list[Hit]
    more: bool = False
    indexed: Id | None = None


class Roster(Record, frozen=True, tag="roster"):
    """The members present in a room, a page at a time, by sender_id."""

    ref: Id
    room: str
    members: list[Person]
    total: int
    more: bool = False


class RoomCount(Struct, frozen=True, gc=False):
    """A room and its number of members present."""

    room: str
    total: int


class RoomsPage(Record, frozen=True, tag="roomlist"):
    """The occupied rooms, a page at a time, by name."""

    ref: Id
    rooms: list[RoomCount]
    more: bool = False


class Found(Record, frozen=True, tag="found"):
    """The owner of a name. With ``absent`` it is an account that is offline: a Direct is delivered when it returns."""

    ref: Id
    person: Person
    absent: bool = False


class PeopleList(Record, frozen=True, tag="peoplelist"):
    """The present names of senders, in the order asked; those that are gone for good are left out.

    With ``more`` the names did not fit: ask again for those behind the last one.
    """

    ref: Id
    people: list[Person]
    more: bool = False


class Presence(Record, frozen=True, tag="presence"):
    """Joins, leaves and renames in a room since the last one, as a net difference; only ``total`` in large rooms."""

    room: str
    total: int
    joined: list[Person] = field(default_factory=list)
    left: list[Person] = field(default_factory=list)
    renamed: list[Renaming] = field(default_factory=list)


class Closing(
    Record,
    frozen=True,
    tag="closing",
    rename={"resume_after": "resume", "retry_after_s": "retry", "arguments": "args"},
):
    """The last event of a connection.

    Attributes:
        code: the reason.
        text: one English sentence for people, saying what to do.
        resume_after: a hint: everything up to this seq was sent; the client's own cursor takes precedence.
        retry_after_s: seconds to wait before connecting again.
        reason, arguments: as in Refused.
    """

    code: ErrorCode
    text: str
    resume_after: Id | None = None
    retry_after_s: Seconds | None = None
    reason: str = ""
    arguments: Arguments = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        refusal: Refusal | RemoteProtocolError,
        *,
        resume_after: int | None = None,
        retry_after_s: float | None = None,
    ) -> Self:
        """Return the last event of a connection that ends for this reason."""
        if retry_after_s is None and isinstance(refusal, Refusal):
            retry_after_s = refusal.retry_after_s
        return cls(refusal.code, refusal.detail, resume_after, retry_after_s, refusal.reason, dict(refusal.arguments))

    def refusal(self) -> Refusal:
        """Return the refusal that this tells."""
        return _refusal(self)


def _refusal(event: Refused | Closing) -> Refusal:
    return Refusal(event.code, event.text, event.retry_after_s, reason=event.reason, arguments=event.arguments)


Event: TypeAlias = (
    Welcome
    | Joined
    | Left
    | Named
    | Registered
    | Done
    | LoginList
    | CertificateList
    | BotList
    | TokenList
    | TokenMade
    | UploadAdded
    | FileLinks
    | FileList
    | ReadElsewhere
    | Notice
    | Message
    | MessageChange
    | Purged
    | SearchPage
    | RoomRules
    | Invited
    | RoleChanged
    | TypingNow
    | UnreadList
    | ConversationList
    | Acked
    | Refused
    | Throttled
    | HistoryPage
    | Roster
    | RoomsPage
    | Found
    | PeopleList
    | Presence
    | Closing
    | Ping
    | Pong
)
