"""Commands about messages: reply, edit, delete, react, search, history and unread.

A command names a message by its number, or the last digits of it; by default it is the last own one of the
conversation, for /react the last one. /around takes also a number that was not shown here: it reads, and changes
nothing. What says something (/reply, /edit, /react) names a message of the open conversation only: otherwise a text
that is written in a dialogue would be said in the room of a mistyped number.
"""

from __future__ import annotations

import re
import unicodedata

from securechat.client import catalogue
from securechat.client.catalogue.help_pages import usage
from securechat.client.core import actions
from securechat.client.core.message_changes import has_reacted
from securechat.client.core.state import ConversationId
from securechat.client.ui.commands.message_number import NUMBER, in_conversation, split_number
from securechat.client.ui.commands.results import HistoryRequest, InputError, ParsedInput, PrefillInput, TimeRequest
from securechat.client.ui.message_numbers import MessageNumbers, NumberedMessage
from securechat.client.ui.rows.rendering import is_day, own_text
from securechat.limits import MAX_SIGN_CHARS
from securechat.model import OwnUpload, RevisionKind
from securechat.text.sanitize import visible

WORDS = ("/reply", "/edit", "/delete", "/react", "/search", "/more", "/unread", "/jump", "/around", "/time", "/typing")
HISTORY_DEFAULT = 20
"""Messages shown by /history without a number: most of a screen of 24 rows."""
HISTORY_MOST = 10_000
"""The most messages of /history: 50 pages, a few MB."""
_UPLOAD = re.compile(r"upload\s+([0-9]{1,3})", re.IGNORECASE)
_LETTER_EMOJI = re.compile("[0-9#*]\ufe0f?\u20e3|\u2139\ufe0f?")
"""The emoji with a letter or digit in them (UTS #51): keycaps, and the letter i as a sign of information."""
_LONGEST_QUERY = 500
"""The most characters of a Search (model.Search)."""


def about_messages(  # noqa: C901, PLR0911, PLR0912 - one row a command
    word: str, rest: str, current: ConversationId, numbers: MessageNumbers, me: int
) -> ParsedInput | None:
    """Parse a command about messages; None when it is another command.

    Args:
        word: the command, in lower case.
        rest: the text after it.
        current: the active conversation.
        numbers: the messages that can be named.
        me: the user's own sender_id.
    """
    if word == "/search":
        rest = catalogue.days.search_in_english(rest)
    match word:
        case "/reply":
            return _reply(rest, current, numbers, me)
        case "/edit":
            return _edit(rest, current, numbers, me)
        case "/delete":
            return _delete(rest, current, numbers, me)
        case "/react":
            return _react(rest, current, numbers, me)
        case "/search" if len(rest) > _LONGEST_QUERY:
            return InputError(catalogue.rooms.SEARCH_TOO_LONG(most=_LONGEST_QUERY))
        case "/search" if rest:
            return actions.FindMessages(rest)
        case "/more" if not rest:
            return actions.ShowMore()
        case "/unread" if not rest:
            return actions.ListUnread()
        case "/unread" if _is_number(rest):
            return actions.ShowUnread(int(rest))
        case "/jump" if not rest:
            return actions.ShowUnread()
        case "/time":
            found = NUMBER.fullmatch(rest)
            return InputError(usage(word)) if found is None else TimeRequest(found[1])
        case "/around":
            return _around(rest, current, numbers)
        case "/history":
            return _history(rest, current)
        case "/typing" if rest in {"", "on", "off"}:
            return actions.SetTypingNotices({"": None, "on": True, "off": False}[rest])
        case _ if word in WORDS:
            return InputError(usage(word))
        case _:
            return None


def _reply(rest: str, current: ConversationId, numbers: MessageNumbers, me: int) -> ParsedInput:
    named, text = split_number(rest, numbers)
    named = in_conversation(named, current, me, "/reply") if named is not None else None
    if isinstance(named, NumberedMessage) and text:
        return actions.SendMessage(text, named.key, reply=named.seq)
    return named if isinstance(named, InputError) else InputError(usage("/reply"))


def _edit(rest: str, current: ConversationId, numbers: MessageNumbers, me: int) -> ParsedInput:
    named, text = split_number(rest, numbers)
    if named is None:
        named, text = numbers.last_own(current, me) or InputError(catalogue.rooms.NO_OWN_LINE()), rest
        if not rest:
            return _prefill(named)
    named = in_conversation(named, current, me, "/edit")
    if isinstance(named, InputError):
        return named
    return actions.ChangeMessage(named.key, RevisionKind.EDIT, named.seq, text) if text else _prefill(named)


def _prefill(named: NumberedMessage | InputError) -> ParsedInput:
    if isinstance(named, InputError):
        return named
    message = named.message
    if message is None or message.deleted is not None or visible(message.text) != message.text:
        gone = message is not None and message.deleted is not None
        return InputError(
            catalogue.rooms.not_editable(named.seq, deleted=gone)
        )  # an input line shows its content unchanged
    return PrefillInput(f"/edit {named.seq} {own_text(message)}")


def _delete(rest: str, current: ConversationId, numbers: MessageNumbers, me: int) -> ParsedInput:
    if (found := _UPLOAD.fullmatch(rest)) is not None:
        upload = numbers.upload(int(found[1]))
        return InputError(catalogue.files.no_such_upload(found[1])) if upload is None else _drop(upload)
    named, text = split_number(rest, numbers)
    if named is None and not rest:
        named = numbers.last_own(current, me) or InputError(catalogue.rooms.NO_OWN_LINE())
    if isinstance(named, InputError):
        return named
    if named is None or text:
        return InputError(usage("/delete"))
    return actions.ChangeMessage(named.key, RevisionKind.DELETE, named.seq)


def _react(rest: str, current: ConversationId, numbers: MessageNumbers, me: int) -> ParsedInput:
    named, sign = split_number(rest, numbers)
    if named is None and sign:
        named = numbers.last(current) or InputError(catalogue.rooms.NO_MESSAGE_HERE())
    elif named is not None:
        named = in_conversation(named, current, me, "/react")
    if isinstance(named, InputError):
        return named
    sign = sign.strip()
    away = len(sign) > 1 and sign.startswith("-")
    sign = sign[1:] if away else sign
    if named is None or not sign or len(sign) > MAX_SIGN_CHARS:
        return InputError(usage("/react"))
    away = away or (named.message is not None and has_reacted(named.message, sign, me))
    if not away and is_word(sign):
        return InputError(catalogue.rooms.no_emoji(sign))
    return actions.ChangeMessage(named.key, RevisionKind.UNREACT if away else RevisionKind.REACT, named.seq, emoji=sign)


def is_word(sign: str) -> bool:
    """Tell whether a reaction is a plain word or number, rather than an emoji or a mark such as ``!``."""
    bare = _LETTER_EMOJI.sub("", sign)
    return any(unicodedata.category(char)[0] == "L" or char.isdecimal() for char in bare)


def _drop(upload: OwnUpload) -> ParsedInput:
    return actions.DropUpload(upload.id, upload.name)


def _around(rest: str, current: ConversationId, numbers: MessageNumbers) -> ParsedInput:
    if (found := NUMBER.fullmatch(rest)) is not None and not numbers.find(found[1]):
        return actions.ShowHistory(current, around=int(found[1]))  # of another screen, or of an address of the page
    named, text = split_number(rest, numbers)
    if isinstance(named, NumberedMessage) and not text:
        return actions.ShowHistory(named.key, around=named.seq)
    return named if isinstance(named, InputError) else InputError(usage("/around"))


def _history(rest: str, current: ConversationId) -> ParsedInput:
    rest = catalogue.days.joined_name(rest)
    first, *more = rest.split(maxsplit=1) or [""]
    target = more[0].strip() if more else current
    if is_day(first):
        return HistoryRequest(target, date=first.casefold())
    if _is_number(first) and 0 < int(first[:9]) <= HISTORY_MOST:
        count = int(first)
        return actions.AskHistory(current, count) if target is current else HistoryRequest(target, count)
    if first[:1].isdigit() or first[:1] == "-":
        return InputError(catalogue.connection.history_count(first, 1, HISTORY_MOST))
    return HistoryRequest(rest, HISTORY_DEFAULT) if rest else actions.AskHistory(current, HISTORY_DEFAULT)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()
