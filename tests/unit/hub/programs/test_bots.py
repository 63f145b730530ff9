"""Bots, incoming webhooks and API tokens: what they may do and hear, whose they are, and when they end."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from securechat.errors import ErrorCode, Refusal
from securechat.hub.accounts.authentication import LoginKind, login_kind
from securechat.hub.programs.scopes import NEEDED
from securechat.limits import Limits
from securechat.model import (
    Acked,
    AddBot,
    AddToken,
    AskBots,
    AskPeople,
    AskTokens,
    AskUnread,
    BotInfo,
    BotList,
    ChangePassword,
    Command,
    Direct,
    Done,
    Found,
    Grant,
    Hello,
    History,
    HistoryPage,
    InviteTo,
    Join,
    Joined,
    Leave,
    Left,
    Message,
    Moderate,
    Nick,
    PeopleList,
    Ping,
    Pong,
    Quit,
    Refused,
    RemoveBot,
    RemoveToken,
    Rooms,
    RoomsPage,
    RotateToken,
    Say,
    Search,
    SearchPage,
    SetRoom,
    TokenInfo,
    TokenList,
    TokenMade,
    Typing,
    TypingNow,
    Welcome,
    Whois,
)
from securechat.records.accounts import AccountKind, ApiToken, Role, Scope
from securechat.text.api_tokens import is_well_formed
from tests.support.hub_rig import FakePeer, HubRig
from tests.unit.hub.accounts.test_accounts import PASSWORD, hello, refusal
from tests.unit.hub.admin.test_commands import act, audit
from tests.unit.hub.rooms.test_rooms import join, ok, person, refused, say, who

DAY_S = 86_400


@pytest.fixture
def rig() -> HubRig:
    return HubRig()


def made(rig: HubRig, peer: FakePeer, command: Any) -> TokenMade:
    before = len(peer.of(TokenMade))
    rig.do(peer, command)
    assert len(peer.of(TokenMade)) == before + 1, peer.events[-1]
    return peer.last(TokenMade)


def bot(rig: HubRig, maker: FakePeer, name: str = "deploy", **options: Any) -> TokenMade:
    return made(rig, maker, AddBot(ref=7, name=name, **options))


def hook(rig: HubRig, maker: FakePeer, room: str = "ops", name: str = "grafana") -> TokenMade:
    return made(rig, maker, AddBot(ref=7, name=name, kind="hook", rooms=[room]))


def program(rig: HubRig, token: str, **options: Any) -> FakePeer:
    """A connection by an API token, which was let in."""
    peer = hello(rig, "x", token=token, **options)
    assert peer.of(Welcome), peer.events
    return peer


def administer(rig: HubRig, name: str, *arguments: Any, **options: Any) -> Any:
    told: list[Any] = []
    getattr(rig.hub.admin_commands.programs, name)("root", *arguments, **options, done=told.append)
    rig.settle()
    (answer,) = told
    return answer


def restart(rig: HubRig) -> None:
    rig.settle()
    rig.open(rig.keys)


# --- Making -----------------------------------------------------------------------------------------------------------


def test_a_bot_is_made_with_its_token_and_posts(rig: HubRig) -> None:
    ann = person(rig, "ann", "ops")
    token = bot(rig, ann, rooms=["ops"])
    assert is_well_formed(token.token)
    assert token.bot is not None
    assert token.bot.bot
    assert (token.info.rooms, token.info.scopes, token.info.used_at_ms) == (["ops"], ["post", "read"], None)
    deploy = program(rig, token.token)
    welcome = deploy.last(Welcome)
    assert (welcome.name, welcome.sender_id, welcome.account, welcome.token) == ("deploy", token.bot.id, True, "")
    say(rig, deploy, "ops", "build 7 is green")
    message = ann.messages[-1]
    assert (message.text, message.name, message.bot) == ("build 7 is green", "deploy", True)
    assert not say(rig, ann, "ops", "thanks")[-1].bot


def test_a_person_sees_that_it_is_a_bot_everywhere(rig: HubRig) -> None:
    ann = person(rig, "ann", "ops")
    token = bot(rig, ann, rooms=["ops"])
    deploy = program(rig, token.token)
    say(rig, deploy, "ops", "green")
    rig.do(ann, History(ref=5, room="ops"))
    entry = ann.last(HistoryPage).messages[-1]
    assert isinstance(entry, Message)
    assert entry.bot
    rig.do(ann, Whois(ref=5, name="deploy"))
    assert ann.last(Found).person.bot
    rig.do(ann, AskPeople(ref=5, ids=[who(ann), who(deploy)]))
    assert [each.bot for each in ann.last(PeopleList).people] == [False, True]
    bob = person(rig, "bob", "ops")
    assert [each.name for each in bob.last(Joined).members if each.bot] == ["deploy"]
    rig.lose(deploy)
    rig.do(ann, Whois(ref=5, name="deploy"))
    assert ann.last(Found).person.bot, "also of one that is away"


def test_messages_of_a_bot_stay_a_bot_s_after_it_is_gone_and_over_a_restart(rig: HubRig) -> None:
    ann = person(rig, "ann", "ops")
    token = bot(rig, ann, rooms=["ops"])
    deploy = program(rig, token.token)
    say(rig, deploy, "ops", "green")
    ok(rig, ann, RemoveBot(ref=1, bot=who(deploy)))
    assert deploy.closed is not None
    restart(rig)
    ann = hello(rig, "ann", password=PASSWORD)
    rig.do(ann, History(ref=5, room="ops"))
    entry = ann.last(HistoryPage).messages[-1]
    assert isinstance(entry, Message)
    assert (entry.text, entry.name) == ("green", "deploy")
    assert hello(rig, "deploy").of(Welcome), "the name is free again"


@pytest.mark.parametrize("name", ["ann", "ANN", "аnn", "server", "", "x" * 33, "a\nb"])
def test_a_bot_s_name_has_to_be_free_and_a_name(rig: HubRig, name: str) -> None:
    ann = person(rig, "ann")
    before = len(rig.hub.context.accounts.accounts)
    rig.do(ann, AddBot(ref=1, name=name))
    assert ann.of(Refused)
    assert not ann.of(TokenMade)
    assert len(rig.hub.context.accounts.accounts) == before


def test_a_bot_by_the_name_of_an_account_is_not_told_to_log_in(rig: HubRig) -> None:
    ann = person(rig, "ann")
    bot(rig, ann)
    assert refused(rig, ann, AddBot(ref=1, name="deploy")) is ErrorCode.NAME_IN_USE
    assert ann.last(Refused).reason == "name_not_free"


def test_an_administrator_is_told_nothing_of_the_commands_of_a_chat(rig: HubRig) -> None:
    rig.member("guest")
    for name, arguments, options, reason in (
        ("remove_token", (99,), {}, "unknown_token"),
        ("add_bot", ("b",), {"kind": AccountKind.BOT, "rooms": ["ops"], "scopes": [], "days": None}, "unknown_room"),
    ):
        with pytest.raises(Refusal) as caught:
            administer(rig, name, *arguments, **options)
        assert (caught.value.reason, "/" in str(caught.value)) == (reason, False)


def test_the_name_of_a_guest_who_is_here_is_not_taken_away(rig: HubRig) -> None:
    ann, guest = person(rig, "ann"), rig.member("deploy")
    assert refused(rig, ann, AddBot(ref=1, name="deploy")) is ErrorCode.NAME_IN_USE
    rig.do(guest, Quit())
    bot(rig, ann)
    assert refusal(hello(rig, "deploy")) is ErrorCode.LOGIN_REQUIRED


def test_a_bot_has_no_password_and_is_no_person_to_administrators(rig: HubRig) -> None:
    ann = person(rig, "ann")
    bot(rig, ann)
    assert refusal(hello(rig, "deploy", password=PASSWORD)) is ErrorCode.LOGIN_FAILED
    for command, arguments in (
        ("reset_password", ("deploy",)),
        ("role", ("deploy", Role.ADMIN)),
    ):
        with pytest.raises(Refusal) as refused_:
            act(rig, command, *arguments)
        assert refused_.value.reason == "account_is_bot"


def test_guests_and_bots_make_no_bots(rig: HubRig) -> None:
    guest, ann = rig.member("guest"), person(rig, "ann")
    assert refused(rig, guest, AddBot(ref=1, name="x1")) is ErrorCode.ACCOUNT_NEEDED
    deploy = program(rig, bot(rig, ann).token)
    for command in (AddBot(ref=1, name="x1"), AddToken(ref=1, name="x"), AskBots(ref=1), AskTokens(ref=1)):
        assert refused(rig, deploy, command) is ErrorCode.NO_RIGHT
    mine = made(rig, ann, AddToken(ref=1, name="cron"))
    cron = program(rig, mine.token)
    assert refused(rig, cron, AddToken(ref=1, name="x")) is ErrorCode.NO_RIGHT


def test_bots_are_bounded_for_each_account_and_day(rig: HubRig) -> None:
    rig = HubRig(Limits(bots_per_account=2, bots_made_per_account_day=4, bots_total=5))
    ann = person(rig, "ann")
    first = bot(rig, ann, "b1")
    bot(rig, ann, "b2")
    assert refused(rig, ann, AddBot(ref=1, name="b3")) is ErrorCode.TOO_MANY
    assert first.bot is not None
    ok(rig, ann, RemoveBot(ref=1, bot=first.bot.id))
    third = bot(rig, ann, "b3")
    assert third.bot is not None
    ok(rig, ann, RemoveBot(ref=1, bot=third.bot.id))
    fourth = bot(rig, ann, "b4")
    assert fourth.bot is not None
    ok(rig, ann, RemoveBot(ref=1, bot=fourth.bot.id))
    assert refused(rig, ann, AddBot(ref=1, name="b5")) is ErrorCode.QUOTA
    bob, carl = person(rig, "bob"), person(rig, "carl")
    bot(rig, bob, "b6")
    bot(rig, bob, "b7")
    bot(rig, carl, "b8")
    bot(rig, carl, "b9")
    assert refused(rig, person(rig, "dora"), AddBot(ref=1, name="b10")) is ErrorCode.TOO_MANY


# --- Tokens -----------------------------------------------------------------------------------------------------------


def test_each_way_in_which_a_token_is_none_has_its_own_answer(rig: HubRig) -> None:
    ann = person(rig, "ann")
    token = bot(rig, ann, days=1).token
    reasons = {}
    wrong = token[:-1] + ("a" if token[-1] != "a" else "b")
    for what, each in (("mistyped", wrong), ("short", token[:-1])):
        reasons[what] = hello(rig, "x", token=each).last(Refused)
    rig.now += DAY_S + 1
    reasons["expired"] = hello(rig, "x", token=token).last(Refused)
    other = HubRig()
    bob = person(other, "bob")
    bot(other, bob, "first")
    reasons["unknown"] = hello(rig, "x", token=bot(other, bob).token).last(Refused)
    assert {each.code for each in reasons.values()} == {ErrorCode.TOKEN_INVALID}
    assert {what: each.reason for what, each in reasons.items()} == {
        "mistyped": "token_mistyped",
        "short": "token_mistyped",
        "expired": "token_expired",
        "unknown": "token_unknown",
    }


def test_every_mistyped_character_is_found(rig: HubRig) -> None:
    token = bot(rig, person(rig, "ann")).token
    for at in range(4, len(token)):
        assert not is_well_formed(token[:at] + ("a" if token[at] != "a" else "b") + token[at + 1 :])
    assert not any(is_well_formed(each) for each in (token + "a", token[:-1], token.swapcase(), ""))


def test_what_is_stored_is_a_hash(rig: HubRig) -> None:
    token = bot(rig, person(rig, "ann")).token
    for row in rig.store.open().people.tokens:
        assert token not in str(row)
        assert token.encode() not in row.token_hash
    assert token not in str(rig.happened_)
    assert token not in str(audit(rig))
    assert token not in repr(Hello(1, "x", "0" * 32, token=token))


def test_use_is_noted_to_the_minute_and_once_a_minute(rig: HubRig) -> None:
    ann = person(rig, "ann")
    token = bot(rig, ann).token
    program(rig, token, address="203.0.113.5")
    rig.do(ann, AskBots(ref=1))
    (info,) = ann.last(BotList).bots[0].tokens
    assert (info.address, info.online) == ("203.0.113.5", True)
    assert info.used_at_ms is not None
    assert info.used_at_ms % 60_000 == 0
    assert 0 <= rig.wall_ms() - info.used_at_ms < 60_000
    row = next(iter(rig.hub.context.accounts.tokens.values()))
    program(rig, token, secret="5" * 32, address="203.0.113.5")
    assert next(iter(rig.hub.context.accounts.tokens.values())) is row, "nothing new to store"
    rig.now += 60
    program(rig, token, secret="6" * 32, address="203.0.113.5")
    assert next(iter(rig.hub.context.accounts.tokens.values())).used_at_ms == info.used_at_ms + 60_000


def test_a_rotated_token_lives_a_day_beside_the_new_one(rig: HubRig) -> None:
    ann = person(rig, "ann", "ops")
    old = bot(rig, ann, rooms=["ops"])
    deploy = program(rig, old.token)
    new = made(rig, ann, RotateToken(ref=1, token=old.info.token))
    assert new.bot == old.bot
    assert (new.info.scopes, new.info.rooms, new.info.expires_at_ms) == (old.info.scopes, old.info.rooms, None)
    assert new.token != old.token
    rig.pass_time(DAY_S - 5)
    program(rig, old.token, secret="4" * 32)
    assert deploy.closed is None
    rig.pass_time(10)
    assert deploy.closed is not None
    assert deploy.closed.reason == "token_ended"
    assert hello(rig, "x", token=old.token).last(Refused).reason == "token_expired"
    program(rig, new.token)


def test_the_use_of_a_token_that_is_being_rotated_does_not_undo_its_end(rig: HubRig) -> None:
    ann = person(rig, "ann")
    old = bot(rig, ann)
    rig.do(ann, RotateToken(ref=1, token=old.info.token), settle=False)
    peer = rig.peer()
    rig.do(peer, Hello(1, "x", "9" * 32, token=old.token))
    assert peer.of(Welcome)
    assert rig.hub.context.accounts.tokens[old.info.token].expires_at_ms is not None
    assert {row.token_id: row for row in rig.store.open().people.tokens}[old.info.token].expires_at_ms is not None


def test_a_removed_token_ends_its_connections_at_once_and_no_others(rig: HubRig) -> None:
    ann = person(rig, "ann")
    one, two = made(rig, ann, AddToken(ref=1, name="one")), made(rig, ann, AddToken(ref=1, name="two"))
    first, second = program(rig, one.token), program(rig, two.token)
    ok(rig, ann, RemoveToken(ref=1, token=one.info.token))
    assert first.closed is not None
    assert first.closed.code is ErrorCode.LOGGED_OUT
    assert second.closed is None
    assert ann.closed is None
    assert hello(rig, "x", token=one.token).last(Refused).reason == "token_unknown"


def test_a_token_that_is_removed_while_its_hello_is_answered_lets_no_one_in(rig: HubRig) -> None:
    ann = person(rig, "ann")
    one = made(rig, ann, AddToken(ref=1, name="one"))
    rig.do(ann, RemoveToken(ref=1, token=one.info.token), settle=False)
    peer = rig.peer()
    rig.do(peer, Hello(1, "x", "9" * 32, token=one.token))
    assert not peer.of(Welcome)
    late = rig.peer()
    two = made(rig, ann, AddToken(ref=1, name="two"))
    rig.do(late, Hello(1, "x", "8" * 32, token=two.token), settle=False)
    rig.do(ann, RemoveToken(ref=1, token=two.info.token))
    assert not late.of(Welcome) or late.closed is not None


def test_a_token_that_expires_ends_its_connections(rig: HubRig) -> None:
    ann = person(rig, "ann")
    token = made(rig, ann, AddToken(ref=1, name="one", days=1))
    cron = program(rig, token.token)
    rig.pass_time(DAY_S + 2)
    assert cron.closed is not None
    assert cron.closed.reason == "token_ended"
    assert ann.closed is None


def test_persons_see_and_end_their_own_tokens_alone(rig: HubRig) -> None:
    ann, bob = person(rig, "ann", "ops"), person(rig, "bob")
    mine = made(rig, ann, AddToken(ref=1, name="cron", scopes=["post"], rooms=["ops"], days=30))
    made(rig, bob, AddToken(ref=1, name="his"))
    rig.do(ann, AskTokens(ref=3))
    (info,) = ann.last(TokenList).tokens
    assert (info.name, info.scopes, info.rooms) == ("cron", ["post"], ["ops"])
    assert info.expires_at_ms == info.since_ms + 30 * DAY_S * 1000
    for command in (RemoveToken(ref=1, token=mine.info.token), RotateToken(ref=1, token=mine.info.token)):
        assert refused(rig, bob, command) is ErrorCode.NOT_FOUND
    ok(rig, ann, RemoveToken(ref=1, token=mine.info.token))
    rig.do(ann, AskTokens(ref=3))
    assert ann.last(TokenList).tokens == []


@pytest.mark.parametrize("name", ["", "   ", "x" * 33, "a\x1b[31m", "a\u202eb"])
def test_a_token_s_name_is_visible_text(rig: HubRig, name: str) -> None:
    assert refused(rig, person(rig, "ann"), AddToken(ref=1, name=name)) is ErrorCode.INVALID


def test_tokens_are_bounded(rig: HubRig) -> None:
    rig = HubRig(Limits(tokens_per_account=2))
    ann = person(rig, "ann")
    for name in ("one", "two"):
        made(rig, ann, AddToken(ref=1, name=name))
    assert refused(rig, ann, AddToken(ref=1, name="three")) is ErrorCode.TOO_MANY
    deploy = bot(rig, ann)
    token = deploy.info.token
    for _ in range(3):
        token = made(rig, ann, RotateToken(ref=1, token=token)).info.token
    assert refused(rig, ann, RotateToken(ref=1, token=token)) is ErrorCode.TOO_MANY


def test_expired_tokens_are_forgotten_after_a_month(rig: HubRig) -> None:
    ann = person(rig, "ann")
    made(rig, ann, AddToken(ref=1, name="one", days=1))
    made(rig, ann, AddToken(ref=1, name="two"))
    rig.now += 20 * DAY_S
    rig.hub.tidy()
    rig.settle()
    assert len(rig.store.open().people.tokens) == 2
    rig.now += 20 * DAY_S
    rig.hub.tidy()
    rig.settle()
    assert [row.name for row in rig.store.open().people.tokens] == ["two"]


def test_a_token_messages_at_a_rate_of_its_own(rig: HubRig) -> None:
    rig = HubRig(Limits(message_burst=2, message_rate=1, bot_message_burst=5, bot_message_rate=10), rates=True)
    ann = person(rig, "ann")
    cron = program(rig, made(rig, ann, AddToken(ref=1, name="cron")).token)
    waits = [rig.do(cron, Say(client_id=n, room="lobby", text="x")) for n in range(1, 7)]
    assert [bool(wait_s) for wait_s in waits] == [False] * 5 + [True]
    assert not rig.do(ann, Say(client_id=1, room="lobby", text="x")), "the person's own rate is untouched"
    again = program(rig, made(rig, ann, AddToken(ref=1, name="other")).token)
    assert not rig.do(again, Say(client_id=1, room="lobby", text="x"))


# --- Scopes and rooms -------------------------------------------------------------------------------------------------


def test_every_command_has_its_place_in_the_table_of_scopes() -> None:
    forbidden = {
        "SetRoom", "InviteTo", "Moderate", "Grant", "Nick", "Hello", "Register", "ChangePassword", "Logins", "Logout",
        "Certificates", "AddCertificate", "RemoveCertificate", "AddBot", "AskBots", "RemoveBot", "AddToken",
        "AskTokens", "RotateToken", "RemoveToken",
    }  # fmt: skip
    always = {"Ping", "Pong", "Quit"}
    named = {kind.__name__ for kind in NEEDED}
    assert named | forbidden | always == {kind.__name__ for kind in get_args(Command)}
    assert not named & (forbidden | always)


def test_a_token_that_only_posts_reads_and_hears_nothing(rig: HubRig) -> None:
    ann, bob = person(rig, "ann", "ops"), person(rig, "bob", "ops")
    ok(rig, ann, SetRoom(ref=1, room="ops", topic="the secret plan"))
    cron = program(rig, made(rig, ann, AddToken(ref=1, name="cron", scopes=["post"])).token)
    say(rig, bob, "ops", "psst")
    rig.do(bob, Direct(client_id=90, to=who(ann), text="for ann"))
    rig.do(bob, Typing(room="ops"))
    rig.pass_time(1)
    assert not cron.of(Message)
    assert not cron.of(TypingNow)
    assert all(not joined.members and not joined.topic for joined in cron.of(Joined))
    for command in (History(ref=1, room="ops"), Search(ref=1, query="psst"), History(ref=1, peer=who(bob))):
        assert refused(rig, cron, command) is ErrorCode.NO_RIGHT
    rig.do(cron, Say(client_id=1, room="ops", text="green"))
    assert cron.last(Acked).client_id == 1
    assert bob.messages[-1].text == "green"
    assert not bob.messages[-1].bot, "a person's token speaks for the person"


def test_a_token_that_only_reads_says_nothing(rig: HubRig) -> None:
    ann, bob = person(rig, "ann", "ops"), person(rig, "bob", "ops")
    reader = program(rig, made(rig, ann, AddToken(ref=1, name="r", scopes=["read"])).token)
    assert refused(rig, reader, Say(client_id=1, room="ops", text="x")) is ErrorCode.NO_RIGHT
    assert refused(rig, reader, Direct(client_id=2, to=who(bob), text="x")) is ErrorCode.NO_RIGHT
    say(rig, bob, "ops", "hello")
    assert reader.messages[-1].text == "hello"
    rig.do(reader, History(ref=4, room="ops"))
    assert reader.of(HistoryPage)


def test_a_token_for_some_rooms_knows_no_other(rig: HubRig) -> None:
    ann, bob = person(rig, "ann", "ops", "board"), person(rig, "bob", "ops", "board")
    scopes: list[Any] = ["post", "read"]
    token = made(rig, ann, AddToken(ref=1, name="t", scopes=scopes, rooms=["ops"]))
    cron = program(rig, token.token)
    assert {joined.room for joined in cron.of(Joined)} == {"ops", "lobby"}
    assert cron.last(Welcome).rooms == 2
    assert all(not joined.members for joined in cron.of(Joined) if joined.room == "lobby")
    say(rig, bob, "board", "secret")
    rig.do(bob, Direct(client_id=90, to=who(ann), text="for ann"))
    say(rig, bob, "lobby", "hi all")
    assert not cron.messages
    say(rig, bob, "ops", "for all")
    assert [message.text for message in cron.messages] == ["for all"]
    elsewhere, nowhere = (
        [
            Say(client_id=number, room=room, text="x"),
            History(ref=1, room=room),
            Leave(ref=1, room=room),
            Search(ref=1, query=f"secret in:{room}"),
        ]
        for number, room in enumerate(("board", "nothere"), 1)
    )
    for there, missing in zip(elsewhere, nowhere, strict=True):
        assert refused(rig, cron, there) is refused(rig, cron, missing), (
            "no other answer than for one that is not there"
        )
    for dialogue in (History(ref=1, peer=who(bob)), AskUnread(ref=1), Direct(client_id=3, to=who(bob), text="x")):
        assert refused(rig, cron, dialogue) is ErrorCode.NO_RIGHT
    rig.do(cron, Say(client_id=4, room="ops", text="green"))
    assert cron.of(Acked)


def test_a_token_for_some_rooms_reads_and_searches_all_of_those(rig: HubRig) -> None:
    ann, bob = person(rig, "ann", "ops", "board"), person(rig, "bob", "ops", "board")
    scopes: list[Any] = ["post", "read"]
    cron = program(rig, made(rig, ann, AddToken(ref=1, name="t", scopes=scopes, rooms=["ops"])).token)
    for room in ("board", "ops", "lobby"):
        say(rig, bob, room, f"word for {room}")
    rig.do(bob, Direct(client_id=90, to=who(ann), text="word for ann"))
    rig.do(cron, History(ref=1, after=0))
    assert [entry.text for entry in cron.last(HistoryPage).messages] == ["word for ops"]
    for query in ("word", "word in:ops"):
        rig.do(cron, Search(ref=1, query=query))
        assert [hit.message.text for hit in cron.last(SearchPage).hits] == ["word for ops"]
    rig.do(cron, Leave(ref=1, room="ops"))
    rig.do(cron, History(ref=2, after=0))
    assert cron.last(HistoryPage).messages == []
    rig.do(cron, Search(ref=2, query="word"))
    assert cron.last(SearchPage).hits == []


def test_a_token_for_some_rooms_hears_of_no_other_that_its_account_leaves(rig: HubRig) -> None:
    ann = person(rig, "ann", "ops", "plans")
    ok(rig, ann, SetRoom(ref=5, room="plans", private=True))
    token = made(rig, ann, AddToken(ref=7, name="script", rooms=["ops"]))
    script = program(rig, token.token)
    rig.do(ann, Leave(ref=8, room="plans", sure=True))
    assert script.of(Left) == []
    bob = person(rig, "bob", "den")
    join(rig, ann, "den")
    ok(rig, bob, Moderate(ref=9, room="den", person=who(ann), act="kick"))
    assert script.of(Left) == []
    rig.do(ann, Leave(ref=8, room="ops"))
    assert [left.room for left in script.of(Left)] == ["ops"]


def test_a_token_for_some_rooms_lists_those_alone(rig: HubRig) -> None:
    ann = person(rig, "ann", "ops", "plans", "den")
    ok(rig, ann, SetRoom(ref=5, room="plans", private=True))
    person(rig, "bob", "cafe")
    token = made(rig, ann, AddToken(ref=7, name="script", rooms=["lobby", "ops", "plans"]))
    script = program(rig, token.token)
    rig.do(script, Rooms(ref=5))
    assert [each.room for each in script.last(RoomsPage).rooms] == ["lobby", "ops", "plans"]
    rig.do(script, Rooms(ref=6, after="lobby"))
    assert [each.room for each in script.last(RoomsPage).rooms] == ["ops", "plans"]
    rig.do(ann, Leave(ref=8, room="plans", sure=True))
    rig.do(script, Rooms(ref=7))
    assert [each.room for each in script.last(RoomsPage).rooms] == ["lobby", "ops"]


def test_a_token_of_an_account_that_enters_another_room_is_not_greeted_there(rig: HubRig) -> None:
    ann = person(rig, "ann", "ops")
    token = made(rig, ann, AddToken(ref=7, name="script", rooms=["lobby"], scopes=["read"]))
    script = program(rig, token.token)
    later = hello(rig, "ann", password=PASSWORD, secret=f"{5:032x}")
    rig.hub.handle(ann, Join(ref=8, rooms=["den"]))
    rig.lose(ann)
    rig.settle()
    assert [each.room for each in script.of(Joined)] == ["lobby"]
    assert "den" in {each.room for each in later.of(Joined)}


def test_the_rooms_of_a_token_follow_a_new_name_and_not_a_new_room(rig: HubRig) -> None:
    ann = person(rig, "ann", "ops")
    token = bot(rig, ann, rooms=["ops"])
    deploy = program(rig, token.token)
    ok(rig, ann, SetRoom(ref=1, room="ops", name="operations"))
    rig.do(deploy, Say(client_id=1, room="operations", text="x"))
    assert deploy.of(Acked)
    join(rig, person(rig, "bob"), "ops")
    again = program(rig, token.token, secret="5" * 32)
    rig.do(again, Join(ref=3, rooms=["ops"]))
    assert not [joined for joined in again.of(Joined) if joined.room == "ops"]


def test_a_program_opens_no_room_and_owns_none(rig: HubRig) -> None:
    ann = person(rig, "ann", "ops")
    deploy = program(rig, bot(rig, ann).token)
    assert refused(rig, deploy, Join(ref=1, rooms=["new"])) is ErrorCode.NO_SUCH_ROOM
    join(rig, deploy, "ops")
    assert rig.belongs("ops", who(deploy))
    rig.do(ann, Leave(ref=1, room="ops"))
    room = rig.hub.context.rooms.named("ops")
    assert room is not None
    assert room.role_word(who(deploy)) == "member", "nor does it inherit one"
    bob = person(rig, "bob", "ops")
    assert room.role_word(who(bob)) == "owner"


def test_the_last_person_of_a_private_room_is_asked_although_a_bot_stays(rig: HubRig) -> None:
    ann = person(rig, "ann", "ops")
    ok(rig, ann, SetRoom(ref=1, room="ops", private=True))
    bot(rig, ann, rooms=["ops"])
    assert refused(rig, ann, Leave(ref=1, room="ops")) is ErrorCode.LAST_MEMBER


def test_a_program_marks_no_direct_message_as_delivered_to_its_person(rig: HubRig) -> None:
    ann, bob = person(rig, "ann"), person(rig, "bob")
    scopes: list[Any] = ["post", "read"]
    token = made(rig, ann, AddToken(ref=1, name="t", scopes=scopes)).token
    rig.do(ann, Quit())
    seen = rig.hub.context.accounts.accounts[who(ann)].seen_seq
    cron = program(rig, token)
    rig.do(bob, Direct(client_id=1, to=who(ann), text="for ann"))
    assert cron.messages[-1].text == "for ann"
    rig.do(cron, Quit())
    assert rig.hub.context.accounts.accounts[who(ann)].seen_seq == seen
    again = hello(rig, "ann", password=PASSWORD)
    assert again.last(Welcome).seen_seq == seen


# --- Whose right ------------------------------------------------------------------------------------------------------


def test_a_bot_is_muted_with_its_maker(rig: HubRig) -> None:
    ann = person(rig, "ann", "ops")
    deploy = program(rig, bot(rig, ann, rooms=["ops"]).token)
    act(rig, "mute", "ann", reason="", duration_s=None)
    assert refused(rig, deploy, Say(client_id=1, room="ops", text="x")) is ErrorCode.MUTED
    act(rig, "unmute", "ann")
    rig.do(deploy, Say(client_id=2, room="ops", text="x"))
    assert deploy.of(Acked)


def test_a_bot_is_muted_in_a_room_with_its_maker(rig: HubRig) -> None:
    bob, ann = person(rig, "bob", "ops"), person(rig, "ann", "ops")
    deploy = program(rig, bot(rig, ann, rooms=["ops"]).token)
    ok(rig, bob, Moderate(ref=1, room="ops", person=who(ann), act="mute"))
    assert refused(rig, deploy, Say(client_id=1, room="ops", text="x")) is ErrorCode.MUTED


def test_a_bot_has_no_higher_rank_than_its_maker(rig: HubRig) -> None:
    bob, ann = person(rig, "bob", "ops"), person(rig, "ann", "ops")
    deploy = program(rig, bot(rig, ann, rooms=["ops"]).token)
    ok(rig, bob, Grant(ref=1, room="ops", person=who(deploy), role="moderator"))
    ok(rig, bob, SetRoom(ref=1, room="ops", read_only=True))
    assert refused(rig, deploy, Say(client_id=1, room="ops", text="x")) is ErrorCode.READ_ONLY
    ok(rig, bob, Grant(ref=1, room="ops", person=who(ann), role="moderator"))
    rig.do(deploy, Say(client_id=2, room="ops", text="x"))
    assert deploy.of(Acked)


@pytest.mark.parametrize("how", ["kick", "ban", "leave"])
def test_a_bot_leaves_a_private_room_with_its_maker(rig: HubRig, how: str) -> None:
    bob, ann = person(rig, "bob", "ops"), person(rig, "ann", "ops")
    ok(rig, bob, SetRoom(ref=1, room="ops", private=True))
    ok(rig, bob, Grant(ref=1, room="ops", person=who(ann), role="moderator"))
    deploy = program(rig, bot(rig, ann, rooms=["ops"]).token)
    assert deploy.last(Joined).room == "ops"
    if how == "leave":
        rig.do(ann, Leave(ref=1, room="ops"))
    else:
        act_: Any = how
        ok(rig, bob, Moderate(ref=1, room="ops", person=who(ann), act=act_))
    assert deploy.last(Left).reason == "maker_has_no_right"
    assert not rig.belongs("ops", who(deploy))
    say(rig, bob, "ops", "now between us")
    assert not deploy.messages
    assert refused(rig, deploy, Join(ref=1, rooms=["ops"])) is ErrorCode.NO_SUCH_ROOM


def test_a_ban_of_the_maker_from_a_public_room_takes_the_bot_along(rig: HubRig) -> None:
    bob, ann = person(rig, "bob", "ops"), person(rig, "ann", "ops")
    deploy = program(rig, bot(rig, ann, rooms=["ops"]).token)
    ok(rig, bob, Moderate(ref=1, room="ops", person=who(ann), act="ban"))
    assert deploy.last(Left).room == "ops"
    assert refused(rig, deploy, Say(client_id=1, room="ops", text="x")) is ErrorCode.NOT_A_MEMBER
    assert refused(rig, deploy, Join(ref=1, rooms=["ops"])) is ErrorCode.ROOM_BANNED


def test_a_room_that_becomes_private_without_the_maker_loses_the_bot(rig: HubRig) -> None:
    bob, ann = person(rig, "bob", "ops"), person(rig, "ann", "ops")
    deploy = program(rig, bot(rig, ann, rooms=["ops"]).token)
    rig.do(ann, Leave(ref=1, room="ops"))
    assert rig.belongs("ops", who(deploy)), "the maker may come back to a public room"
    ok(rig, bob, SetRoom(ref=1, room="ops", private=True))
    assert not rig.belongs("ops", who(deploy))
    say(rig, bob, "ops", "between us")
    assert not [message for message in deploy.messages if message.text == "between us"]


def test_a_bot_stops_while_its_maker_is_banned(rig: HubRig) -> None:
    ann = person(rig, "ann")
    token = bot(rig, ann).token
    deploy = program(rig, token)
    act(rig, "ban", "ann", reason="", duration_s=None)
    rig.pass_time(1)
    rig.hub.tick()
    rig.settle()
    assert deploy.closed is not None
    assert deploy.closed.reason == "bot_stopped"
    assert hello(rig, "x", token=token).last(Refused).reason == "bot_stopped"
    (info,) = rig.hub.admin_commands.programs.bots()
    assert info.stopped
    act(rig, "unban", "ann")
    program(rig, token)


def test_a_bot_stops_for_good_when_its_maker_is_deleted(rig: HubRig) -> None:
    ann = person(rig, "ann")
    token, own = bot(rig, ann).token, made(rig, ann, AddToken(ref=1, name="t")).token
    deploy, cron = program(rig, token), program(rig, own)
    act(rig, "delete_user", "ann", remove=False, progress=lambda _: None)
    assert deploy.closed is not None
    assert cron.closed is not None
    for each in (token, own):
        assert hello(rig, "x", token=each).last(Refused).code is ErrorCode.TOKEN_INVALID
    restart(rig)
    assert hello(rig, "x", token=token).last(Refused).code is ErrorCode.TOKEN_INVALID
    (info,) = rig.hub.admin_commands.programs.bots()
    assert (info.stopped, info.made_by is not None) == (True, True)
    administer(rig, "remove_bot", "deploy")
    assert rig.hub.admin_commands.programs.bots() == []


def test_a_bot_of_an_administrator_who_is_one_no_more_leaves_private_rooms(rig: HubRig) -> None:
    bob, ann = person(rig, "bob", "ops"), person(rig, "ann")
    ok(rig, bob, SetRoom(ref=1, room="ops", private=True))
    act(rig, "role", "ann", Role.ADMIN)
    deploy = program(rig, bot(rig, ann, rooms=["ops"]).token)
    assert rig.belongs("ops", who(deploy))
    act(rig, "role", "ann", Role.MEMBER)
    assert not rig.belongs("ops", who(deploy))
    assert deploy.last(Left).room == "ops"


def test_a_bot_is_brought_into_a_private_room_by_who_may_invite(rig: HubRig) -> None:
    bob, ann = person(rig, "bob", "ops"), person(rig, "ann", "ops")
    ok(rig, bob, SetRoom(ref=1, room="ops", private=True))
    assert refused(rig, ann, AddBot(ref=1, name="deploy", rooms=["ops"])) is ErrorCode.NO_RIGHT
    carl = person(rig, "carl")
    hidden = refused(rig, carl, AddBot(ref=1, name="deploy", rooms=["ops"]))
    assert hidden is refused(rig, carl, AddBot(ref=1, name="deploy", rooms=["nothere"])) is ErrorCode.NO_SUCH_ROOM
    bot(rig, bob, rooms=["ops"])


# --- Webhooks ---------------------------------------------------------------------------------------------------------


def test_a_webhook_posts_into_its_one_room_and_does_nothing_else(rig: HubRig) -> None:
    ann = person(rig, "ann", "ops", "other")
    token = hook(rig, ann)
    assert (token.info.scopes, token.info.rooms) == (["hook"], ["ops"])
    grafana = program(rig, token.token)
    say(rig, ann, "ops", "secret")
    assert not grafana.messages
    rig.do(grafana, Say(client_id=1, room="ops", text="CPU high"))
    assert grafana.of(Acked)
    assert ann.messages[-1].bot
    assert refused(rig, grafana, Say(client_id=2, room="other", text="x")) is ErrorCode.NOT_A_MEMBER
    for command in (
        History(ref=1, room="ops"), Direct(client_id=3, to=who(ann), text="x"), Join(ref=1, rooms=["other"]),
        Nick(ref=1, name="ann2"), ChangePassword(ref=1, old="x" * 8, new="y" * 8),
    ):  # fmt: skip
        rig.do(grafana, command)
        assert isinstance(grafana.events[-1], Refused)
    rig.do(grafana, Ping(4))
    assert grafana.last(Pong).n == 4


def test_a_webhook_shows_its_sender_s_name_with_its_own_behind_it(rig: HubRig) -> None:
    ann = person(rig, "ann", "ops")
    grafana = program(rig, hook(rig, ann).token)
    rig.do(grafana, Say(client_id=1, room="ops", text="x", shown_as="Alerts via grafana"))
    assert ann.messages[-1].name == "Alerts via grafana"
    for name in ("ann", "Alerts", "Alerts via other", "\u202eAlerts via grafana", "x" * 40 + " via grafana"):
        assert refused(rig, grafana, Say(client_id=2, room="ops", text="x", shown_as=name))
    assert refused(rig, ann, Say(client_id=80, room="ops", text="x", shown_as="x via ann")) is ErrorCode.NO_RIGHT
    person(rig, "bob via grafana")
    taken = refused(rig, grafana, Say(client_id=3, room="ops", text="x", shown_as="bob via grafana"))
    assert taken is ErrorCode.NAME_IN_USE


def test_webhooks_belong_to_the_moderators_of_their_room(rig: HubRig) -> None:
    bob, ann, carl = person(rig, "bob", "ops"), person(rig, "ann", "ops"), person(rig, "carl", "ops")
    assert refused(rig, carl, AddBot(ref=1, name="h1", kind="hook", rooms=["ops"])) is ErrorCode.NO_RIGHT
    for rooms in ([], ["ops", "lobby"]):
        assert refused(rig, bob, AddBot(ref=1, name="h1", kind="hook", rooms=rooms)) is ErrorCode.INVALID
    token = hook(rig, bob)
    assert token.bot is not None
    ok(rig, bob, Grant(ref=1, room="ops", person=who(ann), role="moderator"))
    rig.do(ann, AskBots(ref=2, room="ops"))
    (info,) = ann.last(BotList).bots
    assert (info.name, info.kind, info.made_by and info.made_by.name) == ("grafana", "hook", "bob")
    assert refused(rig, carl, AskBots(ref=2, room="ops")) is ErrorCode.NO_RIGHT
    assert refused(rig, carl, RemoveBot(ref=2, bot=token.bot.id)) is ErrorCode.NOT_FOUND
    assert refused(rig, carl, RotateToken(ref=2, token=token.info.token)) is ErrorCode.NOT_FOUND
    made(rig, ann, RotateToken(ref=2, token=token.info.token))
    ok(rig, ann, RemoveBot(ref=2, bot=token.bot.id))
    assert hello(rig, "x", token=token.token).last(Refused).code is ErrorCode.TOKEN_INVALID


def test_bots_of_others_are_not_to_be_removed(rig: HubRig) -> None:
    ann, bob = person(rig, "ann", "ops"), person(rig, "bob")
    token = bot(rig, ann, rooms=["ops"])
    assert token.bot is not None
    for command in (RemoveBot(ref=1, bot=token.bot.id), RemoveBot(ref=1, bot=who(ann)), RemoveBot(ref=1, bot=999)):
        assert refused(rig, bob, command) is ErrorCode.NOT_FOUND
    rig.do(bob, AskBots(ref=1))
    assert bob.last(BotList).bots == []
    act(rig, "role", "bob", Role.ADMIN)
    ok(rig, bob, RemoveBot(ref=1, bot=token.bot.id))


def test_a_room_has_a_bound_of_webhooks(rig: HubRig) -> None:
    rig = HubRig(Limits(hooks_per_room=2))
    ann = person(rig, "ann", "ops", "other")
    for name in ("h1", "h2"):
        hook(rig, ann, name=name)
    assert refused(rig, ann, AddBot(ref=1, name="h3", kind="hook", rooms=["ops"])) is ErrorCode.TOO_MANY
    hook(rig, ann, room="other", name="h3")


# --- The administrator ------------------------------------------------------------------------------------------------


def test_an_administrator_makes_lists_rotates_and_removes(rig: HubRig) -> None:
    ann = person(rig, "ann", "ops")
    scopes = (Scope.POST, Scope.READ)
    token = administer(rig, "add_bot", "deploy", kind=AccountKind.BOT, rooms=["ops"], scopes=scopes, days=None)
    assert isinstance(token, TokenMade)
    deploy = program(rig, token.token)
    say(rig, deploy, "ops", "green")
    assert ann.messages[-1].bot
    (info,) = rig.hub.admin_commands.programs.bots()
    assert isinstance(info, BotInfo)
    assert (info.name, info.made_by, info.stopped) == ("deploy", None, False)
    assert [each.online for each in info.tokens] == [True]
    new = administer(rig, "rotate_bot", "deploy")
    program(rig, new.token, secret="5" * 32)
    assert len(rig.hub.admin_commands.programs.tokens_of("deploy")) == 2
    gone = administer(rig, "remove_token", new.info.token)
    assert isinstance(gone, ApiToken)
    assert isinstance(rig.hub.admin_commands.programs.tokens_of("deploy")[0], TokenInfo)
    assert administer(rig, "remove_bot", "deploy").name == "deploy"
    assert deploy.closed is not None
    acts = [entry.act for entry in audit(rig) if entry.actor == "root"]
    assert acts == ["add-bot", "rotate-bot", "remove-token", "remove-bot"]


def test_an_administrator_is_refused_what_makes_no_sense(rig: HubRig) -> None:
    person(rig, "ann", "ops")
    programs = rig.hub.admin_commands.programs
    for options in (
        {"kind": AccountKind.HOOK, "rooms": []}, {"kind": AccountKind.BOT, "rooms": ["nothere"]},
        {"kind": AccountKind.BOT, "rooms": [], "days": 0},
    ):  # fmt: skip
        with pytest.raises(Refusal):
            programs.add_bot("root", "x1", **{"scopes": [Scope.POST], "days": None, **options}, done=print)  # type: ignore[arg-type]
    with pytest.raises(Refusal) as refused:
        programs.add_bot("root", "x1", kind=AccountKind.BOT, rooms=[], scopes=[Scope.POST], days=9_999, done=print)
    assert refused.value.reason == "days_out_of_range"
    for call in (
        lambda: programs.remove_bot("root", "ann", print), lambda: programs.rotate_bot("root", "nobody", print),
        lambda: programs.remove_token("root", 999, print), lambda: programs.tokens_of("nobody"),
        lambda: programs.bots("nothere"),
    ):  # fmt: skip
        with pytest.raises(Refusal):
            call()


def test_a_hook_of_the_lobby_needs_no_record_of_it(rig: HubRig) -> None:
    ann = person(rig, "ann")
    token = administer(rig, "add_bot", "news", kind=AccountKind.HOOK, rooms=["lobby"], scopes=[], days=None)
    news = program(rig, token.token)
    rig.do(news, Say(client_id=1, room="lobby", text="x"))
    assert ann.messages[-1].bot
    assert [info.name for info in rig.hub.admin_commands.programs.bots("lobby")] == ["news"]


# --- Over a restart ---------------------------------------------------------------------------------------------------


def test_bots_tokens_and_their_bounds_are_there_after_a_restart(rig: HubRig) -> None:
    ann = person(rig, "ann", "ops")
    token = bot(rig, ann, rooms=["ops"], days=30)
    restart(rig)
    deploy = program(rig, token.token)
    assert deploy.last(Joined).room == "ops"
    ann = hello(rig, "ann", password=PASSWORD)
    rig.do(ann, AskBots(ref=1))
    (info,) = ann.last(BotList).bots
    (row,) = info.tokens
    assert (row.rooms, row.scopes, row.token) == (["ops"], ["post", "read"], token.info.token)
    rig.do(deploy, InviteTo(ref=1, room="ops", person=who(ann)))
    assert deploy.last(Refused).reason == "token_cannot"


def test_bots_are_told_in_pages(rig: HubRig) -> None:
    ann = person(rig, "ann", "ops")
    for n in range(12):
        bot(rig, ann, f"bot{n:02}", rooms=["ops"])
    ann.page_limits = ann.page_limits.of_frames(4096)
    names, after = [], None
    for _ in range(20):
        rig.do(ann, AskBots(ref=1, after=after))
        page = ann.last(BotList)
        names += [each.name for each in page.bots]
        if not page.more:
            break
        after = page.bots[-1].id
    assert names == [f"bot{n:02}" for n in range(12)]
    assert len(ann.of(BotList)) > 1


def test_a_hello_by_an_api_token_is_counted_as_one() -> None:
    assert login_kind(Hello(1, "x", "0" * 32, token="scb_x"), None) is LoginKind.API_TOKEN
    assert login_kind(Hello(1, "x", "0" * 32, token="0" * 32), None) is LoginKind.TOKEN
    assert Done(1).ref == 1
