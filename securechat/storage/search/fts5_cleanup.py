"""Words that FTS5 leaves behind: where a leaf of its index begins stands in a table that secure-delete forgets.

A segment of the index is a row of leaves, sorted by word, and `found_idx` says for each the beginning of its first
word: as much of it as tells it from the word before, which may be all of it. When that word is deleted for good it
leaves the leaf, and the table keeps it until the segment is merged, perhaps for ever: of 17,000 erased words in
simulated runs one was found there. So whoever deletes documents tells here what stood in them, and each leaf that is
named after such a word gets the name of the word it begins with now, which is somebody's still. That is as true as the
old one: it lies above everything on the leaf before and not above anything on this one.

The format is that of `fts5_index.c`, which promises not to change it for the files there are. A leaf begins with four
bytes, of which the last two are the offset of its footer; the footer begins with a varint, the offset of the first
word; that is its length, a varint, and its bytes. It refuses to know what a document is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import apsw
import msgspec

_WORDS = re.compile(rb"[0-9a-z\x80-\xff]+")
"""As FTS5's tokenizer "ascii" finds them, in lower case."""
_MAIN = "0"
"""What FTS5 puts before each word; prefix indexes, which we have none of, would be 1, 2 and so on."""
_SEGMENT_BITS = 37
"""Of a leaf's rowid, below the number of its segment."""

# The leaf on which a word is, or would be, in each segment: the last one named at or below it. The segments are found
# one by one, because DISTINCT would read the whole table.
# A name without a leaf is one that a merge has been through: it goes when that merge is over.
_NAMED = f"""
WITH RECURSIVE segments (segid) AS (
    SELECT min(segid) FROM found_idx
    UNION ALL
    SELECT (SELECT min(segid) FROM found_idx WHERE segid > segments.segid) FROM segments WHERE segid IS NOT NULL),
words (word) AS (SELECT CAST('{_MAIN}' || value AS BLOB) FROM json_each(?))
SELECT DISTINCT leaf.segid, leaf.term, block FROM words CROSS JOIN segments CROSS JOIN found_idx AS leaf
    ON leaf.segid = segments.segid AND leaf.term =
        (SELECT max(term) FROM found_idx WHERE segid = segments.segid AND term <= word)
JOIN found_data ON id = (leaf.segid << {_SEGMENT_BITS}) + (leaf.pgno >> 1)
WHERE leaf.term <> x'' AND substr(word, 1, length(leaf.term)) = leaf.term
"""  # noqa: S608  # only the numbers above are put in
_RENAME = "UPDATE found_idx SET term = ? WHERE segid = ? AND term = ?"


def words_of(documents: Iterable[str]) -> set[bytes]:
    """Every word of the documents, once."""
    return {word for document in documents for word in _WORDS.findall(document.encode().lower())}


def rename_leaves(db: apsw.Connection, words: Iterable[bytes]) -> None:
    """Let no leaf of ``found`` be named after one of these words, unless it is there.

    Args:
        db: in the transaction in which documents with these words were deleted.
        words: theirs.
    """
    db.execute("INSERT INTO found (found) VALUES ('flush')")  # until then the leaves know nothing of the deletion
    asked = msgspec.json.encode([word.decode() for word in words]).decode()
    for segment, name, block in db.execute(_NAMED, (asked,)).fetchall():
        assert isinstance(name, bytes)
        assert isinstance(block, bytes)
        first = _first_word(block)
        if first is not None and not first.startswith(name):
            db.execute(_RENAME, (first, segment, name))


def _first_word(block: bytes) -> bytes | None:
    """The first word that begins on a leaf; None when none does."""
    footer = int.from_bytes(block[2:4], "big")
    if footer >= len(block):
        return None
    at, _ = _varint(block, footer)
    size, start = _varint(block, at)
    return block[start : start + size]


def _varint(block: bytes, at: int) -> tuple[int, int]:
    """A number below 2**21, as SQLite writes it, and where it ends; a leaf has 4,050 bytes."""
    value = 0
    while block[at] & 0x80:
        value = (value | block[at] & 0x7F) << 7
        at += 1
    return value | block[at], at + 1
