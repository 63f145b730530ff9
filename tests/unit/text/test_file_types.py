"""The type is a label from the name's ending, the same on every system."""

import pytest

from securechat.text.file_types import _TYPES, UNKNOWN_TYPE, media_type


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("report.pdf", "application/pdf"),
        ("PHOTO.JPG", "image/jpeg"),
        ("a.tar.gz", "application/gzip"),
        ("pdf", UNKNOWN_TYPE),
        ("pdf.", UNKNOWN_TYPE),
        ("a.unheard", UNKNOWN_TYPE),
        ("", UNKNOWN_TYPE),
    ],
)
def test_the_ending_decides(name, expected):
    assert media_type(name) == expected


def test_endings_are_found_and_types_can_stand_in_a_header():
    assert list(_TYPES) == sorted(_TYPES)
    for ending, found in _TYPES.items():
        assert ending == ending.lower()
        assert found.isascii()
        assert found.count("/") == 1
        assert not set(found) & set(" ;,\r\n")
