"""Bugs of files, which runs with senders find (`Options.files`): on the disk, in the hub, the API, and the log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from msgspec.structs import replace

from securechat.hub.accounts.changes import RecordChanges
from securechat.hub.files.access import FileAccess
from securechat.hub.files.housekeeping import FileHousekeeping, _ComparisonRun
from securechat.hub.files.links import LinkKeys
from securechat.hub.files.uploads import PendingUpload, UploadRegistry
from securechat.hub.files.writing import UploadWriter, UploadWriting
from securechat.records.files import FilesOnDisk
from securechat.server.api.files import _ReadExchange
from securechat.server.api.tus import _PartExchange
from securechat.storage import store
from securechat.storage.files import recovery
from securechat.storage.files.finished import FinishedFiles
from securechat.storage.files.layout import is_whole_file
from securechat.storage.files.recovery import Recovery
from securechat.storage.files.uploads import UploadFiles
from securechat.testing.memory_messages import MemoryMessages
from securechat.text import file_lines
from tests.simulation.mutants.planting import Mutant, nothing, planted

FILE_MUTANTS: dict[str, Mutant] = {}
SIGHTINGS = {
    "changed_part_not_cut_off": 19,
    "checksum_of_a_part_ignored": 2,
    "claim_not_released_when_the_draft_is_refused": 14,
    "deleted_message_keeps_its_files": 2,
    "dropped_token_told_of_a_room": 265,
    "file_of_a_dialogue_read_by_others": 2,
    "files_of_before_a_restart_not_counted": 2,
    "gone_files_forgotten_before_they_are_unlinked": 12,
    "gone_files_never_unlinked": 2,
    "history_from_join_ignored_for_files": 385,
    "key_of_a_message_with_files_refused_to_its_retry": 32,
    "length_trusted_after_a_power_cut": 5,
    "link_that_outlives_its_login": 19,
    "offset_from_the_sidecar": 10,
    "part_that_was_taken_over_stays_unjudged": 314,
    "picture_counted_as_it_was_sent": 4,
    "preview_left_behind": 11,
    "reader_whose_login_ends_told_of_no_file": 114,
    "retention_that_leaves_files": 12,
    "sidecar_dropped_before_the_commit": 30,
    "two_writers_interleave": 12,
    "unlinked_files_counted_on": 4,
    "upload_of_another_sender_taken": 1,
    "upload_refused_for_ever_that_could_not_be_begun": 299,
    "upload_taken_by_two_messages": 14,
}
"""The first seed that found each: where a test looks first."""


# --- On the disk ------------------------------------------------------------------------------------------------------


@planted(UploadFiles, "finish", FILE_MUTANTS)
def upload_answered_before_its_file_is_renamed(original: Any) -> Any:
    def finish(self: Any, state: Any, picture: Any) -> Any:
        upload = self._expect_whole(state.file_id)
        stored = upload.state.stored or (yield from self._decide(upload, state, picture))
        if upload.is_moved:
            return stored
        upload.is_moved = True  # by the next one who asks
        return stored

    return finish


@planted(FinishedFiles, "move_in", FILE_MUTANTS)
def names_of_finished_files_not_synced(original: Any) -> Any:
    def move_in(self: Any, stored: Any) -> Any:
        system = self._system
        self._system = _WithoutFolders(system)
        try:
            yield from original(self, stored)
        finally:
            self._system = system

    return move_in


class _WithoutFolders:
    """A file system that syncs no folder."""

    def __init__(self, system: Any) -> None:
        self._system = system

    def sync_directory(self, path: Any) -> None:
        """Do nothing."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._system, name)


@planted(UploadFiles, "_begun", FILE_MUTANTS)
def upload_refused_for_ever_that_could_not_be_begun(original: Any) -> Any:
    def begun(self: Any, file_id: str) -> Any:
        yield from ()  # a generator, as the original
        return self._expect(file_id)

    return begun


@planted(UploadFiles, "_sync", FILE_MUTANTS)
def bytes_of_uploads_not_synced(original: Any) -> Any:
    return nothing


@planted(UploadFiles, "_sync_copies", FILE_MUTANTS)
def pictures_not_synced(original: Any) -> Any:
    def sync_copies(self: Any, file_id: str, picture: Any) -> Iterator[None]:
        yield

    return sync_copies


@planted(FinishedFiles, "_unlink_in", FILE_MUTANTS)
def preview_left_behind(original: Any) -> Any:
    def unlink_in(self: Any, prefix: str, file_ids: Any) -> Any:
        system = self._system
        self._system = _WithoutCopies(system)
        try:
            return (yield from original(self, prefix, file_ids))
        finally:
            self._system = system

    return unlink_in


class _WithoutCopies:
    """A file system in which no smaller copy is listed."""

    def __init__(self, system: Any) -> None:
        self._system = system

    def names(self, path: Any) -> list[str]:
        """Return the names of whole files."""
        return [name for name in self._system.names(path) if is_whole_file(name)]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._system, name)


@planted(Recovery, "_recover", FILE_MUTANTS)
def offset_from_the_sidecar(original: Any) -> Any:
    def recover(self: Any, upload: Any, *, trusts_all: bool) -> Any:
        found = yield from original(self, upload, trusts_all=trusts_all)
        return found if found.stored is not None else replace(found, offset=upload.offset)

    return recover


@planted(recovery, "is_same_boot", FILE_MUTANTS)
def length_trusted_after_a_power_cut(original: Any) -> Any:
    return lambda system, layout: True


@planted(UploadFiles, "cut", FILE_MUTANTS)
def changed_part_not_cut_off(original: Any) -> Any:
    def cut(self: Any, file_id: str, offset: int) -> Iterator[None]:
        yield

    return cut


# --- In the hub -------------------------------------------------------------------------------------------------------


@planted(UploadRegistry, "claim", FILE_MUTANTS)
def sidecar_dropped_before_the_commit(original: Any) -> Any:
    def claim(self: Any, sender_id: int, file_ids: Any) -> Any:
        claimed = original(self, sender_id, file_ids)
        for file_id in file_ids:
            self._disk.settle(file_id)
        return claimed

    return claim


@planted(UploadRegistry, "release", FILE_MUTANTS)
def claim_not_released_when_the_draft_is_refused(original: Any) -> Any:
    return nothing


@planted(UploadRegistry, "claim", FILE_MUTANTS)
def upload_taken_by_two_messages(original: Any) -> Any:
    def claim(self: Any, sender_id: int, file_ids: Any) -> Any:
        claimed = original(self, sender_id, file_ids)
        self.release(claimed)
        return claimed

    return claim


@planted(UploadRegistry, "_claimable", FILE_MUTANTS)
def upload_of_another_sender_taken(original: Any) -> Any:
    def claimable(self: Any, sender_id: int, file_id: str) -> PendingUpload:
        upload = self._uploads.get(file_id)
        taken: PendingUpload = original(self, sender_id if upload is None else upload.state.sender_id, file_id)
        return taken

    return claimable


@planted(UploadRegistry, "used", FILE_MUTANTS)
def quota_without_unfinished_uploads(original: Any) -> Any:
    return lambda self, sender_id: self._kept_of.get(sender_id, 0)


@planted(UploadRegistry, "finished", FILE_MUTANTS)
def picture_counted_as_it_was_sent(original: Any) -> Any:
    def finished(self: Any, upload: Any, stored: Any, quota_bytes: int) -> None:
        upload.is_finishing = False
        upload.state = replace(upload.state, stored=stored, unreadable=False)

    return finished


@planted(UploadRegistry, "keep", FILE_MUTANTS)
def files_of_before_a_restart_not_counted(original: Any) -> Any:
    return nothing


@planted(UploadRegistry, "dropped", FILE_MUTANTS)
def unlinked_files_counted_on(original: Any) -> Any:
    return nothing


@planted(UploadWriting, "when_quiet", FILE_MUTANTS)
def newer_writer_does_not_wait(original: Any) -> Any:
    return lambda self, upload, done, writer=None: done()


@planted(_PartExchange, "_drop_part", FILE_MUTANTS)
def part_that_was_taken_over_stays_unjudged(original: Any) -> Any:
    return nothing


@planted(FileHousekeeping, "_unlink", FILE_MUTANTS)
def gone_files_forgotten_before_they_are_unlinked(original: Any) -> Any:
    def unlink(self: Any, files: Any) -> None:
        if not isinstance(files, list) or not files:
            original(self, files)
            return
        self._context.workflows.run(self._forget(files, None))
        self._disk.unlink([file.file_id for file in files], lambda _: None)

    return unlink


@planted(FileHousekeeping, "unlink_gone", FILE_MUTANTS)
def gone_files_never_unlinked(original: Any) -> Any:
    return nothing


@planted(LinkKeys, "peer_of", FILE_MUTANTS)
def link_that_outlives_its_login(original: Any) -> Any:
    def peer_of(self: Any, file_id: str, key: str) -> Any:
        found = original(self, file_id, key)
        member = self._context.members.get(int(key.partition("-")[0]))
        return found or next(iter(member.peers if member is not None else ()), None)

    return peer_of


@planted(FileAccess, "_may_read", FILE_MUTANTS)
def file_read_by_one_who_is_not_in_the_room(original: Any) -> Any:
    def may_read(self: Any, peer: Any, row: Any) -> bool:
        may: bool = original(self, peer, row)
        return may or row.room is not None

    return may_read


@planted(FileAccess, "_may_read", FILE_MUTANTS)
def file_of_a_dialogue_read_by_others(original: Any) -> Any:
    def may_read(self: Any, peer: Any, row: Any) -> bool:
        may: bool = original(self, peer, row)
        return may or row.dialogue is not None

    return may_read


@planted(FileAccess, "_read", FILE_MUTANTS)
def file_of_a_message_that_is_not_fanned_out(original: Any) -> Any:
    def read(self: Any, wanted: Any, row: Any) -> None:
        original(self, wanted, replace(row, seq=max(row.seq, 1 << 40)))

    return read


@planted(FileAccess, "_may_read", FILE_MUTANTS)
def history_from_join_ignored_for_files(original: Any) -> Any:
    def may_read(self: Any, peer: Any, row: Any) -> bool:
        visibility, self._visibility = self._visibility, _AllHistory()
        may: bool = original(self, peer, row)
        self._visibility = visibility
        return may

    return may_read


class _AllHistory:
    """What may be read: all."""

    def floors(self, member: Any, rooms: Any) -> tuple[tuple[str, int], ...]:
        """Return no floor."""
        return ()


# --- In the API and the log -------------------------------------------------------------------------------------------


@planted(_PartExchange, "_ended", FILE_MUTANTS)
def checksum_of_a_part_ignored(original: Any) -> Any:
    def ended(self: Any) -> None:
        self._checksum = None
        original(self)

    return ended


@planted(_ReadExchange, "receive", FILE_MUTANTS)
def reader_whose_login_ends_told_of_no_file(original: Any) -> Any:
    def receive(self: Any, body: bytes, done: Any) -> None:
        self._peer = _WithoutRefusal(self._peer)
        original(self, body, done)

    return receive


class _WithoutRefusal:
    """The peer of a token that never tells why it is over."""

    refusal = None

    def __init__(self, peer: Any) -> None:
        self._peer = peer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._peer, name)


@planted(RecordChanges, "_make", FILE_MUTANTS)
def dropped_token_told_of_a_room(original: Any) -> Any:
    def make(self: Any, *arguments: Any) -> None:
        self.before_answer = nothing
        original(self, *arguments)

    return make


@planted(store, "content_hash", FILE_MUTANTS)
def key_of_a_message_with_files_refused_to_its_retry(original: Any) -> Any:
    return lambda draft: b"another" if draft.files else original(draft)


@planted(MemoryMessages, "_remove", FILE_MUTANTS)
def retention_that_leaves_files(original: Any) -> Any:
    def remove(self: Any, seq: int) -> None:
        message = self.messages[seq]
        original(self, seq)
        for info in message.files:  # they are nowhere then: neither of a message, nor to be unlinked
            self.gone.pop(info.id, None)

    return remove


@planted(MemoryMessages, "_files_go", FILE_MUTANTS)
def deleted_message_keeps_its_files(original: Any) -> Any:
    return lambda self, message: message


@planted(file_lines, "file_line", FILE_MUTANTS)
def line_of_a_file_without_its_size(original: Any) -> Any:
    return lambda name, size_bytes: f"[file: {name}]"


# --- Of several parts -------------------------------------------------------------------------------------------------


def _together(name: str, *parts: Callable[[], Any]) -> None:
    @contextmanager
    def mutant() -> Iterator[None]:
        with ExitStack() as stack:
            for part in parts:
                stack.enter_context(part())
            yield

    FILE_MUTANTS[name] = mutant


_WRITERS: dict[str, Mutant] = {}
_SWEEP: dict[str, Mutant] = {}


@planted(UploadWriter, "cut", _WRITERS)
def _older_writer_not_cut(original: Any) -> Any:
    return nothing


@planted(UploadFiles, "write", _WRITERS)
def _written_behind_what_is_there(original: Any) -> Any:
    return lambda self, file_id, offset, data: original(self, file_id, self._expect(file_id).length, data)


_together("two_writers_interleave", *_WRITERS.values())


@planted(FinishedFiles, "in_folder", _SWEEP)
def _sidecars_not_looked_at(original: Any) -> Any:
    def in_folder(self: Any, prefix: str) -> FilesOnDisk | None:
        found: FilesOnDisk | None = original(self, prefix)
        return found and FilesOnDisk(tuple(sorted({*found.whole, *found.unsettled})), found.remains)

    return in_folder


@planted(_ComparisonRun, "_without_uploads", _SWEEP)
def _uploads_not_spared(original: Any) -> Any:
    return lambda self, ids: list(ids)


@planted(_ComparisonRun, "_judge", _SWEEP)
def _uploads_swept(original: Any) -> Any:
    def judge(self: Any, file_id: str, row: Any) -> None:
        uploads, self._uploads = self._uploads, UploadRegistry(self._context.limits, self._disk, lambda _: b"")
        original(self, file_id, row)
        self._uploads = uploads

    return judge


_together("sweep_takes_an_upload_that_is_not_sent", *_SWEEP.values())
