"""Carries out the commands of `securechat-admin` about bots, incoming webhooks and API tokens.

It translates between the records of `admin_protocol` and the hub, as `admin_socket` does for all others. The secret of
a token leaves in the answer to the command that made it, and goes nowhere else.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, assert_never

from msgspec import Struct

from securechat.model import BotInfo, TokenInfo, TokenMade
from securechat.records.accounts import Account, AccountKind, ApiToken, Scope
from securechat.server.admin_protocol import (
    BotRequest,
    CreateBot,
    CreateOutgoing,
    DeleteBot,
    ListBots,
    ListTokens,
    RevokeToken,
    RotateBot,
    SwitchOn,
)

if TYPE_CHECKING:
    from securechat.hub.programs.admin import OutgoingState, ProgramCommands
    from securechat.records.accounts import OutgoingWebhook

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
            answers.rows(_public_bot(bot, programs.outgoing(bot.id)) for bot in programs.bots(room))
        case CreateOutgoing(room, url, trigger, name, bots):
            programs.add_outgoing(
                actor,
                room,
                url,
                trigger=trigger,
                name=name,
                secret=_new_secret(),
                bots=bots,
                done=answers.then(lambda made: {**_with_secret(programs, made.row), "doubt": made.doubt or None}),
            )
        case SwitchOn(name):
            programs.switch_on(actor, name, answers.then(lambda row: _public_outgoing(programs, row)))
        case RotateBot(name) if programs.is_outgoing(name):
            programs.rotate_outgoing(actor, name, _new_secret(), answers.then(lambda row: _with_secret(programs, row)))
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


def _new_secret() -> str:
    # imported here: most servers have no outgoing webhook
    from securechat.server.outgoing.signature import new_secret  # noqa: PLC0415

    return new_secret(secrets.token_bytes).revealed()


def _with_secret(programs: ProgramCommands, row: OutgoingWebhook) -> AnswerRow:
    """Return an outgoing webhook with its new secret, which is told once."""
    return {**_public_outgoing(programs, row), "secret": row.secret}


def _public_outgoing(programs: ProgramCommands, row: OutgoingWebhook) -> AnswerRow:
    return {"name": programs.name_of(row.sender_id), "outgoing": _outgoing(programs.outgoing(row.sender_id))}


def _outgoing(state: OutgoingState | None) -> AnswerRow | None:
    """Return an outgoing webhook without its secrets; of its URL, which is often one too, scheme and host alone."""
    if state is None:
        return None
    row = state.row
    return {
        "room": state.room,
        "to": row.origin,
        "on": row.trigger,
        "bots": row.bots,
        "off": row.off or None,
        "off_at_ms": row.off_at_ms if row.off else None,
        "stopped": state.held is not None,
        "held": state.held,
        "failures": row.failures,
        "failing_since_ms": row.failing_since_ms or None,
        "next_ms": row.next_ms or None,
        "problem": state.problem or None,
        "behind": state.behind,
        "old_until_ms": row.old_until_ms or None,
    }


def _public_bot(bot: BotInfo, outgoing: OutgoingState | None) -> AnswerRow:
    return {
        "name": bot.name,
        "kind": bot.kind,
        "made_by": None if bot.made_by is None else bot.made_by.name,
        "stopped": bot.stopped,
        "tokens": [_public_token(token, bot.name) for token in bot.tokens],
        "outgoing": _outgoing(outgoing),
    }


def _removed_bot(account: Account) -> AnswerRow:
    return {"name": account.name, "kind": account.kind.value}


def _removed_token(token: ApiToken) -> AnswerRow:
    return {"token": token.token_id, "name": token.name}
