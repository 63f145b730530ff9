"""The answer of the picture worker, as bytes of its pipe: a head, a row for each picture, and then the pictures.

The worker encodes; the server decodes, and believes nothing: a worker that was taken over by a picture may answer
anything. Every number is judged before a byte of a picture is taken. Standard library alone: the worker starts anew for
each picture, and every import is time.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from securechat.pictures.kinds import PictureKind

MOST_OUTPUT_BYTES = 32 * 1024 * 1024
"""Of a picture and its previews together."""
MOST_DETAIL_BYTES = 200
MOST_SIDE = 65_535
"""Of a JPEG, and so of all, pixels."""
PREVIEW_KIND = PictureKind.WEBP
"""Of every preview but that for terminals: it has transparency, and needs a quarter less than a JPEG as good."""
TERMINAL_SIDE = 240
"""The longer side of the preview for terminals, pixels. It is a PNG of at most 256 colours, because a terminal that
shows pictures knows PNG alone; so it has 58 KiB at most."""
_MAGIC = b"scp1"
_HEAD = struct.Struct(">4sBBH")
_ROW = struct.Struct(">BHIII")
HEAD_BYTES = _HEAD.size
ROW_BYTES = _ROW.size
_KINDS = tuple(PictureKind)


def preview_kind(side: int) -> PictureKind:
    """Return the kind of the preview of a side."""
    return PictureKind.PNG if side == TERMINAL_SIDE else PREVIEW_KIND


class UnreadableReason(StrEnum):
    """A picture cannot be written anew. Values are stable words for logs."""

    NOT_A_PICTURE = "not_a_picture"
    DAMAGED = "damaged"
    TOO_MANY_PIXELS = "too_many_pixels"
    NO_MEMORY = "no_memory"
    """It needs more than the process may have."""
    TOO_SLOW = "too_slow"
    """It needs more time than the process may have."""
    TOO_LARGE = "too_large"
    """Written anew, it has more than `MOST_OUTPUT_BYTES`."""
    NOT_CLEAN = "not_clean"
    """What was written has a part in it that is not known to be harmless."""
    CRASHED = "crashed"
    """The process was ended by a signal."""
    BAD_ANSWER = "bad_answer"
    """The process has answered something else than it may."""


_REASONS = tuple(UnreadableReason)
_FIRST_REASON = 16
"""Verdicts below it are of pictures that were read."""


class WrittenPicture(NamedTuple):
    """A row of the answer.

    Attributes:
        kind: of the picture.
        side: the longer side that was asked for, pixels; 0: it is the picture itself, not a preview.
        width: pixels.
        height: pixels.
        size_bytes: of the file.
    """

    kind: PictureKind
    side: int
    width: int
    height: int
    size_bytes: int


class AnswerStart(NamedTuple):
    """The first bytes of an answer.

    Attributes:
        reason: why it cannot be read, or None.
        previews_only: it moves: the previews show its first frame, and the picture itself was not written.
        rows: how many pictures follow.
        detail_bytes: of a text for the operator.
    """

    reason: UnreadableReason | None
    previews_only: bool
    rows: int
    detail_bytes: int


class AnswerInvalid(Exception):
    """The worker's answer is not one that it may give; the text says where."""


def encode_written(pictures: Sequence[WrittenPicture], width: int, height: int, *, previews_only: bool) -> bytes:
    """Return what stands before the pictures.

    Args:
        pictures: in the order in which their bytes follow.
        width: of the picture itself, pixels, upright.
        height: likewise.
        previews_only: see `AnswerStart`.
    """
    head = _HEAD.pack(_MAGIC, int(previews_only), len(pictures) + 1, 0)
    whole = WrittenPicture(PictureKind.JPEG, 0, width, height, 0)
    rows = (whole, *pictures)
    return head + b"".join(_ROW.pack(_KINDS.index(each.kind), *each[1:]) for each in rows)


def encode_unreadable(reason: UnreadableReason, detail: str) -> bytes:
    """Return the answer to a picture that cannot be read."""
    told = detail.encode("ascii", "replace")[:MOST_DETAIL_BYTES]
    return _HEAD.pack(_MAGIC, _FIRST_REASON + _REASONS.index(reason), 0, len(told)) + told


def decode_head(data: bytes, most_rows: int) -> AnswerStart:
    """Return the head of an answer, from its first `HEAD_BYTES`.

    Args:
        data: exactly those.
        most_rows: pictures that it may have.

    Raises:
        AnswerInvalid: it is none.
    """
    if len(data) != HEAD_BYTES:
        raise AnswerInvalid(f"it ends after {len(data)} bytes")
    magic, verdict, rows, detail_bytes = _HEAD.unpack(data)
    if magic != _MAGIC:
        raise AnswerInvalid("it does not begin as one")
    if verdict >= _FIRST_REASON:
        if verdict - _FIRST_REASON >= len(_REASONS) or rows or detail_bytes > MOST_DETAIL_BYTES:
            raise AnswerInvalid("its reason is none")
        return AnswerStart(_REASONS[verdict - _FIRST_REASON], False, 0, detail_bytes)
    if verdict > 1 or not 2 <= rows <= most_rows or detail_bytes:
        raise AnswerInvalid("its head has numbers out of range")
    return AnswerStart(None, bool(verdict), rows, 0)


class AnswerRules(NamedTuple):
    """What an answer may say.

    Attributes:
        most_pixels: of the picture.
        sides: of previews, the smallest first, pixels.
        most_bytes: of all that follows.
    """

    most_pixels: int
    sides: tuple[int, ...]
    most_bytes: int = MOST_OUTPUT_BYTES

    @property
    def most_rows(self) -> int:
        """The picture's size, the picture, its previews."""
        return 2 + len(self.sides)


def decode_rows(
    data: bytes, head: AnswerStart, rules: AnswerRules
) -> tuple[tuple[int, int], tuple[WrittenPicture, ...]]:
    """Return width and height of the picture, and what follows.

    Args:
        data: the rows.
        head: what came before them.
        rules: what they may say.

    Raises:
        AnswerInvalid: a row says something that cannot be, or that is too much.
    """
    if len(data) != head.rows * ROW_BYTES:
        raise AnswerInvalid("it ends within its rows")
    whole, *rows = (_row(*_ROW.unpack_from(data, at)) for at in range(0, len(data), ROW_BYTES))
    if whole.side or whole.size_bytes or whole.width * whole.height > rules.most_pixels:
        raise AnswerInvalid("the picture's size is none")
    if sum(each.size_bytes for each in rows) > rules.most_bytes or not all(each.size_bytes for each in rows):
        raise AnswerInvalid("the pictures are empty or too large")
    if not head.previews_only:
        first, *previews = rows
        if first.side or (first.width, first.height) != (whole.width, whole.height):
            raise AnswerInvalid("the picture is not as large as it says")
    else:
        previews = rows
        if not previews:
            raise AnswerInvalid("there is no preview")
    sides = [each.side for each in previews]
    if sides != sorted(set(sides)) or not set(sides) <= set(rules.sides):
        raise AnswerInvalid("the previews are not those that were asked for")
    if any(max(each.width, each.height) > each.side or each.kind is not preview_kind(each.side) for each in previews):
        raise AnswerInvalid("a preview is larger than it may be, or of another kind")
    return (whole.width, whole.height), tuple(rows)


def _row(kind: int, side: int, width: int, height: int, size_bytes: int) -> WrittenPicture:
    if kind >= len(_KINDS) or not (1 <= width <= MOST_SIDE and 1 <= height <= MOST_SIDE):
        raise AnswerInvalid("a row has numbers out of range")
    return WrittenPicture(_KINDS[kind], side, width, height, size_bytes)
