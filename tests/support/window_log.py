"""A conversation with a log, a core that keeps the end of it, and a message window on both; its rows are simple."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from securechat.client.core import actions, events
from securechat.client.core.events import UiEvent
from securechat.client.core.events.messages import HistoryRange
from securechat.client.core.message_changes import apply_change
from securechat.client.core.state import Conversation, RoomKey
from securechat.client.ui.rows.styled_text import TextRow
from securechat.client.ui.window.message_window import MessageWindow
from securechat.client.ui.window.records import MembersChanged, PageWanted, UnsentMessage, WindowRow
from securechat.model import Deleted, Edited, Message, MessageChange, Person, Purged, Reacted

ME = 1
ROOM = RoomKey("ops")


def cut(text: str, columns: int) -> list[str]:
    return [text[at : at + columns] for at in range(0, len(text), columns)] or [""]


class PlainRows:
    """A head where the author is another, the text in pieces, and a row of reactions."""

    def __init__(self) -> None:
        self.made = 0

    def message_rows(self, message: Message, before: Message | None, columns: int) -> Sequence[TextRow]:
        self.made += 1
        head = [] if before is not None and before.sender_id == message.sender_id else [f"<{message.sender_id}>"]
        signs = [reaction.sign for reaction in message.reactions]
        text = "gone" if message.deleted else message.text
        return self._rows([*head, *cut(text, columns), *(cut("".join(signs), columns) if signs else [])], columns)

    def unsent_rows(self, unsent: UnsentMessage, before: Message | None, columns: int) -> Sequence[TextRow]:
        return self._rows([f"{unsent.state.value}: {unsent.message.text}"], columns)

    def unread_rows(self, columns: int) -> Sequence[TextRow]:
        return self._rows(["----"], columns)

    def member_rows(self, members: MembersChanged, columns: int) -> Sequence[TextRow]:
        return self._rows([f"+{','.join(members.joined)} -{','.join(members.left)} {members.more}"], columns)

    def _rows(self, texts: Sequence[str], columns: int) -> Sequence[TextRow]:
        return tuple(TextRow.of(text[:columns]) for text in texts)


@dataclass
class WindowLog:
    """The log has ``before`` messages when the window is made; the core keeps the last ``core_keeps`` of them."""

    before: int = 0
    core_keeps: int = 8
    columns: int = 20
    rows: int = 6
    most: int = 40
    page: int = 10
    authors: int = 2
    log: list[Message] = field(default_factory=list)
    seq: int = 0
    asked: list[tuple[PageWanted, int]] = field(default_factory=list)
    waiting: list[events.PendingMessage] = field(default_factory=list)
    sent: int = 0

    def __post_init__(self) -> None:
        self.core = Conversation(ROOM, messages=deque(maxlen=self.core_keeps))
        for number in range(self.before):
            self._store(f"old {number}", 2 + number % self.authors)
        self.maker = PlainRows()
        self.window = MessageWindow(
            ROOM, lambda: self.core, self.maker, self.columns, self.rows, most=self.most, page=self.page
        )

    # --- what the server does -----------------------------------------------------------------------------------------

    def say(self, text: str = "x", by: int = 2, *, apart: int = 1) -> Message:
        message = self._store(text, by, apart=apart)
        self.window.note(events.MessageShown(message, ROOM, by == ME))
        return message

    def send(self) -> None:
        """The user sends a message, which waits."""
        self.sent += 1
        self.waiting.append(events.PendingMessage(self.sent, ROOM, f"own {self.sent}"))
        self.window.unsent_are(self.waiting)

    def store_sent(self) -> None:
        """The server has stored the oldest one that waits."""
        if self.waiting:
            pending = self.waiting.pop(0)
            message = self._store(pending.text, ME)
            self.window.note(events.MessageAcked(pending, message.seq))
            self.window.unsent_are(self.waiting)
            self.window.note(events.MessageShown(message, ROOM, True))

    def edit(self, seq: int, text: str) -> None:
        self._change(Edited(self._next(), seq, 2, "p2", 0, "ops", text=text))

    def delete(self, seq: int) -> None:
        self._change(Deleted(self._next(), seq, 2, "p2", 0, "ops"))

    def react(self, seq: int, sign: str = "+") -> None:
        self._change(Reacted(self._next(), seq, 3, "p3", 0, "ops", sign=sign))

    def purge(self, through: int, sender: int | None = None) -> None:
        purged = Purged(through, "ops" if sender is None else None, sender)

        def gone(message: Message) -> bool:
            return message.seq <= through and sender in (None, message.sender_id)

        self.log = [message for message in self.log if not gone(message)]
        kept = [message for message in self.core.messages if not gone(message)]
        self.core.messages.clear()
        self.core.messages.extend(kept)
        self.window.note(events.MessagesPurged(purged, ROOM if sender is None else None, 0))

    def members(self, name: str, person: int, *, joined: bool) -> None:
        people = (Person(person, name),)
        self.note(events.MembersJoined("ops", people) if joined else events.MembersLeft("ops", people))

    def note(self, ui_event: UiEvent) -> None:
        self.window.note(ui_event)

    # --- pages of history ---------------------------------------------------------------------------------------------

    def ask(self) -> bool:
        """Ask for the page that the window wants; the answer is as old as the question."""
        page = self.window.wanted()
        if page is None:
            return False
        action = page.action(ROOM, self.page)
        assert isinstance(action, actions.AskHistory | actions.ShowHistory)
        self.window.asked(page)
        self.asked.append((page, self.seq))
        return True

    def answer(self) -> None:
        """Answer the oldest question, with messages as they are now."""
        if not self.asked:
            return
        page, through = self.asked.pop(0)
        known = [message for message in self.log if message.seq <= through]
        self.window.note(self._answer(page, known, through))

    def load(self) -> None:
        """Ask and answer until nothing is wanted."""
        for _ in range(100):
            self.answer()
            if not self.ask() and not self.asked:
                return
        raise AssertionError("wants pages without end")

    def _answer(self, page: PageWanted, known: list[Message], through: int) -> UiEvent:
        if page.around is not None:
            at = next((at for at, each in enumerate(known) if each.seq == page.around), None)
            if at is None:
                return events.ActionRejected(events.RejectReason.NOT_THERE)
            part = known[max(0, at - self.page // 2) : at + self.page // 2]
            return events.HistoryShown(
                ROOM, tuple(part), HistoryRange.AROUND, more=True, first=part[0].seq, through=part[-1].seq
            )
        if page.after is not None:
            rest = [message for message in known if message.seq > page.after]
            part, more = rest[: self.page], len(rest) > self.page
            last = part[-1].seq if more else max(through, page.after)
            shown = tuple(part)
            return events.HistoryShown(ROOM, shown, HistoryRange.SINCE, more, first=page.after + 1, through=last)
        if page.at_ms is not None:
            rest = [message for message in known if message.sent_at_ms >= page.at_ms]
            part = rest[: self.page]
            first, last = (part[0].seq, part[-1].seq) if part else (0, 0)
            more = len(rest) > self.page
            return events.HistoryShown(ROOM, tuple(part), HistoryRange.SINCE, more, page.at_ms, first, last)
        rest = known if page.before is None else [message for message in known if message.seq < page.before]
        part, more = rest[-self.page :], len(rest) > self.page
        return events.HistoryLoaded(ROOM, tuple(part), True, more, part[0].seq if more else 0, page.before)

    # --- what is seen -------------------------------------------------------------------------------------------------

    def seen(self) -> list[str]:
        return [str(each.row) for each in self.window.rows().rows]

    def window_rows(self) -> tuple[WindowRow, ...]:
        return self.window.rows().rows

    def kept(self) -> list[int]:
        return [message.seq for message in self.window.kept]

    def _next(self) -> int:
        self.seq += 1
        return self.seq

    def _store(self, text: str, by: int, *, apart: int = 1) -> Message:
        self.seq += apart
        before = self.core.last
        message = Message(self.seq, before, by, f"p{by}", self.seq * 1000, text, "ops")
        self.log.append(message)
        self.core.messages.append(message)
        self.core.last = message.seq
        return message

    def _change(self, change: MessageChange) -> None:
        at = next((at for at, each in enumerate(self.log) if each.seq == change.target), None)
        if at is None:
            return
        after = self.log[at] = apply_change(self.log[at], change)
        known = self.core.find(change.target) is not None
        self.core.put(after)
        self.window.note(events.MessageChanged(change, ROOM, after if known else None))
