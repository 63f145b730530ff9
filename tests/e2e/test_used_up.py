"""What one peer could use up for everybody, tried with real processes: it ends by itself, or by one command."""

from __future__ import annotations

from pathlib import Path

from securechat.errors import ErrorCode
from securechat.limits import MAX_NAME_CHARS
from securechat.model import (
    Hello,
    Join,
    Joined,
    Leave,
    Left,
    Refused,
    Register,
    Registered,
    Roster,
    SetRoom,
    Welcome,
    Who,
)
from tests.e2e.conftest import Connect
from tests.support.admin import needs_socket, refused, row, rows, told
from tests.support.native import NativeClient
from tests.support.secrecy import PASSWORD, keep_secret
from tests.support.server import ServerProcess

pytestmark = needs_socket
_ROOMS_TOTAL = 8
_FLAGS = (
    "--limit", f"rooms_total={_ROOMS_TOTAL}", "--limit", "request_rate=1000", "--limit", "request_burst=1000",
    "--rate-limit", "off",
)  # fmt: skip


def account(connect: Connect, server: ServerProcess, name: str) -> NativeClient:
    client = connect(server, name)
    client.send(Register(ref=77, password=PASSWORD))
    keep_secret(client.wait_for(Registered).token)
    return client


def leave(client: NativeClient, room: str) -> None:
    client.send(Leave(ref=1, room=room, sure=True))
    client.wait_for(Left, lambda left: left.room == room)


def test_one_account_that_joins_and_leaves_uses_up_no_rooms(certs: Path, tmp_path: Path, connect: Connect) -> None:
    with ServerProcess(certs, tmp_path / "data", *_FLAGS).start() as server:
        eve, bob = account(connect, server, "eve"), account(connect, server, "bob")
        for number in range(3 * _ROOMS_TOTAL):
            eve.join(f"empty{number}")
            leave(eve, f"empty{number}")
        assert [each["room"] for each in rows(server, "rooms")] == ["lobby"]
        for number in range(2 * _ROOMS_TOTAL):
            eve.join(f"said{number}")
            eve.say_acked("hello", f"said{number}")
            leave(eve, f"said{number}")
        assert bob.join("ours").role == "owner"
        server.kill()
        with ServerProcess(certs, tmp_path / "data", *_FLAGS).start() as again:
            kept = {each["room"]: each for each in rows(again, "rooms")}
            assert len(kept) <= _ROOMS_TOTAL + 1
            assert kept["ours"]["owners"] == ["bob"]
            cat = account(connect, again, "cat")
            cat.join("said0")
            assert [message.text for message in cat.history("said0")] == ["hello"], "messages went with the record"


def test_rooms_with_rules_are_removed_by_the_administrator(certs: Path, tmp_path: Path, connect: Connect) -> None:
    with ServerProcess(certs, tmp_path / "data", *_FLAGS).start() as server:
        eve, bob = account(connect, server, "eve"), account(connect, server, "bob")
        for number in range(_ROOMS_TOTAL):
            eve.join(f"room{number}")
            eve.say_acked("hello", f"room{number}")
            eve.send(SetRoom(ref=2, room=f"room{number}", private=True))
            leave(eve, f"room{number}")
        bob.send(Join(ref=3, rooms=["ours"]))
        answer = bob.wait_for(Refused)
        assert answer.code is ErrorCode.TOO_MANY_ROOMS
        assert "administrator" in answer.text
        assert row(server, "status")["rooms_without_members"] == _ROOMS_TOTAL
        assert "room3  0" in told(server, "rooms")
        assert told(server, "rooms", "prune", "--unused-days", "1") == "There are no unused rooms to remove\n"
        assert "private unused" in told(server, "rooms", "prune", "--dry-run")
        assert "add --yes" in refused(server.data, 2, "rooms", "prune")
        listed = [each["room"] for each in rows(server, "rooms")]
        assert listed == sorted(listed)
        assert len(rows(server, "rooms", "prune", "--yes")) == _ROOMS_TOTAL
        assert [each["act"] for each in rows(server, "audit", "--last", "3")] == ["prune"] * 3
        bob.send(Join(ref=4, rooms=["ours"]))
        assert bob.wait_for(Joined, lambda joined: joined.room == "ours").role == "owner"


def test_a_member_of_many_rooms_that_others_have_crowded_gets_in(certs: Path, tmp_path: Path, connect: Connect) -> None:
    """Guests with long names enter all rooms of an account: what its login tells was longer than an outbox."""
    small = ("outbox_soft_bytes=32768", "outbox_hard_bytes=65536", "send_buffer_bytes=4096", "rooms_per_member=90")
    flags = [word for limit in small for word in ("--limit", limit)]
    with ServerProcess(certs, tmp_path / "data", "--rate-limit", "off", *flags).start() as server:
        ann = account(connect, server, "ann")
        rooms = [f"room{number}" for number in range(80)]
        for room in rooms:
            ann.join(room)
        ann.close()
        for number in range(8):
            guest = connect(server, chr(0x10331 + number) * MAX_NAME_CHARS)
            for start in range(0, len(rooms), 20):
                guest.send(Join(ref=1 + start, rooms=rooms[start : start + 20]))
                guest.wait_for(Joined, lambda joined, last=rooms[start + 19]: joined.room == last)  # type: ignore[misc]
        back = connect(server, rcvbuf=4096)
        back.send(Hello(version=1, name="ann", secret=back.secret, password=PASSWORD))
        keep_secret(back.wait_for(Welcome).token)
        back.wait_for(Joined, lambda joined: joined.room == rooms[-1])
        joined = {each.room: each for each in back.events if isinstance(each, Joined)}
        assert joined.keys() == {"lobby", *rooms}
        assert {each.total for each in joined.values()} == {9}
        assert {len(each.members) for each in joined.values()} == {0, 9}, "people are left out from half an outbox on"
        back.send(Who(ref=5, room=rooms[-1]))
        assert len(back.wait_for(Roster).members) == 9
        back.say_acked("here")
