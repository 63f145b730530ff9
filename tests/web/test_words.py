"""Every word of the page comes from the catalogue, and the longest translations fit a narrow phone.

The page gets a catalogue in which each text stands in brackets. What a person could read outside of them, and what is
wider than the screen, is found on every screen that this walk reaches.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.browser import Visitor
from tests.support.locales import translations_tool
from tests.support.page import PANELS

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

ROOT = Path(__file__).resolve().parents[2]
SAID = "zzzone zzztwo"
"""What people say and are called here has no letters that a text of the page needs."""
DATA = re.compile(
    r"zzz\w*|[A-Z][a-z]+, \d+ [A-Z][a-z]+ \d{4}(?: pukul)?|lobby|localhost(?::\d+)?|securechat(?:/[\w.]+|-\w+)*"
    r"|sha256|https?|English|Bahasa Indonesia"
)
"""What is no text of the page, or said by the browser, such as dates."""
BRACKETED = re.compile(r"⟦[^⟦⟧]*⟧")
VISIBLE = """() => {
    const texts = [];
    const seen = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const element = node instanceof Element ? node : node.parentElement;
        if (!element || element.closest("script, noscript, kbd, code") || !seen(element)) continue;
        if (node instanceof Text) texts.push(node.data);
        else texts.push(...["aria-label", "title", "placeholder", "alt"].map((name) => node.getAttribute(name) ?? ""));
    }
    return texts;
}"""
OVERFLOW = """() => {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth > width) return ["the page"];
    const clips = (element) => ["hidden", "auto", "scroll", "clip"].includes(getComputedStyle(element).overflowX);
    const found = [];
    for (const element of document.body.querySelectorAll("button, label, span, h1, h2, p, dt, dd, summary, a")) {
        const { left, right, width: own } = element.getBoundingClientRect();
        if (own === 0 || !element.checkVisibility({ visibilityProperty: true })) continue;
        let box = element.parentElement;
        while (box && !clips(box)) box = box.parentElement;
        const edge = Math.min(width, box?.getBoundingClientRect().right ?? width);
        if ((right > edge + 1 || left < -1) && !element.closest("pre, code")) found.push(element.textContent);
    }
    return found;
}"""


def bracketed_catalogue() -> dict[str, Any]:
    """Return a catalogue of the page with every text in brackets, in the language that the page asks for."""
    tool = translations_tool()
    made = tool.page("id", tool.read("id"))
    wrapped = {
        key: [f"⟦{key}⟧"] if isinstance(text, list) else f"⟦{key.rpartition(chr(4))[2]}⟧"
        for key, text in made["texts"].items()
    }
    return {
        "language": "id",
        "texts": wrapped,
        "refusals": {key: f"⟦{text}⟧" for key, text in made["refusals"].items()},
    }


def unlisted(texts: list[str]) -> list[str]:
    """Return what has a word outside of the brackets."""
    found = []
    for text in texts:
        rest = text
        while BRACKETED.search(rest):
            rest = BRACKETED.sub(" ", rest)
        if re.search(r"[A-Za-z]{3,}", DATA.sub(" ", rest)):
            found.append(text)
    return sorted(set(found))


class Walk:
    """A person who goes through the page, and looks at each screen."""

    def __init__(self, page: Page, look: Callable[[Page], list[str]]) -> None:
        self.page, self._look = page, look
        self.findings: dict[str, list[str]] = {}

    def look(self, where: str) -> None:
        """Look at what is shown now."""
        if found := self._look(self.page):
            self.findings[where] = found

    def whole(self) -> None:
        """Go through the screens."""
        page = self.page
        page.locator("input[name=username]").wait_for()
        for summary in page.locator("summary").all():
            summary.click()
        self.look("first screen")
        page.locator(".switches button").first.click()
        self.look("login")
        page.locator(".switches button").first.click()
        page.locator("input[name=username]").fill("zzzana")
        page.locator("form button[type=submit]").click()
        page.locator("[data-screen=chat]").wait_for()
        self.look("list")
        page.goto(page.url.partition("#")[0] + "#/room/lobby")
        box = page.locator("textarea")
        box.wait_for()
        box.fill(SAID)
        self.look("composer")
        page.locator(".composer button").last.click()
        page.get_by_text(SAID, exact=True).filter(visible=True).first.wait_for()
        self.look("conversation")
        for panel in ("settings", "search", "members", "room", "help"):
            page.goto(page.url.partition("#")[0] + f"#/room/lobby?{panel}")
            page.locator(PANELS[panel]).get_by_role("heading").first.wait_for()
            page.wait_for_load_state("networkidle")
            self.look(panel)
            self.close()
        self.menus()

    def close(self) -> None:
        """Close what is open over the conversation."""
        self.page.keyboard.press("Escape")
        self.page.locator("dialog[open], [role=menu]").filter(visible=True).first.wait_for(state="hidden")

    def menus(self) -> None:
        """Open what has a menu or a dialog, one after the other."""
        page = self.page
        page.goto(page.url.partition("#")[0] + "#/room/lobby")
        page.locator("textarea").wait_for()
        openers = page.locator("[aria-haspopup]").filter(visible=True)
        assert openers.count() >= 1
        for index in range(openers.count()):
            opener = openers.nth(index)
            opener.click()
            page.locator("[role=menu], [role=dialog], dialog[open]").filter(visible=True).first.wait_for()
            self.look(f"menu {index}")
            self.close()
        page.keyboard.press("Control+k")
        page.locator("dialog[open]").wait_for()
        self.look("switcher")
        self.close()
        page.get_by_text(SAID, exact=True).filter(visible=True).first.evaluate(
            "(it) => it.closest('[tabindex]').focus()"
        )
        page.keyboard.press("Enter")
        page.locator("[role=menu]").filter(visible=True).first.wait_for()
        self.look("menu of a message")


@pytest.fixture
def visitor(visit: Callable[..., Visitor]) -> Callable[..., Visitor]:
    """Makes a phone whose page has the bracketed catalogue, or a real one."""

    def new(*, bracketed: bool, width: int, locale: str) -> Visitor:
        made = visit(
            viewport={"width": width, "height": 740},
            has_touch=True,
            is_mobile=True,
            locale=locale,
            reduced_motion="reduce",
        )
        if bracketed:
            body = json.dumps(bracketed_catalogue())

            def answer(route: Route) -> None:
                route.fulfill(body=body, content_type="application/json")

            made.context.route("**/messages.id.json", answer)
        made.open()
        return made

    return new


@pytest.mark.parametrize("width", [360, pytest.param(1280, marks=pytest.mark.slow)])
def test_every_word_comes_from_the_catalogue(visitor: Callable[..., Visitor], width: int) -> None:
    page = visitor(bracketed=True, width=width, locale="id-ID").page
    walk = Walk(page, lambda page: unlisted(page.evaluate(VISIBLE)))
    walk.whole()
    assert walk.findings == {}


@pytest.mark.parametrize("locale", ["id-ID", pytest.param("en-GB", marks=pytest.mark.slow)])
@pytest.mark.parametrize("width", [320, pytest.param(360, marks=pytest.mark.slow)])
def test_the_translations_fit_a_narrow_phone(visitor: Callable[..., Visitor], width: int, locale: str) -> None:
    page = visitor(bracketed=False, width=width, locale=locale).page
    walk = Walk(page, lambda page: page.evaluate(OVERFLOW))
    walk.whole()
    assert walk.findings == {}
