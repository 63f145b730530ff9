"""The cells that the preview of a picture takes at a terminal: known from the message before a byte of it is read.

So no row of a reader moves when a preview comes, and none when it does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from securechat.model import FileId
from securechat.pictures.answers import TERMINAL_SIDE

CELL_PIXELS = 8
"""Of a preview to a column: a terminal of high resolution gets it larger, and not tiny."""
MOST_ROWS = TERMINAL_SIDE // (2 * CELL_PIXELS)
"""Of a preview."""
_LEAST_RATIO, _MOST_RATIO = 1.0, 4.0
"""Of a cell's height to its width; a terminal may tell anything."""


def picture_cells(
    width: int, height: int, free_columns: int, free_rows: int, cell_ratio: float
) -> tuple[int, int] | None:
    """Return columns and rows of a preview; None where there is no room.

    Args:
        width: of the preview, pixels, at least 1.
        height: likewise.
        free_columns: that it may take.
        free_rows: likewise.
        cell_ratio: height of a cell by its width.
    """
    free_rows = min(MOST_ROWS, free_rows)
    if free_columns < 1 or free_rows < 1:
        return None
    wide = width / CELL_PIXELS
    high = height / CELL_PIXELS / min(_MOST_RATIO, max(_LEAST_RATIO, cell_ratio))
    scale = min(1.0, free_columns / wide, free_rows / high)
    columns, rows = (max(1, min(ceil(each * scale), free)) for each, free in ((wide, free_columns), (high, free_rows)))
    return columns, rows


def preview_size(width: int, height: int) -> tuple[int, int]:
    """Return the size of the preview of a picture as the server makes it, pixels."""
    scale = min(1.0, TERMINAL_SIDE / max(width, height, 1))
    return max(1, floor(width * scale)), max(1, floor(height * scale))


class PictureRoom(Struct, frozen=True):
    """What the rows of previews depend on, besides the message.

    Attributes:
        cell_ratio: height of a cell by its width.
        most_rows: of a preview; a third of the field, whatever is typed below it.
    """

    cell_ratio: float
    most_rows: int

    def cells(self, width: int, height: int, free_columns: int) -> tuple[int, int] | None:
        """Return columns and rows for a picture of so many pixels; None where there is no room."""
        if width < 1 or height < 1:
            return None
        return picture_cells(*preview_size(width, height), free_columns, self.most_rows, self.cell_ratio)


class PictureRow(Struct, frozen=True):
    """A row that is kept free for a part of a preview.

    Attributes:
        file_id: of the picture.
        column: of the row's cells, the first that it takes.
        columns: that it takes.
        rows: of the whole preview.
        index: of this row among them.
    """

    file_id: FileId
    column: int
    columns: int
    rows: int
    index: int


PictureKey: TypeAlias = tuple[FileId, int, int]
"""A preview in so many columns and rows."""
PictureOrigin: TypeAlias = tuple[PictureKey, int, int]
"""A preview with the column and the row of the screen, perhaps above it, where it begins."""


class PictureArea(Struct, frozen=True):
    """Cells of the screen that show a preview, or some rows of it. Nothing in it is text of a peer.

    Attributes:
        file_id: of the picture, which no sequence for a terminal contains.
        seq: of its message.
        column: of the screen, the first.
        row: likewise.
        columns: of the preview.
        rows: of the whole preview.
        first: the row of the preview that stands at ``row``.
        shown: rows of it that are to be seen, at least 1.
    """

    file_id: FileId
    seq: int
    column: int
    row: int
    columns: int
    rows: int
    first: int
    shown: int

    @property
    def key(self) -> PictureKey:
        """What is the same wherever the preview stands."""
        return self.file_id, self.columns, self.rows

    @property
    def origin(self) -> PictureOrigin:
        """Where the whole preview stands, whatever is to be seen of it."""
        return self.key, self.column, self.row - self.first


def above(areas: Sequence[PictureArea], row: int) -> tuple[PictureArea, ...]:
    """Return areas without the rows of the screen from one on."""
    found = []
    for area in areas:
        shown = min(area.shown, row - area.row)
        if shown == area.shown:
            found.append(area)
        elif shown > 0:
            found.append(replace(area, shown=shown))
    return tuple(found)
