"""The worst of what the server does by itself, and of what its operator asks for: cases as in `worst_cases`."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import msgspec

from securechat.hub.people import Put
from securechat.hub.places import PutMembership, PutPlace
from securechat.model import Say
from securechat.server import requests
from tools.bench.worst_cases import CASES, EVERYBODY, GROWS, Case, Timed, Work, case, varied
from tools.bench.worst_world import SPARE, World

_drafts = count(1)


# --- What the server does by itself --------------------------------------------------------------------------------


@case("presence", "server", "a flush for the lobby of 10,000", EVERYBODY)
def presence(world: World) -> Timed:
    world.loop.run(for_s=1.0)
    session = world.guest()
    yield Work((), 0.5, at_once=True)
    world.drop(session)


@case("presence", "server", "a flush for 100 crowded rooms", EVERYBODY)
def presence_in_all(world: World) -> Timed:
    world.loop.run(for_s=1.0)
    session = world.enter(1)
    yield Work((), 0.5, at_once=True)
    world.drop(session)
    world.loop.run(for_s=1.0)


@case("departures", "server", "100 members, each of 100 crowded rooms, do not come back", EVERYBODY)
def departures(world: World) -> Timed:
    lost = world.present[-min(100, world.size.crowd) :]
    numbers = [int(world.names.index(world.hub.name_of(session))) for session in lost]
    for session in lost:
        world.hub.lost(session, world.loop.now)
    yield Work((), world.limits.quiet_return_s + 2.0, at_once=True)
    world.present[-len(lost) :] = [world.enter(number) for number in numbers]


@case("network drop", "server", "100 connections lost in one pass")
def network_drop(world: World) -> Timed:
    count = min(100, len(world.present) // 2)
    lost = world.present[:count]
    yield Work(tuple(lambda session=session: world.hub.lost(session, world.loop.now) for session in lost), 0.5)
    world.present[:count] = [world.enter(SPARE + number) for number in range(count)]


@case("commit", "server", "1,024 messages for a crowded room", 1_024)
def commit(world: World) -> Timed:
    room = world.crowded[5]
    drafts = []
    for session in world.present[-min(64, world.size.crowd) :]:
        drafts += [(session, next(_drafts)) for _ in range(world.size.batch // min(64, world.size.crowd))]
    for session, number in drafts:
        session._drafts += 1
        world.hub.handle(session, Say(number, room, "hello, everybody"), world.loop.now)
    yield Work((), at_once=True)


@case("tidy", "server", "the daily round: 10,000 accounts, 50,000 logins")
def tidy(world: World) -> Timed:
    yield Work((world.hub.tidy,), 1.0)


@case("lookalikes", "server", "a ban on a name, with 10,000 connected")
def ban_name(world: World) -> Timed:
    name = varied(0, 32)
    guest = world.guest(name)
    steward = world.hub.steward
    yield Work((lambda: steward.ban("x", name, reason="", duration_s=None, done=lambda _: None),))
    steward.unban("x", name, lambda _: None)
    world.loop.run()
    del guest


# --- The operator ------------------------------------------------------------------------------------------------


def asked(kind: Any, what: str, make: Callable[[World], Any], heard_by: int = 0) -> None:
    """A case that is one line of the operator's tool."""

    def run(world: World) -> Timed:
        begin, end = world.ask(msgspec.json.encode(make(world)))
        yield Work((begin,))
        end()

    CASES.append(Case(kind, "operator", what, run, heard_by))


asked(requests.Status, "10,000 accounts", lambda _: requests.Status())
asked(requests.Users, "10,000 accounts", lambda _: requests.Users())
asked(requests.Rooms, "10,000 rooms", lambda _: requests.Rooms())
asked(requests.PruneRooms, "10,000 rooms, none to remove", lambda _: requests.PruneRooms(unused_days=1.0))
asked(requests.Sessions, "50,000 logins", lambda _: requests.Sessions())
asked(requests.Sessions, "of one with 50", lambda w: requests.Sessions(w.names[1]))
asked(requests.Invites, "10,000 invites", lambda _: requests.Invites())
asked(requests.Bans, "10,000 bans", lambda _: requests.Bans())
asked(requests.Mutes, "no mutes", lambda _: requests.Mutes())
asked(requests.MakeInvite, "a room that grows", lambda _: requests.MakeInvite(1, 1, GROWS * 128))
asked(requests.Revoke, "one of 10,000", lambda w: requests.Revoke(min(w.hub._registry.invites)))
asked(requests.Kick, "a name that grows", lambda _: requests.Kick(GROWS * 500))
asked(requests.MakeBan, "a name that grows", lambda _: requests.MakeBan(GROWS * 500))
asked(requests.MakeBan, "a network, with 10,000 connected", lambda _: requests.MakeBan("198.51.100.7"))
asked(requests.Unban, "a name that grows", lambda _: requests.Unban(GROWS * 500))
asked(requests.Unban, "one of 10,000", lambda _: requests.Unban("10.0.0.1/32"))
asked(requests.MakeMute, "a name that grows", lambda _: requests.MakeMute(GROWS * 500))
asked(requests.Unmute, "a name that grows", lambda _: requests.Unmute(GROWS * 500))
asked(requests.Logout, "one that is not there", lambda _: requests.Logout(1))
asked(requests.ResetPassword, "an account with logins", lambda w: requests.ResetPassword(w.names[7]))
asked(requests.SetRole, "one of 10,000", lambda w: requests.SetRole(w.names[6], "member"))
asked(requests.DeleteUser, "somebody who is not there", lambda _: requests.DeleteUser(GROWS * 500, "keep"))
asked(requests.Announce, "to 10,000", lambda _: requests.Announce("\u00e4" * 1_000), EVERYBODY)
asked(requests.Note, "the longest detail", lambda _: requests.Note("backup", "t" * 500, "d" * 500))
asked(requests.Shutdown, "alone", lambda _: requests.Shutdown())


@case(requests.DeleteUser, "operator", "an account in 100 crowded rooms")
def delete_user(world: World) -> Timed:
    registry = world.hub._registry
    steward = world.hub.steward
    account = registry.accounts[2]
    kept = registry.rulebook.memberships_of(2)
    logins = list(registry.logins_of(2))
    yield Work(
        (lambda: steward.delete_user("x", account.name, remove=False, progress=lambda _: None, done=lambda _: None),)
    )
    gone = [PutPlace(place) for place, _ in kept if place.name not in registry.rulebook.places]
    registry.change([Put(account), *map(Put, logins), *gone, *(PutMembership(row) for _, row in kept)])
    world.loop.run()
