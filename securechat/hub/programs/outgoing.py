"""Outgoing webhooks as the hub has them: makes them, decides which messages each delivers, and posts their replies.

A webhook acts as its account: it reads and posts in its room while that account belongs there, and while its maker
may. Deliveries themselves are the server's (`securechat.server.outgoing.feed`), which asks here for the next message
and reports here how far it has come. A reply needs no connection: it is a draft of the account, on a device of its own,
with the id of its delivery as its key.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from hashlib import sha256
from itertools import chain
from typing import NamedTuple, Protocol

from msgspec import Struct
from msgspec.structs import replace

from securechat.errors import Refusal
from securechat.hub.context import HubContext
from securechat.hub.messages.posting import Posting
from securechat.hub.programs.bots import Bots, NewBot
from securechat.hub.programs.tokens import ApiTokens
from securechat.hub.rate_limits import TokenBucket
from securechat.hub.rooms.room import HubRoom
from securechat.hub.workflow import Append, Commit, Identify, Turn, Workflow, amend
from securechat.model import Edited, LogEntry, Message
from securechat.records.accounts import NEW_SENDER, Account, AccountKind, Committed, OutgoingWebhook
from securechat.records.log import Identity, NotAppended
from securechat.records.queries import HistoryQuery, HistoryRows
from securechat.records.rooms import Membership, PutMembership, RoomRole
from securechat.text.refusals import refusal_for
from securechat.text.sanitize import is_hostile

ALL, MENTION = "all", "mention"
ROOM_GONE = "room_gone"
"""Why a webhook is off whose room has been deleted; the other reasons are the schedule's."""
_PAGE = 50
"""Messages that one read looks at: 1 ms of the reading thread."""
_COMMAND_CHARS = 32
_HOOK_ID_BYTES = 16


class Held(StrEnum):
    """Why a webhook that is on delivers nothing. Values are stable words."""

    STOPPED = "stopped"
    """Its account is going, its room is gone, or its maker may do nothing."""
    BANNED = "banned"
    """From the server."""
    BANNED_IN_ROOM = "banned_in_room"
    NOT_IN_ROOM = "not_in_room"
    """`switch_on` brings it back; every other reason has to end elsewhere."""


class OutgoingPort(Protocol):
    """What delivers; see `securechat.server.outgoing.feed.OutgoingFeed`."""

    def judge(self, url: str) -> None:
        """Raise a Refusal if nothing can be delivered to a URL."""

    def doubt(self, url: str, done: Callable[[str], None]) -> None:
        """Look a judged URL up, and tell why nothing could be delivered there now; empty if something could."""

    def changed(self, sender_id: int) -> None:
        """A webhook was made, changed or removed."""

    def look_again(self) -> None:
        """Something was committed: a webhook that was not allowed to read may be allowed now."""

    def behind(self, sender_id: int) -> int:
        """Return how many entries of the log a webhook has not looked at."""

    def problem(self, sender_id: int) -> str:
        """Return why the last attempt has failed: a clause in English; empty if it has not, or before a restart."""

    def posted(self, sender_id: int, *, wanted: bool, before: int) -> None:
        """Messages were committed in the room of a webhook.

        Args:
            sender_id: the webhook.
            wanted: whether one of them may be for it.
            before: the last seq of the log before them.
        """

    def edited(self, sender_id: int, seqs: Sequence[int]) -> None:
        """The texts of messages in the room of a webhook have changed; called after `posted`."""


class RoomPage(NamedTuple):
    """The question for the next messages of the room of a webhook.

    Attributes:
        room: it.
        read_as: what decided which messages are read: the number of its names, and whether older ones are hidden.
        query: what is read.
        after: only above this seq.
    """

    room: HubRoom
    read_as: tuple[int, bool]
    query: HistoryQuery
    after: int


class NextMessage(Struct, frozen=True):
    """The next message that a webhook delivers.

    Attributes:
        message: it; None: there is none up to ``through``.
        through: everything up to this seq has been looked at.
        more: whether the log has messages above it.
        purged: retention has deleted messages that were to be looked at, up to this seq; 0: none.
    """

    message: Message | None
    through: int
    more: bool
    purged: int = 0


class OutgoingWebhooks:
    """The outgoing webhooks of one server.

    Args:
        context: accounts and rooms.
        bots: makes their accounts.
        api_tokens: knows which programs are stopped.
        posting: judges replies.

    Attributes:
        port: delivers; None where outgoing webhooks are turned off.
    """

    def __init__(self, context: HubContext, bots: Bots, api_tokens: ApiTokens, posting: Posting) -> None:
        self._context = context
        self._directory = context.accounts
        self._rooms = context.rooms
        self._bots = bots
        self._api_tokens = api_tokens
        self._posting = posting
        self._rates: dict[int, TokenBucket] = {}  # of webhooks that have posted
        self.port: OutgoingPort | None = None

    # --- Making and changing --------------------------------------------------------------------------------------

    def make(
        self, actor: str, room: HubRoom, url: str, trigger: str, name: str, secret: str, *, bots: bool
    ) -> Workflow[OutgoingWebhook]:
        """Make a webhook, on from now.

        Raises:
            Refusal: INVALID for a URL or a trigger; what `Bots.make` raises.
        """
        if self.port is None:
            raise refusal_for("webhooks_off")
        check_trigger(trigger)
        self.port.judge(url)
        hook_id = self._context.authentication.token_bytes(_HOOK_ID_BYTES).hex()
        room_id = 0 if room.record is None else room.record.room_id
        made: list[OutgoingWebhook] = []

        def make_row() -> OutgoingWebhook:
            """In the turn of all that are made: two at once must not pass the limit together."""
            if (count := len(self._directory.outgoing)) >= self._context.limits.outgoing_hooks_total:
                raise refusal_for("outgoing_hooks_used_up", count=count)
            row = OutgoingWebhook(
                NEW_SENDER, hook_id, room_id, url.strip(), trigger, bots, secret, cursor=self._context.fed_seq
            )
            made.append(row)
            return row

        new = NewBot(
            kind=AccountKind.HOOK, name=name, rooms=(room,), scopes=(), days=None, made_by=0, actor=actor,
            act="add-hook-out",
        )  # fmt: skip
        sender_id = yield from self._bots.make_account(new, make_row)
        if self.port is not None:
            self.port.changed(sender_id)  # by now it belongs to its room
        return replace(made[0], sender_id=sender_id)

    def rotate(self, actor: str, account: Account, secret: str) -> Workflow[OutgoingWebhook]:
        """Sign with another secret, and for token_overlap_s with the old one besides. Raises: Refusal, NOT_FOUND."""
        until_ms = self._directory.wall_ms() + int(self._context.limits.token_overlap_s * 1000)

        def edit(row: OutgoingWebhook) -> OutgoingWebhook:
            return replace(row, secret=secret, old_secret=row.secret, old_until_ms=until_ms)

        note = self._directory.note(actor, "rotate-hook-out", account.name)
        yield from amend(self._directory, OutgoingWebhook, account.sender_id, edit, (note,))
        return self._directory.outgoing[account.sender_id]

    def switch_on(self, actor: str, account: Account) -> Workflow[OutgoingWebhook]:
        """Switch a webhook on again: it goes on where it stopped, back in its room.

        Raises:
            Refusal: NO_SUCH_ROOM, its room is gone; BANNED from there; NOT_FOUND.
        """
        if self.port is None:
            raise refusal_for("webhooks_off")
        row = self._directory.outgoing[account.sender_id]
        room = self.room_of(row)
        if room is None:
            raise refusal_for("unknown_room")
        if self._rooms.ban(room, account.sender_id) is not None:
            raise refusal_for("banned_in_room", room=room.name)
        with (yield Turn(room)):
            if room.record is not None and not room.belongs(account.sender_id):
                entered = Membership(
                    room.record.room_id,
                    account.sender_id,
                    RoomRole.MEMBER,
                    self._directory.wall_ms(),
                    self._context.fed_seq,
                )
                yield Commit((PutMembership(entered),))

        def edit(row: OutgoingWebhook) -> OutgoingWebhook:
            return replace(row, failures=0, failing_since_ms=0, next_ms=0, off="")

        note = self._directory.note(actor, "hook-on", account.name)
        yield from amend(self._directory, OutgoingWebhook, account.sender_id, edit, (note,))
        return self._directory.outgoing[account.sender_id]

    def note(
        self,
        sender_id: int,
        edit: Callable[[OutgoingWebhook], OutgoingWebhook],
        done: Callable[[Committed | NotAppended], None],
    ) -> None:
        """Write how far a webhook has come; ``done`` hears NOT_FOUND where it is gone."""
        workflows = self._context.workflows
        try:
            workflows.report(amend(self._directory, OutgoingWebhook, sender_id, edit), done)
        except Refusal as refusal:
            done(NotAppended.of(refusal))

    # --- What it delivers -----------------------------------------------------------------------------------------

    def row(self, sender_id: int) -> OutgoingWebhook | None:
        """Return a webhook that is there and not being removed."""
        living = self._directory.living(sender_id)
        return None if living is None else self._directory.outgoing.get(sender_id)

    def is_there(self, sender_id: int) -> bool:
        """Whether there is such a webhook, or one whose removal is under way and may be refused."""
        return sender_id in self._directory.outgoing

    def rows(self) -> list[OutgoingWebhook]:
        """Return all of them."""
        return list(self._directory.outgoing.values())

    def name_of(self, sender_id: int) -> str:
        """Return the name of its account; empty for one that is gone."""
        account = self._directory.accounts.get(sender_id)
        return "" if account is None else account.name

    def behind(self, row: OutgoingWebhook) -> int:
        """Return how many entries of the log it has not looked at."""
        return self._context.fed_seq - row.cursor if self.port is None else self.port.behind(row.sender_id)

    def doubt(self, row: OutgoingWebhook, done: Callable[[str], None]) -> None:
        """Tell why nothing could be delivered to the receiver of a webhook now: a clause; empty if something could."""
        if self.port is None:
            done("")
        else:
            self.port.doubt(row.url, done)

    def problem(self, row: OutgoingWebhook) -> str:
        """Return why its last attempt has failed; empty if it has not, or that is not known any more."""
        return "" if self.port is None or not row.failures else self.port.problem(row.sender_id)

    def room_of(self, row: OutgoingWebhook) -> HubRoom | None:
        """Return its room; None for one that was deleted."""
        return self._rooms.recorded.get(row.room_id) if row.room_id else self._rooms.lobby

    def is_allowed(self, row: OutgoingWebhook) -> bool:
        """Whether its account may read its room now: it belongs there, is not banned, and its maker may act."""
        return self.held(row) is None

    def held(self, row: OutgoingWebhook) -> Held | None:
        """Return why its account may not read its room now; None: it may."""
        account, room = self._directory.living(row.sender_id), self.room_of(row)
        if account is None or room is None or self._api_tokens.is_stopped(account):
            return Held.STOPPED
        if self._directory.banned.on_sender(row.sender_id) is not None:
            return Held.BANNED
        if self._rooms.ban(room, row.sender_id) is not None:
            return Held.BANNED_IN_ROOM
        return None if room.is_lobby or room.belongs(row.sender_id) else Held.NOT_IN_ROOM

    def wants(self, row: OutgoingWebhook, message: Message) -> bool:
        """Whether a message is one that a webhook delivers.

        None of its own, or of another outgoing webhook: two of them must not answer each other for ever.
        """
        if message.deleted is not None or message.sender_id in self._directory.outgoing:
            return False
        if message.bot and not row.bots:
            return False
        if row.trigger == MENTION:
            return row.sender_id in message.mentions
        words = message.text.split(maxsplit=1)
        return row.trigger == ALL or (bool(words) and words[0].casefold() == row.trigger.casefold())

    def committed(self, batch: Sequence[LogEntry]) -> None:
        """Tell the port what has changed and what was committed; to be called when it is fanned out."""
        changed, self._directory.changed_outgoing = self._directory.changed_outgoing, set()
        port = self.port
        if port is None:
            return
        for sender_id in changed:
            if sender_id not in self._directory.outgoing:
                self._rates.pop(sender_id, None)
            port.changed(sender_id)
        for row in self.rows():
            if not row.off and self.room_of(row) is None:
                port.changed(row.sender_id)
        port.look_again()
        if batch:
            self._tell_entries(port, batch)

    def _tell_entries(self, port: OutgoingPort, batch: Sequence[LogEntry]) -> None:
        """Tell the port of messages and edits in the rooms of webhooks."""
        said: dict[str, list[Message]] = {}
        edited: dict[str, list[int]] = {}
        for entry in batch:
            if isinstance(entry, Message) and entry.room is not None:
                said.setdefault(entry.room, []).append(entry)
            elif isinstance(entry, Edited) and entry.room is not None:
                edited.setdefault(entry.room, []).append(entry.target)
        # of a room that was renamed in this batch: each webhook looks itself
        is_renamed = any(self._rooms.named(name) is None for name in chain(said, edited))
        all_edited = list(chain.from_iterable(edited.values()))
        for row in self.rows() if said or edited else ():
            room = self.room_of(row)
            if room is None:
                continue
            entries = said.get(room.name, ())
            if entries or is_renamed:
                is_wanted = is_renamed or any(self.wants(row, entry) for entry in entries)
                port.posted(row.sender_id, wanted=is_wanted, before=batch[0].seq - 1)
            if seqs := all_edited if is_renamed else edited.get(room.name):
                port.edited(row.sender_id, seqs)

    @property
    def fed_seq(self) -> int:
        """The last seq fanned out."""
        return self._context.fed_seq

    def now_ms(self) -> int:
        """The time by which everything expires, UTC milliseconds."""
        return self._directory.wall_ms()

    def page(self, row: OutgoingWebhook, after: int) -> RoomPage:
        """Return the question for the next page of the room of a webhook.

        Args:
            row: the webhook, which is allowed to read.
            after: only above this seq.
        """
        room, up_to = self.room_of(row), self._context.fed_seq
        assert room is not None
        membership = room.memberships.get(row.sender_id)
        if room.record is not None and room.record.history_from_join and membership is not None:
            after = max(after, membership.joined_seq)
        query = HistoryQuery(up_to, _PAGE, rooms=(room.name,), after=after)
        return RoomPage(room, _read_as(room), query, after)

    def read(self, page: RoomPage, done: Callable[[HistoryRows | NotAppended], None]) -> None:
        """Read a page; ``done`` is called later."""
        self._context.log.history(page.query, done)

    def found(self, row: OutgoingWebhook, page: RoomPage, rows: HistoryRows) -> NextMessage | None:
        """Return the first message of a page that a webhook delivers.

        Args:
            row: the webhook, which is allowed to read.
            page: the question.
            rows: the answer, which has waited until the room has its name (`HubRoom.when_named`).

        Returns:
            None: the room is another one, has had another name, or hides older messages since; ask again.
        """
        room, messages, after = page.room, rows.messages, page.after
        if room is not self.room_of(row) or _read_as(room) != page.read_as:
            return None
        found = next((message for message in messages if self.wants(row, message)), None)
        through = max(page.query.up_to, after)
        if rows.more:  # the page ends with its last entry of either kind, and may have changes alone
            through = max((entry.seq for entry in chain(messages[-1:], rows.changes[-1:])), default=after)
        is_gap = room.purged_seq > after and not (messages and messages[0].seq <= room.purged_seq)
        return NextMessage(
            found,
            through if found is None else found.seq,
            more=rows.more,
            purged=room.purged_seq if is_gap else 0,
        )

    # --- What it says ---------------------------------------------------------------------------------------------

    def say(
        self, row: OutgoingWebhook, text: str, key: str, reply: int | None, done: Callable[[NotAppended | float], None]
    ) -> None:
        """Post a message as the account of a webhook, once for each key.

        Args:
            row: the webhook.
            text: as it came.
            key: see `Draft`.
            reply: the seq that it answers; None for a notice of the server's own, which counts against no quota.
            done: called now or later, with the refusal; or, when the message is durable, with the seconds for which
                the webhook has to pause, because it is over its rate.
        """
        try:
            self._context.workflows.report(self._say(row, text, key, reply), done)
        except Refusal as refusal:
            done(NotAppended.of(refusal))

    def _say(self, row: OutgoingWebhook, text: str, key: str, reply: int | None) -> Workflow[float]:
        device = sha256(f"securechat outgoing webhook {row.hook_id}".encode()).digest()
        account = self._directory.living(row.sender_id)
        if account is None:
            raise refusal_for("no_such_bot")
        identity: Identity = yield Identify(device, account.name, account.key, row.sender_id)
        account, room = self._directory.living(row.sender_id), self.room_of(row)
        if account is None or room is None or not self.is_allowed(row):
            raise refusal_for("no_such_bot")
        draft = self._posting.draft_of(account, room, text, reply=reply, key=key)
        draft = replace(draft, client_id=identity.last_client_id + 1, stream=identity.stream)
        if reply is None:
            yield Append(draft)
        else:
            yield from self._posting.store(draft, room, f"webhook {row.sender_id}")
        return self._charge(row.sender_id)

    def _charge(self, sender_id: int) -> float:
        """Count a message against the rate of a webhook, which is that of a bot's token; return the pause, seconds."""
        context = self._context
        if not context.rates:
            return 0.0
        limits = context.limits
        bucket = self._rates.get(sender_id)
        if bucket is None:
            bucket = self._rates[sender_id] = TokenBucket(limits.bot_message_burst, limits.bot_message_rate)
        return bucket.take(1.0, context.now)


def _read_as(room: HubRoom) -> tuple[int, bool]:
    """Return what decides which messages of a room a question reads; its name as the number of its changes."""
    return room.renames, room.record is not None and room.record.history_from_join


def check_trigger(trigger: str) -> None:
    """Require that a trigger is ``all``, ``mention`` or a command.

    Raises:
        Refusal: INVALID.
    """
    if trigger in (ALL, MENTION):
        return
    is_word = len(trigger.split()) == 1 and trigger == trigger.strip() and not is_hostile(trigger)
    if not (is_word and trigger.startswith("!") and 2 <= len(trigger) <= _COMMAND_CHARS):
        raise refusal_for("trigger_invalid", most=_COMMAND_CHARS)
