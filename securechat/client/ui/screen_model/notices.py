"""Notices of the client and the server: rows below the messages for a while.

A notice looks like no message (screen_rows.py). It goes when the user submits something or presses Esc, or after
`SHOWN_S`, because rows below the messages take room from them. The last `MOST_PAST` stay in a list.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from msgspec import Struct

from securechat.client.ui.rows.message_rows import notice_block
from securechat.client.ui.rows.styled_text import TextRow, TextStyle

SHOWN_S = 30.0
"""A notice stays so long: enough to read three sentences."""
MOST_KEPT = 200
"""Notices kept at once: more than any screen has rows."""
MOST_PAST = 200
"""Notices of the list of past ones."""


class ScreenNotice(Struct, frozen=True):
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
        self._shown: list[ScreenNotice] = []
        self._past: deque[ScreenNotice] = deque(maxlen=MOST_PAST)

    def add(self, sentence: str, now: float, *, error: bool = False) -> None:
        """Tell something; the same again is told once."""
        notice = ScreenNotice(sentence, now, error)
        self._shown = [each for each in self._shown if each.sentence != sentence][-MOST_KEPT:]
        self._shown.append(notice)
        if self._past and self._past[-1].sentence == sentence:
            self._past.pop()
        self._past.append(notice)

    @property
    def past(self) -> Sequence[ScreenNotice]:
        """All that were told, those that are shown too, the newest first."""
        return tuple(reversed(self._past))

    def dismiss(self) -> bool:
        """The user has gone on; tell whether anything was shown."""
        shown, self._shown = bool(self._shown), []
        return shown

    def deadline(self) -> float | None:
        """Return when the next one goes."""
        return min((each.at + SHOWN_S for each in self._shown), default=None)

    def rows(self, columns: int, most: int, now: float) -> list[TextRow]:
        """Return the rows of those that are shown, the newest ones where not all fit."""
        self._shown = [each for each in self._shown if each.at + SHOWN_S > now]
        rows: list[TextRow] = []
        for notice in reversed(self._shown):
            style = TextStyle.ERROR if notice.error else TextStyle.NOTICE
            block = [each.row for each in notice_block(notice.sentence, columns, style)]
            if len(rows) + len(block) > most:
                return rows or block[:most]
            rows = [*block, *rows]
        return rows
