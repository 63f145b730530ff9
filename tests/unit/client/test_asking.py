"""Passwords asked for in a row: what is asked, and what comes of it."""

from __future__ import annotations

import pytest

from securechat.client import intents as want
from securechat.client.asking import Cancelled, Dialogue, Outcome, Purpose
from securechat.client.login import LONGEST_PASSWORD
from tests.support.secrecy import OTHER_PASSWORD, PASSWORD

TYPED = [PASSWORD, OTHER_PASSWORD, OTHER_PASSWORD]


@pytest.mark.parametrize(
    ("purpose", "typed", "outcome"),
    [
        (Purpose.LOG_IN, TYPED[:1], want.GivePassword(PASSWORD)),
        (Purpose.INVITED, TYPED[1:], want.GivePassword(OTHER_PASSWORD)),
        (Purpose.REGISTER, TYPED[1:], want.Register(OTHER_PASSWORD)),
        (Purpose.CHANGE, TYPED, want.ChangePassword(PASSWORD, OTHER_PASSWORD)),
    ],
)
def test_every_purpose_asks_for_what_it_needs(purpose: Purpose, typed: list[str], outcome: Outcome) -> None:
    dialogue = Dialogue(purpose, "ann")
    questions = []
    for number, line in enumerate(typed, 1):
        questions.append(dialogue.question)
        assert dialogue.give(line) == (outcome if number == len(typed) else None)
    assert len(set(questions)) == len(typed)
    assert not any(secret in repr(dialogue) for secret in TYPED)


@pytest.mark.parametrize("purpose", Purpose)
def test_an_empty_line_cancels(purpose: Purpose) -> None:
    assert Dialogue(purpose, "ann").give("") == Cancelled()


def test_two_different_passwords_begin_again_behind_the_old_one() -> None:
    dialogue = Dialogue(Purpose.CHANGE, "ann")
    dialogue.give(PASSWORD)
    asked = dialogue.question
    dialogue.give(OTHER_PASSWORD)
    assert "two different" in str(dialogue.give("something else"))
    assert dialogue.question == asked
    dialogue.give(OTHER_PASSWORD)
    assert dialogue.give(OTHER_PASSWORD) == want.ChangePassword(PASSWORD, OTHER_PASSWORD)


@pytest.mark.parametrize("purpose", [Purpose.INVITED, Purpose.REGISTER, Purpose.CHANGE])
def test_a_password_that_no_server_takes_is_told_before_it_is_typed_twice(purpose: Purpose) -> None:
    dialogue = Dialogue(purpose, "annabella")
    if purpose is Purpose.CHANGE:
        assert dialogue.give("old") is None, "an old password is whatever it is"
    asked = dialogue.question
    assert "at least 8 characters" in str(dialogue.give("short"))
    assert dialogue.question == asked
    if purpose is Purpose.CHANGE:
        assert "the old password" in str(dialogue.give("old"))
    assert "the name of its account" in str(dialogue.give("Annabella"))
    assert dialogue.give(PASSWORD) is None
    assert dialogue.question != asked


def test_what_no_hello_can_carry_is_asked_for_again() -> None:
    dialogue = Dialogue(Purpose.LOG_IN, "ann")
    assert str(LONGEST_PASSWORD) in str(dialogue.give("x" * (LONGEST_PASSWORD + 1)))
    assert dialogue.give(PASSWORD) == want.GivePassword(PASSWORD)
