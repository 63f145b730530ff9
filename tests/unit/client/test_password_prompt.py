"""Passwords asked for in a row: what is asked, and what comes of it."""

from __future__ import annotations

import pytest

from securechat.client.catalogue import accounts
from securechat.client.core import actions
from securechat.client.core.credentials import LONGEST_PASSWORD
from securechat.client.ui.input.password_prompt import (
    REPLACING,
    PasswordPrompt,
    PasswordPurpose,
    PromptCancelled,
    PromptOutcome,
)
from tests.support.secrecy import OTHER_PASSWORD, PASSWORD

TYPED = [PASSWORD, OTHER_PASSWORD, OTHER_PASSWORD]


@pytest.mark.parametrize(
    ("purpose", "typed", "outcome"),
    [
        (PasswordPurpose.LOG_IN, TYPED[:1], actions.GivePassword(PASSWORD)),
        (PasswordPurpose.INVITED, TYPED[1:], actions.GivePassword(OTHER_PASSWORD)),
        (PasswordPurpose.REGISTER, TYPED[1:], actions.RegisterAccount(OTHER_PASSWORD)),
        (PasswordPurpose.CHANGE, TYPED, actions.SetPassword(PASSWORD, OTHER_PASSWORD)),
    ],
)
def test_every_purpose_asks_for_what_it_needs(
    purpose: PasswordPurpose, typed: list[str], outcome: PromptOutcome
) -> None:
    dialogue = PasswordPrompt(purpose, "ann")
    questions = []
    for number, line in enumerate(typed, 1):
        questions.append(dialogue.question)
        assert dialogue.give(line) == (outcome if number == len(typed) else None)
    assert len(set(questions)) == len(typed)
    assert not any(secret in repr(dialogue) for secret in TYPED)


@pytest.mark.parametrize("purpose", PasswordPurpose)
def test_an_empty_line_cancels_all_but_the_change_of_a_temporary_one(purpose: PasswordPurpose) -> None:
    answer = PasswordPrompt(purpose, "ann").give("")
    assert answer == (accounts.MUST_CHANGE() if purpose in REPLACING else PromptCancelled())


def test_two_different_passwords_begin_again_behind_the_old_one() -> None:
    dialogue = PasswordPrompt(PasswordPurpose.CHANGE, "ann")
    dialogue.give(PASSWORD)
    asked = dialogue.question
    dialogue.give(OTHER_PASSWORD)
    assert "do not match" in str(dialogue.give("something else"))
    assert dialogue.question == asked
    dialogue.give(OTHER_PASSWORD)
    assert dialogue.give(OTHER_PASSWORD) == actions.SetPassword(PASSWORD, OTHER_PASSWORD)


@pytest.mark.parametrize("purpose", [PasswordPurpose.INVITED, PasswordPurpose.REGISTER, PasswordPurpose.CHANGE])
def test_a_password_that_no_server_takes_is_told_before_it_is_typed_twice(purpose: PasswordPurpose) -> None:
    dialogue = PasswordPrompt(purpose, "annabella")
    if purpose is PasswordPurpose.CHANGE:
        assert dialogue.give("old") is None, "an old password is whatever it is"
    asked = dialogue.question
    assert "at least 8 characters" in str(dialogue.give("short"))
    assert dialogue.question == asked
    if purpose is PasswordPurpose.CHANGE:
        assert "the old password" in str(dialogue.give("old"))
    assert "the name of its account" in str(dialogue.give("Annabella"))
    assert dialogue.give(PASSWORD) is None
    assert dialogue.question != asked


def test_what_no_hello_can_carry_is_asked_for_again() -> None:
    dialogue = PasswordPrompt(PasswordPurpose.LOG_IN, "ann")
    assert str(LONGEST_PASSWORD) in str(dialogue.give("x" * (LONGEST_PASSWORD + 1)))
    assert dialogue.give(PASSWORD) == actions.GivePassword(PASSWORD)
