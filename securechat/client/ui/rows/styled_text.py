"""Rows of text with styled spans: what every view makes, and what the line mode and the screen draw.

A style says what a part is (a name, a notice, code), never how it looks: themes.py decides that, for both.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from enum import Enum

from msgspec import Struct


class TextStyle(Enum):
    """What a part of a row is."""

    DIM = "dim"  # less important than its neighbours: numbers, times, marks
    FOUND = "found"  # what a search was for
    NAME = "name"  # of a person, in the person's colour
    OWN_NAME = "own_name"  # the user's own name, as the author of a message
    NOTICE = "notice"  # said by the client or the server, not by a person
    ERROR = "error"  # a refusal, a failure, or a loss
    MENTION = "mention"  # the user's name in a message of another
    DIRECT = "direct"  # the mark of a dialogue
    LINK = "link"  # opens the span's `link`
    CODE = "code"  # as typed, cut at the edge only
    KEYWORD = "keyword"  # in code
    STRING = "string"  # in code
    COMMENT = "comment"  # in code
    NUMBER = "number"  # in code
    QUOTE = "quote"  # the answered line above a reply
    EDITED = "edited"  # the marks of a changed or deleted message
    REACTION = "reaction"
    DAY = "day"  # the separator between two days
    UNREAD = "unread"  # the line where the unread begin, and counts
    SELECTED = "selected"  # where the keyboard is
    KEY = "key"  # a key in a footer or a help page


class TextSpan(Struct, frozen=True, gc=False):
    """A styled part of a row.

    Attributes:
        start: the first character of it.
        end: the first one behind it.
        style: what it is.
        person: the sender_id for TextStyle.NAME; 0 for none.
        link: the target for TextStyle.LINK, printable ASCII; empty for none.
    """

    start: int
    end: int
    style: TextStyle
    person: int = 0
    link: str = ""


class TextSegment(Struct, frozen=True, gc=False):
    """A part of a row where no span begins or ends; fields as of `TextSpan`, of all spans that cover it."""

    text: str
    styles: tuple[TextStyle, ...] = ()
    person: int = 0
    link: str = ""


class TextRow(str):
    """A row of the terminal, safe to print, with the spans to style where the terminal can.

    Attributes:
        spans: they may overlap.
        indent: characters before the text, such as a gutter.
        joins: of a row that goes on with the line of the row above, what stands between both in the line; None where a
            line begins.
    """

    __slots__ = ("indent", "joins", "spans")
    spans: tuple[TextSpan, ...]
    indent: int
    joins: str | None

    @classmethod
    def of(cls, text: str, spans: Sequence[TextSpan] = (), indent: int = 0, joins: str | None = None) -> TextRow:
        """Make a row."""
        row = cls(text)
        row.spans, row.indent, row.joins = tuple(spans), indent, joins
        return row

    def segments(self) -> list[TextSegment]:
        """Split the row where its styles change."""
        if not self.spans:
            return [TextSegment(str(self))] if self else []
        cuts = sorted({0, len(self), *(at for span in self.spans for at in (span.start, span.end))})
        segments: list[TextSegment] = []
        for start, end in itertools.pairwise(cuts):
            over = [span for span in self.spans if span.start <= start and end <= span.end]
            person = next((span.person for span in over if span.person), 0)
            link = next((span.link for span in over if span.link), "")
            segments.append(TextSegment(self[start:end], tuple(span.style for span in over), person, link))
        return segments
