"""Answers what members ask for their bots, webhooks and tokens.

An account may make bots for rooms that it may enter, and bring them into a private room where it may invite. Webhooks
of a room belong to its moderators, whichever of them has made one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, assert_never

from securechat.errors import Refusal
from securechat.hub.context import HubContext
from securechat.hub.interfaces import Peer
from securechat.hub.members import Member
from securechat.hub.messages.paging import bot_list, token_list, token_made
from securechat.hub.programs.bots import Bots, NewBot
from securechat.hub.programs.tokens import ApiTokens
from securechat.hub.rate_limits import DailyQuota
from securechat.hub.rooms.permissions import Permission, require
from securechat.hub.rooms.room import HubRoom
from securechat.hub.workflow import Workflow
from securechat.model import (
    AddBot,
    AddToken,
    AskBots,
    AskTokens,
    Done,
    ProgramCommand,
    RemoveBot,
    RemoveToken,
    RotateToken,
    TokenMade,
    TokenScope,
)
from securechat.records.accounts import Account, AccountKind, ApiToken, Scope
from securechat.text.refusals import refusal_for
from securechat.text.sanitize import is_hostile

_NAME_CHARS = 32


class HookTarget(NamedTuple):
    """Where an incoming webhook posts: its own name, and that of its room."""

    name: str
    room: str


class ProgramService:
    """Answers `ProgramCommand`s.

    Args:
        context: accounts, rooms and connections.
        bots: makes and removes bots and tokens.
    """

    def __init__(self, context: HubContext, bots: Bots) -> None:
        self._context = context
        self._directory = context.accounts
        self._rooms = context.rooms
        self._connections = context.connections
        self._workflows = context.workflows
        self._bots = bots
        self._made = DailyQuota(context.limits.bots_made_per_account_day)

    def answer(self, peer: Peer, member: Member, command: ProgramCommand) -> None:
        """Answer a command, now or when it is durable.

        Raises:
            Refusal: a rule forbids it.
        """
        account = self._directory.accounts.get(member.sender_id)
        if account is None or not member.account:
            raise refusal_for("account_needed")
        if account.kind is not AccountKind.PERSON:
            raise refusal_for("bot_is_no_person")
        match command:
            case AskBots():
                self._tell_bots(peer, member, command)
            case AskTokens():
                rows = [self._bots.token_info(row, account.sender_id) for row in self._tokens_after(account, command)]
                peer.deliver(token_list(command.ref, rows, peer.page_limits))
            case _:
                self._workflows.answer(peer, command.ref, self._change(peer, member, account, command))

    def _change(
        self,
        peer: Peer,
        member: Member,
        account: Account,
        command: AddBot | RemoveBot | AddToken | RotateToken | RemoveToken,
    ) -> Workflow[None]:
        match command:
            case AddBot():
                made = yield from self._add(member, account, command)
                self._tell(peer, member, token_made(made, command.ref, peer.page_limits))
            case AddToken():
                made = yield from self._add_token(member, account, command)
                self._tell(peer, member, token_made(made, command.ref, peer.page_limits))
            case RotateToken(_, token_id):
                bot = self._expect_own_token(member, token_id)
                made = yield from self._bots.rotate(token_id, account.name, f"{_word(bot)} rotate")
                self._tell(peer, member, token_made(made, command.ref, peer.page_limits))
            case RemoveToken(_, token_id):
                bot = self._expect_own_token(member, token_id)
                yield from self._bots.remove_token(token_id, account.name, "token remove")
                self._tell(peer, member, Done(command.ref))
            case RemoveBot():
                bot = self._own_bot(member, command.bot)
                yield from self._bots.remove(bot, account.name, f"{_word(bot)} remove")
                self._tell(peer, member, Done(command.ref))
            case _:
                assert_never(command)

    # --- For other services of the server -------------------------------------------------------------------------

    def hook_of(self, secret: str, api_tokens: ApiTokens) -> HookTarget | None:
        """Return where the webhook with this token posts; None for another token, or one that is not good."""
        try:
            row = api_tokens.judge(secret)
        except Refusal:
            return None
        if Scope.HOOK not in row.scopes:
            return None
        room = self._rooms.lobby if row.rooms == (0,) else self._rooms.recorded.get(row.rooms[0])
        return None if room is None else HookTarget(self._directory.accounts[row.sender_id].name, room.name)

    def is_taken(self, name: str) -> bool:
        """Whether a name belongs to a member or an account, or looks like one that does."""
        return self._directory.look_alike(name) is not None or self._context.names.is_claimed(name, self._context.now)

    # --- Making ---------------------------------------------------------------------------------------------------

    def _add(self, member: Member, account: Account, command: AddBot) -> Workflow[TokenMade]:
        is_hook = command.kind == "hook"
        if is_hook and len(command.rooms) != 1:
            raise refusal_for("hook_needs_room")
        scopes = (Scope.HOOK,) if is_hook else self._scopes(member, command.scopes)
        rooms = tuple(self._room_for(member, raw, is_hook=is_hook) for raw in dict.fromkeys(command.rooms))
        quota_key = str(account.sender_id)
        new = NewBot(
            kind=AccountKind.HOOK if is_hook else AccountKind.BOT,
            name=command.name,
            rooms=rooms,
            scopes=scopes,
            days=command.days,
            made_by=account.sender_id,
            actor=account.name,
            act="hook add" if is_hook else "bot add",
        )
        if not self._made.take_if_room(quota_key, 1, self._context.now):
            raise refusal_for("bots_made_today")
        try:
            return (yield from self._bots.make(new))
        except BaseException:
            self._made.give_back(quota_key, 1)
            raise

    def _room_for(self, member: Member, raw: str, *, is_hook: bool) -> HubRoom:
        """Return the room of a new bot, which its maker may enter, and moderates where it is a webhook's.

        Raises:
            Refusal: NO_SUCH_ROOM; NO_RIGHT; ROOM_BANNED.
        """
        room = self._rooms.seen(member, raw)
        rank = self._rooms.rank(room, member.sender_id, present=room in member.rooms)
        if is_hook:
            require(rank, Permission.HOOKS, room.name)
        elif room.record is not None and room.record.private:
            require(rank, Permission.INVITE, room.name)
        if room.record is None and not room.is_lobby:
            raise refusal_for("room_without_owner", room=room.name)
        if self._rooms.ban(room, member.sender_id) is not None:
            raise refusal_for("banned_in_room", room=room.name)
        return room

    def _add_token(self, member: Member, account: Account, command: AddToken) -> Workflow[TokenMade]:
        name = command.name.strip()
        if not 1 <= len(name) <= _NAME_CHARS or is_hostile(name):
            raise refusal_for("token_name_invalid", most=_NAME_CHARS)
        rooms = [self._rooms.seen(member, raw) for raw in dict.fromkeys(command.rooms)]
        if any(room.record is None and not room.is_lobby for room in rooms):
            raise refusal_for("room_without_owner", room=rooms[0].name)
        scopes = self._scopes(member, command.scopes)
        return (yield from self._bots.make_token(account, name, scopes, rooms, command.days))

    def _scopes(self, member: Member, words: Sequence[TokenScope]) -> tuple[Scope, ...]:
        """Return the scopes of a new token.

        Raises:
            Refusal: NO_RIGHT, one of them is for administrators.
        """
        scopes = tuple(dict.fromkeys(map(Scope, words)))
        if Scope.METRICS in scopes and member.sender_id not in self._rooms.administrators:
            raise refusal_for("token_metrics_not_yours")
        return scopes

    # --- Owners ---------------------------------------------------------------------------------------------------

    def _own_bot(self, member: Member, sender_id: int) -> Account:
        """Return a bot that a member made, or a webhook of a room that it moderates.

        Raises:
            Refusal: NOT_FOUND.
        """
        account = self._directory.living(sender_id)
        if account is None or account.kind is AccountKind.PERSON:
            raise refusal_for("no_such_bot")
        is_admin = member.sender_id in self._rooms.administrators
        if account.made_by == member.sender_id or is_admin or self._moderates(member, account):
            return account
        raise refusal_for("no_such_bot")

    def _moderates(self, member: Member, account: Account) -> bool:
        if account.kind is not AccountKind.HOOK:
            return False
        return any(
            account.sender_id in self._bots.bots_in(room)
            for room in member.rooms
            if self._rooms.may(room, member.sender_id, Permission.HOOKS)
        )

    def _expect_own_token(self, member: Member, token_id: int) -> Account | None:
        """Require that a member may manage a token; return the bot that has it, or None for its own.

        Raises:
            Refusal: NOT_FOUND.
        """
        row = self._directory.present(ApiToken, token_id)
        if row is None:
            raise refusal_for("no_such_token", token=token_id)
        if row.sender_id == member.sender_id:
            return None
        try:
            return self._own_bot(member, row.sender_id)
        except Refusal:
            raise refusal_for("no_such_token", token=token_id) from None

    # --- Telling --------------------------------------------------------------------------------------------------

    def _tell_bots(self, peer: Peer, member: Member, command: AskBots) -> None:
        if command.room is None:
            numbers = sorted(self._directory.bots_of.get(member.sender_id, ()))
        else:
            room = self._rooms.seen(member, command.room)
            require(self._rooms.rank(room, member.sender_id, present=room in member.rooms), Permission.HOOKS, room.name)
            numbers = self._bots.bots_in(room)
        after = command.after if command.after is not None else -1
        accounts = (self._directory.living(number) for number in numbers if number > after)
        bots = [self._bots.bot_info(each, member.sender_id) for each in accounts if each is not None]
        peer.deliver(bot_list(command.ref, bots, peer.page_limits))

    def _tokens_after(self, account: Account, command: AskTokens) -> list[ApiToken]:
        after = command.after if command.after is not None else -1
        return [row for row in self._directory.tokens_of(account.sender_id) if row.token_id > after]

    def _tell(self, peer: Peer, member: Member, event: TokenMade | Done) -> None:
        connection = self._connections.get(peer)
        if connection is not None and connection.member is member:
            peer.deliver(event)


def _word(bot: Account | None) -> str:
    """What the audit calls an act on this account's token."""
    return "token" if bot is None else bot.kind.value
