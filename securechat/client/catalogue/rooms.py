"""The sentences about rooms with rules, and about messages that are answered, mended, found or not read.

The third part of the catalogue; the rules are those of sentences.py. The numbers in brackets are the client's own.
"""

from __future__ import annotations

from collections.abc import Sequence

from securechat.client.core.actions import ModerationVerb

EDITED = "edited"
DELETED = "deleted"
SOMEBODY = "somebody"
EARLIER = "an earlier message"
HIDDEN = "a message that you hide"
UNKNOWN_HERE = "this server does not know that yet"
NOTHING_MORE = "there is no more to show"
NOTHING_UNREAD = "there is nothing unread here; /unread lists where there is"
NOT_THERE = "that message is not on the server any more"
NO_HITS = "nothing was found"
NOTHING_THERE = "there are no messages from then on"
ALL_READ = "you have read everything"
MORE = "/more shows the next ones"
BUILDING = "the server is still building its index; older messages may be missing here"
UNREAD_BEGINS = "from the first unread message on:"
NO_OWN_LINE = "there is no line of yours here that could be changed; name its number"
NO_SUCH_HELP = "there are /help, /help messages, /help rooms and /help account"
TYPING_ON = "others see that you are writing, and you see it of them"
TYPING_OFF = "nobody sees that you are writing, and you are not told of others"
MAYBE_DONE = "the connection broke before the server answered; look whether it was done: /room"
NO_TOPIC = "no topic"


def number(count: int, mark: str = "") -> str:
    """The mark of a line."""
    return f"[{count} {mark}]" if mark else f"[{count}]"


def no_such_number(text: str) -> str:
    """A number that stands beside no line."""
    return f"no line here has this number: {text}"


def not_editable(count: int, *, deleted: bool) -> str:
    """A text that cannot be put into the input line as it is."""
    if deleted:
        return f"{number(count)} is deleted; what is deleted stays so"
    return f"the text of {number(count)} cannot be put into the input line; say all of it anew: /edit {count} text"


def no_such_day(text: str) -> str:
    """A date that is none."""
    return f"this is no day, which is written like 2026-11-20: {text}"


def after_hits(count: int, *, more: bool, building: bool) -> list[str]:
    """What to say behind what was found."""
    said = [] if count else [NO_HITS]
    return [*said, *([MORE] if more else []), *([BUILDING] if building else [])]


def edited(count: int, name: str, text: str) -> str:
    """A message says something else; a name contains no colon."""
    return f"edited {number(count)} by {name}: {text}"


def deleted(count: int, name: str) -> str:
    """A message is gone."""
    return f"deleted {number(count)} by: {name}"


def reactions(count: int, signs: Sequence[tuple[str, Sequence[str]]]) -> str:
    """What stands under a message; a name contains neither colon nor slash, and a sign neither these nor a space."""
    if not signs:
        return f"no reactions to {number(count)} any more"
    return f"reactions to {number(count)}: " + " / ".join(f"{sign}: {', '.join(names)}" for sign, names in signs)


def reacted(count: int, sign: str, name: str, *, on: bool) -> str:
    """Somebody reacted to a message of which no more is known here."""
    return f"{'reaction to' if on else 'reaction taken away from'} {number(count)}: {sign}: {name}"


def line_of_edit(text: str) -> str:
    """A change on its way, where lines are named."""
    return f"(edit) {text}"


def line_of_deletion() -> str:
    """The same."""
    return "(deletion)"


def line_of_reaction(sign: str) -> str:
    """The same."""
    return f"(reaction) {sign}"


# --- rooms --------------------------------------------------------------------------------------------------------


def topic(room: str, text: str, by: str = "") -> str:
    """What a room is about."""
    who = f", set by {by}" if by else ""
    return f"topic of #{room}{who}: {text or NO_TOPIC}"


def rules(room: str, parts: Sequence[str], by: str = "") -> str:
    """The rules of a room."""
    who = f", changed by {by}" if by else ""
    return f"rules of #{room}{who}: {', '.join(parts)}"


def rule_parts(
    *, private: bool, read_only: bool, slow_s: int, retention_days: int, joined_only: bool, archived: bool
) -> list[str]:
    """Each rule that is not what rooms have anyway."""
    parts = []
    if archived:
        parts.append("archived, nobody writes any more")
    parts.append("private, by invitation only" if private else "open to everybody")
    if read_only:
        parts.append("read-only but for moderators and owners")
    if slow_s:
        parts.append(f"slow mode of {span(slow_s)}")
    if retention_days:
        parts.append(f"messages are deleted after {_some(retention_days, 'day')}")
    if joined_only:
        parts.append("new members see only what is said from then on")
    return parts


def your_role(role: str | None) -> str:
    """What one is in a room."""
    return _ROLES.get(role or "", "you have no role there")


_ROLES = {
    "owner": "you are an owner there",
    "moderator": "you are a moderator there",
    "member": "you are a member there",
    "admin": "you administer this server",
}


def entered_more(*, read_only: bool, archived: bool) -> str:
    """What to know before writing."""
    if archived:
        return "this room is archived: it can be read, and nobody writes any more"
    return "this room is read-only: moderators and owners write, others may react" if read_only else ""


def room_renamed(old: str, new: str) -> str:
    """A room has another name."""
    return f"#{old} is called #{new} now"


def invited(room: str, by: str) -> str:
    """One may enter a room."""
    return f"you may enter #{room} now (/join {room}), invited by: {by}"


def taken_out(room: str, why: str) -> str:
    """Out of a room, not by one's own wish."""
    return f"you are out of #{room} now: {why}"


def missing(room: str) -> str:
    """Out of a room since a time when nobody was here to be told."""
    return f"while you were away you were taken out of #{room}, or it got another name"


def role(room: str, name: str, role_word: str, *, muted_s: float | None, was_muted: bool, me: bool) -> str:
    """What somebody is in a room now; ``me`` when it is the reader."""
    who, whose = ("you", "") if me else ("this person", f": {name}")
    if muted_s is None:
        return f"in #{room} {who} may not write any more{whose}"
    if muted_s > 0:
        return f"in #{room} {who} may not write for {span(muted_s)}{whose}"
    if was_muted:
        return f"in #{room} {who} may write again{whose}"
    if me:
        return f"you are {_A_ROLE.get(role_word, role_word)} in #{room} now"
    return f"{role_word} in #{room} now: {name}"


_A_ROLE = {"owner": "an owner", "moderator": "a moderator", "member": "a member"}


_DONE = {
    ModerationVerb.INVITE: "invited to #{0}",
    ModerationVerb.KICK: "taken out of #{0}",
    ModerationVerb.BAN: "banned from #{0}",
    ModerationVerb.UNBAN: "may enter #{0} again",
    ModerationVerb.MUTE: "muted in #{0}",
    ModerationVerb.UNMUTE: "may write in #{0} again",
    ModerationVerb.ROLE: "has another role in #{0}",
}


def done(verb: ModerationVerb, room: str, name: str, seconds: int | None) -> str:
    """It is done."""
    return _DONE[verb].format(room) + (f" for {span(seconds)}" if seconds else "") + f": {name}"


# --- what was not read, and what was found ------------------------------------------------------------------------


def unread_line(items: Sequence[tuple[str, int, int]]) -> str:
    """Told after a login: places with their counts of messages and mentions."""
    places = (f"{place}: {_counted(unread, mentions)}" for place, unread, mentions in items)
    return f"unread: {', '.join(places)}; /unread shows them"


def unread_list(items: Sequence[tuple[str, int, int]]) -> str:
    """The same, asked for; with the numbers that /unread takes."""
    rows = [f"{index}  {place}: {_counted(count, named)}" for index, (place, count, named) in enumerate(items, 1)]
    return "\n".join([*rows, "/unread N shows them from the first one on"])


def _counted(unread: int, mentions: int) -> str:
    many = "999 or more" if unread >= 999 else str(unread)
    return f"{many} ({mentions} name you)" if mentions else many


def writing(names: Sequence[str]) -> str:
    """Who is typing; in the corner of the input line."""
    if len(names) > 2:
        return f"{len(names)} people are writing…"
    return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} writing…"


def span(seconds: float) -> str:
    """A length of time."""
    seconds = round(seconds)
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= 2 * size or (seconds >= size and seconds % size == 0):
            return _some(round(seconds / size), unit)
    return _some(max(1, seconds), "second")


def _some(count: int, unit: str) -> str:
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
