"""Colours and attributes of every style, for the line mode and the screen alike.

A theme never says a thing by colour alone: `SAID_BY_TEXT` lists the styles that the text itself tells apart, every
other one has bold, underline or reverse too. A person has the colour of the page (`securechat/web/style.css`), by
number. The colours of dark, light and contrast have a contrast to every background behind them of at least 4.5:1, in
contrast 7:1 (WCAG 2.2, 1.4.3 and 1.4.6), at 24 bits and at 256 colours; a terminal's 16 colours are its user's own.

No I/O: the environment and the terminal's answers are arguments.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from functools import cache

from msgspec import Struct
from msgspec.structs import replace

from securechat.client.ui.rows.styled_text import TextStyle

PERSON_COLORS = 8
"""Colours for people, as of the page: message_row.js has the same number."""
SAID_BY_TEXT = frozenset(
    {
        TextStyle.DIM,  # no meaning of its own
        TextStyle.NOTICE,  # begins with a mark
        TextStyle.CODE,  # between backticks, or on rows of its own
        TextStyle.KEYWORD,
        TextStyle.STRING,
        TextStyle.COMMENT,
        TextStyle.NUMBER,
        TextStyle.QUOTE,  # on a row of its own, behind a mark
        TextStyle.EDITED,  # says "edited" or "deleted"
        TextStyle.REACTION,  # an emoji with a count
        TextStyle.DAY,  # a date on a row of its own
    }
)
"""Styles whose text is enough; the others look different without any colour."""
TEXT_CONTRAST = 4.5
"""Least contrast of text to its background, WCAG 2.2, 1.4.3."""
HIGH_CONTRAST = 7.0
"""Least contrast of text in the theme `contrast`, WCAG 2.2, 1.4.6."""
_TRUE_COLOR_TERMS = re.compile(r"kitty|foot|alacritty|wezterm|ghostty|contour|-direct\b")
_COLORLESS_TERMS = frozenset({"dumb", "unknown"})
_DIGITS = "([0-9a-f]{1,4})"
_REPORTED = re.compile(rf"rgba?:{_DIGITS}/{_DIGITS}/{_DIGITS}(?:/{_DIGITS})?|#([0-9a-f]{{6}})", re.IGNORECASE)
_FIRST_KNOWN = 16
"""Of 256: those before are the user's own."""
_FIRST_GREY = 232
_CUBE = (0, 95, 135, 175, 215, 255)


class ColorDepth(Enum):
    """How many colours a terminal has."""

    TRUE = "true"
    """24 bits."""
    INDEXED = "indexed"
    """256, by index."""
    ANSI = "ansi"
    """16, by index."""
    NONE = "none"


class ThemeName(Enum):
    """The themes, by the words that settings use."""

    DARK = "dark"
    LIGHT = "light"
    CONTRAST = "contrast"
    TERMINAL = "terminal"
    """The terminal's own 16 colours, and its background."""
    NONE = "none"
    """No colour: bold, underline and reverse alone."""


class Look(Struct, frozen=True, gc=False):
    """How a part of a row looks.

    Attributes:
        foreground: 0xRRGGBB at ColorDepth.TRUE, an index at INDEXED and ANSI; None is the terminal's own.
        background: likewise.
    """

    foreground: int | None = None
    background: int | None = None
    bold: bool = False
    dim: bool = False
    italic: bool = False
    underline: bool = False
    reverse: bool = False


class Theme:
    """What every style looks like at one depth of colour.

    Args:
        name: which one.
        depth: what the terminal can.
        base: of text without a style, and of empty cells.
        looks: of each style, over the base.
        people: colours, by `person_color`.
    """

    def __init__(
        self, name: ThemeName, depth: ColorDepth, base: Look, looks: Mapping[TextStyle, Look], people: Sequence[int]
    ) -> None:
        self.name = name
        self.depth = depth
        self.base = base
        """Of a whole screen. The line mode takes the foreground and the background of styles alone."""
        self._looks = looks
        self._people = people
        self._made: dict[tuple[tuple[TextStyle, ...], int], Look] = {}

    def look(self, styles: Sequence[TextStyle], person: int = 0) -> Look:
        """Return how a part with these styles looks: the last foreground counts, and the background of SELECTED.

        Args:
            styles: as of `TextSegment`; a foreground or background of None is the base's.
            person: the sender_id for the colour of a name; 0 for none.
        """
        colored = person_color(person) if person else -1
        key = (tuple(styles), colored)
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = self._merged(key[0], colored)
        return made

    def _merged(self, styles: tuple[TextStyle, ...], colored: int) -> Look:
        looks = [self._of_style(style, colored) for style in styles]
        if TextStyle.SELECTED in styles:
            looks.append(replace(self._looks[TextStyle.SELECTED], foreground=None))
        return Look(
            next((each.foreground for each in reversed(looks) if each.foreground is not None), None),
            next((each.background for each in reversed(looks) if each.background is not None), None),
            bold=any(each.bold for each in looks),
            dim=any(each.dim for each in looks),
            italic=any(each.italic for each in looks),
            underline=any(each.underline for each in looks),
            reverse=any(each.reverse for each in looks),
        )

    def _of_style(self, style: TextStyle, colored: int) -> Look:
        look = self._looks.get(style, Look())
        if style in {TextStyle.NAME, TextStyle.OWN_NAME} and colored >= 0 and self._people:
            return replace(look, foreground=self._people[colored])
        return look


_ATTRIBUTES = {
    TextStyle.FOUND: Look(bold=True, underline=True),
    TextStyle.NAME: Look(bold=True),
    TextStyle.OWN_NAME: Look(bold=True),
    TextStyle.ERROR: Look(bold=True),
    TextStyle.MENTION: Look(bold=True, underline=True),
    TextStyle.DIRECT: Look(bold=True),
    TextStyle.LINK: Look(underline=True),
    TextStyle.UNREAD: Look(bold=True),
    TextStyle.KEY: Look(bold=True),
    TextStyle.SELECTED: Look(reverse=True),
}
"""What a style has in every theme; SELECTED has a background instead of `reverse` where there is one."""


class _Colors(Struct, frozen=True):
    """The colours of one theme at 24 bits.

    Attributes:
        ground: behind everything.
        text: without a style.
        quiet: of what is less important.
        accent: of links, keys, and of what is found.
        people: by `person_color`.
        contrast: least contrast of each to each background.
        tints: backgrounds of single styles.
    """

    ground: int
    text: int
    quiet: int
    accent: int
    danger: int
    people: tuple[int, ...]
    contrast: float
    tints: dict[TextStyle, int]


_COLORS = {
    ThemeName.DARK: _Colors(
        ground=0x18191C,
        text=0xECECEA,
        quiet=0xA6A9B0,
        accent=0x93AEFF,
        danger=0xFF8F86,
        people=(0xFFB07A, 0xF3A0D4, 0x8FD6A3, 0xC2B2FF, 0xFF9EA8, 0x7FD4E6, 0xDCC86A, 0x9FC0FF),
        contrast=TEXT_CONTRAST,
        tints={TextStyle.MENTION: 0x3B3317, TextStyle.CODE: 0x26292E, TextStyle.SELECTED: 0x2C3B63},
    ),
    ThemeName.LIGHT: _Colors(
        ground=0xFFFFFF,
        text=0x1D1C1A,
        quiet=0x62605B,
        accent=0x2F52B5,
        danger=0xB3261E,
        people=(0x9A3B00, 0x8B2A6E, 0x1C6B3C, 0x5B3FB5, 0x9C2F3F, 0x0B6076, 0x665500, 0x2B57B5),
        contrast=TEXT_CONTRAST,
        tints={TextStyle.MENTION: 0xFDF1CF, TextStyle.CODE: 0xF1F0ED, TextStyle.SELECTED: 0xDCE5FF},
    ),
    ThemeName.CONTRAST: _Colors(
        ground=0x000000,
        text=0xFFFFFF,
        quiet=0xE6E6E6,
        accent=0xFFE14D,
        danger=0xFF9D96,
        people=(0xFFC08F, 0xFFB3E0, 0x9DFFB5, 0xD3C7FF, 0xFFB3BA, 0x96ECFF, 0xFFE98A, 0xB5D0FF),
        contrast=HIGH_CONTRAST,
        tints={},
    ),
}
"""As the page's, in style.css; SELECTED alone is ours."""

_ANSI_PEOPLE = {
    ThemeName.DARK: (3, 13, 10, 5, 9, 14, 11, 12),
    ThemeName.LIGHT: (9, 13, 2, 5, 1, 6, 3, 4),
    ThemeName.CONTRAST: (3, 13, 10, 7, 9, 14, 11, 12),
    ThemeName.TERMINAL: (3, 13, 2, 5, 1, 6, 11, 4),
}
"""The nearest of the 16 colours: orange, pink, green, violet, red, cyan, yellow, blue."""
_ANSI_ACCENTS = {ThemeName.DARK: 12, ThemeName.LIGHT: 4, ThemeName.CONTRAST: 11, ThemeName.TERMINAL: 6}
_ANSI_DANGER = {ThemeName.DARK: 9, ThemeName.LIGHT: 1, ThemeName.CONTRAST: 9, ThemeName.TERMINAL: 1}
_ANSI_BASE = {ThemeName.DARK: Look(15, 0), ThemeName.LIGHT: Look(0, 15), ThemeName.CONTRAST: Look(15, 0)}


def person_color(person_id: int) -> int:
    """Return the number of a person's colour, 0 to 7, as the page's classes person-0 to person-7 have it."""
    return person_id % PERSON_COLORS


@cache
def theme(name: ThemeName, depth: ColorDepth) -> Theme:
    """Return a theme for a terminal; at ColorDepth.NONE all are alike."""
    if name is ThemeName.NONE or depth is ColorDepth.NONE:
        return Theme(ThemeName.NONE, ColorDepth.NONE, Look(), _ATTRIBUTES, ())
    if name is ThemeName.TERMINAL or depth is ColorDepth.ANSI:
        looks = _looks(None, _ANSI_ACCENTS[name], _ANSI_DANGER[name], _ANSI_PEOPLE[name], {})
        return Theme(name, ColorDepth.ANSI, _ANSI_BASE.get(name, Look()), looks, _ANSI_PEOPLE[name])
    colors = _COLORS[name] if depth is ColorDepth.TRUE else _indexed(_COLORS[name])
    looks = _looks(colors.quiet, colors.accent, colors.danger, colors.people, colors.tints)
    return Theme(name, depth, Look(colors.text, colors.ground), looks, colors.people)


def color_depth(environ: Mapping[str, str]) -> ColorDepth:
    """Return how many colours a terminal has, by what the environment says of it.

    Args:
        environ: NO_COLOR (https://no-color.org: any text but the empty one), COLORTERM, TERM, and WT_SESSION of
            Windows Terminal.
    """
    term = environ.get("TERM", "").lower()
    if environ.get("NO_COLOR") or term in _COLORLESS_TERMS:
        return ColorDepth.NONE
    told = environ.get("COLORTERM", "").lower()
    if told in {"truecolor", "24bit"} or _TRUE_COLOR_TERMS.search(term) or environ.get("WT_SESSION"):
        return ColorDepth.TRUE
    return ColorDepth.INDEXED if "256" in term else ColorDepth.ANSI


def reported_color(answer: str) -> int | None:
    """Return the colour in a terminal's answer to OSC 10 or 11, as 0xRRGGBB; None if it is none.

    Args:
        answer: what stands behind the number: `rgb:RRRR/GGGG/BBBB` with 1 to 4 digits each (XParseColor), or `#RRGGBB`.
    """
    found = _REPORTED.fullmatch(answer.strip())
    if found is None:
        return None
    if found[5]:
        return int(str(found[5]), 16)
    red, green, blue = (int(digits, 16) * 255 // ((1 << 4 * len(digits)) - 1) for digits in found.group(1, 2, 3))
    return red << 16 | green << 8 | blue


def theme_on(background: int | None) -> ThemeName:
    """Return the theme for a terminal with this background, 0xRRGGBB; dark where it is unknown."""
    if background is None:
        return ThemeName.DARK
    light = contrast(0x000000, background) > contrast(0xFFFFFF, background)
    return ThemeName.LIGHT if light else ThemeName.DARK


def contrast(one: int, other: int) -> float:
    """Return the contrast ratio of two colours, 1 to 21 (WCAG 2.2, "contrast ratio")."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def color_of_index(index: int) -> int:
    """Return one of the colours 16 to 255 of a terminal with 256, as 0xRRGGBB (xterm's 256colres.pl)."""
    if index >= _FIRST_GREY:
        return 0x010101 * (8 + 10 * (index - _FIRST_GREY))
    cube = index - _FIRST_KNOWN
    return _CUBE[cube // 36] << 16 | _CUBE[cube // 6 % 6] << 8 | _CUBE[cube % 6]


def _looks(
    quiet: int | None, accent: int, danger: int, people: Sequence[int], tints: Mapping[TextStyle, int]
) -> dict[TextStyle, Look]:
    dim = quiet is None  # no colour of the 16 is quiet everywhere: Solarized's bright black is its background
    violet, green, orange = people[3], people[2], people[0]
    foregrounds = {
        TextStyle.FOUND: accent,
        TextStyle.NOTICE: quiet,
        TextStyle.ERROR: danger,
        TextStyle.DIRECT: accent,
        TextStyle.LINK: accent,
        TextStyle.DIM: quiet,
        TextStyle.KEYWORD: violet,
        TextStyle.STRING: green,
        TextStyle.COMMENT: quiet,
        TextStyle.NUMBER: orange,
        TextStyle.QUOTE: quiet,
        TextStyle.EDITED: quiet,
        TextStyle.DAY: quiet,
        TextStyle.UNREAD: danger,
        TextStyle.KEY: accent,
    }
    if TextStyle.MENTION not in tints:
        foregrounds[TextStyle.MENTION] = accent
    looks = {}
    for style in TextStyle:
        look = _ATTRIBUTES.get(style, Look())
        foreground = foregrounds.get(style)
        looks[style] = replace(
            look,
            foreground=foreground,
            background=tints.get(style),
            dim=dim and style in foregrounds and foreground is None,
            italic=style is TextStyle.COMMENT,
            reverse=look.reverse and style not in tints,
        )
    return looks


@cache
def _luminance(color: int) -> float:
    """Return the relative luminance of a colour, 0 to 1 (WCAG 2.2)."""
    red, green, blue = (_linear((color >> shift & 0xFF) / 255) for shift in (16, 8, 0))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def _indexed(colors: _Colors) -> _Colors:
    """Return the nearest of 256 colours for each; of those for text, of the ones that stand out enough."""
    every = range(_FIRST_KNOWN, 256)
    tints = {style: _nearest(color, every) for style, color in colors.tints.items()}
    ground = _nearest(colors.ground, every)
    behind = [color_of_index(index) for index in (ground, *tints.values())]
    inks = [i for i in every if all(contrast(color_of_index(i), each) >= colors.contrast for each in behind)]
    people: list[int] = []
    for color in colors.people:
        people.append(_nearest(color, [index for index in inks if index not in people]))
    return _Colors(
        ground=ground,
        text=_nearest(colors.text, inks),
        quiet=_nearest(colors.quiet, inks),
        accent=_nearest(colors.accent, inks),
        danger=_nearest(colors.danger, inks),
        people=tuple(people),
        contrast=colors.contrast,
        tints=tints,
    )


def _nearest(color: int, indexes: Iterable[int]) -> int:
    """Return the index of the colour with the least distance, by weighted squares of red, green and blue."""
    return min(indexes, key=lambda index: _distance(color, color_of_index(index)))


def _distance(one: int, other: int) -> int:
    red, green, blue = ((one >> shift & 0xFF) - (other >> shift & 0xFF) for shift in (16, 8, 0))
    return 2 * red * red + 4 * green * green + 3 * blue * blue
