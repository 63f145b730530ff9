"""Takes the UI events of the core: changes the screen by them, notifies, and tells."""

from __future__ import annotations

from collections.abc import Sequence

from securechat.client import catalogue
from securechat.client.catalogue.translation import refusal_sentence
from securechat.client.core import events
from securechat.client.core.events import UiEvent
from securechat.client.core.state import PersonKey
from securechat.client.ui.commands.parser import as_typed
from securechat.client.ui.rows.describe import EventText
from securechat.client.ui.rows.describe_programs import token_lines
from securechat.client.ui.rows.event_rows import MessageRows
from securechat.client.ui.rows.rendering import shown_name
from securechat.client.ui.rows.styled_text import TextRow, TextStyle
from securechat.client.ui.screen_model import lists as screen_lists
from securechat.client.ui.screen_model.context import ScreenContext
from securechat.client.ui.screen_model.overlay import (
    ChooseConversation,
    ChooseCopy,
    ChooseLine,
    OverlayItem,
    ScreenOverlay,
    item,
    styled,
    wrapped,
)
from securechat.client.ui.screen_model.view import LeaveScreen, NotifyUser, OverlayKind, RingBell, StoreUnsent
from securechat.client.ui.window.records import UnsentState
from securechat.model import Person, RevisionKind
from securechat.text.sanitize import one_line

_ROWS_OF_NOTICE = 4
"""Rows of a sentence below the messages; a longer one is a list."""
_LIST_FEATURE = "conversations"
"""The word of `model.FEATURES` of a server that tells all conversations."""
_OF_PEOPLE = (
    events.RoomJoined,
    events.RoomLeft,
    events.RosterShown,
    events.MembersJoined,
    events.MembersLeft,
    events.MemberRenamed,
    events.RoomSettingsChanged,
    events.RoleShown,
    events.IgnoreChanged,
    events.BackOnline,
    events.LoggedIn,
    events.HistoryReset,
)
_ERRORS = (
    events.MessageRefused,
    events.MessagesLost,
    events.ActionRejected,
    events.RequestRefused,
    events.RenameRefused,
    events.NameRefused,
    events.FileRequestRefused,
    events.StateNotSaved,
    events.ConnectionLost,
)
_SEEN_ELSEWHERE = (
    # What the screen shows in another way than by a sentence.
    events.MessageWaiting,
    events.MembersJoined,
    events.MembersLeft,
    events.HistoryLoaded,
    events.HistoryShown,
    events.RoomSelected,
    events.LeavingChat,
)


class ScreenEvents:
    """Takes events for one screen.

    Args:
        context: shared state.
        rows: knows the numbers of messages, and the sentences about files.
    """

    def __init__(self, context: ScreenContext, rows: MessageRows) -> None:
        self._context = context
        self._rows = rows
        self._text = EventText(context.core)
        self._notified: list[events.MessageShown] = []
        self._in_another_log = False

    def note(self, ui_events: Sequence[UiEvent]) -> None:
        """Take events, in order; of the messages among them one notifies."""
        context = self._context
        self._notified.clear()
        self._in_another_log = False
        for ui_event in ui_events:
            self._note(ui_event)
        if self._in_another_log:
            self._take_back_failed()
        how = context.settings.notifications
        if self._notified and how != "off" and (said := context.notification.text(self._notified[-1], context.clock())):
            context.ask(RingBell() if how == "bell" else NotifyUser(said))

    def _note(self, ui_event: UiEvent) -> None:
        context = self._context
        self._rows.note(ui_event)
        self._number(ui_event)
        context.interaction.note(ui_event)
        context.conversations.note(ui_event)
        context.windows.note(ui_event)
        if isinstance(ui_event, _OF_PEOPLE):
            context.members.changed()
            context.words_changed()
        if self._changes(ui_event) or self._lists(ui_event) or isinstance(ui_event, _SEEN_ELSEWHERE):
            self._text.of(ui_event)  # it leaves out what repeats it
            return
        if isinstance(ui_event, events.RoomJoined):
            context.follow()  # before the sentence: a room that opens takes the earlier ones away
        said = self._text.of(ui_event)
        if said:
            self._say(said, error=isinstance(ui_event, _ERRORS))

    def _number(self, ui_event: UiEvent) -> None:
        """Let commands name the messages that are read back or found."""
        numbers = self._context.numbers
        match ui_event:
            case events.HistoryLoaded(key, messages) | events.HistoryShown(key, messages):
                for message in messages:
                    numbers.add(key, message.seq, message)
            case events.SearchShown(hits=hits):
                for hit in hits:
                    numbers.add(self._context.core.conversation_of(hit.message), hit.message.seq, hit.message)
            case _:
                pass

    def _say(self, sentence: str, *, error: bool = False) -> None:
        context = self._context
        if sentence.count("\n") < _ROWS_OF_NOTICE:
            context.say(sentence, error=error)
        else:
            title = catalogue.screen.answer_title(context.answers)
            context.open(screen_lists.lines(OverlayKind.LIST, title, [sentence], context.list_columns))

    # --- what changes -------------------------------------------------------------------------------------------------

    def _changes(self, ui_event: UiEvent) -> bool:  # noqa: C901, PLR0911, PLR0912 - one flat match
        """Take what changes the screen; tell whether nothing is to be said of it."""
        context = self._context
        match ui_event:
            case events.MessageShown():
                self._shown(ui_event)
            case events.MessageRefused(message):
                self._refused(message)
                return False
            case events.MessagesLost(messages):
                for message in messages:
                    self._refused(message)
                context.ask(StoreUnsent())
                return False
            case events.Reconnecting(in_s, _, loss):
                context.retry_at = context.clock() + in_s
                context.why = catalogue.connection.still_away(loss)
            case events.ConnectionLost():
                context.resending = bool(context.core.unsent)
                context.asked_lists = context.asked_logins = 0  # what was asked for is not answered any more
                context.sought_edit = None
                context.windows.refresh()
                return False
            case events.BackOnline():
                context.retry_at, context.why = None, ""
                context.resending = bool(context.core.unsent)
                self._ask_list()
                context.windows.refresh()
                return False
            case events.LoggedIn():
                self._logged_in(ui_event)
            case events.PasswordNeeded(code=code):
                context.say(catalogue.accounts.password_needed(code, refusal_sentence(ui_event)))
            case events.NameRefused(name, code):
                why = refusal_sentence(ui_event)
                context.say(catalogue.connection.name_refused(one_line(name), why, code), error=True)
            case events.ActionRejected():
                return self._rejected(ui_event)
            case events.RequestRefused():
                context.asked_logins = 0
                for window in context.windows:
                    window.not_answered()
                return False
            case events.RoomSettingsChanged(rules) if rules.was is not None:
                context.composer.renamed(rules.was, context.core.room(rules.room))
                return False
            case events.IdentityChanged() | events.HistoryReset():
                context.places.clear()
                if isinstance(ui_event, events.HistoryReset):
                    self._reset()
                return False
            case events.ClientEnded():
                self.give_back_all()
                context.ask(StoreUnsent())
                context.ask(LeaveScreen())
            case events.ReadOnOtherDevice() | events.TypingChanged() | events.MessageAcked():
                context.resending = context.resending and bool(context.core.unsent)
            case events.MessageChanged() | events.MessagesPurged():
                pass
            case _:
                return False
        return True

    def _rejected(self, rejected: events.ActionRejected) -> bool:
        context = self._context
        seeks = rejected.reason is events.RejectReason.NOT_THERE and self._seeks_edit
        if seeks:
            context.edit_is_gone()
        else:
            context.rejected = True
        return seeks

    def _shown(self, shown: events.MessageShown) -> None:
        context = self._context
        context.saw(shown.message.sender_id)
        seen = shown.key == context.key and context.looks and context.window.following
        if shown.key == context.key and not seen and not shown.own:
            conversation = context.core.conversations.get(shown.key)
            context.window.begin_unread(shown.message.seq, conversation.read if conversation is not None else 0)
        if context.notification.notifies(shown, seen=seen):
            self._notified.append(shown)

    def _refused(self, message: events.PendingMessage) -> None:
        """Give back what no window shows: an edit, or a message to a name that was not found."""
        context = self._context
        if message.change is not None:
            if message.change.kind is not RevisionKind.EDIT:
                return
            if self._in_another_log:
                context.composer.give_back_lost(message.target, message.text)
            else:
                context.composer.give_back(message.target, f"/edit {message.change.seq} {message.text}")
        elif message.number == 0:
            context.composer.give_back(context.key, f'/msg "{message.to}" {message.text}')

    def give_back_all(self) -> None:
        """Put the messages that are not stored back to where they can be edited."""
        context = self._context
        for window in context.windows:
            unsent = [window.unsent.at(index) for index in range(len(window.unsent))]
            texts = [each.message for each in unsent if each.state is not UnsentState.STORED]
            lost = [each.text for each in texts if each.text]
            if lost:
                context.composer.give_back(window.target, as_typed("\n".join(lost)))
            for each in texts:
                window.discard(each.number)

    def _reset(self) -> None:
        """The log is another one: numbers mean other messages and people from now on."""
        context = self._context
        self._in_another_log = True
        context.sought_edit = None
        context.overlay = None  # what can be chosen in it is of the other log
        if context.composer.another_log():
            context.say(catalogue.screen.TEXTS_OF_ANOTHER_LOG())

    def _take_back_failed(self) -> None:
        """Take out of the windows what cannot be sent again in another log: to a person, or as an answer."""
        context = self._context
        for window in context.windows:
            unsent = [window.unsent.at(index) for index in range(len(window.unsent))]
            for each in unsent:
                is_numbered = isinstance(window.target, PersonKey) or each.message.reply is not None
                if is_numbered and window.discard(each.message.number) is not None and each.message.text:
                    context.composer.give_back_lost(window.target, as_typed(each.message.text))

    @property
    def _seeks_edit(self) -> bool:
        context = self._context
        task = context.composer.task
        return task is not None and task.kept and context.sought_edit == (context.key, task.seq)

    def _logged_in(self, event: events.LoggedIn) -> None:
        context = self._context
        context.server_is(event.server)
        context.retry_at, context.why = None, ""
        name = one_line(event.me.name)
        said = catalogue.connection.connected(context.server.host, context.server.port, name)
        means = catalogue.accounts.logged_in(account=event.account, admin=event.admin)
        context.say("\n".join(part for part in (said, means, catalogue.connection.MORE_HELP()) if part))
        self._ask_list()

    def _ask_list(self) -> None:
        """Have all conversations listed once the rooms are joined: until then the core takes no request."""
        if _LIST_FEATURE in self._context.core.features:
            self._context.wants_list = True

    # --- lists --------------------------------------------------------------------------------------------------------

    def _lists(self, ui_event: UiEvent) -> bool:
        """Open the list that an event is the answer for; tell whether it is one."""
        context = self._context
        columns = context.list_columns
        match ui_event:
            case events.SearchShown():
                title, context.search_title = context.search_title or "", None
                context.open(screen_lists.hits(context.core, ui_event, columns, title))
            case events.UnreadShown(items, asked):
                context.unread_items = items
                if asked:
                    counted = [(context.key_of(each), each.unread, each.mentions) for each in items]
                    context.open(screen_lists.unread(context.core, counted))
            case events.ConversationsShown():
                if not context.asked_lists:
                    return False
                context.asked_lists -= 1
            case events.LoginsShown():
                self._logins(ui_event)
            case events.PersonShown(person):
                about = self._text.of(ui_event) or ""
                go = item(styled(catalogue.screen.WRITE_TO(), TextStyle.KEY), ChooseConversation(PersonKey(person.id)))
                further = [go] if person.id != context.core.me.id else []
                title = shown_name(person, context.core.is_bot)
                context.open(screen_lists.lines(OverlayKind.DETAILS, title, [about], columns, further))
            case events.RosterShown(room, people):
                self._open(f"#{one_line(room)}", [self._person(person) for person in people])
            case events.RoomsShown(rooms):
                self._open(
                    catalogue.screen.ROOMS(),
                    [
                        item(f"#{one_line(each.room)}  {each.total}", ChooseLine(f"/join {each.room}", sends=True))
                        for each in rooms
                    ],
                )
            case events.FilesShown():
                said = self._rows.own_files(ui_event)
                context.open(screen_lists.lines(OverlayKind.LIST, catalogue.screen.FILES(), said, columns))
            case events.ApiTokenMade():
                self._token(ui_event)
            case _:
                return False
        return True

    def _logins(self, event: events.LoginsShown) -> None:
        """Show the logins in F2, which has asked for them, or in a list of their own."""
        context = self._context
        items = screen_lists.logins(event.logins, context.list_columns, more=event.more)
        if not context.asked_logins:
            context.open(ScreenOverlay(OverlayKind.LIST, catalogue.screen.LOGINS(), items))
            return
        context.asked_logins -= 1
        if context.overlay is not None and context.overlay.kind is OverlayKind.CONNECTION:
            context.overlay.extend(items)

    def _open(self, title: str, items: Sequence[OverlayItem]) -> None:
        overlay = ScreenOverlay(OverlayKind.LIST, title, items, prompt=catalogue.screen.FIND())
        self._context.open(overlay)

    def _person(self, person: Person) -> OverlayItem:
        is_me = person.id == self._context.core.me.id
        return item(
            shown_name(person, self._context.core.is_bot), None if is_me else ChooseConversation(PersonKey(person.id))
        )

    def _token(self, event: events.ApiTokenMade) -> None:
        """Show a new token, which no list shows again: Enter copies it."""
        context = self._context
        server = context.server
        items: list[OverlayItem] = []
        for line in token_lines(event, server.host, server.port, server.ca):
            choice = ChooseCopy(line.text) if line.copied else None
            items += [item(row, choice) for row in wrapped(TextRow.of(line.text), context.list_columns)]
        context.open(ScreenOverlay(OverlayKind.LIST, catalogue.screen.TOKEN(), items))
