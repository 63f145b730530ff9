"""UI events about programs: bots, incoming webhooks, and the tokens with which they act.

The secret of a new token does not show in the repr of its event, and no component of the client stores it.
"""

from __future__ import annotations

from msgspec import Struct

from securechat.client.core.actions import ProgramAction
from securechat.model import BotInfo, Person, Secretive, TokenInfo


class ApiTokenMade(Secretive, frozen=True):
    """A token was made, durably; the server tells it this once.

    Attributes:
        token: the secret.
        info: the rest.
        bot: the bot or webhook it is for; None for the user's own.
        rotated: whether it takes the place of another one, which ends a day later.
    """

    token: str
    info: TokenInfo
    bot: Person | None = None
    rotated: bool = False


class ProgramActionDone(Struct, frozen=True):
    """The server has removed a bot, a webhook or a token, durably."""

    program_action: ProgramAction


class ProgramActionUnconfirmed(Struct, frozen=True):
    """The connection broke before the answer: the server may have done it or not."""

    program_action: ProgramAction


class BotsShown(Struct, frozen=True):
    """The answer to ShowBots: those that the user has made, or those of a room."""

    bots: tuple[BotInfo, ...]
    room: str | None = None


class TokensShown(Struct, frozen=True):
    """The answer to ShowTokens."""

    tokens: tuple[TokenInfo, ...]
