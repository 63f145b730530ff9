"""The administrator's commands for bots, webhooks and tokens; see `securechat.hub.admin.commands`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from securechat.hub.context import HubContext
from securechat.hub.programs.bots import Bots, NewBot
from securechat.hub.programs.outgoing import Held, OutgoingWebhooks
from securechat.hub.rooms.room import HubRoom
from securechat.model import BotInfo, TokenInfo, TokenMade
from securechat.records.accounts import Account, AccountKind, ApiToken, OutgoingWebhook, Scope
from securechat.records.log import NotAppended
from securechat.text.names import check_room
from securechat.text.refusals import refusal_for

_MOST_DAYS = 3650


class OutgoingState(NamedTuple):
    """How an outgoing webhook goes.

    Attributes:
        row: its record.
        room: the name of its room; empty for one that is gone.
        held: why it may not read there; None: it may.
        behind: how many entries of the log, of any room, it has not looked at; 0 for one that waits for messages.
        problem: why the last attempt has failed; empty if it has not, or that is not known any more.
    """

    row: OutgoingWebhook
    room: str
    held: Held | None
    behind: int
    problem: str


class NewOutgoing(NamedTuple):
    """An outgoing webhook that was made, and why nothing could be delivered to its receiver now; empty: it could."""

    row: OutgoingWebhook
    doubt: str


class ProgramCommands:
    """Administers bots, webhooks and tokens; what an administrator makes has no maker whose rights would bound it.

    Args:
        context: accounts and rooms.
        bots: makes and removes them.
        outgoing: the outgoing webhooks.
    """

    def __init__(self, context: HubContext, bots: Bots, outgoing: OutgoingWebhooks) -> None:
        self._directory = context.accounts
        self._rooms = context.rooms
        self._workflows = context.workflows
        self._bots = bots
        self._outgoing = outgoing

    def add_bot(
        self,
        actor: str,
        name: str,
        *,
        kind: AccountKind,
        rooms: Sequence[str],
        scopes: Sequence[Scope],
        days: int | None,
        done: Callable[[TokenMade | NotAppended], None],
    ) -> None:
        """Make a bot, or a webhook of exactly one room.

        Raises:
            Refusal: NO_SUCH_ROOM; INVALID for days that make no sense, or a webhook of no room or several.
        """
        if days is not None and not 1 <= days <= _MOST_DAYS:
            raise refusal_for("days_out_of_range", most=_MOST_DAYS)
        if kind is AccountKind.HOOK and len(rooms) != 1:
            raise refusal_for("hook_needs_room")
        new = NewBot(
            kind=kind,
            name=name,
            rooms=tuple(self._room(raw) for raw in dict.fromkeys(rooms)),
            scopes=(Scope.HOOK,) if kind is AccountKind.HOOK else tuple(dict.fromkeys(scopes)),
            days=days,
            made_by=0,
            actor=actor,
            act=f"add-{kind.value}",
        )
        self._workflows.report(self._bots.make(new), done)

    def bots(self, room: str | None = None) -> list[BotInfo]:
        """Return all bots and webhooks, or those of a room.

        Raises:
            Refusal: NO_SUCH_ROOM.
        """
        if room is not None:
            numbers = self._bots.bots_in(self._room(room))
        else:
            numbers = sorted(each for bots in self._directory.bots_of.values() for each in bots)
        return [self._bots.bot_info(self._directory.accounts[each]) for each in numbers]

    def remove_bot(self, actor: str, name: str, done: Callable[[Account | NotAppended], None]) -> None:
        """Remove a bot or webhook. Raises: Refusal, NOT_FOUND."""
        account = self._bot(name)
        self._workflows.report(self._bots.remove(account, actor, f"remove-{account.kind.value}"), done)

    def rotate_bot(self, actor: str, name: str, done: Callable[[TokenMade | NotAppended], None]) -> None:
        """Make another token like the latest of a bot or webhook. Raises: Refusal, NOT_FOUND."""
        account = self._bot(name)
        tokens = self._directory.tokens_of(account.sender_id)
        if not tokens:
            raise refusal_for("bot_without_token")
        self._workflows.report(self._bots.rotate(tokens[-1].token_id, actor, f"rotate-{account.kind.value}"), done)

    def add_outgoing(
        self,
        actor: str,
        room: str,
        url: str,
        *,
        trigger: str,
        name: str,
        secret: str,
        bots: bool,
        done: Callable[[NewOutgoing | NotAppended], None],
    ) -> None:
        """Make an outgoing webhook of a room. Raises: Refusal, as `OutgoingWebhooks.make`."""

        def is_made(row: OutgoingWebhook | NotAppended) -> None:
            if isinstance(row, NotAppended):
                done(row)
            else:
                self._outgoing.doubt(row, lambda doubt: done(NewOutgoing(row, doubt)))

        made = self._outgoing.make(actor, self._room(room), url, trigger, name, secret, bots=bots)
        self._workflows.report(made, is_made)

    def outgoing(self, sender_id: int) -> OutgoingState | None:
        """Return how an outgoing webhook goes; None for an account that is none."""
        row = self._outgoing.row(sender_id)
        if row is None:
            return None
        room = self._outgoing.room_of(row)
        name = "" if room is None else room.name
        outgoing = self._outgoing
        return OutgoingState(row, name, outgoing.held(row), outgoing.behind(row), outgoing.problem(row))

    def name_of(self, sender_id: int) -> str:
        """Return the name of an account; empty for one that is gone."""
        return self._outgoing.name_of(sender_id)

    def is_outgoing(self, name: str) -> bool:
        """Tell whether an account is that of an outgoing webhook. Raises: Refusal, NOT_FOUND."""
        return self._outgoing.row(self._bot(name).sender_id) is not None

    def rotate_outgoing(
        self, actor: str, name: str, secret: str, done: Callable[[OutgoingWebhook | NotAppended], None]
    ) -> None:
        """Sign with another secret. Raises: Refusal, NOT_FOUND."""
        self._workflows.report(self._outgoing.rotate(actor, self._bot(name), secret), done)

    def switch_on(self, actor: str, name: str, done: Callable[[OutgoingWebhook | NotAppended], None]) -> None:
        """Switch an outgoing webhook on again. Raises: Refusal, as `OutgoingWebhooks.switch_on`."""
        if not self.is_outgoing(name):
            raise refusal_for("not_outgoing", name=name)
        self._workflows.report(self._outgoing.switch_on(actor, self._bot(name)), done)

    def tokens_of(self, name: str) -> list[TokenInfo]:
        """Return the tokens of an account. Raises: Refusal, NOT_FOUND."""
        account = self._directory.account_named(name)
        if account is None:
            raise refusal_for("unknown_account")
        return [self._bots.token_info(row) for row in self._directory.tokens_of(account.sender_id)]

    def remove_token(self, actor: str, token_id: int, done: Callable[[ApiToken | NotAppended], None]) -> None:
        """End a token and its connections. Raises: Refusal, NOT_FOUND."""
        if self._directory.present(ApiToken, token_id) is None:
            raise refusal_for("unknown_token")
        self._workflows.report(self._bots.remove_token(token_id, actor, "remove-token"), done)

    def _bot(self, name: str) -> Account:
        account = self._directory.account_named(name)
        if account is None or account.kind is AccountKind.PERSON:
            raise refusal_for("unknown_bot")
        return account

    def _room(self, raw: str) -> HubRoom:
        room = self._rooms.named(check_room(raw))
        if room is None or (room.record is None and not room.is_lobby):
            raise refusal_for("unknown_room")
        return room
