#!/usr/bin/env python3
"""Writes the names of emoji that the page searches: ``securechat/web/emoji.en.json`` and ``emoji.id.json``.

The names are those of Unicode's CLDR, from PyPI's `emoji`. A file is a JSON list of groups; a group is one string with
a line for each emoji: the emoji, a space, its name, and in English, behind a tab, other words that find it. Skin tones
are left out, and so is what was added after 2023, because many systems cannot draw it yet.

The package tells no groups, so they are made from blocks of Unicode.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from emoji import EMOJI_DATA, STATUS, config

FOLDER = Path(__file__).resolve().parent.parent / "securechat" / "web"
LANGUAGES = ("en", "id")
_NEWEST = 15.1
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_PEOPLE, _NATURE, _FOOD, _TRAVEL, _THINGS, _SIGNS, _FLAGS = range(7)
_BLOCKS: Sequence[tuple[int, int, int]] = (
    # The first row that has the first character of an emoji decides; a group has its emoji in the order of these rows.
    (0x1F648, 0x1F64A, _NATURE),
    (0x1F600, 0x1F64F, _PEOPLE),
    (0x1F910, 0x1F92F, _PEOPLE),
    (0x1F970, 0x1F97A, _PEOPLE),
    (0x1FAE0, 0x1FAE9, _PEOPLE),
    (0x2639, 0x263A, _PEOPLE),
    (0x2763, 0x2764, _PEOPLE),
    (0x1F493, 0x1F49F, _PEOPLE),
    (0x1F446, 0x1F450, _PEOPLE),
    (0x1F90C, 0x1F939, _PEOPLE),
    (0x1F1E6, 0x1F1FF, _FLAGS),
    (0x1F3F3, 0x1F3F4, _FLAGS),
    (0x1F6A9, 0x1F6A9, _FLAGS),
    (0x1F3C1, 0x1F3C1, _FLAGS),
    (0x1F38C, 0x1F38C, _FLAGS),
    (0x1F9B0, 0x1F9BB, _PEOPLE),
    (0x1F9CD, 0x1F9E0, _PEOPLE),
    (0x1F440, 0x1F487, _PEOPLE),
    (0x1F48B, 0x1F48F, _PEOPLE),
    (0x1F491, 0x1F49F, _PEOPLE),
    (0x1F574, 0x1F575, _PEOPLE),
    (0x1F57A, 0x1F57A, _PEOPLE),
    (0x1F590, 0x1F596, _PEOPLE),
    (0x1FAC0, 0x1FAC5, _PEOPLE),
    (0x1FAE0, 0x1FAFF, _PEOPLE),
    (0x261D, 0x261D, _PEOPLE),
    (0x270A, 0x270D, _PEOPLE),
    (0x1F32D, 0x1F32F, _FOOD),
    (0x1F330, 0x1F335, _NATURE),
    (0x1F337, 0x1F343, _NATURE),
    (0x1F344, 0x1F37F, _FOOD),
    (0x1F336, 0x1F336, _FOOD),
    (0x1F950, 0x1F96F, _FOOD),
    (0x1F9C0, 0x1F9CB, _FOOD),
    (0x1FAD0, 0x1FADF, _FOOD),
    (0x2615, 0x2615, _FOOD),
    (0x1F400, 0x1F43F, _NATURE),
    (0x1F980, 0x1F9AE, _NATURE),
    (0x1FAB0, 0x1FABF, _NATURE),
    (0x1FACE, 0x1FACF, _NATURE),
    (0x1F490, 0x1F490, _NATURE),
    (0x2618, 0x2618, _NATURE),
    (0x1F300, 0x1F32C, _TRAVEL),
    (0x1F3D4, 0x1F3F0, _TRAVEL),
    (0x1F5FA, 0x1F5FF, _TRAVEL),
    (0x1F6AB, 0x1F6B3, _SIGNS),
    (0x1F6B7, 0x1F6BF, _SIGNS),
    (0x1F6C2, 0x1F6C5, _SIGNS),
    (0x1F680, 0x1F6FF, _TRAVEL),
    (0x2600, 0x2604, _TRAVEL),
    (0x26C4, 0x26C8, _TRAVEL),
    (0x26E9, 0x26F5, _TRAVEL),
    (0x2708, 0x2708, _TRAVEL),
    (0x1F4A2, 0x1F4A2, _SIGNS),
    (0x1F500, 0x1F506, _SIGNS),
    (0x1F519, 0x1F524, _SIGNS),
    (0x1F52F, 0x1F54E, _SIGNS),
    (0x1F550, 0x1F567, _SIGNS),
    (0x1F7E0, 0x1F7F0, _SIGNS),
    (0x1F000, 0x1F1FF, _SIGNS),
    (0x1F200, 0x1F2FF, _SIGNS),
    (0x1F000, 0x1FFFF, _THINGS),
    (0x26BD, 0x26BE, _THINGS),
    (0x26F7, 0x26FD, _THINGS),
    (0x2692, 0x2699, _THINGS),
    (0x231A, 0x231B, _THINGS),
    (0x23F0, 0x23F3, _THINGS),
    (0x260E, 0x260E, _THINGS),
    (0x2702, 0x270F, _THINGS),
    (0, 0xFFFF, _SIGNS),
)


def file_of(language: str) -> Path:
    """Return where the names in a language stand."""
    return FOLDER / f"emoji.{language}.json"


def made(language: str) -> str:
    """Return the content of the file with the names in a language."""
    config.load_language(language)
    groups: list[list[str]] = [[] for _ in range(7)]
    for sign in sorted(filter(_is_listed, EMOJI_DATA), key=_order):
        groups[_BLOCKS[_row_of(sign)][2]].append(f"{sign} {_name_of(sign, language)}")
    return json.dumps(["\n".join(lines) for lines in groups], ensure_ascii=False, indent=2) + "\n"


def _is_listed(sign: str) -> bool:
    data = EMOJI_DATA[sign]
    toned = any(ord(char) in _SKIN_TONES for char in sign)
    return data["status"] == STATUS["fully_qualified"] and data["E"] <= _NEWEST and not toned


def _order(sign: str) -> tuple[bool, int, str]:
    """Sort what is joined of several behind the rest: there are very many of it."""
    return "\u200d" in sign, _row_of(sign), sign


def _row_of(sign: str) -> int:
    if sign.endswith("\u20e3"):  # keycaps begin with a digit
        return len(_BLOCKS) - 1
    return next(row for row, (first, last, _) in enumerate(_BLOCKS) if first <= ord(sign[0]) <= last)


def _name_of(sign: str, language: str) -> str:
    data = EMOJI_DATA[sign]
    name = _plain(data[language])
    others = " ".join(_plain(alias) for alias in data.get("alias", ())) if language == "en" else ""
    more = [word for word in dict.fromkeys(others.split()) if word not in name.split()]
    return "\t".join(filter(None, (name, " ".join(more))))


def _plain(shortcode: str) -> str:
    return shortcode.strip(":").replace("_", " ").lower()


def main() -> int:
    """Write the files."""
    for language in LANGUAGES:
        file_of(language).write_text(made(language), encoding="utf-8", newline="\n")
        print(f"wrote {file_of(language).name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
