"""The parts of Textual that are used: nothing else in the product names it, or the library that it draws with.

The screen has its own rows, its own composer and its own way to the terminal. Of the toolkit it takes the event loop,
the arrangement of panes, the mouse's way to them, the names of keys, and `Pilot` for tests. Private names are marked:
the tests of `client/screen/` fail when a new version lacks one.
"""

from __future__ import annotations

from rich.color import Color as RichColor
from rich.color import ColorSystem, ColorType
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual._compositor import ChopsUpdate, LayoutUpdate  # private: what has changed on the screen
from textual._xterm_parser import XTermParser  # private: names of keys, by what the terminal sends
from textual.app import App
from textual.app import ComposeResult as ChildWidgets
from textual.driver import Driver
from textual.geometry import Region, Size
from textual.message import Message
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

__all__ = [
    "App",
    "ChildWidgets",
    "ChopsUpdate",
    "ColorSystem",
    "ColorType",
    "Driver",
    "LayoutUpdate",
    "Message",
    "PastedText",
    "Region",
    "RichColor",
    "Screen",
    "Segment",
    "Size",
    "Strip",
    "Style",
    "Widget",
    "XTermParser",
    "events",
]


class PastedText(events.Paste):
    """A paste, cut to what a composer takes.

    Args:
        text: the begin of it.
        chars: of all of it.
    """

    def __init__(self, text: str, chars: int) -> None:
        super().__init__(text)
        self.chars = chars
