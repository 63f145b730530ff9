"""Files in a real browser: what is chosen, sent, shown and deleted; the server's part of it is played."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.browser import LAPTOP, PATIENCE_MS, PHONE, Visitor, expect_focus, until
from tests.support.file_double import PlayedFiles, png
from tests.support.page import come_in, composer, expect_once, message, say
from tests.web.test_accessibility import THEMES, expect_no_findings

if TYPE_CHECKING:
    from playwright.sync_api import Page

CUT = ("net::", "Failed to load resource", "WebSocket")
"""What the console says about connections that a test cuts."""
PDF = {"name": "report.pdf", "mimeType": "application/pdf", "buffer": b"%PDF" + bytes(3000)}


def photo(name: str = "photo.png", width: int = 800, height: int = 600) -> dict[str, Any]:
    return {"name": name, "mimeType": "image/png", "buffer": png(width, height)}


def blob(name: str, size: int) -> dict[str, Any]:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": bytes(index % 251 for index in range(size))}


def enter(visitor: Visitor, files: PlayedFiles, name: str = "ana") -> Page:
    """Come in to a server that takes files."""
    files.play(visitor.context)
    visitor.allowed += CUT
    page = come_in(visitor, name)
    if "files" in files.features:
        page.get_by_role("button", name="Attach files").wait_for()
    return page


def choose(page: Page, *files: dict[str, Any]) -> None:
    page.set_input_files(".attached input[multiple]", list(files))
    page.locator(".attached .attachment").nth(len(files) - 1).wait_for()


def send(page: Page, text: str = "") -> None:
    if text:
        composer(page).fill(text)
    page.get_by_role("button", name="Send", exact=True).click()


def ready(page: Page, count: int = 1) -> None:
    """Wait until so many files in the composer are with the server."""
    until(page, "n => document.querySelectorAll('.attached .attachment progress[hidden]').length === n", count)


def expect_text(page: Page, selector: str, text: str) -> None:
    from playwright.sync_api import expect

    expect(page.locator(selector).first).to_contain_text(text, timeout=PATIENCE_MS)


@pytest.mark.parametrize("device", [PHONE, LAPTOP], ids=["phone", "laptop"])
def test_a_photo_and_a_document_are_in_the_room(visit: Callable[..., Visitor], device: dict[str, Any]) -> None:
    files = PlayedFiles()
    ana, budi = enter(visit(**device), files), enter(visit(**LAPTOP), files, "budi")
    choose(ana, photo(), PDF)
    ready(ana, 2)
    expect_text(ana, ".attached", "Place, time and camera are taken out.")
    expect_text(ana, ".attached", "Place, time and camera stay inside.")
    expect_text(ana, ".attached", "You are a guest, so your files are deleted after 1 day.")
    assert ana.evaluate("document.querySelector('.thumb').width") > 0, "the picture is not drawn"
    send(ana, "Look")
    for page in (ana, budi):
        row = message(page, "Look")
        row.locator(".picture img").wait_for()
        until(page, "document.querySelector('.picture img')?.naturalWidth === 320")
        assert row.locator(".text").inner_text() == "Look"
        link = row.get_by_role("link", name="report.pdf")
        assert link.get_attribute("download") == "report.pdf"
        assert link.get_attribute("rel") == "noreferrer"
        assert "[file:" not in page.locator("body").inner_text()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert ana.locator(".attachment").count() == 0


def test_files_alone_are_a_message(visit: Callable[..., Visitor]) -> None:
    files = PlayedFiles()
    page = enter(visit(), files)
    choose(page, PDF)
    ready(page)
    send(page)
    message(page, "report.pdf").get_by_role("link").wait_for()
    assert message(page, "report.pdf").count() == 1


@pytest.mark.parametrize("feature", ["pictures", "none"])
def test_what_the_server_cannot_do_is_said_before(visit: Callable[..., Visitor], feature: str) -> None:
    files = PlayedFiles(features=("files",) if feature == "pictures" else ())
    page = enter(visit(), files)
    if feature == "pictures":
        choose(page, photo())
        expect_text(page, ".attached", "place, time and camera stay inside")
        assert not page.get_by_label("As a file").is_visible()
        return
    assert not page.get_by_role("button", name="Attach files").is_visible()
    paste(page)
    expect_text(page, ".composer-note[role=status]", "cannot be sent here yet")


def paste(page: Page, name: str = "image.png") -> None:
    composer(page).focus()
    page.evaluate(
        """name => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(100)], name));
          const event = new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true});
          document.activeElement.dispatchEvent(event);
        }""",
        name,
    )


def test_files_are_pasted_and_dropped(visit: Callable[..., Visitor]) -> None:
    page = enter(visit(), PlayedFiles())
    paste(page, "pasted.bin")
    page.evaluate(
        """() => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(200)], "dropped.bin"));
          for (const type of ["dragover", "drop"]) {
            const event = new DragEvent(type, {dataTransfer: data, bubbles: true, cancelable: true});
            document.querySelector(".message-list").dispatchEvent(event);
            if (!event.defaultPrevented) throw new Error("the browser would open the file");
          }
        }"""
    )
    ready(page, 2)
    assert page.locator(".attachment .file-name").all_inner_texts() == ["pasted.bin", "dropped.bin"]


def test_a_message_has_ten_files_at_most(visit: Callable[..., Visitor]) -> None:
    page = enter(visit(), PlayedFiles())
    page.set_input_files(".attached input[multiple]", [blob(f"{number}.bin", 10) for number in range(12)])
    ready(page, 10)
    expect_text(page, ".composer-note[role=status]", "at most 10 files")


def test_the_network_is_cut_at_every_tenth(visit: Callable[..., Visitor]) -> None:
    files = PlayedFiles()
    page = enter(visit(), files)
    size = 50_000
    for tenth in range(11):
        files.cuts.append(size * tenth // 10)
        choose(page, blob(f"at {tenth}.bin", size))
        send(page)
        message(page, f"at {tenth}.bin").get_by_role("link").wait_for()
    assert [each.received for each in files.uploads] == [size] * 11, "bytes were sent twice"
    expect_once(page, *(f"at {tenth}.bin" for tenth in range(11)))


@pytest.mark.parametrize("sent", [False, True], ids=["draft", "sent"])
def test_a_page_that_is_loaded_anew_goes_on(visit: Callable[..., Visitor], sent: bool) -> None:
    files = PlayedFiles()
    page = enter(visit(**PHONE), files)
    files.cuts.append(20_000)
    files.dead = True
    choose(page, blob("big.bin", 50_000))
    composer(page).fill("with a text")
    if sent:
        page.get_by_role("button", name="Send", exact=True).click()
        page.locator(".pending .attachment").wait_for()
    page.evaluate(STORED)
    page.reload()
    page.locator(".attachment").wait_for()
    files.dead = False
    page.evaluate("dispatchEvent(new Event('online'))")
    if not sent:
        ready(page)
        send(page)
    message(page, "with a text").get_by_role("link", name="big.bin").wait_for()
    expect_once(page, "with a text")
    assert [each.received for each in files.uploads] == [50_000]
    until(page, "async () => (await indexedDB.databases()).length === 1")
    assert page.evaluate(KEPT) == [0, 0], "what is sent is kept"


_COUNT = """async () => {
  const database = await new Promise((resolve) => {
    const opening = indexedDB.open("securechat.files");
    opening.onsuccess = () => resolve(opening.result);
  });
  const count = (name) => new Promise((resolve) => {
    const asked = database.transaction(name).objectStore(name).count();
    asked.onsuccess = () => resolve(asked.result);
  });
  for (;;) {
    const counts = [await count("parcels"), await count("parts")];
    if (%s) { database.close(); return counts; }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}"""
STORED = _COUNT % "counts[0] && counts[1]"
KEPT = _COUNT % "!counts[0] && !counts[1]"


def test_a_browser_without_indexeddb_sends_all_the_same(visit: Callable[..., Visitor]) -> None:
    files = PlayedFiles()
    visitor = visit()
    visitor.context.add_init_script("Object.defineProperty(window, 'indexedDB', {value: undefined})")
    page = enter(visitor, files)
    choose(page, PDF)
    send(page, "no survival")
    message(page, "no survival").get_by_role("link", name="report.pdf").wait_for()


def test_what_is_removed_while_it_is_sent_is_gone(visit: Callable[..., Visitor]) -> None:
    files = PlayedFiles()
    page = enter(visit(), files)
    files.dead = True
    choose(page, blob("a.bin", 1000), blob("b.bin", 1000))
    send(page, "only b")
    page.locator(".pending").get_by_role("button", name="Remove a.bin").click()
    files.dead = False
    page.evaluate("dispatchEvent(new Event('online'))")
    row = message(page, "only b")
    row.get_by_role("link", name="b.bin").wait_for()
    assert row.get_by_role("link").count() == 1


def test_a_message_on_its_way_is_taken_back(visit: Callable[..., Visitor]) -> None:
    files = PlayedFiles()
    page = enter(visit(), files)
    files.dead = True
    choose(page, blob("a.bin", 1000))
    send(page, "not yet")
    page.locator(".pending").get_by_role("button", name="Edit").click()
    assert composer(page).input_value() == "not yet"
    page.locator(".attached .attachment").wait_for()
    files.dead = False
    page.evaluate("dispatchEvent(new Event('online'))")
    ready(page)
    send(page, "now")
    message(page, "now").get_by_role("link", name="a.bin").wait_for()
    assert message(page, "not yet").count() == 0


def test_refusals_are_said_before_the_first_byte(visit: Callable[..., Visitor]) -> None:
    files = PlayedFiles(most=5000)
    page = enter(visit(), files)
    quota = {
        "code": "quota",
        "reason": "files_quota_used_up",
        "text": "Your files take 240 MiB of 250 MiB, so 10 MiB are left. Delete some of them first",
        "args": {"used": 240 * 2**20, "most": 250 * 2**20, "left": 10 * 2**20},
    }
    files.refusals = [quota]
    choose(page, blob("large.bin", 5001), blob("empty.bin", 0), blob("full.bin", 100))
    for words in ("at most 4.9 KiB", "The file is empty", "10 MiB are left"):
        expect_text(page, ".attached", words)
    assert files.requests == []
    send(page, "x")
    expect_text(page, ".composer-note[role=status]", "large.bin cannot be sent. Remove it")
    assert "try" not in page.locator(".composer-note[role=status]").inner_text(), "it stays too large"
    for name in ("large.bin", "empty.bin"):
        page.get_by_role("button", name=f"Remove {name}").click()
    page.locator(".attached").get_by_role("button", name="Try again").click()
    ready(page)
    send(page)
    message(page, "x").get_by_role("link", name="full.bin").wait_for()


def test_a_picture_that_cannot_be_read_is_asked_about(visit: Callable[..., Visitor]) -> None:
    files = PlayedFiles()
    page = enter(visit(), files)
    files.problems = [(422, "picture_unreadable")]
    choose(page, {"name": "broken.jpg", "mimeType": "image/jpeg", "buffer": b"\xff\xd8broken"})
    page.get_by_role("button", name="Send as a file").wait_for()
    send(page, "as it is")
    expect_text(page, ".composer-note[role=status]", "Remove it, or send it as a file")
    page.get_by_role("button", name="Send as a file").click()
    ready(page)
    expect_text(page, ".attached", "Place, time and camera stay inside.")
    send(page)
    message(page, "as it is").get_by_role("link", name="broken.jpg").wait_for()
    assert [each.received for each in files.uploads] == [8], "its bytes were sent again"


def test_a_picture_is_sent_as_a_file(visit: Callable[..., Visitor]) -> None:
    files = PlayedFiles()
    page = enter(visit(), files)
    choose(page, photo())
    ready(page)
    page.get_by_label("As a file").check()
    expect_text(page, ".attached", "Place, time and camera stay inside.")
    ready(page)
    send(page, "with all in it")
    message(page, "with all in it").get_by_role("link", name="photo.png").wait_for()
    assert [(each.as_file, each.gone) for each in files.uploads] == [(False, True), (True, False)]


NAMES = [
    '"><img src=x onerror=alert(1)>.png',
    "invoice\u202egpj.exe",
    "../../etc/passwd",
    "CON.txt",
    "`code` @ana https://evil.example/x.txt",
    "a" * 240 + ".tar.gz",
    "[file: other.txt, 1 B].txt",
]


def test_hostile_names_are_texts(visit: Callable[..., Visitor]) -> None:
    files = PlayedFiles()
    visitor = visit(**PHONE)
    page = enter(visitor, files)
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    choose(page, *({**blob("x", 10), "name": name} for name in NAMES))
    ready(page, len(NAMES))
    page.locator(".attached").evaluate("each => each.style.maxHeight = 'none'")
    send(page, "names")
    row = message(page, "names")
    row.locator(".file").nth(len(NAMES) - 1).wait_for()
    assert row.locator(".text").inner_text() == "names"
    assert row.locator("img, .text a").count() == 0
    shown = row.locator(".file-name").all_inner_texts()
    assert all("\u202e" not in each and "/" not in each.replace("//", "").replace("x.txt", "") for each in shown[:3])
    assert shown[-2].endswith("aa.gz")
    for link in row.get_by_role("link").all():
        until(page, "link => link.hasAttribute('href')", link.element_handle())
        href = link.get_attribute("href") or ""
        assert href.startswith("/files/")
        assert href.count("/") == 4, href
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    whole = (
        "() => [...document.querySelectorAll('.file-name')].every((each) => each.scrollWidth <= each.clientWidth + 1)"
    )
    assert page.evaluate(whole), "an ending is cut off"


def test_nothing_moves_when_pictures_arrive(visit: Callable[..., Visitor]) -> None:
    """The place of a picture is known before it: the row under the reader's eye stays to the pixel."""
    files = PlayedFiles()
    ana = enter(visit(), files)
    shapes = [(800, 600), (300, 900), (60, 40), (2000, 100), (1, 600)]
    for number, (width, height) in enumerate(shapes * 2):
        choose(ana, photo(f"{number}.png", width, height))
        send(ana, f"picture {number}")
        message(ana, f"picture {number}").locator(".picture").wait_for()
        say(ana, f"below {number}")
    expect_once(ana, "below 9")
    files.holding = True
    for device in (PHONE, LAPTOP):
        budi = enter(visit(**device), files, f"budi{device['viewport']['width']}")
        message(budi, "below 9").wait_for()
        until(budi, "document.querySelectorAll('.picture img[src]').length >= 3")
        tops = "() => [...document.querySelectorAll('.row .main')].map((each) => each.getBoundingClientRect().top)"
        budi.evaluate("document.querySelector('.scroller').scrollBy(0, -400)")
        budi.evaluate("() => new Promise((go) => setTimeout(go, 300))")
        before = budi.evaluate(tops)
        files.release()
        until(budi, "document.querySelector('.picture img').complete || true")
        until(
            budi, "[...document.querySelectorAll('.picture img[src]')].filter((each) => each.naturalWidth).length >= 3"
        )
        after = budi.evaluate(tops)
        assert [round(a - b, 2) for a, b in zip(after, before, strict=True)] == [0] * len(before)
        files.holding = True
    files.release()


def test_a_row_that_is_drawn_anew_loads_its_picture_once(visit: Callable[..., Visitor]) -> None:
    files = PlayedFiles()
    ana = enter(visit(), files)
    budi = enter(visit(), files, "budi")
    held: list[Any] = []

    def hold(route: Any) -> None:
        held.append(route)

    budi.route(re.compile(r"photo\.png\?size=320"), hold)
    choose(ana, photo())
    send(ana, "a picture")
    message(budi, "a picture").locator(".picture").wait_for()
    until(budi, "Boolean(document.querySelector('.picture img').src)")
    budi.evaluate("""() => {
      window.again = 0;
      const watcher = new MutationObserver((records) => { window.again += records.length; });
      watcher.observe(document.querySelector('.picture img'), {attributeFilter: ['src']});
    }""")
    for sign in ("👍", "🎉"):
        say(ana, f"/react {sign}")
        message(budi, "a picture").get_by_role("button", name=f"{sign} 1").wait_for()
    for route in held:
        route.fallback()
    until(budi, "document.querySelector('.picture img').naturalWidth > 0")
    assert len(held) == 1
    assert budi.evaluate("window.again") == 0, "some browsers load the same address again"


def test_links_are_asked_for_together_and_once_more(visit: Callable[..., Visitor]) -> None:
    files = PlayedFiles()
    ana = enter(visit(), files)
    for number in range(6):
        choose(ana, photo(f"{number}.png", 60, 40), PDF)
        send(ana, f"picture {number}")
    message(ana, "picture 5").locator(".picture").wait_for()
    files.links_asked.clear()
    files.not_found.add(files.uploads[0].id)
    budi = enter(visit(), files, "budi")
    message(budi, "picture 5").locator(".picture img[src]").wait_for()
    until(budi, "document.querySelector('.picture.missing') !== null")
    assert len(files.links_asked[0]) == 12
    again = [each for each in files.links_asked[1:] if each != [files.uploads[0].id]]
    assert not again, "links that are known were asked for again"
    assert len(files.links_asked) <= 3


def test_pictures_in_full(visit: Callable[..., Visitor]) -> None:
    files = PlayedFiles()
    page = enter(visit(), files)
    choose(page, photo("one.png", 2000, 1500), photo("two.png", 600, 400))
    send(page, "both")
    row = message(page, "both")
    row.get_by_role("button", name="one.png").click()
    view = page.get_by_role("dialog")
    view.get_by_role("heading", name="one.png").wait_for()
    until(page, "document.querySelector('.gallery img')?.naturalWidth === 1600")
    assert view.get_by_role("button", name="Previous picture").is_disabled()
    page.keyboard.press("ArrowRight")
    view.get_by_role("heading", name="two.png").wait_for()
    until(page, "document.querySelector('.gallery img')?.naturalWidth === 600")
    with page.expect_download() as waited:
        view.get_by_role("link", name="Download").click()
    assert waited.value.suggested_filename == "two.png"
    page.keyboard.press("Escape")
    view.wait_for(state="detached")
    expect_focus(row.get_by_role("button", name="one.png"))


def test_a_picture_that_moves_is_shown_still_and_is_a_download(visit: Callable[..., Visitor]) -> None:
    files = PlayedFiles()
    page = enter(visit(**PHONE), files)
    choose(page, {"name": "cat.gif", "mimeType": "image/gif", "buffer": b"GIF89a" + bytes(20) + b"NETSCAPE2.0"})
    expect_text(page, ".attached", "It moves, so it stays as it is: place, time and camera stay inside.")
    ready(page)
    assert not page.get_by_label("As a file").is_visible()
    send(page, "a cat")
    row = message(page, "a cat")
    row.get_by_role("link", name="cat.gif").wait_for()
    until(page, "document.querySelector('.picture img')?.naturalWidth === 200")
    row.get_by_role("button", name="cat.gif").click()
    until(page, "document.querySelector('.gallery img')?.naturalWidth === 200")


def test_a_deleted_message_takes_its_pictures_along(visit: Callable[..., Visitor]) -> None:
    files = PlayedFiles()
    ana, budi = enter(visit(), files), enter(visit(), files, "budi")
    choose(ana, photo(), PDF)
    send(ana, "a secret")
    message(budi, "a secret").get_by_role("button", name="photo.png").click()
    budi.locator(".gallery").wait_for()
    row = message(ana, "a secret")
    row.focus()
    ana.keyboard.press("Delete")
    ana.get_by_role("dialog").get_by_role("button", name="Delete").click()
    for page in (ana, budi):
        message(page, "This message was deleted").wait_for()
        assert page.locator(".files, .picture, .gallery").count() == 0


def test_a_text_is_edited_and_its_files_stay(visit: Callable[..., Visitor]) -> None:
    files = PlayedFiles()
    page = enter(visit(), files)
    choose(page, PDF)
    send(page, "befor")
    row = message(page, "befor")
    row.get_by_role("link").wait_for()
    row.focus()
    page.keyboard.press("e")
    assert composer(page).input_value() == "befor"


def test_one_line_names_files_and_nothing_more(visit: Callable[..., Visitor]) -> None:
    files = PlayedFiles()
    page = enter(visit(), files)
    choose(page, photo())
    send(page)
    row = page.get_by_role("article").filter(has=page.locator(".picture"))
    row.wait_for()
    expect_text(page, ".sidebar", "You: photo.png")
    row.focus()
    page.keyboard.press("r")
    expect_text(page, ".composer-quote", "photo.png")
    assert "[file" not in page.locator(".composer-quote").inner_text()
    send(page, "an answer")
    expect_text(page, ".quote .said", "photo.png")
    assert "[file" not in page.locator(".quote .said").inner_text()


def test_another_room_has_its_own_files(visit: Callable[..., Visitor]) -> None:
    files = PlayedFiles()
    page = enter(visit(), files)
    files.dead = True
    choose(page, PDF)
    composer(page).fill("/join other")
    send(page)
    composer(page, "#other").wait_for()
    assert page.locator(".attachment").count() == 0
    page.get_by_role("link", name="lobby").click()
    page.locator(".attached .attachment").wait_for()
    files.dead = False
    page.evaluate("dispatchEvent(new Event('online'))")
    ready(page)
    send(page, "in the lobby")
    message(page, "in the lobby").get_by_role("link", name="report.pdf").wait_for()


def test_own_files(visit: Callable[..., Visitor]) -> None:
    files = PlayedFiles()
    page = enter(visit(**PHONE), files)
    choose(page, PDF)
    send(page, "a report")
    message(page, "a report").get_by_role("link").wait_for()
    composer(page).fill("/files")
    send(page)
    panel = page.get_by_role("dialog", name="My files")
    expect_text(page, ".own-body", "of 250 MiB used")
    panel.get_by_role("button", name="Delete report.pdf").click()
    page.get_by_role("dialog").last.get_by_role("button", name="Delete", exact=True).click()
    expect_text(page, ".own-body", "You have sent no files.")
    page.keyboard.press("Escape")
    message(page, "This message was deleted").wait_for()


def test_an_upload_that_is_not_sent_is_among_the_own_files_and_removed(visit: Callable[..., Visitor]) -> None:
    files = PlayedFiles()
    page = enter(visit(), files)
    files.dead = True
    choose(page, PDF)
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while not files.uploads and time.monotonic() < deadline:
        until(page, "true")  # a frame, in which the page's requests are answered
    composer(page).fill("/files")
    send(page)
    panel = page.get_by_role("dialog", name="My files")
    expect_text(page, ".own-files", "unfinished, kept until")
    expect_text(page, ".own-files", "report.pdf")
    panel.get_by_role("button", name="Remove report.pdf").click()
    page.get_by_role("dialog").last.get_by_role("button", name="Remove", exact=True).click()
    expect_text(page, ".own-body", "You have sent no files.")
    assert files.uploads[0].gone


@pytest.mark.slow
@pytest.mark.parametrize("device", [PHONE, LAPTOP], ids=["phone", "laptop"])
def test_files_have_no_findings(visit: Callable[..., Visitor], device: dict[str, Any]) -> None:
    files = PlayedFiles(most=5_000_000)
    page = enter(visit(**device), files)
    say(page, "hello")
    expect_once(page, "hello")
    choose(page, photo(), PDF, blob("empty.bin", 0))
    ready(page, 3)
    for theme in THEMES:
        page.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
        expect_no_findings(page, f"attachments, {theme}")
    page.get_by_role("button", name="Remove empty.bin").click()
    send(page, "Look")
    message(page, "Look").get_by_role("link").wait_for()
    for theme in THEMES:
        page.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
        expect_no_findings(page, f"rows, {theme}")
        message(page, "Look").get_by_role("button", name="photo.png").click()
        page.locator(".gallery img").wait_for()
        expect_no_findings(page, f"picture, {theme}")
        page.keyboard.press("Escape")
    composer(page).fill("/files")
    send(page)
    page.locator(".own-files li").nth(1).wait_for()
    expect_no_findings(page, "own files")
