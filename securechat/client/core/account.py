"""Actions on the user's own account: name, registration, passwords, logins, certificates.

Each action is one request and one answer. A request without an answer when the connection breaks is shown to the user
and not repeated, because the server may have carried it out. Only a change of name, harmless twice, is repeated.
"""

from __future__ import annotations

from typing import assert_never

from securechat import model
from securechat.client.core import actions, events
from securechat.client.core.context import CoreContext
from securechat.client.core.events.account import AccountAction
from securechat.client.core.events.requests import DeferredKind
from securechat.client.core.pending import PendingAccountAction, PendingRename
from securechat.errors import ErrorCode
from securechat.text.names import name_key

AccountAnswer = model.Registered | model.Done | model.LoginList | model.CertificateList


class AccountActions:
    """The account actions under way.

    Args:
        context: shared state.

    Attributes:
        logged_out: whether this login was ended, because the user asked for it.
    """

    def __init__(self, context: CoreContext) -> None:
        self.logged_out = False
        self._context = context
        self._rename_to: str | None = None

    def request(self, action: actions.AccountRequestAction) -> None:
        """Ask the server."""
        must_change = self._context.must_change and isinstance(action, actions.SetPassword | actions.EndLogin)
        if not must_change and not self._context.require_online():
            return
        match action:
            case actions.RegisterAccount(password):
                self._context.send(model.Register(self._ask(AccountAction.REGISTER), password))
            case actions.SetPassword(old, new):
                old = old or self._context.credentials.temporary
                self._context.send(model.ChangePassword(self._ask(AccountAction.CHANGE_PASSWORD), old, new))
            case actions.AskLogins():
                self._context.send(model.Logins(self._ask(AccountAction.ASK)))
            case actions.EndLogin(None):
                self._context.send(model.Logout(self._ask(AccountAction.LOG_OUT)))
            case actions.EndLogin(number):
                self._context.send(model.Logout(self._ask(AccountAction.END_LOGIN, number), number))
            case actions.AskCertificates():
                self._context.send(model.Certificates(self._ask(AccountAction.ASK)))
            case actions.AddLoginCertificate(fingerprint, label, key, proof):
                self._context.send(
                    model.AddCertificate(self._ask(AccountAction.ADD_CERTIFICATE), fingerprint, label, key, proof)
                )
            case actions.RemoveLoginCertificate(number):
                self._context.send(model.RemoveCertificate(self._ask(AccountAction.REMOVE_CERTIFICATE, number), number))
            case _:
                assert_never(action)

    def answered(self, event: AccountAnswer) -> None:
        """Take an answer."""
        request = self._context.requests.take(event.ref)
        if not isinstance(request, PendingAccountAction):
            return  # the answer to a question of an earlier connection
        match event:
            case model.Registered(_, name, token):
                self._context.credentials.registered(name, token)
                self._context.show(events.TokenReceived(name, token))
                self._context.show(events.AccountActionDone(AccountAction.REGISTER, name=name))
            case model.LoginList(_, logins, more):
                self._context.show(events.LoginsShown(tuple(logins), more))
            case model.CertificateList(_, certificates, presented, more):
                self._context.show(events.CertificatesShown(tuple(certificates), presented, more))
            case model.Done():
                if request.account_action is AccountAction.LOG_OUT:
                    self.logged_out = True
                    self.forget_login()
                else:
                    self._context.show(events.AccountActionDone(request.account_action, request.number))
            case _:
                assert_never(event)

    def closing(self, event: model.Closing) -> None:
        """Take the server's reason to close the connection."""
        if event.code is ErrorCode.LOGGED_OUT:
            pending = self._context.requests.unanswered
            asked = (request.account_action for request in pending if isinstance(request, PendingAccountAction))
            self.logged_out = self.logged_out or AccountAction.LOG_OUT in asked
            self.forget_login()

    def forget_login(self) -> None:
        """Forget the token of the current name: the login is over."""
        if self._context.credentials.forget(self._context.me.name):
            self._context.show(events.TokenLost(self._context.me.name))

    def unanswered(self, request: PendingAccountAction) -> None:
        """Tell that the connection broke before the answer."""
        if request.account_action is not AccountAction.ASK and not self.logged_out:
            self._context.show(events.AccountActionUnconfirmed(request.account_action))

    # --- the name -----------------------------------------------------------------------------------------------------

    def welcomed(self, event: model.Welcome) -> None:
        """Take the name and the token of a welcome."""
        context = self._context
        asked_for, context.me = context.me.name, model.Person(context.me.id, event.name)
        context.credentials.welcomed(event)
        if event.account and not event.token and name_key(asked_for) != name_key(event.name):
            self._move_token(asked_for, event.name)  # the account was renamed on another device

    def rename(self, name: str) -> None:
        """Ask for another name."""
        self._rename_to = None
        self._context.send(model.Nick(self._context.requests.ask(PendingRename(name)), name))

    def rename_later(self, name: str) -> None:
        """Ask for another name once back: a refusal then leaves the name as it is."""
        self._rename_to = name
        self._context.show(events.ActionDeferred(DeferredKind.NAME, name))

    def rename_unanswered(self, request: PendingRename) -> None:
        """Ask again on the next connection, unless the user has chosen yet another name."""
        self._rename_to = self._rename_to or request.name

    def resume(self) -> None:
        """Ask for the name that was chosen while away."""
        if self._rename_to is not None:
            self.rename(self._rename_to)

    def renamed(self, event: model.Named) -> None:
        """The user has another name."""
        context = self._context
        context.requests.take(event.ref)
        self._move_token(context.me.name, event.name)
        old, context.me = context.me.name, model.Person(context.me.id, event.name)
        context.see(context.me)
        context.show(events.MemberRenamed(context.me.id, old, event.name, me=True))

    def _move_token(self, old: str, new: str) -> None:
        if token := self._context.credentials.renamed(old, new):
            self._context.show(events.TokenLost(old))
            self._context.show(events.TokenReceived(new, token))

    def _ask(self, account_action: AccountAction, number: int | None = None) -> int:
        return self._context.requests.ask(PendingAccountAction(account_action, number))
