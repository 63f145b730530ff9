"""Deleting an account: out of the door, out of the log, out of its rooms, and only then out of the registry.

First nobody can log in any more; then its messages lose its name or go, a stretch of the log at a time; then its rooms
get heirs; the account goes last. So whatever comes between, down to a power cut, the same command can finish it.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from securechat.errors import ErrorCode, Refusal
from securechat.hub.accounts.names import owner_of_account
from securechat.hub.accounts.self_service import AccountService
from securechat.hub.context import HubContext
from securechat.hub.disconnection import Disconnection
from securechat.hub.rooms.membership import RoomMembership
from securechat.hub.rooms.room import HubRoom
from securechat.hub.workflow import Workflow
from securechat.model import Closing
from securechat.records.accounts import (
    Account,
    Certificate,
    Change,
    Committed,
    Drop,
    EraseSender,
    Login,
    Role,
    WriteAudit,
)
from securechat.records.log import NotAppended

DeletionDone = Callable[[int | NotAppended], None]
_LAST_WORDS = Closing(ErrorCode.KICKED, "this account was deleted by an administrator")


class AccountDeletion:
    """One account on its way out.

    Args:
        account: which.
        remove: whether its messages go, too.
        context: the directories it has to be taken out of.
        account_service, room_membership, disconnection: end its logins, its memberships and its connections.
        progress: told how far the log has been looked through, from 0 to 1.
        done: told how many messages were changed or removed, or why it could not be finished.
    """

    def __init__(
        self,
        account: Account,
        *,
        remove: bool,
        context: HubContext,
        account_service: AccountService,
        room_membership: RoomMembership,
        disconnection: Disconnection,
        progress: Callable[[float], None],
        done: DeletionDone,
    ) -> None:
        self._account = account
        self._sender_id = account.sender_id
        self._remove = remove
        self._context = context
        self._directory = context.accounts
        self._account_service = account_service
        self._room_membership = room_membership
        self._disconnection = disconnection
        self._progress = progress
        self._done = done
        self._count = 0

    def begin(self, note: WriteAudit) -> None:
        """Lock the door: the password means nothing any more."""
        self._directory.amend(
            Account,
            self._sender_id,
            lambda row: replace(row, password=None, role=Role.MEMBER),
            (note,),
            self._then(self._end_logins),
        )

    def _end_logins(self, _: Committed) -> None:
        self._disconnection.end_member(self._sender_id, _LAST_WORDS)
        keys: list[Change] = [Drop(Login, row.login_id) for row in self._directory.logins_of(self._sender_id)]
        keys += [Drop(Certificate, row.certificate_id) for row in self._directory.certificates_of(self._sender_id)]
        self._directory.change(keys, self._then(self._begin_erasing))

    def _begin_erasing(self, _: Committed) -> None:
        self._account_service.end_sessions(self._sender_id, None)
        self._directory.being_deleted.add(self._sender_id)  # what is written to it from now on would keep its name
        self._erase(0)

    def _erase(self, above: int) -> None:
        self._directory.change((EraseSender(self._sender_id, self._remove, above),), self._then(self._erased))

    def _erased(self, answer: Committed) -> None:
        self._count += answer.count
        if answer.through is None:
            self._leave_next(Committed())
        else:
            self._progress(min(1.0, answer.through / max(1, self._context.fed_seq)))
            self._erase(answer.through)

    def _leave_next(self, _: Committed) -> None:
        """Out of a room: one that loses its only owner needs an heir."""
        room_records = self._directory.room_directory.memberships_of(self._sender_id)
        if room_records:
            self._context.workflows.run(self._leave(room_records[0][0]))
        else:
            self._directory.change((Drop(Account, self._sender_id),), self._dropped)

    def _leave(self, room: HubRoom) -> Workflow[None]:
        try:
            yield from self._room_membership.forget_account(self._sender_id, room)
        except Refusal as refusal:
            self._finished(NotAppended.of(refusal))
        else:
            self._leave_next(Committed())

    def _dropped(self, answer: Committed | NotAppended) -> None:
        self._context.names.free(self._account.name, owner_of_account(self._sender_id))
        self._finished(answer if isinstance(answer, NotAppended) else self._count)

    def _then(self, step: Callable[[Committed], None]) -> Callable[[Committed | NotAppended], None]:
        """Go on with this, or say why not."""

        def recorded(answer: Committed | NotAppended) -> None:
            if isinstance(answer, NotAppended):
                self._finished(answer)
            else:
                step(answer)

        return recorded

    def _finished(self, answer: int | NotAppended) -> None:
        self._directory.being_deleted.discard(self._sender_id)
        self._done(answer)
