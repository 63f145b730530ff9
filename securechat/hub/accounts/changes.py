"""Makes changes of accounts and rooms: durable first, then in memory, then told.

So memory is never ahead of the disk, and a crash takes back nothing that was shown. While a change is on its way to the
log, what it drops proves nothing any more, and the name of an account that it makes is not free.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from securechat.containment import Vital, vital
from securechat.hub.accounts.directory import AccountDirectory
from securechat.hub.interfaces import MessageLog
from securechat.records.accounts import (
    Account,
    AccountRow,
    ApiToken,
    Certificate,
    Change,
    Committed,
    Drop,
    Login,
    OutgoingWebhook,
    Put,
    with_sender,
)
from securechat.records.log import Identity, NotAppended
from securechat.records.rooms import Membership, PutMembership
from securechat.text.confusables import skeleton
from securechat.text.refusals import refusal_for

_Answer: TypeAlias = Committed | Identity | NotAppended


class RecordChanges:
    """Makes changes.

    Args:
        log: makes them durable.
        directory: has them in memory.

    Attributes:
        before_answer: called before each change is applied and its asker told. The hub ends the connections of logins
            and tokens there that earlier changes of the same batch have dropped: an answer may show a room.
    """

    def __init__(self, log: MessageLog, directory: AccountDirectory) -> None:
        self._log = log
        self._directory = directory
        self.before_answer: Callable[[], None] = lambda: None

    def commit(self, changes: Sequence[Change], then: Callable[[Committed | NotAppended], None] | None = None) -> None:
        """Make changes, all or none; ``then`` is told.

        A login, token, certificate or membership of an account that is gone, or going, is refused: ``then`` hears
        NOT_FOUND.
        """
        self._make(changes, then, lambda done: self._log.record(changes, done))

    def identify(
        self,
        secret_hash: bytes,
        name: str,
        key: str,
        then: Callable[[Identity | NotAppended], None],
        account: int | None = None,
        changes: Sequence[Change] = (),
    ) -> None:
        """Find or make a sender, and make changes along with it, as `commit`; see `MessageLog.identify`."""
        self._make(changes, then, lambda done: self._log.identify(secret_hash, name, key, done, account, changes))

    def _make(
        self,
        changes: Sequence[Change],
        then: Callable[[Any], None] | None,
        ask: Callable[[Callable[[_Answer], None]], None],
    ) -> None:
        directory = self._directory
        fresh = {row.sender_id: row for row in _put_rows(changes) if isinstance(row, Account)}
        if not all(self._has_owner(row, fresh) for row in _put_rows(changes)):
            if then is not None:
                then(NotAppended.of(refusal_for("record_gone")))
            return
        arriving = {skeleton(row.name): row for number, row in fresh.items() if number not in directory.accounts}
        leaving = {(change.kind, change.number) for change in changes if isinstance(change, Drop)}
        directory.arriving |= arriving
        directory.leaving |= leaving

        def give_back() -> None:
            directory.leaving.difference_update(leaving)
            for looks in arriving:
                directory.arriving.pop(looks, None)

        def done(answer: _Answer) -> None:
            vital(Vital.CHANGES, self.before_answer)()
            give_back()
            if not isinstance(answer, NotAppended) and (not isinstance(answer, Identity) or answer.stored):
                vital(Vital.CHANGES, self._apply)(changes, answer)
            try:
                if then is not None:
                    then(answer)
            finally:  # a connection whose login is dropped ends, even if the asker's code raises
                ended = {number for kind, number in leaving if kind is Login}
                if ended and not isinstance(answer, NotAppended):
                    directory.ended_logins |= ended

        try:
            ask(done)
        except BaseException:
            give_back()
            raise

    def _apply(self, changes: Sequence[Change], answer: Committed | Identity) -> None:
        if isinstance(answer, Identity):
            self._directory.apply(with_sender(changes, answer.sender_id), ())
        else:
            self._directory.apply(changes, answer.dropped)

    def _has_owner(self, row: AccountRow | Membership, fresh: Mapping[int, Account]) -> bool:
        if not isinstance(row, Login | ApiToken | OutgoingWebhook | Certificate | Membership):
            return True
        return row.sender_id in fresh or self._directory.living(row.sender_id) is not None


def _put_rows(changes: Iterable[Change]) -> Iterator[AccountRow | Membership]:
    return (change.row for change in changes if isinstance(change, Put | PutMembership))
