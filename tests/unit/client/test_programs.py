"""Bots, webhooks and tokens, as the client asks for them, shows them, and keeps their secrets to itself."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from msgspec.structs import replace

from securechat import model as m
from securechat.client.core import actions, events
from securechat.client.core.credentials import Credentials
from securechat.client.core.events.requests import RejectReason
from securechat.client.core.state import ConnectionPhase
from securechat.client.local_store import LocalStore, StateRecorder
from securechat.client.network import ServerTarget
from securechat.client.pipe.chat import PipeChat
from securechat.client.ui.rows.describe import sentence
from securechat.client.ui.rows.describe_programs import token_lines
from securechat.client.ui.rows.rendering import notice_rows
from securechat.client.ui.rows.session_rows import ServerAddress, SessionRows
from securechat.errors import ErrorCode
from securechat.limits import API_TOKEN_BYTES
from securechat.text.api_tokens import api_token
from securechat.tls.contexts import ClientContext
from tests.support.core_driver import SECRET, Driver
from tests.support.secrecy import keep_secret

TOKEN = keep_secret(api_token(bytes(range(API_TOKEN_BYTES))))
CURL = (
    f'curl --cacert certs/ca.pem -H "Authorization: Bearer {TOKEN}" '
    "-d 'hello' https://chat.lan:8443/api/v1/rooms/ops/messages"
)
INTRODUCED = (
    'The address of the webhook "graf ana" [bot]. All who have it can post with it. It is not shown again. '
    "The old one works for one more day"
)
ME = m.Person(7, "me")
ANN = m.Person(9, "ann")
DEPLOY = m.Person(30, "deploy", bot=True)
AT_MS = 1_764_374_400_000


def online(*, features: tuple[str, ...] = ("bots",)) -> Driver:
    one = Driver(credentials=Credentials(SECRET, tokens={"me": "0" * 32}))
    one.tick()
    one.hear(m.Welcome(1, "server", ME.id, "me", 10, account=True, features=features))
    one.hear(m.Joined("lobby", 10, 1, [ME]))
    one.hear(m.Pong(0))
    assert one.core.phase is ConnectionPhase.ONLINE
    one.sent.clear()
    one.told.clear()
    return one


def ref(one: Driver) -> int:
    return next(command.ref for command in reversed(one.sent) if hasattr(command, "ref"))


def said(one: Driver) -> list[str]:
    return [text for each in one.told if (text := sentence(each, one.core.current, ME.id))]


def token(number: int, name: str = "", **more: object) -> m.TokenInfo:
    return m.TokenInfo(number, name, ["post"], AT_MS, **more)  # type: ignore[arg-type]


def bot(number: int, name: str, *tokens: m.TokenInfo, kind: str = "bot", **more: object) -> m.BotInfo:
    return m.BotInfo(number, name, kind, list(tokens), **more)  # type: ignore[arg-type]


# --- asking -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "command"),
    [
        (actions.MakeBot("deploy"), m.AddBot(0, "deploy")),
        (
            actions.MakeBot("deploy", rooms=("ops", "dev"), scopes=("read",), days=30),
            m.AddBot(0, "deploy", "bot", ["ops", "dev"], ["read"], 30),
        ),
        (actions.MakeBot("grafana", hook=True, rooms=("ops",)), m.AddBot(0, "grafana", "hook", ["ops"])),
        (actions.ShowBots(), m.AskBots(0)),
        (actions.ShowBots("ops"), m.AskBots(0, "ops")),
        (actions.MakeToken("cron"), m.AddToken(0, "cron")),
        (
            actions.MakeToken("cron", ("read", "metrics"), ("ops",), 7),
            m.AddToken(0, "cron", ["read", "metrics"], ["ops"], 7),
        ),
        (actions.ShowTokens(), m.AskTokens(0)),
        (actions.ReplaceToken(4), m.RotateToken(0, 4)),
        (actions.EndToken(4), m.RemoveToken(0, 4)),
    ],
)
def test_each_action_is_one_question(action: actions.ProgramAction, command: m.ProgramCommand) -> None:
    one = online()
    one.want(action)
    assert one.sent == [replace(command, ref=ref(one))]


def test_a_bot_is_found_by_its_name_whatever_the_page_it_stands_on() -> None:
    one = online()
    one.want(actions.EndBot("De Ploy"))
    one.hear(m.BotList(ref(one), [bot(3, "other")], more=True))
    assert one.sent[-1] == m.AskBots(ref(one), None, 3)
    one.hear(m.BotList(ref(one), [bot(30, "de ploy")]))
    assert one.sent[-1] == m.RemoveBot(ref(one), 30)
    one.hear(m.Done(ref(one)))
    assert said(one) == ['"De Ploy" [bot] is removed. Its messages stay']


def test_the_latest_token_of_a_webhook_is_rotated() -> None:
    one = online()
    one.want(actions.ReplaceBotToken("grafana", "ops"))
    assert one.sent[-1] == m.AskBots(ref(one), "ops")
    one.hear(m.BotList(ref(one), [bot(30, "grafana", token(8), token(11), token(9), kind="hook")]))
    assert one.sent[-1] == m.RotateToken(ref(one), 11)
    one.hear(m.TokenMade(ref(one), TOKEN, token(12), DEPLOY))
    assert one.all(events.ApiTokenMade) == [events.ApiTokenMade(TOKEN, token(12), DEPLOY, rotated=True)]
    assert one.core.is_bot(DEPLOY.id)


@pytest.mark.parametrize(
    ("bots", "reason", "subject"),
    [
        ([], RejectReason.NO_SUCH_BOT, "deploy"),
        ([bot(30, "deployer", token(1))], RejectReason.NO_SUCH_BOT, "deploy"),
        ([bot(30, "Deploy")], RejectReason.BOT_WITHOUT_TOKEN, "Deploy"),
    ],
)
def test_what_cannot_be_rotated_is_told(bots: list[m.BotInfo], reason: RejectReason, subject: str) -> None:
    one = online()
    one.want(actions.ReplaceBotToken("deploy"))
    count = len(one.sent)
    one.hear(m.BotList(ref(one), bots))
    assert one.all(events.ActionRejected) == [events.ActionRejected(reason, subject)]
    assert len(one.sent) == count
    assert said(one)


@pytest.mark.parametrize("action", [actions.ShowBots(), actions.ShowTokens()])
def test_a_server_that_never_ends_its_list_is_not_asked_on(action: actions.ProgramAction) -> None:
    one = online()
    one.want(action)
    for _ in range(3):
        answer: m.Event = m.TokenList(ref(one), [token(5)], more=True)
        if isinstance(action, actions.ShowBots):
            answer = m.BotList(ref(one), [bot(5, "x")], more=True)
        one.hear(answer)
    assert len(one.sent) == 2


def test_pages_of_tokens_are_one_list() -> None:
    one = online()
    one.want(actions.ShowTokens())
    one.hear(m.TokenList(ref(one), [token(2), token(4)], more=True))
    assert one.sent[-1] == m.AskTokens(ref(one), 4)
    one.hear(m.TokenList(ref(one), [token(6)]))
    assert one.all(events.TokensShown) == [events.TokensShown((token(2), token(4), token(6)))]


def test_an_older_server_is_not_asked() -> None:
    one = online(features=())
    one.want(actions.MakeBot("deploy"))
    assert one.sent == []
    assert said(one) == ["This server has no bots, webhooks and tokens. Ask its administrator for a newer version"]


def test_nothing_is_asked_for_later() -> None:
    one = online()
    one.cut()
    one.told.clear()
    one.sent.clear()
    one.want(actions.MakeToken("cron"))
    assert one.sent == []
    assert said(one) == ["You are offline. Try again when you are connected"]


def test_a_refusal_is_told() -> None:
    one = online()
    one.want(actions.MakeBot("deploy"))
    one.hear(m.Refused(ErrorCode.TOO_MANY, "x", ref=ref(one), reason="bots_used_up", arguments={"count": 20}))
    assert said(one) == ["You have made 20 bots and webhooks, as many as allowed. Remove one first"]


@pytest.mark.parametrize(
    ("action", "told"),
    [
        (actions.MakeBot("deploy"), "/bot shows what was done"),
        (actions.EndToken(3), "/token shows what was done"),
        (actions.ShowBots(), ""),
    ],
)
def test_a_connection_that_breaks_before_the_answer(action: actions.ProgramAction, told: str) -> None:
    one = online()
    one.want(action)
    one.cut()
    assert one.all(events.ProgramActionUnconfirmed) == [events.ProgramActionUnconfirmed(action)]
    assert [text for text in said(one) if "shows what" in text] == (
        [f"The connection broke before the server answered. {told}"] if told else []
    )


# --- the secret -------------------------------------------------------------------------------------------------------


def made(
    info: m.TokenInfo, person: m.Person | None = None, *, secret: str = TOKEN, rotated: bool = False
) -> events.ApiTokenMade:
    return events.ApiTokenMade(secret, info, person, rotated)


def lines(event: events.ApiTokenMade, ca: str | None = "certs/ca.pem", host: str = "chat.lan") -> list[str]:
    return [line.text for line in token_lines(event, host, 8443, ca)]


def test_a_token_is_shown_with_the_line_that_works_with_it() -> None:
    assert lines(made(token(1, "deploy", rooms=["ops"]), DEPLOY)) == [
        "The token of deploy [bot]. All who have it can act as this bot. It is not shown again",
        TOKEN,
        "This line works with it:",
        CURL,
    ]


def test_the_address_of_a_webhook_is_the_line() -> None:
    info = m.TokenInfo(1, "", ["hook"], AT_MS, ["ops"])
    assert lines(made(info, m.Person(30, "graf ana", bot=True), rotated=True), host="fd00::7") == [
        INTRODUCED,
        f"https://[fd00::7]:8443/hooks/{TOKEN}",
    ]


@pytest.mark.parametrize(
    ("scopes", "rooms", "ca", "end"),
    [
        (["read"], ["ops"], "", f'curl -H "Authorization: Bearer {TOKEN}" https://h:8443/api/v1/rooms/ops/messages'),
        (["metrics"], [], "", f'curl -H "Authorization: Bearer {TOKEN}" https://h:8443/metrics'),
        (["read", "post"], [], "", "-d 'hello' https://h:8443/api/v1/rooms/lobby/messages"),
        (["post"], ["$(x) '`"], "", "/api/v1/rooms/%24%28x%29%20%27%60/messages"),
    ],
)
def test_the_line_fits_what_the_token_is_good_for(scopes: list[str], rooms: list[str], ca: str, end: str) -> None:
    shown = lines(made(m.TokenInfo(1, "cron", scopes, AT_MS, rooms)), ca=ca, host="h")
    assert shown[0].startswith("Your token cron. All who have it can act as you")
    assert shown[-1].endswith(end)


def test_a_ca_that_came_from_no_file_is_explained() -> None:
    shown = lines(made(token(1, "cron")), ca=None)
    assert "--cacert ca.pem " in shown[-2]
    assert shown[-1] == "In it, ca.pem stands for a file with the server's CA, which its administrator has"


@pytest.mark.parametrize("secret", ["scb_\x1b[2Jx", "$(rm -rf ~)", TOKEN[:-1], ""])
def test_what_is_no_token_makes_no_command(secret: str) -> None:
    shown = token_lines(made(token(1, "cron"), secret=secret), "h", 1, "")
    assert not any(line.copied for line in shown)
    assert "curl" not in "".join(line.text for line in shown)
    assert "\x1b" not in "".join(line.text for line in shown)


def test_a_secret_is_in_no_repr_and_is_not_stored(tmp_path: Path) -> None:
    event = made(token(1, "cron"))
    assert TOKEN not in repr(event)
    store = LocalStore(tmp_path / "state")
    recorder = StateRecorder(store, "h", 1, "system", as_last=True)
    assert recorder.note(events.LoggedIn("server", ME)) is None
    assert recorder.note(event) is None
    files = [path.read_text("utf-8") for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert not [text for text in files if TOKEN in text]


def test_the_terminal_shows_a_token_in_rows_that_can_be_copied() -> None:
    shown = SessionRows(Driver().core, ServerAddress("h", 1, "ca.pem"))
    rows = shown.rows(made(token(1, "cron", rooms=["ops"])), 80)
    assert TOKEN in rows
    assert [row for row in rows if not row.startswith("-- ")] == [
        TOKEN,
        f"curl --cacert ca.pem -H \"Authorization: Bearer {TOKEN}\" -d 'hello' https://h:1/api/v1/rooms/ops/messages",
    ]


def test_a_pipe_shows_a_token_beside_the_messages(capsys: pytest.CaptureFixture[str]) -> None:
    core = Driver().core
    target = ServerTarget("h", 1, ClientContext(ssl.PROTOCOL_TLS_CLIENT), ca="")
    chat = PipeChat(core, target, "lobby", commands=True)
    chat.tell(made(token(1, "cron")))
    chat.network._loop.close()
    shown = capsys.readouterr()
    assert shown.out == ""
    assert TOKEN in shown.err.splitlines()


# --- lists ------------------------------------------------------------------------------------------------------------


def test_the_list_of_bots_says_who_made_them_and_what_their_tokens_did(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("securechat.client.ui.rows.describe_programs.local_date", lambda at_ms: f"<{at_ms}>")
    one = online()
    one.want(actions.ShowBots())
    used = token(4, "x", rooms=["ops", "dev"], expires_at_ms=5, used_at_ms=6, address="10.0.0.5", online=True)
    hook = m.TokenInfo(9, "grafana", ["hook"], 2, ["ops"])
    one.hear(
        m.BotList(
            ref(one),
            [
                bot(30, "deploy", used, made_by=ANN, stopped=True),
                bot(31, "grafana", hook, kind="hook"),
                bot(32, "idle"),
                bot(33, "ci", kind="hook"),  # an outgoing one
            ],
        )
    )
    assert said(one) == [
        "\n".join(
            [
                "deploy [bot]  made by ann, stopped, because its maker is banned or gone",
                f"    4  x, post, #ops #dev, since <{AT_MS}>, expires <5>, last used <6> from 10.0.0.5, online",
                "grafana [bot]  webhook of #ops, made by an administrator",
                "    9  since <2>, does not expire, never used",
                "idle [bot]  made by an administrator",
                "ci [bot]  webhook without an address, made by an administrator",
                "/bot rotate NAME gives it another token, /bot remove NAME removes it",
            ]
        )
    ]


def test_the_list_of_webhooks_says_what_the_outgoing_ones_send_and_where_to() -> None:
    one = online()
    one.want(actions.ShowBots("ops"))
    made = [
        m.OutgoingInfo("https://ci.lan", "!deploy", bots=False, off=""),
        m.OutgoingInfo("https://b:8443", "all", bots=True, off="gone"),
        m.OutgoingInfo("https://other.lan", "mention", bots=False, off="a later word"),
    ]
    one.hear(m.BotList(ref(one), [bot(30 + n, f"h{n}", kind="hook", outgoing=each) for n, each in enumerate(made)]))
    admin, off = "made by an administrator", "off, because its receiver answered 410"
    assert said(one) == [
        "\n".join(
            [
                f"h0 [bot]  outgoing webhook: messages that begin with !deploy go to https://ci.lan, {admin}",
                f"h1 [bot]  outgoing webhook: all messages go to https://b:8443, those of bots, too, {admin}, {off}",
                f"h2 [bot]  outgoing webhook: messages that mention it go to https://other.lan, {admin}, off",
                "/hook remove NAME removes it. An administrator makes such webhooks and switches them on",
            ]
        )
    ]


def test_the_list_of_tokens() -> None:
    one = online()
    one.want(actions.ShowTokens())
    one.hear(m.TokenList(ref(one), [token(4, "cron", used_at_ms=AT_MS)]))
    (shown,) = said(one)
    assert shown.startswith("4  cron, post, all rooms, since ")
    one.told.clear()
    one.want(actions.ShowTokens())
    one.hear(m.TokenList(ref(one), [token(4, "cron", rooms=[m.UNKNOWN_ROOM])]))
    assert said(one)[0].startswith("4  cron, post, #?, since ")
    assert ", does not expire, last used " in shown
    assert shown.endswith("\n/token rotate N makes another one like it, /token remove N removes it")


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (events.BotsShown(()), "You have made no bots and no webhooks. /bot add NAME makes a bot"),
        (events.BotsShown((), "ops"), "#ops has no webhooks. /hook add NAME adds one"),
        (events.TokensShown(()), "You have no tokens. /token add NAME makes one"),
        (events.ProgramActionDone(actions.EndToken(3)), "Token 3 is removed"),
    ],
)
def test_short_answers(event: events.UiEvent, text: str) -> None:
    one = online()
    assert sentence(event, one.core.current, ME.id) == text


def test_nothing_hostile_of_a_list_reaches_the_terminal() -> None:
    nasty = "\x1b[2J\n-- x"
    one = online()
    evil = m.TokenInfo(1, nasty, [nasty], AT_MS, [nasty], used_at_ms=1, address=nasty)
    for event in (
        events.BotsShown((bot(1, nasty, evil, made_by=m.Person(1, nasty)),)),
        events.BotsShown((bot(1, nasty, evil, kind=nasty),), nasty),
        events.BotsShown((), nasty),
        events.TokensShown((evil,)),
        events.ProgramActionDone(actions.EndBot(nasty)),
    ):
        shown = sentence(event, one.core.current, ME.id)
        assert shown is not None
        assert "\x1b" not in shown
        assert not [row for row in notice_rows(shown, 400) if row.startswith("-- -- ")]
