"""Finds acknowledged transactions in SQLite's write-ahead log (WAL) that can no longer be read.

SQLite reads a WAL up to the first frame whose checksum is wrong, and takes the rest for an unfinished transaction. That
is right after a power cut, but wrong after the disk damaged a frame: then every later transaction is lost silently. The
two can be told apart, because each checksum continues the one of the frame before:

- The writer continues from a commit frame only after that commit is complete, and with synchronous=FULL it is complete
  once the journal is synced. So a frame that continues a commit frame proves that this commit was synced, and with it
  every frame before. If SQLite's reading ended earlier, one of those frames is damaged.
- The remains of a power cut or a full disk prove nothing of the kind. A transaction that was not synced has one commit
  frame, its last. One that was rolled back is overwritten by the next, which does not continue it. Frames of an
  earlier generation of the journal have other salts. Where SQLite repeats a commit frame to fill a sector, the copies
  are equal.

Damage to the last transaction goes unnoticed: no frame continues it, so it looks unfinished.

The format: https://sqlite.org/fileformat2.html#walformat
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, Literal

from msgspec import Struct

from securechat.files import open_own_file

WAL_HEADER_BYTES = 32
FRAME_HEADER_BYTES = 24
_MAGIC = 0x377F0682
_PAGE_BYTES = 4096
"""The page size of this program's databases, used when the header of the WAL is damaged."""
_PAGE_SIZES = frozenset(1 << power for power in range(9, 17))
_FRAME_HEADER = struct.Struct(">6I")

_Order = Literal["<", ">"]
_State = tuple[int, int]


class LostFrames(Struct, frozen=True):
    """The end of the readable part of a WAL, and the frames beyond.

    Attributes:
        readable: frames that SQLite reads.
        lost: frames beyond, up to the last one of this generation.
        transactions: commits among them: at least this many were acknowledged and cannot be read.
    """

    readable: int
    lost: int
    transactions: int


class _Frame(Struct, frozen=True):
    page: int
    pages_after_commit: int  # 0: not a commit frame
    salts: _State
    state: _State  # the checksum up to here


class _Wal:
    """The frames of one file.

    Args:
        file: open for reading.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        header = file.read(WAL_HEADER_BYTES)
        words = struct.unpack(">8I", header.ljust(WAL_HEADER_BYTES, b"\0"))
        self.orders: tuple[_Order, ...] = ("<", ">")  # the byte orders that the checksum may use
        self.salts: _State | None = None
        self._page_bytes = words[2] if words[2] in _PAGE_SIZES else _PAGE_BYTES
        if words[0] & ~1 == _MAGIC:
            order: _Order = ">" if words[0] & 1 else "<"
            if _checksum(order, (0, 0), header[:24]) == words[6:8]:
                self.orders, self.salts = (order,), (words[4], words[5])
        size = file.seek(0, os.SEEK_END)
        self.count = max(0, size - WAL_HEADER_BYTES) // (FRAME_HEADER_BYTES + self._page_bytes)

    def frame(self, number: int) -> _Frame:
        """The header of a frame, which counts from 1."""
        words = _FRAME_HEADER.unpack(self._read(number, 0, FRAME_HEADER_BYTES))
        return _Frame(words[0], words[1], words[2:4], words[4:6])

    def page(self, number: int) -> bytes:
        """The content of a frame."""
        return self._read(number, FRAME_HEADER_BYTES, self._page_bytes)

    def state_after(self, order: _Order, number: int, before: _State) -> _State:
        """The checksum that a frame must have, given that of the frame before."""
        return _checksum(order, _checksum(order, before, self._read(number, 0, 8)), self.page(number))

    def _read(self, number: int, at: int, size: int) -> bytes:
        self._file.seek(WAL_HEADER_BYTES + (number - 1) * (FRAME_HEADER_BYTES + self._page_bytes) + at)
        return self._file.read(size).ljust(size, b"\0")


def lost_frames(path: Path, readable: int) -> LostFrames | None:
    """Return the acknowledged frames of a WAL that can no longer be read; None when none are found.

    Reads the header of each frame beyond the readable ones (some 5 ms for 16 MiB), and the content of few.

    Args:
        path: the WAL; may be missing. It must not be written meanwhile.
        readable: frames that SQLite reads, as reported by its checkpoint in NOOP mode.

    Raises:
        OSError: it cannot be read.
    """
    try:
        descriptor = open_own_file(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        wal = _Wal(file)
        beyond = [(number, wal.frame(number)) for number in range(max(1, readable), wal.count + 1)]
        proofs = [number for number in _continued_commits(beyond, wal.salts) if _is_continued(wal, number)]
        proofs = [number for number in proofs if number > readable]
        if not proofs:
            return None
        salts = wal.frame(proofs[-1] + 1).salts
        last = max(number for number, frame in beyond if frame.salts == salts)
        return LostFrames(readable, last - readable, len(proofs))


def _continued_commits(frames: list[tuple[int, _Frame]], salts: _State | None) -> Iterator[int]:
    """Commit frames that the frame after them may continue; without a header, whatever their salts are."""
    for (number, frame), (_, following) in pairwise(frames):
        if frame.pages_after_commit and (following.salts == salts if salts is not None else any(following.salts)):
            yield number


def _is_continued(wal: _Wal, number: int) -> bool:
    """Whether the next frame continues this one's checksum, and is not a copy of it."""
    frame, following = wal.frame(number), wal.frame(number + 1)
    if (following.page, following.pages_after_commit) == (frame.page, frame.pages_after_commit) and wal.page(
        number
    ) == wal.page(number + 1):
        return False  # fills a sector
    for order in wal.orders:
        states = [frame.state]  # as written, and as it must have been if the frame itself is damaged
        if number > 1:
            states.append(wal.state_after(order, number, wal.frame(number - 1).state))
        if any(wal.state_after(order, number + 1, state) == following.state for state in states):
            return True
    return False


def _checksum(order: _Order, state: _State, data: bytes) -> _State:
    """SQLite's checksum, continued from ``state``."""
    first, second = state
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for at in range(0, len(words), 2):
        first = (first + words[at] + second) & 0xFFFFFFFF
        second = (second + words[at + 1] + first) & 0xFFFFFFFF
    return first, second
