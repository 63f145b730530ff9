"""What a member does to the own account: register, passwords, logins, certificates.

Every deed is one request and one answer; what was not answered when the connection broke is told, never repeated by
itself, because it may have been done. Knows no connection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from securechat import model
from securechat.client.core import actions, events
from securechat.client.core.credentials import Credentials
from securechat.client.core.events.account import AccountAction
from securechat.client.core.events.connection import UiEvent
from securechat.client.core.pending import PendingAccountAction, PendingRequests

AccountAnswer = model.Registered | model.Done | model.LoginList | model.CertificateList


class AccountActions:
    """The deeds under way.

    Args:
        login: learns new tokens, and which to forget.
        requests: numbers the questions.
        send: takes a command.
        tell: takes a happening.

    Attributes:
        logged_out: whether this login was ended, at the user's wish.
    """

    def __init__(
        self,
        login: Credentials,
        requests: PendingRequests,
        send: Callable[[model.Command], None],
        tell: Callable[[UiEvent], None],
    ) -> None:
        self.logged_out = False
        self._login = login
        self._requests = requests
        self._send = send
        self._tell = tell

    def wish(self, action: actions.AccountRequestAction) -> None:
        """Ask the server; there is a connection."""
        match action:
            case actions.RegisterAccount(password):
                self._send(model.Register(self._ask(AccountAction.REGISTER), password))
            case actions.SetPassword(old, new):
                self._send(model.ChangePassword(self._ask(AccountAction.CHANGE_PASSWORD), old, new))
            case actions.AskLogins():
                self._send(model.Logins(self._ask(AccountAction.ASK)))
            case actions.EndLogin(None):
                self._send(model.Logout(self._ask(AccountAction.LOG_OUT)))
            case actions.EndLogin(number):
                self._send(model.Logout(self._ask(AccountAction.END_LOGIN, number), number))
            case actions.AskCertificates():
                self._send(model.Certificates(self._ask(AccountAction.ASK)))
            case actions.AddLoginCertificate(fingerprint, label, key, proof):
                self._send(
                    model.AddCertificate(self._ask(AccountAction.ADD_CERTIFICATE), fingerprint, label, key, proof)
                )
            case actions.RemoveLoginCertificate(number):
                self._send(model.RemoveCertificate(self._ask(AccountAction.REMOVE_CERTIFICATE, number), number))
            case _:
                assert_never(action)

    def answered(self, event: AccountAnswer, me: model.Person) -> None:
        """Take an answer."""
        request = self._requests.get(event.ref)
        self._requests.close(event.ref)
        if not isinstance(request, PendingAccountAction):
            return  # the answer to a question of an earlier connection
        match event:
            case model.Registered(_, name, token):
                self._login.registered(name, token)
                self._tell(events.TokenReceived(name, token))
                self._tell(events.AccountActionDone(AccountAction.REGISTER, name=name))
            case model.LoginList(_, logins, more):
                self._tell(events.LoginsShown(tuple(logins), more))
            case model.CertificateList(_, certificates, presented, more):
                self._tell(events.CertificatesShown(tuple(certificates), presented, more))
            case model.Done():
                if request.account_action is AccountAction.LOG_OUT:
                    self.logged_out = True
                    self.forget(me.name)
                else:
                    self._tell(events.AccountActionDone(request.account_action, request.number))
            case _:
                assert_never(event)

    @property
    def logging_out(self) -> bool:
        """Whether the server was asked to end this login."""
        asked = (
            request.account_action for request in self._requests.unanswered if isinstance(request, PendingAccountAction)
        )
        return self.logged_out or AccountAction.LOG_OUT in asked

    def forget(self, name: str) -> None:
        """The login of this name is over."""
        if self._login.forget(name):
            self._tell(events.TokenLost(name))

    def unanswered(self, request: PendingAccountAction) -> None:
        """The connection is gone, and the answer with it."""
        if request.account_action is not AccountAction.ASK:
            self._tell(events.AccountActionUnconfirmed(request.account_action))

    def _ask(self, account_action: AccountAction, number: int | None = None) -> int:
        return self._requests.ask(PendingAccountAction(account_action, number))
