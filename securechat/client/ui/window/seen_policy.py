"""The rule by which a message that is on the screen counts as read: where a person looks, and never for passing by.

- On the screen is what the terminal has (`ShownFrames`), not what was drawn for it.
- The terminal reports its focus (mode 1004): what is on the screen while it has the focus counts. A key that comes
  without focus means that a report was lost.
- Where nothing was ever reported, what is on the screen counts for `LOOKING_S` after a key.
- Entering and leaving a conversation changes nothing: nothing in it counts before a key was pressed in it. The key that
  led into it is none.
- The key that goes on to the next unread conversation (Alt+A) says that one is done here. So it counts for what was
  looked at for `GLANCE_S` at least: who reads one conversation after the other with it has read them, and who goes
  through them quickly, looking for one, has read none. Every other way out without a key changes nothing.
- What was put back to unread stays so until the reader has left the conversation, or goes to its end.
- Nothing counts before the server has told what is unread (`ClientCore.unread_known`): that must be shown first.

The window says what was seen without a hole (`MessageWindow.seen_through`). It holds for the conversation on the screen
alone. Times are monotonic seconds.
"""

from __future__ import annotations

from securechat.client.core.state import ConversationId

LOOKING_S = 60.0
"""A person who has pressed a key is taken to look at the screen for so long (issue 18)."""
GLANCE_S = 2.0
"""A message that was on the screen for less was passed over: to find a place and read a line takes about as long."""


class SeenPolicy:
    """Whether the user looks at the conversation on the screen."""

    def __init__(self) -> None:
        self._focused: bool | None = None
        self._key_at: float | None = None
        self._current: ConversationId | None = None
        self._pressed = False
        self._held = False
        self._reported = 0
        self._shown: list[tuple[int, float]] = []
        self._looked_at = 0

    def focus(self, *, on: bool) -> None:
        """The terminal reports that it has the focus, or has lost it."""
        self._focused = on
        if not on:
            self._shown.clear()  # for how long it was looked at is not known

    def entered(self, current: ConversationId | None) -> None:
        """Another conversation is on the screen, or none."""
        if current != self._current:
            self._current = current
            self._pressed = self._held = False
            self._reported = self._looked_at = 0
            self._shown.clear()

    def pressed(self, before: ConversationId | None, now: float) -> None:
        """A key was pressed, a button clicked or a text pasted, and its action is done.

        Args:
            before: the conversation on the screen before it. A key that led here from another was not pressed here.
            now: monotonic seconds.
        """
        self._key_at = now
        if self._focused is False:
            self._focused = True
        if before is not None and before == self._current:
            self._pressed = True

    def marked_unread(self) -> None:
        """The user has put the unread line back: what is on the screen does not count."""
        self._held = True
        self._reported = self._looked_at = 0

    def went_to_end(self) -> None:
        """The user has asked for the end of the conversation: everything in it counts, also what was passed over."""
        self._held = False

    def looks(self, now: float) -> bool:
        """Whether a person looks at the screen."""
        if self._focused is not None:
            return self._focused
        return self._key_at is not None and now < self._key_at + LOOKING_S

    def covered(self, now: float) -> None:
        """Something covers the messages, such as the palette, or they are not on the screen any more."""
        self._looked_at = self._looked(now)
        self._shown.clear()

    def shows(self, through: int, now: float) -> None:
        """What the user looks at now shows everything up to a message that was not seen before."""
        if not self._shown or through > self._shown[-1][0]:
            self._shown.append((through, now))
        while len(self._shown) > 1 and self._shown[1][1] <= now - GLANCE_S:
            del self._shown[0]

    def passed(self, now: float) -> int | None:
        """The user goes on to the next unread conversation; returns up to where this one counts as read.

        Args:
            now: monotonic seconds.

        Returns:
            The seq; None where nothing was looked at for long enough, or the user has put it back to unread.
        """
        through = self._looked(now)
        return through if through and not self._held else None

    def _looked(self, now: float) -> int:
        """Return up to where the conversation was looked at for long enough; 0 for nothing."""
        if self._focused is None:
            now = min(now, (self._key_at if self._key_at is not None else float("-inf")) + LOOKING_S)
        return max((through for through, since in self._shown if since + GLANCE_S <= now), default=self._looked_at)

    def seen(self, through: int, now: float, *, unread_known: bool = True) -> int | None:
        """Return up to where the conversation was seen, to be told to the core; None for nothing new.

        Args:
            through: everything up to this seq is on the screen or was seen before.
            now: monotonic seconds.
            unread_known: whether the server has told what is unread.
        """
        if not (unread_known and self._pressed and not self._held and self.looks(now)) or through <= self._reported:
            return None
        self._reported = through
        return through
