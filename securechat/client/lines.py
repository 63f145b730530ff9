"""What a line client shows of messages, with their numbers: as they come, recalled, found, changed.

Knows the core it looks at and how a row is made (rendering.py); where rows go is the business of who asks.
"""

from __future__ import annotations

from collections.abc import Sequence

from securechat.client import happenings as told
from securechat.client import sentences_talk as sentences
from securechat.client import tidings
from securechat.client.core import ClientCore
from securechat.client.happenings import Happening
from securechat.client.numbers import Numbers
from securechat.client.rendering import (
    Row,
    announcement_rows,
    elsewhere,
    hit_rows,
    local_time,
    message_rows,
    notice_rows,
    quote_row,
    safe_sign,
)
from securechat.client.state import Key, RoomKey, key_of
from securechat.client.tidings import Place
from securechat.model import Deleted, Edited, Message, MessageChange, Reacted
from securechat.text import one_line, visible


class Lines:
    """Rows for happenings about messages.

    Args:
        core: whose messages.

    Attributes:
        numbers: the numbers beside the lines.
    """

    def __init__(self, core: ClientCore) -> None:
        self.numbers = Numbers()
        self._core = core
        self._day = ""
        self._reacted: dict[int, Reacted] = {}

    @property
    def gathering(self) -> bool:
        """Whether there are reactions to be told by `gathered`."""
        return bool(self._reacted)

    def note(self, happening: Happening) -> None:
        """Keep the numbers right; `rows` does this too."""
        match happening:
            case told.Shown(message, key):
                self.numbers.give(key, message.seq, message)
            case tidings.Amended(change):
                self.numbers.change(change)
            case tidings.RulesChanged(rules) if rules.was is not None:
                self.numbers.renamed(RoomKey(rules.was), RoomKey(rules.room))
            case told.HistoryReset():
                self.numbers.forget()

    def rows(self, happening: Happening, columns: int) -> list[Row] | None:
        """Return the rows of a happening; None for those that are no messages."""
        self.note(happening)
        match happening:
            case told.Shown(message, key):
                return self._message(key, message, columns, elsewhere(key, self._core.current, message))
            case told.Recalled(key, messages) if messages:
                return self._messages(key, messages, columns, None)
            case tidings.Excerpted():
                return self._excerpt(happening, columns)
            case tidings.SearchShown():
                return self._hits(happening, columns)
            case tidings.Amended(change, key):
                return self._change(change, key, columns)
            case _:
                return None

    def gathered(self, columns: int) -> list[Row]:
        """Return a row for each message that got or lost reactions since the last time."""
        reacted, self._reacted = self._reacted, {}
        return [row for change in reacted.values() for row in self._reactions(change, columns)]

    def _message(self, key: Key, message: Message, columns: int, room: str | None) -> list[Row]:
        day = local_time(message).date().isoformat()
        rows = notice_rows(day, columns) if self._day and day != self._day else []
        self._day = day
        if message.reply is not None and message.deleted is None:
            rows.append(self._quote(key, message.reply, columns))
        number = self.numbers.give(key, message.seq, message)
        return rows + message_rows(message, columns, room=room, number=number)

    def _messages(self, key: Key, messages: Sequence[Message], columns: int, room: str | None) -> list[Row]:
        for message in messages:  # first all of them: they may answer each other
            self.numbers.give(key, message.seq, message)
        return [row for message in messages for row in self._message(key, message, columns, room)]

    def _quote(self, key: Key, seq: int, columns: int) -> Row:
        message = self._core.feed.find(key, seq) or self.numbers.message(seq)
        hidden = message is not None and message.sender_id in self._core.ignored
        return quote_row(message, self.numbers.give(key, seq), columns, hidden=hidden)

    def _excerpt(self, event: tidings.Excerpted, columns: int) -> list[Row]:
        if not event.messages:
            empty = sentences.NOTHING_UNREAD if event.place is Place.UNREAD else sentences.NOTHING_THERE
            return notice_rows(empty, columns)
        rows = notice_rows(sentences.UNREAD_BEGINS, columns) if event.place is Place.UNREAD else []
        room = elsewhere(event.key, self._core.current, event.messages[0])
        rows += self._messages(event.key, event.messages, columns, room)
        return rows + (notice_rows(sentences.MORE, columns) if event.more else [])

    def _hits(self, event: tidings.SearchShown, columns: int) -> list[Row]:
        rows: list[Row] = []
        for hit in event.hits:
            key = key_of(hit.message, self._core.me.id)
            rows += hit_rows(hit, columns, self.numbers.give(key, hit.message.seq, hit.message))
        said = sentences.after_hits(len(event.hits), more=event.more, building=event.building)
        return rows + [row for sentence in said for row in notice_rows(sentence, columns)]

    def _change(self, change: MessageChange, key: Key, columns: int) -> list[Row]:
        number = self.numbers.give(key, change.target)
        name = one_line(change.name)
        match change:
            case Edited(text=str(text)):
                return announcement_rows(sentences.edited(number, name, visible(text)), columns)
            case Deleted():
                return announcement_rows(sentences.deleted(number, name), columns)
            case Reacted():
                self._reacted[change.target] = change
        return []

    def _reactions(self, change: Reacted, columns: int) -> list[Row]:
        entry = self.numbers.message(change.target)
        number = self.numbers.number(change.target)
        if entry is None:
            sign = safe_sign(change.sign)
            said = sentences.reacted(number, sign, one_line(change.name), on=change.on)
        else:
            self._core.people.see(change.sender_id, change.name)
            signs = [(safe_sign(each.sign), [self._name(who) for who in each.by]) for each in entry.reactions]
            said = sentences.reactions(number, signs)
        return announcement_rows(said, columns)

    def _name(self, person_id: int) -> str:
        return one_line(self._core.people.name(person_id) or sentences.SOMEBODY)
