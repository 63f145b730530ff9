"""The page about the browser's warning, and the CA as the files that systems install. Nothing here is a script.

The reader of this page has no proof yet of who sent it: it says so, and has every fingerprint compared with the
server's terminal. The names of menus are those that the systems use in each language.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha1, sha256
from html import escape
from typing import Final, TypeAlias
from urllib.parse import parse_qs

from msgspec import Struct

from securechat.translation import LANGUAGES, N_, translator

PAGE_TYPE: Final = "text/html; charset=utf-8"
CA_TYPE: Final = "application/x-x509-ca-cert"
PROFILE_TYPE: Final = "application/x-apple-aspen-config"
PEM_TYPE: Final = "application/pem-certificate-chain"
"""RFC 8555, section 9.1."""
CA_PATH, PEM_PATH, PROFILE_PATH, PAGE_PATH = "/ca.crt", "/ca.pem", "/ca.mobileconfig", "/trust"
"""The CA as systems install it, as programs such as curl take it, and as Apple's systems want it; and the page."""
STYLESHEET: Final = "trust.css"

_Say: TypeAlias = Callable[..., str]


class TrustFacts(Struct, frozen=True):
    """What the page says.

    Attributes:
        authority: the CA certificate, DER.
        limited: whether its name constraints keep it to private networks and local names.
        stylesheet: the address of the style sheet, beside which the icon is.
    """

    authority: bytes
    limited: bool
    stylesheet: str


class _System(Struct, frozen=True):
    """How a system installs a CA.

    Attributes:
        name: of the system.
        steps: to install it.
        shows: where the system shows the fingerprint, and which.
        removal: how to take the CA out again.
    """

    name: str
    steps: Sequence[str]
    shows: str
    removal: str


_SYSTEMS: Final = (
    _System(
        "Android",
        (
            N_("Download the CA (ca.crt) with the link above."),
            N_(
                "Open Settings → Security & privacy → More security & privacy → Encryption & credentials → Install a "
                "certificate → CA certificate → Install anyway, and choose ca.crt. Some phones name these menus "
                "differently: search the settings for “CA certificate”."
            ),
            N_("Chrome takes it at once. Firefox on Android does not use CAs that people install."),
        ),
        N_(
            "Compare under Settings → … → Encryption & credentials → Trusted credentials → User: tap the CA. It shows "
            "SHA-256 and SHA-1."
        ),
        N_("Tap it there again and remove it with the button at the end."),
    ),
    _System(
        "iPhone, iPad",
        (
            N_("In Safari, open the profile (ca.mobileconfig) with the link above, and tap Allow."),
            N_("Open Settings → General → VPN & Device Management, tap the profile, and tap Install."),
            N_(
                "Open Settings → General → About → Certificate Trust Settings and switch it on. Without this step the "
                "warning stays."
            ),
        ),
        N_(
            "Compare before you tap Install: tap More Details, then the certificate. Its end shows SHA-256 and SHA-1 "
            "under Fingerprints."
        ),
        N_("Settings → General → VPN & Device Management → the profile → Remove Profile."),
    ),
    _System(
        "macOS",
        (
            N_("Download the CA (ca.crt) with the link above, and open it: Keychain Access adds it to “login”."),
            N_(
                "In Keychain Access, open it, unfold Trust, and choose “When using this certificate: Always Trust”. "
                "Close the window; macOS asks for your password."
            ),
        ),
        N_("Compare in that window, before you choose: the end of its details shows SHA-256 and SHA-1."),
        N_("In Keychain Access, choose “login”, then Certificates, and delete it."),
    ),
    _System(
        "Windows",
        (
            N_("Download the CA (ca.crt) with the link above, and open it."),
            N_(
                "Choose Install Certificate… → Current User → Place all certificates in the following store → Browse… "
                "→ Trusted Root Certification Authorities → Finish."
            ),
            N_("Windows warns and shows the thumbprint. Answer Yes only if it is the SHA-1 above."),
        ),
        N_("Windows shows SHA-1, as “Thumbprint (sha1)”."),
        N_("Start certmgr.msc, open Trusted Root Certification Authorities → Certificates, and delete it."),
    ),
    _System(
        "Linux",
        (
            N_("Download the CA (ca.crt) with the link above."),
            N_(
                "In Chrome or Chromium, open Settings → Privacy and security → Security → Manage certificates, and "
                "import it as a trusted certificate."
            ),
            N_("Firefox has a store of its own: see the next entry."),
        ),
        N_("Compare what this command shows:  openssl x509 -inform der -in ca.crt -noout -fingerprint -sha256"),
        N_("Delete it in the same place."),
    ),
    _System(
        "Firefox",
        (
            N_("Download the CA (ca.crt) with the link above."),
            N_(
                "Open Settings → Privacy & Security → Certificates → View Certificates… → Authorities → Import…, and "
                "choose ca.crt."
            ),
            N_("Tick “Trust this CA to identify websites.”"),
        ),
        N_("Compare before you tick it: View shows SHA-256 and SHA-1."),
        N_("In the same list, choose it and then Delete or Distrust…"),
    ),
)

_DOWNLOADS: Final = (
    (CA_PATH, N_("Download the CA (ca.crt)")),
    (PROFILE_PATH, N_("Profile for iPhone and iPad (ca.mobileconfig)")),
)
_WARNING: Final = (
    N_(
        "Your browser knows the companies that vouch for public websites. The CA of this server is not one of them: "
        "it was made on the server itself, for your own network. So the browser cannot tell whether this is your "
        "server, and it warns."
    ),
    N_(
        "If you go past the warning, everything is encrypted, but nothing proves to whom. A machine in the same "
        "network could stand between, and read and change what you write, your password too."
    ),
    N_("Once the CA is installed, the browser checks the server at each visit, and warns only if something is wrong."),
)
_FORGED: Final = N_(
    "This page could be forged as well, with another fingerprint, until the CA is installed. So trust no fingerprint "
    "because it stands here: compare it with the server's own."
)
_COMPARE: Final = N_(
    "The operator of the server sees it there, in its terminal, as “CA fingerprint”, and with “securechat-admin "
    "status”. Have it read out to you, or look yourself; a picture or a message that came over this network could be "
    "forged too."
)
_SPELLING: Final = N_(
    "Some systems write it with capital letters, with colons, or in other groups. That makes no difference."
)
_LIMITED: Final = N_(
    "This CA is limited: your system accepts from it only certificates for private networks, for local names such as "
    "those in .local or .lan, and for the names that this server was given. It cannot speak for your bank."
)
_UNLIMITED: Final = N_(
    "This CA is not limited. A person with its key, which lies on the server, could make certificates for any website, "
    "and your system would accept them. Install it only if you trust the person who runs the server that far. A CA "
    "made by a newer version is limited; ask for one."
)
_CAMERA: Final = N_(
    "For a QR code, use the phone's camera. Scanners inside other apps open pages in a window of their own, which "
    "cannot pass the warning and remembers nothing."
)


def trust_page(facts: TrustFacts, language: str) -> bytes:
    """Return the page: HTML that needs nothing but its style sheet.

    Args:
        facts: what it says.
        language: a key of `LANGUAGES`.
    """
    say = translator(language)
    title = say(N_("The browser's warning, and how to get rid of it"))
    back = say(N_("Back to the chat"))
    icon = f"{facts.stylesheet.rpartition('/')[0]}/icon.svg"
    lines = [
        "<!doctype html>",
        f'<html lang="{escape(language)}">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title>",
        f'<link rel="stylesheet" href="{escape(facts.stylesheet)}">',
        f'<link rel="icon" href="{escape(icon)}" type="image/svg+xml">',
        "</head>",
        "<body>",
        "<header>",
        f'<a href="/">{escape(back)}</a>',
        *_language_links(language, say),
        "</header>",
        "<main>",
        f"<h1>{escape(title)}</h1>",
        *_section(say(N_("What the warning means")), _paragraphs(map(say, _WARNING))),
        *_section(say(N_("Compare the fingerprint first")), _fingerprints(facts.authority, say)),
        *_section(say(N_("Install the CA")), _installing(facts, say)),
        *_section(say(N_("On phones")), _paragraphs([say(_CAMERA)])),
        "</main>",
        "</body>",
        "</html>",
    ]
    return "\n".join(lines).encode() + b"\n"


def profile(facts: TrustFacts, language: str) -> bytes:
    """Return the CA as a configuration profile for iOS and macOS (Apple, Configuration Profile Reference).

    It is not signed: nothing but the CA itself could sign it. The identifiers come from the fingerprint, so that the
    same CA replaces itself and is never there twice.

    Args:
        facts: of the page.
        language: a key of `LANGUAGES`.
    """
    import plistlib  # noqa: PLC0415 - with its parser of XML 4 ms of a start

    say = translator(language)
    digest = sha256(facts.authority).hexdigest()
    identifier = f"securechat.ca.{digest[:16]}"
    name = say(N_("securechat CA {begin}"), begin=_grouped(digest)[:9])
    explained = say(N_("Trusts the certificates of your chat server. Compare the fingerprint before you install it."))
    certificate = {
        "PayloadType": "com.apple.security.root",
        "PayloadVersion": 1,
        "PayloadIdentifier": f"{identifier}.certificate",
        "PayloadUUID": _uuid(digest, "certificate"),
        "PayloadDisplayName": name,
        "PayloadCertificateFileName": "ca.crt",
        "PayloadContent": facts.authority,
    }
    return plistlib.dumps({
        "PayloadType": "Configuration",
        "PayloadVersion": 1,
        "PayloadIdentifier": identifier,
        "PayloadUUID": _uuid(digest, "profile"),
        "PayloadDisplayName": name,
        "PayloadDescription": explained,
        "PayloadRemovalDisallowed": False,
        "PayloadContent": [certificate],
    })  # fmt: skip


def wanted_language(query: str, accepted: Iterable[str]) -> str:
    """Return the language of the answer: ``lang`` of the query, else the most wanted one that there is.

    Args:
        query: of the address, without its question mark.
        accepted: language ranges, the most wanted first (RFC 9110, section 12.5.4).
    """
    asked = parse_qs(query[:100], max_num_fields=10).get("lang", [""])[0] if query.count("&") < 10 else ""
    if asked in LANGUAGES:
        return asked
    codes = (each.partition("-")[0] for each in accepted)
    return next((code for code in codes if code in LANGUAGES), "en")


# --- Parts of the page ------------------------------------------------------------------------------------------------


def _section(heading: str, lines: Iterable[str]) -> Iterator[str]:
    yield f"<section><h2>{escape(heading)}</h2>"
    yield from lines
    yield "</section>"


def _paragraphs(texts: Iterable[str]) -> Iterator[str]:
    return (f"<p>{escape(text)}</p>" for text in texts)


def _language_links(language: str, say: _Say) -> Iterator[str]:
    label = say(N_("Language"))
    yield f'<nav aria-label="{escape(label)}">'
    for code, name in LANGUAGES.items():
        current = ' aria-current="true"' if code == language else ""
        yield f'<a href="{PAGE_PATH}?lang={code}" lang="{code}" hreflang="{code}"{current}>{escape(name)}</a>'
    yield "</nav>"


def _fingerprints(authority: bytes, say: _Say) -> Iterator[str]:
    yield f'<p class="important">{escape(say(_FORGED))}</p>'
    yield f"<p>{escape(say(_COMPARE))}</p>"
    yield "<dl>"
    for name, digest in (("SHA-256", sha256(authority)), ("SHA-1", sha1(authority, usedforsecurity=False))):
        yield f"<dt>{name}</dt><dd><code>{_grouped(digest.hexdigest())}</code></dd>"
    yield "</dl>"
    yield f"<p>{escape(say(_SPELLING))}</p>"


def _installing(facts: TrustFacts, say: _Say) -> Iterator[str]:
    yield f'<p class="important">{escape(say(_LIMITED if facts.limited else _UNLIMITED))}</p>'
    yield '<p class="downloads">'
    for path, label in _DOWNLOADS:
        yield f'<a href="{path}">{escape(say(label))}</a>'
    yield "</p>"
    for system in _SYSTEMS:
        yield f"<details><summary>{escape(system.name)}</summary><ol>"
        yield from (f"<li>{escape(say(step))}</li>" for step in system.steps)
        yield "</ol>"
        for label, text in ((N_("Compare:"), system.shows), (N_("To take it out again:"), system.removal)):
            yield f"<p><strong>{escape(say(label))}</strong> {escape(say(text))}</p>"
        yield "</details>"


def _grouped(digits: str) -> str:
    """Return digits in groups of four."""
    return " ".join(digits[at : at + 4] for at in range(0, len(digits), 4))


def _uuid(digest: str, part: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"securechat:ca:{digest}:{part}")).upper()
