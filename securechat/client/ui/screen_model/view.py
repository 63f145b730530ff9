"""Records between the two threads of a screen: immutable, so that they share them without a lock.

A `ScreenView` is everything that is to be seen, as finished rows. A `ScreenInput` is what the person did. A
`ShellRequest` is what only the shell can do: the terminal's clipboard, its bell, another program. The shell draws,
posts and does; it decides nothing.

Every `TextRow` here is safe to print: no text of a peer is in it that `text.sanitize` has not made visible.

The screen's thread owns one thing, the text in the composer, so that a typed key is seen at once. Two numbers keep it
and the network's thread apart:

- `ComposerView.revision` rises when the text in the composer is to become `ComposerView.text`: after a change of
  conversation, for an edit, or when a text comes back. The shell replaces its text once for each number. An input with
  a text names the revision it was typed under, and `TypedText` of an earlier one is dropped.
- `ScreenView.taken` counts the inputs taken so far. After a `RunAction`, a `SubmitText`, an `AnswerForm` or a
  `ChooseItem` the shell holds further keys back until a view has counted it, a few milliseconds: until then it does not
  know whether the next letter is an action or text, nor which conversation it is for.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TypeAlias

from msgspec import Struct

from securechat.client.core.state import ConversationId
from securechat.client.files.session import FilesToSave, FilesToSend
from securechat.client.ui.input.completion import Completion
from securechat.client.ui.input.ui_actions import KeyboardFocus
from securechat.client.ui.rows.picture_cells import PictureArea
from securechat.client.ui.rows.styled_text import TextRow
from securechat.client.ui.screen_model.layout import ScreenLayout, ScreenPane
from securechat.model import FileId, FileInfo, Secretive

NO_ROW = TextRow.of("")
"""Nothing to be said."""

# --- what a click or Enter on a row is about --------------------------------------------------------------------------


class ConversationTarget(Struct, frozen=True):
    """A row of the list: a click goes there."""

    key: ConversationId


class MemberTarget(Struct, frozen=True):
    """A member: a click goes into the dialogue."""

    person_id: int


class MessageTarget(Struct, frozen=True, gc=False):
    """A row of a message: a click selects it."""

    key: ConversationId
    seq: int


class QuoteTarget(Struct, frozen=True):
    """The answered line above the reply ``seq``: a click goes to the answered message ``quoted``."""

    key: ConversationId
    seq: int
    quoted: int


class FileTarget(Struct, frozen=True):
    """The row of a file of a message: a click saves it, or opens it where it is saved already."""

    key: ConversationId
    seq: int
    file_id: FileId


class UnsentTarget(Struct, frozen=True):
    """The row of an own message that is not stored; ``number`` as in `events.PendingMessage`."""

    number: int


class EndTarget(Struct, frozen=True):
    """The bar that tells how many messages are below: a click goes to the end."""


class ItemTarget(Struct, frozen=True):
    """A row of an overlay, by the index of its item: a click chooses it, while the overlay is as it was.

    Attributes:
        index: of the item among those found.
        revision: of the overlay.
        filter: by which they were found.
    """

    index: int
    revision: int
    filter: str


ClickTarget: TypeAlias = (
    ConversationTarget | MemberTarget | MessageTarget | QuoteTarget | FileTarget | UnsentTarget | EndTarget | ItemTarget
)


# --- what is to be seen -----------------------------------------------------------------------------------------------


class ViewRow(Struct, frozen=True, gc=False):
    """A row of a pane.

    Attributes:
        row: what it shows, never wider than its pane.
        target: what a click on it is about; a link in the row goes before it.
        selected: whether the keyboard is on it; drawn in TextStyle.SELECTED over its whole width.
    """

    row: TextRow
    target: ClickTarget | None = None
    selected: bool = False


class ScreenFocus(Enum):
    """What the keys of the keyboard are about."""

    COMPOSER = "composer"
    MESSAGES = "messages"  # one is selected
    CONVERSATIONS = "conversations"
    MEMBERS = "members"
    OVERLAY = "overlay"


class ComposerMode(Enum):
    """What is typed into the composer."""

    MESSAGE = "message"
    REPLY = "reply"
    EDIT = "edit"
    PASSWORD = "password"  # noqa: S105 - a word for it: hidden, in no history and no undo
    NAME = "name"
    CHOICE = "choice"  # yes or no, in the words of the language


class ComposerView(Struct, frozen=True):
    """The composer.

    Attributes:
        mode: what is typed.
        prompt: in front of the text, such as ``#ops >``; a question in the modes that ask.
        above: rows above it: what is replied to or edited.
        placeholder: shown while it is empty.
        counter: characters left, near the limit; empty otherwise.
        revision: see this module; rises when ``text`` replaces what is typed.
        text: what to replace it by.
        completion: what Tab would take, for the text that it names; None for nothing.
        keeps: whether what is typed belongs into the history of typed lines: no password does, nor what may be one.
        history: the last own lines here, the newest last, for Up in an empty composer; empty where ``keeps`` is false.
    """

    mode: ComposerMode = ComposerMode.MESSAGE
    prompt: TextRow = NO_ROW
    above: tuple[TextRow, ...] = ()
    placeholder: TextRow = NO_ROW
    counter: TextRow = NO_ROW
    revision: int = 0
    text: str = ""
    completion: Completion | None = None
    keeps: bool = True
    history: tuple[str, ...] = ()

    @property
    def hidden(self) -> bool:
        """Whether nothing may show what is typed."""
        return self.mode is ComposerMode.PASSWORD


class OverlayKind(Enum):
    """The kinds of what is drawn over the panes."""

    SWITCHER = "switcher"
    PALETTE = "palette"
    LINKS = "links"
    SEARCH = "search"
    UNREAD = "unread"
    LIST = "list"  # the answer to a command, such as /who
    HELP = "help"
    DETAILS = "details"
    CONNECTION = "connection"
    QUESTION = "question"  # its items are the answers
    EMOJI = "emoji"
    FORM = "form"


class FormField(Struct, frozen=True):
    """A field of a form.

    Attributes:
        name: what the answer calls it.
        label: in front of it.
        value: what stands in it first.
        refusal: why what was given is not taken, beside it; empty where nothing is wrong.
        hidden: whether nothing may show what is typed.
        choices: the values it can take, where it can take only these.
        hint: what is wanted, below it.
    """

    name: str
    label: TextRow
    value: str = ""
    refusal: TextRow = NO_ROW
    hidden: bool = False
    choices: tuple[str, ...] = ()
    hint: TextRow = NO_ROW


class OverlayView(Struct, frozen=True):
    """What is drawn over the panes.

    Attributes:
        kind: what it is.
        title: above it.
        items: its rows that fit, from the top; they have an `ItemTarget` where they can be chosen.
        prompt: of the line with a filter, which the shell owns like the composer; empty where there is no such line.
        revision: as of the composer, for the text of the filter.
        filter: what to replace the filter by.
        fields: of a form.
        above: rows above the items: what is asked, or told.
        footer: keys.
        total: items in all, with those that do not fit.
    """

    kind: OverlayKind
    title: TextRow
    items: tuple[ViewRow, ...] = ()
    prompt: TextRow = NO_ROW
    revision: int = 0
    filter: str = ""
    fields: tuple[FormField, ...] = ()
    above: tuple[TextRow, ...] = ()
    footer: TextRow = NO_ROW
    total: int = 0


class ScreenView(Struct, frozen=True):
    """Everything that is to be seen.

    Attributes:
        layout: where it stands.
        taken: inputs taken so far; see this module.
        conversations: the rows of their pane, from its top; fewer than the pane has rows leave the rest empty.
        members: likewise.
        messages: likewise; in a pane that is not full they stand at its lower edge.
        header: room and topic.
        activity: new messages below, and who is typing.
        status: the connection.
        footer: keys.
        title: of the terminal's window.
        composer: what is typed, and what for.
        focus: what keys are about.
        cursor: column and row on the screen of what is selected; None where the composer or the overlay has the
            terminal's cursor.
        overlay: drawn over the panes; None for none.
        bare: rows without panes, each a message or a link as one unbroken line, for the terminal's own selection; None
            where the panes are shown. The terminal wraps them.
        mouse: whether the shell takes the mouse.
        alone: one sentence in place of everything, where the screen is too small; the shell wraps it.
        frame: a number by which `FrameShown` tells that the terminal shows this view; 0 where none is wanted.
        pictures: where previews of pictures stand among the messages; the rows there are empty.
    """

    layout: ScreenLayout
    taken: int = 0
    conversations: tuple[ViewRow, ...] = ()
    members: tuple[ViewRow, ...] = ()
    messages: tuple[ViewRow, ...] = ()
    header: TextRow = NO_ROW
    activity: ViewRow = ViewRow(NO_ROW)
    status: TextRow = NO_ROW
    footer: TextRow = NO_ROW
    title: str = ""
    composer: ComposerView = ComposerView()
    focus: ScreenFocus = ScreenFocus.COMPOSER
    cursor: tuple[int, int] | None = None
    overlay: OverlayView | None = None
    bare: tuple[TextRow, ...] | None = None
    mouse: bool = True
    alone: TextRow = NO_ROW
    frame: int = 0
    pictures: tuple[PictureArea, ...] = ()


# --- what the person did ----------------------------------------------------------------------------------------------


class RunAction(Struct, frozen=True):
    """An action of the table, by a key or the palette; ``argument`` as behind its command."""

    action_id: str
    argument: str = ""


class SubmitText(Secretive, frozen=True):
    """Enter in the composer, which the shell has emptied. ``text`` may be a password."""

    text: str
    revision: int


class TypedText(Struct, frozen=True):
    """The composer's text has changed. Nothing hidden comes in it.

    Attributes:
        text: all of it.
        cursor: characters before the insertion point.
        revision: that it was typed under.
        rows: of the composer that it takes.
    """

    text: str
    cursor: int
    revision: int
    rows: int = 1


class TypedFilter(Struct, frozen=True):
    """The text of an overlay's filter has changed."""

    text: str
    revision: int


class MoveSelection(Struct, frozen=True):
    """Move the selection of the list that has the focus.

    Attributes:
        step: rows down; negative up.
        page: whether it counts pages.
        edge: to the first (-1) or last (1) row instead; 0 for neither.
    """

    step: int = 0
    page: bool = False
    edge: int = 0


class ChooseItem(Struct, frozen=True):
    """Enter: choose what is selected.

    Attributes:
        revision: of the overlay that was on the screen, 0 for none; a negative one is whatever is there.
    """

    revision: int = -1


class CloseOverlay(Struct, frozen=True):
    """Esc: close the overlay, leave the selection, an edit or a reply, or go from a pane to the list."""


class AnswerForm(Secretive, frozen=True):
    """A form was filled in; ``values`` by the names of its fields. They may hold a password."""

    values: dict[str, str]


class ClickRow(Struct, frozen=True):
    """A click.

    Attributes:
        target: of the row that was drawn there.
        link: the target of the link that was drawn there; empty for none.
        person: the sender_id of the name that was drawn there (`TextSpan.person`); 0 for none.
    """

    target: ClickTarget | None
    link: str = ""
    person: int = 0


class ScrollPane(Struct, frozen=True):
    """The wheel: ``rows`` down, negative up."""

    pane: ScreenPane
    rows: int


class FocusChanged(Struct, frozen=True):
    """The terminal's window has the keyboard, or has it no more (mode 1004)."""

    on: bool


class ScreenHidden(Struct, frozen=True):
    """Another program, such as an editor, is on the terminal, or the terminal takes nothing; or no more."""

    on: bool


class FrameShown(Struct, frozen=True):
    """The terminal shows a view whole; ``frame`` as in `ScreenView.frame`."""

    frame: int


class KeyTyped(Struct, frozen=True):
    """A key was pressed that is no other input: it shows that a person is there. At most one a second."""


class ScreenResized(Struct, frozen=True):
    """The terminal has another size."""

    columns: int
    rows: int


class PicturesShown(Struct, frozen=True):
    """The terminal shows pictures, and the user wants them: rows are kept free for their previews.

    Attributes:
        cell_ratio: height of the terminal's cells by their width.
    """

    cell_ratio: float


class ShowSentence(Struct, frozen=True):
    """The shell has something to tell, such as what became of a copy: it is shown as a notice."""

    sentence: str


class TransferProgress(Struct, frozen=True):
    """How far a file is; empty when none is on its way."""

    text: str


class FileSaved(Struct, frozen=True):
    """A file of a message is on this machine now; ``path`` is absolute."""

    file_id: FileId
    path: str


ScreenInput: TypeAlias = (
    RunAction
    | SubmitText
    | TypedText
    | TypedFilter
    | MoveSelection
    | ChooseItem
    | CloseOverlay
    | AnswerForm
    | ClickRow
    | ScrollPane
    | FocusChanged
    | ScreenHidden
    | FrameShown
    | KeyTyped
    | ScreenResized
    | PicturesShown
    | ShowSentence
    | TransferProgress
    | FileSaved
)

PLACES: Mapping[ScreenFocus, KeyboardFocus] = {
    ScreenFocus.MESSAGES: KeyboardFocus.MESSAGE,
    ScreenFocus.CONVERSATIONS: KeyboardFocus.LIST,
    ScreenFocus.MEMBERS: KeyboardFocus.LIST,
    ScreenFocus.OVERLAY: KeyboardFocus.OVERLAY,
}
"""Where the keys of the table hold, by what they are about; those of the composer depend on its text."""
WAITED_FOR = (RunAction, SubmitText, AnswerForm, ChooseItem, CloseOverlay)
"""Inputs after which further keys wait for a view."""
APART = (TypedText, KeyTyped, FocusChanged, ScreenResized, FrameShown)
"""Inputs that a text on its way need not come before."""
MOVES: Mapping[str, MoveSelection] = {
    "previous": MoveSelection(-1),
    "next": MoveSelection(1),
    "first": MoveSelection(edge=-1),
    "last": MoveSelection(edge=1),
}
"""Actions that move the selection, by id."""
PAGES: Mapping[str, MoveSelection] = {
    "page_up": MoveSelection(-1, page=True),
    "page_down": MoveSelection(1, page=True),
}
"""Actions that do so by pages, in a list."""


# --- what only the shell can do ---------------------------------------------------------------------------------------


class CopyText(Struct, frozen=True):
    """Put a text on the clipboard, by OSC 52, and tell what became of it by `ShowSentence`."""

    text: str


class OpenLink(Struct, frozen=True):
    """Open a link of a message with the system's opener; over SSH copy it and say so."""

    link: str


class ShellAction(Struct, frozen=True):
    """Run an action of the table that is the shell's: newline, the external editor, redraw, the mouse."""

    action_id: str


class RingBell(Struct, frozen=True):
    """Ring the terminal's bell."""


class NotifyUser(Struct, frozen=True):
    """Notify through the terminal. Nothing that a peer chose is in ``text``, but where the user asked for it.

    Attributes:
        text: one line, printable.
        rings: whether the bell rings where the terminal knows no notification.
    """

    text: str
    rings: bool = True


class SendFiles(Struct, frozen=True):
    """Send files of this machine."""

    files: FilesToSend


class SaveFiles(Struct, frozen=True):
    """Save files of a message."""

    files: FilesToSave


class OpenSavedFile(Struct, frozen=True):
    """Open a saved file with the system's opener, else say where it is; save it anew where it is gone.

    Attributes:
        file: of the message.
        path: where it was saved.
    """

    file: FileInfo
    path: str


class EndTransfers(Struct, frozen=True):
    """End the sending and saving of files that is under way."""


class KeepLanguage(Struct, frozen=True):
    """Remember the language, which is in use already."""

    code: str


class KeepSetting(Struct, frozen=True):
    """Remember a setting that was changed on the screen; the name of one in a table is ``table.key``."""

    name: str
    value: str


class StoreUnsent(Struct, frozen=True):
    """Write to the file of unsent texts what is written and not sent, soon."""


class AddHistory(Struct, frozen=True):
    """Remember a line that was sent, for Up in an empty composer. No password comes here."""

    line: str


class LeaveScreen(Struct, frozen=True):
    """The session is over: restore the terminal."""


ShellRequest: TypeAlias = (
    CopyText
    | OpenLink
    | ShellAction
    | RingBell
    | NotifyUser
    | SendFiles
    | SaveFiles
    | OpenSavedFile
    | EndTransfers
    | KeepLanguage
    | KeepSetting
    | StoreUnsent
    | AddHistory
    | LeaveScreen
)
