"""Docstrings and comments name who acts, and a module opens with what it is (tools/prose.py counts)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from tools.prose import PERSONS, QUESTIONS
from tools.prose import count as count_prose

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDERS = sorted(
    {path.parent.relative_to(ROOT) for top in ("securechat", "tools") for path in (ROOT / top).rglob("*.py")}
)
MOST_PER_THOUSAND_WORDS = 1.0
count = cache(count_prose)


def files_of(folder: Path) -> list[Path]:
    """The modules of a folder, without those of the folders in it."""
    return list((ROOT / folder).glob("*.py"))


@pytest.mark.parametrize("folder", FOLDERS, ids=str)
def test_a_folder_names_who_acts(folder: Path) -> None:
    counts = {path: count(path) for path in files_of(folder)}
    words, persons = sum(each.words for each in counts.values()), sum(each.persons for each in counts.values())
    most = max(1.0, words / 1000 * MOST_PER_THOUSAND_WORDS)
    assert persons <= most, {str(path): each.persons for path, each in counts.items() if each.persons}


@pytest.mark.parametrize("folder", FOLDERS, ids=str)
def test_no_module_opens_with_a_question(folder: Path) -> None:
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
