"""Names of files: cleaned once, they stay; and whatever was sent, a saved file is in the folder where it belongs."""

from __future__ import annotations

import ntpath
import posixpath
import unicodedata
from pathlib import PureWindowsPath

from hypothesis import assume, example, given
from hypothesis import strategies as st

from securechat.limits import MAX_FILE_NAME_BYTES, MAX_FILE_NAME_CHARS
from securechat.text.file_names import clean_name, save_name
from securechat.text.sanitize import is_blank, is_hostile, one_line, visible

ANY = st.text(st.characters(), max_size=300)
TRICKY = st.text(
    st.sampled_from(
        'aCONcon12$.. -~_/\\:*?"<>|\n\t\x00\x1f\x7f\u200b\u200c\u200d\u202e\u2066\u2028\ufeff\u0301\u0323\u0345\u20dd'
        "\u1100\u1161\u11a8\u09c7\u09be\u0958\u1e9b\u212b\u2800\u3000\ud800\U0001f1ee\U0001f44d\U0001f3fd\u23ce\u2506\ufe0f"
        "\U000e0067\U0001fffe"
    ),
    max_size=300,
)
BLANKS = set("\U00013441\U00013442")
"""Hieroglyphs that are empty."""
RAW = ANY | TRICKY | st.tuples(TRICKY, st.sampled_from([".lnk", ".txt", ".x" * 70, "."])).map("".join)


@given(RAW)
@example("e\u200b\u0301")
@example("\u09c7" + "\u0301" * 9 + "\u09be")
def test_a_kept_name_is_stable_and_shown_as_it_is(raw: str) -> None:
    name = clean_name(raw)
    assert clean_name(name) == name
    assert 0 < len(name) <= MAX_FILE_NAME_CHARS
    assert len(name.encode()) <= MAX_FILE_NAME_BYTES
    assert visible(name) == name == one_line(name)
    assert not is_hostile(name)
    assert unicodedata.is_normalized("NFC", name)
    assert "/" not in name
    assert "\\" not in name
    assert name == " ".join(name.split())
    assert name not in (".", "..")


@given(RAW)
@example("con")
@example(". -con")
@example("x" * 200 + ".lnk")
def test_a_saved_name_is_one_name_on_every_system(raw: str) -> None:
    name = save_name(raw)
    assert save_name(name) == name == clean_name(name)
    assert posixpath.basename(name) == name == ntpath.basename(name)
    assert posixpath.normpath(posixpath.join("/home/ana/Downloads", name)) == f"/home/ana/Downloads/{name}"
    assert ntpath.normpath(ntpath.join("C:\\Downloads", name)) == f"C:\\Downloads\\{name}"
    assert not PureWindowsPath(name).is_reserved()
    assert name[0] not in ".-~ "
    assert name[-1] not in ". "
    assert 0 < len(name) <= MAX_FILE_NAME_CHARS
    assert len(name.encode()) <= MAX_FILE_NAME_BYTES


@given(
    st.text(
        st.characters(categories=("L", "N"), exclude_characters="\u115f\u1160\u3164\uffa0"), min_size=1, max_size=30
    )
)
def test_an_ordinary_name_stays(stem: str) -> None:
    name = unicodedata.normalize("NFC", f"{stem}.pdf")
    assume(not is_hostile(name) and not is_blank(stem) and not set(stem) & BLANKS)
    assert clean_name(name) == name
