"""`MemoryLog`: the log without a disk, for tests and simulation. Everything it keeps is as durable as its store object.

The store is a model, written for being obviously right: dictionaries and lists, no cache, nothing clever. The
conformance suite holds `SqliteStore` against it. A crash loses the writes that have not reached the store (see
`InlineLog.abandon`); a restart is a new `MemoryLog` over the same store.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import TypeVar, get_args

from msgspec import Struct
from msgspec.structs import astuple, replace

from securechat.limits import PAGE_LIMITS, Limits, PageLimits
from securechat.model import Draft, LogEntry, Revision
from securechat.records.accounts import (
    OWN_ACTS,
    Account,
    AccountRow,
    ApiToken,
    AuditEntry,
    Ban,
    BanKind,
    Certificate,
    Change,
    Committed,
    Drop,
    EraseSender,
    Invite,
    Login,
    Mute,
    OutgoingWebhook,
    PurgeGuests,
    PurgeMessageKeys,
    Put,
    StoredAccounts,
    TrimAudit,
    WriteAudit,
    with_sender,
)
from securechat.records.files import DropGoneFiles, FileChange, FileQuery, FileRow, GoneFile, OwnFilesQuery, PurgeFiles
from securechat.records.log import Identity, LogState, NotAppended, Reservation
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
from securechat.records.rooms import (
    KEPT_PURGED_NAMES,
    DropMembership,
    DropRoom,
    DropRoomBan,
    Membership,
    PurgeExpired,
    PutMembership,
    PutReadMarker,
    PutRoom,
    PutRoomBan,
    RoomBan,
    RoomRecord,
    StoredRooms,
)
from securechat.storage.search.query import judge as judge_hit
from securechat.storage.sqlite.store import utc_ms
from securechat.storage.store import (
    DISK_FULL,
    FORGET_LOOKS,
    NAME_TAKEN,
    NO_ENTRY,
    NOT_KNOWN,
    NOT_RECORDED,
    ApplyChanges,
    CommitResult,
    IdentifySender,
    IndexLocation,
    ReleaseName,
    RenameSender,
    StoreWrite,
    WriteOutcome,
    judge_secret,
    logins_used,
)
from securechat.testing.inline_log import InlineLog
from securechat.testing.memory_messages import MemoryMessages

_R = TypeVar("_R", bound=AccountRow)


class _Sender(Struct, frozen=True, gc=False):
    secret_hash: bytes
    name: str
    key: str
    holds_name: bool = True
    lost_at_ms: int | None = None
    account: int | None = None


def _is_own(entry: AuditEntry) -> bool:
    """Whether an account did it to itself."""
    return entry.act in OWN_ACTS or (entry.act == "logout" and entry.actor == entry.target)


def _number(row: AccountRow) -> int:
    """Return the key of a record: its first field."""
    number = astuple(row)[0]
    assert isinstance(number, int)
    return number


class MemoryStore:
    """A `Store` in memory.

    Args:
        limits: name_reservation_s is its.
        wall_ms: UTC milliseconds.
        pages: how many reactions a message may have.

    Attributes:
        fault: called with "apply" before a batch and "applied" after it; what it raises, apply raises. Raise NoSpace
            in the first for a full disk, LogError in either for a failed write or sync.
        log_id: see `LogState`.
    """

    log_id = "00000000feed"

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        wall_ms: Callable[[], int] = utc_ms,
        pages: PageLimits = PAGE_LIMITS,
    ) -> None:
        self.fault: Callable[[str], None] = lambda _: None
        self._limits = limits or Limits()
        self._wall_ms = wall_ms
        self._talk = MemoryMessages(pages)
        self._senders: dict[int, _Sender] = {}
        self._ids: dict[bytes, int] = {}
        self._last_sender_id = 0
        self._rows: dict[type[AccountRow], dict[int, AccountRow]] = {kind: {} for kind in get_args(AccountRow)}
        self._serial = 0
        self._audit: list[AuditEntry] = []
        self._room_records: dict[int, RoomRecord] = {}
        self._memberships: dict[tuple[int, int], Membership] = {}
        self._room_bans: dict[tuple[int, int], RoomBan] = {}

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
        self._talk.open()
        room_records = StoredRooms(
            tuple(self._room_records[room_id] for room_id in sorted(self._room_records)),
            tuple(self._memberships[pair] for pair in sorted(self._memberships)),
            tuple(self._room_bans[pair] for pair in sorted(self._room_bans)),
            tuple(
                (room_id, purged)
                for room_id, room_record in sorted(self._room_records.items())
                if (purged := self._talk.purged_to(room_record.name))
            ),
            self._purged_names(),
        )
        last_seq, last_at_ms = self._talk.last_seq, self._talk.last_sent_at_ms
        return LogState(last_seq, held, self._people(), room_records, last_at_ms, self.log_id, self._talk.usage())

    def _purged_names(self) -> tuple[tuple[str, int], ...]:
        recorded = {room_record.name for room_record in self._room_records.values()}
        names = [name for name in self._talk.numbers if isinstance(name, str) and name not in recorded]
        bounds = sorted((purged, name) for name in names if (purged := self._talk.purged_to(name)))
        return tuple((name, purged) for purged, name in bounds[-KEPT_PURGED_NAMES:])

    def _people(self) -> StoredAccounts:
        every = [row for rows in self._rows.values() for _, row in sorted(rows.items())]

        def rows(kind: type[_R]) -> tuple[_R, ...]:
            return tuple(row for row in every if isinstance(row, kind))

        return StoredAccounts(
            rows(Account), rows(Login), rows(Certificate), rows(Invite), rows(Ban), rows(Mute), rows(ApiToken),
            rows(OutgoingWebhook), self._serial, tuple(self._talk.removed.items()),
        )  # fmt: skip

    def apply(self, writes: Sequence[StoreWrite], *, refuse_fresh: bool = False) -> CommitResult:
        """Keep a batch; see `Store.apply`."""
        self.fault("apply")
        now_ms = self._wall_ms()
        fresh: list[LogEntry] = []
        outcomes = [self._apply(write, now_ms, fresh, refuse_fresh=refuse_fresh) for write in writes]
        # Identities last: they tell the last client_id after the whole batch, as a table read before COMMIT does.
        for at, outcome in enumerate(outcomes):
            if isinstance(outcome, Identity):
                outcomes[at] = replace(outcome, last_client_id=self._talk.last_client_ids.get(outcome.stream, 0))
        self.fault("applied")
        return CommitResult(outcomes, fresh)

    def _apply(self, write: StoreWrite, now_ms: int, fresh: list[LogEntry], *, refuse_fresh: bool) -> WriteOutcome:
        match write:
            case Draft() | Revision():
                appended, entry = self._talk.write(write, now_ms, refuse_fresh=refuse_fresh)
                fresh += [] if entry is None else [entry]
                return appended
            case IdentifySender():
                return self._identify(write, now_ms)
            case RenameSender(sender_id, name, key):
                if sender_id in self._senders:
                    self._senders[sender_id] = replace(self._senders[sender_id], name=name, key=key)
            case ReleaseName(sender_id, reserved):
                if sender_id in self._senders:
                    reserved = reserved and self._is_guest(sender_id)
                    self._senders[sender_id] = replace(self._senders[sender_id], holds_name=reserved, lost_at_ms=now_ms)
            case ApplyChanges(changes):
                if self._takes_a_name(changes):
                    return NAME_TAKEN
                outcome = Committed()
                for change in changes:
                    told = self._change(change) or Committed(through=outcome.through)
                    outcome = Committed(
                        outcome.count + told.count, told.through, outcome.dropped + told.dropped,
                        max(outcome.purged, told.purged),
                    )  # fmt: skip
                return outcome
        return None

    def _is_guest(self, sender_id: int) -> bool:
        return sender_id not in self._rows[Account] and self._senders[sender_id].account is None

    def _identify(self, who: IdentifySender, now_ms: int) -> Identity | NotAppended:
        accounts = self._rows[Account]
        stream = self._ids.get(who.secret_hash)
        speaks_for = None if stream is None else self._senders[stream].account
        verdict = judge_secret(
            who.account, stream, speaks_for, is_account=stream in accounts, exists=who.account in accounts
        )
        if verdict is not None:
            return verdict
        if stream is None:
            stream = self._ids[who.secret_hash] = self._last_sender_id = self._last_sender_id + 1
            speaks_for = who.account
        self._senders[stream] = _Sender(
            who.secret_hash,
            who.name,
            who.key,
            holds_name=who.account is None,
            lost_at_ms=None if who.account is None else now_ms,
            account=speaks_for,
        )
        sender_id = who.account or stream
        for change in with_sender(who.changes, sender_id):
            self._change(change)
        return Identity(sender_id, 0, stream)

    def _change(self, change: Change) -> Committed | None:
        match change:
            case Put(row):
                number = _number(row)
                self._rows[type(row)][number] = row
                if isinstance(row, Login | ApiToken | Certificate | Invite | Ban):
                    self._serial = max(self._serial, number)
                if isinstance(row, Account) and number in self._senders:
                    self._senders[number] = replace(self._senders[number], holds_name=False)
            case Drop(kind, number):
                self._rows[kind].pop(number, None)
                if kind is Account:
                    self._drop_what_hangs_on(number)
            case WriteAudit(entry):
                self._audit.append(entry)
            case EraseSender() | PurgeExpired() | PurgeMessageKeys():
                return self._talk.purge(change)
            case PurgeGuests():
                return self._forget(change)
            case PurgeFiles() | DropGoneFiles():
                return self._change_files(change)
            case TrimAudit():
                return self._trim_audit(change)
            case DropRoom():
                return self._drop_place(change)
            case _:
                self._furnish(change)
        return None

    def _change_files(self, change: FileChange) -> Committed:
        match change:
            case PurgeFiles():
                return self._talk.purge_files(change, lambda who: who in self._senders and self._is_guest(who))
            case DropGoneFiles():
                return self._talk.drop_gone(change)

    def _furnish(self, change: Change) -> None:
        """Do what is about rooms."""
        match change:
            case PutRoom(row):
                before = self._room_records.get(row.room_id)
                if before is not None and before.name != row.name:
                    self._talk.rename(before.name, row.name)
                self._talk.number(row.name)
                self._room_records[row.room_id] = row
                self._serial = max(self._serial, row.room_id)
            case PutMembership(row):
                self._memberships[row.room_id, row.sender_id] = row
            case DropMembership(room_id, sender_id):
                self._memberships.pop((room_id, sender_id), None)
            case PutRoomBan(row):
                self._room_bans[row.room_id, row.sender_id] = row
            case DropRoomBan(room_id, sender_id):
                self._room_bans.pop((room_id, sender_id), None)
            case PutReadMarker():
                self._talk.mark_read(change)

    def _drop_place(self, asked: DropRoom) -> Committed:
        room_record = self._room_records.get(asked.room_id)
        if room_record is None or (asked.if_empty and self._talk.has_messages(room_record.name)):
            return Committed()
        del self._room_records[asked.room_id]
        self._memberships = {key: row for key, row in self._memberships.items() if row.room_id != asked.room_id}
        self._room_bans = {key: row for key, row in self._room_bans.items() if row.room_id != asked.room_id}
        self._talk.room_dropped(room_record.name, is_empty=asked.if_empty)
        return Committed(dropped=(asked.room_id,))

    def _trim_audit(self, asked: TrimAudit) -> Committed:
        own = [at for at, entry in enumerate(self._audit) if _is_own(entry)]
        surplus = own[: max(0, len(own) - asked.own_most)]
        old = [at for at, entry in enumerate(self._audit) if entry.at_ms < asked.before_ms or at in surplus]
        old = old[: asked.most]
        self._audit = [entry for at, entry in enumerate(self._audit) if at not in old]
        return Committed(len(old))

    def _takes_a_name(self, changes: Sequence[Change]) -> bool:
        """Whether one of the changes would give a room another one's name: then none of them happens."""
        rows = [change.row for change in changes if isinstance(change, PutRoom)]
        if not rows:
            return False
        talk, names = (
            deepcopy(self._talk),
            {room_id: room_record.name for room_id, room_record in self._room_records.items()},
        )
        for room_record in rows:
            old = names.get(room_record.room_id, room_record.name)
            if any(name == room_record.name and room_id != room_record.room_id for room_id, name in names.items()):
                return True
            if old != room_record.name:
                if talk.is_taken(old, room_record.name):
                    return True
                talk.rename(old, room_record.name)
            talk.number(room_record.name)
            names[room_record.room_id] = room_record.name
        return False

    def _drop_what_hangs_on(self, account: int) -> None:
        for rows in self._rows.values():
            for number, row in list(rows.items()):
                is_ban = isinstance(row, Ban) and (row.kind, row.target) == (BanKind.ACCOUNT, str(account))
                if is_ban or (
                    isinstance(row, Login | ApiToken | OutgoingWebhook | Certificate | Mute)
                    and row.sender_id == account
                ):
                    del rows[number]
        for sender_id, sender in list(self._senders.items()):
            if account in (sender_id, sender.account):
                self._forget_sender(sender_id)
        self._memberships = {key: row for key, row in self._memberships.items() if row.sender_id != account}
        self._room_bans = {key: row for key, row in self._room_bans.items() if row.sender_id != account}
        self._talk.forget_reader(account)

    def _forget_sender(self, sender_id: int) -> None:
        del self._ids[self._senders.pop(sender_id).secret_hash]

    def _forget(self, asked: PurgeGuests) -> Committed:
        looked_at = [sender_id for sender_id in sorted(self._senders) if sender_id > asked.above][:FORGET_LOOKS]
        forgotten = 0
        for sender_id in looked_at:
            if sender_id not in asked.online and self._left_no_trace(sender_id, asked.before_ms):
                self._forget_sender(sender_id)
                forgotten += 1
                if forgotten == asked.most:
                    return Committed(forgotten, sender_id)
        return Committed(forgotten, looked_at[-1] if len(looked_at) == FORGET_LOOKS else None)

    def _left_no_trace(self, sender_id: int, before_ms: int) -> bool:
        sender = self._senders[sender_id]
        since_ms = sender.lost_at_ms if sender.account is None else sender.lost_at_ms or 0
        is_gone = since_ms is not None and since_ms < before_ms
        wrote = any(stream == sender_id for stream, _ in self._talk.seqs)
        was_written_to = any(
            sender_id in room_record for room_record in self._talk.numbers if isinstance(room_record, tuple)
        )
        is_muted = sender_id in self._rows[Mute] or any(ban.sender_id == sender_id for ban in self._room_bans.values())
        bans = (row for row in self._rows[Ban].values() if isinstance(row, Ban))
        is_banned = any((ban.kind, ban.target) == (BanKind.GUEST, str(sender_id)) for ban in bans)
        is_account = sender_id in self._rows[Account]
        return is_gone and not is_account and not (wrote or was_written_to or is_muted or is_banned)

    def answer(self, writes: Sequence[StoreWrite]) -> CommitResult:
        """Answer without storing; see `Store.answer`."""
        outcomes: list[WriteOutcome] = []
        for write in writes:
            match write:
                case Draft() | Revision():
                    known_only = isinstance(write, Draft) and write.known_only
                    outcomes.append(
                        self._talk.judge(write, self._wall_ms()) or (NOT_KNOWN if known_only else DISK_FULL)
                    )
                case IdentifySender():
                    outcomes.append(self._find(write))
                case ApplyChanges():
                    outcomes.append(NOT_RECORDED)
                case RenameSender() | ReleaseName():
                    outcomes.append(None)
        return CommitResult(outcomes, [])

    def _find(self, who: IdentifySender) -> Identity | NotAppended:
        stream, used, accounts = self._ids.get(who.secret_hash), logins_used(who.changes), self._rows[Account]
        if (
            stream is None
            or used is None
            or any(number not in self._rows[Login] | self._rows[ApiToken] for number in used)
        ):
            return NO_ENTRY
        speaks_for, exists = self._senders[stream].account, who.account in accounts
        verdict = judge_secret(who.account, stream, speaks_for, is_account=stream in accounts, exists=exists)
        last_client_id = self._talk.last_client_ids.get(stream, 0)
        return verdict or Identity(who.account or stream, last_client_id, stream, stored=False)

    def read(self, query: HistoryQuery) -> HistoryRows:
        """Read messages; see `Store.read`."""
        return self._talk.read(query)

    def unread(self, query: UnreadQuery) -> UnreadRows:
        """Count a reader's unread messages; see `Store.unread`."""
        return self._talk.unread(query)

    def conversations(self, query: ConversationQuery) -> ConversationRows:
        """List a reader's conversations; see `Store.conversations`."""
        return self._talk.conversations(query)

    def room_figures(self, rooms: Sequence[str]) -> list[RoomFigures]:
        """Tell how much was said in rooms; see `Store.room_figures`."""
        return self._talk.figures(rooms)

    def file(self, query: FileQuery) -> FileRow | None:
        """Find one file; see `Store.file`."""
        return self._talk.file(query)

    def own_files(self, query: OwnFilesQuery) -> list[FileRow]:
        """List a sender's files; see `Store.own_files`."""
        return self._talk.own_files(query)

    def gone_files(self, after: str, most: int) -> list[GoneFile]:
        """List files that are to be unlinked; see `Store.gone_files`."""
        return self._talk.gone_files(after, most)

    def stored_file_ids(self, after: str, most: int) -> list[str]:
        """List the ids of files; see `Store.stored_file_ids`."""
        return self._talk.stored_file_ids(after, most)

    def search(self, query: SearchQuery) -> SearchRows:
        """Look at every message there is, the newest first; see `Store.search`."""
        judged = (judge_hit(query, message) for _, message in sorted(self._talk.messages.items(), reverse=True))
        hits = [hit for hit in judged if hit is not None]
        return SearchRows(hits[: query.limit], len(hits) > query.limit, self._talk.last_seq)

    @property
    def search_site(self) -> IndexLocation | None:
        """There is no file."""
        return None

    @property
    def fills_checksums(self) -> bool:
        """There are none."""
        return False

    def expect_in_place(self) -> None:
        """Memory has no files; see `Store.expect_in_place`."""

    def take_damaged(self) -> list[int]:
        """Nothing in memory is."""
        return []

    def audit(self, last: int) -> list[AuditEntry]:
        """Read the audit; see `Store.audit`."""
        return self._audit[-last:] if last else []

    def tidy(self, *, idle: bool) -> None:
        """Nothing waits anywhere."""

    @property
    def held_bytes(self) -> int:
        """Never: there is no journal."""
        return 0

    @property
    def newest_at_ms(self) -> int:
        """Time of the newest entry; see `Store.newest_at_ms`."""
        return self._talk.last_sent_at_ms

    @property
    def erasing(self) -> bool:
        """Never: what is gone is gone."""
        return False

    def erase(self) -> None:
        """There is nothing to erase."""

    def close(self, *, failed: bool = False) -> None:
        """Keep everything for the next `open`."""


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
