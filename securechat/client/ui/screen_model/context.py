"""State that the parts of a screen share, and the requests to the shell that the present input leads to.

As in the client's core (core/context.py): each part reads and changes what it needs here, none inherits from another,
and the facade (screen_state.py) takes the requests after each input.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec.structs import replace

from securechat.client import catalogue
from securechat.client.core import actions
from securechat.client.core.actions import Action
from securechat.client.core.client import ClientCore
from securechat.client.core.state import ConnectionPhase, ConversationId, PersonKey
from securechat.client.files.session import FilesToSave
from securechat.client.ui.commands.parser import COMMANDS
from securechat.client.ui.input.completion import CommandWords, KnownWords, command_words
from securechat.client.ui.input.ui_actions import PALETTE, KeyTable
from securechat.client.ui.interaction import Interaction
from securechat.client.ui.message_numbers import MessageNumbers
from securechat.client.ui.notifications import NotificationPolicy
from securechat.client.ui.rows.picture_cells import PictureRoom
from securechat.client.ui.screen_model.composer import ScreenComposer
from securechat.client.ui.screen_model.conversation_pane import ScreenList
from securechat.client.ui.screen_model.layout import FRAME_ROWS, ScreenLayout, ScreenPane
from securechat.client.ui.screen_model.lists import ServerInfo
from securechat.client.ui.screen_model.notices import ScreenNotices
from securechat.client.ui.screen_model.overlay import ScreenOverlay
from securechat.client.ui.screen_model.panes import MemberPane
from securechat.client.ui.screen_model.view import OpenSavedFile, SaveFiles, ScreenFocus, ShellRequest
from securechat.client.ui.settings import ClientSettings
from securechat.client.ui.window.kept_windows import ScreenWindows
from securechat.client.ui.window.message_window import MessageWindow
from securechat.client.ui.window.row_maker import RowOptions
from securechat.client.ui.window.seen_policy import SeenPolicy
from securechat.client.ui.window.shown_frames import ShownFrames
from securechat.model import FileId, FileInfo, Message, UnreadItem
from securechat.text.sanitize import one_line
from securechat.translation import LANGUAGES, language

MOST_BACK = 50
"""Conversations to go back to."""
MOST_SAVED = 1_000
"""Saved files whose place is known; one that is forgotten is saved once more."""


class ScreenContext:
    """Shared state of one screen.

    Args:
        core: the session.
        act: passes an action to the core and carries out what it leads to; UI events may come before it returns.
        clock: monotonic seconds.
        keys: the table of actions, as the user has it.
        interaction: interprets typed commands, and asks for names and passwords.
        numbers: the messages that a command can name.
        windows: the messages of each conversation.
        conversations: the list of them.
        composer: what is typed.
        notification: what notifies.
        seen: when a shown message counts as read.
        server: the facts of F2.
        emoji: each emoji with its words.
        options: what the user has switched about rows.
        settings: of this run.

    Attributes:
        layout: of the last view.
        frames: up to where the terminal shows the messages.
        columns, rows: of the terminal.
        overlay: the list that is open.
        focus: what the keys are about, where no overlay is open and no message is selected.
        pane: the one that is shown where there is one pane.
        folded: panes that are not shown.
        mouse: whether the mouse is taken.
        bare: whether the messages are shown alone.
        on: whether the terminal's window has the keyboard; None where it does not tell.
        retry_at: when the next attempt to connect comes.
        why: why the last one failed.
        resending: whether messages go out again after a lost connection.
        progress: of a file; empty while none is on its way.
        saved: where files of messages were saved in this run.
        rejected: whether the core did not take the last action.
        answers: the command whose answer is awaited, for the title of a list.
        search_title: of the hits that are awaited; None while none are.
        unread_items: the last list of unread conversations, by number from 1.
        screen_hidden: whether another program, or nothing at all, is on the terminal instead of the screen.
        wants_list: whether the list of all conversations is to be asked for.
        asked_logins: lists of the logins that the screen itself has asked for, for F2.
        asked_lists: lists of all conversations that the screen itself has asked for, and that are no answer.
        requests: to the shell, in order.
        default_name: taken where the user gives no name.
        places: conversations to go back to.
        goes_back: whether the next one is opened by going back.
        sought_edit: conversation and seq of the message of a kept edit that was asked for.
    """

    def __init__(
        self,
        core: ClientCore,
        act: Callable[[Action], None],
        clock: Callable[[], float],
        keys: KeyTable,
        *,
        interaction: Interaction,
        numbers: MessageNumbers,
        windows: ScreenWindows,
        conversations: ScreenList,
        composer: ScreenComposer,
        notification: NotificationPolicy,
        seen: SeenPolicy,
        server: ServerInfo,
        emoji: Mapping[str, str],
        options: RowOptions,
        settings: ClientSettings,
    ) -> None:
        self.core = core
        self.act = act
        self.clock = clock
        self.keys = keys
        self.interaction = interaction
        self.numbers = numbers
        self.windows = windows
        self.conversations = conversations
        self.composer = composer
        self.notification = notification
        self.seen = seen
        self.server = server
        self.emoji = emoji
        self.options = options
        self.settings = settings
        self.notices = ScreenNotices()
        self.members = MemberPane()
        self.layout = ScreenLayout(0, 0)
        self.frames = ShownFrames()
        self.columns = self.rows = 0
        self.overlay: ScreenOverlay | None = None
        self.focus = ScreenFocus.COMPOSER
        self.pane = ScreenPane.MESSAGES
        self.folded: set[ScreenPane] = set() if settings.members else {ScreenPane.MEMBERS}
        self.mouse = settings.mouse
        self.bare = False
        self.on: bool | None = None
        self.retry_at: float | None = None
        self.why = ""
        self.resending = False
        self.progress = ""
        self.saved: dict[FileId, str] = {}
        self.rejected = False
        self.answers = ""
        self.search_title: str | None = None
        self.unread_items: tuple[UnreadItem, ...] = ()
        self.screen_hidden = False
        self.wants_list = False
        self.asked_lists = self.asked_logins = 0
        self.requests: list[ShellRequest] = []
        self.default_name: str | None = None
        self.places: list[ConversationId] = []
        self.goes_back = False
        self.sought_edit: tuple[ConversationId, int] | None = None
        self._seen_people: set[int] = set()
        self._overlays = 0
        self._opened: ConversationId | None = None
        self._words: tuple[ConversationId, str, KnownWords] | None = None
        self._commands: tuple[str, tuple[CommandWords, ...]] | None = None

    # --- telling ------------------------------------------------------------------------------------------------------

    def say(self, sentence: str, *, error: bool = False) -> None:
        """Tell the user something, safe to print."""
        if sentence:
            self.notices.add(sentence, self.clock(), error=error)

    def edit_is_gone(self) -> None:
        """The message of a kept edit is gone, or another one: its text stays as a text of the conversation."""
        self.composer.edit_is_gone()
        self.say(catalogue.screen.EDIT_IS_GONE(), error=True)

    def ask(self, request: ShellRequest) -> None:
        """Have the shell do something."""
        self.requests.append(request)

    def server_is(self, program: str) -> None:
        """The server has told its program and version."""
        self.server = replace(self.server, program=program)

    def encryption_is(self, tls_version: str) -> None:
        """The connection is encrypted with this version of TLS; empty without a connection."""
        self.server = replace(self.server, tls_version=tls_version)

    @property
    def looks(self) -> bool:
        """Whether the user looks at the messages that are open, and nothing covers them."""
        return self.shows_messages and self.seen.looks(self.clock())

    @property
    def shows_messages(self) -> bool:
        """Whether the messages that are open are on the screen, and nothing covers them."""
        layout = self.layout
        shown = layout.messages is not None and not layout.too_small and not self.screen_hidden
        if not shown or self.overlay is not None:
            return False
        completion = self.composer.completion(self.words())  # its list stands over the last messages
        return completion is None or not completion.candidates

    def saw_through(self, through: int) -> None:
        """The user has seen everything in the open conversation up to a message."""
        self.act(actions.MarkSeen(self.key, through))
        self.conversations.saw(self.key, through)

    def saw_in_passing(self) -> None:
        """The user goes on to what is unread elsewhere: what was looked at here meanwhile counts as read."""
        through = self.seen.passed(self.clock()) if self.core.unread_known else None
        online = self.core.phase is ConnectionPhase.ONLINE
        if through is not None and through > self.conversations.read(self.key) and online:
            self.saw_through(through)

    def open(self, overlay: ScreenOverlay) -> None:
        """Open a list over the panes, in place of another one."""
        self._overlays += 1
        overlay.revision = self._overlays
        self.overlay = overlay

    def show_pictures(self, cell_ratio: float) -> None:
        """Keep rows free for previews of pictures, a third of the messages' field at most.

        The field is taken as it is with one line typed, so that no row moves while a longer text is typed.
        """
        room = PictureRoom(cell_ratio, (self.rows - FRAME_ROWS) // 3)
        if room != self.options.pictures:
            self.options.pictures = room
            self.windows.refresh()

    def take_files(self, files: Sequence[FileInfo]) -> None:
        """Save files of a message; open one that is saved already, and of several tell where they are."""
        missing = tuple(file for file in files if file.id not in self.saved)
        if missing:
            self.ask(SaveFiles(FilesToSave(missing)))
        elif len(files) == 1:
            self.ask(OpenSavedFile(files[0], self.saved[files[0].id]))
        else:
            self.say("\n".join(catalogue.files.saved(one_line(self.saved[file.id])) for file in files))

    def note_saved(self, file_id: FileId, path: str) -> None:
        """A file was saved."""
        self.saved.pop(file_id, None)
        self.saved[file_id] = path
        if len(self.saved) > MOST_SAVED:
            del self.saved[next(iter(self.saved))]

    # --- what is open -------------------------------------------------------------------------------------------------

    @property
    def key(self) -> ConversationId:
        """The conversation that is open."""
        return self.core.current

    @property
    def window(self) -> MessageWindow:
        """Its messages."""
        return self.windows.of(self.core.current)

    @property
    def list_columns(self) -> int:
        """Cells of a row of an overlay: the screen without its borders."""
        return max(1, min(self.columns - 4, 100))

    @property
    def list_rows(self) -> int:
        """Rows of an overlay, without its title, filter and footer."""
        return max(1, self.rows - 5)

    def message(self, key: ConversationId, seq: int) -> Message | None:
        """Return a message that is kept anywhere."""
        kept = self.windows.of(key).find(seq) if key in self.windows else None
        return kept or self.core.find_message(key, seq) or self.numbers.message(seq)

    @property
    def selected(self) -> Message | None:
        """The selected message, where one is that is in the conversation."""
        seq = self.window.selected
        return None if seq is None or seq < 0 else self.window.find(seq)

    def words(self) -> KnownWords:
        """Return what can be completed; made anew after `words_changed`, in another conversation and language."""
        key, code = self.core.current, language()
        if self._words is None or self._words[0] != key or self._words[1] != code:
            known = KnownWords(self.commands(), self._names(), tuple(self.core.rooms), self.emoji, tuple(LANGUAGES))
            self._words = (key, code, known)
        return self._words[2]

    def saw(self, person_id: int) -> None:
        """A person has written, whose name can be completed from now on."""
        if person_id not in self._seen_people:
            self._seen_people.add(person_id)
            self.words_changed()

    def words_changed(self) -> None:
        """People or rooms are others now."""
        self._words = None

    def commands(self) -> tuple[CommandWords, ...]:
        """Return the commands in the language in use."""
        if self._commands is None or self._commands[0] != language():
            further = (action for action in PALETTE if action.command.strip() not in COMMANDS)
            added = (CommandWords(action.command.strip(), "", str(action.words())) for action in further)
            self._commands = (language(), (*command_words(), *added))
        return self._commands[1]

    def _names(self) -> tuple[str, ...]:
        here = (person.name for person in self.members.people(self.core) if person.id != self.core.me.id)
        return tuple(dict.fromkeys((*here, *self.core.known_names())))

    def remember(self, key: ConversationId) -> None:
        """Another conversation is opened: remember the one before."""
        if self.goes_back:
            self.goes_back = False
        else:
            self.places = [*(each for each in self.places if each != key), key][-MOST_BACK:]

    # --- going somewhere ----------------------------------------------------------------------------------------------

    def is_there(self, key: ConversationId) -> bool:
        """Tell whether a conversation can be opened: a room that the user is in, or a dialogue with another person."""
        if isinstance(key, PersonKey):
            return key.person_id not in {0, self.core.me.id}
        return (room := self.core.rooms.get(key.room)) is not None and room.key is key

    def go(self, key: ConversationId) -> bool:
        """Open a conversation; tell whether it is there."""
        if not self.is_there(key):
            self.say(catalogue.screen.CONVERSATION_GONE())
            return False
        self.pane = ScreenPane.MESSAGES
        self.focus_on(ScreenFocus.COMPOSER)
        if key != self.core.current:
            self.act(actions.SelectConversation(key))
            self.follow()
        return True

    def follow(self) -> None:
        """Open the conversation that the core has made the current one, at the line where the unread begin."""
        key = self.core.current
        if key == self._opened:
            return
        if self._opened is not None:
            self.windows.of(self._opened).select(None)
            self.windows.put_away(self._opened)
            self.remember(self._opened)
            self.conversations.changed(self._opened, key)
        self._opened = key
        self.composer.enter(key)
        self.notices.dismiss()
        self.members.changed()
        if (first := self.first_unread(key)) is not None:
            self.window.open(first)
        self.seen.entered(key)

    def focus_on(self, focus: ScreenFocus) -> None:
        """Give the keys to a list, or to the composer; a list over the panes, which had them, is closed."""
        self.overlay = None
        self.focus = focus
        if focus is ScreenFocus.CONVERSATIONS:
            self.conversations.enter()
        else:
            self.conversations.leave()
        if focus is ScreenFocus.MEMBERS:
            self.members.enter()
        else:
            self.members.selected = None

    def send(self, action: Action) -> None:
        """Pass an action to the core."""
        self.act(action)

    def passes(self, action: Action) -> bool:
        """Pass an action to the core; tell whether the core takes it. What it says instead, the user is told."""
        self.rejected = False
        self.act(action)
        if isinstance(action, actions.SendMessage):
            self.windows.of(action.target).unsent_are(self.core.unsent)  # it is seen from now on
        return not self.rejected

    def key_of(self, item: UnreadItem) -> ConversationId:
        """Return the conversation of an item of the list of unread ones."""
        if item.room is not None:
            return self.core.room(item.room)
        return PersonKey(item.peer.id if item.peer is not None else 0)

    def first_unread(self, key: ConversationId) -> int | None:
        """Return the seq of the first unread message of a conversation; None where nothing is unread."""
        conversation, read = self.core.conversations.get(key), self.conversations.read(key)
        for item in self.unread_items:
            if item.unread and item.first_seq > read and self.key_of(item) == key:
                return item.first_seq
        if conversation is None:
            return self.conversations.first_unread(key)
        if not conversation.unread:
            return None
        me = self.core.me.id
        return next((each.seq for each in conversation.messages if each.seq > read and each.sender_id != me), None)
