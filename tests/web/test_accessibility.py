"""WCAG 2.2 AA by axe, on every screen, in each theme and language, on a phone and a laptop."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.browser import LAPTOP, PHONE, Visitor
from tests.support.page import PANELS, come_in, composer, expect_once, open_panel, say

if TYPE_CHECKING:
    from playwright.sync_api import Page

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
"""The rules about colours, and about what stands in their place: all that another theme changes."""
THEMES = ("light", "dark", "contrast")


def expect_no_findings(page: Page, screen: str, rules: dict[str, Any] = RULES) -> None:
    """Run axe.

    Raises:
        AssertionError: with every finding.
    """
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    results = axe.Axe().run(page, options=rules)
    found = [
        f"{each['id']}: {each['help']}: {node['html'][:200]} {node.get('failureSummary', '')[:300]}"
        for each in results.response["violations"]
        for node in each["nodes"]
    ]
    assert not found, f"{screen}:\n" + "\n".join(found)


@pytest.mark.slow
@pytest.mark.parametrize("device", [PHONE, LAPTOP], ids=["phone", "laptop"])
@pytest.mark.parametrize("language", ["en", "id"])
def test_no_screen_has_findings(visit: Callable[..., Visitor], device: dict[str, Any], language: str) -> None:
    visitor = visit(**{**device, "locale": language})
    page = visitor.open()
    page.get_by_role("textbox").first.wait_for()
    expect_no_findings(page, "first screen")
    words = {"en": "Name", "id": "Nama"}
    page.get_by_label(words[language], exact=True).fill("ana")
    page.keyboard.press("Enter")
    write = page.locator("textarea").first
    write.wait_for()
    for text in ("halo `kode` https://example.org/ @ana", "```\nsatu\n```", "🎉"):
        write.fill(text)
        page.locator("button.send").click()
    page.get_by_role("article").nth(2).wait_for()
    for theme in THEMES if language == "en" else THEMES[:1]:
        rules = RULES if theme == "light" else COLOURS
        page.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
        expect_no_findings(page, f"conversation, {theme}", rules)
        page.keyboard.press("Control+k")
        page.locator("dialog[open]").wait_for()
        expect_no_findings(page, f"switcher, {theme}", rules)
        page.keyboard.press("Escape")
        page.locator("dialog[open]").wait_for(state="detached")
        for panel in PANELS:
            with open_panel(page, panel):
                expect_no_findings(page, f"{panel}, {theme}", rules)


def test_a_conversation_has_no_findings(visit: Callable[..., Visitor]) -> None:
    page = come_in(visit(), "ana")
    say(page, "halo")
    expect_once(page, "halo")
    composer(page).focus()
    expect_no_findings(page, "conversation")
