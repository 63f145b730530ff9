"""SSL contexts of the server and the client, and the replacement of a server certificate while running.

No other module makes contexts, except ``trust``, whose context reads a chain to compare it with a pin and sends no
data. No context from here connects without verifying; nothing here asks a terminal for a passphrase; a broken renewal
leaves the running certificate unchanged.

A FIN without close_notify is an error here, not an end of file (RFC 8446 section 6.1): otherwise an attacker on the
network could cut a conversation short unnoticed. Sockets must be wrapped with ``suppress_ragged_eofs=False`` to report
it.
"""

from __future__ import annotations

import datetime as dt
import os
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from securechat.errors import TlsFailure, TlsProblem
from securechat.programs import certifying
from securechat.tls.advice import ProblemSentence
from securechat.tls.chain_rules import doubts, is_late, made_here, renewal, require_usable, signing_path
from securechat.tls.client_certificates import read_client_bundle
from securechat.tls.hostnames import Names
from securechat.tls.key_exchange import MODERN_GROUPS
from securechat.tls.name_constraints import is_limited
from securechat.tls.pem_bundle import Bundle, fingerprint, read_bundle
from securechat.tls.private_files import bad_file
from securechat.tls.server_certificate import certificates_in
from securechat.tls.verify_errors import verify_words
from securechat.translation import Sentence, system_error

NATIVE_ALPN = "securechat/1"
"""This protocol's name in the TLS handshake (RFC 7301)."""
WEB_ALPN = "http/1.1"
"""That of browsers, which speak HTTP/1.1 first, also for WebSocket (RFC 7301, section 6)."""

SYSTEM_CAS = "system"
"""Stands for the CAs that this machine trusts, where else the PEM text of CAs stands; no PEM text is this word."""

# For --tls12 and for receivers of webhooks: Mozilla "intermediate" without the finite-field suites.
_TLS12_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


class ClientContext(ssl.SSLContext):
    """A verifying client context that remembers the last server certificate it saw, trusted or not.

    After a failed handshake Python does not expose the peer's certificate, but the error message should tell its names
    or its validity. ``seen`` is for such messages only: nothing in it is verified.
    """

    seen: tuple[bytes, ...] = ()
    """DER of the last chain a server sent, leaf first; empty when there was none yet, or this Python cannot provide
    it."""


def server_context(
    cert_path: Path,
    key_path: Path | None = None,
    *,
    tls12: bool = False,
    alpn: Sequence[str] = (NATIVE_ALPN,),
    now: dt.datetime | None = None,
) -> ssl.SSLContext:
    """Make a context to accept connections with.

    If the file contains its CA, clients are asked for a certificate of that CA. Clients without one are served all the
    same; a certificate that does not verify ends the handshake.

    Args:
        cert_path: leaf, chain and perhaps key, PEM.
        key_path: the key, where it is in neither ``cert_path`` nor beside it.
        tls12: accept TLS 1.2 as well as 1.3.
        alpn: protocols by preference; the first that the client offers too is selected, or none.
        now: UTC; by default the machine's clock.

    Raises:
        TlsFailure: BAD_FILE with one sentence: see ``read_bundle``; or the certificate has expired.
    """
    return _server_context(read_bundle(cert_path, key_path), tls12, alpn, now)


def client_context(
    ca_pem: str,
    *,
    alpn: Sequence[str] = (NATIVE_ALPN,),
    certificate: Path | None = None,
    now: dt.datetime | None = None,
) -> ClientContext:
    """Make a context that trusts exactly the given CAs, under the strict rules of Python 3.13, on every Python.

    ``SYSTEM_CAS`` instead of a PEM text trusts the CAs that this machine trusts: OpenSSL's default locations, or
    ``SSL_CERT_FILE`` and ``SSL_CERT_DIR``, and the store of Windows.

    TLS 1.3 only: a server with ``--tls12`` still speaks 1.3, which every OpenSSL for Python 3.11 supports, so allowing
    the older handshake would only help an attacker.

    Args:
        ca_pem: one or more CA certificates, from ``trust``; or ``SYSTEM_CAS``.
        alpn: protocols by preference.
        certificate: the user's own certificate with its key, shown to servers that ask for one.
        now: UTC; by default the machine's clock.

    Raises:
        TlsFailure: BAD_FILE when OpenSSL cannot use the CA, or the user's certificate is unusable: see
            ``read_client_bundle``.
    """
    context = ClientContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.hostname_checks_common_name = False  # only subjectAltName counts (RFC 9525 section 2)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    _notice_truncation(context)
    context.set_alpn_protocols(list(alpn))
    try:
        if ca_pem == SYSTEM_CAS:
            _load_system_cas(context)
        else:
            context.load_verify_locations(cadata=ca_pem)
    except (ssl.SSLError, ValueError) as error:
        raise TlsFailure(TlsProblem.BAD_FILE, Sentence("The CA certificate cannot be used by OpenSSL")) from error
    if certificate is not None:
        _load(context, read_client_bundle(certificate, now or dt.datetime.now(dt.UTC)))
    _remember_certificates(context)
    return context


def receiver_context(ca_pem: str | None = None) -> ssl.SSLContext:
    """Make a context for HTTPS requests to other programs' servers: it trusts this machine's CAs, and some besides.

    TLS 1.2 is enough here, because the receivers are not ours. The strict rules hold on every Python, as for clients.

    Args:
        ca_pem: CA certificates to trust as well, from ``trust.load_ca_file``. Where they are given the machine may have
            none of its own.

    Raises:
        TlsFailure: BAD_FILE when OpenSSL cannot use the CA, or when there is no CA at all.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_TLS12_CIPHERS)
    context.hostname_checks_common_name = False
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    _notice_truncation(context)
    context.set_alpn_protocols([WEB_ALPN])
    if ca_pem is None:
        _load_system_cas(context)
        return context
    context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    try:
        context.load_verify_locations(cadata=ca_pem)
    except (ssl.SSLError, ValueError) as error:
        raise TlsFailure(TlsProblem.BAD_FILE, Sentence("The CA certificate cannot be used by OpenSSL")) from error
    return context


class ServerCertificate:
    """The certificate a running server offers: the current context, its facts, and how to replace it.

    Loading a new key into a live context breaks every later handshake when the key does not match. So a reload makes a
    new context, tests it with a handshake in memory, and only then swaps the reference: connections keep what they
    have, new handshakes use ``context``, or ``web_context``.

    Args:
        cert_path: see ``server_context``.
        key_path: see ``server_context``.
        tls12: see ``server_context``.
        alpn: see ``server_context``.
        now: UTC; by default the machine's clock.

    Raises:
        TlsFailure: BAD_FILE with one sentence.
    """

    def __init__(
        self,
        cert_path: Path,
        key_path: Path | None = None,
        *,
        tls12: bool = False,
        alpn: Sequence[str] = (NATIVE_ALPN,),
        now: dt.datetime | None = None,
    ) -> None:
        self._cert_path = cert_path
        self._key_path = key_path
        self._tls12 = tls12
        self._alpn = tuple(alpn)
        self._bundle, self._context, self._web_context = self._load(now)
        self._is_public = is_public(self._bundle, self._context)

    @property
    def context(self) -> ssl.SSLContext:
        """The context for the next handshake. Ask each time; a reload replaces it."""
        return self._context

    @property
    def web_context(self) -> ssl.SSLContext:
        """The same for browsers: selects ``http/1.1``, and asks for no client certificate.

        A certificate request that names no CA makes browsers ask the person to choose among unrelated certificates,
        and fail a WebSocket to a host and port to which they have not navigated (Chromium, measured).
        """
        return self._web_context

    @property
    def not_after(self) -> dt.datetime:
        """The end of the certificate's validity, UTC."""
        return self._bundle.not_after

    @property
    def names(self) -> Names:
        """The names in the certificate."""
        return self._bundle.names

    @property
    def ca_fingerprint(self) -> str | None:
        """``sha256:…`` for ``--pin``, or None when the file does not contain its CA, so that no pin can be checked."""
        authority = self._bundle.authority
        return fingerprint(authority) if authority else None

    @property
    def ca_der(self) -> bytes | None:
        """The CA for people to install, DER; None as `ca_fingerprint`."""
        authority = self._bundle.authority
        return authority.public_bytes(Encoding.DER) if authority else None

    @property
    def ca_is_limited(self) -> bool:
        """Whether its CA can certify private names and its own only; false where the file does not contain the CA."""
        authority = self._bundle.authority
        return authority is not None and is_limited(authority)

    @property
    def is_public(self) -> bool:
        """Whether the CAs that this machine trusts verify the certificate, so that clients need no file and no pin."""
        return self._is_public

    @property
    def made_here(self) -> bool:
        """Whether a CA of ``certificate_directory`` issued it."""
        return made_here(self._bundle.leaf)

    @property
    def doubts(self) -> tuple[ProblemSentence, ...]:
        """The reasons why some clients may be unable to verify it, one sentence each."""
        return () if self._is_public else tuple(doubts(self._bundle))

    @property
    def renewal(self) -> Sentence:
        """The way to renew it, as half a sentence."""
        return renewal(self._bundle)

    def is_late(self, now: dt.datetime) -> bool:
        """Whether it should have been renewed by now.

        Args:
            now: UTC, aware.
        """
        return is_late(self._bundle, now)

    def days_left(self, now: dt.datetime) -> float:
        """Days until the certificate expires, negative afterwards.

        Args:
            now: UTC, aware.
        """
        return (self.not_after - now) / dt.timedelta(days=1)

    def reload(self, now: dt.datetime | None = None) -> None:
        """Read the files again and use their contents for new handshakes.

        Raises:
            TlsFailure: BAD_FILE with one sentence; the old certificate stays in use.
        """
        self._bundle, self._context, self._web_context = self._load(now)
        self._is_public = is_public(self._bundle, self._context)

    def _load(self, now: dt.datetime | None) -> tuple[Bundle, ssl.SSLContext, ssl.SSLContext]:
        bundle = read_bundle(self._cert_path, self._key_path)
        now = now or dt.datetime.now(dt.UTC)
        _expect_begun(bundle, now)
        require_usable(bundle, now)
        context = _server_context(bundle, self._tls12, self._alpn, now)
        web_context = _server_context(bundle, self._tls12, (WEB_ALPN,), now, asks=False)
        for made in (context, web_context):  # each has read the files by itself
            _prove(made, bundle)
        return bundle, context, web_context


def is_public(bundle: Bundle, context: ssl.SSLContext) -> bool:
    """Whether a client that trusts this machine's CAs verifies a server's certificate, whatever its names.

    Args:
        bundle: the certificate.
        context: the server's, made from it.
    """
    if made_here(bundle.leaf):
        return False
    try:
        client = client_context(SYSTEM_CAS)
        client.check_hostname = False
        handshake_in_memory(context, client)
    except (ssl.SSLError, TlsFailure):
        return False
    return True


def is_public_file(bundle: Bundle) -> bool:
    """Do the same as ``is_public`` where no server runs."""
    try:
        return is_public(bundle, _server_context(bundle, False, (NATIVE_ALPN,), None))
    except TlsFailure:
        return False


def handshake_in_memory(
    server: ssl.SSLContext, client: ssl.SSLContext, server_hostname: str | None = None
) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Run a handshake between two contexts without a socket.

    Args:
        server: a server's context.
        client: a client's context.
        server_hostname: the name the client looks for.

    Returns:
        The server's end and the client's end.

    Raises:
        ssl.SSLError: the error of either end, the client's first.
    """
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server_end = server.wrap_bio(to_server, to_client, server_side=True)
    client_end = client.wrap_bio(to_client, to_server, server_hostname=server_hostname)
    waiting = [client_end, server_end]
    # A TLS 1.3 handshake is done after two turns, TLS 1.2 after three (RFC 8446 and 5246, figure 1).
    for _turn in range(4):
        waiting = [end for end in waiting if not _advance(end)]
    if waiting:
        raise ssl.SSLError(Sentence("the handshake did not end"))
    return server_end, client_end


def _advance(end: ssl.SSLObject) -> bool:
    try:
        end.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


def _server_context(
    bundle: Bundle, tls12: bool, alpn: Sequence[str], now: dt.datetime | None, *, asks: bool = True
) -> ssl.SSLContext:
    """Make a context from a certificate; ``asks``: for client certificates, if the file contains its CA."""
    now = now or dt.datetime.now(dt.UTC)
    if bundle.not_after <= now:
        raise bad_file(
            bundle.path, Sentence("the certificate expired on {day:date}", day=bundle.not_after), renewal(bundle)
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2 if tls12 else ssl.TLSVersion.TLSv1_3
    context.set_ciphers(_TLS12_CIPHERS)
    # All three TLS 1.3 ciphers are strong; a phone without AES in hardware knows its fastest (Mozilla "modern").
    context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    context.options |= ssl.OP_NO_RENEGOTIATION
    _notice_truncation(context)
    # No tickets: Python cannot rotate the key that encrypts them, so in a server that runs for months one stolen key
    # would reveal every resumed session; and this client never resumes.
    context.num_tickets = 0
    context.options |= ssl.OP_NO_TICKET
    context.set_alpn_protocols(list(alpn))
    if hasattr(context, "set_groups"):  # Python 3.15; before it, groups.py
        context.set_groups(MODERN_GROUPS)
    _load(context, bundle)
    if asks and bundle.authority is not None:
        _ask_for_certificates(context, bundle.authority)
    return context


def _load(context: ssl.SSLContext, bundle: Bundle) -> None:
    try:
        context.load_cert_chain(bundle.path, bundle.key_path, password=_no_passphrase)
    except (ssl.SSLError, OSError) as error:
        raise bad_file(
            bundle.path, Sentence("OpenSSL refuses this certificate or key: {why}", why=_openssl_words(error))
        ) from error


def _ask_for_certificates(context: ssl.SSLContext, authority: x509.Certificate) -> None:
    """Ask clients for a certificate of this CA only; OpenSSL checks that it is one for clients.

    A client's common name is a person's, not a host's: without the flag OpenSSL would hold one that looks like a DNS
    name (``ana.example.com``) against the CA's name constraints.
    """
    context.hostname_checks_common_name = False
    context.load_verify_locations(cadata=_pem(authority))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.verify_mode = ssl.CERT_OPTIONAL


def _expect_begun(bundle: Bundle, now: dt.datetime) -> None:
    """Refuse a certificate that is not valid yet, with both clocks in the message."""
    if bundle.not_before > now:
        raise bad_file(
            bundle.path,
            Sentence(
                "the certificate is valid only from {begin:moment} UTC, and this machine's clock says {now:moment} UTC",
                begin=bundle.not_before,
                now=now,
            ),
            Sentence("set the clock, or {renew}", renew=_anew(bundle)),
        )


def _anew(bundle: Bundle) -> Sentence:
    if not made_here(bundle.leaf):
        return renewal(bundle)
    return Sentence("make a new certificate with `{command}`", command=certifying(bundle.path, "--force"))


def _prove(context: ssl.SSLContext, bundle: Bundle) -> None:
    """Verify the context with a client of our own, as far as the file allows.

    That is the whole chain under the strict rules, up to its CA, or up to the last certificate that the file has.
    """
    client = _proving_client(signing_path(bundle)[-1])
    try:
        _server_end, client_end = handshake_in_memory(context, client)
    except ssl.SSLCertVerificationError as error:
        raise bad_file(
            bundle.path,
            Sentence("every client would refuse the certificate: {why}", why=verify_words(error)),
            _anew(bundle),
        ) from error
    except ssl.SSLError as error:
        raise bad_file(bundle.path, Sentence("a trial handshake failed: {why}", why=_openssl_words(error))) from error
    # OpenSSL read the file a second time; in between the file may have been replaced.
    if client_end.getpeercert(binary_form=True) != bundle.leaf.public_bytes(Encoding.DER):
        raise bad_file(bundle.path, Sentence("changed while it was read"), Sentence("try again"))


def _proving_client(last: x509.Certificate) -> ssl.SSLContext:
    client: ssl.SSLContext = client_context(_pem(last))
    client.check_hostname = False  # any name is fine: the file decides which ones it has
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # a public CA is not in the file
    return client


def _load_system_cas(context: ssl.SSLContext) -> None:
    context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    paths = ssl.get_default_verify_paths()
    # The certificates of a directory are read when they are needed, and are in no count.
    if not context.cert_store_stats()["x509_ca"] and not (paths.capath and any(os.scandir(paths.capath))):
        raise TlsFailure(
            TlsProblem.BAD_FILE,
            ProblemSentence(
                Sentence("This machine has no CAs of its own"),
                Sentence("install them (ca-certificates), or set SSL_CERT_FILE"),
            ),
        )


def _notice_truncation(context: ssl.SSLContext) -> None:
    # Off by default in CPython 3.11 to 3.13, measured; set here because the promise must not depend on a default.
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)


def _remember_certificates(context: ClientContext) -> None:
    """Record the server's certificate during the handshake, before verification.

    ``_msg_callback`` is the only way and not a public API, though present since Python 3.8; without it only the error
    messages get shorter.
    """

    def watch(_connection: object, direction: str, _version: int, _content: int, kind: int, data: bytes) -> None:
        if direction == "read":
            found = certificates_in(kind, data)
            if found:
                context.seen = found

    if hasattr(context, "_msg_callback"):
        context._msg_callback = watch


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode("ascii")


def _no_passphrase() -> NoReturn:
    # Without a callback OpenSSL would ask the terminal, and a server without a terminal would hang.
    raise ssl.SSLError(Sentence("the private key is encrypted"))


def _openssl_words(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return verify_words(error)
    reason = getattr(error, "reason", None)
    if reason:
        return str(reason).lower().replace("_", " ")
    ours = error.args[0] if error.args else ""  # str() of an SSLError with a text alone is a tuple's
    return ours if isinstance(ours, str) and ours else system_error(error)
