"""Parts for prompt_toolkit's line editor: hidden input, a history without passwords, name completion, and pastes."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition, is_done
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.input import Input
from prompt_toolkit.input.vt100_parser import Vt100Parser
from prompt_toolkit.key_binding.key_processor import KeyPress
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout import ConditionalContainer, FormattedTextControl, HSplit, Layout, Window
from prompt_toolkit.layout.processors import Processor, Transformation, TransformationInput

from securechat.client.files.sources import is_file
from securechat.client.tty.cell_size import window_pixels
from securechat.client.ui.commands.files import AS_FILE, is_path, may_be_file, split_path
from securechat.client.ui.commands.parser import holds_secret
from securechat.client.ui.input.terminal_text import TerminalText
from securechat.text.names import name_key
from securechat.text.sanitize import is_hostile

PASTE_END = "\x1b[201~"
"""What a terminal sends after pasted text (bracketed paste)."""
CTRL_C = "\x03"
_MOST_COMPLETED = 5_000
"""Entries of a folder that are looked at."""


class HiddenInput(Processor):
    """Shows nothing of a line, not even its length; the cursor stays at the start of the line."""

    def apply_transformation(self, transformation_input: TransformationInput) -> Transformation:
        """Replace a line with nothing."""
        del transformation_input
        return Transformation([], source_to_display=lambda _: 0, display_to_source=lambda _: 0)


def add_row_below(layout: Layout, text: Callable[[], str]) -> None:
    """Show a text in a dim row below the line that is typed, where there is one.

    Not at the right edge of the line itself: a terminal that becomes narrower wraps each row that reaches its edge, the
    prompt moves up by that, and parts of it stay behind where they cannot be removed any more.
    """
    control = FormattedTextControl(lambda: [("dim", text())])
    row = Window(control, height=1, dont_extend_height=True)
    layout.container = HSplit(
        [layout.container, ConditionalContainer(row, filter=Condition(lambda: bool(text())) & ~is_done)]
    )


@contextlib.contextmanager
def without_echo() -> Iterator[None]:
    """Keep the terminal from echoing input between two prompts, which may be a password."""
    if sys.platform == "win32":
        yield
    else:
        import termios  # noqa: PLC0415 - Unix alone has it

        terminal = sys.stdin.fileno()
        before = termios.tcgetattr(terminal)
        local = 3
        changed = [*before]
        changed[local] = before[local] & ~termios.ECHO
        termios.tcsetattr(terminal, termios.TCSADRAIN, changed)
        try:
            yield
        finally:
            with contextlib.suppress(termios.error):  # the terminal is gone
                termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def cell_ratio() -> float:
    """Return the height of the terminal's cells by their width; 2 where it does not tell."""
    with contextlib.suppress(OSError, ValueError):
        if (told := window_pixels(sys.stdout.fileno())) is not None:
            columns, rows, width, height = told
            return height * columns / (width * rows)
    return 2.0


class InputHistory(InMemoryHistory):
    """The history of the arrow keys: all lines but passwords, whether asked for or typed by mistake.

    Args:
        is_secret: tells whether a password is being typed.
    """

    def __init__(self, is_secret: Callable[[], bool]) -> None:
        super().__init__()
        self._is_secret = is_secret

    def append_string(self, string: str) -> None:
        """Remember a line, unless it is secret."""
        if not self._is_secret() and not holds_secret(string):
            super().append_string(string)


class MentionCompleter(Completer):
    """Completes ``@na`` to the name of a member of the room.

    Args:
        names: returns the names of the members present.
    """

    def __init__(self, names: Callable[[], Iterable[str]]) -> None:
        self._names = names

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """Yield the names that begin with the text before the cursor."""
        del complete_event
        before, at, typed = document.text_before_cursor.rpartition("@")
        if not at or (before and before[-1].isalnum()) or "\n" in typed:
            return
        key = name_key(typed)
        for name in self._names():
            if name_key(name).startswith(key) and not is_hostile(name):
                yield Completion(f"{name} ", start_position=-len(typed))


class FileCompleter(Completer):
    """Completes the paths behind /upload and /save; one with blanks is put into quotes."""

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """Yield the files and folders that begin with the path before the cursor."""
        del complete_event
        if (typed := path_to_complete(document.text_before_cursor)) is None:
            return
        path = split_path(f"{typed}{typed[0]}" if typed[:1] in {'"', "'"} and typed else typed)
        begun = path[0] if path is not None else ""
        folder, _, name = begun.rpartition("/")
        within = Path(f"{folder}/" if "/" in begun else ".")
        with contextlib.suppress(OSError, RuntimeError, ValueError):
            for entry in sorted(within.expanduser().iterdir())[:_MOST_COMPLETED]:
                if _is_meant(entry.name, name):
                    whole = f"{folder}/{entry.name}" if "/" in begun else entry.name
                    yield Completion(_as_typed(whole, is_folder=entry.is_dir()), start_position=-len(typed))


def path_to_complete(line: str) -> str | None:
    """Return the path that stands before the cursor, as far as it is typed, with its quote; None where none does."""
    word, _, rest = line.lstrip().partition(" ")
    if word.casefold() == "/save":
        _, _, rest = rest.lstrip().partition(" ")
        return rest.lstrip() or None
    if word.casefold() != "/upload" or "\n" in rest:
        return None
    rest, is_first = rest.lstrip().removeprefix(AS_FILE).lstrip(), True
    while rest:
        path = split_path(rest)
        if path is None or (not path[1] and not rest[-1:].isspace()):
            return rest
        if not is_first and not is_path(rest) and not (may_be_file(path[0]) and is_file(path[0])):
            return None  # the text
        if not path[1]:
            return None  # behind a blank anything may follow
        rest, is_first = path[1], False
    return None


def _is_meant(name: str, begun: str) -> bool:
    return name.startswith(begun) and (begun.startswith(".") or not name.startswith(".")) and not is_hostile(name)


def _as_typed(path: str, *, is_folder: bool) -> str:
    """Return a path as it is typed: with a closing quote and a blank only where it is whole."""
    end = "/" if is_folder else " "
    if any(char.isspace() or char in "\"'\\" for char in path):
        quote = "'" if '"' in path else '"'
        return f"{quote}{path}{end}" if is_folder else f"{quote}{path}{quote} "
    return f"{path}{end}" if is_folder or may_be_file(path) else f"./{path}{end}"  # also behind another path


class PasteParser(Vt100Parser):
    """Parses keys, and keeps the keyboard alive in a paste whose end is lost on the way.

    prompt_toolkit holds everything back until the end comes, Ctrl-C and Enter included (the same fault as
    https://github.com/irssi/irssi/issues/942). Here the text of a paste that pauses is shown as far as it has come, and
    from then on Ctrl-C ends it. An end is not assumed after a pause alone: on a slow line the rest of the paste would
    then be taken for typed lines, and sent.
    """

    _paused = False

    def feed(self, data: str) -> None:
        """Take what one read has returned: Ctrl-C alone in it was pressed and not pasted."""
        if self._in_bracketed_paste and self._paused and data == CTRL_C:
            self._in_bracketed_paste = False
        if not self._in_bracketed_paste:
            self._paused = False
        super().feed(data)

    def flush(self) -> None:
        """Hand over what was pasted so far; prompt_toolkit calls this when nothing has come for half a second."""
        if self._in_bracketed_paste:
            self._paused = True
            kept = _begun_end(self._paste_buffer)
            text = self._paste_buffer[: len(self._paste_buffer) - kept]
            self._paste_buffer = self._paste_buffer[len(text) :]
            if text:
                self.feed_key_callback(KeyPress(Keys.BracketedPaste, text))
        else:
            super().flush()


def _begun_end(pasted: str) -> int:
    """The number of characters at the end of a text that may be the beginning of more: of `PASTE_END`, or of CR LF."""
    for size in range(min(len(pasted), len(PASTE_END) - 1), 0, -1):
        if PASTE_END.startswith(pasted[-size:]):
            return size
    return 1 if pasted.endswith("\r") else 0


def keep_pastes_alive(keys: Input) -> None:
    """Decode and parse the keys of a Unix terminal with our classes; Windows has no bracketed paste here."""
    if sys.platform != "win32":
        from prompt_toolkit.input.vt100 import Vt100Input  # noqa: PLC0415 - Unix alone has it

        if isinstance(keys, Vt100Input):
            keys.vt100_parser = PasteParser(keys.vt100_parser.feed_key_callback)
            encoding = getattr(keys.stdin, "encoding", None) or "utf-8"
            decoder = TerminalText(encoding, "surrogateescape")
            keys.stdin_reader._stdin_decoder = decoder  # type: ignore[assignment]  # decode alone is called
