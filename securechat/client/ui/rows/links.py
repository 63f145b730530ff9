"""Finds what is more than letters in a text: links, code, mentions. The rule is the page's (web/ui/message_row.js).

- Links are http and https only; they begin where no word precedes, end at a space, quote, angle bracket or control
  character, and leave the punctuation of the sentence. A closing bracket stays where it closes one of the link.
- No link is in code: between backquotes on one line, or between two rows of three backquotes.
- One pass from left to right, with bounds on everything that is looked up, so that it takes linear time whatever the
  text. `tests/golden/links.json` holds page and terminal to the same results.

Two differences from the page are deliberate: what `link_targets` leaves out; and rooms, which are no links here, do not
count against the most marks of a text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container
from enum import Enum

from msgspec import Struct

from securechat.client.ui.rows.link_targets import MAX_LINK_UNITS, link_target
from securechat.limits import MAX_NAME_CHARS
from securechat.text.names import name_key
from securechat.text.sanitize import visible

MAX_MARKS = 500
"""Links, names and pieces of code in one text, those included that turn out to be none; the rest of it stays plain."""
MAX_LOOKUPS = 400
"""Names in one text that are looked up, as on the server."""

FENCE = "```"
_TRIGGER = re.compile(r"[`@#]|https?://", re.ASCII | re.IGNORECASE)
_MAYBE_END = re.compile(r'[\s<>"\x00-\x20\x7f]|[^\x00-\x7f]', re.ASCII)
_ONLY_SPACE = re.compile("[\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]*")
_SPACE = "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
_AFTER_NAME = ".,;:!?)]}>'\"…"
_AFTER_LINK = frozenset(".,;:!?'*_~…]}|")
_NO_NAMES: frozenset[str] = frozenset()


class MarkKind(Enum):
    """The kinds of marks in a text."""

    LINK = "link"
    CODE = "code"  # between backquotes, which are part of it
    BLOCK = "block"  # the lines between two rows of three backquotes, and these rows
    MENTION = "mention"


class TextMark(Struct, frozen=True):
    """A part of a text that is more than letters.

    Attributes:
        kind: what it is.
        start: its first character, in code points.
        end: the first one behind it.
        inner_start: of code, where it begins behind the backquotes; else as start.
        inner_end: likewise.
        value: the target of a link; the word behind the three backquotes; the key of a mentioned name.
        host: of a link that opens another host than it shows: see `LinkTarget`.
    """

    kind: MarkKind
    start: int
    end: int
    inner_start: int
    inner_end: int
    value: str = ""
    host: str = ""


class TextLink(Struct, frozen=True):
    """A link in a text.

    Attributes:
        start: its first character, in code points.
        end: the first one behind it.
        target: what it opens, printable ASCII.
        host: see `LinkTarget`.
    """

    start: int
    end: int
    target: str
    host: str = ""


def links_in(text: str) -> list[TextLink]:
    """Return the links of a text as it was sent, from left to right."""
    return _links(marks_in(text))


def visible_links(text: str) -> tuple[str, list[TextLink]]:
    """Return a text as `visible` shows it, and its links there: what ends a link may be a symbol there.

    Args:
        text: as it was sent.
    """
    shown, marks = visible_marks(text)
    return shown, _links(marks)


def _links(marks: list[TextMark]) -> list[TextLink]:
    return [TextLink(mark.start, mark.end, mark.value, mark.host) for mark in marks if mark.kind is MarkKind.LINK]


def visible_marks(text: str, names: Container[str] = _NO_NAMES) -> tuple[str, list[TextMark]]:
    """Return a text as `visible` shows it, and its marks there; see `marks_in`."""
    shown = visible(text)
    marks = marks_in(text, names)
    if shown is text or shown == text:
        return shown, marks
    pieces: list[str] = []
    moved: list[TextMark] = []
    at = length = 0

    def move(to: int) -> int:
        nonlocal at, length
        piece = visible(text[at:to])
        pieces.append(piece)
        at, length = to, length + len(piece)
        return length

    for mark in marks:
        start, inner_start, inner_end, end = map(move, (mark.start, mark.inner_start, mark.inner_end, mark.end))
        moved.append(TextMark(mark.kind, start, end, inner_start, inner_end, mark.value, mark.host))
    move(len(text))
    # Pieces that are safe alone may form too long a stack of marks together: then the text is shown without its marks.
    return (shown, moved) if "".join(pieces) == shown else (shown, [])


def marks_in(text: str, names: Container[str] = _NO_NAMES) -> list[TextMark]:
    """Return what is more than letters in a text as it was sent, from left to right; no two of them overlap.

    Args:
        text: at most as long as a message may be, for speed alone.
        names: the keys (`name_key`) of the names that may be mentioned. The longest name that fits is taken.
    """
    return _Marker(text, names).run()


class _Marker:
    """The marks of one text, and how much of what is bounded was used up."""

    def __init__(self, text: str, names: Container[str]) -> None:
        self._text = text
        self._names = names
        self._lookups = 0
        self._count = 0
        self._marks: list[TextMark] = []

    def run(self) -> list[TextMark]:
        text, done, line = self._text, 0, 0
        while 0 <= line < len(text):
            after = text.find("\n", line)
            if after < 0 or not text.startswith(FENCE, line):
                line = after + 1 if after >= 0 else -1
                continue
            close = text.find(f"\n{FENCE}", after)
            if close < 0:
                break
            self._count += 1
            if self._count > MAX_MARKS:
                break
            end = close + 1 + len(FENCE)
            rest = text.find("\n", end)
            rest = len(text) if rest < 0 else rest
            if not _ONLY_SPACE.fullmatch(text, end, rest) or "`" in text[line + len(FENCE) : after]:
                line = after + 1
                continue
            self._inline(done, line - 1 if line > done else line)
            word = text[line + len(FENCE) : after]
            self._marks.append(TextMark(MarkKind.BLOCK, line, rest, after + 1, max(close, after + 1), word))
            done = line = min(rest + 1, len(text))
        self._inline(done, len(text))
        return self._marks

    def _inline(self, start: int, to: int) -> None:
        at = start
        while at < to and self._count < MAX_MARKS:
            found = _TRIGGER.search(self._text, at, to)
            if found is None:
                return
            at = found.start()
            match self._text[at]:
                case "`":
                    at = self._code(at, to)
                case "@" | "#":
                    at = self._name(at, to)
                case _:
                    at = self._link(at, to)

    def _run_end(self, at: int, to: int) -> int:
        run = at
        while run < to and self._text[run] == self._text[at]:
            run += 1
        return run

    def _code(self, at: int, to: int) -> int:
        run = self._run_end(at, to)
        line = self._text.find("\n", run, to)
        close = self._text.find(self._text[at:run], run, to if line < 0 else line)
        if close < 0:
            return run
        end = close + run - at
        self._add(TextMark(MarkKind.CODE, at, end, run, close))
        return end

    def _name(self, at: int, to: int) -> int:
        run = self._run_end(at, to)
        if run > at + 1 or self._lookups >= MAX_LOOKUPS:
            return run
        self._lookups += 1
        if self._text[at] == "#" or _is_word(self._text, at - 1):
            return run
        rest = self._text[at + 1 : min(to, at + 1 + 2 * MAX_NAME_CHARS)].split("\n", 1)[0]
        words = rest.split(" ")[:4]
        for count in range(len(words), 0, -1):
            name = " ".join(words[:count])
            while name and self._lookups <= MAX_LOOKUPS:
                if (key := name_key(name)) in self._names:
                    end = at + 1 + len(name)
                    self._add(TextMark(MarkKind.MENTION, at, end, at, end, key))
                    return end
                if name[-1] not in _AFTER_NAME:
                    break
                name = name[:-1]
                self._lookups += 1
        return at + 1

    def _link(self, at: int, to: int) -> int:
        self._count += 1
        end = _without_punctuation(self._text, at, _link_end(self._text, at, to))
        typed = self._text[at:end]
        units = len(typed) if typed.isascii() else sum(1 + (char > "\uffff") for char in typed)
        if units <= MAX_LINK_UNITS and not _is_word(self._text, at - 1):
            target = link_target(typed)
            if target is not None:
                self._add(TextMark(MarkKind.LINK, at, end, at, end, target.url, target.host))
        return max(end, at + 1)

    def _add(self, mark: TextMark) -> None:
        self._count += 1
        self._marks.append(mark)


def _link_end(text: str, at: int, to: int) -> int:
    """Return where what cannot be in a link begins."""
    found = _MAYBE_END.search(text, at, to)
    while found is not None:
        char = found[0]
        if char.isascii() or char in _SPACE or unicodedata.category(char) in {"Cc", "Cf", "Cs"}:
            return found.start()
        found = _MAYBE_END.search(text, found.end(), to)
    return to


def _without_punctuation(text: str, start: int, end: int) -> int:
    """Return the end of a link without the punctuation of its sentence; a bracket stays where it closes one."""
    unclosed = text.count("(", start, end) - text.count(")", start, end)
    while end > start:
        last = text[end - 1]
        if last == ")" and unclosed >= 0:
            break
        if last == ")":
            unclosed += 1
        elif last not in _AFTER_LINK:
            break
        end -= 1
    return end


def _is_word(text: str, at: int) -> bool:
    return at >= 0 and (text[at] == "_" or unicodedata.category(text[at])[0] in "LNM")
