"""Sentences about rooms, and about messages that are edited, deleted, answered, found or unread.

The numbers in brackets are those of `securechat.client.ui.message_numbers`.
"""

from __future__ import annotations

from collections.abc import Sequence

from securechat.client.catalogue.names import in_turn, marked, quoted
from securechat.client.core.actions import ModerationVerb
from securechat.text.search_query import FILTERS
from securechat.translation import LazyText, _, ngettext, pgettext

UNKNOWN_MEMBER = LazyText("another member")
EARLIER = LazyText("an earlier message")
HIDDEN = LazyText("a message from a member you ignore")
NOTHING_MORE = LazyText("There is nothing more to show")
NOTHING_UNREAD = LazyText("Nothing is unread here. /unread lists the conversations with unread messages")
NOT_THERE = LazyText("This message is no longer on the server")
NO_HITS = LazyText("Nothing found")
# Translators: what can be typed after /history; the names of days as in your other texts about days that are typed.
A_DAY = LazyText("2026-11-20, today, yesterday or monday")
ALL_READ = LazyText("You have no unread messages")
MORE = LazyText("/more shows more")
BUILDING = LazyText("The search index is not complete yet. Older messages may be missing")
MOST_UNREAD_SHOWN = 8
"""Conversations that the line after a login names: three rows of a terminal. /unread lists the others."""
UNREAD_BEGINS = LazyText("Unread messages:")
NO_MESSAGE_HERE = LazyText("There is no message here")
NO_OWN_LINE = LazyText("You have no message here that can be changed. Give the number of a message")
NO_ROOM_HERE = LazyText("These are direct messages and no room. /join leads back to the room")
NO_DIALOGUES = LazyText("You have no direct messages. /dm NAME goes to a person")
TYPING_ON = LazyText("Typing notices are on: others see that you are typing, and you see it of them")
TYPING_OFF = LazyText("Typing notices are off: others do not see that you are typing, and you do not see it of them")
MAYBE_DONE = LazyText("The connection broke before the server answered. /room shows whether it was done")
YOU = "You"
"""The user as the subject of a sentence, for the functions that take one. It is not shown, and no name is equal to it:
the name of a member is given as `names.quoted` returns it, which puts a name like this in quotes."""


def number(seq: int | str, mark: str = "") -> str:
    """Return the number that stands beside a message, or one of its files."""
    return f"[{seq} {mark}]" if mark else f"[{seq}]"


def number_of(seq: int, author: str) -> str:
    """Return the number of a message with its author, where that is known."""
    return _("{number} by {author}", number=number(seq), author=quoted(author)) if author else number(seq)


def edited_mark(by: str | None) -> str:
    """Return the mark of an edited message; ``by`` names the member who did it, where it was not the author."""
    if by is None:
        # Translators: without comma, colon and slash, and so is the one with a name.
        return pgettext("mark beside a message", "edited")
    return pgettext("mark beside a message", "edited by {name}", name=quoted(by))


def deleted_mark(by: str | None) -> str:
    """Return the mark of a deleted message; ``by`` names the member who did it, where it was not the author."""
    if by is None:
        # Translators: without comma, colon and slash, and so is the one with a name.
        return pgettext("mark beside a message", "deleted")
    return pgettext("mark beside a message", "deleted by {name}", name=quoted(by))


def no_such_number(text: str) -> str:
    """Refuse a number that stands beside no message."""
    return _("There is no message with this number here: {text}", text=text)


def in_another_room(seq: int, room: str, command: str) -> str:
    """Refuse to say something to a message of another room than the open one: it would be said there."""
    # Translators: /join and the command are typed so.
    return _(
        "[{number}] is in #{room}, not here, so nothing was done. First /join {room}, then {command} {number}",
        number=seq,
        room=room,
        command=command,
    )


def in_a_dialogue(seq: int, name: str, command: str) -> str:
    """Refuse to say something to a direct message whose dialogue is not open; an empty name is not known."""
    if not name:
        # Translators: /dm NAME and the command are typed so.
        return _(
            "[{number}] is a direct message of another dialogue, so nothing was done. "
            "First /dm NAME, then {command} {number}",
            number=seq,
            command=command,
        )
    # Translators: /dm and the command are typed so.
    return _(
        "[{number}] is a direct message with {name}, not here, so nothing was done. "
        'First /dm "{name}", then {command} {number}',
        number=seq,
        name=name,
        command=command,
    )


def reply_to(seq: int) -> str:
    """Tell for a screen reader which message is answered; without colon and slash."""
    # Translators: behind the number of a message, as in "ana, 48214, reply to 48213: text"; without comma.
    return _("reply to {number}", number=seq)


def sent_at(seq: int, author: str, date: str) -> str:
    """Answer /time."""
    return _("{number}: {date}", number=number_of(seq, author), date=date)


def several_numbers(text: str, candidates: Sequence[str], others: int) -> str:
    """Refuse the last digits of several messages, and list the newest of these."""
    listed = "; ".join(candidates)
    if others:
        return ngettext(
            "Several messages end in {text}; type more digits: {listed}; and {count} more",
            "Several messages end in {text}; type more digits: {listed}; and {count} more",
            others,
            text=text,
            listed=listed,
        )
    return _("Several messages end in {text}; type more digits: {listed}", text=text, listed=listed)


def not_editable(count: int, *, deleted: bool) -> str:
    """Refuse to put the text of a message into the input line."""
    if deleted:
        return _("{number} is deleted and cannot be edited", number=number(count))
    return _(
        "{number} does not fit into the input line as it is. Type the whole text: /edit {count} text",
        number=number(count),
        count=count,
    )


def no_such_help(text: str, commands: Sequence[str]) -> str:
    """Refuse a page of /help that does not exist."""
    return _(
        "There is no such help page. There are /help messages, /help files, /help rooms, /help account, and one for "
        "each of {commands}. Not found: {text}",
        commands=", ".join(commands),
        text=text,
    )


def no_emoji(text: str) -> str:
    """Refuse a reaction that is a word."""
    return _(
        "A reaction is an emoji, such as 👍. To answer in words use /reply. Not an emoji: {text}",
        text=text,
    )


def unknown_filters(words: Sequence[str]) -> str:
    """Tell that parts of a search look like filters and are none."""
    return ngettext(
        "{filters:list} is no filter, and is searched as a word. The filters are {known}",
        "{filters:list} are no filters, and are searched as words. The filters are {known}",
        len(words),
        filters=[f'"{word}:"' for word in words],
        known=", ".join(f"{name}:" for name in FILTERS),
    )


def no_such_day(text: str) -> str:
    """Refuse a date."""
    return _("Not a day ({day}): {text}", day=A_DAY(), text=text)


def no_messages_since(day: str, next_day: str) -> str:
    """Tell that a day has no messages; ``next_day`` is the next one with some, or empty."""
    if not next_day:
        return _("There are no messages from {day} on", day=day)
    return _("There are no messages on {day}. The next ones are from {next_day}", day=day, next_day=next_day)


def after_hits(count: int, *, more: bool, building: bool) -> list[str]:
    """Return what stands below the results of a search."""
    said = [] if count else [NO_HITS()]
    return [*said, *([MORE()] if more else []), *([BUILDING()] if building else [])]


def edited(seq: int, name: str, text: str, *, author: str = "", own: bool = False) -> str:
    """Show an edit; a name contains no colon.

    Args:
        seq: of the message.
        name: of the member who edited it.
        text: the new one.
        author: of the message, where it is known.
        own: whether the author did it.
    """
    if own:
        return _("{name} edited their own {number}: {text}", name=quoted(name), number=number(seq), text=text)
    return _("{name} edited {number}: {text}", name=quoted(name), number=number_of(seq, author), text=text)


def deleted(seq: int, name: str, *, author: str = "", own: bool = False) -> str:
    """Show a deletion; the arguments are as of `edited`."""
    if own:
        return _("{name} deleted their own {number}", name=quoted(name), number=number(seq))
    return _("{name} deleted {number}", name=quoted(name), number=number_of(seq, author))


def removed(name: str) -> str:
    """Tell that a member's account was deleted with its messages."""
    return _("All messages of {name} were deleted with the account. They may still stand above", name=quoted(name))


def reactions(seq: int, emojis: Sequence[tuple[str, Sequence[str]]], *, author: str = "") -> str:
    """Show the reactions to a message; no name contains a colon or slash, and no emoji these or a space."""
    if not emojis:
        return _("{number} has no reactions any more", number=number_of(seq, author))
    shown = " / ".join(f"{emoji}: {', '.join(map(marked, names))}" for emoji, names in emojis)
    return _("Reactions to {number}: {reactions}", number=number_of(seq, author), reactions=shown)


def reacted(count: int, emoji: str, name: str, *, on: bool) -> str:
    """Show a reaction to a message whose other reactions are not known here."""
    if on:
        return _("{name} reacted to {number}: {emoji}", name=quoted(name), number=number(count), emoji=emoji)
    return _("{name} removed a reaction from {number}: {emoji}", name=quoted(name), number=number(count), emoji=emoji)


def line_of_edit(text: str) -> str:
    """Describe a pending edit."""
    return _("(edit) {text}", text=text)


def line_of_deletion() -> str:
    """Describe a pending deletion."""
    return _("(deletion)")


def line_of_reaction(emoji: str) -> str:
    """Describe a pending reaction."""
    return _("(reaction) {emoji}", emoji=emoji)


# --- rooms --------------------------------------------------------------------------------------------------------


def topic(room: str, text: str) -> str:
    """Show the topic of a room."""
    return _("Topic of #{room}: {topic}", room=room, topic=text) if text else _("Topic of #{room}: none", room=room)


def topic_changed(room: str, text: str, by: str) -> str:
    """Tell that the topic of a room was changed; ``by`` is the member who did it or `YOU`, and may be empty."""
    if by == YOU:
        if not text:
            return _("You removed the topic of #{room}", room=room)
        return _("You changed the topic of #{room}: {topic}", room=room, topic=text)
    if by:
        if not text:
            return _("{name} removed the topic of #{room}", name=by, room=room)
        return _("{name} changed the topic of #{room}: {topic}", name=by, room=room, topic=text)
    if not text:
        return _("The topic of #{room} was removed", room=room)
    return _("New topic of #{room}: {topic}", room=room, topic=text)


def settings(room: str, parts: Sequence[str]) -> str:
    """Show the settings of a room."""
    return _("#{room} is {settings}", room=room, settings=", ".join(parts))


def settings_changed(room: str, parts: Sequence[str], by: str) -> str:
    """Tell that the settings of a room were changed; ``by`` is the member who did it or `YOU`, and may be empty."""
    now = ", ".join(parts)
    if by == YOU:
        return _("You changed the settings of #{room}. It is now {settings}", room=room, settings=now)
    if by:
        return _("{name} changed the settings of #{room}. It is now {settings}", name=by, room=room, settings=now)
    return _("The settings of #{room} were changed. It is now {settings}", room=room, settings=now)


def setting_parts(
    *, private: bool, read_only: bool, slow_s: int, retention_days: int, joined_only: bool, archived: bool
) -> list[str]:
    """Return each setting that differs from those of a new room, after `settings`."""
    parts = []
    if archived:
        # Translators: these settings follow "#ops is", with commas between them.
        parts.append(pgettext("setting of a room", "archived and read-only"))
    if private:
        parts.append(pgettext("setting of a room", "private (by invitation only)"))
    else:
        parts.append(pgettext("setting of a room", "public"))
    if read_only and not archived:
        parts.append(pgettext("setting of a room", "read-only for members"))
    if slow_s:
        parts.append(_("in slow mode ({span} between two messages of a member)", span=span(slow_s)))
    if retention_days:
        parts.append(
            ngettext(
                "set to delete messages after {count} day", "set to delete messages after {count} days", retention_days
            )
        )
    if joined_only:
        parts.append(pgettext("setting of a room", "without earlier messages for new members"))
    return parts


def your_role(room: str, role: str | None) -> str:
    """Show the user's role in a room."""
    return _YOUR_ROLE.get(role or "", _YOU_ARE_A_GUEST)(room=room)


_YOU_ARE_A_GUEST = LazyText("You are a guest in #{room}")
_YOUR_ROLE = {
    "owner": LazyText("You are an owner of #{room}"),
    "moderator": LazyText("You are a moderator of #{room}"),
    "member": LazyText("You are a member of #{room}"),
    "admin": LazyText("You are an administrator of the server and may change #{room}"),
}


def entered_more(*, read_only: bool, archived: bool) -> str:
    """Return the note for members who may not write in a room that they join."""
    if archived:
        return _("This room is archived and read-only")
    return _("This room is read-only. Only moderators and owners can write, others can react") if read_only else ""


def room_renamed(old: str, new: str) -> str:
    """Tell that a room was renamed."""
    return _("#{old} is now called #{new}", old=old, new=new)


def invited(room: str, by: str) -> str:
    """Tell the user of an invitation."""
    return _("{name} invited you to #{room}. /join {room} accepts", name=quoted(by), room=room)


def missing(room: str) -> str:
    """Tell that the user is no longer in a room after a reconnect."""
    return _(
        "You are no longer in #{room}. You were removed while you were offline, or the room was renamed", room=room
    )


# --- roles and mutes ----------------------------------------------------------------------------------------------


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
    if muted_s is None:
        table = _MUTED
    elif muted_s > 0:
        table = _MUTED_FOR
    elif was_muted:
        table = _UNMUTED
    else:
        table = _HAS_ROLE
    doer = "" if not by else "user" if by == YOU else "member"
    said = table[doer, "user" if me else "member"](
        room=room, name=quoted(name), by=by, span=span(muted_s or 0), role=_role_name(role_word)
    )
    return f"{said}: {reason}" if reason and (muted_s is None or muted_s > 0) else said


# Each table has the sentences by the doer (empty: not known) and by the member whom it concerns.
_MUTED = {
    ("", "user"): LazyText("You were muted in #{room}"),
    ("", "member"): LazyText("{name} was muted in #{room}"),
    ("user", "user"): LazyText("You muted yourself in #{room}"),
    ("user", "member"): LazyText("You muted {name} in #{room}"),
    ("member", "user"): LazyText("{by} muted you in #{room}"),
    ("member", "member"): LazyText("{by} muted {name} in #{room}"),
}
_MUTED_FOR = {
    ("", "user"): LazyText("You were muted in #{room} for {span}"),
    ("", "member"): LazyText("{name} was muted in #{room} for {span}"),
    ("user", "user"): LazyText("You muted yourself in #{room} for {span}"),
    ("user", "member"): LazyText("You muted {name} in #{room} for {span}"),
    ("member", "user"): LazyText("{by} muted you in #{room} for {span}"),
    ("member", "member"): LazyText("{by} muted {name} in #{room} for {span}"),
}
_UNMUTED = {
    ("", "user"): LazyText("You were unmuted in #{room}"),
    ("", "member"): LazyText("{name} was unmuted in #{room}"),
    ("user", "user"): LazyText("You unmuted yourself in #{room}"),
    ("user", "member"): LazyText("You unmuted {name} in #{room}"),
    ("member", "user"): LazyText("{by} unmuted you in #{room}"),
    ("member", "member"): LazyText("{by} unmuted {name} in #{room}"),
}
_HAS_ROLE = {
    ("", "user"): LazyText("You are now {role} of #{room}"),
    ("", "member"): LazyText("{name} is now {role} of #{room}"),
    ("user", "user"): LazyText("You made yourself {role} of #{room}"),
    ("user", "member"): LazyText("You made {name} {role} of #{room}"),
    ("member", "user"): LazyText("{by} made you {role} of #{room}"),
    ("member", "member"): LazyText("{by} made {name} {role} of #{room}"),
}


def _role_name(word: str) -> str:
    """Return a role as a part of a sentence; a word that this version does not know stays as it is."""
    match word:
        case "owner":
            # Translators: "ana made you an owner of #ops"; likewise the two others.
            return pgettext("role of a member", "an owner")
        case "moderator":
            return pgettext("role of a member", "a moderator")
        case "member":
            return pgettext("role of a member", "a member")
        case _other:
            return word


_DONE = {
    ModerationVerb.INVITE: LazyText("You invited {name} to #{room}"),
    ModerationVerb.KICK: LazyText("You kicked {name} from #{room}"),
    ModerationVerb.BAN: LazyText("You banned {name} from #{room}"),
    ModerationVerb.UNBAN: LazyText("You unbanned {name} from #{room}"),
    ModerationVerb.MUTE: LazyText("You muted {name} in #{room}"),
    ModerationVerb.UNMUTE: LazyText("You unmuted {name} in #{room}"),
    ModerationVerb.ROLE: LazyText("You made {name} {role} of #{room}"),
}
_DONE_FOR = {
    ModerationVerb.BAN: LazyText("You banned {name} from #{room} for {span}"),
    ModerationVerb.MUTE: LazyText("You muted {name} in #{room} for {span}"),
}
_COVERS = {
    ModerationVerb.BAN: LazyText(
        "The ban holds for the account on all its devices, and not for the same person as a guest"
    ),
    ModerationVerb.MUTE: LazyText(
        "The mute holds for the account in this room, not elsewhere or for the same person as a guest"
    ),
}
_COVERS_GUEST = LazyText(
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
    text = _DONE_FOR.get(verb, _DONE[verb]) if seconds else _DONE[verb]
    said = text(room=room, name=quoted(name), role=_role_name(role_word), span=span(seconds or 0))
    said += f": {reason}" if reason else ""
    covers = _COVERS_GUEST if guest else _COVERS.get(verb)
    return f"{said}\n{covers()}" if covers is not None else said


# --- what typed commands are told ---------------------------------------------------------------------------------

# Translators: what a setting needs; it follows "private needs" and the like. The words to type stay English.
_ON_OR_OFF = LazyText("on or off")
SETTINGS = {
    "private": _ON_OR_OFF,
    "read-only": _ON_OR_OFF,
    "slow": LazyText("a time of at most a day such as 10s, or off"),
    "retention": LazyText("a number of days such as 30d, or off"),
    "history": LazyText("joined or all"),
    "archived": _ON_OR_OFF,
    "name": LazyText("a new name"),
    "topic": LazyText("a text"),
}
SEARCH_TOO_LONG = LazyText("A search has at most {most} characters")
TOPIC_TOO_LONG = LazyText("A topic has at most {most} characters")
REASON_TOO_LONG = LazyText("A reason has at most {most} characters")


def settings_need_set(usage: str, key: str, value: str) -> str:
    """Show how a setting is changed, with an example."""
    typed = f"/room set {key} {value}"
    return in_turn(usage, _("For example: {example}", example=typed))


def set_left_out(key: str, value: str) -> str:
    """Show how a setting that was typed without ``set`` is changed."""
    typed = f"/room set {key} {value}"
    return in_turn(_("A setting is changed with set"), _("Did you mean {nearest}?", nearest=typed))


def unknown_setting(key: str) -> str:
    """Refuse a setting that rooms do not have."""
    return _('Unknown setting "{key}". The settings are {settings}', key=key, settings=", ".join(SETTINGS))


def wrong_setting(key: str, value: str) -> str:
    """Refuse the value of a setting."""
    if value:
        return _("{setting} needs {values}, not: {value}", setting=key, values=SETTINGS[key](), value=value)
    return _("{setting} needs {values}", setting=key, values=SETTINGS[key]())


def no_duration(text: str) -> str:
    """Refuse what stands where a duration does and is none."""
    return _(
        "Nothing was done. A time is 30s, 10m, 2h, 7d or 1w, and a reason does not begin with a digit: {text}",
        text=text,
    )


def duration_too_long(most_s: int) -> str:
    """Refuse the duration of a ban or mute."""
    return _(
        "A ban or mute lasts at least a second and at most {span}. Leave the time out for one without end",
        span=span(most_s),
    )


# --- what was not read, and what was found ------------------------------------------------------------------------


def unread_line(items: Sequence[tuple[str, int, int]]) -> str:
    """Tell after a login where something is unread: conversations with their counts of messages and mentions."""
    shown = ", ".join(f"{name} {_counted(unread, mentions)}" for name, unread, mentions in items[:MOST_UNREAD_SHOWN])
    if rest := len(items[MOST_UNREAD_SHOWN:]):
        return ngettext(
            "Unread: {conversations}, and {count} more conversation. /unread lists them",
            "Unread: {conversations}, and {count} more conversations. /unread lists them",
            rest,
            conversations=shown,
        )
    return _("Unread: {conversations}. /unread lists them", conversations=shown)


def unread_list(items: Sequence[tuple[str, int, int]]) -> str:
    """Answer /unread; with the numbers that /unread takes."""
    rows = [f"{index}  {place}: {_counted(count, named)}" for index, (place, count, named) in enumerate(items, 1)]
    return "\n".join([*rows, _("/unread N shows the messages")])


def dialogues(items: Sequence[tuple[str, int, str]]) -> str:
    """List the dialogues: of each the name, the number of unread messages, and when the last one was sent."""
    rows = [
        # Translators: a row of a list of dialogues: the other person, unread messages, and the time of the last one.
        _("{name}: {count} unread, last {date}", name=marked(name), count=_counted(unread, 0), date=date)
        if unread
        else _("{name}: last {date}", name=marked(name), date=date)
        for name, unread, date in items
    ]
    return "\n".join([*rows, _("/dm NAME goes into one")]) if rows else NO_DIALOGUES()


def _counted(unread: int, mentions: int) -> str:
    many = "999+" if unread >= 999 else str(unread)
    named = ngettext("{count} mention", "{count} mentions", mentions)
    return f"{many} ({named})" if mentions else many


def typing(names: Sequence[str]) -> str:
    """Tell who is typing, below the input line."""
    if len(names) == 1:
        return _("{name} is typing…", name=marked(names[0]))
    if len(names) == 2:
        return _("{names:list} are typing…", names=[marked(name) for name in names])
    return ngettext("{count} person is typing…", "{count} people are typing…", len(names))


def span(seconds: float) -> str:
    """Return a duration in words: in its largest unit of which it has two, or a whole number."""
    seconds = round(seconds)
    if _fits(seconds, 86_400):
        return ngettext("{count} day", "{count} days", round(seconds / 86_400))
    if _fits(seconds, 3_600):
        return ngettext("{count} hour", "{count} hours", round(seconds / 3_600))
    if _fits(seconds, 60):
        return ngettext("{count} minute", "{count} minutes", round(seconds / 60))
    return ngettext("{count} second", "{count} seconds", max(1, seconds))


def _fits(seconds: int, unit_s: int) -> bool:
    return seconds >= 2 * unit_s or (seconds >= unit_s and seconds % unit_s == 0)
