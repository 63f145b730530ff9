"""Outgoing webhooks in the hub: which messages they want, who may have them, and what the port is told."""

from __future__ import annotations

from typing import Any

import pytest

from securechat.errors import ErrorCode, Refusal
from securechat.hub.programs.admin import NewOutgoing
from securechat.hub.programs.outgoing import check_trigger
from securechat.limits import Limits
from securechat.model import AskBots, BotList, Edit, Message, Moderate, OutgoingInfo, React, Refused, RemoveBot, SetRoom
from securechat.records.accounts import AccountKind, OutgoingWebhook
from securechat.records.log import NotAppended
from securechat.text.refusals import refusal_for
from tests.support.hub_rig import FakePeer, HubRig
from tests.unit.hub.admin.test_commands import act, audit
from tests.unit.hub.programs.test_bots import bot
from tests.unit.hub.rooms.test_rooms import ok, person, say

URL = "https://ci.example.org/secret"


class FakePort:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.judged: list[str] = []
        self.heard: list[int] = []
        self.doubts = False
        self.looked_again = 0
        self.told: list[tuple[int, bool, int]] = []
        self.revised: list[tuple[int, list[int]]] = []

    def judge(self, url: str) -> None:
        self.judged.append(url)
        if "forbidden" in url:
            raise refusal_for("webhook_url_invalid", why="no")

    def doubt(self, url: str, done: Any) -> None:
        done("the name has no address" if self.doubts else "")

    def changed(self, sender_id: int) -> None:
        self.heard.append(sender_id)

    def look_again(self) -> None:
        self.looked_again += 1

    def behind(self, sender_id: int) -> int:
        return 7

    def problem(self, sender_id: int) -> str:
        return "the receiver answered 503"

    def posted(self, sender_id: int, *, wanted: bool, before: int) -> None:
        self.told.append((sender_id, wanted, before))

    def edited(self, sender_id: int, seqs: Any) -> None:
        self.revised.append((sender_id, list(seqs)))


@pytest.fixture
def rig() -> HubRig:
    made = HubRig(Limits(hooks_per_room=30))
    made.hub.outgoing.port = FakePort()
    return made


@pytest.fixture
def port(rig: HubRig) -> Any:
    return rig.hub.outgoing.port


@pytest.fixture
def ann(rig: HubRig) -> FakePeer:
    return person(rig, "ann", "ops")


def make(rig: HubRig, room: str = "ops", on: str = "all", name: str = "deploy", *, bots: bool = False) -> Any:
    answers: list[Any] = []
    rig.hub.admin_commands.programs.add_outgoing(
        "root", room, URL, trigger=on, name=name, secret="whsec_x", bots=bots, done=answers.append
    )
    rig.settle()
    return answers[0].row if isinstance(answers[0], NewOutgoing) else answers[0]


def row_of(rig: HubRig, made: OutgoingWebhook) -> OutgoingWebhook:
    return rig.hub.context.accounts.outgoing[made.sender_id]


def message(text: str, sender_id: int = 1, **fields: Any) -> Message:
    return Message(seq=9, prev=8, sender_id=sender_id, name="ann", sent_at_ms=1_000, text=text, room="ops", **fields)


# --- Making ---------------------------------------------------------------------------------------------------------


def test_a_new_one_is_a_member_of_its_room_without_a_token_and_the_port_hears_of_it(
    rig: HubRig, port: FakePort, ann: FakePeer
) -> None:
    made = make(rig)
    account = rig.hub.context.accounts.accounts[made.sender_id]
    assert (account.name, account.kind, account.made_by) == ("deploy", AccountKind.HOOK, 0)
    assert rig.belongs("ops", made.sender_id)
    assert rig.hub.context.accounts.tokens_of(made.sender_id) == []
    assert (port.judged, made.sender_id in port.heard) == ([URL], True)
    assert row_of(rig, made).cursor == 0
    assert [entry.act for entry in audit(rig)][-1] == "add-hook-out"


@pytest.mark.parametrize("doubts", [False, True])
def test_the_answer_says_when_nothing_could_be_delivered(
    rig: HubRig, port: FakePort, ann: FakePeer, doubts: bool
) -> None:
    port.doubts = doubts
    answers: list[Any] = []
    rig.hub.admin_commands.programs.add_outgoing(
        "root", "ops", URL, trigger="all", name="deploy", secret="whsec_x", bots=False, done=answers.append
    )
    rig.settle()
    (made,) = answers
    assert made.doubt == ("the name has no address" if doubts else "")
    assert made.row == row_of(rig, made.row)


@pytest.mark.parametrize("on", ["all", "mention", "!x", "!deploy", "!" + "x" * 31])
def test_triggers(on: str) -> None:
    check_trigger(on)


@pytest.mark.parametrize(
    "on", ["", "!", "deploy", "ALL", "!a b", " !a", "!a\n", "!" + "x" * 32, "!\x1b[31m", "!\u202e"]
)
def test_what_is_no_trigger(on: str) -> None:
    with pytest.raises(Refusal) as caught:
        check_trigger(on)
    assert caught.value.reason == "trigger_invalid"


def test_none_is_made_where_webhooks_are_off_or_the_url_is_refused(rig: HubRig, ann: FakePeer) -> None:
    programs = rig.hub.admin_commands.programs
    options: dict[str, Any] = {"trigger": "all", "name": "deploy", "secret": "x", "bots": False, "done": print}
    with pytest.raises(Refusal) as caught:
        programs.add_outgoing("root", "ops", "https://forbidden/", **options)
    assert caught.value.reason == "webhook_url_invalid"
    rig.hub.outgoing.port = None
    with pytest.raises(Refusal) as caught:
        programs.add_outgoing("root", "ops", URL, **options)
    assert caught.value.reason == "webhooks_off"
    assert rig.hub.outgoing.rows() == []


def test_a_hundred_and_no_more() -> None:
    assert Limits().outgoing_hooks_total == 100
    rig = HubRig(Limits(outgoing_hooks_total=2))
    rig.hub.outgoing.port = FakePort()
    person(rig, "ann", "ops")
    for name in ("one", "two"):
        make(rig, name=name)
    with pytest.raises(Refusal) as caught:
        make(rig, name="three")
    assert caught.value.reason == "outgoing_hooks_used_up"
    assert "three" not in {account.name for account in rig.hub.context.accounts.accounts.values()}


def test_they_count_as_webhooks_of_their_room(ann: FakePeer, rig: HubRig) -> None:
    assert rig.limits.hooks_per_room == 30
    for number in range(30):
        make(rig, name=f"hook{number}")
    with pytest.raises(Refusal) as caught:
        make(rig, name="another")
    assert caught.value.reason == "hooks_of_room_used_up"
    make(rig, "lobby", name="elsewhere")


# --- What moderators see --------------------------------------------------------------------------------------------


def test_moderators_see_it_in_the_list_of_their_room_and_can_remove_it(rig: HubRig, ann: FakePeer) -> None:
    made, bob = make(rig, on="!deploy", bots=True), person(rig, "bob", "ops")
    rig.do(ann, AskBots(ref=8, room="ops"))
    (info,) = ann.last(BotList).bots
    assert (info.name, info.kind, info.tokens, info.made_by) == ("deploy", "hook", [], None)
    assert info.outgoing == OutgoingInfo("https://ci.example.org", "!deploy", bots=True, off=""), "without the path"
    rig.do(bob, AskBots(ref=8, room="ops"))
    assert bob.last(Refused).code is ErrorCode.NO_RIGHT
    rig.do(bob, RemoveBot(ref=9, bot=made.sender_id))
    assert bob.last(Refused).code is ErrorCode.NOT_FOUND
    ok(rig, ann, RemoveBot(ref=9, bot=made.sender_id))
    assert rig.hub.outgoing.rows() == []


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        (URL, "https://ci.example.org"),
        ("https://[2001:db8::1]:8443/secret?key=x", "https://[2001:db8::1]:8443"),
        ("https://ci.example.org?key=secret", "https://ci.example.org"),
        ("https://ci.example.org", "https://ci.example.org"),
    ],
)
def test_of_its_url_it_tells_no_more_than_scheme_host_and_port(url: str, origin: str) -> None:
    assert OutgoingWebhook(1, "", 0, url, "all", bots=False, secret="").origin == origin


# --- What it wants --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("on", "text", "wanted"),
    [
        ("all", "anything", True),
        ("!deploy", "!deploy", True),
        ("!deploy", "!deploy web now", True),
        ("!deploy", "  !DEPLOY web", True),
        ("!deploy", "!deployed", False),
        ("!deploy", "please !deploy", False),
        ("!deploy", " ", False),
        ("mention", "deploy", False),
    ],
)
def test_what_it_wants(rig: HubRig, ann: FakePeer, on: str, text: str, wanted: bool) -> None:
    made = make(rig, on=on)
    assert rig.hub.outgoing.wants(row_of(rig, made), message(text)) is wanted


def test_it_wants_mentions_of_itself_and_nothing_deleted(rig: HubRig, ann: FakePeer) -> None:
    row = row_of(rig, make(rig, on="mention"))
    wants = rig.hub.outgoing.wants
    assert wants(row, message("@deploy", mentions=(row.sender_id,)))
    assert not wants(row, message("@other", mentions=(row.sender_id + 1,)))
    assert not wants(row, message("", mentions=(row.sender_id,), deleted=12))


def test_it_wants_bots_when_asked_and_never_itself_or_another_one(rig: HubRig, ann: FakePeer) -> None:
    shy, open_ = make(rig, name="shy"), make(rig, name="open", bots=True)
    wants = rig.hub.outgoing.wants
    robot = bot(rig, ann, "robot").bot.id
    said = message("beep", robot, bot=True)
    assert (wants(row_of(rig, shy), said), wants(row_of(rig, open_), said)) == (False, True)
    for own in (shy.sender_id, open_.sender_id):
        said = message("pong", own, bot=True)
        assert (wants(row_of(rig, shy), said), wants(row_of(rig, open_), said)) == (False, False)


# --- What the port is told ------------------------------------------------------------------------------------------


def test_the_port_is_told_of_messages_in_its_room_alone(rig: HubRig, port: FakePort, ann: FakePeer) -> None:
    made = make(rig, on="!deploy")
    say(rig, ann, "lobby", "elsewhere")
    assert port.told == []
    before = rig.hub.fed_seq
    say(rig, ann, "ops", "nothing")
    say(rig, ann, "ops", "!deploy")
    assert port.told == [(made.sender_id, False, before), (made.sender_id, True, before + 1)]


def test_the_port_is_told_of_edits_in_its_room_alone(rig: HubRig, port: FakePort, ann: FakePeer) -> None:
    made = make(rig, on="!deploy")
    say(rig, ann, "lobby", "elsewhere")
    say(rig, ann, "ops", "here")
    here = rig.hub.fed_seq
    rig.do(ann, Edit(client_id=3, seq=here - 1, room="lobby", text="!deploy"))
    rig.do(ann, React(client_id=4, seq=here, room="ops", sign="👍"))
    assert port.revised == []
    rig.do(ann, Edit(client_id=5, seq=here, room="ops", text="!deploy"))
    assert port.revised == [(made.sender_id, [here])]


def test_a_message_under_the_old_name_of_a_room_wakes_it(rig: HubRig, port: FakePort, ann: FakePeer) -> None:
    made = make(rig, on="!deploy")
    port.told.clear()
    ok(rig, ann, SetRoom(ref=1, room="ops", name="operations"))
    rig.hub.outgoing.committed([message("!deploy")])
    assert port.told == [(made.sender_id, True, 8)]


def test_the_port_hears_of_the_end_of_its_room_in_the_commit_that_ends_it(
    rig: HubRig, port: FakePort, ann: FakePeer
) -> None:
    made = make(rig)
    port.heard.clear()
    record = rig.record("ops")
    assert record is not None
    rig.hub.context.rooms.dropped(record.room_id)
    rig.hub.on_commit([])
    assert port.heard == [made.sender_id]
    assert rig.hub.outgoing.room_of(row_of(rig, made)) is None


def test_the_port_hears_of_a_removal(rig: HubRig, port: FakePort, ann: FakePeer) -> None:
    made = make(rig)
    port.heard.clear()
    answers: list[Any] = []
    rig.hub.admin_commands.programs.remove_bot("root", "deploy", answers.append)
    rig.settle()
    assert not isinstance(answers[0], NotAppended)
    assert made.sender_id in port.heard
    assert (rig.hub.outgoing.row(made.sender_id), rig.hub.outgoing.is_there(made.sender_id)) == (None, False)


# --- Where it may read ----------------------------------------------------------------------------------------------


def test_it_may_read_while_it_belongs_there_and_is_not_banned(rig: HubRig, ann: FakePeer) -> None:
    made, lobby = make(rig), make(rig, "lobby", name="hall")
    allowed = rig.hub.outgoing.is_allowed
    assert allowed(row_of(rig, made))
    assert allowed(row_of(rig, lobby)), "all belong to the lobby"
    ok(rig, ann, Moderate(ref=1, room="ops", person=made.sender_id, act="mute"))
    assert allowed(row_of(rig, made)), "a mute does not close the ears"
    ok(rig, ann, Moderate(ref=2, room="ops", person=made.sender_id, act="kick"))
    assert not allowed(row_of(rig, made))
    act(rig, "ban", "hall", reason="", duration_s=None)
    assert not allowed(row_of(rig, lobby))


def test_it_is_told_why_it_delivers_nothing(rig: HubRig, ann: FakePeer) -> None:
    made, lobby = make(rig), make(rig, "lobby", name="hall")

    def held(row: OutgoingWebhook) -> str | None:
        state = rig.hub.admin_commands.programs.outgoing(row.sender_id)
        assert state is not None
        return state.held

    assert held(made) is None
    ok(rig, ann, Moderate(ref=2, room="ops", person=made.sender_id, act="kick"))
    assert held(made) == "not_in_room"
    ok(rig, ann, Moderate(ref=3, room="ops", person=made.sender_id, act="ban"))
    assert held(made) == "banned_in_room"
    ok(rig, ann, Moderate(ref=4, room="ops", person=made.sender_id, act="unban"))
    assert held(made) == "not_in_room"
    act(rig, "ban", "hall", reason="", duration_s=None)
    assert held(lobby) == "banned"


def test_the_port_looks_again_when_a_ban_is_lifted(rig: HubRig, port: FakePort, ann: FakePeer) -> None:
    make(rig, "lobby", name="hall")
    act(rig, "ban", "hall", reason="", duration_s=None)
    before = port.looked_again
    act(rig, "unban", "hall")
    assert port.looked_again > before


def test_on_again_it_is_back_in_its_room(rig: HubRig, ann: FakePeer) -> None:
    made = make(rig)
    ok(rig, ann, Moderate(ref=2, room="ops", person=made.sender_id, act="kick"))
    answers: list[Any] = []
    rig.hub.admin_commands.programs.switch_on("root", "deploy", answers.append)
    rig.settle()
    assert answers == [row_of(rig, made)]
    assert rig.hub.outgoing.is_allowed(row_of(rig, made))


def test_what_is_no_outgoing_webhook_cannot_be_switched_on(rig: HubRig, ann: FakePeer) -> None:
    bot(rig, ann, "robot")
    with pytest.raises(Refusal) as caught:
        rig.hub.admin_commands.programs.switch_on("root", "robot", print)
    assert caught.value.reason == "not_outgoing"


def test_a_note_for_one_that_is_gone_is_refused(rig: HubRig) -> None:
    answers: list[Any] = []
    rig.hub.outgoing.note(99, lambda row: row, answers.append)
    assert answers[0].code is ErrorCode.NOT_FOUND


def test_a_secret_is_rotated_and_the_old_one_lasts_a_day(rig: HubRig, ann: FakePeer) -> None:
    made = make(rig)
    for secret in ("whsec_y", "whsec_z"):
        rig.hub.admin_commands.programs.rotate_outgoing("root", "deploy", secret, lambda _: None)
        rig.settle()
    row = row_of(rig, made)
    assert (row.secret, row.old_secret) == ("whsec_z", "whsec_y")
    assert row.old_until_ms == rig.wall_ms() + rig.limits.token_overlap_s * 1000
