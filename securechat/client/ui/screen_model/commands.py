"""Carries out what is submitted: messages, replies, edits, commands, names and passwords.

What cannot be sent comes back to where it can be edited. A text goes only where it was typed for: to the conversation
that was open then, and never as a message where it was hidden, nor as a password where it was not.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from securechat.client import catalogue
from securechat.client.core import actions
from securechat.client.core.actions import Action
from securechat.client.core.state import ConversationId
from securechat.client.ui.commands.message_number import NUMBER
from securechat.client.ui.commands.parser import COMMANDS, holds_secret, is_text, may_be_command
from securechat.client.ui.input.ui_actions import ACTIONS
from securechat.client.ui.interaction import InputResult
from securechat.client.ui.screen_model import lists as screen_lists
from securechat.client.ui.screen_model.composer import ComposerQuestion, ComposerTask, TypedUnder
from securechat.client.ui.screen_model.context import ScreenContext
from securechat.client.ui.screen_model.panes import place
from securechat.client.ui.screen_model.view import (
    AddHistory,
    ComposerMode,
    CopyText,
    KeepLanguage,
    OpenLink,
    OverlayKind,
    RunAction,
    SaveFiles,
    SendFiles,
)
from securechat.model import RevisionKind

_ROWS_OF_NOTICE = 4
"""Rows of an answer below the messages; a longer one is a list."""
_BY_SCREEN: Mapping[str, str] = {
    action.command.strip(): action.id
    for action in ACTIONS
    if action.command and (action.command.strip() not in COMMANDS or action.id in {"first_unread", "help"})
}
"""Actions by what is typed for them, where the screen does them itself."""
_ASKS_FOR_LIST = (
    actions.AskWho,
    actions.AskRooms,
    actions.AskLogins,
    actions.AskCertificates,
    actions.AskRoomSettings,
    actions.ShowBots,
    actions.ShowTokens,
    actions.ShowFiles,
    actions.ListUnread,
    actions.ListConversations,
)


class ScreenCommands:
    """Runs what is submitted.

    Args:
        context: shared state.
    """

    def __init__(self, context: ScreenContext) -> None:
        self._context = context

    def submit(self, text: str, revision: int) -> RunAction | None:
        """Take a submitted text; returns the action that it calls for, where the screen does that itself."""
        context = self._context
        context.notices.dismiss()
        under = context.composer.under(revision)
        context.composer.emptied(revision)
        if under is None or under.question is ComposerQuestion.HIDDEN:
            self._apply(context.interaction.take(text, hidden=True), "")
        elif under.question is ComposerQuestion.OPEN:
            if context.interaction.asks and not context.interaction.hides_input:
                self._apply(context.interaction.take(text), "")
            else:
                context.say(catalogue.screen.QUESTION_OVER(), error=True)  # an answer goes to no room, and is not kept
        elif under.gone:
            context.composer.keep_gone(under, text)
            context.say(catalogue.screen.PERSON_OF_ANOTHER_LOG(), error=True)
        elif context.interaction.hides_input or context.interaction.asks:
            self._keep(under.key, text, revision)
            hidden = context.interaction.hides_input
            context.say((catalogue.screen.ANSWER_FIRST if hidden else catalogue.screen.ANSWER_QUESTION)(), error=True)
        elif under.key != context.key:
            self._keep(under.key, text, revision)
            if text.strip():
                context.say(catalogue.screen.not_sent_there(place(context.core, under.key)), error=True)
        else:
            return self._text(text, under)
        return None

    def _keep(self, key: ConversationId, text: str, revision: int) -> None:
        """Keep a text that is not sent, once: the screen may have told it before."""
        if revision == self._context.composer.revision:
            self._context.composer.give_back(key, text)
        else:
            self._context.composer.keep_typed(text, revision)

    def run(self, line: str) -> None:
        """Run a command as if it was typed."""
        self._apply(self._context.interaction.take(line), line)

    def cancel(self) -> None:
        """Give no password, where that leaves everything as it was."""
        self._apply(self._context.interaction.take("", hidden=True), "")

    def search(self, query: str, title: str) -> None:
        """Search, and show the hits under a title."""
        self._context.search_title = title
        self._context.passes(actions.FindMessages(query))

    def _text(self, text: str, under: TypedUnder) -> RunAction | None:
        context = self._context
        if under.task is not None and under.task.mode is ComposerMode.EDIT and not context.interaction.guarded:
            self._edit(under.key, under.task, text)
            return None
        if (action := _action_of(text)) is not None:
            self._add_history(text)
            return action
        if (line := self._with_number(text)) is None:
            return RunAction("react")
        self._apply(context.interaction.take(line), text, under.task)
        return None

    def _with_number(self, text: str) -> str | None:
        """Return a command with the selected message where it names none; None for one that asks for an emoji."""
        word, _, rest = text.partition(" ")
        if word.casefold() != "/react" or self._context.interaction.guarded:
            return text
        selected = self._context.selected
        if not rest.strip():
            return None
        return text if selected is None or NUMBER.match(rest.strip()) else f"{word} {selected.seq} {rest}"

    def _edit(self, key: ConversationId, task: ComposerTask, text: str) -> None:
        context = self._context
        message = context.message(key, task.seq)
        if message is None and context.composer.task is not None and context.composer.task.kept:
            context.composer.set_text(text)
            context.say(catalogue.screen.EDIT_IS_SOUGHT(), error=True)
        elif message is None or message.deleted is not None:
            context.composer.leave_task()
            context.composer.give_back(key, text)
            context.say(catalogue.screen.MESSAGE_GONE(), error=True)
        elif not text.strip():
            context.composer.set_text(text)
            context.say(catalogue.screen.EDIT_IS_EMPTY(), error=True)
        elif not is_text(text):
            context.composer.set_text(text)
            context.say(catalogue.connection.NOT_TEXT(), error=True)
        elif text == message.text or context.passes(actions.ChangeMessage(key, RevisionKind.EDIT, task.seq, text)):
            context.composer.leave_task()
        else:
            context.composer.set_text(text)

    def _apply(self, result: InputResult, typed: str, task: ComposerTask | None = None) -> None:
        """Do what follows from a line; ``typed`` is empty for one that may be a secret."""
        context = self._context
        secret = result.secret or (bool(typed) and (holds_secret(typed) or context.interaction.asks_held))
        if typed and not secret and not result.refused:
            self._add_history(typed)
        if result.notice:
            self._tell(result.notice, typed, error=result.refused)
        if result.refused and typed and not secret:
            context.composer.give_back(context.key, typed)
        if result.language:
            context.ask(KeepLanguage(result.language))
            context.windows.refresh()
            context.words_changed()
        if result.prefill:
            context.composer.set_text(result.prefill)
        if result.send is not None:
            context.ask(SendFiles(result.send))
        if result.save is not None:
            context.ask(SaveFiles(result.save))
        if result.open:
            context.ask(OpenLink(result.open))
        if result.copy:
            context.ask(CopyText(result.copy))
        if result.lines:
            title = catalogue.screen.LINKS()
            context.open(screen_lists.lines(OverlayKind.LIST, title, result.lines, context.list_columns))
        if result.action is not None:
            self._act(result.action, typed, task)

    def _tell(self, notice: str, typed: str, *, error: bool) -> None:
        context = self._context
        if notice.count("\n") < _ROWS_OF_NOTICE:
            context.say(notice, error=error)
            return
        kind = OverlayKind.HELP if typed.startswith("/help") else OverlayKind.LIST
        title = catalogue.screen.answer_title(typed.split(maxsplit=1)[0] if typed else "")
        context.open(screen_lists.lines(kind, title, [notice], context.list_columns))

    def _act(self, action: Action, typed: str, task: ComposerTask | None) -> None:  # noqa: C901, PLR0912 - one flat match
        context = self._context
        match action:
            case actions.SendMessage(_, target):
                self._send(action, task if target == context.key else None, typed)
            case actions.ChangeMessage(kind=RevisionKind.EDIT) | actions.SendDirect():
                if not context.passes(action) and typed:
                    context.composer.give_back(context.key, typed)
            case actions.FindMessages():
                context.search_title = ""
                context.passes(action)
            case actions.ShowMore():
                context.search_title = context.search_title or ""
                context.passes(action)
            case actions.ShowHistory(target, around=int(seq)):
                if context.go(target):
                    context.window.jump(seq)
            case actions.ShowHistory(target, at_ms=int(at_ms)):
                if context.go(target):
                    context.window.jump_to_time(at_ms)
            case actions.AskHistory(target):
                if context.go(target):
                    context.window.page(-1)
            case actions.ShowUnread(None):
                context.window.to_unread()
            case actions.ShowUnread(int(number)) if 0 < number <= len(context.unread_items):
                item = context.unread_items[number - 1]
                context.go(context.key_of(item))
            case actions.SelectConversation(target):
                context.go(target)
            case _:
                if isinstance(action, _ASKS_FOR_LIST):
                    context.answers = typed.split(maxsplit=1)[0] if typed else ""
                if not context.passes(action) and typed and not isinstance(action, actions.LeaveChat):
                    context.composer.give_back(context.key, typed)

    def _send(self, action: actions.SendMessage, task: ComposerTask | None, typed: str) -> None:
        context = self._context
        if task is not None and task.mode is ComposerMode.REPLY:
            action = replace(action, reply=task.seq)
        if context.passes(action):
            context.composer.leave_task()
            context.window.to_present()
        else:
            context.composer.give_back(context.key, typed or action.text)

    def _add_history(self, line: str) -> None:
        if self._context.composer.add_history(line):
            self._context.ask(AddHistory(line))


def _action_of(text: str) -> RunAction | None:
    """Return the action of the screen that a command means."""
    if not may_be_command(text) or not text.startswith("/"):
        return None
    line = text.strip()
    if (action_id := _BY_SCREEN.get(line.casefold())) is not None:
        return RunAction(action_id)
    word, _, rest = line.partition(" ")
    action_id = _BY_SCREEN.get(word.casefold())
    return None if action_id is None or action_id in {"help", "first_unread"} else RunAction(action_id, rest.strip())
