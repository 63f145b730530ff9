"""The form of the first start: the address or an invite link, the fingerprint of the CA, and a name.

It is shown before there is a session. What it is answered with is tried elsewhere; a refusal stands beside its field,
and what was typed stays.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from securechat.client.catalogue import screen
from securechat.client.catalogue import screen_shell as words
from securechat.client.ui.screen_layout import ScreenLayout, WantedPanes, layout
from securechat.client.ui.screen_view import FormField, OverlayKind, OverlayView, ScreenFocus, ScreenView
from securechat.client.ui.styled_text import TextRow
from securechat.text.sanitize import one_line

ADDRESS, FINGERPRINT, NAME = "address", "fingerprint", "name"
"""Names of its fields."""


class StartForm:
    """The state of the form.

    Args:
        name: what stands in the field for the name; empty for nothing.

    Attributes:
        columns, rows: of the terminal.
        taken: inputs taken so far; see screen_view.py.
        busy: whether an answer is being tried.
    """

    def __init__(self, name: str = "") -> None:
        self.columns = self.rows = self.taken = 0
        self.busy = False
        self._revision = 0
        self._fields: tuple[FormField, ...] = (
            FormField(ADDRESS, TextRow.of(words.ADDRESS()), hint=TextRow.of(words.ADDRESS_HINT())),
            FormField(FINGERPRINT, TextRow.of(words.FINGERPRINT()), hint=TextRow.of(words.FINGERPRINT_HINT())),
            FormField(NAME, TextRow.of(words.NAME()), one_line(name), hint=TextRow.of(words.NAME_HINT())),
        )

    def refuse(self, values: Mapping[str, str], field: str, sentence: str) -> None:
        """Show why an answer is not taken, beside one of its fields."""
        self._revision += 1
        self._fields = tuple(
            replace(
                each,
                value=one_line(values.get(each.name, "")),
                refusal=TextRow.of(one_line(sentence) if each.name == field else ""),
            )
            for each in self._fields
        )

    def view(self) -> ScreenView:
        """Return what is to be seen."""
        place = layout(self.columns, self.rows, WantedPanes(conversations=False, members=False))
        kept = ScreenLayout(place.columns, place.rows, place.too_small, messages=place.messages, footer=place.footer)
        form = OverlayView(
            OverlayKind.FORM,
            TextRow.of(words.START_TITLE()),
            fields=self._fields,
            revision=self._revision,
            footer=TextRow.of(words.START_BUSY() if self.busy else ""),
        )
        return ScreenView(
            kept,
            taken=self.taken,
            focus=ScreenFocus.OVERLAY,
            overlay=form,
            footer=TextRow.of(words.START_KEYS()),
            alone=TextRow.of(screen.TOO_SMALL()),
            title="securechat",
        )
