"""The form of the first start: known servers, else an address or invite link, a fingerprint, a name, screen or lines.

It is shown before there is a session. What it is answered with is tried elsewhere; a refusal stands beside its field,
and what was typed stays. A server whose CA is not known shows its fingerprint on a page of its own. That becomes a pin
only by the user, who types yes or what the server has printed: without an answer nothing is trusted.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping, Sequence
from enum import Enum, auto
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from securechat.client.catalogue import screen
from securechat.client.catalogue import screen_shell as words
from securechat.client.ui.input.overlay_fields import MARGIN
from securechat.client.ui.rows.styled_text import TextRow, TextStyle
from securechat.client.ui.screen_model.layout import ScreenLayout, WantedPanes, layout
from securechat.client.ui.screen_model.lists import grouped
from securechat.client.ui.screen_model.overlay import cut, styled, wrapped
from securechat.client.ui.screen_model.view import (
    FormField,
    ItemTarget,
    MoveSelection,
    OverlayKind,
    OverlayView,
    ScreenFocus,
    ScreenView,
    ViewRow,
)
from securechat.text.sanitize import one_line
from securechat.translation import is_yes

ADDRESS, FINGERPRINT, NAME, SHELL, CONFIRM = "address", "fingerprint", "name", "shell", "confirm"
"""Names of its fields."""
_GROUP_CHARS = 5
"""Of a group of four digits, with its blank."""
_LIST_BORDER = 3
"""Rows of the list's title and keys."""


class StartPage(Enum):
    """The pages of the form."""

    SERVERS = auto()
    FIELDS = auto()
    COMPARE = auto()


class StartRefused(Struct, frozen=True):
    """An answer is not taken: the field that is wrong, and why."""

    field: str
    sentence: str


class StartComparison(Struct, frozen=True):
    """The server's CA is not known: the fingerprint that it shows, ``sha256:`` and digits, is to be compared."""

    fingerprint: str


class StartTaken(Struct, frozen=True):
    """An answer is taken."""


StartResult: TypeAlias = StartRefused | StartComparison | StartTaken
Start: TypeAlias = Callable[[Mapping[str, str]], StartResult]
"""Tries an answer, the values of the fields."""


class StartForm:
    """The state of the form.

    Args:
        name: what stands in the field for the name; empty for nothing.
        servers: the addresses of those that are known, the one used last first.
        asks_shell: whether it asks for screen or lines.

    Attributes:
        columns, rows: of the terminal.
        taken: inputs taken so far; see screen_view.py.
        busy: whether an answer is being tried.
        page: what is shown.
    """

    def __init__(self, name: str = "", servers: Sequence[str] = (), *, asks_shell: bool = False) -> None:
        self.columns = self.rows = self.taken = 0
        self.busy = False
        self.page = StartPage.SERVERS if servers else StartPage.FIELDS
        self._servers = tuple(servers)
        self._selected = self._top = 0
        self._revision = 0
        self._given: dict[str, str] = {}
        self._shown = ""
        self._confirm = _confirm_field()
        fields = [
            FormField(ADDRESS, TextRow.of(words.ADDRESS()), hint=TextRow.of(words.ADDRESS_HINT())),
            FormField(FINGERPRINT, TextRow.of(words.FINGERPRINT()), hint=TextRow.of(words.FINGERPRINT_HINT())),
            FormField(NAME, TextRow.of(words.NAME()), one_line(name), hint=TextRow.of(words.NAME_HINT())),
        ]
        if asks_shell:
            choices = (words.SHELL_SCREEN(), words.SHELL_LINES())
            hint = TextRow.of(words.SHELL_HINT())
            fields.append(FormField(SHELL, TextRow.of(words.SHELL()), choices[0], choices=choices, hint=hint))
        self._fields = tuple(fields)

    # --- what the user does -------------------------------------------------------------------------------------------

    def move(self, move: MoveSelection) -> None:
        """Move the selection in the list of servers."""
        last = len(self._servers)
        step = move.step * (self._list_rows if move.page else 1)
        self._selected = (0 if move.edge < 0 else last) if move.edge else max(0, min(self._selected + step, last))

    def choose(self, index: int | None = None) -> Mapping[str, str] | None:
        """Take a server of the list: what is to be tried; None where the fields are shown instead.

        Args:
            index: of a clicked row; None for the selected one.
        """
        if self.page is not StartPage.SERVERS:
            return None
        if index is not None:
            self._selected = max(0, min(index, len(self._servers)))
        if self._selected < len(self._servers):
            return {ADDRESS: self._servers[self._selected]}
        self._turn(StartPage.FIELDS)
        return None

    def answer(self, values: Mapping[str, str]) -> Mapping[str, str] | None:
        """Take what was filled in: what is to be tried; None where a refusal is shown instead."""
        if self.page is not StartPage.COMPARE:
            return values
        typed = values.get(CONFIRM, "")
        if is_yes(typed.strip()) or hmac.compare_digest(typed_pin(typed).lower().encode(), self._shown.encode()):
            return {**self._given, FINGERPRINT: self._shown}
        sentence = words.OTHER_FINGERPRINT() if typed.strip() else words.CONFIRM_HINT()
        self._confirm = replace(_confirm_field(), value=one_line(typed), refusal=TextRow.of(sentence))
        self._revision += 1
        return None

    def back(self) -> bool:
        """Go a page back; False where there is none."""
        if self.page is StartPage.COMPARE:
            self._turn(StartPage.FIELDS)
        elif self.page is StartPage.FIELDS and self._servers:
            self._turn(StartPage.SERVERS)
        else:
            return False
        return True

    # --- what became of it --------------------------------------------------------------------------------------------

    def refuse(self, values: Mapping[str, str], field: str, sentence: str) -> None:
        """Show why an answer is not taken, beside one of its fields."""
        self._fill(values, field, sentence)
        self._turn(StartPage.FIELDS)

    def compare(self, values: Mapping[str, str], fingerprint: str) -> None:
        """Show the fingerprint of a server's CA, to be compared."""
        self._fill(values)
        self._given, self._shown = dict(values), fingerprint
        self._confirm = _confirm_field()
        self._turn(StartPage.COMPARE)

    def _fill(self, values: Mapping[str, str], field: str = "", sentence: str = "") -> None:
        self._fields = tuple(
            replace(
                each,
                value=one_line(values.get(each.name, each.value)),
                refusal=TextRow.of(one_line(sentence) if each.name == field else ""),
            )
            for each in self._fields
        )

    def _turn(self, page: StartPage) -> None:
        self.page = page
        self._revision += 1

    # --- what is seen -------------------------------------------------------------------------------------------------

    def view(self) -> ScreenView:
        """Return what is to be seen."""
        place = layout(self.columns, self.rows, WantedPanes(conversations=False, members=False))
        kept = ScreenLayout(place.columns, place.rows, place.too_small, messages=place.messages, footer=place.footer)
        return ScreenView(
            kept,
            taken=self.taken,
            focus=ScreenFocus.OVERLAY,
            overlay=self._overlay(),
            footer=TextRow.of(self._keys()),
            alone=TextRow.of(screen.TOO_SMALL()),
            title="securechat",
        )

    def _keys(self) -> str:
        if self.page is StartPage.SERVERS:
            return words.LIST_KEYS()
        is_first = self.page is StartPage.FIELDS and not self._servers
        return words.START_KEYS() if is_first else words.FURTHER_KEYS()

    def _overlay(self) -> OverlayView:
        footer = TextRow.of(words.START_BUSY() if self.busy else "")
        columns = max(1, self.columns - 2 * MARGIN)
        match self.page:
            case StartPage.SERVERS:
                title, items = TextRow.of(words.START_TITLE()), self._items(columns)
                return OverlayView(OverlayKind.LIST, title, items, footer=footer, total=len(self._servers) + 1)
            case StartPage.FIELDS:
                title, fields = TextRow.of(words.START_TITLE()), self._fields
                return OverlayView(OverlayKind.FORM, title, fields=fields, revision=self._revision, footer=footer)
            case StartPage.COMPARE:
                return OverlayView(
                    OverlayKind.FORM,
                    TextRow.of(words.COMPARE_TITLE()),
                    fields=(self._confirm,),
                    revision=self._revision,
                    above=(*self._digits(columns), *wrapped(TextRow.of(words.COMPARE()), columns)),
                    footer=footer,
                )

    def _digits(self, columns: int) -> list[TextRow]:
        """The fingerprint in groups of four: a power of two of them in a row, so that rows can be compared too."""
        groups = grouped(self._shown.removeprefix("sha256:")).split()
        most = next((each for each in (16, 8, 4, 2) if each * _GROUP_CHARS - 1 <= columns), 1)
        rows = (groups[at : at + most] for at in range(0, len(groups), most))
        return [styled(" ".join(row), TextStyle.KEY) for row in rows]

    @property
    def _list_rows(self) -> int:
        return max(1, self.rows - _LIST_BORDER)

    def _items(self, columns: int) -> tuple[ViewRow, ...]:
        self._top = max(min(self._top, self._selected), self._selected - self._list_rows + 1)
        rows = [cut(TextRow.of(one_line(each)), columns) for each in self._servers]
        rows.append(cut(TextRow.of(words.OTHER_SERVER()), columns))
        shown = range(self._top, min(len(rows), self._top + self._list_rows))
        return tuple(
            ViewRow(rows[each], ItemTarget(each, self._revision, ""), selected=each == self._selected) for each in shown
        )


def typed_pin(text: str) -> str:
    """Return a fingerprint as ``--pin`` takes it from one that was typed or pasted with blanks, or without sha256:."""
    bare = "".join(text.split())
    return f"sha256:{bare}" if bare and not bare.lower().startswith("sha256:") else bare


def _confirm_field() -> FormField:
    return FormField(CONFIRM, TextRow.of(words.CONFIRM()), hint=TextRow.of(words.CONFIRM_HINT()))
