"""The page about the browser's warning: no script, every text in both languages, files that systems take."""

from __future__ import annotations

import datetime as dt
import hashlib
import plistlib
import uuid
from html.parser import HTMLParser

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from securechat.server.web import trust
from securechat.server.web.trust import TrustFacts, profile, trust_page, wanted_language
from securechat.tls.issuing import new_authority
from securechat.wire.http import Authority, Request

NOW = dt.datetime.now(dt.UTC)
AUTHORITY = new_authority(NOW).certificate.public_bytes(Encoding.DER)
FACTS = TrustFacts(AUTHORITY, limited=True, stylesheet="/w/0123/trust.css")


class Page(HTMLParser):
    """The elements of a page, and whether each is closed."""

    def __init__(self, source: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(source.decode())
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "link"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.mark.parametrize("language", ["en", "id"])
def test_the_page_is_whole_and_has_no_script(language: str) -> None:
    page = Page(trust_page(FACTS, language))
    assert page.all("html") == [{"lang": language}]
    assert [each["href"] for each in page.all("link")] == ["/w/0123/trust.css", "/w/0123/icon.svg"]
    assert not {tag for tag, _attributes in page.elements} & {"script", "style", "img", "iframe", "form"}
    for _tag, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
    hrefs = {attributes["href"] for attributes in page.all("a")}
    assert hrefs == {"/", "/ca.crt", "/ca.mobileconfig", "/trust?lang=en", "/trust?lang=id"}
    assert len(page.all("h1")) == 1
    assert [each["lang"] for each in page.all("a") if each.get("aria-current")] == [language]


def test_fingerprints_stand_in_groups_of_four() -> None:
    text = Page(trust_page(FACTS, "en")).text
    for digest in (hashlib.sha256(AUTHORITY).hexdigest(), hashlib.sha1(AUTHORITY).hexdigest()):
        assert " ".join(digest[at : at + 4] for at in range(0, len(digest), 4)) in text


def test_the_page_says_what_the_issue_demands() -> None:
    text = Page(trust_page(FACTS, "en")).text
    for words in ("could be forged", "server's own", "phone's camera", "is limited", "To take it out again:"):
        assert words in text
    for system in ("Android", "iPhone", "macOS", "Windows", "Linux", "Firefox"):
        assert system in text
    unlimited = Page(trust_page(TrustFacts(AUTHORITY, limited=False, stylesheet="x"), "en")).text
    assert "is not limited" in unlimited
    assert "is limited:" not in unlimited


def test_both_languages_have_the_menus_of_their_systems() -> None:
    english, indonesian = (Page(trust_page(FACTS, language)).text for language in ("en", "id"))
    for menu in ("Certificate Trust Settings", "Trusted Root Certification Authorities", "Encryption & credentials"):
        assert menu in english
    for menu in ("Pengaturan Kepercayaan Sertifikat", "Otoritas Sertifikasi Akar Tepercaya", "Enkripsi & kredensial"):
        assert menu in indonesian
    assert english.count("\n") == indonesian.count("\n")


def test_a_style_sheet_with_another_address_is_escaped() -> None:
    hostile = TrustFacts(AUTHORITY, limited=True, stylesheet='"><script>x</script>')
    assert not Page(trust_page(hostile, "en")).all("script")


def test_the_profile_has_the_ca_and_stays_the_same() -> None:
    made = plistlib.loads(profile(FACTS, "en"))
    assert made["PayloadType"] == "Configuration"
    (payload,) = made["PayloadContent"]
    assert payload["PayloadType"] == "com.apple.security.root"
    assert x509.load_der_x509_certificate(payload["PayloadContent"]).subject
    identifiers = [made["PayloadUUID"], payload["PayloadUUID"]]
    assert len(set(identifiers)) == 2
    assert all(str(uuid.UUID(each)).upper() == each for each in identifiers)
    assert payload["PayloadIdentifier"].startswith(made["PayloadIdentifier"])
    again = plistlib.loads(profile(FACTS, "id"))
    assert again["PayloadUUID"] == made["PayloadUUID"]
    assert again["PayloadDisplayName"] != made["PayloadDisplayName"]
    other = new_authority(NOW).certificate.public_bytes(Encoding.DER)
    assert plistlib.loads(profile(TrustFacts(other, True, "x"), "en"))["PayloadUUID"] != made["PayloadUUID"]


@pytest.mark.parametrize(
    ("query", "header", "language"),
    [
        ("", "", "en"),
        ("", "id-ID,id;q=0.9,en-US;q=0.8", "id"),
        ("", "de, en;q=0.5, id;q=0.7", "id"),
        ("", "id;q=0, en;q=0.1", "en"),
        ("", "fr", "en"),
        ("", "*;q=0.5,;;,q=x," + "x," * 10_000, "en"),
        ("lang=id", "en", "id"),
        ("lang=xx", "id", "id"),
        ("lang=%3Cscript%3E", "", "en"),
        ("&" * 50_000, "id", "id"),
        ("lang=" + "i" * 50_000, "", "en"),
    ],
)
def test_the_language_is_asked_for_or_the_browsers(query: str, header: str, language: str) -> None:
    request = Request("GET", "/trust", Authority("a", 443), None, ((b"accept-language", header.encode()),))
    assert wanted_language(query, request.weighted(b"accept-language")) == language


def test_the_types_are_those_that_systems_know() -> None:
    assert trust.CA_TYPE == "application/x-x509-ca-cert"
    assert trust.PROFILE_TYPE == "application/x-apple-aspen-config"
