"""What Tab would take, by what is typed and where."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import securechat
from securechat.client.ui.commands.parser import COMMANDS
from securechat.client.ui.input.completion import MOST_SHOWN, KnownWords, command_words, complete, emoji_words
from securechat.translation import use

EMOJI = emoji_words(
    msgspec.json.decode((Path(securechat.__file__).parent / "web" / "emoji.en.json").read_bytes(), type=list[str])
)
KNOWN = KnownWords(
    command_words(),
    ("ana", "Anton B", "budi", "evil\x1b[2J", "Jean-Luc"),
    ("lobby", "ops", "ops-night"),
    EMOJI,
    ("en", "id"),
)


def words(text: str, known: KnownWords = KNOWN) -> list[str]:
    found = complete(text, len(text), known)
    return [each.word for each in found.candidates] if found is not None else []


def taken(text: str, cursor: int | None = None, index: int = 0) -> str:
    found = complete(text, len(text) if cursor is None else cursor, KNOWN)
    assert found is not None
    whole, at = found.taken(index)
    return f"{whole[:at]}|{whole[at:]}"


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("/re", ["/register", "/reply", "/react"]),
        ("/REP", ["/reply"]),
        ("hello @an", ["@ana", "@Anton B"]),
        ("@", ["@ana", "@Anton B", "@budi", "@Jean-Luc"]),
        ("@anton_b", ["@Anton B"]),
        ("@anton b", ["@Anton B"]),
        ("@Lu", []),
        ("mail me@an", []),
        ("see #op", ["#ops", "#ops-night"]),
        ("a#op", []),
        ("/msg an", ["ana", "Anton B"]),
        ("/msg ana hel", []),
        ("/join #o", ["#ops", "#ops-night"]),
        ("/join o", ["#ops", "#ops-night"]),
        ("/history @b", ["@budi", "@Anton B"]),
        ("/history 20", []),
        ("/role budi mo", ["moderator"]),
        ("/room s", ["set"]),
        ("/room set pri", ["private"]),
        ("/room set private ", ["on", "off"]),
        ("/room set history j", ["joined"]),
        ("/typing o", ["on", "off"]),
        ("/lang i", ["id"]),
        ("/help roo", ["rooms", "room"]),
        ("/upload ./a", []),
        ("//re", []),
        ("first\n/re", []),
        ("hello", []),
        ("", []),
        ("at 10:30", []),
        (":D", []),
        ("x :", []),
    ],
)
def test_candidates_are_of_what_is_begun(typed: str, shown: list[str]) -> None:
    assert words(typed) == shown


def test_no_candidate_can_write_to_the_terminal() -> None:
    assert words("@ev") == []
    assert words("/msg ev") == []


@pytest.mark.parametrize(
    ("typed", "cursor", "result"),
    [
        ("/rep", None, "/reply |"),
        ("hi @an, all", 6, "hi @ana |, all"),
        ("hi @an all", 6, "hi @ana| all"),
        ("/msg anto", None, '/msg "Anton B" |'),
        ("/join op", None, "/join ops |"),
        ("look #op", None, "look #ops |"),
        ("well :thumbs_u", None, "well \N{THUMBS UP SIGN}|"),
    ],
)
def test_taking_one_replaces_what_was_begun_and_nothing_else(typed: str, cursor: int | None, result: str) -> None:
    assert taken(typed, cursor) == result


def test_emoji_are_found_by_name_first_and_then_by_other_words() -> None:
    found = complete(":heart", 6, KNOWN)
    assert found is not None
    assert len(found.candidates) == MOST_SHOWN
    assert found.candidates[0].meaning.startswith("heart")
    assert words(":imp")[:1] == ["\N{SMILING FACE WITH HORNS}"]


@pytest.fixture
def _indonesian() -> Iterator[None]:
    assert not use("id")
    yield
    use("en")


def test_commands_come_with_arguments_and_meaning() -> None:
    by_word = {each.word: each for each in command_words()}
    assert by_word["/join"].arguments == "ROOM"
    assert "join a room" in by_word["/join"].meaning
    assert not {word for word in COMMANDS if not by_word[word].meaning} - {"/exit"}


@pytest.mark.usefixtures("_indonesian")
def test_and_in_the_language_of_the_user() -> None:
    by_word = {each.word: each for each in command_words()}
    assert by_word["/join"].arguments == "RUANG"


def test_thousands_of_names_are_no_more_than_one_pass() -> None:
    class Counting(str):
        __slots__ = ()
        folds = 0

        def casefold(self) -> str:
            Counting.folds += 1
            return super().casefold()

    names = tuple(Counting(f"guest {number}") for number in range(5_000))
    assert len(words("@guest 4999", KnownWords(names=names))) == 1
    assert Counting.folds == 5_000
    Counting.folds = 0
    assert len(words("@gue", KnownWords(names=names))) == MOST_SHOWN
    assert Counting.folds == MOST_SHOWN


@given(st.text('/@#:"\n ab_ö\U0001f44d', max_size=20) | st.text(max_size=20), st.integers(-2, 25))
def test_any_text_has_an_answer_that_can_be_taken(text: str, cursor: int) -> None:
    found = complete(text, cursor, KNOWN)
    if found is None:
        return
    assert 0 <= found.start <= found.end <= len(text)
    assert found.end == min(max(0, cursor), len(text))
    assert 1 <= len(found.candidates) <= MOST_SHOWN
    whole, at = found.taken()
    assert whole.startswith(text[: found.start])
    assert 0 <= at <= len(whole)
