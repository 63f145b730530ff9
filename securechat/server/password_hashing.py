"""`Argon2Hasher`: hashes passwords on a thread of its own, so that the loop does not wait for them.

Argon2id (RFC 9106) with 19 MiB, two passes and one lane, as OWASP's Password Storage Cheat Sheet recommends: 20 to 45
ms a password, during which `cryptography` lets go of the interpreter's lock. One thread is enough and bounds the
memory; the queue before it is bounded by limits.hash_queue, and further requests are refused with
a time to try again.

Promises: answers come on the loop's thread, in the order asked; a login to an account that does not exist costs what
any other login costs; no password stands in a repr, an exception or a log; a password that cannot be hashed (no memory,
no thread) is answered with a refusal, and the next request tries again. The module knows no accounts, and no rules for
passwords (`securechat.text.passwords` has those).
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
import threading
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import Final, TypeAlias

from cryptography.exceptions import InvalidKey, UnsupportedAlgorithm
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from msgspec import Struct

from securechat.errors import ConfigError, LocalProtocolError, Refusal, SecurechatError
from securechat.hub.interfaces import PasswordCheck
from securechat.limits import Limits
from securechat.text.refusals import refusal_for

MEMORY_KIB: Final = 19 * 1024
ITERATIONS: Final = 2
LANES: Final = 1
SALT_BYTES: Final = 16
HASH_BYTES: Final = 32
_BUSY_RETRY_S = 1.0
"""A full queue of 32 is about a second of work."""
_FAILED_RETRY_S = 2.0
"""The resource that a failed hash needed (19 MiB, a thread) may be free again by then."""
_POST_RETRY_S = 0.05
"""Between two attempts to hand an answer over, which needs memory as well."""

_MOST_MEMORY_KIB = 256 * 1024
_MOST_ITERATIONS = 16
_MOST_LANES = 16
"""The largest parameters of a stored string: several times the recommended ones for logins (OWASP, RFC 9106), and too
small for a damaged row to take all memory, or the thread for more than about 4 s."""

_PHC = re.compile(
    r"\$argon2id\$v=19\$m=([1-9]\d{0,9}),t=([1-9]\d{0,9}),p=([1-9]\d{0,9})\$([\w+/]{11,128})\$([\w+/]{16,128})",
    re.ASCII,
)
"""Password Hashing Competition string format: parameters, salt and hash in base64 without padding."""


class MalformedHash(LocalProtocolError):
    """A stored password hash is none that we could have written. The text repeats nothing of it."""


class HashingFailed(SecurechatError):
    """A password could not be hashed at all, most likely for want of memory."""


class Parameters(Struct, frozen=True, gc=False):
    """The parameters in a PHC string.

    Attributes:
        memory_kib: memory, KiB.
        iterations: passes over it.
        lanes: parallelism.
        salt_bytes: length of the salt.
        hash_bytes: length of the hash.
    """

    memory_kib: int
    iterations: int
    lanes: int
    salt_bytes: int
    hash_bytes: int

    @property
    def weaker(self) -> bool:
        """Whether anything in it is less than today's; lanes make a hash faster, not weaker."""
        return (
            self.memory_kib < MEMORY_KIB
            or self.iterations < ITERATIONS
            or self.salt_bytes < SALT_BYTES
            or self.hash_bytes < HASH_BYTES
        )


def parameters_of(phc: str) -> Parameters:
    """Read a PHC string.

    Raises:
        MalformedHash: it is no Argon2id string of version 19, is damaged, or asks for far more than any of ours would.
    """
    found = _PHC.fullmatch(phc)
    if found is None:
        raise MalformedHash("a stored password hash is no Argon2id string; the account needs a new password")
    memory_kib, iterations, lanes = (int(found[group]) for group in (1, 2, 3))
    if lanes > _MOST_LANES or iterations > _MOST_ITERATIONS or not 8 * lanes <= memory_kib <= _MOST_MEMORY_KIB:
        raise MalformedHash("a stored password hash has impossible parameters; the account needs a new password")
    salt_bytes, hash_bytes = (_decoded_bytes(found[group]) for group in (4, 5))
    return Parameters(memory_kib, iterations, lanes, salt_bytes, hash_bytes)


def _decoded_bytes(text: str) -> int:
    """The length of what is base64 without padding, and written in the one right way."""
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        decoded = b""
    if base64.b64encode(decoded).rstrip(b"=") != text.encode():
        raise MalformedHash("a stored password hash is damaged; the account needs a new password")
    return len(decoded)


_Answer: TypeAlias = Callable[[], None]
"""Run on the loop's thread."""
_Work: TypeAlias = Callable[[], _Answer]
"""Run on the hashing thread. Always a closure, never a partial: the repr of a partial shows the password."""
_Job: TypeAlias = tuple[_Work, Callable[[Refusal], None]]
"""And who is told when it fails."""


class Argon2Hasher:
    """A `securechat.hub.interfaces.Hasher`.

    The thread begins with the first password, so a server without accounts has none.

    Args:
        limits: hash_queue is its.
        post: runs a callable on the loop's thread, in order; callable from any thread.
        on_error: told on the loop's thread of what the operator has to know: a malformed hash in the log, a hash that
            could not be computed (no memory), a thread that could not be started.

    Raises:
        ConfigError: this build of `cryptography` has no Argon2id.
    """

    def __init__(
        self,
        limits: Limits,
        post: Callable[[Callable[[], None]], None],
        on_error: Callable[[Exception], None],
    ) -> None:
        _expect_argon2()
        self._most_waiting = limits.hash_queue
        self._post = post
        self._on_error = on_error
        self._waiting = 0  # asked and not yet answered; the loop's thread alone counts them
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()  # None: that was all
        self._thread: threading.Thread | None = None
        self._closing = threading.Lock()  # held while an answer is posted, so that none is after close()
        self._closed = False
        self._no_more = threading.Event()  # the same, for a thread that waits
        self._dummy = ""  # the hashing thread's own

    # --- On the loop's thread -------------------------------------------------------------------------------------

    def hash(self, password: str, done: Callable[[str | Refusal], None]) -> None:
        """Hash a new password; see `Hasher.hash`. Of one that cannot be hashed ``on_error`` is told as well.

        Raises:
            Refusal: BUSY with retry_after_s.
        """
        secret = _bytes(password)
        self._ask(lambda: self._hashed(secret, done), done)

    def verify(self, phc: str | None, password: str, done: Callable[[PasswordCheck | Refusal], None]) -> None:
        """Compare; see `Hasher.verify`. ``stale`` is only said of a match. A malformed hash matches nothing.

        Raises:
            Refusal: BUSY with retry_after_s.
        """
        secret = _bytes(password)
        self._ask(lambda: self._judged(phc, secret, done), done)

    @property
    def waiting(self) -> int:
        """Passwords taken and not yet answered."""
        return self._waiting

    def close(self) -> None:
        """End the thread; from now on nothing is answered. Waits for the one hash under way, not for those queued."""
        with self._closing:
            self._closed = True
            self._no_more.set()
        self._jobs.put(None)
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _ask(self, work: _Work, failed: Callable[[Refusal], None]) -> None:
        if self._waiting >= self._most_waiting:
            raise refusal_for("password_queue_full", retry_after_s=_BUSY_RETRY_S)
        if self._closed:
            return
        self._expect_thread()
        self._jobs.put((work, failed))
        self._waiting += 1

    def _expect_thread(self) -> None:
        """See to it that there is a thread; one that could not be started is tried again with the next password."""
        if self._thread is not None and self._thread.is_alive():
            return
        thread = threading.Thread(target=self._work, name="password-hasher", daemon=True)
        try:
            thread.start()
        except (RuntimeError, MemoryError) as error:  # at the limit of threads, or of memory for its stack
            self._on_error(HashingFailed(f"the thread that hashes passwords could not be started: {error}"))
            raise _failure() from None
        self._thread = thread

    def _deliver(self, answer: _Answer) -> None:
        self._waiting -= 1
        if not self._closed:
            answer()

    # --- On the hashing thread ------------------------------------------------------------------------------------

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None and not self._closed:
            answer = self._answer(*job)
            del job  # and the password with it, not only when the next one comes
            while not self._handed_over(answer):
                self._no_more.wait(_POST_RETRY_S)

    def _handed_over(self, answer: _Answer) -> bool:
        """Post an answer, unless nothing is answered any more; False when there was no memory for it."""
        try:
            with self._closing:
                if not self._closed:
                    self._post(partial(self._deliver, answer))
        except MemoryError:
            return False
        return True

    def _answer(self, work: _Work, failed: Callable[[Refusal], None]) -> _Answer:
        # What is reported is made anew: an exception from below has frames, and frames have passwords.
        try:
            # Before the first job of either kind: a stranger's first login must not take longer than a member's.
            self._dummy = self._dummy or new_phc(secrets.token_bytes(SALT_BYTES))
            return work()
        except Exception as error:  # noqa: BLE001  # this password fails, the next may not
            kind = type(error)
        return lambda: self._failed(kind, failed)

    def _failed(self, kind: type[Exception], failed: Callable[[Refusal], None]) -> None:
        try:
            self._on_error(HashingFailed(f"a password could not be hashed ({kind.__name__})"))
        finally:
            failed(_failure())

    def _hashed(self, password: bytes, done: Callable[[str | Refusal], None]) -> _Answer:
        return partial(done, new_phc(password))

    def _judged(self, phc: str | None, password: bytes, done: Callable[[PasswordCheck | Refusal], None]) -> _Answer:
        if phc is None:
            matches(self._dummy, password)
            return partial(done, PasswordCheck(match=False))
        try:
            made = parameters_of(phc)
            match = matches(phc, password)
        except MalformedHash as error:
            malformed = MalformedHash(str(error))
        else:
            return partial(done, PasswordCheck(match=match, stale=match and made.weaker))
        matches(self._dummy, password)  # the time must not tell which accounts have a damaged hash
        return partial(self._broken, malformed, done)

    def _broken(self, failure: MalformedHash, done: Callable[[PasswordCheck | Refusal], None]) -> None:
        try:
            self._on_error(failure)
        finally:
            done(PasswordCheck(match=False))


def _failure() -> Refusal:
    return refusal_for("password_check_failed", retry_after_s=_FAILED_RETRY_S)


def new_phc(password: bytes) -> str:
    """Hash with today's parameters and a fresh salt."""
    return _argon2(secrets.token_bytes(SALT_BYTES)).derive_phc_encoded(password)


def matches(phc: str, password: bytes) -> bool:
    """Whether a string that `parameters_of` accepts belongs to the password.

    Raises:
        MalformedHash: the library refuses it all the same.
    """
    try:
        Argon2id.verify_phc_encoded(password, phc)
    except InvalidKey:
        return False
    except ValueError:
        raise MalformedHash("a stored password hash is refused; the account needs a new password") from None
    return True


def _argon2(salt: bytes) -> Argon2id:
    return Argon2id(salt=salt, length=HASH_BYTES, iterations=ITERATIONS, lanes=LANES, memory_cost=MEMORY_KIB)


def _expect_argon2() -> None:
    try:
        _argon2(bytes(SALT_BYTES))
    except UnsupportedAlgorithm as error:
        raise ConfigError(
            "Python package cryptography",
            "Argon2id",
            "this build has none, so passwords cannot be kept; install the package from PyPI with pip",
        ) from error


def _bytes(password: str) -> bytes:
    # Lone surrogates never get here from a codec; an exception about them would carry the password.
    return password.encode("utf-8", "surrogatepass")
