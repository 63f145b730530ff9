"""Answers the commands about files, and is what the rest of the server asks for uploads and downloads."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Sequence
from typing import assert_never

from msgspec.structs import replace

from securechat.client_address import is_loopback
from securechat.hub.context import FileNumbers, HubContext
from securechat.hub.files.access import FileAccess
from securechat.hub.files.housekeeping import DiskComparison, FileHousekeeping
from securechat.hub.files.links import LinkKeys
from securechat.hub.files.uploads import PendingUpload, UploadRegistry
from securechat.hub.files.writing import UploadWriting
from securechat.hub.interfaces import FileDisk, Peer
from securechat.hub.members import Member
from securechat.hub.messages.log_reads import LogReads
from securechat.hub.messages.paging import file_links, file_list
from securechat.hub.messages.visibility import MessageVisibility
from securechat.model import (
    AddUpload,
    AskFiles,
    AskLinks,
    Deleted,
    Done,
    FileCommand,
    FileLink,
    FileList,
    LogEntry,
    OwnFile,
    OwnUpload,
    RemoveUpload,
    StoredFile,
    UploadAdded,
)
from securechat.records.accounts import AccountKind
from securechat.records.files import OWN_FILES_ROWS, FileQuery, FileRow, GoneFile, OwnFilesQuery, UploadState
from securechat.records.log import LogState, NotAppended
from securechat.text.refusals import refusal_for

UPLOADS_ROOT = "/api/v1/uploads"
"""Below it are the addresses of uploads."""
_GONE_AT_START = 100_000
_AGAIN_S = 1.0


class FileService:
    """Files, as the hub has them.

    Args:
        context: its `file_disk` is there.
        reads: the reads of the log under way.
        visibility: the part of the log that a member may read.

    Attributes:
        uploads: what is on its way, and what each sender keeps.
        writing: takes the bytes.
        access: opens files for those who may read them.
    """

    def __init__(self, context: HubContext, reads: LogReads, visibility: MessageVisibility) -> None:
        assert context.file_disk is not None
        self._context = context
        self._reads = reads
        self._disk: FileDisk = context.file_disk
        self.uploads = UploadRegistry(context.limits, self._disk, context.authentication.token_bytes)
        self.writing = UploadWriting(self.uploads, self._disk, context.limits, self.quota_of, context.containment)
        self._keys = LinkKeys(context, context.link_secret)
        self.access = FileAccess(context, visibility, self._disk, self._keys)
        self._housekeeping = FileHousekeeping(context, self._disk, self.uploads, self.writing)
        self._asks_again: Callable[[], None] | None = None  # at the start, what the log could not answer
        self._again_at = 0.0

    # --- Start and end --------------------------------------------------------------------------------------------

    def restore(self, state: LogState) -> None:
        """Take over what the log and the disk have from an earlier process."""
        self.uploads.keep(state.files.usage)
        self._disk.load(self._loaded)
        if not self.uploads.is_empty:
            self._housekeeping.wake()

    def _loaded(self, states: list[UploadState]) -> None:
        """Look which of the uploads the log has: it was committed, and the process ended before the disk heard of it.

        So is one whose message was deleted since. None of these may be sent again.
        """
        finished = [state for state in states if state.stored is not None]
        kept = [state for state in states if state.stored is None]
        if not finished:
            self._take_over(kept)
            return

        def ask() -> None:
            self._context.log.gone_files("", _GONE_AT_START, gone)

        def gone(files: list[GoneFile] | NotAppended) -> None:
            if isinstance(files, NotAppended):
                self._ask_again(ask)
                return
            ids = {file.file_id for file in files}
            for state in finished:
                if state.file_id in ids:
                    self._disk.settle(state.file_id)
            self._look_up([state for state in finished if state.file_id not in ids], kept)

        ask()

    def _look_up(self, finished: list[UploadState], kept: list[UploadState]) -> None:
        if not finished:
            self._take_over(kept)
            return
        state = finished.pop()

        def known(row: FileRow | NotAppended | None) -> None:
            if isinstance(row, NotAppended):
                finished.append(state)
                self._ask_again(lambda: self._look_up(finished, kept))
                return
            if row is not None:
                self._disk.settle(state.file_id)
            else:
                kept.append(state)
            self._look_up(finished, kept)

        self._context.log.file(FileQuery(state.file_id), known)

    def _ask_again(self, ask: Callable[[], None]) -> None:
        """Ask the log once more in a while: it is busy. One that has failed answers at once, and each time the same."""
        self._asks_again, self._again_at = ask, self._context.now + _AGAIN_S
        self._context.alarm(self._again_at)

    def _take_over(self, states: list[UploadState]) -> None:
        for state in states:
            if not state.key:  # its one request ended with the earlier process
                self._disk.discard(state.file_id)
        self.uploads.load(state for state in states if state.key)
        if not self.uploads.is_empty:
            self._housekeeping.wake()

    def committed(self, batch: Sequence[LogEntry]) -> None:
        """Entries are committed: with a deletion, files may be gone."""
        if not self.uploads.is_empty and any(type(entry) is Deleted for entry in batch):
            self._housekeeping.wake(0.0)

    def forget_senders(self, senders: Iterable[int]) -> None:
        """Accounts are gone, and what they have not sent yet with them."""
        for sender_id in senders:
            for upload in self.uploads.of(sender_id):
                if not upload.is_claimed:  # the log may commit its message yet
                    self.writing.discard(upload)
        self._housekeeping.wake(0.0)

    def tick(self) -> None:
        """Go on with what waits; to be called whenever the hub is ticked."""
        if (ask := self._asks_again) is not None:
            if self._context.now >= self._again_at:
                self._asks_again = None
                ask()
            else:
                self._context.alarm(self._again_at)
        self._housekeeping.tick()

    def compare(self, done: Callable[[DiskComparison], None]) -> None:
        """See `FileHousekeeping.compare`."""
        self._housekeeping.compare(done)

    # --- Numbers --------------------------------------------------------------------------------------------------

    def quota_of(self, sender_id: int) -> int:
        """Return what a sender may keep, bytes."""
        limits = self._context.limits
        account = self._context.accounts.accounts.get(sender_id)
        if account is None:
            return limits.files_per_guest_bytes
        return limits.files_per_person_bytes if account.kind is AccountKind.PERSON else limits.files_per_bot_bytes

    def numbers(self) -> FileNumbers:
        """Return what there is of files, for the metrics."""
        return FileNumbers(self.uploads.kept_bytes, len(self.uploads))

    # --- Messages -------------------------------------------------------------------------------------------------

    def settle(self, sender_id: int, files: Iterable[StoredFile]) -> None:
        """A draft is committed: its files are the message's."""
        files = tuple(files)
        self.uploads.settle(sender_id, files)
        for file in files:
            self._disk.settle(file.info.id)
        self._housekeeping.wake()

    # --- Commands -------------------------------------------------------------------------------------------------

    def answer(self, peer: Peer, member: Member, command: FileCommand) -> None:
        """Answer a command.

        Raises:
            Refusal: a limit or the quota is reached; BUSY; NOT_FOUND.
        """
        match command:
            case AddUpload():
                self._add(peer, member, command)
            case AskLinks(ref, ids):
                connection = self._context.connections[peer]
                links = [FileLink(file_id, self._keys.path(connection, file_id)) for file_id in ids]
                peer.deliver(file_links(ref, links, peer.page_limits))
            case AskFiles():
                with self._reads.work_for(peer, command):
                    self._list(peer, member, command)
            case RemoveUpload(ref, file_id):
                self._remove(member, file_id)
                peer.deliver(Done(ref))
            case _:
                assert_never(command)

    def _add(self, peer: Peer, member: Member, command: AddUpload) -> None:
        if self._disk.is_busy:  # those that were begun and given up again count no more, and wait there all the same
            raise refusal_for("uploads_of_server_used_up", retry_after_s=_AGAIN_S)
        state = self.uploads.begin(
            member.sender_id,
            self.quota_of(member.sender_id),
            command.name,
            command.size,
            as_file=command.as_file,
            now_ms=self._context.accounts.wall_ms(),
            address=None if is_loopback(peer.address) else peer.address,
            is_guest=member.sender_id not in self._context.accounts.accounts,
        )
        self._disk.create(state)
        self._housekeeping.wake()
        path = f"{UPLOADS_ROOT}/{state.file_id}/{state.key}"
        peer.deliver(UploadAdded(command.ref, state.file_id, path, state.name, state.until_ms))

    def close_address(self, upload: PendingUpload) -> None:
        """Have an upload come in one request, with which it ends, also over a restart: no address leads to it.

        To be called before a byte of it has come.
        """
        upload.state = replace(upload.state, key="")
        self._disk.create(upload.state)

    def upload_at(self, file_id: str, key: str) -> PendingUpload | None:
        """Return the upload with this address; None for a wrong key, and for one that is not there any more."""
        upload = self.uploads.get(file_id)
        if upload is None or not upload.state.key or not hmac.compare_digest(upload.state.key.encode(), key.encode()):
            return None
        return upload

    def is_link(self, file_id: str, key: str) -> bool:
        """Tell whether a key is that of a file for a login which has a connection now."""
        return self._keys.peer_of(file_id, key) is not None

    def _list(self, peer: Peer, member: Member, command: AskFiles) -> None:
        self._reads.require_free(peer)
        sender_id = member.sender_id

        def page(rows: list[FileRow]) -> FileList:
            own = [self._own_file(member, row) for row in rows[:OWN_FILES_ROWS]]
            return file_list(
                command.ref,
                own,
                self._own_uploads(member, command),
                self.uploads.used(sender_id),
                self.quota_of(sender_id),
                peer.page_limits,
                more=len(rows) > OWN_FILES_ROWS,
            )

        def one(row: FileRow | NotAppended | None) -> None:
            done(row if isinstance(row, NotAppended) else [row] if row and row.sender_id == sender_id else [])

        done = self._reads.begin(
            peer, member, command.ref, (), page=page, again=lambda: self._list(peer, member, command)
        )
        if command.id is not None:
            self._context.log.file(FileQuery(command.id), one)
        else:
            self._context.log.own_files(OwnFilesQuery(sender_id, command.after, OWN_FILES_ROWS + 1), done)

    def _own_uploads(self, member: Member, command: AskFiles) -> list[OwnUpload]:
        """Return the uploads for the first page of a list, the oldest first; `file_list` keeps as many as fit."""
        if command.after is not None:
            return []
        return [
            OwnUpload(
                upload.file_id,
                upload.state.name,
                upload.counted_bytes,
                upload.counted_bytes - upload.missing_bytes,
                upload.until_ms,
            )
            for upload in sorted(self.uploads.of(member.sender_id), key=lambda each: each.state.made_at_ms)
            if command.id in (None, upload.file_id)
        ]

    def _remove(self, member: Member, file_id: str) -> None:
        """Give an upload up at the wish of its sender.

        Raises:
            Refusal: NOT_FOUND, it is none of this sender's; BUSY, a message takes it, or its end is under way.
        """
        upload = self.uploads.get(file_id)
        if upload is None or upload.state.sender_id != member.sender_id:
            raise refusal_for("upload_unknown")
        self.writing.expect_removable(upload)
        self.uploads.note_removed(file_id)
        self.writing.discard(upload)

    def _own_file(self, member: Member, row: FileRow) -> OwnFile:
        """Return a file of a member; the name of a room only where the member is in it, because it may be secret."""
        room = None if row.room is None else self._context.rooms.named(row.room)
        is_told = room is not None and room in member.rooms
        return OwnFile(row.file, row.seq, row.sent_at_ms, row.room if is_told else None, row.to)
