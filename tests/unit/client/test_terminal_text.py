"""The encoding of what is typed: UTF-8 in any locale, the locale's where it is no UTF-8; never replaced in silence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securechat.client.ui.input.terminal_text import SPLIT_BYTES, UNDECODED, TerminalText

LOCALES = ["utf-8", "ascii", "iso-8859-1", "iso-8859-15", "cp1252", "gbk", "koi8-r"]


@pytest.mark.parametrize("encoding", LOCALES)
@given(text=st.text(max_size=40))
def test_utf_8_is_understood_in_every_locale(encoding: str, text: str) -> None:
    one = TerminalText(encoding)
    assert one.decode(text.encode()) == text
    assert one.undecoded == 0


@pytest.mark.parametrize(
    ("encoding", "typed"),
    [
        ("iso-8859-1", "\u00fc"),
        ("iso-8859-1", "n\u00e9"),
        ("iso-8859-15", "5 \u20ac"),
        ("cp1252", "\u201cn\u00e9\u201d"),
        ("koi8-r", "\u0436 \u0438"),
        ("gbk", "\u4e2d\u6587"),
    ],
)
def test_what_is_no_utf_8_is_the_locales(encoding: str, typed: str) -> None:
    sent = typed.encode(encoding)
    one = TerminalText(encoding)
    assert [one.decode(sent), one.decode(b"a"), one.undecoded] == [typed, "a", 0]


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_what_is_no_text_at_all_is_counted(encoding: str) -> None:
    one = TerminalText(encoding)
    assert one.decode(b"caf\xe9 x") == f"caf{UNDECODED} x"
    assert one.undecoded == 1
    assert (one.decode(b"a"), one.undecoded) == ("a", 0)


def test_a_replacement_character_that_is_pasted_is_no_fault() -> None:
    one = TerminalText("utf-8")
    assert one.decode(f"a{UNDECODED}".encode()) == f"a{UNDECODED}"
    assert one.undecoded == 0


@pytest.mark.parametrize("encoding", LOCALES)
def test_a_long_paste_may_be_cut_within_a_character(encoding: str) -> None:
    sent = ("ж" * SPLIT_BYTES).encode()
    one = TerminalText(encoding)
    at = SPLIT_BYTES + 1
    assert one.decode(sent[:at]) + one.decode(sent[at:]) == "ж" * SPLIT_BYTES
    assert one.undecoded == 0


def test_a_character_that_comes_in_halves_is_one_in_utf_8() -> None:
    one = TerminalText("utf-8")
    assert one.decode(b"\xc3") + one.decode(b"\xa9") == "é"


def test_the_line_editor_gets_what_it_refuses_to_send() -> None:
    assert TerminalText("ascii", "surrogateescape").decode(b"\xe9") == "\udce9"
    assert TerminalText("ascii", "surrogateescape").decode("é".encode()) == "é"
