"""The metrics by token, over a hub in memory: who may read them, who is refused and how, and what is noted of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from securechat.errors import ErrorCode
from securechat.hub.accounts.authentication import LoginKind
from securechat.limits import Limits
from securechat.model import (
    AddBot,
    AddToken,
    AskBots,
    BotList,
    Joined,
    Refused,
    RemoveBot,
    RemoveToken,
    RotateToken,
    TokenMade,
)
from securechat.records.accounts import AccountKind, Ban, BanKind, Put, Role, Scope
from securechat.server.metrics import METRICS_PATH
from securechat.server.metrics.paths import MetricsPaths
from securechat.server.web.programs import ProgramPrefixes
from securechat.storage.store import DiskFull
from securechat.text.api_tokens import api_token
from securechat.wire.http import Authority, HttpError, Request
from tests.support.api_rig import ApiReply, ApiRig
from tests.support.hub_rig import FakePeer, HubRig
from tests.unit.hub.accounts.test_accounts import hello
from tests.unit.hub.admin.test_commands import act
from tests.unit.hub.programs.test_bots import administer, bot, made, restart
from tests.unit.hub.rooms.test_rooms import person, refused, who

NONE = api_token(b"?" * 32)
METRICS: Any = ["metrics"]


class FakeScraper:
    """Has the text at once, or when the test says so."""

    def __init__(self) -> None:
        self.text: bytes | None = b"a 1\n"
        self.waits = False
        self.waiting: list[Callable[[bytes | None], None]] = []

    def scrape(self, done: Callable[[bytes | None], None]) -> None:
        if self.waits:
            self.waiting.append(done)
        else:
            done(self.text)


class MetricsRig:
    """The paths over a hub, as `ApiRig` has those of the API."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.api = ApiRig(limits)
        self.rig: HubRig = self.api.rig
        self.scraper = FakeScraper()
        self.paths = MetricsPaths(self.api.hub.metrics_access, self.api.paths.peers, self.api, self.scraper)

    def head(self, token: str | None, method: str = "GET", target: str = METRICS_PATH, body_bytes: int = 0) -> Request:
        lines = [] if token is None else [(b"authorization", f"Bearer {token}".encode())]
        return Request(method, target, Authority("a", 443), None, tuple(lines), body_bytes)

    def ask(self, token: str | None, *, address: str = "127.0.0.1", **head: Any) -> ApiReply:
        request = self.head(token, **head)
        reply = ApiReply()
        try:
            self.paths.expect_no_secret(request)
            exchange = self.paths.begin(request, address)
        except HttpError as error:
            reply.done(self.paths.error_answer(error))
            return reply
        reply.abandon = exchange.abandon
        exchange.receive(b"", reply.done)
        self.api.settle()
        return reply

    def status(self, token: str | None, **options: Any) -> int:
        return self.ask(token, **options).status

    def bot(self, *scopes: Scope, name: str = "prometheus") -> TokenMade:
        """Make a bot as the operator does."""
        answer = administer(
            self.rig, "add_bot", name, kind=AccountKind.BOT, rooms=(), scopes=scopes or (Scope.METRICS,), days=None
        )
        assert isinstance(answer, TokenMade)
        return answer

    def administrator(self, name: str = "root") -> FakePeer:
        peer = person(self.rig, name)
        act(self.rig, "role", name, Role.ADMIN)
        return peer


@pytest.fixture
def metrics() -> MetricsRig:
    return MetricsRig()


def test_the_operator_s_token_reads_the_metrics(metrics: MetricsRig) -> None:
    reply = metrics.ask(metrics.bot().token)
    assert reply.status == 200
    assert reply.made is not None
    assert reply.made.body == b"a 1\n"
    assert b"Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n" in reply.made.head
    assert b"Cache-Control: no-store\r\n" in reply.made.head


def test_the_text_may_come_later_and_goes_to_no_one_who_has_gone(metrics: MetricsRig) -> None:
    token = metrics.bot().token
    metrics.scraper.waits = True
    here, gone = metrics.ask(token), metrics.ask(token)
    assert here.made is None
    gone.abandon()
    for done in metrics.scraper.waiting:
        done(b"b 2\n")
    assert here.made is not None
    assert here.made.body == b"b 2\n"
    assert gone.made is None


def test_a_text_that_cannot_be_made_is_an_error_of_the_server(metrics: MetricsRig) -> None:
    metrics.scraper.text = None
    reply = metrics.ask(metrics.bot().token)
    assert (reply.status, reply.code) == (500, "internal")


@pytest.mark.parametrize("scopes", [(Scope.POST,), (Scope.READ,), (Scope.POST, Scope.READ)])
def test_a_token_of_other_scopes_is_refused_and_told_which_it_needs(
    metrics: MetricsRig, scopes: tuple[Scope, ...]
) -> None:
    reply = metrics.ask(metrics.bot(*scopes).token)
    assert (reply.status, reply.code) == (403, "no_right")
    assert reply.json["args"] == {"scope": "metrics"}
    assert metrics.api.refusals == [(ErrorCode.NO_RIGHT, LoginKind.API_TOKEN)]
    assert metrics.status(metrics.bot(Scope.METRICS, *scopes, name="both").token) == 200


def test_no_token_and_none_of_this_server_s_are_401(metrics: MetricsRig) -> None:
    reply = metrics.ask(None)
    assert (reply.status, reply.code) == (401, "token_missing")
    assert reply.made is not None
    assert b"WWW-Authenticate: Bearer\r\n" in reply.made.head
    assert metrics.ask(NONE).code == "token_invalid"
    assert metrics.ask("scb_short").json["reason"] == "token_mistyped"
    assert metrics.api.refusals == [(ErrorCode.TOKEN_INVALID, LoginKind.API_TOKEN)] * 2


def test_a_token_in_the_query_is_refused_before_all_else(metrics: MetricsRig) -> None:
    token = metrics.bot().token
    reply = metrics.ask(token, target=f"{METRICS_PATH}?token={token}", method="DELETE")
    assert (reply.status, reply.code) == (400, "token_in_query")


@pytest.mark.parametrize(
    ("method", "body_bytes", "status"), [("POST", 0, 405), ("OPTIONS", 0, 405), ("HEAD", 0, 200), ("GET", 1, 413)]
)
def test_only_get_and_head_without_a_body_are_answered(
    metrics: MetricsRig, method: str, body_bytes: int, status: int
) -> None:
    assert metrics.status(metrics.bot().token, method=method, body_bytes=body_bytes) == status


def test_tokens_that_are_none_slow_their_address_down_here_and_under_the_api(metrics: MetricsRig) -> None:
    good = metrics.bot().token
    limit = int(metrics.rig.limits.api_failed_tokens)
    guesser, other = "203.0.113.5", "203.0.113.6"
    assert [metrics.status(NONE, address=guesser) for _ in range(limit)] == [401] * limit
    reply = metrics.ask(NONE, address=guesser)
    assert (reply.status, reply.code) == (429, "too_many_failed_tokens")
    assert metrics.api.get("/rooms", NONE, address=guesser).status == 429
    assert metrics.status(NONE, address=other) == 401
    assert metrics.status(good, address=guesser) == 200, "a scraper behind the same address goes on"


def test_a_token_has_a_rate_and_what_it_asks_beyond_is_not_counted(metrics: MetricsRig) -> None:
    token = metrics.bot().token
    burst = int(metrics.rig.limits.request_burst)
    statuses = [metrics.status(token) for _ in range(burst + 5)]
    assert statuses == [200] * burst + [429] * 5
    waits = {(reply := metrics.ask(token)).json["retry_after_s"] for _ in range(3)}
    assert reply.code == "rate"
    assert len(waits) == 1, "what is refused makes no one wait longer"
    metrics.rig.pass_time(reply.json["retry_after_s"])
    assert metrics.status(token) == 200


# --- What a token with this scope alone can not do --------------------------------------------------------------------


def test_a_token_for_metrics_alone_makes_no_connection_and_is_no_presence(metrics: MetricsRig) -> None:
    ann = metrics.rig.member("ann")
    token = metrics.bot().token
    assert metrics.status(token) == 200
    stranger = hello(metrics.rig, "x", token=token)
    answer = stranger.last(Refused)
    assert (answer.code, answer.reason) == (ErrorCode.NO_RIGHT, "token_needs_scope")
    assert not stranger.of(Joined)
    for reply in (metrics.api.get("/rooms", token), metrics.api.post("/rooms/lobby/messages", token, "hi")):
        assert (reply.status, reply.code) == (403, "no_right")
    assert metrics.api.hub.hook_of(token) is None
    assert len(metrics.api.hub.context.members) == 1
    assert not ann.messages


# --- Who gives it -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [AddBot(7, "p", scopes=METRICS), AddToken(7, "p", ["read", "metrics"])])
def test_a_member_gives_it_only_as_an_administrator(metrics: MetricsRig, command: AddBot | AddToken) -> None:
    ann = person(metrics.rig, "ann")
    assert refused(metrics.rig, ann, command) is ErrorCode.NO_RIGHT
    assert ann.last(Refused).reason == "token_metrics_not_yours"
    act(metrics.rig, "role", "ann", Role.ADMIN)
    token = made(metrics.rig, ann, command).token
    assert metrics.status(token) == 200
    act(metrics.rig, "role", "ann", Role.MEMBER)
    reply = metrics.ask(token)
    assert (reply.status, reply.json["reason"]) == (403, "token_metrics_not_yours")
    act(metrics.rig, "role", "ann", Role.ADMIN)
    assert metrics.status(token) == 200


def test_a_maker_that_is_banned_or_deleted_takes_it_along(metrics: MetricsRig) -> None:
    root, ann = metrics.administrator(), metrics.administrator("ann")
    of_root, of_ann = (bot(metrics.rig, each, name, scopes=METRICS).token for each, name in ((root, "p"), (ann, "q")))
    mine = made(metrics.rig, root, AddToken(7, "own", METRICS)).token
    assert [metrics.status(each) for each in (of_root, of_ann, mine)] == [200] * 3
    ban = Ban(1, BanKind.ACCOUNT, str(who(root)), "root", "", "admin", metrics.rig.wall_ms())
    metrics.api.hub.context.changes.commit((Put(ban),))
    metrics.api.settle()
    act(metrics.rig, "delete_user", "ann", remove=False, progress=lambda _: None)
    assert [metrics.status(each) for each in (of_root, mine, of_ann)] == [401, 403, 401]


def test_a_banned_address_reads_nothing(metrics: MetricsRig) -> None:
    token = metrics.bot().token
    ban = Ban(1, BanKind.NETWORK, "203.0.113.0/24", "203.0.113.0/24", "", "admin", metrics.rig.wall_ms())
    metrics.api.hub.context.changes.commit((Put(ban),))
    metrics.api.settle()
    reply = metrics.ask(token, address="203.0.113.5")
    assert (reply.status, reply.code) == (403, "banned")
    assert metrics.status(token) == 200


@pytest.mark.parametrize("how", ["token", "bot"])
def test_a_removed_token_reads_nothing_from_the_moment_it_is_told(metrics: MetricsRig, how: str) -> None:
    root = metrics.administrator()
    token = bot(metrics.rig, root, scopes=METRICS)
    assert metrics.status(token.token) == 200
    assert token.bot is not None
    command = RemoveToken(7, token.info.token) if how == "token" else RemoveBot(7, token.bot.id)
    metrics.rig.do(root, command)
    assert metrics.status(token.token) == 401


def test_a_rotated_token_lives_for_a_day_and_the_new_one_has_the_scope(metrics: MetricsRig) -> None:
    root = metrics.administrator()
    old = made(metrics.rig, root, AddToken(7, "own", METRICS))
    new = made(metrics.rig, root, RotateToken(7, old.info.token))
    assert [metrics.status(each.token) for each in (old, new)] == [200, 200]
    metrics.rig.pass_time(metrics.rig.limits.token_overlap_s + 1)
    assert [metrics.status(each.token) for each in (old, new)] == [401, 200]


def test_it_is_kept_over_a_restart(metrics: MetricsRig) -> None:
    token = metrics.bot().token
    restart(metrics.rig)
    again = MetricsPaths(metrics.rig.hub.metrics_access, metrics.api.paths.peers, metrics.api, metrics.scraper)
    assert again.is_known(metrics.head(token))


# --- What is noted ----------------------------------------------------------------------------------------------------


def test_use_is_noted_to_the_minute_and_once_a_minute(metrics: MetricsRig) -> None:
    root = metrics.administrator()
    token = bot(metrics.rig, root, scopes=METRICS).token

    def info() -> Any:
        metrics.rig.do(root, AskBots(ref=1))
        return root.last(BotList).bots[0].tokens[0]

    assert info().used_at_ms is None
    metrics.status(token, address="203.0.113.5")
    first = info()
    assert (first.address, first.online) == ("203.0.113.5", False)
    assert first.used_at_ms % 60_000 == 0
    entries = metrics.rig.store.open().people.tokens
    metrics.status(token, address="203.0.113.5")
    assert metrics.rig.store.open().people.tokens == entries
    metrics.rig.pass_time(60)
    metrics.status(token, address="203.0.113.5")
    assert info().used_at_ms == first.used_at_ms + 60_000


def test_a_request_is_answered_although_its_use_cannot_be_noted(metrics: MetricsRig) -> None:
    token = metrics.bot().token
    asked: list[str] = []

    def full(when: str) -> None:
        asked.append(when)
        raise DiskFull

    metrics.rig.store.fault = full
    assert metrics.status(token) == 200
    assert asked, "it was to be noted"


def test_only_a_good_token_is_known_and_not_after_its_end(metrics: MetricsRig) -> None:
    root = metrics.administrator()
    token = bot(metrics.rig, root, scopes=METRICS)
    known = metrics.paths.is_known
    assert known(metrics.head(token.token)), "also before its first request: it is judged anew each time"
    assert not known(metrics.head(None))
    assert not known(metrics.head(NONE))
    assert not known(metrics.head(metrics.bot(Scope.POST).token))
    metrics.rig.do(root, RemoveToken(7, token.info.token))
    assert not known(metrics.head(token.token))


# --- Where it stands --------------------------------------------------------------------------------------------------


def test_the_path_is_one_path_and_no_prefix(metrics: MetricsRig) -> None:
    prefixes = ProgramPrefixes({"/api/": metrics.api.paths, METRICS_PATH: metrics.paths})
    assert prefixes.most_body("/metrics", "GET") == 1
    for path in ("/metrics/", "/metrics/x", "/metricsx", "/metric", "/", "", "/api", "//metrics", "/x/metrics"):
        assert prefixes.most_body(path, "GET") == 0, path
    assert prefixes.is_known(metrics.head(metrics.bot().token))
    error = HttpError(400, "x")
    error.path = "/metrics"
    assert b"application/problem+json" in prefixes.error_answer(error).head  # type: ignore[union-attr]
