"""Names of files: what is kept and shown, and what is safe on any disk."""

from __future__ import annotations

import unicodedata

import pytest

from securechat.limits import MAX_FILE_NAME_BYTES, MAX_FILE_NAME_CHARS
from securechat.text.file_names import UNNAMED, clean_name, numbered, save_name

WOMAN_AT_COMPUTER = "\U0001f469\u200d\U0001f4bb"
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("report.pdf", "report.pdf"),
        ("/etc/passwd", "passwd"),
        ("../../x.sh", "x.sh"),
        ("C:\\Users\\ana\\photo.jpg", "photo.jpg"),
        ("folder/", "folder"),
        ("a/..", UNNAMED),
        ("..", UNNAMED),
        ("", UNNAMED),
        (" \u200b\u202e ", UNNAMED),
        ("\u2800\u2800", UNNAMED),
        ("///", UNNAMED),
        (".bashrc", ".bashrc"),
        ("name.txt. . .", "name.txt"),
        ("  two   words .txt", "two words .txt"),
        ("line\nbreak\r\n.txt", "line break .txt"),
        ("in\u202egpj.exe", "ingpj.exe"),
        ("photo.jpg\u2800\u2800\u2800\u3000\u00a0 .exe", "photo.jpg .exe"),
        ("\x1b[31mred\x07.txt", "[31mred.txt"),
        ("nul\x00byte.txt", "nulbyte.txt"),
        ("lone\ud800surrogate\udcff.txt", "lonesurrogate.txt"),
        ("tag\U000e0041s\U0001fffe\ufffe.txt", "tags.txt"),
        ("end\u23ceof\u2506line.txt", "endofline.txt"),
        ("e\u0301te\u0301.txt", "\xe9t\xe9.txt"),
        ("e\u200b\u0301.txt", "\xe9.txt"),  # what was between them is taken out, then they are one letter
        ("\u0301mark.txt", "mark.txt"),
        ("\u200dj\u200c\u200d\u200coin\u200d", "j\u200coin"),
        (f"{WOMAN_AT_COMPUTER}.png", f"{WOMAN_AT_COMPUTER}.png"),
        ("\u0646\u0627\u0645\u0647\u200c\u0647\u0627.pdf", "\u0646\u0627\u0645\u0647\u200c\u0647\u0627.pdf"),
        ("x" + "\u0300" * 50 + ".txt", "x" + "\u0300" * 8 + ".txt"),
        ("~user", "~user"),
        ("-rf", "-rf"),
        ("CON", "CON"),
    ],
)
def test_a_name_is_cleaned(raw: str, name: str) -> None:
    # NFC may join the first mark of a pile with its letter, so names are compared in it.
    assert clean_name(raw) == unicodedata.normalize("NFC", name)


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("report.pdf", "report.pdf"),
        ("CON", "_CON"),
        ("con.txt", "_con.txt"),
        ("Com\xb9.tar.gz", "_Com\xb9.tar.gz"),
        ("LPT0", "_LPT0"),
        ("nul .txt", "_nul .txt"),
        ("CONIN$", "_CONIN$"),
        ("console.txt", "console.txt"),
        ("_con", "_con"),
        (".bashrc", "bashrc"),
        ("-rf", "rf"),
        ("--.-x", "x"),
        ("~", UNNAMED),
        ("~root", "root"),
        (". -con", "_con"),
        ("-\u0301x", "x"),
        ("a:b", "a_b"),
        ('a<b>c|d?e*f"g', "a_b_c_d_e_f_g"),
        ("movie.lnk", "movie.lnk.download"),
        ("movie.URL", "movie.URL.download"),
        ("lnk", "lnk"),
        (".lnk", "lnk"),
        ("a/../../etc/cron.d/x", "x"),
        ("..", UNNAMED),
    ],
)
def test_a_name_is_made_safe_for_a_disk(raw: str, name: str) -> None:
    assert save_name(raw) == name


@pytest.mark.parametrize("letter", ["a", "\xe9", "\u4e2d", "\U0001f600", FAMILY, "e\u0323\u0302"])
@pytest.mark.parametrize("ending", ["", ".pdf", ".tar.gz", ".a sentence of words behind a full stop"])
def test_a_long_name_is_cut_between_characters_and_keeps_its_ending(letter: str, ending: str) -> None:
    letter = unicodedata.normalize("NFC", letter)
    name = clean_name(letter * 300 + ending)
    assert len(name) <= MAX_FILE_NAME_CHARS
    assert len(name.encode()) <= MAX_FILE_NAME_BYTES
    rest = ending if len(ending) <= 20 else ""
    rest = f".{rest.rpartition('.')[2]}" if rest else ""
    stem = name.removesuffix(rest)
    assert name.endswith(rest)
    assert stem.removesuffix(".tar").replace(letter, "") == ""
    assert len(name) > MAX_FILE_NAME_CHARS - 12 or len(name.encode()) > MAX_FILE_NAME_BYTES - len(letter.encode()) - 1


def test_an_endless_name_costs_little() -> None:
    name = clean_name("x" * 10_000_000 + ".pdf")
    assert name == "x" * (MAX_FILE_NAME_CHARS - 4) + ".pdf"


@pytest.mark.parametrize(
    "stem", ["report", "a", "\N{CYRILLIC SMALL LETTER YA}" * 126, "x" * 200, "\N{WAVING HAND SIGN}\U0001f3fd" * 60]
)
@pytest.mark.parametrize("ending", [".pdf", "", "." + "\N{CYRILLIC SMALL LETTER YA}" * 126])
def test_a_numbered_name_is_as_short_as_a_name(stem: str, ending: str) -> None:
    name = numbered(clean_name(stem + ending), 12)
    assert len(name) <= MAX_FILE_NAME_CHARS
    assert len(name.encode()) <= MAX_FILE_NAME_BYTES
    assert " (12)" in name
    assert clean_name(name) == name


def test_the_number_stands_before_the_ending() -> None:
    assert numbered("report.pdf", 1) == "report (1).pdf"
    assert numbered("Makefile", 2) == "Makefile (2)"
