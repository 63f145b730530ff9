"""Signs of reactions: whatever has a visible character is shown, and nothing else is, in whatever order it stands."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from securechat.errors import ErrorCode
from securechat.limits import MAX_SIGN_CHARS
from securechat.model import Acked, React, Refused, Say
from securechat.text.sanitize import is_blank, is_hostile
from tests.support.hub_rig import HubRig

NOTHING = [
    "\u200c", "\u200d", "\ufe0e", "\ufe0f", "\ufe00", "\u2800", "\u0301", "\u0308", "\u0903", "\u20e3", "\u20dd",
    " ", "\u00a0", "\u2003", "\u3000", "\u1680", "\U00013441", "\U0001d159", "\u3164", "\u115f", "\u00ad", "\u180b",
    "\u200b", "\u2060", "\u2064", "\ufeff", "\u034f", "\U000e0100", "\U000e0067",
]  # fmt: skip
"""What shows nothing by itself: Default_Ignorable_Code_Point, White_Space, marks of all three kinds, and blanks."""
EMOJI = [
    "\U0001f44d", "\U0001f44d\U0001f3fd", "\u2764\ufe0f", "\u2764\ufe0f\u200d\U0001f525", "1\ufe0f\u20e3",
    "#\ufe0f\u20e3", "\U0001f1ee\U0001f1e9", "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
    "\U0001f3f3\ufe0f\u200d\U0001f308", "\U0001f3f4\u200d\u2620\ufe0f",
    "\U0001f9d1\U0001f3fb\u200d\U0001f91d\u200d\U0001f9d1\U0001f3ff", "\U0001f3fd", "\u00a9\ufe0f", "\u2049\ufe0f",
    "\U0001fae8", "\U0001fabf", "\U0001fadc", "+1", "ok", "\u0e01\u0e33", "\u0915\u094d\u0937", "e\u0301", "\u0633",
    "\u5de5", "\u28ff",
]  # fmt: skip
"""Sequences of emoji-test.txt (Unicode 16): skin tones, ZWJ, keycaps, flags; and words of several scripts."""


@given(st.lists(st.sampled_from(NOTHING), min_size=1, max_size=MAX_SIGN_CHARS).map("".join))
def test_what_shows_nothing_is_blank_in_any_mixture(text: str) -> None:
    assert is_blank(text)


@given(st.lists(st.sampled_from(NOTHING), max_size=4), st.sampled_from(EMOJI), st.lists(st.sampled_from(NOTHING)))
def test_what_has_a_visible_character_is_not_blank(before: list[str], sign: str, after: list[str]) -> None:
    assert not is_blank("".join([*before, sign, *after]))
    assert not is_hostile(sign)


@given(st.text(max_size=MAX_SIGN_CHARS))
@example("\u200d\ufe0f")
def test_letters_numbers_symbols_and_punctuation_are_never_blank(text: str) -> None:
    drawn = [char for char in text if unicodedata.category(char)[0] in "LNPS"]
    shown = [char for char in drawn if not is_blank(char)]
    assert is_blank(text) <= (not shown)
    assert not {char for char in drawn if is_blank(char)} - set(
        "\u2800\u3164\u115f\u1160\uffa0\U00013441\U00013442\U0001d159\u2506"
    )


@pytest.mark.parametrize("sign", [each for each in NOTHING if each != " "])
def test_a_reaction_that_shows_nothing_is_refused(sign: str) -> None:
    rig = HubRig()
    ann = rig.member("ann")
    rig.do(ann, Say(1, "lobby", "hello"))
    rig.do(ann, React(2, rig.fed[0].seq, sign, room="lobby"))
    assert (ann.last(Refused).code, ann.last(Refused).reason) == (ErrorCode.INVALID, "reaction_invisible")


def test_every_real_emoji_is_taken() -> None:
    rig = HubRig()
    ann = rig.member("ann")
    rig.do(ann, Say(1, "lobby", "hello"))
    for cid, sign in enumerate(EMOJI, 2):
        rig.do(ann, React(cid, rig.fed[0].seq, sign, room="lobby"))
        assert ann.last(Acked).client_id == cid, (sign, ann.events[-1])
