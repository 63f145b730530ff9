"""Accounts with a real server: proof, members only, timing, floods, restarts."""

from __future__ import annotations

import secrets
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from securechat.errors import ErrorCode
from securechat.model import Direct, Hello, Message, Refused, Register, Registered, Say, Welcome
from tests.support.native import NativeClient
from tests.support.secrecy import PASSWORD, WRONG_PASSWORD, keep_secret
from tests.support.server import PATIENCE_S, ServerProcess

Connect = Callable[..., NativeClient]
UNSLOWED = ("--limit", "failed_logins_free=100000", "--limit", "login_tries_per_connection=100000")


def prove(client: NativeClient, name: str, **proof: str) -> Welcome | Refused:
    """Say hello with a proof; returns the answer."""
    before = len(client.events)
    client.send(Hello(version=1, name=name, secret=client.secret, client="test/1", **proof))
    answer = client.wait_for(Welcome | Refused, lambda event: event in client.events[before:])  # type: ignore[arg-type]
    assert isinstance(answer, Welcome | Refused)
    if isinstance(answer, Welcome):
        keep_secret(answer.token)
    return answer


def register(client: NativeClient, password: str = PASSWORD) -> str:
    client.send(Register(ref=77, password=password))
    return keep_secret(client.wait_for(Registered).token)


@pytest.fixture
def account(server: ServerProcess, connect: Connect) -> Iterator[str]:
    """An account named ann; its token."""
    ann = connect(server, "ann")
    yield register(ann)


def test_a_registered_name_needs_proof_also_after_kill_9(server: ServerProcess, connect: Connect, account: str) -> None:
    server.kill()
    server.start()
    refused = prove(connect(server), "ann")
    assert isinstance(refused, Refused)
    assert refused.code is ErrorCode.LOGIN_REQUIRED
    assert isinstance(prove(connect(server), "ann", password=PASSWORD), Welcome)
    welcome = prove(connect(server), "ann", token=account)
    assert isinstance(welcome, Welcome)
    assert welcome.account


def test_members_only_lets_nobody_past_the_hello(certs: Path, tmp_path: Path, connect: Connect) -> None:
    with ServerProcess(certs, tmp_path / "data").start() as server:
        register(connect(server, "ann"))
        server.stop()
    with ServerProcess(certs, tmp_path / "data", "--access", "members").start() as server:
        answers = []
        for name in ("ann", "nobody"):
            client = connect(server)
            answers.append(prove(client, name))
            client.send(Say(1, "lobby", "let me in"))
            assert client.last_words().code is ErrorCode.HELLO_EXPECTED
            assert not client.messages()
        assert answers[0] == answers[1]
        assert isinstance(prove(connect(server), "ann", password=PASSWORD), Welcome)


def test_what_one_device_says_the_other_shows(server: ServerProcess, connect: Connect, account: str) -> None:
    phone, laptop = connect(server), connect(server)
    assert isinstance(prove(phone, "ann", token=account), Welcome)
    assert isinstance(prove(laptop, "ann", password=PASSWORD), Welcome)
    phone.send(Say(1, "lobby", "from the phone"))
    assert laptop.wait_for_text("from the phone").name == "ann"
    laptop.send(Say(1, "lobby", "from the laptop"))
    assert phone.wait_for_text("from the laptop").sender_id == laptop.wait_for_text("from the phone").sender_id


def test_direct_messages_wait_for_an_absent_account_across_a_restart(
    server: ServerProcess, connect: Connect, account: str
) -> None:
    ann_id = prove(connect(server), "ann", token=account)
    assert isinstance(ann_id, Welcome)
    server.kill()
    server.start()
    bob = connect(server, "bob")
    bob.send(Direct(1, ann_id.sender_id, "for later"))
    bob.wait_for_text("for later")
    back = connect(server)
    welcome = prove(back, "ann", token=account)
    assert isinstance(welcome, Welcome)
    assert welcome.seen_seq is not None
    assert [message.text for message in back.history(after=welcome.seen_seq) if message.to] == ["for later"]


@pytest.mark.slow
def test_an_unknown_name_takes_as_long_as_a_wrong_password(certs: Path, tmp_path: Path, connect: Connect) -> None:
    """60 tries of each, alternating: the medians differ by less than the spread of one kind among itself.

    Not a test of speed: both take one hash, and without it an unknown name would be answered ten times as fast.
    """
    with ServerProcess(certs, tmp_path / "data", *UNSLOWED).start() as server:
        register(connect(server, "ann"))
        took_s: dict[str, list[float]] = {"ann": [], "nobody": []}
        client = connect(server)
        for count in range(60):
            if count % 5 == 0:
                client.close()
                client = connect(server)
            for name, times in took_s.items():
                begun = time.perf_counter()
                answer = prove(client, name, password=WRONG_PASSWORD)
                times.append(time.perf_counter() - begun)
                assert isinstance(answer, Refused)
                assert answer.code is ErrorCode.LOGIN_FAILED
        known, unknown = (statistics.median(times) for times in took_s.values())
        low, _, high = statistics.quantiles(took_s["ann"], n=4)
        assert abs(known - unknown) < max(high - low, 0.15 * known), took_s


def test_a_flood_of_wrong_passwords_does_not_lock_the_owner_out(certs: Path, tmp_path: Path, connect: Connect) -> None:
    flags = ("--limit", "failed_logins_free=2", "--limit", "login_delay_max_s=1")
    with ServerProcess(certs, tmp_path / "data", *flags).start() as server:
        token = register(connect(server, "ann"))
        codes = set()
        flood = [connect(server) for _ in range(3)]
        for _ in range(2):
            for attacker in flood:
                answer = prove(attacker, "ann", password=WRONG_PASSWORD)
                assert isinstance(answer, Refused)
                codes.add(answer.code)
        assert codes == {ErrorCode.LOGIN_FAILED, ErrorCode.LOGIN_SLOWED}
        assert isinstance(prove(connect(server), "ann", token=token), Welcome), "a token is not slowed"
        owner = connect(server)
        deadline = time.monotonic() + PATIENCE_S
        while isinstance(answer := prove(owner, "ann", password=PASSWORD), Refused):
            assert answer.code is ErrorCode.LOGIN_SLOWED
            assert answer.retry_after_s is not None
            assert time.monotonic() < deadline, "locked out"
            owner.pump(answer.retry_after_s)


@pytest.mark.slow
def test_a_hundred_at_once_all_get_in_though_many_hear_busy(certs: Path, tmp_path: Path, connect: Connect) -> None:
    with ServerProcess(certs, tmp_path / "data", *UNSLOWED).start() as server:
        register(connect(server, "ann"))
        waiting = [connect(server) for _ in range(100)]  # three times as many as may wait
        busy = 0
        for client in waiting:
            client.send(Hello(version=1, name="ann", secret=secrets.token_hex(16), password=PASSWORD))
        while waiting:
            again = []
            for client in waiting:
                answer = client.wait_for(Welcome | Refused, lambda _: True)  # type: ignore[arg-type]
                if isinstance(answer, Welcome):
                    keep_secret(answer.token)
                    continue
                assert answer.code is ErrorCode.BUSY
                busy += 1
                client.events.clear()
                client.send(Hello(version=1, name="ann", secret=secrets.token_hex(16), password=PASSWORD))
                again.append(client)
            waiting = again
        assert busy > 0
        probe = connect(server, "probe")
        probe.say("still there")
        assert probe.wait_for(Message).text == "still there"
