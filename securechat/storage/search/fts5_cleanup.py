"""Removes deleted words from FTS5's `found_idx` table, which secure-delete leaves there.

A segment of the index is a sequence of leaf pages, sorted by word. For each leaf, `found_idx` holds the beginning of
its first word: as much as distinguishes it from the word before, possibly all of it. When that word is deleted from the
leaf, the table keeps it until the segment is merged, perhaps never: in simulated runs one of 17,000 erased words was
found there. So code that deletes documents passes their text to this module, and each leaf named after one of its words
is renamed to its present first word, which is still in use. The new name is as valid as the old one: it is above
everything on the leaf before and not above anything on this one.

The format is that of `fts5_index.c`, which promises not to change it for existing files. A leaf begins with four bytes,
of which the last two are the offset of its footer; the footer begins with a varint, the offset of the first word; the
word is its length, a varint, and its bytes. This module knows nothing about documents.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import apsw
import msgspec

_WORDS = re.compile(rb"[0-9a-z\x80-\xff]+")
"""Words as FTS5's tokenizer "ascii" finds them, in lower case."""
_MAIN = "0"
"""FTS5's prefix of each word in the main index; prefix indexes, unused here, would be 1, 2 and so on."""
_SEGMENT_BITS = 37
"""The bits of a leaf's rowid below its segment number."""

# The leaf on which a word is, or would be, in each segment: the last one named at or below it. The segments are found
# one by one, because DISTINCT would read the whole table. A name without a leaf comes from a merge under way; it goes
# when the merge is over.
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
    """The set of words in the documents."""
    return {word for document in documents for word in _WORDS.findall(document.encode().lower())}


def rename_leaves(db: apsw.Connection, words: Iterable[bytes]) -> None:
    """Rename each leaf of ``found`` that is named after one of these words, unless the word is still there.

    Args:
        db: in the transaction in which documents with these words were deleted.
        words: the words of those documents.
    """
    db.execute("INSERT INTO found (found) VALUES ('flush')")  # before a flush the leaves still hold the words
    asked = msgspec.json.encode([word.decode() for word in words]).decode()
    for segment, name, block in db.execute(_NAMED, (asked,)).fetchall():
        assert isinstance(name, bytes)
        assert isinstance(block, bytes)
        first = _first_word(block)
        if first is not None and not first.startswith(name):
            db.execute(_RENAME, (first, segment, name))


def _first_word(block: bytes) -> bytes | None:
    """The first word that begins on a leaf; None if no word begins there."""
    footer = int.from_bytes(block[2:4], "big")
    if footer >= len(block):
        return None
    at, _ = _varint(block, footer)
    size, start = _varint(block, at)
    return block[start : start + size]


def _varint(block: bytes, at: int) -> tuple[int, int]:
    """Decode a SQLite varint below 2**21 (a leaf has 4,050 bytes); returns it and where it ends."""
    value = 0
    while block[at] & 0x80:
        value = (value | block[at] & 0x7F) << 7
        at += 1
    return value | block[at], at + 1
