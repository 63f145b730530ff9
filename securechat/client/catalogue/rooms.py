"""Sentences about rooms, and about messages that are edited, deleted, answered, found or unread.

The numbers in brackets are those of `securechat.client.ui.line_numbers`.
"""

from __future__ import annotations

from collections.abc import Sequence

from securechat.client.catalogue.names import quoted
from securechat.client.core.actions import ModerationVerb
from securechat.text.search_query import FILTERS

EDITED = "edited"
DELETED = "deleted"
UNKNOWN_MEMBER = "another member"
EARLIER = "an earlier message"
HIDDEN = "a message from a member you ignore"
NOTHING_MORE = "There is nothing more to show"
NOTHING_UNREAD = "Nothing is unread here. /unread lists the conversations with unread messages"
NOT_THERE = "This message is no longer on the server"
NO_HITS = "Nothing found"
A_DAY = "2026-11-20, today, yesterday or monday"
ALL_READ = "You have no unread messages"
MORE = "/more shows more"
BUILDING = "The search index is not complete yet. Older messages may be missing"
MOST_UNREAD_SHOWN = 8
"""Conversations that the line after a login names: three rows of a terminal. /unread lists the others."""
UNREAD_BEGINS = "Unread messages:"
NO_OWN_LINE = "You have no message here that can be changed. Give the number of a message"
TYPING_ON = "Typing notices are on: others see that you are typing, and you see it of them"
TYPING_OFF = "Typing notices are off: others do not see that you are typing, and you do not see it of them"
MAYBE_DONE = "The connection broke before the server answered. /room shows whether it was done"
NO_TOPIC = "none"
YOU = "You"
"""The user as the subject of a sentence; the name of a member is given as `names.quoted` returns it."""


def number(count: int, mark: str = "") -> str:
    """Return the number that stands beside a message."""
    return f"[{count} {mark}]" if mark else f"[{count}]"


def changed_by(word: str, name: str) -> str:
    """Return `EDITED` or `DELETED` with the name of the member who did it, not the author of the message."""
    return f"{word} by {quoted(name)}"


def no_such_number(text: str) -> str:
    """Refuse a number that stands beside no message."""
    return f"There is no message with this number here: {text}"


def not_editable(count: int, *, deleted: bool) -> str:
    """Refuse to put the text of a message into the input line."""
    if deleted:
        return f"{number(count)} is deleted and cannot be edited"
    return f"{number(count)} does not fit into the input line as it is. Type the whole text: /edit {count} text"


def no_such_help(text: str, commands: Sequence[str]) -> str:
    """Refuse a page of /help that does not exist."""
    return (
        "There is no such help page. There are /help messages, /help rooms, /help account, and one for each of "
        f"{', '.join(commands)}. Not found: {text}"
    )


def no_emoji(text: str) -> str:
    """Refuse a reaction that is a word."""
    return f"A reaction is an emoji, such as 👍. To answer in words use /reply. Not an emoji: {text}"


def unknown_filters(words: Sequence[str]) -> str:
    """Tell that parts of a search look like filters and are none."""
    named = " and ".join(f'"{word}:"' for word in words)
    verb = "is no filter, and is searched as a word" if len(words) == 1 else "are no filters, and are searched as words"
    return f"{named} {verb}. The filters are {', '.join(f'{name}:' for name in FILTERS)}"


def no_such_day(text: str) -> str:
    """Refuse a date."""
    return f"Not a day ({A_DAY}): {text}"


def no_messages_since(day: str, next_day: str) -> str:
    """Tell that a day has no messages; ``next_day`` is the next one with some, or empty."""
    if not next_day:
        return f"There are no messages from {day} on"
    return f"There are no messages on {day}. The next ones are from {next_day}"


def after_hits(count: int, *, more: bool, building: bool) -> list[str]:
    """Return what stands below the results of a search."""
    said = [] if count else [NO_HITS]
    return [*said, *([MORE] if more else []), *([BUILDING] if building else [])]


def edited(count: int, name: str, text: str) -> str:
    """Show an edit; a name contains no colon."""
    return f"{quoted(name)} edited {number(count)}: {text}"


def deleted(count: int, name: str) -> str:
    """Show a deletion."""
    return f"{quoted(name)} deleted {number(count)}"


def removed(name: str) -> str:
    """Tell that a member's account was deleted with its messages."""
    return f"All messages of {quoted(name)} were deleted with the account. They may still stand above"


def reactions(count: int, emojis: Sequence[tuple[str, Sequence[str]]]) -> str:
    """Show the reactions to a message; no name contains a colon or slash, and no emoji these or a space."""
    if not emojis:
        return f"{number(count)} has no reactions any more"
    return f"Reactions to {number(count)}: " + " / ".join(f"{emoji}: {', '.join(names)}" for emoji, names in emojis)


def reacted(count: int, emoji: str, name: str, *, on: bool) -> str:
    """Show a reaction to a message whose other reactions are not known here."""
    if on:
        return f"{quoted(name)} reacted to {number(count)}: {emoji}"
    return f"{quoted(name)} removed a reaction from {number(count)}: {emoji}"


def line_of_edit(text: str) -> str:
    """Describe a pending edit."""
    return f"(edit) {text}"


def line_of_deletion() -> str:
    """Describe a pending deletion."""
    return "(deletion)"


def line_of_reaction(emoji: str) -> str:
    """Describe a pending reaction."""
    return f"(reaction) {emoji}"


# --- rooms --------------------------------------------------------------------------------------------------------


def topic(room: str, text: str) -> str:
    """Show the topic of a room."""
    return f"Topic of #{room}: {text or NO_TOPIC}"


def topic_changed(room: str, text: str, by: str) -> str:
    """Tell that the topic of a room was changed."""
    if not text:
        return f"{by} removed the topic of #{room}" if by else f"The topic of #{room} was removed"
    return f"{by} changed the topic of #{room}: {text}" if by else f"New topic of #{room}: {text}"


def settings(room: str, parts: Sequence[str]) -> str:
    """Show the settings of a room."""
    return f"#{room} is {', '.join(parts)}"


def settings_changed(room: str, parts: Sequence[str], by: str) -> str:
    """Tell that the settings of a room were changed."""
    changed = f"{by} changed the settings of #{room}" if by else f"The settings of #{room} were changed"
    return f"{changed}. It is now {', '.join(parts)}"


def setting_parts(
    *, private: bool, read_only: bool, slow_s: int, retention_days: int, joined_only: bool, archived: bool
) -> list[str]:
    """Return each setting that differs from those of a new room, after `settings`."""
    parts = []
    if archived:
        parts.append("archived and read-only")
    parts.append("private (by invitation only)" if private else "public")
    if read_only and not archived:
        parts.append("read-only for members")
    if slow_s:
        parts.append(f"in slow mode ({span(slow_s)} between two messages of a member)")
    if retention_days:
        parts.append(f"set to delete messages after {_some(retention_days, 'day')}")
    if joined_only:
        parts.append("without earlier messages for new members")
    return parts


def your_role(room: str, role: str | None) -> str:
    """Show the user's role in a room."""
    return f"You are {_YOUR_ROLE.get(role or '', 'a guest in')} #{room}"


_YOUR_ROLE = {
    "owner": "an owner of",
    "moderator": "a moderator of",
    "member": "a member of",
    "admin": "an administrator of the server and may change",
}


def entered_more(*, read_only: bool, archived: bool) -> str:
    """Return the note for members who may not write in a room that they join."""
    if archived:
        return "This room is archived and read-only"
    return "This room is read-only. Only moderators and owners can write, others can react" if read_only else ""


def room_renamed(old: str, new: str) -> str:
    """Tell that a room was renamed."""
    return f"#{old} is now called #{new}"


def invited(room: str, by: str) -> str:
    """Tell the user of an invitation."""
    return f"{quoted(by)} invited you to #{room}. /join {room} accepts"


def missing(room: str) -> str:
    """Tell that the user is no longer in a room after a reconnect."""
    return f"You are no longer in #{room}. You were removed while you were offline, or the room was renamed"


def role(
    room: str, name: str, role_word: str, *, by: str, muted_s: float | None, was_muted: bool, me: bool, reason: str = ""
) -> str:
    """Tell that a member was muted, may write again, or has another role.

    Args:
        room: the room.
        name: of the member.
        role_word: the role on the wire.
        by: the member who did it, as the subject of a sentence, or `YOU`; empty when that is not known.
        muted_s: seconds the member may not write; None without an end; 0 for a member who may write.
        was_muted: whether the member was muted before.
        me: whether the member is the user.
        reason: of a mute; empty when none is known.
    """
    who = "you" if me else quoted(name)
    if muted_s is None or muted_s > 0:
        act, tail = "muted", f" in #{room}" + ("" if muted_s is None else f" for {span(muted_s)}")
        tail += f": {reason}" if reason else ""
    elif was_muted:
        act, tail = "unmuted", f" in #{room}"
    elif by:
        return f"{by} made {who} {_A_ROLE.get(role_word, role_word)} of #{room}"
    else:
        return f"{'You are' if me else f'{who} is'} now {_A_ROLE.get(role_word, role_word)} of #{room}"
    if by:
        return f"{by} {act} {who}{tail}"
    return f"{'You were' if me else f'{who} was'} {act}{tail}"


_A_ROLE = {"owner": "an owner", "moderator": "a moderator", "member": "a member"}


_DONE = {
    ModerationVerb.INVITE: "You invited {name} to #{room}",
    ModerationVerb.KICK: "You kicked {name} from #{room}",
    ModerationVerb.BAN: "You banned {name} from #{room}",
    ModerationVerb.UNBAN: "You unbanned {name} from #{room}",
    ModerationVerb.MUTE: "You muted {name} in #{room}",
    ModerationVerb.UNMUTE: "You unmuted {name} in #{room}",
    ModerationVerb.ROLE: "You made {name} {role} of #{room}",
}


_COVERS = {
    ModerationVerb.BAN: "The ban holds for the account on all its devices, and not for the same person as a guest",
    ModerationVerb.MUTE: "The mute holds for the account in this room, not elsewhere or for the same person as a guest",
}
_COVERS_GUEST = (
    "The ban holds for this guest under any name, until the client is started anew. To keep guests out, make the room "
    "private, or ask an administrator to ban the address"
)


def done(
    verb: ModerationVerb,
    room: str,
    name: str,
    *,
    seconds: int | None,
    reason: str,
    role_word: str,
    guest: bool = False,
) -> str:
    """Tell the user that the server did to a member what was asked, and in a second line what that does not cover."""
    said = _DONE[verb].format(room=room, name=quoted(name), role=_A_ROLE.get(role_word, role_word))
    said += (f" for {span(seconds)}" if seconds else "") + (f": {reason}" if reason else "")
    covers = _COVERS_GUEST if guest else _COVERS.get(verb, "")
    return f"{said}\n{covers}" if covers else said


# --- what typed commands are told ---------------------------------------------------------------------------------

SETTINGS = {
    "private": "on or off",
    "read-only": "on or off",
    "slow": "a time of at most a day such as 10s, or off",
    "retention": "a number of days such as 30d, or off",
    "history": "joined or all",
    "archived": "on or off",
    "name": "a new name",
    "topic": "a text",
}


def unknown_setting(key: str) -> str:
    """Refuse a setting that rooms do not have."""
    return f'Unknown setting "{key}". The settings are {", ".join(SETTINGS)}'


def wrong_setting(key: str, value: str) -> str:
    """Refuse the value of a setting."""
    return f"{key} needs {SETTINGS[key]}{f', not: {value}' if value else ''}"


def too_long(noun: str, most: int) -> str:
    """Refuse a topic, reason or search of too many characters."""
    return f"{noun} has at most {most} characters"


def no_duration(text: str) -> str:
    """Refuse what stands where a duration does and is none."""
    return f"Nothing was done. A time is 30s, 10m, 2h, 7d or 1w, and a reason does not begin with a digit: {text}"


def duration_too_long(most_s: int) -> str:
    """Refuse the duration of a ban or mute."""
    return f"A ban or mute lasts at least a second and at most {span(most_s)}. Leave the time out for one without end"


# --- what was not read, and what was found ------------------------------------------------------------------------


def unread_line(items: Sequence[tuple[str, int, int]]) -> str:
    """Tell after a login where something is unread: conversations with their counts of messages and mentions."""
    shown = [f"{name} {_counted(unread, mentions)}" for name, unread, mentions in items[:MOST_UNREAD_SHOWN]]
    rest = len(items) - len(shown)
    if rest:
        shown.append(f"and {rest} more {'conversation' if rest == 1 else 'conversations'}")
    return f"Unread: {', '.join(shown)}. /unread lists them"


def unread_list(items: Sequence[tuple[str, int, int]]) -> str:
    """Answer /unread; with the numbers that /unread takes."""
    rows = [f"{index}  {place}: {_counted(count, named)}" for index, (place, count, named) in enumerate(items, 1)]
    return "\n".join([*rows, "/unread N shows the messages"])


def _counted(unread: int, mentions: int) -> str:
    many = "999+" if unread >= 999 else str(unread)
    return f"{many} ({_some(mentions, 'mention')})" if mentions else many


def typing(names: Sequence[str]) -> str:
    """Tell who is typing, in the corner of the input line."""
    if len(names) > 2:
        return f"{len(names)} people are typing…"
    return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} typing…"


def span(seconds: float) -> str:
    """Return a duration in words."""
    seconds = round(seconds)
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= 2 * size or (seconds >= size and seconds % size == 0):
            return _some(round(seconds / size), unit)
    return _some(max(1, seconds), "second")


def _some(count: int, unit: str) -> str:
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
