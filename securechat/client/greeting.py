"""From a connection to a member: the hello, what the server thinks of it, and what a person must give for the next.

`Greeting` stands between `Exchange`, which needs a member, and core.py, which makes connections. What a hello says is
the business of login.py.
"""

from __future__ import annotations

from typing import assert_never

from securechat.client import deeds
from securechat.client import happenings as told
from securechat.client import intents as want
from securechat.client.account import Account
from securechat.client.exchange import Exchange
from securechat.client.happenings import Impossible, Wish
from securechat.client.login import Login, Verdict
from securechat.client.patience import ANSWER_S, RETRY_S, Silence
from securechat.client.requests import Doing, Entering, Leaving, Ordering, Seeking
from securechat.client.state import Attention, Phase
from securechat.client.talk import pair
from securechat.errors import ErrorCode, Refusal
from securechat.model import Join, Leave, Person, Ping, Refused, Welcome
from securechat.names import LOBBY, check_name, name_key

FENCE = 0
"""Of the ping whose answer comes behind the rooms an account belongs to; patience.Silence counts from 1."""
ASKING = frozenset({Phase.NAMING, Phase.PROVING})
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
        attention: Attention,
        client: str,
        login: Login,
        *,
        typing: bool,
    ) -> None:
        super().__init__(name or "", rooms, recall, attention, typing=typing)
        self._login = login
        self._account = Account(login, self._requests, self._send, self._tell)
        self._client = client
        self._named = name is not None
        self._greet_at: float | None = None
        self._dial_at: float | None = 0.0
        self._silence: Silence | None = None
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
        self.phase = Phase.GREETING
        self._greet_at = None
        self._answer_by = now + ANSWER_S
        self._silence = Silence(now)
        self._commands.append(self._login.hello(self.me.name, self._client))

    def _hello_refused(self, event: Refused, now: float) -> None:
        if event.code is ErrorCode.LOGIN_EXPIRED:
            self._account.forget(self.me.name)
        self._answer_by = None
        match verdict := self._login.refused(event):
            case Verdict.ANOTHER_NAME:
                self.phase = Phase.NAMING
                self._named = False
                self._silence = None
                self._tell(told.NameRefused(self.me.name, event.code, event.text))
            case Verdict.PASSWORD | Verdict.NEW_PASSWORD:
                self.phase = Phase.PROVING
                self._silence = None
                new = verdict is Verdict.NEW_PASSWORD
                self._tell(deeds.PasswordNeeded(self.me.name, new, event.code, event.text))
            case Verdict.AGAIN:
                self._greet(now)
            case Verdict.LATER:
                delay_s = event.retry_after_s if event.retry_after_s is not None else RETRY_S
                self._greet_at = now + delay_s
                self._tell(deeds.LoginHeld(delay_s, event.code))
            case Verdict.OVER:
                version = event.code is ErrorCode.UNSUPPORTED_VERSION
                cause = told.EndCause.VERSION if version else told.EndCause.CLOSED
                self._end(told.Ended(cause, code=event.code, text=event.text))
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
            self._decline(Impossible.NAME_INVALID, name, refusal.detail)
            return
        if self._named and self.phase is Phase.ONLINE:
            self._rename(name)
        elif self._named and self._login.wanted is None:
            self._rename_to = name  # asked for once back: a refusal then costs nobody the name they have
            self._tell(told.Postponed(Wish.NAME, name))
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
        elif not first and (event.sender_id != self.me.id or event.live_from < self.feed.cursor):
            self._tell(told.HistoryReset())
            self.people.forget()
            self._reading.forget()
            self.feed.begin(event.live_from, seen)
        elif first:
            self.feed.begin(event.live_from, seen)
        else:
            resumed = True
            self.feed.resume(event.live_from)
        self.me = Person(event.sender_id, event.name)
        self.feed.me = event.sender_id
        self.people.see(*pair(self.me))
        self._outgoing.start_above(event.last_client_id)
        self._welcomed_at = now
        self.phase = Phase.REJOINING
        self._answer_by = now + ANSWER_S
        if event.token:
            self._tell(deeds.TokenReceived(event.name, event.token))
        if first:
            self._tell(told.Greeted(event.server, self.me, event.account, event.admin, event.must_change))
        else:
            self._tell(told.BackOnline(now - (self._lost_at if self._lost_at is not None else now)))
        if another:
            self._tell(deeds.BecameAnother(self.me))
        self._lost_at = None
        self._awaiting = {LOBBY}
        for room in sorted(self.membership.left_while_away):
            self._commands.append(Leave(self._requests.ask(Leaving(room, quiet=True)), room))
        self._rejoin(keeping=event.account and resumed)
        self.membership.left_while_away.clear()
        self._writing.forget()
        if event.account and not resumed and self._attention is not Attention.NOBODY:
            self._reading.wait()
            self._ask_unread()

    def _give_up_lines(self) -> None:
        """Lines under way were another device's, and may be stored: sent again they would be there twice."""
        if lost := self._outgoing.abandon():
            self._tell(told.LinesLost(lost))

    def _become_another(self, event: Welcome) -> None:
        """A guest logged in, or the other way round."""
        self._reading.forget()
        self.feed.begin(event.live_from, event.seen_seq if event.account else None)

    def _rejoin(self, *, keeping: bool) -> None:
        """Enter the rooms again, except those that an account belongs to: of these the server says itself."""
        kept = self.membership.kept() if keeping else set()
        self._unconfirmed = kept - {LOBBY} - self.membership.left_while_away
        self._confirmed = not self._login.account
        if not self._confirmed:
            self._commands.append(Ping(FENCE))
        rooms = [room for room in self.membership.wanted if room not in kept]
        self._awaiting.update(rooms)
        for start in range(0, len(rooms), 100):  # Join takes at most 100 (model.py)
            some = rooms[start : start + 100]
            self._commands.append(Join(self._requests.ask(Entering(set(some), again=True)), some))

    # --- the own account ----------------------------------------------------------------------------------------------

    def _about_account(self, intent: want.AccountIntent) -> None:
        if self.phase is Phase.ONLINE:
            self._account.wish(intent)
        else:
            self._decline(Impossible.AWAY)

    def _end_when_logged_out(self) -> None:
        if self._account.logged_out:
            self._end(told.Ended(told.EndCause.LOGGED_OUT))

    def _unanswered(self, request: Doing | Ordering | Seeking) -> None:
        if not isinstance(request, Doing):
            super()._unanswered(request)
        elif not self._account.logged_out:
            self._account.unanswered(request)

    def _renamed(self, name: str) -> None:
        self._move_token(self.me.name, name)
        super()._renamed(name)

    def _move_token(self, old: str, new: str) -> None:
        if token := self._login.renamed(old, new):
            self._tell(deeds.TokenLost(old))
            self._tell(deeds.TokenReceived(new, token))

    def _end(self, ended: told.Ended) -> None:
        """Nothing follows."""
        raise NotImplementedError
