"""Mentions: word by word, each folded once, finds what trying every candidate finds."""

from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from securechat.errors import Refusal
from securechat.hub.messages.mentions import MOST_MENTIONS, mentioned
from securechat.limits import MAX_NAME_CHARS
from securechat.text.names import check_name, name_key, word_key

SIGNS = st.sampled_from("aAbß. ,:_@!\n…ﬁ가각\u0301\u0308\u3000\u00a0ＡǅİıςσΣ①ᾳ-(\ufdfa\u00a8")
TEXTS = st.text(SIGNS, max_size=60) | st.lists(st.sampled_from(["@a", "@b", " a", ".", "b ", "가", "_"])).map("".join)


def simply(text: str, known: dict[str, int]) -> tuple[int, ...]:
    """The rule as it is said: the longest of up to four words, then without the punctuation at its end."""
    found: dict[int, None] = {}
    for match in re.finditer(rf"(?<![\w@])@(\S[^\n@]{{0,{MAX_NAME_CHARS - 1}}})", text):
        rest = match[1]
        ends = [end.end() for end in re.finditer(r"(?<=\S)(?=\s|$)", rest)][:4]
        candidates = [form for end in reversed(ends) for form in (rest[:end], rest[:end].rstrip(".,;:!?)]}>'\"…"))]
        for candidate in candidates:
            if (sender_id := known.get(name_key(candidate))) is not None:
                found[sender_id] = None
                break
    return tuple(found)[:MOST_MENTIONS]


@given(TEXTS, st.lists(st.text(SIGNS, max_size=8) | st.sampled_from(["a", "a b", "가", "a."])))
@example("@a ¨b", ["a ¨b"])
def test_what_is_found_is_what_the_rule_says(text: str, names: list[str]) -> None:
    known: dict[str, int] = {}
    for name in names:
        try:
            known.setdefault(name_key(check_name(name)), len(known) + 1)
        except Refusal:
            continue
    assert mentioned(text, known.get) == simply(text, known)


@given(st.text(SIGNS, max_size=20))
def test_the_key_of_a_name_is_its_words_keys(typed: str) -> None:
    try:
        name = check_name(typed)
    except Refusal:
        return
    keys = [word_key(word) for word in name.split()]
    assert name_key(name) == " ".join(key for key in keys if key)
