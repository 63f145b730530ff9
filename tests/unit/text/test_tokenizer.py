import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securechat.text.tokenizer import folded, has_link, marks, phrase_of, words_of

FOUND = [
    ("café in a CAFÉ", "cafe", ["café", "CAFÉ"]),
    ("cafe", "Café", ["cafe"]),
    ("cafe\u0301!", "café", ["cafe\u0301"]),
    ("đường phố Hà Nội", "duong", ["đường"]),
    ("tiếng Việt", "TIENG viet", ["tiếng Việt"]),
    ("Straße", "strasse", ["Straße"]),
    ("ΣΊΣΥΦΟΣ σίσυφος", "σισυφος", ["ΣΊΣΥΦΟΣ", "σίσυφος"]),
    ("Ёлка", "елка", ["Ёлка"]),
    ("İstanbul ISPARTA ılık", "istanbul", ["İstanbul"]),
    ("ılık", "ilik", ["ılık"]),
    ("ＣＡＦＥ", "cafe", ["ＣＡＦＥ"]),
    ("pelajaran ajaran belajar ajar", "ajar*", ["ajaran", "ajar"]),
    ("makanan enak", "makan*", ["makanan"]),
    ("我们明天开会", "会", ["会"]),
    ("我们明天开会", "明天", ["明天"]),
    ("我们明天开会", "明天开", ["明天开"]),
    ("東京都に住んでいます", "京都", ["京都"]),
    ("カタカナで書く", "カナ", ["カナ"]),
    ("ﾃｽﾄ", "テスト", ["ﾃｽﾄ"]),
    ("か\u3099くせい", "が", ["か\u3099"]),
    ("안녕하세요", "안녕", ["안녕"]),
    ("회의는 내일", "회의", ["회의"]),
    ("\u1112\u1161\u11ab글", "한글", ["\u1112\u1161\u11ab글"]),
    ("ไม่เป็นไร", "เป็น", ["เป็น"]),
    ("हिन्दी में", "हिन्दी", ["हिन्दी"]),
    ("قُرْآن", "قران", ["قُرْآن"]),
    ("ship it 🎉🎉", "🎉", ["🎉🎉"]),
    ("👩\u200d💻 and 👩", "👩", ["👩\u200d", "👩"]),
    ("see https://example.org/a?id=7", "example.org", ["example.org"]),
    ("see https://example.org/a?id=7", "https://example.org", ["https://example.org"]),
    ("call get_user_id(x)", "get_user", ["get_user"]),
    ("call get_user_id(x)", "user", ["user"]),
    ("one two three", "two thr*", ["two three"]),
    ("a b a b a", "a b a", ["a b a b a"]),
]
MISSED = [
    ("concatenate", "cat"),
    ("belajar", "ajar*"),
    ("one two three", "one three"),
    ("がくせい", "か"),
    ("हिन्दी", "ह"),
    ("x", "y"),
    ("", "y"),
    ("我们", "们我"),
]


@pytest.mark.parametrize(("text", "word", "spans"), FOUND)
def test_found(text, word, spans):
    assert [text[start:end] for start, end in marks(text, [word])] == spans


@pytest.mark.parametrize(("text", "word"), MISSED)
def test_missed(text, word):
    assert marks(text, [word]) is None


def test_all_words_must_be_there_and_their_marks_are_joined():
    assert marks("to be or not", ["not", "be"]) == [(3, 5), (9, 12)]
    assert marks("to be or not", ["not", "bee"]) is None
    assert marks("one two three", ["one two", "two three"]) == [(0, 13)]


def test_a_word_of_nothing_searchable_asks_for_nothing():
    assert marks("x", ["!?", "x"]) == [(0, 1)]
    assert phrase_of("* ++ *") == ([], False)


def test_a_star_means_nothing_after_a_character_that_is_a_word_of_its_own():
    assert phrase_of("明*") == (["明"], False)
    assert phrase_of("🎉*") == (["🎉"], False)
    assert phrase_of("me*") == (["me"], True)
    assert phrase_of("a*b*") == (["a", "b"], True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("see https://a.b", True), ("HTTP://X", True), ("xhttp://a", False), ("http:// a", False), ("http:", False)],
)
def test_links(text, expected):
    assert has_link(text) is expected


@given(st.text())
def test_no_text_folds_into_a_sign_of_the_index_or_a_surrogate(text):
    kinds = {unicodedata.category(char) for word in words_of(text) for char in word}
    assert not kinds & {"Co", "Cs", "Cn", "Zs", "Cc", "Po"}


@given(st.text())
def test_every_word_of_a_text_is_found_in_it_and_folding_again_changes_nothing(text):
    words = words_of(text)
    assert words_of(" ".join(words)) == words
    assert words_of(folded(text)) == words
    spans = marks(text, words)
    assert spans is not None
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(end < start for (_, end), (start, _) in pairwise(spans))


@pytest.mark.parametrize(
    "pile",
    ["\u0300\u0316", "\u0300" * 2_000 + "\u0316" * 1_980, "\u0327\u0301", "\u0f73", "\u0f81\u0316"],
    ids=["two classes", "two runs", "accents", "Tibetan", "both"],
)
def test_only_so_many_marks_are_put_in_order_together(pile, monkeypatch):
    """Counted, not timed: putting a pile of 4,000 in order takes 25 to 50 ms."""
    longest = 0

    def normalized(form, text):
        nonlocal longest
        run = 0
        for char in "".join(original("NFD", char) for char in text):
            run = run + 1 if unicodedata.combining(char) else 0
            longest = max(longest, run)
        return original(form, text)

    original = unicodedata.normalize
    monkeypatch.setattr(unicodedata, "normalize", normalized)
    text = "word a" + (pile * 4_000)[:3_980] + " other"
    assert words_of(text)[0] == "word"
    assert words_of(text)[-1] == "other"
    assert marks(text, ["other"]) == [(len(text) - 5, len(text))]
    assert longest <= 60


@given(st.text(alphabet="ab \u0301é가각\u1100\u1161\u11a8かが\u3099明👩\u200d-É", max_size=12))
def test_composed_or_not_a_text_has_the_same_words(text):
    assert words_of(unicodedata.normalize("NFD", text)) == words_of(unicodedata.normalize("NFC", text))
