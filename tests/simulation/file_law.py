"""What holds of files, kept from what the log commits, from what senders are told, and from the disk itself.

- A message with files is committed when their bytes are beyond any power cut, each is the sender's, and of no other
  message; the last lines of its text name them.
- Who surely may read a message reads its files, whole; who may not read it since the request was sent, does not. The
  same 404 is the answer to all else.
- What was told to be whole stays until it is sent, removed, or over; so do bytes that were told to be there.
- No sender has more on the disk than its quota, counted here.
- In the end the disk has what the log has, with its smaller copies, and the uploads that go on, and nothing else; and
  the hub counts as much.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from securechat.errors import Refusal
from securechat.model import Deleted, LogEntry, Message, StoredFile
from securechat.records.accounts import Account, AccountKind, ApiToken, Change, Drop, EraseSender, Scope
from securechat.records.files import DropGoneFiles, PurgeFiles, UploadState
from securechat.storage.files.layout import id_of
from securechat.testing.log_checks import HistoryBroken
from securechat.text.names import LOBBY
from tests.simulation.file_disk import SYNC_BYTES, expected

if TYPE_CHECKING:
    from securechat.hub.files.housekeeping import DiskComparison
    from tests.simulation.world import World

KIB = 1024
UNLINKED_S = 65.0
"""Virtual seconds after which the files of a message that is gone are off the disk: a minute, and the work of it."""
_COMPARED_S = 30.0


@dataclass(slots=True)
class KnownFile:
    """An upload, and later a file.

    Attributes:
        state: as it was begun.
        stored: what it has become.
        counted_bytes: what its sender has of it, declared or stored.
        is_unlinked: whether the log has forgotten it.
        seq: the message that it is of; 0 for none.
    """

    state: UploadState
    stored: StoredFile | None = None
    counted_bytes: int = 0
    is_unlinked: bool = False
    seq: int = 0


@dataclass(slots=True, eq=False)
class Reading:
    """A request for a file that is under way.

    Attributes:
        file_id: which.
        who: who reads.
        secret: the token by which it is read; empty for a guest.
        rooms_too: whether it would be in each of its rooms, so that what is said there is surely for it.
        ever_may: whether at any moment since it was sent this reader might read the file.
        always_must: whether at each moment since then it surely could.
    """

    file_id: str
    who: int
    secret: str = ""
    rooms_too: bool = False
    ever_may: bool = False
    always_must: bool = True


@dataclass(slots=True, eq=False)
class Sent:
    """An upload, as its sender knows it.

    Attributes:
        data: all of it.
        file_id, path: as it was told.
        me: the sender.
        sure_bytes: that were told to be there, and are after any kill.
        is_whole: whether it was told to be finished.
        is_over: whether the sender has heard, or must suppose, that it is gone.
        is_removed: whether its sender has asked for its end.
        is_unreadable: whether it was said to be a picture that cannot be read.
        changed_in: the process to which a part went last that had changed on its way, and was not answered: if it ends
            before it has judged that, no later one does.
        as_file: whether it is kept as it is.
    """

    data: bytes
    name: str
    me: int
    token: str
    as_file: bool
    file_id: str = ""
    path: str = ""
    until_ms: int = 0
    sure_bytes: int = 0
    is_whole: bool = False
    is_over: bool = False
    is_removed: bool = False
    is_unreadable: bool = False
    changed_in: object = None
    giving: set[object] = field(default_factory=set)
    """Messages that were asked for with it, and not answered."""


class FileLaw:
    """The files of a world.

    Args:
        world: whose.

    Attributes:
        contents: what was sent, by the name of the file, and whether it is kept as it is.
        known: every upload that there ever was, by id.
        has_pictures: whether the present process writes pictures anew.
        sent: what senders know of their uploads.
        logins: that the server has accepted, by the network address.
        commits: messages with files that were committed.
        reads: that were answered with a file.
        refused_reads: that were not.
        swept: files that a comparison of disk and log has found without a message.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.contents: dict[str, tuple[bytes, bool]] = {}
        self.known: dict[str, KnownFile] = {}
        self.has_pictures = False
        self.sent: list[Sent] = []
        self.logins: Counter[str] = Counter()
        self.commits = self.reads = self.refused_reads = self.swept = 0
        self._reading: set[Reading] = set()
        self._spoiled: set[str] = set()
        self._deleted: set[int] = set()  # messages, of which the hub has heard
        self._purged: set[str] = set()  # files of guests that may be deleted alone
        self._dropped_senders: set[int] = set()
        self._paths: dict[tuple[object, str], str] = {}

    # --- the disk -----------------------------------------------------------------------------------------------------

    def created(self, state: UploadState) -> None:
        """The hub begins an upload: it counts from now on.

        Raises:
            HistoryBroken: its sender has more than the quota now.
        """
        self.known[state.file_id] = KnownFile(state, counted_bytes=state.size_bytes)
        self.check_quota(state.sender_id)

    def finished(self, state: UploadState, outcome: StoredFile | Refusal) -> None:
        """The disk has ended an upload."""
        if isinstance(outcome, StoredFile):
            known = self.known[state.file_id]
            known.stored, known.counted_bytes = outcome, outcome.kept_bytes

    def discarded(self, file_id: str) -> None:
        """The hub gives an upload up; what a crash leaves of it is swept.

        Raises:
            HistoryBroken: it is a message's.
        """
        known = self.known[file_id]
        if known.seq and not self._is_gone(known):
            self._broken(f"file {file_id} of message {known.seq} is discarded")
        known.counted_bytes = 0

    def loaded(self, states: Sequence[UploadState]) -> None:
        """A process has found these uploads; all others that are no message's are gone."""
        there = {state.file_id: state for state in states}
        for file_id, known in self.known.items():
            if known.seq or known.is_unlinked:
                continue
            state = there.get(file_id)
            known.stored = None if state is None else state.stored
            if state is None:
                known.counted_bytes = 0
            else:
                known.counted_bytes = state.size_bytes if state.stored is None else state.stored.kept_bytes

    def check_quota(self, sender_id: int) -> None:
        """A sender has begun an upload, or ended one. Raises HistoryBroken: it has more than its quota."""
        if sender_id in self._dropped_senders:
            return
        used, most = self._used(sender_id), self._quota(sender_id)
        if used > most:
            self._broken(f"{sender_id} has {used} bytes of files, and may have {most}")

    def _used(self, sender_id: int) -> int:
        return sum(each.counted_bytes for each in self.known.values() if each.state.sender_id == sender_id)

    def _quota(self, sender_id: int) -> int:
        limits, kind = self._world.limits, self._world.token_law.kind_of(sender_id)
        if kind is None:
            return limits.files_per_guest_bytes
        return limits.files_per_person_bytes if kind is AccountKind.PERSON else limits.files_per_bot_bytes

    # --- the log ------------------------------------------------------------------------------------------------------

    def committed(self, message: Message) -> None:
        """A message with files is committed, or was found at an opening.

        Args:
            message: as the store has it.

        Raises:
            HistoryBroken: it may not be.
        """
        self.commits += 1
        system, layout = self._world.storage.files.system, self._world.storage.files.layout
        lines = [f"[file: {info.name}, {_words(info.size)}]" for info in message.files]
        if message.text.split("\n")[-len(lines) :] != lines:
            self._broken(f"message {message.seq} says {message.text!r}, and should end with {lines}")
        for info in message.files:
            known = self.known.get(info.id)
            if known is None or known.stored is None or known.stored.info != info:
                self._broken(f"message {message.seq} has {info}, and the disk {known and known.stored}")
            if known.seq:
                self._broken(f"file {info.id} of message {known.seq} is one of message {message.seq} as well")
            if known.state.sender_id != message.sender_id:
                self._broken(f"file {info.id} of {known.state.sender_id} is sent by {message.sender_id}")
            known.seq = message.seq
            for side, data in self._expected(known).items():
                kept = system.durable(layout.file(info.id, side))
                if kept != data:
                    what = "not beyond a power cut" if kept is None else f"other {len(kept)} bytes"
                    self._broken(f"message {message.seq} is committed, and its file {info.id} ({side}) is {what}")

    def _expected(self, known: KnownFile) -> dict[int | None, bytes]:
        data, as_file = self.contents[known.state.name]
        assert known.stored is not None
        has_sides = bool(known.stored.info.previews)
        copies = expected(data, as_file=as_file or not has_sides)
        return {side: copies[side] for side in (None, *known.stored.info.previews)}

    def changed(self, changes: Sequence[Change]) -> None:
        """These changes are durable, and the hub hears of it now."""
        for change in changes:
            match change:
                case PurgeFiles(before_ms):
                    for known in self.known.values():
                        said = self._world.storage.transcript.said.get(known.seq)
                        is_guest = self._world.token_law.kind_of(known.state.sender_id) is None
                        if said is not None and is_guest and said.now.sent_at_ms < before_ms:
                            self._purged.add(known.state.file_id)
                case DropGoneFiles(file_ids):
                    self._forgotten(file_ids)
                case Drop(kind, number) if kind is Account:
                    self._dropped_senders.add(number)
                case EraseSender(sender_id):
                    self._dropped_senders.add(sender_id)
                case _:
                    pass
        self.rights_changed()

    def _forgotten(self, file_ids: Iterable[str]) -> None:
        """The log has forgotten files. Raises HistoryBroken: one is on the disk, or its message is there."""
        on_disk = self._world.storage.files.final_names()
        for file_id in file_ids:
            known = self.known[file_id]
            if not self._is_gone(known):
                self._broken(f"file {file_id} is forgotten, and its message {known.seq} is there")
            if file_id in on_disk:
                self._broken(f"file {file_id} is forgotten, and on the disk: {sorted(on_disk[file_id], key=str)}")
            known.is_unlinked, known.counted_bytes = True, 0

    def fed(self, batch: Sequence[LogEntry]) -> None:
        """The hub is about to fan out a batch."""
        self._deleted.update(entry.target for entry in batch if isinstance(entry, Deleted))
        self.rights_changed()

    def restarted(self) -> None:
        """Another process begins: it knows all that is stored."""
        for seq, said in self._world.storage.transcript.said.items():
            if said.now.deleted is not None:
                self._deleted.add(seq)
        self.rights_changed()

    def power_cut(self) -> None:
        """What was not synced may be gone: of an upload all behind its last sync."""
        for each in self.sent:
            if not each.is_whole and each.sure_bytes:
                whole = (
                    each.sure_bytes - 1
                ) // SYNC_BYTES  # the length that is left vouches for what is before its end
                each.sure_bytes = max(0, whole - 1) * SYNC_BYTES

    def _is_gone(self, known: KnownFile) -> bool:
        """Whether a file may be gone, or to be unlinked."""
        said = self._world.storage.transcript.said.get(known.seq)
        is_deleted = said is not None and (said.now.deleted is not None or said.may_be_gone)
        return is_deleted or known.state.file_id in self._purged

    # --- reading ------------------------------------------------------------------------------------------------------

    def asks(self, reading: Reading) -> None:
        """A request is written."""
        self._reading.add(reading)
        self._look(reading)

    def gives_up(self, reading: Reading) -> None:
        """No client waits for its answer."""
        self._reading.discard(reading)

    def rights_changed(self) -> None:
        """Look who may read what, again."""
        for reading in self._reading:
            self._look(reading)

    def _look(self, reading: Reading) -> None:
        reading.ever_may = reading.ever_may or self._may_read(reading)
        reading.always_must = reading.always_must and self._must_be_read(reading)

    def _may_read(self, reading: Reading) -> bool:
        """Whether a reader might read a file now, by the widest rule."""
        world, known = self._world, self.known.get(reading.file_id)
        if known is None or not known.seq or known.seq in self._deleted:
            return False
        message = world.storage.transcript.said[known.seq].now
        row = world.token_law.row_of(reading.secret) if reading.secret else None
        if reading.secret and (row is None or Scope.READ not in row.scopes):
            return False
        if message.room is None:
            return reading.who in (message.sender_id, message.to) and (row is None or not row.rooms)
        place = self._place_of(message)
        if place is None or not self._covers(row, place):
            return False
        if place == LOBBY:
            return message.seq > world.house.hears_above(place, reading.who)[0]
        record = world.house.place(place)
        is_account = world.token_law.kind_of(reading.who) is not None
        if record is not None and is_account and world.house.membership(record, reading.who) is None:
            return False
        above = world.house.hears_above(place, reading.who)[0]
        return world.house.may_hear(place, reading.who) and message.seq > above

    def _must_be_read(self, reading: Reading) -> bool:
        """Whether a reader surely can read a file now."""
        world, known = self._world, self.known.get(reading.file_id)
        files = world.storage.files
        if known is None or not known.seq or self._is_gone(known) or files.may_be_unread:
            return False
        message = world.storage.transcript.said[known.seq].now
        if message.seq > world.stream_law.fed_seq or not self._may_read(reading):
            return False
        if message.room is None:
            return True
        place = self._place_of(message)
        if place is None:
            return False
        if place == LOBBY:
            record = world.house.place(LOBBY)
            return record is None or not record.history_from_join
        record = world.house.place(place)
        if record is None or not reading.rooms_too:
            return False
        return world.stream_law.is_surely_in(record.room_id, reading.who, message.seq)

    def _place_of(self, message: Message) -> str | None:
        """The present name of the room of a message."""
        transcript = self._world.storage.transcript
        place = transcript.said[message.seq].place
        return next((name for name, number in transcript.rooms() if number == place), None)

    def _covers(self, row: ApiToken | None, room: str) -> bool:
        if row is None or not row.rooms:
            return True
        record = self._world.house.place(room)
        return (0 if room == LOBBY else record.room_id if record is not None else None) in row.rooms

    def answered(
        self, reading: Reading, status: int, side: int | None, body: bytes, start: int | None, *, dead: str
    ) -> None:
        """A request is answered.

        Args:
            reading: the request.
            status: of the answer.
            side: of a smaller copy; None for the file.
            body: what came.
            start: of a range; None for the whole file.
            dead: why its login was over when it was sent, and is; empty where that is not sure.

        Raises:
            HistoryBroken: that is not the file, or not for this reader; or it is, and the answer is 404.
        """
        self._look(reading)
        self._reading.discard(reading)
        known = self.known.get(reading.file_id)
        who = f"{reading.who} {'by a token' if reading.secret else 'by a link'}"
        if status in (200, 206):
            self.reads += 1
            if not reading.ever_may:
                message = known and self._world.storage.transcript.said.get(known.seq)
                self._broken(f"{who} is given file {reading.file_id} of {message and message.now}"[:300])
            if dead:
                self._broken(f"{who} is given file {reading.file_id}, and its login was {dead}")
            assert known is not None
            data = self._expected(known).get(side)
            if data is None:
                self._broken(f"{who} is given the copy {side} of file {reading.file_id}, which has none")
            if body != (data if start is None else data[start : start + len(body)]) or (start is not None and not body):
                self._broken(f"{who} is given {len(body)} other bytes of file {reading.file_id} from {start}")
            return
        self.refused_reads += 1
        is_there = side is None or (
            known is not None and known.stored is not None and side in known.stored.info.previews
        )
        if status == 404 and reading.always_must and is_there:
            self._broken(
                f"{who} may read message {known and known.seq}, and is told that there is no file {reading.file_id}"
            )

    def linked(self, login: object, file_id: str, path: str) -> None:
        """A login was told the address of a file. Raises HistoryBroken: it was another one before."""
        if self._paths.setdefault((login, file_id), path) != path:
            self._broken(f"the link of file {file_id} is {path}, and was {self._paths[login, file_id]}")
        if not path.startswith(f"/files/{file_id}/"):
            self._broken(f"the link of file {file_id} is {path}")

    # --- sending ------------------------------------------------------------------------------------------------------

    def check_there(self, sent: Sent, what: str) -> None:
        """A sender is told that there is no such upload. Raises HistoryBroken: there must be."""
        was_there, sent.is_over = not sent.is_over, True
        if not was_there or not (sent.is_whole or sent.sure_bytes) or self._may_be_over(sent):
            return
        self._broken(f"upload {sent.file_id} of {sent.me} has {sent.sure_bytes} bytes, and {what}")

    def _may_be_over(self, sent: Sent) -> bool:
        known, world = self.known.get(sent.file_id), self._world
        if known is None or known.seq or sent.is_removed or world.storage.files.was_broken:
            return True
        if sent.me in self._dropped_senders or world.clock.wall_ms() >= sent.until_ms:
            return True
        # what a picture has become may have been more than its sender may keep
        return self.has_pictures and not sent.is_whole and not sent.as_file

    def is_spoiled(self, sent: Sent) -> bool:
        """Whether an upload may have bytes that have changed on their way, and were not judged."""
        return sent.changed_in is not None and sent.changed_in is not self._world.server

    def check_used(self, sent: Sent, but: object) -> None:
        """A message is refused because an upload is another one's. Raises HistoryBroken: it is none's."""
        known = self.known.get(sent.file_id)
        if known is not None and not known.seq and not (sent.giving - {but}):
            self._broken(f"upload {sent.file_id} of {sent.me} is said to be used, and is of no message")

    # --- the end ------------------------------------------------------------------------------------------------------

    @property
    def is_tidy(self) -> bool:
        """Whether nothing is to be unlinked, and the disk has nothing to do."""
        server = self._world.server
        disk = server.disk
        return disk is not None and not disk.waiting and not self._world.storage.gone_files()

    def check_end(self) -> None:
        """Nothing goes on: the disk has what it must, and nothing else.

        Raises:
            HistoryBroken: it has not.
        """
        world = self._world
        world.clock.run_until(world.clock.now + UNLINKED_S)
        self._spoiled = {sent.file_id for sent in self.sent if self.is_spoiled(sent)}
        if gone := world.storage.gone_files():
            self._broken(f"a minute later, the files {sorted(gone)} of messages that are gone are to be unlinked")
        there = world.storage.files.final_names()
        for file_id in there:
            known = self.known[file_id]
            if known.seq and file_id not in world.storage.file_ids():
                self._broken(f"a minute later, file {file_id} of message {known.seq}, which is gone, is on the disk")
        found: list[DiskComparison] = []
        hub = world.server.hub
        assert hub.files is not None
        hub.files.compare(found.append)
        world.server.passes.wake()
        world.clock.run_until(world.clock.now + _COMPARED_S, lambda: bool(found) and self.is_tidy)
        if not found:
            self._broken("disk and log are still compared")
        self.compared(found[0])
        self._check_unbegun(self._check_disk())

    def compared(self, found: DiskComparison) -> None:
        """Disk and log were compared. Raises HistoryBroken: a file is missing."""
        self.swept += found.swept
        if found.missing and not self._world.storage.files.may_be_unread:
            self._broken(f"files {found.missing} of messages are not on the disk")

    def _check_unbegun(self, file_ids: Sequence[str]) -> None:
        """Uploads could not be begun on the disk, and no byte came since: now that it is whole, they take some.

        Their senders have their addresses, and are told to try later. Raises HistoryBroken: one takes nothing.
        """
        world = self._world
        assert world.server.disk is not None
        for file_id in file_ids:
            answers: list[Refusal | None] = []
            data, _ = self.contents[self.known[file_id].state.name]
            world.server.disk.write(file_id, 0, data[:1], answers.append)
            world.clock.run_until(world.clock.now + _COMPARED_S, lambda: bool(answers))  # noqa: B023  (called here)
            reason = answers[0].reason if answers and answers[0] is not None else ""
            if not answers or reason not in ("", "upload_unknown"):  # of a failed sync: its sender begins anew
                self._broken(f"upload {file_id} could not be begun, and is refused for ever: {reason or 'no answer'}")

    def _check_disk(self) -> list[str]:
        """Look at all that is there; return the uploads that the disk does not have."""
        world, files = self._world, self._world.storage.files
        hub = world.server.hub
        assert hub.files is not None
        registry = hub.files.uploads
        there, rows = files.final_names(), world.storage.file_ids()
        messages = {info.id: row for row in world.storage.stored().messages for info in row.files}
        if set(messages) != rows:
            self._broken(f"the log has rows of files {sorted(rows ^ set(messages))} without messages, or the contrary")
        for file_id, message in messages.items():
            known = self.known[file_id]
            if known.seq != message.seq or message.deleted is not None:
                self._broken(f"file {file_id} is one of message {message.seq}, and was of {known.seq}")
            if there.get(file_id) != self._expected(known):
                self._broken(f"file {file_id} of message {message.seq} is not what was sent")
            if (place := self._world.storage.transcript.said[message.seq]).now.deleted is not None:
                self._broken(f"file {file_id} of the deleted message {place.now.seq} is there")
        for file_id, known in self.known.items():
            if known.seq and not self._is_gone(known) and file_id not in messages:
                self._broken(f"message {known.seq} has lost its file {file_id}")
        uploads = {each.file_id: each for who in self._senders() for each in registry.of(who)}
        if len(uploads) != len(registry):
            self._broken("there are uploads of senders who never were")
        if claimed := [file_id for file_id, each in uploads.items() if each.is_claimed or each.is_finishing]:
            self._broken(f"nothing goes on, and uploads {claimed} are in use")
        finished = {file_id for file_id, each in uploads.items() if each.state.stored is not None}
        if set(there) != rows | finished:
            self._broken(f"files {sorted(set(there) ^ (rows | finished))} are on the disk for nothing, or missing")
        for file_id in finished:
            if there[file_id] != self._expected(self.known[file_id]) and file_id not in self._spoiled:
                self._broken(f"upload {file_id} is not what was sent")
        names = set()
        for file_id, each in uploads.items():
            names.add(f"{file_id}.json")
            if each.state.stored is None and each.state.offset:
                names.add(file_id)
                known, content = self.known[file_id], files.system.content(files.layout.upload(file_id)) or b""
                data, _ = self.contents[known.state.name]
                if content != data[: each.state.offset] and file_id not in self._spoiled:
                    self._broken(
                        f"upload {file_id} has {len(content)} bytes, not the {each.state.offset} first of its file"
                    )
        found = set(files.incoming_names())
        unbegun = [
            file_id
            for file_id, each in uploads.items()
            if files.was_broken and f"{file_id}.json" not in found and not each.state.offset and not each.is_whole
        ]
        missing = names - found - {f"{file_id}.json" for file_id in unbegun}
        left = set() if files.was_broken else {name for name in found if id_of(name) not in uploads}
        if missing or left:
            self._broken(f"of the uploads {sorted(missing)} are missing, and {sorted(left)} are there for nothing")
        self._check_counts(there)
        return unbegun

    def _senders(self) -> set[int]:
        return {known.state.sender_id for known in self.known.values()}

    def _check_counts(self, there: dict[str, dict[int | None, bytes]]) -> None:
        hub = self._world.server.hub
        assert hub.files is not None
        registry, kept = hub.files.uploads, self._world.storage.kept_bytes()
        for who in self._senders():
            pending = 0
            for each in registry.of(who):
                pending += each.state.size_bytes if each.state.stored is None else each.state.stored.kept_bytes
            if registry.used(who) != kept.get(who, 0) + pending:
                self._broken(
                    f"the hub counts {registry.used(who)} bytes of {who}, and the log {kept.get(who, 0)} + {pending}"
                )
            on_disk = sum(
                len(data)
                for file_id, copies in there.items()
                for data in copies.values()
                if self.known[file_id].state.sender_id == who and self.known[file_id].seq
            )
            if on_disk != kept.get(who, 0):
                self._broken(f"the log counts {kept.get(who, 0)} bytes of {who}, and the disk has {on_disk}")

    def _broken(self, what: str) -> NoReturn:
        raise HistoryBroken(what)


def _words(size_bytes: int) -> str:
    """Return the size of a small file as its line has it."""
    return f"{size_bytes} B" if size_bytes < KIB else f"{(size_bytes + KIB // 2) // KIB} KiB"
