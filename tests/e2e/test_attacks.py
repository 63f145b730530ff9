"""What strangers have tried on a running server, with real processes: none of it stops, freezes or uses up the server.

Longer answers than a frame are in `test_long_answers`, silent connections in `test_silent_crowd`, rooms in
`test_used_up`, a data directory that goes away in `test_disk`, a damaged journal and a lost database in
`test_admin_backup`, a FIFO as a certificate in `test_certificates`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from securechat.errors import ErrorCode
from securechat.model import (
    AddCertificate,
    AskRoom,
    CertificateList,
    Certificates,
    Command,
    Hello,
    InviteTo,
    Join,
    Moderate,
    Nick,
    Ping,
    Pong,
    Refused,
    Register,
    Registered,
    RoomRules,
    SetRoom,
    Welcome,
)
from tests.e2e.conftest import Connect
from tests.e2e.test_accounts import UNSLOWED, prove, register
from tests.e2e.test_rooms import ask
from tests.support.admin import admin, needs_socket, told
from tests.support.own_time import OwnTime
from tests.support.planted import CLOCK_AHEAD_DAYS, UNSTARTED_THREAD
from tests.support.secrecy import PASSWORD, WRONG_PASSWORD, keep_secret
from tests.support.server import ServerProcess

PLANTED = (sys.executable, "-m", "tests.support.planted")
GROWS = "\ufdfa"
"""One code point of which NFKC makes 18."""


# --- Freezing the loop ------------------------------------------------------------------------------------------------


def _mentions(number: int) -> str:
    return "".join(f"@{GROWS * 5}{chr(0xAC00 + 150 * number + n)}. {GROWS * 5} {GROWS * 5}. " for n in range(180))[
        :4_000
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="processor time of a thread is read from /proc")
def test_texts_and_names_that_grow_freeze_nothing(server: ServerProcess, connect: Connect) -> None:
    """Four guests say within their rates what took the loop 0.45 s each, join what took 0.7 s, and greet so."""
    guests = [connect(server, f"guest-{number}") for number in range(4)]
    honest = connect(server, "honest")
    taken = OwnTime(server.pid)
    for number, guest in enumerate(guests):
        for text in range(8):
            guest.say(_mentions(8 * number + text))
    honest.send(Ping(7))
    honest.wait_for(Pong)
    assert taken.seconds() < 3.0, "32 such texts alone took 14 s"
    for number, guest in enumerate(guests):
        guest.send(Join(5, [GROWS * 127 + chr(0xAC00 + n) for n in range(100)]))
        connect(server).send(Hello(version=1, name=GROWS * 128, secret=f"{number:032x}"))
    for guest in guests:
        guest.wait_for(Refused, lambda refused: refused.ref == 5)
    assert taken.computed_s() < 3.0, "these joins took 3 s more"


# --- Passwords --------------------------------------------------------------------------------------------------------


def test_a_password_that_could_not_be_hashed_costs_one_try(certs: Path, tmp_path: Path, connect: Connect) -> None:
    """No memory for a hash, and no thread for the first: neither lasts until the restart."""
    env = {UNSTARTED_THREAD: "password-hasher"}
    with ServerProcess(certs, tmp_path / "data", prefix=PLANTED, env=env).start() as server:
        ann = connect(server, "ann")
        for ref, password in ((1, PASSWORD), (2, "no memory for this one")):
            ann.send(Register(ref, password))
            refused = ann.wait_for(Refused, lambda event, ref=ref: event.ref == ref)  # type: ignore[misc]
            assert refused.code is ErrorCode.BUSY
            assert refused.retry_after_s
        ann.send(Register(3, PASSWORD))
        keep_secret(ann.wait_for(Registered).token)
        assert isinstance(prove(connect(server), "ann", password=PASSWORD), Welcome)
        server.wait_for_line("can't start new thread")
        assert server.stop() == 0
        assert "Traceback" not in server.stderr


def test_a_flood_of_hashes_from_this_machine_lets_an_honest_login_through(
    certs: Path, tmp_path: Path, connect: Connect
) -> None:
    """Counted in hashes and not in seconds: one of each that asked before, and those under way."""
    with ServerProcess(certs, tmp_path / "data", *UNSLOWED).start() as server:
        register(connect(server, "ann"))
        flood = [connect(server) for _ in range(12)]
        answered = 0

        def ask_again() -> int:
            count = 0
            for client in flood:
                client.pump(0.0)
                count += sum(isinstance(event, Refused) for event in client.events)
                if client.events:
                    client.events.clear()
                    client.send(hello)
            return count

        hello = Hello(version=1, name="ann", secret="0" * 32, password=WRONG_PASSWORD)
        for client in flood:
            client.send(hello)
        while answered < len(flood):
            answered += ask_again()
        honest = connect(server)
        honest.send(Hello(version=1, name="ann", secret=honest.secret, password=PASSWORD))
        since = 0
        while not (came := [event for event in honest.events if isinstance(event, Welcome | Refused)]):
            since += ask_again()
            honest.pump(0.001)
            assert since < 4 * len(flood)
        assert isinstance(came[0], Welcome)
        keep_secret(came[0].token)


# --- Rights -----------------------------------------------------------------------------------------------------------


@needs_socket
def test_an_account_that_is_muted_on_the_server_says_nothing_by_any_way(
    server: ServerProcess, connect: Connect
) -> None:
    ann, bob = connect(server, "ann"), connect(server, "bob")
    for client in (ann, bob):
        register(client)
    ann.join("ops")
    bob.join("ops")
    number = bob.wait_for(Welcome).sender_id
    told(server, "mute", "ann")
    tries: list[Command] = [
        SetRoom(10, "ops", topic="words"),
        SetRoom(11, "ops", name="words"),
        Nick(12, "words"),
        Moderate(13, "ops", number, "kick", reason="words"),
        InviteTo(14, "ops", number),
    ]
    ann.send(*tries)
    for ref in range(10, 15):
        assert ann.wait_for(Refused, lambda event, ref=ref: event.ref == ref).code is ErrorCode.MUTED  # type: ignore[misc]
    assert ask(bob, AskRoom(20, "ops"), RoomRules).topic == ""


def test_a_certificate_is_not_added_without_its_key(server: ServerProcess, connect: Connect) -> None:
    eve = connect(server, "eve")
    register(eve)
    eve.send(AddCertificate(1, "sha256:" + "ab" * 32))
    assert eve.wait_for(Refused, lambda event: event.ref == 1).code is ErrorCode.INVALID
    assert ask(eve, Certificates(2), CertificateList).certificates == []


# --- Files and clocks -------------------------------------------------------------------------------------------------


def test_a_bit_that_the_disk_has_flipped_is_told_to_readers_and_by_check(
    certs: Path, tmp_path: Path, connect: Connect
) -> None:
    with ServerProcess(certs, tmp_path / "data").start() as server:
        ann = connect(server, "ann")
        for text in ("before it", "what it was", "after it"):
            ann.say_acked(text)
        assert server.stop() == 0
        database = server.data / "securechat.db"
        content = bytearray(database.read_bytes())
        assert content.count(b"what it was") == 1
        content[content.index(b"what it was") + 5] ^= 2
        database.write_bytes(content)
        checked = admin(server.data, "check", "--json", "--cert", str(certs / "server.pem"))
        assert "is not what was stored" in checked.stdout
        server.start()
        texts = [message.text for message in connect(server, "bob").history("lobby")]
        assert texts[::2] == ["before it", "after it"]
        assert "damaged on the server's disk" in texts[1]
        server.wait_for_line("is damaged")


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
@pytest.mark.parametrize("name", ["securechat.lock", "securechat.db", "search.db", "clock"])
def test_a_planted_link_is_not_followed(certs: Path, tmp_path: Path, name: str) -> None:
    data, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    data.mkdir(mode=0o700)
    elsewhere.write_text("precious")
    (data / name).symlink_to(elsewhere)
    with ServerProcess(certs, data).start(wait=False) as server:
        if name in ("securechat.lock", "securechat.db"):
            assert server.wait() == 4
            assert "symbolic link" in server.stderr
        else:
            server.wait_for_event("listening")
            assert server.stop() == 0
    assert elsewhere.read_text() == "precious"


def test_a_login_used_while_the_clock_was_a_year_behind_is_still_one(
    certs: Path, tmp_path: Path, connect: Connect
) -> None:
    data = tmp_path / "data"

    def served(days: int, act: Callable[[ServerProcess], str | None]) -> str | None:
        env = {CLOCK_AHEAD_DAYS: str(days)}
        with ServerProcess(certs, data, prefix=PLANTED, env=env).start() as server:
            return act(server)

    def use(server: ServerProcess) -> None:
        assert isinstance(prove(connect(server), "ann", token=token), Welcome)

    token = served(0, lambda server: register(connect(server, "ann"))) or ""
    for days in (-400, 0):
        served(days, use)


def test_the_operator_is_told_that_the_index_cannot_be_written(certs: Path, tmp_path: Path) -> None:
    (tmp_path / "data" / "search.db" / "in the way").mkdir(parents=True)
    with ServerProcess(certs, tmp_path / "data").start() as server:
        server.wait_for_line("the search index cannot be written (")
