"""What must be true of what people saw, held against the log: every line once, in order, and complete.

`Display` follows one client core from start to end (what it tells its user); `check_displays` and `check_streams`
compare all of them with the rows of the log when everything is quiet. Together with `wire_checks` these are promises
1 and 2 of the project as code.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from securechat.client import happenings as told
from securechat.client.deeds import BecameAnother
from securechat.client.state import Key, PersonKey, RoomKey
from securechat.model import Joined, Message, Welcome
from securechat.testing.log_checks import HistoryBroken, check_history
from securechat.testing.wire_checks import Stream


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
        shown: every seq shown.
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
        self._last: dict[Key, int] = {}
        self._open: dict[str, Period] = {}
        self._live_from: dict[str, int] = {}

    # --- what came over the wire, where a happening does not say it

    def welcomed(self, event: Welcome) -> None:
        """The server has let the core in, before it tells."""
        if self.me == 0:
            self.floor_seq = event.live_from
        self.me = event.sender_id

    def joined(self, event: Joined) -> None:
        """The server has let the core into a room, before it tells."""
        self._live_from[event.room] = event.live_from

    # --- what the core tells

    def tell(self, happening: told.Happening) -> None:
        """Take a happening.

        Raises:
            HistoryBroken: something is shown twice, out of order, or where the user is not.
        """
        match happening:
            case told.Shown(message, key):
                self._show(message, key)
            case told.EnteredRoom(room):
                if room not in self._open:
                    period = self._open[room] = Period(room, self._live_from[room])
                    self.periods.append(period)
            case told.LeftRoom(room):
                if (left := self._open.pop(room, None)) is not None:
                    left.ended = True
            case told.LineAcked(line):
                self._settle(line.number, "acked")
            case told.LineRefused(line):
                self._settle(line.number, "refused")
            case told.LinesLost(lines):
                for line in lines:
                    self._settle(line.number, "lost")
            case told.HistoryReset() | BecameAnother():
                raise HistoryBroken(f"{self.who}: the server has another log, or takes us for somebody else")
            case told.Ended():
                self.ended = True
                self._check_lines("is over")
            case _:
                pass

    def _settle(self, number: int, what: str) -> None:
        if number == 0:  # a whisper to somebody nobody found
            return
        if self.lines.get(number) is not None:
            raise HistoryBroken(f"{self.who}: line {number} is {self.lines[number]}, and {what}")
        self.lines[number] = what

    def _show(self, message: Message, key: Key) -> None:
        if message.seq in self.shown:
            raise HistoryBroken(f"{self.who}: message {message.seq} was shown twice")
        if message.seq <= self._last.get(key, 0):
            raise HistoryBroken(f"{self.who}: message {message.seq} was shown after {self._last[key]}")
        if isinstance(key, RoomKey):
            if (period := self._open.get(key.room)) is None:
                raise HistoryBroken(f"{self.who}: message {message.seq} of #{key.room} was shown outside of it")
            period.last = message.seq
        elif self.me not in (message.sender_id, message.to):
            raise HistoryBroken(f"{self.who}: message {message.seq} of others' dialogue was shown")
        self._last[key] = message.seq
        self.shown[message.seq] = message

    # --- at the end

    def check(self, rows: Sequence[Message], *, converged: bool) -> None:
        """Hold what was shown against the log.

        Args:
            rows: every message of the log.
            converged: whether the core is online and has caught up: then nothing may be missing up to the end.

        Raises:
            HistoryBroken: a message is missing, or is not the log's.
        """
        by_seq = {row.seq: row for row in rows}
        for seq, message in self.shown.items():
            if by_seq.get(seq) != message:
                raise HistoryBroken(f"{self.who}: message {seq} was shown, and the log has {by_seq.get(seq)}")
        for period in self.periods:
            end = period.last if period.ended or self.ended or not converged else rows[-1].seq if rows else 0
            for row in rows:
                if row.room == period.room and period.above < row.seq <= end and row.seq not in self.shown:
                    raise HistoryBroken(f"{self.who}: message {row.seq} of #{row.room} was never shown (up to {end})")
        self._check_dialogues(rows, converged=converged and not self.ended)
        if converged and not self.ended:
            self._check_lines("has nothing left to send")

    def _check_lines(self, why: str) -> None:
        for number, what in self.lines.items():
            if what is None:
                raise HistoryBroken(
                    f"{self.who} {why}, and line {number} was neither acknowledged, refused nor told lost"
                )

    def _check_dialogues(self, rows: Sequence[Message], *, converged: bool) -> None:
        for row in rows:
            if row.room is not None or self.me not in (row.sender_id, row.to) or row.seq <= self.floor_seq:
                continue
            other = row.to if row.sender_id == self.me else row.sender_id
            end = rows[-1].seq if converged else self._last.get(PersonKey(other or 0), 0)
            if row.seq <= end and row.seq not in self.shown:
                raise HistoryBroken(f"{self.who}: message {row.seq} of a dialogue was never shown")


def check_streams(streams: Iterable[Stream], rows: Sequence[Message]) -> None:
    """Acknowledged is a subset of the log, each stream is in order, and nothing is stored twice.

    Args:
        streams: what everybody sent and was told about it.
        rows: every message of the log, by seq; texts are unique.

    Raises:
        HistoryBroken: the sentence names the first contradiction.
    """
    check_history([], rows)
    by_seq = {row.seq: row for row in rows}
    for stream in streams:
        stream.check_order()
        for client_id, draft in stream.drafts.items():
            if draft.seq is None:
                continue
            row = by_seq.get(draft.seq)
            if row is None:
                raise HistoryBroken(
                    f"draft {client_id} of {stream.sender_id} is acknowledged, and message {draft.seq} is not there"
                )
            if row.text != draft.text or row.sender_id != stream.sender_id:
                raise HistoryBroken(f"draft {client_id} of {stream.sender_id} is not message {draft.seq}")
