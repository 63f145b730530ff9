"""What is left when nothing goes on: the same people on the server and on every screen, and then nobody and nothing."""

from __future__ import annotations

from securechat.limits import Limits
from securechat.net.transport import _State
from securechat.server.api.peer import ProgramPeer
from securechat.server.api.streams import StreamPeer
from securechat.testing.log_checks import HistoryBroken
from tests.simulation.device import Device
from tests.simulation.server import SimulatedServer

UNOWNED_S = 1.0
"""Virtual time for a hello or a new name to be stored, and nothing else: some commits of up to 0.1 s, and a hash."""


def check_roster(server: SimulatedServer, device: Device) -> None:
    """A device shows the rooms that it is in, and in each the people who are there."""
    assert device.core is not None
    member = server.hub.context.members.get(device.core.me.id)
    if member is None:
        raise HistoryBroken(f"{device.name} believes to be in, and is not")
    here = device.core.rooms
    rooms = {room.name: room for room in member.rooms}
    if set(here) != set(rooms):
        raise HistoryBroken(f"{device.name} shows rooms {sorted(here)}, and is in {sorted(rooms)}")
    for name, room in rooms.items():
        there = {other.sender_id: other.name for other in room.members.values()}
        shown = {person.id: person.name for person in here[name].people.values()}
        if here[name].total != len(there):
            raise HistoryBroken(f"{device.name} shows {here[name].total} people in #{name}, where {there} are")
        # where only numbers are told, names grow old; so they are while a stream of the same account is not read
        told = not {"small", "stuffed", "events"} & device.world.flavour
        if shown != there and told:
            raise HistoryBroken(f"{device.name} shows {shown} in #{name}, where {there} are")


def check_outboxes(server: SimulatedServer, limits: Limits) -> None:
    """What waits for one peer, and for all, stays within its bounds."""
    total_bytes = 0
    for session, (transport, _) in server.sessions.items():
        if transport._backlog is not None and transport._state is _State.OPEN:
            total_bytes += transport.queued_bytes
            if transport.queued_bytes > limits.outbox_hard_bytes:
                raise HistoryBroken(f"{session.label}: {transport.queued_bytes} bytes wait for one peer")
    if total_bytes > limits.outboxes_total_bytes:
        raise HistoryBroken(f"{total_bytes} bytes wait in all")


def check_sessions(server: SimulatedServer, limits: Limits) -> None:
    """No connection has more drafts under way than it may, and nobody is in by one that is gone."""
    for session in server.sessions:
        if not 0 <= session._drafts <= limits.unacknowledged_drafts:
            raise HistoryBroken(f"{session.label}: {session._drafts} drafts under way")
    for peer in server.hub._connections:
        if peer not in server.sessions and not (isinstance(peer, ProgramPeer | StreamPeer) and server.http is not None):
            raise HistoryBroken("somebody is in by a connection that is gone")


def check_names(server: SimulatedServer) -> None:
    """Names are in use by those who are here, or who are coming or being renamed, which takes a commit."""
    hub, now = server.hub, server.clock.now
    storage = server.storage
    if storage.full or storage.locked or server.log.waiting or server.log.failure is not None:
        server.unowned.clear()
        return
    here = {member.owner for member in hub.context.members.values()}
    claims = hub._login_flow.name_reservations._name_reservations
    unowned = [key for key, claim in claims.items() if claim.until is None and claim.owner not in here]
    server.unowned = {key: server.unowned.get(key, now) for key in unowned}
    for key, since in server.unowned.items():
        if now > since + UNOWNED_S:
            raise HistoryBroken(f"{key!r} is in use, and who has it has been away for {now - since:.1f} s")


def check_empty(server: SimulatedServer) -> None:
    """Everybody has left: no table of the server holds anything but reservations and what is durable."""
    hub, loop = server.hub, server.loop
    entrance, posting = hub._login_flow, hub._posting
    tables: dict[str, object] = {
        "sessions": server.sessions,
        "seats": hub._connections,
        "members": hub.context.members,
        "names of members": hub.context.members_by_key,
        "hellos that knock": entrance._authenticating,
        "hellos that wait": entrance._waiting,
        "history questions": hub._log_reads._reading,
        "late acks": posting._late_acks,
        "unsettled drafts": hub.unsettled,
        "drafts in the log": server.log.waiting,
        "rooms": hub.context.rooms.occupied,
        "absent members": hub._presence._absent,
        "presence to tell": hub._presence._presence_due,
        "joins under way": hub._room_membership._joining,
        "rooms that get another name": [room for room in hub.context.rooms.recorded.values() if room.is_renaming],
        "leaves under way": hub._room_membership._leaving,
        "turns": hub.context.workflows.turns,
        "leaving records": hub._directory.leaving,
        "invites in use": hub._login_flow._authenticator._uses_pending,
        "accounts at the desk": hub._account_service._at_work,
        "login queues": hub._login_throttle._queued,
        "login tries": hub._login_throttle._tries,
        "passwords under way": [pair for pair in hub._login_throttle._pairs.values() if pair.under_way],
        "backlogs": loop.backlogs.total_bytes,
        "dirty transports": loop.dirty,
        "transports with more to read": loop.again,
        "handshakes under way": loop.handshakes,
        "transports to close": loop.closing,
        "work before the flush": loop._before_flush,
        "completions": loop._posted,
        "sockets in the selector": server.passes.watched,
        "drafts of who comes back": entrance._left_behind,
        "opened rooms, by address": getattr(hub._presence, "_opened", None),
        "passwords": server.hasher._waiting,
    }
    if server.http is not None:
        tables |= {"connections of programs": server.http.connections, "peers of tokens": len(server.http.peers)}
    left = {name: table for name, table in tables.items() if table}
    if left:
        raise HistoryBroken(f"everybody has left, and there are: {left}"[:300])
    held = [key for key, claim in entrance.name_reservations._name_reservations.items() if claim.until is None]
    if held:
        raise HistoryBroken(f"everybody has left, and names are in use: {held}")
