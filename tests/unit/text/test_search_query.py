import pytest
from hypothesis import given
from hypothesis import strategies as st

from securechat.errors import ErrorCode, Refusal
from securechat.text.search_query import ParsedSearch, parse, unknown_filters, utc_days

NOW_MS = 1_795_179_600_123  # 2026-11-20 13:00 UTC
DAY_MS = 86_400_000
TODAY_MS = NOW_MS - NOW_MS % DAY_MS


def asked(**parts):
    return ParsedSearch(**parts)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("deploy", asked(words=("deploy",))),
        ("  deploy   now ", asked(words=("deploy", "now"))),
        ('deploy* "two words"', asked(words=("deploy*", "two words"))),
        ('"two wor"*', asked(words=("two wor*",))),
        ('"two wor*"', asked(words=("two wor*",))),
        ('"without an end', asked(words=("without an end",))),
        ('say "hi"there', asked(words=("say", "hi", "there"))),
        ("deploy ++", asked(words=("deploy",))),
        ('"-rf"', asked(words=("-rf",))),
        ("pre-release a - b --send -5", asked(words=("pre-release", "a", "b", "--send", "-5"))),
        ("from:ana", asked(senders=("ana",))),
        ("FROM:Ana from:@bo x", asked(words=("x",), senders=("Ana", "bo"))),
        ('from:"user1 pc"', asked(senders=("user1 pc",))),
        ("in:#ops in:lobby", asked(rooms=("#ops", "lobby"))),
        ("has:link HAS:LINKS", asked(has_link=True)),
        ("https://example.org/?from:x", asked(words=("https://example.org/?from:x",))),
        ("std::move note:this fromage:x", asked(words=("std::move", "note:this", "fromage:x"))),
        ('"from:ana"', asked(words=("from:ana",))),
        ("after:2026-11-20", asked(after_ms=TODAY_MS)),
        ("after:today", asked(after_ms=TODAY_MS)),
        ("before:yesterday", asked(before_ms=TODAY_MS - DAY_MS)),
        ("after:2026-11", asked(after_ms=TODAY_MS - 19 * DAY_MS)),
        ("before:1970", asked(before_ms=0)),
        ("before:1969-1-1", asked(before_ms=0)),
        ("after:2024-02-29", asked(after_ms=1_709_164_800_000)),
        ("after:2025 after:2026-11-20 before:2026-11-21", asked(after_ms=TODAY_MS, before_ms=TODAY_MS + DAY_MS)),
    ],
)  # fmt: skip
def test_taken_apart(text, expected):
    assert parse(text, utc_days(NOW_MS)) == expected


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "Give a word"),
        ('  "" ', "Give a word"),
        ("!?", "Give a word"),
        ("from: ana", "from:ana"),
        ('in:""', "in:#ops"),
        ("has:cheese", "has:link"),
        ("deploy -failed", "cannot leave out words"),
        ('deploy -"two words"', "cannot leave out words"),
        ("-from:ana x", "cannot leave out words"),
        ("-é", "cannot leave out words"),
        ("before:soon", "2026-11-20"),
        ("before:2026-02-30", "2026-11-20"),
        ("before:2026-13", "2026-11-20"),
        ("before:0000", "2026-11-20"),
        ("before:２０２６", "2026-11-20"),
        ("a " * 21, "at most 20 words"),
        ("in:a " * 21, "at most 20 filters"),
    ],
)
def test_refused_with_what_to_do(text, hint):
    with pytest.raises(Refusal) as refused:
        parse(text, utc_days(NOW_MS))
    assert refused.value.code is ErrorCode.QUERY_INVALID
    assert hint in refused.value.detail


PIECES = st.sampled_from(
    ["from:", "in:", "before:", "after:", "has:", '"', "*", " ", "#", "2026", "-", "today", "link", "é", ":"]
)


@given(st.one_of(st.text(max_size=500), st.lists(st.one_of(PIECES, st.text(max_size=3)), max_size=40).map("".join)))
def test_any_text_is_a_search_or_refused(text):
    try:
        found = parse(text, utc_days(NOW_MS))
    except Refusal as refusal:
        assert refusal.code is ErrorCode.QUERY_INVALID
    else:
        assert found != ParsedSearch()
        assert all(found.senders)
        assert all(found.rooms)


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("to:ana form:budi TO:x", ["to", "form"]),
        ("to: ana", ["to"]),
        ('by:"user1 pc"', ["by"]),
        ("from:ana in:#ops before:2026 after:2026 has:link", []),
        ("https://example.org std::move 12:30 a:b note:-) mailto:", ["mailto"]),
        ("localhost:8443 see:@ana since:2026-11", ["see", "since"]),
        ('"to:ana" from:"to:ana"', []),
    ],
)
def test_what_looks_like_a_filter_and_is_none_is_named(typed: str, names: list[str]) -> None:
    assert unknown_filters(typed) == names
