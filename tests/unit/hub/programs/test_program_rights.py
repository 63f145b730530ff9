"""Rights of programs at the edges: races with what ends a right, refusing logs, restarts, and what tokens are told."""

from __future__ import annotations

from typing import Any

import pytest

from securechat.errors import ErrorCode, Refusal
from securechat.hub.rooms.membership import RoomMembership
from securechat.hub.rooms.room import HubRoom
from securechat.hub.workflow import Commit, Workflow
from securechat.limits import Limits
from securechat.model import (
    UNKNOWN_ROOM,
    Acked,
    AddBot,
    AddToken,
    AskBots,
    AskTokens,
    BotList,
    Delete,
    Grant,
    Hello,
    History,
    InviteTo,
    Join,
    Joined,
    Leave,
    Left,
    Moderate,
    Refused,
    RemoveToken,
    Rooms,
    RoomsPage,
    RotateToken,
    Say,
    SetRoom,
    TokenList,
    TokenMade,
    Welcome,
)
from securechat.records.accounts import OWN_ACTS, Role
from securechat.records.rooms import RoomRole
from securechat.text.names import check_room
from securechat.text.refusals import refusal_for
from tests.support.hub_rig import FakePeer, HubRig
from tests.unit.hub.accounts.test_accounts import hello
from tests.unit.hub.admin.test_commands import act, audit
from tests.unit.hub.programs.test_bots import bot, hook, made, program, restart
from tests.unit.hub.rooms.test_rooms import join, ok, person, refused, say, who

BOTH: Any = ["post", "read"]


@pytest.fixture
def rig() -> HubRig:
    return HubRig()


def private_room(rig: HubRig) -> tuple[FakePeer, FakePeer]:
    """Bob, who owns the private room ``ops``, and Ann, who moderates there."""
    bob, ann = person(rig, "bob", "ops"), person(rig, "ann", "ops")
    ok(rig, bob, SetRoom(ref=1, room="ops", private=True))
    ok(rig, bob, Grant(ref=1, room="ops", person=who(ann), role="moderator"))
    return bob, ann


# --- What ends a right ------------------------------------------------------------------------------------------------


def test_a_bot_made_while_its_maker_loses_the_room_does_not_get_in(rig: HubRig) -> None:
    bob, ann = private_room(rig)
    act_: Any = "kick"
    rig.do(ann, AddBot(ref=7, name="deploy", rooms=["ops"]), settle=False)
    rig.do(bob, Moderate(ref=1, room="ops", person=who(ann), act=act_), settle=False)
    rig.settle()
    token = ann.last(TokenMade)
    assert token.bot is not None
    assert not rig.belongs("ops", token.bot.id)
    deploy = program(rig, token.token)
    say(rig, bob, "ops", "between us")
    assert not deploy.messages


@pytest.mark.parametrize("how", ["kick", "ban"])
def test_a_bot_stays_out_although_the_log_does_not_end_its_membership(
    rig: HubRig, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    bob, ann = private_room(rig)
    token = bot(rig, ann, rooms=["ops"])
    act_: Any = how

    def refused_by_the_log(_: RoomMembership, __: int, ___: HubRoom) -> Workflow[None]:
        yield Commit(())
        raise refusal_for("change_not_stored")

    with monkeypatch.context() as patch:
        patch.setattr(RoomMembership, "forget_account", refused_by_the_log)
        ok(rig, bob, Moderate(ref=1, room="ops", person=who(ann), act=act_))
    deploy = program(rig, token.token)
    assert "ops" not in {joined.room for joined in deploy.of(Joined)}
    assert deploy.last(Welcome).rooms == len(deploy.of(Joined))
    say(rig, bob, "ops", "between us")
    assert not deploy.messages
    restart(rig)
    deploy = program(rig, token.token)
    assert "ops" not in {joined.room for joined in deploy.of(Joined)}


def test_a_bot_invited_where_its_maker_may_not_go_does_not_get_in(rig: HubRig) -> None:
    bob, carl = person(rig, "bob", "ops"), person(rig, "carl")
    deploy = program(rig, bot(rig, carl).token)
    ok(rig, bob, SetRoom(ref=1, room="ops", private=True))
    ok(rig, bob, InviteTo(ref=1, room="ops", person=who(deploy)))
    assert refused(rig, deploy, Join(ref=1, rooms=["ops"])) is ErrorCode.NO_SUCH_ROOM
    dan = person(rig, "dan")
    act(rig, "role", "dan", Role.ADMIN)
    ok(rig, dan, Grant(ref=1, room="ops", person=who(deploy), role="member"))
    again = program(rig, bot_token(rig, carl, deploy), secret="6" * 32)
    assert "ops" not in {joined.room for joined in again.of(Joined)}


def bot_token(rig: HubRig, maker: FakePeer, deploy: FakePeer) -> str:
    rows = rig.hub.context.accounts.tokens_of(who(deploy))
    return made(rig, maker, RotateToken(ref=1, token=rows[0].token_id)).token


def test_a_token_is_never_for_all_rooms_because_its_room_went_meanwhile(rig: HubRig) -> None:
    ann = person(rig, "ann", "ops", "other")
    for n in range(2):  # the bot and the token below wait for these
        rig.do(ann, AddBot(ref=n, name=f"bot{n}"), settle=False)
        rig.do(ann, AddToken(ref=n, name=f"t{n}"), settle=False)
    rig.do(ann, Leave(ref=1, room="ops"), settle=False)
    rig.do(ann, AddBot(ref=7, name="deploy", rooms=["ops"]), settle=False)
    rig.do(ann, AddToken(ref=8, name="t", rooms=["ops"]), settle=False)
    rig.settle()
    assert rig.record("ops") is None
    assert {event.ref for event in ann.of(Refused) if event.code is ErrorCode.NO_SUCH_ROOM} == {7, 8}


# --- What connections by tokens are told ------------------------------------------------------------------------------


def test_a_token_for_some_rooms_hears_no_name_of_another_at_all(rig: HubRig) -> None:
    bob, ann = person(rig, "bob", "board", "ops"), person(rig, "ann", "ops", "board", "cabal")
    ok(rig, bob, SetRoom(ref=1, room="board", private=True))
    ok(rig, ann, SetRoom(ref=1, room="cabal", private=True))
    cron = program(rig, made(rig, ann, AddToken(ref=1, name="t", scopes=BOTH, rooms=["ops"])).token)
    act_: Any = "kick"
    ok(rig, bob, Moderate(ref=1, room="board", person=who(ann), act=act_))
    rig.do(ann, Leave(ref=1, room="cabal", sure=True))
    ok(rig, bob, InviteTo(ref=1, room="board", person=who(ann)))
    join(rig, ann, "board")
    ok(rig, bob, SetRoom(ref=1, room="board", name="boards"))
    rig.do(ann, Join(ref=5, rooms=["late"]), settle=False)
    rig.lose(ann)
    rig.pass_time(2)
    rig.do(cron, Rooms(ref=9))
    listed = {row.room for row in cron.last(RoomsPage).rooms}
    assert listed <= {"ops", "lobby"}
    told = {getattr(event, "room", None) for event in cron.events}
    assert told <= {None, "ops", "lobby"}, told


def test_a_token_for_some_rooms_lists_those(rig: HubRig) -> None:
    ann = person(rig, "ann", "ops", "board", "cabal")
    cron = program(rig, made(rig, ann, AddToken(ref=1, name="t", scopes=BOTH, rooms=["ops", "cabal"])).token)
    rig.do(cron, Rooms(ref=9))
    assert [row.room for row in cron.last(RoomsPage).rooms] == ["cabal", "ops"]
    rig.do(cron, Rooms(ref=9, after="cabal"))
    assert [row.room for row in cron.last(RoomsPage).rooms] == ["ops"]
    lobby = program(rig, made(rig, ann, AddToken(ref=1, name="l", scopes=BOTH, rooms=["lobby"])).token, secret="4" * 32)
    rig.do(lobby, Rooms(ref=9))
    assert [row.room for row in lobby.last(RoomsPage).rooms] == ["lobby"]


# --- Passwords --------------------------------------------------------------------------------------------------------


def test_a_token_is_good_while_the_password_is_temporary(rig: HubRig) -> None:
    ann = person(rig, "ann", "ops")
    token = made(rig, ann, AddToken(ref=1, name="t", scopes=BOTH)).token
    act(rig, "reset_password", "ann")
    cron = program(rig, token)
    rig.do(cron, Say(client_id=1, room="ops", text="x"))
    assert cron.of(Acked), cron.events[-1]


# --- Owners -----------------------------------------------------------------------------------------------------------


def test_a_room_is_never_left_to_a_bot_alone(rig: HubRig) -> None:
    bob, ann = person(rig, "bob", "ops"), person(rig, "ann", "ops")
    deploy = program(rig, bot(rig, ann, rooms=["ops"]).token)
    rig.do(bob, Grant(ref=1, room="ops", person=who(deploy), role="owner"))
    rig.do(bob, Grant(ref=1, room="ops", person=who(bob), role="member"))
    room = rig.hub.context.rooms.named("ops")
    assert room is not None
    owners = [row.sender_id for row in room.memberships.values() if row.role is RoomRole.OWNER]
    assert owners == [who(bob)]
    rig.do(ann, Leave(ref=1, room="ops"))
    rig.do(bob, Leave(ref=1, room="ops"))
    carl = person(rig, "carl", "ops")
    assert room.role_word(who(carl)) == "owner"


# --- Bounds -----------------------------------------------------------------------------------------------------------


def test_tokens_are_bounded_although_several_are_rotated_at_once(rig: HubRig) -> None:
    rig = HubRig(Limits(tokens_per_account=4))
    ann = person(rig, "ann")
    numbers = [made(rig, ann, AddToken(ref=1, name=f"t{n}")).info.token for n in range(3)]
    for number in numbers:
        rig.do(ann, RotateToken(ref=1, token=number), settle=False)
    rig.settle()
    assert len(rig.hub.context.accounts.tokens_of(who(ann))) == 4


def test_bots_are_bounded_although_several_members_make_some_at_once(rig: HubRig) -> None:
    rig = HubRig(Limits(bots_total=2, hooks_per_room=1, bots_made_per_account_day=100))
    makers = [person(rig, name, "ops") for name in ("ann", "bob", "carl")]
    for n, maker in enumerate(makers):
        rig.do(maker, AddBot(ref=1, name=f"b{n}"), settle=False)
    rig.settle()
    assert len(rig.hub.admin_commands.programs.bots()) == 2


def test_a_day_s_bots_are_bounded_although_they_are_asked_for_at_once(rig: HubRig) -> None:
    rig = HubRig(Limits(bots_made_per_account_day=1))
    ann = person(rig, "ann")
    for n in range(3):
        rig.do(ann, AddBot(ref=1, name=f"b{n}"), settle=False)
    rig.settle()
    assert len(ann.of(TokenMade)) == 1


def test_the_audit_does_not_grow_with_a_member_s_own_tokens(rig: HubRig) -> None:
    ann = person(rig, "ann", "ops")
    token = made(rig, ann, AddToken(ref=1, name="t"))
    new = made(rig, ann, RotateToken(ref=1, token=token.info.token))
    ok(rig, ann, RemoveToken(ref=1, token=new.info.token))
    robot = bot(rig, ann)
    made(rig, ann, RotateToken(ref=1, token=robot.info.token))
    grafana = hook(rig, ann)
    made(rig, ann, RotateToken(ref=1, token=grafana.info.token))
    own = [entry.act for entry in audit(rig) if entry.actor == "ann"]
    assert {"token add", "token rotate", "token remove", "bot add", "bot rotate", "hook rotate"} <= set(own)
    assert set(own) <= set(OWN_ACTS)


# --- What goes with a maker or a room ---------------------------------------------------------------------------------


def test_a_token_for_a_room_hears_that_the_room_is_left_although_its_record_goes(rig: HubRig) -> None:
    ann = person(rig, "ann", "ops")
    cron = program(rig, made(rig, ann, AddToken(ref=1, name="t", scopes=BOTH, rooms=["ops"])).token)
    rig.do(ann, Leave(ref=1, room="ops"))
    assert rig.record("ops") is None
    assert cron.last(Left).room == "ops"


def test_a_bot_that_got_a_token_while_its_maker_was_deleted_stops(rig: HubRig) -> None:
    bob, ann = person(rig, "bob", "ops"), person(rig, "ann", "ops")
    ok(rig, bob, Grant(ref=1, room="ops", person=who(ann), role="moderator"))
    token = hook(rig, ann)
    told: list[Any] = []
    rig.hub.admin_commands.delete_user("root", "ann", remove=False, progress=lambda _: None, done=told.append)
    rig.do(bob, RotateToken(ref=5, token=token.info.token), settle=False)
    peers: list[FakePeer] = []
    while rig.posted:
        rig.step()
        if bob.of(TokenMade):
            peers.append(rig.peer())
            secret = bob.last(TokenMade).token
            rig.do(peers[-1], Hello(version=1, name="x", secret=f"f{len(peers):031}", token=secret), settle=False)
    assert told
    assert peers
    assert not any(rig.hub.is_member(peer) for peer in peers)
    last = hello(rig, "x", token=bob.last(TokenMade).token)
    assert last.last(Refused).code is ErrorCode.TOKEN_INVALID


def test_moderators_revise_what_a_bot_says_whose_maker_stands_lower(rig: HubRig) -> None:
    bob, ann, carl = person(rig, "bob", "ops"), person(rig, "ann", "ops"), person(rig, "carl", "ops")
    deploy = program(rig, bot(rig, ann, rooms=["ops"]).token)
    for each in (deploy, carl):
        ok(rig, bob, Grant(ref=1, room="ops", person=who(each), role="moderator"))
    say(rig, deploy, "ops", "spam")
    seq = carl.messages[-1].seq
    rig.do(carl, Delete(client_id=70, seq=seq, room="ops"))
    assert carl.last(Acked).client_id == 70


def test_a_webhook_imitates_no_guest_that_looks_alike(rig: HubRig) -> None:
    ann = person(rig, "ann", "ops")
    grafana = program(rig, hook(rig, ann).token)
    guest = rig.member("b\u043eb via grafana")  # with a Cyrillic o
    rig.do(grafana, Say(client_id=1, room="ops", text="x", shown_as="bob via grafana"))
    assert grafana.last(Refused).code is ErrorCode.NAME_IN_USE
    assert rig.hub.is_name_taken("bob via grafana")
    rig.lose(guest)
    assert rig.hub.is_name_taken("bob via grafana"), "the name is kept for a guest who comes back"
    rig.pass_time(rig.limits.name_reservation_s + 1)
    assert not rig.hub.is_name_taken("bob via grafana")


# --- What is told of tokens -------------------------------------------------------------------------------------------


def test_a_token_whose_rooms_are_gone_or_hidden_is_not_told_as_one_for_all(rig: HubRig) -> None:
    bob, ann = person(rig, "bob", "board"), person(rig, "ann", "board", "ops")
    gone = made(rig, ann, AddToken(ref=1, name="gone", rooms=["ops"]))
    hidden = bot(rig, ann, "hidden", rooms=["board", "lobby"])
    assert gone.info.rooms == ["ops"]
    rig.do(ann, Leave(ref=1, room="ops"))
    rig.do(ann, AskTokens(ref=1))
    assert [info.rooms for info in ann.last(TokenList).tokens] == [[UNKNOWN_ROOM]]
    ok(rig, bob, SetRoom(ref=1, room="board", private=True))
    act_: Any = "kick"
    ok(rig, bob, Moderate(ref=1, room="board", person=who(ann), act=act_))
    rig.do(ann, AskBots(ref=2))
    told = {info.name: info.tokens[0].rooms for info in ann.last(BotList).bots}
    assert told["hidden"] == [UNKNOWN_ROOM, "lobby"]
    assert hidden.info.rooms == ["board", "lobby"]
    with pytest.raises(Refusal):
        check_room(UNKNOWN_ROOM)


def test_a_token_is_told_the_rate_that_it_has() -> None:
    rig = HubRig(rates=True)
    ann = person(rig, "ann")
    limits = ann.last(Welcome).limits
    assert (limits["message_burst"], limits["message_rate"]) == (rig.limits.message_burst, rig.limits.message_rate)
    limits = program(rig, bot(rig, ann).token).last(Welcome).limits
    assert (limits["message_burst"], limits["message_rate"]) == (40, 20)


def test_a_program_that_asks_too_much_does_not_have_its_person_wait() -> None:
    rig = HubRig(rates=True)
    ann = person(rig, "ann", "ops")
    cron = program(rig, made(rig, ann, AddToken(ref=1, name="t", scopes=BOTH)).token)
    for n in range(300):
        wait_s = rig.do(cron, History(ref=n, room="ops"))
    assert wait_s > 10
    assert rig.hub.charge_bytes(cron, 100_000_000) > 10
    assert rig.do(ann, History(ref=400, room="ops")) == 0
    assert rig.hub.charge_bytes(ann, 100) == 0
    again = program(rig, made(rig, ann, AddToken(ref=1, name="u", scopes=BOTH)).token, secret="6" * 32)
    assert rig.do(again, History(ref=1, room="ops")) == 0


def test_bots_of_a_deleted_maker_keep_no_room(rig: HubRig) -> None:
    ann, bob = person(rig, "ann", "ops", "other"), person(rig, "bob", "other")
    token = bot(rig, ann, rooms=["ops", "other"])
    assert token.bot is not None
    act(rig, "delete_user", "ann", remove=False, progress=lambda _: None)
    assert rig.record("ops") is None
    assert not rig.belongs("other", token.bot.id)
    assert rig.belongs("other", who(bob))
