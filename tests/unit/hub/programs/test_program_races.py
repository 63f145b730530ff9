"""A right of a program ends while something of the program is under way: at every step of the log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from securechat.model import Grant, Hello, InviteTo, Join, Joined, Leave, Moderate, RemoveBot, RemoveToken, Say, SetRoom
from tests.support.hub_rig import FakePeer, HubRig
from tests.unit.hub.programs.test_bots import bot, program
from tests.unit.hub.rooms.test_rooms import ok, person, who

KICK: Any = "kick"
BAN: Any = "ban"


class Scene:
    """Bob owns the private room ``ops``, Ann moderates there and has made a bot for it."""

    def __init__(self) -> None:
        self.rig = rig = HubRig()
        self.bob, self.ann = person(rig, "bob", "ops"), person(rig, "ann", "ops")
        ok(rig, self.bob, SetRoom(ref=1, room="ops", private=True))
        ok(rig, self.bob, Grant(ref=1, room="ops", person=who(self.ann), role="moderator"))
        self.made = bot(rig, self.ann)
        assert self.made.bot is not None
        self.bot_id = self.made.bot.id

    def administer(self, name: str, **options: Any) -> None:
        getattr(self.rig.hub.admin_commands, name)("root", "ann", **options, done=lambda _: None)


def _moderate(act: Any) -> Callable[[Scene], None]:
    def end(scene: Scene) -> None:
        command = Moderate(ref=50, room="ops", person=who(scene.ann), act=act)
        scene.rig.do(scene.bob, command, settle=False)

    return end


def _by_maker(command: Callable[[Scene], Any]) -> Callable[[Scene], None]:
    def end(scene: Scene) -> None:
        scene.rig.do(scene.ann, command(scene), settle=False)

    return end


OUT_OF_ROOM: dict[str, Callable[[Scene], None]] = {
    "kick": _moderate(KICK),
    "ban": _moderate(BAN),
    "leave": _by_maker(lambda _: Leave(ref=50, room="ops")),
}
ENDED: dict[str, Callable[[Scene], None]] = {
    "remove bot": _by_maker(lambda scene: RemoveBot(ref=50, bot=scene.bot_id)),
    "remove token": _by_maker(lambda scene: RemoveToken(ref=50, token=scene.made.info.token)),
    "ban of maker": lambda scene: scene.administer("ban", reason="", duration_s=None),
    "maker deleted": lambda scene: scene.administer("delete_user", remove=False, progress=lambda _: None),
}


def _peer_for(scene: Scene, begun: str) -> FakePeer:
    """The connection on which something is begun; the bot has been in the room, except where it joins."""
    rig = scene.rig
    early = program(rig, scene.made.token)
    if begun != "join":
        rig.do(early, Join(ref=60, rooms=["ops"]))
    if begun != "hello":
        return early
    rig.lose(early)
    return rig.peer()


def _begin(scene: Scene, peer: FakePeer, begun: str) -> None:
    commands: dict[str, Any] = {
        "hello": Hello(version=1, name="x", secret="e" * 32, token=scene.made.token),
        "join": Join(ref=60, rooms=["ops"]),
        "say": Say(client_id=1, room="ops", text="x"),
    }
    scene.rig.do(peer, commands[begun], settle=False)


@pytest.mark.parametrize("begun", ["hello", "join", "say"])
@pytest.mark.parametrize("end", [*ENDED, *OUT_OF_ROOM])
def test_nothing_outlasts_the_right(begun: str, end: str) -> None:
    for steps in range(6):
        for ended_first in (True, False):
            _try(begun, end, steps, ended_first=ended_first)


def _try(begun: str, end: str, steps: int, *, ended_first: bool) -> None:
    scene = Scene()
    rig = scene.rig
    ok(rig, scene.bob, InviteTo(ref=2, room="ops", person=scene.bot_id))
    peer = _peer_for(scene, begun)
    acts: list[Callable[[], None]] = [
        lambda: {**ENDED, **OUT_OF_ROOM}[end](scene),
        lambda: _begin(scene, peer, begun) if peer.closed is None else None,
    ]
    first, second = acts if ended_first else reversed(acts)
    first()
    for _ in range(steps):
        rig.step()
    second()
    rig.settle()
    rig.hub.tick()
    rig.pass_time(1)
    rig.settle()
    where = (end, steps, ended_first, peer.events[-2:])
    if end in ENDED:
        assert not rig.hub.is_member(peer), where
    if end in OUT_OF_ROOM or end == "remove bot":
        assert not rig.belongs("ops", scene.bot_id), where
    before = len(peer.messages)
    rig.do(scene.bob, Say(client_id=77, room="ops", text="between us"))
    assert scene.bob.messages[-1].text == "between us"
    assert len(peer.messages) == before, where


def test_a_token_that_ends_beside_a_join_is_told_nothing_of_the_room() -> None:
    """Both become durable at once: who removed the token has the answer, and the join comes behind it."""
    scene = Scene()
    rig = scene.rig
    ok(rig, scene.bob, InviteTo(ref=2, room="ops", person=scene.bot_id))
    peer = program(rig, scene.made.token)
    ENDED["remove token"](scene)
    _begin(scene, peer, "join")
    rig.settle()
    assert peer.closed is not None
    assert "ops" not in [each.room for each in peer.of(Joined)]
