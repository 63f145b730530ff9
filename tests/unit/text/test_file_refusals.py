"""Refusals of files are read by people at a terminal, in a page, and by programs."""

from __future__ import annotations

import re

import pytest

from securechat.text.file_refusals import FILE_REASONS


@pytest.mark.parametrize("reason", FILE_REASONS)
def test_no_sentence_names_a_command_of_the_terminal(reason: str) -> None:
    assert re.search(r"(^|\s)(/|--)[a-z]", FILE_REASONS[reason][1]) is None
