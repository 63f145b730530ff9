"""Actions on programs: bots, incoming webhooks, and the tokens with which they act for an account.

The server knows bots and tokens by number and the user knows them by name, so an action on a bot looks it up in the
list first. A list comes in pages, and the next one is asked for until there is none. A request without an answer when
the connection breaks is shown and not repeated: the server may have carried it out, and the secret of a token that was
made is lost with its answer.
"""

from __future__ import annotations

from typing import TypeAlias, assert_never

from msgspec.structs import replace

from securechat import model
from securechat.client.core import actions, events
from securechat.client.core.context import CoreContext
from securechat.client.core.events.requests import RejectReason
from securechat.client.core.pending import PendingProgramAction
from securechat.text.names import name_key

FEATURE = "bots"
"""The word of `model.FEATURES` with which a server says that it knows these commands."""
BotAnswer: TypeAlias = model.BotList | model.TokenList | model.TokenMade | model.Done


class ProgramActions:
    """The actions on programs under way.

    Args:
        context: shared state.
    """

    def __init__(self, context: CoreContext) -> None:
        self._context = context

    def request(self, action: actions.ProgramAction) -> None:
        """Ask the server."""
        if not self._context.require_online():
            return
        if FEATURE not in self._context.features:  # an older server answers such a command without its ref
            self._context.reject(RejectReason.NO_PROGRAMS)
            return
        pending = PendingProgramAction(action)
        match action:
            case actions.MakeBot():
                self._add_bot(pending, action)
            case actions.MakeToken():
                self._add_token(pending, action)
            case actions.ShowBots() | actions.ReplaceBotToken() | actions.EndBot():
                self._ask_bots(pending, action.room)
            case actions.ShowTokens():
                self._context.send(model.AskTokens(self._ask(pending)))
            case actions.ReplaceToken(number):
                self._context.send(model.RotateToken(self._ask(pending), number))
            case actions.EndToken(number):
                self._context.send(model.RemoveToken(self._ask(pending), number))
            case _:
                assert_never(action)

    def answered(self, event: BotAnswer) -> None:
        """Take an answer."""
        pending = self._context.requests.take(event.ref)
        if not isinstance(pending, PendingProgramAction):
            return  # the answer to a question of an earlier connection
        match event:
            case model.TokenMade(_, token, info, bot):
                rotated = isinstance(pending.action, actions.ReplaceBotToken | actions.ReplaceToken)
                if bot is not None:
                    self._context.see(bot)
                self._context.show(events.ApiTokenMade(token, info, bot, rotated))
            case model.BotList():
                self._bots(pending, event)
            case model.TokenList():
                self._tokens(pending, event)
            case model.Done():
                self._context.show(events.ProgramActionDone(pending.action))
            case _:
                assert_never(event)

    def unanswered(self, pending: PendingProgramAction) -> None:
        """Tell that the connection broke before the answer."""
        self._context.show(events.ProgramActionUnconfirmed(pending.action))

    # --- asking -------------------------------------------------------------------------------------------------------

    def _add_bot(self, pending: PendingProgramAction, action: actions.MakeBot) -> None:
        kind: model.BotKind = "hook" if action.hook else "bot"
        command = model.AddBot(self._ask(pending), action.name, kind, list(action.rooms), days=action.days)
        if action.scopes:
            command = replace(command, scopes=list(action.scopes))
        self._context.send(command)

    def _add_token(self, pending: PendingProgramAction, action: actions.MakeToken) -> None:
        command = model.AddToken(self._ask(pending), action.name, rooms=list(action.rooms), days=action.days)
        if action.scopes:
            command = replace(command, scopes=list(action.scopes))
        self._context.send(command)

    def _ask_bots(self, pending: PendingProgramAction, room: str | None) -> None:
        after = pending.bots[-1].id if pending.bots else None
        self._context.send(model.AskBots(self._ask(pending), room, after))

    def _ask(self, pending: PendingProgramAction) -> int:
        return self._context.requests.ask(pending)

    # --- lists --------------------------------------------------------------------------------------------------------

    def _bots(self, pending: PendingProgramAction, page: model.BotList) -> None:
        last = pending.bots[-1].id if pending.bots else 0
        pending.bots += page.bots
        action = pending.action
        assert isinstance(action, actions.ShowBots | actions.ReplaceBotToken | actions.EndBot)
        if page.more and pending.bots and pending.bots[-1].id > last:  # a server that goes on for ever is not followed
            self._ask_bots(pending, action.room)
        elif isinstance(action, actions.ShowBots):
            self._context.show(events.BotsShown(tuple(pending.bots), action.room))
        else:
            self._act_on_bot(pending, action)

    def _act_on_bot(self, pending: PendingProgramAction, action: actions.ReplaceBotToken | actions.EndBot) -> None:
        key = name_key(action.name)
        bot = next((bot for bot in pending.bots if name_key(bot.name) == key), None)
        if bot is None:
            self._context.reject(RejectReason.NO_SUCH_BOT, action.name)
            return
        pending = PendingProgramAction(action, doing=True)
        if isinstance(action, actions.EndBot):
            self._context.send(model.RemoveBot(self._ask(pending), bot.id))
        elif bot.tokens:  # the latest one: an older one ends soon, or its programs have it no more
            self._context.send(model.RotateToken(self._ask(pending), max(token.token for token in bot.tokens)))
        else:
            self._context.reject(RejectReason.BOT_WITHOUT_TOKEN, bot.name)

    def _tokens(self, pending: PendingProgramAction, page: model.TokenList) -> None:
        last = pending.tokens[-1].token if pending.tokens else 0
        pending.tokens += page.tokens
        if page.more and pending.tokens and pending.tokens[-1].token > last:
            self._context.send(model.AskTokens(self._ask(pending), pending.tokens[-1].token))
        else:
            self._context.show(events.TokensShown(tuple(pending.tokens)))
