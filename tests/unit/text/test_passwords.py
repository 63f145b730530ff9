"""Which passwords are taken, which are the same, and that no sentence repeats one."""

from __future__ import annotations

import sys
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securechat.errors import ErrorCode, Refusal
from securechat.text import names, passwords
from securechat.text.passwords import (
    MAX_PASSWORD_CHARS,
    MIN_PASSWORD_CHARS,
    check_password,
    normal_password,
)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("tiga kata acak", "tiga kata acak"),
        ("Tiga Kata", "Tiga Kata"),
        (" tiga kata ", " tiga kata "),
        ("tiga\u00a0kata", "tiga kata"),
        ("tiga\u3000kata", "tiga kata"),
        ("e\u0301e\u0301e\u0301 kata", "ééé kata"),
        ("ＴＩＧＡ ｋａｔａ", "ＴＩＧＡ ｋａｔａ"),
        ("密码是一个秘密的词", "密码是一个秘密的词"),
        ("كلمة السر الطويلة", "كلمة السر الطويلة"),
        ("пароль мой", "пароль мой"),
        ("!@#$%^&*()", "!@#$%^&*()"),
        ("🐘🦏🐅🐒🦧🐊🐍🦎", "🐘🦏🐅🐒🦧🐊🐍🦎"),
        ("x" * 64 + "y" * 64, "x" * 64 + "y" * 64),
        ("ana ana1", "ana ana1"),
    ],
)
def test_good_passwords(typed: str, kept: str) -> None:
    assert check_password(typed, "ana") == kept
    assert normal_password(typed) == kept
    assert check_password(kept, "ana") == kept


SHORT = f"A password has at least {MIN_PASSWORD_CHARS} characters. Choose a longer one, such as three words"
LONG = f"A password has at most {MAX_PASSWORD_CHARS} characters. Choose a shorter one"
CONTROL = "A password cannot contain control characters, such as a tab or a line break. Type it again"
ODD = "A password cannot contain invisible or unassigned characters. Choose one without them"
NAME = "A password cannot be the name of its account. Choose another one"
ONE = "A password cannot be the same character again and again. Choose another one"
COMMON = "This password is one of the most common, which are tried first. Choose another one"
SENTENCES = {SHORT, LONG, CONTROL, ODD, NAME, ONE, COMMON}


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("", SHORT),
        ("x", SHORT),
        ("qwnkdju", SHORT),
        ("e\u0301" * 7, SHORT),
        ("xy" * 64 + "z", LONG),
        ("xy" * 10_000_000, LONG),
        ("tiga\tkata", CONTROL),
        ("tiga kata\n", CONTROL),
        ("tiga\x00kata", CONTROL),
        ("tiga\x1b[2Jkata", CONTROL),
        ("tiga\x9bkata", CONTROL),
        ("tiga\ud800kata", CONTROL),
        ("tiga\u200bkata", ODD),
        ("tiga\u202ekata", ODD),
        ("tiga\u0378kata", ODD),
        ("annelies b", NAME),
        ("ANNELIES B", NAME),
        ("Annelies_B", NAME),
        ("annelies  b", NAME),
        ("aaaaaaaa", ONE),
        ("aaaaAAAAaaaa", ONE),
        ("        ", ONE),
        ("____________", ONE),
        ("12345678", COMMON),
        ("password", COMMON),
        ("PassWord", COMMON),
        ("Indonesia45", COMMON),
        ("Sayangku", COMMON),
    ],
)
def test_refused_passwords(typed: str, sentence: str) -> None:
    with pytest.raises(Refusal) as caught:
        check_password(typed, "Annelies B")
    assert caught.value.code is ErrorCode.PASSWORD_INVALID
    assert caught.value.detail == sentence
    assert caught.value.retry_after_s is None


def test_a_refusal_carries_no_password() -> None:
    """Neither in its words nor in an exception behind it."""
    with pytest.raises(Refusal) as caught:
        check_password("raha" + "sia\u200bsekali", "ana")  # in two, because a traceback shows this line
    assert caught.value.__suppress_context__
    assert "rahasia" not in "".join(traceback.format_exception(caught.value))


def test_no_cache_keeps_a_password() -> None:
    before = names._remembered_key.cache_info().currsize
    for number in range(10):
        check_password(f"tiga kata acak {number}", "nobody else")
    assert names._remembered_key.cache_info().currsize <= before + 1, "the name, and no password"


@pytest.mark.parametrize(
    "typed", ["", "x", "12345678", "\x00", "\ud800", "tiga\u200bkata", "\u0301" * 100_000, "password"]
)
def test_a_login_is_never_judged(typed: str) -> None:
    assert normal_password(typed) == typed


@pytest.mark.parametrize("one", sorted(passwords._COMMON))
def test_the_list_holds_only_what_would_otherwise_be_taken(one: str) -> None:
    with pytest.raises(Refusal) as caught:
        check_password(one.upper(), "ana")
    assert caught.value.detail in (COMMON, ONE)
    assert one == one.casefold() == normal_password(one)


@given(st.text(st.characters(max_codepoint=sys.maxunicode), max_size=140))
def test_what_is_taken_is_what_a_login_finds(typed: str) -> None:
    normal = normal_password(typed)
    assert normal_password(normal) == normal
    try:
        kept = check_password(typed, "ana")
    except Refusal as refusal:
        assert refusal.code is ErrorCode.PASSWORD_INVALID
        assert refusal.detail in SENTENCES, "and so it repeats nothing of the password"
    else:
        assert kept == normal == check_password(kept, "ana")
        assert MIN_PASSWORD_CHARS <= len(kept) <= MAX_PASSWORD_CHARS
