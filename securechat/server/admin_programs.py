"""Carries out the commands of `securechat-admin` about bots, incoming webhooks and API tokens.

It translates between the records of `admin_protocol` and the hub, as `admin_socket` does for all others. The secret of
a token leaves in the answer to the command that made it, and goes nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, assert_never

from msgspec import Struct

from securechat.model import BotInfo, TokenInfo, TokenMade
from securechat.records.accounts import Account, AccountKind, ApiToken, Scope
from securechat.server.admin_protocol import (
    BotRequest,
    CreateBot,
    DeleteBot,
    ListBots,
    ListTokens,
    RevokeToken,
    RotateBot,
)

if TYPE_CHECKING:
    from securechat.hub.programs.admin import ProgramCommands

AnswerRow = dict[str, Any]


class AdminAnswers(Struct, frozen=True):
    """How the connection that waits is answered.

    Attributes:
        rows: answers with rows, a few in each pass of the loop.
        then: returns the ``done`` of an act, which answers with its result as shown, or with its refusal.
    """

    rows: Callable[[Iterator[AnswerRow]], None]
    then: Callable[[Callable[[Any], AnswerRow]], Callable[[Any], None]]


def carry_out(request: BotRequest, programs: ProgramCommands, actor: str, answers: AdminAnswers) -> None:
    """Carry out a command.

    Raises:
        Refusal: as the hub raises it.
    """
    match request:
        case CreateBot(name, kind, rooms, scopes, days):
            programs.add_bot(
                actor,
                name,
                kind=AccountKind(kind),
                rooms=rooms,
                scopes=[Scope(scope) for scope in scopes],
                days=days,
                done=answers.then(_made),
            )
        case ListBots(room):
            answers.rows(map(_public_bot, programs.bots(room)))
        case RotateBot(name):
            programs.rotate_bot(actor, name, answers.then(_made))
        case DeleteBot(name):
            programs.remove_bot(actor, name, answers.then(_removed_bot))
        case ListTokens(name):
            answers.rows(_tokens(programs, name))
        case RevokeToken(token):
            programs.remove_token(actor, token, answers.then(_removed_token))
        case _:
            assert_never(request)


def _tokens(programs: ProgramCommands, name: str | None) -> Iterator[AnswerRow]:
    """Return the tokens of an account, or of all bots and webhooks."""
    if name is None:
        return (_public_token(token, bot.name) for bot in programs.bots() for token in bot.tokens)
    tokens = programs.tokens_of(name)
    return (_public_token(token, name) for token in tokens)


def _made(made: TokenMade) -> AnswerRow:
    """Return a new token with its secret, which is told once."""
    return {**_public_token(made.info, made.bot.name if made.bot is not None else ""), "secret": made.token}


def _public_token(token: TokenInfo, account: str) -> AnswerRow:
    return {
        "token": token.token,
        "account": account,
        "name": token.name,
        "scopes": token.scopes,
        "rooms": token.rooms,
        "made_at_ms": token.since_ms,
        "expires_at_ms": token.expires_at_ms,
        "used_at_ms": token.used_at_ms,
        "address": token.address,
        "online": token.online,
    }


def _public_bot(bot: BotInfo) -> AnswerRow:
    return {
        "name": bot.name,
        "kind": bot.kind,
        "made_by": None if bot.made_by is None else bot.made_by.name,
        "stopped": bot.stopped,
        "tokens": [_public_token(token, bot.name) for token in bot.tokens],
    }


def _removed_bot(account: Account) -> AnswerRow:
    return {"name": account.name, "kind": account.kind.value}


def _removed_token(token: ApiToken) -> AnswerRow:
    return {"token": token.token_id, "name": token.name}
