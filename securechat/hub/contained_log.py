"""The log and the hasher as the hub uses them: every completion belongs to the work that asked for it.

An exception in a completion costs that connection, or refuses that request (`securechat.containment`), and never the
batch it came in. Completions of drafts are not wrapped: there are as many as messages, and `Posting` contains them
itself, without an object for each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from securechat.containment import Containment
from securechat.errors import Refusal
from securechat.hub.interfaces import Hasher, MessageLog, PasswordCheck
from securechat.records.accounts import Change, Committed
from securechat.records.files import FileQuery, FileRow, GoneFile, OwnFilesQuery
from securechat.records.log import Identity, NotAppended
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


class ContainedLog:
    """A `MessageLog` whose completions are contained.

    Args:
        log: the log itself.
        containment: knows the owner of the present work.
    """

    def __init__(self, log: MessageLog, containment: Containment) -> None:
        self._log = log
        self._bind = containment.bind
        self.start = log.start
        self.append = log.append
        self.revise = log.revise
        self.rename = log.rename
        self.release = log.release
        self.close = log.close

    def identify(
        self,
        secret_hash: bytes,
        name: str,
        key: str,
        done: Callable[[Identity | NotAppended], None],
        account: int | None = None,
        changes: Sequence[Change] = (),
    ) -> None:
        """See `MessageLog.identify`."""
        self._log.identify(secret_hash, name, key, self._bind(done), account, changes)

    def record(self, changes: Sequence[Change], done: Callable[[Committed | NotAppended], None]) -> None:
        """See `MessageLog.record`."""
        self._log.record(changes, self._bind(done))

    def history(self, query: HistoryQuery, done: Callable[[HistoryRows | NotAppended], None]) -> None:
        """See `MessageLog.history`."""
        self._log.history(query, self._bind(done))

    def search(self, query: SearchQuery, done: Callable[[SearchRows | NotAppended], None]) -> None:
        """See `MessageLog.search`."""
        self._log.search(query, self._bind(done))

    def unread(self, query: UnreadQuery, done: Callable[[UnreadRows | NotAppended], None]) -> None:
        """See `MessageLog.unread`."""
        self._log.unread(query, self._bind(done))

    def conversations(self, query: ConversationQuery, done: Callable[[ConversationRows | NotAppended], None]) -> None:
        """See `MessageLog.conversations`."""
        self._log.conversations(query, self._bind(done))

    def room_figures(self, rooms: Sequence[str], done: Callable[[list[RoomFigures] | NotAppended], None]) -> None:
        """See `MessageLog.room_figures`."""
        self._log.room_figures(rooms, self._bind(done))

    def file(self, query: FileQuery, done: Callable[[FileRow | NotAppended | None], None]) -> None:
        """See `MessageLog.file`."""
        self._log.file(query, self._bind(done))

    def own_files(self, query: OwnFilesQuery, done: Callable[[list[FileRow] | NotAppended], None]) -> None:
        """See `MessageLog.own_files`."""
        self._log.own_files(query, self._bind(done))

    def gone_files(self, after: str, most: int, done: Callable[[list[GoneFile] | NotAppended], None]) -> None:
        """See `MessageLog.gone_files`."""
        self._log.gone_files(after, most, self._bind(done))

    def stored_file_ids(self, after: str, most: int, done: Callable[[list[str] | NotAppended], None]) -> None:
        """See `MessageLog.stored_file_ids`."""
        self._log.stored_file_ids(after, most, self._bind(done))


class ContainedHasher:
    """A `Hasher` whose completions are contained; arguments as for `ContainedLog`."""

    def __init__(self, hasher: Hasher, containment: Containment) -> None:
        self._hasher = hasher
        self._bind = containment.bind

    def hash(self, password: str, done: Callable[[str | Refusal], None]) -> None:
        """See `Hasher.hash`."""
        self._hasher.hash(password, self._bind(done))

    def verify(self, phc: str | None, password: str, done: Callable[[PasswordCheck | Refusal], None]) -> None:
        """See `Hasher.verify`."""
        self._hasher.verify(phc, password, self._bind(done))
