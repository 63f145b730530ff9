"""Limits an unexpected exception to the connection or request it belongs to.

The loop notes in `Containment.current` the owner of the work under way (a connection, a request) or, for the server's
own work, the callback. A callback that another thread answers is bound to the current owner when it is handed over
(`Containment.bind`). A timer belongs to the object whose method it calls. An exception from such work is counted by its
kind and reported with its traceback and owner, and the owner fails: the connection is closed, or the request refused.

`Vital` lists the work whose failure stops the process instead; docs/operations.md shows the list to operators.
KeyboardInterrupt and SystemExit pass through everywhere. Without ``on_failure`` every exception passes through: in a
test or a simulation a bug must end the run.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import partial
from types import TracebackType
from typing import Any, Generic, NamedTuple, ParamSpec, Protocol, TypeVar, runtime_checkable

from securechat.errors import Refusal, SecurechatError

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Vital(StrEnum):
    """Work whose failure stops the process, because continuing would break promise 1 or 5."""

    LOG = "the log's work on the loop's thread"
    """Handing over a pass's writes, and delivering a batch: after a failure a write could be lost, or an answer given
    twice or to the wrong write."""
    FAN_OUT = "telling what was committed"
    """After a failure members would miss messages that later ones refer to, and the last delivered seq would be
    wrong."""
    CHANGES = "applying recorded changes"
    """After a failure memory would disagree with the disk: a ban, a password or a room's rules would be in only one."""
    LOG_FAILURE = "stopping after the log has failed"
    STOPPING = "stopping"
    """A half-stopped server neither serves nor ends."""
    LOOP = "the loop itself"
    """Anything outside the pieces of work: its effect is unknown."""


class VitalFailure(SecurechatError):
    """Vital work has raised an exception; the process must stop. ``__cause__`` is that exception.

    Args:
        task: the vital work.
    """

    def __init__(self, task: Vital) -> None:
        super().__init__(task.value)
        self.task = task


def vital(task: Vital, callback: Callable[_P, _T]) -> Callable[_P, _T]:
    """Wrap ``callback`` as work whose failure stops the process.

    Raises (when called):
        VitalFailure: the callback raised an exception.
    """

    def run(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return callback(*args, **kwargs)
        except VitalFailure:
            raise
        except Exception as error:
            raise VitalFailure(task) from error

    return run


class Step(StrEnum):
    """The kinds of work in a loop's pass, in their order. Values are stable words for logs and metrics."""

    COMPLETION = "completion"
    READ = "read"
    HANDSHAKE = "handshake"
    ACCEPT = "accept"
    TIMER = "timer"
    BEFORE_FLUSH = "before_flush"
    FLUSH = "flush"
    CLOSE = "close"


HASHING = "hashing"
"""Of the thread that hashes passwords."""
FAN_OUT = "fan_out"
"""Of an event that fits into no frame."""
METRICS = "metrics"
"""Of the thread that makes the metrics."""
WEBHOOKS = "webhooks"
"""Of the threads that deliver outgoing webhooks."""
FILES = "files"
"""Of the thread that keeps files."""
UNREPORTED = "unreported"
"""Of those above that could not be written to the log, counted beside their own kind."""
FAILURE_KINDS = (*(step.value for step in Step), HASHING, FAN_OUT, METRICS, WEBHOOKS, FILES, UNREPORTED)
"""Every kind that is counted."""


@runtime_checkable
class Owner(Protocol):
    """An object that a piece of work can belong to."""

    @property
    def label(self) -> str:
        """Its name in the operator's log."""

    def fail(self) -> None:
        """End, and inform the peer: work for this owner has raised an exception."""


class Failure(NamedTuple):
    """An unexpected exception.

    Attributes:
        kind: the kind of work that raised: a `Step` or another stable word.
        owner: an owner's label, the name of the callback, or both.
        error: the exception.
    """

    kind: str
    owner: str
    error: Exception


class Containment:
    """Confines an exception to the piece of work that raised it. Not thread-safe: for the loop's thread only.

    Args:
        on_failure: receives each failure; without it the exception passes through.

    Attributes:
        current: the owner of the work under way: an `Owner`, or a callback; see `owner_of`.
        step: the kind of work under way.
        counts: failures so far, by kind.
    """

    __slots__ = ("_on_failure", "counts", "current", "step")

    def __init__(self, on_failure: Callable[[Failure], None] | None = None) -> None:
        self._on_failure = on_failure
        self.current: object = None
        self.step = Step.COMPLETION
        self.counts: dict[str, int] = {}

    def contain(self, work: object, error: Exception) -> None:
        """Count and report an exception, and let the work's owner fail.

        Call it in the ``except`` block.

        Raises:
            VitalFailure: ``error`` is one.
            Exception: ``error`` itself, if there is no ``on_failure``.
        """
        if self._on_failure is None or isinstance(error, VitalFailure):
            raise error
        self._report(self.step.value, label_of(work), error)
        owner = owner_of(work)
        if owner is not None:
            try:
                owner.fail()
            except VitalFailure:
                raise
            except Exception as second:  # noqa: BLE001  (as the first)
                self._report(self.step.value, label_of(work), second)

    def report(self, kind: str, owner: str, error: Exception) -> None:
        """Count and report an exception that another part has confined already, such as a thread.

        Args:
            kind: a stable word of `FAILURE_KINDS`.
            owner: as in `Failure`.
            error: the exception.
        """
        self._report(kind, owner, error)

    def bind(self, callback: Callable[_P, _T]) -> Callable[_P, _T | None]:
        """Wrap ``callback`` as work of the current owner. The wrapper returns None when it fails."""
        return _Bound(self, self.current, callback)

    def run(self, owner: object, callback: Callable[[], object]) -> None:
        """Call ``callback`` as work of ``owner``: it is current meanwhile, and what is raised is its failure."""
        _Bound(self, owner, callback)()

    def work_for(self, owner: object) -> _WorkFor:
        """A context in which ``owner`` is current and exceptions are its failures. A Refusal passes through."""
        return _WorkFor(self, owner)

    def _report(self, kind: str, owner: str, error: Exception) -> None:
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if self._on_failure is not None:
            try:
                self._on_failure(Failure(kind, owner, error))
            except Exception:  # noqa: BLE001  (an unwritable log must not make the failure worse)
                self.counts[UNREPORTED] = self.counts.get(UNREPORTED, 0) + 1


class _Bound(Generic[_P, _T]):
    __slots__ = ("_callback", "_containment", "_work")

    def __init__(self, containment: Containment, work: object, callback: Callable[_P, _T]) -> None:
        self._containment = containment
        self._work = work
        self._callback = callback

    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _T | None:
        containment = self._containment
        before, containment.current = containment.current, self._work
        try:
            return self._callback(*args, **kwargs)
        except Exception as error:  # noqa: BLE001  (containment is the purpose)
            containment.contain(self._work, error)
            return None
        finally:
            containment.current = before


class _WorkFor:
    __slots__ = ("_before", "_containment", "_work")

    def __init__(self, containment: Containment, work: object) -> None:
        self._containment = containment
        self._work = work
        self._before: object = None

    def __enter__(self) -> None:
        self._before, self._containment.current = self._containment.current, self._work

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        self._containment.current = self._before
        if not isinstance(error, Exception) or isinstance(error, Refusal):
            return False
        self._containment.contain(self._work, error)
        return True


def owner_of(work: object) -> Owner | None:
    """The owner of work: the work itself, or the object whose method a callback is, if that is an `Owner`."""
    work = _unwrapped(work)
    if isinstance(work, Owner):
        return work
    bound_to = getattr(work, "__self__", None)
    return bound_to if isinstance(bound_to, Owner) else None


def label_of(work: object) -> str:
    """The label of a piece of work in the operator's log: its owner, the callback's name, or both."""
    work = _unwrapped(work)
    owner = owner_of(work)
    if owner is work and owner is not None:
        return owner.label
    name = getattr(work, "__qualname__", None) or type(work).__qualname__
    return name if owner is None else f"{owner.label} ({name})"


def _unwrapped(work: Any) -> Any:
    while isinstance(work, partial):
        work = work.func
    return work
