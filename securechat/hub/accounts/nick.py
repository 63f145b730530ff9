"""A member takes another name: at once as a guest, when it is durable as an account."""

from __future__ import annotations

from msgspec.structs import replace

from securechat.errors import ErrorCode, Refusal
from securechat.hub.accounts.login import LoginFlow
from securechat.hub.accounts.self_service import AccountService
from securechat.hub.context import HubContext
from securechat.hub.interfaces import Peer
from securechat.hub.members import Member
from securechat.hub.rooms.membership import others
from securechat.model import Named, Nick, Refused
from securechat.records.accounts import Account, Committed
from securechat.records.log import NotAppended
from securechat.text.names import name_key


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
            Refusal: the name is invalid, reserved or taken, or the member becomes an account at this moment.
        """
        if self._account_service.is_at_work_on(member):
            raise Refusal(ErrorCode.BUSY, "your name is being made an account; wait for it", retry_after_s=1.0)
        name = self._login_flow.claim(member, command.name)
        if not member.account:
            self._renamed(peer, member, name, command.ref)
            return
        key = name_key(name)

        def recorded(answer: Committed | NotAppended) -> None:
            present = self._context.members.get(member.sender_id)  # it may have left meanwhile, or be somebody new
            if isinstance(answer, NotAppended):
                self._context.names.exchange(name, member.name, member.owner)
                if peer in self._context.connections:
                    peer.deliver(Refused(answer.code, answer.text, ref=command.ref))
            elif present is not None:
                self._renamed(peer, present, name, command.ref)
            else:
                self._login_flow.unclaim(member, name)

        note = self._context.accounts.note(member.name, "rename", name)
        self._context.accounts.amend(
            Account, member.sender_id, lambda account: replace(account, name=name, key=key), (note,), recorded
        )

    def _renamed(self, peer: Peer, member: Member, name: str, ref: int) -> None:
        old = self._login_flow.rename(member, name)
        if not member.peers:
            self._login_flow.reserve(member)
        if old != member.name:
            self._context.presence.renamed(member, old)
        if peer in self._context.connections:
            peer.deliver(Named(name=member.name, ref=ref))
        self._context.broadcaster.broadcast(others(member, peer), [Named(name=member.name, ref=0)])
