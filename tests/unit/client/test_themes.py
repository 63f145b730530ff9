"""Themes: the page's colours for people, enough contrast, nothing by colour alone, and which theme a terminal gets."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from securechat.client.ui.rows.styled_text import TextStyle
from securechat.client.ui.themes import (
    HIGH_CONTRAST,
    PERSON_COLORS,
    SAID_BY_TEXT,
    TEXT_CONTRAST,
    ColorDepth,
    Look,
    Theme,
    ThemeName,
    color_depth,
    color_of_index,
    contrast,
    person_color,
    reported_color,
    theme,
    theme_on,
)

WEB = Path(__file__).resolve().parents[3] / "securechat" / "web"
PAINTED = (ThemeName.DARK, ThemeName.LIGHT, ThemeName.CONTRAST)
KNOWN_DEPTHS = (ColorDepth.TRUE, ColorDepth.INDEXED)


def rgb(color: int | None, depth: ColorDepth) -> int:
    assert color is not None
    return color if depth is ColorDepth.TRUE else color_of_index(color)


def of_css(digits: str) -> int:
    return int(digits if len(digits) == 6 else "".join(2 * digit for digit in digits), 16)


def inked(of: Theme, look: Look) -> float:
    """The contrast that is seen."""
    foreground = of.base.foreground if look.foreground is None else look.foreground
    background = of.base.background if look.background is None else look.background
    return contrast(rgb(foreground, of.depth), rgb(background, of.depth))


@pytest.mark.parametrize("name", PAINTED)
def test_people_have_the_colours_of_the_page(name: ThemeName) -> None:
    css = (WEB / "style.css").read_text(encoding="utf-8")
    begin = ":root {" if name is ThemeName.LIGHT else f':root[data-theme="{name.value}"]'
    block = css[css.index(begin) :].split("}")[0]
    colors = [int(color, 16) for color in re.findall(r"--person-\d: #(\w{6});", block)]
    assert len(colors) == PERSON_COLORS
    made = theme(name, ColorDepth.TRUE)
    assert [made.look([TextStyle.NAME], person).foreground for person in (8, 1, 2, 3, 4, 5, 6, 7)] == colors
    assert made.look([TextStyle.OWN_NAME], 13) == made.look([TextStyle.NAME], 5)
    base = {
        word: int(digits[0], 16) for word in ("text", "ground") if (digits := re.findall(rf"--{word}: #(\w+);", block))
    }
    grown = {word: int("".join(2 * c for c in f"{v:03x}"), 16) if v <= 0xFFF else v for word, v in base.items()}
    assert made.base == Look(grown["text"], grown["ground"])


def test_the_number_of_a_colour_is_the_pages() -> None:
    assert f"const COLOURS = {PERSON_COLORS};" in (WEB / "ui" / "message_row.js").read_text(encoding="utf-8")
    assert [person_color(person) for person in (1, 7, 8, 48_213)] == [1, 7, 0, 48_213 % 8]


@pytest.mark.parametrize("name", [each for each in ThemeName if each is not ThemeName.NONE])
@pytest.mark.parametrize("depth", [each for each in ColorDepth if each is not ColorDepth.NONE])
def test_eight_people_have_eight_colours(name: ThemeName, depth: ColorDepth) -> None:
    looks = {theme(name, depth).look([TextStyle.NAME], person).foreground for person in range(1, 9)}
    assert len(looks) == PERSON_COLORS


@pytest.mark.parametrize("depth", KNOWN_DEPTHS)
@pytest.mark.parametrize("name", PAINTED)
def test_every_text_stands_out_from_every_background(name: ThemeName, depth: ColorDepth) -> None:
    made = theme(name, depth)
    least = HIGH_CONTRAST if name is ThemeName.CONTRAST else TEXT_CONTRAST
    assert inked(made, Look()) >= least
    for one, other in itertools.product(TextStyle, repeat=2):
        for person in range(1, 9):
            assert inked(made, made.look([one, other], person)) >= least, (one, other, person)
            assert inked(made, made.look([one, other, TextStyle.SELECTED], person)) >= least, (one, other, person)


@pytest.mark.parametrize("depth", list(ColorDepth))
@pytest.mark.parametrize("name", list(ThemeName))
def test_nothing_is_said_by_colour_alone(name: ThemeName, depth: ColorDepth) -> None:
    """But a selection has a background where there are colours; the terminal's cursor stands on it."""
    for style in set(TextStyle) - SAID_BY_TEXT:
        look = theme(name, depth).look([style])
        assert (
            look.bold or look.underline or look.reverse or (style is TextStyle.SELECTED and look.background is not None)
        )


def test_without_colour_attributes_remain() -> None:
    for made in (theme(ThemeName.NONE, ColorDepth.TRUE), *(theme(name, ColorDepth.NONE) for name in ThemeName)):
        for style in TextStyle:
            look = made.look([style], person=3)
            assert look.foreground is look.background is None
            assert not look.dim
            assert not look.italic
            assert (look != Look()) == (style not in SAID_BY_TEXT), style
        assert made.look([TextStyle.SELECTED, TextStyle.MENTION]) == Look(bold=True, underline=True, reverse=True)
        assert made.base == Look()


def test_sixteen_colours_are_indexes_of_the_terminal() -> None:
    for made in (theme(ThemeName.TERMINAL, ColorDepth.TRUE), *(theme(name, ColorDepth.ANSI) for name in PAINTED)):
        assert made.depth is ColorDepth.ANSI
        for style in TextStyle:
            look = made.look([style], person=6)
            assert all(color is None or 0 <= color < 16 for color in (look.foreground, look.background)), style
    assert theme(ThemeName.TERMINAL, ColorDepth.TRUE).base == Look(), "its own background, too"
    assert theme(ThemeName.TERMINAL, ColorDepth.TRUE).look([TextStyle.DIM]) == Look(dim=True)


def test_a_selection_keeps_the_foregrounds_and_gives_the_background() -> None:
    made = theme(ThemeName.DARK, ColorDepth.TRUE)
    selected = made.look([TextStyle.SELECTED])
    for styles in ([TextStyle.SELECTED, TextStyle.MENTION], [TextStyle.MENTION, TextStyle.SELECTED]):
        assert made.look(styles).background == selected.background
    named = made.look([TextStyle.NAME, TextStyle.SELECTED], person=2)
    assert named.foreground == made.look([TextStyle.NAME], person=2).foreground


@pytest.mark.parametrize(
    ("environ", "depth"),
    [
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, ColorDepth.TRUE),
        ({"TERM": "screen", "COLORTERM": "24bit"}, ColorDepth.TRUE),
        ({"TERM": "xterm-kitty"}, ColorDepth.TRUE),
        ({"TERM": "xterm-direct"}, ColorDepth.TRUE),
        ({"WT_SESSION": "c0ffee"}, ColorDepth.TRUE),
        ({"TERM": "tmux-256color"}, ColorDepth.INDEXED),
        ({"TERM": "xterm-256color", "COLORTERM": ""}, ColorDepth.INDEXED),
        ({"TERM": "linux"}, ColorDepth.ANSI),
        ({}, ColorDepth.ANSI),
        ({"TERM": "dumb", "COLORTERM": "truecolor"}, ColorDepth.NONE),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor", "NO_COLOR": "0"}, ColorDepth.NONE),
        ({"TERM": "xterm-256color", "NO_COLOR": ""}, ColorDepth.INDEXED),
    ],
)
def test_the_depth_follows_from_the_environment(environ: dict[str, str], depth: ColorDepth) -> None:
    assert color_depth(environ) is depth


@pytest.mark.parametrize(
    ("answer", "color"),
    [
        ("rgb:1818/1919/1c1c", 0x18191C),
        ("rgb:ff/ff/FF", 0xFFFFFF),
        ("rgb:f/0/8", 0xFF0088),
        ("rgba:0000/8080/ffff/c000", 0x0080FF),
        ("#fdf6e3", 0xFDF6E3),
        ("", None),
        ("rgb:1818/1919", None),
        ("rgb:12345/0/0", None),
        ("rgb:1818/1919/1c1c\x1b]0;x", None),
        ("rgb:١/0/0", None),
    ],
)
def test_an_answer_to_osc_11_is_read(answer: str, color: int | None) -> None:
    assert reported_color(answer) == color


def test_the_background_chooses_the_theme() -> None:
    assert theme_on(None) is ThemeName.DARK
    assert theme_on(0x002B36) is ThemeName.DARK, "Solarized dark"
    assert theme_on(0xFDF6E3) is ThemeName.LIGHT, "Solarized light"


def test_contrast_is_that_of_wcag() -> None:
    assert contrast(0x000000, 0xFFFFFF) == pytest.approx(21)
    assert contrast(0x777777, 0xFFFFFF) == pytest.approx(4.478, abs=0.001)
    assert contrast(0x336699, 0x336699) == 1
