"""Pictures over the rows of the screen: what is wanted, what the terminal has, and the sequences between them.

They follow the frames of the painter (frames.py), which calls everything here under its lock: what is gone goes before
the first row of a frame, what is new comes behind its last one. So a frame that is written in pieces, or never, leaves
no picture over the text of another one. Bytes of a picture are written only after `give`, and a row whose text was
written anew is drawn over again, as terminals differ in what remains of a picture there.

`KittyPictures` gives a picture to the terminal once and names it by a number from then on, within `MOST_HELD_BYTES`;
`SixelPictures` draws each of its rows anew.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

from securechat.client.tty import kitty
from securechat.client.ui.rows.picture_cells import PictureArea, PictureKey, PictureOrigin, above
from securechat.limits import MIB
from securechat.model import FileId

MOST_HELD_BYTES = 32 * MIB
"""Of pictures that the terminal holds, as four bytes a pixel: kitty's own limit is ten times that."""
_FIRST_PLACEMENT = 1
_StripPlace: TypeAlias = tuple[PictureOrigin, int]
"""A picture where it stands, and a row of the screen."""


class EncodedPicture(NamedTuple):
    """A preview, ready for the terminal.

    Attributes:
        width: pixels.
        height: likewise.
        png: for kitty's protocol; empty for sixels.
        strips: a sixel image for each row of cells; none for kitty's protocol.
    """

    width: int
    height: int
    png: bytes = b""
    strips: tuple[str, ...] = ()


class KittyPictures:
    """Pictures by kitty's protocol.

    Args:
        first_number: of the pictures; a terminal's pictures have one space of numbers for all programs in it.
    """

    def __init__(self, first_number: int) -> None:
        self._wanted: tuple[PictureArea, ...] = ()
        self._given: dict[PictureKey, EncodedPicture] = {}
        self._held: OrderedDict[PictureKey, tuple[int, EncodedPicture]] = OrderedDict()
        self._placed: dict[PictureArea, int] = {}
        self._torn: set[PictureArea] = set()
        self._number = first_number
        self._placement = _FIRST_PLACEMENT
        self._sending: tuple[PictureKey, int, deque[str]] | None = None
        self._dropped: list[str] = []

    def want(self, areas: Sequence[PictureArea], end_row: int) -> None:
        """Have these shown, and no others, as far as they stand above a row of the screen."""
        self._wanted = above(areas, end_row)
        standing = {area.key for area in areas}
        self._given = {key: picture for key, picture in self._given.items() if key in standing}

    def give(self, area: PictureArea, picture: EncodedPicture) -> None:
        """Take the picture of an area of this frame or of the next one."""
        if picture.png and area.key not in self._held:
            self._given[area.key] = picture

    def forget(self, file_ids: Iterable[FileId]) -> None:
        """Have pictures deleted, from the terminal too: their messages were."""
        gone = set(file_ids)
        self._wanted = tuple(area for area in self._wanted if area.file_id not in gone)
        self._given = {key: picture for key, picture in self._given.items() if key[0] not in gone}
        for key in [key for key in self._held if key[0] in gone]:
            self._drop(key)

    def erase(self) -> str:
        """Return what deletes everything from the terminal; until something is given again, nothing is shown."""
        self._abort()
        text = "".join((*self._dropped, *(kitty.deleting(number) for number, _ in self._held.values())))
        self._held.clear()
        self._placed.clear()
        self._torn.clear()
        self._dropped.clear()
        self._given.clear()
        return text

    def take_gone(self) -> tuple[str, frozenset[int]]:
        """Return what removes pictures that are not wanted any more, and the rows that are to be written for it."""
        wanted = set(self._wanted)
        gone = [area for area in self._placed if area not in wanted]
        sent_for = None if self._sending is None else self._sending[0]
        if gone or self._dropped or (sent_for is not None and sent_for not in {area.key for area in self._wanted}):
            self._abort()  # no other sequence may stand within a transmission
        for area in gone:
            placement = self._placed.pop(area)
            self._torn.discard(area)
            if (held := self._held.get(area.key)) is not None:
                self._dropped.append(kitty.removing(held[0], placement))
        text = "".join(self._dropped)
        self._dropped.clear()
        return text, frozenset()

    def note_written(self, row: int, column: int, columns: int) -> None:
        """Cells were written anew: what was placed there is placed once more."""
        self._torn.update(area for area in self._placed if _meets(area, row, column, columns))

    def take_next(self) -> str:
        """Return what is to be written next, once the rows are; empty for nothing."""
        if self._sending is not None:
            return self._send()
        text = []
        for area in self._wanted:
            if (area in self._placed and area not in self._torn) or area.key not in self._held:
                continue
            number, picture = self._held[area.key]
            self._held.move_to_end(area.key)
            if area not in self._placed:
                self._placed[area] = self._placement
                self._placement += 1
            self._torn.discard(area)
            text.append(_place(area, picture, number, self._placed[area]))
        if text:
            return "".join(text)
        for area in self._wanted:
            if area.key in self._given and area.key not in self._held:
                pieces = deque(kitty.transmitting(self._number, self._given[area.key].png))
                self._sending = (area.key, self._number, pieces)
                self._number += 1
                return self._send()
        return ""

    def _send(self) -> str:
        assert self._sending is not None
        key, number, pieces = self._sending
        piece = pieces.popleft()
        if not pieces:
            self._sending = None
            self._held[key] = (number, self._given.pop(key)._replace(png=b""))
            while len(self._held) > 1 and sum(map(_held_bytes, self._held.values())) > MOST_HELD_BYTES:
                self._drop(next(iter(self._held)))
        return piece

    def _abort(self) -> None:
        """End a transmission early; what was given is kept, and is sent anew."""
        if self._sending is not None:
            self._dropped = [kitty.ABORT, kitty.deleting(self._sending[1]), *self._dropped]
            self._sending = None

    def _drop(self, key: PictureKey) -> None:
        number, _ = self._held.pop(key)
        self._dropped.append(kitty.deleting(number))
        for area in [area for area in self._placed if area.key == key]:
            del self._placed[area]
            self._torn.discard(area)


class SixelPictures:
    """Pictures as sixels: part of the cells, so that a row of them is gone when its text is written."""

    def __init__(self) -> None:
        self._wanted: dict[_StripPlace, PictureArea] = {}
        self._given: dict[PictureOrigin, EncodedPicture] = {}
        self._drawn: set[_StripPlace] = set()

    def want(self, areas: Sequence[PictureArea], end_row: int) -> None:
        """Have these shown, and no others, as far as they stand above a row of the screen."""
        standing = {area.origin for area in areas}
        shown = above(areas, end_row)
        self._wanted = {(area.origin, row): area for area in shown for row in range(area.row, area.row + area.shown)}
        self._given = {origin: each for origin, each in self._given.items() if origin in standing}

    def give(self, area: PictureArea, picture: EncodedPicture) -> None:
        """Take the picture of an area of this frame or of the next one."""
        if len(picture.strips) == area.rows:
            self._given[area.origin] = picture

    def forget(self, file_ids: Iterable[FileId]) -> None:
        """Have pictures removed: their messages are deleted."""
        gone = set(file_ids)
        self._wanted = {place: area for place, area in self._wanted.items() if area.file_id not in gone}
        self._given = {origin: each for origin, each in self._given.items() if origin[0][0] not in gone}

    def erase(self) -> str:
        """Forget what is drawn: the terminal is cleared. Until something is given again, nothing is shown."""
        self._given.clear()
        self._drawn.clear()
        return ""

    def take_gone(self) -> tuple[str, frozenset[int]]:
        """Return what removes pictures that are not wanted any more, and the rows that are to be written for it."""
        gone = self._drawn - self._wanted.keys()
        self._drawn -= gone
        return "", frozenset(row for _, row in gone)

    def note_written(self, row: int, column: int, columns: int) -> None:
        """Cells were written anew, and no picture is there now."""
        self._drawn = {(origin, at) for origin, at in self._drawn if at != row or not _overlap(origin, column, columns)}

    def take_next(self) -> str:
        """Return what is to be written next, once the rows are: one row of a picture; empty for nothing."""
        for place, area in self._wanted.items():
            origin, row = place
            if place not in self._drawn and (picture := self._given.get(origin)) is not None:
                self._drawn.add(place)
                return _at(row, area.column) + picture.strips[area.first + row - area.row]
        return ""


def _held_bytes(held: tuple[int, EncodedPicture]) -> int:
    return 4 * held[1].width * held[1].height


def _place(area: PictureArea, picture: EncodedPicture, number: int, placement: int) -> str:
    top = picture.height * area.first // area.rows
    bottom = picture.height * (area.first + area.shown) // area.rows
    source = (top, picture.width, max(1, bottom - top))
    return _at(area.row, area.column) + kitty.placing(number, placement, (area.columns, area.shown), source)


def _at(row: int, column: int) -> str:
    return f"\x1b[{row + 1};{column + 1}H"


def _meets(area: PictureArea, row: int, column: int, columns: int) -> bool:
    return area.row <= row < area.row + area.shown and _overlap(area.origin, column, columns)


def _overlap(origin: PictureOrigin, column: int, columns: int) -> bool:
    (_, wide, _), first, _ = origin
    return column < first + wide and first < column + columns
