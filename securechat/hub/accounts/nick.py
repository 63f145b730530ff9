"""Renames members: a guest at once, an account when the name is durable."""

from __future__ import annotations

from msgspec.structs import replace

from securechat.hub.accounts.login import LoginFlow
from securechat.hub.accounts.self_service import AccountService
from securechat.hub.context import HubContext
from securechat.hub.interfaces import Peer
from securechat.hub.members import Member
from securechat.hub.rooms.membership import others
from securechat.hub.workflow import Workflow, amend
from securechat.model import Named, Nick
from securechat.records.accounts import Account
from securechat.text.names import name_key
from securechat.text.refusals import refusal_for


class NickChange:
    """Answers Nick.

    Args:
        context: members and accounts.
        login_flow: claims names.
        account_service: knows whose name must stay what it is.
    """

    def __init__(self, context: HubContext, login_flow: LoginFlow, account_service: AccountService) -> None:
        self._context = context
        self._login_flow = login_flow
        self._account_service = account_service

    def answer(self, peer: Peer, member: Member, command: Nick) -> None:
        """Answer a Nick, now or when the name is durable.

        Raises:
            Refusal: the name is invalid, reserved or taken, or is being registered at this moment.
        """
        if self._account_service.is_at_work_on(member):
            raise refusal_for("name_being_registered", retry_after_s=1.0)
        name = self._login_flow.claim(member, command.name)
        if member.account:
            self._context.workflows.answer(peer, command.ref, self._rename_account(peer, member, name, command.ref))
        else:
            self._renamed(peer, member, name, command.ref)

    def _rename_account(self, peer: Peer, member: Member, name: str, ref: int) -> Workflow[None]:
        """Make a name durable that is claimed already."""
        key = name_key(name)
        try:
            note = self._context.accounts.note(member.name, "rename", name)
            yield from amend(
                self._context.accounts,
                Account,
                member.sender_id,
                lambda account: replace(account, name=name, key=key),
                (note,),
            )
        except BaseException:
            self._context.names.exchange(name, member.name, member.owner)
            raise
        present = self._context.members.get(member.sender_id)  # the member may have left, or come back as a new object
        if present is not None:
            self._renamed(peer, present, name, ref)
        else:
            self._login_flow.unclaim(member, name)

    def _renamed(self, peer: Peer, member: Member, name: str, ref: int) -> None:
        old = self._login_flow.rename(member, name)
        if not member.peers:
            self._login_flow.reserve(member)
        if old != member.name:
            self._context.presence.renamed(member, old)
        if peer in self._context.connections:
            peer.deliver(Named(name=member.name, ref=ref))
        self._context.broadcaster.broadcast(others(member, peer), [Named(name=member.name, ref=0)])
