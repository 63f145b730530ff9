"""Whom a text names, and how little a text can make the search cost."""

from __future__ import annotations

import pytest

from securechat.hub.messages import mentions
from securechat.hub.messages.mentions import MOST_MENTIONS, mentioned
from securechat.text.names import name_key, word_key

GROWS = "\ufdfa"
"""One code point that NFKC makes 18 of."""


def people(*names: str) -> dict[str, int]:
    return {name_key(name): number for number, name in enumerate(names, 1)}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("@ana, look", ["ana"]),
        ("look, @ANA!", ["ana"]),
        ("@user1 pc, can you?", ["user1 pc"]),
        ("@user1_pc (can you?)", ["user1 pc"]),
        ("@user1 pc.", ["user1 pc"]),
        ("@user1 tc", ["user1"]),
        ("@user1 the third of all", ["user1 the third of"]),
        ("@홍길동 님, 안녕", ["홍길동"]),
        ("@ＡＮＡ", ["ana"]),
        ("@E\u0301va", ["éva"]),
        ("@\ufb01n", ["fin"]),
        ("@dots...", ["dots..."]),
        ("@dots....", []),
        ("(@ana) mail@ana @@ana @nobody @user1\npc", ["ana", "user1"]),
        ("@ana @ana @홍길동", ["ana", "홍길동"]),
        ("@", []),
        ("@ ana @_ @\u3000", []),
    ],
)
def test_names_are_found(text: str, found: list[str]) -> None:
    there = people("ana", "user1", "user1 pc", "user1 the third of", "홍길동", "éva", "fin", "dots...")
    assert mentioned(text, there.get) == tuple(there[name_key(name)] for name in found)


@pytest.mark.parametrize("name", ["user{}", "user {} of four", "사람 {}", "Éva_{}"])
def test_two_hundred_honest_mentions_are_looked_for(name: str) -> None:
    """A long text may name many who are not here before it names those who are."""
    names = [name.format(number) for number in range(200)]
    text = " ".join(f"@{each}," for each in names)
    there = people(*names[-MOST_MENTIONS:])
    assert len(text) <= 4_000
    assert mentioned(text, there.get) == tuple(there.values())


def test_only_the_first_are_counted() -> None:
    names = [f"user{number}" for number in range(MOST_MENTIONS + 5)]
    there = people(*names)
    assert mentioned(" ".join(f"@{each}" for each in names), there.get) == tuple(range(1, MOST_MENTIONS + 1))


def letters(number: int, length: int = 1) -> str:
    return "".join(chr(0xAC00 + (number * length + at) % 11_172) for at in range(length))


HOSTILE = {
    "words that grow": "".join(f"@{GROWS * 5}{letters(n)}. {GROWS * 5} {GROWS * 5}, {GROWS * 5}. " for n in range(150)),
    "words that just may be part of a name": "".join(f"@{GROWS * 5}{letters(n, 2)} " for n in range(440)),
    "one word that grows": "".join(f"@{GROWS * 30}{letters(n)} " for n in range(121)),
    "candidates": "".join(f"{'' if n % 4 else '@'}{letters(n)}. " for n in range(1_300)),
    "ASCII": "@a, b, c, d, " * 307,
    "words that grow just enough": "".join(
        f"@{GROWS * 4}{letters(n)} {GROWS * 4}{letters(n + 5_000)} " for n in range(400)
    ),
    "nothing but signs": "@ä " * 1_333,
}


@pytest.mark.parametrize("text", [text[:4_000] for text in HOSTILE.values()], ids=list(HOSTILE))
def test_what_a_text_can_cost_is_bounded(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted, not timed: candidates looked for, words folded, code points that come out of it."""
    folded: list[str] = []
    looked_for: list[str] = []

    def counted(word: str) -> str | None:
        key = word_key(word)
        folded.append(key or "")
        return key

    monkeypatch.setattr(mentions, "word_key", counted)
    assert mentioned(text, looked_for.append) == ()
    assert len(looked_for) <= 1_000 + 8
    assert max(map(len, looked_for), default=0) <= 4 * 96 + 3
    assert len(folded) <= 2 * len(text.split()) + 1
    assert sum(map(len, folded)) <= 8_000 + 200 + len(text)


def test_so_many_positions_of_a_text_are_looked_at() -> None:
    """Each place costs more than a candidate does, however short the words are."""
    looked_for: list[str] = []
    mentioned(" ".join(f"@\U0001f600{chr(0x20000 + n)}" for n in range(1_000)), looked_for.append)
    assert len(looked_for) == 400


def test_a_word_is_folded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    folded: list[str] = []
    monkeypatch.setattr(mentions, "word_key", lambda word: folded.append(word) or word)
    mentioned("@ö. ä, ü; ß! " * 300, lambda key: None)
    assert sorted(folded) == sorted(set(folded))
