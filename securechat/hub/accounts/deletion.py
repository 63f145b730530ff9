"""Deletes an account: its logins, its name in the log, its memberships, and last of all its record.

First no login is possible any more; then its messages lose its name or go, a chunk of the log at a time; then its rooms
get new owners; the record goes last. After a refusal or a power cut the same command finishes the work.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from securechat.hub.accounts.names import owner_of_account
from securechat.hub.accounts.self_service import AccountService
from securechat.hub.context import HubContext
from securechat.hub.disconnection import Disconnection
from securechat.hub.messages.purges import PurgeDelivery
from securechat.hub.rooms.membership import RoomMembership
from securechat.hub.workflow import Commit, Workflow, amend
from securechat.model import Closing
from securechat.records.accounts import (
    Account,
    ApiToken,
    Certificate,
    Change,
    Committed,
    Drop,
    EraseSender,
    Login,
    Role,
    WriteAudit,
)
from securechat.text.refusals import refusal_for

_LAST_WORDS = Closing.of(refusal_for("account_deleted"))
_STOPPED = Closing.of(refusal_for("bot_stopped"))


class AccountDeletion:
    """Deletes accounts.

    Args:
        context: the directories that an account has to be taken out of.
        account_service, room_membership, disconnection: end its logins, its memberships and its connections.
    """

    def __init__(
        self,
        context: HubContext,
        account_service: AccountService,
        room_membership: RoomMembership,
        disconnection: Disconnection,
    ) -> None:
        self._context = context
        self._directory = context.accounts
        self._account_service = account_service
        self._room_membership = room_membership
        self._disconnection = disconnection
        self._purges = PurgeDelivery(context)

    def delete(
        self, account: Account, *, remove: bool, note: WriteAudit, progress: Callable[[float], None]
    ) -> Workflow[int]:
        """Delete an account.

        Args:
            account: which.
            remove: whether its messages are deleted, too; they lose its name otherwise.
            note: for the audit.
            progress: told how far the log has been looked through, from 0 to 1.

        Returns:
            How many messages were changed or deleted.

        Raises:
            Refusal: NOT_FOUND, another deletion was first; what the log says.
        """
        directory, sender_id = self._directory, account.sender_id
        yield from amend(directory, Account, sender_id, _without_password, (note,))
        self._disconnection.end_member(sender_id, _LAST_WORDS)
        yield Commit(self._credentials(sender_id))
        self._account_service.end_sessions(sender_id, None, _LAST_WORDS)
        directory.being_deleted.add(sender_id)  # a message to it from now on would keep its name
        try:
            count = yield from self._erase(sender_id, remove=remove, progress=progress)
            yield from self._leave_rooms(sender_id)
            bots = list(directory.bots_of.get(sender_id, ()))
            for each in bots:  # they stop for good, and would keep rooms from being forgotten
                yield from self._leave_rooms(each)
            yield Commit((Drop(Account, sender_id),))
            self._disconnection.end_member(sender_id, _LAST_WORDS)  # an administrator may have set a password since
            for each in bots:  # one may have got a token since
                self._disconnection.end_member(each, _STOPPED)
            self._context.names.free(account.name, owner_of_account(sender_id))
            return count
        finally:
            directory.being_deleted.discard(sender_id)

    def _credentials(self, sender_id: int) -> list[Change]:
        """Return what ends every way in: its own, and that of the bots it has made."""
        drops: list[Change] = [Drop(Login, row.login_id) for row in self._directory.logins_of(sender_id)]
        for each in (sender_id, *self._directory.bots_of.get(sender_id, ())):
            drops += [Drop(ApiToken, row.token_id) for row in self._directory.all_tokens_of(each)]
        return drops + [Drop(Certificate, row.certificate_id) for row in self._directory.certificates_of(sender_id)]

    def _erase(self, sender_id: int, *, remove: bool, progress: Callable[[float], None]) -> Workflow[int]:
        """Take the sender out of the log, a chunk at a time; return how many messages that has changed."""
        count, above = 0, 0
        while True:
            committed: Committed = yield Commit((EraseSender(sender_id, remove, above),))
            count += committed.count
            if committed.through is None:
                if remove:
                    self._purges.sender_removed(sender_id, committed.purged)
                return count
            above = committed.through
            progress(min(1.0, above / max(1, self._context.fed_seq)))

    def _leave_rooms(self, sender_id: int) -> Workflow[None]:
        """End one membership after the other; a room that loses its only owner gets another one."""
        while memberships := self._directory.room_directory.memberships_of(sender_id):
            yield from self._room_membership.forget_account(sender_id, memberships[0][0])


def _without_password(account: Account) -> Account:
    return replace(account, password=None, role=Role.MEMBER)
