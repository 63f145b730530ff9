"""What the operator types and reads: durations, tables, JSON, links."""

from __future__ import annotations

import io
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from securechat.admin import tables as show
from securechat.admin.exit_codes import AdminExit, AdminFailure
from securechat.admin.invite_output import cut_off, explained_at, link_address, make_links, unnamed
from securechat.admin.output import TableOutput
from securechat.admin.parser import make_parser
from securechat.hub.admin.reports import ServerStatus
from securechat.invite_link import parse_link
from securechat.server.admin_socket import ProcessInfo
from securechat.server.qr_code import SIGNS, qr_lines
from securechat.text.durations import logged_duration, parse_duration, shown_time

FINGERPRINT = f"sha256:{'ab' * 32}"


# --- Durations ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("2h", 7_200), ("7d", 604_800), ("4w", 2_419_200), (" 1.5H ", 5_400)],
)
def test_durations_as_people_write_them(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "h", "5x", "-5m", "1h30m", "0s", "1e9s", "٥m", "nan", "9" * 30 + "s"])
def test_what_is_no_duration_says_what_one_looks_like(text: str) -> None:
    with pytest.raises(ValueError, match="10m"):
        parse_duration(text)


def test_a_number_without_a_unit_is_asked_about() -> None:
    with pytest.raises(ValueError, match="5 of what"):
        parse_duration("5")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (7_500, "2 h 5 min"), (86_400 * 3 + 5, "3 d"), (90_061, "1 d 1 h")],
)
def test_durations_as_people_read_them(seconds: float, text: str) -> None:
    assert logged_duration(seconds) == text


def test_times_that_no_calendar_has() -> None:
    assert shown_time(0) == "never"
    assert shown_time(1 << 62).endswith("ms")


# --- Output ---------------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_json_is_printable_ascii_and_keeps_every_text() -> None:
    out = io.StringIO()
    nasty = "\x1b[31m\x7f\x9b\u202e\nµ\ud800"
    TableOutput(json_lines=True, out=out, errors=io.StringIO()).record({"name": nasty}, ["not shown"])
    (line,) = out.getvalue().splitlines()
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line) == {"name": nasty}


def test_tables_hold_nothing_hostile_and_stand_in_columns() -> None:
    out = io.StringIO()
    output = TableOutput(json_lines=False, out=out, errors=io.StringIO())
    output.table([{}], ("NAME", "X"), [("\x1b]0;a\x07", "1"), ("日本", "2")], "none")
    lines = out.getvalue().splitlines()
    assert lines == ["NAME    X", "␛]0;a␇  1", "日本    2"]
    output.table([], ("NAME",), [], "nobody")
    assert out.getvalue().endswith("nobody\n")


def test_failures_go_to_standard_error_or_into_json() -> None:
    out, errors = io.StringIO(), io.StringIO()
    TableOutput(json_lines=False, out=out, errors=errors).failure("no\x1b", "refused")
    assert (out.getvalue(), errors.getvalue()) == ("", "securechat-admin: no␛\n")
    TableOutput(json_lines=True, out=out, errors=errors).failure("no", "refused")
    assert json.loads(out.getvalue()) == {"error": {"code": "refused", "text": "no"}}


def test_progress_is_for_terminals_and_for_what_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("securechat.admin.output.time.monotonic", lambda: now)
    errors, pipe = Terminal(), io.StringIO()
    output, piped = (TableOutput(json_lines=False, out=io.StringIO(), errors=stream) for stream in (errors, pipe))
    for one in (output, piped):
        one.progress("x", 0.1)
    assert errors.getvalue() == ""
    now = 102.0
    for one in (output, piped):
        one.progress("backup", 0.5)
    assert errors.getvalue() == "\r\x1b[Kbackup: 50%"
    output.record({}, ["done"])
    assert errors.getvalue().endswith("\r\x1b[K")
    assert pipe.getvalue() == ""


# --- Links ----------------------------------------------------------------------------------------------------------


def facts(
    *listening: str, names: tuple[str, ...] = ("localhost", "127.0.0.1", "10.0.0.7", "fd00::7")
) -> dict[str, Any]:
    told = {"ca_fingerprint": FINGERPRINT, "listening": list(listening), "certificate_names": list(names)}
    return told | {"certificate": "/etc/nix/server.pem"}


@pytest.mark.parametrize(
    ("listening", "expected"),
    [
        (("127.0.0.1:8443", "10.0.0.7:8443"), ("10.0.0.7", 8443)),
        (("[::1]:8443", "[fd00::7]:99"), ("fd00::7", 99)),
        (("0.0.0.0:8443",), ("10.0.0.7", 8443)),
        (("[::]:8443",), ("fd00::7", 8443)),
    ],
)
def test_the_link_names_a_private_address_that_the_certificate_names(
    listening: tuple[str, ...], expected: tuple[str, int]
) -> None:
    assert link_address(facts(*listening), None) == expected


@pytest.mark.parametrize("listening", ["127.0.0.1:8443", "10.0.0.8:8443", "8.8.8.8:8443", "[fe80::1%eth0]:8443"])
def test_no_such_address_is_a_question(listening: str) -> None:
    with pytest.raises(AdminFailure, match="--host HOST") as failure:
        link_address(facts(listening), None)
    assert failure.value.code is AdminExit.REFUSED


@pytest.mark.parametrize(
    ("listening", "names", "example"),
    [
        (("127.0.0.1:8443", "[::1]:8443"), ("localhost", "127.0.0.1"), "--host localhost"),
        (("127.0.0.1:8443",), ("127.0.0.1",), "--host 127.0.0.1"),
    ],
)
def test_a_server_on_loopback_alone_has_an_example_that_works(
    listening: tuple[str, ...], names: tuple[str, ...], example: str
) -> None:
    told = facts(*listening, names=names)
    with pytest.raises(AdminFailure, match=f"{example}") as failure:
        link_address(told, None)
    host = example.removeprefix("--host ")
    assert "on this machine" in failure.value.sentence
    assert link_address(told, host) == (host, 8443)
    assert unnamed(host, told) is None


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("chat.example.org", ("chat.example.org", 8443)),
        ("chat.example.org:99", ("chat.example.org", 99)),
        ("fd00::7", ("fd00::7", 8443)),
        ("[fd00::7]:99", ("fd00::7", 99)),
        ("[fd00::7]", ("fd00::7", 8443)),
    ],
)
def test_the_address_can_be_named(asked: str, expected: tuple[str, int]) -> None:
    assert link_address(facts("127.0.0.1:8443"), asked) == expected


@pytest.mark.parametrize("asked", [":99", "host:x", "host:0", "host:99999", "[::1"])
def test_an_address_that_is_none_is_refused(asked: str) -> None:
    with pytest.raises(AdminFailure) as failure:
        host, _ = link_address(facts("127.0.0.1:8443"), asked)
        assert host == "::1"  # a forgotten bracket is forgiven
        raise AdminFailure(AdminExit.USAGE, "")
    assert failure.value.code is AdminExit.USAGE


def test_without_its_ca_a_server_has_no_links() -> None:
    with pytest.raises(AdminFailure, match="does not contain the CA"):
        link_address(facts("10.0.0.7:1") | {"ca_fingerprint": None}, None)


def test_a_name_that_the_certificate_lacks_is_warned_about() -> None:
    assert unnamed("LOCALHOST", facts()) is None
    assert "certs --dir /etc/nix --name chat.example.org" in (unnamed("chat.example.org", facts()) or "")


MADE = {"token": "0" * 32, "uses": 1}


def test_the_links_read_back() -> None:
    link, web = make_links("fd00::7", 8443, MADE, facts())
    assert web is None
    read = parse_link(link)
    assert (read.host, read.once, read.ca_fingerprint) == ("fd00::7", True, FINGERPRINT)
    link, web = make_links("h", 1, MADE | {"uses": 2}, facts() | {"web": True})
    assert web is not None
    assert web.startswith("https://h:1/#join/")
    assert parse_link(web) == parse_link(link)
    assert not parse_link(web).once


def test_a_public_certificate_needs_no_fingerprint_in_the_link() -> None:
    public = facts("10.0.0.7:1") | {"ca_fingerprint": None, "public_certificate": True}
    with pytest.raises(AdminFailure, match="does not contain the CA"):
        link_address(public | {"web": False}, None)
    with_web = public | {"web": True}
    assert link_address(with_web, None) == ("10.0.0.7", 1)
    link, web = make_links("h", 1, MADE, with_web)
    assert link == web == f"https://h:1/#join-once/{MADE['token']}"
    assert parse_link(link).ca_fingerprint is None


def test_a_warning_is_explained_where_there_is_one() -> None:
    assert explained_at("fd00::7", 1, facts()) is None
    assert explained_at("fd00::7", 1, facts() | {"web": True}) == "https://[fd00::7]:1/trust"
    assert explained_at("h", 1, facts() | {"web": True, "public_certificate": True}) is None


def test_a_code_is_a_square_of_half_blocks() -> None:
    link, _web = make_links("fd00::7", 8443, MADE, facts())
    lines = [line.removeprefix("\x1b[97;40m").removesuffix("\x1b[0m") for line in qr_lines(link)]
    assert len({len(line) for line in lines}) == 1
    assert set("".join(lines)) <= set(SIGNS)
    assert abs(len(lines[0]) - 2 * len(lines)) <= 1
    columns, rows = len(lines[0]), len(lines) + 1  # a row more, for the prompt
    assert cut_off(link, os.terminal_size((columns, rows))) is None
    for window in ((columns - 1, rows), (columns, rows - 1)):
        assert f"{columns} columns wide and {rows} rows high" in (cut_off(link, os.terminal_size(window)) or "")


# --- Rows and command lines -----------------------------------------------------------------------------------------


def test_invites_say_why_they_are_over() -> None:
    row: dict[str, Any] = {"invite": 1, "uses": 2, "used_by": ["a"], "room": None, "made_by": "x", "made_at_ms": 1}
    row |= {"expires_at_ms": 100, "revoked": False}
    spent, revoked = row | {"used_by": ["a", "b"]}, row | {"revoked": True}
    told = [dict(zip(map(str, show.INVITES), show.invite(*each), strict=True))
            for each in ((row, 50), (row, 100), (spent, 50), (revoked, 50))]  # fmt: skip
    assert [each["STATE"] for each in told] == ["open", "expired", "used up", "revoked"]
    assert [each["EXPIRES"] == "-" for each in told] == [False, False, True, True], "the end is not the expiry then"


def test_every_column_has_a_head() -> None:
    heads = {name: value for name, value in vars(show).items() if name.isupper() and isinstance(value, tuple)}
    assert len(heads) > 5
    assert [name for name, value in heads.items() if not all(map(str, value))] == []


def test_the_words_of_a_table_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    words = {
        "rooms": ("guests", "private", "archived", "unused"),
        "users": ("muted", "banned"),
        "invites": ("open", "used up", "revoked", "expired"),
    }
    for command, each in words.items():
        with pytest.raises(SystemExit):
            make_parser().parse_args([command, "--help"])
        text = capsys.readouterr().out
        assert [word for word in each if f"{word} (" not in " ".join(text.split())] == []


# --- One and several ------------------------------------------------------------------------------------------------


def status_of(number: int) -> dict[str, Any]:
    texts = dict.fromkeys(("version", "access", "certificate", "data", "ca_fingerprint"), "x")
    names = "pid uptime_s members guests connections accounts rooms kept_rooms rooms_without_members last_seq unsettled"
    names += " open_invites bans mutes certificate_days free_bytes low_disk_bytes database_bytes"
    counts = dict.fromkeys(names.split(), number)
    return {**texts, **counts, "listening": ["127.0.0.1:1"]}


STATUS = {
    "version": "str", "access": "str", "members": "int", "guests": "int", "accounts": "int", "connections": "int",
    "rooms": "int", "last_seq": "int", "unsettled": "int", "open_invites": "int", "bans": "int", "mutes": "int",
    "kept_rooms": "int", "rooms_without_members": "int", "pid": "int", "uptime_s": "int",
    "listening": "tuple[str, ...]",
    "data": "str", "certificate": "str", "key": "str | None", "certificate_names": "tuple[str, ...]",
    "certificate_days": "float", "ca_fingerprint": "str | None", "database_bytes": "int", "free_bytes": "int",
    "low_disk_bytes": "int", "search_trouble": "str | None", "search_sentence": "dict[str, Any] | None",
    "clock_doubt": "Doubt | None", "web": "bool", "public_certificate": "bool",
}  # fmt: skip
"""The fields of `status --json`, which monitoring relies on: none is renamed, and none changes its type."""


def test_the_fields_of_status_stay_and_each_is_documented() -> None:
    assert {**ServerStatus.__annotations__, **ProcessInfo.__annotations__} == STATUS
    text = (Path(__file__).parents[3] / "docs" / "operations.md").read_text(encoding="utf-8")
    table = text[text.index("`status --json` is one object") : text.index("An invite's link carries")]
    documented = {name for line in table.splitlines() if line.startswith("| `") for name in
                  re.findall(r"`([a-z_]+)`", line.split("|")[1])}  # fmt: skip
    assert documented == set(STATUS)


def test_status_says_what_each_number_counts() -> None:
    told = show.status({**status_of(3), "access": "members", "free_bytes": 5 << 30, "database_bytes": 300 << 10})
    lines = dict(re.split(r": +", line, maxsplit=1) for line in told)
    assert lines["access"] == "members (accounts only)"
    assert lines["people"] == "3 online (3 guests, 3 connections), 3 accounts"
    assert lines["rooms"] == "3 with people in them now, 3 that stay when empty (3 of them without members)"
    assert lines["messages"] == "3 entries so far (with edits, deletions and reactions), 3 waiting to be stored"
    assert lines["data"] == "x, database 300 KiB, disk 5 GiB free"


@pytest.mark.parametrize("number", [0, 1, 2])
def test_every_sentence_counts_as_people_do(number: int) -> None:
    told = "\n".join(show.status(status_of(number)))
    for noun in ("guest", "connection", "account", "open invite", "ban", "mute"):
        assert f"{number} {noun if number == 1 else noun + 's'}" in told
    assert ("1 day left" if number == 1 else "2 days left" if number else "EXPIRED") in told
    assert not re.search(r"\b1 (?!is\b|this\b)[a-z]+s\b", told)


def test_no_sentence_puts_a_number_before_a_noun_by_itself() -> None:
    """`ngettext` does, whose number is called count: a plural behind another placeholder is wrong for one."""
    package = Path(__file__).parents[3] / "securechat"
    parts = ("admin", "server", "cli", "net", "hub/admin", "tls", "storage")
    nouns = "accounts addresses bans clients connections days entries files findings guests invites lines logins "
    nouns += "messages mutes pages people persons rooms sockets transactions uses warnings"
    bare = re.compile(rf"(?<!\{{count)(?<!\{{count:number)\}} (?:open |new )?(?:{'|'.join(nouns.split())})\b")
    always_many = re.compile(r"MOST_DAYS|most_invites")  # limits, which are never one
    wrong = []
    for path in (path for part in parts for path in (package / part).rglob("*.py")):
        lines = path.read_text(encoding="utf-8").splitlines()
        wrong += [
            f"{path.name}: {line.strip()}" for line in lines if bare.search(line) and not always_many.search(line)
        ]
    assert wrong == []


@pytest.mark.parametrize(
    "words",
    [
        ["ban", "x", "--for", "5"],
        ["revoke", "0"],
        ["invite", "--uses", "x"],
        ["invite", "--days", "0"],
        ["role", "ann", "king"],
        ["delete-user", "ann"],
        ["frobnicate"],
        [],
    ],
)
def test_a_wrong_command_line_is_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        make_parser().parse_args(words)
    assert end.value.code == AdminExit.USAGE
    assert "usage: securechat-admin" in capsys.readouterr().err


QUOTED = [
    (["kick", "user1", "pc"], '"user1 pc"'),
    (["ban", "user1", "pc", "--for", "1h"], '"user1 pc"'),
    (["mute", "--for", "1h", "user1", "pc"], '"user1 pc"'),
    (["unmute", "my", "old", "pc"], '"my old pc"'),
    (["unban", "user1", "pc"], '"user1 pc"'),
    (["sessions", "user1", "pc"], '"user1 pc"'),
    (["reset-password", "user1", "pc"], '"user1 pc"'),
    (["delete-user", "user1", "pc", "--messages", "keep"], '"user1 pc"'),
    (["role", "user1", "pc", "admin"], 'role "user1 pc" admin'),
    (["announce", "down", "for", "lunch"], '"down for lunch"'),
    (["mute", "ana", "--reason", "too", "loud"], '"too loud"'),
    (["mute", "--reason", "too", "loud", "ana"], '"too loud"'),
    (["certs", "--client", "user1", "pc"], '"user1 pc"'),
    (["kick", "$a", "b"], "'$a b'"),
]
"""All commands that take a name or a text."""


@pytest.mark.parametrize(("words", "hint"), QUOTED, ids=lambda each: " ".join(each) if isinstance(each, list) else "")
def test_a_name_with_blanks_is_shown_in_quotes(words: list[str], hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        make_parser().parse_args(words)
    assert end.value.code == AdminExit.USAGE
    assert f"in quotes: {hint}\n" in (told := capsys.readouterr().err) or f"in quotes, such as {hint}\n" in told


def test_every_command_with_a_name_or_a_text_is_tried_with_blanks() -> None:
    commands = next(action for action in make_parser()._actions if isinstance(action.choices, dict)).choices
    assert commands is not None
    taking = {
        name for name, command in commands.items()
        if any(action.metavar in {"NAME", "TARGET", "TEXT"} for action in command._actions)
    }  # fmt: skip
    assert taking == {words[0] for words, _ in QUOTED}


@pytest.mark.parametrize(
    "words", [["users", "x"], ["status", "--foo"], ["kick", "ana", "--foo"], ["rooms", "prune", "x"]]
)
def test_other_surplus_words_are_not_taken_for_a_name(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        make_parser().parse_args(words)
    assert "quotes" not in capsys.readouterr().err


def test_common_options_stand_before_or_after_the_command() -> None:
    for words in (["--data", "d", "--json", "status"], ["status", "--data", "d", "--json"]):
        options = make_parser().parse_args(words)
        assert (options.data, options.json, options.config) == ("d", True, None)
    assert make_parser().parse_args(["invite", "--days", "36h"]).days == 1.5
    assert make_parser().parse_args(["invite", "--room", "#lab"]).room == "lab"


def test_help_tells_the_exit_codes() -> None:
    text = make_parser().format_help()
    assert "no server is running" in text
    assert all(f"  {code.value} " in text for code in AdminExit)


def test_every_command_has_its_example_in_the_documentation() -> None:
    text = (Path(__file__).parents[3] / "docs" / "operations.md").read_text(encoding="utf-8")
    commands = next(action for action in make_parser()._actions if isinstance(action.choices, dict)).choices
    assert commands is not None
    assert [name for name in commands if f"`securechat-admin {name}" not in text] == []
    assert all(f"| {code.value} |" in text for code in AdminExit)
