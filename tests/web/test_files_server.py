"""Files from page to page over a real server, which is killed, and a network that dies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.browser import PATIENCE_MS, PHONE, Visitor, until, visitors
from tests.support.cutting_relay import CuttingRelay
from tests.support.file_double import png
from tests.support.page import come_in, composer, expect_once, message
from tests.support.server import ServerProcess, wait_until
from tests.web.test_files import CUT, choose, expect_text, ready, send

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SIZE = 600_000


@pytest.fixture
def relay(server: ServerProcess) -> Iterator[CuttingRelay]:
    """What stands between browsers and the server."""
    made = CuttingRelay(server.port)
    yield made
    made.close()


@pytest.fixture
def distant(browser: Browser, relay: CuttingRelay) -> Iterator[Callable[..., Visitor]]:
    """Makes profiles whose connections the relay cuts."""
    with visitors(browser, f"https://localhost:{relay.port}") as new:

        def visit(**options: Any) -> Visitor:
            visitor = new(**options)
            visitor.allowed += CUT
            return visitor

        yield visit


def content(number: int, size: int = SIZE) -> bytes:
    return bytes((index * 7 + number) % 251 for index in range(size))


def upload(name: str, data: bytes) -> dict[str, Any]:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": data}


def download(page: Page, name: str) -> bytes:
    """Save a file as a user does."""
    link = page.get_by_role("link", name=name)
    until(page, "link => link.hasAttribute('href')", link.element_handle())
    with page.expect_download(timeout=PATIENCE_MS) as waited:
        link.click()
    assert waited.value.suggested_filename == name
    return Path(waited.value.path()).read_bytes()


def test_a_file_reaches_another_browser_whole(visit: Callable[..., Visitor]) -> None:
    ana, budi = come_in(visit(**PHONE), "ana"), come_in(visit(), "budi")
    data = content(0, 5_000_000)
    choose(ana, upload("big file.bin", data))
    send(ana, "here it is")
    message(budi, "here it is").get_by_role("link").wait_for()
    for page in (ana, budi):
        expect_once(page, "here it is")
        assert sha256(download(page, "big file.bin")).digest() == sha256(data).digest()


@pytest.mark.slow
def test_the_network_dies_at_every_tenth(distant: Callable[..., Visitor], relay: CuttingRelay) -> None:
    page = come_in(distant(**PHONE), "ana")
    for tenth in range(1, 10):
        cuts = relay.cuts
        relay.cut_after(SIZE * tenth // 10)
        choose(page, upload(f"at {tenth}.bin", content(tenth)))
        send(page)
        wait_until(lambda cuts=cuts: page.evaluate("1") and relay.cuts > cuts, "the network was cut")
        page.evaluate("dispatchEvent(new Event('online'))")
        message(page, f"at {tenth}.bin").get_by_role("link").wait_for()
    expect_once(page, *(f"at {tenth}.bin" for tenth in range(1, 10)))
    for tenth in range(1, 10):
        assert download(page, f"at {tenth}.bin") == content(tenth)


@pytest.mark.slow
def test_a_server_is_killed_and_a_page_loaded_anew(
    distant: Callable[..., Visitor], relay: CuttingRelay, server: ServerProcess
) -> None:
    """The upload goes on where it was: the server has its bytes on the disk, the browser the file."""
    page = come_in(distant(**PHONE), "ana")
    relay.cut_after(SIZE // 2)
    choose(page, upload("photo.bin", content(3)))
    send(page, "on its way")
    wait_until(lambda: page.evaluate("1") and relay.cuts, "the network was cut")
    server.kill()
    server.start()
    page.reload()
    composer(page).wait_for()
    message(page, "on its way").get_by_role("link", name="photo.bin").wait_for()
    expect_once(page, "on its way")
    assert download(page, "photo.bin") == content(3)


def test_a_deleted_message_leaves_no_file(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    visitor.allowed += CUT
    page = come_in(visitor, "ana")
    choose(page, upload("secret.bin", content(1, 1000)))
    ready(page)
    send(page, "a secret")
    link = message(page, "a secret").get_by_role("link")
    until(page, "link => link.hasAttribute('href')", link.element_handle())
    address = link.get_attribute("href")
    status = "async (address) => (await fetch(address, {cache: 'no-store'})).status"
    assert page.evaluate(status, address) == 200
    message(page, "a secret").focus()
    page.keyboard.press("Delete")
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    message(page, "This message was deleted").wait_for()
    until(page, "async (address) => (await fetch(address, {cache: 'no-store'})).status === 404", address)


def test_a_picture_is_shown_as_the_server_wrote_it(visit: Callable[..., Visitor]) -> None:
    pytest.importorskip("PIL", reason="Pillow is not installed: every picture is a file")
    page = come_in(visit(**PHONE), "ana")
    choose(page, {"name": "photo.png", "mimeType": "image/png", "buffer": png(1000, 500)})
    send(page, "look")
    message(page, "look").get_by_role("button", name="photo.png").wait_for()
    until(page, "document.querySelector('.picture img')?.naturalWidth === 320")
    message(page, "look").get_by_role("button", name="photo.png").click()
    until(page, "document.querySelector('.gallery img')?.naturalWidth === 1000")


@pytest.mark.slow
def test_a_page_that_is_frozen_or_discarded_goes_on(distant: Callable[..., Visitor], relay: CuttingRelay) -> None:
    """As a phone does that is locked: the page stands still, its connections end; some time later it is loaded anew."""
    visitor = distant(**PHONE)
    page = come_in(visitor, "ana")
    session: Any = visitor.context.new_cdp_session(page)
    relay.cut_after(SIZE // 3)
    choose(page, upload("frozen.bin", content(4)))
    send(page, "while it was locked")
    wait_until(lambda: page.evaluate("1") and relay.cuts, "the network was cut")
    session.send("Page.setWebLifecycleState", {"state": "frozen"})
    session.send("Page.setWebLifecycleState", {"state": "active"})
    message(page, "while it was locked").get_by_role("link", name="frozen.bin").wait_for()
    relay.cut_after(SIZE // 3)
    choose(page, upload("discarded.bin", content(5)))
    send(page, "while it was away")
    wait_until(lambda: page.evaluate("1") and relay.cuts == 2, "the network was cut")
    session.send("Page.setWebLifecycleState", {"state": "frozen"})
    page.reload()
    message(page, "while it was away").get_by_role("link", name="discarded.bin").wait_for()
    expect_once(page, "while it was locked", "while it was away")
    assert download(page, "frozen.bin") == content(4)
    assert download(page, "discarded.bin") == content(5)


def test_pictures_beside_each_other_keep_their_shapes(visit: Callable[..., Visitor]) -> None:
    pytest.importorskip("PIL", reason="Pillow is not installed: every picture is a file")
    page = come_in(visit(), "ana")
    shapes = {"wide.png": (800, 400), "high.png": (400, 800)}
    pictures = [
        {"name": name, "mimeType": "image/png", "buffer": png(width, height)}
        for name, (width, height) in shapes.items()
    ]
    choose(page, *pictures)
    send(page, "both")
    until(page, "document.querySelectorAll('.picture').length === 2")
    wide, high = page.locator(".picture").evaluate_all("all => all.map((each) => each.offsetWidth / each.offsetHeight)")
    assert (round(wide, 1), round(high, 1)) == (2.0, 0.5)


def test_the_quota_of_a_deleted_file_is_free_in_the_list(visit: Callable[..., Visitor]) -> None:
    """The server counts a file until it is unlinked, a moment after the list has been asked for."""
    page = come_in(visit(**PHONE), "ana")
    choose(page, upload("large.bin", content(6, 3_000_000)))
    send(page, "too much")
    message(page, "too much").get_by_role("link", name="large.bin").wait_for()
    send(page, "/files")
    panel = page.get_by_role("dialog", name="My files")
    panel.get_by_text("2.9 MiB of 25 MiB used").wait_for()
    panel.get_by_role("button", name="Delete large.bin").click()
    page.get_by_role("dialog").last.get_by_role("button", name="Delete", exact=True).click()
    expect_text(page, ".own-body", "You have sent no files.")
    expect_text(page, ".own-body", "0 B of 25 MiB used, 25 MiB left.")
