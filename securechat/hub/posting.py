"""From a Say, Edit, Delete or React to an Acked: rules, the log's answer, and acknowledgements that wait for the feed.

A draft belongs to the stream of the connection it came on, and its acknowledgement goes to that connection alone. A
retry is acknowledged only when the feed has passed its seq, so that an ack never comes before the message could.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias, assert_never

from securechat.containment import Containment
from securechat.errors import ErrorCode, Refusal
from securechat.hub.attendance import Attendance
from securechat.hub.door import span
from securechat.hub.member import Member, Seat
from securechat.hub.mentions import mentioned
from securechat.hub.mute import expect_unmuted, expect_unmuted_in
from securechat.hub.policy import DailyQuota
from securechat.hub.ports import Appended, AppendOutcome, Happening, MessageLog, NotAppended, Observer, Peer
from securechat.hub.registry import Registry
from securechat.hub.rights import Rank, Right, may
from securechat.limits import MAX_TEXT_BYTES, MAX_TEXT_CHARS, Limits
from securechat.model import (
    Acked,
    Delete,
    Direct,
    Draft,
    Edit,
    React,
    Refused,
    Revision,
    RevisionKind,
    Say,
)
from securechat.names import LOBBY, check_room
from securechat.text import is_hostile

DraftCommand: TypeAlias = Say | Direct | Edit | Delete | React
_NEVER = (-1e9, 0, 0)
_CHANGE_BYTES = 100
"""What a change takes up besides its text, in tables and indexes: a reaction has no text at all."""
_MOST_PAUSES = 65_536
"""Pauses of slow mode that are remembered, after whoever has to make them has gone too: some 15 MiB."""


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
        find: who has a name key.
        now: the time of this pass, monotonic seconds.
        text_chars: code points of a text.
        containment: what becomes of what the log's answer to a draft raises.

    Attributes:
        unsettled: drafts the log has not answered yet.
        renaming: old and new names of rooms whose new name is on its way to the log: nothing may be said there.
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
        find: Callable[[str], Member | None],
        now: Callable[[], float],
        containment: Containment,
        text_chars: int = MAX_TEXT_CHARS,
    ) -> None:
        self._containment = containment
        self._log = log
        self._registry = registry
        self._attendance = attendance
        self._observer = observer
        self._hears_messages = observer.hears_messages
        self._members = members
        self._seats = seats
        self._find = find
        self._now = now
        self._text_chars = text_chars
        self._quota = DailyQuota(limits.stored_bytes_per_address_day)
        self._late_acks: list[tuple[int, Peer, Acked]] = []
        self._fed_seq = 0
        self.unsettled = 0
        self.renaming: set[str] = set()
        self._rulebook = registry.rulebook
        # by sender and room, the latest last: when it last said something there, from which stream, as which draft
        self._said: dict[tuple[int, int], tuple[float, int, int]] = {}

    def append(self, peer: Peer, seat: Seat, command: DraftCommand, now: float) -> None:
        """Check a draft and give it to the log.

        What the log may have already, from before the connection was lost, is answered by it whatever the rules say
        by now: a refusal would be a lie, and have it sent again as something new.

        Raises:
            Refusal: a rule forbids it.
            Overloaded: the log cannot take it now; nothing happened.
        """
        try:
            self._append(peer, seat, command, now)
        except Refusal as refusal:
            if command.client_id > seat.known_client_id:
                raise
            self._recall(peer, seat, command, refusal)

    def _append(self, peer: Peer, seat: Seat, command: DraftCommand, now: float) -> None:
        member = seat.member
        made = self._draft(seat, command, now) if isinstance(command, Say | Direct) else self._revision(seat, command)
        text = made.text
        size_bytes = len(text) if text.isascii() else len(text.encode())
        size_bytes += _CHANGE_BYTES if isinstance(made, Revision) else 0
        if not self._quota.has_room(peer.address, size_bytes, now):
            raise Refusal(ErrorCode.QUOTA, "your address has stored all it may today; try again tomorrow")

        def done(outcome: AppendOutcome) -> None:
            if isinstance(outcome, NotAppended) or outcome.retry:
                self._quota.give_back(peer.address, size_bytes)
            self._settle(peer, member, command.client_id, outcome)

        member.unsettled += 1
        self.unsettled += 1
        try:
            if isinstance(made, Draft):
                self._log.append(made, done)
            else:
                self._log.revise(made, done)
        except BaseException:  # mostly Overloaded: nothing was taken
            member.unsettled -= 1
            self.unsettled -= 1
            raise
        self._quota.take(peer.address, size_bytes)
        seat.last_client_id = max(seat.last_client_id, command.client_id)
        if isinstance(made, Draft):
            self._begin_pause(made, now)
        if self._hears_messages and isinstance(made, Draft):
            self._observer.happened(Happening.SAID, peer, member.name, made.room or made.to_name or "", made.text)

    def _recall(self, peer: Peer, seat: Seat, command: DraftCommand, refusal: Refusal) -> None:
        """Ask the log whether it has this already; if not, the refusal stands."""
        member = seat.member
        probe = Draft(
            member.sender_id, member.name, command.client_id, "", room=LOBBY, stream=seat.stream, known_only=True
        )

        def done(outcome: AppendOutcome) -> None:
            if isinstance(outcome, NotAppended) and outcome.code in {ErrorCode.NOT_FOUND, ErrorCode.OUT_OF_ORDER}:
                outcome = NotAppended(refusal.code, refusal.detail, refusal.retry_after_s)
                self._observer.happened(Happening.REFUSED, peer, member.name, str(refusal))
            self._settle(peer, member, command.client_id, outcome)

        member.unsettled += 1
        self.unsettled += 1
        try:
            self._log.append(probe, done)
        except BaseException:
            member.unsettled -= 1
            self.unsettled -= 1
            raise

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

    def _draft(self, seat: Seat, command: Say | Direct, now: float) -> Draft:
        member = seat.member
        _check_text(command.text, self._text_chars)
        if self._registry.mutes:
            expect_unmuted(self._registry, member.sender_id)
        if isinstance(command, Say):
            room = self._room_of(member, command.room)
            self._check_rules(seat, command, room, now)
            return Draft(
                member.sender_id,
                member.name,
                command.client_id,
                command.text,
                room=room,
                stream=seat.stream,
                reply=command.reply,
                mentions=mentioned(command.text, lambda key: self._whose(room, key)),
            )
        if command.to == member.sender_id:
            raise Refusal(ErrorCode.INVALID, "you cannot write to yourself")
        other = self._members.get(command.to) or self._registry.accounts.get(command.to)
        if other is None or command.to in self._registry.departing:
            raise Refusal(
                ErrorCode.PERSON_ABSENT, "this person is not here now and has no account; write when they are back"
            )
        return Draft(
            member.sender_id,
            member.name,
            command.client_id,
            command.text,
            to=other.sender_id,
            to_name=other.name,
            stream=seat.stream,
            reply=command.reply,
        )

    def _revision(self, seat: Seat, command: Edit | Delete | React) -> Revision:
        member = seat.member
        if (command.room is None) == (command.to is None):
            raise Refusal(ErrorCode.INVALID, "name the room, or the person of the dialogue, and not both")
        if self._registry.mutes:
            expect_unmuted(self._registry, member.sender_id)
        room: str | None = None
        any_author = False
        if command.room is not None:
            room = self._room_of(member, command.room)
            rank = self._rulebook.rank(room, member.sender_id)
            any_author = may(rank, Right.REVISE_OTHERS)
            self._check_place(member, room, rank, reacting=isinstance(command, React))
        text, sign = "", ""
        mentions: tuple[int, ...] = ()
        match command:
            case Edit():
                _check_text(command.text, self._text_chars)
                kind, text = RevisionKind.EDIT, command.text
                if room is not None:
                    place = room
                    mentions = mentioned(text, lambda key: self._whose(place, key))
            case Delete():
                kind = RevisionKind.DELETE
            case React():
                kind, sign = RevisionKind.REACT if command.on else RevisionKind.UNREACT, command.sign
                if sign.isspace() or is_hostile(sign):
                    raise Refusal(ErrorCode.INVALID, "a reaction is a visible sign, such as an emoji")
            case _:
                assert_never(command)
        return Revision(
            kind,
            member.sender_id,
            member.name,
            command.client_id,
            command.seq,
            room=room,
            to=command.to,
            text=text,
            sign=sign,
            any_author=any_author,
            stream=seat.stream,
            mentions=mentions,
        )

    def _room_of(self, member: Member, raw: str) -> str:
        room = raw
        if room not in member.rooms and (room := member.room_meant(check_room(raw))) not in member.rooms:
            raise Refusal(ErrorCode.NOT_A_MEMBER, f"you are not in #{room}; join it first")
        if self.renaming and room in self.renaming:
            raise Refusal(ErrorCode.BUSY, f"#{room} is getting another name; try again", retry_after_s=0.5)
        return room

    def _check_rules(self, seat: Seat, command: Say, room: str, now: float) -> None:
        """Judge whether a member may say something in a room now."""
        member = seat.member
        place = self._rulebook.places.get(room)
        if place is None:
            return
        rank = self._rulebook.rank(room, member.sender_id)
        self._check_place(member, room, rank)
        if place.slow_s and not may(rank, Right.SKIP_SLOW_MODE):
            at, stream, client_id = self._said.get((member.sender_id, place.room_id), _NEVER)
            left_s = at + place.slow_s - now
            is_retry = stream == seat.stream and command.client_id <= client_id
            if left_s > 0 and not is_retry:
                raise Refusal(ErrorCode.SLOW_MODE, f"#{room} is in slow mode; wait {span(left_s)}", round(left_s, 1))

    def _begin_pause(self, draft: Draft, now: float) -> None:
        """Slow mode counts from here: what was refused, or could not be taken yet, has not been said."""
        place = self._rulebook.places.get(draft.room or "")
        if place is None or not place.slow_s:
            return
        who, said = (draft.sender_id, place.room_id), (now, draft.stream, draft.client_id)
        _, stream, client_id = self._said.get(who, _NEVER)
        if stream == draft.stream and draft.client_id <= client_id:
            return  # a retry
        self._said.pop(who, None)
        if len(self._said) >= _MOST_PAUSES:
            del self._said[next(iter(self._said))]
        self._said[who] = said

    def _check_place(self, member: Member, room: str, rank: Rank, *, reacting: bool = False) -> None:
        place = self._rulebook.places.get(room)
        if place is None:
            return
        if place.archived:
            raise Refusal(ErrorCode.ARCHIVED, f"#{room} is archived: it can be read, and nothing written")
        expect_unmuted_in(self._registry, room, member.sender_id)
        if place.read_only and not reacting and not may(rank, Right.WRITE_READ_ONLY):
            raise Refusal(ErrorCode.READ_ONLY, f"only moderators and owners of #{room} may write there; you may react")

    def _whose(self, room: str, key: str) -> int | None:
        """Whom a name in a text of this room means: somebody there, or an account that may read it."""
        present = self._find(key)
        if present is not None and room in present.rooms:
            return present.sender_id
        account = self._registry.account_of_key(key)
        if account is None or (room != LOBBY and not self._rulebook.belongs(room, account.sender_id)):
            return None
        return account.sender_id

    def _settle(self, peer: Peer, member: Member, client_id: int, outcome: AppendOutcome) -> None:
        """Answer the sender. What that raises costs the sender's connection, and nobody else in the batch."""
        member.unsettled -= 1
        self.unsettled -= 1
        self._containment.current = peer
        try:
            if member.departures and not member.unsettled:
                self._attendance.settled(member, self._now())
            seat = self._seats.get(peer)
            if seat is None or seat.member is not member:
                return
            if isinstance(outcome, NotAppended):
                peer.deliver(
                    Refused(outcome.code, outcome.text, client_id=client_id, retry_after_s=outcome.retry_after_s)
                )
            elif isinstance(outcome, Appended):
                acked = Acked(client_id, outcome.seq)
                if outcome.retry and outcome.seq > self._fed_seq:
                    self._late_acks.append((outcome.seq, peer, acked))
                else:
                    peer.deliver(acked)
            else:
                assert_never(outcome)
        except Exception as error:  # noqa: BLE001  (whatever it is)
            self._containment.contain(peer, error)


def _check_text(text: str, most_chars: int) -> None:
    if not text or text.isspace():
        raise Refusal(ErrorCode.TEXT_EMPTY, "an empty message was not sent")
    if len(text) > most_chars or (not text.isascii() and len(text.encode()) > MAX_TEXT_BYTES):
        raise Refusal(ErrorCode.TEXT_TOO_LONG, f"a message has at most {most_chars} characters; send it in parts")
