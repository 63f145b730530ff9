"""The search index: derived data in an FTS5 file beside the log.

One connection on one thread keeps it. Whatever happens to the file, the log loses nothing and the index is rebuilt. The
index records the seq up to which it has read the log, in the same transaction as those messages, so a crash costs only
reading a few of them again. A file that is missing, damaged, of another version or of another log is deleted and
rebuilt, a chunk at a time.

Erased text is removed for good: text replaced by an edit or a deletion is taken out of the words (FTS5's
secure-delete), overwritten in the file (secure_delete) and, by `truncate`, removed from the journal. `begin_sweep`
finds messages that vanish without an entry in the log (retention, an account deleted with its messages), by comparing
the index with the log.

Each message is one document: its words as `tokenizer.folded` writes them, and filter terms for everything else a search
can ask for (its conversation, its sender and recipient, whether it has a link), so that every search is one FTS5
expression. No text can contain a filter term, because folding turns private-use characters into spaces. The documents
are kept, because removing one from the index needs its old text, which the log has overwritten by then.

This module knows no threads, queries or permissions.
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
from securechat.storage.sqlite.failures import reason_of
from securechat.storage.store import DiskFull
from securechat.text import tokenizer
from securechat.translation import Sentence, sentence_of

SEARCH_INDEX = "search.db"
"""The index file's name in the data directory."""
FORMAT = f"2 {tokenizer.VERSION}"
"""An index of another format is rebuilt."""
STRETCH = 1_000
"""Seqs read in one step: some 20 ms of work, of which 2 ms block the loop."""
COMPARED_PER_READ = 20
"""Chunks that a sweep compares in one step: some 6 ms for 20,000 seqs, nearly all of it in SQLite."""
APPLICATION_ID = 0x53436873
_ERASE_ROWS = 100
_ERASE_BYTES = 20_000
"""Bytes of documents removed in one step, though always at least one document: FTS5 looks up each of their words. A
step of long texts takes 20 to 80 ms, and searches run in between. One large step would also take longer in total: 300
texts of 4,000 random letters took 5.9 s in one transaction, and 0.9 s in 75; 2,000 take 12.5 s in 500."""
_INSERT_ROWS = 256
_SIGN = "\ue000"
_MANY_SEGMENTS = 8
_MERGE_PAGES = 200
"""Pages merged in one step: 14 ms, 38 at worst. After a million messages 71 of these steps merge 15 segments into one,
and a search for a common word in 100 rooms takes 2.7 ms instead of 8."""
_JOURNAL_PAGES = 4_096  # 16 MiB, then SQLite checkpoints by itself

_DOCUMENTS = "SELECT json_group_array(c0) FROM found_content WHERE id IN (SELECT value FROM json_each(?))"
_SIZES = f"""
SELECT json_group_array(json_array(id, size)) FROM (
    SELECT id, octet_length(c0) AS size FROM found_content
    WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id LIMIT {_ERASE_ROWS + 1})
"""  # noqa: S608  # a constant
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
    """The index is damaged and must be deleted."""


class IndexUnavailable(DiskFull):
    """The index cannot be opened at present, possibly without damage: try again later."""


_NOT_ITS_FAULT = frozenset({apsw.SQLITE_IOERR_SHMOPEN, apsw.SQLITE_IOERR_SHMSIZE, apsw.SQLITE_IOERR_SHMMAP})
"""SQLite's error codes for a full disk, when it needs a file for shared memory."""


def room_sign(conversation: int) -> str:
    """The filter term of a conversation."""
    return f"{_SIGN}c{conversation}"


def person_sign(sender_id: int) -> str:
    """The filter term of a sender's dialogues."""
    return f"{_SIGN}p{sender_id}"


def sender_sign(sender_id: int) -> str:
    """The filter term of a message's author."""
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
    """The index of one log.

    Args:
        path: its file; None keeps it in memory.
        source: the log to read.
        vfs: the name of an apsw VFS to keep the file on (tests, simulation); None for the operating system.
        shared: False keeps other connections out: for a VFS without shared memory.
        stretch: seqs read in one step.

    Attributes:
        indexed_to: the index holds every entry of the log up to this seq.
        is_whole: whether the index holds everything that was in the log when it was opened.
        owes_truncation: whether erased text may still be in the journal.
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
        self._sweeping: int | None = None  # the sweep has compared up to this seq
        self._vanished: list[int] = []  # documents that the sweep found, still to be removed
        self._has_looked = self._is_merging = False

    @property
    def db(self) -> apsw.Connection:
        """The connection, for `query` to read.

        Raises:
            IndexCorrupt: it is not open.
        """
        if self._db is None:
            raise IndexCorrupt(Sentence("the index is not open"))
        return self._db

    @property
    def is_open(self) -> bool:
        """Whether there is a connection."""
        return self._db is not None

    # --- Opening and closing --------------------------------------------------------------------------------------

    def open(self) -> None:
        """Open the existing file, or create a new one.

        Raises:
            IndexCorrupt: a new file cannot be created either; the message gives the reason.
            DiskFull: not possible at present; the existing file stays.
        """
        try:
            with self._judged():
                self._open()
                return
        except IndexCorrupt as error:
            self.discard(sentence_of(error))
        with self._judged():
            self._open()

    def _open(self) -> None:
        if self._path is not None and self._vfs is None:
            make_private(self._path)
        db = self._db = apsw.Connection(":memory:" if self._path is None else str(self._path), vfs=self._vfs)
        if not self._shared:
            db.pragma("locking_mode", "EXCLUSIVE")  # before the journal's mode, which would need shared memory
        if self._path is not None and db.pragma("journal_mode", "WAL") != "wal":
            raise IndexCorrupt(Sentence("the file system cannot hold a write-ahead log"))
        db.pragma("synchronous", "FULL")  # until ``clean`` is stored as 0 below
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
            raise IndexCorrupt(Sentence("another program's file"))
        ((form, indexed_to, clean, stamp),) = db.execute("SELECT * FROM progress").fetchall()
        assert isinstance(indexed_to, int)
        assert isinstance(stamp, str)
        self.indexed_to = indexed_to
        if form != FORMAT:
            raise IndexCorrupt(Sentence("another version made it"))
        if not self._source.agrees(self.indexed_to, stamp):
            raise IndexCorrupt(Sentence("another log is in it"))
        # Only found_data: checking everything would compare each document with its words, 4.4 s for a million. This
        # takes 1 s, and only after a crash; a search or a later write meets damage that it does not see.
        if not clean and db.execute("PRAGMA quick_check(found_data)").fetchall() != [("ok",)]:
            raise IndexCorrupt(Sentence("its pages contradict each other"))
        # Synced before anything else: if a power cut undid this, the index would look cleanly closed, no sweep would
        # run, and messages that vanished from the log meanwhile would stay in the index.
        db.execute("UPDATE progress SET clean = 0")
        db.pragma("synchronous", "NORMAL")  # derived data: messages lost in a power cut are read again
        self.owes_truncation = self._is_merging = not clean  # a killed process may have left both undone
        self._sweeping = None if clean else 0
        self.is_whole = self.indexed_to >= self._source.last_seq()

    def discard(self, reason: str) -> None:
        """Delete the index: the next `open` creates a new one. Its file may be missing already, or not removable."""
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
        """Return why the index was deleted since the last call; None when it was not."""
        reason, self._discarded = self._discarded, None
        return reason

    def close(self, *, failed: bool = False) -> None:
        """Close; remaining work is done after the next `open`. With ``failed``, write nothing."""
        db, self._db = self._db, None
        if db is None:
            return
        with suppress(apsw.Error):  # derived data: the next open finds any damage
            if not failed and not self.is_sweeping and not self.owes_truncation:
                db.execute("UPDATE progress SET clean = 1")
        with suppress(apsw.Error):
            db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, int(failed))
            db.close()

    # --- Following the log ----------------------------------------------------------------------------------------

    def step(self) -> bool:
        """Index the next chunk of the log or a part of it, or compare the next; returns whether there is more to do.

        Raises:
            IndexCorrupt: delete the index and rebuild it.
            DiskFull: nothing was changed; try again when there is space.
            LogError: the log itself cannot be read.
        """
        stretch = self._source.after(self.indexed_to, self._chunk)
        with self._judged():
            if stretch is not None and not self._take(stretch):
                return True  # first: a comparison would restore text that an edit is about to replace
            last_seq = self.indexed_to if stretch is None else stretch.last_seq
            self.is_whole = self.is_whole or self.indexed_to >= last_seq
            if self.is_whole:  # in the same step, because a busy log fills every step with a chunk
                self._sweep()
                self._merge()
            return self.indexed_to < last_seq or self.is_sweeping or self._is_merging

    def _take(self, stretch: IndexChunk) -> bool:
        """Index new and changed messages and ``indexed_to`` in one transaction; returns whether all were indexed.

        Replaced documents are removed first; if there are many, only some of them, and the chunk is read again.
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
        """The documents to remove in one step; all of them if there are few."""
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
        """Remove documents and their leaf names; `_merge` removes their words from old segments."""
        if not seqs:
            return
        self.owes_truncation = self._is_merging = True
        these = (msgspec.json.encode(seqs).decode(),)
        ((documents,),) = db.execute(_DOCUMENTS, these).fetchall()
        assert isinstance(documents, str)
        db.execute("DELETE FROM found WHERE rowid IN (SELECT value FROM json_each(?))", these)
        rename_leaves(db, words_of(msgspec.json.decode(documents, type=list[str])))

    def _merge(self) -> None:
        """Run one step of a merge under way.

        Merges begin after opening, because every search reads every segment of the index, so there should be few; and
        after a removal, because FTS5 merges gradually: until a merge is complete, the segments it has read stay in the
        file, with words that the merged result no longer contains.
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
            self._is_merging = db.total_changes() - before >= 2  # FTS5's way to report that a step did work

    # --- Vanished messages ----------------------------------------------------------------------------------------

    def begin_sweep(self) -> None:
        """Compare everything in the following steps, because messages may have vanished from the log."""
        self._sweeping = 0

    @property
    def is_sweeping(self) -> bool:
        """Whether a comparison is under way, or messages it found are still to be removed."""
        return self._sweeping is not None or bool(self._vanished)

    def _sweep(self) -> None:
        """Compare the next chunk, if any is left, and remove some of the vanished messages."""
        if not self._vanished and self._sweeping is not None:
            self._compare(self._sweeping)
        if self._vanished:
            portion = self._portion(self._vanished)
            with self._transaction() as db:
                self._erase(db, portion)
            self._vanished = self._vanished[len(portion) :]

    def _compare(self, above: int) -> None:
        """Compare the chunk above this seq with the log's."""
        below = min(above + COMPARED_PER_READ * self._chunk, self.indexed_to)
        ours = self.db.execute(
            "SELECT count(*), ifnull(sum(id), 0) FROM found_content WHERE id > ? AND id <= ?", (above, below)
        ).fetchall()[0]
        if ours != self._source.tally(above, below):
            self._mend(above, below)
        self._sweeping = below if below < self.indexed_to else None

    def _mend(self, above: int, below: int) -> None:
        """Make a chunk equal to the log's; the removals are left to the following steps."""
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
        """Checkpoint and empty the journal, so that erased text is in neither file.

        Raises:
            IndexCorrupt, DiskFull: as `step`.
        """
        with self._judged():
            if self._path is not None:
                self.db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        self.owes_truncation = self._is_merging

    @contextmanager
    def _transaction(self) -> Iterator[apsw.Connection]:
        """A transaction. SQLite itself rolls back on a full disk, which apsw's own context manager cannot handle."""
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
        """Convert SQLite's errors: a full disk to DiskFull, nearly anything else to IndexCorrupt."""
        try:
            yield
        except apsw.FullError as error:
            raise DiskFull(reason_of(error)) from error
        except apsw.BusyError as error:
            raise IndexUnavailable(Sentence("another program holds it: {why}", why=reason_of(error))) from error
        except apsw.CantOpenError as error:
            raise IndexUnavailable(reason_of(error)) from error
        except OSError as error:
            if isinstance(error, NotRegular):
                raise IndexCorrupt(reason_of(error)) from error
            raise IndexUnavailable(reason_of(error)) from error
        except apsw.IOError as error:
            if getattr(error, "extendedresult", 0) in _NOT_ITS_FAULT:
                raise IndexUnavailable(reason_of(error)) from error
            raise IndexCorrupt(reason_of(error)) from error
        except (apsw.Error, ValueError) as error:
            raise IndexCorrupt(reason_of(error)) from error


def _remove(path: Path, vfs: str | None) -> None:
    """Remove a database with its journals, as far as possible, through SQLite's VFS."""
    disk = apsw.VFS(f"{path}, to be removed", vfs or "")
    try:
        for suffix in ("", "-wal", "-shm", "-journal"):
            with suppress(apsw.Error):  # most do not exist
                disk.xDelete(f"{path}{suffix}", syncdir=False)
    finally:
        disk.unregister()
