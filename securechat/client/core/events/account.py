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
    """The connection is there and verified; choose a name."""


class NameRefused(Struct, frozen=True):
    """Choose another name."""

    name: str
    code: ErrorCode
    text: str
    reason: str = ""
    arguments: Mapping[str, str | int] = {}


class PasswordNeeded(Struct, frozen=True):
    """The server wants proof of the name: give the password, or (``new``) choose one for an invite; or another name."""

    name: str
    new: bool
    code: ErrorCode
    text: str
    reason: str = ""
    arguments: Mapping[str, str | int] = {}


class LoginDelayed(Struct, frozen=True):
    """The server answers a hello only later; it is repeated by itself."""

    retry_after_s: float
    code: ErrorCode


class LoggedIn(Struct, frozen=True):
    """In, for the first time.

    Attributes:
        server: the program and its version.
        me: who one is.
        account: whether one is logged in to an account.
        admin: whether that account administers the server.
        must_change: an administrator has set its password: choose another.
    """

    server: str
    me: Person
    account: bool = False
    admin: bool = False
    must_change: bool = False


class TokenReceived(Secretive, frozen=True):
    """A login that the next start can use: whoever keeps files keeps it."""

    name: str
    token: str


class TokenLost(Struct, frozen=True):
    """The kept login of this name is of no more use."""

    name: str


class IdentityChanged(Struct, frozen=True):
    """In again, as somebody else than before the connection was lost."""

    me: Person


class RenameRefused(Struct, frozen=True):
    """The server said no to a change of name; the old one stays."""

    name: str
    code: ErrorCode
    text: str
    reason: str = ""
    arguments: Mapping[str, str | int] = {}


class AccountAction(Enum):
    """What one does to one's own account."""

    REGISTER = "register"
    CHANGE_PASSWORD = "change_password"  # noqa: S105 - a word for it, no password
    END_LOGIN = "end_login"
    LOG_OUT = "log_out"
    ADD_CERTIFICATE = "add_certificate"
    REMOVE_CERTIFICATE = "remove_certificate"
    ASK = "ask"


class AccountActionDone(Struct, frozen=True):
    """The server did it, durably; ``number`` of the login or certificate, ``name`` of a new account."""

    account_action: AccountAction
    number: int | None = None
    name: str = ""


class AccountActionUnconfirmed(Struct, frozen=True):
    """The connection broke before the server answered: it may have been done or not."""

    account_action: AccountAction


class LoginsShown(Struct, frozen=True):
    """The answer to AskLogins; ``more`` where the server left some out."""

    logins: tuple[LoginInfo, ...]
    more: bool = False


class CertificatesShown(Struct, frozen=True):
    """The answer to AskCertificates; ``presented`` is the fingerprint of the one shown to the server.

    ``more`` where the server left some out.
    """

    certificates: tuple[CertificateInfo, ...]
    presented: str | None
    more: bool = False
