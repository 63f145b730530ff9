"""From a connection to a member: the hello, what the server thinks of it, and what a person must give for the next.

`Greeting` stands between `Exchange`, which needs a member, and core.py, which makes connections. What a hello says is
the business of login.py.
"""

from __future__ import annotations

from typing import assert_never

from securechat.client.core import actions, events
from securechat.client.core.account import AccountActions
from securechat.client.core.conversing import pair
from securechat.client.core.credentials import Credentials, HelloOutcome
from securechat.client.core.events.connection import DeferredKind, RejectReason
from securechat.client.core.pending import (
    PendingAccountAction,
    PendingJoin,
    PendingLeave,
    PendingModeration,
    PendingNameLookup,
)
from securechat.client.core.queries import Exchange
from securechat.client.core.state import ConnectionPhase, Visibility
from securechat.client.core.timing import ANSWER_S, RETRY_S, Liveness
from securechat.errors import ErrorCode, Refusal
from securechat.model import Join, Leave, Person, Ping, Refused, Welcome
from securechat.text.names import LOBBY, check_name, name_key

FENCE = 0
"""Of the ping whose answer comes behind the rooms an account belongs to; patience.Silence counts from 1."""
ASKING = frozenset({ConnectionPhase.NAMING, ConnectionPhase.PROVING})
"""Connected, and a person must answer first."""


class Greeting(Exchange):
    """An `Exchange` that knows how to get in.

    Args:
        name: the name to ask for; None asks the user once connected.
        rooms: as for `Talk`.
        recall: as for `Talk`.
        attention: as for `Talk`.
        typing: as for `Exchange`.
        client: program and version, for the server's log.
        login: what proves who we are.
    """

    def __init__(
        self,
        name: str | None,
        rooms: tuple[str, ...],
        recall: int,
        attention: Visibility,
        client: str,
        login: Credentials,
        *,
        typing: bool,
    ) -> None:
        super().__init__(name or "", rooms, recall, attention, typing=typing)
        self._login = login
        self._account = AccountActions(login, self._requests, self._send, self._tell)
        self._client = client
        self._named = name is not None
        self._greet_at: float | None = None
        self._dial_at: float | None = 0.0
        self._liveness: Liveness | None = None
        self._welcomed_at: float | None = None
        self._lost_at: float | None = None

    @property
    def account(self) -> bool:
        """Whether the last welcome was an account's."""
        return self._login.account

    @property
    def _waits_for_a_person(self) -> bool:
        return not self._named or self._login.wanted is not None

    # --- the hello ----------------------------------------------------------------------------------------------------

    def _greet(self, now: float) -> None:
        self.phase = ConnectionPhase.GREETING
        self._greet_at = None
        self._answer_by = now + ANSWER_S
        self._liveness = Liveness(now)
        self._commands.append(self._login.hello(self.me.name, self._client))

    def _hello_refused(self, event: Refused, now: float) -> None:
        if event.code is ErrorCode.LOGIN_EXPIRED:
            self._account.forget(self.me.name)
        self._answer_by = None
        match verdict := self._login.refused(event):
            case HelloOutcome.ANOTHER_NAME:
                self.phase = ConnectionPhase.NAMING
                self._named = False
                self._liveness = None
                self._tell(events.NameRefused(self.me.name, event.code, event.text))
            case HelloOutcome.PASSWORD | HelloOutcome.NEW_PASSWORD:
                self.phase = ConnectionPhase.PROVING
                self._liveness = None
                new = verdict is HelloOutcome.NEW_PASSWORD
                self._tell(events.PasswordNeeded(self.me.name, new, event.code, event.text))
            case HelloOutcome.AGAIN:
                self._greet(now)
            case HelloOutcome.LATER:
                delay_s = event.retry_after_s if event.retry_after_s is not None else RETRY_S
                self._greet_at = now + delay_s
                self._tell(events.LoginDelayed(delay_s, event.code))
            case HelloOutcome.OVER:
                version = event.code is ErrorCode.UNSUPPORTED_VERSION
                cause = events.EndReason.VERSION if version else events.EndReason.CLOSED
                self._end(events.ClientEnded(cause, code=event.code, text=event.text))
            case _:
                assert_never(verdict)

    def _give_password(self, password: str, now: float) -> None:
        if self._login.wanted is not None:
            self._login.gave(password)
            self._greet_or_dial(now)

    def _choose_name(self, name: str, now: float) -> None:
        try:
            name = check_name(name)
        except Refusal as refusal:
            self._decline(RejectReason.NAME_INVALID, name, refusal.detail)
            return
        if self._named and self.phase is ConnectionPhase.ONLINE:
            self._rename(name)
        elif self._named and self._login.wanted is None:
            self._rename_to = name  # asked for once back: a refusal then costs nobody the name they have
            self._tell(events.ActionDeferred(DeferredKind.NAME, name))
        else:
            self.me = Person(self.me.id, name)
            self._named = True
            self._login.chose_name()
            self._greet_or_dial(now)

    def _greet_or_dial(self, now: float) -> None:
        """What was missing for the hello is there."""
        if self.phase in ASKING:
            self._greet(now)
        else:
            self._dial_at = now

    # --- the welcome --------------------------------------------------------------------------------------------------

    def _welcomed(self, event: Welcome, now: float) -> None:
        first = self._welcomed_at is None
        asked_for, self.me = self.me.name, Person(self.me.id, event.name)
        self._login.welcomed(event)
        if event.account and not event.token and name_key(asked_for) != name_key(event.name):
            self._move_token(asked_for, event.name)  # the account was renamed elsewhere
        seen = event.seen_seq if event.account else None
        exchanged = self._login.became_somebody_else() and not first
        another = exchanged and event.sender_id != self.me.id
        if exchanged:
            self._give_up_lines()
        resumed = False
        if another:
            self._become_another(event)
        elif not first and (event.sender_id != self.me.id or event.live_from < self.timeline.cursor):
            self._tell(events.HistoryReset())
            self.people.forget()
            self._read_markers.forget()
            self.timeline.begin(event.live_from, seen)
        elif first:
            self.timeline.begin(event.live_from, seen)
        else:
            resumed = True
            self.timeline.resume(event.live_from)
        self.me = Person(event.sender_id, event.name)
        self.timeline.me = event.sender_id
        self.people.see(*pair(self.me))
        self._send_queue.start_above(event.last_client_id)
        self._welcomed_at = now
        self.phase = ConnectionPhase.REJOINING
        self._answer_by = now + ANSWER_S
        if event.token:
            self._tell(events.TokenReceived(event.name, event.token))
        if first:
            self._tell(events.LoggedIn(event.server, self.me, event.account, event.admin, event.must_change))
        else:
            self._tell(events.BackOnline(now - (self._lost_at if self._lost_at is not None else now)))
        if another:
            self._tell(events.IdentityChanged(self.me))
        self._lost_at = None
        self._awaiting = {LOBBY}
        for room in sorted(self.membership.left_while_away):
            self._commands.append(Leave(self._requests.ask(PendingLeave(room, quiet=True)), room))
        self._rejoin(state_recorder=event.account and resumed)
        self.membership.left_while_away.clear()
        self._typing_state.forget()
        if event.account and not resumed and self._attention is not Visibility.NOBODY:
            self._read_markers.wait()
            self._ask_unread()

    def _give_up_lines(self) -> None:
        """Lines under way were another device's, and may be stored: sent again they would be there twice."""
        if lost := self._send_queue.abandon():
            self._tell(events.MessagesLost(lost))

    def _become_another(self, event: Welcome) -> None:
        """A guest logged in, or the other way round."""
        self._read_markers.forget()
        self.timeline.begin(event.live_from, event.seen_seq if event.account else None)

    def _rejoin(self, *, state_recorder: bool) -> None:
        """Enter the rooms again, except those that an account belongs to: of these the server says itself."""
        kept = self.membership.kept() if state_recorder else set()
        self._unconfirmed = kept - {LOBBY} - self.membership.left_while_away
        self._confirmed = not self._login.account
        if not self._confirmed:
            self._commands.append(Ping(FENCE))
        rooms = [room for room in self.membership.wanted if room not in kept]
        self._awaiting.update(rooms)
        for start in range(0, len(rooms), 100):  # Join takes at most 100 (model.py)
            some = rooms[start : start + 100]
            self._commands.append(Join(self._requests.ask(PendingJoin(set(some), again=True)), some))

    # --- the own account ----------------------------------------------------------------------------------------------

    def _about_account(self, action: actions.AccountRequestAction) -> None:
        if self.phase is ConnectionPhase.ONLINE:
            self._account.wish(action)
        else:
            self._decline(RejectReason.AWAY)

    def _end_when_logged_out(self) -> None:
        if self._account.logged_out:
            self._end(events.ClientEnded(events.EndReason.LOGGED_OUT))

    def _unanswered(self, request: PendingAccountAction | PendingModeration | PendingNameLookup) -> None:
        if not isinstance(request, PendingAccountAction):
            super()._unanswered(request)
        elif not self._account.logged_out:
            self._account.unanswered(request)

    def _renamed(self, name: str) -> None:
        self._move_token(self.me.name, name)
        super()._renamed(name)

    def _move_token(self, old: str, new: str) -> None:
        if token := self._login.renamed(old, new):
            self._tell(events.TokenLost(old))
            self._tell(events.TokenReceived(new, token))

    def _end(self, ended: events.ClientEnded) -> None:
        """Nothing follows."""
        raise NotImplementedError
