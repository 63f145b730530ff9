"""The hub: members, messages and rules. Commands in, effects out; it never sees a byte, a socket or a clock.

The life of a message: `handle` checks a Say and gives a draft to the log; the log's ``done`` becomes Acked for the
sender alone; the log's committed entries come back through `on_commit`, and rooms see these alone. ``fed_seq`` is the
last seq fanned out: no history answer goes beyond it, so a reader is never ahead of the room.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from securechat.errors import Overloaded, Refusal
from securechat.hub.accounts.authentication import Authenticator
from securechat.hub.accounts.login import LoginFlow
from securechat.hub.accounts.login_completion import LoginCompletion
from securechat.hub.accounts.login_throttle import LoginThrottle
from securechat.hub.accounts.nick import NickChange
from securechat.hub.accounts.self_service import TOKEN_ENDED, AccountService
from securechat.hub.accounts.temporary_password import is_heard
from securechat.hub.admin.commands import AdminCommands
from securechat.hub.admin.housekeeping import Housekeeping
from securechat.hub.context import HubContext
from securechat.hub.disconnection import Disconnection
from securechat.hub.interfaces import OperatorEvent, Peer
from securechat.hub.members import Member, MemberConnection
from securechat.hub.messages.conversations import ConversationQueries
from securechat.hub.messages.delivery import Delivery
from securechat.hub.messages.history import HistoryQueries
from securechat.hub.messages.log_reads import LogReads
from securechat.hub.messages.posting import Posting, is_trial
from securechat.hub.messages.read_markers import AccountReadMarkers
from securechat.hub.messages.search import SearchQueries
from securechat.hub.messages.typing import TypingNotices
from securechat.hub.messages.unread import UnreadQueries
from securechat.hub.messages.visibility import MessageVisibility
from securechat.hub.mutes import EFFECTS, WhileMuted, expect_unmuted
from securechat.hub.programs.admin import ProgramCommands
from securechat.hub.programs.bots import Bots
from securechat.hub.programs.hearing import hears, narrowed
from securechat.hub.programs.makers import MakersRights
from securechat.hub.programs.metrics_access import MetricsAccess
from securechat.hub.programs.outgoing import OutgoingWebhooks
from securechat.hub.programs.scopes import expect_allowed
from securechat.hub.programs.service import HookTarget, ProgramService
from securechat.hub.programs.tokens import ApiTokens
from securechat.hub.rate_limits import AddressBuckets
from securechat.hub.rooms.membership import RoomMembership
from securechat.hub.rooms.moderation import Moderation
from securechat.hub.rooms.queries import RoomQueries
from securechat.hub.rooms.settings import RoomSettings
from securechat.hub.slices import Slices
from securechat.hub.wall_clock import WallClock
from securechat.model import (
    AddBot,
    AddCertificate,
    AddToken,
    AddUpload,
    AskBots,
    AskConversations,
    AskFiles,
    AskLinks,
    AskPeople,
    AskRoom,
    AskTokens,
    AskUnread,
    Certificates,
    ChangePassword,
    Closing,
    Command,
    Delete,
    Direct,
    Edit,
    FileCommand,
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
    Nick,
    Ping,
    Pong,
    Quit,
    React,
    Read,
    Refused,
    Register,
    RemoveBot,
    RemoveCertificate,
    RemoveToken,
    RemoveUpload,
    Rooms,
    RotateToken,
    Say,
    Search,
    SetRoom,
    Typing,
    Who,
    Whois,
)
from securechat.records.log import LogState
from securechat.text.refusals import refusal_for

if TYPE_CHECKING:
    from securechat.hub.files.service import FileService

Handler: TypeAlias = Callable[[Peer, Member, Any], None]
_ROOMS_PER_REQUEST = 10
"""Rooms of one Join that cost as much as one request: a client that returns to 100 rooms stays within the burst."""
_RETRY_S = 1.0
"""Seconds until the next tick after one that raised."""
_BYE = Closing.of(refusal_for("goodbye"))


class Cost(Enum):
    """The cost of a handled command, counted against the rates of its member and its address."""

    FREE = "nothing"
    MESSAGE = "a message"
    REQUEST = "a request"
    ROOMS = "a request for each _ROOMS_PER_REQUEST rooms, and one at least"


_MESSAGE = Cost.MESSAGE  # a name of this module: looking it up in the enum costs more than comparing it


class Handling(NamedTuple):
    """The handler of a command, and the cost of the command."""

    handler: Handler
    cost: Cost


class Hub:
    """Everything between the commands of peers and the message log.

    Args:
        context: the ports and settings of the hub, and the state that its services share.

    Attributes:
        context: as given.
        clock: the time by which everything expires.
        admin_commands: the commands of an administrator.
        metrics_access: judges who may read the metrics.
        files: uploads and downloads; None where the server takes no files.
        outgoing: the outgoing webhooks.
        handlers: the handler and the cost of each command of a member.
    """

    def __init__(self, context: HubContext) -> None:
        self.context = context
        self.clock: WallClock = context.clock
        self._directory = context.accounts
        self._presence = context.presence
        self._connections = context.connections
        self._operator_log = context.operator_log
        self._slices = Slices(context)
        self._login_throttle = LoginThrottle(context.limits)
        self._housekeeping = Housekeeping(context)
        self._visibility = visibility = MessageVisibility(context)
        self._log_reads = LogReads(context)
        self._history = HistoryQueries(context, self._log_reads, visibility)
        self._search = SearchQueries(context, self._log_reads, visibility)
        self._unread = UnreadQueries(context, self._log_reads, visibility)
        self._conversations = ConversationQueries(context, self._log_reads, visibility)
        self._room_queries = RoomQueries(context)
        self.files = _file_service(context, self._log_reads, visibility)
        self._posting = Posting(context, self.files)
        self._delivery = Delivery(context, visibility)
        self._room_membership = RoomMembership(context)
        self._moderation = Moderation(context, self._room_membership)
        self._room_settings = RoomSettings(context, self._room_membership, self._delivery)
        self._typing_notices = TypingNotices(context)
        self._read_markers = AccountReadMarkers(context)
        self._api_tokens = ApiTokens(context)
        self._makers_rights = MakersRights(context, self._room_membership)
        self._authenticator = Authenticator(context, self._login_throttle, self._api_tokens)
        self.metrics_access = MetricsAccess(context, self._authenticator, self._api_tokens)
        self._login_completion = LoginCompletion(context, self._log_reads, self._room_membership, self._api_tokens)
        self._login_flow = LoginFlow(context, self._authenticator, self._login_completion)
        self._disconnection = Disconnection(
            context, self._login_flow, self._login_throttle, self._authenticator, self._log_reads
        )
        self._account_service = AccountService(
            context,
            self._authenticator,
            self._login_throttle,
            self._login_flow,
            self._room_membership,
            self._disconnection,
        )
        context.changes.before_answer = self._end_dropped
        bots = Bots(context, self._authenticator, self._api_tokens, self._room_membership, self._disconnection)
        self.outgoing = OutgoingWebhooks(context, bots, self._api_tokens, self._posting)
        self._program_service = ProgramService(context, bots)
        self._nick_change = NickChange(context, self._login_flow, self._account_service)
        self.admin_commands = AdminCommands(
            context,
            self._login_throttle,
            self._account_service,
            self._room_membership,
            self._disconnection,
            self._slices,
            self._api_tokens,
            self._makers_rights,
            ProgramCommands(context, bots, self.outgoing),
        )
        limits, factor = context.limits, context.limits.address_factor
        self._address_messages = AddressBuckets(limits.message_burst, limits.message_rate, factor)
        self._address_requests = AddressBuckets(limits.request_burst, limits.request_rate, factor)
        self._address_bytes = AddressBuckets(limits.byte_burst, limits.byte_rate, factor)
        self.handlers = self._handlers()

    def _handlers(self) -> dict[type[Command], Handling]:
        """Return the table of commands; a test holds its keys against the union."""
        posting = Handling(self._posting.append, Cost.MESSAGE)
        room_query = Handling(self._room_queries.answer, Cost.REQUEST)
        account = Handling(self._account_service.answer, Cost.REQUEST)
        moderation = Handling(self._moderation.answer, Cost.REQUEST)
        settings = Handling(self._room_settings.answer, Cost.REQUEST)
        programs = Handling(self._program_service.answer, Cost.REQUEST)
        files = Handling(_refuse_files if self.files is None else self.files.answer, Cost.REQUEST)
        return {
            Say: posting,
            Direct: posting,
            Edit: posting,
            Delete: posting,
            React: posting,
            Join: Handling(self._room_membership.join, Cost.ROOMS),
            Leave: Handling(self._room_membership.leave, Cost.REQUEST),
            Typing: Handling(self._typing_notices.answer, Cost.REQUEST),
            Read: Handling(self._read_markers.answer, Cost.REQUEST),
            Nick: Handling(self._nick_change.answer, Cost.REQUEST),
            Who: room_query,
            Whois: room_query,
            AskPeople: room_query,
            Rooms: room_query,
            History: Handling(self._history.answer, Cost.REQUEST),
            Search: Handling(self._search.answer, Cost.REQUEST),
            AskUnread: Handling(self._unread.answer, Cost.REQUEST),
            AskConversations: Handling(self._conversations.answer, Cost.REQUEST),
            SetRoom: settings,
            AskRoom: settings,
            InviteTo: moderation,
            Moderate: moderation,
            Grant: moderation,
            Register: account,
            ChangePassword: account,
            Logins: account,
            Logout: account,
            Certificates: account,
            AddCertificate: account,
            RemoveCertificate: account,
            AddBot: programs,
            AskBots: programs,
            RemoveBot: programs,
            AddToken: programs,
            AskTokens: programs,
            RotateToken: programs,
            RemoveToken: programs,
            AddUpload: files,
            AskLinks: files,
            AskFiles: files,
            RemoveUpload: files,
            Hello: Handling(_refuse_hello, Cost.REQUEST),
            Ping: Handling(_answer_ping, Cost.REQUEST),
            Pong: Handling(_ignore_pong, Cost.FREE),
            Quit: Handling(self._quit, Cost.FREE),
        }

    def begin_pass(self, now: float) -> None:
        """Begin a pass of the loop; to be called once a pass, before its completions.

        Args:
            now: monotonic seconds; everything in this pass happens at this time.
        """
        self.context.now = now

    @property
    def fed_seq(self) -> int:
        """The last seq fanned out."""
        return self.context.fed_seq

    @property
    def unsettled(self) -> int:
        """Drafts the log has not answered yet."""
        return self.context.unsettled

    # --- From the log ---------------------------------------------------------------------------------------------

    def restore(self, state: LogState, now: float, now_ms: int, sure_at_ms: int = 0) -> None:
        """Take over the state of an opened log; call once, before the first peer.

        Args:
            state: the answer of the log.
            now: monotonic seconds.
            now_ms: the machine's clock, UTC milliseconds.
            sure_at_ms: the time at which the clock was last believed, UTC milliseconds; 0 where it is not known, and
                the times in the log count instead.
        """
        self.begin_pass(now)
        self.context.fed_seq = state.last_seq
        self.context.log_id = state.log_id
        self.clock.restore(sure_at_ms or max(state.last_at_ms, state.people.last_at_ms()))
        self._directory.restore(state.people, state.room_records)
        if self.files is not None:
            self.files.restore(state)
        self.context.names.restore(state.reservations, now, now_ms, self.context.limits.name_reservation_s)

    def on_commit(self, batch: Sequence[LogEntry]) -> None:
        """Fan out committed entries to every member of their room, the sender included, in order of seq.

        Connections of logins that ended in this batch are ended first, so that they receive none of it.
        """
        self._end_dropped()
        if self.context.rooms.narrowed:
            self._makers_rights.look_again()
        if self._directory.dropped_accounts:
            dropped, self._directory.dropped_accounts = self._directory.dropped_accounts, set()
            if self.files is not None:
                self.files.forget_senders(dropped)
        self._delivery.fan_out(batch)
        if batch:
            self.context.fed_seq = batch[-1].seq
            self._posting.acknowledge_fed()
            if self.files is not None:
                self.files.committed(batch)
        if self._directory.outgoing or self._directory.changed_outgoing:
            self.outgoing.committed(batch)

    def _end_dropped(self) -> None:
        """End the connections of logins and tokens that were dropped, durably."""
        if self._directory.ended_logins:
            ended, self._directory.ended_logins = self._directory.ended_logins, set()
            self._account_service.end_logins(ended)
        if self._directory.ended_tokens:
            numbers, self._directory.ended_tokens = self._directory.ended_tokens, set()
            self._account_service.end_tokens(numbers)
            self._api_tokens.ended(numbers)

    # --- From the peers -------------------------------------------------------------------------------------------

    def is_member(self, peer: Peer) -> bool:
        """Tell whether the connection's hello was accepted."""
        return peer in self._connections

    def name_of(self, peer: Peer) -> str:
        """The name of the connection's member; empty before the hello is accepted."""
        connection = self._connections.get(peer)
        return connection.member.name if connection is not None else ""

    def note_refused(self, peer: Peer, reason: str) -> None:
        """Log, for the operator, a request that was refused outside of the hub."""
        self._operator_log.happened(OperatorEvent.REFUSED, peer, self.name_of(peer), reason)

    def require_unbanned(self, host: str) -> None:
        """Require that a network address is not banned: a peer may be asked from several.

        Raises:
            Refusal: BANNED.
        """
        self._authenticator.require_unbanned(host)

    def hook_of(self, secret: str) -> HookTarget | None:
        """Return where an incoming webhook posts; None for a token that is not a good one of a webhook.

        Args:
            secret: the API token in its address.
        """
        return self._program_service.hook_of(secret, self._api_tokens)

    def is_name_taken(self, name: str) -> bool:
        """Whether a name belongs to a member or an account, or looks like one that does."""
        return self._program_service.is_taken(name)

    def hear_only(self, peer: Peer, rooms: Iterable[int]) -> None:
        """Have a connection by an API token hear and read some rooms alone, as if its token were for those.

        Args:
            peer: to be called while it is welcomed, before it hears anything.
            rooms: by their numbers; 0 is the lobby.
        """
        connection = self._connections[peer]
        assert connection.token is not None
        connection.token = connection.member.tokens[peer] = narrowed(connection.token, rooms)
        self._presence.audience_changed(connection.member)

    def hears_any(self, peer: Peer) -> bool:
        """Tell whether a connection by an API token hears at least one room that its member is in."""
        connection = self._connections.get(peer)
        if connection is None or connection.token is None:
            return False
        return any(hears(connection.token, room) for room in connection.member.rooms)

    def is_purged_above(self, peer: Peer, seq: int) -> bool:
        """Tell whether messages above a seq that a connection by an API token could have read are gone for good."""
        connection = self._connections[peer]
        member, token = connection.member, connection.token
        heard = [room for room in member.rooms if token is not None and hears(token, room)]
        floors = dict(self._visibility.floors(member, heard))
        return any(room.purged_seq > max(seq, floors.get(room.name, 0)) for room in heard)

    def charge_bytes(self, peer: Peer, size_bytes: int) -> float:
        """Count received bytes against the byte rate; returns seconds for which the peer must not be read."""
        connection = self._connections.get(peer)
        if connection is None:
            return 0.0
        context = self.context
        connection.heard_seq = context.fed_seq
        if not context.rates:
            return 0.0
        wait_s = connection.byte_bucket.take(size_bytes, context.now)
        return max(wait_s, self._address_bytes.take(peer.address, size_bytes, context.now))

    def charge_request(self, peer: Peer, cost: float = 1.0) -> float:
        """Count a request, or a frame that was none, against the request rate; returns seconds not to read the peer."""
        connection = self._connections.get(peer)
        if connection is None:
            return 0.0
        now = self.context.now
        wait_s = connection.request_bucket.take(cost, now)
        return max(wait_s, self._address_requests.take(peer.address, cost, now))

    def _charge_message(self, peer: Peer, connection: MemberConnection) -> float:
        if not self.context.rates:
            return 0.0
        now = self.context.now
        wait_s = connection.message_bucket.take(1.0, now)
        return max(wait_s, self._address_messages.take(peer.address, 1.0, now))

    def handle(self, peer: Peer, command: Command) -> float:
        """Carry out a command of a peer, or answer it with Refused where a rule forbids it.

        Args:
            peer: the connection it came on.
            command: any command.

        Returns:
            Seconds for which this peer must not be read, because it is over a rate; 0.0 otherwise.

        Raises:
            Overloaded: the log cannot take this draft now; nothing happened. Keep it and try again in a while: to
                refuse it would let the sender's next one overtake it.
        """
        connection = self._connections.get(peer)
        try:
            if connection is None:
                self._handle_before_hello(peer, command)
                return 0.0
            handler, cost = self.handlers[type(command)]
            if connection.must_change and not is_heard(command):
                handler, cost = _drop, Cost.REQUEST
            if connection.token is not None:
                expect_allowed(connection, connection.token, command)
            if cost is _MESSAGE:
                handler(peer, connection.member, command)
                return self._charge_message(peer, connection)
            if self._directory.mutes and EFFECTS[type(command)].on_server is WhileMuted.REFUSED:
                expect_unmuted(self._directory, connection.member.sender_id)
            handler(peer, connection.member, command)
        except Overloaded:
            raise
        except Refusal as refusal:
            peer.deliver(_refused(command, refusal))
            name = command.name if isinstance(command, Hello) else self.name_of(peer)
            if not is_trial(command, refusal):
                self._operator_log.happened(OperatorEvent.REFUSED, peer, name, str(refusal))
            return self.charge_request(peer)
        if cost is Cost.FREE:
            return 0.0
        if cost is Cost.ROOMS and isinstance(command, Join):
            return self.charge_request(peer, max(1.0, len(command.rooms) / _ROOMS_PER_REQUEST))
        return self.charge_request(peer)

    def _handle_before_hello(self, peer: Peer, command: Command) -> None:
        match command:
            case Hello():
                self._login_flow.hello(peer, command)
            case Ping():
                peer.deliver(Pong(command.n))
            case Pong():
                pass
            case Quit():
                peer.close(_BYE)
            case _:
                raise refusal_for("hello_expected")

    # --- Ends and deadlines ---------------------------------------------------------------------------------------

    def lost(self, peer: Peer) -> None:
        """Note that a connection is lost: its member is absent for a while, unless it has others."""
        self._disconnection.lost(peer)

    def _quit(self, peer: Peer, _: Member, __: Quit) -> None:
        self._disconnection.end(peer, _BYE)

    def tick(self) -> None:
        """End absent members whose time is over, send gathered presence, and go on with long work."""
        context = self.context
        try:
            self._disconnection.end_overdue()
            self._presence.tell()
            if self.files is not None:
                self.files.tick()
            self._disconnection.end_each(self._api_tokens.overdue(), TOKEN_ENDED)
        except Exception:
            # for the members not reached yet; not at once, because it may raise again
            context.alarm(context.now + _RETRY_S)
            raise
        if (due := self._presence.next_deadline()) is not None:
            context.alarm(due)
        self._slices.run()

    def tidy(self) -> None:
        """Forget expired records, and guests that never wrote and were not seen for long; to be called once a day."""
        connections = self._connections.values()
        self._housekeeping.run(
            {connection.login_id for connection in connections}, {connection.stream for connection in connections}
        )


def _file_service(context: HubContext, reads: LogReads, visibility: MessageVisibility) -> FileService | None:
    if context.file_disk is None:
        return None
    from securechat.hub.files.service import FileService  # noqa: PLC0415 - a server may take no files

    files = FileService(context, reads, visibility)
    context.file_numbers = files.numbers
    return files


def _refuse_hello(_: Peer, __: Member, ___: Hello) -> None:
    raise refusal_for("hello_repeated")


def _refuse_files(_: Peer, __: Member, ___: FileCommand) -> None:
    raise refusal_for("files_off")


def _answer_ping(peer: Peer, _: Member, command: Ping) -> None:
    peer.deliver(Pong(command.n))


def _drop(_: Peer, __: Member, ___: Command) -> None:
    """A command without an answer that may not be carried out now."""


def _ignore_pong(_: Peer, __: Member, ___: Pong) -> None:
    """A pong has no answer; its bytes have shown the session that the peer is alive."""


def _refused(command: Command, refusal: Refusal) -> Refused:
    return Refused.of(refusal, ref=getattr(command, "ref", None), client_id=getattr(command, "client_id", None))
