"""The messages of a `MemoryLog`: the model that the tables of `SqliteStore` are held against.

The model is written for being obviously right: it keeps messages in their final state by seq and changes as they were
told, and answers every query by looking at all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import assert_never

from msgspec.structs import replace

from securechat.limits import MAX_UNREAD_COUNT, PAGE_LIMITS, PageLimits
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
    StoredFile,
)
from securechat.records.accounts import KEPT_REMOVALS, Committed, EraseSender, PurgeMessageKeys
from securechat.records.files import (
    DropGoneFiles,
    FileQuery,
    FileRow,
    FileUsage,
    GoneFile,
    OwnFilesQuery,
    PurgeFiles,
    StoredFiles,
)
from securechat.records.log import Appended, AppendOutcome, NotAppended
from securechat.records.queries import (
    ConversationQuery,
    ConversationRow,
    ConversationRows,
    HistoryQuery,
    HistoryRows,
    RoomFigures,
    Unread,
    UnreadQuery,
    UnreadRows,
)
from securechat.records.rooms import PurgeExpired, PutReadMarker
from securechat.storage.store import (
    CHANGES_PER_MESSAGE,
    DISK_FULL,
    EXPIRE_CHANGES,
    FILE_USED,
    NOT_KNOWN,
    OUT_OF_ORDER,
    ROOM_MESSAGES_MOST,
    SCRUB_ROWS,
    ConversationKey,
    MessageState,
    StoredKey,
    content_hash,
    judge,
    judge_key,
    judge_revision,
    place_of,
    with_lines,
)


class MemoryMessages:
    """Every conversation.

    Args:
        pages: how many reactions a message may have.

    Attributes:
        messages: by seq, in order, in their final state.
        changes: what changed them, in order; an edit has its text as long as nothing has replaced it.
        last_seq: the highest number ever given.
        numbers: of every conversation there is; a room's stays when its name changes.
        seqs: of every draft and revision ever stored, by stream and client_id.
        last_client_ids: of every stream.
        keys: of messages, by sender and key.
        removed: senders whose messages were removed, and up to which seq.
        stored_files: by id, those that are gone and not unlinked among them.
        gone: the senders of those, by id.
    """

    def __init__(self, pages: PageLimits = PAGE_LIMITS) -> None:
        self._pages = pages
        self.messages: dict[int, Message] = {}
        self.changes: list[MessageChange] = []
        self.last_seq = 0
        self.numbers: dict[ConversationKey, int] = {}
        self.seqs: dict[tuple[int, int], int] = {}
        self.last_client_ids: dict[int, int] = {}
        self.keys: dict[tuple[int, str], StoredKey] = {}
        self.removed: dict[int, int] = {}
        self.stored_files: dict[str, StoredFile] = {}
        self.gone: dict[str, int] = {}
        self._last_in: dict[int, int] = {}
        self._former: set[tuple[ConversationKey, int]] = set()
        self._reads: dict[tuple[int, int], int] = {}
        self.last_sent_at_ms = 0

    def open(self) -> None:
        """Time goes on from the newest entry that is left."""
        stamps = [entry.sent_at_ms for entry in (*self.messages.values(), *self.changes)]
        self.last_sent_at_ms = max(stamps, default=0)

    # --- Writing --------------------------------------------------------------------------------------------------

    def write(
        self, write: Draft | Revision, now_ms: int, *, refuse_fresh: bool
    ) -> tuple[AppendOutcome, LogEntry | None]:
        """Keep a draft or revision; return the outcome, and what is new."""
        stream = write.stream or write.sender_id
        judged = self.judge(write, now_ms)
        if judged is None and isinstance(write, Draft) and write.known_only:
            judged = NOT_KNOWN
        if judged is not None or refuse_fresh:
            return judged or DISK_FULL, None
        if isinstance(write, Revision):
            write = with_lines(write, self._target(write.target))
            if (refused := self._judge_revision(write)) is not None:
                return refused, None
        elif self._is_file_used(write):
            return FILE_USED, None
        self.last_seq += 1
        self.last_sent_at_ms = max(now_ms, self.last_sent_at_ms)
        self.last_client_ids[stream] = write.client_id
        self.seqs[stream, write.client_id] = self.last_seq
        entry = self._append(write) if isinstance(write, Draft) else self._revise(write)
        return Appended(self.last_seq), entry

    def judge(self, write: Draft | Revision, now_ms: int) -> AppendOutcome | None:
        """Return the answer to a retry; None for a fresh write."""
        stream = write.stream or write.sender_id
        stored_seq = self.seqs.get((stream, write.client_id))
        judged = judge(write.client_id, self.last_client_ids.get(stream, 0), stored_seq)
        if judged in (None, OUT_OF_ORDER) and isinstance(write, Draft) and write.key is not None:
            number = self.numbers.get(place_of(write.room, write.sender_id, write.to))
            known = judge_key(
                self.keys.get((write.sender_id, write.key)), write, number, max(now_ms, self.last_sent_at_ms)
            )
            if judged is None or isinstance(known, Appended):
                return known
        return judged

    def _judge_revision(self, revision: Revision) -> NotAppended | None:
        return judge_revision(revision, self._target(revision.target), self._pages)

    def number(self, place: ConversationKey) -> int:
        """The number of a conversation, made if need be."""
        return self.numbers.setdefault(place, max(self.numbers.values(), default=0) + 1)

    def _append(self, draft: Draft) -> Message:
        place = place_of(draft.room, draft.sender_id, draft.to)
        number = self.number(place)
        answered = self.messages.get(draft.reply or 0)
        message = Message(
            self.last_seq, self._last_in.get(number, 0), draft.sender_id, draft.name, self.last_sent_at_ms, draft.text,
            draft.room, draft.to, draft.to_name,
            reply=draft.reply if answered is not None and _place(answered) == place else None,
            mentions=list(draft.mentions), bot=draft.bot, files=[stored.info for stored in draft.files],
        )  # fmt: skip
        self.messages[message.seq] = message
        self.stored_files |= {stored.info.id: stored for stored in draft.files}
        self._last_in[number] = message.seq
        if draft.key is not None:
            self.keys[draft.sender_id, draft.key] = StoredKey(
                message.seq, number, content_hash(draft), self.last_sent_at_ms
            )
        return message

    def _is_file_used(self, draft: Draft) -> bool:
        """Whether a file is another message's, or was and is not unlinked."""
        ids = [stored.info.id for stored in draft.files]
        return len(set(ids)) < len(ids) or any(file_id in self.stored_files for file_id in ids)

    def _files_go(self, message: Message) -> Message:
        """The files of a message are to be unlinked."""
        self.gone |= {file.id: message.sender_id for file in message.files}
        return replace(message, files=[])

    def _content_changed(self, seq: int) -> None:
        """The key of a message tells nothing about its text any more."""
        for key, stored in self.keys.items():
            if stored.seq == seq:
                self.keys[key] = stored._replace(content=None)

    def forget_keys(self, asked: PurgeMessageKeys) -> Committed:
        """Forget old keys; see `PurgeMessageKeys`."""
        oldest = sorted(self.keys.items(), key=lambda item: item[1].seq)[: asked.most]
        old = [key for key, stored in oldest if stored.sent_at_ms < asked.before_ms]
        for key in old:
            del self.keys[key]
        return Committed(len(old))

    def _target(self, seq: int) -> MessageState | None:
        message = self.messages.get(seq)
        if message is None:
            return None
        reactions = {(reaction.sign, who): (0, 0) for reaction in message.reactions for who in reaction.by}
        files = [(file.name, file.size) for file in message.files]
        return MessageState(_place(message), message.sender_id, message.deleted is not None, reactions, files)

    def _revise(self, asked: Revision) -> MessageChange:
        message, seq, who = self.messages[asked.target], self.last_seq, asked.sender_id
        by = None if who == message.sender_id else Person(who, asked.name)
        base = (seq, asked.target, who, asked.name, self.last_sent_at_ms, asked.room, asked.to)
        change: MessageChange
        match asked.kind:
            case RevisionKind.EDIT:
                change = Edited(*base, asked.text, list(asked.mentions))
                message = replace(message, text=asked.text, mentions=list(asked.mentions), edited=seq, edited_by=by)
            case RevisionKind.DELETE:
                change = Deleted(*base)
                message = replace(
                    self._files_go(message), text="", mentions=[], reactions=[], deleted=seq, deleted_by=by
                )
            case RevisionKind.REACT | RevisionKind.UNREACT:
                change = Reacted(*base, asked.sign, asked.kind is RevisionKind.REACT)
                message = replace(message, reactions=_react(message.reactions, asked.sign, who, on=change.on))
            case _:
                assert_never(asked.kind)
        self.messages[asked.target] = replace(message, changed=seq)
        if not isinstance(change, Reacted):
            self._content_changed(asked.target)
            self.changes = [_without_text(old) if old.target == asked.target else old for old in self.changes]
        self.changes.append(change)
        return change

    def mark_read(self, mark: PutReadMarker) -> None:
        """Keep a read mark."""
        number = self.numbers.get(place_of(mark.room, mark.sender_id, mark.peer))
        if number is not None:
            self._reads[mark.sender_id, number] = max(mark.seq, self._reads.get((mark.sender_id, number), 0))

    def forget_reader(self, sender_id: int) -> None:
        """Drop the read markers of a reader."""
        self._reads = {key: seq for key, seq in self._reads.items() if key[0] != sender_id}

    # --- Names ----------------------------------------------------------------------------------------------------

    def is_taken(self, old: str, new: str) -> bool:
        """Whether another room than ``old`` has the name ``new``, or had it."""
        number = self.numbers.get(old)
        former = any(name == new and owner != number for name, owner in self._former)
        return former or self.numbers.get(new, number) != number

    def rename(self, old: str, new: str) -> None:
        """Give a room another name."""
        number = self.numbers[new] = self.numbers.pop(old)
        self._former.add((old, number))
        self.messages = {seq: replace(m, room=new) if m.room == old else m for seq, m in self.messages.items()}
        self.changes = [replace(change, room=new) if change.room == old else change for change in self.changes]

    def has_messages(self, room: str) -> bool:
        """Whether anything that was said in a room is left."""
        return any(message.room == room for message in self.messages.values())

    def room_dropped(self, room: str, *, is_empty: bool) -> None:
        """Forget a room without settings, and its rows that refer to nothing any more; see `DropRoom`."""
        number = self.numbers[room]
        is_silent = number not in self._last_in
        if is_empty or is_silent:
            self._reads = {key: seq for key, seq in self._reads.items() if key[1] != number}
        if is_silent:
            del self.numbers[room]
            self._former = {(name, owner) for name, owner in self._former if owner != number}

    # --- Taking out -----------------------------------------------------------------------------------------------

    def purge(self, asked: EraseSender | PurgeExpired | PurgeMessageKeys) -> Committed:
        """Delete what is over."""
        match asked:
            case EraseSender():
                return self.erase_sender(asked)
            case PurgeExpired():
                return self.expire(asked)
            case PurgeMessageKeys():
                return self.forget_keys(asked)

    def erase_sender(self, asked: EraseSender) -> Committed:
        """Erase a sender from a range of seqs; see `EraseSender`."""
        below = min(asked.above + asked.seqs, self.last_seq)
        count = 0
        for message in [m for m in self.messages.values() if asked.above < m.seq <= below]:
            is_own = message.sender_id == asked.sender_id
            after = replace(message, name="") if is_own else message
            if message.to == asked.sender_id:
                after = replace(after, to_name="")
            is_removed = is_own and asked.remove
            if after == message and not is_removed:
                continue
            if count == SCRUB_ROWS:
                below = message.seq - 1
                break
            count += 1
            if is_removed:
                self._remove(message.seq)
            else:
                self.messages[message.seq] = after
        for change in [c for c in self.changes if asked.above < c.seq <= below and c.sender_id == asked.sender_id]:
            self._erase_change(change, asked)
        if below < self.last_seq:
            return Committed(count, below)
        if not asked.remove:
            return Committed(count)
        self.removed[asked.sender_id] = self.last_seq
        latest = sorted(self.removed.items(), key=lambda row: (row[1], row[0]))[-KEPT_REMOVALS:]
        self.removed = dict(latest)
        return Committed(count, purged=self.last_seq)

    def _erase_change(self, change: MessageChange, asked: EraseSender) -> None:
        at = self.changes.index(change)
        if not (asked.remove and isinstance(change, Reacted)):
            self.changes[at] = replace(change, name="")
            self._erase_editor(change)
            return
        del self.changes[at]
        message = self.messages[change.target]
        reactions = message.reactions
        if change.on:
            reactions = _react(reactions, change.sign, asked.sender_id, on=False)
        left = max((other.seq for other in self.changes if other.target == change.target), default=None)
        self.messages[change.target] = replace(message, reactions=reactions, changed=left)

    def _erase_editor(self, change: MessageChange) -> None:
        """Erase the name of who edited or deleted a message, if this change was the last of its kind."""
        message = self.messages[change.target]
        if change.seq == message.edited and message.edited_by is not None:
            message = replace(message, edited_by=Person(change.sender_id, ""))
        if change.seq == message.deleted and message.deleted_by is not None:
            message = replace(message, deleted_by=Person(change.sender_id, ""))
        self.messages[change.target] = message

    def expire(self, asked: PurgeExpired) -> Committed:
        """Delete a room's oldest messages; see `PurgeExpired`."""
        old = [m.seq for m in self.messages.values() if m.room == asked.room and m.sent_at_ms < asked.before_ms]
        old = old[: asked.most]
        final = {seq for m in self.messages.values() for seq in (m.edited, m.deleted)}
        earlier = [change for change in self.changes if change.target in old and change.seq not in final]
        changes = sorted((change.target, change.seq) for change in earlier)
        gone = {seq for _, seq in changes[:EXPIRE_CHANGES]}
        self.changes = [change for change in self.changes if change.seq not in gone]
        still_changed = {change.target for change in self.changes if change.seq not in final}
        removed = [seq for seq in old if seq not in still_changed]
        for seq in removed:
            self._remove(seq)
        return Committed(len(removed), purged=self.purged_to(asked.room))

    def purged_to(self, room: str) -> int:
        """The seq up to which no message of a room is left; 0 for none that was deleted."""
        oldest = next((message for message in self.messages.values() if message.room == room), None)
        return self._last_in.get(self.numbers.get(room, 0), 0) if oldest is None else oldest.prev

    def _remove(self, seq: int) -> None:
        self._files_go(self.messages.pop(seq))
        self._content_changed(seq)
        self.changes = [change for change in self.changes if change.target != seq]

    # --- Files --------------------------------------------------------------------------------------------------------

    def purge_files(self, asked: PurgeFiles, is_guest: Callable[[int], bool]) -> Committed:
        """Delete old files of guests; see `PurgeFiles`."""
        count = 0
        for seq, message in self.messages.items():
            if count >= asked.most:
                break
            if message.sent_at_ms < asked.before_ms and is_guest(message.sender_id):
                count += len(message.files)
                self.messages[seq] = self._files_go(message)
        return Committed(count)

    def drop_gone(self, asked: DropGoneFiles) -> Committed:
        """Forget files that are unlinked; see `DropGoneFiles`."""
        dropped = [file_id for file_id in set(asked.file_ids) if self.gone.pop(file_id, None) is not None]
        for file_id in dropped:
            del self.stored_files[file_id]
        return Committed(len(dropped))

    def usage(self) -> StoredFiles:
        """Add up; see `StoredFiles`."""
        kept: dict[int, list[int]] = {}
        for row in self._file_rows():
            kept.setdefault(row.sender_id, []).append(self.stored_files[row.file.id].kept_bytes)
        for gone in self.gone_files("", len(self.gone)):
            kept.setdefault(gone.sender_id, []).append(gone.kept_bytes)
        return StoredFiles(tuple(FileUsage(who, len(sizes), sum(sizes)) for who, sizes in sorted(kept.items())))

    def _file_rows(self) -> list[FileRow]:
        return [
            FileRow(
                file, self.stored_files[file.id].sha256, m.sender_id, m.seq, m.sent_at_ms, m.room,
                None if m.to is None else (min(m.sender_id, m.to), max(m.sender_id, m.to)), m.to,
            )
            for m in self.messages.values() for file in m.files
        ]  # fmt: skip

    def file(self, query: FileQuery) -> FileRow | None:
        """Find; see `Store.file`."""
        return next((row for row in self._file_rows() if row.file.id == query.file_id), None)

    def own_files(self, query: OwnFilesQuery) -> list[FileRow]:
        """List; see `Store.own_files`."""
        rows = [row for row in self._file_rows() if row.sender_id == query.sender_id]
        own = {row.file.id for row in rows} | {file_id for file_id, who in self.gone.items() if who == query.sender_id}
        if query.after in own:
            last = self.stored_files[query.after].info
            rows = [row for row in rows if (row.file.size, row.file.id) < (last.size, last.id)]
        return sorted(rows, key=lambda row: (row.file.size, row.file.id), reverse=True)[: query.limit]

    def gone_files(self, after: str, most: int) -> list[GoneFile]:
        """List; see `Store.gone_files`."""
        return [
            GoneFile(file_id, who, self.stored_files[file_id].kept_bytes)
            for file_id, who in sorted(self.gone.items())
            if file_id > after
        ][:most]

    def stored_file_ids(self, after: str, most: int) -> list[str]:
        """List; see `Store.stored_file_ids`."""
        return sorted(row.file.id for row in self._file_rows() if row.file.id > after)[:most]

    # --- Reading --------------------------------------------------------------------------------------------------

    def read(self, query: HistoryQuery) -> HistoryRows:
        """Look at every message there is; see `Store.read`."""
        above = query.after or 0
        below = query.up_to + 1 if query.before is None else min(query.before, query.up_to + 1)
        is_asked_for = _asked_for(query)
        found = [m for m in self.messages.values() if above < m.seq < below and is_asked_for(_place(m), m.seq)]
        if query.since_ms is not None:
            found = [m for m in found if m.sent_at_ms >= query.since_ms]
        limit = query.limit
        if query.around is not None:
            half = limit // 2
            before = [m for m in found if m.seq < query.around]
            rest = [m for m in found if m.seq >= query.around]
            return HistoryRows((before[-half:] if half else []) + rest[: limit - half], len(rest) > limit - half)
        more = len(found) > limit
        if query.after is None and query.since_ms is None:
            return HistoryRows(found[-limit:], more)
        if query.since_ms is not None:
            return HistoryRows(found[:limit], more)
        return self._with_changes(query, found[:limit], found[limit - 1].seq if more else below, more=more)

    def _with_changes(self, query: HistoryQuery, found: list[Message], below: int, *, more: bool) -> HistoryRows:
        is_asked_for = _asked_for(query)
        changes = [
            change
            for change in self.changes
            if (query.after or 0) < change.seq < below
            and is_asked_for(place_of(change.room, change.sender_id, change.to), min(change.seq, change.target))
        ]
        most = CHANGES_PER_MESSAGE * query.limit
        if len(changes) <= most:
            return HistoryRows(found, more, changes)
        changes = changes[:most]
        return HistoryRows([m for m in found if m.seq < changes[-1].seq], True, changes)

    def unread(self, query: UnreadQuery) -> UnreadRows:
        """Count; see `Store.unread`."""
        rooms = [self._unread_in(query, room, above) for room, above in dict(query.rooms).items()]
        found = [row for row in rooms if row is not None]
        if query.after is None:
            return UnreadRows(found)
        me = query.sender_id
        mine = [place for place in self.numbers if isinstance(place, tuple) and me in place]
        looked = sorted(peer for place in mine if (peer := sum(place) - me) > query.after)[: query.looks]
        people = [(peer, self._unread_in(query, place_of(None, me, peer), 0)) for peer in looked]
        unread = [(peer, row) for peer, row in people if row is not None]
        through = looked[-1] if len(looked) == query.looks else None
        if len(unread) > query.limit:
            unread = unread[: query.limit]
            through = unread[-1][0]
        return UnreadRows(found + [row for _, row in unread], through)

    def _unread_in(self, query: UnreadQuery, place: ConversationKey, above: int) -> Unread | None:
        """Count the unread messages of one conversation above a seq; None when there are none."""
        me = query.sender_id
        if (number := self.numbers.get(place)) is None:
            return None
        mark = max(above, self._reads.get((me, number), 0))
        unread = [
            m
            for m in self.messages.values()
            if mark < m.seq <= query.up_to and _place(m) == place and m.sender_id != me and m.deleted is None
        ]
        if not unread:
            return None
        mentions = sum(me in m.mentions for m in unread)
        return Unread(
            mark, min(len(unread), MAX_UNREAD_COUNT), min(mentions, MAX_UNREAD_COUNT), unread[0].seq,
            place if isinstance(place, str) else None, None if isinstance(place, str) else sum(place) - me,
        )  # fmt: skip

    def conversations(self, query: ConversationQuery) -> ConversationRows:
        """List; see `Store.conversations`."""
        floors = dict(query.floors)
        found = [self._row_of(query, room, above, floors.get(room, 0)) for room, above in dict(query.rooms).items()]
        if query.after is None:
            return ConversationRows(found)
        me = query.sender_id
        mine = [place for place in self.numbers if isinstance(place, tuple) and me in place]
        looked = sorted(peer for place in mine if (peer := sum(place) - me) > query.after)[: query.looks]
        rows = [self._row_of(query, place_of(None, me, peer), 0, 0) for peer in looked]
        people = [row for row in rows if row.last is not None]
        through = looked[-1] if len(looked) == query.looks else None
        if len(people) > query.limit:
            people = people[: query.limit]
            through = people[-1].counts.peer
        return ConversationRows(found + people, through)

    def _row_of(self, query: ConversationQuery, place: ConversationKey, above: int, floor: int) -> ConversationRow:
        """A conversation, what is unread in it above a seq, and the last message above a floor."""
        me = query.sender_id
        told = [m for m in self.messages.values() if floor < m.seq <= query.up_to and _place(m) == place]
        counts = None
        if query.is_counted:
            counts = self._unread_in(UnreadQuery(me, (), query.up_to), place, above)
        if counts is None:
            mark = self._reads.get((me, self.numbers.get(place, 0)), 0)
            room, peer = (place, None) if isinstance(place, str) else (None, sum(place) - me)
            counts = Unread(max(above, mark), 0, 0, 0, room, peer)
        return ConversationRow(counts, told[-1] if told else None)

    def figures(self, rooms: Sequence[str]) -> list[RoomFigures]:
        """Count; see `Store.room_figures`."""
        found = []
        for room in sorted(set(rooms) & self.numbers.keys()):
            stamps = [message.sent_at_ms for message in self.messages.values() if message.room == room]
            found.append(RoomFigures(room, min(len(stamps), ROOM_MESSAGES_MOST), stamps[-1] if stamps else 0))
        return found


def _place(message: Message) -> ConversationKey:
    return place_of(message.room, message.sender_id, message.to)


def _asked_for(query: HistoryQuery) -> Callable[[ConversationKey, int], bool]:
    """Whether an entry of this place and seq is asked for."""

    def is_asked_for(place: ConversationKey, seq: int) -> bool:
        if isinstance(place, str):
            return place in query.rooms and all(seq > floor for room, floor in query.floors if room == place)
        return (query.dialogue is not None and place == tuple(sorted(query.dialogue))) or query.dialogues_of in place

    return is_asked_for


def _without_text(change: MessageChange) -> MessageChange:
    return replace(change, text=None, mentions=[]) if isinstance(change, Edited) else change


def _react(reactions: Sequence[Reaction], sign: str, who: int, *, on: bool) -> list[Reaction]:
    """Return the reactions after a member put an emoji there, or took it away; an emoji without members goes."""
    after = {reaction.sign: list(reaction.by) for reaction in reactions}
    by = after.setdefault(sign, [])
    if on and who not in by:
        by.append(who)
    if not on and who in by:
        by.remove(who)
    return [Reaction(sign, by) for sign, by in after.items() if by]
