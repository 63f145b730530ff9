"""Makes tables and sentences of the server's answers. JSON output does not pass through this module."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote
from typing import Any

from msgspec import convert

from securechat.hub.wall_clock import Doubt
from securechat.server.clock_file import doubt_sentence
from securechat.text.counts import counted
from securechat.text.durations import shown_duration, shown_time

TableRow = dict[str, Any]


def until(row: TableRow) -> str:
    """Return the end of a ban or mute."""
    return f"until {shown_time(row['until_ms'])}" if row["until_ms"] else "permanently"


_ACCESS = {"open": "guests may come in", "members": "accounts only"}


def status(done: TableRow) -> list[str]:
    """Return the lines of `status`."""
    days = done["certificate_days"]
    free = f"{_size(done['free_bytes'])} free"
    if done["free_bytes"] < done["low_disk_bytes"]:
        free += " (too little: new messages are refused)"
    lines = {
        "version": f"{done['version']}, process {done['pid']}, up {shown_duration(done['uptime_s'])}",
        "listening on": "  ".join(done["listening"]),
        "access": f"{done['access']} ({_ACCESS[done['access']]})" if done["access"] in _ACCESS else done["access"],
        "people": f"{done['members']} online ({counted(done['guests'], 'guest')}, "
        f"{counted(done['connections'], 'connection')}), {counted(done['accounts'], 'account')}",
        "rooms": f"{done['rooms']} with people in them now, {done['kept_rooms']} that stay when empty "
        f"({done['rooms_without_members']} of them without members)",
        "messages": f"{counted(done['last_seq'], 'entry')} so far (with edits, deletions and reactions), "
        f"{done['unsettled']} waiting to be stored",
        "moderation": f"{counted(done['open_invites'], 'open invite')}, {counted(done['bans'], 'ban')}, "
        f"{counted(done['mutes'], 'mute')}",
        "certificate": f"{done['certificate']}, " + (f"{counted(round(days), 'day')} left" if days > 0 else "EXPIRED"),
        "data": f"{done['data']}, database {_size(done['database_bytes'])}, disk {free}",
    }
    if done.get("clock_doubt"):
        lines["clock"] = doubt_sentence(convert(done["clock_doubt"], Doubt))
    if done.get("search_trouble"):
        lines["search"] = done["search_trouble"]
    if done["ca_fingerprint"]:
        lines["CA fingerprint"] = done["ca_fingerprint"]
    return [f"{label + ':':<17}{text}" for label, text in lines.items()]


USERS = ("NAME", "ROLE", "ONLINE", "ROOMS", "FROM", "LAST SEEN", "NOTES")


def user(row: TableRow) -> Sequence[str]:
    """Return the cells of a user."""
    marks = [mark for mark in ("muted", "banned") if row[mark]]
    here = f"yes ({row['connections']})" if row["connections"] > 1 else "yes" if row["online"] else "no"
    seen = "now" if row["online"] else shown_time(row["seen_at_ms"])
    return row["name"], row["role"], here, " ".join(row["rooms"]), " ".join(row["addresses"]), seen, " ".join(marks)


ROOMS = ("ROOM", "ONLINE", "MEMBERS", "OWNERS", "MESSAGES", "LAST MESSAGE", "NOTES")
_MANY = 10_000
"""Messages are counted up to here."""


def room(row: TableRow) -> Sequence[str]:
    """Return the cells of a room."""
    marks = [row["kind"]] if row["kind"] != "public" else []
    marks += ["unused"] if row["prunable"] else []
    messages = f"{row['messages']}" + ("+" if row["messages"] >= _MANY else "")
    last = shown_time(row["last_at_ms"]) if row["last_at_ms"] else "never"
    here, members = str(row["total"]), str(row["members"])
    return row["room"], here, members, " ".join(row["owners"]), messages, last, " ".join(marks)


PRUNED = ("REMOVED", "MESSAGES")


def pruned(row: TableRow) -> Sequence[str]:
    """Return the cells of a removed room."""
    return row["room"], str(row["messages"])


SESSIONS = ("SESSION", "NAME", "ONLINE", "CLIENT", "FROM", "SINCE", "LAST USED")


def session(row: TableRow) -> Sequence[str]:
    """Return the cells of a session, or of a connection without one."""
    number = str(row["login"]) if row["login"] else "certificate" if row["certificate"] else "guest"
    used = "now" if row["online"] else shown_time(row["used_at_ms"])
    here = "yes" if row["online"] else "no"
    return number, row["name"], here, row["client"], row["address"], shown_time(row["since_ms"]), used


INVITES = ("INVITE", "STATE", "USED", "ROOM", "BY", "MADE", "EXPIRES", "USED BY")


def invite(row: TableRow, now_ms: int) -> Sequence[str]:
    """Return the cells of an invite."""
    if row["revoked"]:
        state = "revoked"
    elif len(row["used_by"]) >= row["uses"]:
        state = "used up"
    else:
        state = "expired" if row["expires_at_ms"] <= now_ms else "open"
    used = f"{len(row['used_by'])} of {row['uses']}"
    made = shown_time(row["made_at_ms"])
    ends = shown_time(row["expires_at_ms"]) if state in ("open", "expired") else "-"  # else it is when that happened
    return str(row["invite"]), state, used, row["room"] or "", row["made_by"], made, ends, " ".join(row["used_by"])


BANS = ("BAN", "TARGET", "KIND", "LASTS", "BY", "MADE", "REASON")


def ban_target(row: TableRow) -> str:
    """Return what a ban keeps out, and of an address the user for whom it was banned."""
    return f"{row['target']} (of {row['made_for']})" if row["made_for"] else str(row["target"])


def ban(row: TableRow) -> Sequence[str]:
    """Return the cells of a ban."""
    made = shown_time(row["made_at_ms"])
    return str(row["ban"]), ban_target(row), row["kind"], until(row), row["made_by"], made, row["reason"]


def ban_covers(done: TableRow) -> list[str]:
    """Return what a new ban covers, what it cannot, and what else may help."""
    kinds = {row["kind"] for row in done["further"]}
    if done["kind"] == "network":
        return [
            "It keeps out all who connect from there, with and without an account. From other addresses they can come"
        ]
    if done["kind"] == "account":
        covers = (
            "It covers the account on all its devices. Without the account, the same person may still come as a guest"
        )
    elif "guest" in kinds:
        covers = (
            "It covers the name, names that look like it, and the running client under any name. A client that is "
            "started anew under another name cannot be told from another guest"
        )
    else:
        covers = (
            "It covers the name and names that look like it. This guest is not here: under another name it can come"
        )
    return [covers, *_address_hint(done, banned="network" in kinds)]


def _address_hint(done: TableRow, *, banned: bool) -> list[str]:
    shown = ", ".join(done["addresses"])
    if banned:
        return [f"The address is banned too: {shown}. All who share it are kept out"]
    if not shown:
        return []
    return [
        f"Also ban the address? {shown}: `ban {quote(done['target'])} --address`. All who share it would be kept out"
    ]


def mute_covers(done: TableRow) -> str:
    """Return what a new mute covers, and what it cannot."""
    if done["guest"]:
        return (
            "It covers this guest across reconnects, and any guest with this name. A client that is started anew under "
            "another name cannot be told from another guest: `ban NAME --address` keeps it out"
        )
    return "It covers the account in all rooms and on all its devices. The same person may still write as a guest"


MUTES = ("NAME", "LASTS", "BY", "MADE", "REASON")


def mute(row: TableRow) -> Sequence[str]:
    """Return the cells of a mute."""
    return row["name"], until(row), row["made_by"], shown_time(row["made_at_ms"]), row["reason"]


AUDIT = ("WHEN", "BY", "ACTION", "TARGET", "DETAIL")


def audit(row: TableRow) -> Sequence[str]:
    """Return the cells of an audit entry."""
    return shown_time(row["at_ms"]), row["actor"], row["act"], row["target"], row["detail"]


def _size(size_bytes: int) -> str:
    size = float(size_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            return f"{size:.0f} {unit}" if unit in ("B", "KiB") else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size_bytes} B"
