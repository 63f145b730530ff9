"""What no API token and no bot may be good for, kept from the committed changes alone.

It hears of each record at the moment in which the hub does, and of each token's secret from the program that says hello
with it. So what is handed to a connection by a token, each draft that the hub gives to the log, and each connection
that is there after a pass is either right or a bug.

The order of the log decides what a bot may still say: the hub judges a draft when it gives it to the log, and what ends
a right has an effect from the moment at which it is told that this is durable. So a draft that is given later than that
is wrong, and one that was given before is right, whichever of the two the log has stored first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, NoReturn

from securechat.model import (
    Acked,
    ConversationList,
    Deleted,
    Draft,
    Edited,
    Event,
    FileLinks,
    FileList,
    Found,
    HistoryPage,
    Invited,
    Joined,
    Left,
    Message,
    Named,
    Notice,
    PeopleList,
    Person,
    Pong,
    Presence,
    Purged,
    Reacted,
    ReadElsewhere,
    Refused,
    Revision,
    RoleChanged,
    RoomRules,
    RoomsPage,
    Roster,
    SearchPage,
    TypingNow,
    UnreadList,
    UploadAdded,
    Welcome,
)
from securechat.records.accounts import (
    Account,
    AccountKind,
    ApiToken,
    Ban,
    BanKind,
    Change,
    Drop,
    Mute,
    OutgoingWebhook,
    Put,
    Scope,
)
from securechat.testing.log_checks import HistoryBroken
from securechat.text.api_tokens import hash_of_api_token
from securechat.text.names import LOBBY

if TYPE_CHECKING:
    from securechat.records.log import LogState
    from tests.simulation.world import World

_ALWAYS: Final = (Welcome, Acked, Refused, Named, Notice, Pong, Found, PeopleList, Purged)
"""What each program may be told, whatever its token is good for: answers, and what is no room's."""
_OF_READERS: Final = (Message, Edited, Deleted, Reacted, Presence, Roster, RoleChanged, RoomRules, TypingNow,
                      HistoryPage, SearchPage, UnreadList, ConversationList, ReadElsewhere, Invited)  # fmt: skip
"""What needs the scope ``read``."""
_NEVER_MS = 1 << 62
_LATE_MS = 1_000
"""After its end, until a connection by a token must be over."""


class TokenLaw:
    """The tokens, bots and makers of a world.

    Args:
        world: its clocks and rooms count.

    Attributes:
        were_bots: every bot that there ever was.
        in_by: the secrets of tokens by which programs say hello, by the label of their connection.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._tokens: dict[bytes, ApiToken] = {}
        self._heard_at: dict[int, float] = {}  # when the hub has heard of a token's row, or of another end of it
        self._hashes: dict[int, bytes] = {}
        self._accounts: dict[int, Account] = {}
        self._bans: dict[int, Ban] = {}
        self._mutes: dict[int, Mute] = {}
        self._ended: set[bytes] = set()
        self._moved_at = -1.0
        self.were_bots: set[int] = set()
        self.in_by: dict[str, str] = {}

    # --- what is durable ----------------------------------------------------------------------------------------------

    def restore(self, state: LogState) -> None:
        """A process begins with what the log holds.

        Raises:
            HistoryBroken: among it is a token that was removed before, or one that lasts longer than before.
        """
        people = state.people
        kept = {row.token_hash for row in people.tokens}
        self._tokens = {token_hash: row for token_hash, row in self._tokens.items() if token_hash in kept}
        for table in (self._hashes, self._accounts, self._bans, self._mutes):
            table.clear()
        self._world.receiver.restarted({row.sender_id for row in people.outgoing})
        rows = (*people.accounts, *people.tokens, *people.bans, *people.mutes, *people.outgoing)
        self._take([Put(row) for row in rows])

    def apply(self, changes: Sequence[Change]) -> None:
        """These changes are durable, and the hub hears of it now. Raises as `restore`."""
        self._take(changes)

    def _take(self, changes: Iterable[Change]) -> None:
        for change in changes:
            match change:
                case Put(ApiToken() as row):
                    if row.token_hash in self._ended:
                        self._broken(f"token {row.token_id} of {row.sender_id} is there again, and was removed")
                    before = self._tokens.get(row.token_hash, row)
                    if before.expires_at_ms is not None and (row.expires_at_ms or _NEVER_MS) > before.expires_at_ms:
                        self._broken(f"token {row.token_id} was to end, and lasts longer now")
                    self._tokens[row.token_hash] = row
                    self._heard_at[row.token_id] = self._world.clock.now
                    self._hashes[row.token_id] = row.token_hash
                case Put(Account() as row):
                    self._accounts[row.sender_id] = row
                    if row.kind is not AccountKind.PERSON:
                        self.were_bots.add(row.sender_id)
                case Put(Ban() as row):
                    self._bans[row.ban_id] = row
                case Put(Mute() as row):
                    self._mutes[row.sender_id] = row
                case Put(OutgoingWebhook() as row):
                    self._world.receiver.noted(row)
                case Drop(kind, number):
                    self._drop(kind, number)
                case _:
                    pass

    def _drop(self, kind: type[Any], number: int) -> None:
        if kind is ApiToken and number in self._hashes:
            token_hash = self._hashes.pop(number)
            self._ended.add(token_hash)
            del self._tokens[token_hash]
        elif kind is Account:
            self._world.receiver.dropped(number)
            self._accounts.pop(number, None)
            for row in [row for row in self._tokens.values() if row.sender_id == number]:
                self._drop(ApiToken, row.token_id)
        elif kind is Ban:
            self._bans.pop(number, None)
        elif kind is Mute:
            self._mutes.pop(number, None)

    def wall_moves(self) -> None:
        """The wall clock is about to jump: what is over does not come back, and what lasts ends at another time."""
        self._bans = {number: ban for number, ban in self._bans.items() if self._lasts(ban.until_ms)}
        self._mutes = {number: mute for number, mute in self._mutes.items() if self._lasts(mute.until_ms)}

    def wall_moved(self) -> None:
        """The wall clock has jumped: timers that were set before are late, or early."""
        self._moved_at = self._world.clock.now

    # --- judging ------------------------------------------------------------------------------------------------------

    def says_hello(self, label: str, secret: str) -> None:
        """A program comes by a token, on the connection with this label."""
        self.in_by[label] = secret

    def ended(self, secret: str) -> None:
        """A token's owner hears that it is removed.

        Raises:
            HistoryBroken: the log holds it.
        """
        if (row := self._tokens.get(hash_of_api_token(secret))) is not None:
            self._broken(f"token {row.token_id} is told to be removed, and is there")

    def rotated(self, asked: Sequence[tuple[int, float]]) -> None:
        """A token's owner hears that there is another one in its place.

        Args:
            asked: the tokens that it may be about, and the monotonic seconds at which it was asked for.

        Raises:
            HistoryBroken: each of them goes on.
        """
        clock, overlap_ms = self._world.clock, int(self._world.limits.token_overlap_s * 1000)
        since = min(at for _, at in asked)
        rows = [self._tokens[self._hashes[number]] for number, _ in asked if number in self._hashes]
        if len(rows) < len(asked) or self._moved_at >= since:
            return
        if not any(row.expires_at_ms is not None and row.expires_at_ms <= clock.wall_ms() + overlap_ms for row in rows):
            self._broken(f"one of the tokens {[row.token_id for row in rows]} was rotated, and goes on")

    def row_of(self, secret: str) -> ApiToken | None:
        """The token with this secret; None where the log has none."""
        return self._tokens.get(hash_of_api_token(secret))

    def sender_of(self, secret: str) -> int:
        """Whose token it is; 0 where the log has none with this secret."""
        row = self.row_of(secret)
        return 0 if row is None else row.sender_id

    def why_dead(self, secret: str) -> str:
        """Why a token is good for nothing, and was told to be; empty where that is not sure."""
        token_hash = hash_of_api_token(secret)
        row = self._tokens.get(token_hash)
        if row is None:
            return "removed" if token_hash in self._ended else ""
        is_over = row.expires_at_ms is not None and self._world.clock.wall_ms() > row.expires_at_ms + _LATE_MS
        if is_over and self._moved_at < 0:  # timers go by the other clock
            return "over"
        why = self._why_stopped(row.sender_id)
        if not why and self._is_banned(row.sender_id):
            why = "banned"
        return f"its maker's, who was {why}," if why else ""

    def wall_moved_since(self, when: float) -> bool:
        """Whether the wall clock has jumped since then."""
        return self._moved_at >= when

    def check_draft(self, draft: Draft | Revision) -> None:
        """The hub gives a draft to the log.

        Raises:
            HistoryBroken: it is a bot's, and its maker may not speak; or a bot's draft is not marked as one.
        """
        is_bot = draft.sender_id in self.were_bots
        if isinstance(draft, Draft) and draft.bot != is_bot:
            self._broken(
                f"{draft.name} says {draft.text[:40]!r}, which is marked as {'a' if draft.bot else 'no'} bot's"
            )
        if not is_bot:
            return
        why = self._why_stopped(draft.sender_id)
        maker = self.maker_of(draft.sender_id)
        if (mute := self._mutes.get(maker)) is not None and self._lasts(mute.until_ms):
            why = "muted"
        if why:
            self._broken(f"the bot {draft.name} said {draft.text[:40]!r}, and its maker {maker} is {why}")

    def check_mark(self, message: Message) -> None:
        """A message is told. Raises HistoryBroken: it is not marked as a bot's, and is one's, or the contrary."""
        if message.bot != (message.sender_id in self.were_bots):
            self._broken(f"message {message.seq} of {message.name} is marked as {'a' if message.bot else 'no'} bot's")

    def check_connections(self) -> None:
        """A pass is over: who is in by a token that is good for nothing, and which bots are where their makers are not?

        Raises:
            HistoryBroken: there is one.
        """
        hub = self._world.server.hub
        if self.in_by:
            for session in hub._connections:
                if (secret := self.in_by.get(session.label)) is not None:
                    self.check_good(session.label, secret, late_ms=_LATE_MS)
        for member in hub.context.members.values():
            if (maker := self.maker_of(member.sender_id)) and self.were_bots:
                for room in member.rooms:
                    if room.name != LOBBY and self._world.house.is_kept_out(room.name, maker):
                        self._broken(
                            f"the bot {member.name} is in #{room.name}, and its maker {maker} may not be there"
                        )

    def check_good(self, label: str, secret: str, *, late_ms: int = 0) -> None:
        """A connection is in by a token. Raises HistoryBroken: it is good for nothing, for longer than this."""
        row = self._tokens.get(hash_of_api_token(secret))
        if row is None:
            self._broken(f"{label} is in by a token that was removed, or never was")
        now_ms = self._world.clock.wall_ms()
        is_over = row.expires_at_ms is not None and now_ms > row.expires_at_ms + late_ms
        if self._world.clock.now <= self._heard_at.get(row.token_id, 0.0) + _LATE_MS / 1000:
            is_over = False  # its end was stored late, or beside a hello that was judged before
        if is_over and not (late_ms and self._moved_at >= 0):  # timers go by the other clock
            self._broken(f"{label} is in by token {row.token_id}, which is over since {row.expires_at_ms}")
        if why := self._why_stopped(row.sender_id):
            self._broken(f"{label} is in by a token of the bot {row.sender_id}, and its maker is {why}")

    def check_told(self, label: str, rooms: set[str], event: Event) -> None:
        """A connection is told something.

        Args:
            label: which one.
            rooms: where it is, as it was told.
            event: what it is told.

        Raises:
            HistoryBroken: it came by a token that is not good for this.
        """
        secret = self.in_by.get(label)
        if secret is None:
            return
        if isinstance(event, Welcome):
            self.check_good(label, secret)
            return
        if isinstance(event, _ALWAYS):
            return
        row = self._tokens.get(hash_of_api_token(secret))
        if row is None:
            self._broken(f"{label} came by a token that is gone, and is told {event}"[:300])
        if isinstance(event, Joined):
            is_bare = event == Joined(event.room, event.live_from, 0, ref=event.ref)
            is_covered = self._covers(row, event.room)
            may_hear = (is_bare and event.room == LOBBY) or (is_covered and (is_bare or Scope.READ in row.scopes))
        elif isinstance(event, RoomsPage):
            may_hear = all(self._covers(row, each.room) for each in event.rooms)
        elif isinstance(event, Left):
            may_hear = event.room in rooms or self._covers(row, event.room)
        elif isinstance(event, FileLinks):  # whether a file may be read is judged when it is
            may_hear = Scope.READ in row.scopes
        elif isinstance(event, UploadAdded | FileList):
            may_hear = Scope.FILES in row.scopes
        else:
            may_hear = isinstance(event, _OF_READERS) and Scope.READ in row.scopes
            rooms_told = [None] if isinstance(event, Invited) else _rooms_of(event)
            may_hear = may_hear and all(self._covers(row, room) for room in rooms_told)
        if not may_hear:
            words = f"{[scope.value for scope in row.scopes]} in {row.rooms or 'all rooms'}"
            self._broken(f"{label} came by a token for {words}, and is told {event}"[:400])

    def check_people(self, people: Iterable[Person]) -> None:
        """People are named. Raises HistoryBroken: one is marked as a bot, and is none, or the contrary."""
        for person in people:
            if person.bot != (person.id in self.were_bots):
                self._broken(f"{person} is named, and is {'a' if person.id in self.were_bots else 'no'} bot")

    def _covers(self, row: ApiToken, room: str | None) -> bool:
        if not row.rooms:
            return True
        if room is None:
            return False
        place = self._world.house.place(room)
        return (0 if room == LOBBY else place.room_id if place is not None else None) in row.rooms

    def accounts(self) -> list[int]:
        """Return the sender_ids of all accounts."""
        return sorted(self._accounts)

    def kind_of(self, sender_id: int) -> AccountKind | None:
        """Return the kind of an account; None for a guest, and for an account that is gone."""
        account = self._accounts.get(sender_id)
        return None if account is None else account.kind

    def name_of(self, sender_id: int) -> str:
        """Return the name of an account; empty for one that is gone."""
        account = self._accounts.get(sender_id)
        return "" if account is None else account.name

    def maker_of(self, sender_id: int) -> int:
        """Who made a bot; 0 for an administrator at the socket, and for a person."""
        account = self._accounts.get(sender_id)
        return 0 if account is None else account.made_by

    def _why_stopped(self, sender_id: int) -> str:
        """Why a bot can do nothing; empty where it can, and for a person."""
        maker = self.maker_of(sender_id)
        if not maker:
            return ""
        if maker not in self._accounts:
            return "deleted"
        return "banned" if self._is_banned(maker) else ""

    def _is_banned(self, sender_id: int) -> bool:
        who = (BanKind.ACCOUNT, str(sender_id))
        return any((ban.kind, ban.target) == who and self._lasts(ban.until_ms) for ban in self._bans.values())

    def _lasts(self, until_ms: int | None) -> bool:
        return until_ms is None or until_ms > self._world.clock.wall_ms()

    def _broken(self, what: str) -> NoReturn:
        raise HistoryBroken(what)


def _rooms_of(event: Event) -> list[str | None]:
    """The rooms that an event is about; None for a dialogue."""
    match event:
        case HistoryPage(messages=messages, changes=changes):
            return [each.room for each in (*messages, *changes)]
        case SearchPage(hits=hits):
            return [hit.message.room for hit in hits]
        case UnreadList(items=items) | ConversationList(items=items):
            return [item.room for item in items]
        case _:
            return [getattr(event, "room", None)]
