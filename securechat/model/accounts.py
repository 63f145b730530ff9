"""Commands and events about a member's own account: passwords, logins, client certificates."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from securechat.model.base import Encoded, Fingerprint, Id, Password, Record, Secretive


class Register(Secretive, frozen=True, tag="register"):
    """Turn this connection's guest into an account; answered by Registered or Refused."""

    ref: Id
    password: Password


class ChangePassword(Secretive, frozen=True, tag="password"):
    """Change the account's password; every other login ends. Answered by Done or Refused."""

    ref: Id
    old: Password
    new: Password


class Logins(Record, frozen=True, tag="logins"):
    """Ask for the account's logins; answered by LoginList."""

    ref: Id


class Logout(Record, frozen=True, tag="logout"):
    """End a login of the account, or (without ``login``) this one; answered by Done or Refused."""

    ref: Id
    login: Id | None = None


class Certificates(Record, frozen=True, tag="certs"):
    """Ask for the client certificates that log in to this account; answered by CertificateList."""

    ref: Id


class AddCertificate(Record, frozen=True, tag="certadd"):
    """Let a client certificate log in to this account; answered by Done or Refused.

    Without ``fingerprint``, the one that this connection presented. Another one needs a proof of its private key:
    ``key``, the SubjectPublicKeyInfo (DER), and ``proof``, a signature by it (docs/protocol.md, section 11).
    """

    ref: Id
    fingerprint: Fingerprint | None = None
    label: Annotated[str, Meta(max_length=64)] = ""
    key: Encoded | None = None
    proof: Encoded | None = None


class RemoveCertificate(Record, frozen=True, tag="certremove"):
    """Remove a certificate from the account, and end its connections; answered by Done or Refused."""

    ref: Id
    certificate: Id


AccountCommand: TypeAlias = (
    Register | ChangePassword | Logins | Logout | Certificates | AddCertificate | RemoveCertificate
)


class Registered(Secretive, frozen=True, tag="registered"):
    """The guest is an account now, and this connection is logged in to it; ``token`` as in Welcome."""

    ref: Id
    name: str
    token: str


class Done(Record, frozen=True, tag="done"):
    """The requested change is durable.

    Attributes:
        guest: of a ban from a room: it is on a guest, and holds for the secret of its client only.
    """

    ref: Id
    guest: bool = False


class LoginInfo(Struct, frozen=True, gc=False, omit_defaults=True, rename={"since_ms": "since", "used_at_ms": "used"}):
    """One login of the account.

    Attributes:
        login: its number, as for Logout.
        client: the program that logged in.
        address: the network address of its last connection.
        since_ms: when it logged in, milliseconds since the epoch, UTC.
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
    """The logins of the account; with ``more``, those unused for longest are left out: end others to see them."""

    ref: Id
    logins: list[LoginInfo]
    more: bool = False


class CertificateInfo(Struct, frozen=True, gc=False, omit_defaults=True, rename={"added_at_ms": "added"}):
    """A client certificate that logs in to this account; ``current`` is the one this connection presented."""

    certificate: Id
    fingerprint: str
    label: str
    added_at_ms: int
    current: bool = False


class CertificateList(Record, frozen=True, tag="certlist"):
    """The client certificates of the account; ``presented`` is the fingerprint of this connection's, if it has one.

    With ``more``, those added longest ago are left out.
    """

    ref: Id
    certificates: list[CertificateInfo]
    presented: str | None = None
    more: bool = False
