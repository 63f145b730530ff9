"""Splits the number of a message off a command, and says why where it names none, several, or one of elsewhere."""

from __future__ import annotations

import re

from securechat.client import catalogue
from securechat.client.catalogue.names import marked, named
from securechat.client.core.state import ConversationId, RoomKey
from securechat.client.ui.commands.results import InputError
from securechat.client.ui.message_numbers import MessageNumbers, NumberedMessage
from securechat.client.ui.rows.rendering import excerpt, own_text
from securechat.text.sanitize import one_line

NUMBER = re.compile(r"\[?([0-9]{1,15})\]?(?:\s|$)")
"""A seq has at most 15 digits (model.Id); brackets as they stand beside the message."""
_MOST_CANDIDATES = 5
_CANDIDATE_CHARS = 24


def split_number(rest: str, numbers: MessageNumbers) -> tuple[NumberedMessage | InputError | None, str]:
    """Split off the number of a message; None when the text does not begin with a number."""
    if (found := NUMBER.match(rest)) is None:
        return None, rest
    return named_message(found[1], numbers), rest[found.end() :]


def named_message(digits: str, numbers: MessageNumbers) -> NumberedMessage | InputError:
    """Return the one message that a number names."""
    found = numbers.find(digits)
    if len(found) == 1:
        return found[0]
    if not found:
        return InputError(catalogue.rooms.no_such_number(digits))
    shown = [_candidate(entry) for entry in found[:_MOST_CANDIDATES]]
    return InputError(catalogue.rooms.several_numbers(digits, shown, len(found) - len(shown)))


def in_conversation(
    named: NumberedMessage | InputError, current: ConversationId, me: int, command: str
) -> NumberedMessage | InputError:
    """Return a message of the open conversation; one of another is an error that says where it is."""
    if isinstance(named, InputError) or named.key == current:
        return named
    if isinstance(named.key, RoomKey):
        return InputError(catalogue.rooms.in_another_room(named.seq, one_line(named.key.room), command))
    message = named.message
    name = "" if message is None else message.to_name or "" if message.sender_id == me else message.name
    return InputError(catalogue.rooms.in_a_dialogue(named.seq, one_line(name), command))


def _candidate(entry: NumberedMessage) -> str:
    number, message = catalogue.rooms.number(entry.seq), entry.message
    if message is None:
        return number
    name = marked(named(one_line(message.name), bot=message.bot))
    return f"{number} {name}: {excerpt(own_text(message), _CANDIDATE_CHARS)}"
