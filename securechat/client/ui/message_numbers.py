"""The messages that a command can name: by their number, which is the seq in the log, or by its last digits.

A number is the same on all screens and devices, in the addresses of the page and in the output for programs. The latest
messages that were shown are remembered, with their present state, so that they can be quoted, edited and reacted to. A
message that was not shown here is not found: a mistyped number changes nothing.

The files of a message have its number: ``48213.2`` is the second of several. The uploads that no message has are
numbered from 1 in the order of the last list of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from securechat.client.core.message_changes import apply_change
from securechat.client.core.state import ConversationId
from securechat.model import Deleted, FileInfo, Message, MessageChange, OwnUpload, Purged

KEPT_NUMBERS = 2_000
"""Messages remembered: a day of a busy room, and 32 MB if every one had the longest text."""
FEWEST_DIGITS = 2
"""The last digits of a number that may stand for it: one alone would be meant seldom, and be right often."""


class NumberedMessage(Struct):
    """A message that can be named.

    Attributes:
        key: its conversation.
        seq: its number.
        message: as it is now; None where only its seq is known.
        files: those that are known of it without it.
    """

    key: ConversationId
    seq: int
    message: Message | None = None
    files: tuple[FileInfo, ...] = ()


def file_number(message: Message, file: FileInfo) -> str:
    """Return the number of one of several files of a message; empty for one that is alone, or is none of them."""
    if len(message.files) < 2:
        return ""
    place = next((at for at, each in enumerate(message.files, 1) if each.id == file.id), 0)
    return f"{message.seq}.{place}" if place else ""


class MessageNumbers:
    """The messages that were shown so far, and the listed uploads."""

    def __init__(self) -> None:
        self._by_seq: dict[int, NumberedMessage] = {}
        self._uploads: tuple[OwnUpload, ...] = ()

    def add(self, key: ConversationId, seq: int, message: Message | None = None) -> None:
        """Remember a message whose number is shown."""
        entry = self._by_seq.get(seq)
        if entry is None:
            entry = self._by_seq[seq] = NumberedMessage(key, seq)
            if len(self._by_seq) > KEPT_NUMBERS:
                del self._by_seq[next(iter(self._by_seq))]
        if message is not None:
            entry.message = message

    def add_file(self, key: ConversationId, seq: int, file: FileInfo) -> None:
        """Remember a file that is shown without its message, under the number of that."""
        self.add(key, seq)
        entry = self._by_seq[seq]
        entry.files = (*(each for each in entry.files if each.id != file.id), file)

    def list_uploads(self, uploads: Sequence[OwnUpload]) -> None:
        """Number the uploads of a list, from 1 on; those of the one before have no numbers any more."""
        self._uploads = tuple(uploads)

    def upload(self, number: int) -> OwnUpload | None:
        """Return the upload with this number."""
        return self._uploads[number - 1] if 0 < number <= len(self._uploads) else None

    def find(self, digits: str) -> list[NumberedMessage]:
        """Return the messages that a typed number may mean, the newest first.

        Args:
            digits: a whole number, which means one message; or some of the last digits of one.
        """
        if (entry := self._by_seq.get(int(digits))) is not None and not digits.startswith("0"):
            return [entry]
        if len(digits) < FEWEST_DIGITS:
            return []
        ending = [entry for seq, entry in self._by_seq.items() if str(seq).endswith(digits)]
        return sorted(ending, key=lambda entry: -entry.seq)

    @staticmethod
    def files(entry: NumberedMessage, place: int | None = None) -> tuple[FileInfo, ...]:
        """Return the files of a message, or the one at a ``place`` from 1 on; none where it has no such file."""
        if entry.message is None:
            return entry.files if place is None else ()
        files = tuple(entry.message.files)
        return files if place is None else files[place - 1 : place] if place > 0 else ()

    def message(self, seq: int) -> Message | None:
        """Return a message by its whole number, where it is known."""
        entry = self._by_seq.get(seq)
        return None if entry is None else entry.message

    def last(self, key: ConversationId) -> NumberedMessage | None:
        """Return the last message of a conversation that is not deleted."""
        known = (each for each in self._by_seq.values() if each.key == key and each.message is not None)
        there = (each for each in known if each.message is not None and each.message.deleted is None)
        return max(there, key=lambda entry: entry.seq, default=None)

    def last_own(self, key: ConversationId, me: int) -> NumberedMessage | None:
        """Return the sender's last message in a conversation that is not deleted."""
        last: NumberedMessage | None = None
        for entry in self._by_seq.values():
            message = entry.message
            is_own = entry.key == key and message is not None and message.sender_id == me and message.deleted is None
            if is_own and (last is None or entry.seq > last.seq):
                last = entry
        return last

    def change(self, change: MessageChange, message: Message | None = None) -> None:
        """A message has changed.

        Args:
            change: the change.
            message: the result, where the core keeps the message: then this is no copy of it.
        """
        entry = self._by_seq.get(change.target)
        if entry is None:
            return
        if entry.message is not None:
            entry.message = message or apply_change(entry.message, change)
        if isinstance(change, Deleted):
            entry.files = ()

    def purge(self, purged: Purged, key: ConversationId | None) -> None:
        """Forget messages that are gone for good; their numbers stay."""
        for entry in self._by_seq.values():
            message = entry.message
            if message is not None and message.seq <= purged.through:
                is_gone = message.sender_id == purged.sender_id if key is None else entry.key == key
                entry.message = None if is_gone else message

    def forget(self) -> None:
        """Forget everything, because the log is another one, whose numbers mean other messages."""
        self._by_seq.clear()
        self._uploads = ()
