"""The index of a search: derived data in a file beside the log, made by one connection on one thread.

It promises: whatever happens to its file, the log loses nothing and the index comes back. It remembers up to which
seq it has read the log, in the transaction that took those messages in, so a crash costs a few of them read again. A
file that is missing, damaged, of another version or of another log is thrown away and made anew, a stretch at a time.

It promises too that erased text is gone: what an edit or a deletion replaced is taken out of the words (FTS5's
secure-delete), overwritten in the file (secure_delete) and, by `truncate`, out of the journal. Messages that vanish
without an entry in the log (retention, an account that took its messages along) are found by `sweep`, which compares
what is here with what is there.

Each message is one document: its words as `search_words.folded` writes them, and signs for what else a search asks
for (its conversation, its people, whether it has a link), so that every question is one expression of FTS5. No text
can contain a sign, because folding turns private-use characters into spaces. The documents are kept, because only who
knows an old text can take it out of the index; by then the log has long overwritten it.

It refuses to know threads, queries and rights.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path

import apsw
import msgspec

from securechat.files import NotRegular
from securechat.storage.directory import make_private
from securechat.storage.search.fts5_cleanup import rename_leaves, words_of
from securechat.storage.search.log_reader import IndexChunk, IndexedMessage, IndexLogReader
from securechat.storage.store import DiskFull
from securechat.text import tokenizer

SEARCH_INDEX = "search.db"
"""Its name in the data directory."""
FORMAT = f"2 {tokenizer.VERSION}"
"""An index of another format is made anew."""
STRETCH = 1_000
"""Seqs read in one step: some 20 ms of work, of which the loop feels 2."""
COMPARED_PER_READ = 20
"""Of a sweep, so many stretches are compared in one step: some 6 ms for 20,000 seqs, nearly all of it in SQLite."""
APPLICATION_ID = 0x53436873
_ERASE_ROWS = 100
_ERASE_BYTES = 20_000
"""Documents, and bytes of them, that are taken out by one step, though always one document: FTS5 looks for each of
their words. So a step of long texts takes 20 to 80 ms, and searches come in between. All at once would take longer in
all: 300 texts of 4,000 random letters took 5.9 s in one transaction, and 0.9 s in 75; 2,000 take 12.5 s in 500."""
_INSERT_ROWS = 256
_SIGN = "\ue000"
_MANY_SEGMENTS = 8
_MERGE_PAGES = 200
"""A step of 14 ms, 38 at worst. After a million messages 71 of them make one segment of 15, and a search for a common
word in 100 rooms takes 2.7 ms instead of 8."""
_JOURNAL_PAGES = 4_096  # 16 MiB, then SQLite moves it into the file by itself

_DOCUMENTS = "SELECT json_group_array(c0) FROM found_content WHERE id IN (SELECT value FROM json_each(?))"
_SIZES = f"""
SELECT json_group_array(json_array(id, size)) FROM (
    SELECT id, octet_length(c0) AS size FROM found_content
    WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id LIMIT {_ERASE_ROWS + 1})
"""  # noqa: S608  # our own number
_SCHEMA = """
CREATE VIRTUAL TABLE found USING fts5(words, tokenize = 'ascii', columnsize = 0);
INSERT INTO found (found, rank) VALUES ('secure-delete', 1);
CREATE TABLE progress (
    format TEXT NOT NULL,
    indexed_to INTEGER NOT NULL,   -- every entry of the log up to here is in
    clean INTEGER NOT NULL,        -- closed with nothing left to sweep
    stamp TEXT NOT NULL            -- what the log must still say of a message, or it is another log: a JSON array
) STRICT;
"""


class IndexCorrupt(Exception):
    """The index cannot be used: throw it away."""


class IndexUnavailable(DiskFull):
    """The index cannot be opened now, which need not be its fault: try again later."""


_NOT_ITS_FAULT = frozenset({apsw.SQLITE_IOERR_SHMOPEN, apsw.SQLITE_IOERR_SHMSIZE, apsw.SQLITE_IOERR_SHMMAP})
"""What a full disk is, where SQLite needs a file for shared memory."""


def room_sign(conversation: int) -> str:
    """The sign of a conversation."""
    return f"{_SIGN}c{conversation}"


def person_sign(sender_id: int) -> str:
    """The sign of somebody's dialogues."""
    return f"{_SIGN}p{sender_id}"


def sender_sign(sender_id: int) -> str:
    """The sign of a message's author."""
    return f"{_SIGN}s{sender_id}"


LINK_SIGN = f"{_SIGN}l"


def _document(words: IndexedMessage) -> str:
    signs = f"{room_sign(words.conversation)} {sender_sign(words.sender_id)}"
    if words.low is not None and words.high is not None:
        signs += f" {person_sign(words.low)} {person_sign(words.high)}"
    if tokenizer.has_link(words.text):
        signs += f" {LINK_SIGN}"
    return f"{tokenizer.folded(words.text)} {signs}"


class SearchIndex:
    """An index over one log.

    Args:
        path: its file; None keeps it in memory.
        source: the log to read.
        vfs: the name of an apsw VFS to keep the file on (tests, simulation); None for the operating system.
        shared: False keeps other connections out: for a VFS without shared memory.
        stretch: seqs read in one step.

    Attributes:
        indexed_to: every entry of the log up to this seq is in.
        is_whole: whether nothing of the log at the time of opening is missing any more.
        owes_truncation: erased text may still stand in the journal.
    """

    def __init__(
        self,
        path: Path | None,
        source: IndexLogReader,
        *,
        vfs: str | None = None,
        shared: bool = True,
        stretch: int = STRETCH,
    ) -> None:
        self.indexed_to = 0
        self.is_whole = False
        self.owes_truncation = False
        self._discarded: str | None = None
        self._path = path
        self._source = source
        self._vfs = vfs
        self._shared = shared
        self._chunk = stretch
        self._db: apsw.Connection | None = None
        self._sweeping: int | None = None  # up to where the sweep has come
        self._vanished: list[int] = []  # documents that it found to be taken out
        self._has_looked = self._is_merging = False

    @property
    def db(self) -> apsw.Connection:
        """The connection; reading it is for `search`.

        Raises:
            IndexDamaged: it is not open.
        """
        if self._db is None:
            raise IndexCorrupt("the index is not open")
        return self._db

    @property
    def is_open(self) -> bool:
        """Whether there is a connection."""
        return self._db is not None

    # --- Opening and closing --------------------------------------------------------------------------------------

    def open(self) -> None:
        """Open what is there, or begin anew.

        Raises:
            IndexDamaged: not even that is possible; the sentence says why.
            NoSpace: not now; what there is stays.
        """
        try:
            with self._judged():
                self._open()
                return
        except IndexCorrupt as error:
            self.discard(str(error))
        with self._judged():
            self._open()

    def _open(self) -> None:
        if self._path is not None and self._vfs is None:
            make_private(self._path)
        db = self._db = apsw.Connection(":memory:" if self._path is None else str(self._path), vfs=self._vfs)
        if not self._shared:
            db.pragma("locking_mode", "EXCLUSIVE")  # before the journal's mode, or it would want shared memory
        if self._path is not None and db.pragma("journal_mode", "WAL") != "wal":
            raise IndexCorrupt("the file system cannot hold a write-ahead log")
        db.pragma("synchronous", "FULL")  # until it says of itself that it is in use
        db.pragma("secure_delete", True)
        db.pragma("temp_store", "MEMORY")
        db.wal_autocheckpoint(_JOURNAL_PAGES)
        if db.pragma("application_id") == 0 and not db.execute("SELECT 1 FROM sqlite_schema").fetchall():
            self._create(db)
        self._resume(db)

    def _create(self, db: apsw.Connection) -> None:
        with db:
            db.execute(_SCHEMA)
            db.execute("INSERT INTO progress VALUES (?, 0, 1, '[]')", (FORMAT,))
            db.pragma("application_id", APPLICATION_ID)

    def _resume(self, db: apsw.Connection) -> None:
        if db.pragma("application_id") != APPLICATION_ID:
            raise IndexCorrupt("another program's file")
        ((form, indexed_to, clean, stamp),) = db.execute("SELECT * FROM progress").fetchall()
        assert isinstance(indexed_to, int)
        assert isinstance(stamp, str)
        self.indexed_to = indexed_to
        if form != FORMAT:
            raise IndexCorrupt("another version made it")
        if not self._source.agrees(self.indexed_to, stamp):
            raise IndexCorrupt("another log is in it")
        # Not of everything: FTS5 would compare each document with its words, 4.4 s for a million. This takes 1 s, and
        # only after a crash; what it cannot see is met by a search, or by what is written next.
        if not clean and db.execute("PRAGMA quick_check(found_data)").fetchall() != [("ok",)]:
            raise IndexCorrupt("its pages contradict each other")
        # On the disk before anything else is: a power cut that took this along would leave an index that seems to be
        # closed, and what has vanished from the log meanwhile would stay in it, because nobody would compare them.
        db.execute("UPDATE progress SET clean = 0")
        db.pragma("synchronous", "NORMAL")  # derived: a power cut may cost messages, which are read again
        self.owes_truncation = self._is_merging = not clean  # whoever was killed may have been about to
        self._sweeping = None if clean else 0
        self.is_whole = self.indexed_to >= self._source.last_seq()

    def discard(self, reason: str) -> None:
        """Throw the index away: the next `open` begins anew. Its file may be gone already, or resist."""
        self._discarded = reason
        db, self._db = self._db, None
        self.indexed_to, self.is_whole, self.owes_truncation = 0, False, False
        self._sweeping, self._vanished = None, []
        self._has_looked = self._is_merging = False
        if db is not None:
            with suppress(apsw.Error):
                db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
                db.close()
        if self._path is not None:
            _remove(self._path, self._vfs)

    def take_discarded(self) -> str | None:
        """Return why an index was thrown away since the last call; None when none was."""
        reason, self._discarded = self._discarded, None
        return reason

    def close(self, *, failed: bool = False) -> None:
        """Close; what is left to do will be done after the next `open`. With ``failed``, without writing a byte."""
        db, self._db = self._db, None
        if db is None:
            return
        with suppress(apsw.Error):  # derived data: whatever is wrong with it is found when it is opened
            if not failed and not self.is_sweeping and not self.owes_truncation:
                db.execute("UPDATE progress SET clean = 1")
        with suppress(apsw.Error):
            db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, int(failed))
            db.close()

    # --- Following the log ----------------------------------------------------------------------------------------

    def step(self) -> bool:
        """Take in the next stretch of the log or a part of it, or compare the next; whether there is more to do.

        Raises:
            IndexDamaged: throw it away and begin anew.
            NoSpace: nothing was changed; try again when there is space.
            LogError: the log itself cannot be read.
        """
        stretch = self._source.after(self.indexed_to, self._chunk)
        with self._judged():
            if stretch is not None and not self._take(stretch):
                return True  # nothing else before: a comparison would put back what an edit is about to replace
            last_seq = self.indexed_to if stretch is None else stretch.last_seq
            self.is_whole = self.is_whole or self.indexed_to >= last_seq
            if self.is_whole:  # in the same step, because a busy log leaves none without a stretch
                self._sweep()
                self._merge()
            return self.indexed_to < last_seq or self.is_sweeping or self._is_merging

    def _take(self, stretch: IndexChunk) -> bool:
        """Take in what came and changed, with the mark of how far, in one transaction; whether that was possible.

        What is replaced goes first; where that is much, only some of it, and the stretch is read again.
        """
        fresh = [(words.seq, _document(words)) for words in stretch.words if words.seq > self.indexed_to and words.text]
        stale = [words for words in stretch.words if words.seq <= self.indexed_to]
        old = [*stretch.gone, *(words.seq for words in stale)]
        old = [seq for seq in old if seq <= self.indexed_to]
        portion = self._portion(old)
        is_all = len(portion) == len(old)
        with self._transaction() as db:
            self._erase(db, portion)
            if not is_all:
                return False
            self._insert(db, fresh + [(words.seq, _document(words)) for words in stale if words.text])
            db.execute("UPDATE progress SET indexed_to = ?, stamp = ?", (stretch.through, stretch.stamp))
        self.indexed_to = stretch.through
        return True

    def _portion(self, seqs: Sequence[int]) -> list[int]:
        """Of these documents, as many as one step takes out; all of them where no more are there."""
        ((answer,),) = self.db.execute(_SIZES, (msgspec.json.encode(seqs).decode(),)).fetchall()
        assert isinstance(answer, str)
        portion: list[int] = []
        left_bytes = _ERASE_BYTES
        for seq, size in msgspec.json.decode(answer, type=list[tuple[int, int]]):
            left_bytes -= size
            if portion and (left_bytes < 0 or len(portion) == _ERASE_ROWS):
                return portion
            portion.append(seq)
        return list(seqs)

    def _insert(self, db: apsw.Connection, rows: Sequence[tuple[int, str]]) -> None:
        for start in range(0, len(rows), _INSERT_ROWS):
            part = rows[start : start + _INSERT_ROWS]
            places = ",".join(["(?,?)"] * len(part))
            db.execute(f"INSERT INTO found (rowid, words) VALUES {places}", tuple(chain.from_iterable(part)))  # noqa: S608

    def _erase(self, db: apsw.Connection, seqs: Sequence[int]) -> None:
        """Take documents out, with what FTS5 leaves of them: the names of leaves at once, and see `_merge`."""
        if not seqs:
            return
        self.owes_truncation = self._is_merging = True
        these = (msgspec.json.encode(seqs).decode(),)
        ((documents,),) = db.execute(_DOCUMENTS, these).fetchall()
        assert isinstance(documents, str)
        db.execute("DELETE FROM found WHERE rowid IN (SELECT value FROM json_each(?))", these)
        rename_leaves(db, words_of(msgspec.json.decode(documents, type=list[str])))

    def _merge(self) -> None:
        """A step of what has been begun, until nothing is left to do.

        After opening, because every search looks into every segment of the index: leave few. And after something was
        taken out, because FTS5 merges by and by: what it has gone through stays in the file until it is through, with
        words in it that are gone from the result.
        """
        db = self.db
        if not self._has_looked:
            self._has_looked = True
            ((count,),) = db.execute("SELECT count(DISTINCT segid) FROM found_idx").fetchall()
            assert isinstance(count, int)
            if count >= _MANY_SEGMENTS:
                self._is_merging = True
                db.execute("INSERT INTO found (found, rank) VALUES ('merge', ?)", (-_MERGE_PAGES,))
        elif self._is_merging:
            before = db.total_changes()
            db.execute("INSERT INTO found (found, rank) VALUES ('merge', ?)", (_MERGE_PAGES,))
            self._is_merging = db.total_changes() - before >= 2  # FTS5's own sign of something done

    # --- What vanished --------------------------------------------------------------------------------------------

    def begin_sweep(self) -> None:
        """Messages may have vanished from the log: compare everything, in the steps that follow."""
        self._sweeping = 0

    @property
    def is_sweeping(self) -> bool:
        """Whether a comparison is under way, or what it found is still to be taken out."""
        return self._sweeping is not None or bool(self._vanished)

    def _sweep(self) -> None:
        """Compare the next stretch, if there is one to compare, and take out some of what vanished."""
        if not self._vanished and self._sweeping is not None:
            self._compare(self._sweeping)
        if self._vanished:
            portion = self._portion(self._vanished)
            with self._transaction() as db:
                self._erase(db, portion)
            self._vanished = self._vanished[len(portion) :]

    def _compare(self, above: int) -> None:
        """Compare the stretch above this seq with the log's."""
        below = min(above + COMPARED_PER_READ * self._chunk, self.indexed_to)
        ours = self.db.execute(
            "SELECT count(*), ifnull(sum(id), 0) FROM found_content WHERE id > ? AND id <= ?", (above, below)
        ).fetchall()[0]
        if ours != self._source.tally(above, below):
            self._mend(above, below)
        self._sweeping = below if below < self.indexed_to else None

    def _mend(self, above: int, below: int) -> None:
        """Make a stretch equal to the log's again; what is to be taken out is left to the steps that follow."""
        theirs = {words.seq: words for words in self._source.between(above, below) if words.text}
        ((answer,),) = self.db.execute(
            "SELECT json_group_array(id) FROM found_content WHERE id > ? AND id <= ?", (above, below)
        ).fetchall()
        assert isinstance(answer, str)
        ours = set(msgspec.json.decode(answer, type=list[int]))
        with self._transaction() as db:
            self._insert(db, [(seq, _document(theirs[seq])) for seq in sorted(theirs.keys() - ours)])
        self._vanished = sorted(ours - theirs.keys())

    def truncate(self) -> None:
        """Move the journal into the file and empty it: what was erased is gone from both.

        Raises:
            IndexDamaged, NoSpace: as `step`.
        """
        with self._judged():
            if self._path is not None:
                self.db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        self.owes_truncation = self._is_merging

    @contextmanager
    def _transaction(self) -> Iterator[apsw.Connection]:
        """All or nothing. SQLite undoes it by itself when the disk is full, and apsw's own context stumbles there."""
        db = self.db
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise

    @contextmanager
    def _judged(self) -> Iterator[None]:
        """Tell a full disk from a damaged index; nearly anything else of SQLite's is the second."""
        try:
            yield
        except apsw.FullError as error:
            raise DiskFull(str(error)) from error
        except apsw.CantOpenError as error:
            raise IndexUnavailable(str(error)) from error
        except OSError as error:
            if isinstance(error, NotRegular):
                raise IndexCorrupt(str(error)) from error
            raise IndexUnavailable(error.strerror or str(error)) from error
        except apsw.IOError as error:
            if getattr(error, "extendedresult", 0) in _NOT_ITS_FAULT:
                raise IndexUnavailable(str(error)) from error
            raise IndexCorrupt(str(error)) from error
        except (apsw.Error, ValueError) as error:
            raise IndexCorrupt(str(error)) from error


def _remove(path: Path, vfs: str | None) -> None:
    """Remove a database with all that hangs on it, as far as it lets us: SQLite's own way, on whatever disk it is."""
    disk = apsw.VFS(f"{path}, to be removed", vfs or "")
    try:
        for suffix in ("", "-wal", "-shm", "-journal"):
            with suppress(apsw.Error):  # most are not there
                disk.xDelete(f"{path}{suffix}", syncdir=False)
    finally:
        disk.unregister()
