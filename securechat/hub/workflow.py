"""Runs durable acts that read top to bottom.

A workflow is a generator. It yields a step, such as `Commit` or `HashPassword`, and is resumed with the result once
there is one; a refusal of the log or of the hasher is raised at that ``yield``. What it reserves it gives back in
``finally``. Anything may have happened during a step, so a workflow looks again at all that it depends on.

A `Refusal` that a workflow does not catch ends it, and its asker is told. Any other exception costs what the workflow
was begun for (`securechat.containment`). Messages, edits and reactions do not come here: their path is shorter.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Hashable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple, TypeAlias, TypeVar, assert_never

from securechat.errors import Refusal
from securechat.hub.accounts.changes import RecordChanges
from securechat.hub.accounts.directory import AccountDirectory
from securechat.hub.accounts.hashing_quota import HashingQuota
from securechat.hub.environment import HubEnvironment
from securechat.hub.interfaces import Peer
from securechat.hub.members import MemberConnection
from securechat.hub.turns import HeldTurn, Turns
from securechat.model import Draft, Refused
from securechat.records.accounts import Account, ApiToken, Change, Committed, Invite, OutgoingWebhook, Put
from securechat.records.log import NotAppended
from securechat.text.refusals import refusal_for


class Commit(NamedTuple):
    """Make changes durable, all or none, then apply them in memory. Result: `Committed`."""

    changes: Sequence[Change]


class Turn(NamedTuple):
    """Wait until earlier acts with this key are over. Result: `HeldTurn`, which ``with`` releases.

    Otherwise the end of the workflow releases it, however it ends. A workflow that waits for a second turn while it
    holds one can wait for ever, unless all workflows take the two in the same order.
    """

    key: Hashable


class Identify(NamedTuple):
    """Find or make the sender of a secret, durably; see `MessageLog.identify`. Result: `Identity`.

    The changes along with it are applied in memory as those of a `Commit`.
    """

    secret_hash: bytes
    name: str
    key: str
    account: int | None = None
    changes: Sequence[Change] = ()


class Append(NamedTuple):
    """Store a message; see `MessageLog.append`. Result: `Appended`."""

    draft: Draft


class HashPassword(NamedTuple):
    """Hash a new password, in the queue if a peer asks. Result: its PHC string."""

    password: str
    peer: Peer | None = None


class VerifyPassword(NamedTuple):
    """Compare a password with a PHC string; see `Hasher.verify`. Result: `PasswordCheck`."""

    phc: str | None
    password: str
    peer: Peer


class ReadRoomFigures(NamedTuple):
    """Read how much was said in these rooms; see `MessageLog.room_figures`. Result: a list of `RoomFigures`."""

    rooms: Sequence[str]


WorkflowStep: TypeAlias = Commit | Turn | Identify | Append | HashPassword | VerifyPassword | ReadRoomFigures
_T = TypeVar("_T")
Workflow: TypeAlias = Generator[WorkflowStep, Any, _T]
_RowT = TypeVar("_RowT", Account, ApiToken, Invite, OutgoingWebhook)
_WAITS = object()


def amend(
    accounts: AccountDirectory,
    kind: type[_RowT],
    number: int,
    edit: Callable[[_RowT], _RowT],
    others: Sequence[Change] = (),
) -> Workflow[Committed]:
    """Change one record that is there, as the change before has left it, and make other changes along with it.

    Args:
        accounts: has the record.
        kind: its kind.
        number: its number; the sender_id of an account.
        edit: returns the record as it shall be; it may refuse.
        others: the changes along with it.

    Raises:
        Refusal: NOT_FOUND, the record is gone, or going; what ``edit`` raises; what the log says.
    """
    with (yield Turn((kind, number))):
        row = accounts.present(kind, number)
        if row is None:
            raise refusal_for("record_gone")
        committed: Committed = yield Commit((Put(edit(row)), *others))
        return committed


class _Run:
    """A workflow under way.

    Attributes:
        asked: the step that it waits for.
        is_advancing: whether it is being advanced further up the stack.
        outcome: of a step that was over at once.
    """

    __slots__ = ("asked", "asker", "is_advancing", "outcome", "refused", "turns", "work", "workflow")

    def __init__(
        self,
        workflow: Workflow[object],
        refused: Callable[[Refusal], None] | None,
        work: object,
        asker: Peer | None = None,
    ) -> None:
        self.workflow = workflow
        self.refused = refused
        self.work = work
        self.asker = asker
        self.turns = ExitStack()
        self.asked: object = None
        self.is_advancing = False
        self.outcome: object = None

    def resume(self, outcome: object) -> WorkflowStep:
        """Go on to the next step with the outcome of the last one."""
        if isinstance(outcome, NotAppended):
            outcome = outcome.refusal()
        if isinstance(outcome, Exception):
            return self.workflow.throw(outcome)
        return self.workflow.send(outcome)


class Workflows:
    """Runs workflows, each from one step to the next.

    Args:
        environment: the log, the hasher and the containment.
        changes: makes changes.
        hashing: hashes the passwords of peers.
        connections: tells whether the asker is still here.

    Attributes:
        turns: of the acts that wait for one another.
    """

    def __init__(
        self,
        environment: HubEnvironment,
        changes: RecordChanges,
        hashing: HashingQuota,
        connections: Mapping[Peer, MemberConnection],
    ) -> None:
        self._environment = environment
        self._containment = environment.containment
        self._changes = changes
        self.turns = Turns()
        self._hashing = hashing
        self._connections = connections
        self._ready: deque[tuple[_Run, object]] = deque()  # runs to be resumed, with what each is told
        self._is_running = False

    def answer(self, peer: Peer, ref: int | None, workflow: Workflow[object], *, room: str | None = None) -> None:
        """Run a workflow for a command of a member; a refusal is delivered while this connection is that member's.

        The peer holds its later commands back until the workflow ends, so that they are carried out behind it.

        Args:
            peer: the asker.
            ref: of its command.
            workflow: not begun yet.
            room: the one of several rooms that the workflow is about, as the command named it.

        Raises:
            Refusal: the workflow is refused before it has waited for anything; the caller answers.
        """
        connection = self._connections.get(peer)

        def refused(refusal: Refusal) -> None:
            if self._connections.get(peer) is connection:
                peer.deliver(Refused.of(refusal, ref=ref, room=room))

        self._start(_Run(workflow, refused, self._containment.current, peer))

    def report(self, workflow: Workflow[_T], done: Callable[[_T | NotAppended], None]) -> None:
        """Run a workflow whose result, or refusal, ``done`` hears. Raises as `answer`."""

        def reported() -> Workflow[None]:
            done((yield from workflow))

        self.run(reported(), lambda refusal: done(NotAppended.of(refusal)))

    def run(self, workflow: Workflow[object], refused: Callable[[Refusal], None] | None = None) -> None:
        """Run a workflow, for the present owner of the work; it is begun at once.

        Args:
            workflow: not begun yet.
            refused: told of a refusal that the workflow does not catch; None when no one waits for its outcome.

        Raises:
            Refusal: as `answer`, unless ``refused`` is None.
        """
        self._start(_Run(workflow, refused, self._containment.current))

    def _start(self, run: _Run) -> None:
        was_running, self._is_running = self._is_running, True
        if run.asker is not None:
            run.asker.act_begun()
        try:
            self._advance(run, None)
        except Refusal:
            if run.refused is not None:
                raise
        finally:
            self._is_running = was_running
            if not was_running:
                self._drain()

    def _drain(self) -> None:
        """Resume what is ready, also what becomes so meanwhile. The first exception is raised after all of them."""
        failure: Exception | None = None
        self._is_running = True
        while self._ready:
            run, outcome = self._ready.popleft()
            try:
                with self._containment.work_for(run.work):
                    self._resume(run, outcome)
            except Exception as error:  # noqa: BLE001 - raised below
                failure = failure or error
        self._is_running = False
        if failure is not None:
            raise failure

    def _resume(self, run: _Run, outcome: object) -> None:
        try:
            self._advance(run, outcome)
        except Refusal as refusal:
            if run.refused is not None:
                run.refused(refusal)

    def _advance(self, run: _Run, outcome: object) -> None:
        """Take one step after the other, until one has to wait or none is left."""
        run.is_advancing = True
        try:
            while outcome is not _WAITS:
                outcome = self._begin(run, run.resume(outcome))
        except StopIteration:
            self._end(run)
        except BaseException:
            self._end(run)
            raise
        run.is_advancing = False

    def _end(self, run: _Run) -> None:
        try:
            run.workflow.close()
            run.turns.close()
        finally:
            if run.asker is not None:
                run.asker.act_over()

    def _begin(self, run: _Run, step: WorkflowStep) -> object:
        """Begin a step; return its outcome if it is over at once, and _WAITS otherwise."""
        run.outcome = _WAITS
        run.asked = asked = object()

        def answered(outcome: object) -> None:
            if run.asked is not asked:
                return  # the step has raised, and the workflow is beyond it
            run.asked = None
            if run.is_advancing:
                run.outcome = outcome
                return
            self._ready.append((run, outcome))
            if not self._is_running:
                self._drain()

        try:
            self._ask(run, step, answered)
        except Exception as error:  # noqa: BLE001 - raised at the step
            run.asked = None
            return error
        return run.outcome

    def _ask(self, run: _Run, step: WorkflowStep, answered: Callable[[object], None]) -> None:
        match step:
            case Commit(changes):
                self._changes.commit(changes, answered)
            case Turn(key):

                def granted(turn: HeldTurn) -> None:
                    run.turns.push(turn)
                    answered(turn)

                self.turns.ask(key, granted)
            case Identify(secret_hash, name, key, account, changes):
                self._changes.identify(secret_hash, name, key, answered, account, changes)
            case Append(draft):
                self._environment.log.append(draft, self._containment.bind(answered))
            case HashPassword(password, peer) if peer is not None:
                self._hashing.hash(peer, password, answered)
            case HashPassword(password):
                self._environment.authentication.hasher.hash(password, answered)
            case VerifyPassword(phc, password, peer):
                self._hashing.verify(peer, phc, password, answered)
            case ReadRoomFigures(rooms):
                self._environment.log.room_figures(rooms, answered)
            case _:
                assert_never(step)
