"""The rest of a password whose question has ended."""

from __future__ import annotations

import pytest

from securechat.client.ui.input.hidden_answer import PAUSE_S, HiddenAnswer


def interrupted() -> HiddenAnswer:
    answer = HiddenAnswer()
    answer.typed("sec")
    assert answer.asked(hidden=False, now=0.0)
    return answer


@pytest.mark.parametrize("end", ["Enter", "Escape", "Ctrl+C"])
def test_the_rest_is_discarded_up_to_its_end(end: str) -> None:
    answer = interrupted()
    assert all(answer.discards(key, 1.0) for key in ("r", "Space", "Backspace", "", end))
    assert not answer.discards("r", 1.0)


def test_other_keys_do_what_they_do() -> None:
    answer = interrupted()
    assert not answer.discards("Ctrl+G", 1.0)
    assert answer.discards("r", 1.0)


def test_a_pause_ends_it_and_each_key_begins_it_anew() -> None:
    answer = interrupted()
    assert answer.discards("r", PAUSE_S - 0.1)
    assert answer.discards("e", 2 * PAUSE_S - 0.2)
    assert not answer.discards("Enter", 4 * PAUSE_S)
    assert not answer.discards("t", 4 * PAUSE_S)


def test_an_answer_that_is_given_left_or_empty_discards_nothing() -> None:
    answer = HiddenAnswer()
    assert not answer.asked(hidden=False, now=0.0)
    answer.typed("secret")
    answer.given()
    assert not answer.asked(hidden=False, now=0.0)
    answer.typed("secret")
    assert not answer.asked(hidden=True, now=0.0)
    assert not answer.discards("Enter", 0.0)
