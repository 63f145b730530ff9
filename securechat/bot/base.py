"""What the blocking and the asyncio client share: options, the bot's place in the log, and records from events."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Generator, Mapping
from concurrent.futures import Future
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Self, TypeAlias, TypeVar

from securechat import model
from securechat.bot.cursor import CursorFile, Place
from securechat.bot.records import (
    Deleted,
    Disconnected,
    Edited,
    Gap,
    HeardMessage,
    LeftRoom,
    Reacted,
    Reconnected,
    Refused,
    StartupFailed,
    Stopped,
)
from securechat.bot.session import Heard, Session
from securechat.client.connection_plan import ConnectionOptions, ConnectionPlan, StartupError, decide
from securechat.client.core import events
from securechat.client.core.state import EarlierRun
from securechat.client.local_store import STATE_VARIABLE, LocalStore, open_local_store
from securechat.errors import ErrorCode, SecurechatError
from securechat.invite_link import BadLink, parse_link
from securechat.limits import PAGE_ROWS
from securechat.translation import translated

_T = TypeVar("_T")
Steps: TypeAlias = Generator[Future[Any], Any, _T]
_REPLIES_COUNTED = 1_000
"""Messages whose replies are counted: those that a program may still be answering."""


class Bot:
    """A bot before and after its connection; see `Client` for the arguments."""

    def __init__(
        self,
        server: str | None = None,
        name: str | None = None,
        *,
        ca: str | os.PathLike[str] | None = None,
        pin: str | None = None,
        password_file: str | os.PathLike[str] | None = None,
        link: str | None = None,
        state: str | os.PathLike[str] | None = None,
    ) -> None:
        self._options = ConnectionOptions(
            server=None if link else server,
            ca=None if ca is None else os.fspath(ca),
            pin=pin,
            name=name,
            password_file=None if password_file is None else os.fspath(password_file),
        )
        self._link = link
        self._state = state
        self._session: Session | None = None
        self._me = model.Person(0, name or "")
        self._cursor: CursorFile | None = None
        self._done = 0
        self._at = 0  # the message that an earlier run was handling
        self._reply_counts: dict[int, int] = {}
        self._taking: Future[Heard] | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Take everything from variables.

        SECURECHAT_SERVER (HOST[:PORT]), SECURECHAT_NAME, SECURECHAT_CA or SECURECHAT_PIN, SECURECHAT_PASSWORD_FILE;
        for a bot that comes for the first time SECURECHAT_LINK, an invite link, in place of server and CA. What is
        kept between runs is in SECURECHAT_STATE, or where `securechat-client` keeps it.
        """
        given = os.environ if environment is None else environment

        def value(name: str) -> str | None:
            return given.get(f"SECURECHAT_{name}") or None

        return cls(
            value("SERVER"),
            value("NAME"),
            ca=value("CA"),
            pin=value("PIN"),
            password_file=value("PASSWORD_FILE"),
            link=value("LINK"),
            state=given.get(STATE_VARIABLE),
        )

    @property
    def me(self) -> model.Person:
        """The bot: its number and its name."""
        return self._me

    # --- the connection -----------------------------------------------------------------------------------------------

    def _prepare(self) -> Session:
        """Decide how to connect, which may learn a CA over the network.

        Raises:
            StartupFailed: it cannot be decided.
        """
        environment = os.environ if self._state is None else {**os.environ, STATE_VARIABLE: os.fspath(self._state)}
        store = open_local_store(environment)
        try:
            plan = decide(self._with_link(), store, interactive=False, needs_name=True)
        except StartupError as error:
            raise StartupFailed(str(translated(error.sentence))) from None
        except SecurechatError as error:
            raise StartupFailed(str(error)) from None
        if store is not None:
            self._cursor = CursorFile(self._place_of(plan, store))
        place = self._place
        known = EarlierRun(place.sender_id, place.done) if place is not None and place.sender_id else None
        self._done, self._at = (place.done, place.at) if place is not None else (0, 0)
        return Session(plan, known)

    def _with_link(self) -> ConnectionOptions:
        if self._link is None:
            return self._options
        try:
            link = parse_link(self._link)
        except BadLink as bad:
            raise StartupFailed(str(translated(bad))) from None
        given = self._options
        return ConnectionOptions(name=given.name, password_file=given.password_file, invite=link)

    def _place_of(self, plan: ConnectionPlan, store: LocalStore) -> Path:
        target = plan.server_target
        words = f"{target.host.lower()}\n{target.port}\n{plan.name or ''}"
        return store.folder / f"bot-{sha256(words.encode()).hexdigest()[:32]}.json"

    @property
    def _place(self) -> Place | None:
        return None if self._cursor is None else self._cursor.place

    def _began(self, session: Session, me: model.Person) -> None:
        """The bot is logged in."""
        self._me = me
        if not session.core.goes_on:
            self._done, self._at = session.core.began_at, 0
        self._note(at=0)

    def _note(self, *, at: int) -> None:
        """Keep the place: everything up to the last entry that was taken is handled, and ``at`` is being handled.

        A guest is another sender at the next start, and has no place to come back to.
        """
        session = self._session
        if self._cursor is None or session is None or not session.core.account:
            return
        try:
            self._cursor.write(Place(self._me.id, self._done, at or (self._at if self._at > self._done else 0)))
        except OSError as error:
            raise StartupFailed(f"The bot's place cannot be kept: {error.strerror or error}") from None

    # --- what is heard ------------------------------------------------------------------------------------------------

    def _took(self, heard: Heard) -> None:
        """An entry was taken out of the queue, and is handled when the next one is asked for."""
        if isinstance(heard, events.MessageShown):
            self._done = max(self._done, heard.message.seq)
        elif isinstance(heard, events.MessageChanged):
            self._done = max(self._done, heard.change.seq)

    def _fields(self, shown: events.MessageShown) -> dict[str, Any]:
        """The fields of a message."""
        message = shown.message
        return {
            **content_of(message),
            "mentions_me": shown.mentions_me,
            "own": message.sender_id == self._me.id,
            "again": message.seq == self._at,
        }

    def _other(self, heard: Heard) -> Edited | Deleted | Reacted | Gap | LeftRoom | Disconnected | Reconnected | None:  # noqa: PLR0911
        """The record for anything but a message; None for what does not concern a program."""
        match heard:
            case events.MessageChanged(change):
                return _change(change)
            case events.MessagesPurged(purged, key):
                return Gap(None if key is None else getattr(key, "room", None), purged.through)
            case events.HistoryReset():
                return Gap(None, None)
            case events.RoomLeft(room, text=text):
                return LeftRoom(room, text)
            case events.ConnectionLost(text=text):
                return Disconnected(text)
            case events.BackOnline():
                return Reconnected()
            case _:
                return None

    def _next(self) -> Future[Heard]:
        """The next entry; the same future again after an interrupted wait."""
        if self._taking is None or self._taking.done():
            self._taking = self._live.take()
        return self._taking

    @property
    def _has_more(self) -> bool:
        return self._live.waiting > 0

    @property
    def _is_closed(self) -> bool:
        return self._live.closed

    # --- requests -----------------------------------------------------------------------------------------------------

    def _reply_key(self, message: HeardMessage) -> str:
        """The key of the next answer to a message: the n-th answer has the same one in each run."""
        count = self._reply_counts.pop(message.seq, 0) + 1
        self._reply_counts[message.seq] = count
        if len(self._reply_counts) > _REPLIES_COUNTED:
            del self._reply_counts[next(iter(self._reply_counts))]
        return f"reply:{message.seq}:{count}"

    def _where(self, message: HeardMessage) -> str | int:
        """The conversation of a message: its room, or the other person."""
        if message.room is not None:
            return message.room
        return message.to if message.own and message.to is not None else message.sender.id

    # Each request is a generator of the futures that it waits for: the clients differ only in how they wait.

    def _send_steps(self, target: str | int, text: str, reply_to: int | None, key: str | None) -> Steps[int]:
        seq: int = yield self._live.send(target, text, reply_to, key)
        return seq

    def _direct_steps(self, name: str, text: str, key: str | None) -> Steps[int]:
        found = yield self._live.ask(lambda ref: model.Whois(ref, name))
        return (yield from self._send_steps(found.person.id, text, None, key))

    def _reply_steps(self, message: HeardMessage, text: str) -> Steps[int | None]:
        key = self._reply_key(message)
        try:
            return (yield from self._send_steps(self._where(message), text, message.seq, key))
        except Refused as refused:
            if refused.code == ErrorCode.KEY_USED:
                return None
            raise

    def _change_steps(
        self, message: HeardMessage, kind: model.RevisionKind, text: str = "", emoji: str = ""
    ) -> Steps[int]:
        seq: int = yield self._live.change(self._where(message), message.seq, kind, text, emoji)
        return seq

    def _history_steps(self, target: str | int, limit: int, before: int | None) -> Steps[list[model.Message]]:
        room, person = (target, None) if isinstance(target, str) else (None, target)
        found: list[model.Message] = []
        while len(found) < limit:
            rows = min(limit - len(found), PAGE_ROWS)
            page = yield self._live.ask_log(partial(_history, room, person, before, rows))
            found[:0] = page.messages
            if not page.messages or not page.more:
                break
            before = page.messages[0].seq
        return found

    def _search_steps(self, query: str, limit: int) -> Steps[list[model.Message]]:
        found: list[model.Message] = []
        before: int | None = None
        while len(found) < limit:
            rows = min(limit - len(found), PAGE_ROWS)
            page = yield self._live.ask_log(partial(_search, query, before, rows))
            found += [hit.message for hit in page.hits]
            if not page.hits or not page.more:
                break
            before = page.hits[-1].message.seq
        return found

    def _members_steps(self, room: str) -> Steps[list[model.Person]]:
        found: list[model.Person] = []
        after: int | None = None
        while True:
            roster = yield self._live.ask(partial(_who, room, after))
            found += roster.members
            if not roster.members or not roster.more:
                return found
            after = roster.members[-1].id

    @property
    def _live(self) -> Session:
        if self._session is None:
            raise Stopped("The bot is not connected: use it in a with block.")
        return self._session


def content_of(message: model.Message) -> dict[str, Any]:
    """Return the fields of a message that stand in the log."""
    return {
        "seq": message.seq,
        "room": message.room,
        "sender": model.Person(message.sender_id, message.name),
        "to": message.to,
        "text": message.text,
        "sent_at": dt.datetime.fromtimestamp(message.sent_at_ms / 1000, dt.UTC),
        "reply_to": message.reply,
        "mentions": tuple(message.mentions),
    }


def _change(change: model.MessageChange) -> Edited | Deleted | Reacted:
    by = model.Person(change.sender_id, change.name)
    base = (change.seq, change.target, change.room, by)
    match change:
        case model.Edited(text=text):
            return Edited(*base, text)
        case model.Deleted():
            return Deleted(*base)
        case model.Reacted(sign=sign, on=on):
            return Reacted(*base, sign, on)


def _history(room: str | None, person: int | None, before: int | None, limit: int, ref: int) -> model.History:
    return model.History(ref, room, person, before=before, limit=limit)


def _search(query: str, before: int | None, limit: int, ref: int) -> model.Search:
    return model.Search(ref, query, before, limit)


def _who(room: str, after: int | None, ref: int) -> model.Who:
    return model.Who(ref, room, after)
