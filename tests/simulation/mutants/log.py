"""Bugs of the log: what is durable, what is remembered, what a reader is given."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from securechat.errors import LogError
from securechat.hub.messages import history
from securechat.hub.messages.history import HistoryQueries
from securechat.model import Draft, Edited
from securechat.records.log import Appended
from securechat.storage.search.index import SearchIndex
from securechat.storage.sqlite.store import SqliteStore
from securechat.storage.store import DatabaseBusy
from securechat.testing import inline_log, memory_store
from securechat.testing.memory_messages import MemoryMessages
from securechat.testing.memory_store import MemoryStore
from tests.simulation.checkers.watched_store import WatchedStore
from tests.simulation.mutants.planting import nothing, planted


@planted(inline_log.InlineLog, "append")
def ack_before_commit(original: Any) -> Any:
    def append(self: Any, draft: Any, done: Any) -> None:
        known = self.store.last_seq if hasattr(self.store, "last_seq") else 0
        self.guess = max(getattr(self, "guess", known), known) + 1
        done(Appended(self.guess))
        original(self, draft, lambda _: None)

    return append


@planted(SqliteStore, "_open_database")
def no_sync_before_the_ack(original: Any) -> Any:
    def open_database(self: Any, path: Any) -> Any:
        state = original(self, path)
        self._db.pragma("synchronous", "OFF")
        return state

    return open_database


@planted(MemoryStore, "open")
def retries_forgotten_at_restart(original: Any) -> Any:
    def open_(self: Any) -> Any:
        self._talk.seqs.clear()
        self._talk.last_client_ids.clear()
        return original(self)

    return open_


@planted(MemoryStore, "open")
def reservations_forgotten_at_restart(original: Any) -> Any:
    return lambda self: replace(original(self), reservations=[])


@planted(MemoryMessages, "mark_read")
def read_mark_moves_back(original: Any) -> Any:
    def mark_read(self: Any, mark: Any) -> None:
        self._reads = {key: seq for key, seq in self._reads.items() if key[0] != mark.sender_id or seq <= mark.seq}
        original(self, mark)

    return mark_read


@planted(MemoryMessages, "unread")
def deleted_messages_count_as_unread(original: Any) -> Any:
    def unread(self: Any, query: Any) -> Any:
        messages = self.messages
        self.messages = {seq: replace(message, deleted=None) for seq, message in messages.items()}
        try:
            return original(self, query)
        finally:
            self.messages = messages

    return unread


@planted(MemoryMessages, "conversations")
def last_message_of_a_conversation_is_its_last_that_is_left(original: Any) -> Any:
    def conversations(self: Any, query: Any) -> Any:
        messages = self.messages
        self.messages = {seq: message for seq, message in messages.items() if message.deleted is None}
        try:
            return original(self, query)
        finally:
            self.messages = messages

    return conversations


@planted(MemoryMessages, "conversations")
def rooms_alone_are_listed_as_conversations(original: Any) -> Any:
    return lambda self, query: original(self, replace(query, after=None))


@planted(MemoryMessages, "expire")
def retention_reaches_into_another_room(original: Any) -> Any:
    return lambda self, asked: original(self, replace(asked, room="lobby"))


@planted(MemoryMessages, "erase_sender")
def name_of_the_deleted_stays_where_others_wrote_to_them(original: Any) -> Any:
    def scrub(self: Any, asked: Any) -> Any:
        names = {seq: message.to_name for seq, message in self.messages.items()}
        answer = original(self, asked)
        self.messages = {seq: replace(m, to_name=names[seq]) for seq, m in self.messages.items()}
        return answer

    return scrub


@planted(MemoryMessages, "read")
def page_without_what_changed(original: Any) -> Any:
    return lambda self, query: replace(original(self, query), changes=[])


@planted(memory_store, "judge_hit")
def search_does_not_find_edited_messages(original: Any) -> Any:
    return lambda query, message: None if message.edited is not None else original(query, message)


@planted(SearchIndex, "_erase")
def index_finds_what_was_edited_away(original: Any) -> Any:
    return lambda self, db, seqs: None


@planted(HistoryQueries, "_query")
def history_beyond_what_was_fanned_out(original: Any) -> Any:
    return lambda self, peer, member, command, fed_seq: original(self, peer, member, command, 1 << 50)


@planted(HistoryQueries, "_query")
def history_ends_one_too_early(original: Any) -> Any:
    return lambda self, peer, member, command, fed_seq: original(self, peer, member, command, max(0, fed_seq - 1))


@planted(history, "history_page")
def page_in_the_state_of_before(original: Any) -> Any:
    """What a reader gets is as it was when it was said."""

    def history_page(ref: int, query: Any, rows: Any, pages: Any) -> Any:
        stale = [replace(message, reactions=[], changed=None) for message in rows.messages]
        return original(ref, query, replace(rows, messages=stale), pages)

    return history_page


@planted(MemoryMessages, "_revise")
def edit_that_says_nothing_new(original: Any) -> Any:
    """The acknowledged text is not the one that is kept."""

    def revise(self: Any, asked: Any) -> Any:
        before = self.messages[asked.target]
        change = original(self, asked)
        if isinstance(change, Edited):
            self.messages[asked.target] = replace(self.messages[asked.target], text=before.text)
        return change

    return revise


@planted(inline_log.InlineLog, "_put_back")
def batch_lost_while_the_database_is_locked(_: Any) -> Any:
    return nothing


@planted(WatchedStore, "apply")
def locked_database_stops_the_server(original: Any) -> Any:
    def apply(self: Any, writes: Any, *, refuse_fresh: bool = False) -> Any:
        try:
            return original(self, writes, refuse_fresh=refuse_fresh)
        except DatabaseBusy as busy:
            raise LogError(str(busy)) from busy

    return apply


@planted(MemoryStore, "open")
def keys_outside_the_transaction(original: Any) -> Any:
    def open_(self: Any) -> Any:
        self._talk.keys.clear()
        return original(self)

    return open_


def _without_key(write: Any) -> Any:
    return replace(write, key=None) if isinstance(write, Draft) else write


@planted(MemoryMessages, "judge")
def a_key_is_known_to_one_device(original: Any) -> Any:
    def judge(self: Any, write: Any, now_ms: int) -> Any:
        stream = write.stream or write.sender_id
        known = self.seqs.get((stream, write.client_id))
        return original(self, write if known is not None else _without_key(write), now_ms)

    return judge
