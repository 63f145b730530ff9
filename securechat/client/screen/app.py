"""The application of the screen: draws the newest view, turns keys and the mouse into inputs, and does what is asked.

It belongs to the screen's thread. The text of the composer, and of an overlay's fields, is its own, so that a key is
painted without waiting; everything else is in the view. Two numbers keep both threads apart (ui/screen_model/view.py).
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from securechat.client.catalogue import screen_shell as words
from securechat.client.external_editor import edited
from securechat.client.link_opening import open_file, open_link
from securechat.client.screen.panes import Pane, bare_text, changed_parts, drawn_line, link_at
from securechat.client.screen.strips import base_style, sequences, sgr
from securechat.client.screen.terminal_answers import TerminalAnswers
from securechat.client.screen.toolkit import App, ChildWidgets, ChopsUpdate, LayoutUpdate, events
from securechat.client.tty import modes as terminal_modes
from securechat.client.tty.clipboard import copying
from securechat.client.tty.frames import CLEAR, RowPart, TerminalPainter
from securechat.client.ui.input.edit_field import EditField
from securechat.client.ui.input.held_keys import HeldKeys
from securechat.client.ui.input.hidden_answer import HiddenAnswer
from securechat.client.ui.input.key_names import is_typed
from securechat.client.ui.input.overlay_fields import (
    MARGIN,
    OverlayInput,
    alone_rows,
    completion_rows,
    overlay_field,
    question_rows,
    with_counter,
)
from securechat.client.ui.input.toolkit_keys import named_key
from securechat.client.ui.input.ui_actions import KeyboardFocus, KeyTable
from securechat.client.ui.rows.picture_cells import PictureArea
from securechat.client.ui.rows.styled_text import TextRow
from securechat.client.ui.screen_model import view as views
from securechat.client.ui.screen_model.layout import PaneField, ScreenLayout, ScreenPane
from securechat.client.ui.settings import ClientSettings
from securechat.client.ui.themes import Theme
from securechat.text.sanitize import one_line

if sys.platform != "win32":
    from securechat.client.screen.terminal_driver import TerminalDriver as _Driver
else:
    _Driver = None  # Textual's own

TELL_KEY_S = 1.0
"""Between two keys that are told for themselves."""
STUCK_S = 1.0
"""Time for a terminal to take a piece, after which nothing that is drawn counts as seen."""


class ScreenApp(App[None], inherit_bindings=False):
    """The screen of one session.

    Args:
        post: takes what the person did, from this thread.
        key_table: actions by key.
        theme: what styles look like.
        settings: of them the editor, and how to notify.

    Attributes:
        painter: what is on the terminal.
        answers: what the terminal was asked.
        started: called when there is a screen.
        ended: told that the session is to end, by the number of a signal, or 0 where the terminal is gone.
        erased: told that everything was deleted from the terminal, pictures too.
        failure: the exception that ended the screen; None for none.
    """

    CSS = "Screen { layers: base over; overflow: hidden; background: ansi_default; }"
    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False

    def __init__(
        self,
        post: Callable[[views.ScreenInput], None],
        key_table: KeyTable,
        theme: Theme,
        settings: ClientSettings | None = None,
    ) -> None:
        super().__init__(driver_class=_Driver, ansi_color=True)
        self.painter = TerminalPainter()
        self.failure: Exception | None = None
        self.composer = EditField()
        self.overlay = OverlayInput()
        self.view = views.ScreenView(ScreenLayout(0, 0))
        self._theme, self._key_table, self._settings = theme, key_table, settings or ClientSettings()
        self._give = post
        self._posted = self._awaited = self._typed_at = 0
        self._revision = -1
        self._held: HeldKeys[events.Key | events.Paste] = HeldKeys()
        self._typed: tuple[str, int] | None = None
        self._chosen: int | None = None
        self._told_key_at = float("-inf")
        self._recalled: int | None = None
        self._question: list[TextRow] = []
        self._answer = HiddenAnswer()
        self._mouse = True
        self._title = self._left_completion = ""
        self._newest: views.ScreenView | None = None
        self.answers = TerminalAnswers(
            self.painter, self.send, self.set_timer, self.write_frame, self._post, lambda: self.size
        )
        # Those of the view, and the row from which the list of candidates covers them.
        self._pictures: tuple[tuple[PictureArea, ...], int] = ((), 0)
        self._drawable = self._stopped = self._stuck = False
        self._told_size = (-1, -1)
        self.ended: Callable[[int], None] = lambda _: self.exit()
        self.started: Callable[[], None] = lambda: None
        self.erased: Callable[[], None] = lambda: None

    # --- what is drawn

    def compose(self) -> ChildWidgets:
        """Make the panes."""
        scroll = {pane: partial(self._scroll, pane) for pane in ScreenPane}
        click, drag = self._click, self._copy
        yield Pane("header", clicked=click)
        yield Pane("conversations", clicked=click, scrolled=scroll[ScreenPane.CONVERSATIONS], dragged=drag)
        yield Pane("members", clicked=click, scrolled=scroll[ScreenPane.MEMBERS], dragged=drag)
        yield Pane("edge")
        yield Pane("line")
        yield Pane("messages", clicked=click, scrolled=scroll[ScreenPane.MESSAGES], dragged=drag)
        yield Pane("activity", clicked=click)
        yield Pane("above", clicked=click, dragged=drag)
        yield Pane("composer", clicked=self._click_composer, scrolled=scroll[ScreenPane.MESSAGES])
        yield Pane("status")
        yield Pane("footer")
        yield Pane("completion", clicked=self._click_completion, over=True)
        yield Pane("overlay", clicked=click, scrolled=self._scroll_overlay, dragged=drag, over=True)

    def on_mount(self) -> None:
        """Draw what has come meanwhile."""
        self._drawable = True
        self._draw()
        self.started()
        if sys.platform != "win32" and isinstance(self._driver, _Driver):
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                loop.add_signal_handler(number, self.ended, number)
            loop.add_signal_handler(signal.SIGTSTP, self.suspend_process)
            loop.add_signal_handler(signal.SIGCONT, self._continued)
            loop.add_signal_handler(signal.SIGWINCH, self._driver.send_size)

    def show_soon(self, view: views.ScreenView) -> None:
        """Have a view shown, from any thread; it replaces one that was not drawn."""
        waiting, self._newest = self._newest, view
        if waiting is None:
            self.in_screen(self._show_newest)

    def in_screen(self, callback: Callable[[], None]) -> None:
        """Run something on the screen's thread, from any thread, while there is one."""
        if (loop := self._loop) is not None and loop.is_running():
            loop.call_soon_threadsafe(callback)

    @property
    def has_untaken_view(self) -> bool:
        """Whether the last view was not drawn yet."""
        return self._newest is not None

    def _tell_stuck(self) -> None:
        """Tell whether the terminal takes what is drawn; while it does not, look again."""
        stuck = sys.platform != "win32" and isinstance(self._driver, _Driver) and self._driver.waits_s >= STUCK_S
        if stuck != self._stuck:
            self._stuck = stuck
            self._post(views.ScreenHidden(stuck))
        if stuck:
            self.set_timer(STUCK_S, self._tell_stuck)

    def _show_newest(self) -> None:
        view, self._newest = self._newest, None
        if not self._stuck:
            self._tell_stuck()
        if view is not None and not self._ends:
            self.show(view)

    def show(self, view: views.ScreenView) -> None:
        """Draw a view, and take the keys that waited for it."""
        self.view = view
        composer = view.composer
        if composer.revision != self._revision:
            self.flush_typed()
            if self._answer.asked(hidden=composer.hidden, now=time.monotonic()):
                self._post(views.ShowSentence(words.QUESTION_GONE()))
            self._revision, self._chosen, self._recalled = composer.revision, None, None
            self.composer.buffer.hidden = composer.hidden
            self.composer.buffer.replace(composer.text)
            if len(self.composer.rows(self._columns_of(self.composer))) > composer.text.count("\n") + 1:
                self._typed = (self.composer.buffer.text, self.composer.buffer.cursor)  # tells its rows
        self.composer.buffer.hidden = composer.hidden
        *self._question, self.composer.prompt = question_rows(composer.prompt, self._columns_of(self.composer))
        self.composer.placeholder = composer.placeholder
        self.overlay.show(view.overlay)
        if view.title != self._title:
            self._title = view.title
            self.send(terminal_modes.title(view.title))
        if (mouse := view.mouse and view.bare is None) != self._mouse:
            self._mouse = mouse
            self.send(terminal_modes.MOUSE_ON if self._mouse else terminal_modes.MOUSE_OFF)
        self.painter.show_bare(None if view.bare is None else bare_text(view.bare))
        if self._typed is not None and view.taken >= self._typed_at:
            self.flush_typed()
        self._draw()
        if view.frame:
            self.call_after_refresh(self._drawn, view.frame)
        while self._held and not self._waits:
            self._take(self._held.take())
        if not self._waits and (lost := self._held.lost()):
            self._post(views.ShowSentence(words.typed_lost(lost)))

    def use_theme(self, theme: Theme) -> None:
        """Draw in another theme."""
        self._theme = theme
        self.redraw()

    def redraw(self) -> None:
        """Draw everything anew."""
        self.painter.paint_anew(CLEAR)
        self.erased()
        self._draw()
        if self._drawable:
            self.screen.refresh()

    def _draw(self) -> None:
        if not self._drawable:
            return
        view, layout = self.view, self.view.layout
        over = overlay_field(layout) if view.overlay is not None else None
        if over is not None:  # nothing lies under it, so no row is cut by its edges
            layout = ScreenLayout(layout.columns, layout.rows, status=layout.status, footer=layout.footer)
        alone = tuple(map(views.ViewRow, alone_rows(view.alone, layout.columns))) if layout.too_small else None
        self._pane("header", layout.header, (views.ViewRow(view.header),))
        self._pane("conversations", layout.conversations, view.conversations)
        self._pane("members", layout.members, view.members)
        self._pane("messages", layout.messages, alone or view.messages, at_bottom=alone is None)
        self._pane("above", layout.above, tuple(map(views.ViewRow, view.composer.above)))
        self._pane("status", layout.status, (views.ViewRow(view.status),))
        self._pane("footer", layout.footer, (views.ViewRow(view.footer),))
        self._draw_lines(layout)
        self._draw_composer(layout)
        rows = self.overlay.drawn(over.columns, over.rows)[0] if over is not None else []
        self._pane("overlay", over, rows)

    def _pane(self, name: str, field: PaneField | None, rows: Any, *, at_bottom: bool = False) -> None:
        self.query_one(f"#{name}", Pane).show(field, rows, self._theme, at_bottom=at_bottom)

    def _draw_lines(self, layout: ScreenLayout) -> None:
        left = layout.header.column if layout.header is not None else 0
        above, below = layout.conversations, layout.members
        edge = PaneField(left - 1, 0, 1, layout.rows - 2) if left else None
        line = (
            PaneField(0, below.row - 1, below.columns, 1) if left and above is not None and below is not None else None
        )
        self._pane("edge", edge, [drawn_line("│")] * (edge.rows if edge is not None else 0))
        self._pane("line", line, [drawn_line("-" * (line.columns if line is not None else 0))])

    def _draw_composer(self, layout: ScreenLayout) -> None:
        view, field = self.view, layout.composer
        rows = self.composer.drawn(field.columns, field.rows) if field is not None else []
        *rows, activity = with_counter([*rows, view.activity.row], view.composer.counter, field.columns if field else 0)
        question = tuple(map(views.ViewRow, self._question[-1:]))
        self._pane("activity", layout.activity, question or (views.ViewRow(activity, view.activity.target),))
        self._pane("composer", field, tuple(map(views.ViewRow, rows)))
        found = [(each.word, each.arguments, each.meaning) for each in self._completions]
        place = None
        if found and field is not None and (height := min(len(found), field.row - 1)) > 0:
            place = PaneField(field.column, field.row - height, field.columns, height)
        listed = completion_rows(place.columns, found, self._chosen)[-place.rows :] if place is not None else []
        self._pane("completion", place, listed)
        pictures = (self.view.pictures, place.row if place is not None else self.view.layout.rows)
        if pictures != self._pictures:
            self._pictures = pictures
            self.call_after_refresh(self._show_rest)  # the rows may be the same, and then nothing else does it

    def _show_rest(self) -> None:
        """Show the cursor and the pictures, where no row changes."""
        self.painter.show({}, self.cursor, self.size.width, range(0), self._pictures)
        self.write_frame()

    @property
    def cursor(self) -> tuple[int, int] | None:
        """Where the terminal's cursor is: at the insertion point, or on the selected row."""
        view, layout = self.view, self.view.layout
        if view.overlay is not None and (over := overlay_field(layout)) is not None:
            column, row = self.overlay.drawn(over.columns, over.rows)[1]
            return over.column + column, over.row + row
        if view.cursor is not None and view.focus is not views.ScreenFocus.COMPOSER:
            return view.cursor
        if layout.composer is None:
            return (0, 0)
        column, row = self.composer.cursor(layout.composer.columns)
        return layout.composer.column + column, layout.composer.row + row

    def _display(self, screen: Any, renderable: Any) -> None:
        """Give what Textual has drawn to the painter: a row's parts, where one has changed."""
        if not isinstance(renderable, ChopsUpdate | LayoutUpdate) or self._batch_count or screen is not self.screen:
            return
        columns, base = self.size.width, base_style(self._theme)
        rows: dict[int, dict[int, RowPart]] = {}
        for y, x, strip in changed_parts(renderable):
            drawn = sequences(strip, base, self._theme.depth)
            rows.setdefault(y, {})[x] = RowPart(x, strip.cell_length, drawn, sgr(base, self._theme.depth))
        field = self.view.layout.composer
        urgent = range(field.row, field.row + field.rows) if field else range(0)
        self.painter.show(rows, self.cursor, columns, urgent, self._pictures)
        self.write_frame()

    def write_frame(self) -> None:
        """Have written what the painter has; on the screen's thread."""
        if sys.platform != "win32" and isinstance(self._driver, _Driver):
            self._driver.show_frame()
        elif self._driver is not None:
            self._driver.write(self.painter.take(sys.maxsize))
            if frame := self.painter.written():
                self.note_shown(frame)

    def _drawn(self, frame: int) -> None:
        """All rows of a view are with the painter: ask for a word when the terminal shows them."""
        if frame == self.view.frame:
            self.painter.is_frame(frame)
            self.write_frame()

    def note_shown(self, frame: int) -> None:
        """The terminal shows a view; from any thread."""
        self.in_screen(partial(self._post, views.FrameShown(frame)))

    # --- what the person does

    async def on_event(self, event: events.Event) -> None:
        """Take keys and pastes before any widget; the mouse goes to the panes."""
        if isinstance(event, events.Key | events.Paste) and not self._ends:
            if self._waits or self._held:
                self._held.hold(event, len(event.text) if isinstance(event, events.Paste) else 1)
            else:
                self._take(event)
        elif isinstance(event, events.AppFocus | events.AppBlur):
            self._post(views.FocusChanged(isinstance(event, events.AppFocus)))
        else:
            await super().on_event(event)

    def on_resize(self, event: events.Resize) -> None:
        """Have everything drawn in another size."""
        size = (event.size.width, event.size.height)
        if size != self._told_size:
            self._told_size = size
            self.painter.paint_anew(CLEAR, rows=event.size.height)
            self.erased()
            self.answers.resized()
            self._post(views.ScreenResized(*size))

    @property
    def _ends(self) -> bool:
        """Whether the panes go, one after the other: nothing is drawn and taken any more."""
        return self._exit or self.failure is not None

    @property
    def _waits(self) -> bool:
        return self.view.taken < self._awaited

    def _post(self, screen_input: views.ScreenInput) -> None:
        if not isinstance(screen_input, views.APART):
            self.flush_typed()
        self._posted += 1
        if isinstance(screen_input, views.WAITED_FOR):
            self._awaited = self._posted
        self._give(screen_input)

    def _take(self, event: events.Key | events.Paste) -> None:
        pane = self.query_one("#messages", Pane)
        marked = pane.marked_text
        pane.unmark()
        name = "" if isinstance(event, events.Paste) else named_key(event.key, event.character)
        if self._answer.discards(name, time.monotonic()):
            return
        if isinstance(event, events.Paste):
            self._paste(event.text, getattr(event, "chars", len(event.text)))
        else:
            composer, posted = self._text_field, self._posted
            if marked and name == "Ctrl+C":
                self._copy(marked)
                return
            taken = name == "Ctrl+Z" or self._completion_key(name) or self._action_key(name) or self._recall(name)
            if name == "Ctrl+Z":
                self.suspend_process()
            elif not taken and composer is not None:
                self._edit(composer, event)
            if (
                posted == self._posted
                and self._typed is None
                and (now := time.monotonic()) - self._told_key_at >= TELL_KEY_S
            ):
                self._told_key_at = now
                self._post(views.KeyTyped())
        self._draw()
        self._show_rest()

    def _edit(self, composer: EditField, event: events.Key) -> None:
        before = composer.buffer.text, composer.buffer.cursor
        composer.key(event.key, event.character, self._columns_of(composer))
        if before != (composer.buffer.text, composer.buffer.cursor):
            self._text_changed(composer)

    @property
    def _text_field(self) -> EditField | None:
        return self.overlay.composer if self.view.overlay is not None else self.composer

    def _columns_of(self, composer: EditField) -> int:
        field = self.view.layout.composer if composer is self.composer else overlay_field(self.view.layout)
        margin = 0 if composer is self.composer else 2 * MARGIN
        return field.columns - margin if field is not None else self.size.width

    def _places(self) -> list[KeyboardFocus]:
        place = views.PLACES.get(self.view.focus)
        if self.view.overlay is not None or place is not None:
            return [KeyboardFocus.OVERLAY if self.view.overlay is not None else place or KeyboardFocus.OVERLAY]
        buffer = self.composer.buffer
        places = [] if buffer.text else [KeyboardFocus.COMPOSER_EMPTY]
        if buffer.cursor == len(buffer.text):
            places.append(KeyboardFocus.COMPOSER_END)
        if buffer.text and "\n" not in buffer.text[: buffer.cursor]:
            places.append(KeyboardFocus.COMPOSER_TOP)
        return [*places, KeyboardFocus.COMPOSER]

    def _action_key(self, name: str) -> bool:
        """Do what the table has for a key; False where it has nothing, and the key is text."""
        places = self._places()
        action = self._key_table.action(name, *places)
        typed_into_filter = self.view.overlay is not None and self.overlay.composer is not None and is_typed(name)
        if self.view.overlay is not None and self._form_key(name):
            return True
        if action is None or typed_into_filter:
            return False
        is_below = self.composer.cursor(self._columns_of(self.composer))[1] > 0
        if name == "Up" and action.id == "select" and is_below:
            return False
        self._run(action.id, overlay=KeyboardFocus.OVERLAY in places)
        return True

    def _run(self, action_id: str, *, overlay: bool = False) -> None:
        match action_id:
            case "send":
                self._submit()
            case "complete":
                self._complete(0 if self._chosen is None else self._chosen)
            case "interrupt":
                self._interrupt()
            case "choose":
                self._post(views.ChooseItem(self.view.overlay.revision if self.view.overlay is not None else 0))
            case "escape":
                self._answer.given()
                self._post(views.CloseOverlay())
            case "newline" | "editor" | "redraw":
                self.do(action_id)
            case _ if action_id in views.MOVES:
                self._post(views.MOVES[action_id])
            case _ if action_id in views.PAGES and overlay:
                self._post(views.PAGES[action_id])
            case _:
                self._post(views.RunAction(action_id))

    def _form_key(self, name: str) -> bool:
        """Go through the fields of a form; False for other keys, and other overlays."""
        overlay = self.overlay
        if overlay.view is None or overlay.view.kind is not views.OverlayKind.FORM:
            return False
        if name in {"Tab", "Down"} or (name == "Enter" and not overlay.is_at_last_field()):
            overlay.step(1)
        elif name in {"Shift+Tab", "Up"}:
            overlay.step(-1)
        elif name == "Enter":
            self._post(views.AnswerForm(overlay.values))
        elif overlay.chooses and is_typed(name) and name != "Space":
            pass  # only one of its choices is a value
        else:
            return name in {"Left", "Right", "Space"} and overlay.choose(-1 if name == "Left" else 1)
        return True

    def _submit(self) -> None:
        text = self.composer.buffer.text
        self._typed = self._recalled = None
        self._answer.given()
        self.composer.buffer.replace("")
        self._post(views.SubmitText(text, self._revision))

    def _recall(self, name: str) -> bool:
        """Go through the lines that were sent, as readline does; False for other keys."""
        history = self.view.composer.history
        if name not in {"Ctrl+P", "Ctrl+N"} or self._text_field is not self.composer or not history:
            return False
        at = len(history) if self._recalled is None else self._recalled
        at = max(0, at - 1) if name == "Ctrl+P" else min(len(history), at + 1)
        text = history[at] if at < len(history) else ""
        self.composer.buffer.put(text, len(text))
        self._text_changed(self.composer)
        self._recalled = at
        return True

    def _interrupt(self) -> None:
        """Empty the composer, which undo brings back; where it is empty, it is not the shell's."""
        composer = self._text_field
        if composer is not None and composer.buffer.text:
            composer.buffer.clear()
            self._text_changed(composer)
        else:
            self._post(views.RunAction("interrupt"))

    def _paste(self, text: str, chars: int) -> None:
        composer = self._text_field
        if composer is None:
            return
        left = composer.insert(text) + max(0, chars - len(text))
        if left:
            self._post(views.ShowSentence(words.paste_cut(left)))
        self._text_changed(composer)

    def _text_changed(self, composer: EditField) -> None:
        """Tell of a text, unless it is hidden; while the last one is on its way, only the newest one goes next."""
        if composer is not self.composer:
            if self.view.overlay is not None and self.view.overlay.prompt:
                self._post(views.TypedFilter(self.overlay.filter, self.view.overlay.revision))
            return
        self._chosen = self._recalled = None
        if composer.buffer.hidden:
            self._answer.typed(composer.buffer.text)
            return
        self._typed = (composer.buffer.text, composer.buffer.cursor)
        if self.view.taken >= self._typed_at:
            self.flush_typed()

    def flush_typed(self) -> None:
        """Tell what is typed, and was not told yet."""
        if self._typed is not None:
            (text, cursor), self._typed = self._typed, None
            rows = len(self.composer.rows(self._columns_of(self.composer)))
            self._post(views.TypedText(text, cursor, self._revision, rows))
            self._typed_at = self._posted

    # --- completion

    @property
    def _completions(self) -> tuple[Any, ...]:
        completion, buffer = self.view.composer.completion, self.composer.buffer
        fits = completion is not None and completion.text == buffer.text and completion.end == buffer.cursor
        shown = fits and self.view.overlay is None and self._left_completion != buffer.text
        return completion.candidates if completion is not None and shown else ()

    def _completion_key(self, name: str) -> bool:
        """Move in the list of candidates: Down enters it, Enter takes only from within, Esc leaves it."""
        count = len(self._completions)
        if not count:
            return False
        if name == "Down":
            self._chosen = 0 if self._chosen is None else (self._chosen + 1) % count
        elif name == "Up" and self._chosen is not None:
            self._chosen = self._chosen - 1 if self._chosen else None
        elif name == "Enter" and self._chosen is not None:
            self._complete(self._chosen)
        elif name == "Escape":
            self._left_completion, self._chosen = self.composer.buffer.text, None
        else:
            return False
        return True

    def _complete(self, index: int) -> None:
        completion = self.view.composer.completion
        if completion is not None and index < len(self._completions):
            self.composer.buffer.put(*completion.taken(index))
            self._text_changed(self.composer)

    # --- the mouse

    def _scroll(self, pane: ScreenPane, rows: int) -> None:
        self._post(views.ScrollPane(pane, rows))

    def _scroll_overlay(self, rows: int) -> None:
        self._post(views.MoveSelection(rows))

    def _click(self, row: views.ViewRow | None, column: int, _y: int) -> None:
        if row is not None:
            link, person = link_at(row.row, column)
            self._post(views.ClickRow(row.target, link, person))

    def _click_composer(self, _row: views.ViewRow | None, column: int, y: int) -> None:
        self.composer.click(column, y, self._columns_of(self.composer))
        self._draw()

    def _click_completion(self, _row: views.ViewRow | None, _column: int, y: int) -> None:
        self._complete(y)
        self._draw()

    # --- what only the shell can do

    def request(self, request: views.ShellRequest) -> None:
        """Do what the network's thread asks for."""
        match request:
            case views.CopyText(text):
                self._copy(text)
            case views.OpenLink(link):
                open_link(link, os.environ, lambda opened: self.in_screen(partial(self._opened, link, opened)))
            case views.OpenSavedFile(_, path):
                open_file(path, os.environ, lambda opened: self.in_screen(partial(self._file_opened, path, opened)))
            case views.ShellAction(action_id):
                self.do(action_id)
            case views.RingBell():
                self.answers.notify("", self._settings.notifications, rings=True)
            case views.NotifyUser(text, rings):
                self.answers.notify(text, self._settings.notifications, rings=rings)
            case views.LeaveScreen():
                self.exit()

    def do(self, action_id: str) -> None:
        """Run an action of the table that is the shell's."""
        match action_id:
            case "newline":
                self._paste("\n", 1)
            case "redraw":
                self.redraw()
            case "editor" if not self.composer.buffer.hidden:
                self._post(views.ScreenHidden(True))
                with self.suspend():
                    chosen = {"VISUAL": self._settings.editor} if self._settings.editor else {}
                    text = edited(self.composer.buffer.text, {**os.environ, **chosen})
                self._post(views.ScreenHidden(False))
                if text is None:
                    self._post(views.ShowSentence(words.EDITOR_FAILED()))
                else:
                    self.composer.buffer.put(text, len(text))
                    self._text_changed(self.composer)
                self.redraw()

    def _copy(self, text: str) -> None:
        sequence = copying(text)
        if sequence is not None:
            self.send(sequence)
        self._post(views.ShowSentence(words.COPIED() if sequence is not None else words.COPY_TOO_LONG()))

    def _opened(self, link: str, opened: bool) -> None:
        if not opened:
            self.send(copying(link) or "")
            self._post(views.ShowSentence(words.LINK_COPIED()))

    def _file_opened(self, path: str, opened: bool) -> None:
        self._post(views.ShowSentence((words.file_opens if opened else words.file_is_at)(one_line(path))))

    def send(self, sequence: str) -> None:
        """Write a sequence of this package to the terminal."""
        if sequence and sys.platform != "win32" and isinstance(self._driver, _Driver):
            self._driver.send(sequence)
        elif sequence and self._driver is not None:
            self._driver.write(sequence)

    # --- the terminal

    def takes_mouse(self) -> bool:
        """Whether the terminal reports the mouse."""
        return self._mouse

    def note_answer(self, answer: str) -> None:
        """Take an answer of the terminal."""
        self.answers.note(answer)

    def note_hangup(self) -> None:
        """The terminal is gone."""
        self.ended(0)

    def suspend_process(self) -> None:
        """Give the terminal to the shell, as Ctrl+Z does everywhere, and take it back when the shell lets us go on."""
        if sys.platform != "win32" and isinstance(self._driver, _Driver):
            self._stopped = True
            self._post(views.ScreenHidden(True))
            with self.suspend():
                os.kill(os.getpid(), signal.SIGSTOP)
            self._post(views.ScreenHidden(False))
            self.redraw()

    def _continued(self) -> None:
        """Take the terminal again after a stop that gave no warning; after our own it is taken already."""
        stopped, self._stopped = self._stopped, False
        if not stopped and sys.platform != "win32" and isinstance(self._driver, _Driver):
            self._driver.take_again()
            self.redraw()

    def _fatal_error(self) -> None:
        """End with the exception itself: Textual would print a report of its own, with every variable in it."""
        self.failure = self._exception
        self._close_messages_no_wait()

    def panic(self, *_renderables: object) -> None:
        """End likewise with an exception that can draw itself."""
        self._fatal_error()
