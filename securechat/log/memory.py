"""`MemoryLog`: the log without a disk, for tests and simulation. Everything it keeps is as durable as its store object.

The store is a model, written for being obviously right: dictionaries and lists, no cache, nothing clever. The
conformance suite holds `SqliteStore` against it. What a crash takes is what had not reached the store: see
`InlineLog.abandon`; a restart is a new `MemoryLog` over the same store.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from securechat.hub.ports import Appended, HistoryQuery, HistoryRows, Identity, LogState, Reservation
from securechat.limits import Limits
from securechat.log.inline import InlineLog
from securechat.log.sqlite import utc_ms
from securechat.log.store import DISK_FULL, NO_ENTRY, Applied, Identify, Outcome, Release, Rename, Write, judge
from securechat.model import Draft, Message

Place = str | tuple[int, int]


class _Sender(Struct, frozen=True, gc=False):
    secret_hash: bytes
    name: str
    key: str
    holds_name: bool = True
    lost_at_ms: int | None = None


def _place(room: str | None, sender_id: int, to: int | None) -> Place:
    """The conversation: a room, or two people in either direction."""
    if to is None:
        assert room is not None
        return room
    return (min(sender_id, to), max(sender_id, to))


class MemoryStore:
    """A `Store` in memory.

    Args:
        limits: name_reservation_s is its.
        wall_ms: UTC milliseconds.

    Attributes:
        fault: called with "apply" before a batch and "applied" after it; what it raises, apply raises. Raise NoSpace
            in the first for a full disk, LogError in either for a failed write or sync.
    """

    def __init__(self, limits: Limits | None = None, *, wall_ms: Callable[[], int] = utc_ms) -> None:
        self.fault: Callable[[str], None] = lambda _: None
        self._limits = limits or Limits()
        self._wall_ms = wall_ms
        self._messages: list[Message] = []
        self._seqs: dict[tuple[int, int], int] = {}
        self._last_client_ids: dict[int, int] = {}
        self._last_in: dict[Place, int] = {}
        self._senders: dict[int, _Sender] = {}
        self._ids: dict[bytes, int] = {}

    def open(self) -> LogState:
        """Take stock of who was online; see `Store.open`."""
        now_ms = self._wall_ms()
        oldest_ms = now_ms - int(self._limits.name_reservation_s * 1000)
        for sender_id, sender in self._senders.items():
            if sender.holds_name:
                lost_at_ms = now_ms if sender.lost_at_ms is None else min(now_ms, sender.lost_at_ms)
                self._senders[sender_id] = replace(sender, lost_at_ms=lost_at_ms, holds_name=lost_at_ms > oldest_ms)
        held = [
            Reservation(sender.name, sender.key, sender.secret_hash, sender_id, sender.lost_at_ms or 0)
            for sender_id, sender in sorted(self._senders.items())
            if sender.holds_name
        ]
        return LogState(self._last_seq, held)

    @property
    def _last_seq(self) -> int:
        return self._messages[-1].seq if self._messages else 0

    def apply(self, writes: Sequence[Write], *, refuse_fresh: bool = False) -> Applied:
        """Keep a batch; see `Store.apply`."""
        self.fault("apply")
        now_ms = self._wall_ms()
        fresh: list[Message] = []
        outcomes = [self._apply(write, now_ms, fresh, refuse_fresh=refuse_fresh) for write in writes]
        # Identities last: they tell the last client_id after the whole batch, as a table read before COMMIT does.
        for at, write in enumerate(writes):
            if isinstance(write, Identify):
                sender_id = self._ids[write.secret_hash]
                outcomes[at] = Identity(sender_id, self._last_client_ids.get(sender_id, 0))
        self.fault("applied")
        return Applied(outcomes, fresh)

    def _apply(self, write: Write, now_ms: int, fresh: list[Message], *, refuse_fresh: bool) -> Outcome:
        match write:
            case Draft():
                judged = self._judge(write)
                if judged is not None or refuse_fresh:
                    return judged or DISK_FULL
                fresh.append(self._append(write, now_ms))
                return Appended(fresh[-1].seq)
            case Identify(secret_hash, name, key):
                sender_id = self._ids.setdefault(secret_hash, len(self._ids) + 1)
                self._senders[sender_id] = _Sender(secret_hash, name, key)
            case Rename(sender_id, name, key):
                if sender_id in self._senders:
                    self._senders[sender_id] = replace(self._senders[sender_id], name=name, key=key)
            case Release(sender_id, reserved):
                if sender_id in self._senders:
                    self._senders[sender_id] = replace(self._senders[sender_id], holds_name=reserved, lost_at_ms=now_ms)
        return None

    def _judge(self, draft: Draft) -> Outcome:
        stored_seq = self._seqs.get((draft.sender_id, draft.client_id))
        return judge(draft.client_id, self._last_client_ids.get(draft.sender_id, 0), stored_seq)

    def _append(self, draft: Draft, now_ms: int) -> Message:
        seq = self._last_seq + 1
        place = _place(draft.room, draft.sender_id, draft.to)
        sent_at_ms = max(now_ms, self._messages[-1].sent_at_ms if self._messages else 0)
        message = Message(
            seq, self._last_in.get(place, 0), draft.sender_id, draft.name, sent_at_ms, draft.text,
            draft.room, draft.to, draft.to_name,
        )  # fmt: skip
        self._messages.append(message)
        self._last_in[place] = seq
        self._last_client_ids[draft.sender_id] = draft.client_id
        self._seqs[draft.sender_id, draft.client_id] = seq
        return message

    def answer(self, writes: Sequence[Write]) -> Applied:
        """Answer without storing; see `Store.answer`."""
        outcomes: list[Outcome] = []
        for write in writes:
            match write:
                case Draft():
                    outcomes.append(self._judge(write) or DISK_FULL)
                case Identify():
                    outcomes.append(NO_ENTRY)
                case Rename() | Release():
                    outcomes.append(None)
        return Applied(outcomes, [])

    def read(self, query: HistoryQuery) -> HistoryRows:
        """Look at every message there is; see `Store.read`."""
        above = query.after or 0
        below = query.up_to + 1 if query.before is None else min(query.before, query.up_to + 1)
        found = [m for m in self._messages if above < m.seq < below and _is_asked_for(m, query)]
        more = len(found) > query.limit
        return HistoryRows(found[-query.limit :] if query.after is None else found[: query.limit], more)

    def tidy(self, *, idle: bool) -> None:
        """Nothing waits anywhere."""

    def close(self, *, failed: bool = False) -> None:
        """Keep everything for the next `open`."""


def _is_asked_for(message: Message, query: HistoryQuery) -> bool:
    place = _place(message.room, message.sender_id, message.to)
    if isinstance(place, str):
        return place in query.rooms
    return (query.dialogue is not None and place == tuple(sorted(query.dialogue))) or query.dialogues_of in place


class MemoryLog(InlineLog):
    """A `MessageLog` in memory.

    Args:
        post: runs a callable later, in order.
        limits: append_queue, commit_messages and name_reservation_s are its.
        wall_ms: UTC milliseconds.
        store: an earlier log's store, for a restart.
    """

    def __init__(
        self,
        post: Callable[[Callable[[], None]], None],
        *,
        limits: Limits | None = None,
        wall_ms: Callable[[], int] = utc_ms,
        store: MemoryStore | None = None,
    ) -> None:
        limits = limits or Limits()
        super().__init__(store or MemoryStore(limits, wall_ms=wall_ms), limits, post)
