"""Makes and removes bots, incoming webhooks and API tokens.

A bot is an account without a password. It is durable together with its first token; then it is made a member of its
rooms, one after the other. Who may ask for what is decided by `ProgramService`, for members, and by the administrator's
socket.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from securechat.errors import ErrorCode, Refusal
from securechat.hub.accounts.authentication import Authenticator
from securechat.hub.accounts.names import owner_of, owner_of_account
from securechat.hub.context import HubContext
from securechat.hub.disconnection import Disconnection
from securechat.hub.programs.hearing import room_number
from securechat.hub.programs.tokens import ApiTokens
from securechat.hub.rooms.membership import RoomMembership
from securechat.hub.rooms.room import HubRoom
from securechat.hub.workflow import Commit, Identify, Turn, Workflow
from securechat.limits import SECRET_BYTES
from securechat.model import UNKNOWN_ROOM, BotInfo, Closing, Person, TokenInfo, TokenMade
from securechat.records.accounts import (
    NEW_SENDER,
    Account,
    AccountKind,
    ApiToken,
    Drop,
    OutgoingWebhook,
    Put,
    Scope,
)
from securechat.records.log import Identity
from securechat.records.rooms import Membership, PutMembership, RoomRole
from securechat.text.names import LOBBY, check_name, name_key
from securechat.text.refusals import refusal_for

_REMOVED = Closing.of(refusal_for("bot_removed"))
_TOKENS_PER_BOT = 4
"""Of a bot or webhook: its token, and those that end a day after they were rotated."""


class NewBot(Struct, frozen=True):
    """A bot or incoming webhook to be made.

    Attributes:
        kind: which of the two.
        name: as typed.
        rooms: it belongs to these, and its token is good for them alone; empty for every room that it may enter.
        scopes: of its token.
        days: until its token expires; None for never.
        made_by: the sender_id of the account that makes it; 0 for an administrator at the socket.
        actor, act: for the audit.
    """

    kind: AccountKind
    name: str
    rooms: tuple[HubRoom, ...]
    scopes: tuple[Scope, ...]
    days: int | None
    made_by: int
    actor: str
    act: str


def _numbers(rooms: Sequence[HubRoom]) -> tuple[int, ...]:
    """Return what a token knows its rooms by.

    Raises:
        Refusal: NO_SUCH_ROOM, one has lost its record meanwhile: a token for no room would be one for all.
    """
    numbers = [room_number(room) for room in rooms]
    if None in numbers:
        raise refusal_for("no_such_room")
    return tuple(number for number in numbers if number is not None)


class Bots:
    """Makes and removes bots and tokens.

    Args:
        context: accounts, names and rooms.
        authenticator: judges whether a name is free.
        api_tokens: makes tokens.
        room_membership: ends memberships.
        disconnection: ends connections.
    """

    def __init__(
        self,
        context: HubContext,
        authenticator: Authenticator,
        api_tokens: ApiTokens,
        room_membership: RoomMembership,
        disconnection: Disconnection,
    ) -> None:
        self._context = context
        self._directory = context.accounts
        self._rooms = context.rooms
        self._limits = context.limits
        self._keys = context.authentication
        self._authenticator = authenticator
        self._api_tokens = api_tokens
        self._room_membership = room_membership
        self._disconnection = disconnection

    # --- Making ---------------------------------------------------------------------------------------------------

    def make(self, new: NewBot) -> Workflow[TokenMade]:
        """Make a bot or webhook, and its token.

        Raises:
            Refusal: its name is not free; there are as many bots as allowed; what the log says.
        """
        name = check_name(new.name)
        secrets: list[str] = []

        def first_token() -> ApiToken:
            row, token = self._api_tokens.make(NEW_SENDER, name, new.scopes, _numbers(new.rooms), new.days)
            secrets.append(token)
            rows.append(row)
            return row

        rows: list[ApiToken] = []
        sender_id = yield from self._make(new, name, first_token)
        row = replace(rows[0], sender_id=sender_id)
        return TokenMade(0, secrets[0], self.token_info(row, new.made_by), Person(sender_id, name, bot=True))

    def make_account(self, new: NewBot, row: Callable[[], OutgoingWebhook]) -> Workflow[int]:
        """Make the account of an outgoing webhook along with its row; it has no token. Return its sender_id.

        Args:
            new: its account.
            row: makes the row when it is this webhook's turn to be made, or refuses.

        Raises:
            Refusal: as `make`; what ``row`` raises.
        """
        return (yield from self._make(new, check_name(new.name), row))

    def _make(self, new: NewBot, name: str, row: Callable[[], ApiToken | OutgoingWebhook]) -> Workflow[int]:
        with (yield Turn("bots")):  # of all makers, because all of them share bots_total and hooks_per_room
            self._expect_space(new)
            self._expect_free(name)
            secret = self._keys.token_bytes(SECRET_BYTES).hex()  # of a device that never comes
            owner = owner_of(secret)
            self._context.names.claim(name, owner, self._context.now)
            try:
                identity = yield from self._store(new, name, owner, row())
            finally:
                self._context.names.free(name, owner)
        for room in new.rooms:
            if not room.is_lobby:
                yield from self._belong(identity.sender_id, room)
        return identity.sender_id

    def _store(self, new: NewBot, name: str, owner: bytes, row: ApiToken | OutgoingWebhook) -> Workflow[Identity]:
        now_ms = self._directory.wall_ms()
        account = Account(
            NEW_SENDER, name, name_key(name), made_at_ms=now_ms, seen_at_ms=now_ms, kind=new.kind, made_by=new.made_by
        )
        note = self._directory.note(new.actor, new.act, name, ", ".join(f"#{room.name}" for room in new.rooms))
        identity: Identity = yield Identify(owner, name, account.key, None, (Put(account), Put(row), note))
        return identity

    def _expect_free(self, name: str) -> None:
        """Require that a bot may have a name: as `Authenticator.check_free`, without the advice to log in by it.

        Raises:
            Refusal: NAME_IN_USE, NAME_RESERVED, or BANNED.
        """
        try:
            self._authenticator.check_free(name)
        except Refusal as refusal:
            if refusal.code is ErrorCode.LOGIN_REQUIRED:
                raise refusal_for("name_not_free") from None
            raise

    def _expect_space(self, new: NewBot) -> None:
        """Raises: Refusal, TOO_MANY."""
        bots_of = self._directory.bots_of
        count = len(bots_of.get(new.made_by, ()))
        if new.made_by and count >= self._limits.bots_per_account:
            raise refusal_for("bots_used_up", count=count)
        if sum(map(len, bots_of.values())) >= self._limits.bots_total:
            raise refusal_for("bots_of_server_used_up")
        if new.kind is AccountKind.HOOK:
            room = new.rooms[0]
            hooks = sum(self._directory.accounts[each].kind is AccountKind.HOOK for each in self.bots_in(room))
            if hooks >= self._limits.hooks_per_room:
                raise refusal_for("hooks_of_room_used_up", room=room.name, count=hooks)

    def _belong(self, sender_id: int, room: HubRoom) -> Workflow[None]:
        """Make a bot a member of a room; where that is refused, it may still enter it as members do."""
        with (yield Turn(room)):
            record = room.record
            if record is None or room.belongs(sender_id) or self._directory.living(sender_id) is None:
                return
            if not self._rooms.is_open_to_maker(room, sender_id):  # which has lost the room meanwhile
                return
            row = Membership(
                record.room_id, sender_id, RoomRole.MEMBER, self._directory.wall_ms(), self._context.fed_seq
            )
            try:
                yield Commit((PutMembership(row),))
            except Refusal:
                return

    def make_token(
        self, account: Account, name: str, scopes: tuple[Scope, ...], rooms: Sequence[HubRoom], days: int | None
    ) -> Workflow[TokenMade]:
        """Make a token of a person.

        Raises:
            Refusal: TOO_MANY tokens; what the log says.
        """
        with (yield Turn(("tokens", account.sender_id))):
            count = len(self._directory.tokens_of(account.sender_id))
            if count >= self._limits.tokens_per_account:
                raise refusal_for("tokens_used_up", count=count)
            numbers = _numbers(rooms)
            row, token = self._api_tokens.make(account.sender_id, name, scopes, numbers, days)
            yield Commit(
                (Put(row), self._directory.note(account.name, "token add", account.name, f"token {row.token_id}"))
            )
        return TokenMade(0, token, self.token_info(row, account.sender_id))

    def rotate(self, token_id: int, actor: str, act: str) -> Workflow[TokenMade]:
        """Make another token like this one, which ends token_overlap_s later.

        Raises:
            Refusal: NOT_FOUND, it is gone or over; TOO_MANY; what the log says.
        """
        known = self._directory.present(ApiToken, token_id)
        if known is None:
            raise refusal_for("no_such_token", token=token_id)
        with (yield Turn(("tokens", known.sender_id))), (yield Turn((ApiToken, token_id))):
            old = self._directory.present(ApiToken, token_id)
            if old is None or not self._directory.lasts(old.expires_at_ms):
                raise refusal_for("no_such_token", token=token_id)
            account = self._directory.accounts[old.sender_id]
            most = self._limits.tokens_per_account if account.kind is AccountKind.PERSON else _TOKENS_PER_BOT
            if (count := len(self._directory.tokens_of(old.sender_id))) >= most:
                raise refusal_for("tokens_used_up", count=count)
            now_ms = self._directory.wall_ms()
            row, token = self._api_tokens.make(old.sender_id, old.name, old.scopes, old.rooms, None)
            if old.expires_at_ms is not None:  # the new one lasts as long as the old one was meant to
                row = replace(row, expires_at_ms=now_ms + old.expires_at_ms - old.made_at_ms)
            end_ms = now_ms + int(self._limits.token_overlap_s * 1000)
            ending = replace(old, expires_at_ms=min(end_ms, old.expires_at_ms or end_ms))
            note = self._directory.note(actor, act, account.name, f"token {token_id}, now {row.token_id}")
            yield Commit((Put(ending), Put(row), note))
            self._api_tokens.watch(ending)
        bot = None if account.kind is AccountKind.PERSON else Person(account.sender_id, account.name, bot=True)
        return TokenMade(0, token, self.token_info(row, account.made_by or account.sender_id), bot)

    # --- Removing -------------------------------------------------------------------------------------------------

    def remove_token(self, token_id: int, actor: str, act: str) -> Workflow[ApiToken]:
        """End a token and its connections.

        Raises:
            Refusal: NOT_FOUND; what the log says.
        """
        with (yield Turn((ApiToken, token_id))):
            row = self._directory.present(ApiToken, token_id)
            if row is None:
                raise refusal_for("no_such_token", token=token_id)
            name = self._directory.accounts[row.sender_id].name
            yield Commit((Drop(ApiToken, token_id), self._directory.note(actor, act, name, f"token {token_id}")))
        return row

    def remove(self, account: Account, actor: str, act: str) -> Workflow[Account]:
        """Remove a bot or webhook: first its tokens, then its memberships, then its account. Its messages stay.

        After a refusal the same command finishes the work.

        Raises:
            Refusal: NOT_FOUND, another removal was first; what the log says.
        """
        sender_id = account.sender_id
        with (yield Turn(("bot", sender_id))):
            if self._directory.living(sender_id) is None:
                raise refusal_for("no_such_bot")
            tokens = list(self._directory.all_tokens_of(sender_id))
            drops = [Drop(ApiToken, row.token_id) for row in tokens]
            yield Commit((*drops, self._directory.note(actor, act, account.name)))
            self._disconnection.end_member(sender_id, _REMOVED)
            while memberships := self._rooms.memberships_of(sender_id):
                yield from self._room_membership.forget_account(sender_id, memberships[0][0])
            yield Commit((Drop(Account, sender_id),))
            self._context.names.free(account.name, owner_of_account(sender_id))
        return account

    # --- Telling --------------------------------------------------------------------------------------------------

    def bots_in(self, room: HubRoom) -> list[int]:
        """Return the bots and webhooks that belong to a room, or whose tokens are for it, by sender_id."""
        number = room_number(room)
        found = [
            sender_id
            for bots in self._directory.bots_of.values()
            for sender_id in bots
            if room.belongs(sender_id)
            or self._posts_into(sender_id) == number
            or any(number in token.rooms for token in self._directory.tokens_of(sender_id))
        ]
        return sorted(found)

    def _posts_into(self, sender_id: int) -> int | None:
        webhook = self._directory.outgoing.get(sender_id)
        return None if webhook is None else webhook.room_id

    def bot_info(self, account: Account, reader: int = 0) -> BotInfo:
        """Return what is told of a bot.

        Args:
            account: its account.
            reader: the sender_id of the account that reads it, which learns of no room that it may not see; 0 for an
                administrator.
        """
        maker = None
        if account.made_by:
            known = self._directory.accounts.get(account.made_by)
            maker = Person(account.made_by, known.name if known is not None else "")
        tokens = [self.token_info(row, reader) for row in self._directory.tokens_of(account.sender_id)]
        stopped = self._api_tokens.is_stopped(account)
        return BotInfo(account.sender_id, account.name, account.kind.value, tokens, maker, stopped=stopped)

    def token_info(self, row: ApiToken, reader: int = 0) -> TokenInfo:
        """Return what is told of a token; ``reader`` as in `bot_info`."""
        member = self._context.members.get(row.sender_id)
        online = member is not None and any(token.token_id == row.token_id for token in member.tokens.values())
        return TokenInfo(
            token=row.token_id,
            name=row.name,
            scopes=[scope.value for scope in row.scopes],
            since_ms=row.made_at_ms,
            rooms=list(dict.fromkeys(self._room_name(number, reader) for number in row.rooms)),
            expires_at_ms=row.expires_at_ms,
            used_at_ms=row.used_at_ms or None,
            address=row.address,
            online=online,
        )

    def _room_name(self, number: int, reader: int) -> str:
        if not number:
            return LOBBY
        room = self._rooms.recorded.get(number)
        if room is None or (reader and not self._rooms.is_visible(room, reader)):
            return UNKNOWN_ROOM  # without any name the token would be taken for one for all rooms
        return room.name
