"""What is left when nothing goes on: the same people on the server and on every screen, and then nobody and nothing."""

from __future__ import annotations

from securechat.testing.log_checks import HistoryBroken
from tests.simulation.device import Device
from tests.simulation.server import SimulatedServer


def check_roster(server: SimulatedServer, device: Device) -> None:
    """A device shows the rooms that it is in, and in each the people who are there."""
    assert device.core is not None
    member = server.hub._members.get(device.core.me.id)
    if member is None:
        raise HistoryBroken(f"{device.name} believes to be in, and is not")
    here = device.core.membership.rooms
    if set(here) != set(member.rooms):
        raise HistoryBroken(f"{device.name} shows rooms {sorted(here)}, and is in {sorted(member.rooms)}")
    for name, room in member.rooms.items():
        there = {other.sender_id: other.name for other in room.members.values()}
        shown = {person.id: person.name for person in here[name].people.values()}
        if shown != there:
            raise HistoryBroken(f"{device.name} shows {shown} in #{name}, where {there} are")


def check_empty(server: SimulatedServer) -> None:
    """Everybody has left: no table of the server holds anything but reservations and what is durable."""
    hub, loop = server.hub, server.loop
    entrance, posting = hub._entrance, hub._posting
    tables: dict[str, object] = {
        "sessions": server.sessions,
        "seats": hub._seats,
        "members": entrance.members,
        "names of members": entrance._by_key,
        "hellos that knock": entrance._knocking,
        "hellos that wait": entrance._waiting,
        "history questions": hub._lookups._reading,
        "late acks": posting._late_acks,
        "unsettled drafts": posting.unsettled,
        "drafts in the log": server.log.waiting,
        "rooms": hub._attendance.rooms,
        "absent members": hub._attendance._absent,
        "presence to tell": hub._attendance._presence_due,
        "turns": hub._registry._queues,
        "leaving records": hub._registry._leaving,
        "invites in use": hub._entrance._door._uses_pending,
        "accounts at the desk": hub._desk._at_work,
        "login queues": hub._slowdown._queued,
        "login tries": hub._slowdown._tries,
        "backlogs": loop.backlogs.total_bytes,
        "dirty transports": loop.dirty,
        "passwords": server.hasher._waiting,
    }
    left = {name: table for name, table in tables.items() if table}
    if left:
        raise HistoryBroken(f"everybody has left, and there are: {left}"[:300])
    held = [key for key, claim in entrance.claims._claims.items() if claim.until is None]
    if held:
        raise HistoryBroken(f"everybody has left, and names are in use: {held}")
