"""PRECIS in bounded time: the same answers as the library's, and work that the length bounds."""

from __future__ import annotations

import contextlib
import unicodedata
from typing import Any

import pytest

from securechat.errors import Refusal
from securechat.text import names, precis
from securechat.text.confusables import skeleton
from securechat.text.names import MAX_KEY_CHARS, check_name, check_room, name_key, word_key
from securechat.text.passwords import check_password, normal_password
from securechat.text.precis import (
    NICKNAME_MAPPED,
    NICKNAME_PRESERVED,
    OPAQUE_STRING,
    TooLong,
    enforce,
    grows_beyond,
)

GROWS = "\ufdfa"
SAMPLES = [
    "ana", "Ä", "日本語", "عربى", "e\u0301", "ﬁ", "カ・", "・", "١٢٣", "۱۲۳", "١۱", "l·l", "L·l", "\u0375α", "\u0375a",
    "\u05d0\u05f3", "a\u05f3", "\u0915\u094d\u200d", "a\u200d", "\u0000", "\u200b", "", " ", "\u0378", "\U000e0001",
    "ǰ", "١١١۱", "・・a", "・・カ",
]  # fmt: skip


@pytest.mark.parametrize("profile", [NICKNAME_PRESERVED, NICKNAME_MAPPED, OPAQUE_STRING], ids=lambda each: each.name)
@pytest.mark.parametrize("text", SAMPLES, ids=ascii)
def test_the_answers_are_the_library_s(profile: Any, text: str) -> None:
    for _ in range(2):  # what is remembered changes nothing
        try:
            expected: object = profile.enforce(text)
        except UnicodeEncodeError as error:
            expected = error.reason
        try:
            found: object = enforce(profile, text, 100)
        except UnicodeEncodeError as error:
            found = error.reason
        assert found == expected


@pytest.fixture
def normalised(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lengths of all that comes out of a normalisation, in this order."""
    lengths: list[int] = []

    class Counting:
        def __getattr__(self, name: str) -> Any:
            return getattr(unicodedata, name)

        def normalize(self, form: Any, text: str) -> str:
            made = unicodedata.normalize(form, text)
            lengths.append(len(made))
            return made

    for module in (precis, names):
        monkeypatch.setattr(module, "unicodedata", Counting())
    for profile in (NICKNAME_PRESERVED, NICKNAME_MAPPED, OPAQUE_STRING):
        monkeypatch.setattr(profile.base, "ucd", Counting2(profile.base.ucd, lengths))
    return lengths


class Counting2:
    """Unicode's tables of the library, counted."""

    def __init__(self, ucd: Any, lengths: list[int]) -> None:
        self._ucd, self._lengths = ucd, lengths

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ucd, name)

    def normalize(self, form: str, text: str) -> str:
        made = self._ucd.normalize(form, text)
        self._lengths.append(len(made))
        return str(made)


@pytest.mark.parametrize(
    "judge", [check_name, check_room, name_key, word_key, skeleton], ids=lambda each: each.__name__
)
@pytest.mark.parametrize(
    "raw",
    [GROWS * 128, "a" + GROWS * 127, "ä" * 100 + GROWS * 28, "\u1ea4\u0344" * 64, GROWS * 256, "ä" * 5_000_000],
    ids=["grows", "grows later", "grows at the end", "decomposes", "longest on the wire", "novel"],
)
def test_a_name_costs_what_its_length_allows(judge: Any, raw: str, normalised: list[int]) -> None:
    if judge is word_key:
        raw = raw[:32]
    with contextlib.suppress(Refusal):
        judge(raw)
    assert sum(normalised) <= 8 * 256, "code points that came out of a normalisation"


@pytest.mark.parametrize("raw", ["\u1ea4" * 256, "\u0344" * 256, "\U0001d160" * 256, "x" * 600])
def test_a_password_costs_what_its_length_allows(raw: str, normalised: list[int]) -> None:
    with pytest.raises(Refusal):
        check_password(raw, "ana")
    assert normal_password(raw) == raw
    assert sum(normalised) <= 16 * 512


def test_rules_about_context_see_one_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each rule looks at the whole text: 64 times the same sign would be 64 looks."""
    seen: list[str] = []
    enforce_all = NICKNAME_MAPPED.base.enforce
    monkeypatch.setattr(
        NICKNAME_MAPPED.base, "enforce", lambda text, name: seen.append(text) or enforce_all(text, name)
    )
    assert check_room("・" * 63 + "カ") == "・" * 63 + "カ"
    assert [text.count("・") for text in seen] == [1]
    with pytest.raises(Refusal):
        check_room("・" * 64)
    with pytest.raises(Refusal):
        check_room("\u0661" * 30 + "\u06f1" * 30)


def test_the_table_of_allowed_code_points_is_bounded() -> None:
    for first in range(0x2A700, 0x2A700 + precis._MOST_REMEMBERED + 4_096, 32):
        check_name.__wrapped__("".join(chr(code) for code in range(first, first + 31) if chr(code).isalpha()) + "x")
        assert len(precis._ALLOWED) <= precis._MOST_REMEMBERED + 128


def test_nothing_long_is_remembered() -> None:
    before = names._remembered_key.cache_info().currsize
    for number in range(10):
        name_key("ä" * 10_000 + str(number))
    assert names._remembered_key.cache_info().currsize == before


def test_growth_is_told_before_all_of_it_has_grown() -> None:
    assert grows_beyond(GROWS * 8, 100)
    assert not grows_beyond("ä" * 1_000, 32)
    with pytest.raises(TooLong):
        enforce(NICKNAME_MAPPED, GROWS * 6, MAX_KEY_CHARS)


def test_the_letters_that_are_not_looked_up_are_allowed_in_every_position() -> None:
    ucd = NICKNAME_PRESERVED.base.ucd
    letters = [code for code in range(0x3400, 0x2A6D7) if precis._LETTERS.fullmatch(chr(code))]
    assert len(letters) > 80_000
    assert {precis.derived_property(code, ucd)[0] for code in letters} == {precis.PVALID}
