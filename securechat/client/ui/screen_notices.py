"""What the client and the server tell the user: rows below the messages for a while, and a list of all of it.

A notice is no message and looks like none: it begins with the mark of notices, which `text.sanitize` removes from texts
by standing in the first column, where no text of a peer begins. It goes when the user has acted on it or after
`SHOWN_S`, because rows below the messages take room from them; the list keeps it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from msgspec import Struct

from securechat.client.ui.rendering import NOTICE_MARK
from securechat.client.ui.styled_text import TextRow, TextSpan, TextStyle
from securechat.client.ui.wrapping import row_ranges, styled_rows

SHOWN_S = 30.0
"""A notice stays so long: enough to read three sentences."""
MOST_KEPT = 200
"""Notices in the list: those of an evening."""
_CONTINUED = " " * len(NOTICE_MARK)


class Notice(Struct, frozen=True):
    """Something told.

    Attributes:
        sentence: safe to print; newlines in it come from this program.
        at: monotonic seconds.
        error: whether it tells of a refusal or a failure.
    """

    sentence: str
    at: float
    error: bool = False


class ScreenNotices:
    """The notices of one session."""

    def __init__(self) -> None:
        self._all: deque[Notice] = deque(maxlen=MOST_KEPT)
        self._shown: list[Notice] = []

    def add(self, sentence: str, now: float, *, error: bool = False) -> None:
        """Tell something; the same again is told once."""
        notice = Notice(sentence, now, error)
        self._shown = [each for each in self._shown if each.sentence != sentence][-MOST_KEPT:]
        self._shown.append(notice)
        self._all.append(notice)

    def dismiss(self) -> bool:
        """The user has gone on; tell whether anything was shown."""
        shown, self._shown = bool(self._shown), []
        return shown

    @property
    def all(self) -> Sequence[Notice]:
        """All that are kept, the oldest first."""
        return self._all

    def deadline(self) -> float | None:
        """Return when the next one goes."""
        return min((each.at + SHOWN_S for each in self._shown), default=None)

    def rows(self, columns: int, most: int, now: float) -> list[TextRow]:
        """Return the rows of those that are shown, the newest ones where not all fit."""
        self._shown = [each for each in self._shown if each.at + SHOWN_S > now]
        rows: list[TextRow] = []
        for notice in reversed(self._shown):
            block = notice_rows(notice.sentence, columns, error=notice.error)
            if len(rows) + len(block) > most:
                return rows or block[:most]
            rows = [*block, *rows]
        return rows


def notice_rows(sentence: str, columns: int, *, error: bool = False) -> list[TextRow]:
    """Return the rows of a notice, none wider than ``columns``."""
    style = TextStyle.ERROR if error else TextStyle.NOTICE
    rows: list[TextRow] = []
    for line in sentence.split("\n"):
        slices = row_ranges(line, 0, len(line), columns - len(NOTICE_MARK))
        spans = [TextSpan(0, len(line), style)] if line else []
        rows += styled_rows(line, slices, spans, _CONTINUED, _CONTINUED if rows else NOTICE_MARK)
    return rows
