"""The operator's commands about bots, webhooks and tokens: the answers of the server, and what the tool prints."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from securechat.admin import program_commands, tables
from securechat.admin.context import CommandContext
from securechat.admin.exit_codes import AdminExit, AdminFailure
from securechat.admin.invite_output import program_address, program_ca
from securechat.admin.output import TableOutput
from securechat.admin.parser import make_parser
from securechat.errors import ErrorCode, Refusal
from securechat.limits import API_TOKEN_BYTES
from securechat.model import UNKNOWN_ROOM, BotInfo, Person, TokenInfo, TokenMade
from securechat.records.accounts import Account, AccountKind, ApiToken, Scope
from securechat.records.log import NotAppended
from securechat.server.admin_programs import AdminAnswers, carry_out
from securechat.server.admin_protocol import BotRequest, decode
from securechat.text.api_tokens import api_token
from securechat.text.refusals import refusal_for
from tests.support.secrecy import keep_secret

TOKEN = keep_secret(api_token(bytes(range(7, 7 + API_TOKEN_BYTES))))
CURL = (
    f'curl --cacert ca.pem -H "Authorization: Bearer {TOKEN}" '
    "-d 'hello' https://10.0.0.7:8443/api/v1/rooms/ops/messages"
)
ROW = TokenInfo(4, "deploy", ["post"], 1_000, ["ops"], 9_000, 8_000, "10.0.0.5", online=True)
PUBLIC = {
    "token": 4, "account": "deploy", "name": "deploy", "scopes": ["post"], "rooms": ["ops"], "made_at_ms": 1_000,
    "expires_at_ms": 9_000, "used_at_ms": 8_000, "address": "10.0.0.5", "online": True,
}  # fmt: skip
BOT = BotInfo(30, "deploy", "bot", [ROW], Person(9, "ann"), stopped=True)
HOOK = BotInfo(31, "grafana", "hook", [])


class FakePrograms:
    """Remembers what it is asked, and answers at once."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.outcome: Any = None

    def add_bot(
        self,
        actor: str,
        name: str,
        *,
        kind: AccountKind,
        rooms: Sequence[str],
        scopes: Sequence[Scope],
        days: int | None,
        done: Callable[[Any], None],
    ) -> None:
        self.asked.append((actor, name, kind, list(rooms), list(scopes), days))
        scope = ["hook"] if kind is AccountKind.HOOK else ["post"]
        info = TokenInfo(4, name, scope, 1_000, list(rooms))
        done(self.outcome or TokenMade(0, TOKEN, info, Person(30, name, bot=True)))

    def bots(self, room: str | None = None) -> list[BotInfo]:
        self.asked.append(("bots", room))
        return [HOOK, BOT]

    def outgoing(self, _sender_id: int) -> None:
        return None

    def is_outgoing(self, _name: str) -> bool:
        return False

    def remove_bot(self, actor: str, name: str, done: Callable[[Any], None]) -> None:
        self.asked.append((actor, "remove", name))
        done(Account(30, name, name, kind=AccountKind.BOT, made_by=9))

    def rotate_bot(self, actor: str, name: str, done: Callable[[Any], None]) -> None:
        self.asked.append((actor, "rotate", name))
        done(TokenMade(0, TOKEN, ROW, Person(30, name, bot=True)))

    def tokens_of(self, name: str) -> list[TokenInfo]:
        if name == "nobody":
            raise refusal_for("unknown_account")
        return [ROW]

    def remove_token(self, actor: str, token_id: int, done: Callable[[Any], None]) -> None:
        self.asked.append((actor, "end", token_id))
        done(ApiToken(token_id, 30, "deploy", b"h" * 32, (Scope.POST,)))


class Bench:
    """What the socket's session does: a request comes in, one answer or rows go out."""

    def __init__(self) -> None:
        self.programs = FakePrograms()
        self.rows: list[dict[str, Any]] = []
        self.done: dict[str, Any] = {}

    def ask(self, **command: object) -> None:
        request = decode(json.dumps(command).encode())
        self.rows, self.done = [], {}
        answers = AdminAnswers(self._rows, self._then)
        carry_out(cast("BotRequest", request), self.programs, "shell:root", answers)

    def _rows(self, rows: Iterator[dict[str, Any]]) -> None:
        self.rows = list(rows)
        self.done = {"rows": len(self.rows)}

    def _then(self, public: Callable[[Any], dict[str, Any]]) -> Callable[[Any], None]:
        def answered(outcome: object) -> None:
            if isinstance(outcome, NotAppended):
                raise outcome.refusal()
            self.done = public(outcome)

        return answered


@pytest.fixture
def bench() -> Bench:
    return Bench()


# --- the socket -------------------------------------------------------------------------------------------------------


def test_a_bot_is_made_with_what_was_asked_for(bench: Bench) -> None:
    bench.ask(command="bot-add", name="deploy", rooms=["ops"], scopes=["read", "post"], days=9)
    expected = ("shell:root", "deploy", AccountKind.BOT, ["ops"], [Scope.READ, Scope.POST], 9)
    assert bench.programs.asked == [expected]
    assert bench.done["secret"] == TOKEN
    assert bench.done["account"] == "deploy"


def test_a_webhook_is_made_of_one_room(bench: Bench) -> None:
    bench.ask(command="bot-add", name="grafana", kind="hook", rooms=["ops"])
    assert bench.programs.asked == [("shell:root", "grafana", AccountKind.HOOK, ["ops"], [], None)]
    assert bench.done["scopes"] == ["hook"]


def test_what_is_not_stored_is_no_token(bench: Bench) -> None:
    bench.programs.outcome = NotAppended(ErrorCode.DISK_FULL, "the disk is full")
    with pytest.raises(Refusal):
        bench.ask(command="bot-add", name="deploy")
    assert bench.done == {}


def test_lists_have_everything_but_secrets(bench: Bench) -> None:
    bench.ask(command="bots", room="ops")
    assert bench.programs.asked == [("bots", "ops")]
    assert bench.rows == [
        {"name": "grafana", "kind": "hook", "made_by": None, "stopped": False, "tokens": [], "outgoing": None},
        {"name": "deploy", "kind": "bot", "made_by": "ann", "stopped": True, "tokens": [PUBLIC], "outgoing": None},
    ]
    bench.ask(command="tokens")
    assert bench.rows == [PUBLIC]
    bench.ask(command="tokens", name="deploy")
    assert bench.rows == [PUBLIC]
    assert TOKEN not in json.dumps(bench.rows)
    with pytest.raises(Refusal):
        bench.ask(command="tokens", name="nobody")


def test_rotating_and_removing_say_what_they_did(bench: Bench) -> None:
    bench.ask(command="bot-rotate", name="deploy")
    assert bench.done == {**PUBLIC, "secret": TOKEN}
    bench.ask(command="bot-remove", name="deploy")
    assert bench.done == {"name": "deploy", "kind": "bot"}
    bench.ask(command="token-remove", token=4)
    assert bench.done == {"token": 4, "name": "deploy"}
    assert [asked[1:] for asked in bench.programs.asked] == [("rotate", "deploy"), ("remove", "deploy"), ("end", 4)]


# --- the tool ---------------------------------------------------------------------------------------------------------

FACTS: dict[str, Any] = {
    "ca_fingerprint": f"sha256:{'ab' * 32}",
    "listening": ["10.0.0.7:8443"],
    "certificate_names": ["localhost", "127.0.0.1", "10.0.0.7"],
    "certificate": "/nowhere/server.pem",
}


class FakeConnection:
    """The tool's connection, to a bench in this process."""

    bench: Bench
    facts: dict[str, Any]

    def __init__(self, data: Path) -> None:
        del data

    def __enter__(self) -> FakeConnection:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def ask(self, request: Any, progress: object = None) -> Any:
        del progress
        reply = type("Reply", (), {})()
        if type(request).__name__ == "GetStatus":
            reply.done, reply.rows = self.facts, []
            return reply
        words = {field: getattr(request, field) for field in request.__struct_fields__}
        self.bench.ask(command=request.__struct_config__.tag, **words)
        reply.done, reply.rows = self.bench.done, self.bench.rows
        return reply


class Tool:
    """Runs commands of the tool against a bench."""

    def __init__(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bench = bench
        self.connection = type("Connected", (FakeConnection,), {"bench": bench, "facts": dict(FACTS)})
        monkeypatch.setattr(program_commands, "AdminConnection", self.connection)
        monkeypatch.setattr("securechat.admin.context.AdminConnection", self.connection)
        monkeypatch.setenv("TZ", "UTC")

    def run(self, *words: str) -> str:
        options = make_parser().parse_args(words)
        out = io.StringIO()
        output = TableOutput(json_lines=options.json, out=out, errors=io.StringIO())
        config = type("Config", (), {"data": Path("/nowhere")})()
        assert options.run(CommandContext(cast("Any", config), options, output)) is AdminExit.OK
        return out.getvalue()


@pytest.fixture
def tool(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Tool:
    return Tool(bench, monkeypatch)


def test_a_new_bot_is_shown_with_the_line_that_works_with_it(tool: Tool) -> None:
    shown = tool.run("bot", "add", "deploy", "--room", "#ops", "--room", "dev", "--days", "9", "--scope", "post")
    expected = ("shell:root", "deploy", AccountKind.BOT, ["ops", "dev"], [Scope.POST], 9)
    assert tool.bench.programs.asked == [expected]
    assert shown.splitlines() == [
        TOKEN,
        "All who have this token can act as deploy, and it is shown only once.",
        "This line works with it:",
        CURL,
        "In it, ca.pem stands for a file with the server's CA.",
    ]


def test_a_bot_may_post_and_read_unless_something_else_is_asked_for(tool: Tool) -> None:
    tool.run("bot", "add", "deploy")
    assert tool.bench.programs.asked[0][3:] == ([], [Scope.POST, Scope.READ], None)


@pytest.mark.parametrize(
    "words", ["--scope post,read,files", "--scope post --scope read,files", "--scope post,\tread --scope files"]
)
def test_scopes_stand_alone_or_with_commas(tool: Tool, words: str) -> None:
    tool.run("bot", "add", "deploy", *words.split(" "))
    assert tool.bench.programs.asked[0][4] == [Scope.POST, Scope.READ, Scope.FILES]


def test_a_new_webhook_is_its_address(tool: Tool) -> None:
    shown = tool.run("hook", "add", "#ops", "grafana", "--host", "chat.lan")
    assert tool.bench.programs.asked == [("shell:root", "grafana", AccountKind.HOOK, ["ops"], [], None)]
    assert shown.splitlines() == [
        f"https://chat.lan:8443/hooks/{TOKEN}",
        "All who have this address can post with it into #ops, and it is shown only once.",
    ]


def test_a_rotated_one_says_how_long_the_old_one_works(tool: Tool) -> None:
    for command in ("bot", "hook"):
        assert "The old one works for one more day." in tool.run(command, "rotate", "deploy")


def test_json_has_the_secret_and_the_line(tool: Tool) -> None:
    made = json.loads(tool.run("bot", "add", "deploy", "--json"))
    assert made["secret"] == TOKEN
    assert made["example"].startswith("curl ")
    assert [json.loads(line)["name"] for line in tool.run("bot", "list", "--json").splitlines()] == [
        "deploy",
        "grafana",
    ]


def test_tables(tool: Tool) -> None:
    shown = tool.run("bot").splitlines()
    assert [line.split()[0] for line in shown] == ["NAME", "deploy", "grafana"]
    assert "ann" in shown[1]
    assert shown[1].split()[-2:] == ["10.0.0.5", "stopped"]
    assert "webhook" in shown[2]
    assert "never" in shown[2]
    assert [line.split()[0] for line in tool.run("hook", "list", "ops").splitlines()] == ["NAME", "grafana"]
    assert tool.bench.programs.asked[-1] == ("bots", "ops")
    head, row = tool.run("token", "list").splitlines()
    assert head.split()[0] == "TOKEN"
    assert row.split()[:4] == ["4", "deploy", "deploy", "post"]
    assert tool.run("token", "list", "deploy").splitlines()[1] == row


def test_removing_a_bot_asks_first(tool: Tool) -> None:
    with pytest.raises(AdminFailure, match="This removes deploy and its tokens"):
        tool.run("bot", "remove", "deploy")
    assert tool.bench.programs.asked == []
    assert tool.run("bot", "remove", "deploy", "--yes") == "Removed deploy\n"
    assert tool.run("hook", "remove", "deploy", "--yes") == "Removed deploy\n"
    assert tool.run("token", "remove", "4") == "Token 4 (deploy) is removed\n"


@pytest.mark.parametrize(
    "line", ["bot add", "hook add ops", "token remove", "bot add x --scope hook", "bot add x --scope post,hook"]
)
def test_what_is_left_out_is_a_mistake(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        make_parser().parse_args(line.split())
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("listening", "asked", "expected"),
    [
        (["127.0.0.1:8443"], None, ("127.0.0.1", 8443)),
        (["[::1]:99"], None, ("localhost", 99)),
        (["127.0.0.1:8443", "10.0.0.7:99"], None, ("10.0.0.7", 99)),
        (["10.0.0.7:99"], "chat.lan", ("chat.lan", 99)),
        ([], None, ("localhost", 8443)),
    ],
)
def test_the_address_is_that_of_an_invite_or_else_of_this_machine(
    listening: list[str], asked: str | None, expected: tuple[str, int]
) -> None:
    assert program_address({**FACTS, "listening": listening}, asked) == expected


def test_a_certificate_without_the_names_of_this_machine_has_its_own() -> None:
    facts = {**FACTS, "listening": ["127.0.0.1:8443"], "certificate_names": ["chat.example"]}
    assert program_address(facts, None) == ("chat.example", 8443)


def test_the_ca_stands_beside_the_certificate_or_is_known_to_machines(tmp_path: Path) -> None:
    beside = {**FACTS, "certificate": str(tmp_path / "server.pem")}
    assert program_ca(beside) == "ca.pem"
    (tmp_path / "ca.pem").write_text("x")
    assert program_ca(beside) == str(tmp_path / "ca.pem")
    assert program_ca({**beside, "public_certificate": True}) == ""


def test_the_tables_tell_tokens_of_lost_rooms_from_those_for_all() -> None:
    row: dict[str, Any] = {
        "token": 1, "account": "ann", "name": "t", "scopes": ["post"], "expires_at_ms": None, "made_at_ms": 1,
        "used_at_ms": None, "online": False, "address": "",
    }  # fmt: skip
    assert tables.token({**row, "rooms": [UNKNOWN_ROOM]})[4] == "#?"
    assert tables.token({**row, "rooms": []})[4] == "all"
    bot_row = {"name": "b", "kind": "bot", "made_by": None, "stopped": False}
    assert tables.bot({**bot_row, "tokens": [{**row, "rooms": [UNKNOWN_ROOM, "ops"]}]})[3] == "#? #ops"


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        ({}, "on"),
        ({"stopped": True}, "not in the room; `hook on` brings it back"),
        (
            {"failures": 2, "failing_since_ms": 1_000, "next_ms": 61_000, "problem": "the receiver answered 503"},
            "failing since 1970-01-01 00:00, next attempt 1970-01-01 00:01: the receiver answered 503",
        ),
        (
            {"failures": 2, "failing_since_ms": 1_000, "next_ms": 61_000, "problem": None},
            "failing since 1970-01-01 00:00, next attempt 1970-01-01 00:01",
        ),
        ({"off": "gone", "off_at_ms": 61_000, "failures": 2}, "off since 1970-01-01 00:01: the receiver answered 410"),
        ({"off": "a later word", "off_at_ms": 61_000}, "off since 1970-01-01 00:01"),
    ],
)
def test_the_state_of_an_outgoing_webhook(monkeypatch: pytest.MonkeyPatch, state: dict[str, Any], shown: str) -> None:
    at = {1_000: "1970-01-01 00:00", 61_000: "1970-01-01 00:01"}
    monkeypatch.setattr(tables, "shown_time", at.__getitem__)
    hook = {
        "room": "ops", "to": "https://ci.lan", "on": "all", "bots": True, "behind": 3, "off": None, "off_at_ms": None,
        "stopped": False, "failures": 0, "failing_since_ms": None, "next_ms": None, **state,
    }  # fmt: skip
    cells = tables.outgoing({"name": "deploy", "outgoing": hook})
    assert cells == ("deploy", "ops", "https://ci.lan", "all (bots, too)", "3", shown)
