"""Deleting an account: out of the door, out of the log, out of its rooms, and only then out of the registry.

First nobody can log in any more; then its messages lose its name or go, a stretch of the log at a time; then its rooms
get heirs; the account goes last. So whatever comes between, down to a power cut, the same command can finish it.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from securechat.errors import ErrorCode
from securechat.hub.claims import owner_of_account
from securechat.hub.desk import Desk
from securechat.hub.entrance import Entrance
from securechat.hub.floor import Floor
from securechat.hub.people import Account, Certificate, Change, Drop, Login, Note, Recorded, Role, Scrub
from securechat.hub.ports import NotAppended
from securechat.hub.registry import Registry
from securechat.model import Closing

Told = Callable[[int | NotAppended], None]
_LAST_WORDS = Closing(ErrorCode.KICKED, "this account was deleted by an administrator")


class Deletion:
    """One account on its way out.

    Args:
        account: which.
        remove: whether its messages go, too.
        registry, entrance, desk, floor: where it has to be taken out of.
        expel: ends all its connections with these last words.
        last_seq: tells the end of the log, for the progress.
        progress: told how far the log has been looked through, from 0 to 1.
        done: told how many messages were changed or removed, or why it could not be finished.
    """

    def __init__(
        self,
        account: Account,
        *,
        remove: bool,
        registry: Registry,
        entrance: Entrance,
        desk: Desk,
        floor: Floor,
        expel: Callable[[int, Closing], int],
        last_seq: Callable[[], int],
        progress: Callable[[float], None],
        done: Told,
    ) -> None:
        self._account = account
        self._sender_id = account.sender_id
        self._remove = remove
        self._registry = registry
        self._entrance = entrance
        self._desk = desk
        self._floor = floor
        self._expel = expel
        self._last_seq = last_seq
        self._progress = progress
        self._done = done
        self._count = 0

    def begin(self, note: Note) -> None:
        """Lock the door: the password means nothing any more."""
        self._registry.amend(
            Account,
            self._sender_id,
            lambda row: replace(row, password=None, role=Role.MEMBER),
            (note,),
            self._then(self._end_logins),
        )

    def _end_logins(self, _: Recorded) -> None:
        self._expel(self._sender_id, _LAST_WORDS)
        keys: list[Change] = [Drop(Login, row.login_id) for row in self._registry.logins_of(self._sender_id)]
        keys += [Drop(Certificate, row.certificate_id) for row in self._registry.certificates_of(self._sender_id)]
        self._registry.change(keys, self._then(self._begin_scrubbing))

    def _begin_scrubbing(self, _: Recorded) -> None:
        self._desk.outdate(self._sender_id, None)
        self._registry.departing.add(self._sender_id)  # what is written to it from now on would keep its name
        self._scrub(0)

    def _scrub(self, above: int) -> None:
        self._registry.change((Scrub(self._sender_id, self._remove, above),), self._then(self._scrubbed))

    def _scrubbed(self, answer: Recorded) -> None:
        self._count += answer.count
        if answer.through is None:
            self._leave_next(Recorded())
        else:
            self._progress(min(1.0, answer.through / max(1, self._last_seq())))
            self._scrub(answer.through)

    def _leave_next(self, _: Recorded) -> None:
        """Out of a room: one that loses its only owner needs an heir."""
        places = self._registry.rulebook.memberships_of(self._sender_id)
        if places:
            self._floor.drop(self._sender_id, places[0][0].name, (), self._then(self._leave_next))
        else:
            self._registry.change((Drop(Account, self._sender_id),), self._dropped)

    def _dropped(self, answer: Recorded | NotAppended) -> None:
        self._entrance.claims.free(self._account.name, owner_of_account(self._sender_id))
        self._finished(answer if isinstance(answer, NotAppended) else self._count)

    def _then(self, step: Callable[[Recorded], None]) -> Callable[[Recorded | NotAppended], None]:
        """Go on with this, or say why not."""

        def recorded(answer: Recorded | NotAppended) -> None:
            if isinstance(answer, NotAppended):
                self._finished(answer)
            else:
                step(answer)

        return recorded

    def _finished(self, answer: int | NotAppended) -> None:
        self._registry.departing.discard(self._sender_id)
        self._done(answer)
