"""The hub: members, messages and rules. Commands in, effects out; it never sees a byte, a socket or a clock.

The life of a message: `handle` checks a Say and gives a draft to the log; the log's ``done`` becomes Acked for the
sender alone; the log's feed comes back through `on_commit`, and only that feed is what rooms see. ``fed_seq`` is the
last seq fanned out: no history answer goes beyond it, so a reader is never ahead of the room.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import assert_never

from msgspec.structs import replace

from securechat.containment import Containment
from securechat.errors import ErrorCode, Overloaded, Refusal
from securechat.hub.attendance import Attendance
from securechat.hub.contained import ContainedHasher, ContainedLog
from securechat.hub.desk import Desk
from securechat.hub.door import Door, Keys
from securechat.hub.entrance import REPLACED, Entrance, Guest
from securechat.hub.expiry import Expiry
from securechat.hub.feed import Feed
from securechat.hub.floor import Floor, others
from securechat.hub.listing import Listing
from securechat.hub.lookups import Lookups
from securechat.hub.member import Member, Seat
from securechat.hub.moderation import Moderation
from securechat.hub.mute import EFFECTS, WhileMuted, expect_unmuted
from securechat.hub.notices import Notices
from securechat.hub.overview import Figures
from securechat.hub.people import Account, Recorded, Role
from securechat.hub.policy import AddressBuckets
from securechat.hub.ports import (
    Happening,
    Identity,
    LogState,
    MessageLog,
    NotAppended,
    Observer,
    Outlet,
    Peer,
)
from securechat.hub.posting import DraftCommand, Posting
from securechat.hub.registry import Registry
from securechat.hub.room_admin import RoomAdmin
from securechat.hub.slices import Slices
from securechat.hub.slowdown import Slowdown
from securechat.hub.steward import Steward
from securechat.hub.wall_clock import WallClock
from securechat.limits import PAGE_LIMITS, Limits, PageLimits
from securechat.model import (
    PROTOCOL_VERSION,
    AddCertificate,
    AskRoom,
    AskUnread,
    Certificates,
    ChangePassword,
    Closing,
    Command,
    Delete,
    Direct,
    Edit,
    Grant,
    Hello,
    History,
    InviteTo,
    Join,
    Leave,
    LogEntry,
    Logins,
    Logout,
    Moderate,
    Named,
    Nick,
    Ping,
    Pong,
    Quit,
    React,
    Read,
    Refused,
    Register,
    RemoveCertificate,
    Rooms,
    Say,
    Search,
    SetRoom,
    Typing,
    Welcome,
    Who,
    Whois,
)
from securechat.names import LOBBY, name_key

_ROOMS_PER_REQUEST = 10
"""Rooms of one Join that cost as much as one request: a client that returns to 100 rooms stays within the burst."""
_RETRY_S = 1.0  # until the next tick after one that raised
_BYE = Closing(ErrorCode.BYE, "goodbye")


class Hub:
    """Everything between the commands of peers and the message log.

    Args:
        log: where messages become durable.
        outlet: tells many peers the same.
        observer: hears what happened, for the operator.
        limits: all numbers.
        keys: who may come in; hashing, randomness and the wall clock.
        alarm: told when, in monotonic seconds, `tick` should be called next; the earliest of its calls counts.
        server: program and version, told in Welcome.
        rates: False switches message and byte rates off, for benchmarks and trusted bots.
        pages: how long an answer may be.
        containment: what becomes of what a completion raises.

    Attributes:
        clock: what time it is for everything that expires.
        fed_seq: the last seq fanned out.
        steward: what an administrator may do.
    """

    def __init__(
        self,
        log: MessageLog,
        outlet: Outlet,
        observer: Observer,
        limits: Limits,
        *,
        keys: Keys,
        alarm: Callable[[float], None],
        server: str = "securechat",
        rates: bool = True,
        pages: PageLimits = PAGE_LIMITS,
        containment: Containment | None = None,
    ) -> None:
        containment = containment or Containment()  # which raises
        self._log = log = ContainedLog(log, containment)
        keys = replace(keys, hasher=ContainedHasher(keys.hasher, containment))
        self._outlet = outlet
        self._observer = observer
        self._limits = limits
        self._alarm = alarm
        self._server = server
        self._rates = rates
        self._now = 0.0
        self._seats: dict[Peer, Seat] = {}
        self._slices = Slices(lambda: alarm(self._now))
        self.clock = WallClock(keys.wall_ms, keys.monotonic)
        self._registry = registry = Registry(log, self.clock, limits.session_days, containment)
        self._slowdown = Slowdown(limits)
        self._attendance = Attendance(outlet, observer, limits, alarm, pages)
        self._expiry = Expiry(registry, limits)
        self._door = door = Door(registry, keys, self._slowdown, limits)
        self._entrance = Entrance(log, registry, door, limits, self._admitted, self._turned_away, self._seats)
        self._members = self._entrance.members
        listing = Listing(self._attendance.rooms, registry.rulebook.places)
        self._attendance.room_changed = registry.rulebook.room_changed = listing.update
        self._lookups = Lookups(log, self._entrance, self._attendance, registry, listing, pages, containment)
        self._posting = Posting(
            log,
            registry,
            self._attendance,
            observer,
            limits,
            self._members,
            self._seats,
            self._entrance.find,
            lambda: self._now,
            containment,
            pages.text_chars,
        )
        self._feed = Feed(outlet, self._attendance, self._members, self._lookups, registry.rulebook)
        self._floor = Floor(
            registry, self._attendance, outlet, limits, self._members, self._seats, self._fed, lambda: self._now, pages
        )
        self._moderation = Moderation(
            registry, self._floor, self._entrance, self._seats, self._posting.renaming, self._feed.room_renamed, limits
        )
        self._notices = Notices(outlet, registry, limits, self._members, self._fed)
        self._desk = Desk(registry, door, self._slowdown, limits, self._seats, self._registered, self.end, pages)
        self.steward = Steward(
            registry,
            keys,
            self._entrance,
            self._attendance,
            self._seats,
            lambda: Figures(self.fed_seq, self.unsettled, self._now),
            server,
            slowdown=self._slowdown,
            outlet=outlet,
            desk=self._desk,
            floor=self._floor,
            end=self.end,
            room_admin=RoomAdmin(registry, self._attendance, log),
            most_invites=limits.open_invites,
            in_slices=self._slices.begin,
        )
        factor = limits.address_factor
        self._address_messages = AddressBuckets(limits.message_burst, limits.message_rate, factor)
        self._address_requests = AddressBuckets(limits.request_burst, limits.request_rate, factor)
        self._address_bytes = AddressBuckets(limits.byte_burst, limits.byte_rate, factor)
        self.fed_seq = 0

    @property
    def unsettled(self) -> int:
        """Drafts the log has not answered yet."""
        return self._posting.unsettled

    # --- The log's side -------------------------------------------------------------------------------------------

    def restore(self, state: LogState, now: float, now_ms: int, sure_at_ms: int = 0) -> None:
        """Take over what the log remembers from before; call once, before the first peer.

        ``sure_at_ms`` is when the clock was last believed; 0 when that is not known: then the log's own times do.
        """
        self.fed_seq = state.last_seq
        self.clock.restore(sure_at_ms or max(state.last_at_ms, state.people.last_at_ms()))
        self._posting.fed(state.last_seq)
        self._registry.restore(state.people, state.places)
        self._entrance.claims.restore(state.reservations, now, now_ms, self._limits.name_reservation_s)

    def _fed(self) -> int:
        return self.fed_seq

    def on_commit(self, batch: Sequence[LogEntry]) -> None:
        """Fan out what the log committed: to every member of the room, the sender included, in order of seq."""
        self._feed.fan_out(batch)
        if batch:
            self.fed_seq = batch[-1].seq
            self._posting.fed(self.fed_seq)

    # --- The peers' side ------------------------------------------------------------------------------------------

    def is_member(self, peer: Peer) -> bool:
        """Tell whether the connection's hello was accepted."""
        return peer in self._seats

    def name_of(self, peer: Peer) -> str:
        """The name of the connection's member; empty before the hello is accepted."""
        seat = self._seats.get(peer)
        return seat.member.name if seat is not None else ""

    def note_refused(self, peer: Peer, reason: str) -> None:
        """Let the operator know of a request that was refused outside of the hub."""
        self._observer.happened(Happening.REFUSED, peer, self.name_of(peer), reason)

    def charge_bytes(self, peer: Peer, size_bytes: int, now: float) -> float:
        """Count received bytes against the byte rate; returns seconds for which the peer must not be read."""
        seat = self._seats.get(peer)
        if seat is None:
            return 0.0
        seat.heard_seq = self.fed_seq
        if not self._rates:
            return 0.0
        wait_s = seat.member.byte_bucket.take(size_bytes, now)
        return max(wait_s, self._address_bytes.take(peer.address, size_bytes, now))

    def charge_request(self, peer: Peer, now: float, cost: float = 1.0) -> float:
        """Count a request, or a frame that was none, against the request rate; returns seconds not to read the peer."""
        seat = self._seats.get(peer)
        if seat is None:
            return 0.0
        wait_s = seat.member.request_bucket.take(cost, now)
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
        seat = self._seats.get(peer)
        try:
            if seat is None:
                self._handle_stranger(peer, command, now)
            elif isinstance(command, Say | Direct | Edit | Delete | React):
                return self._append(peer, seat, command, now)
            else:
                return self._handle_member(peer, seat, command, now)
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

    def _handle_member(  # noqa: C901, PLR0912 - one flat match
        self, peer: Peer, seat: Seat, command: Command, now: float
    ) -> float:
        member = seat.member
        if self._registry.mutes and EFFECTS[type(command)].on_server is WhileMuted.REFUSED:
            expect_unmuted(self._registry, member.sender_id)
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
                self._floor.join(peer, member, command)
                return self.charge_request(peer, now, max(1.0, len(command.rooms) / _ROOMS_PER_REQUEST))
            case Leave():
                self._floor.leave(peer, member, command)
            case Nick():
                self._nick(peer, member, command)
            case Who() | Whois() | Rooms() | History() | Search() | AskUnread():
                self._lookups.answer(peer, member, command, self.fed_seq)
            case (
                Register()
                | ChangePassword()
                | Logins()
                | Logout()
                | Certificates()
                | AddCertificate()
                | RemoveCertificate()
            ):
                self._desk.answer(peer, seat, command, now)
            case SetRoom() | AskRoom() | InviteTo() | Moderate() | Grant():
                self._moderation.answer(peer, member, command)
            case Typing():
                self._notices.typing(member, command, now)
            case Read():
                self._notices.read(peer, member, command)
            case Hello() | Say() | Direct() | Edit() | Delete() | React():
                raise Refusal(ErrorCode.INVALID, "the hello was accepted already")
            case _:
                assert_never(command)
        return self.charge_request(peer, now)

    def _append(self, peer: Peer, seat: Seat, command: DraftCommand, now: float) -> float:
        self._posting.append(peer, seat, command, now)
        if not self._rates:
            return 0.0
        wait_s = seat.member.message_bucket.take(1.0, now)
        return max(wait_s, self._address_messages.take(peer.address, 1.0, now))

    # --- Coming and going -----------------------------------------------------------------------------------------

    def _admitted(
        self, member: Member, peer: Peer, guest: Guest, identity: Identity, resumed: bool, old_name: str
    ) -> None:
        replaced = [old for old in member.peers if self._seats[old].stream == identity.stream]
        for old in replaced:
            last_client_id = max(identity.last_client_id, self._seats[old].last_client_id)
            identity = replace(identity, last_client_id=last_client_id)
            del self._seats[old]
            self._lookups.forget(old)
            old.close(REPLACED)
        seat = Seat(
            member, identity.stream, guest.client, self._registry.wall_ms(), self.fed_seq, identity.last_client_id
        )
        member.peers = [old for old in member.peers if old not in replaced] + [peer]
        self._seats[peer] = seat
        self._attendance.returned(member)
        self._attendance.audience_changed(member)
        if old_name != member.name:
            self._attendance.renamed(member, old_name, self._now)
        self._observer.happened(Happening.NAMED, peer, member.name, "again" if resumed else "")
        peer.deliver(self._welcome(member, seat, guest, identity, resumed=resumed))
        self._floor.enter(peer, member, LOBBY, ref=0)
        self._floor.enter_all(peer, member)
        if guest.entry.invite is not None:
            self._floor.settle_down(member)
            if guest.entry.invite.room is not None:
                self._floor.join(peer, member, Join(ref=0, rooms=[guest.entry.invite.room]))

    def _turned_away(self, peer: Peer, name: str, refusal: Refusal) -> None:
        self._observer.happened(Happening.REFUSED, peer, name, str(refusal))

    def _welcome(self, member: Member, seat: Seat, guest: Guest, identity: Identity, *, resumed: bool) -> Welcome:
        entry = guest.entry
        account = self._registry.accounts.get(member.sender_id) if entry.account is not None else None
        if entry.login is not None:
            seat.login_id = entry.login.login_id
        seat.certificate = entry.certificate
        return Welcome(
            version=PROTOCOL_VERSION,
            server=self._server,
            sender_id=member.sender_id,
            name=member.name,
            live_from=self.fed_seq,
            last_client_id=identity.last_client_id,
            resumed=resumed,
            account=account is not None,
            admin=account is not None and account.role is Role.ADMIN,
            token=entry.token,
            seen_seq=None if account is None else self.fed_seq if len(member.peers) > 1 else account.seen_seq,
            must_change=account is not None and account.must_change,
        )

    def _registered(self, member: Member) -> None:
        self._entrance.registered(member)
        self._floor.settle_down(member)

    def lost(self, peer: Peer, now: float, *, quit_: bool = False) -> None:
        """The connection is over: by Quit, or lost, in which case its member is missed by nobody for a while."""
        self._now = now
        self._lookups.forget(peer)
        self._entrance.forget(peer)
        self._slowdown.forget(peer)
        seat = self._seats.pop(peer, None)
        self._door.hashing.forget(peer)
        if seat is None:
            return
        self._entrance.seat_lost(seat)
        member = seat.member
        member.peers.remove(peer)
        self._attendance.audience_changed(member)
        if member.account:
            self._note_seen(member, self.fed_seq if quit_ else seat.heard_seq)
        if member.peers:
            return
        if quit_:
            self._entrance.free(member)
            self._attendance.gone(member, now)
        else:
            self._entrance.reserve(member, now)
            self._attendance.absent(member, now)

    def _note_seen(self, member: Member, seq: int) -> None:
        """A device of an account leaves: remember how much it has seen."""
        now_ms = self._registry.wall_ms()

        def edit(account: Account) -> Account:
            return replace(account, seen_at_ms=now_ms, seen_seq=max(account.seen_seq, seq))

        self._registry.amend(Account, member.sender_id, edit, (), _ignore)

    def end(self, peer: Peer, closing: Closing) -> None:
        """End a connection for good, as if it had quit, with these last words."""
        self.lost(peer, self._now, quit_=True)
        peer.close(closing)

    def tick(self, now: float) -> None:
        """Let go of those who did not come back in time, tell gathered presence, and go on with long work."""
        self._now = now
        try:
            for member in self._attendance.take_overdue(now):
                self._entrance.dismiss(member)
                self._attendance.gone(member, now)
            self._attendance.tell(now)
        except Exception:
            self._alarm(now + _RETRY_S)  # for those who were not reached; not at once, for it may raise again
            raise
        if (due := self._attendance.next_deadline()) is not None:
            self._alarm(due)
        self._slices.run()

    def tidy(self) -> None:
        """Forget what has expired, and guests unseen for long who never wrote; to be called once a day."""
        seats = self._seats.values()
        self._expiry.run({seat.login_id for seat in seats}, {seat.stream for seat in seats})

    # --- Requests -------------------------------------------------------------------------------------------------

    def _nick(self, peer: Peer, member: Member, command: Nick) -> None:
        if self._desk.is_at_work_on(member):
            raise Refusal(ErrorCode.BUSY, "your name is being made an account; wait for it", retry_after_s=1.0)
        name = self._entrance.claim(member, command.name, self._now)
        if not member.account:
            self._renamed(peer, member, name, command.ref)
            return
        key = name_key(name)

        def recorded(answer: Recorded | NotAppended) -> None:
            present = self._members.get(member.sender_id)  # it may have left meanwhile, or be somebody new
            if isinstance(answer, NotAppended):
                self._entrance.claims.exchange(name, member.name, member.owner)
                if peer in self._seats:
                    peer.deliver(Refused(answer.code, answer.text, ref=command.ref))
            elif present is not None:
                self._renamed(peer, present, name, command.ref)
            else:
                self._entrance.unclaim(member, name)

        note = self._registry.note(member.name, "rename", name)
        self._registry.amend(
            Account, member.sender_id, lambda account: replace(account, name=name, key=key), (note,), recorded
        )

    def _renamed(self, peer: Peer, member: Member, name: str, ref: int) -> None:
        old = self._entrance.rename(member, name)
        if not member.peers:
            self._entrance.reserve(member, self._now)
        if old != member.name:
            self._attendance.renamed(member, old, self._now)
        if peer in self._seats:
            peer.deliver(Named(name=member.name, ref=ref))
        self._outlet.broadcast(others(member, peer), [Named(name=member.name, ref=0)])


def _ignore(_: Recorded | NotAppended) -> None:
    """For changes nobody waits for."""


def _refused(command: Command, refusal: Refusal) -> Refused:
    return Refused(
        refusal.code,
        refusal.detail,
        ref=getattr(command, "ref", None),
        client_id=getattr(command, "client_id", None),
        retry_after_s=refusal.retry_after_s,
    )
