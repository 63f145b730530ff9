"""Coming in, coming back, and what the page tells of itself, in a real browser against a real server."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.support.admin import admin
from tests.support.browser import PATIENCE_MS, PHONE, Visitor, expect_focus, until
from tests.support.page import come_in, composer, expect_once, say
from tests.support.server import ServerProcess, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page

CUT = ("WebSocket", "ERR_CONNECTION", "net::")
"""What the console says about a connection that a test cuts."""
NO_WEBSOCKET = """
window.WebSocket = class {
  constructor() { setTimeout(() => this.onclose({ code: 1006, reason: "", wasClean: false })); }
  close() {}
};
"""
NO_STORAGE = """
for (const name of ["localStorage", "sessionStorage"]) {
  Object.defineProperty(window, name, { get() { throw new DOMException("forbidden", "SecurityError"); } });
}
"""


def submit(page: Page) -> None:
    page.locator("form button[type=submit]").first.click()


def invite_to(server: ServerProcess) -> str:
    told = admin(server.data, "invite", "--host", f"localhost:{server.port}").stdout
    found = re.search(r"join-once/[0-9a-f]{32}/[0-9a-f]{64}", told)
    assert found, told
    return found.group()


def test_an_invite_leaves_the_address_bar_and_makes_an_account(
    visit: Callable[..., Visitor], server: ServerProcess
) -> None:
    page = visit(**PHONE).open(f"/#{invite_to(server)}")
    page.get_by_role("heading", name="You are invited").wait_for()
    assert page.url.endswith("/#/")
    page.reload()  # does not lose it
    page.get_by_label("Name", exact=True).fill("wati")
    page.get_by_label("Password", exact=True).fill("correct horse battery")
    submit(page)
    composer(page).wait_for()
    stored = page.evaluate("JSON.stringify([{...sessionStorage}, {...localStorage}])")
    assert "correct horse" not in stored
    assert "invite" not in stored
    page.reload()
    composer(page).wait_for()


def test_a_name_that_is_registered_asks_for_its_password(visit: Callable[..., Visitor], server: ServerProcess) -> None:
    first = visit().open(f"/#{invite_to(server)}")
    first.get_by_label("Name", exact=True).fill("wati")
    first.get_by_label("Password", exact=True).fill("correct horse battery")
    submit(first)
    composer(first).wait_for()
    page = visit().open()
    page.get_by_label("Name", exact=True).fill("wati")
    submit(page)
    password = page.get_by_label("Password", exact=True)
    password.wait_for()
    for attempt, reason in (("", "registered"), ("wrong", "wrong")):
        if attempt:
            password.fill(attempt)
            submit(page)
        page.locator(".error", has_text=reason).wait_for()
        assert password.get_attribute("aria-invalid") == "true"
        described = password.get_attribute("aria-describedby") or ""
        assert reason in page.locator(f"#{described.split()[0]}").inner_text()
        expect_focus(password)
    password.fill("correct horse battery")
    submit(page)
    composer(page).wait_for()


def test_a_temporary_password_must_be_changed(visit: Callable[..., Visitor], server: ServerProcess) -> None:
    page = visit().open(f"/#{invite_to(server)}")
    page.get_by_label("Name", exact=True).fill("wati")
    page.get_by_label("Password", exact=True).fill("correct horse battery")
    submit(page)
    composer(page).wait_for()
    told = admin(server.data, "reset-password", "wati").stdout
    found = re.search(r"wati:\s+(\S+)", told)
    assert found, told
    page.get_by_role("button", name="Log in").click()
    page.get_by_label("Name", exact=True).fill("wati")
    if page.get_by_label("Password", exact=True).count() == 0:
        page.get_by_role("button", name="Log in").click()
    page.get_by_label("Password", exact=True).fill(found.group(1))
    submit(page)
    page.get_by_role("heading", name="Choose a new password").wait_for()
    page.get_by_label("New password").fill("another horse battery")
    submit(page)
    say(page, "in again")
    expect_once(page, "in again")


def test_back_leads_from_a_room_to_the_list_and_out_of_a_dialog(visit: Callable[..., Visitor]) -> None:
    page = come_in(visit(**PHONE), "ana")
    page.get_by_role("button", name="Back to the conversations").click()
    page.get_by_role("link", name="lobby").click()
    composer(page).wait_for()
    assert page.url.endswith("#/room/lobby")
    page.evaluate("location.hash = '#/room/lobby?help'")
    page.get_by_role("dialog").wait_for()
    page.go_back()
    page.get_by_role("dialog").wait_for(state="detached")
    page.go_back()
    page.get_by_role("link", name="lobby").wait_for()


def test_a_room_that_one_is_not_in_has_an_address(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    page = come_in(visitor, "ana")
    page.goto(f"{visitor.origin}/#/room/garden")
    page.get_by_role("heading", name="You are not in #garden").wait_for()
    page.get_by_role("button", name="Join").click()
    composer(page, "#garden").wait_for()
    page.reload()
    composer(page, "#garden").wait_for()


@pytest.mark.desktop
def test_a_mention_elsewhere_is_told_by_title_icon_and_system(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    visitor.context.grant_permissions(["notifications"], origin=visitor.origin)
    ana, budi = come_in(visitor, "ana"), come_in(visit(), "budi")
    ana.evaluate("location.hash = '#/?settings'")
    ana.get_by_label("System notifications").check()
    ana.keyboard.press("Escape")
    ana.goto(f"{visitor.origin}/#/room/garden")
    ana.get_by_role("button", name="Join").click()
    composer(ana, "#garden").wait_for()
    say(budi, "of no interest")
    say(budi, "@ana look")
    from playwright.sync_api import expect

    expect(ana).to_have_title(re.compile(r"^\(1\) #garden"), timeout=PATIENCE_MS)
    expect(ana.locator("link[rel~=icon]")).to_have_attribute("href", re.compile("icon-unread"), timeout=PATIENCE_MS)
    told = "navigator.serviceWorker.ready.then(each => each.getNotifications()).then(all => all.map(each => each.body))"
    until(ana, f"{told}.then(all => all.length > 0)")
    assert ana.evaluate(told) == ["@ana look"]


def test_a_newer_page_is_offered_and_not_forced(visit: Callable[..., Visitor], server: ServerProcess) -> None:
    visitor = visit()
    visitor.allowed += CUT
    page = come_in(visitor, "ana")
    text = page.evaluate("fetch('/').then(answer => answer.text())")
    page.route(
        visitor.origin + "/",
        lambda route: route.fulfill(body=text.replace("/w/", "/w/0"), content_type="text/html"),
    )
    server.kill()
    server.start()
    page.get_by_text("newer version").wait_for()
    say(page, "it goes on all the same")
    expect_once(page, "it goes on all the same")


def test_a_browser_that_refuses_websockets_is_told_of_the_ca(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    visitor.page.add_init_script(NO_WEBSOCKET)
    page = visitor.open()
    page.get_by_label("Name", exact=True).fill("ana")
    submit(page)
    page.get_by_text("needs the server's CA").wait_for()
    assert page.get_by_role("link", name="What to do").get_attribute("href") == "/trust"


def test_everything_works_in_a_browser_that_stores_nothing(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    visitor.page.add_init_script(NO_STORAGE)
    page = come_in(visitor, "ana")
    page.get_by_text("stores nothing").wait_for()
    say(page, "halo")
    expect_once(page, "halo")


def test_forgetting_the_browser_leaves_nothing_in_it(visit: Callable[..., Visitor]) -> None:
    page = come_in(visit(), "ana")
    page.evaluate("location.hash = '#/?settings'")
    page.get_by_label("Stay logged in").check()
    assert page.evaluate("localStorage.length") > 0
    page.get_by_role("button", name="Delete data from this browser").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("heading", name="Join as a guest").wait_for()
    assert page.evaluate("localStorage.length + sessionStorage.length") == 0


def test_a_tab_that_waits_goes_on_where_the_first_one_was_closed(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    first = visitor.open()
    first.get_by_label("Name", exact=True).fill("ana")
    first.get_by_label("Stay logged in").check()
    submit(first)
    composer(first).wait_for()
    second = visitor.context.new_page()
    second.goto(f"{visitor.origin}/#/room/lobby")
    second.get_by_role("button", name="Use it here").wait_for()
    say(first, "said after the second tab was opened")
    expect_once(first, "said after the second tab was opened")
    first.close()
    say(second, "and this from the second")
    expect_once(second, "said after the second tab was opened", "and this from the second")


def test_an_invite_opened_by_a_guest_is_offered(visit: Callable[..., Visitor], server: ServerProcess) -> None:
    page = come_in(visit(), "ana")
    page.evaluate("fragment => location.hash = fragment", invite_to(server))
    page.get_by_text("you are here as ana already").wait_for()
    assert page.url.endswith("#/room/lobby")
    page.get_by_role("button", name="Log out and use the invite").click()
    page.get_by_role("heading", name="You are invited").wait_for()
    page.get_by_label("Name", exact=True).fill("wati")
    page.get_by_label("Password", exact=True).fill("correct horse battery")
    submit(page)
    composer(page).wait_for()


def wait_unsent(visitor: Visitor, server: ServerProcess, text: str) -> tuple[Page, Page]:
    """Return a tab with a message that waits for the server, and another that waits for the chat."""
    visitor.allowed += CUT
    first = come_in(visitor, "ana")
    server.kill()
    say(first, text)
    first.locator(".pending", has_text=text).wait_for()
    server.start()
    return first, open_second(visitor)


def open_second(visitor: Visitor) -> Page:
    second = visitor.context.new_page()
    second.goto(f"{visitor.origin}/")
    second.get_by_role("button", name="Use it here").wait_for()
    return second


def test_a_busy_tab_loses_nothing_to_the_one_that_takes_over(
    visit: Callable[..., Visitor], server: ServerProcess
) -> None:
    first, second = wait_unsent(visit(), server, "unsent")
    busy = "for (const end = Date.now() + 2500; Date.now() < end;);"
    first.evaluate(f"setTimeout(() => {{ {busy} }})")
    second.get_by_role("button", name="Use it here").click()
    composer(second).wait_for()
    expect_once(second, "unsent")
    first.get_by_text("in another tab now").wait_for()
    assert first.evaluate("sessionStorage.length") == 0


def test_two_tabs_that_take_over_together_lose_nothing(visit: Callable[..., Visitor], server: ServerProcess) -> None:
    visitor = visit()
    first, second = wait_unsent(visitor, server, "unsent")
    third = open_second(visitor)
    for each in (second, third):
        each.evaluate("setTimeout(() => document.querySelector('.button.primary').click())")
    first.get_by_text("in another tab now").wait_for()

    from playwright.sync_api import Error

    def times_shown() -> list[int]:
        """How often each of the two shows the message; the one that loses may load anew meanwhile, and asks then."""
        found = []
        for each in (second, third):
            try:
                found.append(sum("unsent" in row for row in each.get_by_role("article").all_inner_texts()))
            except Error:
                found.append(0)
        return sorted(found)

    wait_until(lambda: times_shown() == [0, 1], "the message in one of the two", PATIENCE_MS / 1000)


def test_a_tab_that_could_not_store_the_chat_leaves_it(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    first = come_in(visitor, "ana")
    second = open_second(visitor)
    second.evaluate("sessionStorage.setItem('fill', 'x'.repeat(5 * 1024 * 1024 - 50))")
    second.get_by_role("button", name="Use it here").click()
    first.get_by_text("in another tab now").wait_for()
    say(first, "it goes on here")
    expect_once(first, "it goes on here")


@pytest.mark.desktop
def test_a_duplicated_tab_says_nothing_twice(visit: Callable[..., Visitor], server: ServerProcess) -> None:
    visitor = visit()
    visitor.allowed += CUT
    first = come_in(visitor, "ana")
    server.kill()
    say(first, "unsent")
    first.locator(".pending", has_text="unsent").wait_for()
    with visitor.context.expect_page() as opened:
        first.evaluate("void window.open('/')")  # gets a copy of the storage
    server.start()
    second = opened.value
    second.get_by_role("button", name="Use it here").wait_for()
    expect_once(first, "unsent")
    first.locator(".pending").wait_for(state="detached")
    first.close()
    say(second, "next")
    expect_once(second, "unsent", "next")


def test_no_tab_keeps_what_another_has_or_forgets(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    first = come_in(visitor, "ana")
    with visitor.context.expect_page() as opened:
        first.evaluate("void window.open('/')")  # gets a copy of the storage
    copy = opened.value
    copy.get_by_role("button", name="Use it here").wait_for()
    second = open_second(visitor)
    second.get_by_role("button", name="Use it here").click()
    composer(second).wait_for()
    first.get_by_text("in another tab now").wait_for()
    assert first.evaluate("sessionStorage.length") == 0
    assert copy.evaluate("sessionStorage.length") == 1
    second.evaluate("location.hash = '#/?settings'")
    second.get_by_role("button", name="Delete data from this browser").click()
    second.get_by_role("button", name="Delete", exact=True).click()
    until(copy, "sessionStorage.length === 0")  # behind a reload or two


def test_a_lost_network_is_noticed_within_seconds(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    visitor.allowed += CUT
    page = come_in(visitor, "ana")
    say(page, "before")
    visitor.context.set_offline(True)
    say(page, "meanwhile")
    page.locator("#main").get_by_text("No network").wait_for(timeout=30_000)
    visitor.context.set_offline(False)
    expect_once(page, "before", "meanwhile")
    page.locator("#main").get_by_text("Connected", exact=True).wait_for()


def test_a_name_kept_for_a_closed_tab_is_explained(visit: Callable[..., Visitor]) -> None:
    come_in(visit(), "ana").close()
    page = visit().open()
    page.get_by_label("Name", exact=True).fill("ana")
    submit(page)
    page.get_by_text("Reopen the closed tab").wait_for()
