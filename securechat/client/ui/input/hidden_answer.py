"""The rest of a password that is typed while its question ends, which must not be said in the room.

A question can end by itself: the server refuses, or the connection is lost. What is typed then is discarded until
Enter, Esc or Ctrl+C, or until a pause in which the end of the question is noticed. No clock is known here: ``now`` is
an argument.
"""

from __future__ import annotations

from securechat.client.ui.input.key_names import is_typed

PAUSE_S = 2.0
"""Without a key, after which the end of a question is taken to be noticed."""
_ENDS = frozenset({"Enter", "Escape", "Ctrl+C"})


class HiddenAnswer:
    """Whether a hidden answer is being typed, and whether its rest is discarded."""

    def __init__(self) -> None:
        self._typing = False
        self._discards_from: float | None = None

    def typed(self, text: str) -> None:
        """Take what stands in the hidden field now."""
        self._typing = bool(text)

    def given(self) -> None:
        """The answer is submitted, or the user has left the question."""
        self._typing = False

    def asked(self, *, hidden: bool, now: float) -> bool:
        """The field is for something else now; tell whether the rest of an answer is to be discarded."""
        ended, self._typing = self._typing and not hidden, False
        if ended:
            self._discards_from = now
        return ended

    def discards(self, key: str, now: float) -> bool:
        """Tell whether a key is discarded, by its name; a paste has none."""
        if self._discards_from is None:
            return False
        if now - self._discards_from >= PAUSE_S or key in _ENDS:
            late, self._discards_from = now - self._discards_from >= PAUSE_S, None
            return not late
        if key and not is_typed(key) and key != "Backspace":
            return False
        self._discards_from = now
        return True
