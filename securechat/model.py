"""The frozen records everyone speaks: commands from clients, events from the server, messages before and after commit.

The same classes serve the hub, the log, the codecs and the client core. For the native protocol they are also the
wire schema: the tag and the short field names below are what ``docs/protocol.md`` documents; other codecs map them
to their own dialect. Unknown fields are ignored on decode, so fields may be added; nothing may change its meaning.

Numbers: a ``seq`` is log-wide, increasing, and has gaps; ``sender_id`` names a person for ever; ``client_id`` counts
one sender's drafts. All three stay below 2**53, because a browser's numbers end there (RFC 8259 section 6).
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from securechat.errors import ErrorCode
from securechat.limits import MAX_TEXT_CHARS, PAGE_ROWS

PROTOCOL_VERSION = 1
ALPN = "securechat/1"

Id: TypeAlias = Annotated[int, Meta(ge=0, lt=2**53)]
"""A seq, sender_id, client_id or ref."""
Raw: TypeAlias = Annotated[str, Meta(max_length=256)]
"""A name or room as typed; names.py judges it."""
Text: TypeAlias = Annotated[str, Meta(max_length=4 * MAX_TEXT_CHARS)]
"""A message text as typed; the hub judges its real length, so that a bit too long is a refusal, not nonsense."""
Seconds: TypeAlias = Annotated[float, Meta(ge=0)]


class _Record(Struct, frozen=True, omit_defaults=True, gc=False, tag_field="t"):
    """A record that crosses a boundary: immutable, its type in the field ``t``, defaults left out on the wire."""


class Person(Struct, frozen=True, gc=False):
    """Somebody, as others see them."""

    id: Id
    name: str


class Renaming(Struct, frozen=True, gc=False):
    """Somebody's change of name."""

    id: Id
    old: str
    new: str


# --- Commands: what a client says ---------------------------------------------------------------------------------


class Hello(_Record, frozen=True, tag="hello"):
    """The first frame: who I am and which protocol I speak.

    Attributes:
        version: PROTOCOL_VERSION.
        name: the wanted name, as typed.
        secret: the resume secret, 32 lower-case hex digits; the same secret is the same sender for ever.
        client: the program and its version, for the server's log.
    """

    version: Annotated[int, Meta(ge=0, lt=2**31)]
    name: Raw
    secret: Annotated[str, Meta(pattern="^[0-9a-f]{32}$", max_length=32)]
    client: Annotated[str, Meta(max_length=64)] = ""


class Join(_Record, frozen=True, tag="join"):
    """Enter rooms; each is answered by Joined or Refused. A list costs one request of the rate limit."""

    ref: Id
    rooms: Annotated[list[Raw], Meta(min_length=1, max_length=100)]


class Leave(_Record, frozen=True, tag="leave"):
    """Leave a room; answered by Left or Refused."""

    ref: Id
    room: Raw


class Say(_Record, frozen=True, tag="say", rename={"client_id": "cid"}):
    """A draft for a room; answered by Acked or Refused with the same client_id."""

    client_id: Id
    room: Raw
    text: Text


class Direct(_Record, frozen=True, tag="direct", rename={"client_id": "cid"}):
    """A draft for one person, by sender_id; answered like Say."""

    client_id: Id
    to: Id
    text: Text


class History(_Record, frozen=True, tag="history"):
    """Ask for messages; answered by HistoryPage.

    Of one ``room``, of the dialogue with ``peer``, or, with neither, of everything one belongs to. With ``after`` the
    oldest above it come first; otherwise the newest below ``before`` (or below the end).
    """

    ref: Id
    room: Raw | None = None
    peer: Id | None = None
    after: Id | None = None
    before: Id | None = None
    limit: Annotated[int, Meta(ge=1, le=PAGE_ROWS)] = PAGE_ROWS


class Who(_Record, frozen=True, tag="who"):
    """Ask who is in a room; answered by Roster, in pages by sender_id."""

    ref: Id
    room: Raw
    after: Id | None = None


class Whois(_Record, frozen=True, tag="whois"):
    """Ask which sender has a name now; answered by Found or Refused."""

    ref: Id
    name: Raw


class Rooms(_Record, frozen=True, tag="rooms"):
    """Ask which rooms there are; answered by RoomsPage, in pages by name."""

    ref: Id
    after: Raw | None = None


class Nick(_Record, frozen=True, tag="nick"):
    """Ask for another name; answered by Named or Refused."""

    ref: Id
    name: Raw


class Ping(_Record, frozen=True, tag="ping"):
    """Are you there? Either side may ask; answered by Pong with the same ``n``."""

    n: Id = 0


class Pong(_Record, frozen=True, tag="pong"):
    """The answer to Ping."""

    n: Id = 0


class Quit(_Record, frozen=True, tag="quit"):
    """I am leaving for good: the name is free at once. Answered by Closing(bye)."""


Command: TypeAlias = Hello | Join | Leave | Say | Direct | History | Who | Whois | Rooms | Nick | Ping | Pong | Quit

# --- Messages -----------------------------------------------------------------------------------------------------


class Message(_Record, frozen=True, tag="msg", rename={"sender_id": "by", "sent_at_ms": "at", "to_name": "toname"}):
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
    """A message before commit: what the hub gives to the log. Exactly one of ``room`` and ``to`` is set."""

    sender_id: int
    name: str
    client_id: int
    text: str
    room: str | None = None
    to: int | None = None
    to_name: str | None = None


# --- Events: what the server says ---------------------------------------------------------------------------------


class Welcome(_Record, frozen=True, tag="welcome", rename={"last_client_id": "lastcid"}):
    """The hello was accepted; the lobby's Joined follows.

    Attributes:
        version: the protocol version both will speak.
        server: the program and its version.
        sender_id: who you are, for ever, with this secret.
        name: your name as others see it.
        live_from: everything above this seq comes live; up to it, pull History.
        last_client_id: the highest of your client_ids that the log holds; continue above it.
        resumed: whether your membership was still alive, so that nobody saw you leave.
    """

    version: int
    server: str
    sender_id: Id
    name: str
    live_from: Id
    last_client_id: Id = 0
    resumed: bool = False


class Joined(_Record, frozen=True, tag="joined"):
    """You are in the room now.

    Attributes:
        room: its name without ``#``.
        live_from: everything above this seq comes live; up to it, pull History.
        total: members, you included.
        members: who is there; left out (empty) when there are more than presence_names.
        ref: the Join this answers; 0 for the lobby after hello.
    """

    room: str
    live_from: Id
    total: int
    members: list[Person] = []
    ref: Id = 0


class Left(_Record, frozen=True, tag="left"):
    """You are out of the room now."""

    room: str
    ref: Id


class Named(_Record, frozen=True, tag="named"):
    """Your name is this now."""

    name: str
    ref: Id


class Acked(_Record, frozen=True, tag="acked", rename={"client_id": "cid"}):
    """The draft is durable as message ``seq``. A repeated draft gets the first seq again."""

    client_id: Id
    seq: Id


class Refused(_Record, frozen=True, tag="refused", rename={"client_id": "cid", "retry_after_s": "retry"}):
    """A rule said no; nothing was stored or changed.

    Attributes:
        code: the reason, from the table of codes.
        text: one English sentence for people, saying what to do.
        ref: the request this answers.
        client_id: the draft this answers.
        room: the room it is about, when a request named several.
        retry_after_s: when the same request may succeed.
    """

    code: ErrorCode
    text: str
    ref: Id | None = None
    client_id: Id | None = None
    room: str | None = None
    retry_after_s: Seconds | None = None


class Throttled(_Record, frozen=True, tag="throttled", rename={"retry_after_s": "retry"}):
    """You are over a rate: nothing is lost, but you are not read for this long. Do not take the silence for death."""

    retry_after_s: Seconds


class HistoryPage(_Record, frozen=True, tag="page"):
    """Messages in the order of their seq.

    Attributes:
        ref: the History this answers.
        messages: at most PAGE_ROWS and PAGE_BYTES.
        through: everything asked for up to this seq is in this page or an earlier one; continue with after=through.
        more: whether there is more in the direction asked for.
    """

    ref: Id
    messages: list[Message]
    through: Id
    more: bool = False


class Roster(_Record, frozen=True, tag="roster"):
    """Who is in a room, a page at a time, by sender_id."""

    ref: Id
    room: str
    members: list[Person]
    total: int
    more: bool = False


class RoomCount(Struct, frozen=True, gc=False):
    """A room and how many people are in it."""

    room: str
    total: int


class RoomsPage(_Record, frozen=True, tag="roomlist"):
    """The occupied rooms, a page at a time, by name."""

    ref: Id
    rooms: list[RoomCount]
    more: bool = False


class Found(_Record, frozen=True, tag="found"):
    """Who has the name."""

    ref: Id
    person: Person


class Presence(_Record, frozen=True, tag="presence"):
    """Comings, goings and new names in a room since the last one, gathered; only ``total`` in large rooms."""

    room: str
    total: int
    joined: list[Person] = []
    left: list[Person] = []
    renamed: list[Renaming] = []


class Closing(_Record, frozen=True, tag="closing", rename={"resume_after": "resume", "retry_after_s": "retry"}):
    """The last words of a connection.

    Attributes:
        code: why.
        text: one English sentence for people, saying what to do.
        resume_after: a hint: everything up to this seq was sent; a client's own cursor is what counts.
        retry_after_s: not before this is a new connection welcome.
    """

    code: ErrorCode
    text: str
    resume_after: Id | None = None
    retry_after_s: Seconds | None = None


Event: TypeAlias = (
    Welcome
    | Joined
    | Left
    | Named
    | Message
    | Acked
    | Refused
    | Throttled
    | HistoryPage
    | Roster
    | RoomsPage
    | Found
    | Presence
    | Closing
    | Ping
    | Pong
)
