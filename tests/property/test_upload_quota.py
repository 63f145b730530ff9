"""No order of parallel uploads, messages, deletions and ends passes a quota, and an upload is used once."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from securechat.errors import Refusal
from securechat.hub.files.uploads import PendingUpload, UploadRegistry
from securechat.limits import Limits
from securechat.model import FileInfo, StoredFile
from securechat.records.files import GoneFile

QUOTA = 100
LIMITS = Limits(file_bytes=60, uploads_per_person=4, uploads_total=9, files_free_bytes=50, files_disk_share=0.5)
SENDERS = st.integers(1, 3)


class Disk:
    total_bytes = 500
    kept: dict[str, int]

    def __init__(self) -> None:
        self.kept = {}

    @property
    def free_bytes(self) -> int:
        return self.total_bytes - sum(self.kept.values())


class Uploads(RuleBasedStateMachine):
    """Everything that happens to uploads, in any order, beside a model of the bytes on the disk."""

    uploads = Bundle("uploads")
    drafts = Bundle("drafts")
    messages = Bundle("messages")

    @initialize()
    def open(self) -> None:
        self.disk: Any = Disk()
        self.count = 0
        self.now_ms = 0
        self.sent: dict[str, int] = {}
        self.owner: dict[str, int] = {}
        self.claimed: set[str] = set()

        def random_bytes(size: int) -> bytes:
            self.count += 1
            return self.count.to_bytes(size, "big")

        self.registry = UploadRegistry(LIMITS, self.disk, random_bytes)
        self.registry.load(())

    @rule(target=uploads, sender=SENDERS, size=st.integers(0, 70))
    def begin(self, sender: int, size: int) -> Any:
        self.now_ms += 1
        try:
            state = self.registry.begin(sender, QUOTA, "a", size, as_file=False, now_ms=self.now_ms)
        except Refusal:
            return multiple()
        upload = self.registry.get(state.file_id)
        self.owner[state.file_id] = sender
        return upload

    @rule(upload=uploads, grown=st.just(0) | st.integers(-50, 50))
    def finish(self, upload: PendingUpload, grown: int) -> None:
        """The disk keeps another number of bytes than were declared: a picture was written anew."""
        if upload.is_gone or upload.state.stored is not None:
            return
        info = FileInfo(upload.file_id, "a", max(1, upload.state.size_bytes + grown))
        try:
            self.registry.finished(upload, StoredFile(info, b""), QUOTA)
        except Refusal:
            self.registry.remove(upload)
        else:
            self.disk.kept[upload.file_id] = info.size

    @rule(target=drafts, other=st.none() | SENDERS, some=st.lists(uploads, min_size=1, max_size=2))
    def say(self, other: int | None, some: list[PendingUpload]) -> Any:
        """Mostly by who sent the first of them."""
        sender = other or some[0].state.sender_id
        try:
            files = self.registry.claim(sender, [upload.file_id for upload in some])
        except Refusal:
            return multiple()
        assert all(upload.state.sender_id == sender and not upload.is_gone for upload in some)
        assert len({upload.file_id for upload in some}) == len(some)
        taken = {file.info.id for file in files}
        assert not taken & self.claimed, "two drafts have it"
        self.claimed |= taken
        return sender, files

    @rule(draft=consumes(drafts))
    def refuse(self, draft: tuple[int, tuple[StoredFile, ...]]) -> None:
        self.claimed -= {file.info.id for file in draft[1]}
        self.registry.release(draft[1])

    @rule(target=messages, draft=consumes(drafts))
    def commit(self, draft: tuple[int, tuple[StoredFile, ...]]) -> Any:
        sender, files = draft
        for file in files:
            assert file.info.id not in self.sent, "used twice"
            self.sent[file.info.id] = file.kept_bytes
        self.registry.settle(sender, files)
        return multiple(*((sender, file) for file in files))

    @rule(message=consumes(messages))
    def delete(self, message: tuple[int, StoredFile]) -> None:
        sender, file = message
        del self.disk.kept[file.info.id]
        self.registry.dropped([GoneFile(file.info.id, sender, file.kept_bytes)])

    @rule()
    def time_passes(self) -> None:
        self.now_ms += 25 * 3_600_000
        for upload in self.registry.over(self.now_ms):
            assert not upload.is_claimed
            self.registry.remove(upload)
            self.disk.kept.pop(upload.file_id, None)

    @rule(sender=SENDERS)
    def remove_account(self, sender: int) -> None:
        for upload in self.registry.of(sender):
            if not upload.is_claimed:
                self.registry.remove(upload)
                self.disk.kept.pop(upload.file_id, None)

    @invariant()
    def quotas_hold(self) -> None:
        if not hasattr(self, "registry"):
            return
        on_disk: dict[int, int] = {}
        for file_id, size in self.disk.kept.items():
            on_disk[self.owner[file_id]] = on_disk.get(self.owner[file_id], 0) + size
        for sender in range(1, 4):
            assert on_disk.get(sender, 0) <= self.registry.used(sender) <= QUOTA
            assert len(self.registry.of(sender)) <= LIMITS.uploads_per_person
        assert len(self.registry) <= LIMITS.uploads_total


Uploads.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestUploads = Uploads.TestCase
