"""Sentences about programs: bots, incoming webhooks, and the tokens with which they act."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias, assert_never

from securechat.client.catalogue.names import in_turn, marked, named, quoted
from securechat.client.core import actions
from securechat.translation import LazyText, _

_Removal: TypeAlias = actions.EndBot | actions.EndToken
NO_BOTS = LazyText("You have made no bots and no webhooks. /bot add NAME makes a bot")
NO_TOKENS = LazyText("You have no tokens. /token add NAME makes one")
BOT_HINT = LazyText("/bot rotate NAME gives it another token, /bot remove NAME removes it")
HOOK_HINT = LazyText("/hook rotate NAME gives it another address, /hook remove NAME removes it")
OUTGOING_HINT = LazyText("/hook remove NAME removes it. An administrator makes such webhooks and switches them on")
OFF = LazyText("off")
OUTGOING_OFF = {
    "gone": LazyText("off, because its receiver answered 410"),
    "failing": LazyText("off, because every delivery of a day has failed"),
}
TOKEN_HINT = LazyText("/token rotate N makes another one like it, /token remove N removes it")
EXAMPLE = LazyText("This line works with it:")
CA_FILE = LazyText("In it, ca.pem stands for a file with the server's CA, which its administrator has")
OLD_TOKEN = LazyText("The old one works for one more day")
ODD_TOKEN = LazyText("It does not look like a token, so it may be damaged")
TOO_MANY_ROOMS = LazyText("A token is limited to {most} rooms at most. Name fewer, or none for all")
DAYS_OUT = LazyText("A token lasts from 1 to {most} days. Leave the number out for one without end")
NAME_TOO_LONG = LazyText("The name of a token has at most {most} characters. Choose a shorter one")


def made(name: str, *, bot: bool, hook: bool, rotated: bool) -> str:
    """Introduce the secret of a new token, which follows on a line of its own.

    Args:
        name: of the bot or webhook, or of the user's own token.
        bot: whether it is for a bot or webhook.
        hook: whether it is the address of a webhook.
        rotated: whether it takes the place of another one.
    """
    if hook:
        said = _("The address of the webhook {name}. All who have it can post with it", name=quoted(name))
    elif bot:
        said = _("The token of {name}. All who have it can act as this bot", name=quoted(name))
    else:
        said = _("Your token {name}. All who have it can act as you", name=quoted(name))
    return in_turn(said, _("It is not shown again"), *([OLD_TOKEN()] if rotated else []))


def bot_line(name: str, maker: str | None, rooms: Sequence[str], *, hook: bool, stopped: bool) -> str:
    """Describe a bot or webhook of the list; its tokens follow.

    Args:
        name: as `named` returns it.
        maker: the member that made it; None for an administrator of the server.
        rooms: of a webhook: the one it posts into; none for an outgoing one, and where its token is gone.
        hook: whether it is a webhook.
        stopped: whether it can do nothing, because its maker is banned or gone.
    """
    by = _("made by an administrator") if maker is None else _("made by {name}", name=quoted(maker))
    parts = [by, *([_("stopped, because its maker is banned or gone")] if stopped else [])]
    if hook:
        what = _("webhook of {rooms}", rooms=_rooms(rooms)) if rooms else _("webhook without an address")
        parts = [what, *parts]
    return f"{marked(name)}  {', '.join(parts)}"


def outgoing_line(name: str, to: str, on: str, maker: str | None, *, bots: bool, off: str) -> str:
    """Describe an outgoing webhook of the list.

    Args:
        name: as `named` returns it.
        to: where it delivers to.
        on: ``all``, ``mention``, or a command.
        maker: as in `bot_line`.
        bots: whether messages of bots count.
        off: the word for why it is off; empty while it is on.
    """
    which = {"all": _("all messages"), "mention": _("messages that mention it")}.get(on)
    if which is None:
        which = _("messages that begin with {command}", command=on)
    parts = [_("outgoing webhook: {messages} go to {receiver}", messages=which, receiver=to)]
    parts += [_("those of bots, too")] if bots else []
    parts.append(_("made by an administrator") if maker is None else _("made by {name}", name=quoted(maker)))
    parts += [OUTGOING_OFF.get(off, OFF)()] if off else []
    return f"{marked(name)}  {', '.join(parts)}"


def token_line(
    number: int,
    name: str,
    scopes: Sequence[str],
    rooms: Sequence[str],
    since: str,
    expires: str | None,
    used: str | None,
    address: str,
    *,
    online: bool,
) -> str:
    """Describe a token of the list; dates and times are this machine's.

    Args:
        number: by which commands name it.
        name: what its owner recognises it by; empty for none.
        scopes: the words for what it is good for; empty where that is clear.
        rooms: the only ones it is good for.
        since: when it was made.
        expires: when it stops, or None.
        used: when it was used last, or None.
        address: that used it last.
        online: whether it is connected now.
    """
    parts = [name, " ".join(scopes), _rooms(rooms) if scopes else "", _("since {day}", day=since)]
    parts.append(_("expires {day}", day=expires) if expires is not None else _("does not expire"))
    if used is None:
        parts.append(_("never used"))
    elif address:
        parts.append(_("last used {day} from {address}", day=used, address=address))
    else:
        parts.append(_("last used {day}", day=used))
    parts.append(_("online") if online else "")
    return f"{number}  {', '.join(part for part in parts if part)}"


def _rooms(rooms: Sequence[str]) -> str:
    return " ".join(f"#{room}" for room in rooms) if rooms else _("all rooms")


def no_hooks(room: str) -> str:
    """Tell that a room has no bots and webhooks."""
    return _("#{room} has no webhooks. /hook add NAME adds one", room=room)


def done(action: _Removal, name: str) -> str:
    """Tell that the server did it; ``name`` of the bot as it was typed."""
    match action:
        case actions.EndBot():
            return _("{name} is removed. Its messages stay", name=quoted(named(name, bot=True)))
        case actions.EndToken(number):
            return _("Token {number} is removed", number=number)
        case _:
            assert_never(action)


_LOOK: Mapping[type[actions.ProgramAction], str] = {
    actions.MakeBot: "/bot",
    actions.ReplaceBotToken: "/bot",
    actions.EndBot: "/bot",
    actions.MakeToken: "/token",
    actions.ReplaceToken: "/token",
    actions.EndToken: "/token",
}


def unanswered(action: actions.ProgramAction) -> str:
    """Tell that the connection broke before the answer; empty for a question, which can be asked again."""
    if (command := _LOOK.get(type(action))) is None:
        return ""
    return _("The connection broke before the server answered. {command} shows what was done", command=command)


NO_PROGRAMS = LazyText("This server has no bots, webhooks and tokens. Ask its administrator for a newer version")


def no_such_bot(name: str) -> str:
    """Refuse a name that no bot or webhook of the list has."""
    return _("There is no bot or webhook of yours called {name}. /bot and /hook list them", name=quoted(name))


def bot_without_token(name: str) -> str:
    """Refuse to rotate where there is nothing to rotate."""
    return _("{name} has no token left. Remove it and add it again", name=quoted(named(name, bot=True)))
