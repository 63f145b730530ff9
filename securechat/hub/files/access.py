"""Reading files: judged at each read as a page of history is, by the message that the file belongs to.

Everything wrong is the same: no file. A stranger learns neither that it exists nor why it may not be read.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from securechat.hub.context import HubContext
from securechat.hub.files.links import LinkKeys
from securechat.hub.interfaces import FileDisk, OpenFile, Peer
from securechat.hub.messages.visibility import MessageVisibility
from securechat.records.files import FileQuery, FileRow
from securechat.records.log import NotAppended

_TRIES = 5
"""Of a read while rooms are renamed one after the other."""


class OpenedFile(NamedTuple):
    """A file that may be read.

    Attributes:
        row: what the log knows of it.
        file: its bytes, or those of a smaller copy; to be closed.
    """

    row: FileRow
    file: OpenFile


Opened = Callable[[OpenedFile | None], None]


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
            done: gets the file, or None; now or later.
        """
        peer = self._keys.peer_of(file_id, key)
        if peer is None:
            done(None)
        else:
            self._ask(peer, file_id, size, done, _TRIES)

    def _ask(self, peer: Peer, file_id: str, size: int | None, done: Opened, tries: int) -> None:
        connection = self._context.connections.get(peer)
        if connection is None or not tries:
            done(None)
            return
        asked = {room: room.renames for room in connection.member.rooms}
        again = partial(self._ask, peer, file_id, size, done, tries - 1)

        def read(row: FileRow | NotAppended | None) -> None:
            if row is None or isinstance(row, NotAppended):
                done(None)
                return
            renaming = next((room for room in asked if room.is_renaming), None)
            if renaming is not None and row.room is not None:
                renaming.when_named(self._context.containment.bind(again))
            elif row.room is not None and any(room.renames != renames for room, renames in asked.items()):
                again()
            elif not self._may_read(peer, row):
                done(None)
            elif size is not None and size not in row.file.previews:
                done(None)
            else:
                self._disk.open(file_id, size, self._context.containment.bind(opened(row)))

        def opened(row: FileRow) -> Callable[[OpenFile | None], None]:
            return lambda file: done(None if file is None else OpenedFile(row, file))

        self._context.log.file(FileQuery(file_id), read)

    def _may_read(self, peer: Peer, row: FileRow) -> bool:
        """Tell whether the member of a connection may read the message of a file at this moment."""
        context = self._context
        connection = context.connections.get(peer)
        if connection is None or row.seq > context.fed_seq:
            return False
        member = connection.member
        if row.room is None:
            return row.dialogue is not None and member.sender_id in row.dialogue and peer in member.hearers(None)
        room = context.rooms.named(row.room)
        if room is None or room not in member.rooms or peer not in member.hearers(room):
            return False
        return all(floor_seq < row.seq for _, floor_seq in self._visibility.floors(member, (room,)))
