"""The system's reasons, in the person's language."""

from __future__ import annotations

import errno
import os
import sys

import pytest

from securechat.translation import Sentence, system_error
from securechat.translation.system_errors import _BY_NUMBER


@pytest.mark.skipif(sys.platform != "linux", reason="other systems say it in other words")
def test_the_english_texts_are_the_systems() -> None:
    assert {number: text for number, text in _BY_NUMBER.items() if os.strerror(number) != text} == {}


def test_a_usual_reason_can_be_translated() -> None:
    found = system_error(OSError(errno.ENOENT, os.strerror(errno.ENOENT)))
    assert isinstance(found, Sentence)
    assert found == "No such file or directory"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.ENOENT, "of another origin"), "of another origin"),
        (OSError("no number"), "no number"),
        (OSError(), "OSError"),
        (OSError(99_999, "odd"), "odd"),
    ],
)
def test_another_reason_stays_as_it_is(error: OSError, expected: str) -> None:
    assert system_error(error) == expected
