"""Two parts for prompt_toolkit's line editor: input that does not show, and a history that forgets secrets."""

from __future__ import annotations

from collections.abc import Callable

from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.layout.processors import Processor, Transformation, TransformationInput

from securechat.client.commands import holds_secret


class Hidden(Processor):
    """Shows nothing of a line, not even how long it is; the cursor stays where the line begins."""

    def apply_transformation(self, transformation_input: TransformationInput) -> Transformation:
        """Replace a line by nothing."""
        del transformation_input
        return Transformation([], source_to_display=lambda _: 0, display_to_source=lambda _: 0)


class Recollection(InMemoryHistory):
    """What the arrow keys bring back: everything but passwords, asked for or typed where none belongs.

    Args:
        is_secret: whether a password is being typed.
    """

    def __init__(self, is_secret: Callable[[], bool]) -> None:
        super().__init__()
        self._is_secret = is_secret

    def append_string(self, string: str) -> None:
        """Remember a line, if it may be."""
        if not self._is_secret() and not holds_secret(string):
            super().append_string(string)
