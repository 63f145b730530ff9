from __future__ import annotations

from contextlib import nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securechat.pictures.answers import (
    HEAD_BYTES,
    MOST_OUTPUT_BYTES,
    ROW_BYTES,
    TERMINAL_SIDE,
    AnswerInvalid,
    AnswerRules,
    AnswerStart,
    UnreadableReason,
    WrittenPicture,
    decode_head,
    decode_rows,
    encode_unreadable,
    encode_written,
)
from securechat.pictures.kinds import PictureKind

RULES = AnswerRules(1_000_000, (320, 1_600))
WHOLE = WrittenPicture(PictureKind.JPEG, 0, 1_000, 800, 5_000)
SMALL = WrittenPicture(PictureKind.WEBP, 320, 320, 256, 500)
LARGE = WrittenPicture(PictureKind.WEBP, 1_600, 1_000, 800, 900)


def decoded(data: bytes) -> tuple[AnswerStart, tuple[int, int], tuple[WrittenPicture, ...]]:
    head = decode_head(data[:HEAD_BYTES], RULES.most_rows)
    size, rows = decode_rows(data[HEAD_BYTES:], head, RULES)
    return head, size, rows


@pytest.mark.parametrize(
    ("pictures", "previews_only"),
    [
        ([WHOLE], False),
        ([WHOLE, SMALL], False),
        ([WHOLE, SMALL, LARGE], False),
        ([SMALL], True),
        ([SMALL, LARGE], True),
    ],
)
def test_what_was_written_is_told(pictures: list[WrittenPicture], previews_only: bool) -> None:
    head, size, rows = decoded(encode_written(pictures, 1_000, 800, previews_only=previews_only))
    assert (head.reason, head.previews_only) == (None, previews_only)
    assert (size, list(rows)) == ((1_000, 800), pictures)


def test_the_preview_for_terminals_is_a_png_and_no_other_kind() -> None:
    rules = AnswerRules(1_000_000, (TERMINAL_SIDE, 320))
    for kind in PictureKind:
        data = encode_written(
            [WHOLE, WrittenPicture(kind, TERMINAL_SIDE, 240, 192, 9)], 1_000, 800, previews_only=False
        )
        with pytest.raises(AnswerInvalid) if kind is not PictureKind.PNG else nullcontext():
            decode_rows(data[HEAD_BYTES:], decode_head(data[:HEAD_BYTES], rules.most_rows), rules)


@pytest.mark.parametrize("reason", UnreadableReason)
def test_why_it_was_not_is_told(reason: UnreadableReason) -> None:
    data = encode_unreadable(reason, "Größe " * 100)
    head = decode_head(data[:HEAD_BYTES], 4)
    assert head.reason is reason
    assert len(data) == HEAD_BYTES + head.detail_bytes == HEAD_BYTES + 200


def of(*pictures: WrittenPicture, size: tuple[int, int] = (1_000, 800), previews_only: bool = False) -> bytes:
    return encode_written(pictures, *size, previews_only=previews_only)


INVALID = {
    "nothing written": of(),
    "no picture": of(SMALL),
    "no previews": of(previews_only=True),
    "the picture among the previews": of(WHOLE, previews_only=True),
    "too many": of(WHOLE, SMALL, LARGE, LARGE),
    "twice": of(WHOLE, SMALL, SMALL),
    "the larger one first": of(WHOLE, LARGE, SMALL),
    "a side that is none": of(WHOLE, SMALL._replace(side=321)),
    "a preview that is too wide": of(WHOLE, SMALL._replace(width=321)),
    "a preview that is too high": of(WHOLE, SMALL._replace(height=321)),
    "a preview of another kind": of(WHOLE, SMALL._replace(kind=PictureKind.GIF)),
    "a preview of the kind for terminals": of(WHOLE, SMALL._replace(kind=PictureKind.PNG)),
    "another size": of(WHOLE._replace(width=999)),
    "turned": of(WHOLE._replace(width=800, height=1_000)),
    "too many pixels": of(WHOLE._replace(width=1_251), size=(1_251, 800)),
    "a side of 65,536": of(WHOLE._replace(width=65_536, height=1), size=(65_536, 1)),
    "no width": of(WHOLE._replace(width=0), size=(0, 800)),
    "an empty picture": of(WHOLE._replace(size_bytes=0)),
    "an empty preview": of(WHOLE, SMALL._replace(size_bytes=0)),
    "too many bytes": of(WHOLE._replace(size_bytes=MOST_OUTPUT_BYTES), SMALL),
    "4 GiB": of(WHOLE._replace(size_bytes=2**32 - 1)),
    "no kind": of(WHOLE)[: HEAD_BYTES + ROW_BYTES] + b"\x09" + of(WHOLE)[HEAD_BYTES + ROW_BYTES + 1 :],
    "another beginning": b"PNG1" + of(WHOLE)[4:],
    "a verdict of 2": of(WHOLE)[:4] + b"\x02" + of(WHOLE)[5:],
    "a reason that is none": encode_unreadable(UnreadableReason.DAMAGED, "")[:4] + b"\xff\0\0\0",
    "a reason with rows": encode_unreadable(UnreadableReason.DAMAGED, "")[:5] + b"\x02\0\0",
    "a long detail": encode_unreadable(UnreadableReason.DAMAGED, "")[:6] + b"\x01\0",
    "a detail beside pictures": of(WHOLE)[:6] + b"\0\x01" + of(WHOLE)[8:],
}  # fmt: skip


@pytest.mark.parametrize("data", INVALID.values(), ids=INVALID.keys())
def test_an_answer_that_cannot_be_is_noticed(data: bytes) -> None:
    with pytest.raises(AnswerInvalid):
        decoded(data)


@pytest.mark.parametrize("size", range(HEAD_BYTES + 2 * ROW_BYTES))
def test_an_answer_that_is_cut_off_is_noticed(size: int) -> None:
    with pytest.raises(AnswerInvalid):
        decoded(of(WHOLE)[:size])


def test_a_limit_is_the_last_that_passes() -> None:
    assert decoded(of(WHOLE._replace(width=1_250), size=(1_250, 800)))
    assert decoded(of(WHOLE._replace(size_bytes=MOST_OUTPUT_BYTES)))


@given(st.data())
def test_a_changed_answer_is_within_the_limits_or_noticed(data: st.DataObject) -> None:
    answer = bytearray(of(WHOLE, SMALL, LARGE))
    for at in data.draw(st.lists(st.integers(0, len(answer) - 1), max_size=6)):
        answer[at] = data.draw(st.integers(0, 255))
    try:
        head = decode_head(bytes(answer[:HEAD_BYTES]), RULES.most_rows)
        if head.reason is not None:
            return
        (width, height), rows = decode_rows(bytes(answer[HEAD_BYTES : HEAD_BYTES + head.rows * ROW_BYTES]), head, RULES)
    except AnswerInvalid:
        return
    assert 0 < width * height <= RULES.most_pixels
    assert 0 < sum(each.size_bytes for each in rows) <= MOST_OUTPUT_BYTES
    assert all(each.side in (0, 320, 1_600) for each in rows)
