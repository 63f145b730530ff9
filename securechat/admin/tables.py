"""The server's answers as a person reads them: columns of a table, or a few sentences. JSON does not come this way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import convert

from securechat.hub.wall_clock import Doubt
from securechat.server.clock_file import doubt_sentence
from securechat.text.counts import counted
from securechat.text.durations import shown_duration, shown_time

TableRow = dict[str, Any]


def until(row: TableRow) -> str:
    """How long a ban or mute lasts."""
    return f"until {shown_time(row['until_ms'])}" if row["until_ms"] else "for good"


def status(done: TableRow) -> list[str]:
    """The server at a glance."""
    days = done["certificate_days"]
    free = f"{_size(done['free_bytes'])} free"
    if done["free_bytes"] < done["low_disk_bytes"]:
        free += " (too little: new messages are refused)"
    lines = {
        "version": f"{done['version']}, process {done['pid']}, up {shown_duration(done['uptime_s'])}",
        "listening on": "  ".join(done["listening"]),
        "who may come in": done["access"],
        "people": f"{done['members']} here ({counted(done['guests'], 'guest')}, "
        f"{counted(done['connections'], 'connection')}), {counted(done['accounts'], 'account')}",
        "rooms": f"{done['rooms']} with people in them now; {done['kept_rooms']} kept, with or without people in them "
        f"({done['rooms_without_members']} of these without members)",
        "messages": f"{done['last_seq']} so far, {done['unsettled']} being stored",
        "order": f"{counted(done['open_invites'], 'open invite')}, {counted(done['bans'], 'ban')}, "
        f"{counted(done['mutes'], 'mute')}",
        "certificate": f"{done['certificate']}, " + (f"{counted(round(days), 'day')} left" if days > 0 else "EXPIRED"),
        "data": f"{done['data']}, {_size(done['database_bytes'])}, {free}",
    }
    if done.get("clock_doubt"):
        lines["clock"] = doubt_sentence(convert(done["clock_doubt"], Doubt))
    if done.get("search_trouble"):
        lines["search"] = done["search_trouble"]
    if done["ca_fingerprint"]:
        lines["CA fingerprint"] = done["ca_fingerprint"]
    return [f"{label + ':':<17}{text}" for label, text in lines.items()]


USERS = ("NAME", "ROLE", "HERE", "ROOMS", "FROM", "LAST SEEN", "NOTES")


def user(row: TableRow) -> Sequence[str]:
    """One person."""
    marks = [mark for mark in ("muted", "banned") if row[mark]]
    here = f"yes ({row['connections']})" if row["connections"] > 1 else "yes" if row["online"] else "no"
    seen = "now" if row["online"] else shown_time(row["seen_at_ms"])
    return row["name"], row["role"], here, " ".join(row["rooms"]), " ".join(row["addresses"]), seen, " ".join(marks)


ROOMS = ("ROOM", "HERE", "MEMBERS", "OWNERS", "MESSAGES", "LAST MESSAGE", "NOTES")
_MANY = 10_000
"""Messages are counted up to here."""


def room(row: TableRow) -> Sequence[str]:
    """One room."""
    marks = [row["kind"]] if row["kind"] != "public" else []
    marks += ["unused"] if row["prunable"] else []
    messages = f"{row['messages']}" + ("+" if row["messages"] >= _MANY else "")
    last = shown_time(row["last_at_ms"]) if row["last_at_ms"] else "never"
    here, members = str(row["total"]), str(row["members"])
    return row["room"], here, members, " ".join(row["owners"]), messages, last, " ".join(marks)


PRUNED = ("REMOVED", "MESSAGES")


def pruned(row: TableRow) -> Sequence[str]:
    """One room that is gone."""
    return row["room"], str(row["messages"])


SESSIONS = ("LOGIN", "NAME", "HERE", "CLIENT", "FROM", "SINCE", "LAST USED")


def session(row: TableRow) -> Sequence[str]:
    """One login, or one connection without."""
    number = str(row["login"]) if row["login"] else "certificate" if row["certificate"] else "guest"
    used = "now" if row["online"] else shown_time(row["used_at_ms"])
    here = "yes" if row["online"] else "no"
    return number, row["name"], here, row["client"], row["address"], shown_time(row["since_ms"]), used


INVITES = ("INVITE", "STATE", "USED", "ROOM", "BY", "MADE", "EXPIRES", "USED BY")


def invite(row: TableRow, now_ms: int) -> Sequence[str]:
    """One invite."""
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


def ban(row: TableRow) -> Sequence[str]:
    """One ban."""
    made = shown_time(row["made_at_ms"])
    return str(row["ban"]), row["target"], row["kind"], until(row), row["made_by"], made, row["reason"]


MUTES = ("NAME", "LASTS", "BY", "MADE", "REASON")


def mute(row: TableRow) -> Sequence[str]:
    """One mute."""
    return row["name"], until(row), row["made_by"], shown_time(row["made_at_ms"]), row["reason"]


AUDIT = ("WHEN", "WHO", "DID", "TO", "DETAIL")


def audit(row: TableRow) -> Sequence[str]:
    """One line of the audit."""
    return shown_time(row["at_ms"]), row["actor"], row["act"], row["target"], row["detail"]


def _size(size_bytes: int) -> str:
    size = float(size_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            return f"{size:.0f} {unit}" if unit in ("B", "KiB") else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size_bytes} B"
