"""UI events about the user's identity and account: names, passwords, logins, certificates.

Secrets in them do not show in their repr.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from msgspec import Struct

from securechat.errors import ErrorCode
from securechat.model import CertificateInfo, LoginInfo, Person, Secretive


class NameNeeded(Struct, frozen=True):
    """The connection is verified; the user has to choose a name."""


class NameRefused(Struct, frozen=True):
    """The server refused the name; the user has to choose another."""

    name: str
    code: ErrorCode
    text: str
    reason: str = ""
    arguments: Mapping[str, str | int] = {}


class NameKept(Struct, frozen=True):
    """The name is kept for a member who lost the connection; the core tries again by itself, or takes another name."""

    name: str
    retry_after_s: float


class PasswordNeeded(Struct, frozen=True):
    """The server asks for the password of the name, or (``new``) for one chosen for an invite.

    Another name is an answer too.
    """

    name: str
    new: bool
    code: ErrorCode
    text: str
    reason: str = ""
    arguments: Mapping[str, str | int] = {}


class LoginDelayed(Struct, frozen=True):
    """The server answers the hello later; the core repeats it by itself."""

    retry_after_s: float
    code: ErrorCode


class PasswordTemporary(Struct, frozen=True):
    """An administrator has set the account's password: until the user sets another, the server takes nothing else.

    Attributes:
        name: of the account.
        knows_old: whether the core has the temporary password, so that the user need not type it again.
    """

    name: str
    knows_old: bool


class LoggedIn(Struct, frozen=True):
    """Logged in, for the first time.

    Attributes:
        server: the program and its version.
        me: the user.
        account: whether the user is logged in to an account.
        admin: whether that account administers the server.
        must_change: an administrator has set its password; the user should choose another.
    """

    server: str
    me: Person
    account: bool = False
    admin: bool = False
    must_change: bool = False


class TokenReceived(Secretive, frozen=True):
    """A token that the next start can log in with; the user interface stores it."""

    name: str
    token: str


class TokenLost(Struct, frozen=True):
    """The stored token of this name is no longer valid."""

    name: str


class IdentityChanged(Struct, frozen=True):
    """Logged in again, as another sender than before the connection was lost."""

    me: Person


class RenameRefused(Struct, frozen=True):
    """The server refused a change of name; the old one stays."""

    name: str
    code: ErrorCode
    text: str
    reason: str = ""
    arguments: Mapping[str, str | int] = {}


class AccountAction(Enum):
    """The actions on the user's own account."""

    REGISTER = "register"
    CHANGE_PASSWORD = "change_password"  # noqa: S105 - a word for it, no password
    END_LOGIN = "end_login"
    LOG_OUT = "log_out"
    ADD_CERTIFICATE = "add_certificate"
    REMOVE_CERTIFICATE = "remove_certificate"
    ASK = "ask"


class AccountActionDone(Struct, frozen=True):
    """The server has done it, durably; ``number`` of the login or certificate, ``name`` of a new account."""

    account_action: AccountAction
    number: int | None = None
    name: str = ""


class AccountActionUnconfirmed(Struct, frozen=True):
    """The connection broke before the answer: the server may have done it or not."""

    account_action: AccountAction


class LoginsShown(Struct, frozen=True):
    """The answer to AskLogins; ``more`` where the server left some out."""

    logins: tuple[LoginInfo, ...]
    more: bool = False


class CertificatesShown(Struct, frozen=True):
    """The answer to AskCertificates; ``presented`` is the fingerprint of the one that this connection has shown.

    ``more`` where the server left some out.
    """

    certificates: tuple[CertificateInfo, ...]
    presented: str | None
    more: bool = False
