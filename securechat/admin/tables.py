"""Makes tables and sentences of the server's answers. JSON output does not pass through this module.

A table has times in the order of ISO 8601, which sort and compare; a sentence has them as the language writes them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from shlex import quote
from typing import Any

from msgspec import convert

from securechat.hub.wall_clock import Doubt
from securechat.model import UNKNOWN_ROOM
from securechat.server.clock_file import doubt_sentence
from securechat.text.durations import shown_time
from securechat.text.local_time import local
from securechat.text.sanitize import one_line, width
from securechat.translation import LazyText, Sentence, _, ngettext, pgettext, translated

TableRow = dict[str, Any]


def shown_moment(at_ms: int) -> str:
    """Return a UTC time in milliseconds for a sentence: in the local zone, as the language in use writes it."""
    try:
        at = local(dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC))
    except (ValueError, OverflowError, OSError):
        return shown_time(at_ms)  # outside the calendar's range, from a damaged database
    return _("{at:moment}", at=at) if at_ms else shown_time(at_ms)


def until(row: TableRow) -> str:
    """Return the end of a ban or mute, for a table."""
    # Translators: the end of a ban or mute in a narrow column; the time is 2026-11-29 06:13
    return _("until {time}", time=shown_time(row["until_ms"])) if row["until_ms"] else _("permanently")


def _word(words: Mapping[str, LazyText], value: str) -> str:
    """Return one of the server's words for a person; a newer server's stays as it is."""
    return words[value]() if value in words else value


_ACCESS = {"open": LazyText("guests may come in"), "members": LazyText("accounts only")}


def status(done: TableRow) -> list[str]:
    """Return the lines of `status`."""
    lines = {
        _("version"): _("{version}, process {pid}, up {uptime:shortduration}",
                        version=done["version"], pid=done["pid"], uptime=done["uptime_s"]),
        _("listening on"): "  ".join(done["listening"]),
        _("access"): f"{done['access']} ({_word(_ACCESS, done['access'])})" if done["access"] in _ACCESS
                     else done["access"],
        _("people"): _people(done),
        _("rooms"): _rooms(done),
        _("messages"): _messages(done),
        _("moderation"): ", ".join([
            ngettext("{count} open invite", "{count} open invites", done["open_invites"]),
            ngettext("{count} ban", "{count} bans", done["bans"]),
            ngettext("{count} mute", "{count} mutes", done["mutes"]),
        ]),
        _("certificate"): _certificate(done),
        _("data"): _data(done),
    }  # fmt: skip
    if done.get("clock_doubt"):
        lines[_("clock")] = translated(doubt_sentence(convert(done["clock_doubt"], Doubt)))
    if done.get("search_trouble"):
        lines[_("search")] = _search_trouble(done)
    if done["ca_fingerprint"]:
        lines[_("CA fingerprint")] = done["ca_fingerprint"]
    column = max(17, *(width(label) + 2 for label in lines))
    return [f"{label}:{' ' * (column - width(label) - 1)}{text}" for label, text in lines.items()]


def _search_trouble(done: TableRow) -> str:
    """Return the server's sentence; in the language in use where the server sent what that takes."""
    trouble: str = done["search_trouble"]
    try:
        sentence = Sentence.unpacked(done["search_sentence"])
    except (KeyError, TypeError, ValueError, AttributeError):  # an older server
        return trouble
    return translated(sentence) if sentence == trouble else trouble


def _people(done: TableRow) -> str:
    return _(
        "{online:number} online ({guests}, {connections}), {accounts}",
        online=done["members"],
        guests=ngettext("{count} guest", "{count} guests", done["guests"]),
        connections=ngettext("{count} connection", "{count} connections", done["connections"]),
        accounts=counted_accounts(done["accounts"]),
    )


def _rooms(done: TableRow) -> str:
    return _(
        "{occupied:number} with people in them now, {kept:number} that stay when empty "
        "({unused:number} of them without members)",
        occupied=done["rooms"],
        kept=done["kept_rooms"],
        unused=done["rooms_without_members"],
    )


def _messages(done: TableRow) -> str:
    return ngettext(
        "{count:number} entry so far (with edits, deletions and reactions), {waiting:number} waiting to be stored",
        "{count:number} entries so far (with edits, deletions and reactions), {waiting:number} waiting to be stored",
        done["last_seq"],
        waiting=done["unsettled"],
    )


def _certificate(done: TableRow) -> str:
    days = done["certificate_days"]
    if days <= 0:
        return _("{file}, EXPIRED", file=done["certificate"])
    return ngettext("{file}, {count} day left", "{file}, {count} days left", round(days), file=done["certificate"])


def _data(done: TableRow) -> str:
    sizes = {"data": done["data"], "size": done["database_bytes"], "free": done["free_bytes"]}
    if done["free_bytes"] < done["low_disk_bytes"]:
        return _("{data}, database {size:size}, disk {free:size} free (too little: new messages are refused)", **sizes)
    return _("{data}, database {size:size}, disk {free:size} free", **sizes)


def counted_accounts(count: int) -> str:
    """Return a number of accounts."""
    return ngettext("{count} account", "{count} accounts", count)


def counted_messages(count: int) -> str:
    """Return a number of messages."""
    return ngettext("{count:number} message", "{count:number} messages", count)


_ROLES = {"admin": LazyText("admin"), "member": LazyText("member"), "guest": LazyText("guest")}

USERS = (
    LazyText("NAME"), LazyText("ROLE"), LazyText("ONLINE"), LazyText("ROOMS"), LazyText("FROM"), LazyText("LAST SEEN"),
    LazyText("NOTES"),
)  # fmt: skip


def _yes_or_no(row: TableRow) -> str:
    return _("yes") if row["online"] else _("no")


def user(row: TableRow) -> Sequence[str]:
    """Return the cells of a user."""
    marks = [text for mark, text in (("muted", _("muted")), ("banned", _("banned"))) if row[mark]]
    here = f"{_('yes')} ({row['connections']})" if row["connections"] > 1 else _yes_or_no(row)
    seen = _("now") if row["online"] else shown_time(row["seen_at_ms"])
    role, rooms, addresses = _word(_ROLES, row["role"]), " ".join(row["rooms"]), " ".join(row["addresses"])
    return row["name"], role, here, rooms, addresses, seen, " ".join(marks)


ROOMS = (
    LazyText("ROOM"), LazyText("ONLINE"), LazyText("MEMBERS"), LazyText("OWNERS"), LazyText("MESSAGES"),
    LazyText("LAST MESSAGE"), LazyText("NOTES"),
)  # fmt: skip
_MANY = 10_000
"""Messages are counted up to here."""


def _kind_of_room(kind: str) -> str:
    words = {
        "guests": pgettext("of a room, in a table", "guests"),
        "private": pgettext("of a room, in a table", "private"),
        "archived": pgettext("of a room, in a table", "archived"),
    }
    return words.get(kind, kind)


def room(row: TableRow) -> Sequence[str]:
    """Return the cells of a room."""
    marks = [_kind_of_room(row["kind"])] if row["kind"] != "public" else []
    marks += [pgettext("of a room, in a table", "unused")] if row["prunable"] else []
    messages = f"{row['messages']}" + ("+" if row["messages"] >= _MANY else "")
    last = shown_time(row["last_at_ms"])
    here, members = str(row["total"]), str(row["members"])
    return row["room"], here, members, " ".join(row["owners"]), messages, last, " ".join(marks)


SENDER_FILES = (LazyText("NAME"), LazyText("FILES"), LazyText("SIZE"), LazyText("NOT SENT"), LazyText("TO BE REMOVED"))


def sender_files(row: TableRow) -> Sequence[str]:
    """Return the cells of what a person keeps."""
    name = one_line(row["name"]) if row["name"] is not None else f"({row['sender_id']})"
    gone = _("{size:size}", size=row["gone_bytes"]) if row["gone_bytes"] else ""
    pending = ""
    if row["uploads"]:
        # Translators: in a table: how many uploads no message has yet, and their size together.
        pending = _("{count}: {size:size}", count=row["uploads"], size=row["uploads_bytes"])
    return name, str(row["files"]), _("{size:size}", size=row["kept_bytes"]), pending, gone


ROOM_FILES = (LazyText("ROOM"), LazyText("FILES"), LazyText("SIZE"))


def room_files(row: TableRow) -> Sequence[str]:
    """Return the cells of what a room keeps."""
    room = _("(direct messages)") if row["room"] is None else row["room"]
    return room, str(row["files"]), _("{size:size}", size=row["kept_bytes"])


PRUNED = (LazyText("REMOVED"), LazyText("MESSAGES"))


def pruned(row: TableRow) -> Sequence[str]:
    """Return the cells of a removed room."""
    return row["room"], str(row["messages"])


SESSIONS = (
    LazyText("SESSION"), LazyText("NAME"), LazyText("ONLINE"), LazyText("CLIENT"), LazyText("FROM"), LazyText("SINCE"),
    LazyText("LAST USED"),
)  # fmt: skip


def session(row: TableRow) -> Sequence[str]:
    """Return the cells of a session, or of a connection without one."""
    number = str(row["login"]) if row["login"] else _("certificate") if row["certificate"] else _("guest")
    used = _("now") if row["online"] else shown_time(row["used_at_ms"])
    since = shown_time(row["since_ms"])
    return number, row["name"], _yes_or_no(row), row["client"], row["address"], since, used


def _rooms_of_tokens(rooms: Iterable[str]) -> str:
    """Return the cell of the rooms of tokens; a question mark for one that is gone."""
    return " ".join("#?" if room == UNKNOWN_ROOM else f"#{room}" for room in dict.fromkeys(rooms))


BOTS = (
    LazyText("NAME"), LazyText("KIND"), LazyText("BY"), LazyText("ROOMS"), LazyText("TOKENS"), LazyText("ONLINE"),
    LazyText("LAST USED"), LazyText("FROM"), LazyText("NOTES"),
)  # fmt: skip
_KINDS_OF_BOT = {"bot": LazyText("bot"), "hook": LazyText("webhook")}


def bot(row: TableRow) -> Sequence[str]:
    """Return the cells of a bot or webhook, with the last use of any of its tokens."""
    held = row["tokens"]
    last: TableRow = max(held, key=lambda token: token["used_at_ms"] or 0, default={})
    kind, maker = _word(_KINDS_OF_BOT, row["kind"]), row["made_by"] or _("administrator")
    rooms = _rooms_of_tokens(room for token in held for room in token["rooms"])
    here = _("yes") if any(token["online"] for token in held) else _("no")
    used, notes = shown_time(last.get("used_at_ms") or 0), _("stopped") if row["stopped"] else ""
    return row["name"], kind, maker, rooms or _("all"), str(len(held)), here, used, last.get("address", ""), notes


OUTGOING = (
    LazyText("NAME"), LazyText("ROOM"), LazyText("TO"), LazyText("ON"), LazyText("BEHIND"), LazyText("STATE"),
)  # fmt: skip
_OFF_WORDS = {
    "gone": LazyText("off since {since}: the receiver answered 410"),
    "failing": LazyText("off since {since}: every delivery of a day has failed"),
    "room_gone": LazyText("off since {since}: its room was deleted"),
}
_HELD_WORDS = {
    "stopped": LazyText("stopped"),
    "banned": LazyText("banned"),
    "banned_in_room": LazyText("banned from the room"),
    "not_in_room": LazyText("not in the room; `hook on` brings it back"),
}


def outgoing(row: TableRow) -> Sequence[str]:
    """Return the cells of an outgoing webhook."""
    hook = row["outgoing"]
    on = hook["on"] + (_(" (bots, too)") if hook["bots"] else "")
    return row["name"], hook["room"], hook["to"], on, str(hook["behind"]), _outgoing_state(hook)


def _outgoing_state(hook: TableRow) -> str:
    if hook["off"]:
        return _OFF_WORDS.get(hook["off"], LazyText("off since {since}"))(since=shown_time(hook["off_at_ms"]))
    if hook["stopped"]:
        return _word(_HELD_WORDS, hook.get("held") or "not_in_room")
    if hook["failures"] and hook.get("problem"):
        return _(
            "failing since {since}, next attempt {next}: {why}",
            since=shown_time(hook["failing_since_ms"]),
            next=shown_time(hook["next_ms"]),
            why=hook["problem"],
        )
    if hook["failures"]:
        return _(
            "failing since {since}, next attempt {next}",
            since=shown_time(hook["failing_since_ms"]),
            next=shown_time(hook["next_ms"]),
        )
    return pgettext("of a webhook", "on")


TOKENS = (
    LazyText("TOKEN"), LazyText("OF"), LazyText("LABEL"), LazyText("SCOPES"), LazyText("ROOMS"), LazyText("SINCE"),
    LazyText("EXPIRES"), LazyText("ONLINE"), LazyText("LAST USED"), LazyText("FROM"),
)  # fmt: skip


def token(row: TableRow) -> Sequence[str]:
    """Return the cells of an API token."""
    rooms = _rooms_of_tokens(row["rooms"]) or _("all")
    ends = shown_time(row["expires_at_ms"]) if row["expires_at_ms"] is not None else "-"
    since, used = shown_time(row["made_at_ms"]), shown_time(row["used_at_ms"] or 0)
    scopes = " ".join(row["scopes"])
    number = str(row["token"])
    return number, row["account"], row["name"], scopes, rooms, since, ends, _yes_or_no(row), used, row["address"]


INVITES = (
    LazyText("INVITE"), LazyText("STATE"), LazyText("USED"), LazyText("ROOM"), LazyText("BY"), LazyText("MADE"),
    LazyText("EXPIRES"), LazyText("USED BY"),
)  # fmt: skip


def invite(row: TableRow, now_ms: int) -> Sequence[str]:
    """Return the cells of an invite."""
    over = row["revoked"] or len(row["used_by"]) >= row["uses"]
    if row["revoked"]:
        state = _("revoked")
    elif over:
        state = _("used up")
    else:
        state = _("expired") if row["expires_at_ms"] <= now_ms else pgettext("of an invite", "open")
    # Translators: how often an invite was used, in a narrow column
    used = _("{used} of {uses}", used=len(row["used_by"]), uses=row["uses"])
    made = shown_time(row["made_at_ms"])
    ends = "-" if over else shown_time(row["expires_at_ms"])  # else it is when that happened
    return str(row["invite"]), state, used, row["room"] or "", row["made_by"], made, ends, " ".join(row["used_by"])


BANS = (
    LazyText("BAN"), LazyText("TARGET"), LazyText("KIND"), LazyText("LASTS"), LazyText("BY"), LazyText("MADE"),
    LazyText("REASON"),
)  # fmt: skip
_KINDS_OF_BAN = {
    "name": LazyText("name"),
    "guest": LazyText("guest"),
    "account": LazyText("account"),
    "network": LazyText("network"),
}


def ban_kind(row: TableRow) -> str:
    """Return what kind of thing a ban keeps out."""
    return _word(_KINDS_OF_BAN, row["kind"])


def ban_target(row: TableRow) -> str:
    """Return what a ban keeps out, and of an address the user for whom it was banned."""
    if row["made_for"]:
        # Translators: an address that was banned with a user, who is named
        return _("{address} (of {name})", address=row["target"], name=row["made_for"])
    return str(row["target"])


def ban(row: TableRow) -> Sequence[str]:
    """Return the cells of a ban."""
    made = shown_time(row["made_at_ms"])
    return str(row["ban"]), ban_target(row), ban_kind(row), until(row), row["made_by"], made, row["reason"]


def ban_covers(done: TableRow) -> list[str]:
    """Return what a new ban covers, what it cannot, and what else may help."""
    kinds = {row["kind"] for row in done["further"]}
    if done["kind"] == "network":
        return [
            _(
                "It keeps out all who connect from there, with and without an account. From other addresses they can "
                "come"
            )
        ]
    if done["kind"] == "account":
        covers = _(
            "It covers the account on all its devices. Without the account, the same person may still come as a guest"
        )
    elif "guest" in kinds:
        covers = _(
            "It covers the name, names that look like it, and the running client under any name. A client that is "
            "started anew under another name cannot be told from another guest"
        )
    else:
        covers = _(
            "It covers the name and names that look like it. This guest is not here: under another name it can come"
        )
    return [covers, *_address_hint(done, banned="network" in kinds)]


def _address_hint(done: TableRow, *, banned: bool) -> list[str]:
    shown = ", ".join(done["addresses"])
    if banned:
        return [_("The address is banned too: {addresses}. All who share it are kept out", addresses=shown)]
    if not shown:
        return []
    return [
        _(
            "Also ban the address? {addresses}: `ban {target} --address`. All who share it would be kept out",
            addresses=shown,
            target=quote(done["target"]),
        )
    ]


def mute_covers(done: TableRow) -> str:
    """Return what a new mute covers, and what it cannot."""
    if done["guest"]:
        return _(
            "It covers this guest across reconnects, and any guest with this name. A client that is started anew under "
            "another name cannot be told from another guest: `ban NAME --address` keeps it out"
        )
    return _("It covers the account in all rooms and on all its devices. The same person may still write as a guest")


MUTES = (LazyText("NAME"), LazyText("LASTS"), LazyText("BY"), LazyText("MADE"), LazyText("REASON"))


def mute(row: TableRow) -> Sequence[str]:
    """Return the cells of a mute."""
    return row["name"], until(row), row["made_by"], shown_time(row["made_at_ms"]), row["reason"]


AUDIT = (LazyText("WHEN"), LazyText("BY"), LazyText("ACTION"), LazyText("TARGET"), LazyText("DETAIL"))


def audit(row: TableRow) -> Sequence[str]:
    """Return the cells of an audit entry; its words are those of the log, in English."""
    return shown_time(row["at_ms"]), row["actor"], row["act"], row["target"], row["detail"]
