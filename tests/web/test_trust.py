"""The page about the browser's warning, in a browser: fits every width, is accessible, and gives the CA."""

from __future__ import annotations

import plistlib
from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.support.browser import Visitor
from tests.support.server import ServerProcess

OPEN_ALL = "document.querySelectorAll('details').forEach((each) => (each.open = true))"


@pytest.mark.parametrize(
    ("language", "scheme"),
    [
        ("en", "light"),
        ("id", "dark"),
        pytest.param("en", "dark", marks=pytest.mark.slow),
        pytest.param("id", "light", marks=pytest.mark.slow),
    ],
)
def test_the_page_fits_and_has_no_finding(visit: Callable[..., Visitor], language: str, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    visitor = visit(viewport={"width": 320, "height": 640}, color_scheme=scheme)
    page = visitor.open(f"/trust?lang={language}")
    page.evaluate(OPEN_ALL)
    for width in (320, 360, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        found = axe.run(page).response["violations"]
        assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] == []


@pytest.mark.parametrize(("locale", "heading"), [("id-ID", "Instal CA"), ("en-US", "Install the CA")])
def test_it_speaks_the_language_of_the_browser(visit: Callable[..., Visitor], locale: str, heading: str) -> None:
    page = visit(locale=locale).open("/trust")
    page.get_by_role("heading", name=heading, exact=True).wait_for()


def test_it_gives_the_ca_of_the_server(visit: Callable[..., Visitor], server: ServerProcess) -> None:
    visitor = visit()
    wanted = x509.load_pem_x509_certificate(server.ca.read_bytes()).public_bytes(Encoding.DER)
    certificate = visitor.context.request.get(f"{visitor.origin}/ca.crt", ignore_https_errors=True)
    assert certificate.headers["content-type"] == "application/x-x509-ca-cert"
    assert certificate.body() == wanted
    profile = visitor.context.request.get(f"{visitor.origin}/ca.mobileconfig", ignore_https_errors=True)
    assert profile.headers["content-type"] == "application/x-apple-aspen-config"
    assert plistlib.loads(profile.body())["PayloadContent"][0]["PayloadContent"] == wanted
