"""The orientation of a picture, by its EXIF: the one fact of it that is used, and then dropped with the rest.

The one tag is read here, and not by a library, because EXIF is a tree of offsets that a stranger wrote: this reads the
first directory once, follows no offset but its own, and raises nothing.
"""

from __future__ import annotations

from typing import Literal

UPRIGHT = 1
_TAG = 0x0112
_SHORT = 3
_MARKER = b"Exif\0\0"
_MOST_ENTRIES = 512
"""Of the first directory. Cameras write some 20."""


def orientation_of(exif: bytes) -> int:
    """Return the orientation, 1 to 8 (EXIF 3.0, 4.6.5.1.4); 1 where there is none that can be read.

    Args:
        exif: a TIFF structure, with or without the marker before it.
    """
    exif = exif.removeprefix(_MARKER)
    match exif[:4]:
        case b"II*\0":
            return _first_directory(exif, "little")
        case b"MM\0*":
            return _first_directory(exif, "big")
        case _:
            return UPRIGHT


def _first_directory(tiff: bytes, order: Literal["little", "big"]) -> int:
    def number(at: int, size: int) -> int:
        return int.from_bytes(tiff[at : at + size], order)

    start = number(4, 4)
    count = min(number(start, 2), _MOST_ENTRIES)
    for at in range(start + 2, start + 2 + 12 * count, 12):
        if at + 12 > len(tiff):
            break
        if number(at, 2) == _TAG:
            value = number(at + 8, 2)
            is_valid = number(at + 2, 2) == _SHORT and number(at + 4, 4) == 1 and 1 <= value <= 8
            return value if is_valid else UPRIGHT
    return UPRIGHT
