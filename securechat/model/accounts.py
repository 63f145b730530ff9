"""What a member says and hears about the own account: passwords, logins, client certificates."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from securechat.model.base import Encoded, Fingerprint, Id, Password, Record, Secretive


class Register(Secretive, frozen=True, tag="register"):
    """Make the guest that I am an account; answered by Registered or Refused."""

    ref: Id
    password: Password


class ChangePassword(Secretive, frozen=True, tag="password"):
    """Change the account's password; every other login ends. Answered by Done or Refused."""

    ref: Id
    old: Password
    new: Password


class Logins(Record, frozen=True, tag="logins"):
    """Ask where the account is logged in; answered by LoginList."""

    ref: Id


class Logout(Record, frozen=True, tag="logout"):
    """End a login of the account, or (without ``login``) this one; answered by Done or Refused."""

    ref: Id
    login: Id | None = None


class Certificates(Record, frozen=True, tag="certs"):
    """Ask which client certificates log in as this account; answered by CertificateList."""

    ref: Id


class AddCertificate(Record, frozen=True, tag="certadd"):
    """Let a client certificate log in as this account; answered by Done or Refused.

    Without ``fingerprint`` the one that this connection presented. Another one needs a proof that its private key is at
    hand: ``key``, the SubjectPublicKeyInfo (DER), and ``proof``, a signature by it (docs/protocol.md, section 11).
    """

    ref: Id
    fingerprint: Fingerprint | None = None
    label: Annotated[str, Meta(max_length=64)] = ""
    key: Encoded | None = None
    proof: Encoded | None = None


class RemoveCertificate(Record, frozen=True, tag="certremove"):
    """Let a certificate log in no longer, and end its connections; answered by Done or Refused."""

    ref: Id
    certificate: Id


AccountCommand: TypeAlias = (
    Register | ChangePassword | Logins | Logout | Certificates | AddCertificate | RemoveCertificate
)


class Registered(Secretive, frozen=True, tag="registered"):
    """Your name is an account now, and this connection is logged in to it; ``token`` as in Welcome."""

    ref: Id
    name: str
    token: str


class Done(Record, frozen=True, tag="done"):
    """What you asked for is done, durably."""

    ref: Id


class LoginInfo(Struct, frozen=True, gc=False, omit_defaults=True, rename={"since_ms": "since", "used_at_ms": "used"}):
    """Where an account is logged in.

    Attributes:
        login: its number, for Logout.
        client: the program that logged in.
        address: from where, the last time.
        since_ms: when, milliseconds since the epoch, UTC.
        used_at_ms: when it connected last.
        online: whether it is connected now.
        current: whether it is the connection that asks.
    """

    login: Id
    client: str
    address: str
    since_ms: int
    used_at_ms: int
    online: bool = False
    current: bool = False


class LoginList(Record, frozen=True, tag="loginlist"):
    """Where the account is logged in; with ``more`` some that were not used for long are left out: end others first."""

    ref: Id
    logins: list[LoginInfo]
    more: bool = False


class CertificateInfo(Struct, frozen=True, gc=False, omit_defaults=True, rename={"added_at_ms": "added"}):
    """A client certificate that logs in as this account; ``current`` is the one this connection presented."""

    certificate: Id
    fingerprint: str
    label: str
    added_at_ms: int
    current: bool = False


class CertificateList(Record, frozen=True, tag="certlist"):
    """The client certificates of the account; ``presented`` is the fingerprint of this connection's, if it has one.

    With ``more`` some that were added long ago are left out.
    """

    ref: Id
    certificates: list[CertificateInfo]
    presented: str | None = None
    more: bool = False
