"""What a member does to the own account: register, passwords, logins, certificates.

Every deed is one request and one answer; what was not answered when the connection broke is told, never repeated by
itself, because it may have been done. Knows no connection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from securechat import model
from securechat.client import deeds
from securechat.client import intents as want
from securechat.client.deeds import Deed
from securechat.client.happenings import Happening
from securechat.client.login import Login
from securechat.client.requests import Doing, Requests

Answer = model.Registered | model.Done | model.LoginList | model.CertificateList


class Account:
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
        login: Login,
        requests: Requests,
        send: Callable[[model.Command], None],
        tell: Callable[[Happening], None],
    ) -> None:
        self.logged_out = False
        self._login = login
        self._requests = requests
        self._send = send
        self._tell = tell

    def wish(self, intent: want.AccountIntent) -> None:
        """Ask the server; there is a connection."""
        match intent:
            case want.Register(password):
                self._send(model.Register(self._ask(Deed.REGISTER), password))
            case want.ChangePassword(old, new):
                self._send(model.ChangePassword(self._ask(Deed.CHANGE_PASSWORD), old, new))
            case want.AskLogins():
                self._send(model.Logins(self._ask(Deed.ASK)))
            case want.EndLogin(None):
                self._send(model.Logout(self._ask(Deed.LOG_OUT)))
            case want.EndLogin(number):
                self._send(model.Logout(self._ask(Deed.END_LOGIN, number), number))
            case want.AskCertificates():
                self._send(model.Certificates(self._ask(Deed.ASK)))
            case want.AddCertificate(fingerprint, label, key, proof):
                self._send(model.AddCertificate(self._ask(Deed.ADD_CERTIFICATE), fingerprint, label, key, proof))
            case want.RemoveCertificate(number):
                self._send(model.RemoveCertificate(self._ask(Deed.REMOVE_CERTIFICATE, number), number))
            case _:
                assert_never(intent)

    def answered(self, event: Answer, me: model.Person) -> None:
        """Take an answer."""
        request = self._requests.get(event.ref)
        self._requests.close(event.ref)
        if not isinstance(request, Doing):
            return  # the answer to a question of an earlier connection
        match event:
            case model.Registered(_, name, token):
                self._login.registered(name, token)
                self._tell(deeds.TokenReceived(name, token))
                self._tell(deeds.DeedDone(Deed.REGISTER, name=name))
            case model.LoginList(_, logins, more):
                self._tell(deeds.LoginsShown(tuple(logins), more))
            case model.CertificateList(_, certificates, presented, more):
                self._tell(deeds.CertificatesShown(tuple(certificates), presented, more))
            case model.Done():
                if request.deed is Deed.LOG_OUT:
                    self.logged_out = True
                    self.forget(me.name)
                else:
                    self._tell(deeds.DeedDone(request.deed, request.number))
            case _:
                assert_never(event)

    @property
    def logging_out(self) -> bool:
        """Whether the server was asked to end this login."""
        asked = (request.deed for request in self._requests.unanswered if isinstance(request, Doing))
        return self.logged_out or Deed.LOG_OUT in asked

    def forget(self, name: str) -> None:
        """The login of this name is over."""
        if self._login.forget(name):
            self._tell(deeds.TokenLost(name))

    def unanswered(self, request: Doing) -> None:
        """The connection is gone, and the answer with it."""
        if request.deed is not Deed.ASK:
            self._tell(deeds.DeedUnanswered(request.deed))

    def _ask(self, deed: Deed, number: int | None = None) -> int:
        return self._requests.ask(Doing(deed, number))
