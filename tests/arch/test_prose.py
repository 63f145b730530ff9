"""Docstrings and comments name who acts, and a module opens with what it is (tools/prose.py counts)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.prose import PERSONS, QUESTIONS, count

ROOT = Path(__file__).resolve().parent.parent.parent
DONE = (
    "hub/accounts",
    "hub/admin",
    "records",
    "model",
    "text",
    "admin",
    "cli",
    "storage",
    "hub/*.py",
    "hub/messages",
    "tls",
    "net",
    "hub/rooms",
    "wire",
    "server",
    "testing",
    "client/catalogue",
    "client/ui",
    "client/terminal",
    "client/pipe",
    "client/core",
    "client/*.py",
)
"""The folders of securechat/ that are done, with all below them or with their own files alone (``*.py``); the others
follow."""
MOST_PER_THOUSAND_WORDS = 1.0


def files_of(folder: str) -> list[Path]:
    """The files of an entry of DONE."""
    product = ROOT / "securechat"
    found = list(product.glob(folder) if folder.endswith(".py") else (product / folder).rglob("*.py"))
    assert found, folder
    return found


@pytest.mark.parametrize("folder", DONE)
def test_a_folder_names_who_acts(folder: str) -> None:
    counts = {path: count(path) for path in files_of(folder)}
    words, persons = sum(each.words for each in counts.values()), sum(each.persons for each in counts.values())
    most = max(1.0, words / 1000 * MOST_PER_THOUSAND_WORDS)
    assert persons <= most, {str(path): each.persons for path, each in counts.items() if each.persons}


@pytest.mark.parametrize("folder", DONE)
def test_no_module_opens_with_a_question(folder: str) -> None:
    assert [str(path) for path in files_of(folder) if count(path).opens_with_question] == []


@pytest.mark.parametrize("text", ["nobody is told", "Whoever asks", "for everybody", "someone else"])
def test_indefinite_persons_are_counted(text: str) -> None:
    assert PERSONS.search(text)


@pytest.mark.parametrize("text", ["the member who asked", "one of them", "everyone of the two", "the body"])
def test_named_persons_are_not(text: str) -> None:
    assert not PERSONS.search(text)


@pytest.mark.parametrize("text", ["What is sent.", "How far it was read.", "Whether it is over."])
def test_questions_are_seen(text: str) -> None:
    assert QUESTIONS.match(text)
