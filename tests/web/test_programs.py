"""Bots, webhooks and tokens in the page: the mark of a program, the list, and a secret that is shown once."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.support.browser import PATIENCE_MS, PHONE, Visitor, until
from tests.support.page import come_in, composer, message, say
from tests.support.played_hub import PlayedHub
from tests.web.test_accessibility import expect_no_findings
from tests.web.test_frame import register
from tests.web.test_words import OVERFLOW

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

TOKEN = re.compile(r"scb_[0-9A-Za-z]{49}")
STORED = """async () => {
  const named = await indexedDB.databases();
  const kept = { ...localStorage, ...sessionStorage };
  return JSON.stringify([named, kept, location.href, history.state, document.documentElement.outerHTML]);
}"""


def member(visitor: Visitor, name: str = "ana") -> Page:
    """Come in and keep the name with a password."""
    page = come_in(visitor, name)
    if page.get_by_role("button", name="Settings").is_hidden():  # narrow: it is beside the list
        page.get_by_role("button", name="Back to the conversations").click()
    register(page)
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")
    page.evaluate("location.hash = '#/room/lobby'")
    composer(page).wait_for()
    return page


def opened(page: Page, title: str) -> Locator:
    dialog = page.get_by_role("dialog", name=title)
    dialog.wait_for()
    return dialog


def confirm(page: Page, title: str) -> None:
    dialog = opened(page, title)
    dialog.get_by_role("button", name="Delete").click()
    dialog.wait_for(state="detached")


def secret_of(page: Page, title: str) -> str:
    """Read the token that is shown, and close what shows it."""
    dialog = opened(page, title)
    dialog.get_by_text("It is not shown again").wait_for()
    found = TOKEN.search(dialog.inner_text())
    assert found, dialog.inner_text()
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    return found.group()


def expect_kept_nowhere(page: Page, *secrets: str) -> None:
    stored = page.evaluate(STORED)
    assert not [each for each in secrets if each in stored]


def test_a_program_is_marked_wherever_its_name_stands(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    PlayedHub(visitor.context, "deploy")
    ana = come_in(visitor, "ana")
    deploy = come_in(visit(), "deploy")
    ana.locator(".comings").get_by_text("deploy, bot joined").wait_for()
    say(deploy, "build 7 failed")
    row = message(ana, "build 7 failed")
    row.locator(".who .bot").get_by_text("bot", exact=True).wait_for()
    assert re.match(r"deploy, bot, .*: build 7 failed", row.get_attribute("aria-label") or "")
    assert message(ana, "build 7 failed").locator(".bot").count() == 1
    ana.locator(".entry-words", has_text="deploy, bot: build 7 failed").wait_for(state="attached")  # wide: not shown
    say(ana, "/reply which one?")
    message(ana, "which one?").locator(".quote .bot").wait_for()
    assert message(ana, "which one?").locator(".who .bot").count() == 0
    ana.locator(".member", has_text="deploy").locator(".bot").wait_for()
    assert ana.locator(".member", has_text="ana").locator(".bot").count() == 0
    say(ana, "/search build")
    ana.locator(".hit", has_text="deploy").locator(".bot").wait_for()
    ana.keyboard.press("Escape")
    say(ana, "/whois deploy")
    opened(ana, "deploy").get_by_text("Bot.").wait_for()
    ana.keyboard.press("Escape")
    say(deploy, "/nick rollout")
    ana.locator(".member", has_text="rollout").locator(".bot").wait_for()


@pytest.mark.desktop
def test_a_notification_names_a_program_as_one(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    PlayedHub(visitor.context, "deploy")
    visitor.context.grant_permissions(["notifications"], origin=visitor.origin)
    ana, deploy = come_in(visitor, "ana"), come_in(visit(), "deploy")
    ana.evaluate("location.hash = '#/?settings'")
    ana.get_by_label("System notifications").check()
    ana.keyboard.press("Escape")
    ana.goto(f"{visitor.origin}/#/room/garden")
    ana.get_by_role("button", name="Join").click()
    composer(ana, "#garden").wait_for()
    say(deploy, "@ana build 7 failed")
    told = (
        "navigator.serviceWorker.ready.then(each => each.getNotifications()).then(all => all.map(each => each.title))"
    )
    until(ana, f"{told}.then(all => all.includes('deploy, bot in #lobby'))")


def test_a_bot_is_made_and_its_token_shown_once(visit: Callable[..., Visitor]) -> None:
    from playwright.sync_api import expect

    visitor = visit()
    hub = PlayedHub(visitor.context)
    visitor.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=visitor.origin)
    page = member(visitor)
    page.get_by_role("button", name="Settings").click()
    page.get_by_role("button", name="Bots and tokens").click()
    dialog = opened(page, "Bots and tokens")
    dialog.get_by_label("Kind").select_option("Bot")
    dialog.get_by_role("textbox", name="Name").fill("deploy")
    dialog.get_by_label("Room").select_option("#lobby")
    dialog.get_by_label("Expires").select_option("after 30 days")
    dialog.get_by_role("button", name="Add").click()
    shown = opened(page, "Token: deploy")
    token = TOKEN.search(shown.inner_text())
    assert token, shown.inner_text()
    assert token.group() == hub.secrets[0]
    line = shown.locator(".terminal-line").nth(1)
    wanted = (
        f'curl --cacert ca.pem -H "Authorization: Bearer {hub.secrets[0]}" -d hello '
        f'"{visitor.origin}/api/v1/rooms/lobby/messages"'
    )
    assert line.locator("code").inner_text() == wanted
    line.get_by_role("button", name="Copy").click()
    until(page, "wanted => navigator.clipboard.readText().then((text) => text === wanted)", wanted)
    with page.expect_download() as download:
        shown.get_by_role("link", name="ca.pem").click()
    assert download.value.path().read_text().startswith("-----BEGIN CERTIFICATE-----")
    page.keyboard.press("Escape")
    shown.wait_for(state="detached")
    row = dialog.get_by_role("listitem").filter(has_text="deploy")
    row.get_by_text(re.compile(r"Token \d+ · post, read · #lobby · until ")).wait_for()
    row.locator(".bot").wait_for()
    expect_kept_nowhere(page, *hub.secrets)

    row.get_by_role("button", name="New token").click()
    opened(page, "Token: deploy").get_by_text("another day").wait_for()
    assert secret_of(page, "Token: deploy") == hub.secrets[1]
    row.get_by_role("button", name="Delete: Token").click()
    confirm(page, "Delete: Token")
    expect(row.locator(".hint")).to_have_count(1, timeout=PATIENCE_MS)
    assert [len(each["tokens"]) for each in hub.bots.values()] == [1]
    row.get_by_role("button", name="Delete: deploy").click()
    confirm(page, "Delete: deploy")
    row.wait_for(state="detached")
    assert not hub.bots
    expect_kept_nowhere(page, *hub.secrets)
    page.reload()
    composer(page).wait_for()
    expect_kept_nowhere(page, *hub.secrets)


def test_the_commands_do_what_the_terminals_do(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    hub = PlayedHub(visitor.context)
    page = member(visitor)
    say(page, "/join ops")
    composer(page, "#ops").wait_for()
    hook = "/hook add grafana 30"
    say(page, hook, "#ops")
    shown = opened(page, "Token: grafana")
    assert shown.locator(".terminal-line code").all_inner_texts() == [f"{visitor.origin}/hooks/{hub.secrets[0]}"]
    assert secret_of(page, "Token: grafana") == hub.secrets[0]
    say(page, '/bot add "Deploy Bot" #ops #lobby', "#ops")
    assert secret_of(page, "Token: Deploy Bot") == hub.secrets[1]
    say(page, "/token add laptop read post 7", "#ops")
    assert secret_of(page, "Token: laptop") == hub.secrets[2]
    made = [{**each, "ref": 0} for each in hub.asked]
    assert made == [
        {"t": "botadd", "ref": 0, "kind": "hook", "name": "grafana", "rooms": ["ops"], "days": 30},
        {"t": "botadd", "ref": 0, "kind": "bot", "name": "Deploy Bot", "rooms": ["ops", "lobby"]},
        {"t": "tokenadd", "ref": 0, "name": "laptop", "scopes": ["read", "post"], "rooms": [], "days": 7},
    ]
    (number,) = hub.tokens
    say(page, f"/token rotate {number}", "#ops")
    assert secret_of(page, "Token: laptop") == hub.secrets[3]
    say(page, "/hook rotate Grafana", "#ops")
    assert secret_of(page, "Token: grafana") == hub.secrets[4]
    say(page, "/bot remove deploy bot", "#ops")
    confirm(page, "Delete: Deploy Bot")
    assert [each["name"] for each in hub.bots.values()] == ["grafana"]
    say(page, "/bot remove grafana", "#ops")  # a webhook is no bot
    page.get_by_text("Nothing was found.").wait_for()
    assert composer(page, "#ops").input_value() == "/bot remove grafana"
    say(page, "/token add laptop write", "#ops")
    page.get_by_text("Usage: /token").wait_for()
    expect_kept_nowhere(page, *hub.secrets)


def test_the_list_tells_what_is_known_of_each(visit: Callable[..., Visitor]) -> None:
    visitor = visit(**PHONE)
    hub = PlayedHub(visitor.context)
    used = {"used": 1_700_000_000_000, "address": "192.168.1.20"}
    info = {"token": 1, "name": "a", "scopes": ["post"], "since": 1_700_000_000_000}
    for number, name in enumerate(["Grafana", "a bot with a name of thirty-two c", "deploy", "rollout"], 1):
        hub.bots[number] = {"id": number, "name": name, "kind": "bot", "tokens": [{**info, "token": number}]}
    hub.bots[1]["kind"], hub.bots[1]["tokens"][0]["scopes"] = "hook", ["hook"]
    hub.bots[2]["tokens"][0].update(used, online=True, rooms=["ops", "lobby"])
    hub.bots[3]["tokens"][0].update(used)
    hub.bots[4]["stopped"] = True
    hub.bots[4]["outgoing"] = {"to": "https://ci.lan", "on": "!deploy", "bots": False, "off": "gone"}
    hub.bots[4]["tokens"] = []
    hub.tokens[9] = {**info, "token": 9, "name": "laptop", "scopes": ["read", "metrics"]}
    page = member(visitor)
    say(page, "/bot")
    dialog = opened(page, "Bots and tokens")
    rows = dialog.get_by_role("listitem")
    rows.filter(has_text="laptop").get_by_text("Token 9 · read, metrics").wait_for()
    assert rows.filter(has_text="laptop").locator(".bot").count() == 0
    assert rows.count() == 5
    rows.filter(has_text="thirty-two").get_by_text("post · #ops, #lobby · active now · 192.168.1.20").wait_for()
    rows.filter(has_text="deploy").get_by_text("last active").wait_for()
    rollout = rows.filter(has_text="rollout")
    rollout.get_by_text("Stopped: its maker is banned or gone").wait_for()
    rollout.get_by_text("!deploy → https://ci.lan off").wait_for()
    assert rollout.get_by_role("button").all_inner_texts() == ["Delete"], "there is no token to replace"
    assert page.evaluate(OVERFLOW) == []
    expect_no_findings(page, "bots and tokens")
    hub.refusal = {
        "code": "invalid",
        "text": "A webhook posts into one room. Give exactly one",
        "reason": "hook_needs_room",
    }
    dialog.get_by_role("textbox", name="Name").fill("grafana")
    dialog.get_by_role("button", name="Add").click()
    dialog.get_by_role("alert").get_by_text("Give exactly one").wait_for()
    assert dialog.get_by_role("textbox", name="Name").input_value() == "grafana"
    dialog.get_by_role("button", name="Add").click()
    opened(page, "Token: grafana")
    assert page.evaluate(OVERFLOW) == []
    expect_no_findings(page, "a token")


def test_a_guest_and_a_member_have_what_they_may(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    hub = PlayedHub(visitor.context)
    page = come_in(visitor, "ana")
    say(page, "/bot")
    page.get_by_text("This is not possible here.").wait_for()
    page.get_by_role("button", name="Settings").click()
    assert page.get_by_role("button", name="Bots and tokens").is_hidden()
    page.keyboard.press("Escape")
    page.get_by_role("dialog", name="Settings").wait_for(state="hidden")
    register(page)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="More", exact=True).click()
    page.get_by_role("menuitem", name="Members").wait_for()
    assert page.get_by_role("menuitem", name="Bots and tokens").count() == 0  # no moderator of the lobby
    page.keyboard.press("Escape")
    composer(page).fill("")
    say(page, "/join ops")
    composer(page, "#ops").wait_for()
    page.get_by_role("button", name="More", exact=True).click()
    page.get_by_role("menuitem", name="Bots and tokens").click()
    dialog = opened(page, "Bots and tokens: #ops")
    assert dialog.get_by_label("Kind").locator("option").all_inner_texts() == ["Webhook", "Bot"]
    assert dialog.get_by_label("Room").locator("option").all_inner_texts() == ["#ops"]
    assert [each.get("room") for each in hub.asked] == ["ops"]


def test_a_real_hub_makes_a_bot(visit: Callable[..., Visitor]) -> None:
    page = member(visit())
    say(page, "/join ops")
    composer(page, "#ops").wait_for()
    say(page, "/bot add deploy #ops", "#ops")
    page.get_by_role("dialog", name="Token: deploy").wait_for()
    first = secret_of(page, "Token: deploy")
    say(page, "/bot", "#ops")
    row = opened(page, "Bots and tokens").get_by_role("listitem").filter(has_text="deploy")
    row.get_by_text("post, read · #ops").wait_for()
    row.get_by_role("button", name="New token").click()
    assert secret_of(page, "Token: deploy") != first
    row.get_by_role("button", name="Delete: deploy").click()
    confirm(page, "Delete: deploy")
    row.wait_for(state="detached")
    page.keyboard.press("Escape")
    say(page, "/hook add grafana", "#ops")
    secret_of(page, "Token: grafana")
    say(page, "/whois grafana", "#ops")
    opened(page, "grafana").get_by_text("Bot.").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")
    say(page, "/token add laptop", "#ops")
    secret_of(page, "Token: laptop")
