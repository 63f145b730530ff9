"""What must be true of what people saw, held against the log: every line once, in order, complete, and as it is now.

`Display` follows one client core from start to end (what it tells its user); `check_streams` looks at what everybody
sent. Both are compared with the rows of the log when everything is quiet. Together with `wire_checks` these are
promises 1 and 2 of the project as code.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from securechat.client.core import events
from securechat.client.core.events.account import IdentityChanged
from securechat.client.core.events.messages import MessageChanged
from securechat.client.core.events.rooms import RoomSettingsChanged
from securechat.client.core.message_changes import apply_change
from securechat.client.core.state import KEPT_MESSAGES, ConversationId, PersonKey, RoomKey
from securechat.model import (
    Delete,
    Deleted,
    Edit,
    Edited,
    Joined,
    Message,
    MessageChange,
    React,
    Reacted,
    Welcome,
)
from securechat.testing.log_checks import HistoryBroken
from tests.simulation.checkers.wire_checks import SentDraft, Stream

Gone = Callable[[int], bool]
"""Whether an entry may have vanished from the log without a word: retention, or an account that took its own along."""


def nothing_is_gone(_: int) -> bool:
    """Tell that nothing vanishes here."""
    return False


@dataclass(slots=True)
class Period:
    """Being in one room, from ``above`` on; ``through`` is where it ended."""

    room: str
    above: int
    last: int = 0
    ended: bool = False


class Display:
    """One client core's life, as its user sees it.

    Args:
        who: names the client in a complaint.

    Attributes:
        shown: every seq shown, with the last state that was told.
        lines: lines given to the core, by number, and what became of each: "acked", "refused", "lost", or None.
    """

    def __init__(self, who: str) -> None:
        self.who = who
        self.shown: dict[int, Message] = {}
        self.lines: dict[int, str | None] = {}
        self.periods: list[Period] = []
        self.me = 0
        self.floor_seq = 0
        self.ended = False
        self._is_successor = False
        self._last: dict[ConversationId, int] = {}
        self._last_change: dict[ConversationId, int] = {}
        self._seqs: dict[ConversationId, list[int]] = {}
        self._open: dict[str, Period] = {}
        self._live_from: dict[str, int] = {}

    def successor(self) -> Display:
        """Return the display of the same program, which is somebody else from now on: their account was deleted."""
        after = Display(f"{self.who}'")
        after.lines, after._is_successor = self.lines, True
        self.lines, self.ended = {}, True
        return after

    # --- what came over the wire, where a ui_event does not say it

    def welcomed(self, event: Welcome) -> None:
        """The server has let the core in, before it tells."""
        if self.me == 0:
            self.floor_seq = event.live_from
        self.me = event.sender_id

    def joined(self, event: Joined) -> None:
        """The server has let the core into a room, before it tells."""
        self._live_from[event.room] = event.live_from

    # --- what the core tells

    def tell(self, ui_event: events.UiEvent) -> None:
        """Take a ui_event.

        Raises:
            HistoryBroken: something is shown twice, out of order, or where the user is not.
        """
        match ui_event:
            case events.MessageShown(message, key):
                self._show(message, key)
            case MessageChanged(change, key, message):
                self._amend(change, key, message)
            case events.RoomJoined(room):
                if room not in self._open:
                    period = self._open[room] = Period(room, self._live_from[room])
                    self.periods.append(period)
            case events.RoomLeft(room):
                if (left := self._open.pop(room, None)) is not None:
                    left.ended = True
            case RoomSettingsChanged(rules) if rules.was is not None:
                self._rename(rules.was, rules.room)
            case events.MessageAcked(line):
                self._settle(line.number, "acked")
            case events.MessageRefused(line):
                self._settle(line.number, "refused")
            case events.MessagesLost(lines):
                for line in lines:
                    self._settle(line.number, "lost")
            case events.HistoryReset() | IdentityChanged() if not self._is_successor:
                self._broken("the server has another log, or takes us for somebody else")
            case events.ClientEnded():
                self.ended = True
                self._check_lines("is over")
            case _:
                pass

    def _rename(self, old: str, new: str) -> None:
        if (period := self._open.pop(old, None)) is not None:
            period.room = new
            self._open[new] = period

    def _settle(self, number: int, what: str) -> None:
        if number == 0:  # a whisper to somebody nobody found
            return
        if self.lines.get(number) is not None:
            self._broken(f"line {number} is {self.lines[number]}, and {what}")
        self.lines[number] = what

    def _show(self, message: Message, key: ConversationId) -> None:
        if message.seq in self.shown:
            self._broken(f"message {message.seq} was shown twice")
        if message.seq <= self._last.get(key, 0):
            self._broken(f"message {message.seq} was shown after {self._last[key]}")
        if isinstance(key, RoomKey):
            if (period := self._open.get(key.room)) is None:
                self._broken(f"message {message.seq} of #{key.room} was shown outside of it")
            period.last = message.seq
        elif self.me not in (message.sender_id, message.to):
            self._broken(f"message {message.seq} of others' dialogue was shown")
        self._last[key] = message.seq
        self._seqs.setdefault(key, []).append(message.seq)
        self.shown[message.seq] = message

    def _amend(self, change: MessageChange, key: ConversationId, message: Message | None) -> None:
        if isinstance(key, RoomKey) and key.room not in self._open:
            self._broken(f"change {change.seq} of #{key.room} was told outside of it")
        if change.seq <= self._last_change.get(key, 0):
            self._broken(f"change {change.seq} was told after {self._last_change[key]}")
        self._last_change[key] = change.seq
        before = self.shown.get(change.target)
        if message is None and before is not None:
            self._check_let_go(change, key)
            message = apply_change(before, change)  # as message_numbers: a line client has more than the core
        if message is not None and before is not None:
            is_older = message.deleted is None and (message.edited or 0) < (before.edited or 0)
            if is_older or (before.deleted is not None and message is not before):
                self._broken(f"message {message.seq} was told as {message}, after it had been {before}")
            self.shown[change.target] = message

    def _check_let_go(self, change: MessageChange, key: ConversationId) -> None:
        """The core may leave out what became of a message only after so many others of the conversation."""
        seqs = self._seqs.get(key, [])  # none where it was shown under a name that the room lost while away
        later = len(seqs) - bisect_right(seqs, change.target)
        is_present = not isinstance(key, RoomKey) or change.target > self._open[key.room].above
        if is_present and later < KEPT_MESSAGES:
            self._broken(f"what became of message {change.target} was left out, after {later} others")

    # --- at the end

    def check(
        self,
        rows: Sequence[Message],
        *,
        converged: bool,
        gone: Gone = nothing_is_gone,
        taken_back: Container[int] = frozenset(),
        reads_above: Callable[[str, int], int] = lambda _, __: 0,
    ) -> None:
        """Hold what was shown against the log.

        Args:
            rows: every message of the log.
            converged: whether the core is online and has caught up: then nothing may be missing up to the end, and
                every message where the user is still stands there as it is in the log.
            gone: tells what may have vanished.
            taken_back: whose reactions may have vanished.
            reads_above: tells above which seq somebody (by sender_id) reads a room that shows only what was said since
                they joined; a guest who was away for long joins anew.

        Raises:
            HistoryBroken: a message is missing, or is not the log's.
        """
        by_seq = {row.seq: row for row in rows}
        is_current = converged and not self.ended
        for seq, message in self.shown.items():
            row = by_seq.get(seq)
            if row is None:
                if not gone(seq):
                    self._broken(f"message {seq} was shown, and the log does not have it")
            elif (row.sender_id, row.sent_at_ms, row.to, row.reply) != _origin(message):
                self._broken(f"message {seq} was shown as {message}, and the log has {row}")
            elif not is_current or not self._is_followed(seq, row, reads_above):
                continue
            elif _state(message, taken_back) != _state(row, taken_back):
                self._broken(f"message {seq} is shown as {message}, and the log has {row}")
        for period in self.periods:
            end = period.last if period.ended or not is_current else rows[-1].seq if rows else 0
            above = max(period.above, reads_above(period.room, self.me))
            for row in rows:
                if row.room == period.room and above < row.seq <= end and row.seq not in self.shown:
                    self._broken(f"message {row.seq} of #{row.room} was never shown (up to {end})")
        self._check_dialogues(rows, converged=is_current)
        if is_current:
            self._check_lines("has nothing left to send")

    def _is_followed(self, seq: int, row: Message, reads_above: Callable[[str, int], int]) -> bool:
        """Whether what becomes of a message is told: in dialogues, and since the user is in its room."""
        if row.room is None:
            return True
        period = self._open.get(row.room)
        return period is not None and seq > max(period.above, reads_above(row.room, self.me))

    def _check_lines(self, why: str) -> None:
        for number, what in self.lines.items():
            if what is None:
                self._broken(f"{why}, and line {number} was neither acknowledged, refused nor told lost")

    def _check_dialogues(self, rows: Sequence[Message], *, converged: bool) -> None:
        for row in rows:
            if row.room is not None or self.me not in (row.sender_id, row.to) or row.seq <= self.floor_seq:
                continue
            other = row.to if row.sender_id == self.me else row.sender_id
            end = rows[-1].seq if converged else self._last.get(PersonKey(other or 0), 0)
            if row.seq <= end and row.seq not in self.shown:
                self._broken(f"message {row.seq} of a dialogue was never shown")

    def _broken(self, what: str) -> NoReturn:
        raise HistoryBroken(f"{self.who}: {what}")


def _origin(message: Message) -> tuple[object, ...]:
    return (message.sender_id, message.sent_at_ms, message.to, message.reply)


def _state(message: Message, taken_back: Container[int]) -> tuple[object, ...]:
    """What changes make of a message; once it was deleted, when it was edited means nothing."""
    edited = message.edited if message.deleted is None else None
    signs = [(each.sign, by) for each in message.reactions if (by := [who for who in each.by if who not in taken_back])]
    editor = message.edited_by if message.deleted is None else None
    by = [None if person is None else person.id for person in (editor, message.deleted_by)]
    return (message.text, edited, message.deleted, message.mentions, by, signs)


# --- What everybody sent ------------------------------------------------------------------------------------------


def check_streams(
    streams: Iterable[Stream],
    rows: Sequence[Message],
    changes: Sequence[MessageChange] = (),
    gone: Gone = nothing_is_gone,
) -> None:
    """Acknowledged is a subset of the log, each stream is in order, and nothing is stored twice.

    Args:
        streams: what everybody sent and was told about it.
        rows: every message of the log, by seq; the texts sent are unique.
        changes: every change of the log, by seq.
        gone: tells what may have vanished.

    Raises:
        HistoryBroken: the sentence names the first contradiction.
    """
    by_seq = {row.seq: row for row in rows}
    changed = {change.seq: change for change in changes}
    plain = [(row.sender_id, row.text) for row in rows if row.edited is None and row.deleted is None]
    if len(set(plain)) < len(plain):
        raise HistoryBroken("a message is stored twice")
    for stream in [each for one in streams for each in (one, *one.earlier)]:
        stream.check_order()
        for client_id, draft in stream.drafts.items():
            if draft.seq is None:
                continue
            if not gone(draft.seq) and not _is_stored(draft, draft.seq, stream.sender_id, by_seq, changed):
                raise HistoryBroken(
                    f"draft {client_id} of {stream.sender_id} is acknowledged as {draft.seq}, and is not there:"
                    f" {draft.command}"
                )


def _is_stored(
    draft: SentDraft, seq: int, sender_id: int, rows: dict[int, Message], changes: dict[int, MessageChange]
) -> bool:
    command = draft.command
    if not isinstance(command, Edit | Delete | React):
        row = rows.get(seq)
        is_as_sent = row is not None and (row.text == command.text or bool(row.edited or row.deleted))
        return row is not None and row.sender_id == sender_id and is_as_sent
    change, row = changes.get(seq), rows.get(command.seq)
    if change is None or row is None or (change.target, change.sender_id) != (command.seq, sender_id):
        return False
    match command, change:
        case Edit(text=text), Edited():
            return row.text == text or row.deleted is not None or (row.edited or 0) > seq
        case Delete(), Deleted():
            return row.deleted == seq and row.text == ""
        case React(sign=sign, on=on), Reacted():
            return (change.sign, change.on) == (sign, on)
        case _:
            return False
