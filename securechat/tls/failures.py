"""Explains TLS errors to the user: turns the ``ssl`` module's exceptions into ``TlsFailure`` with one sentence.

OpenSSL's codes appear in this module only. Text from a peer's certificate is reduced to a few printable ASCII
characters first: the certificate may be an attacker's, and the sentence goes to a terminal.
"""

from __future__ import annotations

import datetime as dt
import re
import ssl
from collections.abc import Sequence

from cryptography import x509

from securechat.errors import TlsFailure, TlsProblem
from securechat.programs import Program, command
from securechat.tls.advice import ProblemSentence
from securechat.tls.chain_rules import common_name, is_self_signed, path_of
from securechat.tls.hostnames import name_in_certificate
from securechat.tls.pem_bundle import DAMAGED, certificate_names
from securechat.tls.verify_errors import verify_words
from securechat.translation import Sentence, nsentence

# X509_V_ERR_* of <openssl/x509_vfy.h>; the numbers have been stable since OpenSSL 1.1.0.
_NOT_YET_VALID = {9, 13}
_EXPIRED = {10, 14}
_HOST_MISMATCH = {62, 64}
_WRONG_CA = {
    2,  # unable to get issuer certificate
    7,  # signature failure: a CA of the same name with another key
    18,  # self-signed leaf
    19,  # self-signed certificate in chain: the server sent its CA, which is not the trusted one
    27,  # not trusted
    28,  # rejected
    30,  # authority and subject key identifier mismatch
    31,  # authority and issuer serial number mismatch
}

_NO_ISSUER = {
    20,  # unable to get local issuer
    21,  # unable to verify the first certificate
}

# OpenSSL's reasons for bytes that are not a TLS record; the third covers all of them from OpenSSL 3.2 on.
_NOT_TLS = {
    "WRONG_VERSION_NUMBER",
    "HTTP_REQUEST",
    "RECORD_LAYER_FAILURE",
    "PACKET_LENGTH_TOO_LONG",
    "UNKNOWN_PROTOCOL",
}
_NO_COMMON_VERSION = {"TLSV1_ALERT_PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL", "NO_PROTOCOLS_AVAILABLE"}
_NO_COMMON_PROTOCOL = {"TLSV1_ALERT_NO_APPLICATION_PROTOCOL", "NO_APPLICATION_PROTOCOL"}
_NO_SERVER_CERTIFICATE = {"SSLV3_ALERT_HANDSHAKE_FAILURE", "SSL/TLS_ALERT_HANDSHAKE_FAILURE"}
_CLIENT_CERTIFICATE_WANTED = {"TLSV13_ALERT_CERTIFICATE_REQUIRED", "PEER_DID_NOT_RETURN_A_CERTIFICATE"}

# Alerts that a server sends only about a client's certificate (RFC 8446 section 6.2). In TLS 1.3 they come when the
# client's own handshake is over, so its first read raises them.
_ALERT = re.compile(r"(?:SSLV3|TLSV1|TLSV13|SSL/TLS|TLS)_ALERT_(\w+)")
_DAMAGED = Sentence("it is damaged, or not valid yet")
_CLIENT_CERTIFICATE_REFUSED = {
    "BAD_CERTIFICATE": _DAMAGED,
    "CERTIFICATE_UNKNOWN": _DAMAGED,
    "UNSUPPORTED_CERTIFICATE": Sentence("it is not for users (a server's, for one)"),
    "CERTIFICATE_REVOKED": Sentence("it was revoked"),
    "CERTIFICATE_EXPIRED": Sentence("it has expired"),
    "UNKNOWN_CA": Sentence("the server's CA did not issue it"),
}

_MAX_NAMES_TOLD = 5
_MAX_TEXT_TOLD_CHARS = 100


def explain(exc: BaseException, host: str, now_utc: dt.datetime, chain: Sequence[bytes] = ()) -> TlsFailure:
    """Turn an exception from a TLS connection into a failure that a user can act on.

    Args:
        exc: usually an ``ssl.SSLError`` from a handshake, or from the first read, which reports a refusal of the
            client's own certificate; a ``TlsFailure`` is returned unchanged.
        host: what the user asked to connect to.
        now_utc: the machine's clock, aware.
        chain: DER of the server's certificates where known, ``ClientContext.seen``.

    Returns:
        The failure, to be raised ``from exc``.
    """
    if isinstance(exc, TlsFailure):
        return exc
    shown_host = printable(host)
    if isinstance(exc, ssl.SSLCertVerificationError):
        return _unverified(exc, shown_host, now_utc, _parsed(chain))
    if isinstance(exc, ssl.SSLError):
        return _broken_handshake(exc, shown_host)
    if isinstance(exc, TimeoutError):
        return TlsFailure(
            TlsProblem.OTHER, Sentence("{host} did not finish the TLS handshake in time", host=shown_host)
        )
    if isinstance(exc, ConnectionError):
        return TlsFailure(TlsProblem.OTHER, _hung_up(shown_host))
    return TlsFailure(TlsProblem.OTHER, _failed(shown_host, printable(str(exc))))


def check_protocol(selected: str | None, host: str) -> None:
    """Require that the server chose one of our protocols (ALPN, RFC 7301).

    Args:
        selected: ``selected_alpn_protocol()`` after the handshake.
        host: what the user asked to connect to.

    Raises:
        TlsFailure: NO_COMMON_PROTOCOL when nothing was selected.
    """
    if selected is None:
        raise _no_common_protocol(printable(host))


def printable(text: str, most: int = _MAX_TEXT_TOLD_CHARS) -> str:
    """Reduce to ``most`` characters of printable ASCII; anything else shows as ``?``."""
    kept = "".join(char if " " <= char <= "~" else "?" for char in text[:most])
    return kept if len(text) <= most else f"{kept}..."


def _unverified(
    exc: ssl.SSLCertVerificationError, host: str, now: dt.datetime, chain: tuple[x509.Certificate, ...]
) -> TlsFailure:
    code = exc.verify_code
    leaf = chain[0] if chain else None
    if code in _HOST_MISMATCH:
        return TlsFailure(TlsProblem.HOST_MISMATCH, _mismatch(host, leaf))
    if code in _NOT_YET_VALID:
        return TlsFailure(TlsProblem.NOT_YET_VALID, _too_early(host, now, leaf))
    if code in _EXPIRED:
        return TlsFailure(TlsProblem.EXPIRED, _too_late(host, now, leaf))
    if code in _NO_ISSUER and chain and not is_self_signed((path := path_of(chain[0], chain[1:]))[-1]):
        issuer = printable(common_name(path[-1].issuer))
        return TlsFailure(
            TlsProblem.CHAIN_INCOMPLETE,
            Sentence(
                "The certificates that {host} shows end at {issuer}, which you do not trust", host=host, issuer=issuer
            ),
        )
    if code in _WRONG_CA | _NO_ISSUER:
        return TlsFailure(
            TlsProblem.WRONG_CA,
            Sentence(
                "The certificate of {host} was not issued by the CA you trust ({why})", host=host, why=verify_words(exc)
            ),
        )
    return TlsFailure(
        TlsProblem.UNUSABLE,
        Sentence("The certificate of {host} breaks a rule for certificates: {why}", host=host, why=verify_words(exc)),
    )


def _mismatch(host: str, leaf: x509.Certificate | None) -> Sentence:
    if leaf is None:
        return Sentence("The certificate is not made out to {host}", host=host)
    names = certificate_names(leaf)
    # An address that stands where host names do is ignored by every client: as it is, the sentence would be absurd.
    dns = [f"DNS:{name}" if name == name_in_certificate(host) else name for name in names.dns]
    every = [printable(str(name)) for name in (*dns, *names.ips)]
    if not every:
        return Sentence("The certificate is not made out to {host}; it names no host at all", host=host)
    first = ", ".join(every[:_MAX_NAMES_TOLD])
    if len(every) <= _MAX_NAMES_TOLD:
        return Sentence("The certificate is not made out to {host}; it names {names}", host=host, names=first)
    return nsentence(
        "The certificate is not made out to {host}; it names {names} and {count} more",
        "The certificate is not made out to {host}; it names {names} and {count} more",
        len(every) - _MAX_NAMES_TOLD,
        host=host,
        names=first,
    )


def _too_early(host: str, now: dt.datetime, leaf: x509.Certificate | None) -> Sentence:
    if leaf is None or leaf.not_valid_before_utc <= now:
        return Sentence(
            "The certificate of {host}, or its CA, is not valid yet; the clock of this machine says {now:moment} UTC",
            host=host,
            now=now.astimezone(dt.UTC),
        )
    return Sentence(
        "The certificate of {host} is valid from {begin:moment} UTC on, but the clock of this machine says"
        " {now:moment} UTC",
        host=host,
        begin=leaf.not_valid_before_utc,
        now=now.astimezone(dt.UTC),
    )


def _too_late(host: str, now: dt.datetime, leaf: x509.Certificate | None) -> Sentence:
    now_utc = now.astimezone(dt.UTC)
    if leaf is None:
        return Sentence(
            "The certificate of {host}, or its CA, has expired; the clock of this machine says {now:moment} UTC",
            host=host,
            now=now_utc,
        )
    if leaf.not_valid_after_utc >= now:
        return Sentence(
            "The CA that issued the certificate of {host} has expired; the clock of this machine says {now:moment} UTC",
            host=host,
            now=now_utc,
        )
    return Sentence(
        "The certificate of {host} expired on {end:moment} UTC; the clock of this machine says {now:moment} UTC",
        host=host,
        end=leaf.not_valid_after_utc,
        now=now_utc,
    )


def _broken_handshake(exc: ssl.SSLError, host: str) -> TlsFailure:
    reason = _reason(exc)
    if reason in _NOT_TLS:
        return TlsFailure(TlsProblem.NOT_TLS, Sentence("{host} does not speak TLS on this port", host=host))
    if reason in _NO_COMMON_PROTOCOL:
        return _no_common_protocol(host)
    if reason in _CLIENT_CERTIFICATE_WANTED:
        sentence = Sentence(
            "{host} asks for a certificate of your own, and none was sent; name its file with --cert", host=host
        )
        return TlsFailure(TlsProblem.NO_CERTIFICATE, sentence)
    if (refused := _refused(host, reason)) is not None:
        return TlsFailure(TlsProblem.OTHER, refused)
    if reason in _NO_SERVER_CERTIFICATE:
        sentence = Sentence("{host} has no certificate to show, or none that this client can check", host=host)
        return TlsFailure(TlsProblem.NO_CERTIFICATE, sentence)
    if reason in _NO_COMMON_VERSION:
        sentence = Sentence("{host} offers no TLS 1.3: it is too old, or has no certificate to show", host=host)
    elif isinstance(exc, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        sentence = _hung_up(host)
    else:
        sentence = _failed(host, printable(reason.lower().replace("_", " ")))
    return TlsFailure(TlsProblem.OTHER, sentence)


def _failed(host: str, why: str) -> Sentence:
    return Sentence("The TLS handshake with {host} failed: {why}", host=host, why=why)


def _refused(host: str, reason: str) -> Sentence | None:
    """Explain an alert about the client's own certificate, with the remedy; None for other alerts."""
    alert = _ALERT.fullmatch(reason)
    why = _CLIENT_CERTIFICATE_REFUSED.get(alert[1]) if alert else None
    if why is None:
        return None
    makes_one = command(Program.CERTIFICATES)
    advice = (
        Sentence(
            "check this machine's clock, or ask the server's administrator for a new one (`{command} --client NAME`),"
            " or connect without --cert",
            command=makes_one,
        )
        if why == _DAMAGED
        else Sentence(
            "ask the server's administrator for a new one (`{command} --client NAME`), or connect without --cert",
            command=makes_one,
        )
    )
    return ProblemSentence(Sentence("{host} refused your own certificate (--cert): {why}", host=host, why=why), advice)


def _reason(exc: ssl.SSLError) -> str:
    """OpenSSL's mnemonic, also for reasons missing in Python's own table (alert 120 in all versions so far)."""
    # Errors made by Python itself (end of file, for one) have no such attribute.
    known: str | None = getattr(exc, "reason", None)
    words = re.sub(r"^\[[^\]]*\] | \(_ssl\.c:\d+\)$", "", exc.strerror or str(exc))
    return known or words.upper().replace(" ", "_")


def _no_common_protocol(host: str) -> TlsFailure:
    return TlsFailure(
        TlsProblem.NO_COMMON_PROTOCOL,
        Sentence("{host} speaks TLS, but not the protocol of securechat: another kind of server", host=host),
    )


def _hung_up(host: str) -> Sentence:
    return Sentence(
        "{host} hung up during the TLS handshake: it may be full, shutting down, or no TLS server", host=host
    )


def _parsed(chain: Sequence[bytes]) -> tuple[x509.Certificate, ...]:
    """Parse as many certificates, from the first on, as can be."""
    parsed: list[x509.Certificate] = []
    for der in chain:
        try:
            certificate = x509.load_der_x509_certificate(der)
            list(certificate.extensions)
            common_name(certificate.issuer)
        except DAMAGED:
            break
        parsed.append(certificate)
    return tuple(parsed)
