"""Parts for prompt_toolkit's line editor: hidden input, a history without passwords, and name completion."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.layout.processors import Processor, Transformation, TransformationInput

from securechat.client.ui.commands.parser import holds_secret
from securechat.text.names import name_key
from securechat.text.sanitize import is_hostile


class HiddenInput(Processor):
    """Shows nothing of a line, not even its length; the cursor stays at the start of the line."""

    def apply_transformation(self, transformation_input: TransformationInput) -> Transformation:
        """Replace a line with nothing."""
        del transformation_input
        return Transformation([], source_to_display=lambda _: 0, display_to_source=lambda _: 0)


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
