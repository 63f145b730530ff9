"""One person's full screen: takes UI events and what the person did, makes views. It belongs to the network's thread.

The facade over its parts, which share a `ScreenContext`: `ScreenEvents` takes events, `ScreenActions` does the actions
of the table, `ScreenCommands` carries out what is submitted, screen_drawing makes the view. No toolkit is known here,
and no terminal: what only a shell can do is a `ShellRequest`.

After each input and each event the shell takes a view, as often as its terminal does (docs/design/0015-terminal.md); it
takes another one at `deadline`, when something on the screen changes by itself, such as the seconds until the next
attempt to connect.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import assert_never

from msgspec.structs import replace

from securechat.client import catalogue
from securechat.client.core import actions
from securechat.client.core.actions import Action
from securechat.client.core.client import ClientCore
from securechat.client.core.events import MessageShown, UiEvent
from securechat.client.core.message_changes import has_reacted
from securechat.client.core.state import ConnectionPhase, ConversationId, PersonKey
from securechat.client.ui.commands.parser import as_typed
from securechat.client.ui.input.ui_actions import KeyTable
from securechat.client.ui.input.unsent_texts import UnsentText, UnsentTexts
from securechat.client.ui.interaction import Interaction
from securechat.client.ui.notifications import NotificationPolicy
from securechat.client.ui.rows.event_rows import MessageRows
from securechat.client.ui.screen_model import lists as screen_lists
from securechat.client.ui.screen_model.actions import ScreenActions
from securechat.client.ui.screen_model.commands import ScreenCommands
from securechat.client.ui.screen_model.composer import ComposerQuestion, ScreenComposer
from securechat.client.ui.screen_model.context import ScreenContext
from securechat.client.ui.screen_model.conversation_pane import ScreenList
from securechat.client.ui.screen_model.drawing import draw, focus_of
from securechat.client.ui.screen_model.events import ScreenEvents
from securechat.client.ui.screen_model.layout import ScreenPane
from securechat.client.ui.screen_model.lists import ServerInfo
from securechat.client.ui.screen_model.overlay import (
    ChooseAction,
    ChooseConversation,
    ChooseCopy,
    ChooseDelete,
    ChooseEmoji,
    ChooseLine,
    ChooseLink,
    ChooseLogin,
    ChooseMessage,
    ChooseNothing,
    OverlayChoice,
    PromptPurpose,
)
from securechat.client.ui.screen_model.view import (
    AnswerForm,
    ChooseItem,
    ClickRow,
    CloseOverlay,
    ConversationTarget,
    CopyText,
    EndTarget,
    FileSaved,
    FileTarget,
    FocusChanged,
    FrameShown,
    ItemTarget,
    KeyTyped,
    MemberTarget,
    MessageTarget,
    MoveSelection,
    OpenLink,
    PicturesShown,
    QuoteTarget,
    RunAction,
    ScreenFocus,
    ScreenHidden,
    ScreenInput,
    ScreenResized,
    ScreenView,
    ScrollPane,
    ShellRequest,
    ShowSentence,
    StoreUnsent,
    SubmitText,
    TransferProgress,
    TypedFilter,
    TypedText,
    UnsentTarget,
)
from securechat.client.ui.settings import ClientSettings
from securechat.client.ui.window.kept_windows import ScreenWindows
from securechat.client.ui.window.message_window import PAGE
from securechat.client.ui.window.records import UnsentState
from securechat.client.ui.window.row_maker import RowOptions, ScreenRowMaker
from securechat.client.ui.window.seen_policy import SeenPolicy
from securechat.model import Message, RevisionKind
from securechat.text.sanitize import one_line
from securechat.tls.contexts import ClientContext

WRITING_CHARS = 3
"""Characters typed before others are notified: a short answer needs no notification."""

_NOT_OF_KEYS = (
    FrameShown
    | FocusChanged
    | ScreenHidden
    | ScreenResized
    | PicturesShown
    | ShowSentence
    | TransferProgress
    | FileSaved
)
"""What comes without a key: it tells nothing about where the reader is."""


class ScreenState:
    """The state of one screen.

    Args:
        core: the session; not yet started, with Visibility.REPORTED.
        act: passes an action to the core and carries out what it leads to, such as `NetworkThread.want`. The UI events
            of it come to `note`, before it returns or later.
        clock: monotonic seconds.
        keys: the table of actions, as the user has it.
        context: of the connection, for adding a certificate.
        server: what is known of the server.
        unsent: what was written and not sent, from the last run.
        settings: of this run.
        emoji: each emoji with its words; see `completion.emoji_words`.
        history: lines that were sent in earlier runs, the newest last.
        default_name: taken where the user gives no name; None for none.
        mouse: whether the mouse is taken.
    """

    def __init__(
        self,
        core: ClientCore,
        act: Callable[[Action], None],
        clock: Callable[[], float],
        keys: KeyTable,
        *,
        context: ClientContext,
        server: ServerInfo,
        unsent: UnsentTexts | None = None,
        settings: ClientSettings | None = None,
        emoji: Mapping[str, str] | None = None,
        history: Sequence[str] = (),
        default_name: str | None = None,
        mouse: bool = True,
    ) -> None:
        rows = MessageRows(core)
        settings = settings or ClientSettings()
        options = RowOptions(show_numbers=settings.numbers)
        windows = ScreenWindows(core, lambda key: ScreenRowMaker(core, key, self._find, options))
        self._unsent = unsent or UnsentTexts()
        policy = NotificationPolicy(core, settings)
        self._context = ScreenContext(
            core,
            act,
            clock,
            keys,
            interaction=Interaction(core, rows.numbers, context, default_name=default_name),
            numbers=rows.numbers,
            windows=windows,
            conversations=ScreenList(core, policy),
            composer=ScreenComposer(core.current, self._unsent, core.name_of),
            notification=policy,
            seen=SeenPolicy(),
            server=server,
            emoji=emoji or {},
            options=options,
            settings=settings,
        )
        self._context.composer.history = list(history)
        self._context.default_name = default_name
        self._context.mouse = mouse and settings.mouse
        self._commands = ScreenCommands(self._context)
        self._actions = ScreenActions(self._context, self._commands)
        self._events = ScreenEvents(self._context, rows)
        self._taken = 0
        self._settling = False

    # --- for the shell ------------------------------------------------------------------------------------------------

    def note(self, ui_events: Sequence[UiEvent]) -> Sequence[ShellRequest]:
        """Take events of the core; returns what the shell has to do."""
        self._events.note(ui_events)
        if not ui_events or not all(isinstance(ui_event, MessageShown) for ui_event in ui_events):
            self._settle()  # what a message changes is settled with the view that shows it: there may be a thousand
        return self._requests()

    def take(self, screen_input: ScreenInput) -> Sequence[ShellRequest]:
        """Take what the person did; returns what the shell has to do."""
        self._taken += 1
        before = self._context.key
        self._take(screen_input)
        if not isinstance(screen_input, _NOT_OF_KEYS):
            self._context.seen.entered(self._context.key)
            self._context.seen.pressed(before, self._context.clock())
        self._settle()
        return self._requests()

    def view(self) -> ScreenView:
        """Return what is to be seen now."""
        context = self._context
        view = draw(context, self._taken)
        self._settle()  # the fields have sizes now: pages may be wanted
        read, through = context.conversations.read(context.key), context.shown_through()
        return replace(view, frame=context.frames.make(context.key, through, read))

    def deadline(self) -> float | None:
        """Return when a view changes by itself, monotonic seconds; None for never."""
        context, now = self._context, self._context.clock()
        due = [context.notices.deadline()]
        if context.retry_at is not None and context.core.phase is ConnectionPhase.OFFLINE:
            left = context.retry_at - now
            due.append(context.retry_at - max(0, math.ceil(left) - 1) if left > 0 else None)
        return min((when for when in due if when is not None), default=None)

    @property
    def unsent(self) -> UnsentTexts:
        """What is written and not sent, to be stored after `StoreUnsent`."""
        self._unsent.through = self._context.core.complete_through
        return self._unsent

    @property
    def notification(self) -> NotificationPolicy:
        """What notifies, to be set."""
        return self._context.notification

    def use_unsent(self, unsent: UnsentTexts) -> None:
        """Take what an earlier run of this account has left, once the login tells which account it is."""
        context = self._context
        if unsent.through > context.core.began_at and unsent.another_log():  # a log that ends before what was shown
            context.say(catalogue.screen.TEXTS_OF_ANOTHER_LOG())
        self._unsent = unsent
        context.composer.use(unsent)

    def encryption_is(self, tls_version: str) -> None:
        """Take the TLS version of the connection, for F2."""
        self._context.encryption_is(tls_version)

    def give_back_all(self) -> None:
        """Put every message that is not stored back to where it can be edited: the session ends."""
        self._events.give_back_all()

    @property
    def action_ids(self) -> frozenset[str]:
        """The ids of the actions that are done."""
        return self._actions.ids

    def _requests(self) -> Sequence[ShellRequest]:
        requests, self._context.requests = self._context.requests, []
        self._unsent.waiting_are(self._waiting())
        if self._unsent.wants_storing():
            requests.append(StoreUnsent())
        return requests

    def _waiting(self) -> list[tuple[ConversationId | None, UnsentText]]:
        """Return what is submitted and not durable, or failed: a restart finds it as what is written."""
        context = self._context
        if context.core.phase is ConnectionPhase.ENDED:
            return []  # each is given back
        edits: list[tuple[ConversationId | None, UnsentText]] = []
        texts: dict[tuple[ConversationId | None, str], list[str]] = {}
        for window in context.windows:
            failed = (window.unsent.at(index) for index in range(len(window.unsent)))
            for text in (item.message.text for item in failed if item.state is UnsentState.FAILED):
                texts.setdefault((window.target, self._name(window.target)), []).append(text)
        for each in context.core.unsent:
            key = each.target if each.number else None
            name = each.to or self._name(key)
            if each.change is None:
                texts.setdefault((key, name), []).append(each.text)
            elif each.change.kind is RevisionKind.EDIT and key is not None:
                seq = each.change.seq
                message = context.message(key, seq)
                sent_at_ms, was = (message.sent_at_ms, message.text) if message is not None else (0, "")
                edits.append((key, UnsentText("", each.text, name, seq, sent_at_ms, was)))
        written = [(key, UnsentText("", as_typed("\n".join(said)), name)) for (key, name), said in texts.items()]
        return [*edits, *written]

    def _name(self, key: ConversationId | None) -> str:
        return self._context.core.name_of(key.person_id) or "" if isinstance(key, PersonKey) else ""

    def _find(self, key: ConversationId, seq: int) -> Message | None:
        return self._context.message(key, seq)

    # --- what the person did ------------------------------------------------------------------------------------------

    def _take(self, screen_input: ScreenInput) -> None:  # noqa: C901, PLR0912 - one flat match
        context = self._context
        match screen_input:
            case RunAction(action_id, argument):
                self._run(action_id, argument)
            case SubmitText(text, revision):
                if (action := self._commands.submit(text, revision)) is not None:
                    self._run(action.action_id, action.argument)
            case TypedText(text, cursor, revision, rows):
                self._typed(text, cursor, revision, rows)
            case TypedFilter(text, revision):
                if context.overlay is not None and revision == context.overlay.revision:
                    context.overlay.type(text)
            case MoveSelection(step, page, edge):
                self._actions.move(step, edge=edge, page=page)
            case ChooseItem(revision):
                if revision < 0 or revision == (context.overlay.revision if context.overlay is not None else 0):
                    self._choose()
            case CloseOverlay():
                self._escape()
            case AnswerForm():
                pass  # the form of the first start is answered before there is a session
            case ClickRow(target, link, person):
                self._click(target, link, person)
            case ScrollPane(pane, rows):
                self._scroll(pane, rows)
            case FocusChanged(on):
                context.seen.focus(on=on)
            case ScreenHidden(on):
                context.screen_hidden = on
                if on:
                    context.frames.hide()
            case FrameShown(frame):
                context.frames.shown(frame)
            case KeyTyped():
                pass
            case ScreenResized(columns, rows):
                context.columns, context.rows = max(0, columns), max(0, rows)
                if (room := context.options.pictures) is not None:
                    context.show_pictures(room.cell_ratio)
            case PicturesShown(cell_ratio):
                context.show_pictures(cell_ratio)
            case ShowSentence(sentence):
                context.say(sentence)
            case TransferProgress(text):
                context.progress = text
            case FileSaved(file_id, path):
                context.note_saved(file_id, path)
            case _:
                assert_never(screen_input)

    def _run(self, action_id: str, argument: str) -> None:
        match action_id:
            case "choose":
                self._choose()
            case "escape":
                self._escape()
            case _:
                self._actions.run(action_id, argument)

    def _typed(self, text: str, cursor: int, revision: int, rows: int) -> None:
        context = self._context
        known = context.composer.text
        if not context.composer.typed(text, cursor, revision, rows) or text == known:
            return  # of a text that came back, the screen tells its rows
        said = text.lstrip()
        is_message = len(said) >= WRITING_CHARS and (not said.startswith("/") or said.startswith("//"))
        if is_message and not context.interaction.asks:
            context.act(actions.NotifyTyping(context.key))

    def _choose(self) -> None:
        context = self._context
        overlay = context.overlay
        if overlay is not None:
            if overlay.purpose is not None:
                self._asked(overlay.purpose, overlay.query)
            elif (choice := overlay.chosen) is not None:
                self._chosen(choice)
            elif not overlay.filters:
                context.overlay = None
            return
        match focus_of(context):
            case ScreenFocus.CONVERSATIONS:
                if (key := context.conversations.selected) is not None:
                    context.go(key)
            case ScreenFocus.MEMBERS:
                if (person := context.members.chosen) is not None:
                    context.go(PersonKey(person.id))
            case ScreenFocus.MESSAGES:
                self._actions.choose_message()
            case _:
                pass

    def _asked(self, purpose: PromptPurpose, query: str) -> None:
        context = self._context
        context.overlay = None
        if not query.strip():
            return
        match purpose:
            case PromptPurpose.SEARCH:
                self._actions.run("search", query)
            case PromptPurpose.DAY:
                self._actions.run("date", query)

    def _chosen(self, choice: OverlayChoice) -> None:  # noqa: C901, PLR0912 - one flat match
        context = self._context
        context.overlay = None
        match choice:
            case ChooseConversation(key):
                context.go(key)
            case ChooseMessage(key, seq):
                if context.go(key):
                    context.window.jump(seq)
            case ChooseAction(action_id, argument):
                self._run(action_id, argument)
            case ChooseLine(line, sends=True):
                self._commands.run(line)
            case ChooseLine(line):
                context.window.select(None)
                context.focus_on(ScreenFocus.COMPOSER)
                context.composer.prepend(line)
            case ChooseLink(link):
                context.ask(OpenLink(link))
            case ChooseEmoji(key, seq, emoji):
                self._react(key, seq, emoji)
            case ChooseDelete(key, seq):
                message = context.message(key, seq)
                if message is None or message.deleted is not None:
                    context.say(catalogue.screen.MESSAGE_GONE())
                else:
                    context.passes(actions.ChangeMessage(key, RevisionKind.DELETE, seq))
            case ChooseLogin():
                context.open(screen_lists.end_login_question(choice, context.list_columns))
            case ChooseCopy(text):
                context.ask(CopyText(text))
            case ChooseNothing():
                pass
            case _:
                assert_never(choice)

    def _react(self, key: ConversationId, seq: int, emoji: str) -> None:
        context = self._context
        message = context.message(key, seq)
        if message is None or message.deleted is not None:
            context.say(catalogue.screen.MESSAGE_GONE())
            return
        away = has_reacted(message, emoji, context.core.me.id)
        kind = RevisionKind.UNREACT if away else RevisionKind.REACT
        context.passes(actions.ChangeMessage(key, kind, seq, emoji=emoji))

    def _escape(self) -> None:
        """Close, leave or cancel the innermost thing that is open."""
        context = self._context
        if context.overlay is not None:
            context.overlay = None
        elif context.bare:
            context.bare = False
        elif context.interaction.hides_input:
            if context.interaction.can_cancel:
                self._commands.cancel()
        elif focus_of(context) is ScreenFocus.MESSAGES:
            context.window.select(None)
        elif context.focus is not ScreenFocus.COMPOSER:
            context.focus_on(ScreenFocus.COMPOSER)
            context.pane = ScreenPane.MESSAGES
        elif context.composer.changed:
            context.composer.leave_task()
            context.say(catalogue.screen.EDIT_LEFT())
        elif context.composer.leave_task() or context.notices.dismiss():
            pass
        elif context.layout.one_pane:
            context.pane = ScreenPane.CONVERSATIONS
            context.focus_on(ScreenFocus.CONVERSATIONS)

    def _click(self, target: object, link: str, person: int) -> None:  # noqa: C901, PLR0912 - one flat match
        context = self._context
        if link:
            context.ask(OpenLink(link))
            return
        if isinstance(target, ItemTarget):
            if context.overlay is not None and context.overlay.select(target):
                self._choose()
            return
        if context.overlay is not None:
            context.overlay = None  # beside it
            return
        match target:
            case ConversationTarget(key):
                context.go(key)
            case MemberTarget(person_id):
                context.go(PersonKey(person_id))
            case _ if person and person != context.core.me.id:
                context.go(PersonKey(person))
            case QuoteTarget(key, _, quoted) if key == context.key:
                context.window.jump(quoted)
            case MessageTarget(key, seq) if key == context.key:
                self._select(seq)
            case FileTarget(key, seq, file_id) if key == context.key:
                message = context.message(key, seq)
                files = tuple(file for file in message.files if file.id == file_id) if message is not None else ()
                if files:
                    context.take_files(files)
                else:
                    context.say(catalogue.screen.MESSAGE_GONE())
            case UnsentTarget(number):
                self._select(-number)
            case EndTarget():
                self._actions.present()
            case _:
                if target is not None:
                    context.say(catalogue.screen.MESSAGE_GONE())

    def _select(self, key: int) -> None:
        """Select a clicked message, or say that it is gone."""
        context = self._context
        window = context.window
        there = window.find(key) is not None if key > 0 else window.unsent.find(-key) is not None
        if there:
            context.focus_on(ScreenFocus.COMPOSER)
            window.select(key)
        else:
            context.say(catalogue.screen.MESSAGE_GONE())

    def _scroll(self, pane: ScreenPane, rows: int) -> None:
        context = self._context
        if context.overlay is not None:
            context.overlay.move(rows)
            return
        match pane:
            case ScreenPane.MESSAGES:
                context.window.scroll(rows)
            case ScreenPane.MEMBERS:
                context.members.scroll(rows)
            case ScreenPane.CONVERSATIONS:
                context.conversations.scroll(rows)

    # --- after each input ---------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Follow the core to its conversation, ask for pages, and report what was seen."""
        if self._settling:
            return  # an action of this leads to events
        self._settling = True
        try:
            context = self._context
            context.follow()
            question = _question(context)
            context.bare = context.bare and question is ComposerQuestion.NOTHING  # the composer is seen while it asks
            context.composer.ask(question)
            context.composer.guard(on=context.interaction.guarded)
            if context.core.phase is ConnectionPhase.ONLINE:
                if name := context.composer.settle():
                    context.say(catalogue.screen.text_for(one_line(name)))
                self._check_edit()
                self._ask_list()
                self._ask_pages()
                self._report_seen()
        finally:
            self._settling = False

    def _check_edit(self) -> None:
        """Find the message of an edit of an earlier run: it may be gone, or its number another message by now."""
        context = self._context
        task = context.composer.task
        if task is None or not task.kept:
            return
        message = context.message(context.key, task.seq)
        if message is None:
            if context.sought_edit != (context.key, task.seq):
                context.sought_edit = (context.key, task.seq)
                context.act(actions.ShowHistory(context.key, around=task.seq))
        elif (
            message.deleted is None
            and message.sender_id == context.core.me.id
            and message.sent_at_ms == task.sent_at_ms
            and context.core.conversation_of(message) == context.key
        ):
            context.composer.edit_is_found()
            context.say(catalogue.screen.EDIT_IS_HERE())
        else:
            context.edit_is_gone()

    def _ask_list(self) -> None:
        context = self._context
        if context.wants_list:
            context.wants_list = False
            context.asked_lists += 1
            context.act(actions.ListConversations())

    def _ask_pages(self) -> None:
        context = self._context
        window = context.window
        if (page := window.wanted()) is not None:
            window.asked(page)
            context.act(page.action(context.key, PAGE))

    def _report_seen(self) -> None:
        context, now = self._context, self._context.clock()
        if not context.shows_messages:
            context.seen.covered(now)
            return
        through = context.frames.through(context.key)
        if not context.seen.looks(now) or through <= context.conversations.read(context.key):
            return
        context.seen.shows(through, now)
        if context.seen.seen(through, now, unread_known=context.core.unread_known) is not None:
            context.saw_through(through)


def _question(context: ScreenContext) -> ComposerQuestion:
    if context.interaction.hides_input:
        return ComposerQuestion.HIDDEN
    return ComposerQuestion.OPEN if context.interaction.asks else ComposerQuestion.NOTHING
