"""Text in the composer, and its purpose: a message, a reply, an edit, an answer. One for each conversation.

The screen's thread owns the text; here is the last that it told. `revision` says when it is to take another one. What
was typed under a revision belongs to the conversation, and to the kind of question, of that revision: a text that was
begun as a message is never taken for an answer, nor the other way round, and none goes to a conversation that it was
not typed in. While a question stands in the field, what is written for the conversation waits untouched; an answer is
kept nowhere.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from msgspec import Struct
from msgspec.structs import replace

from securechat.client import catalogue
from securechat.client.core.state import ConversationId, PersonKey, RoomKey
from securechat.client.ui.commands.parser import holds_secret
from securechat.client.ui.input.completion import Completion, KnownWords, complete
from securechat.client.ui.input.unsent_texts import UnsentText, UnsentTexts
from securechat.client.ui.screen_model.view import ComposerMode
from securechat.limits import MAX_TEXT_CHARS

COUNTED_FROM = 200
"""Characters left from which on they are counted: two rows of 100."""
_KEPT_REVISIONS = 20
"""Revisions of which it is known what they were for: inputs under older ones have long come."""
MOST_HISTORY = 500
"""Lines kept for Up: some 100 KB."""


class ComposerQuestion(Enum):
    """What the field asks for."""

    NOTHING = "nothing"  # what is typed belongs to the conversation
    OPEN = "open"  # a name, or yes or no
    HIDDEN = "hidden"  # a password


class ComposerTask(Struct, frozen=True):
    """What a text is for, other than a new message.

    Attributes:
        mode: ComposerMode.REPLY or EDIT.
        seq: of the message it is about.
        text: of an edit, as the message is without it.
        sent_at_ms: of the edited message.
        kept: whether the edit is of an earlier run, and its message is still to be found.
    """

    mode: ComposerMode
    seq: int
    text: str = ""
    sent_at_ms: int = 0
    kept: bool = False


class TypedUnder(Struct, frozen=True):
    """What a text that was typed under a revision is for.

    Attributes:
        key: the conversation that was open.
        question: what was asked for.
        task: as of then.
        left: the last that was told of it before the next revision.
        gone: whether the conversation is a dialogue of another log.
    """

    key: ConversationId
    question: ComposerQuestion
    task: ComposerTask | None
    left: str = ""
    gone: bool = False


class ScreenComposer:
    """The composer of one session.

    Args:
        key: the conversation that is open.
        unsent: what was written in each conversation and not sent.
        name_of: the present name of a person, by sender_id; None where it is not known.

    Attributes:
        revision: rises when the screen is to take `text`.
        text: what is typed, as far as the screen has told.
        cursor: characters before the insertion point.
        rows: of the field that it takes.
        task: what it is for, other than a new message.
        question: what is asked for; of a hidden answer nothing is here.
        guarded: whether what is typed may be a password nevertheless: then it is not stored.
        history: lines that were sent, the newest last.
    """

    def __init__(
        self,
        key: ConversationId,
        unsent: UnsentTexts,
        name_of: Callable[[int], str | None] = lambda _: None,
    ) -> None:
        self.revision = 0
        self.text = ""
        self.cursor = 0
        self.rows = 1
        self.task: ComposerTask | None = None
        self.question = ComposerQuestion.NOTHING
        self.guarded = False
        self.history: list[str] = []
        self._key = key
        self._unsent = unsent
        self._name_of = name_of
        self._under: dict[int, TypedUnder] = {}
        self._completed: tuple[tuple[str, int, KnownWords], Completion | None] | None = None
        self._tasks: dict[ConversationId, tuple[ComposerTask, str]] = {}
        self._load()

    @property
    def hidden(self) -> bool:
        """Whether a password is typed."""
        return self.question is ComposerQuestion.HIDDEN

    def use(self, unsent: UnsentTexts) -> None:
        """Take the texts that an earlier run has left; what is written already stands above them."""
        unsent.take_over(self._unsent)
        self._unsent = unsent
        if not self._asks and self.task is None:
            self._load()

    def settle(self) -> str:
        """Put texts of an earlier run where they belong, once it is known whom a number means.

        A text for a person whose number has another name now, or means nothing in this log, becomes a command in the
        open room, where nothing else is written.

        Returns:
            The name of the person of such a command; empty for none.
        """
        found = self._unsent.recognise(self._name_of)
        if self._asks or self.task is not None:
            return ""
        if self._key in found:
            self._load()
        if isinstance(self._key, PersonKey) or self.text:
            return ""
        if (other := self._unsent.take_for_other(self._name_of)) is None:
            return ""
        self.set_text(f'/msg "{other.name}" {other.text}')
        return other.name

    def renamed(self, old: str, room: RoomKey) -> None:
        """A room has another name."""
        self._unsent.renamed(old, room)

    # --- what the screen tells ----------------------------------------------------------------------------------------

    def typed(self, text: str, cursor: int, revision: int, rows: int) -> bool:
        """Take what is typed now; tell whether it was typed for this."""
        if revision != self.revision:
            self.keep_typed(text, revision)
            return False
        if self.hidden:
            return False
        self.text, self.cursor, self.rows = text, cursor, max(1, rows)
        self._keep()
        return True

    def keep_typed(self, text: str, revision: int) -> None:
        """Keep what was typed while another revision was on its way to the screen, where it was typed for."""
        under = self._under.get(revision)
        if under is None or under.question is not ComposerQuestion.NOTHING or text == under.left:
            return
        edits, elsewhere = _is_edit(under.task), under.key != self._key or self._asks
        if under.gone:
            self.keep_gone(under, text)
            self._under[revision] = replace(under, left=text)
        elif edits and elsewhere:
            if (kept := self._tasks.get(under.key)) is not None and _is_same(kept[0], under.task):
                self._tasks[under.key] = (kept[0], text)
                self._keep_edit(under.key, kept[0], text)
        elif elsewhere or (self._edits and not edits):
            self._put(under.key, _continued(self._unsent.get(under.key), under.left, text))
            self._under[revision] = replace(under, left=text)
        elif self._edits == edits and (not edits or _is_same(self.task, under.task)):
            self._under[revision] = replace(under, left=text)
            self.set_text(_continued(self.text, under.left, text))

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
        """Put a text where the insertion point is; while a question is asked, behind what waits."""
        if self._asks:
            self._put(self._key, self._unsent.get(self._key) + text)
            return
        before, behind = self.text[: self.cursor], self.text[self.cursor :]
        self.set_text(before + text + behind)
        self.cursor = len(before) + len(text)

    def prepend(self, text: str) -> None:
        """Put a command before what is written, of which nothing is lost."""
        if self._asks:
            self._put(self._key, text + self._unsent.get(self._key))
            return
        self.set_text(text + self.text)

    def enter(self, key: ConversationId) -> None:
        """Go to another conversation; what is written stays with the one that was open."""
        if key != self._key:
            self._put_away()
            self._key = key
            self._load()

    def ask(self, question: ComposerQuestion) -> None:
        """Ask a question, or for text again: what was begun waits, and comes back then."""
        if question is not self.question:
            self._put_away()
            self.question = question
            self._load()

    def reply(self, seq: int) -> None:
        """What is written answers a message."""
        task = ComposerTask(ComposerMode.REPLY, seq)
        if self._asks:
            self._tasks[self._key] = (task, "")
            return
        self.leave_task()
        self.task = task
        self._remember()

    def edit(self, seq: int, text: str, sent_at_ms: int = 0) -> None:
        """Edit a message; what was written comes back afterwards."""
        task = ComposerTask(ComposerMode.EDIT, seq, text, sent_at_ms)
        if self._asks:
            self._tasks[self._key] = (task, text)
            return
        self.leave_task()
        self.task = task
        self.set_text(text)

    def leave_task(self) -> bool:
        """Leave a reply or an edit; tell whether there was one. The text of a reply stays, an edit is a line then."""
        changed, task, self.task = self.changed, self.task, None
        if task is None:
            return False
        if changed and not self.guarded:
            self.add_history(self.text)
        if task.mode is ComposerMode.EDIT:
            self._unsent.put_edit(self._key, None)
            self.set_text(self._unsent.get(self._key))
        else:
            self._remember()
        return True

    def give_back(self, key: ConversationId, text: str) -> None:
        """Put a text back into a conversation from where it was to go, above what is written there meanwhile."""
        both = _both(text, self._unsent.get(key))
        self._put(key, both)
        if key == self._key and not self._asks and not self._edits:
            self.set_text(both)

    def give_back_lost(self, key: ConversationId, text: str) -> None:
        """Keep a text that another log has no place for: in its room, or by the name of its person."""
        if isinstance(key, PersonKey):
            self._unsent.keep_for(self._unsent.person_name(key.person_id), text)
        else:
            self.give_back(key, text)

    def keep_gone(self, under: TypedUnder, text: str) -> None:
        """Keep what was typed for a person of another log."""
        if isinstance(under.key, PersonKey):
            self._unsent.keep_for(self._unsent.person_name(under.key.person_id), text, under.left)

    @property
    def changed(self) -> bool:
        """Whether a message is edited, and its text is another one by now."""
        return self._edits and self.task is not None and bool(self.text.strip()) and self.text != self.task.text

    def guard(self, *, on: bool) -> None:
        """What is typed may be a password, or no more."""
        if on is not self.guarded:
            self.guarded = on
            self._keep()

    def edit_is_found(self) -> None:
        """The message of an edit of an earlier run is there, and it is the same one."""
        if self.task is not None:
            self.task = replace(self.task, kept=False)

    def edit_is_gone(self) -> None:
        """The edited message is not there any more: what was written is a text of the conversation."""
        text = self.text if self.changed else ""
        self.leave_task()
        if text:
            self.give_back(self._key, text)

    def another_log(self) -> bool:
        """Numbers mean other messages and people now; tell whether an edit, or a text for a person, is concerned.

        Nothing is answered or edited any more. Texts stay with their rooms; those of dialogues wait for `settle`.
        """
        edits = [(self._key, self.text)] if self.changed else []
        edits += [(key, text) for key, (task, text) in self._tasks.items() if _is_edit(task) and text != task.text]
        self.leave_task()
        self._tasks.clear()
        for key, text in edits:
            self._unsent.put_edit(key, None)
            self.give_back(key, text)
        concerned = self._unsent.another_log() or bool(edits)
        self._under = {
            revision: replace(under, gone=under.gone or isinstance(under.key, PersonKey))
            for revision, under in self._under.items()
        }
        if isinstance(self._key, PersonKey) and not self._asks:
            self.set_text("")
            self._under[self.revision] = replace(self._under[self.revision], gone=True)
        elif not self._asks and not self.text:
            self.set_text(self._unsent.get(self._key))
        return concerned

    @property
    def _asks(self) -> bool:
        return self.question is not ComposerQuestion.NOTHING

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
        if self._asks:
            self._end_revision()
            self.text, self.cursor, self.rows = "", 0, 1
            self.revision += 1
            self._remember()
            return
        self.task, edited = self._tasks.pop(self._key, None) or (None, "")
        if self.task is None and (kept := self._unsent.edit(self._key)) is not None:
            self.task = ComposerTask(ComposerMode.EDIT, kept.seq, kept.was, kept.sent_at_ms, kept=True)
            edited = kept.text
        self.set_text(edited if self._edits else self._unsent.get(self._key))

    def _end_revision(self) -> None:
        if (under := self._under.get(self.revision)) is not None:
            self._under[self.revision] = replace(under, left=self.text)

    def _remember(self) -> None:
        self._under[self.revision] = TypedUnder(self._key, self.question, self.task)
        if len(self._under) > _KEPT_REVISIONS:
            del self._under[next(iter(self._under))]

    def _keep(self) -> None:
        """Keep what is written, so that a restart finds it; an answer is none of that."""
        if self._asks:
            return
        if self.task is not None and self._edits:
            self._keep_edit(self._key, self.task, self.text)
        else:
            self._put(self._key, self.text)

    def _keep_edit(self, key: ConversationId, task: ComposerTask, text: str) -> None:
        if not text.strip() or text == task.text:
            self._unsent.put_edit(key, None)
            return
        edit = UnsentText("", text, self._name(key), task.seq, task.sent_at_ms, task.text)
        self._unsent.put_edit(key, edit, private=self.guarded)

    def _put(self, key: ConversationId, text: str) -> None:
        self._unsent.put(key, text, self._name(key), private=self.guarded or holds_secret(text))

    def _name(self, key: ConversationId) -> str:
        return (self._name_of(key.person_id) or "") if isinstance(key, PersonKey) else ""


def _is_edit(task: ComposerTask | None) -> bool:
    return task is not None and task.mode is ComposerMode.EDIT


def _is_same(one: ComposerTask | None, other: ComposerTask | None) -> bool:
    return one is not None and other is not None and (one.mode, one.seq) == (other.mode, other.seq)


def _continued(kept: str, left: str, text: str) -> str:
    """Return a kept text that ended with what was told last, with what is typed instead of that."""
    return kept.removesuffix(left) + text if left and kept.endswith(left) else _both(kept, text)


def _both(first: str, second: str) -> str:
    return f"{first}\n{second}" if first and second else first or second
