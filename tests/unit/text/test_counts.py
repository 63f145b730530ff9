"""One and several."""

from __future__ import annotations

import pytest

from securechat.text.counts import counted


@pytest.mark.parametrize(
    ("noun", "several"),
    [("guest", "guests"), ("person", "people"), ("entry", "entries"), ("day", "days"), ("address", "addresses"),
     ("open invite", "open invites"), ("further problem", "further problems"), ("match", "matches")],
)  # fmt: skip
def test_a_number_stands_with_its_noun(noun: str, several: str) -> None:
    assert [counted(number, noun) for number in (0, 1, 2)] == [f"0 {several}", f"1 {noun}", f"2 {several}"]


def test_parts_are_several_and_whole_numbers_have_no_point() -> None:
    assert [counted(days, "day") for days in (0.5, 1.0, 7.0)] == ["0.5 days", "1 day", "7 days"]
    assert counted(1_234_567, "message") == "1234567 messages"
