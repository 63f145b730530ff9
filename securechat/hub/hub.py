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
from securechat.hub.accounts.authentication import AuthenticationSettings, Authenticator
from securechat.hub.accounts.directory import AccountDirectory
from securechat.hub.accounts.login import REPLACED, LoginFlow, PendingLogin
from securechat.hub.accounts.login_throttle import LoginThrottle
from securechat.hub.accounts.self_service import AccountService
from securechat.hub.admin.commands import AdminCommands
from securechat.hub.admin.housekeeping import Housekeeping
from securechat.hub.admin.reports import HubFigures
from securechat.hub.admin.rooms import RoomReports
from securechat.hub.contained_log import ContainedHasher, ContainedLog
from securechat.hub.interfaces import (
    BroadcastPort,
    Identity,
    LogState,
    MessageLog,
    NotAppended,
    OperatorEvent,
    OperatorLogPort,
    Peer,
)
from securechat.hub.members import Member, MemberConnection
from securechat.hub.messages.delivery import Delivery
from securechat.hub.messages.notices import TypingAndReadMarkers
from securechat.hub.messages.posting import DraftCommand, Posting
from securechat.hub.messages.queries import Queries
from securechat.hub.mutes import EFFECTS, WhileMuted, expect_unmuted
from securechat.hub.rate_limits import AddressBuckets
from securechat.hub.rooms.listing import RoomListing
from securechat.hub.rooms.membership import RoomMembership, others
from securechat.hub.rooms.moderation import Moderation
from securechat.hub.rooms.presence import PresenceTracker
from securechat.hub.slices import Slices
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
from securechat.records.accounts import Account, Committed, Role
from securechat.text.names import LOBBY, name_key

_ROOMS_PER_REQUEST = 10
"""Rooms of one Join that cost as much as one request: a client that returns to 100 rooms stays within the burst."""
_RETRY_S = 1.0  # until the next tick after one that raised
_BYE = Closing(ErrorCode.BYE, "goodbye")


class Hub:
    """Everything between the commands of peers and the message log.

    Args:
        log: where messages become durable.
        broadcaster: tells many peers the same.
        operator_log: hears what happened, for the operator.
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
        admin_commands: what an administrator may do.
    """

    def __init__(
        self,
        log: MessageLog,
        broadcaster: BroadcastPort,
        operator_log: OperatorLogPort,
        limits: Limits,
        *,
        keys: AuthenticationSettings,
        alarm: Callable[[float], None],
        server: str = "securechat",
        rates: bool = True,
        pages: PageLimits = PAGE_LIMITS,
        containment: Containment | None = None,
    ) -> None:
        containment = containment or Containment()  # which raises
        self._log = log = ContainedLog(log, containment)
        keys = replace(keys, hasher=ContainedHasher(keys.hasher, containment))
        self._broadcaster = broadcaster
        self._operator_log = operator_log
        self._limits = limits
        self._alarm = alarm
        self._server = server
        self._rates = rates
        self._now = 0.0
        self._connections: dict[Peer, MemberConnection] = {}
        self._slices = Slices(lambda: alarm(self._now))
        self.clock = WallClock(keys.wall_ms, keys.monotonic)
        self._directory = directory = AccountDirectory(log, self.clock, limits.session_days, containment)
        self._login_throttle = LoginThrottle(limits)
        self._presence = PresenceTracker(broadcaster, operator_log, limits, alarm, pages)
        self._housekeeping = Housekeeping(directory, limits, lambda name: name in self._presence.rooms)
        self._authenticator = authenticator = Authenticator(directory, keys, self._login_throttle, limits)
        self._login_flow = LoginFlow(
            log, directory, authenticator, limits, self._logged_in, self._login_refused, self._connections
        )
        self._members = self._login_flow.members
        listing = RoomListing(self._presence.rooms, directory.room_directory.room_records)
        self._presence.room_changed = directory.room_directory.room_changed = listing.update
        self._queries = Queries(log, self._login_flow, self._presence, directory, listing, pages, containment)
        self._posting = Posting(
            log,
            directory,
            self._presence,
            operator_log,
            limits,
            self._members,
            self._connections,
            self._login_flow.find,
            lambda: self._now,
            containment,
            pages.text_chars,
        )
        self._delivery = Delivery(broadcaster, self._presence, self._members, self._queries, directory.room_directory)
        self._room_membership = RoomMembership(
            directory,
            self._presence,
            broadcaster,
            limits,
            self._members,
            self._connections,
            self._fed,
            lambda: self._now,
            pages,
        )
        self._moderation = Moderation(
            directory,
            self._room_membership,
            self._login_flow,
            self._connections,
            self._posting.renaming,
            self._delivery.room_renamed,
            limits,
        )
        self._notices = TypingAndReadMarkers(broadcaster, directory, limits, self._members, self._fed)
        self._account_service = AccountService(
            directory, authenticator, self._login_throttle, limits, self._connections, self._registered, self.end, pages
        )
        self.admin_commands = AdminCommands(
            directory,
            keys,
            self._login_flow,
            self._presence,
            self._connections,
            lambda: HubFigures(self.fed_seq, self.unsettled, self._now),
            server,
            login_throttle=self._login_throttle,
            broadcaster=broadcaster,
            account_service=self._account_service,
            room_membership=self._room_membership,
            end=self.end,
            room_admin=RoomReports(directory, self._presence, log),
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
        self._directory.restore(state.people, state.room_records)
        self._login_flow.name_reservations.restore(state.reservations, now, now_ms, self._limits.name_reservation_s)

    def _fed(self) -> int:
        return self.fed_seq

    def on_commit(self, batch: Sequence[LogEntry]) -> None:
        """Fan out what the log committed: to every member of the room, the sender included, in order of seq."""
        self._delivery.fan_out(batch)
        if batch:
            self.fed_seq = batch[-1].seq
            self._posting.fed(self.fed_seq)

    # --- The peers' side ------------------------------------------------------------------------------------------

    def is_member(self, peer: Peer) -> bool:
        """Tell whether the connection's hello was accepted."""
        return peer in self._connections

    def name_of(self, peer: Peer) -> str:
        """The name of the connection's member; empty before the hello is accepted."""
        connection = self._connections.get(peer)
        return connection.member.name if connection is not None else ""

    def note_refused(self, peer: Peer, reason: str) -> None:
        """Let the operator know of a request that was refused outside of the hub."""
        self._operator_log.happened(OperatorEvent.REFUSED, peer, self.name_of(peer), reason)

    def charge_bytes(self, peer: Peer, size_bytes: int, now: float) -> float:
        """Count received bytes against the byte rate; returns seconds for which the peer must not be read."""
        connection = self._connections.get(peer)
        if connection is None:
            return 0.0
        connection.heard_seq = self.fed_seq
        if not self._rates:
            return 0.0
        wait_s = connection.member.byte_bucket.take(size_bytes, now)
        return max(wait_s, self._address_bytes.take(peer.address, size_bytes, now))

    def charge_request(self, peer: Peer, now: float, cost: float = 1.0) -> float:
        """Count a request, or a frame that was none, against the request rate; returns seconds not to read the peer."""
        connection = self._connections.get(peer)
        if connection is None:
            return 0.0
        wait_s = connection.member.request_bucket.take(cost, now)
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
        connection = self._connections.get(peer)
        try:
            if connection is None:
                self._handle_stranger(peer, command, now)
            elif isinstance(command, Say | Direct | Edit | Delete | React):
                return self._append(peer, connection, command, now)
            else:
                return self._handle_member(peer, connection, command, now)
        except Overloaded:
            raise
        except Refusal as refusal:
            peer.deliver(_refused(command, refusal))
            name = command.name if isinstance(command, Hello) else self.name_of(peer)
            self._operator_log.happened(OperatorEvent.REFUSED, peer, name, str(refusal))
            return self.charge_request(peer, now)
        return 0.0

    def _handle_stranger(self, peer: Peer, command: Command, now: float) -> None:
        match command:
            case Hello():
                self._login_flow.hello(peer, command, now)
            case Ping():
                peer.deliver(Pong(command.n))
            case Pong():
                pass
            case Quit():
                peer.close(_BYE)
            case _:
                raise Refusal(ErrorCode.HELLO_EXPECTED, "say hello first")

    def _handle_member(  # noqa: C901, PLR0912 - one flat match
        self, peer: Peer, connection: MemberConnection, command: Command, now: float
    ) -> float:
        member = connection.member
        if self._directory.mutes and EFFECTS[type(command)].on_server is WhileMuted.REFUSED:
            expect_unmuted(self._directory, member.sender_id)
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
                self._room_membership.join(peer, member, command)
                return self.charge_request(peer, now, max(1.0, len(command.rooms) / _ROOMS_PER_REQUEST))
            case Leave():
                self._room_membership.leave(peer, member, command)
            case Nick():
                self._nick(peer, member, command)
            case Who() | Whois() | Rooms() | History() | Search() | AskUnread():
                self._queries.answer(peer, member, command, self.fed_seq)
            case (
                Register()
                | ChangePassword()
                | Logins()
                | Logout()
                | Certificates()
                | AddCertificate()
                | RemoveCertificate()
            ):
                self._account_service.answer(peer, connection, command, now)
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

    def _append(self, peer: Peer, connection: MemberConnection, command: DraftCommand, now: float) -> float:
        self._posting.append(peer, connection, command, now)
        if not self._rates:
            return 0.0
        wait_s = connection.member.message_bucket.take(1.0, now)
        return max(wait_s, self._address_messages.take(peer.address, 1.0, now))

    # --- Coming and going -----------------------------------------------------------------------------------------

    def _logged_in(
        self, member: Member, peer: Peer, guest: PendingLogin, identity: Identity, resumed: bool, old_name: str
    ) -> None:
        replaced = [old for old in member.peers if self._connections[old].stream == identity.stream]
        for old in replaced:
            last_client_id = max(identity.last_client_id, self._connections[old].last_client_id)
            identity = replace(identity, last_client_id=last_client_id)
            del self._connections[old]
            self._queries.forget(old)
            old.close(REPLACED)
        connection = MemberConnection(
            member, identity.stream, guest.client, self._directory.wall_ms(), self.fed_seq, identity.last_client_id
        )
        member.peers = [old for old in member.peers if old not in replaced] + [peer]
        self._connections[peer] = connection
        self._presence.returned(member)
        self._presence.audience_changed(member)
        if old_name != member.name:
            self._presence.renamed(member, old_name, self._now)
        self._operator_log.happened(OperatorEvent.NAMED, peer, member.name, "again" if resumed else "")
        peer.deliver(self._welcome(member, connection, guest, identity, resumed=resumed))
        self._room_membership.enter(peer, member, LOBBY, ref=0)
        self._room_membership.enter_all(peer, member)
        if guest.entry.invite is not None:
            self._room_membership.keep_current_rooms(member)
            if guest.entry.invite.room is not None:
                self._room_membership.join(peer, member, Join(ref=0, rooms=[guest.entry.invite.room]))

    def _login_refused(self, peer: Peer, name: str, refusal: Refusal) -> None:
        self._operator_log.happened(OperatorEvent.REFUSED, peer, name, str(refusal))

    def _welcome(
        self, member: Member, connection: MemberConnection, guest: PendingLogin, identity: Identity, *, resumed: bool
    ) -> Welcome:
        entry = guest.entry
        account = self._directory.accounts.get(member.sender_id) if entry.account is not None else None
        if entry.login is not None:
            connection.login_id = entry.login.login_id
        connection.certificate = entry.certificate
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
        self._login_flow.registered(member)
        self._room_membership.keep_current_rooms(member)

    def lost(self, peer: Peer, now: float, *, quit_: bool = False) -> None:
        """The connection is over: by Quit, or lost, in which case its member is missed by nobody for a while."""
        self._now = now
        self._queries.forget(peer)
        self._login_flow.forget(peer)
        self._login_throttle.forget(peer)
        connection = self._connections.pop(peer, None)
        self._authenticator.hashing.forget(peer)
        if connection is None:
            return
        self._login_flow.connection_lost(connection)
        member = connection.member
        member.peers.remove(peer)
        self._presence.audience_changed(member)
        if member.account:
            self._note_seen(member, self.fed_seq if quit_ else connection.heard_seq)
        if member.peers:
            return
        if quit_:
            self._login_flow.free(member)
            self._presence.gone(member, now)
        else:
            self._login_flow.reserve(member, now)
            self._presence.absent(member, now)

    def _note_seen(self, member: Member, seq: int) -> None:
        """A device of an account leaves: remember how much it has seen."""
        now_ms = self._directory.wall_ms()

        def edit(account: Account) -> Account:
            return replace(account, seen_at_ms=now_ms, seen_seq=max(account.seen_seq, seq))

        self._directory.amend(Account, member.sender_id, edit, (), _ignore)

    def end(self, peer: Peer, closing: Closing) -> None:
        """End a connection for good, as if it had quit, with these last words."""
        self.lost(peer, self._now, quit_=True)
        peer.close(closing)

    def tick(self, now: float) -> None:
        """Let go of those who did not come back in time, tell gathered presence, and go on with long work."""
        self._now = now
        try:
            for member in self._presence.take_overdue(now):
                self._login_flow.dismiss(member)
                self._presence.gone(member, now)
            self._presence.tell(now)
        except Exception:
            self._alarm(now + _RETRY_S)  # for those who were not reached; not at once, for it may raise again
            raise
        if (due := self._presence.next_deadline()) is not None:
            self._alarm(due)
        self._slices.run()

    def tidy(self) -> None:
        """Forget what has expired, and guests unseen for long who never wrote; to be called once a day."""
        connections = self._connections.values()
        self._housekeeping.run(
            {connection.login_id for connection in connections}, {connection.stream for connection in connections}
        )

    # --- Requests -------------------------------------------------------------------------------------------------

    def _nick(self, peer: Peer, member: Member, command: Nick) -> None:
        if self._account_service.is_at_work_on(member):
            raise Refusal(ErrorCode.BUSY, "your name is being made an account; wait for it", retry_after_s=1.0)
        name = self._login_flow.claim(member, command.name, self._now)
        if not member.account:
            self._renamed(peer, member, name, command.ref)
            return
        key = name_key(name)

        def recorded(answer: Committed | NotAppended) -> None:
            present = self._members.get(member.sender_id)  # it may have left meanwhile, or be somebody new
            if isinstance(answer, NotAppended):
                self._login_flow.name_reservations.exchange(name, member.name, member.owner)
                if peer in self._connections:
                    peer.deliver(Refused(answer.code, answer.text, ref=command.ref))
            elif present is not None:
                self._renamed(peer, present, name, command.ref)
            else:
                self._login_flow.unclaim(member, name)

        note = self._directory.note(member.name, "rename", name)
        self._directory.amend(
            Account, member.sender_id, lambda account: replace(account, name=name, key=key), (note,), recorded
        )

    def _renamed(self, peer: Peer, member: Member, name: str, ref: int) -> None:
        old = self._login_flow.rename(member, name)
        if not member.peers:
            self._login_flow.reserve(member, self._now)
        if old != member.name:
            self._presence.renamed(member, old, self._now)
        if peer in self._connections:
            peer.deliver(Named(name=member.name, ref=ref))
        self._broadcaster.broadcast(others(member, peer), [Named(name=member.name, ref=0)])


def _ignore(_: Committed | NotAppended) -> None:
    """For changes nobody waits for."""


def _refused(command: Command, refusal: Refusal) -> Refused:
    return Refused(
        refusal.code,
        refusal.detail,
        ref=getattr(command, "ref", None),
        client_id=getattr(command, "client_id", None),
        retry_after_s=refusal.retry_after_s,
    )
