"""The tool in Bahasa Indonesia: tables of 80 columns, refusals by their reason, questions, and JSON that stays English.

Translated texts that the tool looks for are those of the catalogue, so a better translation changes no test.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from securechat.admin import tables as show
from securechat.admin.connection import _failure, refusal_sentence
from securechat.admin.context import CommandContext
from securechat.admin.exit_codes import AdminExit, AdminFailure
from securechat.admin.output import TableOutput
from securechat.admin.parser import make_parser
from securechat.cli.admin import main
from securechat.server.admin_socket import error_line
from securechat.storage.search.trouble import cannot_write
from securechat.text.refusals import refusal_for
from securechat.text.sanitize import width
from securechat.translation import LazyText, Sentence, _, language, translated, use

AT_MS = 1_795_000_000_000
NOW: Mapping[str, Any] = {"made_at_ms": AT_MS, "until_ms": AT_MS, "made_by": "shell:ana", "reason": ""}


@pytest.fixture(autouse=True)
def _indonesian() -> Iterator[None]:
    assert use("id") == ""
    yield
    use("en")


Table = tuple[Sequence[LazyText], Sequence[str]]


def tables() -> dict[str, Table]:
    user = {"name": "ana-lestari", "role": "member", "online": False, "connections": 0, "rooms": [], "addresses": []}
    room = {"room": "belajar-bersama", "kind": "archived", "prunable": False, "total": 2, "members": 3, "messages": 71}
    session = {"login": 12, "certificate": False, "name": "ana", "online": False, "client": "x/1", "used_at_ms": AT_MS}
    invite = {"invite": 3, "revoked": False, "uses": 5, "used_by": [], "room": "lab", "expires_at_ms": AT_MS}
    ban = {"ban": 7, "target": "192.0.2.7", "kind": "network", "made_for": None}
    return {
        "users": (show.USERS, show.user({**user, "seen_at_ms": AT_MS, "muted": True, "banned": True})),
        "rooms": (show.ROOMS, show.room({**room, "last_at_ms": AT_MS, "owners": ["ana"]})),
        "sessions": (show.SESSIONS, show.session({**session, "address": "192.0.2.7", "since_ms": AT_MS})),
        "invites": (show.INVITES, show.invite({**NOW, **invite, "made_by": "ana"}, AT_MS + 1)),
        "bans": (show.BANS, show.ban({**NOW, **ban, "made_by": "ana"})),
        "mutes": (show.MUTES, show.mute({**NOW, "name": "budi", "reason": "terlalu ramai"})),
        "audit": (show.AUDIT, ("2026-11-18 11:06", "shell:ana", "reset-password", "budi", "")),
    }


@pytest.mark.parametrize("name", ["users", "rooms", "sessions", "invites", "bans", "mutes", "audit"])
def test_a_table_fits_80_columns(name: str) -> None:
    heads, cells = tables()[name]
    out = io.StringIO()
    TableOutput(json_lines=False, out=out, errors=io.StringIO()).table([{}], heads, [cells], "")
    first, second = out.getvalue().splitlines()
    assert max(width(first), width(second)) <= 80, out.getvalue()
    assert [str(head) for head in heads] != [head.msgid for head in heads], "the heads are translated"


def test_labels_and_exit_codes_stand_in_one_column() -> None:
    names = "pid uptime_s members guests connections accounts rooms kept_rooms rooms_without_members last_seq unsettled"
    names += " open_invites bans mutes certificate_days free_bytes low_disk_bytes database_bytes"
    numbers = dict.fromkeys(names.split(), 2)
    texts = {"version": "X", "access": "open", "certificate": "X", "data": "X", "ca_fingerprint": "X"}
    lines = show.status({**numbers, **texts, "listening": ["X"]})
    columns = {len(label) + 1 + len(text) - len(text.lstrip())
               for label, _colon, text in (line.partition(":") for line in lines)}  # fmt: skip
    assert len(columns) == 1, lines


def test_every_line_of_help_fits_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    parser = make_parser()
    commands = next(action for action in parser._actions if isinstance(action.choices, dict)).choices
    assert commands is not None
    for each in (parser, *commands.values()):
        assert [line for line in each.format_help().splitlines() if width(line) > 80] == []


# --- Refusals ---------------------------------------------------------------------------------------------------------


def answer_of(reason: str, **arguments: str | int) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads(error_line(refusal_for(reason, **arguments)))["error"])


def test_the_server_sends_its_sentence_with_reason_and_arguments() -> None:
    assert answer_of("unknown_invite", invite=7) == {
        "code": "not_found",
        "text": "There is no invite 7. `invites` lists them",
        "reason": "unknown_invite",
        "arguments": {"invite": 7},
    }


@pytest.mark.parametrize(
    "change",
    [{"reason": "of a newer server"}, {"arguments": {}}, {"arguments": 7}, {"reason": 7}],
)
def test_what_this_tool_does_not_know_is_said_in_the_servers_words(change: dict[str, Any]) -> None:
    failure = _failure({**answer_of("unknown_invite", invite=7), **change})
    assert failure.code is AdminExit.REFUSED
    assert failure.word == "not_found"
    assert failure.sentence == "There is no invite 7. `invites` lists them"


def test_an_older_server_sends_its_sentence_alone() -> None:
    failure = _failure({"code": "disk_full", "text": "The disk is full"})
    assert (failure.code, failure.sentence) == (AdminExit.IO, "The disk is full")


def test_arguments_are_no_templates() -> None:
    refusal = refusal_for("room_character_not_allowed", character="{character}")
    assert "{character}" in refusal_sentence(refusal)


# --- Questions and JSON -----------------------------------------------------------------------------------------------


class Keyboard(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("spoken", "typed", "agreed"),
    [
        *(("id", typed, True) for typed in ("ya", "yes", " YA ")),
        *(("en", typed, True) for typed in ("yes", " YES ")),
        *((spoken, typed, False) for spoken in ("en", "id") for typed in ("tidak", "no", "")),
        ("en", "ya", False),
    ],
)
def test_a_question_takes_the_words_of_the_language_and_english(
    monkeypatch: pytest.MonkeyPatch, spoken: str, typed: str, agreed: bool
) -> None:
    use(spoken)
    monkeypatch.setattr(sys, "stdin", Keyboard(f"{typed}\n"))
    monkeypatch.setattr(sys, "stderr", Keyboard())
    context = CommandContext(
        cast("Any", None), cast("Any", SimpleNamespace(yes=False)), TableOutput(json_lines=False, out=io.StringIO())
    )
    if agreed:
        context.confirm("?")
    else:
        with pytest.raises(AdminFailure) as failure:
            context.confirm("?")
        assert failure.value.sentence == _("Nothing was done")


@pytest.mark.parametrize("words", [["audit"], ["check"], ["export", "lobby"], ["status"]])
def test_json_is_english_in_every_language(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    told = {}
    for spoken in ("en", "id"):
        code = main([*words, "--json", "--lang", spoken, "--data", str(tmp_path / "no")])
        told[spoken] = (code, capsys.readouterr())
    assert told["en"] == told["id"]
    assert language() == "en"
    assert json.loads(told["id"][1].out)["error"]["text"].isascii()
    main([*words, "--lang", "id", "--data", str(tmp_path / "no")])
    assert capsys.readouterr().err not in told["en"][1].out


# --- what the server says of itself -----------------------------------------------------------------------------------


def test_an_older_server_says_in_english_why_searching_does_not_work() -> None:
    sentence = cannot_write(Sentence("another log is in it"))
    for sent, told in (
        ({}, str(sentence)),
        ({"search_sentence": None}, str(sentence)),
        ({"search_sentence": {"text": 1}}, str(sentence)),
        ({"search_sentence": {"text": "{no}", "arguments": {}}}, str(sentence)),
        ({"search_sentence": {"text": "another sentence", "arguments": {}}}, str(sentence)),
        ({"search_sentence": json.loads(json.dumps(sentence.packed()))}, translated(sentence)),
    ):
        assert show._search_trouble({"search_trouble": str(sentence), **sent}) == told
    assert "isinya log lain" in translated(sentence)
