"""The hub: members, messages and rules. Commands in, effects out; it never sees a byte, a socket or a clock.

The life of a message: `handle` checks a Say and gives a draft to the log; the log's ``done`` becomes Acked for the
sender alone; the log's feed comes back through `on_commit`, and only that feed is what rooms see. ``fed_seq`` is the
last seq fanned out: no history answer goes beyond it, so a reader is never ahead of the room.

A batch is broadcast in runs of messages for the same audience, in the order of seq, never regrouped across rooms:
a client's one cursor is only right if what it gets is in order over all its rooms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import assert_never

from securechat.errors import ErrorCode, Overloaded, Refusal
from securechat.hub.attendance import Attendance
from securechat.hub.entrance import Entrance
from securechat.hub.lookups import Lookups
from securechat.hub.member import Member
from securechat.hub.policy import AddressBuckets, DailyQuota
from securechat.hub.ports import (
    Appended,
    AppendOutcome,
    Happening,
    Identity,
    LogState,
    MessageLog,
    NotAppended,
    Observer,
    Outlet,
    Peer,
)
from securechat.limits import MAX_TEXT_BYTES, MAX_TEXT_CHARS, Limits
from securechat.model import (
    PROTOCOL_VERSION,
    Acked,
    Closing,
    Command,
    Direct,
    Draft,
    Hello,
    History,
    Join,
    Joined,
    Leave,
    Left,
    Message,
    Named,
    Nick,
    Ping,
    Pong,
    Quit,
    Refused,
    Rooms,
    Say,
    Welcome,
    Who,
    Whois,
)
from securechat.names import LOBBY, check_room

_REPLACED = Closing(ErrorCode.REPLACED, "you connected from somewhere else; this connection is closed")
_ROOMS_PER_REQUEST = 10
"""Rooms of one Join that cost as much as one request: a client that returns to 100 rooms stays within the burst."""
_BYE = Closing(ErrorCode.BYE, "goodbye")


class Hub:
    """Everything between the commands of peers and the message log.

    Args:
        log: where messages become durable.
        outlet: tells many peers the same.
        observer: hears what happened, for the operator.
        limits: all numbers.
        alarm: told when, in monotonic seconds, `tick` should be called next; the earliest of its calls counts.
        server: program and version, told in Welcome.
        rates: False switches message and byte rates off, for benchmarks and trusted bots.

    Attributes:
        fed_seq: the last seq fanned out.
        unsettled: drafts the log has not answered yet.
    """

    def __init__(
        self,
        log: MessageLog,
        outlet: Outlet,
        observer: Observer,
        limits: Limits,
        *,
        alarm: Callable[[float], None],
        server: str = "securechat",
        rates: bool = True,
    ) -> None:
        self._log = log
        self._outlet = outlet
        self._observer = observer
        self._hears_messages = observer.hears_messages
        self._limits = limits
        self._alarm = alarm
        self._server = server
        self._rates = rates
        self._attendance = Attendance(outlet, observer, limits, alarm)
        self._entrance = Entrance(log, limits, self._admitted)
        self._lookups = Lookups(log, self._entrance, self._attendance)
        self._members = self._entrance.members
        self._member_of: dict[Peer, Member] = {}
        self._late_acks: list[tuple[int, Peer, Acked]] = []
        self._now = 0.0
        factor = limits.address_factor
        self._address_messages = AddressBuckets(limits.message_burst, limits.message_rate, factor)
        self._address_requests = AddressBuckets(limits.request_burst, limits.request_rate, factor)
        self._address_bytes = AddressBuckets(limits.byte_burst, limits.byte_rate, factor)
        self._quota = DailyQuota(limits.stored_bytes_per_address_day)
        self.fed_seq = 0
        self.unsettled = 0

    # --- The log's side -------------------------------------------------------------------------------------------

    def restore(self, state: LogState, now: float, now_ms: int) -> None:
        """Take over what the log remembers from before; call once, before the first peer."""
        self.fed_seq = state.last_seq
        self._entrance.claims.restore(state.reservations, now, now_ms, self._limits.name_reservation_s)

    def on_commit(self, batch: Sequence[Message]) -> None:
        """Fan out what the log committed: to every member of the room, the sender included, in order of seq."""
        for room_name, run in groupby(batch, key=_room_of):
            if room_name is None:
                for message in run:
                    self._outlet.broadcast(self._dialogue_audience(message), [message])
            elif (room := self._attendance.rooms.get(room_name)) is not None:
                self._outlet.broadcast(room.audience(), list(run))
        if batch:
            self.fed_seq = batch[-1].seq
        if self._late_acks:
            self._release_late_acks()

    def _dialogue_audience(self, message: Message) -> list[Peer]:
        sides = (self._members.get(message.sender_id), self._members.get(message.to or 0))
        return [peer for member in sides if member is not None for peer in member.peers]

    def _release_late_acks(self) -> None:
        entries, self._late_acks = self._late_acks, []
        for seq, peer, acked in entries:
            if seq > self.fed_seq:
                self._late_acks.append((seq, peer, acked))
            elif peer in self._member_of:
                peer.deliver(acked)

    # --- The peers' side ------------------------------------------------------------------------------------------

    def is_member(self, peer: Peer) -> bool:
        """Tell whether the connection's hello was accepted."""
        return peer in self._member_of

    def name_of(self, peer: Peer) -> str:
        """The name of the connection's member; empty before the hello is accepted."""
        member = self._member_of.get(peer)
        return member.name if member is not None else ""

    def charge_bytes(self, peer: Peer, size_bytes: int, now: float) -> float:
        """Count received bytes against the byte rate; returns seconds for which the peer must not be read."""
        member = self._member_of.get(peer)
        if member is None or not self._rates:
            return 0.0
        wait_s = member.byte_bucket.take(size_bytes, now)
        return max(wait_s, self._address_bytes.take(peer.address, size_bytes, now))

    def charge_request(self, peer: Peer, now: float, cost: float = 1.0) -> float:
        """Count a request, or a frame that was none, against the request rate; returns seconds not to read the peer."""
        member = self._member_of.get(peer)
        if member is None:
            return 0.0
        wait_s = member.request_bucket.take(cost, now)
        return max(wait_s, self._address_requests.take(peer.address, cost, now))

    def handle(self, peer: Peer, command: Command, now: float) -> float:
        """Do what a peer asks; what a rule forbids is answered with Refused.

        Args:
            peer: the connection it came on.
            command: any command.
            now: monotonic seconds.

        Returns:
            Seconds for which this peer must not be read, because it is over a rate; 0.0 otherwise.

        Raises:
            Overloaded: the log cannot take this draft now; nothing happened. Keep it and try again in a while: to
                refuse it would let the sender's next one overtake it.
        """
        self._now = now
        member = self._member_of.get(peer)
        try:
            if member is None:
                self._handle_stranger(peer, command, now)
            elif isinstance(command, Say | Direct):
                return self._append(peer, member, command, now)
            else:
                return self._handle_member(peer, member, command, now)
        except Overloaded:
            raise
        except Refusal as refusal:
            peer.deliver(_refused(command, refusal))
            name = command.name if isinstance(command, Hello) else self.name_of(peer)
            self._observer.happened(Happening.REFUSED, peer, name, str(refusal))
            return self.charge_request(peer, now)
        return 0.0

    def _handle_stranger(self, peer: Peer, command: Command, now: float) -> None:
        match command:
            case Hello():
                self._entrance.hello(peer, command, now)
            case Ping():
                peer.deliver(Pong(command.n))
            case Pong():
                pass
            case Quit():
                peer.close(_BYE)
            case _:
                raise Refusal(ErrorCode.HELLO_EXPECTED, "say hello first")

    def _handle_member(self, peer: Peer, member: Member, command: Command, now: float) -> float:
        match command:
            case Ping():
                peer.deliver(Pong(command.n))
            case Pong():
                return 0.0
            case Quit():
                self.lost(peer, now, quit_=True)
                peer.close(_BYE)
                return 0.0
            case Join():
                for raw in dict.fromkeys(command.rooms):
                    self._join(peer, member, raw, command)
                return self.charge_request(peer, now, max(1.0, len(command.rooms) / _ROOMS_PER_REQUEST))
            case Leave():
                self._leave(peer, member, command)
            case Nick():
                self._nick(peer, member, command)
            case Who() | Whois() | Rooms() | History():
                self._lookups.answer(peer, member, command, self.fed_seq)
            case Hello() | Say() | Direct():
                raise Refusal(ErrorCode.INVALID, "the hello was accepted already")
            case _:
                assert_never(command)
        return self.charge_request(peer, now)

    # --- Messages -------------------------------------------------------------------------------------------------

    def _append(self, peer: Peer, member: Member, command: Say | Direct, now: float) -> float:
        draft = self._draft(member, command)
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
        if not self._rates:
            return 0.0
        wait_s = member.message_bucket.take(1.0, now)
        return max(wait_s, self._address_messages.take(peer.address, 1.0, now))

    def _draft(self, member: Member, command: Say | Direct) -> Draft:
        text = command.text
        if not text or text.isspace():
            raise Refusal(ErrorCode.TEXT_EMPTY, "an empty message was not sent")
        if len(text) > MAX_TEXT_CHARS or (not text.isascii() and len(text.encode()) > MAX_TEXT_BYTES):
            raise Refusal(
                ErrorCode.TEXT_TOO_LONG, f"a message has at most {MAX_TEXT_CHARS} characters; send it in parts"
            )
        if isinstance(command, Say):
            room = command.room
            if room not in member.rooms and (room := check_room(room)) not in member.rooms:
                raise Refusal(ErrorCode.NOT_A_MEMBER, f"you are not in #{room}; join it first")
            return Draft(member.sender_id, member.name, command.client_id, text, room=room)
        if command.to == member.sender_id:
            raise Refusal(ErrorCode.INVALID, "you cannot write to yourself")
        other = self._members.get(command.to)
        if other is None:
            raise Refusal(ErrorCode.PERSON_ABSENT, "this person is not here now; write when they are back")
        return Draft(member.sender_id, member.name, command.client_id, text, to=other.sender_id, to_name=other.name)

    def _settle(self, peer: Peer, member: Member, client_id: int, outcome: AppendOutcome) -> None:
        member.unsettled -= 1
        self.unsettled -= 1
        if member.departures and not member.unsettled:
            self._attendance.settled(member, self._now)
        if self._member_of.get(peer) is not member:
            return
        if isinstance(outcome, NotAppended):
            peer.deliver(Refused(outcome.code, outcome.text, client_id=client_id))
        elif isinstance(outcome, Appended):
            acked = Acked(client_id, outcome.seq)
            if outcome.retry and outcome.seq > self.fed_seq:
                self._late_acks.append((outcome.seq, peer, acked))
            else:
                peer.deliver(acked)
        else:
            assert_never(outcome)

    # --- Coming and going -----------------------------------------------------------------------------------------

    def _admitted(self, member: Member, peer: Peer, identity: Identity, resumed: bool, old_name: str) -> None:
        replaced, member.peers = member.peers, [peer]
        for old in replaced:
            del self._member_of[old]
            self._lookups.forget(old)
            old.close(_REPLACED)
        self._member_of[peer] = member
        self._attendance.returned(member)
        self._attendance.audience_changed(member)
        if old_name != member.name:
            self._attendance.renamed(member, old_name, self._now)
        self._observer.happened(Happening.NAMED, peer, member.name, "again" if resumed else "")
        welcome = Welcome(
            version=PROTOCOL_VERSION,
            server=self._server,
            sender_id=member.sender_id,
            name=member.name,
            live_from=self.fed_seq,
            last_client_id=identity.last_client_id,
            resumed=resumed,
        )
        peer.deliver(welcome)
        self._enter(peer, member, LOBBY, ref=0)

    def lost(self, peer: Peer, now: float, *, quit_: bool = False) -> None:
        """The connection is over: by Quit, or lost, in which case its member is missed by nobody for a while."""
        self._now = now
        self._lookups.forget(peer)
        self._entrance.forget(peer)
        member = self._member_of.pop(peer, None)
        if member is None:
            return
        member.peers.remove(peer)
        self._attendance.audience_changed(member)
        if member.peers:
            return
        if quit_:
            self._entrance.free(member)
            self._attendance.gone(member, now)
        else:
            self._entrance.reserve(member, now)
            self._attendance.absent(member, now)

    def tick(self, now: float) -> None:
        """Let go of those who did not come back in time, and tell gathered presence."""
        self._now = now
        for member in self._attendance.take_overdue(now):
            self._entrance.dismiss(member)
            self._attendance.gone(member, now)
        self._attendance.tell(now)
        if (due := self._attendance.next_deadline()) is not None:
            self._alarm(due)

    # --- Requests -------------------------------------------------------------------------------------------------

    def _join(self, peer: Peer, member: Member, raw: str, command: Join) -> None:
        try:
            self._enter(peer, member, check_room(raw), command.ref)
        except Refusal as refusal:
            peer.deliver(Refused(refusal.code, refusal.detail, ref=command.ref, room=raw))

    def _enter(self, peer: Peer, member: Member, name: str, ref: int) -> None:
        room = self._attendance.enter(member, name, self._now)
        total = len(room.members)
        listed = total <= self._limits.presence_names
        members = room.people() if listed else []
        peer.deliver(Joined(room=name, live_from=self.fed_seq, total=total, members=members, ref=ref))

    def _leave(self, peer: Peer, member: Member, command: Leave) -> None:
        name = check_room(command.room)
        if name == LOBBY:
            raise Refusal(ErrorCode.INVALID, f"everybody is in #{LOBBY}; you leave it by quitting")
        if (room := member.rooms.get(name)) is None:
            raise Refusal(ErrorCode.NOT_A_MEMBER, f"you are not in #{name}")
        self._attendance.leave(member, room, self._now)
        peer.deliver(Left(room=name, ref=command.ref))

    def _nick(self, peer: Peer, member: Member, command: Nick) -> None:
        old = self._entrance.rename(member, command.name, self._now)
        if old != member.name:
            self._attendance.renamed(member, old, self._now)
        peer.deliver(Named(name=member.name, ref=command.ref))


def _room_of(message: Message) -> str | None:
    return message.room


def _refused(command: Command, refusal: Refusal) -> Refused:
    return Refused(
        refusal.code,
        refusal.detail,
        ref=getattr(command, "ref", None),
        client_id=getattr(command, "client_id", None),
        retry_after_s=refusal.retry_after_s,
    )
