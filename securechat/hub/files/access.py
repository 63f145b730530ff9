"""Reading files: judged at each read as a page of history is, by the message that the file belongs to.

Everything wrong is the same: no file. A stranger learns neither that it exists nor why it may not be read.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeAlias

from securechat.errors import Refusal
from securechat.hub.context import HubContext
from securechat.hub.files.links import LinkKeys
from securechat.hub.interfaces import FileDisk, OpenFile, Peer
from securechat.hub.messages.visibility import MessageVisibility
from securechat.records.files import FileQuery, FileRow
from securechat.records.log import NotAppended
from securechat.text.refusals import refusal_for

_TRIES = 5
"""Of a read while rooms are renamed one after the other."""


class ReadableFile(NamedTuple):
    """A file that may be read.

    Attributes:
        row: what the log knows of it.
        file: its bytes, or those of a smaller copy; to be closed.
    """

    row: FileRow
    file: OpenFile


Opened: TypeAlias = Callable[[ReadableFile | Refusal | None], None]


class _Wanted(NamedTuple):
    """One read.

    Attributes:
        file_id: which file.
        key: of its address.
        size: of a smaller copy, pixels; None for the file itself.
        done: gets it, None, or BUSY.
    """

    file_id: str
    key: str
    size: int | None
    done: Opened


class FileAccess:
    """Opens files for those who may read them.

    Args:
        context: the log, members and rooms.
        visibility: the part of the log that a member may read.
        disk: has the bytes.
        keys: of the links.
    """

    def __init__(self, context: HubContext, visibility: MessageVisibility, disk: FileDisk, keys: LinkKeys) -> None:
        self._context = context
        self._visibility = visibility
        self._disk = disk
        self._keys = keys

    def open(self, file_id: str, key: str, size: int | None, done: Opened) -> None:
        """Open a file by its link.

        Args:
            file_id: which.
            key: of its address.
            size: of a smaller copy, pixels; None for the file itself.
            done: gets the file; None; or a refusal, where the log cannot be asked now. At once or later.
        """
        self._ask(_Wanted(file_id, key, size, done), _TRIES)

    def _ask(self, wanted: _Wanted, tries: int) -> None:
        peer = self._keys.peer_of(wanted.file_id, wanted.key)
        if peer is None:
            wanted.done(None)
            return
        asked = {room: room.renames for room in self._context.connections[peer].member.rooms}
        again = partial(self._ask, wanted, tries - 1)

        def read(row: FileRow | NotAppended | None) -> None:
            if not isinstance(row, FileRow):
                wanted.done(None if row is None else row.refusal())
                return
            renaming = next((room for room in asked if room.is_renaming), None)
            renamed = next((room for room, renames in asked.items() if room.renames != renames), None)
            if row.room is None or (changed := renaming or renamed) is None:
                self._read(wanted, row)
            elif tries == 1:
                wanted.done(refusal_for("room_being_renamed", room=changed.name))  # one of the reader's own
            elif renaming is not None:
                renaming.when_named(self._context.containment.bind(again))
            else:
                again()

        self._context.log.file(FileQuery(wanted.file_id), read)

    def _read(self, wanted: _Wanted, row: FileRow) -> None:
        """Open the file, if it may be read at this moment."""
        peer = self._keys.peer_of(wanted.file_id, wanted.key)  # its login may have ended, or begun another connection
        is_there = wanted.size is None or wanted.size in row.file.previews
        if peer is None or not is_there or not self._may_read(peer, row):
            wanted.done(None)
            return

        def opened(file: OpenFile | None) -> None:
            if file is not None and wanted.size is None and file.size_bytes != row.file.size:
                file.close()  # damaged: its ETag would vouch for it as the whole
                file = None
            wanted.done(None if file is None else ReadableFile(row, file))

        self._disk.open(wanted.file_id, wanted.size, self._context.containment.bind(opened))

    def _may_read(self, peer: Peer, row: FileRow) -> bool:
        """Tell whether the member of a connection may read the message of a file."""
        context = self._context
        member = context.connections[peer].member
        if row.seq > context.fed_seq:
            return False
        if row.room is None:
            return row.dialogue is not None and member.sender_id in row.dialogue and peer in member.hearers(None)
        room = context.rooms.named(row.room)
        if room is None or room not in member.rooms or peer not in member.hearers(room):
            return False
        return all(floor_seq < row.seq for _, floor_seq in self._visibility.floors(member, (room,)))
