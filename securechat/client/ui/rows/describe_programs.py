"""Describes UI events about programs: bots, incoming webhooks and tokens; and shows the secret of a new token.

A secret, and the line that works with it, stand in rows of their own that are neither marked nor wrapped, so that they
can be copied. Nothing in these rows is of another person's choice; see `api_examples`.
"""

from __future__ import annotations

from msgspec import Struct

from securechat.client import catalogue
from securechat.client.catalogue.names import named
from securechat.client.core import actions, events
from securechat.client.core.events import UiEvent
from securechat.client.ui.rows.rendering import excerpt, local_date, shown_name
from securechat.model import UNKNOWN_ROOM, BotInfo, TokenInfo
from securechat.text.api_examples import UNKNOWN_CA, api_example
from securechat.text.sanitize import one_line


class TokenLine(Struct, frozen=True):
    """A line about a new token.

    Attributes:
        text: safe to show.
        copied: whether it is to be copied, and stands as it is.
    """

    text: str
    copied: bool = False


def token_lines(event: events.ApiTokenMade, host: str, port: int, ca: str | None) -> list[TokenLine]:
    """Return what is shown of a new token, this once.

    Args:
        event: has the token.
        host: of the server, as the user typed it.
        port: TCP port.
        ca: the path of a file with its CA, quoted for a shell; None for none, empty where it is trusted anyway.
    """
    info, bot, hook = event.info, event.bot, "hook" in event.info.scopes
    name = excerpt(info.name) if bot is None else named(one_line(bot.name), bot=True)
    lines = [TokenLine(catalogue.programs.made(name, bot=bot is not None, hook=hook, rotated=event.rotated))]
    path = UNKNOWN_CA if ca is None else ca
    example = api_example(host, port, event.token, scopes=info.scopes, rooms=info.rooms, ca=path)
    if not example:
        return [*lines, TokenLine(one_line(event.token)), TokenLine(catalogue.programs.ODD_TOKEN())]
    if hook:
        return [*lines, TokenLine(example, copied=True)]
    lines += [
        TokenLine(event.token, copied=True),
        TokenLine(catalogue.programs.EXAMPLE()),
        TokenLine(example, copied=True),
    ]
    return [*lines, TokenLine(catalogue.programs.CA_FILE())] if ca is None else lines


def of_programs(ui_event: UiEvent) -> str | None:
    """Return the sentence for an event; None for those without one, or shown in another way."""
    match ui_event:
        case events.BotsShown(bots, room):
            return _bots(bots, room)
        case events.TokensShown(tokens):
            return _tokens(tokens)
        case events.ProgramActionDone(actions.EndBot() | actions.EndToken() as action):
            name = excerpt(action.name) if isinstance(action, actions.EndBot) else ""
            return catalogue.programs.done(action, name)
        case events.ProgramActionUnconfirmed(action):
            return catalogue.programs.unanswered(action) or None
        case _:
            return None


def _bots(bots: tuple[BotInfo, ...], room: str | None) -> str:
    if not bots:
        return catalogue.programs.no_hooks(one_line(room)) if room is not None else catalogue.programs.NO_BOTS()
    hint = catalogue.programs.BOT_HINT if room is None else catalogue.programs.HOOK_HINT
    if all(bot.outgoing is not None for bot in bots):
        hint = catalogue.programs.OUTGOING_HINT
    return "\n".join([*(row for bot in bots for row in _bot(bot)), hint()])


def _bot(bot: BotInfo) -> list[str]:
    if bot.outgoing is not None:
        return [
            catalogue.programs.outgoing_line(
                named(one_line(bot.name), bot=True),
                one_line(bot.outgoing.to),
                one_line(bot.outgoing.on),
                None if bot.made_by is None else shown_name(bot.made_by),
                bots=bot.outgoing.bots,
                off=bot.outgoing.off,
            )
        ]
    hook = bot.kind == "hook"
    rooms = [_room(room) for token in bot.tokens[:1] for room in token.rooms]
    head = catalogue.programs.bot_line(
        named(one_line(bot.name), bot=True),
        None if bot.made_by is None else shown_name(bot.made_by),
        rooms,
        hook=hook,
        stopped=bot.stopped,
    )
    return [head, *(f"    {_token(token, is_hook=hook, of=bot.name)}" for token in bot.tokens)]


def _room(room: str) -> str:
    """Return a room of a token as it is shown behind a ``#``; a question mark for one that is gone or not visible."""
    return "?" if room == UNKNOWN_ROOM else one_line(room)


def _tokens(tokens: tuple[TokenInfo, ...]) -> str:
    if not tokens:
        return catalogue.programs.NO_TOKENS()
    return "\n".join([*(_token(token) for token in tokens), catalogue.programs.TOKEN_HINT()])


def _token(token: TokenInfo, *, is_hook: bool = False, of: str = "") -> str:
    return catalogue.programs.token_line(
        token.token,
        "" if token.name == of else excerpt(token.name),
        () if is_hook else [one_line(scope) for scope in token.scopes],
        [_room(room) for room in token.rooms],
        local_date(token.since_ms),
        None if token.expires_at_ms is None else local_date(token.expires_at_ms),
        None if token.used_at_ms is None else local_date(token.used_at_ms),
        one_line(token.address),
        online=token.online,
    )
