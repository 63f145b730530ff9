"""Every action by keyboard alone: each row of the page's table, in its menus, by its key and as a command.

No test here has a mouse or a finger, and text is typed. Whatever an action does, the focus ends where it came from or
on what the action leads to, and never on nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.admin import told
from tests.support.browser import PATIENCE_MS, Visitor, until
from tests.support.page import come_in, composer, message
from tests.support.server import ServerProcess

if TYPE_CHECKING:
    from playwright.sync_api import Page

FIELD = ".composer-field:read-write"
"""While a command runs, nothing can be typed."""
ICON = "document.querySelector('link[rel=icon]').href"
MORE = "header [aria-label=More]"
PASSWORD = "correct horse battery"
TABLE = """async () => {
  const app = document.querySelector("link[href$='/ui/app.js']").href;
  const { ACTIONS } = await import(new URL("actions.js", app).href);
  return ACTIONS.map(({ name, label, place, keys = "", usage }) =>
    ({ name, label: label(), places: place.split(" "), keys, command: Boolean(usage) }));
}"""
"""The page's own table of actions."""
NAME = """(each) => (each.ariaLabel ?? each.labels?.[0]?.querySelector("span")?.innerText ??
  each.labels?.[0]?.innerText ?? each.innerText ?? "").trim().split("\\n")[0]"""
HAS_NAME = f"(name) => ({NAME})(document.activeElement) === name"


class Walker:
    """A person with a keyboard; `walked` has the ways that were gone."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.walked: set[str] = set()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def type(self, text: str) -> None:
        self.page.keyboard.type(text)

    def says(self, text: str) -> None:
        """Send a message, or give a command."""
        self.at(FIELD)
        self.type(text)
        self.page.locator(".choices").wait_for(state="attached")  # the completion comes behind the first letters
        if self.page.locator(".choices").is_visible():
            self.press("Escape")
        self.press("Enter")

    def at(self, selector: str) -> None:
        """Wait until what matches has the focus."""
        self.page.locator(f":is({selector}):focus").first.wait_for(state="attached")

    def on(self, name: str) -> None:
        """Wait until what has this name has the focus."""
        try:
            until(self.page, HAS_NAME, name)
        except AssertionError:
            raise AssertionError(f"the focus is not on {name!r}, but at {self.focused()}") from None

    def focused(self) -> str:
        return str(self.page.evaluate("document.activeElement.outerHTML.slice(0, 120)"))

    def has_focus(self, selector: str) -> bool:
        return bool(self.page.evaluate("selector => document.activeElement.matches(selector)", selector))

    def tab_to(self, selector: str, key: str = "Tab") -> None:
        """Press Tab until what matches has the focus."""
        passed: list[str] = []
        while not self.has_focus(selector):
            assert len(passed) < 80, f"{key} does not lead to {selector}, but to {passed}"
            self.press(key)
            passed.append(self.focused())

    def go_to(self, name: str, key: str = "Tab") -> None:
        """Press a key until what has this name has the focus."""
        passed: list[str] = []
        while not self.page.evaluate(HAS_NAME, name):
            assert len(passed) < 80, f"{key} does not lead to {name!r}, but to {passed}"
            self.press(key)
            passed.append(self.focused())

    def enter(self, name: str) -> None:
        """Press what has this name, reached by Tab."""
        self.go_to(name)
        self.press("Enter")

    def choose(self, name: str) -> None:
        """Choose in the menu that opens."""
        self.at("[role^=menuitem]")
        self.go_to(name, "ArrowDown")
        self.press("Enter")

    def region(self, selector: str) -> None:
        """Go to a part of the page."""
        for _ in range(4):
            self.press("F6")
            if self.page.evaluate("selector => Boolean(document.activeElement.closest(selector))", selector):
                return
        raise AssertionError(f"F6 does not lead to {selector}")

    def row(self, text: str) -> None:
        """Go to the newest message with a text."""
        message(self.page, text).last.wait_for()
        deadline = time.monotonic() + PATIENCE_MS / 1000
        while time.monotonic() < deadline:  # a row that is drawn anew under the keys begins the walk again
            self.region(".message-list")
            self.press("Escape", "End")
            for _ in range(40):
                if self.page.evaluate("text => document.activeElement.innerText.includes(text)", text):
                    return
                self.press("ArrowUp")
        raise AssertionError(f"ArrowUp does not lead to {text!r}, but to {self.focused()}")

    def member(self, name: str) -> None:
        """Go to a member in the panel."""
        self.page.locator(".member", has_text=name).wait_for()
        self.region(".beside")
        self.tab_to(".member")
        self.go_to(name, "ArrowDown")

    def dialog(self, title: str) -> None:
        """Wait for a dialog, which has the focus."""
        self.page.get_by_role("dialog", name=title).wait_for()
        self.at("dialog[open] :focus")

    def gone(self) -> None:
        self.page.locator("dialog[open]").wait_for(state="detached")

    def leave(self, title: str) -> None:
        """Close a dialog that opens."""
        self.dialog(title)
        self.press("Escape")
        self.gone()

    def told(self, text: str) -> None:
        """Wait for what the page says at its edge."""
        self.page.locator(".toast", has_text=text).last.wait_for()

    def panel(self, title: str) -> None:
        self.page.get_by_role("complementary", name=title).locator(".panel").wait_for()

    def no_panel(self, title: str) -> None:
        self.page.get_by_role("complementary", name=title).wait_for(state="detached")


def arrive(visit: Callable[..., Visitor], name: str) -> Walker:
    """A guest comes in; the focus is where one writes."""
    visitor = visit()
    visitor.context.grant_permissions(["clipboard-read", "clipboard-write", "notifications"], origin=visitor.origin)
    walker = Walker(visitor.open())
    walker.at("input[name=username]")
    walker.type(name)
    walker.press("Enter")
    composer(walker.page).wait_for()
    walker.at(FIELD)
    return walker


def register(walker: Walker) -> None:
    """Keep the name with a password."""
    walker.says("/register")
    walker.dialog("Settings")
    walker.tab_to("dialog [name=new-password]")
    walker.type(PASSWORD)
    walker.press("Enter")
    walker.told("This name is now yours")
    walker.press("Escape")
    walker.gone()
    walker.at(FIELD)


# --- the walks: each begins and ends where the focus was, unless it says where the action leads ---

Step = Callable[[Walker, Walker], None]
"""Takes olga, who owns #garden, and budi, who is its member."""
COMMANDS: dict[str, Step] = {}
CONVERSATION: dict[str, Step] = {}
PERSON: dict[str, Step] = {}
MESSAGE: dict[str, Step] = {}
KEYS: dict[str, Step] = {}
GUEST: dict[str, Step] = {}


def walk(part: dict[str, Step], *names: str) -> Callable[[Step], Step]:
    """Enter a walk into a part, by the names of its actions."""

    def enter(step: Step) -> Step:
        part.update(dict.fromkeys(names, step))
        return step

    return enter


# commands: from the composer, and back to it


@walk(COMMANDS, "reply")
def _(olga: Walker, _budi: Walker) -> None:
    olga.says("/reply an answer")
    message(olga.page, "an answer").locator(".quote", has_text="budi").wait_for()


@walk(COMMANDS, "react")
def _(olga: Walker, _budi: Walker) -> None:
    olga.says("/react 🎉")
    message(olga.page, "an answer").get_by_role("button", name="🎉 1").wait_for()


@walk(COMMANDS, "edit")
def _(olga: Walker, _budi: Walker) -> None:
    olga.says("/edit another answer")
    message(olga.page, "another answer").get_by_text("edited").wait_for()


@walk(COMMANDS, "delete")
def _(olga: Walker, _budi: Walker) -> None:
    olga.says("/delete")
    olga.dialog("Delete this message?")
    olga.enter("Delete")
    olga.gone()
    message(olga.page, "This message was deleted").wait_for()


@walk(COMMANDS, "msg")
def _(olga: Walker, _budi: Walker) -> None:
    olga.says("/msg")
    olga.leave("New direct message")
    olga.says("/msg budi a secret")
    olga.page.get_by_text("Direct message to budi").wait_for()
    olga.says("/msg budi")
    composer(olga.page, "budi").wait_for()
    message(olga.page, "a secret").wait_for()
    back(olga, "budi")


@walk(COMMANDS, "whois")
def _(olga: Walker, _budi: Walker) -> None:
    olga.says("/whois budi")
    olga.leave("budi")


@walk(COMMANDS, "ignore")
def _(olga: Walker, _budi: Walker) -> None:
    for done in ("hidden", "shown"):
        olga.says("/ignore budi")
        olga.told(f"Messages of budi are {done}")


@walk(COMMANDS, "role")
def _(olga: Walker, _budi: Walker) -> None:
    for role in ("moderator", "member"):
        olga.says(f"/role budi {role}")
        olga.told(f"budi is {role} now")


@walk(COMMANDS, "mute")
def _(olga: Walker, _budi: Walker) -> None:
    olga.says("/mute budi 10m too loud")
    olga.told("budi was muted for 10 min")


@walk(COMMANDS, "unmute")
def _(olga: Walker, _budi: Walker) -> None:
    olga.says("/unmute budi")
    olga.told("budi can write again")


@walk(COMMANDS, "who")
def _(olga: Walker, _budi: Walker) -> None:
    olga.tab_to("header .counted", "Shift+Tab")
    olga.press("Enter")
    olga.no_panel("Members")
    olga.region(".composer")
    olga.says("/who")
    olga.panel("Members")


@walk(COMMANDS, "room")
def _(olga: Walker, _budi: Walker) -> None:
    olga.says("/room")
    olga.leave("#garden")


@walk(COMMANDS, "topic")
def _(olga: Walker, _budi: Walker) -> None:
    olga.says("/topic")
    olga.leave("Topic of #garden")
    olga.says("/topic Tomatoes")
    olga.page.locator(".topic", has_text="Tomatoes").wait_for()


@walk(COMMANDS, "history")
def _(olga: Walker, _budi: Walker) -> None:
    olga.says("/history")
    olga.leave("Go to date")


@walk(COMMANDS, "jump")
def _(olga: Walker, budi: Walker) -> None:
    new_below(olga, budi, "below by command")
    olga.region(".composer")
    olga.says("/jump")
    seen(olga, "below by command")


@walk(COMMANDS, "copy", "about", "open")
def _(olga: Walker, budi: Walker) -> None:
    link = olga.page.evaluate(ICON)
    budi.says(link)
    message(olga.page, link).last.wait_for()
    olga.says("/copy")
    olga.told("Copied")
    assert olga.page.evaluate("navigator.clipboard.readText()") == link
    olga.says("/about")
    olga.leave("About this message")
    olga.at(FIELD)
    olga.says("/open")
    close_opened(olga)
    olga.at(FIELD)


@walk(COMMANDS, "switch", "palette")
def _(olga: Walker, _budi: Walker) -> None:
    for command, title in (("/switch", "Go to a room or person"), ("/palette", "Choose an action by its name")):
        olga.says(command)
        olga.leave(title)
        olga.at(FIELD)


@walk(COMMANDS, "back")
def _(olga: Walker, _budi: Walker) -> None:
    join(olga, "lobby")
    olga.says("/back")
    composer(olga.page, "#garden").wait_for()
    olga.at(FIELD)


@walk(COMMANDS, "mentions")
def _(olga: Walker, _budi: Walker) -> None:
    olga.says("/mentions")
    olga.panel("Search")
    olga.at(".search-form [name=query]")
    assert olga.page.locator(".search-form [name=query]").input_value() == '"@olga"'
    olga.press("Escape")
    olga.no_panel("Search")
    olga.region(".composer")


@walk(COMMANDS, "members")
def _(olga: Walker, _budi: Walker) -> None:
    olga.panel("Members")
    olga.says("/members")
    olga.no_panel("Members")
    olga.says("/members")
    olga.panel("Members")
    olga.region(".composer")


@walk(COMMANDS, "leave")
def _(olga: Walker, _budi: Walker) -> None:
    olga.says("/leave")
    olga.leave("Leave #garden?")


@walk(COMMANDS, "unread")
def _(olga: Walker, budi: Walker) -> None:
    new_elsewhere(olga, budi, "unread by command")
    olga.says("/unread")
    composer(olga.page).wait_for()
    back(olga, "#lobby")


@walk(COMMANDS, "read")
def _(olga: Walker, budi: Walker) -> None:
    new_elsewhere(olga, budi, "read by command")
    olga.says("/read")
    olga.page.locator(".entry.unread").wait_for(state="detached")


@walk(COMMANDS, "search")
def _(olga: Walker, _budi: Walker) -> None:
    olga.says("/search lines")
    olga.panel("Search")
    olga.at(".search-form [name=query]")
    olga.page.locator(".hit").first.wait_for()
    olga.press("Escape")
    olga.no_panel("Search")


@walk(COMMANDS, "rooms")
def _(olga: Walker, _budi: Walker) -> None:
    olga.says("/rooms")
    olga.leave("Rooms")


@walk(COMMANDS, "join")
def _(olga: Walker, _budi: Walker) -> None:
    olga.says("/join")
    olga.leave("Rooms")
    olga.says("/join shed")
    composer(olga.page, "#shed").wait_for()
    back(olga, "#shed")


@walk(COMMANDS, "nick", "password", "sessions", "lang")
def _(olga: Walker, _budi: Walker) -> None:
    for name in ("nick", "password", "sessions", "lang"):
        olga.says(f"/{name}")
        olga.leave("Settings")
        olga.at(FIELD)


@walk(COMMANDS, "bot", "token", "hook")
def _(olga: Walker, _budi: Walker) -> None:
    for name, title in (("bot", "Bots and tokens"), ("token", "Bots and tokens"), ("hook", "Bots and tokens: #garden")):
        olga.says(f"/{name}")
        olga.dialog(title)
        expect_reached(olga, "dialog", {"Close", "Kind", "Name", "Room", "Expires", "Cancel", "Add"})
        olga.leave(title)
        olga.at(FIELD)


@walk(COMMANDS, "typing")
def _(olga: Walker, _budi: Walker) -> None:
    for word in ("off", "on"):
        olga.says(f"/typing {word}")
        olga.told(f"Typing notices are {word}")


@walk(COMMANDS, "upload")
def _(olga: Walker, _budi: Walker) -> None:
    with olga.page.expect_file_chooser():
        olga.says("/upload")


@walk(CONVERSATION, "upload")
def _(_olga: Walker, _budi: Walker) -> None:
    """The chooser of the system is no part of the page; that it opens is seen at the command."""


@walk(COMMANDS, "files")
def _(olga: Walker, _budi: Walker) -> None:
    olga.says("/files")
    olga.dialog("My files")
    olga.press("Escape")
    olga.gone()


@walk(COMMANDS, "help")
def _(olga: Walker, _budi: Walker) -> None:
    olga.says("/help")
    olga.leave("Keys and commands")


@walk(COMMANDS, "kick")
def _(olga: Walker, _budi: Walker) -> None:
    olga.says("/kick budi")
    olga.told("budi was removed")


@walk(COMMANDS, "ban")
def _(olga: Walker, _budi: Walker) -> None:
    olga.says("/ban budi 10m")
    olga.told("budi was banned for 10 min")


@walk(COMMANDS, "unban")
def _(olga: Walker, _budi: Walker) -> None:
    olga.says("/unban budi")
    olga.told("budi can join again")


@walk(COMMANDS, "invite")
def _(olga: Walker, budi: Walker) -> None:
    olga.says("/invite")
    olga.leave("Invite to #garden")
    olga.says("/invite budi")
    olga.told("budi is invited")
    come_back(budi)


# the menu of a room: from its button, and back to it


@walk(CONVERSATION, "link")
def _(olga: Walker, _budi: Walker) -> None:
    olga.told("Copied")


@walk(CONVERSATION, "who")
def _(olga: Walker, _budi: Walker) -> None:
    olga.panel("Members")


@walk(CONVERSATION, "room")
def _(olga: Walker, _budi: Walker) -> None:
    olga.leave("#garden")


@walk(CONVERSATION, "topic")
def _(olga: Walker, _budi: Walker) -> None:
    olga.dialog("Topic of #garden")
    olga.at("[name=topic]")
    olga.type("Potatoes")
    olga.press("Enter")
    olga.page.locator(".topic", has_text="Potatoes").wait_for()
    olga.gone()


@walk(CONVERSATION, "history")
def _(olga: Walker, _budi: Walker) -> None:
    olga.dialog("Go to date")
    olga.at("[name=day]")
    olga.press("Enter")
    olga.gone()


@walk(CONVERSATION, "hook")
def _(olga: Walker, _budi: Walker) -> None:
    olga.leave("Bots and tokens: #garden")


@walk(CONVERSATION, "jump")
def _(olga: Walker, _budi: Walker) -> None:
    seen(olga, "below by menu")


@walk(CONVERSATION, "unban")
def _(olga: Walker, _budi: Walker) -> None:
    olga.leave("Unban")


@walk(CONVERSATION, "leave")
def _(olga: Walker, _budi: Walker) -> None:
    olga.leave("Leave #garden?")


@walk(CONVERSATION, "invite")
def _(olga: Walker, _budi: Walker) -> None:
    olga.leave("Invite to #garden")


# the menu of a member


def on_budi(olga: Walker) -> None:
    olga.at(".member")
    olga.go_to("budi")


@walk(PERSON, "whois")
def _(olga: Walker, _budi: Walker) -> None:
    olga.leave("budi")
    on_budi(olga)


@walk(PERSON, "msg")
def _(olga: Walker, _budi: Walker) -> None:
    composer(olga.page, "budi").wait_for()
    back(olga, "budi")


@walk(PERSON, "mention")
def _(olga: Walker, _budi: Walker) -> None:
    olga.at(FIELD)
    assert composer(olga.page, "#garden").input_value() == "@budi "
    olga.press("Control+a", "Delete")


@walk(PERSON, "ignore")
def _(olga: Walker, budi: Walker) -> None:
    olga.told("Messages of budi are hidden")
    on_budi(olga)
    olga.press("Enter")
    olga.choose("Show messages again")
    olga.told("Messages of budi are shown")
    on_budi(olga)


@walk(PERSON, "role")
def _(olga: Walker, _budi: Walker) -> None:
    olga.dialog("Role of budi")
    olga.tab_to("[type=radio]")
    olga.press("ArrowDown", "Enter")
    olga.told("budi is moderator now")
    olga.gone()
    on_budi(olga)


@walk(PERSON, "mute")
def _(olga: Walker, _budi: Walker) -> None:
    olga.dialog("Mute budi in #garden")
    olga.go_to("Reason")
    olga.type("too loud")
    olga.press("Enter")
    olga.told("budi was muted for 10 min")
    olga.gone()
    on_budi(olga)


@walk(PERSON, "unmute")
def _(olga: Walker, _budi: Walker) -> None:
    olga.told("budi can write again")
    on_budi(olga)


@walk(PERSON, "ban")
def _(olga: Walker, _budi: Walker) -> None:
    olga.leave("Ban budi from #garden")
    on_budi(olga)


@walk(PERSON, "kick")
def _(olga: Walker, _budi: Walker) -> None:
    olga.dialog("Remove budi from #garden")
    olga.enter("Remove")
    olga.told("budi was removed")
    olga.gone()
    olga.page.locator(".member", has_text="budi").wait_for(state="detached")
    olga.at(".member")


@walk(PERSON, "invite")
def _(olga: Walker, budi: Walker) -> None:
    olga.told("budi is invited")
    olga.at("article")
    come_back(budi)


# what a message has, in its menu and by its keys: from the message, and back to it


@walk(MESSAGE, "reply")
def _(olga: Walker, _budi: Walker) -> None:
    olga.at(FIELD)
    olga.page.locator(".composer-bar", has_text="Replying to yourself").wait_for()
    olga.press("Escape")
    olga.page.locator(".composer-bar strong").wait_for(state="detached")
    olga.at(FIELD)


@walk(MESSAGE, "react")
def _(olga: Walker, _budi: Walker) -> None:
    olga.dialog("React")
    olga.type("party")
    olga.page.get_by_role("option", name="party popper").wait_for()
    olga.press("ArrowDown", "Enter")
    olga.gone()
    olga.at("article")


@walk(MESSAGE, "edit")
def _(olga: Walker, _budi: Walker) -> None:
    olga.at(FIELD)
    assert composer(olga.page, "#garden").input_value() == "words of olga"
    olga.press("Escape")
    assert composer(olga.page, "#garden").input_value() == ""


@walk(MESSAGE, "quote")
def _(olga: Walker, _budi: Walker) -> None:
    olga.at(FIELD)
    assert composer(olga.page, "#garden").input_value() == "> words of olga\n"
    olga.press("Control+a", "Delete")


@walk(MESSAGE, "open")
def _(olga: Walker, _budi: Walker) -> None:
    close_opened(olga)


@walk(MESSAGE, "about")
def _(olga: Walker, _budi: Walker) -> None:
    olga.page.locator("dialog dd", has_text="olga").wait_for()
    olga.leave("About this message")
    olga.at("article")


@walk(MESSAGE, "copy")
def _(olga: Walker, _budi: Walker) -> None:
    olga.told("Copied")
    assert olga.page.evaluate("navigator.clipboard.readText()") == "words of olga"
    olga.at("article")


@walk(MESSAGE, "link")
def _(olga: Walker, _budi: Walker) -> None:
    olga.told("Copied")
    until(olga.page, "navigator.clipboard.readText().then((text) => /#.room.garden.[0-9]+$/.test(text))")
    olga.at("article")


@walk(MESSAGE, "delete")
def _(olga: Walker, _budi: Walker) -> None:
    olga.leave("Delete this message?")
    olga.at("article")


# keys that work everywhere


@walk(KEYS, "switch")
def _(olga: Walker, _budi: Walker) -> None:
    olga.press("Control+k")
    olga.leave("Go to a room or person")
    olga.at(FIELD)
    olga.press("Control+k")
    olga.dialog("Go to a room or person")
    olga.type("lob")
    olga.press("Enter")
    olga.gone()
    back(olga, "#lobby")


@walk(KEYS, "unread")
def _(olga: Walker, budi: Walker) -> None:
    for key in ("Alt+a", "Alt+Shift+ArrowDown"):
        new_elsewhere(olga, budi, f"unread by {key}")
        olga.press(key)
        composer(olga.page).wait_for()
        back(olga, "#lobby")


@walk(KEYS, "read")
def _(olga: Walker, budi: Walker) -> None:
    new_elsewhere(olga, budi, "read by key")
    olga.press("Shift+Escape")
    olga.page.locator(".entry.unread").wait_for(state="detached")


@walk(KEYS, "search")
def _(olga: Walker, _budi: Walker) -> None:
    olga.press("Control+Shift+f")
    olga.panel("Search")
    olga.at(".search-form [name=query]")
    olga.press("Escape")
    olga.no_panel("Search")


@walk(KEYS, "back")
def _(olga: Walker, _budi: Walker) -> None:
    join(olga, "lobby")
    olga.press("Alt+ArrowLeft")
    composer(olga.page, "#garden").wait_for()
    olga.at(FIELD)


@walk(KEYS, "mentions")
def _(olga: Walker, _budi: Walker) -> None:
    olga.press("Alt+m")
    olga.panel("Search")
    olga.at(".search-form [name=query]")
    assert olga.page.locator(".search-form [name=query]").input_value() == '"@olga"'
    olga.press("Escape")
    olga.no_panel("Search")


@walk(KEYS, "palette")
def _(olga: Walker, _budi: Walker) -> None:
    olga.press("Alt+p")
    olga.leave("Choose an action by its name")
    olga.at(FIELD)
    olga.press("Alt+p")
    olga.dialog("Choose an action by its name")
    olga.type("browse")
    olga.press("Enter")
    olga.leave("Rooms")
    olga.at(FIELD)
    olga.press("Alt+p")
    olga.dialog("Choose an action by its name")
    olga.type("/kick")
    olga.press("Enter")
    olga.gone()
    olga.at(FIELD)
    assert composer(olga.page, "#garden").input_value() == "/kick "
    olga.press("Escape", "Control+a", "Delete")


@walk(KEYS, "members")
def _(olga: Walker, _budi: Walker) -> None:
    olga.panel("Members")
    olga.press("Alt+2")
    olga.no_panel("Members")
    olga.press("Alt+2")
    olga.panel("Members")


@walk(KEYS, "help")
def _(olga: Walker, _budi: Walker) -> None:
    olga.region(".message-list")
    olga.press("?")
    olga.leave("Keys and commands")
    olga.at("article")
    olga.region(".composer")


# what a guest does


@walk(GUEST, "register")
def _(gita: Walker, _budi: Walker) -> None:
    gita.says("/register")
    gita.leave("Settings")
    gita.at(FIELD)


@walk(GUEST, "quit")
def _(gita: Walker, _budi: Walker) -> None:
    gita.says("/quit")
    gita.page.get_by_role("heading", name="You have left").wait_for()
    gita.at("button")
    gita.press("Enter")
    composer(gita.page).wait_for()
    gita.at(FIELD)


@walk(GUEST, "logout")
def _(gita: Walker, _budi: Walker) -> None:
    gita.says("/logout")
    gita.leave("Log out?")
    gita.says("/logout")
    gita.dialog("Log out?")
    gita.enter("Log out")
    gita.page.get_by_role("heading", name="Join as a guest").wait_for()
    gita.at("[name=username]")


# --- what the walks need ---


def back(olga: Walker, name: str) -> None:
    """Go back to #garden from another conversation, in which the composer has the focus."""
    composer(olga.page, name).wait_for()
    olga.at(FIELD)
    olga.says("/who garden")
    composer(olga.page, "#garden").wait_for()
    olga.at(FIELD)


def join(walker: Walker, room: str) -> None:
    walker.says(f"/join {room}")
    composer(walker.page, f"#{room}").wait_for()
    walker.at(FIELD)


def come_back(budi: Walker) -> None:
    """Use an invitation to the room that he was put out of."""
    budi.page.get_by_text("olga invites you to #garden").first.wait_for()
    budi.enter("Join")
    composer(budi.page, "#garden").wait_for()
    budi.at(FIELD)


def new_below(olga: Walker, budi: Walker, text: str) -> None:
    """Let a message come while olga reads the beginning."""
    olga.region(".message-list")
    olga.press("Home")
    join(budi, "garden")
    budi.says(text)
    olga.page.get_by_role("button", name="new message").wait_for()


def seen(olga: Walker, text: str) -> None:
    olga.page.get_by_role("button", name="new message").wait_for(state="detached")
    message(olga.page, text).wait_for()


def new_elsewhere(olga: Walker, budi: Walker, text: str) -> None:
    """Let a message come in the lobby."""
    join(budi, "lobby")
    budi.says(text)
    olga.page.locator(".entry.unread", has_text=text).wait_for()


def close_opened(olga: Walker) -> None:
    """Close the page that opens beside."""
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while len(pages := olga.page.context.pages) == 1 and time.monotonic() < deadline:
        olga.page.evaluate("0")  # lets the event of a new page come
    assert len(pages) == 2
    pages[1].close()
    olga.page.bring_to_front()


def close_room(olga: Walker) -> None:
    """Make #garden private."""
    olga.says("/room")
    olga.dialog("#garden")
    olga.go_to("Private")
    olga.press("Space")
    olga.enter("Save")
    olga.told("Saved")
    olga.gone()


def garden(visit: Callable[..., Visitor]) -> tuple[Walker, Walker]:
    """Olga owns #garden, budi is in it, and it has more lines than a screen."""
    olga, budi = arrive(visit, "olga"), arrive(visit, "budi")
    for each in (olga, budi):
        register(each)
        join(each, "garden")
    budi.page.keyboard.insert_text("\n".join(["lines of budi"] * 39))
    budi.press("Enter")
    message(olga.page, "lines of budi").wait_for()
    return olga, budi


def labels(walker: Walker) -> dict[str, str]:
    """The words of each action in a menu."""
    found = {row["name"]: row["label"] for row in walker.page.evaluate(TABLE)}
    return {**found, "ignore": "Hide messages"}


# --- tests ---


def expect_a_walk_for_each(rows: list[dict[str, Any]]) -> None:
    """Compare the page's table with the walks, and make sure that each action has a way by keyboard."""
    assert {row["name"] for row in rows if row["command"]} == COMMANDS.keys() | GUEST.keys()
    assert {row["name"] for row in rows if row["keys"] and "app" in row["places"]} == KEYS.keys()
    for part, place in ((CONVERSATION, "conversation"), (PERSON, "person"), (MESSAGE, "message")):
        assert {row["name"] for row in rows if place in row["places"]} == part.keys()
    assert [row["name"] for row in rows if row["places"] == ["app"] and not row["command"] and not row["keys"]] == []


@pytest.mark.slow
def test_every_action(visit: Callable[..., Visitor]) -> None:
    olga, budi = garden(visit)
    rows = olga.page.evaluate(TABLE)
    expect_a_walk_for_each(rows)
    words = {**{row["name"]: row["label"] for row in rows}, "ignore": "Hide messages"}
    keys = {row["name"]: row["keys"].replace("Mod", "Control") for row in rows}

    def conversation_menu(name: str) -> None:
        olga.tab_to(MORE, "Shift+Tab")
        olga.press("Enter")
        olga.choose(words[name])
        CONVERSATION[name](olga, budi)
        olga.at(MORE)

    link = f"{olga.page.evaluate(ICON)} of olga"
    olga.says(link)
    message(olga.page, link).wait_for()
    olga.says("words of olga")
    for name, step in MESSAGE.items():
        text = link if name == "open" else "words of olga"
        olga.row(text)
        olga.press("Enter")
        olga.choose(words[name])
        step(olga, budi)
        for key in keys[name].split():
            olga.row(text)
            olga.press(key)
            step(olga, budi)
    for name in CONVERSATION.keys() - {"invite", "jump"}:
        conversation_menu(name)
    new_below(olga, budi, "below by menu")
    conversation_menu("jump")
    for name in [each for each in PERSON if each != "invite"]:
        olga.member("budi")
        olga.press("Enter")
        olga.choose(words[name])
        PERSON[name](olga, budi)
    olga.region(".composer")
    close_room(olga)  # only a private one has invitations
    olga.row("lines of budi")
    olga.press("Enter")
    olga.choose("budi…")
    olga.choose(words["invite"])
    PERSON["invite"](olga, budi)
    olga.region(".composer")
    for step in (*KEYS.values(), *dict.fromkeys(COMMANDS.values())):
        step(olga, budi)
        olga.at(FIELD)
    conversation_menu("invite")


def test_keys_that_move(visit: Callable[..., Visitor]) -> None:
    """What no menu has: through the messages, to them, to the rooms, and to a date."""
    olga = arrive(visit, "olga")
    for part in ("a long", "another long", "one more long"):
        olga.page.keyboard.insert_text("\n".join([part] * 39))
        olga.press("Enter")
        message(olga.page, part).wait_for()
    olga.says("last words")
    message(olga.page, "last words").wait_for()
    position = "document.querySelector('.message-list .scroller').scrollTop"  # 0 at the end, and negative above
    olga.press("PageUp", "PageUp")
    until(olga.page, f"{position} < 0")
    above = olga.page.evaluate(position)
    olga.press("PageDown")
    until(olga.page, f"above => {position} > above", above)
    olga.press("PageUp", "PageUp", "Control+End")
    until(olga.page, f"{position} === 0")
    olga.at(FIELD)
    olga.press("Control+ArrowUp")
    olga.at("article")
    until(olga.page, "document.activeElement.innerText.includes('last words')")
    olga.press("k")
    until(olga.page, "document.activeElement.innerText.includes('long')")
    olga.press("j")
    until(olga.page, "document.activeElement.innerText.includes('last words')")
    olga.press("Alt+1")
    until(olga.page, "Boolean(document.activeElement.closest('.sidebar'))")
    olga.press("Alt+g")
    olga.leave("Go to date")
    olga.region(".composer")
    olga.type("two words")
    olga.press("Control+ArrowUp")
    olga.at(FIELD)  # the key moves in the text
    olga.press("PageUp")  # and this in a longer one
    until(olga.page, f"{position} < 0")
    olga.press("Control+a", "Delete")


def test_what_is_typed_on_a_message_is_written(visit: Callable[..., Visitor]) -> None:
    """Where the first letter stands for nothing there."""
    olga = arrive(visit, "olga")
    olga.says("words of olga")
    olga.page.locator("article[tabindex='0']", has_text="words of olga").wait_for()  # one that is stored
    olga.press("Control+ArrowUp")
    olga.at("article")
    olga.type("hello")
    olga.at(FIELD)
    field = composer(olga.page)
    assert field.input_value() == "hello"
    message(olga.page, "words of olga").click()
    olga.type("!")  # by a mouse too, and there also what would be a key
    assert field.input_value() == "hello!"
    olga.row("words of olga")
    olga.press(">")
    olga.at(FIELD)
    assert field.input_value() == "hello!\n> words of olga\n"


OPTION = 1
CONTROL = 2


def test_a_mac_types_with_option(visit: Callable[..., Visitor]) -> None:
    """Where one writes; with Control, or elsewhere, it is a key of the page."""
    visitor = visit()
    visitor.context.add_init_script("Object.defineProperty(Navigator.prototype, 'platform', {get: () => 'MacIntel'})")
    page = come_in(visitor, "ana")
    devtools = visitor.context.new_cdp_session(page)

    def press(key: str, code: str, modifiers: int) -> None:
        event = {"key": key, "code": code, "modifiers": modifiers}
        text = {} if modifiers & CONTROL else {"text": key}
        devtools.send("Input.dispatchKeyEvent", {"type": "keyDown", **event, **text})
        devtools.send("Input.dispatchKeyEvent", {"type": "keyUp", **event})

    composer(page).click()
    for key, code in (("å", "KeyA"), ("µ", "KeyM"), ("©", "KeyG"), ("π", "KeyP"), ("€", "Digit2")):
        press(key, code, OPTION)
    assert composer(page).input_value() == "åµ©π€"
    press("π", "KeyP", OPTION | CONTROL)
    page.get_by_role("dialog", name="Choose an action by its name").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")
    page.locator(".entry").first.focus()
    press("π", "KeyP", OPTION)
    page.get_by_role("dialog", name="Choose an action by its name").wait_for()
    assert composer(page).input_value() == "åµ©π€"


def test_the_palette_of_a_message(visit: Callable[..., Visitor]) -> None:
    """It has what can be done with the message that has the focus, and begins no command within a text."""
    olga = arrive(visit, "olga")
    olga.says("words of olga")
    olga.page.locator("article[tabindex='0']", has_text="words of olga").wait_for()
    olga.row("words of olga")
    olga.press("Alt+p")
    olga.dialog("Choose an action by its name")
    olga.type("quote")
    olga.press("Enter")
    olga.gone()
    olga.at(FIELD)
    assert composer(olga.page).input_value() == "> words of olga\n"
    olga.press("Alt+p")
    olga.dialog("Choose an action by its name")
    for typed in ("/kick", "<b>((", "\\", "a" * 300):
        olga.press("Control+a")
        olga.type(typed)
        olga.page.get_by_role("option").first.wait_for(state="detached")
        olga.press("Enter")
    olga.leave("Choose an action by its name")
    olga.at(FIELD)
    assert composer(olga.page).input_value() == "> words of olga\n"


def test_what_only_a_guest_does(visit: Callable[..., Visitor]) -> None:
    gita = arrive(visit, "gita")
    for step in GUEST.values():
        step(gita, gita)


# --- what is in no table: the controls of each screen ---

CONTROLS = f"""(root) => {{
  const all = [...document.querySelectorAll(`:is(${{root}}) :is(a[href], button, input, select, textarea, summary)`)];
  window.controls = all.filter((each) =>
    each.checkVisibility() && !each.disabled && !each.closest(".unseen, .member, .rows, .conversations, .toasts"));
  return controls.map({NAME});
}}"""
"""Names of what can be pressed or filled in; what the arrow keys lead to is walked by itself."""


def expect_reached(walker: Walker, root: str, names: set[str]) -> None:
    """Compare the controls of a screen with those that are walked here, and reach each by Tab."""
    found = walker.page.evaluate(CONTROLS, root)
    assert set(found) == names
    missed = "controls.filter((each) => !reached.has(each)).map((each) => each.outerHTML.slice(0, 100))"
    walker.page.evaluate("void (window.reached = new Set([document.activeElement]))")
    for _ in range(3 * len(found) + 40):
        walker.press("Tab")
        if walker.page.evaluate("reached.add(document.activeElement), controls.every((each) => reached.has(each))"):
            return
    raise AssertionError(f"Tab does not lead to {walker.page.evaluate(missed)}")


@pytest.mark.desktop
def test_settings(visit: Callable[..., Visitor]) -> None:
    olga = arrive(visit, "olga")
    olga.go_to("Settings", "Shift+Tab")
    olga.press("Enter")
    olga.leave("Settings")
    olga.on("Settings")
    olga.press("Enter")
    olga.dialog("Settings")
    common = {
        "Close", "Name", "Change name", "Show password", "Theme", "Language", "The Enter key",
        "Show who is typing, and show others when you are", "Sound", "System notifications", "Do not disturb",
        "Compare the fingerprint, and what the browser's warning means", "Copy", "Stay logged in",
        "Delete data from this browser", "My files",
    }  # fmt: skip
    expect_reached(olga, "dialog", common | {"Password", "Register"})
    olga.tab_to("dialog [name=username]")
    olga.press("Control+a")
    olga.type("olga2")
    olga.enter("Change name")
    olga.told("Others see the new name")
    olga.at("dialog :focus")
    olga.go_to("Password")
    olga.type(PASSWORD)
    olga.enter("Register")
    olga.told("This name is now yours")
    olga.page.get_by_label("Current password").wait_for()
    olga.at("dialog :focus")
    account = {"Current password", "New password", "Change password", "Log out", "Bots and tokens"}
    expect_reached(olga, "dialog", common | account)
    olga.go_to("Current password")
    olga.type(PASSWORD)
    olga.go_to("New password")
    olga.type(PASSWORD + "!")
    olga.enter("Change password")
    olga.told("The password is changed")
    olga.at("dialog :focus")
    for name, value in (("theme", "light"), ("enter", "send"), ("language", "en")):
        olga.tab_to(f"dialog [name={name}]")
        olga.press("ArrowDown")
        olga.at(f"dialog [name={name}]")
        until(olga.page, "value => document.activeElement.value === value", value)
    for name in ("Show who is typing, and show others when you are", "Sound", "Do not disturb", "Stay logged in"):
        olga.go_to(name)
        was = olga.page.evaluate("document.activeElement.checked")
        olga.press("Space")
        until(olga.page, "was => document.activeElement.checked !== was", was)
    for name, title in (("Log out", "Log out?"), ("Delete data from this browser", "Delete data from this browser?")):
        olga.enter(name)
        olga.dialog(title)
        olga.press("Escape")
        olga.page.get_by_role("dialog", name=title).wait_for(state="detached")
        olga.on(name)
    olga.press("Escape")
    olga.gone()
    olga.at(FIELD)  # in another language the page is made anew


def test_the_frame(visit: Callable[..., Visitor], server: ServerProcess) -> None:
    olga = arrive(visit, "olga")
    olga.says("words of olga")
    message(olga.page, "words of olga").wait_for()
    olga.panel("Members")
    header = {"Search", "1 member", "More"}
    expect_reached(
        olga,
        ".sidebar, header.bar, .composer, .beside",
        {
            "Add a room or a conversation",
            "Jump to…",
            "Settings",
            "Close",
            "Attach files",
            "Emoji",
            "Message #lobby",
            "Send",
        }
        | header,
    )
    olga.region(".composer")
    for name, title in (
        ("Join or create a room", "Rooms"),
        ("New direct message", "New direct message"),
        ("Keys and commands", "Keys and commands"),
    ):
        olga.go_to("Add a room or a conversation", "Shift+Tab")
        olga.press("Enter")
        olga.choose(name)
        olga.leave(title)
        olga.on("Add a room or a conversation")
    olga.enter("Jump to…")
    olga.leave("Go to a room or person")
    olga.on("Jump to…")
    for name in ("Notify: every message", "Notify: mentions", "Notify: nothing"):
        olga.tab_to(MORE)
        olga.press("Enter")
        olga.choose(name)
        olga.at(MORE)
    olga.go_to("1 member", "Shift+Tab")
    olga.press("Enter")
    olga.no_panel("Members")
    olga.on("1 member")
    olga.press("Enter")
    olga.panel("Members")
    olga.region(".beside")
    olga.go_to("Close", "Shift+Tab")
    olga.press("Enter")
    olga.no_panel("Members")
    olga.at(FIELD)
    olga.go_to("Search", "Shift+Tab")
    olga.press("Enter")
    olga.panel("Search")
    expect_reached(olga, ".beside", {"Close", "Search for", "Search", "Filters"})
    olga.tab_to("summary")
    olga.press("Enter")
    expect_reached(olga, ".search-grid", {"Sender", "In", "After", "Before", "With a link"})
    olga.tab_to("[name=query]", "Shift+Tab")
    olga.type("words")
    olga.press("Enter")
    olga.page.locator(".hit").wait_for()
    olga.press("ArrowDown")
    olga.at(".hit-go")
    olga.press("Enter")
    olga.at("article")
    olga.press("Escape")
    olga.no_panel("Search")
    olga.at("article")
    told(server, "announce", "The server restarts at noon")
    olga.page.locator(".banner").wait_for()
    olga.tab_to(".banner button", "Shift+Tab")
    olga.press("Enter")
    olga.page.locator(".banner").wait_for(state="detached")
    olga.at(".skip")
    olga.press("Enter")
    olga.at("main")


def test_a_room(visit: Callable[..., Visitor]) -> None:
    """Its settings, its messages and what is done in them, and the way out."""
    olga, budi = garden(visit)
    olga.says("words of olga")
    olga.says("/room")
    olga.dialog("#garden")
    olga.page.locator("dialog [name=slow_s]").wait_for()
    expect_reached(
        olga,
        "dialog",
        {
            "Close", "Topic", "Name", "Private", "Read-only", "Slow mode", "Delete older messages", "New members see",
            "Archived", "Cancel", "Save",
        },
    )  # fmt: skip
    olga.go_to("Topic")
    olga.type("Tomatoes")
    olga.press("Escape")
    olga.dialog("Discard the changes?")
    olga.press("Escape")
    olga.page.get_by_role("dialog", name="Discard the changes?").wait_for(state="detached")
    olga.on("Topic")
    olga.press("Enter")
    olga.gone()
    olga.at(FIELD)
    olga.tab_to(".topic", "Shift+Tab")
    olga.press("Enter")
    olga.at("[aria-expanded=true]")

    budi.page.keyboard.insert_text("```\ncode\n```\nhttps://example.org/ " + "many words " * 350)
    budi.press("Enter")
    olga.row("code")
    olga.press("+")
    olga.dialog("React")
    olga.press("ArrowDown", "Enter")
    olga.gone()
    olga.tab_to("article [aria-pressed=true]")
    olga.press("Enter")
    olga.page.locator("article [aria-pressed]").wait_for(state="detached")
    olga.at("article")
    olga.tab_to("article a")
    olga.press("Escape")
    olga.at("article")
    olga.enter("Copy")
    until(olga.page, "navigator.clipboard.readText().then((text) => text === 'code')")
    olga.enter("Show all")
    olga.page.locator("article .more").wait_for(state="detached")
    olga.at("article, article *")
    budi.says("/reply an answer")
    olga.row("an answer")
    olga.tab_to("article .quote")
    olga.press("Enter")
    until(olga.page, "document.activeElement.innerText.includes('an answer') === false")
    olga.at("article")
    olga.enter("Back")
    until(olga.page, "document.activeElement.innerText.includes('an answer')")
    olga.press("Home")
    olga.enter("Jump to latest")
    olga.page.locator(".pill:visible").wait_for(state="detached")
    olga.at("article")

    olga.region(".composer")
    olga.says("/leave")
    olga.dialog("Leave #garden?")
    olga.enter("Leave")
    olga.gone()
    olga.page.get_by_role("heading", name="You are not in #garden").wait_for()
    olga.at("main, main *")  # which of them depends on whether the dialog or the room was gone first
    olga.enter("Join")
    composer(olga.page, "#garden").wait_for()
    olga.at(FIELD)


def test_the_first_screen(visit: Callable[..., Visitor]) -> None:
    gita = Walker(visit().open())
    gita.at("[name=username]")
    common = {
        "Name", "Stay logged in", "I have an invite link", "Prefer a terminal?",
        "Is this really the server? What the browser's warning means",
    }  # fmt: skip
    expect_reached(gita, "main", common | {"Join", "Log in"})
    gita.enter("Log in")
    gita.page.get_by_role("heading", name="Log in").wait_for()
    gita.at("[name=username]")
    expect_reached(gita, "main", common | {"Password", "Show password", "Log in", "Join as a guest"})
    gita.go_to("Show password")
    gita.press("Enter")
    assert gita.page.locator("[name=password]").get_attribute("type") == "text"
    gita.on("Show password")
    gita.enter("Join as a guest")
    gita.page.get_by_role("heading", name="Join as a guest").wait_for()
    gita.at("[name=username]")
    gita.enter("I have an invite link")
    gita.go_to("Invite link")
    gita.type("no link")
    gita.press("Tab")
    gita.page.get_by_text("This is not an invite link").wait_for()
    gita.press("Shift+Tab", "Control+a")
    gita.type("https://localhost/#join-once/" + "ab" * 16)
    gita.page.get_by_role("heading", name="You are invited").wait_for()
    gita.at("[name=username]")
    gita.type("gita")
    gita.go_to("Password")
    gita.type(PASSWORD)
    gita.press("Enter")
    gita.page.get_by_role("alert").filter(has_text="invite").wait_for()
    gita.at("main *")
