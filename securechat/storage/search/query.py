"""Answers searches: the index finds candidates, the log itself decides.

A search becomes one FTS5 expression over words and filter terms, so that permissions, senders and links narrow it down
inside the index, the newest first, without reading other messages (one million messages in 200 rooms: 0.3 to 15 ms, a
prefix of one letter 90). The index returns seqs. Their messages are read from the log in their final state and checked
against every condition again: an index that is behind or wrong can hide a message for a while, but never show a wrong
one.

The index and the log each answer with one JSON row, for the reason given in `history`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import apsw
import msgspec

from securechat.errors import LogError
from securechat.model import Hit, Message
from securechat.records.queries import SearchQuery, SearchRows
from securechat.storage.search.index import (
    LINK_SIGN,
    IndexCorrupt,
    IndexUnavailable,
    SearchIndex,
    person_sign,
    room_sign,
    sender_sign,
)
from securechat.storage.sqlite.checksums import decode_rows
from securechat.storage.sqlite.failures import reading_failure, reason_of
from securechat.storage.sqlite.history import MESSAGE_ARRAY, MessageRow, message_of
from securechat.storage.sqlite.purge import FIRST_AT
from securechat.storage.store import DiskFull, QueryTooExpensive
from securechat.text.tokenizer import has_link, marks, phrase_of
from securechat.translation import Sentence

SECONDS_PER_SEARCH = 2.0
"""Time limit of one search, twenty times the slowest of a million messages (a prefix of one letter). In seconds, not
steps as in `history`, because the work of an FTS5 step varies widely."""
_INDEX_STEPS_PER_LOOK = 2_000
"""Steps between two checks of the clock: 0.3 ms where terms are looked up, 70 ms where long lists are merged."""
_LOG_STEPS_PER_LOOK = 100_000
"""Some 2 ms."""
_MOST_AT_ONCE = 1_000
_STRETCHES = 5
"""The most expressions that floors may split a search into; conditions beyond them are only checked in the log."""

_NEWEST = """
SELECT json_group_array(rowid) FROM (
    SELECT rowid FROM found WHERE found MATCH :asked AND rowid > :above AND rowid < :below
    ORDER BY rowid DESC LIMIT :rows)
"""
_PLACES = """
SELECT json_group_array(json_array(conversation, room)) FROM conversations
WHERE room IN (SELECT value FROM json_each(:rooms)) OR (low = :low AND high = :high)
"""
_MESSAGES = f"""
SELECT CAST(json_group_array({MESSAGE_ARRAY}) AS BLOB)
FROM (SELECT * FROM json_each(:seqs) CROSS JOIN messages ON seq = value CROSS JOIN conversations AS c
      ON c.conversation = messages.conversation) AS messages
"""  # noqa: S608  # contains constants only

_rows: msgspec.json.Decoder[list[MessageRow]] = msgspec.json.Decoder(list[MessageRow])
_decode_room_records = msgspec.json.Decoder(list[tuple[int, str | None]]).decode
_decode_seqs = msgspec.json.Decoder(list[int]).decode
_encode = msgspec.json.Encoder().encode


class Searcher:
    """Answers searches, one after the other.

    Args:
        index: may be behind the log; the answer tells.
        log: a connection to the log's database.
        seconds: how long one search may take.
        clock: monotonic seconds; constant in a simulation.
    """

    def __init__(
        self,
        index: SearchIndex,
        log: apsw.Connection,
        seconds: float = SECONDS_PER_SEARCH,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._index = index
        self._log = log
        self._seconds = seconds
        self._clock = clock

    def search(self, query: SearchQuery) -> SearchRows:
        """Find at most ``query.limit`` messages.

        Raises:
            QueryTooExpensive: it took too long.
            IndexCorrupt: delete the index; the log is unaffected.
            LogError: the log cannot be read.
        """
        hits: list[Hit] = []
        until_s = self._clock() + self._seconds
        indexed_to = self._index.indexed_to
        with (
            self._bounded(self._index.db, _INDEX_STEPS_PER_LOOK, until_s),
            self._bounded(self._log, _LOG_STEPS_PER_LOOK, until_s),
        ):
            above, below = self._span(query)
            places = self._places(query)
            for asked, low, high in _chunks(query, places, above, below):
                for seqs in self._seqs(asked, low, high, query.limit + 1 - len(hits)):
                    hits += [hit for message in self._messages(seqs) if (hit := judge(query, message)) is not None]
                    if len(hits) > query.limit:
                        return SearchRows(hits[: query.limit], True, indexed_to)
        return SearchRows(hits, False, indexed_to)

    @contextmanager
    def _bounded(self, connection: apsw.Connection, steps_per_look: int, until_s: float) -> Iterator[None]:
        """Interrupt the connection at the time limit; outside this block nothing does."""
        connection.set_progress_handler(lambda: self._clock() >= until_s, steps_per_look, id=self)
        try:
            yield
        finally:
            connection.set_progress_handler(None, id=self)

    def _span(self, query: SearchQuery) -> tuple[int, int]:
        """The seqs between which to search, both excluded."""
        below = query.up_to + 1 if query.before is None else min(query.before, query.up_to + 1)
        if query.before_ms is not None:
            below = min(below, self._ask(FIRST_AT, {"below": below, "at_ms": query.before_ms}))
        if query.after_ms is None:
            return 0, below
        return self._ask(FIRST_AT, {"below": below, "at_ms": query.after_ms}) - 1, below

    def _places(self, query: SearchQuery) -> list[tuple[str, int]]:
        """The filter terms of the conversations that the searcher may read, each with its floor."""
        low, high = sorted(query.dialogue) if query.dialogue else (None, None)
        rooms = [] if query.dialogue else query.rooms
        answer = self._ask(_PLACES, {"rooms": _encode(rooms).decode(), "low": low, "high": high})
        floors = _floors(query)
        places = [(room_sign(number), floors.get(room or "", 0)) for number, room in _decode_room_records(answer)]
        if query.dialogues_of is not None and not query.dialogue:
            places.append((person_sign(query.dialogues_of), 0))
        return places

    def _seqs(self, asked: str, above: int, below: int, wanted: int) -> Iterator[list[int]]:
        """The seqs that the index finds, the newest first, in growing batches."""
        while below - above > 1:
            parameters = {"asked": asked, "above": above, "below": below, "rows": wanted}
            try:
                ((answer,),) = self._index.db.execute(_NEWEST, parameters).fetchall()
            except apsw.InterruptError as error:
                raise QueryTooExpensive("the search spans too much") from error
            except apsw.BusyError as error:
                raise IndexUnavailable(Sentence("another program holds it: {why}", why=reason_of(error))) from error
            except apsw.Error as error:
                raise IndexCorrupt(reason_of(error)) from error
            assert isinstance(answer, str)
            seqs = _decode_seqs(answer)
            if seqs:
                yield seqs
            if len(seqs) < wanted:
                return
            below, wanted = seqs[-1], min(4 * wanted, _MOST_AT_ONCE)

    def _messages(self, seqs: Sequence[int]) -> list[Message]:
        rows = decode_rows(_rows, self._ask(_MESSAGES, {"seqs": _encode(seqs).decode()}))
        return sorted(map(message_of, rows), key=lambda message: -message.seq)

    def _ask(self, sql: str, parameters: dict[str, Any]) -> Any:
        try:
            ((answer,),) = self._log.execute(sql, parameters).fetchall()
        except apsw.InterruptError as error:
            raise QueryTooExpensive("the search spans too much") from error
        except apsw.Error as error:
            raise reading_failure(error) from error
        return answer


def search_at_once(index: SearchIndex, log: apsw.Connection, query: SearchQuery) -> SearchRows:
    """Bring an index in memory to the end of the log, vanished messages included, and search.

    Raises:
        QueryTooExpensive, LogError: as `Searcher.search`.
    """
    try:
        if not index.is_open:
            index.open()
        index.begin_sweep()
        while index.step():
            pass
        return Searcher(index, log, clock=lambda: 0.0).search(query)
    except (IndexCorrupt, DiskFull) as error:  # an index in memory has no disk that could fail
        raise LogError(f"the search index failed: {error}") from error


def judge(query: SearchQuery, message: Message) -> Hit | None:
    """Check a message against every condition of a query: the reference meaning of `SearchQuery`.

    Words without anything to search for are ignored; without any word, every message that passes the filters matches.
    """
    is_asked_for = (
        message.deleted is None
        and message.text != ""
        and _may_read(query, message)
        and _is_within(query, message)
        and (query.senders is None or message.sender_id in query.senders)
        and (not query.has_link or has_link(message.text))
    )
    spans = marks(message.text, query.words) if is_asked_for else None
    return None if spans is None else Hit(message, spans)


def _is_within(query: SearchQuery, message: Message) -> bool:
    seq, at_ms = message.seq, message.sent_at_ms
    return (
        seq <= query.up_to
        and (query.before is None or seq < query.before)
        and (query.before_ms is None or at_ms < query.before_ms)
        and (query.after_ms is None or at_ms >= query.after_ms)
    )


def _may_read(query: SearchQuery, message: Message) -> bool:
    """With ``dialogue``, only that one; otherwise the rooms, above their floors, and the dialogues."""
    if message.room is not None:
        is_above = message.seq > _floors(query).get(message.room, 0)
        return query.dialogue is None and message.room in query.rooms and is_above
    people = (message.sender_id, message.to)
    if query.dialogue is not None:
        return sorted(query.dialogue) == sorted(person or 0 for person in people)
    return query.dialogues_of in people


def _floors(query: SearchQuery) -> dict[str, int]:
    floors: dict[str, int] = {}
    for room, floor in query.floors:
        floors[room] = max(floor, floors.get(room, 0))
    return floors


def _chunks(
    query: SearchQuery, places: Sequence[tuple[str, int]], above: int, below: int
) -> Iterator[tuple[str, int, int]]:
    """Split a search at the floors of its rooms, the newest first: expressions with the seqs they apply to."""
    cuts = sorted({floor for _, floor in places if above < floor < below - 1}, reverse=True)
    if len(cuts) >= _STRETCHES:
        cuts = cuts[:: len(cuts) // (_STRETCHES - 1) + 1]
    terms = _terms(query)
    if terms is None:
        return
    for cut in [*cuts, above]:
        signs = [sign for sign, floor in places if floor < below - 1]
        if signs and below - cut > 1:
            yield " AND ".join([*terms, _any_of(signs)]), cut, below
        below = cut + 1


def _terms(query: SearchQuery) -> list[str] | None:
    """The terms of every hit, as FTS5 expressions; None when nothing can match. They contain only folded words."""
    terms: list[str] = []
    for words, goes_on in map(phrase_of, query.words):
        if words:
            terms.append(f'"{" ".join(words)}"{"*" if goes_on else ""}')
    if query.senders is not None:
        if not query.senders:
            return None
        terms.append(_any_of([sender_sign(sender_id) for sender_id in query.senders]))
    if query.has_link:
        terms.append(f'"{LINK_SIGN}"')
    return terms


def _any_of(signs: Sequence[str]) -> str:
    return "(" + " OR ".join(f'"{sign}"' for sign in signs) + ")"
