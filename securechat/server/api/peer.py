"""One token at the hub: requests of its programs become commands, and the hub's events their answers.

A program logs in as every client does, with a Hello that has its token, so nothing here judges what it may do. One
`ProgramPeer` stands for all connections of a token: its commands have numbers of their own, by which their answers are
found, and it is told no broadcast. It keeps the rules of a session (`securechat.server.session`): no command while a
durable act is under way or a rate is exceeded, and one read of the log at a time.

A request is a generator: it yields commands, is sent the event that answers each, or is thrown the `Refusal`, and
returns its answer. What must wait longer than MOST_WAIT_S for a rate is refused instead, so that the program learns of
it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from msgspec.structs import replace

from securechat import __version__
from securechat.client_address import origin_of
from securechat.errors import ErrorCode, Overloaded, Refusal
from securechat.hub.accounts.authentication import LoginKind
from securechat.limits import PAGE_LIMITS
from securechat.model import (
    PROTOCOL_VERSION,
    Acked,
    Closing,
    Command,
    Delete,
    Direct,
    Edit,
    Event,
    Hello,
    History,
    React,
    Refused,
    Say,
    Search,
    Welcome,
)
from securechat.server.api.problems import ProblemError, refused_as_problem
from securechat.server.session import next_number
from securechat.text.refusals import refusal_for
from securechat.wire.codec import validated
from securechat.wire.http import HttpError

if TYPE_CHECKING:
    from securechat.hub.hub import Hub
    from securechat.limits import Limits, PageLimits
    from securechat.server.api.answers import ApiAnswer
    from securechat.server.session import Cancellable, Scheduler
    from securechat.server.web.programs import ProgramAnswer

Steps: TypeAlias = Generator[Command, Any, "ProgramAnswer"]
"""A request that is carried out; see above."""
RefusalAnswer: TypeAlias = Callable[["Refusal | HttpError"], "ApiAnswer"]
"""Forms the answer to a refusal, of the hub or of HTTP."""
MOST_WAIT_S = 5.0
"""A request that would wait longer for a rate is refused: as `securechat.server.web.rates` has it for pages."""
_OVERLOAD_RETRY_S = 1.0
"""4,096 drafts take 0.1 to 0.3 s to commit."""
_NAME = "program"
"""Of the Hello, which must have one; a token has the name of its account."""
_DRAFTS = frozenset({Say, Direct, Edit, Delete, React})
_READS = frozenset({History, Search})


class PeerObserver(Protocol):
    """Is told of logins and refusals, for the metrics; see `SessionObserver`."""

    def logged_in(self, kind: LoginKind) -> None:
        """A hello was accepted."""

    def refused(self, code: ErrorCode, login: LoginKind | None) -> None:
        """A request was refused; ``login``: it was a hello."""

    def stream_closed(self, code: ErrorCode) -> None:
        """An event stream was closed with a last event of this code."""


class SilentFormat:
    """The wire format of peers that are told no broadcast: every event is nothing."""

    name = "http"
    page_limits = PAGE_LIMITS
    shares = True
    bodies = None

    def framed(self, body: bytes) -> bytes:
        """Never called: there are no bodies."""
        return body

    def encode(self, event: Event) -> bytes:  # noqa: ARG002  (the format's signature)
        """Return nothing."""
        return b""


SILENT = SilentFormat()


class ProgramRequest:
    """One request that is being carried out.

    Args:
        address: the network address that it came from.
        begin: returns what it does; called when the hub has accepted the token.
        done: gets the answer, unless it is abandoned.
        since: when it began, monotonic seconds.
        refused: forms the answer to a refusal.
    """

    __slots__ = ("_begin", "_steps", "address", "done", "refused", "since")

    def __init__(
        self,
        address: str,
        begin: Callable[[], Steps],
        done: Callable[[ProgramAnswer], None],
        since: float,
        refused: RefusalAnswer,
    ) -> None:
        self.address = address
        self._begin = begin
        self._steps: Steps | None = None
        self.done: Callable[[ProgramAnswer], None] | None = done
        self.since = since
        self.refused = refused

    def go_on(self, event: Event | None) -> Command:
        """Return the next command.

        Args:
            event: the answer to the one before; None at the beginning.

        Raises:
            StopIteration: there is none; its value is the answer.
            Refusal, HttpError: likewise, refused.
        """
        if self._steps is None:
            self._steps = self._begin()
        if isinstance(event, Refused):
            return self._steps.throw(event.refusal())
        return self._steps.send(event)

    def abandon(self) -> None:
        """No one waits for the answer any more; what waits to be handed over is dropped."""
        self.done = None


class ProgramPeer:
    """The connection to the hub of one token; implements `securechat.hub.interfaces.Peer`.

    Args:
        hub: the hub.
        scheduler: timers and the time of this pass.
        limits: requests in flight, and how long the peer lives without any.
        token: in clear, for the Hello alone.
        address: the network address of the first request.
        observer: is told of logins and refusals.
        on_over: called once, when the hub has let go of it.

    Attributes:
        host: the network address of the request whose command the hub gets now.
        address: the key under which limits count it.
        in_flight: requests that have begun, and have no answer yet.
        is_welcome: whether the hub has accepted the token.
        refusal: why it has not, or why it does not any more.
        own_id: the sender_id that the token speaks for; 0 before it was accepted.
        server: the program and its version, as the hub says.
    """

    format = SILENT
    link = None
    is_program = True  # for the operator's log
    certificate: str | None = None
    held_back = False
    queued_bytes = 0

    def __init__(
        self,
        hub: Hub,
        scheduler: Scheduler,
        limits: Limits,
        token: str,
        address: str,
        observer: PeerObserver,
        on_over: Callable[[ProgramPeer], None],
    ) -> None:
        self.host, self.address = address, origin_of(address)
        self.number = next_number()
        self.in_flight = 0
        self.is_welcome = False
        self.refusal: Refusal | None = None
        self.own_id, self.server = 0, ""
        self._hub = hub
        self._scheduler = scheduler
        self._limits = limits
        self._observer = observer
        self._on_over = on_over
        self._last_client_id = 0
        self._last_ref = 0
        self._drafts: dict[int, ProgramRequest] = {}
        self._questions: dict[int, ProgramRequest] = {}
        self._early: deque[ProgramRequest] = deque()  # wait for the welcome
        self._queue: deque[tuple[ProgramRequest, Command]] = deque()  # wait for an act, a rate, or the next pass
        self._reads: deque[tuple[ProgramRequest, Command]] = deque()
        self._reading = 0  # the ref of the read under way
        self._acts = 0
        self._free_at = 0.0
        self._in_hub = False
        self._pump_timer: Cancellable | None = None
        self._idle_timer: Cancellable | None = None
        self._idle_since = 0.0
        secret = sha256(b"securechat api " + token.encode()).hexdigest()[:32]
        client = f"securechat-api/{__version__}"
        hub.handle(self, Hello(PROTOCOL_VERSION, _NAME, secret, client, token=token))
        self._rest()

    # --- the hub's side

    @property
    def label(self) -> str:
        """For the operator's log."""
        return f"{self.host} (api)"

    @property
    def page_limits(self) -> PageLimits:
        """As for every frame: an answer is not longer than one."""
        return PAGE_LIMITS

    def deliver(self, event: Event) -> None:
        """Take an event; the one that answers a command lets its request go on."""
        before, self._in_hub = self._in_hub, True
        try:
            self._take(event)
        finally:
            self._in_hub = before

    def _take(self, event: Event) -> None:
        if isinstance(event, Acked):
            request = self._drafts.pop(event.client_id, None)
        elif isinstance(event, Welcome):
            self._welcomed(event)
            return
        elif isinstance(event, Refused):
            self._observer.refused(event.code, None if self.is_welcome else LoginKind.API_TOKEN)
            if not self.is_welcome:
                self._end(event.refusal())
                return
            if event.client_id is not None:
                request = self._drafts.pop(event.client_id, None)
            else:
                request = self._answered(event.ref or 0)
        else:
            request = self._answered(getattr(event, "ref", None) or 0)
        if request is not None:
            self._step(request, event)

    tell = deliver
    """As a session's: the fan-out calls it for formats that do not share."""

    def close(self, closing: Closing) -> None:
        """The hub ends the connection: every request is refused with its reason."""
        self._end(closing.refusal())

    def fail(self) -> None:
        """Work for this peer raised, and is left half done; see `securechat.containment.Owner`."""
        self._end(refusal_for("internal", retry_after_s=1.0))

    def act_begun(self) -> None:
        """See `Peer.act_begun`."""
        self._acts += 1

    def act_over(self) -> None:
        """See `Peer.act_over`."""
        self._acts -= 1
        if self._queue and not self._acts:
            self._pump_later(0.0)

    # --- the programs' side

    def enter(self) -> None:
        """Count a request that begins.

        Raises:
            ProblemError: 429, too many have no answer yet.
        """
        most = self._limits.api_requests_in_flight
        if self.in_flight >= most:
            raise ProblemError(
                429,
                "too_many_in_flight",
                f"{most} requests of this token have no answer yet, the most. Wait for one of them",
                retry_after_s=1.0,
                args={"most": most},
            )
        self.in_flight += 1

    def leave(self) -> None:
        """A request has its answer, or no one waits for it."""
        self.in_flight -= 1
        if not self.in_flight:
            self._rest()

    def carry_out(
        self,
        address: str,
        begin: Callable[[], Steps],
        done: Callable[[ProgramAnswer], None],
        refused: RefusalAnswer = refused_as_problem,
        *,
        body_bytes: int = 0,
    ) -> ProgramRequest:
        """Carry a request out, unless the bytes of its body are over the rate of the member or of the address.

        Args:
            address: the network address that it came from.
            begin: returns what it does.
            done: called once with the answer, now or later.
            refused: forms the answer to a refusal.
            body_bytes: the length of its body.
        """
        now, free_at = self._scheduler.now, self._free_at
        if body_bytes and self.refusal is None:
            self._pause(self._hub.charge_bytes(self, body_bytes))
        request = ProgramRequest(address, begin, done, self._scheduler.now, refused)
        if self.refusal is not None:
            self._refuse(request, self.refusal)
        elif self._free_at - now > MOST_WAIT_S:  # before its body is looked at, which may be no message
            again_s = (
                self._free_at - now + body_bytes / self._limits.byte_rate
            )  # it is charged again when it comes again
            self._free_at = free_at  # those that wait already do not wait longer for one that is refused
            self._refuse(request, _over_rate(max(again_s - MOST_WAIT_S, 1.0)))
        elif self.is_welcome and not self._early:
            self._step(request, None)
        else:
            self._early.append(request)
        return request

    # --- one step after the other

    def _step(self, request: ProgramRequest, event: Event | None) -> None:
        """Go on with a request."""
        try:
            command = request.go_on(event)
        except StopIteration as stop:
            self._finish(request, stop.value)
        except Refusal as refusal:
            self._refuse(request, refusal)
        except HttpError as error:
            self._refuse(request, error)
        else:
            self._ask(request, command)

    def _finish(self, request: ProgramRequest, answer: ProgramAnswer) -> None:
        done, request.done = request.done, None
        if done is not None:
            done(answer)

    def _refuse(self, request: ProgramRequest, refusal: Refusal | HttpError) -> None:
        self._finish(request, request.refused(refusal))

    def _ask(self, request: ProgramRequest, command: Command) -> None:
        """Hand a command over, now or when it may be.

        A hub that delivers may be in the middle of its work: what follows an answer comes in the next pass.
        """
        if self._queue or self._acts or self._in_hub:
            self._queue.append((request, command))
            if not self._acts:
                self._pump_later(0.0)
        elif self._free_at - request.since > MOST_WAIT_S:
            self._refuse(request, _over_rate(self._free_at - self._scheduler.now))
        elif self._free_at > self._scheduler.now:
            self._queue.append((request, command))
            self._pump_later(self._free_at - self._scheduler.now)
        else:
            self._hand_over(request, command)

    def _hand_over(self, request: ProgramRequest, command: Command) -> None:
        """Give a command to the hub, under a number of its own."""
        kind = type(command)
        if kind in _READS and self._reading:
            self._reads.append((request, command))
            return
        if kind in _DRAFTS:
            self._last_client_id += 1
            self._drafts[self._last_client_id] = request
            command = replace(command, client_id=self._last_client_id)
        else:
            self._last_ref += 1
            self._questions[self._last_ref] = request
            command = replace(command, ref=self._last_ref)
            if kind in _READS:
                self._reading = self._last_ref
        if request.address != self.host:
            self.host, self.address = request.address, origin_of(request.address)
        self._in_hub = True
        try:
            with self._hub.context.containment.work_for(self):
                self._pause(self._hub.handle(self, validated(command)))
        except Overloaded as refusal:
            self._drafts.pop(self._last_client_id, None)
            refusal.retry_after_s = _OVERLOAD_RETRY_S
            self._observer.refused(refusal.code, None)
            self._refuse(request, refusal)
        except Refusal as refusal:  # of `validated`
            self._drafts.pop(self._last_client_id, None)
            self._answered(self._last_ref)
            self._refuse(request, refusal)
        finally:
            self._in_hub = False

    def _answered(self, ref: int) -> ProgramRequest | None:
        """Return the request that waits for the answer with this ref."""
        if ref and ref == self._reading:
            self._reading = 0
            if self._reads:
                self._queue.appendleft(self._reads.popleft())
                self._pump_later(0.0)
        return self._questions.pop(ref, None)

    def _pause(self, wait_s: float) -> None:
        if wait_s:
            self._free_at = max(self._free_at, self._scheduler.now + wait_s)

    def _pump_later(self, delay_s: float) -> None:
        if self._pump_timer is None:
            self._pump_timer = self._scheduler.call_later(delay_s, self._pump)

    def _pump(self) -> None:
        """Hand over what waits, as far as it may be, and refuse what has to wait too long."""
        self._pump_timer = None
        now = self._scheduler.now
        while self._queue and self._free_at <= now and not self._acts:
            request, command = self._queue.popleft()
            if request.done is not None:
                self._hand_over(request, command)
        if not self._queue or self._acts:
            return
        kept: deque[tuple[ProgramRequest, Command]] = deque()
        waiting, self._queue = self._queue, kept
        for request, command in waiting:
            if request.done is None:
                continue
            if self._free_at - request.since > MOST_WAIT_S:
                self._refuse(request, _over_rate(self._free_at - now))
            else:
                kept.append((request, command))
        if kept:
            self._pump_later(max(0.0, self._free_at - now))

    # --- the beginning and the end

    def _welcomed(self, event: Welcome) -> None:
        self.is_welcome = True
        self._last_client_id = event.last_client_id
        self.own_id, self.server = event.sender_id, event.server
        self._observer.logged_in(LoginKind.API_TOKEN)
        self._begin_early()

    def _begin_early(self) -> None:
        """Begin one request that waited for the welcome, and the next one in another pass: a body may take 5 ms."""
        if not self._early or self.refusal is not None:
            return
        request = self._early.popleft()
        if self._early:
            self._scheduler.call_later(0.0, self._begin_early)
        if request.done is not None:
            self._step(request, None)

    def _rest(self) -> None:
        """Give up the place in the hub after a while without requests."""
        if self._idle_timer is None and self.refusal is None:
            self._idle_since = self._scheduler.now
            self._idle_timer = self._scheduler.call_later(self._limits.api_idle_s, self._idle)
        else:
            self._idle_since = self._scheduler.now

    def _idle(self) -> None:
        self._idle_timer = None
        if self.refusal is not None or self.in_flight:
            return
        left_s = self._idle_since + self._limits.api_idle_s - self._scheduler.now
        if left_s > 0:
            self._idle_timer = self._scheduler.call_later(left_s, self._idle)
        else:
            self._end(refusal_for("goodbye"))

    def _end(self, refusal: Refusal) -> None:
        """The hub has let go of the peer, or must: nothing is handed over any more."""
        if self.refusal is not None:
            return
        self.refusal = refusal
        self.is_welcome = False
        for timer in (self._pump_timer, self._idle_timer):
            if timer is not None:
                timer.cancel()
        self._on_over(self)
        waiting = [*self._early, *self._drafts.values(), *self._questions.values()]
        waiting += [request for request, _ in (*self._queue, *self._reads)]
        for table in (self._early, self._drafts, self._questions, self._queue, self._reads):
            table.clear()
        self._hub.lost(self)
        for request in waiting:
            self._refuse(request, refusal)


def _over_rate(wait_s: float) -> ProblemError:
    return ProblemError(
        429,
        "rate",
        "The rate of this token or of its network address is exceeded. Wait before the next request",
        retry_after_s=round(wait_s, 3),
    )
