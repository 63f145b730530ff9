"""The input of a terminal, cut into keys, pastes, mouse reports and answers, whatever it sends.

A terminal sends typed text, keys as escape sequences (ECMA-48, 5.4), pasted text between two marks (mode 2004) and
answers to questions, late, in halves, or never. `InputDecoder` promises that of all these typed keys and pastes alone
reach the composer, that a half sequence holds the keyboard up for `HALF_S` at most, and that a paste takes no more
memory than `PASTE_CHARS`. It knows no clock: ``now`` is an argument.
"""

from __future__ import annotations

import re
from enum import Enum

from msgspec import Struct

from securechat.limits import MAX_TEXT_CHARS

PASTE_CHARS = 4 * MAX_TEXT_CHARS
"""Of a paste that are kept: some more than a message holds, so that it can be shortened in the composer."""
ESCAPE_S = 0.1
"""Time for the rest of a sequence, after which ESC was the key (Textual's and vim's ttimeoutlen)."""
HALF_S = 0.5
"""Time from its ESC to the end of a sequence, after which what came of it is dropped: a slow link's round trip."""
PASTE_S = 2.0
"""Time without input in a paste, after which its end is lost."""
SEQUENCE_CHARS = 64
"""The longest sequence of a key or a mouse: kitty's with text take 30."""
STRING_CHARS = 4096
"""The longest answer that is a string (OSC, DCS, APC); longer ones are dropped while they come."""

_PASTE_BEGINS, _PASTE_ENDS = "\x1b[200~", "\x1b[201~"
_STRINGS = "]P_^X"
"""What begins a string behind ESC: OSC, DCS, APC, PM, SOS."""
_SEQUENCE = re.compile(
    r"\x1b(?:\[M[^\x1b]{3}|\[\[[A-E]|\[(?![M\[])[0-?]*[ -/]*[@-~]|O[ -~]"
    r"|[\]P_^X][^\x1b\x07]*(?:\x07|\x1b\\)|[^\x1b\[\]OP_^X])"
)
"""A whole one: X10's mouse, CSI, the Linux console's F1 to F5, SS3, a string with its end, Alt and a character."""
_KEY = re.compile(r"\x1b(?:\[[\d;:]*[u~A-HPQRSZ]|\[\[[A-E]|O[ -~]|[^\[\]OP_^X])", re.DOTALL)
_CURSOR_REPORT = re.compile(r"\x1b\[(?!1;[2-9]\d?R)\d+;\d+R")
_MOUSE = re.compile(r"\x1b\[<\d{1,5};\d{1,5};\d{1,5}[Mm]")
_STATE = re.compile(r"\x1b\[[03]n")
_FOCUS = re.compile(r"\x1b\[[IO]")
_WINDOW_REPORT = re.compile(r"\x1b\[[46];\d{1,5};\d{1,5}t")
"""The size of the window's text, and of a cell, in pixels."""
_LATE_ANSWER = re.compile(
    r"(?:\]1[01];rgba?:[0-9a-fA-F/]{1,24}|_Gi=31;[ -~]{1,60}|\[\?[\d;]{1,24}[cnu]|\[\?[\d;]{1,24}\$y|\[[03]n"
    r"|\[[46];\d{1,5};\d{1,5}t)(?:\x07|\\)?"
)
"""Answers whose ESC came so early that it was a key: what is left of them is no text that is typed."""


class InputKind(Enum):
    """What has come."""

    TEXT = "text"
    KEY = "key"
    MOUSE = "mouse"
    FOCUS = "focus"
    PASTE = "paste"
    ANSWER = "answer"


class TerminalInput(Struct, frozen=True):
    """A part of what a terminal has sent.

    Attributes:
        kind: what it is.
        text: the typed or pasted characters, or the sequence.
        chars: of a paste, before it was cut.
    """

    kind: InputKind
    text: str
    chars: int = 0


class InputDecoder:
    """Cuts a stream of characters; `deadline` says when `tick` is wanted at the latest."""

    def __init__(self) -> None:
        self._left = ""
        self._began = 0.0
        self._heard = 0.0
        self._pasted: list[str] | None = None
        self._chars = 0
        self._skips_string = False
        self.expects_answer = False
        """Whether a question was asked to which an answer may come in pieces."""

    @property
    def deadline(self) -> float | None:
        """When what is half here has to be given up."""
        if self._pasted is not None:
            return self._heard + PASTE_S
        if not self._left and not self._skips_string:
            return None
        return self._began + (ESCAPE_S if self._is_short else HALF_S)

    @property
    def _is_short(self) -> bool:
        """Whether it may be a key: ESC alone, or Alt and a character that begins a longer sequence."""
        return len(self._left) in {1, 2}

    def feed(self, text: str, now: float) -> list[TerminalInput]:
        """Take characters; returns what is whole."""
        self._heard = now
        if not self._left and not self._skips_string:
            self._began = now
        text, self._left = self._left + text, ""
        found: list[TerminalInput] = []
        while text:
            rest = self._paste(text, found) if self._pasted is not None else self._part(text, found)
            if len(rest) < len(text):
                self._began = now
            if rest and len(rest) == len(text):  # nothing whole is left
                self._left = rest
                break
            text = rest
        return found

    def tick(self, now: float) -> list[TerminalInput]:
        """Give up what is half here, once its time is over."""
        deadline = self.deadline
        if deadline is None or now < deadline:
            return []
        self._skips_string = False
        if self._pasted is not None:
            return [self._end_of_paste(self._left)]
        left, short, self._left = self._left, self._is_short, ""
        return [TerminalInput(InputKind.KEY, left)] if short else []

    def _part(self, text: str, found: list[TerminalInput]) -> str:
        """Take one part from the begin of a text that is not pasted; returns the rest, all of it where it is half."""
        if self._skips_string:
            return self._skip(text)
        at = text.find("\x1b")
        if at != 0:
            typed, rest = (text, "") if at < 0 else (text[:at], text[at:])
            if self.expects_answer and _LATE_ANSWER.match(typed):
                typed = _LATE_ANSWER.sub("", typed, count=1)
            if typed:
                found.append(TerminalInput(InputKind.TEXT, typed))
            return rest
        if text.startswith(_PASTE_BEGINS):
            self._pasted, self._chars = [], 0
            return text[len(_PASTE_BEGINS) :]
        whole = _SEQUENCE.match(text)
        if whole is None:
            return self._half(text, found)
        kind = _kind(whole[0])
        sequence = _plain_key(whole[0]) if kind is InputKind.KEY else whole[0]
        if kind is not None and sequence:
            found.append(TerminalInput(kind, sequence))
        return text[whole.end() :]

    def _half(self, text: str, found: list[TerminalInput]) -> str:
        """Look at a sequence without an end: one that another interrupts, or that is too long, is dropped."""
        again = text.find("\x1b", 1)
        if again == 1:
            found.append(TerminalInput(InputKind.KEY, "\x1b"))
            return text[1:]
        is_string = len(text) > 1 and text[1] in _STRINGS
        if again > 0 and not (is_string and again == len(text) - 1):
            return text[again:]
        if len(text) > (STRING_CHARS if is_string else SEQUENCE_CHARS):
            self._skips_string = is_string
            return "" if is_string else text[SEQUENCE_CHARS:]
        return text

    def _skip(self, text: str) -> str:
        end = re.search("\x07|\x1b", text)
        if end is None:
            return ""
        self._skips_string = False
        return text[end.start() :].removeprefix("\x1b\\").removeprefix("\x07")

    def _paste(self, text: str, found: list[TerminalInput]) -> str:
        """Take pasted text. A mark of the end that is pasted itself does not end it: the last one in the text does."""
        begins_again = text.find(_PASTE_BEGINS)
        end = text.rfind(_PASTE_ENDS, 0, begins_again if begins_again >= 0 else None)
        if end >= 0:
            found.append(self._end_of_paste(text[:end]))
            return text[end + len(_PASTE_ENDS) :]
        kept_back = next((size for size in range(5, 0, -1) if text.endswith(_PASTE_ENDS[:size])), 0)
        self._add(text[: len(text) - kept_back])
        return text[len(text) - kept_back :]

    def _add(self, text: str) -> None:
        text = text.replace(_PASTE_ENDS, "").replace(_PASTE_BEGINS, "")
        if self._pasted is not None and self._chars <= PASTE_CHARS:
            self._pasted.append(text[: PASTE_CHARS + 1])
        self._chars += len(text)

    def _end_of_paste(self, last: str) -> TerminalInput:
        self._add(last)
        text, self._pasted, self._left = "".join(self._pasted or ())[:PASTE_CHARS], None, ""
        return TerminalInput(InputKind.PASTE, text, self._chars)


def _plain_key(sequence: str) -> str:
    """Return a key without what kitty's further modes add behind a colon; empty where it was let go.

    Another program may have left these modes on, and Textual takes no colon: https://sw.kovidgoyal.net/kitty/keyboard-protocol/
    """
    if ":" not in sequence or not sequence.startswith("\x1b["):
        return sequence
    is_release = re.match(r"\x1b\[[\d:]*;\d*:3(?!\d)", sequence)
    return "" if is_release else re.sub(r":[\d:]*", "", sequence)


def _kind(sequence: str) -> InputKind | None:
    """Tell what a whole sequence is; None for what is of no use, such as X10's mouse or a mark without a begin."""
    if _MOUSE.fullmatch(sequence):
        return InputKind.MOUSE
    if _FOCUS.fullmatch(sequence):
        return InputKind.FOCUS
    is_string = sequence[1] in _STRINGS
    too_long = len(sequence) > (STRING_CHARS if is_string else SEQUENCE_CHARS)
    if too_long or sequence in {_PASTE_BEGINS, _PASTE_ENDS}:
        return None
    if _KEY.fullmatch(sequence) and not _CURSOR_REPORT.fullmatch(sequence):
        numbers = [int(number) for number in re.findall(r"\d{1,9}", sequence)]
        return (
            InputKind.KEY if all(number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF for number in numbers) else None
        )
    if is_string or sequence.startswith("\x1b[?") or _STATE.fullmatch(sequence) or _WINDOW_REPORT.fullmatch(sequence):
        return InputKind.ANSWER
    return None
