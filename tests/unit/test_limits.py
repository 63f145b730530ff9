"""Limits that make no sense together are refused; those of pages leave room for the largest message and its frame."""

import pytest

from securechat.hub.messages.mentions import MOST_MENTIONS
from securechat.limits import (
    KIB,
    MAX_FRAME_BYTES,
    MAX_MENTIONS,
    MAX_REACTIONS,
    MAX_TEXT_CHARS,
    PAGE_BYTES,
    PAGE_LIMITS,
    PAGE_ROWS,
    PageLimits,
)


def test_the_protocol_leaves_room_for_its_largest_message():
    assert PAGE_LIMITS.largest_message_bytes <= PAGE_BYTES
    assert MOST_MENTIONS == MAX_MENTIONS


@pytest.mark.parametrize("frame_bytes", [4 * KIB, 5_000, 8 * KIB, 32 * KIB, MAX_FRAME_BYTES])
def test_limits_for_smaller_frames(frame_bytes):
    pages = PageLimits.of_frames(frame_bytes, page_rows=5)
    assert (pages.frame_bytes, pages.page_rows) == (frame_bytes, 5)
    assert pages.largest_message_bytes <= pages.page_bytes < frame_bytes
    assert pages.text_chars >= 60
    assert pages.reactions >= 3


def test_the_largest_frames_are_those_of_the_protocol():
    pages = PageLimits.of_frames(MAX_FRAME_BYTES)
    assert (pages.page_bytes, pages.text_chars) == (PAGE_BYTES, MAX_TEXT_CHARS)


@pytest.mark.parametrize(
    "wrong",
    [
        {"frame_bytes": MAX_FRAME_BYTES + 1},
        {"frame_bytes": 54 * KIB},
        {"page_rows": 0},
        {"page_rows": PAGE_ROWS + 1},
        {"page_bytes": 20 * KIB},
        {"files": 11},
        {"files": -1},
        {"text_chars": 0},
        {"text_chars": MAX_TEXT_CHARS + 1},
        {"reactions": MAX_REACTIONS + 1},
    ],
    ids=str,
)
def test_limits_that_do_not_fit_together(wrong):
    with pytest.raises(ValueError, match=r"_(rows|bytes|chars)|message|files"):
        PageLimits(**wrong)


def test_frames_that_are_too_small():
    with pytest.raises(ValueError, match=r"at least 1|must fit"):
        PageLimits.of_frames(2 * KIB)
