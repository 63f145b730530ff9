"""The client's trust anchors: a CA from a file, or one learned by its fingerprint.

Learning by fingerprint (``--pin``) takes one handshake that verifies nothing and sends no data. The server's chain must
contain the certificate with that SHA-256; it must be a CA, and its key must have signed the server's certificate. The
result is only that CA's text: the caller connects anew, fully verified, so the second server proves itself completely.
An attacker in between can only hand over the right CA, and gains nothing.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hmac
import re
import socket
import ssl
from hashlib import sha256
from pathlib import Path

from cryptography import x509

from securechat.errors import ConfigError, TlsFailure, TlsProblem
from securechat.tls.advice import ProblemSentence, in_two
from securechat.tls.chain_rules import claims_authority, flaw_of_authority, path_of
from securechat.tls.contexts import NATIVE_ALPN
from securechat.tls.failures import explain, printable
from securechat.tls.hostnames import name_in_certificate
from securechat.tls.issuing import certificate_pem
from securechat.tls.pem_bundle import find_root, fingerprint, is_authority, parse_certificates
from securechat.tls.private_files import bad_file, read_pem
from securechat.translation import Sentence

_PIN = re.compile(r"sha256:((?:[0-9a-f]{2}:?){31}[0-9a-f]{2})\Z", re.IGNORECASE)

_MAX_CHAIN = 10
"""Certificates examined; OpenSSL itself accepts chains up to 100 KiB, real ones have at most five."""


def load_ca_file(path: Path) -> str:
    """Read a CA file.

    Args:
        path: PEM with one or more CA certificates (more during a change of CA).

    Returns:
        The CA certificates as PEM, for ``client_context``.

    Raises:
        TlsFailure: BAD_FILE with one sentence: missing, unreadable, damaged, no CA in it, or with a private key in it,
            which means that a secret was given away.
    """
    content = read_pem(path)
    if b"PRIVATE KEY-----" in content:
        raise bad_file(
            path,
            Sentence("holds a private key, which must never leave the server"),
            Sentence("a client needs only ca.pem"),
        )
    certificates = parse_certificates(path, content)
    authorities = [one for one in certificates if is_authority(one)]
    if not authorities:
        claiming = next((one for one in certificates if claims_authority(one)), certificates[0])
        raise bad_file(path, *_no_authority(claiming))
    return _pem(*authorities)


def _no_authority(certificate: x509.Certificate) -> tuple[str, str]:
    flaw = flaw_of_authority(certificate)
    if flaw is None or not claims_authority(certificate):
        return Sentence("holds a certificate, but none of a CA"), Sentence("a client needs the server's ca.pem")
    why, advice = in_two(flaw)
    return Sentence("holds a CA certificate that cannot be used: {why}", why=why), advice


def parse_pin(text: str) -> bytes:
    """Parse ``sha256:`` and 64 hexadecimal digits, upper or lower case, with or without colons between the pairs.

    Returns:
        The 32 bytes of the digest.

    Raises:
        ConfigError: it is anything else.
    """
    found = _PIN.match(text.strip())
    if found is None:
        raise ConfigError(
            "command line",
            "--pin",
            Sentence("A pin is sha256: and 64 hexadecimal digits; the server prints its own when it starts"),
        )
    return bytes.fromhex(found.group(1).replace(":", ""))


def learn_ca(host: str, port: int, pin: bytes, timeout_s: float) -> str:
    """Fetch the CA with this fingerprint from a server. Blocks; for use before any event loop.

    Args:
        host: name or address.
        port: TCP port.
        pin: SHA-256 of the CA's DER, from ``parse_pin``.
        timeout_s: seconds for each of connecting and the handshake.

    Returns:
        The CA as PEM, for ``client_context``; connect anew with it.

    Raises:
        OSError: no connection (refused, no such host, timeout).
        TlsFailure: WRONG_PIN when the server's CA is another one; else why the handshake failed.
    """
    with socket.create_connection((host, port), timeout_s) as connection:
        return learn_ca_from(connection, host, pin, timeout_s)


def learn_ca_from(connection: socket.socket, host: str, pin: bytes, timeout_s: float) -> str:
    """Do the same as ``learn_ca`` over a connected socket, which is used up.

    Raises:
        TlsFailure: as for ``learn_ca``.
    """
    return _pem(pinned_authority(_chain_of(connection, host, timeout_s), pin, host))


def shown_fingerprint(host: str, port: int, timeout_s: float) -> str:
    """Fetch the fingerprint of the CA that a server shows, for a person to compare. Blocks, as ``learn_ca`` does.

    It proves nothing: it becomes a pin for ``learn_ca`` only when the person has compared it with what the server's
    administrator tells.

    Args:
        host: name or address.
        port: TCP port.
        timeout_s: seconds for each of connecting and the handshake.

    Returns:
        ``sha256:`` and 64 hexadecimal digits.

    Raises:
        OSError: no connection.
        TlsFailure: PIN_NOT_OF_CA when the server does not show its CA; UNUSABLE when that cannot be used; else why the
            handshake failed.
    """
    with socket.create_connection((host, port), timeout_s) as connection:
        return fingerprint(shown_authority(_chain_of(connection, host, timeout_s), host))


def shown_authority(chain: list[bytes], host: str) -> x509.Certificate:
    """Return the CA that a chain ends in; nothing is known yet about whose it is.

    Args:
        chain: DER as the server sent it, leaf first.
        host: for the error message.

    Raises:
        TlsFailure: as for ``shown_fingerprint``; NO_CERTIFICATE when there is no chain.
    """
    _, others, root = _parsed_chain(chain, host)
    if root is not None:
        return root
    for one in filter(claims_authority, others):
        if (flaw := flaw_of_authority(one)) is not None:
            raise TlsFailure(
                TlsProblem.UNUSABLE,
                Sentence("The CA of {host} cannot be used: {why}", host=printable(host), why=flaw),
            )
    raise TlsFailure(
        TlsProblem.PIN_NOT_OF_CA,
        Sentence("{host} does not show its CA, so there is no fingerprint to compare", host=printable(host)),
    )


def _chain_of(connection: socket.socket, host: str, timeout_s: float) -> list[bytes]:
    """Read the chain in a handshake that verifies nothing and sends nothing."""
    connection.settimeout(timeout_s)  # do_handshake takes this as the limit for the whole handshake
    try:
        with _probing_context().wrap_socket(
            connection, server_hostname=_server_name(host), do_handshake_on_connect=False
        ) as tls:
            tls.do_handshake()
            chain = _unverified_chain(tls)
            _say_goodbye(tls)
    except (OSError, ValueError) as error:
        raise explain(error, host, dt.datetime.now(dt.UTC)) from error
    return chain


def pinned_authority(chain: list[bytes], pin: bytes, host: str) -> x509.Certificate:
    """Find the certificate that a pin refers to.

    Args:
        chain: DER as the server sent it, leaf first.
        pin: SHA-256 of the CA's DER.
        host: for the error message.

    Returns:
        The CA that the chain ends in.

    Raises:
        TlsFailure: WRONG_PIN when no certificate has this fingerprint and the chain ends in another CA, or the one
            that has it did not sign this chain; PIN_NOT_OF_CA when it is not the root's or there is no root;
            NO_CERTIFICATE when there is no chain.
    """
    leaf, rest, root = _parsed_chain(chain, host)
    matching = [der for der in chain[:_MAX_CHAIN] if hmac.compare_digest(sha256(der).digest(), pin)]
    if not matching:
        raise _other_ca(host, root)
    if fingerprint(leaf) == f"sha256:{pin.hex()}":
        raise TlsFailure(
            TlsProblem.PIN_NOT_OF_CA,
            ProblemSentence(
                Sentence(
                    "The pin is that of the certificate of {host} itself, which changes at every renewal",
                    host=printable(host),
                ),
                _root_of(root),
            ),
        )
    pinned = next((one for one in path_of(leaf, rest) if fingerprint(one) == f"sha256:{pin.hex()}"), None)
    if pinned is not None and pinned != root:
        flaw = flaw_of_authority(pinned)
        if flaw is not None:
            raise TlsFailure(
                TlsProblem.UNUSABLE,
                Sentence("The CA of {host} has the pin, but cannot be used: {why}", host=printable(host), why=flaw),
            )
        raise TlsFailure(
            TlsProblem.PIN_NOT_OF_CA,
            ProblemSentence(
                Sentence("The pin is that of an intermediate CA, which clients do not pin"), _root_of(root)
            ),
        )
    if root is None or pinned is None:
        raise TlsFailure(
            TlsProblem.WRONG_PIN,
            Sentence(
                "{host} shows a certificate with this pin, but it is not the CA that issued the server's own",
                host=printable(host),
            ),
        )
    return root


def _parsed_chain(
    chain: list[bytes], host: str
) -> tuple[x509.Certificate, tuple[x509.Certificate, ...], x509.Certificate | None]:
    """Return the server's certificate, the others, and the root among them."""
    if not chain:
        raise TlsFailure(TlsProblem.NO_CERTIFICATE, Sentence("{host} showed no certificate", host=printable(host)))
    try:
        leaf, *rest = (x509.load_der_x509_certificate(der) for der in chain[:_MAX_CHAIN])
        return leaf, tuple(rest), find_root(leaf, tuple(rest))
    except (ValueError, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise TlsFailure(
            TlsProblem.OTHER, Sentence("{host} showed a damaged certificate", host=printable(host))
        ) from error


def _other_ca(host: str, root: x509.Certificate | None) -> TlsFailure:
    if root is None:
        return TlsFailure(
            TlsProblem.PIN_NOT_OF_CA,
            Sentence("{host} does not show its CA, so the pin cannot be checked", host=printable(host)),
        )
    return TlsFailure(
        TlsProblem.WRONG_PIN,
        Sentence(
            "The CA of {host} is {fingerprint}, not the pinned one", host=printable(host), fingerprint=fingerprint(root)
        ),
    )


def _root_of(root: x509.Certificate | None) -> Sentence:
    if root is None:
        return Sentence("the server does not show its root CA")
    return Sentence("its root CA is {fingerprint}", fingerprint=fingerprint(root))


def _probing_context() -> ssl.SSLContext:
    """Make the one context that verifies nothing. It is for reading a chain and must not leave this module."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols([NATIVE_ALPN])
    return context


def _server_name(host: str) -> str:
    """Return the host as ``ssl`` accepts it, or fail before ``ssl`` does, which would leak the socket."""
    name = name_in_certificate(host)
    try:
        name.encode("idna")
    except UnicodeError as error:
        raise TlsFailure(TlsProblem.OTHER, Sentence("{host} cannot be a host name", host=printable(host))) from error
    return name


def _unverified_chain(tls: ssl.SSLSocket) -> list[bytes]:
    """Return the chain as the server sent it, DER, leaf first.

    Public from Python 3.13 on. Before that the same C function is there as a private method, returning objects
    whose ``public_bytes`` takes ``_ssl.ENCODING_DER``.
    """
    if hasattr(tls, "get_unverified_chain"):
        return list(tls.get_unverified_chain() or ())
    import _ssl  # noqa: PLC0415 - private, so only on Pythons without the public method

    # typeshed lacks both; both are in CPython 3.10 to 3.12.
    sslobj = vars(tls)["_sslobj"]
    return [one.public_bytes(_ssl.ENCODING_DER) for one in sslobj.get_unverified_chain() or ()]


def _say_goodbye(tls: ssl.SSLSocket) -> None:
    """Send close_notify without waiting for the answer, so that the server does not report a broken connection."""
    tls.settimeout(0)
    with contextlib.suppress(OSError):  # unwrap also waits for the answer, which is not needed
        tls.unwrap()


def _pem(*certificates: x509.Certificate) -> str:
    return b"".join(certificate_pem(one) for one in certificates).decode("ascii")
