"""Ends connections (lost, by Quit, or with a Closing), and their members with the last one.

A member whose last connection was lost is absent for a while and may come back unnoticed; a member that has quit, or
whose connection was ended, is gone at once.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from securechat.hub.accounts.authentication import Authenticator
from securechat.hub.accounts.login import LoginFlow
from securechat.hub.accounts.login_throttle import LoginThrottle
from securechat.hub.context import HubContext
from securechat.hub.interfaces import Peer
from securechat.hub.members import Member
from securechat.hub.messages.log_reads import LogReads
from securechat.hub.workflow import amend
from securechat.model import Closing
from securechat.records.accounts import Account


class Disconnection:
    """Takes connections from their members.

    Args:
        context: members and connections.
        login_flow, login_throttle, authenticator, log_reads: may have work under way for a connection.
    """

    def __init__(
        self,
        context: HubContext,
        login_flow: LoginFlow,
        login_throttle: LoginThrottle,
        authenticator: Authenticator,
        log_reads: LogReads,
    ) -> None:
        self._context = context
        self._login_flow = login_flow
        self._login_throttle = login_throttle
        self._authenticator = authenticator
        self._log_reads = log_reads

    def lost(self, peer: Peer, *, quit_: bool = False) -> None:
        """Take a connection from its member; without Quit the member is absent for a while before it is gone."""
        self._log_reads.forget(peer)
        self._login_flow.forget(peer)
        self._login_throttle.forget(peer)
        connection = self._context.connections.pop(peer, None)
        self._authenticator.hashing.forget(peer)
        if connection is None:
            return
        self._login_flow.connection_lost(connection)
        member, presence = connection.member, self._context.presence
        member.peers.remove(peer)
        member.tokens.pop(peer, None)
        presence.audience_changed(member)
        if member.account and connection.token is None:
            self._note_seen(member, self._context.fed_seq if quit_ else connection.heard_seq)
        if member.peers:
            return
        if quit_:
            self._login_flow.free(member)
            presence.gone(member)
        else:
            self._login_flow.reserve(member)
            presence.absent(member)

    def end(self, peer: Peer, closing: Closing) -> None:
        """End a connection for good, as if it had quit, with these last words."""
        self.lost(peer, quit_=True)
        peer.close(closing)

    def end_each(self, peers: Iterable[Peer], closing: Closing) -> None:
        """End several connections for good; an exception while one is ended costs that one, and the rest are ended."""
        for peer in peers:
            with self._context.containment.work_for(peer):
                self.end(peer, closing)

    def end_member(self, sender_id: int, closing: Closing) -> int:
        """End all connections of a member for good; returns how many there were."""
        member = self._context.members.get(sender_id)
        if member is None:
            return 0
        peers = list(member.peers)
        self.end_each(peers, closing)
        if not peers:
            self._login_flow.free(member)  # absent for a moment: it is gone now
            self._context.presence.gone(member)
        return len(peers)

    def end_overdue(self) -> None:
        """End absent members that did not come back in time, a few in each pass."""
        for member in self._context.presence.take_overdue():
            self._login_flow.dismiss(member)
            self._context.presence.gone(member)

    def _note_seen(self, member: Member, seq: int) -> None:
        """Record how much of the log a device of an account had received when it left."""
        now_ms = self._context.accounts.wall_ms()

        def edit(account: Account) -> Account:
            return replace(account, seen_at_ms=now_ms, seen_seq=max(account.seen_seq, seq))

        self._context.workflows.run(amend(self._context.accounts, Account, member.sender_id, edit))
