"""Generated strings that try to harm a terminal: one number always gives the same string."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

_ESC, _ST, _BEL = "\x1b", "\x1b\\", "\x07"
_BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_INVISIBLE = "\u00ad\u034f\u115f\u180e\u200b\u200c\u200d\u2060\u2061\u2064\u206a\u3164\ufeff\ufff9\U000e0041\U000e007f"
_MARKS = "\u0300\u0301\u0308\u0323\u0336\u0489\u05b0\u0651\u0e49\u20dd\u20e3\ufe0e\ufe0f"
_WIDE = "漢字かなカナ한글！ＡＢ　＿"
_SCRIPTS = ("हिन्दी", "ไทยกำ", "العربية", "עברית", "தமிழ்", "ខ្មែរ", "မြန်မာ", "Ελληνικά", "кирил", "ᠮᠣᠩ")
_EMOJI = (
    "👩‍👩‍👧‍👦",
    "🏳️‍🌈",
    "👍🏽",
    "🇮🇩",
    "❤️",
    "☠︎",
    "🧑🏿‍🚀",
    "👁️‍🗨️",
    "🇮",
    "1️⃣",
    "#️⃣",
    "🏴\U000e0067\U000e0062\U000e007f",
    "\u200d👩",
    "👩\u200d",
    "\u2328\ufe0f",
    "\U0001fae8",
)
_MARKUP = (
    "[bold]x[/]",
    "[/]",
    "[red on blue]",
    "[@click=app.quit]q[/]",
    "[link=http://x]y[/link]",
    "{0}",
    "{x!r}",
    "{{}}",
    "%s%n",
    "$(id)",
    "`id`",
    "<ansired>x</ansired>",
    "<b>",
    "&lt;",
    "\\x1b[31m",
    "\\033]0;x\\a",
    "^[[2J",
    "[green",
    "fg:ansired",
    "[[",
    "]]",
    "\\[",
    "&#27;[2J",
)
_REPORTS = (
    "<0;5;5M",
    "<35;1;1m",
    "[<64;10;10M",
    "[M !!",
    "[200~",
    "[201~",
    "[I",
    "[O",
    "[1;1R",
    "?62;c",
    "[57441u",
    "]11;rgb:0/0/0",
)
_CONTROLS = "".join(map(chr, (*range(0x20), *range(0x7F, 0xA0)))).replace("\n", "")
_PLAIN = "abc xyz 019 .,-_~"
_FINALS = "ABCDEFGHIJKLMPSTXZ@`abcdefghilmnpqrstuvwxyz{|}~"


def _csi(chance: random.Random) -> str:
    start = chance.choice((_ESC + "[", "\x9b"))
    parameters = ";".join(str(chance.choice((0, 1, 2, 25, 47, 1000, 1049, 9999))) for _ in range(chance.randrange(4)))
    return (
        start
        + chance.choice(("", "?", ">", "<", "="))
        + parameters
        + chance.choice(("", " ", "!", "$", '"'))
        + chance.choice(_FINALS)
    )


def _string(chance: random.Random) -> str:
    """OSC, DCS, APC, PM and SOS, of 7 and 8 bit."""
    seven, eight = chance.choice((("]", "\x9d"), ("P", "\x90"), ("_", "\x9f"), ("^", "\x9e"), ("X", "\x98")))
    payload = chance.choice(
        (
            "0;pwned",
            "2;x",
            "52;c;eA==",
            "8;;http://x",
            "4;1;#fff",
            "9;hi",
            "777;notify;a;b",
            "99;;x",
            "q#1",
            "Gf=100;x",
            "+q436f",
            "$qm",
            "tmux;\x1b\x1b]0;x\x07",
        )
    )
    return chance.choice((_ESC + seven, eight)) + payload + chance.choice((_ST, _BEL, "\x9c", "", _ESC))


def _short_escape(chance: random.Random) -> str:
    return _ESC + chance.choice(
        ("c", "7", "8", "D", "E", "M", "H", "=", ">", "(0", ")B", "#8", "%G", "n", "o", "|", " F", "Z", "", "[")
    )


def _from(signs: str, most: int) -> Callable[[random.Random], str]:
    return lambda chance: "".join(chance.choice(signs) for _ in range(chance.randint(1, most)))


def _one_of(words: tuple[str, ...]) -> Callable[[random.Random], str]:
    return lambda chance: chance.choice(words)


def _pile(chance: random.Random) -> str:
    return chance.choice("ae漢👍 ") + "".join(chance.choice(_MARKS) for _ in range(chance.randint(1, 40)))


def _any(chance: random.Random) -> str:
    """Any code point, but no half of a surrogate pair, which the wire does not carry."""
    return "".join(
        chr(code)
        for code in (chance.randrange(0x110000) for _ in range(3))
        if not 0xD800 <= code <= 0xDFFF and code != 0x0A
    )


PARTS: tuple[Callable[[random.Random], str], ...] = (
    _csi,
    _csi,
    _string,
    _string,
    _short_escape,
    _from(_CONTROLS, 4),
    _from("\r\b\x00\t\x0b\x0c\x0e\x0f\x7f\x85\u2028\u2029", 4),
    _from(_BIDI, 4),
    _from(_INVISIBLE, 4),
    _pile,
    _from(_WIDE, 4),
    _one_of(_SCRIPTS),
    _one_of(_EMOJI),
    _one_of(_MARKUP),
    _one_of(_REPORTS),
    _from("⏎┆│─>-~[]", 3),
    _any,
    _from(_PLAIN, 6),
)


def hostile_string(number: int, *, most_chars: int = 24, newlines: bool = False) -> str:
    """Return the hostile string of a number."""
    chance = random.Random(number)
    parts = [chance.choice(PARTS)(chance) for _ in range(chance.randint(1, 4))]
    if newlines and chance.random() < 0.1:
        parts.insert(chance.randrange(len(parts) + 1), "\n" * chance.randint(1, 2))
    return "".join(parts)[:most_chars]


def hostile_strings(first: int, count: int, **options: int) -> Iterator[str]:
    """Return the strings of some numbers."""
    return (hostile_string(number, **options) for number in range(first, first + count))
