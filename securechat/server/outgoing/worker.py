"""Delivers on threads of its own, and hands each outcome back on the loop's thread.

A hook has at most one delivery here at a time, and gets the next one when the outcome of the last is known: so its
deliveries are in order, and after a crash at most one of them is made twice. Hooks do not wait for each other: up to
eight threads take deliveries in the order in which they came. One thread would let every receiver that hangs delay all
others by the 5 s of an attempt; a thread a hook would be a thread for each receiver that is down. Which hook may have
one of them is decided in `turns`.

Threads begin with the first delivery, as many as are needed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final

from securechat.errors import LocalProtocolError, SecurechatError
from securechat.server.outgoing.attempt import Attempt, AttemptAborted
from securechat.server.outgoing.outcome import DeliveryProblem, Failed, Outcome
from securechat.server.outgoing.sender import OutgoingRequest
from securechat.translation import Sentence

MOST_THREADS: Final = 8
MOST_WAITING: Final = 1_000
"""Deliveries taken and not yet answered: with bodies of up to 25 KB (4,000 control characters), 25 MB."""
_CLOSE_S: Final = 1.0
"""Seconds for the threads to end: an aborted attempt takes milliseconds, also while its receiver hangs."""


class DeliveryFault(SecurechatError):
    """An attempt raised an unexpected exception. The text has only its type: the exception may have the URL in it."""


class _Job:
    """A delivery that was taken."""

    __slots__ = ("attempt", "done", "hook_id", "request")

    def __init__(
        self, hook_id: int, request: OutgoingRequest, done: Callable[[Outcome], None], attempt: Attempt
    ) -> None:
        self.hook_id = hook_id
        self.request = request
        self.done = done
        self.attempt = attempt


class OutgoingWorker:
    """The threads that deliver.

    Args:
        send: makes an attempt, on one of the threads; see `WebhookSender.send`.
        post: runs a callable on the loop's thread, in order; callable from any thread.
        on_error: told on the loop's thread of an attempt that could not be made.
        new_attempt: makes the limits of one.
    """

    def __init__(
        self,
        send: Callable[[OutgoingRequest, Attempt], Outcome],
        post: Callable[[Callable[[], None]], None],
        on_error: Callable[[Exception], None],
        new_attempt: Callable[[], Attempt] = Attempt,
    ) -> None:
        self._send = send
        self._post = post
        self._on_error = on_error
        self._new_attempt = new_attempt
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()  # None: the end
        self._taken: dict[int, _Job] = {}  # by hook; the loop's thread alone
        self._threads: list[threading.Thread] = []
        self._closing = threading.Lock()  # held while an outcome is posted, so that none is after close()
        self._closed = False

    # --- On the loop's thread

    def deliver(self, hook_id: int, request: OutgoingRequest, done: Callable[[Outcome], None]) -> bool:
        """Make an attempt; ``done`` is called later, on the loop's thread, with its outcome.

        Returns:
            Whether it was taken; False: too many wait, or the worker is closed. ``done`` is not called then.

        Raises:
            LocalProtocolError: the hook's last delivery has no outcome yet.
        """
        if hook_id in self._taken:
            raise LocalProtocolError("a webhook has one delivery at a time")
        if self._closed or len(self._taken) >= MOST_WAITING:
            return False
        job = self._taken[hook_id] = _Job(hook_id, request, done, self._new_attempt())
        self._jobs.put(job)
        self._expect_threads()
        return True

    def is_delivering(self, hook_id: int) -> bool:
        """Whether a delivery of the hook has no outcome yet."""
        return hook_id in self._taken

    def forget(self, hook_id: int) -> None:
        """End the hook's delivery, if there is one; its ``done`` is not called. The receiver may have got it."""
        if (job := self._taken.pop(hook_id, None)) is not None:
            job.attempt.abort()

    def look_up(self, task: Callable[[], str], done: Callable[[str], None]) -> None:
        """Run something short that blocks, on a thread of its own; ``done`` is called later with its result.

        After an exception, or where there is no thread, the result is empty. Callers bound how many run.
        """

        def finish(result: str, fault: DeliveryFault | None) -> None:
            if fault is not None:
                self._on_error(fault)
            done(result)

        def run() -> None:
            result, fault = "", None
            try:
                result = task()
            except Exception as error:  # noqa: BLE001  (it may have a URL in it)
                fault = DeliveryFault(f"the receiver of a webhook could not be looked up ({type(error).__name__})")
            with self._closing:
                if not self._closed:
                    self._post(lambda: finish(result, fault))

        try:
            threading.Thread(target=run, name="webhook-lookup", daemon=True).start()
        except (RuntimeError, MemoryError):
            self._post(lambda: done(""))

    @property
    def waiting(self) -> int:
        """Deliveries taken and not yet answered."""
        return len(self._taken)

    def close(self) -> None:
        """End all deliveries and the threads; from now on no ``done`` is called. Takes a second at most."""
        with self._closing:
            self._closed = True
        for hook_id in reversed([*self._taken]):  # what waits first, or a thread that has become free would begin it
            self.forget(hook_id)
        for _thread in self._threads:
            self._jobs.put(None)
        until = time.monotonic() + _CLOSE_S
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        self._threads.clear()

    def _expect_threads(self) -> None:
        """See to it that there is a thread for each delivery, up to the most."""
        if len(self._threads) >= min(len(self._taken), MOST_THREADS):
            return
        thread = threading.Thread(target=self._run, name=f"webhooks-{len(self._threads) + 1}", daemon=True)
        try:
            thread.start()
        except (RuntimeError, MemoryError) as error:  # at the limit of threads, or of memory for its stack
            self._on_error(DeliveryFault(f"a thread that delivers webhooks could not be started: {error}"))
            if not self._threads:
                self._give_up()
            return
        self._threads.append(thread)

    def _give_up(self) -> None:
        """Answer what waits and cannot be delivered, later as ever."""
        while not self._jobs.empty():
            if (job := self._jobs.get()) is not None:
                self._answer(job, _FAULT)

    def _finish(self, job: _Job, outcome: Outcome, fault: DeliveryFault | None) -> None:
        if self._taken.get(job.hook_id) is not job:
            return  # forgotten meanwhile
        del self._taken[job.hook_id]
        try:
            if fault is not None:
                self._on_error(fault)
        finally:
            job.done(outcome)

    # --- On a thread

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            fault = None
            try:
                outcome = self._send(job.request, job.attempt)
            except AttemptAborted:
                continue
            except Exception as error:  # noqa: BLE001  (this attempt fails, and the next one may not)
                fault = DeliveryFault(f"a webhook could not be delivered ({type(error).__name__})")
                outcome = _FAULT
            self._answer(job, outcome, fault)

    def _answer(self, job: _Job, outcome: Outcome, fault: DeliveryFault | None = None) -> None:
        with self._closing:
            if not self._closed:
                self._post(lambda: self._finish(job, outcome, fault))


_FAULT: Final = Failed(DeliveryProblem.INTERNAL, Sentence("the server could not make the attempt"))
