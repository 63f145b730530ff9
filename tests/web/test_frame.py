"""The frame around the messages: narrow screens, the keyboard's way through it, what the server announces."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.support.admin import told
from tests.support.browser import PHONE, Visitor, expect_focus, until
from tests.support.page import come_in, composer, expect_once, message, open_panel, say
from tests.support.server import ServerProcess

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

SMALL = {**PHONE, "viewport": {"width": 320, "height": 568}}
"""A screen of 1280 pixels at 400 % (WCAG 2.2, 1.4.10)."""
BEYOND = """() => {
  const wide = [...document.querySelectorAll("*")].filter((each) =>
    each.checkVisibility() && each.getBoundingClientRect().right > innerWidth + 1);
  return wide.map((each) => `${each.tagName}.${each.className}`).slice(0, 5);
}"""


@pytest.mark.parametrize("language", ["en", "id"])
def test_no_screen_is_wider_than_320_pixels(visit: Callable[..., Visitor], language: str) -> None:
    visitor = visit(**{**SMALL, "locale": language})
    page = visitor.open()
    page.locator("form").wait_for()
    assert page.evaluate(BEYOND) == []
    page.locator("input[name=username]").fill("a name that is longer than most")
    page.keyboard.press("Enter")
    page.locator("textarea").wait_for()
    places = {
        "#/": ".conversations",
        "#/room/lobby": "textarea",
        "#/room/lobby?members": ".members",
        "#/room/lobby?search": ".beside input",
        "#/room/lobby?settings": "dialog.settings",
        "#/room/garden": ".empty .button",
    }
    for place, sign in places.items():
        page.evaluate("place => location.hash = place", place)
        page.locator(sign).first.wait_for()
        until(page, f"place => ({BEYOND})().length === 0 || location.hash !== place", place)
        assert (place, page.evaluate(BEYOND)) == (place, [])


def test_the_keyboard_goes_from_part_to_part_and_back(visit: Callable[..., Visitor]) -> None:
    page = come_in(visit(), "ana")
    say(page, "halo")
    expect_once(page, "halo")
    page.locator(".beside button").first.wait_for()
    page.locator(".message-list [tabindex='0']").first.wait_for()
    composer(page).focus()
    parts = []
    for _ in range(4):
        page.keyboard.press("F6")
        parts.append(
            page.evaluate("document.activeElement.closest('.sidebar, .message-list, .composer, .beside').className")
        )
    assert sorted(parts) == sorted(["beside", "sidebar", "message-list", "composer"])
    assert parts[-1] == "composer"
    page.keyboard.press("Control+k")
    page.get_by_role("dialog").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")
    expect_focus(composer(page))
    settings = page.get_by_role("button", name="Settings")
    settings.focus()
    page.keyboard.press("Enter")
    page.get_by_role("dialog", name="Settings").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")
    expect_focus(settings)


def test_what_is_typed_before_the_composer_is_there_is_sent(visit: Callable[..., Visitor]) -> None:
    page = visit().open()
    held: list[Route] = []
    waits = True

    def answer(route: Route) -> None:
        held.append(route) if waits else route.continue_()

    page.route("**/composer.js", answer)
    page.get_by_label("Name", exact=True).fill("ana")
    page.keyboard.press("Enter")
    early = page.get_by_role("textbox", name="Write a message")
    early.wait_for()
    until(page, "document.activeElement.className === 'composer-field'")
    height = "document.querySelector('.scroller').getBoundingClientRect().height"
    before = page.evaluate(height)
    page.keyboard.type("early bird")
    page.keyboard.press("Enter")
    page.keyboard.type("catches")
    page.keyboard.press("Enter")
    page.keyboard.type("a worm")
    assert early.input_value() == "a worm"
    page.get_by_text("early bird").wait_for()  # it is in sight until it is sent
    waits = False
    for route in held:
        route.continue_()
    composer(page).wait_for()
    expect_once(page, "early bird", "catches")
    assert composer(page).input_value() == "a worm"
    expect_focus(composer(page))
    until(page, f"{height} === {before}")
    page.keyboard.type("!")
    page.keyboard.press("Enter")
    expect_once(page, "early bird", "catches", "a worm!")


def test_what_is_typed_before_the_composer_is_there_is_a_draft(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    page = come_in(visitor, "ana")
    say(page, "/join garden")
    composer(page, "#garden").wait_for()
    held: list[Route] = []
    waits = True

    def answer(route: Route) -> None:
        held.append(route) if waits else route.continue_()

    page.route("**/composer.js", answer)
    page.reload()
    early = page.get_by_role("textbox", name="Write a message")
    early.wait_for()
    early.fill("not sent")
    page.locator(".entry", has_text="lobby").click()
    until(page, "location.hash === '#/room/lobby'")
    until(page, "document.querySelector('.composer-field').value === ''")
    page.locator(".entry", has_text="garden").click()
    until(page, "document.querySelector('.composer-field').value === 'not sent'")
    waits = False
    for route in held:
        route.continue_()
    composer(page, "#garden").wait_for()
    assert composer(page, "#garden").input_value() == "not sent"


NAMES = "[...document.querySelectorAll('.entry-name')].map((each) => each.textContent).join()"


def test_no_conversation_moves_under_a_mouse_or_the_keyboard(visit: Callable[..., Visitor]) -> None:
    ana, budi = come_in(visit(), "ana"), come_in(visit(), "budi")
    for each in (ana, budi):
        say(each, "/join garden")
        composer(each, "#garden").wait_for()
    say(ana, "words", "#garden")
    say(ana, "/join lobby", "#garden")
    say(ana, "more words")
    until(ana, f"{NAMES} === 'lobby,garden'")
    ana.locator(".entry", has_text="lobby").hover()
    say(budi, "@ana a mention", "#garden")
    ana.locator(".entry", has_text="garden").and_(ana.locator(".entry", has_text="a mention")).wait_for()
    say(budi, "/msg ana a dialogue", "#garden")
    ana.locator(".entry[href*=person]").wait_for()
    assert ana.evaluate(NAMES) == "lobby,garden,budi"  # below, though it is unread
    composer(ana).hover()
    until(ana, f"{NAMES} === 'budi,garden,lobby'")
    composer(ana).click()
    ana.keyboard.press("Alt+1")
    say(budi, "@ana another", "#garden")
    ana.locator(".entry", has_text="another").wait_for()
    assert ana.evaluate(NAMES) == "budi,garden,lobby"
    ana.keyboard.press("F6")
    until(ana, f"{NAMES} === 'garden,budi,lobby'")


def test_an_announcement_of_the_server_is_no_message(visit: Callable[..., Visitor], server: ServerProcess) -> None:
    page = come_in(visit(**PHONE), "ana")
    told(server, "announce", "The server restarts at noon")
    page.locator(".banner", has_text="Announcement of the server").wait_for()
    assert message(page, "restarts at noon").count() == 0
    page.locator(".banner").get_by_role("button", name="Close").click()
    page.locator(".banner").wait_for(state="detached")


def test_another_language_is_spoken_at_once(visit: Callable[..., Visitor]) -> None:
    page = come_in(visit(), "ana")
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Language").select_option("id")
    page.get_by_role("dialog", name="Pengaturan").wait_for()
    assert page.locator("dialog").count() == 1
    page.locator("[name=language]:focus").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")
    page.wait_for_url("**/#/room/lobby")
    page.get_by_role("textbox", name="#lobby").wait_for()
    page.reload()
    page.get_by_role("button", name="Pengaturan").wait_for()


def test_the_plus_of_the_list_opens_its_menu_on_a_phone(visit: Callable[..., Visitor]) -> None:
    page = come_in(visit(**PHONE), "ana")
    page.get_by_role("button", name="Back to the conversations").click()
    page.get_by_role("button", name="Add a room or a conversation").click()
    page.get_by_role("menuitem", name="Join or create a room").click()
    page.get_by_role("dialog").wait_for()


def register(page: Page) -> None:
    """Keep the name with a password."""
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Password", exact=True).fill("correct horse battery")
    page.get_by_role("button", name="Register").click()
    page.get_by_text("This name is now yours").wait_for()


def test_an_invitation_stays_until_it_is_used(visit: Callable[..., Visitor]) -> None:
    budi, sari = come_in(visit(), "budi"), come_in(visit(), "sari")
    for page in (budi, sari):
        register(page)
        page.keyboard.press("Escape")
    say(budi, "/join garden")
    composer(budi, "#garden").wait_for()
    budi.evaluate("location.hash = '#/room/garden?room'")
    budi.get_by_label("Private").check()
    budi.get_by_role("button", name="Save").click()
    budi.get_by_role("dialog").wait_for(state="detached")
    say(budi, "/invite sari", "#garden")
    row = sari.locator(".invitations li")
    row.get_by_text("budi invites you to #garden").wait_for()
    sari.keyboard.press("Control+k")
    sari.get_by_role("option", name="#garden").wait_for()
    sari.keyboard.press("Escape")
    row.get_by_role("button", name="Join").click()
    composer(sari, "#garden").wait_for()
    row.wait_for(state="detached")
    say(budi, "/kick sari", "#garden")
    place = sari.locator(".empty")
    place.get_by_text("You need an invitation").wait_for()
    assert place.get_by_role("button", name="Join").count() == 0
    say(budi, "/invite sari", "#garden")
    place.get_by_role("button", name="Join").click()
    composer(sari, "#garden").wait_for()
    sari.evaluate("location.hash = '#/room/nowhere'")
    sari.get_by_text("No public room has this name").wait_for()


def test_the_settings_of_a_guest_who_registers_are_those_of_a_member(visit: Callable[..., Visitor]) -> None:
    page = come_in(visit(), "ana")
    register(page)
    page.get_by_role("button", name="Delete data from this browser").click()
    page.get_by_text("You are logged out, and settings").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Log out", exact=True).click()
    page.get_by_role("button", name="Log out", exact=True).last.click()
    page.get_by_role("heading", name="You are logged out").wait_for()
    assert page.locator("dialog").count() == 0
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("heading", name="Log in").wait_for()


def test_the_title_of_a_dialogue_opens_the_person(visit: Callable[..., Visitor]) -> None:
    page, budi = come_in(visit(), "ana"), come_in(visit(**PHONE), "budi")
    register(page)
    page.keyboard.press("Escape")
    say(page, "/join garden")
    composer(page, "#garden").wait_for()
    say(budi, "/join garden")
    say(page, "/topic " + "a long topic " * 12, "#garden")
    topic = budi.locator(".topic")
    topic.get_by_text("a long topic").wait_for()
    before = topic.bounding_box() or {}
    topic.click()
    assert (topic.bounding_box() or {})["height"] > before["height"] * 2
    say(page, "/msg budi", "#garden")
    page.get_by_role("heading", name="budi").get_by_role("button").click()
    page.get_by_role("dialog", name="budi").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")
    page.get_by_role("button", name="Search", exact=True).click()
    page.get_by_role("complementary", name="Search").wait_for()
    page.get_by_role("button", name="Add a room or a conversation").click()
    page.get_by_role("menuitem", name="Keys and commands").click()
    page.get_by_role("dialog", name="Keys and commands").wait_for()


def test_a_password_is_not_continued_where_all_can_read_it(visit: Callable[..., Visitor]) -> None:
    first, second = come_in(visit(), "ana"), visit().open()
    with open_panel(first, "settings") as settings:
        settings.get_by_label("Password", exact=True).fill("correct horse battery")
        first.keyboard.press("Enter")
        settings.get_by_label("New password").wait_for()
    for label, text in (("Name", "ana"), ("Password", "correct horse battery")):
        second.get_by_label(label, exact=True).fill(text)
        second.keyboard.press("Enter")
    composer(second).wait_for()
    with open_panel(first, "settings") as settings:
        password, name = settings.get_by_label("New password"), settings.get_by_label("Name", exact=True)
        password.focus()
        first.keyboard.type("abc")
        composer(second).fill("/nick anna")
        composer(second).press("Enter")
        until(first, "document.querySelector('dialog [name=username]').value === 'anna'")
        first.keyboard.type("def")
        assert (password.input_value(), name.input_value()) == ("abcdef", "anna")


def test_a_button_that_is_pressed_keeps_the_focus(visit: Callable[..., Visitor]) -> None:
    page = come_in(visit(), "ana")
    with open_panel(page, "settings") as settings:
        settings.get_by_label("Name", exact=True).fill("anna")
        button = settings.get_by_role("button", name="Change name")
        button.focus()
        page.keyboard.press("Enter")
        page.get_by_text("Others see the new name now").wait_for()
        expect_focus(button)


@pytest.mark.desktop
def test_behind_a_menu_the_row_has_the_focus_and_not_its_link(visit: Callable[..., Visitor]) -> None:
    page = come_in(visit(), "ana")
    say(page, "see https://example.org/ there")
    row = message(page, "example.org")
    row.hover()
    row.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Copy text").hover()
    page.get_by_role("menuitem", name="Copy text").click()
    page.get_by_text("Copied").wait_for()
    expect_focus(row)
