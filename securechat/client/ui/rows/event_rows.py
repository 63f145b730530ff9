"""Rows of the line clients for messages: live, from history, found, or changed; with their numbers.

It reads the core's state, and rendering.py makes a single row; the caller writes the rows.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from securechat.client import catalogue
from securechat.client.catalogue.names import marked, named
from securechat.client.core import events
from securechat.client.core.client import ClientCore
from securechat.client.core.events import UiEvent
from securechat.client.core.events.messages import HistoryRange
from securechat.client.core.state import ConversationId, PersonKey
from securechat.client.ui.message_numbers import MessageNumbers, file_number
from securechat.client.ui.rows.reader_rows import reader_rows, spoken
from securechat.client.ui.rows.rendering import (
    announcement_rows,
    elsewhere,
    file_rows,
    file_text,
    hit_rows,
    local_date,
    local_day,
    local_time,
    message_rows,
    notice_rows,
    own_text,
    quote_row,
    safe_sign,
    text_with_spans,
    today,
)
from securechat.client.ui.rows.styled_text import TextRow, TextSpan, TextStyle
from securechat.model import Deleted, Edited, Hit, Message, MessageChange, Reacted
from securechat.text.sanitize import one_line


def before_history(event: events.HistoryShown) -> str:
    """Return what stands above a part of history, or in its place; empty for nothing."""
    if event.history_range is HistoryRange.UNREAD:
        return catalogue.rooms.UNREAD_BEGINS() if event.messages else catalogue.rooms.NOTHING_UNREAD()
    if event.since_ms is None:
        return "" if event.messages else catalogue.rooms.NOTHING_MORE()
    day = local_day(event.since_ms)
    if not event.messages:
        return catalogue.rooms.no_messages_since(day, "")
    first = local_day(event.messages[0].sent_at_ms)
    return catalogue.rooms.no_messages_since(day, first) if first != day else ""


class MessageRows:
    """Makes rows for UI events about messages.

    Args:
        core: the core whose messages are shown.
        reader: whether the rows are for a screen reader.

    Attributes:
        numbers: the messages that can be named, because they were shown.
    """

    def __init__(self, core: ClientCore, *, reader: bool = False) -> None:
        self._reader = reader
        self.numbers = MessageNumbers()
        self._core = core
        self._day = today().isoformat()
        self._reacted: dict[int, Reacted] = {}

    @property
    def gathering(self) -> bool:
        """Whether `gathered` has reactions to report."""
        return bool(self._reacted)

    def note(self, ui_event: UiEvent) -> None:
        """Update the numbers; `rows` does this too."""
        match ui_event:
            case events.MessageShown(message, key):
                self.numbers.add(key, message.seq, message)
            case events.MessageChanged(change, message=message):
                self.numbers.change(change, message)
            case events.MessagesPurged(purged, key):
                self.numbers.purge(purged, key)
            case events.HistoryReset():
                self.numbers.forget()

    def rows(self, ui_event: UiEvent, columns: int) -> list[TextRow] | None:  # noqa: PLR0911 - one row an event
        """Return the rows of an event; None for an event that is not about messages."""
        self.note(ui_event)
        match ui_event:
            case events.MessageShown(message, key):
                return self._message(key, message, columns, elsewhere(key, self._core.current, message))
            case events.HistoryLoaded(key, messages) if messages:
                rows = self._messages(key, messages, columns, elsewhere(key, self._core.current, messages[0]))
                return rows + (self.notice(catalogue.rooms.MORE(), columns) if ui_event.more else [])
            case events.HistoryShown():
                return self._excerpt(ui_event, columns)
            case events.SearchShown():
                return self._hits(ui_event, columns)
            case events.MessageChanged(change, key):
                return self._change(change, key, columns)
            case events.FilesShown():
                return [row for said in self.own_files(ui_event) for row in self.notice(said, columns)]
            case _:
                return None

    def own_files(self, event: events.FilesShown) -> list[str]:
        """Return the sentences of a page of the user's own files, which get numbers by it."""
        said = [catalogue.files.used(event.used, event.most)]
        if event.uploads:
            self.numbers.list_uploads(event.uploads)
        for number, upload in enumerate(event.uploads, 1):
            name, until = one_line(upload.name), local_date(upload.until_ms)
            said.append(catalogue.files.own_upload(number, name, upload.offset, upload.size, until))
        for own in event.files:
            if own.room is None and own.to is None:
                said.append(catalogue.files.own_file_elsewhere(file_text(own.file), local_date(own.sent_at_ms)))
                continue
            key = self._core.room(own.room) if own.room is not None else PersonKey(own.to or 0)
            self.numbers.add_file(key, own.seq, own.file)
            line, date = file_text(own.file), local_date(own.sent_at_ms)
            said.append(catalogue.files.own_file(catalogue.rooms.number(own.seq), line, self._where(key), date))
        if event.uploads:
            said.append(catalogue.files.REMOVE_HINT())
        if not event.files:
            return [*said, catalogue.files.NO_OWN_FILES()]
        return [*said, catalogue.files.DELETE_HINT(), *([catalogue.rooms.MORE()] if event.more else [])]

    def _where(self, key: ConversationId) -> str:
        if not isinstance(key, PersonKey):
            return f"#{one_line(key.room)}"
        name = self._core.name_of(key.person_id) or catalogue.rooms.UNKNOWN_MEMBER()
        return f"@{marked(self._shown(key.person_id, name))}"

    def gathered(self, columns: int) -> list[TextRow]:
        """Return a row for each message whose reactions changed since the last call."""
        reacted, self._reacted = self._reacted, {}
        return [row for change in reacted.values() for row in self._reactions(change, columns)]

    def _message(self, key: ConversationId, message: Message, columns: int, room: str | None) -> list[TextRow]:
        day = local_time(message).date().isoformat()
        rows = self.notice(day, columns) if day != self._day else []
        self._day = day
        if message.reply is not None and message.deleted is None:
            quote = self._quote(key, message.reply, columns)
            rows += [] if self._reader else [quote]
        self.numbers.add(key, message.seq, message)
        if self._reader:
            core = self._core
            rows += reader_rows(message, columns, room=room, is_bot=core.is_bot, me=core.me)
            return rows + self._files(message, columns)
        rows += message_rows(
            message, columns, room=room, number=message.seq, is_bot=self._core.is_bot, me=self._core.me
        )
        return rows + self._files(message, columns)

    def _files(self, message: Message, columns: int) -> list[TextRow]:
        rows = [row for file in message.files for row in file_rows(file, file_number(message, file), columns)]
        return spoken(rows) if self._reader else rows

    def notice(self, said: str, columns: int, style: TextStyle = TextStyle.NOTICE) -> list[TextRow]:
        """Return the rows of a notice; see `notice_rows`."""
        rows = notice_rows(said, columns, style)
        return spoken(rows) if self._reader else rows

    def announcement(self, said: str, columns: int, spans: Sequence[TextSpan] = ()) -> list[TextRow]:
        """Return the rows of a notice with foreign text; see `announcement_rows`."""
        rows = announcement_rows(said, columns, spans)
        return spoken(rows) if self._reader else rows

    def _messages(
        self, key: ConversationId, messages: Sequence[Message], columns: int, room: str | None
    ) -> list[TextRow]:
        for message in messages:  # remember all of them first: they may answer each other
            self.numbers.add(key, message.seq, message)
        return [row for message in messages for row in self._message(key, message, columns, room)]

    def _quote(self, key: ConversationId, seq: int, columns: int) -> TextRow:
        message = self._core.find_message(key, seq) or self.numbers.message(seq)
        hidden = message is not None and message.sender_id in self._core.ignored
        self.numbers.add(key, seq, message)
        return quote_row(message, seq, columns, hidden=hidden, is_bot=self._core.is_bot)

    def _excerpt(self, event: events.HistoryShown, columns: int) -> list[TextRow]:
        said = before_history(event)
        rows = self.notice(said, columns) if said else []
        if not event.messages:
            return rows
        room = elsewhere(event.key, self._core.current, event.messages[0])
        rows += self._messages(event.key, event.messages, columns, room)
        return rows + (self.notice(catalogue.rooms.MORE(), columns) if event.more else [])

    def _hits(self, event: events.SearchShown, columns: int) -> list[TextRow]:
        rows: list[TextRow] = []
        for hit in event.hits:
            key = self._core.conversation_of(hit.message)
            self.numbers.add(key, hit.message.seq, hit.message)
            rows += self._hit(hit, columns)
        said = catalogue.rooms.after_hits(len(event.hits), more=event.more, building=event.building)
        return rows + [row for sentence in said for row in self.notice(sentence, columns)]

    def _hit(self, hit: Hit, columns: int) -> list[TextRow]:
        core, message = self._core, hit.message
        if not self._reader:
            return hit_rows(hit, columns, core.is_bot, core.me)
        when = local_date(message.sent_at_ms)
        rows = reader_rows(message, columns, room=message.room, is_bot=core.is_bot, me=core.me, when=when)
        return rows + self._files(message, columns)

    def _change(self, change: MessageChange, key: ConversationId, columns: int) -> list[TextRow]:
        self.numbers.add(key, change.target)
        name, author = self._shown(change.sender_id, change.name), self._author(change.target)
        own = self._is_author(change)
        match change:
            case Edited(text=str(text)):
                if (message := self.numbers.message(change.target)) is not None and message.text == text:
                    text = own_text(message)
                shown, spans = text_with_spans(text, None if change.sender_id == self._core.me.id else self._core.me)
                said = catalogue.rooms.edited(change.target, name, shown, author=author, own=own)
                at = said.rfind(shown)  # the sentence may go on behind it, in another language
                moved = [replace(span, start=span.start + at, end=span.end + at) for span in spans]
                return self.announcement(said, columns, moved)
            case Deleted():
                return self.announcement(catalogue.rooms.deleted(change.target, name, author=author, own=own), columns)
            case Reacted():
                self._reacted[change.target] = change
        return []

    def _reactions(self, change: Reacted, columns: int) -> list[TextRow]:
        entry = self.numbers.message(change.target)
        if entry is None:
            sign = safe_sign(change.sign)
            said = catalogue.rooms.reacted(
                change.target, sign, self._shown(change.sender_id, change.name), on=change.on
            )
        else:
            signs = [(safe_sign(each.sign), [self._name(who, change) for who in each.by]) for each in entry.reactions]
            said = catalogue.rooms.reactions(change.target, signs, author=self._author(change.target))
        return self.announcement(said, columns)

    def _author(self, seq: int) -> str:
        """Return the author of a message, as shown; empty where it is not known here."""
        message = self.numbers.message(seq)
        return "" if message is None or not message.name else self._shown(message.sender_id, message.name)

    def _is_author(self, change: MessageChange) -> bool:
        message = self.numbers.message(change.target)
        return message is not None and message.sender_id == change.sender_id

    def _name(self, person_id: int, change: Reacted) -> str:
        unseen = change.name if person_id == change.sender_id else catalogue.rooms.UNKNOWN_MEMBER()
        return self._shown(person_id, self._core.name_of(person_id) or unseen)

    def _shown(self, person_id: int, name: str) -> str:
        return named(one_line(name), bot=self._core.is_bot(person_id))
