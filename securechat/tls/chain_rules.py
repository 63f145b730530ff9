"""Rules that clients hold a server's certificate against, checked when the server starts, each with its remedy.

The certificate may come from any CA: ``openssl req``, a company's CA, a public one. ``require_usable`` refuses what
every client would refuse; ``doubts`` are about what only some clients can verify. The rules are those of
``ssl.VERIFY_X509_STRICT``, which clients set (RFC 5280 sections 4.1 and 4.2), and RFC 9525 for names.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from securechat.errors import TlsFailure
from securechat.programs import certifying
from securechat.tls.advice import ProblemSentence, in_two
from securechat.tls.issuing import CA_NAME
from securechat.tls.pem_bundle import Bundle, certificate_names, is_authority, issued_by, parse_certificates
from securechat.tls.private_files import bad_file, read_pem
from securechat.translation import Sentence

_LEAST_RSA_BITS = 2048
"""As OpenSSL's security level 2 requires, the default of Debian and CPython (SSL_CTX_set_security_level(3))."""
_CURVES = ("secp256r1", "secp384r1", "secp521r1")
"""The curves of RFC 8446 section 4.2.3; certificates on others have no signature scheme in TLS 1.3."""
_WEAK_HASHES = (hashes.MD5, hashes.SHA1)
_WITH_KEY_USAGE = "-addext keyUsage=critical,keyCertSign,cRLSign"
_WARN = dt.timedelta(days=30)
_FOREIGN_SHARE = 6
"""A foreign certificate is late in the last sixth of its life: certbot renews 90 days at 30 left, and 6 days at 3."""


def require_usable(bundle: Bundle, now: dt.datetime) -> None:
    """Refuse a certificate that no client can verify.

    Args:
        bundle: the server's.
        now: UTC, aware.

    Raises:
        TlsFailure: BAD_FILE with the first reason and its remedy.
    """
    problem = next(_problems(bundle, now), None)
    if problem is not None:
        raise bad_file(bundle.path, *in_two(problem))


def doubts(bundle: Bundle) -> Iterator[ProblemSentence]:
    """Tell why some clients may be unable to verify a certificate that is otherwise good.

    Args:
        bundle: the server's; a chain that ends in one of the system's CAs is not to be doubted.
    """
    path = signing_path(bundle)
    if len(path) == 1 and not is_self_signed(path[0]):
        issuer = common_name(bundle.leaf.issuer)
        yield ProblemSentence(
            Sentence(
                "{path} holds no certificate of its issuer, {issuer}. If that is an intermediate CA, clients cannot"
                " verify this server",
                path=bundle.path,
                issuer=issuer,
            ),
            Sentence("use the file with the chain (certbot's fullchain.pem)"),
        )
    as_names = [name for name in bundle.names.dns if _is_address(name)]
    if as_names:
        yield ProblemSentence(
            Sentence(
                "{path} names the address {address} as a DNS name, which clients ignore",
                path=bundle.path,
                address=as_names[0],
            ),
            Sentence("it must be an IP entry of subjectAltName (IP:...)"),
        )


def signing_path(bundle: Bundle) -> list[x509.Certificate]:
    """Return the leaf and, in the order of the signatures, those in the file that lead to its root; rules aside."""
    return path_of(bundle.leaf, bundle.chain)


def path_of(leaf: x509.Certificate, chain: tuple[x509.Certificate, ...]) -> list[x509.Certificate]:
    """Do the same as ``signing_path`` for a chain that a peer sent."""
    path, left = [leaf], list(chain)
    while not is_self_signed(path[-1]):
        signer = next((one for one in left if issued_by(path[-1], one)), None)
        if signer is None:
            break
        left.remove(signer)  # so that CAs which certify each other cannot cause an endless loop
        path.append(signer)
    return path


def is_self_signed(certificate: x509.Certificate) -> bool:
    """Whether the certificate's own key signed it."""
    return certificate.issuer == certificate.subject and issued_by(certificate, certificate)


def common_name(name: x509.Name) -> str:
    """Return the common name, or the whole name where there is none."""
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else name.rfc4514_string() or Sentence("an unnamed CA")


def made_here(certificate: x509.Certificate) -> bool:
    """Whether a CA of ``certificate_directory`` issued this certificate, by the issuer's name."""
    return common_name(certificate.issuer).startswith(CA_NAME)


def is_late(bundle: Bundle, now: dt.datetime) -> bool:
    """Whether the certificate should have been renewed by now: under 30 days, or a sixth of a foreign one's life."""
    left, life = bundle.not_after - now, bundle.not_after - bundle.not_before
    return left < (_WARN if made_here(bundle.leaf) else min(_WARN, life / _FOREIGN_SHARE))


def renewal(bundle: Bundle) -> Sentence:
    """Say how this certificate is renewed: with the program's own command, or with that of its CA."""
    if made_here(bundle.leaf):
        return Sentence("renew it with `{command}`", command=certifying(bundle.path))
    return Sentence("renew it with what made it (its CA is {issuer})", issuer=common_name(bundle.leaf.issuer))


def claims_authority(certificate: x509.Certificate) -> bool:
    """Whether basicConstraints call it a CA's; by themselves they do not make it usable as one."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def flaw_of_authority(certificate: x509.Certificate) -> Sentence | None:
    """Say why a certificate is refused as a CA's by the strict rules, with the remedy; None when it is good."""
    if not claims_authority(certificate):
        return Sentence("it is no CA certificate (basicConstraints CA:TRUE is missing)")
    if not is_authority(certificate):
        return ProblemSentence(
            Sentence("it has no keyUsage with keyCertSign, which RFC 5280 section 4.2.1.3 requires"),
            Sentence("make the CA anew with {options}", options=_WITH_KEY_USAGE),
        )
    return None


def _problems(bundle: Bundle, now: dt.datetime) -> Iterator[str]:
    """Find what clients would refuse: clauses that stand after the file's name, most with advice."""
    leaf, path = bundle.leaf, signing_path(bundle)
    ours = certifying(bundle.path)
    if is_self_signed(leaf):
        yield ProblemSentence(
            Sentence("the certificate is self-signed, and clients verify a server by a CA"),
            Sentence("make a CA and a certificate with `{command}`, or use one that a CA issued", command=ours),
        )
    if bundle.not_after <= now:
        yield ProblemSentence(Sentence("the certificate expired on {day:date}", day=bundle.not_after), renewal(bundle))
    yield from _problems_of_leaf(leaf)
    # Translators: the subject of "{named} has an RSA key of {bits} bits" and the like
    yield from _weak_keys(leaf, Sentence("the certificate"))
    if len(path) == 1:
        yield from _problem_of_cut_file(bundle)
    for below, signer in pairwise(path):
        # Translators: the subject of "{named} expired on {day:date}" and the like; "it" is the file
        named = Sentence("the CA certificate in it ({name})", name=common_name(signer.subject))
        flaw = flaw_of_authority(signer)
        if flaw is not None:
            why, advice = in_two(flaw)
            what = Sentence("{named} is refused by every client: {why}", named=named, why=why)
            yield ProblemSentence(what, advice) if advice else what
        yield from _weak_keys(signer, named)
        yield from _outside_validity(signer, named, now)
        if isinstance(below.signature_hash_algorithm, _WEAK_HASHES):
            yield _weak_signature(below)
    if isinstance(path[-1].signature_hash_algorithm, _WEAK_HASHES) and not is_self_signed(path[-1]):
        yield _weak_signature(path[-1])


def _problems_of_leaf(leaf: x509.Certificate) -> Iterator[str]:
    anew = "-addext subjectAltName=DNS:chat.example.org"
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        yield ProblemSentence(
            Sentence("the certificate has no subjectAltName, and clients ignore the common name (RFC 9525)"),
            Sentence("make it anew with {options}", options=anew),
        )
    else:
        if not _names_a_host(leaf):
            yield ProblemSentence(
                _names_no_host(list(dict.fromkeys(_kind_of(name) for name in names))),
                Sentence("make it anew with {options}, or {other}", options=anew, other="IP:192.168.1.10"),
            )
    try:
        purposes = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return
    if ExtendedKeyUsageOID.SERVER_AUTH not in purposes:
        yield ProblemSentence(
            Sentence("the certificate is not for servers (extendedKeyUsage without serverAuth)"),
            Sentence("use one that is"),
        )


def _names_a_host(leaf: x509.Certificate) -> bool:
    names = certificate_names(leaf)
    return bool(names.ips) or any(name.strip() and not _is_address(name) for name in names.dns)


_KINDS: dict[type[x509.GeneralName], Sentence] = {
    x509.UniformResourceIdentifier: Sentence("a URI"),
    x509.RFC822Name: Sentence("an e-mail address"),
    x509.DirectoryName: Sentence("a directory name"),
    x509.RegisteredID: Sentence("a registered ID"),
    x509.OtherName: Sentence("a name of another kind"),
    x509.IPAddress: Sentence("a network"),
}
"""What a subjectAltName can hold besides hosts (RFC 5280 section 4.2.1.6)."""


def _kind_of(name: x509.GeneralName) -> Sentence:
    if isinstance(name, x509.DNSName):
        return Sentence("an address as a DNS name") if name.value.strip() else Sentence("an empty DNS name")
    return _KINDS.get(type(name), _KINDS[x509.OtherName])


def _names_no_host(kinds: Sequence[Sentence]) -> Sentence:
    if not kinds:
        return Sentence(
            "the certificate names no host, and clients look for a DNS name or an IP address in its subjectAltName"
            " (RFC 9525), which holds nothing"
        )
    joined = kinds[0]
    for kind in kinds[1:]:
        # Translators: joins the items of a list, such as "a URI, an e-mail address"
        joined = Sentence("{before}, {kind}", before=joined, kind=kind)
    return Sentence(
        "the certificate names no host, and clients look for a DNS name or an IP address in its subjectAltName"
        " (RFC 9525), which holds {kinds}",
        kinds=joined,
    )


def _weak_keys(certificate: x509.Certificate, named: str) -> Iterator[str]:
    match certificate.public_key():
        case rsa.RSAPublicKey() as key if key.key_size < _LEAST_RSA_BITS:
            yield ProblemSentence(
                Sentence(
                    "{named} has an RSA key of {bits} bits, and clients want {least}",
                    named=named,
                    bits=key.key_size,
                    least=_LEAST_RSA_BITS,
                ),
                Sentence("make a new one"),
            )
        case ec.EllipticCurvePublicKey() as key if key.curve.name not in _CURVES:
            yield ProblemSentence(
                Sentence(
                    "{named} has a key on the curve {curve}, which TLS 1.3 does not have",
                    named=named,
                    curve=key.curve.name,
                ),
                Sentence("use {name}", name="P-256"),
            )
        case rsa.RSAPublicKey() | ec.EllipticCurvePublicKey() | ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey():
            return
        case _:
            yield ProblemSentence(
                Sentence("{named} has a key of a kind that TLS 1.3 does not have", named=named),
                Sentence("use P-256, Ed25519 or RSA"),
            )


def _weak_signature(certificate: x509.Certificate) -> ProblemSentence:
    used = certificate.signature_hash_algorithm
    name = used.name.upper() if used is not None else ""
    return ProblemSentence(
        Sentence(
            "the certificate of {name} is signed with {hash}, which clients refuse",
            name=common_name(certificate.subject),
            hash=name,
        ),
        Sentence("have it issued anew with SHA-256"),
    )


def _outside_validity(signer: x509.Certificate, named: str, now: dt.datetime) -> Iterator[str]:
    if signer.not_valid_after_utc <= now:
        yield Sentence(
            "{named} expired on {day:date}, and every client needs a new one",
            named=named,
            day=signer.not_valid_after_utc,
        )
    if signer.not_valid_before_utc > now:
        yield ProblemSentence(
            Sentence(
                "{named} is valid only from {begin:moment} UTC on", named=named, begin=signer.not_valid_before_utc
            ),
            Sentence("check the clock of this machine"),
        )


def _problem_of_cut_file(bundle: Bundle) -> Iterator[str]:
    """Find the file with the chain beside one without it, as certbot and others write both."""
    for name in ("fullchain.pem", "fullchain.cer"):
        beside = bundle.path.with_name(name)
        if beside != bundle.path and _completes(beside, bundle.leaf):
            yield ProblemSentence(
                Sentence("it holds the certificate without its chain, so clients cannot verify it"),
                Sentence("use {name}", name=beside),
            )
            return


def _completes(path: Path, leaf: x509.Certificate) -> bool:
    try:
        first, *rest = parse_certificates(path, read_pem(path))
    except TlsFailure:
        return False
    return first == leaf and bool(rest)


def _is_address(name: str) -> bool:
    return name.replace(".", "").isdigit() or ":" in name
