"""The worst of what the server does by itself, and of what its operator asks for: cases as in `worst_cases`."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import msgspec

from securechat.model import Say
from securechat.records.accounts import Put
from securechat.records.rooms import PutMembership, PutRoom
from securechat.server import admin_protocol
from tools.bench.worst_cases import EVERYBODY, GROWS, Case, Timed, Work, case, varied
from tools.bench.worst_programs import CASES
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
        world.hub.lost(session)
    yield Work((), world.limits.quiet_return_s + 2.0, at_once=True)
    world.present[-len(lost) :] = [world.enter(number) for number in numbers]


@case("network drop", "server", "100 connections lost in one pass", at_once=100)
def network_drop(world: World) -> Timed:
    count = min(100, len(world.present) // 2)
    lost = world.present[:count]
    yield Work(tuple(lambda session=session: world.hub.lost(session) for session in lost), 0.5)
    world.present[:count] = [world.enter(SPARE + number) for number in range(count)]


@case("commit", "server", "1,024 messages for a crowded room", 1_024, at_once=1_024)
def commit(world: World) -> Timed:
    room = world.crowded[5]
    drafts = []
    for session in world.present[-min(64, world.size.crowd) :]:
        drafts += [(session, next(_drafts)) for _ in range(world.size.batch // min(64, world.size.crowd))]
    for session, number in drafts:
        session._drafts += 1
        world.hub.handle(session, Say(number, room, "hello, everybody"))
    yield Work((), at_once=True)


@case("tidy", "server", "the daily round: 10,000 accounts, 50,000 logins")
def tidy(world: World) -> Timed:
    yield Work((world.hub.tidy,), 1.0)


@case("lookalikes", "server", "a ban on a name, with 10,000 connected")
def ban_name(world: World) -> Timed:
    name = varied(0, 32)
    guest = world.guest(name)
    commands = world.hub.admin_commands
    yield Work((lambda: commands.ban("x", name, reason="", duration_s=None, done=lambda _: None),))
    commands.unban("x", name, lambda _: None)
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


asked(admin_protocol.GetStatus, "10,000 accounts", lambda _: admin_protocol.GetStatus())
asked(admin_protocol.ListUsers, "10,000 accounts", lambda _: admin_protocol.ListUsers())
asked(admin_protocol.ListRooms, "10,000 rooms", lambda _: admin_protocol.ListRooms())
asked(admin_protocol.PruneRooms, "10,000 rooms, none to remove", lambda _: admin_protocol.PruneRooms(unused_days=1.0))
asked(admin_protocol.ListSessions, "50,000 logins", lambda _: admin_protocol.ListSessions())
asked(admin_protocol.ListSessions, "of one with 50", lambda w: admin_protocol.ListSessions(w.names[1]))
asked(admin_protocol.ListInvites, "10,000 invites", lambda _: admin_protocol.ListInvites())
asked(admin_protocol.ListBans, "10,000 bans", lambda _: admin_protocol.ListBans())
asked(admin_protocol.ListMutes, "no mutes", lambda _: admin_protocol.ListMutes())
asked(admin_protocol.CreateInvite, "a room that grows", lambda _: admin_protocol.CreateInvite(1, 1, GROWS * 128))
asked(
    admin_protocol.RevokeInvite, "one of 10,000", lambda w: admin_protocol.RevokeInvite(min(w.hub._directory.invites))
)
asked(admin_protocol.KickMember, "a name that grows", lambda _: admin_protocol.KickMember(GROWS * 500))
asked(admin_protocol.AddBan, "a name that grows", lambda _: admin_protocol.AddBan(GROWS * 500))
asked(admin_protocol.AddBan, "a network, with 10,000 connected", lambda _: admin_protocol.AddBan("198.51.100.7"))
asked(admin_protocol.RemoveBan, "a name that grows", lambda _: admin_protocol.RemoveBan(GROWS * 500))
asked(admin_protocol.RemoveBan, "one of 10,000", lambda _: admin_protocol.RemoveBan("10.0.0.1/32"))
asked(admin_protocol.AddMute, "a name that grows", lambda _: admin_protocol.AddMute(GROWS * 500))
asked(admin_protocol.RemoveMute, "a name that grows", lambda _: admin_protocol.RemoveMute(GROWS * 500))
asked(admin_protocol.EndSession, "one that is not there", lambda _: admin_protocol.EndSession(1))
asked(admin_protocol.ResetPassword, "an account with logins", lambda w: admin_protocol.ResetPassword(w.names[7]))
asked(admin_protocol.SetAccountRole, "one of 10,000", lambda w: admin_protocol.SetAccountRole(w.names[6], "member"))
asked(admin_protocol.DeleteUser, "somebody who is not there", lambda _: admin_protocol.DeleteUser(GROWS * 500, "keep"))
asked(
    admin_protocol.SendAnnouncement, "to 10,000", lambda _: admin_protocol.SendAnnouncement("\u00e4" * 1_000), EVERYBODY
)
asked(
    admin_protocol.AddAuditNote,
    "the longest detail",
    lambda _: admin_protocol.AddAuditNote("backup", "t" * 500, "d" * 500),
)
asked(
    admin_protocol.CreateBot,
    "a name and rooms that grow",
    lambda _: admin_protocol.CreateBot(GROWS * 128, rooms=[GROWS * 128]),
)
asked(admin_protocol.ListBots, "no bots", lambda _: admin_protocol.ListBots())
asked(admin_protocol.RotateBot, "a name that grows", lambda _: admin_protocol.RotateBot(GROWS * 500))
asked(admin_protocol.DeleteBot, "a name that grows", lambda _: admin_protocol.DeleteBot(GROWS * 500))
asked(
    admin_protocol.CreateOutgoing,
    "a name and a room that grow, and a long URL",
    lambda _: admin_protocol.CreateOutgoing(
        GROWS * 128, "https://example.org/" + "x" * 1_900, "!" + "x" * 31, GROWS * 128, bots=True
    ),
)
asked(admin_protocol.SwitchOn, "a name that grows", lambda _: admin_protocol.SwitchOn(GROWS * 500))
asked(admin_protocol.ListTokens, "of 10,000 accounts", lambda _: admin_protocol.ListTokens())
asked(admin_protocol.RevokeToken, "one that is not there", lambda _: admin_protocol.RevokeToken(1))
asked(admin_protocol.ShutDown, "alone", lambda _: admin_protocol.ShutDown())


@case(admin_protocol.DeleteUser, "operator", "an account in 100 crowded rooms")
def delete_user(world: World) -> Timed:
    accounts = world.hub._directory
    commands = world.hub.admin_commands
    account = accounts.accounts[2]
    kept = accounts.room_directory.memberships_of(2)
    records = [room.record for room, _ in kept if room.record is not None]
    logins = list(accounts.logins_of(2))
    yield Work(
        (lambda: commands.delete_user("x", account.name, remove=False, progress=lambda _: None, done=lambda _: None),)
    )
    gone = [PutRoom(record) for record in records if record.room_id not in accounts.room_directory.recorded]
    world.hub.context.changes.commit([Put(account), *map(Put, logins), *gone, *(PutMembership(row) for _, row in kept)])
    world.loop.run()
