"""Commands: the records that a client sends."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta, field

from securechat.limits import MAX_SIGN_CHARS, PAGE_ROWS
from securechat.model.accounts import AccountCommand
from securechat.model.base import DraftId, Id, LoginToken, MessageKey, Password, Raw, Record, Secretive, Text, Token
from securechat.model.files import FileCommand, FileIds
from securechat.model.programs import ProgramCommand
from securechat.model.rooms import AskConversations, AskUnread, RoomCommand, Typing


class Hello(Secretive, frozen=True, tag="hello"):
    """The first frame: the client's identity, its proof, and the protocol version.

    A guest's name needs no proof. An account's needs one of: its ``password``, a ``token`` from an earlier login, or a
    TLS client certificate that the account has added. An ``invite`` with a new ``password`` creates an account.

    Attributes:
        version: PROTOCOL_VERSION.
        name: the requested name, as typed.
        secret: the resume secret, 32 lower-case hex digits; the same secret always means the same sender.
        client: the program and its version, for the server's log.
        password: of the account, or chosen for the new one.
        token: a login token, which Welcome or Registered gave to an earlier connection; or an API token, whose account
            has the name that counts.
        invite: the token of an invite link.
    """

    version: Annotated[int, Meta(ge=0, lt=2**31)]
    name: Raw
    secret: Annotated[str, Meta(pattern="^[0-9a-f]{32}$", max_length=32)]
    client: Annotated[str, Meta(max_length=64)] = ""
    password: Password | None = None
    token: LoginToken | None = None
    invite: Token | None = None


class Join(Record, frozen=True, tag="join"):
    """Enter rooms; each is answered by Joined or Refused. A list costs one request of the rate limit."""

    ref: Id
    rooms: Annotated[list[Raw], Meta(min_length=1, max_length=100)]


class Leave(Record, frozen=True, tag="leave"):
    """Leave a room; answered by Left or Refused.

    Attributes:
        sure: the user knows that a private room is lost when its only member leaves it; without it that is refused.
    """

    ref: Id
    room: Raw
    sure: bool = False


class Say(Record, frozen=True, tag="say", rename={"client_id": "cid", "shown_as": "as"}):
    """A draft for a room; answered by Acked or Refused with the same client_id.

    With a ``key`` that this sender has used in the last 30 days, on any device, nothing is stored: the answer is the
    message of then, or a refusal if it said something else or was changed since.

    ``shown_as`` is for incoming webhooks: the name that is shown, which ends in `` via `` and that of the webhook.
    ``files`` are finished uploads of this sender, each used once; with one, the text may be empty.
    """

    client_id: DraftId
    room: Raw
    text: Text
    reply: Id | None = None
    key: MessageKey | None = None
    shown_as: Raw | None = None
    files: FileIds = field(default_factory=list)


class Direct(Record, frozen=True, tag="direct", rename={"client_id": "cid"}):
    """A draft of a direct message, addressed by sender_id; answered like Say."""

    client_id: DraftId
    to: Id
    text: Text
    reply: Id | None = None
    key: MessageKey | None = None
    files: FileIds = field(default_factory=list)


class Edit(Record, frozen=True, tag="amend", rename={"client_id": "cid"}):
    """Replace the text of a message in its room, or in the dialogue with ``to``. Answered like Say."""

    client_id: DraftId
    seq: Id
    text: Text
    room: Raw | None = None
    to: Id | None = None


class Delete(Record, frozen=True, tag="delete", rename={"client_id": "cid"}):
    """Delete a message; otherwise as Edit."""

    client_id: DraftId
    seq: Id
    room: Raw | None = None
    to: Id | None = None


class React(Record, frozen=True, tag="react", rename={"client_id": "cid"}):
    """Add a reaction to a message, or (``on`` false) remove it; otherwise as Edit."""

    client_id: DraftId
    seq: Id
    sign: Annotated[str, Meta(min_length=1, max_length=MAX_SIGN_CHARS)]
    room: Raw | None = None
    to: Id | None = None
    on: bool = True


class Search(Record, frozen=True, tag="search"):
    """Find messages; answered by SearchPage or Refused. For the query language see protocol.md, section 14.

    ``since`` and ``until`` (milliseconds since the epoch, UTC) are what the dates of the query mean where its user is:
    they stand in place of its ``after:`` and ``before:``, whose days the server can only read as UTC.
    """

    ref: Id
    query: Annotated[str, Meta(min_length=1, max_length=500)]
    before: Id | None = None
    limit: Annotated[int, Meta(ge=1, le=PAGE_ROWS)] = 20
    since: Annotated[int, Meta(ge=0, lt=2**53)] | None = None
    until: Annotated[int, Meta(ge=0, lt=2**53)] | None = None


class History(Record, frozen=True, tag="history"):
    """Ask for messages; answered by HistoryPage.

    Of one ``room``, of the dialogue with ``peer``, or, with neither, of all the member's rooms and dialogues. With
    ``after``, the oldest above it come first; otherwise the newest below ``before`` (or below the end). ``around`` asks
    for the page around a message, ``at`` (milliseconds since the epoch, UTC) for the page that begins at a time; both
    need ``room`` or ``peer``.
    """

    ref: Id
    room: Raw | None = None
    peer: Id | None = None
    after: Id | None = None
    before: Id | None = None
    limit: Annotated[int, Meta(ge=1, le=PAGE_ROWS)] = PAGE_ROWS
    around: Id | None = None
    at: Annotated[int, Meta(ge=0, lt=2**53)] | None = None


class Who(Record, frozen=True, tag="who"):
    """Ask for the members present in a room; answered by Roster, in pages by sender_id."""

    ref: Id
    room: Raw
    after: Id | None = None


class Whois(Record, frozen=True, tag="whois"):
    """Look up a name; answered by Found or Refused."""

    ref: Id
    name: Raw


class AskPeople(Record, frozen=True, tag="people"):
    """Ask for the present names of senders; answered by PeopleList."""

    ref: Id
    ids: Annotated[list[Id], Meta(min_length=1, max_length=PAGE_ROWS)]


class Rooms(Record, frozen=True, tag="rooms"):
    """Ask for the list of rooms; answered by RoomsPage, in pages by name."""

    ref: Id
    after: Raw | None = None


class Nick(Record, frozen=True, tag="nick"):
    """Ask for another name; answered by Named or Refused."""

    ref: Id
    name: Raw


class Read(Record, frozen=True, tag="read"):
    """The member has read a room, or the dialogue with ``peer``, up to ``seq``. Sent to its other connections."""

    seq: Id
    room: Raw | None = None
    peer: Id | None = None


class Ping(Record, frozen=True, tag="ping"):
    """Check that the other side is alive. Either side may send it; answered by Pong with the same ``n``."""

    n: Id = 0


class Pong(Record, frozen=True, tag="pong"):
    """The answer to Ping."""

    n: Id = 0


class Quit(Record, frozen=True, tag="quit"):
    """Leave for good: the name is free at once. Answered by Closing(bye)."""


Command: TypeAlias = (
    Hello
    | Join
    | Leave
    | Say
    | Direct
    | History
    | Who
    | Whois
    | AskPeople
    | Rooms
    | Nick
    | Edit
    | Delete
    | React
    | Search
    | AccountCommand
    | RoomCommand
    | ProgramCommand
    | FileCommand
    | Typing
    | AskUnread
    | AskConversations
    | Read
    | Ping
    | Pong
    | Quit
)
