"""Rows of text as cells: the only way from a `TextRow` to the terminal, and the filter that stands behind all of it.

Textual passes on what it is given, escape sequences as well. Here a strip is made of a row and nothing else, and what a
strip says is written by `sequences`, which makes every escape itself: of styles, and of links whose targets are
printable ASCII. It replaces whatever is still a control, in every strip of every widget. Without colours it writes
none, whatever a widget's style has.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from functools import lru_cache

from securechat.client.link_opening import is_link_target
from securechat.client.screen.toolkit import ColorSystem, ColorType, RichColor, Segment, Strip, Style
from securechat.client.tty.controls import harmless
from securechat.client.ui.rows.styled_text import TextRow, TextStyle
from securechat.client.ui.rows.wrapping import JOINER, without_loose_begin
from securechat.client.ui.screen_model.overlay import cut
from securechat.client.ui.themes import ColorDepth, Look, Theme
from securechat.text.sanitize import width

_ATTRIBUTES = (("bold", "1"), ("dim", "2"), ("italic", "3"), ("underline", "4"), ("reverse", "7"))
_LINES = frozenset("─│")
"""Lines between panes take one cell a character here, where text counts two: some terminals draw them wide."""
_SYSTEMS = {
    ColorDepth.TRUE: ColorSystem.TRUECOLOR,
    ColorDepth.INDEXED: ColorSystem.EIGHT_BIT,
    ColorDepth.ANSI: ColorSystem.STANDARD,
}


def strip_of(row: TextRow, theme: Theme, columns: int, *, selected: bool = False) -> Strip:
    """Return the strip of a row.

    Args:
        row: safe to print; cut where it is wider than its field.
        theme: what its styles look like.
        columns: cells of the field; a selected row fills them.
        selected: whether the keyboard is on the row.
    """
    row = row if len(row) <= columns and _LINES.issuperset(row) else cut(row, columns)
    over = (TextStyle.SELECTED,) if selected else ()
    segments = [
        Segment(harmless(part.text), style_of(theme.look((*part.styles, *over), part.person), part.link))
        for part in row.segments()
    ]
    left = columns - width(row)
    if selected and left > 0:
        segments.append(Segment(" " * left, style_of(theme.look(over))))
    return Strip(segments, columns)  # as wide as its field, whatever the toolkit would count


def base_style(theme: Theme) -> Style:
    """Return the style of text without any, and of empty cells."""
    return style_of(theme.base)


@lru_cache(maxsize=4096)
def style_of(look: Look, link: str = "") -> Style:
    """Return the toolkit's style for a look; a colour above 255 is one of 24 bits."""
    return Style(
        color=_color(look.foreground),
        bgcolor=_color(look.background),
        bold=look.bold or None,
        dim=look.dim or None,
        italic=look.italic or None,
        underline=look.underline or None,
        reverse=look.reverse or None,
        link=link if is_link_target(link) else None,
    )


def _color(number: int | None) -> RichColor | None:
    if number is None:
        return None
    return (
        RichColor.from_ansi(number)
        if number < 256
        else RichColor.from_rgb(number >> 16, number >> 8 & 255, number & 255)
    )


def sequences(segments: Iterable[Segment], base: Style, depth: ColorDepth) -> str:
    """Return what draws segments: their text without controls, SGR (ECMA-48, 8.3.117) and OSC 8.

    Spaces at the end that show nothing are left out, and what would join a cell of the part beside it. A link has one
    ``id`` wherever it stands: so its rows are one link (https://gist.github.com/egmontkob/eb114294efbcd5adb1944c9f3cb5feda).
    """
    parts = [(harmless(text), based(base, style)) for text, style, control in segments if not control]
    while parts and (last := _without_end(*parts[-1], base)) != parts[-1][0]:
        parts[-1] = (last, parts[-1][1])
        if last:
            break
        parts.pop()
    if parts:
        parts[0] = (without_loose_begin(parts[0][0]), parts[0][1])
        parts[-1] = (parts[-1][0].rstrip(JOINER), parts[-1][1])
    written, looks, link = [], base, ""
    for text, style in parts:
        target = style.link if style.link and is_link_target(style.link) else ""
        if target != link:
            written.append(
                f"\x1b]8;id={zlib.crc32(target.encode()):08x};{target}\x1b\\" if target else "\x1b]8;;\x1b\\"
            )
            link = target
        written += [sgr(style, depth, looks), text]
        looks = style
    if link:
        written.append("\x1b]8;;\x1b\\")
    return "".join(written)


def _without_end(text: str, style: Style, base: Style) -> str:
    shows = style.reverse or style.underline or style.link or style.bgcolor != base.bgcolor
    return text if shows else text.rstrip(" ")


@lru_cache(maxsize=4096)
def based(base: Style, style: Style | None) -> Style:
    """Return a style over the base; what it has of the terminal's own colours is the base's."""
    if style is None:
        return base
    own = [each if each and each.type is not ColorType.DEFAULT else None for each in (style.color, style.bgcolor)]
    link = Style(color=own[0] or base.color, bgcolor=own[1] or base.bgcolor, link=style.link)
    return base + style.without_color + link


@lru_cache(maxsize=4096)
def sgr(style: Style, depth: ColorDepth, before: Style | None = None) -> str:
    """Return the sequence that sets a style; empty where it is set.

    Args:
        style: wanted.
        depth: colours of the terminal.
        before: the style that is set; None where that is unknown.
    """
    has, had = ({code for name, code in _ATTRIBUTES if each and getattr(each, name)} for each in (style, before))
    anew = before is None or not had <= has
    codes = ["0", *sorted(has)] if anew else sorted(has - had)
    if depth is not ColorDepth.NONE:
        for name, foreground in (("color", True), ("bgcolor", False)):
            color: RichColor | None = getattr(style, name)
            is_own = color is None or color.type is ColorType.DEFAULT
            if anew and is_own:
                continue
            if anew or color != getattr(before, name):
                own = "39" if foreground else "49"
                codes += (
                    [own] if color is None or is_own else color.downgrade(_SYSTEMS[depth]).get_ansi_codes(foreground)
                )
    return f"\x1b[{';'.join(codes)}m" if codes else ""
