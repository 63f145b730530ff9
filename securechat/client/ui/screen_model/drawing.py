"""Makes the view of a screen: everything that is to be seen, as finished rows."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from securechat.client import catalogue
from securechat.client.core.state import ConversationId
from securechat.client.ui.notifications import NotificationLevel
from securechat.client.ui.rows.links import visible_links
from securechat.client.ui.rows.message_rows import RowKind
from securechat.client.ui.rows.picture_cells import PictureArea
from securechat.client.ui.rows.rendering import excerpt, local_time, own_text
from securechat.client.ui.rows.styled_text import TextRow, TextSpan, TextStyle
from securechat.client.ui.screen_model.context import ScreenContext
from securechat.client.ui.screen_model.layout import NARROWEST_LIST, ScreenLayout, ScreenPane, WantedPanes, layout
from securechat.client.ui.screen_model.lists import author
from securechat.client.ui.screen_model.overlay import cut, styled
from securechat.client.ui.screen_model.panes import (
    ConnectionFacts,
    activity,
    footer,
    header,
    overlay_footer,
    place,
    status,
)
from securechat.client.ui.screen_model.view import (
    ClickTarget,
    ComposerMode,
    ComposerView,
    FileTarget,
    MessageTarget,
    QuoteTarget,
    ScreenFocus,
    ScreenView,
    UnsentTarget,
    ViewRow,
)
from securechat.client.ui.window.message_window import MessageWindow
from securechat.client.ui.window.records import WindowRow, WindowRowKind
from securechat.text.sanitize import one_line

MOST_BARE = 300
"""Messages of the bare view: what a person looks back for by scrolling the terminal."""
_NO_ROW = TextRow.of("")
_NOTICE_PART = 3
"""Notices take a third of the messages' field at most."""
_KEYS = {
    ScreenFocus.COMPOSER: ("help", "switch", "next_unread", "select", "palette", "search"),
    ScreenFocus.MESSAGES: ("reply", "react", "edit", "copy", "open_link", "delete", "about", "help"),
    ScreenFocus.CONVERSATIONS: ("choose", "members", "escape", "help"),
    ScreenFocus.MEMBERS: ("choose", "rooms", "escape", "help"),
    ScreenFocus.OVERLAY: (),
}


def draw(context: ScreenContext, taken: int) -> ScreenView:
    """Return the view; the windows and lists take the sizes of their fields by it.

    Args:
        context: shared state.
        taken: inputs taken so far.
    """
    composer = _composer(context)
    of = context.layout = layout(context.columns, context.rows, _wanted(context, composer))
    if of.too_small:
        alone = _NO_ROW if of.messages is None else TextRow.of(catalogue.screen.TOO_SMALL())
        return ScreenView(of, taken, composer=composer, alone=alone, title=title(context))
    messages, cursor, pictures = _messages(context, of)
    context.conversations.reads(context.reading)
    focus = focus_of(context)
    overlay = context.overlay
    now = context.clock()
    facts = ConnectionFacts(
        context.retry_at,
        context.resending,
        context.windows.failed(),
        context.progress,
        context.notification.disturb,
        context.mouse,
    )
    columns = of.header.columns if of.header is not None else of.columns
    present_keys = context.keys.keys("present")
    below = context.window.below if of.messages is not None else 0
    conversations, list_cursor = _conversations(context, of)
    return ScreenView(
        of,
        taken,
        conversations,
        _members(context, of),
        messages,
        header(context.core, context.key, columns),
        activity(context.core, below, present_keys[0] if present_keys else "", columns),
        status(context.core, facts, now, of.columns),
        footer(context.keys, _KEYS[focus], of.columns)
        if overlay is None
        else overlay_footer(context.keys, overlay, of.columns),
        title(context),
        composer,
        focus,
        list_cursor if focus is ScreenFocus.CONVERSATIONS else cursor if focus is ScreenFocus.MESSAGES else None,
        None if overlay is None else overlay.view(context.list_columns, context.list_rows),
        bare_rows(context) if context.bare else None,
        context.mouse and not context.bare,
        pictures=pictures,
    )


def focus_of(context: ScreenContext) -> ScreenFocus:
    """Return what the keys are about."""
    if context.overlay is not None:
        return ScreenFocus.OVERLAY
    if context.focus is ScreenFocus.COMPOSER and context.window.selected is not None and not asks(context):
        return ScreenFocus.MESSAGES
    return ScreenFocus.COMPOSER if context.focus is ScreenFocus.MESSAGES else context.focus


def asks(context: ScreenContext) -> bool:
    """Tell whether the composer has a question."""
    return context.interaction.asks or context.interaction.hides_input


def title(context: ScreenContext) -> str:
    """Return the title of the window: what waits for the user, counted as in the page."""
    count = 0
    for key, conversation in context.core.conversations.items():
        if key == context.conversations.reading:
            continue
        match context.notification.level(key):
            case NotificationLevel.ALL:
                count += conversation.unread
            case NotificationLevel.MENTIONS:
                count += conversation.mentions
            case NotificationLevel.NONE:
                pass
    return catalogue.screen.title(count)


def _wanted(context: ScreenContext, composer: ComposerView) -> WantedPanes:
    return WantedPanes(
        ScreenPane.CONVERSATIONS not in context.folded,
        ScreenPane.MEMBERS not in context.folded,
        context.pane,
        max(NARROWEST_LIST, context.conversations.columns),
        1 if composer.hidden else context.composer.rows,
        len(composer.above),
    )


# --- messages ---------------------------------------------------------------------------------------------------------


def _messages(
    context: ScreenContext, of: ScreenLayout
) -> tuple[tuple[ViewRow, ...], tuple[int, int] | None, tuple[PictureArea, ...]]:
    """Return the rows of the messages with the notices below them, where the selected one stands, and previews."""
    field = of.messages
    if field is None:
        return (), None, ()
    notices = context.notices.rows(field.columns, max(1, field.rows // _NOTICE_PART), context.clock())
    window = context.windows.resize(context.key, field.columns, field.rows - len(notices))
    shown = window.rows().rows
    rows = [ViewRow(each.row, _target(context, window, each), selected=each.selected) for each in shown]
    all_rows = (*rows, *(ViewRow(row) for row in notices))
    selected = next((index for index, row in enumerate(rows) if row.selected), None)
    first = field.row + field.rows - len(all_rows)
    cursor = None if selected is None else (field.column, first + selected)
    return all_rows, cursor, _pictures(context, context.key, shown, field.column, first)


def _pictures(
    context: ScreenContext, key: ConversationId, rows: Sequence[WindowRow], column: int, first_row: int
) -> tuple[PictureArea, ...]:
    """Return where previews stand.

    Args:
        context: shared state.
        key: the conversation.
        rows: of its window.
        column: of the field.
        first_row: of the screen, where the first of these rows stands.
    """
    if context.options.pictures is None or context.overlay is not None or context.bare:
        return ()
    areas: list[PictureArea] = []
    maker = context.windows.row_maker(key)
    for row, each in enumerate(rows, first_row):
        block = maker.block_row(each.seq, each.row) if each.part is WindowRowKind.MESSAGE else None
        part = None if block is None else block.picture
        if part is None:
            continue
        last = areas[-1] if areas else None
        if (
            last is not None
            and part.index == last.first + last.shown
            and (last.file_id, last.seq)
            == (
                part.file_id,
                each.seq,
            )
        ):
            areas[-1] = replace(last, shown=last.shown + 1)
        else:
            areas.append(
                PictureArea(part.file_id, each.seq, column + part.column, row, part.columns, part.rows, part.index, 1)
            )
    return tuple(areas)


def _target(context: ScreenContext, window: MessageWindow, row: WindowRow) -> ClickTarget | None:
    key = window.target
    match row.part:
        case WindowRowKind.UNSENT:
            return UnsentTarget(row.number)
        case WindowRowKind.MESSAGE:
            block = context.windows.row_maker(key).block_row(row.seq, row.row)
            if block is not None and block.kind is RowKind.QUOTE:
                return QuoteTarget(key, row.seq, block.quoted)
            if block is not None and block.kind in {RowKind.FILE, RowKind.PICTURE}:
                return FileTarget(key, row.seq, block.file_id)
            return MessageTarget(key, row.seq)
        case _:
            return None


def bare_rows(context: ScreenContext) -> tuple[TextRow, ...]:
    """Return each message as one unbroken line, and each of its links as a further one; the newest last.

    Where there is none, a row tells the way back.
    """
    core = context.core
    rows: list[TextRow] = []
    for message in context.window.kept[-MOST_BARE:]:
        if message.sender_id in core.ignored:
            continue
        name = author(message, core.is_bot)
        text = catalogue.rooms.deleted_mark(None) if message.deleted is not None else one_line(own_text(message))
        rows.append(TextRow.of(f"{catalogue.days.clock(local_time(message))} {name}: {text}"))
        if message.deleted is None:
            _, links = visible_links(own_text(message))
            rows += [
                TextRow.of(link.target, [TextSpan(0, len(link.target), TextStyle.LINK, link=link.target)])
                for link in links
            ]
    return tuple(rows) or (styled(catalogue.screen.BARE_IS_EMPTY(), TextStyle.DIM),)


# --- lists ------------------------------------------------------------------------------------------------------------


def _conversations(context: ScreenContext, of: ScreenLayout) -> tuple[tuple[ViewRow, ...], tuple[int, int] | None]:
    field = of.conversations
    if field is None:
        return (), None
    rows = context.conversations.rows(field.columns, field.rows)
    selected = next((index for index, row in enumerate(rows) if row.selected), 0)
    return rows, (field.column, field.row + selected)


def _members(context: ScreenContext, of: ScreenLayout) -> tuple[ViewRow, ...]:
    field = of.members
    return () if field is None else context.members.rows(context.core, field.columns, field.rows)


# --- composer ---------------------------------------------------------------------------------------------------------


def _composer(context: ScreenContext) -> ComposerView:
    interaction, composer = context.interaction, context.composer
    revision, text = composer.revision, composer.text
    if interaction.hides_input:
        asked = interaction.prompt.question if interaction.prompt is not None else catalogue.accounts.PROVING_PROMPT()
        hint = styled(catalogue.screen.HIDDEN_INPUT(), TextStyle.DIM)
        return ComposerView(ComposerMode.PASSWORD, _prompt(asked), placeholder=hint, revision=revision, keeps=False)
    if interaction.asks_held:
        asked = _prompt(catalogue.accounts.HELD_PROMPT())
        return ComposerView(ComposerMode.CHOICE, asked, revision=revision, text=text, keeps=False)
    if interaction.asks_name:
        asked = _prompt(catalogue.connection.name_prompt(context.default_name))
        return ComposerView(ComposerMode.NAME, asked, revision=revision, text=text, keeps=False)
    mode = composer.task.mode if composer.task is not None else ComposerMode.MESSAGE
    prompt = styled(f"{place(context.core, context.key)} > ", TextStyle.DIM)
    return ComposerView(
        mode,
        prompt,
        _above(context),
        styled(catalogue.screen.COMPOSER_HINT(), TextStyle.DIM),
        styled(composer.counter, TextStyle.ERROR),
        revision,
        text,
        composer.completion(context.words()),
        keeps=not interaction.guarded,
        history=() if interaction.guarded else tuple(composer.history),
    )


def _prompt(question: str) -> TextRow:
    return styled(question, TextStyle.NOTICE)


def _above(context: ScreenContext) -> tuple[TextRow, ...]:
    """Return the row above the composer: what is answered or edited."""
    task = context.composer.task
    if task is None:
        return ()
    message = context.message(context.key, task.seq)
    columns = max(1, context.columns - 1)
    if message is None and task.kept:
        return (
            cut(styled(f"{catalogue.screen.EDITING()} {excerpt(task.text, 2 * columns)}", TextStyle.QUOTE), columns),
        )
    if message is None or message.deleted is not None:
        return (cut(styled(catalogue.screen.REPLY_GONE(), TextStyle.ERROR), columns),)
    text = excerpt(own_text(message), 2 * columns)
    if task.mode is ComposerMode.EDIT:
        return (cut(styled(f"{catalogue.screen.EDITING()} {text}", TextStyle.QUOTE), columns),)
    said = catalogue.screen.replying(author(message, context.core.is_bot))
    return (cut(styled(f"{said} {text}", TextStyle.QUOTE), columns),)
