"""Actions of the table, as the screen does them: one method for each, found by its id.

An action about a message takes the selected one. Where none is selected, or it is gone, nothing is done but to say so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from securechat.client import catalogue
from securechat.client.core import actions
from securechat.client.core.state import ConnectionPhase, ConversationId
from securechat.client.ui.commands.message_number import named_message
from securechat.client.ui.commands.parser import as_typed
from securechat.client.ui.commands.results import InputError
from securechat.client.ui.message_numbers import NumberedMessage
from securechat.client.ui.notifications import LEVEL_WORDS, notification_levels, setting_name
from securechat.client.ui.rows.rendering import local_date, own_text
from securechat.client.ui.screen_model import lists as screen_lists
from securechat.client.ui.screen_model.commands import ScreenCommands
from securechat.client.ui.screen_model.context import ScreenContext
from securechat.client.ui.screen_model.layout import ScreenPane
from securechat.client.ui.screen_model.overlay import PromptPurpose, ScreenOverlay
from securechat.client.ui.screen_model.panes import connection_words, place
from securechat.client.ui.screen_model.view import (
    CopyText,
    EndTransfers,
    KeepSetting,
    OpenLink,
    OverlayKind,
    ScreenFocus,
    ShellAction,
)
from securechat.client.ui.window.records import SelectEdge, UnsentState
from securechat.model import Message
from securechat.text.sanitize import one_line, visible

QUIT_AGAIN_S = 3.0
"""A second Ctrl+C in this time leaves."""
_ABOUT_A_MESSAGE = frozenset({"quote", "unread_from_here", "about"})
"""Actions that a command can name a message for, besides those of the line mode."""
_SHELL_ACTIONS = frozenset({"send", "newline", "complete", "editor", "redraw"})


class ScreenActions:
    """The actions of one screen.

    Args:
        context: shared state.
        commands: runs what could be typed as well.
    """

    def __init__(self, context: ScreenContext, commands: ScreenCommands) -> None:
        self._context = context
        self._commands = commands
        self._interrupted_at = float("-inf")
        self._copied: tuple[int, int] | None = None
        self._by_id: Mapping[str, Callable[[str], None]] = {
            "switch": lambda _: context.open(screen_lists.switcher(context.core, context.conversations.keys)),
            "next_unread": lambda _: self._next_unread(),
            "back": lambda _: self._back(),
            "mentions": lambda _: self._mentions(),
            "search": self._search,
            "date": self._date,
            "first_unread": lambda _: context.window.to_unread(),
            "read_all": lambda _: self._read_all(),
            "recall": lambda _: self._recall(),
            "upload": lambda path: context.composer.insert(f"/upload {path}"),
            "select": lambda _: self._select(),
            "previous": lambda _: self.move(-1),
            "next": lambda _: self.move(1),
            "first": lambda _: self.move(0, edge=-1),
            "last": lambda _: self.move(0, edge=1),
            "reply": lambda _: self._reply(),
            "edit": lambda _: self._edit(),
            "delete": lambda _: self._delete(),
            "react": lambda _: self._react(),
            "quote": lambda _: self._quote(),
            "copy": lambda _: self._copy(),
            "open_link": lambda _: self._open_link(),
            "unread_from_here": lambda _: self._unread_from_here(),
            "about": lambda _: self._about(),
            "page_up": lambda _: self._page(-1),
            "page_down": lambda _: self._page(1),
            "present": lambda _: self.present(),
            "rooms": lambda _: self._pane(ScreenPane.CONVERSATIONS),
            "members": lambda _: self._pane(ScreenPane.MEMBERS),
            "numbers": lambda _: self._numbers(),
            "bare": lambda _: self._bare(),
            "mouse": lambda _: self._mouse(),
            "do_not_disturb": lambda _: self._do_not_disturb(),
            "notify": self._notify,
            "notices": lambda _: self._notices(),
            "help": lambda _: context.open(screen_lists.help_page(context.keys, context.list_columns)),
            "palette": lambda _: context.open(screen_lists.palette(context.keys)),
            "connection": lambda _: self._connection(),
            "interrupt": lambda _: self._interrupt(),
            "leave": lambda _: context.send(actions.LeaveChat()),
        }

    @property
    def ids(self) -> frozenset[str]:
        """The ids of all that are done here or by the shell; Enter and Esc are inputs of their own."""
        return frozenset(self._by_id) | _SHELL_ACTIONS | {"choose", "escape"}

    def run(self, action_id: str, argument: str = "") -> None:
        """Run an action; one of the shell goes back to it."""
        if action_id in _SHELL_ACTIONS:
            self._context.ask(ShellAction(action_id))
        elif action_id in _ABOUT_A_MESSAGE and argument and not self._select_named(argument):
            pass
        elif (done := self._by_id.get(action_id)) is not None:
            done(argument)

    def _select_named(self, number: str) -> bool:
        """Select the message that a typed number names; tell whether it is there."""
        context = self._context
        named = named_message(number, context.numbers) if number.isdecimal() and number.isascii() else None
        if named is None:
            context.say(catalogue.rooms.no_such_number(one_line(number)), error=True)
        elif isinstance(named, InputError):
            context.say(named.sentence, error=True)
        elif context.go(named.key):
            context.window.jump(named.seq)
        return context.window.selected is not None and isinstance(named, NumberedMessage)

    # --- going somewhere ----------------------------------------------------------------------------------------------

    def _next_unread(self) -> None:
        context = self._context
        context.saw_in_passing()
        context.overlay = None
        key = context.conversations.next_unread()
        if key is None:
            context.say(catalogue.screen.ALL_READ())
        else:
            context.go(key)

    def _back(self) -> None:
        context = self._context
        context.overlay = None
        if context.window.back():
            return
        while context.places:
            last = context.places.pop()
            if last != context.key and context.is_there(last):
                context.goes_back = True
                context.go(last)
                return
        context.say(catalogue.screen.NO_PREVIOUS())

    def _mentions(self) -> None:
        self._commands.search(f'"{self._context.core.me.name}"', catalogue.screen.MENTIONS())

    def _search(self, query: str) -> None:
        if query.strip():
            self._commands.run(f"/search {query}")
        else:
            self._context.open(prompt(OverlayKind.SEARCH, catalogue.screen.SEARCH(), PromptPurpose.SEARCH))

    def _date(self, day: str) -> None:
        if day.strip():
            self._commands.run(f"/history {day}")
        else:
            self._context.open(prompt(OverlayKind.SEARCH, catalogue.screen.DAY(), PromptPurpose.DAY))

    def _read_all(self) -> None:
        context = self._context
        for key, last in context.conversations.unread:
            context.send(actions.MarkSeen(key, last))
            context.conversations.saw(key, last)
        context.say(catalogue.screen.ALL_READ())

    def present(self) -> None:
        """Go to the newest message."""
        self._context.seen.went_to_end()
        self._context.window.to_present()
        self._context.focus_on(ScreenFocus.COMPOSER)

    # --- moving -------------------------------------------------------------------------------------------------------

    def _select(self) -> None:
        context = self._context
        context.pane = ScreenPane.MESSAGES
        context.focus_on(ScreenFocus.COMPOSER)
        context.window.select_step(-1)
        if context.window.selected is None:
            context.say(catalogue.screen.NO_MESSAGE_SELECTED())

    def move(self, step: int, *, edge: int = 0, page: bool = False) -> None:
        """Move the selection of what has the keys: a list, the members, or the messages."""
        context = self._context
        if context.overlay is not None:
            context.overlay.move(step, edge=edge, page_rows=context.list_rows if page else 0)
            return
        match context.focus:
            case ScreenFocus.CONVERSATIONS:
                context.conversations.move(step * (context.list_rows if page else 1), edge=edge)
            case ScreenFocus.MEMBERS:
                context.members.move(context.core, step * (context.list_rows if page else 1), edge=edge)
            case _ if edge:
                context.window.select_edge(SelectEdge.FIRST if edge < 0 else SelectEdge.LAST)
            case _ if page:
                context.window.page(step)
            case _:
                self._step(step)

    def _step(self, step: int) -> None:
        """Select the next message; below the last one the composer has the keys again."""
        window = self._context.window
        if not step:
            return
        before = window.selected
        window.select_step(step)
        if step > 0 and before is not None and window.selected == before and not window.rows().loading:
            window.select(None)

    def _page(self, pages: int) -> None:
        context = self._context
        if context.overlay is not None or context.focus in {ScreenFocus.CONVERSATIONS, ScreenFocus.MEMBERS}:
            self.move(pages, page=True)
        else:
            context.window.page(pages)

    def _pane(self, pane: ScreenPane) -> None:
        """Show a pane and give it the keys; fold it where it has them."""
        context = self._context
        focus = ScreenFocus.CONVERSATIONS if pane is ScreenPane.CONVERSATIONS else ScreenFocus.MEMBERS
        has_keys = context.focus is focus and pane not in context.folded
        if context.layout.one_pane:
            context.pane = ScreenPane.MESSAGES if has_keys else pane
        elif has_keys:
            context.folded.add(pane)
        else:
            context.folded.discard(pane)
        context.window.select(None)
        context.focus_on(ScreenFocus.COMPOSER if has_keys else focus)

    # --- about a message ----------------------------------------------------------------------------------------------

    def _message(self) -> tuple[ConversationId, Message] | None:
        """Return the selected message that is in the conversation; say why there is none."""
        context = self._context
        window = context.window
        if window.selected_unsent is not None:
            context.say(catalogue.screen.STILL_SENDING())
        elif window.selected is None:
            context.say(catalogue.screen.NO_MESSAGE_SELECTED())
        elif (message := context.selected) is None:
            window.select(None)
            context.say(catalogue.screen.MESSAGE_GONE())
        elif message.deleted is not None:
            context.say(catalogue.screen.NOT_EDITABLE())
        else:
            return context.key, message
        return None

    def _to_composer(self) -> None:
        self._context.window.select(None)
        self._context.focus_on(ScreenFocus.COMPOSER)

    def _reply(self) -> None:
        if (found := self._message()) is not None:
            self._to_composer()
            self._context.composer.reply(found[1].seq)

    def _edit(self) -> None:
        context = self._context
        unsent = context.window.selected_unsent
        if unsent is not None and unsent.state is UnsentState.FAILED:
            self._edit_unsent(unsent.message.number)
        elif (found := self._message()) is not None:
            self.edit(found[1])

    def edit(self, message: Message) -> None:
        """Edit a message, if it can be edited where it stands."""
        context = self._context
        if message.sender_id != context.core.me.id:
            context.say(catalogue.screen.NOT_YOURS())
        elif visible(message.text) != message.text:
            context.say(catalogue.screen.TEXT_NOT_PLAIN())
        else:
            self._to_composer()
            context.composer.edit(message.seq, message.text, message.sent_at_ms)

    def _edit_unsent(self, number: int) -> None:
        context = self._context
        gone = context.window.discard(number)
        if gone is not None:
            self._to_composer()
            context.composer.give_back(context.key, as_typed(gone.message.text))
            if gone.message.reply is not None:
                context.composer.reply(gone.message.reply)

    def retry(self, number: int) -> None:
        """Send a failed message again."""
        context = self._context
        unsent = context.window.unsent.find(number)
        if unsent is None:
            context.say(catalogue.screen.MESSAGE_GONE())
            return
        if unsent.state is not UnsentState.FAILED:
            context.say(catalogue.screen.STILL_SENDING())
            return
        message = unsent.message
        context.window.discard(number)
        again = actions.SendMessage(message.text, message.target, message.reply, message.key, message.files)
        if not context.passes(again):
            context.composer.give_back(message.target, as_typed(message.text))

    def _delete(self) -> None:
        context = self._context
        unsent = context.window.selected_unsent
        if unsent is not None and unsent.state is UnsentState.FAILED:
            context.window.discard(unsent.message.number)
        elif (found := self._message()) is not None:
            context.open(screen_lists.delete_question(*found, context.list_columns))

    def _react(self) -> None:
        context = self._context
        if context.window.selected is None:
            last = next((each for each in reversed(context.window.kept) if each.deleted is None), None)
            found = None if last is None else (context.key, last)
            if found is None:
                context.say(catalogue.rooms.NO_MESSAGE_HERE())
        else:
            found = self._message()
        if found is not None:
            key, message = found
            used = [reaction.sign for reaction in message.reactions]
            context.open(screen_lists.emoji(key, message.seq, context.emoji, used))

    def _quote(self) -> None:
        if (found := self._message()) is not None:
            self._to_composer()
            lines = "".join(f"> {line}\n" for line in own_text(found[1]).split("\n"))
            composer = self._context.composer
            composer.insert(lines if not composer.text or composer.text.endswith("\n") else f"\n{lines}")

    def _copy(self) -> None:
        """Copy the text; the same again copies it with author and time."""
        context = self._context
        unsent = context.window.selected_unsent
        if unsent is not None:
            context.ask(CopyText(unsent.message.text))
            return
        if (found := self._message()) is None:
            return
        message = found[1]
        text = own_text(message) or "\n".join(file.name for file in message.files)
        was, self._copied = self._copied, (message.seq, message.changed or 0)
        if was == self._copied:
            self._copied = None
            name = screen_lists.author(message, context.core.is_bot)
            text = f"{local_date(message.sent_at_ms)} {name}: {text}"
        if text:
            context.ask(CopyText(text))
        else:
            context.say(catalogue.screen.NOTHING_TO_COPY())

    def _open_link(self) -> None:
        """Open the link of the selected message; where none is selected, offer those of the conversation."""
        context = self._context
        if context.window.selected is not None:
            found = self._message()
            messages = [] if found is None else [found[1]]
            title = catalogue.screen.LINKS()
            if found is None:
                return
        else:
            messages = list(reversed(context.window.kept))
            title = catalogue.screen.ROOM_LINKS()
        links = screen_lists.links_of(messages, context.core.is_bot)
        if not links:
            context.say(catalogue.screen.NO_LINKS())
        elif len(links) == 1:
            context.ask(OpenLink(links[0][0]))
        else:
            context.open(screen_lists.links(links, title, context.list_columns))

    def _unread_from_here(self) -> None:
        context = self._context
        if (seq := context.window.mark_unread()) is not None:
            context.seen.marked_unread()
            others = [each for each in context.window.kept if each.seq >= seq and each.sender_id != context.core.me.id]
            context.send(actions.MarkUnread(context.key, seq, len(others)))
            context.conversations.changed(context.key)
            context.say(catalogue.screen.READ_HERE_ONLY())
        else:
            context.say(catalogue.screen.NO_MESSAGE_SELECTED())

    def _about(self) -> None:
        context = self._context
        message = context.selected
        if message is None:
            context.say(catalogue.screen.NO_MESSAGE_SELECTED())
        else:
            context.open(screen_lists.details(context.core, message, context.list_columns))

    def choose_message(self) -> None:
        """Enter on the selected message: go to the answered one, save files, open a link, or tell all about it."""
        context = self._context
        unsent = context.window.selected_unsent
        if unsent is not None:
            self.retry(unsent.message.number)
            return
        message = context.selected
        if message is None:
            context.window.select(None)
            context.say(catalogue.screen.MESSAGE_GONE())
        elif message.reply is not None and message.deleted is None:
            context.window.jump(message.reply)
        elif message.files:
            context.take_files(message.files)
        elif screen_lists.links_of([message], context.core.is_bot):
            self._open_link()
        else:
            self._about()

    # --- the screen itself --------------------------------------------------------------------------------------------

    def _recall(self) -> None:
        """Edit the last own message; where there is none here, take the last line that was sent."""
        context = self._context
        me = context.core.me.id
        mine = (each for each in reversed(context.window.kept) if each.sender_id == me and each.deleted is None)
        last = next(mine, None)
        if last is not None:
            self.edit(last)
        elif context.composer.history:
            context.composer.set_text(context.composer.history[-1])

    def _numbers(self) -> None:
        context = self._context
        context.options.show_numbers = not context.options.show_numbers
        context.windows.refresh()

    def _bare(self) -> None:
        self._context.bare = not self._context.bare

    def _mouse(self) -> None:
        self._context.mouse = not self._context.mouse

    def _do_not_disturb(self) -> None:
        context = self._context
        context.notification.disturb = not context.notification.disturb
        context.say((catalogue.screen.DISTURB_ON if context.notification.disturb else catalogue.screen.DISTURB_OFF)())

    def _notify(self, word: str) -> None:
        """Set what notifies in the open conversation; without a word, offer the levels."""
        context = self._context
        key, said = context.key, word.strip().casefold()
        levels = notification_levels(key)
        if not said:
            context.open(screen_lists.levels(context.core, key, levels, context.notification.level(key)))
            return
        level = next((each for each in levels if each.value == said), None)
        name = setting_name(context.core, key)
        if level is None or not name:
            context.say(catalogue.screen.no_level(one_line(word.strip()), [each.value for each in levels]), error=True)
            return
        context.notification.set_level(name, level)
        context.ask(KeepSetting(f"notify.{name}", level.value))
        context.conversations.changed(key)
        context.say(catalogue.screen.level_is(str(place(context.core, key)), LEVEL_WORDS[level]()))

    def _notices(self) -> None:
        """Show the notices of this run, the newest first."""
        context = self._context
        context.open(screen_lists.notices(context.notices.past, context.clock(), context.list_columns))

    def _connection(self) -> None:
        context = self._context
        state = connection_words(context.core, context.retry_at, context.clock())
        context.open(screen_lists.connection(context.core, context.server, state, context.why, context.list_columns))
        if context.core.account and context.core.phase is ConnectionPhase.ONLINE:
            context.asked_logins += 1
            context.send(actions.AskLogins())

    def _interrupt(self) -> None:
        """Cancel what is sent and saved, else leave at the second Ctrl+C in a row.

        The shell has copied, or emptied the composer, before one comes here.
        """
        context, now = self._context, self._context.clock()
        if context.progress and not context.core.leaving:
            context.ask(EndTransfers())
            return
        if now - self._interrupted_at <= QUIT_AGAIN_S or context.core.leaving:
            context.send(actions.LeaveChat())
            return
        self._interrupted_at = now
        context.overlay = None  # the sentence stands below the messages
        keys = context.keys.keys("interrupt")
        context.say(catalogue.screen.quit_again(keys[0] if keys else "Ctrl+C"))


def prompt(kind: OverlayKind, title: str, purpose: PromptPurpose) -> ScreenOverlay:
    """Ask for a line: what to search, or a day."""
    return ScreenOverlay(kind, title, (), prompt=f"{title}: ", purpose=purpose)
