"""Every refusal: its reason, its code, and the one English sentence made from its arguments.

A reason is a stable word of the wire format, finer than its code: programs decide by the code, and a client in another
language makes its own sentence from reason and arguments. A sentence begins with a capital letter, tells what to do,
and has no full stop at its end. Arguments are validated names, numbers, and texts that a moderator wrote for others;
never an echo of the bytes that were refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from string import Formatter
from typing import Any

from securechat.errors import ErrorCode, Overloaded, Refusal, RemoteProtocolError

_DURATION_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def shown_span(seconds: float) -> str:
    """Return a duration in words, in its largest unit, rounded up: ``5 minutes``."""
    for unit_s, name in _DURATION_UNITS:
        if seconds >= unit_s or unit_s == 1:
            count = max(1, -int(-seconds // unit_s))
            return f"{count} {name}" if count == 1 else f"{count} {name}s"
    raise AssertionError


class _Sentences(Formatter):
    """Formats a sentence; ``{left:duration}`` shows seconds in words."""

    def format_field(self, value: Any, format_spec: str) -> str:
        if format_spec == "duration":
            return shown_span(value)
        return str(super().format_field(value, format_spec))


_sentences = _Sentences()

# A section per part of the program that refuses; within a section by reason.
REASONS: Mapping[str, tuple[ErrorCode, str]] = {
    # --- Frames and commands (wire, server/session) -----------------------------------------------------------------
    "hello_expected": (ErrorCode.HELLO_EXPECTED, "Say hello first"),
    # --- Names, rooms and passwords as typed (text) -----------------------------------------------------------------
    "name_reserved_for_server": (ErrorCode.NAME_RESERVED, "This name is reserved for the server. Choose another one"),
    # --- The log (storage) ------------------------------------------------------------------------------------------
    "overloaded": (ErrorCode.OVERLOADED, "The server cannot store messages this fast. Wait and send again"),
    # --- Connections and the whole server (server) ------------------------------------------------------------------
    "internal": (ErrorCode.INTERNAL, "The server made a mistake. Connect again"),
    # --- Logging in, accounts, certificates, invites (hub/accounts) -------------------------------------------------
    "replaced": (ErrorCode.REPLACED, "You connected from somewhere else. This connection is closed"),
    # --- Rooms, roles and moderation (hub/rooms) --------------------------------------------------------------------
    "no_such_room": (ErrorCode.NO_SUCH_ROOM, "There is no such room"),
    # --- Messages, history, search (hub/messages) -------------------------------------------------------------------
    "text_empty": (ErrorCode.TEXT_EMPTY, "The message is empty"),
    "text_too_long": (ErrorCode.TEXT_TOO_LONG, "A message has at most {most} characters. Send it in parts"),
    "message_to_yourself": (ErrorCode.INVALID, "You cannot send a message to yourself"),
    "person_absent": (
        ErrorCode.PERSON_ABSENT,
        "This person is offline and has no account. Write to them when they are back",
    ),
    "not_in_room": (ErrorCode.NOT_A_MEMBER, "You are not in #{room}. Join it first"),
    "room_being_renamed": (ErrorCode.BUSY, "#{room} is being renamed. Try again"),
    "room_archived": (ErrorCode.ARCHIVED, "#{room} is archived and read-only"),
    "room_read_only": (
        ErrorCode.READ_ONLY,
        "#{room} is read-only. Only its moderators and owners can write there, but you can react",
    ),
    "slow_mode": (ErrorCode.SLOW_MODE, "#{room} is in slow mode. Wait {left:duration} before your next message"),
    "change_without_conversation": (ErrorCode.INVALID, "Name the room of the message, or the other person, not both"),
    "reaction_invisible": (ErrorCode.INVALID, "A reaction must be visible. Choose an emoji"),
    "daily_storage_used_up": (
        ErrorCode.QUOTA,
        "Your network address has stored all it may for today. Try again tomorrow",
    ),
    "jump_without_conversation": (ErrorCode.INVALID, "Name the room or the person whose history to show from there"),
    "unread_needs_account": (
        ErrorCode.ACCOUNT_NEEDED,
        "Guests have no unread counts. /register reserves your name with a password",
    ),
    "question_under_way": (ErrorCode.BUSY, "Your last question is still being answered. Wait for the answer"),
    "reading_behind": (ErrorCode.BUSY, "Your connection is still receiving older data. Try again in a moment"),
    "question_failed": (ErrorCode.INTERNAL, "The server made a mistake and cannot answer this. You stay connected"),
    "no_such_person": (ErrorCode.NO_SUCH_PERSON, "There is no person with this name. /who lists who is here"),
    # --- Members and rates (hub) ------------------------------------------------------------------------------------
    "hello_repeated": (ErrorCode.INVALID, "You are logged in already. Connect again to log in anew"),
    "goodbye": (ErrorCode.BYE, "Goodbye"),
    "muted": (ErrorCode.MUTED, "You are muted on this server. Ask its administrator"),
    "muted_because": (ErrorCode.MUTED, "You are muted on this server: {why}. Ask its administrator"),
    "muted_for": (ErrorCode.MUTED, "You are muted on this server for {left:duration}"),
    "muted_for_because": (ErrorCode.MUTED, "You are muted on this server for {left:duration}: {why}"),
    "muted_in_room": (ErrorCode.MUTED, "You are muted in #{room}. Ask its moderators"),
    "muted_in_room_for": (ErrorCode.MUTED, "You are muted in #{room} for {left:duration}"),
    # --- Administration (hub/admin) ---------------------------------------------------------------------------------
    "kicked_by_administrator": (
        ErrorCode.KICKED,
        "You were kicked by an administrator: {why}. You may connect again",
    ),
}


def sentence(reason: str, arguments: Mapping[str, str | int]) -> str:
    """Return the English sentence of a refusal.

    Raises:
        KeyError: the reason is not known here, or an argument is missing.
    """
    return _sentences.format(REASONS[reason][1], **arguments)


def fields(template: str) -> frozenset[str]:
    """Return the names of the arguments that a sentence takes."""
    return frozenset(name for _, name, _, _ in _sentences.parse(template) if name)


def refusal_for(reason: str, *, retry_after_s: float | None = None, **arguments: str | int) -> Refusal:
    """Return the refusal with this reason.

    Args:
        reason: a key of `REASONS`.
        retry_after_s: seconds after which the same request may succeed, where that is known.
        arguments: those of its sentence, by name; durations in whole seconds.
    """
    if reason == "overloaded":
        return Overloaded(sentence(reason, arguments), reason)
    code = REASONS[reason][0]
    return Refusal(code, sentence(reason, arguments), retry_after_s, reason=reason, arguments=arguments)


def protocol_error(reason: str, **arguments: str | int) -> RemoteProtocolError:
    """Return the error that ends a connection for this reason; see `refusal_for`."""
    return RemoteProtocolError(REASONS[reason][0], sentence(reason, arguments), reason=reason, arguments=arguments)
