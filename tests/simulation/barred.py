"""What is tried on a connection that came in by a temporary password: nothing of it may be done, whoever the client is.

Our own client asks for another password and holds everything else back. So the requests here go beside it, as another
program would send them, and their answers do not reach it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from securechat.errors import ErrorCode
from securechat.model import (
    Acked,
    AskUnread,
    Command,
    Event,
    History,
    Join,
    Logins,
    Nick,
    Refused,
    Say,
    Search,
    SetRoom,
    Welcome,
    Who,
)
from securechat.testing.log_checks import HistoryBroken
from securechat.text.names import LOBBY

if TYPE_CHECKING:
    import random

_REF = 1 << 50
"""Above every number that the client uses."""


class BarredRequests:
    """The requests beside one client, by number.

    Args:
        who: names the client in a complaint.
        dice: choose among them.
        welcome: says that the password must be changed.
        may_be_over: tells whether another password was on its way when the welcome was said: a connection that broke
            had asked for it, and had no answer.

    Attributes:
        commands: to be sent before anything else.
    """

    def __init__(self, who: str, dice: random.Random, welcome: Welcome, may_be_over: Callable[[], bool]) -> None:
        self._who = who
        self._may_be_over = may_be_over
        self._client_id = welcome.last_client_id + 1
        some: tuple[Command, ...] = (
            History(_REF, after=0), Search(_REF + 1, "tea"), AskUnread(_REF + 2), Join(_REF + 3, ["ops"]),
            Who(_REF + 4, LOBBY), Nick(_REF + 5, "nobody"), SetRoom(_REF + 6, "ops", topic="mine"), Logins(_REF + 7),
            Say(self._client_id, LOBBY, "not to be said"),
        )  # fmt: skip
        self.commands = dice.sample(some, 2)
        self._waits_for_draft = any(isinstance(command, Say) for command in self.commands)

    def takes(self, event: Event) -> bool:
        """Whether an event answers one of them.

        Raises:
            HistoryBroken: it does, and is no refusal for the temporary password.
        """
        if isinstance(event, Acked | Refused) and event.client_id == self._client_id and self._waits_for_draft:
            self._waits_for_draft = False
        elif (getattr(event, "ref", None) or 0) < _REF:
            return False
        is_refused = isinstance(event, Refused) and event.code is ErrorCode.PASSWORD_TEMPORARY
        if not is_refused and not self._may_be_over():
            raise HistoryBroken(f"{self._who} came in by a temporary password, and is answered {event}"[:400])
        return True
