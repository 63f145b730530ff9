"""The past, remembered by somebody else: what a log was given, what it answered, and so what it must hold.

A `Transcript` stands beside a store (`WatchedStore`), over all its openings. It keeps every message with every state
that it ever had, and from that judges three things:

- each commit: numbers, order, chains, retries, and whether a change was allowed;
- what is found at the next opening, after whatever kind of end: all that was committed, as it was;
- every copy that anybody is shown: a state that the message had, and none older than what was acknowledged before the
  question was asked.

It applies changes by rules of its own (docs/protocol.md, section 15), and asks the store for no opinion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn, assert_never

from msgspec.structs import replace

from securechat.errors import ErrorCode
from securechat.model import (
    Deleted,
    Draft,
    Edited,
    LogEntry,
    Message,
    MessageChange,
    Person,
    Reacted,
    Reaction,
    Revision,
    RevisionKind,
)
from securechat.records.accounts import Account, Change, Committed, Drop, EraseSender, PurgeMessageKeys
from securechat.records.files import PurgeFiles
from securechat.records.log import Appended, NotAppended
from securechat.records.rooms import DropRoom, PurgeExpired, PutReadMarker, PutRoom, RoomRecord
from securechat.storage.store import ApplyChanges, CommitResult, StoreWrite, WriteOutcome, key_hash
from securechat.testing.log_checks import HistoryBroken
from securechat.text.file_lines import with_file_lines
from tests.simulation.checkers.stored import Stored

ModelCopy = tuple[object, ...]


@dataclass(slots=True)
class ModelMessage:
    """A message.

    Attributes:
        place: the conversation, by a number that no new name changes.
        states: what it was, each with the seq that made it so.
        may_be_gone: whether something was asked for that takes it away without an entry of the log.
        files_may_be_gone: whether something was asked for that takes its files alone away.
    """

    place: int
    states: list[tuple[int, Message]]
    may_be_gone: bool = False
    files_may_be_gone: bool = False

    @property
    def now(self) -> Message:
        """What it is."""
        return self.states[-1][1]


class Transcript:
    """Everything that one log was told.

    Attributes:
        said: every message ever committed, by seq.
        changes: every change ever committed, by seq.
        last_seq: the highest number given.
        deleted: accounts that were, or may have been, deleted.
        taken_back: those of them whose messages and reactions had to go, too.
        on_files: told of each message with files that is committed, or found.
    """

    def __init__(self) -> None:
        self.said: dict[int, ModelMessage] = {}
        self.changes: dict[int, MessageChange] = {}
        self.last_seq = 0
        self.on_files: Callable[[Message], None] = lambda _: None
        self.deleted: set[int] = set()
        self._last_sent_at_ms = 0
        self._seqs: dict[tuple[int, int], int] = {}
        self._keys: dict[tuple[int, bytes], tuple[int, int]] = {}  # seq and time, by sender and hash
        self._keys_before_ms = 0  # older ones may be gone
        self._room_records: dict[str | tuple[int, int], int] = {}
        self._names: list[set[str]] = []  # that a conversation ever had
        self._last_in: dict[int, int] = {}
        self._called: dict[int, str] = {}  # rooms with a record
        self._dropping: dict[int, DropRoom] = {}  # asked for since the last opening
        self._nameless: set[int] = set()  # whose messages lose their name
        self.taken_back: set[int] = set()  # whose reactions go
        self._reads: dict[tuple[int, int], int] = {}  # by reader and place

    # --- places -------------------------------------------------------------------------------------------------------

    def place_of(self, room: str | None, sender_id: int, to: int | None) -> int:
        """Return the number of a conversation as it is called now."""
        key: str | tuple[int, int] = room if room is not None else _pair(sender_id, to or 0)
        number = self._room_records.get(key)
        if number is None:
            number = self._room_records[key] = len(self._names)
            self._names.append({room} if room is not None else set())
        return number

    def conversation_in(self, room: str) -> int | None:
        """Return the number of the conversation in the room of this name; None where nothing was said there."""
        return self._room_records.get(room)

    def rooms(self) -> Iterable[tuple[str, int]]:
        """Return the conversations in rooms, by their present names."""
        return [(key, number) for key, number in self._room_records.items() if isinstance(key, str)]

    def _has_place(self, row: RoomRecord) -> None:
        """A room has this name from now on."""
        old = self._called.get(row.room_id, row.name)
        self._called[row.room_id] = row.name
        number = self.place_of(old, 0, None)
        if old != row.name:
            del self._room_records[old]
            if row.name in self._room_records:
                self._broken(f"#{old} is called #{row.name} now, which is another room")
            self._room_records[row.name] = number
            self._names[number].add(row.name)

    # --- commits ------------------------------------------------------------------------------------------------------

    def attempted(self, writes: Sequence[StoreWrite]) -> None:
        """A batch is about to be written: whatever becomes of it, this much may be gone afterwards."""
        for write in writes:
            for change in write.changes if isinstance(write, ApplyChanges) else ():
                if not isinstance(change, PutRoom | PutReadMarker):
                    self._changed(change)

    def _changed(self, change: Change) -> None:
        """Something about people and rooms is so from now on, or may be."""
        match change:
            case PurgeExpired(room, before_ms):
                self._may_expire(room, before_ms)
            case EraseSender(sender_id, remove):
                self._may_scrub(sender_id, remove=remove)
            case Drop(kind, number) if kind is Account:
                self.deleted.add(number)
                self._reads = {key: seq for key, seq in self._reads.items() if key[0] != number}
            case PutRoom(row):
                self._has_place(row)
            case PutReadMarker():
                self._has_read(change)
            case PurgeFiles(before_ms):
                for said in self.said.values():
                    said.files_may_be_gone = said.files_may_be_gone or said.now.sent_at_ms < before_ms
            case PurgeMessageKeys(before_ms):
                self._keys_before_ms = max(self._keys_before_ms, before_ms)
            case DropRoom(room_id):
                self._dropping[room_id] = change
            case _:
                pass

    def _may_expire(self, room: str, before_ms: int) -> None:
        place = self._room_records.get(room)
        for said in self.said.values():
            if said.place == place and said.now.sent_at_ms < before_ms:
                said.may_be_gone = True

    def _may_scrub(self, sender_id: int, *, remove: bool) -> None:
        self._nameless.add(sender_id)
        if remove:
            self.taken_back.add(sender_id)
            for said in self.said.values():
                if said.now.sender_id == sender_id:
                    said.may_be_gone = True

    def applied(self, writes: Sequence[StoreWrite], applied: CommitResult) -> None:
        """A batch is durable.

        Raises:
            HistoryBroken: the log did not do what it was asked, or says so.
        """
        fresh = iter(applied.fresh)
        for write, outcome in zip(writes, applied.outcomes, strict=True):
            if isinstance(write, Draft | Revision):
                self._answered(write, outcome, fresh)
            elif isinstance(write, ApplyChanges) and not isinstance(outcome, NotAppended):
                dropped = outcome.dropped if isinstance(outcome, Committed) else ()
                for change in write.changes:
                    self._changed(change)
                    if isinstance(change, DropRoom) and change.room_id in dropped:
                        self._room_dropped(change)
        if (extra := next(fresh, None)) is not None:
            self._broken(f"entry {extra.seq} was committed, and nobody asked for it")

    def _room_dropped(self, change: DropRoom) -> None:
        """A room has no rules any more; where nothing was ever said, its conversation is forgotten, too."""
        name = self._called.pop(change.room_id)
        place = self._room_records[name]
        if change.if_empty and any(each.place == place and not each.may_be_gone for each in self.said.values()):
            self._broken(f"#{name} was forgotten for having no messages, and has some")
        if change.if_empty or place not in self._last_in:
            self._reads = {key: seq for key, seq in self._reads.items() if key[1] != place}
        if place not in self._last_in:
            del self._room_records[name]

    def _has_read(self, read: PutReadMarker) -> None:
        key = read.room if read.room is not None else _pair(read.sender_id, read.peer or 0)
        if (place := self._room_records.get(key)) is not None:
            self._reads[read.sender_id, place] = max(read.seq, self._reads.get((read.sender_id, place), 0))

    def answered(self, writes: Sequence[StoreWrite], applied: CommitResult) -> None:
        """A batch was not stored, and answered all the same. Raises as `applied`."""
        self.applied([w for w in writes if isinstance(w, Draft | Revision)], CommitResult(
            [o for w, o in zip(writes, applied.outcomes, strict=True) if isinstance(w, Draft | Revision)], []
        ))  # fmt: skip

    def _answered(self, write: Draft | Revision, outcome: WriteOutcome, fresh: Iterator[LogEntry]) -> None:
        key = (write.stream or write.sender_id, write.client_id)
        known = self._seqs.get(key)
        if known is None and isinstance(write, Draft) and write.key is not None:
            known = self._known_by_key(write, write.key, outcome)
        if not isinstance(outcome, Appended):
            self._check_refusal(write, outcome)
        elif outcome.retry or known is not None:
            if outcome.seq != known or not outcome.retry:
                self._broken(f"draft {key} is message {known}, and was answered with {outcome}")
        else:
            entry = next(fresh, None)
            if entry is None or entry.seq != outcome.seq:
                self._broken(f"draft {key} was answered with {outcome.seq}, and {entry} was committed")
            self._seqs[key] = entry.seq
            if isinstance(write, Draft) and write.key is not None:
                self._keys[write.sender_id, key_hash(write.key)] = entry.seq, entry.sent_at_ms
            self._take(write, entry)

    def _known_by_key(self, draft: Draft, key: str, outcome: WriteOutcome) -> int | None:
        """The message that has the draft's key; None where it may have been forgotten, and was."""
        seq, at_ms = self._keys.get((draft.sender_id, key_hash(key)), (None, 0))
        is_new = isinstance(outcome, Appended) and not outcome.retry
        return None if at_ms < self._keys_before_ms and is_new else seq

    def _check_refusal(self, write: Draft | Revision, outcome: WriteOutcome) -> None:
        """A change is refused for what is so, and not for what it might be."""
        assert isinstance(outcome, NotAppended)
        if not isinstance(write, Revision) or outcome.code not in {ErrorCode.NOT_FOUND, ErrorCode.NO_RIGHT}:
            return
        said = self.said.get(write.target)
        is_there = said is not None and not said.may_be_gone and said.now.deleted is None
        place = self._room_records.get(write.room if write.room is not None else _pair(write.sender_id, write.to or 0))
        is_there = is_there and said is not None and said.place == place
        if outcome.code is ErrorCode.NOT_FOUND and is_there:
            self._broken(f"message {write.target} is there, and was not found")
        is_own = said is not None and _may_change(write, said.now.sender_id)
        if outcome.code is ErrorCode.NO_RIGHT and is_own:
            self._broken(f"message {write.target} may be changed by {write.sender_id}, who was refused")

    def _take(self, write: Draft | Revision, entry: LogEntry) -> None:
        if entry.seq <= self.last_seq:
            self._broken(f"entry {entry.seq} was committed after {self.last_seq}")
        if entry.sent_at_ms < self._last_sent_at_ms:
            self._broken(f"entry {entry.seq} is older than the one before it")
        if (entry.sender_id, entry.name, entry.room, entry.to) != (write.sender_id, write.name, write.room, write.to):
            self._broken(f"entry {entry.seq} is not where its draft {write.client_id} was meant to be")
        self.last_seq, self._last_sent_at_ms = entry.seq, entry.sent_at_ms
        place = self.place_of(entry.room, entry.sender_id, entry.to)
        if isinstance(write, Draft):
            if not isinstance(entry, Message):
                self._broken(f"a draft has become {entry}")
            self._check_message(write, entry, place)
            self.said[entry.seq] = ModelMessage(place, [(entry.seq, entry)])
            self._last_in[place] = entry.seq
            if entry.files:
                self.on_files(entry)
        else:
            if isinstance(entry, Message):
                self._broken(f"a change has become {entry}")
            self._check_change(write, entry, place)
            said = self.said[entry.target]
            said.states.append((entry.seq, changed(said.now, entry)))
            self.changes[entry.seq] = entry

    def _check_message(self, draft: Draft, entry: Message, place: int) -> None:
        if entry.prev != self._last_in.get(place, 0):
            self._broken(f"message {entry.seq} follows {entry.prev}, and {self._last_in.get(place, 0)} came before it")
        if (entry.text, entry.to_name, entry.mentions) != (draft.text, draft.to_name, list(draft.mentions)):
            self._broken(f"message {entry.seq} does not say what its draft said")
        if entry.files != [stored.info for stored in draft.files]:
            self._broken(f"message {entry.seq} has {entry.files}, and its draft {draft.files}")
        answered = self.said.get(draft.reply or 0)
        is_there = answered is not None and answered.place == place
        allowed = {draft.reply if is_there else None}
        if answered is not None and answered.may_be_gone:
            allowed.add(None)
        if entry.reply not in allowed:
            self._broken(f"message {entry.seq} answers {entry.reply}, and its draft {draft.reply}")

    def _check_change(self, revision: Revision, entry: MessageChange, place: int) -> None:
        said = self.said.get(revision.target)
        if said is None or entry.target != revision.target or said.place != place:
            self._broken(f"entry {entry.seq} changes {entry.target}, which is not there")
        if said.now.deleted is not None:
            self._broken(f"entry {entry.seq} changes {entry.target}, which was deleted")
        is_own = _may_change(revision, said.now.sender_id)
        if isinstance(entry, Edited | Deleted) and not is_own:
            self._broken(f"entry {entry.seq} changes {entry.target}, which is somebody else's")
        match revision.kind, entry:
            case RevisionKind.EDIT, Edited(text=text) if text == _with_lines(revision.text, said.now):
                pass
            case RevisionKind.EDIT, Edited(text=revision.text) if said.files_may_be_gone:
                pass
            case RevisionKind.DELETE, Deleted():
                pass
            case RevisionKind.REACT | RevisionKind.UNREACT, Reacted(sign=revision.sign, on=on):
                if on != (revision.kind is RevisionKind.REACT):
                    self._broken(f"entry {entry.seq} is the contrary of what was asked")
            case _:
                self._broken(f"{revision.kind.value} has become {entry}")

    # --- openings -----------------------------------------------------------------------------------------------------

    def opened(self, found: Stored, places: Sequence[RoomRecord]) -> None:
        """The log was opened, for the first time or again.

        Raises:
            HistoryBroken: something that was committed is not there, or is not what it was.
        """
        for row in places:
            self._has_place(row)
        for room_id in self._called.keys() - {row.room_id for row in places}:
            if room_id not in self._dropping:
                self._broken(f"the rules of #{self._called[room_id]} are gone, and nobody asked for that")
            self._room_dropped(self._dropping[room_id])
        self._dropping.clear()
        known = self.last_seq
        fresh: dict[int, list[MessageChange]] = {}
        for change in found.changes:
            if change.seq > known:  # committed, and nobody was told
                fresh.setdefault(change.target, []).append(change)
                self.changes[change.seq] = change
        for message in found.messages:
            self._find(message, fresh.get(message.seq, []))
        self._check_complete(found)
        for key, seq in self._seqs.items():
            if found.drafts.get(key) != seq:
                self._broken(f"draft {key} is message {seq}, and the log knows it as {found.drafts.get(key)}")
        for name, (seq, at_ms) in self._keys.items():
            if found.keys.get(name, (0, 0))[0] != seq and at_ms >= self._keys_before_ms:
                self._broken(f"a key of sender {name[0]} is message {seq}, and the log knows {found.keys.get(name)}")
        self._check_reads(found)
        self._seqs, self._keys = dict(found.drafts), dict(found.keys)
        self.last_seq = max([self.last_seq, *found.drafts.values()])
        stamps = [entry.sent_at_ms for entry in (*found.messages, *found.changes)]
        self._last_sent_at_ms = max(stamps, default=0)

    def _find(self, row: Message, changes: list[MessageChange]) -> None:
        said = self.said.get(row.seq)
        if said is None:
            if row.seq <= self.last_seq:
                self._broken(f"message {row.seq} is there, and was never committed")
            place = self.place_of(row.room, row.sender_id, row.to)
            self.said[row.seq] = ModelMessage(place, [(row.seq, row)])
            self._last_in[place] = max(row.seq, self._last_in.get(place, 0))
            if row.files:
                self.on_files(row)
            return
        state = said.now
        for change in changes:
            is_last_edit = (
                isinstance(change, Edited) and change.seq == row.edited
            )  # its text stands in the message alone
            state = changed(state, replace(change, text=row.text, mentions=row.mentions) if is_last_edit else change)
        if not self._is_copy(row, state, said.place):
            self._broken(f"message {row.seq} is {row}, and was committed as {state}")
        if changes:
            said.states.append((changes[-1].seq, state))

    def check_end(self, found: Stored) -> None:
        """Nothing goes on any more: the log holds what was committed, and nothing else. Raises as `opened`."""
        for message in found.messages:
            said = self.said.get(message.seq)
            if said is None or not self._is_copy(message, said.now, said.place):
                self._broken(f"message {message.seq} is {message}, and was committed as {said and said.now}")
        self._check_complete(found)
        self._check_reads(found)

    def _check_reads(self, found: Stored) -> None:
        """What was read moves forward, and is not forgotten."""
        marks = {}
        for (who, key), seq in found.reads.items():
            place = self.place_of(key, 0, None) if isinstance(key, str) else self.place_of(None, *key)
            marks[who, place] = seq
        for (who, place), seq in self._reads.items():
            if marks.get((who, place), 0) < seq:
                name = max(self._names[place], default="a dialogue")
                self._broken(f"{who} had read {name} up to {seq}, and now up to {marks.get((who, place))}")
        self._reads = marks

    def _check_complete(self, found: Stored) -> None:
        there = {message.seq for message in found.messages}
        for seq, said in self.said.items():
            if seq not in there and not said.may_be_gone:
                self._broken(f"message {seq} was committed, and is not there")
        changes = {change.seq for change in found.changes}
        for seq in self.changes:
            if seq not in changes and not self.is_gone(seq):
                self._broken(f"change {seq} was committed, and is not there")
        if extra := changes - self.changes.keys():
            self._broken(f"changes {sorted(extra)} are there, and were never committed")

    # --- copies -------------------------------------------------------------------------------------------------------

    def check_copy(self, copy: Message, floor_seq: int = 0) -> None:
        """Somebody is shown a message.

        Args:
            copy: as they are shown it.
            floor_seq: what was acknowledged up to here, to anybody, must be in it.

        Raises:
            HistoryBroken: it was never so, or was so only before that.
        """
        said = self.said.get(copy.seq)
        if said is None:
            self._broken(f"message {copy.seq} was shown and never committed")
        for made_by, state in reversed(said.states):
            if self._is_copy(copy, state, said.place):
                return
            if made_by <= floor_seq:
                self._broken(f"message {copy.seq} was shown as {copy}, and is {state}")
        self._broken(f"message {copy.seq} was shown as {copy}, and never was that")

    def check_change(self, change: MessageChange) -> None:
        """Somebody is told a change. Raises HistoryBroken: it was never committed, or was another."""
        known = self.changes.get(change.seq)
        if known is None or (known.target, known.sender_id) != (change.target, change.sender_id):
            self._broken(f"change {change.seq} was told as {change}, and committed as {known}")
        if isinstance(change, Edited) and change.text is not None and isinstance(known, Edited):
            if known.text not in (None, change.text):
                self._broken(f"edit {change.seq} was told as {change.text!r}, and says {known.text!r}")
        elif type(change) is not type(known) or getattr(change, "on", None) != getattr(known, "on", None):
            self._broken(f"change {change.seq} was told as {change}, and committed as {known}")

    def read_marks_of(self, who: int) -> dict[str | int, int]:
        """Return how far somebody has read: by every name that a room had, and by the other person of a dialogue."""
        marks: dict[str | int, int] = {}
        for key, place in self._room_records.items():
            if (seq := self._reads.get((who, place))) is not None:
                marks[key if isinstance(key, str) else key[key[0] == who]] = seq
        return marks

    def is_gone(self, seq: int) -> bool:
        """Whether a message, or a change of one, may have vanished without an entry that says so."""
        if (change := self.changes.get(seq)) is not None:
            is_taken_back = isinstance(change, Reacted) and change.sender_id in self.taken_back
            return is_taken_back or self.said[change.target].may_be_gone
        said = self.said.get(seq)
        return said is not None and said.may_be_gone

    def _is_copy(self, copy: Message, state: Message, place: int) -> bool:
        if copy == state:
            return True
        return (
            self._essence(copy) == self._essence(state)
            and (copy.deleted is not None or self._is_person(copy.edited_by, state.edited_by))
            and self._is_person(copy.deleted_by, state.deleted_by)
            and self._is_name(copy.name, state.name, state.sender_id)
            and self._is_name(copy.to_name, state.to_name, state.to)
            and (copy.room is None) == (state.room is None)
            and (copy.room is None or copy.room in self._names[place])
            and (copy.files == state.files or (not copy.files and self.said[copy.seq].files_may_be_gone))
        )

    def _is_name(self, name: str | None, was: str | None, whose: int | None) -> bool:
        return name == was or (name == "" and whose in self._nameless)

    def _is_person(self, person: Person | None, was: Person | None) -> bool:
        if person is None or was is None:
            return person is was
        return person.id == was.id and self._is_name(person.name, was.name, was.id)

    def _essence(self, message: Message) -> ModelCopy:
        """What must be the same: all but the names of people and rooms, and what a deletion makes meaningless."""
        reactions = [
            (reaction.sign, by)
            for reaction in message.reactions
            if (by := [who for who in reaction.by if who not in self.taken_back])
        ]
        edited = message.edited if message.deleted is None else None
        return (
            message.seq, message.prev, message.sender_id, message.to, message.sent_at_ms, message.text, message.reply,
            message.mentions, edited, message.deleted, reactions,
        )  # fmt: skip

    def _broken(self, what: str) -> NoReturn:
        raise HistoryBroken(f"the log: {what}")


def changed(message: Message, change: MessageChange) -> Message:
    """Return what a message is after a change, by the rules of the protocol."""
    by = None if change.sender_id == message.sender_id else Person(change.sender_id, change.name)
    match change:
        case Edited(seq, text=text, mentions=mentions):
            return replace(message, text=text or "", mentions=mentions, edited=seq, edited_by=by)
        case Deleted(seq):
            return replace(message, text="", mentions=[], reactions=[], deleted=seq, deleted_by=by, files=[])
        case Reacted(sender_id=who, sign=sign, on=on):
            users = {reaction.sign: [one for one in reaction.by if one != who or reaction.sign != sign or on]
                     for reaction in message.reactions}  # fmt: skip
            if on and who not in users.setdefault(sign, []):
                users[sign].append(who)
            return replace(message, reactions=[Reaction(each, by) for each, by in users.items() if by])
        case _:
            assert_never(change)


def _with_lines(text: str, message: Message) -> str:
    """Return what an edit leaves of a message: the new text, and the lines of its files."""
    return with_file_lines(text, [(info.name, info.size) for info in message.files])


def _pair(one: int, other: int) -> tuple[int, int]:
    return (one, other) if one <= other else (other, one)


def _may_change(revision: Revision, author: int) -> bool:
    """Whether a change may be one of a message by this author."""
    return author == revision.sender_id or (revision.any_author and author not in revision.spared)
