"""The text that is being typed, with readline's editing: one string, an insertion point, undo, and what was cut.

Nothing here knows a key, a cell or a widget. A hidden text, which may be a password, is kept nowhere else: not in the
undo, nor in what was cut.
"""

from __future__ import annotations

import re
import unicodedata

from securechat.limits import MAX_TEXT_CHARS
from securechat.text.sanitize import without_hostile

MOST_CHARS = 4 * MAX_TEXT_CHARS
"""Of a text that is typed: more than can be sent, so that a paste can be shortened before it is."""
MOST_UNDO = 100
"""Steps back; a step is at most MOST_CHARS."""
_WORD = re.compile(r"\w+")
_JOINS = frozenset("\u200c\u200d\ufe0e\ufe0f")


def typable(text: str) -> str:
    """Return a text without what no row can show; newlines and tabs stay."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\t")
    return "\t".join(without_hostile(part) for part in lines)


class EditBuffer:
    """A text under edit.

    Args:
        most_chars: that it takes.

    Attributes:
        text: all of it.
        cursor: characters before the insertion point.
        hidden: whether nothing of it is kept.
    """

    def __init__(self, most_chars: int = MOST_CHARS) -> None:
        self.text = ""
        self.cursor = 0
        self.hidden = False
        self._most_chars = most_chars
        self._cut = ""
        self._cutting = 0
        self._undo: list[tuple[str, int]] = []
        self._redo: list[tuple[str, int]] = []
        self._typing = False

    def replace(self, text: str, *, cursor: int | None = None) -> None:
        """Have another text; it cannot be undone."""
        self.text = typable(text)[: self._most_chars]
        self.cursor = len(self.text) if cursor is None else max(0, min(cursor, len(self.text)))
        self._undo, self._redo, self._typing, self._cutting = [], [], False, 0

    def insert(self, text: str) -> int:
        """Insert at the insertion point; returns how many characters found no place."""
        text = typable(text)
        room = self._most_chars - len(self.text)
        if room > 0 and text:
            kept = text[:room]
            self._change(
                self.text[: self.cursor] + kept + self.text[self.cursor :], self.cursor + len(kept), typing=True
            )
        return max(0, len(text) - room)

    def put(self, text: str, cursor: int) -> None:
        """Have another text, in one step that can be undone."""
        self._change(text[: self._most_chars], min(cursor, self._most_chars))

    def clear(self) -> None:
        """Have no text; undo brings it back."""
        self._change("", 0)

    def move(self, to: int) -> None:
        """Put the insertion point elsewhere."""
        self.cursor = max(0, min(to, len(self.text)))
        self._typing, self._cutting = False, 0

    # --- places in the text

    def left(self) -> int:
        """The place one character to the left: with its marks and joined ones, as one sees it."""
        at = self.cursor
        while at > 0:
            at -= 1
            if not _continues(self.text[at]) and not (at > 0 and self.text[at - 1] == "\u200d"):
                break
        return at

    def right(self) -> int:
        """The place one character to the right."""
        at = min(self.cursor + 1, len(self.text))
        while at < len(self.text) and (_continues(self.text[at]) or self.text[at - 1] == "\u200d"):
            at += 1
        return at

    def line_begin(self) -> int:
        """The begin of the line."""
        return self.text.rfind("\n", 0, self.cursor) + 1

    def line_end(self) -> int:
        """The end of the line."""
        end = self.text.find("\n", self.cursor)
        return len(self.text) if end < 0 else end

    def word_left(self) -> int:
        """The begin of the word to the left."""
        return max((word.start() for word in _WORD.finditer(self.text, 0, self.cursor)), default=0)

    def word_right(self) -> int:
        """The end of the word to the right."""
        word = _WORD.search(self.text, self.cursor)
        return len(self.text) if word is None else word.end()

    def blank_left(self) -> int:
        """The begin of what stands between blanks to the left: readline's unix-word-rubout."""
        before = self.text[: self.cursor].rstrip()
        return max(before.rfind(" "), before.rfind("\n"), before.rfind("\t")) + 1

    # --- changes

    def delete(self, to: int) -> None:
        """Delete from the insertion point to a place."""
        start, end = sorted((to, self.cursor))
        if start < end:
            self._change(self.text[:start] + self.text[end:], start)

    def cut(self, to: int) -> None:
        """Cut from the insertion point to a place; cuts one after another are put back as one."""
        start, end = sorted((to, self.cursor))
        if start == end:
            return
        gone, forward = self.text[start:end], to > self.cursor
        before, direction = (self._cut if self._cutting else ""), 1 if forward else -1
        self._change(self.text[:start] + self.text[end:], start)
        if not self.hidden:
            self._cut = (before + gone if forward else gone + before)[: self._most_chars]
            self._cutting = direction

    def put_back(self) -> None:
        """Insert what was cut."""
        if self._cut and not self.hidden:
            self.insert(self._cut)
            self._typing = False

    def transpose(self) -> None:
        """Exchange the two characters around the insertion point; at the end of a line the two before it."""
        at = self.cursor - 1 if self.cursor == self.line_end() else self.cursor
        if at - 1 >= self.line_begin() and at < len(self.text):
            text = self.text
            self._change(text[: at - 1] + text[at] + text[at - 1] + text[at + 1 :], at + 1)

    def undo(self) -> None:
        """Go back one step: a word or so, or one cut."""
        self._step(self._undo, self._redo)

    def redo(self) -> None:
        """Go forward again."""
        self._step(self._redo, self._undo)

    def _step(self, taken: list[tuple[str, int]], kept: list[tuple[str, int]]) -> None:
        if taken and not self.hidden:
            kept.append((self.text, self.cursor))
            self.text, self.cursor = taken.pop()
            self._typing, self._cutting = False, 0

    def _change(self, text: str, cursor: int, *, typing: bool = False) -> None:
        goes_on = typing and self._typing and not text[cursor - 1 : cursor].isspace()
        if not goes_on and not self.hidden:
            self._undo = [*self._undo[1 - MOST_UNDO :], (self.text, self.cursor)]
        self._redo = []
        self._typing, self._cutting = typing, 0
        self.text, self.cursor = text, cursor


def _continues(char: str) -> bool:
    """Whether a character is drawn as a part of the one before it."""
    return char in _JOINS or "\U0001f3fb" <= char <= "\U0001f3ff" or unicodedata.category(char) in {"Mn", "Me", "Mc"}
