"""Passwords on their own thread: right answers in order, a bounded queue, and silence about the passwords."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Iterator
from queue import Empty, Queue

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from securechat.errors import ErrorCode, LocalProtocolError, Refusal
from securechat.hub.interfaces import Hasher, PasswordCheck
from securechat.limits import Limits
from securechat.server import password_hashing
from securechat.server.password_hashing import Argon2Hasher, HashingFailed, MalformedHash, parameters_of

PATIENCE_S = 60.0
SALT, HASH = "c29tZXNhbHRzb21lc2FsdA", "0123456789abcdefghijklmnopqrstuvwxyzABCDEFE"
GOOD = f"$argon2id$v=19$m=64,t=1,p=1${SALT}${HASH}"


class Desk:
    """The loop's side: what is posted waits until it is run here."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.posted: Queue[Callable[[], None]] = Queue()
        self.errors: list[Exception] = []
        self.answers: list[object] = []
        self.hasher = Argon2Hasher(limits or Limits(), self.posted.put, self.errors.append)

    def run_one(self) -> None:
        self.posted.get(timeout=PATIENCE_S)()

    def hash(self, password: str) -> str:
        got: list[str | Refusal] = []
        self.hasher.hash(password, got.append)
        self.run_one()
        assert isinstance(got[0], str)
        return got[0]

    def verify(self, phc: str | None, password: str) -> PasswordCheck:
        got: list[PasswordCheck | Refusal] = []
        self.hasher.verify(phc, password, got.append)
        self.run_one()
        assert isinstance(got[0], PasswordCheck)
        return got[0]


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.hasher.close()


def weak(password: bytes, **changed: int) -> str:
    """A PHC string of earlier days, cheap to make."""
    cost = {
        "memory_cost": password_hashing.MEMORY_KIB,
        "iterations": 2,
        "lanes": 1,
        "length": 32,
        "salt_bytes": 16,
    } | changed
    salt = b"s" * cost.pop("salt_bytes")
    return Argon2id(salt=salt, **cost).derive_phc_encoded(password)


def test_it_is_a_hasher(desk: Desk) -> None:
    hasher: Hasher = desk.hasher
    assert hasher


def test_a_password_is_recognised_and_another_is_not(desk: Desk) -> None:
    phc = desk.hash("gunung berapi tua")
    assert phc.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert parameters_of(phc) == password_hashing.Parameters(19456, 2, 1, 16, 32)
    assert desk.verify(phc, "gunung berapi tua") == PasswordCheck(match=True)
    assert desk.verify(phc, "gunung berapi tuA") == PasswordCheck(match=False)
    assert desk.hash("gunung berapi tua") != phc, "the salt is fresh"
    assert not desk.errors


def test_a_stranger_is_no_match_at_the_same_cost(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    phc = desk.hash("gunung berapi tua")
    verified: list[str] = []
    honest = password_hashing.matches

    def spy(one: str, password: bytes) -> bool:
        verified.append(one)
        return honest(one, password)

    monkeypatch.setattr(password_hashing, "matches", spy)
    assert desk.verify(None, "gunung berapi tua") == PasswordCheck(match=False)
    assert desk.verify(None, "") == PasswordCheck(match=False)
    assert desk.verify(phc, "x") == PasswordCheck(match=False)
    assert [parameters_of(one) for one in verified] == [parameters_of(phc)] * 3
    assert verified[0] == verified[1] != phc


def test_the_work_is_never_done_on_the_loop(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    where: set[threading.Thread] = set()
    honest = password_hashing.new_phc

    def spy(password: bytes) -> str:
        where.add(threading.current_thread())
        return honest(password)

    monkeypatch.setattr(password_hashing, "new_phc", spy)
    desk.verify(None, "x")  # makes the dummy
    desk.hash("x")
    assert len(where) == 1
    assert threading.main_thread() not in where
    assert all(thread.daemon for thread in where)


@pytest.mark.parametrize(
    ("changed", "stale"),
    [
        ({}, False),
        ({"memory_cost": 64}, True),
        ({"iterations": 1}, True),
        ({"salt_bytes": 8}, True),
        ({"length": 16}, True),
        ({"lanes": 4}, False),
        ({"memory_cost": 32 * 1024, "iterations": 3, "length": 64}, False),
    ],
)
def test_old_parameters_still_verify_and_are_called_stale(desk: Desk, changed: dict[str, int], stale: bool) -> None:
    phc = weak(b"secret words", **changed)
    assert desk.verify(phc, "secret words") == PasswordCheck(match=True, stale=stale)
    assert desk.verify(phc, "other words") == PasswordCheck(match=False), "nobody hashes a wrong password again"


@pytest.mark.parametrize(
    "phc",
    [
        "",
        "secret",
        "$argon2id$",
        GOOD.replace("argon2id", "argon2i"),
        GOOD.replace("v=19", "v=16"),
        GOOD.replace("$v=19", ""),
        GOOD.replace("m=64", "m=7"),
        GOOD.replace("m=64", "m=4294967295"),
        GOOD.replace("m=64", "m=99999999999999"),
        GOOD.replace("t=1", "t=0"),
        GOOD.replace("t=1", "t=4294967295"),
        GOOD.replace("p=1", "p=0"),
        GOOD.replace("p=1", "p=9"),
        GOOD.replace("m=64", "m=-64"),
        GOOD.replace("m=64", "m=٦٤"),
        GOOD.replace(SALT, "c2FsdA"),
        GOOD.replace(SALT, SALT[:-1] + "B"),
        GOOD.replace(HASH, HASH[:-2] + "_E"),
        GOOD.replace(HASH, ""),
        GOOD + "\n",
        GOOD + "\x00",
        " " + GOOD,
        "\ud800" + GOOD,
    ],
)
def test_a_malformed_hash_is_no_match_and_is_reported(desk: Desk, phc: str) -> None:
    assert desk.verify(phc, "secret words") == PasswordCheck(match=False)
    (error,) = desk.errors
    assert isinstance(error, MalformedHash) and isinstance(error, LocalProtocolError)
    assert "the account needs a new password" in str(error)
    assert "secret" not in repr(error)
    assert error.__traceback__ is None and error.__context__ is None
    assert desk.verify(weak(b"x", memory_cost=64), "x").match, "and the thread goes on"


def test_the_example_of_a_good_string_is_one(desk: Desk) -> None:
    assert desk.verify(GOOD, "x") == PasswordCheck(match=False)
    assert not desk.errors


def test_answers_come_in_the_order_asked(desk: Desk) -> None:
    cheap = weak(b"x", memory_cost=64)
    dear = weak(b"x", memory_cost=64 * 1024)
    order: list[int] = []
    for number, phc in enumerate((dear, cheap, None, cheap, "malformed")):
        desk.hasher.verify(phc, "x", lambda _verdict, number=number: order.append(number))  # type: ignore[misc]
    for _ in range(5):
        desk.run_one()
    assert order == [0, 1, 2, 3, 4]


def test_a_full_queue_says_busy_and_when_to_come_again() -> None:
    desk = Desk(Limits(hash_queue=3))
    cheap = weak(b"x", memory_cost=64)
    for _ in range(3):
        desk.hasher.verify(cheap, "x", desk.answers.append)
    for ask in (
        lambda: desk.hasher.verify(cheap, "x", desk.answers.append),
        lambda: desk.hasher.hash("x", desk.answers.append),
    ):
        with pytest.raises(Refusal) as caught:
            ask()
        assert caught.value.code is ErrorCode.BUSY
        assert caught.value.retry_after_s == 1.0
        assert "Try again" in caught.value.detail
    desk.run_one()
    desk.hasher.verify(cheap, "x", desk.answers.append)  # one is answered: there is room again
    for _ in range(3):
        desk.run_one()
    assert desk.answers == [PasswordCheck(match=True, stale=True)] * 4
    desk.hasher.close()


class Held:
    """A hash under way for as long as the test likes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.let_go = threading.Event(), threading.Event()
        self.done = 0
        monkeypatch.setattr(password_hashing, "matches", self._match)

    def _match(self, _phc: str, _password: bytes) -> bool:
        self.begun.set()
        assert self.let_go.wait(PATIENCE_S)
        self.done += 1
        return True


def test_close_waits_for_one_hash_and_answers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    desk, held = Desk(), Held(monkeypatch)
    for _ in range(5):
        desk.hasher.verify(GOOD, "x", desk.answers.append)
    assert held.begun.wait(PATIENCE_S)
    closing = threading.Thread(target=desk.hasher.close)
    closing.start()
    deadline = time.monotonic() + PATIENCE_S
    while not desk.hasher._closed:
        assert time.monotonic() < deadline
    assert closing.is_alive()
    held.let_go.set()
    closing.join(PATIENCE_S)
    assert not closing.is_alive()
    assert held.done == 1
    with pytest.raises(Empty):
        desk.posted.get_nowait()
    desk.hasher.verify(GOOD, "x", desk.answers.append)  # nobody is there any more
    desk.hasher.close()
    assert desk.answers == []


def test_what_was_posted_before_close_is_not_told_after_it(desk: Desk) -> None:
    desk.hasher.verify(weak(b"x", memory_cost=64), "x", desk.answers.append)
    answer = desk.posted.get(timeout=PATIENCE_S)
    desk.hasher.close()
    answer()
    assert desk.answers == []


def test_close_without_any_password_has_no_thread_to_wait_for() -> None:
    before = threading.active_count()
    desk = Desk()
    assert threading.active_count() == before
    desk.hasher.close()


def test_what_cannot_be_hashed_is_reported_and_the_next_one_works(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_password: bytes) -> str:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(password_hashing, "new_phc", full)
        desk.hasher.hash("secret words", desk.answers.append)
        desk.run_one()
    (error,) = desk.errors
    assert isinstance(error, HashingFailed)
    assert str(error) == "a password could not be hashed (MemoryError)"
    assert error.__traceback__ is None and error.__context__ is None
    (answer,) = desk.answers
    assert isinstance(answer, Refusal) and answer.code is ErrorCode.BUSY and answer.retry_after_s
    assert "secret" not in str(answer)
    assert desk.verify(desk.hash("secret words"), "secret words").match


def test_a_failure_is_answered_even_when_telling_the_operator_fails(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> str:
        raise MemoryError

    monkeypatch.setattr(password_hashing, "new_phc", full)
    desk.hasher._on_error = full  # type: ignore[assignment]
    desk.hasher.verify(None, "secret words", desk.answers.append)
    with pytest.raises(MemoryError):
        desk.run_one()
    assert isinstance(desk.answers[0], Refusal)
    assert desk.hasher._waiting == 0


def test_a_thread_that_cannot_be_started_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()

    def none(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", none)
        for _ in range(50):  # more than the queue holds: a request that was refused takes no place
            with pytest.raises(Refusal) as caught:
                desk.hasher.verify(GOOD, "x", desk.answers.append)
            assert caught.value.code is ErrorCode.BUSY and caught.value.retry_after_s
        assert [type(error) for error in desk.errors] == [HashingFailed] * 50
        desk.hasher.close()  # has nothing to wait for
    desk = Desk()
    assert desk.verify(weak(b"x", memory_cost=64), "x").match
    desk.hasher.close()


def test_a_thread_that_has_died_is_replaced(desk: Desk) -> None:
    desk.hash("x")
    assert desk.hasher._thread is not None
    desk.hasher._jobs.put(None)
    desk.hasher._thread.join(PATIENCE_S)
    assert desk.verify(weak(b"x", memory_cost=64), "x").match


def test_an_answer_that_cannot_be_posted_at_once_is_posted_later(desk: Desk) -> None:
    post, refused = desk.hasher._post, []

    def full_once(answer: Callable[[], None]) -> None:
        if not refused:
            refused.append(answer)
            raise MemoryError
        post(answer)

    desk.hasher._post = full_once
    assert desk.verify(weak(b"x", memory_cost=64), "x").match


def test_no_repr_shows_a_password(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held(monkeypatch)
    desk.hasher.verify(GOOD, "secret words", desk.answers.append)
    assert held.begun.wait(PATIENCE_S)
    desk.hasher.verify(GOOD, "secret words", desk.answers.append)
    job = desk.hasher._jobs.get()
    shown = [repr(job), repr(desk.hasher), repr(vars(desk.hasher))]
    held.let_go.set()
    answer = desk.posted.get(timeout=PATIENCE_S)
    shown.append(repr(answer))
    assert not [one for one in shown if "secret" in one]


def test_lone_surrogates_are_hashed_and_not_complained_about(desk: Desk) -> None:
    phc = desk.hash("secret \ud800 words")
    assert desk.verify(phc, "secret \ud800 words").match
    assert not desk.verify(phc, "secret ? words").match


def test_a_refusal_shows_no_password() -> None:
    desk = Desk(Limits(hash_queue=1))
    desk.hasher.hash("secret words", desk.answers.append)
    with pytest.raises(Refusal) as caught:
        desk.hasher.hash("secret words", desk.answers.append)
    assert "secret" not in "".join(traceback.format_exception_only(caught.value))
    desk.hasher.close()


def test_without_argon2_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    from cryptography.exceptions import UnsupportedAlgorithm

    from securechat.errors import ConfigError

    def none(**_cost: object) -> None:
        raise UnsupportedAlgorithm("no Argon2")

    monkeypatch.setattr(password_hashing, "Argon2id", none)
    with pytest.raises(ConfigError, match="install the package from PyPI with pip"):
        Desk()
