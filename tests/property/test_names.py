"""Names: what is stored stays as it is when it is checked again, and a key decides sameness once and for all."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from securechat.errors import Refusal
from securechat.limits import MAX_NAME_BYTES, MAX_NAME_CHARS, MAX_ROOM_CHARS
from securechat.text import names
from securechat.text.names import check_name, check_room, longest_known_name, name_key
from securechat.text.precis import NICKNAME_MAPPED, NICKNAME_PRESERVED
from securechat.text.sanitize import is_hostile, one_line, visible

ANY = st.text(st.characters(), max_size=40)
TRICKY = st.text(
    st.sampled_from(
        "aAzß_ -.İıſςσΣ1①Ⅳ\u0301\u0345\u0308\u0323가각\u3000\u00a0ＡａﬁǅԱև\u1e9e\u0587\u03b0ᾳ\U00010400ΰ\u1f80\ufb05"
    ),
    max_size=12,
)


@given(ANY | TRICKY)
@example("ǰ")
def test_a_stored_name_is_stable(typed: str) -> None:
    try:
        name = check_name(typed)
    except Refusal:
        return
    assert check_name(name) == name
    assert 0 < len(name) <= MAX_NAME_CHARS
    assert len(name.encode()) <= MAX_NAME_BYTES
    assert not is_hostile(name)
    assert visible(name) == name == one_line(name)
    assert name == name.strip()
    assert name_key(name_key(name)) == name_key(name)


@given(ANY | TRICKY)
def test_a_stored_room_is_stable(typed: str) -> None:
    try:
        room = check_room(typed)
    except Refusal:
        return
    assert check_room(room) == room == check_room(f"#{room}")
    assert 0 < len(room) <= MAX_ROOM_CHARS
    assert not is_hostile(room)
    assert " " not in room


@given(ANY | TRICKY, st.sampled_from(["upper", "lower", "swapcase", "title", "casefold"]))
def test_case_makes_no_other_name(typed: str, change: str) -> None:
    try:
        name = check_name(typed)
        other = check_name(getattr(name, change)())
    except Refusal:
        return
    assume(getattr(name, change)().casefold() == name.casefold())
    assert name_key(name) == name_key(other)


@given(TRICKY, st.sampled_from(["_", "  ", "__", "\u3000", "_ "]))
def test_separators_make_no_other_name(typed: str, separator: str) -> None:
    try:
        name = check_name(typed)
        other = check_name(name.replace(" ", separator))
    except Refusal:
        return
    assert name_key(name) == name_key(other)


@given(TRICKY)
def test_composition_and_width_make_no_other_name(typed: str) -> None:
    try:
        name = check_name(typed)
        others = [check_name(unicodedata.normalize(form, name)) for form in ("NFC", "NFD", "NFKC", "NFKD")]
    except Refusal:
        return
    assert {name_key(other) for other in others} == {name_key(name)}


@given(ANY)
def test_shown_text_is_never_hostile_and_showing_it_again_changes_nothing(text: str) -> None:
    shown = visible(text)
    assert visible(shown) == shown
    assert not any(unicodedata.category(char) in {"Cc", "Cs"} for char in shown.replace("\n", ""))
    assert one_line(text).splitlines() in ([], [one_line(text)])


@given(ANY, st.lists(TRICKY.filter(lambda name: any(map(str.isalnum, name))), max_size=4))
def test_a_split_loses_no_word(text: str, known: list[str]) -> None:
    found = longest_known_name(text, known)
    if found is None:
        assert not text.strip()
        return
    name, rest = found
    assert name
    assert text.rstrip().endswith(rest)


def test_hostile_names_are_refused_quickly() -> None:
    """The length is judged before Unicode's tables are asked: a name costs no more because it is long."""
    with pytest.raises(Refusal):
        check_name("\u0345\u0308" * 5_000_000)


@given(st.text(alphabet=st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=40))
def test_the_short_cut_for_ascii_is_the_profile(raw: str) -> None:
    if raw.strip():
        assert names._enforce(raw) == NICKNAME_PRESERVED.enforce(raw)
        folded = " ".join(raw.replace("_", " ").split())
        if folded:
            assert name_key(raw) == NICKNAME_MAPPED.enforce(folded)
