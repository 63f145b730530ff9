"""Numbers beside messages, by which commands of a line client refer to them.

They count up for as long as the client runs; a message that is shown again keeps its number. The latest are remembered,
with the present state of their message, so that it can be quoted, edited and reacted to.
"""

from __future__ import annotations

from msgspec import Struct

from securechat.client.core.message_changes import apply_change
from securechat.client.core.state import ConversationId
from securechat.model import FileId, FileInfo, Message, MessageChange, OwnUpload, Purged

KEPT_NUMBERS = 2_000
"""Numbers remembered: a day of a busy room, and 32 MB if every message had the longest text."""

_KEPT_UPLOADS = 100
"""Likewise, of uploads: a person has 20 at most."""


class NumberedMessage(Struct):
    """A message with a number; ``message`` is None where only its seq is known."""

    number: int
    key: ConversationId
    seq: int
    message: Message | None = None


class NumberedFile(Struct):
    """A file with a number of its own, and the seq of its message."""

    number: int
    seq: int
    file: FileInfo


class LineNumbers:
    """The numbers of the messages shown so far, of their files, and of uploads, which count together."""

    def __init__(self) -> None:
        self._last = 0
        self._files: dict[int, NumberedFile] = {}
        self._file_numbers: dict[str, int] = {}
        self._uploads: dict[int, OwnUpload] = {}
        self._by_number: dict[int, NumberedMessage] = {}
        self._by_seq: dict[int, NumberedMessage] = {}

    def give(self, key: ConversationId, seq: int, message: Message | None = None) -> int:
        """Return the number of a message, a new one if it has none."""
        entry = self._by_seq.get(seq)
        if entry is None:
            self._last += 1
            entry = self._by_number[self._last] = self._by_seq[seq] = NumberedMessage(self._last, key, seq)
            if len(self._by_number) > KEPT_NUMBERS:
                oldest = self._by_number.pop(next(iter(self._by_number)))
                del self._by_seq[oldest.seq]
        if message is not None:
            entry.message = message
        return entry.number

    def give_file(self, seq: int, file: FileInfo) -> int:
        """Return the number of a file of a message, a new one if it has none."""
        if (number := self._file_numbers.get(file.id)) is None:
            self._last += 1
            number = self._file_numbers[file.id] = self._last
            self._files[number] = NumberedFile(number, seq, file)
            if len(self._files) > KEPT_NUMBERS:
                oldest = self._files.pop(next(iter(self._files)))
                del self._file_numbers[oldest.file.id]
        return number

    def number_of(self, file_id: FileId) -> int | None:
        """Return the number of a file; None for one that is gone."""
        return self._file_numbers.get(file_id)

    def give_upload(self, upload: OwnUpload) -> int:
        """Return the number of an upload that no message has, a new one if it has none."""
        for number, known in self._uploads.items():
            if known.id == upload.id:
                self._uploads[number] = upload
                return number
        self._last += 1
        self._uploads[self._last] = upload
        if len(self._uploads) > _KEPT_UPLOADS:
            del self._uploads[next(iter(self._uploads))]
        return self._last

    def upload(self, number: int) -> OwnUpload | None:
        """Return the upload with this number."""
        return self._uploads.get(number)

    def find(self, number: int) -> NumberedMessage | None:
        """Return the message with this number, or the one of the file with it."""
        file = self._files.get(number)
        return self._by_number.get(number) if file is None else self._by_seq.get(file.seq)

    def files(self, number: int) -> tuple[FileInfo, ...]:
        """Return the file with this number, or the files of the message with it; none where they are deleted."""
        message = named.message if (named := self.find(number)) is not None else None
        there = None if message is None else {file.id for file in message.files}
        if (one := self._files.get(number)) is not None:
            return (one.file,) if there is None or one.file.id in there else ()
        return () if message is None else tuple(message.files)

    def number(self, seq: int) -> int:
        """Return the number of a message; 0 for none."""
        entry = self._by_seq.get(seq)
        return 0 if entry is None else entry.number

    def message(self, seq: int) -> Message | None:
        """Return a message with a number, by its seq."""
        entry = self._by_seq.get(seq)
        return None if entry is None else entry.message

    def last_own(self, key: ConversationId, me: int) -> NumberedMessage | None:
        """Return the sender's last message in a conversation that is not deleted."""
        for entry in reversed(self._by_number.values()):
            message = entry.message
            if entry.key == key and message is not None and message.sender_id == me and message.deleted is None:
                return entry
        return None

    def change(self, change: MessageChange, message: Message | None = None) -> None:
        """A message has changed.

        Args:
            change: the change.
            message: the result, where the core keeps the message: then this is no copy of it.
        """
        entry = self._by_seq.get(change.target)
        if entry is not None and entry.message is not None:
            entry.message = message or apply_change(entry.message, change)

    def purge(self, purged: Purged, key: ConversationId | None) -> None:
        """Forget messages that are gone for good; their numbers stay."""
        for entry in self._by_number.values():
            message = entry.message
            if message is not None and message.seq <= purged.through:
                is_gone = message.sender_id == purged.sender_id if key is None else entry.key == key
                entry.message = None if is_gone else message

    def forget(self) -> None:
        """Forget all messages, because the log is another one. Numbers count on, so that none is used twice."""
        self._by_number.clear()
        self._by_seq.clear()
        self._files.clear()
        self._file_numbers.clear()
        self._uploads.clear()
