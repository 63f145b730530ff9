"""An invite from the operator's terminal into a browser: the link, the account, and what the page shows of it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable

import pytest

from securechat.invite_link import InviteLink, format_web_link, parse_link
from tests.support.browser import LAPTOP, PATIENCE_MS, PHONE, Visitor
from tests.support.secrecy import keep_secret
from tests.support.server import ServerProcess

PASSWORD = "three words enough"


def invite(server: ServerProcess, *flags: str) -> InviteLink:
    """Make an invite as the operator does; returns its link for browsers."""
    command = [sys.executable, "-m", "securechat.cli.admin", "--data", str(server.data), "--json", "invite"]
    done = subprocess.run(
        [*command, "--host", f"localhost:{server.port}", *flags], capture_output=True, text=True, check=True, timeout=60
    )
    made = json.loads(done.stdout)
    keep_secret(made["token"])
    assert parse_link(made["web"]) == parse_link(made["link"])
    assert made["web"].startswith(f"https://localhost:{server.port}/#")
    return parse_link(made["web"])


def follow(visitor: Visitor, link: InviteLink) -> None:
    """Open a link."""
    visitor.open(format_web_link(link).removeprefix(visitor.origin))
    visitor.page.get_by_role("heading", name="You are invited").wait_for()


def make_account(visitor: Visitor, name: str) -> None:
    """Fill the form of an invite."""
    page = visitor.page
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    page.locator("[data-screen=chat]").wait_for()


@pytest.mark.parametrize("device", [PHONE, LAPTOP], ids=["phone", "laptop"])
def test_a_link_makes_an_account_and_is_gone_from_the_address(
    visit: Callable[..., Visitor], server: ServerProcess, device: dict[str, object]
) -> None:
    visitor = visit(**device)
    link = invite(server)
    follow(visitor, link)
    page = visitor.page
    assert link.token not in page.url
    assert page.get_by_text("another fingerprint").count() == 0
    make_account(visitor, "ana")
    page.go_back()
    assert link.token not in page.url, "the history has it"
    assert link.token not in "".join(server.lines)


def test_a_used_link_is_refused_in_words(visit: Callable[..., Visitor], server: ServerProcess) -> None:
    link = invite(server)
    first, second = visit(**LAPTOP), visit(**LAPTOP)
    for each in (first, second):
        follow(each, link)
    make_account(first, "ana")
    page = second.page
    page.get_by_label("Name", exact=True).fill("budi")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    page.get_by_role("alert").get_by_text("This invite has been used up").wait_for()
    password = page.get_by_label("Password", exact=True)
    page.get_by_role("button", name="Show password").click()
    assert password.get_attribute("type") == "text"
    page.get_by_label("Invite link").fill("hello")
    page.keyboard.press("Enter")
    page.get_by_text("This is not an invite link").wait_for()
    page.get_by_label("Invite link").fill(format_web_link(invite(server)))
    page.locator(".warning").wait_for(state="detached")
    assert page.get_by_label("Name", exact=True).input_value() == "budi"
    assert password.input_value() == PASSWORD, "what was typed is kept"
    page.get_by_role("button", name="Create account").click()
    page.locator("[data-screen=chat]").wait_for()
    page.goto("about:blank")
    second.open(format_web_link(link).removeprefix(second.origin))
    page.get_by_text("you are here as budi already").wait_for()


def test_a_link_of_another_ca_is_warned_about(visit: Callable[..., Visitor], server: ServerProcess) -> None:
    link = invite(server)
    visitor = visit(**LAPTOP)
    follow(visitor, InviteLink(link.host, link.port, link.token, "sha256:" + "0" * 64, once=True))
    visitor.page.get_by_role("alert").get_by_text("another fingerprint").wait_for()


def test_the_page_has_the_line_for_a_terminal(visit: Callable[..., Visitor], server: ServerProcess) -> None:
    link = invite(server)
    visitor = visit(**LAPTOP)
    follow(visitor, link)
    visitor.page.get_by_text("Prefer a terminal?").click()
    line = visitor.page.locator("code").first.inner_text()
    found = re.search(r"'(.*)'", line)
    assert found is not None, line
    assert parse_link(found[1]) == link


@pytest.mark.parametrize("form", ["https", "securechat"])
def test_a_link_can_be_pasted(visit: Callable[..., Visitor], server: ServerProcess, form: str) -> None:
    link = format_web_link(invite(server))
    if form == "securechat":
        link = link.replace("https://", "securechat://").replace("/#", "/")
    page = visit(**LAPTOP).open()
    page.get_by_text("I have an invite link").click()
    page.get_by_label("Invite link").fill(link)
    page.get_by_role("heading", name="You are invited").wait_for(timeout=PATIENCE_MS)
