"""From a Say to an Acked: rules, the log's answer, and acknowledgements that wait for the feed.

A draft belongs to the stream of the connection it came on, and its acknowledgement goes to that connection alone. A
retry is acknowledged only when the feed has passed its seq, so that an ack never comes before the message could.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import assert_never

from securechat.errors import ErrorCode, Refusal
from securechat.hub.attendance import Attendance
from securechat.hub.door import span
from securechat.hub.member import Member, Seat
from securechat.hub.policy import DailyQuota
from securechat.hub.ports import Appended, AppendOutcome, Happening, MessageLog, NotAppended, Observer, Peer
from securechat.hub.registry import Registry
from securechat.limits import MAX_TEXT_BYTES, MAX_TEXT_CHARS, Limits
from securechat.model import Acked, Direct, Draft, Refused, Say
from securechat.names import check_room


class Posting:
    """Takes drafts to the log and its answers back.

    Args:
        log: where messages become durable.
        registry: knows absent accounts and mutes.
        attendance: hears when a member has nothing left unsettled.
        observer: hears what is said, if it wants to.
        limits: the daily quota.
        members: who is here, by sender_id.
        seats: their connections.
        now: the time of this pass, monotonic seconds.

    Attributes:
        unsettled: drafts the log has not answered yet.
    """

    def __init__(
        self,
        log: MessageLog,
        registry: Registry,
        attendance: Attendance,
        observer: Observer,
        limits: Limits,
        members: Mapping[int, Member],
        seats: Mapping[Peer, Seat],
        now: Callable[[], float],
    ) -> None:
        self._log = log
        self._registry = registry
        self._attendance = attendance
        self._observer = observer
        self._hears_messages = observer.hears_messages
        self._members = members
        self._seats = seats
        self._now = now
        self._quota = DailyQuota(limits.stored_bytes_per_address_day)
        self._late_acks: list[tuple[int, Peer, Acked]] = []
        self._fed_seq = 0
        self.unsettled = 0

    def append(self, peer: Peer, seat: Seat, command: Say | Direct, now: float) -> None:
        """Check a draft and give it to the log.

        Raises:
            Refusal: a rule forbids it.
            Overloaded: the log cannot take it now; nothing happened.
        """
        member = seat.member
        draft = self._draft(seat, command)
        text = draft.text
        size_bytes = len(text) if text.isascii() else len(text.encode())
        if not self._quota.has_room(peer.address, size_bytes, now):
            raise Refusal(ErrorCode.QUOTA, "your address has stored all it may today; try again tomorrow")

        def done(outcome: AppendOutcome) -> None:
            if isinstance(outcome, NotAppended) or outcome.retry:
                self._quota.give_back(peer.address, size_bytes)
            self._settle(peer, member, command.client_id, outcome)

        self._log.append(draft, done)
        self._quota.take(peer.address, size_bytes)
        member.unsettled += 1
        self.unsettled += 1
        if self._hears_messages:
            self._observer.happened(Happening.SAID, peer, member.name, draft.room or draft.to_name or "", draft.text)

    def fed(self, seq: int) -> None:
        """Everything up to this seq has been fanned out."""
        self._fed_seq = seq
        if self._late_acks:
            entries, self._late_acks = self._late_acks, []
            for late_seq, peer, acked in entries:
                if late_seq > seq:
                    self._late_acks.append((late_seq, peer, acked))
                elif peer in self._seats:
                    peer.deliver(acked)

    def _draft(self, seat: Seat, command: Say | Direct) -> Draft:
        text, member = command.text, seat.member
        if not text or text.isspace():
            raise Refusal(ErrorCode.TEXT_EMPTY, "an empty message was not sent")
        if len(text) > MAX_TEXT_CHARS or (not text.isascii() and len(text.encode()) > MAX_TEXT_BYTES):
            raise Refusal(
                ErrorCode.TEXT_TOO_LONG, f"a message has at most {MAX_TEXT_CHARS} characters; send it in parts"
            )
        if self._registry.mutes:
            self._check_mute(member)
        if isinstance(command, Say):
            room = command.room
            if room not in member.rooms and (room := check_room(room)) not in member.rooms:
                raise Refusal(ErrorCode.NOT_A_MEMBER, f"you are not in #{room}; join it first")
            return Draft(member.sender_id, member.name, command.client_id, text, room=room, stream=seat.stream)
        if command.to == member.sender_id:
            raise Refusal(ErrorCode.INVALID, "you cannot write to yourself")
        other = self._members.get(command.to) or self._registry.accounts.get(command.to)
        if other is None:
            raise Refusal(
                ErrorCode.PERSON_ABSENT, "this person is not here now and has no account; write when they are back"
            )
        return Draft(
            member.sender_id,
            member.name,
            command.client_id,
            text,
            to=other.sender_id,
            to_name=other.name,
            stream=seat.stream,
        )

    def _check_mute(self, member: Member) -> None:
        mute = self._registry.mute_on(member.sender_id)
        if mute is None:
            return
        reason = f" ({mute.reason})" if mute.reason else ""
        if mute.until_ms is None:
            raise Refusal(ErrorCode.MUTED, f"you may read but not write here{reason}; ask the server's administrator")
        left_s = max(0.0, (mute.until_ms - self._registry.wall_ms()) / 1000)
        raise Refusal(ErrorCode.MUTED, f"you may read but not write for another {span(left_s)}{reason}")

    def _settle(self, peer: Peer, member: Member, client_id: int, outcome: AppendOutcome) -> None:
        member.unsettled -= 1
        self.unsettled -= 1
        if member.departures and not member.unsettled:
            self._attendance.settled(member, self._now())
        seat = self._seats.get(peer)
        if seat is None or seat.member is not member:
            return
        if isinstance(outcome, NotAppended):
            peer.deliver(Refused(outcome.code, outcome.text, client_id=client_id))
        elif isinstance(outcome, Appended):
            acked = Acked(client_id, outcome.seq)
            if outcome.retry and outcome.seq > self._fed_seq:
                self._late_acks.append((outcome.seq, peer, acked))
            else:
                peer.deliver(acked)
        else:
            assert_never(outcome)
