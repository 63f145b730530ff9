"""Completes logins: adds the connection to its member, and sends Welcome and the rooms it is in.

All that has to be durable is durable by now (`LoginFlow`).
"""

from __future__ import annotations

from msgspec.structs import replace

from securechat.hub.accounts.authentication import Authenticated
from securechat.hub.context import HubContext
from securechat.hub.interfaces import OperatorEvent, Peer
from securechat.hub.members import Member, MemberConnection
from securechat.hub.messages.log_reads import LogReads
from securechat.hub.messages.purges import PurgeDelivery
from securechat.hub.programs.hearing import covers
from securechat.hub.programs.tokens import ApiTokens
from securechat.hub.rooms.membership import RoomMembership
from securechat.model import FEATURES, PROTOCOL_VERSION, WELCOME_LIMITS, Closing, Welcome
from securechat.records.accounts import Account, Role
from securechat.records.log import Identity
from securechat.text.refusals import refusal_for

_REPLACED = Closing.of(refusal_for("replaced"))


class LoginCompletion:
    """Adds connections to members.

    Args:
        context: members and connections.
        log_reads: forgets the questions of a connection that is replaced.
        room_membership: lets members into their rooms.
        api_tokens: has the rates of tokens.
    """

    def __init__(
        self, context: HubContext, log_reads: LogReads, room_membership: RoomMembership, api_tokens: ApiTokens
    ) -> None:
        self._context = context
        self._api_tokens = api_tokens
        self._log_reads = log_reads
        self._room_membership = room_membership
        self._purges = PurgeDelivery(context)
        off = set() if context.rates else {"message_burst", "message_rate", "byte_burst", "byte_rate"}
        if not context.file_features:
            off |= {"file_bytes", "guest_file_hours"}
        self._features = (*FEATURES, *context.file_features)
        self._limits = {key: float(getattr(context.limits, key)) for key in WELCOME_LIMITS if key not in off}
        of_tokens = {"message_burst": context.limits.bot_message_burst, "message_rate": context.limits.bot_message_rate}
        self._limits_of_token = {key: float(of_tokens.get(key, limit)) for key, limit in self._limits.items()}

    def complete(
        self, member: Member, peer: Peer, client: str, entry: Authenticated, identity: Identity, old_name: str | None
    ) -> None:
        """Add a connection to its member and greet it.

        Args:
            member: whose.
            peer: the connection.
            client: its program, as it calls itself.
            entry: the result of the authentication.
            identity: the sender and device, as the log knows them.
            old_name: the member's name before, if it was here already; None for a new member.
        """
        context = self._context
        replaced = [old for old in member.peers if context.connections[old].stream == identity.stream]
        for old in replaced:
            last_client_id = max(identity.last_client_id, context.connections[old].last_client_id)
            identity = replace(identity, last_client_id=last_client_id)
            del context.connections[old]
            member.tokens.pop(old, None)
            self._log_reads.forget(old)
            old.close(_REPLACED)
        connection = MemberConnection(
            member, identity.stream, client, context.accounts.wall_ms(), context.fed_seq, identity.last_client_id
        )
        if entry.api_token is not None:
            connection.token = member.tokens[peer] = entry.api_token
            rates = self._api_tokens.rates(entry.api_token.token_id)
            connection.message_bucket, connection.request_bucket, connection.byte_bucket = rates
            self._api_tokens.watch(entry.api_token)
        member.peers = [old for old in member.peers if old not in replaced] + [peer]
        context.connections[peer] = connection
        context.presence.returned(member)
        context.presence.audience_changed(member)
        resumed = old_name is not None
        if old_name is not None and old_name != member.name:
            context.presence.renamed(member, old_name)
        context.operator_log.happened(OperatorEvent.NAMED, peer, member.name, "again" if resumed else "")
        peer.deliver(self._welcome(member, connection, entry, identity, resumed=resumed))
        self._room_membership.enter(peer, member, context.rooms.lobby, ref=0)
        self._room_membership.enter_all(peer, member)
        for purged in self._purges.since_the_last_entry():
            peer.deliver(purged)
        if entry.invite is not None:
            self._room_membership.keep_current_rooms(member)
            self._room_membership.accept_invite(peer, member, entry.invite)

    def _welcome(
        self, member: Member, connection: MemberConnection, entry: Authenticated, identity: Identity, *, resumed: bool
    ) -> Welcome:
        context = self._context
        account = context.accounts.accounts.get(member.sender_id) if entry.account is not None else None
        if entry.login is not None:
            connection.login_id = entry.login.login_id
        connection.certificate = entry.certificate
        # a certificate and an API token prove their owner without the password that an administrator knows
        has_other_proof = entry.certificate is not None or entry.api_token is not None
        connection.must_change = account is not None and account.must_change and not has_other_proof
        return Welcome(
            version=PROTOCOL_VERSION,
            server=context.server,
            sender_id=member.sender_id,
            name=member.name,
            live_from=context.fed_seq,
            last_client_id=identity.last_client_id,
            resumed=resumed,
            account=account is not None,
            admin=account is not None and account.role is Role.ADMIN and entry.api_token is None,
            token=entry.token,
            seen_seq=self._seen_seq(member, account, entry),
            must_change=connection.must_change,
            rooms=self._count_rooms(member, entry),
            limits=self._limits if entry.api_token is None else self._limits_of_token,
            features=self._features,
        )

    def _seen_seq(self, member: Member, account: Account | None, entry: Authenticated) -> int | None:
        """Return up to where some person's device has everything; a program keeps its own cursor."""
        if account is None:
            return None
        persons = len(member.peers) - len(member.tokens)
        return self._context.fed_seq if entry.api_token is not None or persons > 1 else account.seen_seq

    def _count_rooms(self, member: Member, entry: Authenticated) -> int:
        """Return how many rooms the connection is told of behind its welcome: the lobby, its own, and its invite's."""
        invited = entry.invite is not None and entry.invite.room is not None
        token = entry.api_token
        rooms = [room for room in self._room_membership.rooms_of(member) if token is None or covers(token, room)]
        return 1 + len(rooms) + invited
