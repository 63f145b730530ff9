"""Commands and events about programs: bots, incoming webhooks, and the tokens with which they act for an account."""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Meta, Struct, field

from securechat.model.base import Id, Person, Raw, Record, Secretive

TokenScope: TypeAlias = Literal["post", "read", "files", "metrics"]
BotKind: TypeAlias = Literal["bot", "hook"]
TokenName: TypeAlias = Annotated[str, Meta(max_length=64)]
"""What the owner of a token recognises it by."""
TokenDays: TypeAlias = Annotated[int, Meta(ge=1, le=3650)]
TokenScopes: TypeAlias = Annotated[list[TokenScope], Meta(min_length=1, max_length=4)]
UNKNOWN_ROOM: Final = "#"
"""In a list of the rooms of a token; it can be no room's name."""
TokenRooms: TypeAlias = Annotated[list[Raw], Meta(max_length=10)]


class AddBot(Record, frozen=True, tag="botadd"):
    """Make a bot, or an incoming webhook of a room, with its first token; answered by TokenMade or Refused.

    Attributes:
        name: its name, as typed; free as for a new account.
        kind: ``hook`` for an incoming webhook, which posts into its one room and does nothing else.
        rooms: it belongs to these, and its token is good for them alone; without any, a bot enters rooms as members do.
        scopes: of the token of a bot.
        days: until the token expires; without it, never.
    """

    ref: Id
    name: Raw
    kind: BotKind = "bot"
    rooms: TokenRooms = field(default_factory=list)
    scopes: TokenScopes = field(default_factory=lambda: ["post", "read"])
    days: TokenDays | None = None


class AskBots(Record, frozen=True, tag="bots"):
    """Ask for the bots and webhooks that the member has made, or, with ``room``, for those that its moderators see.

    Answered by BotList, in pages, or Refused.

    Attributes:
        after: the next page: only those with sender_ids above this.
    """

    ref: Id
    room: Raw | None = None
    after: Id | None = None


class RemoveBot(Record, frozen=True, tag="botremove"):
    """Remove a bot or webhook: its tokens and connections end, its messages stay. Answered by Done or Refused."""

    ref: Id
    bot: Id


class AddToken(Record, frozen=True, tag="tokenadd"):
    """Make a token that acts for the member itself; answered by TokenMade or Refused.

    Attributes:
        name: what the member recognises it by.
        scopes: what it is good for.
        rooms: the only rooms it is good for; without any, for all.
        days: until it expires; without it, never.
    """

    ref: Id
    name: TokenName
    scopes: TokenScopes = field(default_factory=lambda: ["post"])
    rooms: TokenRooms = field(default_factory=list)
    days: TokenDays | None = None


class AskTokens(Record, frozen=True, tag="tokens"):
    """Ask for the member's own tokens; answered by TokenList, in pages.

    Attributes:
        after: the next page: only those with numbers above this.
    """

    ref: Id
    after: Id | None = None


class RotateToken(Record, frozen=True, tag="tokenrotate"):
    """Make another token like this one, which ends a day later; answered by TokenMade or Refused."""

    ref: Id
    token: Id


class RemoveToken(Record, frozen=True, tag="tokenremove"):
    """End a token and its connections; answered by Done or Refused."""

    ref: Id
    token: Id


ProgramCommand: TypeAlias = AddBot | AskBots | RemoveBot | AddToken | AskTokens | RotateToken | RemoveToken


class TokenInfo(
    Struct,
    frozen=True,
    gc=False,
    omit_defaults=True,
    rename={"since_ms": "since", "expires_at_ms": "expires", "used_at_ms": "used"},
):
    """A token, without its secret.

    Attributes:
        token: its number.
        name: what its owner recognises it by.
        scopes: what it is good for: ``post``, ``read``, ``files``, ``metrics``, or ``hook`` for an incoming webhook.
        since_ms: when it was made, milliseconds since the epoch, UTC.
        rooms: the names of the only rooms it is good for, `UNKNOWN_ROOM` for those that are gone or that the reader may
            not see; empty for all.
        expires_at_ms: when it stops; None for never.
        used_at_ms: when it was used last, to the minute; None for never.
        address: the network address that used it last.
        online: whether it is connected now.
    """

    token: Id
    name: str
    scopes: list[str]
    since_ms: int
    rooms: list[str] = field(default_factory=list)
    expires_at_ms: int | None = None
    used_at_ms: int | None = None
    address: str = ""
    online: bool = False


class OutgoingInfo(Struct, frozen=True, gc=False):
    """What an outgoing webhook does.

    Attributes:
        to: where it delivers to: scheme, host and port; the rest of the URL is a secret.
        on: ``all``, ``mention``, or the command that a message begins with.
        bots: whether messages of bots count.
        off: why it is switched off, as a word: ``gone``, ``failing``, ``room_gone``; empty while it is on.
    """

    to: str
    on: str
    bots: bool
    off: str


class BotInfo(Struct, frozen=True, gc=False, omit_defaults=True, rename={"made_by": "by"}):
    """A bot or an incoming webhook.

    Attributes:
        id: its sender_id.
        name: as shown.
        kind: ``bot`` or ``hook``.
        tokens: its tokens.
        made_by: the member that made it; None for an administrator at the server's machine.
        stopped: its maker is banned or gone, so that it can do nothing.
        outgoing: of an outgoing webhook, which has no token.
    """

    id: Id
    name: str
    kind: str
    tokens: list[TokenInfo]
    made_by: Person | None = None
    stopped: bool = False
    outgoing: OutgoingInfo | None = None


class BotList(Record, frozen=True, tag="botlist"):
    """Bots and webhooks by sender_id; with ``more``, there is another page."""

    ref: Id
    bots: list[BotInfo]
    more: bool = False


class TokenList(Record, frozen=True, tag="tokenlist"):
    """The member's own tokens by number; with ``more``, there is another page."""

    ref: Id
    tokens: list[TokenInfo]
    more: bool = False


class TokenMade(Secretive, frozen=True, tag="tokenmade"):
    """A token was made, and is durable; it is never told again.

    Attributes:
        token: the secret, ``scb_`` and 49 digits; of a webhook it stands in the address ``/hooks/TOKEN``.
        info: the rest.
        bot: whose it is; None for the member's own.
    """

    ref: Id
    token: str
    info: TokenInfo
    bot: Person | None = None
