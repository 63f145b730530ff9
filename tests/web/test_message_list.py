"""The message list in a real browser, on a made-up core (tests/web/pages/list): no server is needed to scroll."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.browser import LAPTOP, PATIENCE_MS, PHONE, chromium, until, visitors
from tests.support.other_browsers import firefox, wait_for, webkit
from tests.support.static_pages import static_pages

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parents[2]
NO_LONG_PRESS = """
    const { setTimeout } = globalThis;
    globalThis.setTimeout = (run, ms, ...rest) => setTimeout(run, ms === 500 ? 2 ** 30 : ms, ...rest);
"""
"""A finger that a busy machine moves late would open the menu of a message."""
ACTIONS_LOADED = """async () => {
    const { later, WRITING } = await import("/web/ui/dom.js");
    await later(() => import("/web/ui/menu.js"), WRITING);
    await new Promise((go) => setTimeout(go));
}"""
"""Keys, menus and the buttons of a row come behind the rows."""
AS_ON_IOS = """
    const supports = CSS.supports;
    CSS.supports = (...what) => what[0] === '-webkit-touch-callout' || supports.apply(CSS, what);
"""


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """A server of files."""
    with static_pages() as served:
        yield served


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium of its own: these pages have no certificate, and frames need not last 16 ms."""
    with chromium("--disable-frame-rate-limit", "--disable-gpu-vsync") as started:
        yield started


@pytest.fixture
def show(browser: Browser, origin: str) -> Iterator[Callable[..., Page]]:
    """Opens the page with these options; at the end no page may have complained."""
    with visitors(browser, origin) as visit:

        def opened(query: str = "", script: str = "", **options: Any) -> Page:
            visitor = visit(**options)
            if script:
                visitor.page.add_init_script(script)
            page = visitor.open(f"/pages/list/index.html?{query}")
            page.wait_for_selector(".rows > .row")
            page.evaluate(ACTIONS_LOADED)
            return page

        yield opened


def frames(page: Page, count: int = 3) -> None:
    """Wait until so many frames have been drawn."""
    page.evaluate(
        "async (count) => {"
        "  for (; count; count--) await new Promise((go) => requestAnimationFrame(() => setTimeout(go)));"
        "}",
        count,
    )


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_row_under_the_eye_stays(show: Callable[..., Page], seed: int) -> None:
    page = show(f"messages=3000&seed={seed}&delay={seed * 13 % 40}", **(PHONE if seed == 3 else LAPTOP))
    found = page.evaluate(f"fake.run({seed}, 250)")
    assert found["violations"] == [], f"seed {seed}"
    assert found["steps"] == 250


@pytest.mark.slow
def test_the_row_stays_where_scroll_positions_cannot_be_written(show: Callable[..., Page]) -> None:
    page = show("messages=3000&delay=15", script=AS_ON_IOS, **PHONE)
    found = page.evaluate("fake.run(7, 250)")
    assert found["violations"] == []


@pytest.mark.slow
def test_a_fling_goes_on_while_pages_load(show: Callable[..., Page]) -> None:
    page = show("messages=3000&delay=30", script=NO_LONG_PRESS, **PHONE)
    # In each frame the rows move by what was scrolled, and by nothing else.
    page.evaluate(
        """() => {
          fake.odd = [];
          const scroller = document.querySelector(".scroller");
          const middle = () => document.elementFromPoint(180, 300)?.closest(".rows > .row");
          let before = null;
          const look = () => {
            const y = before?.row.getBoundingClientRect().top;
            const went = before && scroller.scrollTop - before.top;
            if (before?.row.isConnected && Math.abs(y - before.y + went) > 1) fake.odd.push([y, before.y, went]);
            const row = middle();
            before = row && { row, y: row.getBoundingClientRect().top, top: scroller.scrollTop };
            fake.looking = requestAnimationFrame(look);
          };
          look();
        }"""
    )
    session = page.context.new_cdp_session(page)
    deadline = time.monotonic() + PATIENCE_MS / 1000
    for swipe in count():  # a slow machine loads fewer pages in forty of them
        back = swipe % 10 == 9
        for step in range(12):
            at = {"x": 180, "y": 600 - step * 40 if back else 120 + step * 40}
            session.send(
                "Input.dispatchTouchEvent", {"type": "touchMove" if step else "touchStart", "touchPoints": [at]}
            )
        session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        loaded = page.evaluate("fake.acts.filter((each) => each.do === 'older').length")
        if swipe >= 20 and (loaded >= 3 or time.monotonic() > deadline):
            break
    assert loaded >= 3
    assert page.evaluate("fake.odd") == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:setting remote_server_addr:DeprecationWarning")  # selenium's own
@pytest.mark.parametrize("engine", ["firefox", "webkit"])
def test_the_row_stays_in_other_engines(origin: str, tmp_path: Path, engine: str) -> None:
    with firefox(tmp_path / "profile") if engine == "firefox" else webkit() as browser:
        browser.open(f"{origin}/pages/list/index.html?messages=3000&delay=10")
        wait_for(browser, "document.querySelector('.rows > .row') !== null", "rows")
        for seed in (1, 2, 3):
            assert browser.js(f"fake.run({seed}, 60)")["violations"] == [], f"seed {seed}"


def test_the_end_stays_the_end(show: Callable[..., Page]) -> None:
    page = show()
    page.evaluate("fake.live(400)")
    frames(page)
    assert page.evaluate("fake.shown().at(-1) === fake.log.at(-1).seq")
    assert page.evaluate("document.querySelector('.scroller').scrollTop") == 0
    assert page.evaluate("fake.shown().length") <= 300


def test_what_the_reader_sends_is_shown(show: Callable[..., Page]) -> None:
    page = show("messages=1000")
    page.evaluate("document.querySelector('.scroller').scrollTop = -3000")
    until(page, "!document.querySelector('.pill:last-child').hidden")
    assert page.inner_text(".pill:not([hidden])") == "Jump to latest"
    sent = "fake.pending([{ number: 1, key: 'r1', kind: 'message', text: 'mine', state: 'sent', reply: null }])"
    page.evaluate(sent)
    until(
        page, "document.querySelector('.scroller').scrollTop === 0 && document.querySelector('.pill:last-child').hidden"
    )
    page.evaluate("document.querySelector('.scroller').scrollTop = -3000")
    until(page, "!document.querySelector('.pill:last-child').hidden")
    page.evaluate(sent)
    frames(page)
    assert page.evaluate("document.querySelector('.scroller').scrollTop") < -1000, "only when it is sent"


def test_a_long_run_says_name_and_time_again(show: Callable[..., Page]) -> None:
    page = show("messages=20")
    page.evaluate("for (let n = 0; n < 60; n++) fake.live(1, {by: 2, name: 'Budi', text: 'x', at: fake.log.at(-1).at})")
    frames(page)
    heads = page.evaluate(
        "[...document.querySelectorAll('.rows > .row')].slice(-60).map((row) => Number(row.classList.contains('head')))"
    )
    assert sum(heads) == 6
    page.evaluate("for (let n = 9; n > 0; n--) fake.live(1, {by: 3, name: 'Cici', text: 'y'})")
    frames(page)
    heads = page.evaluate(
        "[...document.querySelectorAll('.rows > .row')].slice(-9).map((row) => Number(row.classList.contains('head')))"
    )
    assert sum(heads) >= 1


def test_no_button_leads_to_what_is_in_sight(show: Callable[..., Page]) -> None:
    page = show("messages=30")
    page.evaluate("fake.live(1, {by: 1, name: 'Ana', text: Array(35).fill('line').join('\\n')})")
    frames(page)
    page.evaluate("document.querySelector('.scroller').scrollBy(0, -400)")
    until(page, "!document.querySelector('.pill:last-child').hidden")
    page.evaluate("fake.change(fake.log.at(-1).seq, {text: '', deleted: 9})")
    until(page, "document.querySelector('.pill:last-child').hidden")


def test_what_cannot_be_broken_can_be_scrolled(show: Callable[..., Page]) -> None:
    page = show("messages=10", viewport={"width": 320, "height": 700})
    page.evaluate("fake.live(1, {by: 2, name: 'Budi', text: '\\u1100'.repeat(2000) + '\\u1161'.repeat(1999)})")
    frames(page)
    text = "document.querySelector('.rows > .row:last-child .text')"
    assert page.evaluate(f"getComputedStyle({text}).overflowX") == "auto"
    page.evaluate("fake.live(1, {by: 2, name: 'Budi', text: 'W'.repeat(4000)})")
    frames(page)
    assert page.evaluate(f"{text}.getBoundingClientRect().height") < 2000
    assert page.locator(".row:last-child .more").count() == 1


def test_opening_shows_where_the_unread_begin(show: Callable[..., Page]) -> None:
    page = show("messages=1000&read=700&target=unread")
    frames(page)
    fresh = page.locator(".fresh")
    assert fresh.count() == 1
    box = fresh.bounding_box()
    assert box is not None
    assert 0 < box["y"] < 300
    first = page.evaluate("fake.log[701].seq")
    assert page.evaluate("Number(document.querySelector('.fresh').closest('.row').dataset.seq)") >= first


def test_only_what_was_seen_is_reported_as_read(show: Callable[..., Page]) -> None:
    page = show("messages=1000&read=700&target=unread")
    until(page, "fake.acts.some((each) => each.do === 'read')")
    seen = page.evaluate("Math.max(...fake.acts.filter((each) => each.do === 'read').map((each) => each.seq))")
    last_visible = page.evaluate(
        """
        const { bottom } = document.querySelector('.scroller').getBoundingClientRect();
        const seen = (row) => row.getBoundingClientRect().bottom <= bottom + 1;
        Math.max(...[...document.querySelectorAll('.row')].filter(seen).map((row) => row.dataset.seq));
        """
    )
    assert page.evaluate("fake.log[701].seq") < seen <= last_visible


def test_keys_move_between_messages_and_open_their_menu(show: Callable[..., Page]) -> None:
    page = show("messages=400")
    page.focus("#elsewhere")
    page.keyboard.press("Shift+Tab")
    focused = "Number(document.activeElement.dataset.seq)"
    last = page.evaluate("fake.log.at(-1).seq")
    for _ in range(20):  # from a link or button inside the last message to the message
        if page.evaluate(focused) == last:
            break
        page.keyboard.press("Shift+Tab")
    page.keyboard.press("ArrowUp")
    assert page.evaluate(focused) == page.evaluate("fake.log.at(-2).seq")
    assert page.evaluate("document.querySelectorAll('.rows [tabindex=\"0\"].row').length") == 1
    for _ in range(12):
        page.keyboard.press("PageUp")
        frames(page, 2)
    assert page.evaluate(focused) < page.evaluate("fake.log.at(-60).seq")
    page.keyboard.press("End")
    assert page.evaluate(focused) == last
    page.keyboard.press("r")
    assert page.evaluate("fake.hooks") == [["reply", last]]
    page.evaluate("document.querySelector(\".rows [tabindex='0']\").focus()")
    page.keyboard.press("Enter")
    assert page.locator("[role=menu] [role=menuitem]").count() >= 4
    page.keyboard.press("Escape")
    assert page.evaluate(focused) == last
    page.keyboard.press("Shift+F10")
    page.wait_for_selector("[role=menu]")


def test_a_reader_who_comes_back_reads_from_where_the_unread_begin(show: Callable[..., Page]) -> None:
    page = show("messages=300")
    hide = "(hidden) => { fake.hidden = hidden; document.dispatchEvent(new Event('visibilitychange')); }"
    page.evaluate(
        """() => {
          const define = (name, get) => Object.defineProperty(document, name, { get, configurable: true });
          define("hidden", () => fake.hidden);
          define("visibilityState", () => fake.hidden ? "hidden" : "visible");
        }"""
    )
    page.evaluate(hide, True)
    page.evaluate("fake.live(60, {by: 2, name: 'Budi'})")
    first = page.evaluate("fake.conversation.firstUnread = fake.log.at(-60).seq")
    frames(page)
    assert not page.evaluate("fake.acts.some((each) => each.do === 'read')")
    page.evaluate(hide, False)
    frames(page)
    assert page.evaluate("Number(document.querySelector('.fresh').closest('.row').dataset.seq)") == first
    box = page.locator(".fresh").bounding_box()
    assert box is not None
    assert 0 <= box["y"] < 200


def test_a_quote_leads_there_and_back(show: Callable[..., Page]) -> None:
    page = show("messages=2000&seed=4")
    page.evaluate("fake.live(1, {by: 2, name: 'Budi', text: 'an answer', reply: fake.log[300].seq})")
    target = page.evaluate("fake.log[300].seq")
    answer = page.locator(".row:last-child").filter(has_text="an answer")  # it is drawn a frame later
    answer.locator(".quote").click()
    until(page, f"Number(document.activeElement.dataset.seq) === {target}")
    page.get_by_role("button", name="Back").click()
    until(page, "Number(document.activeElement.dataset.seq) === fake.log.at(-1).seq")
    assert not page.get_by_role("button", name="Back").is_visible()


def test_a_long_press_opens_the_menu(show: Callable[..., Page]) -> None:
    page = show("messages=100", **PHONE)
    box = page.locator(".row:last-child .text").bounding_box()
    assert box is not None
    session = page.context.new_cdp_session(page)
    at = [{"x": box["x"] + 5, "y": box["y"] + 5}]
    session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": at})
    page.wait_for_selector("[role=menu]")
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    frames(page)
    page.get_by_role("menuitem", name="Select text").click()
    assert page.evaluate("getSelection().toString().trim()") == page.evaluate("fake.log.at(-1).text")
    page.evaluate("fake.live(1, {by: 2, name: 'Budi', text: 'an answer', reply: fake.log.at(-1).seq})")
    frames(page)
    box = page.locator(".row:last-child .quote").bounding_box()
    assert box is not None
    at = [{"x": box["x"] + 5, "y": box["y"] + 5}]
    session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": at})
    page.wait_for_selector("[role=menu]")
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    frames(page)
    assert page.locator("[role=menu]").count() == 1, "and the quote was not pressed"
    assert not page.get_by_role("button", name="Back").is_visible()


def test_the_buttons_of_a_row_fit_into_it(show: Callable[..., Page]) -> None:
    page = show("messages=20")
    page.evaluate("for (const text of ['one', 'two']) fake.live(1, {by: 2, name: 'Budi', text, at: Date.now()})")
    frames(page)
    page.hover(".row:last-child .text")
    tools = page.locator(".tools").bounding_box()
    row = page.locator(".row:last-child").bounding_box()
    assert tools is not None
    assert row is not None
    assert row["y"] <= tools["y"]
    assert tools["y"] + tools["height"] <= row["y"] + row["height"]


def test_what_waits_for_a_connection_can_be_taken_back(show: Callable[..., Page]) -> None:
    page = show()
    page.evaluate("fake.pending([{ number: 7, key: 'r1', kind: 'message', text: 'hello', state: 'waiting' }])")
    frames(page)
    assert page.locator(".pending button").count() == 0
    page.evaluate("fake.core.phase = 'offline'; fake.tell({ kind: 'phase', phase: 'offline' })")
    row = page.locator(".pending")
    row.get_by_role("button", name="Edit").wait_for()
    page.evaluate("Object.assign(fake.core.pending[0], { sent: true }); fake.tell({ kind: 'phase', phase: 'offline' })")
    until(page, "document.querySelectorAll('.pending button').length === 1")
    page.evaluate(
        "Object.assign(fake.core.pending[0], { sent: false }); fake.tell({ kind: 'phase', phase: 'offline' })"
    )
    row.get_by_role("button", name="Discard").click()
    until(page, "!document.querySelector('.pending')")


def test_what_was_not_sent_says_why_and_what_can_be_done(show: Callable[..., Page]) -> None:
    page = show()
    page.evaluate(
        """() => {
          const refusal = { code: "muted", text: "You are muted", reason: "", args: {}, retryS: null };
          const pending = { number: 7, key: "r1", kind: "message", text: "hello", state: "failed", refusal };
          fake.pending([pending]);
          fake.tell({ kind: "failed", number: 7, key: "r1", refusal });
        }"""
    )
    row = page.locator(".pending")
    assert "You are muted" in row.inner_text()
    assert "You are muted" in page.inner_text("#said")
    row.get_by_role("button", name="Try again").click()
    assert page.evaluate("fake.acts.at(-1)") == {"do": "retry", "number": 7}
    row.get_by_role("button", name="Discard").click()
    until(page, "!document.querySelector('.pending')")


def test_show_all_opens_below_what_was_pressed(show: Callable[..., Page]) -> None:
    page = show("messages=300")
    page.evaluate(
        "fake.live(1, {by: 2, name: 'Budi', text: Array.from({length: 90}, (_, line) => 'line ' + line).join('\\n')})"
    )
    page.evaluate("fake.live(30, {by: 3, name: 'Cici', text: 'behind it'})")
    frames(page)
    page.locator(".more").scroll_into_view_if_needed()
    frames(page)
    seq = page.evaluate("fake.log.at(-31).seq")
    row = f"document.querySelector('.rows > .row[data-seq=\"{seq}\"] .main').getBoundingClientRect().top"
    before = page.evaluate(row)
    page.locator(".more").click()
    frames(page)
    assert not page.locator(".more").count()
    assert abs(page.evaluate(row) - before) <= 1


def test_new_messages_are_announced_and_history_is_not(show: Callable[..., Page]) -> None:
    page = show("messages=300")
    page.evaluate("fake.live(1, {by: 2, name: 'Budi', text: 'one'})")
    until(page, "document.getElementById('said').textContent === 'Budi: one\\n'")
    page.evaluate("fake.live(5, {by: 2, name: 'Budi', text: 'more'})")
    until(page, "document.getElementById('said').textContent.endsWith('5 new messages\\n')")


def test_comings_and_goings_are_one_line(show: Callable[..., Page]) -> None:
    page = show()
    people = [{"id": 20 + each, "name": name} for each, name in enumerate(["Fajar", "Gita", "Hadi", "Indah", "Joko"])]
    page.evaluate(
        "(joined) => fake.tell({ kind: 'presence', key: 'r1', joined, left: [{ id: 5, name: 'Eko' }], renamed: [] })",
        people,
    )
    page.wait_for_selector(".comings")
    assert page.inner_text(".comings") == "Fajar, Gita, Hadi and 2 others joined · Eko left"
    page.evaluate(
        "fake.tell({ kind: 'presence', key: 'r1', joined: [], left: [{ id: 20, name: 'Fajar' }], renamed: [] })"
    )
    until(page, "document.querySelector('.comings').textContent.startsWith('Gita, Hadi, Indah and Joko')")


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"viewport": {"width": 320, "height": 700}}, LAPTOP], ids=["narrow", "wide"])
def test_hostile_texts_stay_in_their_rows(show: Callable[..., Page], options: dict[str, Any]) -> None:
    found = show("messages=10", **options).evaluate("fake.hostile(10_000)")
    assert found["ran"] is None
    assert found["complaints"] == []
    assert found["shown"] >= 10_000


def test_an_edit_that_was_refused_can_be_taken_up_again(show: Callable[..., Page]) -> None:
    page = show()
    page.evaluate(
        """() => {
          const refusal = { code: "forbidden", text: "Too late", reason: "", args: {}, retryS: null };
          const { seq } = fake.log.at(-3);
          const edit = { number: 1, key: "r1", kind: "edit", seq, text: "better", state: "failed", refusal };
          const react = { ...edit, number: 2, kind: "react", text: "", sign: "👍", on: true };
          fake.pending([edit, react]);
          for (const number of [1, 2]) fake.tell({ kind: "failed", number, key: "r1", refusal });
        }"""
    )
    frames(page)
    assert page.evaluate("fake.acts.at(-1)") == {"do": "discard", "number": 2}
    row = page.locator(".pending")
    assert row.count() == 1
    assert "Edit · Not sent: Too late" in row.inner_text()
    row.get_by_role("button", name="Edit").click()
    assert page.evaluate("fake.hooks") == [["edit", page.evaluate("fake.log.at(-3).seq")]]
