"""What becomes of an exception that no code expected: it costs what it belongs to, and nothing else.

The loop notes in `Containment.current` what it works for: an owner (a connection, a request) or, for the server's own
work, the callback. A callback that another thread answers is bound to what was current when it was handed over
(`Containment.bind`). A timer belongs to the object whose method it calls. What such work raises is counted by its kind,
reported with its traceback and its owner, and the owner fails: the connection is closed, or the request is refused.

`Vital` is the list of the work whose failure stops the process instead; docs/operations.md shows it to operators.
KeyboardInterrupt and SystemExit are no failures and pass through everywhere. Without ``on_failure`` every exception
passes through: in a test or a simulation a bug must end the run.
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
    """Work whose failure stops the process, because to go on would endanger promise 1 or 5."""

    LOG = "the log's work on the loop's thread"
    """Handing a pass's writes over, and delivering a batch: a write would be lost on its way, or an answer given twice
    or for another write."""
    FAN_OUT = "telling what was committed"
    """Members would miss messages that later ones follow, and the last seq told would no longer be true."""
    CHANGES = "applying recorded changes"
    """Memory would no longer agree with the disk: a ban, a password or a room's rules would count for one and not for
    the other."""
    LOG_FAILURE = "stopping after the log has failed"
    STOPPING = "stopping"
    """What is half stopped neither serves nor ends."""
    LOOP = "the loop itself"
    """Anything outside of the pieces of work: nobody knows what was left undone."""


class VitalFailure(SecurechatError):
    """Vital work has raised; the process must stop. The cause is the exception itself.

    Args:
        task: which.
    """

    def __init__(self, task: Vital) -> None:
        super().__init__(task.value)
        self.task = task


def vital(task: Vital, callback: Callable[_P, _T]) -> Callable[_P, _T]:
    """Return ``callback`` as work whose failure stops the process.

    Raises (when called):
        VitalFailure: it raised.
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
    """The kinds of work of a loop's pass, in their order. Values are stable words for logs and metrics."""

    COMPLETION = "completion"
    READ = "read"
    HANDSHAKE = "handshake"
    ACCEPT = "accept"
    TIMER = "timer"
    BEFORE_FLUSH = "before_flush"
    FLUSH = "flush"
    CLOSE = "close"


@runtime_checkable
class Owner(Protocol):
    """What a piece of work can belong to."""

    @property
    def label(self) -> str:
        """How the operator's log calls it."""

    def fail(self) -> None:
        """Work for it has raised: end, and tell the peer."""


class Failure(NamedTuple):
    """An exception that no code expected.

    Attributes:
        kind: the kind of work that raised: a `Step` or another stable word.
        owner: what it belonged to: an owner's label, the name of the callback, or both.
        error: the exception.
    """

    kind: str
    owner: str
    error: Exception


class Containment:
    """Keeps what one piece of work raises from all others of one loop. Not thread-safe: the loop's thread alone.

    Args:
        on_failure: told of each failure; without it the exception passes through.

    Attributes:
        current: what the loop works for: an `Owner`, or a callback; see `owner_of`.
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
        """Count and report what work has raised, and let its owner fail.

        Call it where the exception was caught.

        Raises:
            VitalFailure: ``error`` is one.
            Exception: ``error`` itself, where no failures are expected.
        """
        if self._on_failure is None or isinstance(error, VitalFailure):
            raise error
        self._report(work, error)
        owner = owner_of(work)
        if owner is not None:
            try:
                owner.fail()
            except VitalFailure:
                raise
            except Exception as second:  # noqa: BLE001  (as the first)
                self._report(work, second)

    def bind(self, callback: Callable[_P, _T]) -> Callable[_P, _T | None]:
        """Return ``callback`` as work for what is current now. It returns None where it fails."""
        return _Bound(self, self.current, callback)

    def work_for(self, owner: object) -> _WorkFor:
        """A context in which ``owner`` is current; what is raised in it is its failure. A Refusal passes through."""
        return _WorkFor(self, owner)

    def _report(self, work: object, error: Exception) -> None:
        kind = self.step.value
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if self._on_failure is not None:
            try:
                self._on_failure(Failure(kind, label_of(work), error))
            except Exception:  # noqa: BLE001  (a log that cannot be written must not cost more than the failure does)
                self.counts["unreported"] = self.counts.get("unreported", 0) + 1


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
        except Exception as error:  # noqa: BLE001  (that is what this is for)
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
    """Whom work belongs to: an owner itself, or the object whose method a callback is, where that is an owner."""
    work = _unwrapped(work)
    if isinstance(work, Owner):
        return work
    bound_to = getattr(work, "__self__", None)
    return bound_to if isinstance(bound_to, Owner) else None


def label_of(work: object) -> str:
    """How the operator's log calls a piece of work: its owner, the callback's name, or both."""
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
