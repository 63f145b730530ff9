"""What one connection must be told: what goes up is read as the server must read it, and answers are counted.

The rules are those of docs/protocol.md: each request is answered once, by its own record or `refused`; what a
connection ends with is `closing` and a code that may stand there; every frame decodes and fits; what comes live rises.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from enum import Enum, auto
from typing import Any, NamedTuple, TypeAlias

import msgspec

from securechat.errors import ErrorCode, RemoteProtocolError
from securechat.limits import MAX_FRAME_BYTES
from securechat.model import (
    Acked,
    AddBot,
    AddCertificate,
    AddToken,
    AddUpload,
    AskBots,
    AskConversations,
    AskFiles,
    AskLinks,
    AskPeople,
    AskRoom,
    AskTokens,
    AskUnread,
    BotList,
    CertificateList,
    Certificates,
    ChangePassword,
    Closing,
    Command,
    ConversationList,
    Delete,
    Deleted,
    Direct,
    Done,
    Edit,
    Edited,
    Event,
    FileLinks,
    FileList,
    Found,
    Grant,
    Hello,
    History,
    HistoryPage,
    InviteTo,
    Join,
    Joined,
    Leave,
    Left,
    LoginList,
    Logins,
    Logout,
    Message,
    Moderate,
    Named,
    Nick,
    PeopleList,
    Ping,
    Pong,
    Quit,
    React,
    Reacted,
    Refused,
    Register,
    Registered,
    RemoveBot,
    RemoveCertificate,
    RemoveToken,
    RemoveUpload,
    RoomRules,
    Rooms,
    RoomsPage,
    Roster,
    RotateToken,
    Say,
    Search,
    SearchPage,
    SetRoom,
    Throttled,
    TokenList,
    TokenMade,
    UnreadList,
    UploadAdded,
    Welcome,
    Who,
    Whois,
)
from securechat.wire.codec import FrameRefused
from securechat.wire.frames import FrameReader
from securechat.wire.native import NativeServerCodec

ANSWERS: dict[type, type] = {
    Join: Joined, Leave: Left, Nick: Named, Who: Roster, Whois: Found, AskPeople: PeopleList,
    Rooms: RoomsPage, History: HistoryPage,
    Search: SearchPage, AskUnread: UnreadList,
    AskConversations: ConversationList, Register: Registered, ChangePassword: Done, Logins: LoginList,
    Logout: Done,
    Certificates: CertificateList, AddCertificate: Done, RemoveCertificate: Done, SetRoom: Done, AskRoom: RoomRules,
    InviteTo: Done, Moderate: Done, Grant: Done, AddBot: TokenMade, AskBots: BotList, RemoveBot: Done,
    AddToken: TokenMade, AskTokens: TokenList, RotateToken: TokenMade, RemoveToken: Done,
    AddUpload: UploadAdded, AskLinks: FileLinks, AskFiles: FileList, RemoveUpload: Done,
}  # fmt: skip
"""The record that answers a request, besides `refused`; a request that is not here may be answered by any."""
LAST_WORDS = frozenset(list(ErrorCode)[: list(ErrorCode).index(ErrorCode.BYE) + 1])
"""The codes that `closing` may carry: those that stand above BYE in the table."""
DRAFTS = (Say, Direct, Edit, Delete, React)
DraftCommand: TypeAlias = Say | Direct | Edit | Delete | React

_events = msgspec.json.Decoder(Event)


class Broken(AssertionError):
    """The server did not keep to the protocol."""


class State(Enum):
    """How far a connection has got, as in section 4 of the protocol."""

    STRANGER = auto()
    GREETING = auto()
    MEMBER = auto()
    DOOMED = auto()
    """What was sent last ends the connection."""


class AckedDraft(NamedTuple):
    """What a sender was told: the draft of this number is stored as that entry."""

    sender_id: int
    secret: str
    client_id: int
    seq: int


class Expectation:
    """One connection.

    Attributes:
        state: how far it has got.
        closing: the last words, once they came.
        is_throttled: whether it was ever told that it is over a rate.
        acked: drafts that were acknowledged.
        said: everything that was sent under a number, acknowledged or not.
        commands: how many commands the server must have read, by type.
    """

    def __init__(self) -> None:
        self.state = State.STRANGER
        self.closing: Closing | None = None
        self.is_throttled = False
        self.acked: list[AckedDraft] = []
        self.commands: Counter[str] = Counter()
        self.sender_id = 0
        self.secret = ""
        self._codec = NativeServerCodec()
        self._reader = FrameReader(MAX_FRAME_BYTES)
        self._requests: defaultdict[int, list[type | None]] = defaultdict(list)
        self._refusals: Counter[int] = Counter()
        self._drafts: Counter[int] = Counter()
        self.said: defaultdict[int, list[DraftCommand]] = defaultdict(list)
        self._pings: Counter[int] = Counter()
        self._unnamed = self._perhaps_unnamed = 0
        self._last_live = 0

    @property
    def owed(self) -> int:
        """Answers that are still to come; those to `ref` 0 are not told from what comes unasked."""
        requests = sum(len(kinds) for ref, kinds in self._requests.items() if ref)
        requests -= self._refusals.total()
        return requests + self._drafts.total() + self._pings.total() + self._unnamed

    def describe_owed(self) -> str:
        """What is still to come, for a complaint."""
        requests = {
            ref: [kind.__name__ if kind is not None else "a frame that was refused" for kind in kinds]
            for ref, kinds in self._requests.items()
            if ref and len(kinds) > self._refusals[ref]
        }
        return f"requests {requests}, drafts {+self._drafts}, pings {+self._pings}, unnamed {self._unnamed}"

    # --- up

    def sent(self, data: bytes) -> None:
        """Bytes go to the server."""
        if self.state is not State.DOOMED:
            self._codec.receive_data(data)
            self._read_on()

    def _read_on(self) -> None:
        """Read what the server reads now: not beyond a hello that is being answered, nor beyond an end."""
        while self.state in {State.STRANGER, State.MEMBER}:
            try:
                command = self._codec.next_command()
            except FrameRefused as refused:
                self._refused_frame(refused)
                continue
            except RemoteProtocolError:
                self.state = State.DOOMED
                return
            if command is None:
                return
            self.commands[type(command).__name__] += 1
            if self.state is State.STRANGER:
                self._strange(command)
            else:
                self._asked(command)

    def _refused_frame(self, refused: FrameRefused) -> None:
        self.commands["refused frame"] += 1
        if refused.ref is not None:
            self._requests[refused.ref].append(None)
        elif refused.client_id is not None:
            self._drafts[refused.client_id] += 1
        else:
            self._unnamed += 1

    def _strange(self, command: Command) -> None:
        match command:
            case Hello():
                self.state = State.GREETING
                self.secret = command.secret
            case Ping(n):
                self._pings[n] += 1
            case Pong():
                pass
            case _:
                self.state = State.DOOMED

    def _asked(self, command: Command) -> None:
        match command:
            case Quit():
                self.state = State.DOOMED
            case Ping(n):
                self._pings[n] += 1
            case Hello():
                self._unnamed += 1
            case Join(ref, rooms):
                self._requests[ref] += [Join] * len(set(rooms))
            case Say() | Direct() | Edit() | Delete() | React():
                self._drafts[command.client_id] += 1
                self.said[command.client_id].append(command)
            case _ if (ref := getattr(command, "ref", None)) is not None:
                self._requests[ref].append(type(command))
            case _:
                self._perhaps_unnamed += 1  # not answered, but perhaps refused

    # --- down

    def received(self, data: bytes) -> list[Event]:
        """Bytes came from the server.

        Raises:
            Broken: they may not have.
        """
        self._reader.receive_data(data)
        events: list[Event] = []
        try:
            while (body := self._reader.next_frame()) is not None:
                event: Event = _events.decode(body)
                self._heard(event)
                events.append(event)
        except (RemoteProtocolError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Broken(f"a frame that cannot be read: {error}") from error
        return events

    def _heard(self, event: Event) -> None:
        if self.closing is not None:
            raise Broken(f"{event} after the last words")
        match event:
            case Closing(code=code):
                if code not in LAST_WORDS:
                    raise Broken(f"the last words carry {code}")
                self.closing = event
            case Welcome():
                self._welcomed(event)
            case Refused():
                self._refused(event)
            case Pong(n):
                self._settle(self._pings, n, event)
            case Acked(client_id, seq):
                self._settle(self._drafts, client_id, event)
                self.acked.append(AckedDraft(self.sender_id, self.secret, client_id, seq))
            case Message() | Edited() | Deleted() | Reacted():
                self._live(event)
            case Throttled():
                self.is_throttled = True
            case Ping():
                pass
            case _:
                self._answered(event)

    def _welcomed(self, event: Welcome) -> None:
        if self.state is not State.GREETING:
            raise Broken(f"a welcome in state {self.state.name}")
        self.state = State.MEMBER
        self.sender_id = event.sender_id
        self._codec.hello_accepted()
        self._read_on()

    def _refused(self, event: Refused) -> None:
        if event.ref is not None:
            self._answered(event)
        elif event.client_id is not None:
            self._settle(self._drafts, event.client_id, event)
        elif self._unnamed:
            self._unnamed -= 1
        elif self.state is State.GREETING:
            self.state = State.STRANGER
            self._read_on()
        elif self._perhaps_unnamed:
            self._perhaps_unnamed -= 1
        elif event.room is None and self.state is not State.DOOMED:
            raise Broken(f"{event} answers nothing")

    def _answered(self, event: Any) -> None:
        if self.sender_id == 0 and not isinstance(event, Refused):
            raise Broken(f"{event} before the welcome")
        ref = getattr(event, "ref", None)
        if ref is None:
            return
        if not ref:
            return  # what comes unasked has this number, too
        waiting = self._requests[ref]
        if isinstance(event, Refused):
            self._refusals[ref] += 1  # of two with one number, which is meant shows when the other is answered
        else:
            answered = [kind for kind in waiting if kind and isinstance(event, ANSWERS.get(kind, object))]
            if not answered:
                raise Broken(f"{type(event).__name__} with ref {ref} answers nothing")
            waiting.remove(answered[0])
        if len(waiting) < self._refusals[ref]:
            raise Broken(f"{type(event).__name__} with ref {ref} is an answer too many")

    def _settle(self, owed: Counter[int], number: int, event: Event) -> None:
        if owed[number] <= 0:
            raise Broken(f"{event} answers nothing")
        owed[number] -= 1

    def _live(self, event: Message | Edited | Deleted | Reacted) -> None:
        if self.sender_id == 0:
            raise Broken("a message before the welcome")
        if event.seq <= self._last_live:
            raise Broken(f"entry {event.seq} came live after {self._last_live}")
        self._last_live = event.seq
