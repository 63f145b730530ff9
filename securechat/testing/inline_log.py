"""`InlineLog`: any store as a `MessageLog` without threads, for simulation and tests.

All work is done in posted callbacks, so the caller that runs them decides how fast the disk is; two runs that call them
in the same order are the same. `abandon` simulates a crash: queued and uncommitted writes are gone, and a new log over
the same store goes on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from securechat.errors import LogError
from securechat.limits import Limits
from securechat.model import Draft, LogEntry, Revision
from securechat.records.accounts import Change, Committed
from securechat.records.files import FileQuery, FileRow, GoneFile, OwnFilesQuery
from securechat.records.log import AppendOutcome, Identity, LogState, NotAppended
from securechat.records.queries import (
    ConversationQuery,
    ConversationRows,
    HistoryQuery,
    HistoryRows,
    RoomFigures,
    SearchQuery,
    SearchRows,
    UnreadQuery,
    UnreadRows,
)
from securechat.storage.group_commit import GroupCommitter, PendingWrite, answer_reading
from securechat.storage.store import ApplyChanges, DatabaseBusy, IdentifySender, ReleaseName, RenameSender, Store
from securechat.storage.threaded_log import LOG_FAILED, check_changes, check_storable
from securechat.text.refusals import refusal_for

_T = TypeVar("_T")


class InlineLog:
    """A `MessageLog` over a store, driven by the caller that runs its posted callbacks.

    Args:
        store: where messages live; several logs may use it, one after the other.
        limits: append_queue, commit_messages and low_disk_bytes are its.
        post: runs a callable later, in order; never at once.
        free_bytes: free space, for low_disk_bytes; without end by default.
        clock: monotonic seconds, for how often free space is asked for.

    Attributes:
        tells_later: whether a commit is told in a callback of its own, as one of another thread is: what was asked for
            before is then read from a log that has more than the hub has heard of.
    """

    tells_later = False

    def __init__(
        self,
        store: Store,
        limits: Limits,
        post: Callable[[Callable[[], None]], None],
        *,
        free_bytes: Callable[[], int] = lambda: 1 << 62,
        clock: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.store = store
        self.failure: LogError | None = None
        self._limits = limits
        self._post = post
        self._committer = GroupCommitter(store, limits, free_bytes, clock)
        self._queue: deque[PendingWrite] = deque()
        self._waiting = 0
        self._posted = False
        self._open = False

    def start(
        self, on_commit: Callable[[Sequence[LogEntry]], None], on_failure: Callable[[Exception], None]
    ) -> LogState:
        """Open the store and begin; see `MessageLog.start`."""
        self._on_commit = on_commit
        self._on_failure = on_failure
        state = self.store.open()
        self._open = True
        return state

    def append(self, draft: Draft, done: Callable[[AppendOutcome], None]) -> None:
        """Store a draft; see `MessageLog.append`. After a failure ``done`` is never called.

        Raises:
            Overloaded: ``append_queue`` drafts wait; nothing was taken.
        """
        self._append(draft, done)

    def revise(self, revision: Revision, done: Callable[[AppendOutcome], None]) -> None:
        """Edit or delete a message, or react to it; see `MessageLog.revise`. Raises as `append`."""
        self._append(revision, done)

    def identify(
        self,
        secret_hash: bytes,
        name: str,
        key: str,
        done: Callable[[Identity | NotAppended], None],
        account: int | None = None,
        changes: Sequence[Change] = (),
    ) -> None:
        """Find or make the sender; see `MessageLog.identify`. Raises as `record`."""
        check_changes(changes)
        self._take((IdentifySender(secret_hash, name, key, account, tuple(changes)), done))

    def record(self, changes: Sequence[Change], done: Callable[[Committed | NotAppended], None]) -> None:
        """Make changes about people durable; see `MessageLog.record`. Never overloaded.

        Raises:
            LocalProtocolError: a text is not Unicode; nothing was taken.
        """
        check_changes(changes)
        self._take((ApplyChanges(tuple(changes)), done))

    def rename(self, sender_id: int, name: str, key: str) -> None:
        """Record another name; see `MessageLog.rename`."""
        self._take((RenameSender(sender_id, name, key), None))

    def release(self, sender_id: int, *, reserved: bool) -> None:
        """Record that the sender is gone; see `MessageLog.release`."""
        self._take((ReleaseName(sender_id, reserved), None))

    def history(self, query: HistoryQuery, done: Callable[[HistoryRows | NotAppended], None]) -> None:
        """Read committed messages in a callback of its own; see `MessageLog.history`."""
        self._read_later(lambda: self.store.read(query), done)

    def search(self, query: SearchQuery, done: Callable[[SearchRows | NotAppended], None]) -> None:
        """Find committed messages in a callback of its own; see `MessageLog.search`."""
        self._read_later(lambda: self.store.search(query), done)

    def unread(self, query: UnreadQuery, done: Callable[[UnreadRows | NotAppended], None]) -> None:
        """Count a reader's unread messages; see `MessageLog.unread`."""
        self._read_later(lambda: self.store.unread(query), done)

    def conversations(self, query: ConversationQuery, done: Callable[[ConversationRows | NotAppended], None]) -> None:
        """List a reader's conversations; see `MessageLog.conversations`."""
        self._read_later(lambda: self.store.conversations(query), done)

    def room_figures(self, rooms: Sequence[str], done: Callable[[list[RoomFigures] | NotAppended], None]) -> None:
        """Count the messages of rooms; see `MessageLog.room_figures`. May answer BUSY or LOG_FAILED."""
        self._read_later(lambda: self.store.room_figures(rooms), done)

    def file(self, query: FileQuery, done: Callable[[FileRow | NotAppended | None], None]) -> None:
        """Find one file and its message; see `MessageLog.file`. May answer BUSY or LOG_FAILED."""
        self._read_later(lambda: self.store.file(query), done)

    def own_files(self, query: OwnFilesQuery, done: Callable[[list[FileRow] | NotAppended], None]) -> None:
        """List a sender's files; see `MessageLog.own_files`. May answer BUSY or LOG_FAILED."""
        self._read_later(lambda: self.store.own_files(query), done)

    def gone_files(self, after: str, most: int, done: Callable[[list[GoneFile] | NotAppended], None]) -> None:
        """List files that are to be unlinked; see `MessageLog.gone_files`. May answer BUSY or LOG_FAILED."""
        self._read_later(lambda: self.store.gone_files(after, most), done)

    def stored_file_ids(self, after: str, most: int, done: Callable[[list[str] | NotAppended], None]) -> None:
        """List the ids of files; see `MessageLog.stored_file_ids`. May answer BUSY or LOG_FAILED."""
        self._read_later(lambda: self.store.stored_file_ids(after, most), done)

    def close(self) -> None:
        """Commit the queue, with its callbacks posted, and close the store."""
        if not self._open:
            return
        waiting = -1
        while self._queue and self.failure is None and len(self._queue) != waiting:
            waiting = len(self._queue)  # unchanged after a try: another process holds the store, and they are dropped
            self._commit(self._post)
        try:
            if self.failure is None:
                with suppress(DatabaseBusy):
                    self._committer.settle()
            self._close_store(failed=self.failure is not None)
        except LogError as error:
            self._fail(error)
        self._open = False

    def abandon(self) -> None:
        """Stop as a killed process does: the queue is not committed, and no callback is posted any more."""
        self._queue.clear()
        if self._open:
            self._open = False
            self._close_store(failed=True)

    def _close_store(self, *, failed: bool) -> None:
        """Close the store; a log with an index beside it closes that first."""
        self.store.close(failed=failed)

    def _append(self, write: Draft | Revision, done: Callable[[AppendOutcome], None]) -> None:
        if self._waiting >= self._limits.append_queue:
            raise refusal_for("overloaded")
        check_storable(write)
        self._waiting += 1
        self._take((write, done))

    def _take(self, entry: PendingWrite) -> None:
        self._queue.append(entry)
        if not self._posted:
            self._posted = True
            self._post(self._work)

    def _work(self) -> None:
        """One commit; another callback if that was not all."""
        self._posted = False
        if not self._open or not self._queue or self.failure is not None:
            return
        self._commit(self._post if self.tells_later else lambda deliver: deliver())
        if self._queue and not self._posted:
            self._posted = True
            self._post(self._work)

    def _commit(self, tell: Callable[[Callable[[], None]], None]) -> None:
        entries = [self._queue.popleft() for _ in range(min(len(self._queue), self._limits.commit_messages))]
        try:
            batch = self._committer.commit(entries)
            self._committed(entries)
            self._committer.tidy(idle=not self._queue)
        except DatabaseBusy:
            self._put_back(entries)
            return
        except LogError as error:
            self._fail(error)
            return
        self._waiting -= sum(isinstance(write, Draft | Revision) for write, _ in entries)
        tell(lambda: batch.deliver(self._on_commit))

    def _put_back(self, entries: Sequence[PendingWrite]) -> None:
        """Another process holds the store: the same entries are tried again, in the same place."""
        self._queue.extendleft(reversed(entries))

    def _committed(self, entries: Sequence[PendingWrite]) -> None:
        """A batch is durable; a log with an index beside it tells the index's maintainer."""

    def _read_later(self, read: Callable[[], _T], done: Callable[[_T | NotAppended], None]) -> None:
        """Read in a callback of its own; a log with a slow reader overrides this."""
        self._post(lambda: self._read(read, done))

    def _read(self, read: Callable[[], _T], done: Callable[[_T | NotAppended], None]) -> None:
        if not self._open:
            return
        if self.failure is not None:
            done(LOG_FAILED)
            return
        try:
            done(answer_reading(read))
        except DatabaseBusy:
            self._read_later(read, done)
        except LogError as error:
            self._fail(error)
            done(LOG_FAILED)

    def _fail(self, error: LogError) -> None:
        if self.failure is None:
            self.failure = error
            self._post(lambda: self._on_failure(error))
