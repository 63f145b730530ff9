"""The certificate directory: creates the CA, issues and renews certificates.

``ca.pem`` is public, ``ca.key`` and ``server.pem`` are secret, ``client-NAME.pem`` is for one user. Keys are 0600 from
their first byte; every file is written whole or not at all; nothing is overwritten unasked. A second run renews
``server.pem`` under the same CA, unnoticed by clients. Replacing the CA cuts off every client, so it is done only when
it is asked for.

A CA can certify private names and those that it was made with (`name_constraints`). A name of this machine that it
cannot certify is left out: such names change by themselves, and the server must go on. One that was asked for is
refused, because only a new CA can have it.

Times are aware UTC datetimes and come in as ``now``; the default is the machine's clock.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Struct

from securechat.errors import TlsFailure
from securechat.text.counts import counted
from securechat.tls.advice import ProblemSentence
from securechat.tls.hostnames import Names
from securechat.tls.issuing import (
    CLIENT_LIFETIME,
    Issuer,
    certificate_pem,
    key_pem,
    new_authority,
    new_client_leaf,
    new_server_leaf,
)
from securechat.tls.local_addresses import local_names
from securechat.tls.name_constraints import names_outside
from securechat.tls.pem_bundle import (
    Bundle,
    fingerprint,
    is_authority,
    issued_by,
    key_matches,
    parse_certificates,
    parse_key,
    read_bundle,
)
from securechat.tls.private_files import PUBLIC_MODE, SECRET_MODE, bad_file, read_pem, write_pem
from securechat.translation import Sentence

CA_FILE = "ca.pem"
CA_KEY_FILE = "ca.key"
SERVER_FILE = "server.pem"

RENEWAL_MARGIN = dt.timedelta(days=30)
"""A third of the leaf's 90 days, as Let's Encrypt advises: room for a month of failed renewals."""

_MAX_NAMES = 100
"""Bounds the certificate of a laptop that joins a new network every day; 100 names are about 1.5 KiB."""

_NEW_CA = Sentence("--new-ca makes a new CA, and every client must then get the new ca.pem or pin")


class Ensured(Struct, frozen=True):
    """The result of ``ensure_server``.

    Args:
        bundle: the certificate now in ``server.pem``.
        reasons: why it was issued just now, one English sentence each; empty when the existing one was still good.
        ca_fingerprint: ``sha256:…`` of the CA.
        new_ca: whether the CA was made just now.
        left_out: names of this machine, or of a certificate of another CA, that its CA cannot certify.
    """

    bundle: Bundle
    reasons: tuple[str, ...]
    ca_fingerprint: str
    new_ca: bool
    left_out: Names = Names()


def utc_now() -> dt.datetime:
    """The machine's clock."""
    return dt.datetime.now(dt.UTC)


def create_authority(
    directory: Path, names: Names | None = None, *, now: dt.datetime | None = None, replace: bool = False
) -> Issuer:
    """Make a CA and write ``ca.key`` and ``ca.pem``.

    Args:
        directory: created when missing.
        names: those that it can certify besides private ones; only the first 100 are used.
        now: UTC.
        replace: overwrite an existing CA. Every client then needs the new one.

    Raises:
        TlsFailure: BAD_FILE when either file exists and ``replace`` is false, or cannot be written.
    """
    if not replace:
        for name in (CA_KEY_FILE, CA_FILE):
            if (directory / name).exists():
                raise bad_file(directory / name, Sentence("exists already and is not overwritten"), _NEW_CA)
    issuer = new_authority(now or utc_now(), _limited(names or Names()))
    # Key first: a crash in between leaves a key that no client trusts yet, never a trusted CA that cannot sign.
    write_pem(directory / CA_KEY_FILE, key_pem(issuer.key), mode=SECRET_MODE, replace=replace)
    write_pem(directory / CA_FILE, certificate_pem(issuer.certificate), mode=PUBLIC_MODE, replace=replace)
    return issuer


def load_authority(directory: Path, *, now: dt.datetime | None = None) -> Issuer | None:
    """Read ``ca.pem`` and ``ca.key``.

    Returns:
        The CA, ready to sign; None when neither file is there.

    Raises:
        TlsFailure: BAD_FILE with one sentence about the problem and its remedy: one of the two is missing, they do not
            belong together, the file is not a CA made here, or it is expired or not yet valid.
    """
    ca_path, key_path = directory / CA_FILE, directory / CA_KEY_FILE
    if not ca_path.exists() and not key_path.exists():
        return None
    if not ca_path.exists():
        raise bad_file(
            ca_path,
            Sentence(
                "is missing while {key} is there: an earlier run was cut short, or {ca} was moved",
                key=CA_KEY_FILE,
                ca=CA_FILE,
            ),
            Sentence("put it back, or start anew: {new_ca}", new_ca=_NEW_CA),
        )
    certificate = parse_certificates(ca_path, read_pem(ca_path))[0]
    if not key_path.exists():
        raise bad_file(
            key_path,
            Sentence("is missing, so nothing can be signed under {ca}", ca=CA_FILE),
            Sentence("put it back, or start anew: {new_ca}", new_ca=_NEW_CA),
        )
    # Translators: after "ca.key: holds no private key"
    key = parse_key(key_path, read_pem(key_path), missing=Sentence("put it back"))
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not key_matches(certificate, key):
        raise bad_file(key_path, Sentence("does not belong to {ca}", ca=CA_FILE), _put_the_right_one_back())
    _check_authority(ca_path, certificate, now or utc_now())
    return Issuer(certificate, key)


def _put_the_right_one_back() -> Sentence:
    return Sentence("put the right one back, or start anew: {new_ca}", new_ca=_NEW_CA)


def issue_server(
    directory: Path, issuer: Issuer, names: Names, *, now: dt.datetime | None = None, force: bool = False
) -> Bundle:
    """Write ``server.pem``: leaf, CA certificate and key, replacing an earlier one of the same CA.

    Args:
        directory: where.
        issuer: the CA.
        names: the names in the certificate; only the first 100 are used.
        now: UTC.
        force: replace a ``server.pem`` that another CA issued, or that cannot be read, too.

    Raises:
        TlsFailure: BAD_FILE when such a foreign ``server.pem`` is there, it cannot be written, or the CA cannot
            certify one of the names.
    """
    path = directory / SERVER_FILE
    outside = names_outside(issuer.certificate, names)
    if outside:
        raise bad_file(
            directory / CA_FILE,
            Sentence(
                "this CA can certify private names and addresses, and the names it was made with, but not {names}",
                names=outside,
            ),
            _NEW_CA,
        )
    if path.exists() and not force:
        _check_ours(path, issuer.certificate)
    leaf = new_server_leaf(issuer, _limited(names), now or utc_now())
    write_pem(path, leaf.to_pem(), mode=SECRET_MODE, replace=True)
    return read_bundle(path)


def issue_client(
    directory: Path,
    issuer: Issuer,
    name: str,
    *,
    now: dt.datetime | None = None,
    lifetime: dt.timedelta = CLIENT_LIFETIME,
    force: bool = False,
) -> Bundle:
    """Write ``client-NAME.pem``: a client certificate, the CA certificate and the key.

    Args:
        directory: where.
        issuer: the CA.
        name: 1 to 64 printable characters, for display.
        now: UTC.
        lifetime: how long it is valid; never longer than its CA.
        force: overwrite an earlier one.

    Raises:
        ValueError: the name cannot be used; the message says why.
        TlsFailure: BAD_FILE when the file exists, or cannot be written.
    """
    path = directory / client_file_name(name)
    if path.exists() and not force:
        raise bad_file(path, Sentence("exists already and is not overwritten"), _force())
    leaf = new_client_leaf(issuer, name, now or utc_now(), lifetime)
    write_pem(path, leaf.to_pem(), mode=SECRET_MODE, replace=force)
    return read_bundle(path)


def client_file_name(name: str) -> str:
    """The file name of a client certificate: safe on every system and in every shell, and unique per name.

    A space becomes ``_``. Where other characters are removed, a few digits of the name's hash keep the file name
    unique.

    Raises:
        ValueError: empty, over 64 characters, or unprintable.
    """
    if not name.strip() or len(name) > 64 or not name.isprintable():
        raise ValueError(Sentence("A client name is 1 to 64 printable characters"))
    spaced = name.replace(" ", "_")
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", spaced)
    return f"client-{plain}.pem" if plain == spaced else f"client-{plain}-{_digits(name)}.pem"


def _digits(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:8]


def _force() -> Sentence:
    return Sentence("--force replaces it")


def needs_renewal(
    bundle: Bundle, names_now: Names, now: dt.datetime, margin: dt.timedelta = RENEWAL_MARGIN
) -> list[str]:
    """The reasons to renew this server certificate.

    Args:
        bundle: the current one.
        names_now: the machine's present names, and those asked for.
        now: UTC.
        margin: time before its end from which it is due.

    Returns:
        One sentence per reason, for programs: in English; none when it is still good.
    """
    reasons = []
    if bundle.not_before > now:
        reasons.append(f"it is valid only from {bundle.not_before:%Y-%m-%d %H:%M} UTC on")
    left = bundle.not_after - now
    authority = bundle.authority
    # Near the end of its CA a new leaf would not live longer, so renewing at every start would be useless.
    ends_with_its_ca = authority is not None and bundle.not_after >= authority.not_valid_after_utc
    if left <= dt.timedelta(0):
        reasons.append(f"it expired on {bundle.not_after:%Y-%m-%d}")
    elif left < margin and not ends_with_its_ca:
        reasons.append(f"it expires in {counted(left.days, 'day')}")
    lacking = names_now - bundle.names
    if lacking:
        reasons.append(f"it does not name {lacking}")
    return reasons


def ensure_server(
    directory: Path,
    extra: Names | None = None,
    *,
    now: dt.datetime | None = None,
    always: bool = False,
    keep_names: bool = True,
    force: bool = False,
    new_ca: bool = False,
) -> Ensured:
    """Ensure that ``server.pem`` can be used: create the CA if there is none, issue or renew the leaf if needed.

    The new leaf names ``extra``, the machine's present names, and (``keep_names``) those of the old leaf, in this order
    and 100 at most, so that names given once with ``--name`` survive renewals. A new CA can certify all of them.

    Args:
        directory: where.
        extra: names that were asked for.
        now: UTC.
        always: renew the leaf even if it is good.
        keep_names: see above.
        force: see ``issue_server``.
        new_ca: replace the CA, and so the leaf. Every client then needs the new one.

    Raises:
        TlsFailure: BAD_FILE, see ``load_authority`` and ``issue_server``.
    """
    now = now or utc_now()
    path = directory / SERVER_FILE
    asked, present = extra or Names(), local_names()
    old = _readable_bundle(path, force=force or new_ca)
    authority = None if new_ca else _present_authority(directory, old)
    left_out = _outside(authority, present - asked)
    wanted = asked | (present - left_out)
    reasons = _reasons(directory, old, wanted, now, always=always or new_ca)
    if old is not None and not reasons:
        authority = old.authority
        return Ensured(old, (), fingerprint(authority) if authority else "", new_ca=False, left_out=left_out)
    if old is not None and keep_names:
        left_out |= _outside(authority, old.names - asked)  # where another CA issued it
        wanted |= old.names - left_out
    issuer = None if new_ca else load_authority(directory, now=now)
    made = issuer is None
    if issuer is None:
        issuer = create_authority(directory, wanted, now=now, replace=new_ca)
    bundle = issue_server(directory, issuer, _limited(wanted), now=now, force=force or new_ca)
    return Ensured(bundle, tuple(reasons), fingerprint(issuer.certificate), new_ca=made, left_out=left_out)


def _outside(authority: x509.Certificate | None, names: Names) -> Names:
    return names_outside(authority, names) if authority is not None else Names()


def _present_authority(directory: Path, old: Bundle | None) -> x509.Certificate | None:
    """The CA whose limits hold: that of the directory, or, where that cannot be read, of the certificate in use."""
    try:
        return parse_certificates(directory / CA_FILE, read_pem(directory / CA_FILE))[0]
    except TlsFailure:
        return old.authority if old is not None else None


def _reasons(directory: Path, old: Bundle | None, wanted: Names, now: dt.datetime, *, always: bool) -> list[str]:
    if old is None:
        return ["there was none"]
    reasons = needs_renewal(old, _limited(wanted), now)
    ca_path = directory / CA_FILE
    if ca_path.exists() and not issued_by(old.leaf, parse_certificates(ca_path, read_pem(ca_path))[0]):
        reasons.append(f"it was not issued by {CA_FILE}, so clients that have {CA_FILE} refuse it")
    return reasons or (["it was asked for"] if always else [])


def _readable_bundle(path: Path, *, force: bool) -> Bundle | None:
    if not path.exists():
        return None
    try:
        return read_bundle(path)
    except TlsFailure:
        if force:
            return None
        raise


def _limited(names: Names) -> Names:
    ips = names.ips[: _MAX_NAMES // 2]
    return Names(names.dns[: _MAX_NAMES - len(ips)], ips)


def _check_authority(path: Path, certificate: x509.Certificate, now: dt.datetime) -> None:
    if not is_authority(certificate):
        raise bad_file(path, Sentence("is no CA certificate"), _put_the_right_one_back())
    if now >= certificate.not_valid_after_utc:
        raise bad_file(path, Sentence("the CA expired on {day:date}", day=certificate.not_valid_after_utc), _NEW_CA)
    if now < certificate.not_valid_before_utc:
        raise bad_file(
            path,
            Sentence(
                "the CA is valid from {begin:moment} UTC on, but the clock of this machine says {now:moment} UTC",
                begin=certificate.not_valid_before_utc,
                now=now,
            ),
            Sentence("set the clock right"),
        )


def _check_ours(path: Path, authority: x509.Certificate) -> None:
    try:
        ours = issued_by(read_bundle(path).leaf, authority)
    except TlsFailure as failure:
        raise TlsFailure(failure.problem, ProblemSentence(failure.detail, _force())) from failure
    if not ours:
        raise bad_file(path, Sentence("was not issued by {ca} and is not overwritten", ca=CA_FILE), _force())
