"""Text in the composer, and its purpose: a message, a reply, an edit, an answer. One for each conversation.

The screen's thread owns the text; here is the last that it told. `revision` says when it is to take another one. What
was typed under a revision belongs to the conversation, and to the kind of question, of that revision: a text that was
begun as a message is never taken for a password, nor the other way round, and none goes to a conversation that it was
not typed in.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from securechat.client import catalogue
from securechat.client.core.state import ConversationId, RoomKey
from securechat.client.ui.input.completion import Completion, KnownWords, complete
from securechat.client.ui.input.unsent_texts import UnsentTexts
from securechat.client.ui.screen_model.view import ComposerMode
from securechat.limits import MAX_TEXT_CHARS

COUNTED_FROM = 200
"""Characters left from which on they are counted: two rows of 100."""
_KEPT_REVISIONS = 20
"""Revisions of which it is known what they were for: inputs under older ones have long come."""
MOST_HISTORY = 500
"""Lines kept for Up: some 100 KB."""


class ComposerTask(Struct, frozen=True):
    """What a text is for, other than a new message.

    Attributes:
        mode: ComposerMode.REPLY or EDIT.
        seq: of the message it is about.
        text: of an edit, as the message is without it.
    """

    mode: ComposerMode
    seq: int
    text: str = ""


class TypedUnder(Struct, frozen=True):
    """What a text that was typed under a revision is for.

    Attributes:
        key: the conversation that was open.
        hidden: whether a password was asked for.
        task: as of then.
        left: the last that was told of it before the next revision.
    """

    key: ConversationId
    hidden: bool
    task: ComposerTask | None
    left: str = ""


class ScreenComposer:
    """The composer of one session.

    Args:
        key: the conversation that is open.
        unsent: what was written in each conversation and not sent.

    Attributes:
        revision: rises when the screen is to take `text`.
        text: what is typed, as far as the screen has told.
        cursor: characters before the insertion point.
        rows: of the field that it takes.
        task: what it is for, other than a new message.
        hidden: whether a password is typed: then nothing of it is here.
        history: lines that were sent, the newest last.
    """

    def __init__(self, key: ConversationId, unsent: UnsentTexts) -> None:
        self.revision = 0
        self.text = ""
        self.cursor = 0
        self.rows = 1
        self.task: ComposerTask | None = None
        self.hidden = False
        self.history: list[str] = []
        self._key = key
        self._unsent = unsent
        self._under: dict[int, TypedUnder] = {}
        self._completed: tuple[tuple[str, int, KnownWords], Completion | None] | None = None
        self._tasks: dict[ConversationId, tuple[ComposerTask, str]] = {}
        self.set_text(unsent.get(key))

    def use(self, unsent: UnsentTexts) -> None:
        """Take the texts that an earlier run has left; what is written already stands above them."""
        written, self._unsent = self.text if not self._edits else "", unsent
        if not self.hidden and not self._edits:
            self.set_text(_both(written, unsent.get(self._key)))

    def renamed(self, old: str, room: RoomKey) -> None:
        """A room has another name."""
        self._unsent.renamed(old, room)

    # --- what the screen tells ----------------------------------------------------------------------------------------

    def typed(self, text: str, cursor: int, revision: int, rows: int) -> bool:
        """Take what is typed now; tell whether it was typed for this."""
        if revision != self.revision:
            self._typed_before(text, revision)
            return False
        if self.hidden:
            return False
        self.text, self.cursor, self.rows = text, cursor, max(1, rows)
        self._keep()
        return True

    def _typed_before(self, text: str, revision: int) -> None:
        """Keep what was typed while another revision was on its way to the screen, where it was typed for."""
        under = self._under.get(revision)
        if under is None or under.hidden or text == under.left:
            return
        edits = _is_edit(under.task)
        if edits and (under.key != self._key or self.hidden):
            if (kept := self._tasks.get(under.key)) is not None and kept[0] == under.task:
                self._tasks[under.key] = (kept[0], text)
        elif under.key != self._key or self.hidden or (self._edits and not edits):
            self._unsent.put(under.key, text)
        elif self._edits == edits and (not edits or self.task == under.task):
            begin = self.text.removesuffix(under.left) if under.left and self.text.endswith(under.left) else None
            self._under[revision] = replace(under, left=text)
            self.set_text(_both(self.text, text) if begin is None else begin + text)

    def under(self, revision: int) -> TypedUnder | None:
        """Return what a text typed under a revision is for; None for one that is too old."""
        return self._under.get(revision)

    def emptied(self, revision: int) -> None:
        """The screen has emptied the field, because its text was submitted."""
        if revision == self.revision:
            self.text, self.cursor, self.rows = "", 0, 1
            self._keep()

    # --- what it is for -----------------------------------------------------------------------------------------------

    def set_text(self, text: str) -> None:
        """Have the screen take a text."""
        self._end_revision()
        self.text, self.cursor, self.rows = text, len(text), text.count("\n") + 1
        self.revision += 1
        self._remember()
        self._keep()

    def insert(self, text: str) -> None:
        """Put a text where the insertion point is."""
        before, behind = self.text[: self.cursor], self.text[self.cursor :]
        self.set_text(before + text + behind)
        self.cursor = len(before) + len(text)

    def prepend(self, text: str) -> None:
        """Put a command before what is written, of which nothing is lost."""
        self.set_text(text + self.text)

    def enter(self, key: ConversationId) -> None:
        """Go to another conversation; what is written stays with the one that was open."""
        if key != self._key:
            self._put_away()
            self._key = key
            self._load()

    def hide(self, *, hidden: bool) -> None:
        """Ask for a password, or for text again; what was begun comes back then."""
        if hidden != self.hidden:
            self._put_away()
            self.hidden = hidden
            self._load()

    def reply(self, seq: int) -> None:
        """What is written answers a message."""
        self.leave_task()
        self.task = ComposerTask(ComposerMode.REPLY, seq)
        self._remember()

    def edit(self, seq: int, text: str) -> None:
        """Edit a message; what was written comes back afterwards."""
        self.leave_task()
        self.task = ComposerTask(ComposerMode.EDIT, seq, text)
        self.set_text(text)

    def leave_task(self) -> bool:
        """Leave a reply or an edit; tell whether there was one. The text of a reply stays, an edit is a line then."""
        changed, task, self.task = self.changed, self.task, None
        if task is None:
            return False
        if changed:
            self.add_history(self.text)
        if task.mode is ComposerMode.EDIT:
            self.set_text(self._unsent.get(self._key))
        else:
            self._remember()
        return True

    def give_back(self, key: ConversationId, text: str) -> None:
        """Put a text back into a conversation from where it was to go, above what is written there meanwhile."""
        both = _both(text, self._unsent.get(key))
        self._unsent.put(key, both)
        if key == self._key and not self.hidden and not self._edits:
            self.set_text(both)

    @property
    def changed(self) -> bool:
        """Whether a message is edited, and its text is another one by now."""
        return self._edits and self.task is not None and bool(self.text.strip()) and self.text != self.task.text

    def leave_edits(self) -> list[tuple[ConversationId, int, str]]:
        """Leave every edit; returns conversation, seq and text of those that have changed."""
        edits = [(self._key, self.task.seq, self.text)] if self.changed and self.task is not None else []
        if self._edits:
            self.leave_task()
        for key, (task, text) in list(self._tasks.items()):
            if _is_edit(task):
                del self._tasks[key]
                if text.strip() and text != task.text:
                    edits.append((key, task.seq, text))
        return edits

    def forget_tasks(self) -> None:
        """The numbers of messages are those of others now: nothing is answered or edited any more, the texts stay."""
        for key, _, text in self.leave_edits():
            self.give_back(key, text)
        self.leave_task()
        self._tasks.clear()

    @property
    def _edits(self) -> bool:
        return _is_edit(self.task)

    def add_history(self, line: str) -> bool:
        """Remember a line that was sent; tell whether it is news."""
        if not line.strip() or self.history[-1:] == [line]:
            return False
        self.history = [*self.history, line][-MOST_HISTORY:]
        return True

    # --- what is seen -------------------------------------------------------------------------------------------------

    @property
    def counter(self) -> str:
        """Characters left, near the limit."""
        left = MAX_TEXT_CHARS - len(self.text)
        return catalogue.screen.characters_left(left) if left <= COUNTED_FROM and not self.hidden else ""

    def completion(self, known: KnownWords) -> Completion | None:
        """Return what Tab would take."""
        if self.hidden or not self.text:
            return None
        asked = (self.text, self.cursor, known)
        if self._completed is None or self._completed[0][:2] != asked[:2] or self._completed[0][2] is not known:
            self._completed = (asked, complete(*asked))
        return self._completed[1]

    def _put_away(self) -> None:
        """Keep what is being answered or edited with its conversation."""
        if self.task is not None:
            self._tasks[self._key] = (self.task, self.text if self._edits else "")
            self.task = None

    def _load(self) -> None:
        if self.hidden:
            self._end_revision()
            self.text, self.cursor, self.rows = "", 0, 1
            self.revision += 1
            self._remember()
            return
        self.task, edited = self._tasks.pop(self._key, None) or (None, "")
        self.set_text(edited if self._edits else self._unsent.get(self._key))

    def _end_revision(self) -> None:
        if (under := self._under.get(self.revision)) is not None:
            self._under[self.revision] = replace(under, left=self.text)

    def _remember(self) -> None:
        self._under[self.revision] = TypedUnder(self._key, self.hidden, self.task)
        if len(self._under) > _KEPT_REVISIONS:
            del self._under[next(iter(self._under))]

    def _keep(self) -> None:
        """Keep what is written, so that a restart finds it; the text of an edit is in the log."""
        if not self.hidden and not self._edits:
            self._unsent.put(self._key, self.text)


def _is_edit(task: ComposerTask | None) -> bool:
    return task is not None and task.mode is ComposerMode.EDIT


def _both(first: str, second: str) -> str:
    return f"{first}\n{second}" if first and second else first or second
