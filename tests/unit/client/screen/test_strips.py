"""Rows as cells: what a strip says holds no escape that is not ours, whatever the row has."""

from __future__ import annotations

import re

import pytest

from securechat.client.screen.strips import base_style, harmless, sequences, sgr, strip_of, style_of
from securechat.client.screen.toolkit import Segment, Style
from securechat.client.ui.rows.styled_text import TextRow, TextSpan, TextStyle
from securechat.client.ui.themes import ColorDepth, Look, ThemeName, theme

DARK = theme(ThemeName.DARK, ColorDepth.TRUE)
PLAIN = theme(ThemeName.NONE, ColorDepth.NONE)
ESCAPES = re.compile(r"\x1b\[[0-9;]*m|\x1b\]8;(?:id=[0-9a-f]{8};[!-~]+|;)\x1b\\")


def drawn(row: TextRow, *, selected: bool = False, columns: int = 20) -> str:
    return sequences(strip_of(row, DARK, columns, selected=selected), base_style(DARK), ColorDepth.TRUE)


@pytest.mark.parametrize(
    "control", [*map(chr, range(32)), "\x7f", *map(chr, range(0x80, 0xA0)), "\u202e", "\u2028", "\ud800"]
)
def test_no_control_gets_through_and_no_cell_moves(control: str) -> None:
    assert harmless(f"a{control}b") == "a\ufffdb"
    assert control not in ESCAPES.sub("", drawn(TextRow.of(f"a{control}b")))
    of_toolkit = sequences([Segment(f"a{control}b", Style(bold=True)), Segment(f"{control}")], Style(), ColorDepth.TRUE)
    assert control not in ESCAPES.sub("", of_toolkit)


def test_a_control_segment_of_the_toolkit_is_dropped() -> None:
    assert sequences([Segment("\x1b[2J", None, [(1,)]), Segment("x")], Style(), ColorDepth.TRUE) == "x"  # type: ignore[list-item]


def test_no_part_of_a_row_joins_the_cells_beside_it() -> None:
    segments = [Segment("\u200d\u0301👩"), Segment(" and 👩\u200d")]
    assert sequences(segments, Style(), ColorDepth.TRUE) == "👩 and 👩"
    assert sequences([Segment("\u200d")], Style(), ColorDepth.TRUE) == ""


def test_emoji_scripts_and_joiners_stay() -> None:
    assert harmless("👩‍👩‍👧 हिन्दी ไทย é") == "👩‍👩‍👧 हिन्दी ไทย é"


def test_a_link_is_one_by_its_id_over_all_its_rows() -> None:
    rows = [
        TextRow.of(part, [TextSpan(0, 9, TextStyle.LINK, link="https://example.org/long")])
        for part in ("https://e", "xample.or")
    ]
    ids = [re.findall(r"\x1b]8;id=(\w+);(\S+?)\x1b", drawn(row)) for row in rows]
    assert ids[0] == ids[1]
    assert ids[0][0][1] == "https://example.org/long"
    assert drawn(rows[0]).count("\x1b]8;;\x1b\\") == 1


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "https://a/\x1b\\", "https://a/\x07", "https://ä/", "file:///etc", "https://a b"]
)
def test_a_target_that_is_not_printable_http_is_no_link(link: str) -> None:
    assert "\x1b]8" not in drawn(TextRow.of("text", [TextSpan(0, 4, TextStyle.LINK, link=link)]))
    assert "\x1b]8" not in sequences([Segment("x", Style(link=link))], Style(), ColorDepth.TRUE)


def test_without_colours_no_colour_is_written_whatever_a_style_has() -> None:
    row = TextRow.of("name text", [TextSpan(0, 4, TextStyle.NAME, person=3)])
    text = sequences(strip_of(row, PLAIN, 20), base_style(PLAIN), ColorDepth.NONE)
    text += sequences([Segment("x", Style(color="#ff0000", bgcolor="blue")), Segment("y")], Style(), ColorDepth.NONE)
    assert not re.search(r"\x1b\[[0-9;]*[349][0-9]", text)
    assert "\x1b[1m" in text


@pytest.mark.parametrize(
    ("depth", "codes"), [(ColorDepth.TRUE, "38;2;255;0;0"), (ColorDepth.INDEXED, "38;5;196"), (ColorDepth.ANSI, "91")]
)
def test_colours_are_of_the_terminals_depth(depth: ColorDepth, codes: str) -> None:
    look = {ColorDepth.TRUE: 0xFF0000, ColorDepth.INDEXED: 196, ColorDepth.ANSI: 9}[depth]
    assert sgr(style_of(Look(foreground=look)), depth) == f"\x1b[0;{codes}m"


def test_a_style_is_set_from_the_one_before() -> None:
    bold, red = style_of(Look(bold=True)), style_of(Look(foreground=9))
    assert sgr(red, ColorDepth.ANSI, red) == ""
    assert sgr(style_of(Look(foreground=9, bold=True)), ColorDepth.ANSI, red) == "\x1b[1m"
    assert sgr(red, ColorDepth.ANSI, bold) == "\x1b[0;91m"
    assert sgr(style_of(Look()), ColorDepth.ANSI, red) == "\x1b[39m"


def test_a_row_has_no_padding_and_a_selected_one_fills_its_field() -> None:
    assert ESCAPES.sub("", drawn(TextRow.of("short"))) == "short"
    assert ESCAPES.sub("", drawn(TextRow.of("short"), selected=True)) == "short".ljust(20)


def test_a_line_between_panes_fills_its_field() -> None:
    assert "─" * 20 in drawn(TextRow.of("─" * 20), columns=20)
