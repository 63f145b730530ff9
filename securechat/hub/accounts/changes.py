"""Changes of one durable record: each starts from what the change before it has left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from securechat.hub.accounts.directory import AccountDirectory
from securechat.hub.workflow import Commit, Turn, Workflow
from securechat.records.accounts import Account, Change, Committed, Invite, Put
from securechat.text.refusals import refusal_for

_RowT = TypeVar("_RowT", Account, Invite)


def amend(
    accounts: AccountDirectory,
    kind: type[_RowT],
    number: int,
    edit: Callable[[_RowT], _RowT],
    others: Sequence[Change] = (),
) -> Workflow[Committed]:
    """Change one record that is there, and make other changes along with it.

    Args:
        accounts: has the record.
        kind: its kind.
        number: its number; the sender_id of an account.
        edit: returns the record as it shall be; it may refuse.
        others: the changes along with it.

    Raises:
        Refusal: NOT_FOUND, the record is gone, or going; what ``edit`` raises; what the log says.
    """
    with (yield Turn((kind, number))):
        row = accounts.present(kind, number)
        if row is None:
            raise refusal_for("record_gone")
        committed: Committed = yield Commit((Put(edit(row)), *others))
        return committed
