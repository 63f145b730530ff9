"""A screen without a session: a network's thread that says back what is typed, for tests of the shell alone.

Run as a program it takes the terminal that it is started on. ``SCREEN_PROGRAM`` makes it misbehave: `crash` at the
text "crash", `flood` by 1,000 messages a second until something is sent.
"""

from __future__ import annotations

import os
import sys
import threading

from securechat.client.screen.app import ScreenApp
from securechat.client.ui.input.completion import Completion, CompletionItem
from securechat.client.ui.input.ui_actions import KeyTable
from securechat.client.ui.rows.styled_text import TextRow, TextSpan, TextStyle
from securechat.client.ui.screen_model import view as views
from securechat.client.ui.screen_model.layout import WantedPanes, layout
from securechat.client.ui.themes import ThemeName, color_depth, theme

LINK = "https://example.org/a/long/way"
KEPT = 200
"""How many messages of a flood are kept: more than a terminal has rows."""


class EchoState:
    """Takes inputs and makes views, as client/ui/screen_model/state.py does.

    Attributes:
        inputs: all that came.
        messages: texts that were sent, the newest last.
        dropped: how many texts before these are no longer kept.
        changes: fields of the next views.
    """

    def __init__(self) -> None:
        self.inputs: list[views.ScreenInput] = []
        self.messages: list[str] = []
        self.dropped = 0
        self.sent = threading.Event()
        self.changes: dict[str, object] = {}
        self.composer: dict[str, object] = {}
        self.waits = False
        self._size = (0, 0)
        self._rows = 1
        self._typed = ""
        self.app = ScreenApp(self.take, KeyTable(), theme(ThemeName.DARK, color_depth(os.environ)))

    def take(self, screen_input: views.ScreenInput) -> None:
        """Take an input; answer it at once unless ``waits``."""
        self.inputs.append(screen_input)
        match screen_input:
            case views.ScreenResized(columns, rows):
                self._size = (columns, rows)
            case views.TypedText(text, _, _, rows):
                self._typed, self._rows = text, rows
            case views.SubmitText(text):
                self.messages.append(text)
                self._typed, self._rows = "", 1
                self.sent.set()
                if text == "crash":
                    raise ValueError(text)
            case views.RunAction("leave" | "interrupt"):
                self.app.exit()
        if not self.waits:
            self.app.show_soon(self.view())

    def view(self) -> views.ScreenView:
        """Make a view."""
        where = layout(*self._size, WantedPanes(composer_rows=self._rows))
        height = where.messages.rows if where.messages else 1
        shown = self.messages[-height:]
        first = self.dropped + len(self.messages) - len(shown) + 1
        rows = [self._row(number, text) for number, text in enumerate(shown, first)]
        link = views.ViewRow(TextRow.of(f"see {LINK}", [TextSpan(4, 4 + len(LINK), TextStyle.LINK, link=LINK)]))
        composer = {"prompt": TextRow.of("#lobby > "), "completion": self._completion(), **self.composer}
        fields = {
            "conversations": (views.ViewRow(TextRow.of("#lobby"), views.EndTarget(), selected=True),),
            "members": (views.ViewRow(TextRow.of("ana"), views.MemberTarget(7)),),
            "messages": (link, *rows)[-height:],
            "header": TextRow.of("#lobby"),
            "status": TextRow.of("connected"),
            "footer": TextRow.of("F1 help"),
            "title": f"securechat ({self.dropped + len(self.messages)})",
            "composer": views.ComposerView(**composer),  # type: ignore[arg-type]
            "alone": TextRow.of("The window is too small: 20 columns and 6 rows are needed"),
            **self.changes,
        }
        return views.ScreenView(where, taken=len(self.inputs), **fields)  # type: ignore[arg-type]

    @staticmethod
    def _row(number: int, text: str) -> views.ViewRow:
        shown = text.replace("\n", "⏎")
        spans = [TextSpan(0, 3, TextStyle.NAME, person=3)]
        return views.ViewRow(TextRow.of(f"ana {number} {shown}"[:50], spans), views.UnsentTarget(number))

    def _completion(self) -> Completion | None:
        if not self._typed.startswith("/"):
            return None
        words = [word for word in ("/help", "/history", "/invite") if word.startswith(self._typed)]
        found = tuple(CompletionItem(f"{word} ", word, "means something", "ARG") for word in words)
        return Completion(self._typed, 0, len(self._typed), found) if found else None


def main() -> int:
    """Run on this terminal until left."""
    state = EchoState()
    if os.environ.get("SCREEN_PROGRAM") == "flood":
        threading.Thread(target=_flood, args=(state,), daemon=True).start()
    state.app.run()
    if state.app.failure is not None:
        raise state.app.failure
    return 0


def _flood(state: EchoState) -> None:
    said = 0
    while not state.sent.wait(0.01):
        state.messages += [f"flood {said + number}" for number in range(10)]
        said += 10
        if (spare := len(state.messages) - KEPT) > 0:
            del state.messages[:spare]
            state.dropped += spare
        state.app.show_soon(state.view())
    state.app.show_soon(state.view())  # one that was made before it was sent may have replaced the one that shows it


if __name__ == "__main__":
    sys.exit(main())
