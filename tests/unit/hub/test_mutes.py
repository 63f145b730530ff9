"""The table of what a muted member may do, held against the commands and against what the hub really does."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from securechat.errors import ErrorCode
from securechat.hub.interfaces import OperatorEvent
from securechat.hub.mutes import EFFECTS, WhileMuted
from securechat.limits import Limits
from securechat.model import (
    Acked,
    AddBot,
    AddCertificate,
    AddToken,
    AddUpload,
    AskBots,
    AskConversations,
    AskFiles,
    AskLinks,
    AskPeople,
    AskRoom,
    AskTokens,
    AskUnread,
    Certificates,
    ChangePassword,
    Command,
    Delete,
    Direct,
    Done,
    Edit,
    Grant,
    Hello,
    History,
    InviteTo,
    Join,
    Joined,
    Leave,
    Logins,
    Logout,
    Moderate,
    Named,
    Nick,
    Ping,
    Pong,
    Quit,
    React,
    Read,
    Refused,
    Register,
    RemoveBot,
    RemoveCertificate,
    RemoveToken,
    RemoveUpload,
    Rooms,
    RotateToken,
    Say,
    Search,
    SetRoom,
    Typing,
    TypingNow,
    Welcome,
    Who,
    Whois,
)
from securechat.records.accounts import Role
from tests.support.hub_rig import FakePeer, HubRig
from tests.unit.hub.accounts.test_accounts import KEY, PASSWORD, hello, register
from tests.unit.hub.admin.test_commands import act

R = 77
COMMANDS: list[Any] = list(get_args(Command))


class Scene:
    """ann moderates ops, which bob owns; carl is a member; one message of ann's stands there."""

    def __init__(self) -> None:
        self.rig = HubRig(Limits(typing_interval_s=0.1))
        self.bob, self.ann, self.carl = (self._person(name) for name in ("bob", "ann", "carl"))
        for peer in (self.bob, self.ann, self.carl):
            self.do(peer, Join(ref=1, rooms=["ops"]))
        self.do(self.bob, SetRoom(ref=1, room="ops", private=True))
        self.do(self.bob, Grant(ref=1, room="ops", person=number(self.ann), role="moderator"))
        self.do(self.ann, Say(client_id=1, room="ops", text="mine"))
        self.dora = self._person("dora")

    def _person(self, name: str) -> FakePeer:
        peer = self.rig.member(name)
        register(self.rig, peer)
        return peer

    def do(self, peer: FakePeer, command: Any) -> None:
        self.rig.do(peer, command)

    def sample(self, kind: type) -> Any:
        carl, dora, seq = number(self.carl), number(self.dora), 1
        peer = self.rig.peer()
        samples: dict[type, Any] = {
            Say: Say(client_id=R, room="ops", text="x"),
            Direct: Direct(client_id=R, to=carl, text="x"),
            Edit: Edit(client_id=R, seq=seq, room="ops", text="y"),
            Delete: Delete(client_id=R, seq=seq, room="ops"),
            React: React(client_id=R, seq=seq, room="ops", sign="+"),
            Typing: Typing(room="ops"),
            SetRoom: SetRoom(ref=R, room="ops", topic="x"),
            InviteTo: InviteTo(ref=R, room="ops", person=dora),
            Moderate: Moderate(ref=R, room="ops", person=carl, act="kick", reason="x"),
            Grant: Grant(ref=R, room="ops", person=carl, role="member"),
            Nick: Nick(ref=R, name="anna"),
            Join: Join(ref=R, rooms=["read-this"]),
            Hello: Hello(1, "ann", f"{peer.number:032x}", password=PASSWORD),
            Leave: Leave(ref=R, room="ops"),
            Quit: Quit(),
            History: History(ref=R),
            Search: Search(ref=R, query="mine"),
            Who: Who(ref=R, room="ops"),
            Whois: Whois(ref=R, name="bob"),
            AskPeople: AskPeople(ref=R, ids=[1]),
            Rooms: Rooms(ref=R),
            AskRoom: AskRoom(ref=R, room="ops"),
            AskUnread: AskUnread(ref=R),
            AskConversations: AskConversations(ref=R),
            Read: Read(seq=1, room="ops"),
            Register: Register(ref=R, password=PASSWORD),
            ChangePassword: ChangePassword(ref=R, old=PASSWORD, new="another good one"),
            Logins: Logins(ref=R),
            Logout: Logout(ref=R),
            Certificates: Certificates(ref=R),
            AddCertificate: AddCertificate(ref=R),
            RemoveCertificate: RemoveCertificate(ref=R, certificate=1),
            AddBot: AddBot(ref=R, name="deploy"),
            AskBots: AskBots(ref=R),
            RemoveBot: RemoveBot(ref=R, bot=1),
            AddToken: AddToken(ref=R, name="cron"),
            AskTokens: AskTokens(ref=R),
            RotateToken: RotateToken(ref=R, token=1),
            RemoveToken: RemoveToken(ref=R, token=1),
            AddUpload: AddUpload(ref=R, name="a.pdf", size=1),
            AskLinks: AskLinks(ref=R, ids=["f" * 32]),
            AskFiles: AskFiles(ref=R),
            RemoveUpload: RemoveUpload(ref=R, id="f" * 32),
            Ping: Ping(n=R),
            Pong: Pong(n=R),
        }
        return samples[kind]


def number(peer: FakePeer) -> int:
    return peer.last(Welcome).sender_id


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_every_command_has_its_place_in_the_table() -> None:
    assert set(EFFECTS) == set(COMMANDS)


def attempt(scene: Scene, kind: type, effect: WhileMuted) -> None:
    """Let ann do it, and hold what comes of it against the table."""
    command = scene.sample(kind)
    others = (scene.bob, scene.carl, scene.dora)
    scene.rig.pass_time(5)  # comings are told by then
    for peer in (scene.ann, *others):
        peer.events.clear()
    asking = scene.rig.peer() if kind is Hello else scene.ann
    asking.certificate = KEY
    scene.do(asking, command)
    scene.rig.pass_time(5)
    muted = [event for event in asking.of(Refused) if event.code is ErrorCode.MUTED]
    seen = [event for peer in others for event in peer.events]
    if effect is WhileMuted.ALLOWED:
        assert not muted
        return
    assert not seen
    if effect is WhileMuted.UNHEARD:
        assert not asking.events
        return
    (refused,) = muted
    assert "10 minutes" in refused.text
    given = refused.client_id if hasattr(command, "client_id") else refused.ref
    assert given == R
    if effect is WhileMuted.NOTHING_NEW:
        scene.do(scene.bob, Join(ref=1, rooms=["hall"]))
        scene.do(scene.ann, Join(ref=2, rooms=["hall"]))
        assert scene.ann.last(Joined).room == "hall"


@pytest.mark.parametrize("kind", COMMANDS, ids=lambda kind: kind.__name__)
def test_a_mute_on_the_server(scene: Scene, kind: type) -> None:
    act(scene.rig, "mute", "ann", reason="", duration_s=605)
    attempt(scene, kind, EFFECTS[kind].on_server)


@pytest.mark.parametrize("kind", COMMANDS, ids=lambda kind: kind.__name__)
def test_a_mute_in_the_room(scene: Scene, kind: type) -> None:
    scene.do(scene.bob, Moderate(ref=1, room="ops", person=number(scene.ann), act="mute", seconds=605))
    attempt(scene, kind, EFFECTS[kind].in_room)


@pytest.mark.parametrize("mute", ["server", "room"])
def test_all_of_it_goes_again_when_the_mute_is_over(scene: Scene, mute: str) -> None:
    if mute == "server":
        act(scene.rig, "mute", "ann", reason="", duration_s=600)
    else:
        scene.do(scene.bob, Moderate(ref=1, room="ops", person=number(scene.ann), act="mute", seconds=600))
    scene.rig.now += 601
    for kind, success in ((Say, Acked), (SetRoom, Done), (InviteTo, Done), (Moderate, Done), (Nick, Named)):
        scene.ann.events.clear()
        scene.do(scene.ann, scene.sample(kind))
        assert scene.ann.of(success), kind
    scene.do(scene.ann, Typing(room="ops"))
    assert scene.bob.of(TypingNow)


def test_a_mute_on_the_server_counts_in_dialogues_and_for_administrators(scene: Scene) -> None:
    act(scene.rig, "role", "ann", Role.ADMIN)
    act(scene.rig, "mute", "ann", reason="shouting", duration_s=None)
    scene.do(scene.ann, Typing(peer=number(scene.carl)))
    assert not scene.carl.of(TypingNow)
    scene.do(scene.ann, SetRoom(ref=R, room="ops", topic="x"))
    assert scene.ann.last(Refused).code is ErrorCode.MUTED
    assert "shouting" in scene.ann.last(Refused).text


def test_a_mute_that_comes_while_an_act_waits_for_its_turn_counts(scene: Scene) -> None:
    rig = scene.rig
    rig.do(scene.bob, Moderate(ref=1, room="ops", person=number(scene.ann), act="mute", seconds=600), settle=False)
    rig.do(scene.ann, SetRoom(ref=R, room="ops", topic="too late"), settle=False)
    rig.settle()
    assert scene.ann.last(Refused).code is ErrorCode.MUTED


def test_a_muted_account_comes_back_to_its_rooms(scene: Scene) -> None:
    act(scene.rig, "mute", "ann", reason="", duration_s=600)
    scene.rig.hub.lost(scene.ann)
    scene.rig.pass_time(600)
    back = hello(scene.rig, "ann", password=PASSWORD)
    assert {joined.room for joined in back.of(Joined)} == {"lobby", "ops"}


# --- Retries ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ["mute", "room mute", "archived", "kick"])
def test_a_retry_is_judged_by_what_is_stored_and_a_refusal_is_told_the_operator(scene: Scene, rule: str) -> None:
    rig, bob, ann = scene.rig, scene.bob, scene.ann
    scene.do(ann, Say(client_id=2, room="ops", text=""))  # never stored
    scene.do(ann, Say(client_id=3, room="ops", text="stored, and its answer lost"))
    person = number(ann)
    rig.lose(ann)
    match rule:
        case "mute":
            act(rig, "mute", "ann", reason="", duration_s=600)
        case "room mute":
            scene.do(bob, Moderate(ref=1, room="ops", person=person, act="mute"))
        case "archived":
            scene.do(bob, SetRoom(ref=1, room="ops", archived=True))
        case "kick":
            scene.do(bob, Moderate(ref=1, room="ops", person=person, act="kick"))
    again = rig.peer()
    rig.do(again, Hello(1, "ann", f"{ann.number:032x}", password=PASSWORD))
    assert again.last(Welcome).last_client_id == 3
    scene.do(again, Say(client_id=3, room="ops", text="stored, and its answer lost"))
    assert again.last(Acked).client_id == 3 and not again.of(Refused)
    rig.happened_.clear()
    for client_id in (2, 4):
        scene.do(again, Say(client_id=client_id, room="ops", text="never stored"))
        refused = again.last(Refused)
        assert refused.client_id == client_id
        assert [(what, name) for what, name, _ in rig.happened_] == [(OperatorEvent.REFUSED, "ann")]
        assert refused.text in rig.happened_.pop()[2]
