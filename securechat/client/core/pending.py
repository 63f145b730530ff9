"""Keeps the requests without an answer, by ``ref``.

Refs are the client's own. An answer with an unknown ref belongs to an earlier connection and is ignored.
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct, field

from securechat.client.core.actions import (
    AskFileLinks,
    AskUpload,
    DropUpload,
    ModerateMember,
    PendingFile,
    ProgramAction,
    ShowDirectHistory,
    ShowFiles,
)
from securechat.client.core.events.account import AccountAction
from securechat.client.core.state import RoomKey
from securechat.model import BotInfo, Person, RoomCount, TokenInfo


class PendingJoin(Struct):
    """Rooms being joined, by the names asked for, because the answers name them; ``again`` after a reconnect."""

    rooms: set[str]
    again: bool = False


class PendingLeave(Struct):
    """A room being left; ``quiet`` when it was left while offline, and the server may not know the user there."""

    room: RoomKey
    quiet: bool = False
    sure: bool = False


class PendingRename(Struct):
    """A change of name."""

    name: str


class PendingRoster(Struct):
    """Pages of a roster, collected."""

    room: RoomKey
    people: list[Person] = field(default_factory=list)


class PendingRoomList(Struct):
    """Pages of the list of rooms, collected."""

    rooms: list[RoomCount] = field(default_factory=list)


class PendingDirect(Struct):
    """A name looked up for a direct message."""

    name: str
    text: str
    files: tuple[PendingFile, ...] = ()


class PendingIgnore(Struct):
    """A name looked up to hide its messages."""

    name: str


class PendingPerson(Struct):
    """A name looked up to tell which person has it."""

    name: str


class PendingHistory(Struct):
    """A name looked up to show the direct messages with its person."""

    action: ShowDirectHistory


class PendingAccountAction(Struct):
    """An action on the account; ``number`` of the login or certificate it is about."""

    account_action: AccountAction
    number: int | None = None


class PendingProgramAction(Struct):
    """An action on bots or tokens; pages of a list are collected.

    Attributes:
        action: what the user wants.
        doing: whether the bot that it names is found, and the server was asked to do it.
        bots: of the pages so far.
        tokens: likewise.
    """

    action: ProgramAction
    doing: bool = False
    bots: list[BotInfo] = field(default_factory=list)
    tokens: list[TokenInfo] = field(default_factory=list)


class PendingRoomInfo(Struct):
    """The settings of a room, to be shown."""

    topic_only: bool = False


class PendingNameLookup(Struct):
    """A name looked up to moderate a member of a room."""

    action: ModerateMember

    @property
    def name(self) -> str:
        """The name that is looked up."""
        return self.action.name


class PendingModeration(Struct):
    """A change of a room's settings (both None), or a moderation action on a person."""

    action: ModerateMember | None
    person: Person | None


class PendingFileRequest(Struct):
    """A question about files."""

    action: AskUpload | AskFileLinks | ShowFiles | DropUpload


class PendingQuestion(Struct):
    """A question of a program, by its number."""

    number: int


PendingRequest: TypeAlias = (
    PendingJoin
    | PendingLeave
    | PendingRename
    | PendingRoster
    | PendingRoomList
    | PendingDirect
    | PendingIgnore
    | PendingPerson
    | PendingHistory
    | PendingAccountAction
    | PendingProgramAction
    | PendingRoomInfo
    | PendingNameLookup
    | PendingModeration
    | PendingFileRequest
    | PendingQuestion
)


class PendingRequests:
    """The open requests of one connection."""

    def __init__(self) -> None:
        self._next = 0
        self._open: dict[int, PendingRequest] = {}

    def ref(self) -> int:
        """Return a ref never used before."""
        self._next += 1
        return self._next

    def ask(self, request: PendingRequest) -> int:
        """Remember a request; return its ref."""
        ref = self.ref()
        self._open[ref] = request
        return ref

    def get(self, ref: int | None) -> PendingRequest | None:
        """Return the open request of this ref."""
        return None if ref is None else self._open.get(ref)

    def take(self, ref: int | None) -> PendingRequest | None:
        """Return the open request of this ref and forget it."""
        return None if ref is None else self._open.pop(ref, None)

    @property
    def directs(self) -> tuple[PendingDirect, ...]:
        """Direct messages whose person is being looked up."""
        return tuple(request for request in self._open.values() if isinstance(request, PendingDirect))

    @property
    def unanswered(self) -> tuple[PendingRequest, ...]:
        """Every open request, in the order asked."""
        return tuple(self._open.values())

    def clear(self) -> None:
        """The connection is gone, and its answers with it."""
        self._open.clear()
