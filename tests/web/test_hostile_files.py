"""Files of strangers in a real browser: nothing of them runs, whatever they are and however they are opened."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.api import ApiClient, make_token
from tests.support.browser import LAPTOP, PATIENCE_MS, PHONE, Visitor, until
from tests.support.file_double import png
from tests.support.page import come_in, composer, message, say
from tests.support.server import ServerProcess
from tests.web.test_files import CUT, choose, ready, send
from tests.web.test_invite import follow, invite, make_account

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, Route

ELSEWHERE = "https://elsewhere.example"
SCRIPT = f"""
(self.localStorage ?? {{}}).ran = "1"; self.ran = true;
if (self.document) {{ document.title = "ran"; new Image().src = "{ELSEWHERE}/beacon"; }}
try {{ top.ran = true; top.document.title = "ran"; }} catch {{}}
fetch("{ELSEWHERE}/fetched").catch(() => 0);
"""
HTML = f'<!doctype html><title>x</title><img src="{ELSEWHERE}/picture"><script>{SCRIPT}</script>'
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20" onload="self.ran=true">'
    f"<image href='{ELSEWHERE}/svg' width='9' height='9'/><script><![CDATA[{SCRIPT}]]></script></svg>"
)
PDF = (
    "%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 2 0 R/OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj\n"
    "2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]"
    f"/AA<</O<</S/URI/URI({ELSEWHERE}/pdf)>>>>>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF"
)
GIF_AND_SCRIPT = "GIF89a/*" + "\0" * 40 + f"*/=0;{SCRIPT}"
HOSTILE = {
    "page.html": HTML,
    "page.xhtml": f'<html xmlns="http://www.w3.org/1999/xhtml"><script>{SCRIPT}</script></html>',
    "page.xml": f'<?xml version="1.0"?><a xmlns:h="http://www.w3.org/1999/xhtml"><h:script>{SCRIPT}</h:script></a>',
    "picture.svg": SVG,
    "paper.pdf": PDF,
    "photo.txt.gif.js": GIF_AND_SCRIPT,
    "program.js": SCRIPT,
    "style.css": f'body {{ background: url("{ELSEWHERE}/css"); --ran: 1; }}',
    "no ending": HTML,
}
"""What would run, or ask another host, if a browser believed any of it."""
KINDS = ("img", "iframe", "object", "embed", "script", "module", "style", "worker", "import")
EMBED = """([path, kinds]) => Promise.all(kinds.map(async (kind) => {
  const element = document.createElement({module: "script", style: "link", worker: "i", import: "i"}[kind] ?? kind);
  const end = new Promise((resolve) => {
    element.onload = () => resolve("load");
    element.onerror = () => resolve("error");
    setTimeout(() => resolve("nothing"), 1500);
  });
  if (kind === "worker") {
    try {
      const worker = new Worker(path);
      worker.onmessage = element.onload;
      worker.onerror = element.onerror;
    } catch { return "error"; }
  } else if (kind === "import") return await import(path).then(() => "load", () => "error");
  else {
    if (kind === "module") element.type = "module";
    if (kind === "style") element.rel = "stylesheet";
    try {
      element[{style: "href", object: "data"}[kind] ?? "src"] = path;
    } catch { return "error"; } // trusted types
    document.body.append(element);
  }
  const became = await end;
  const shown = kind === "img" && element.naturalWidth ? "shown" : "";
  element.remove();
  return became + shown;
}))"""
"""Embeds a file in each of these ways at once, since many of them are waited for in vain; returns what each became."""
RAN = """() => [self.ran, localStorage.ran, document.title].map(String)
  .concat(getComputedStyle(document.body).getPropertyValue("--ran"))"""


def sent_files(page: Page, files: dict[str, str]) -> dict[str, str]:
    """Send files as one message; return the address of each."""
    choose(
        page,
        *({"name": name, "mimeType": "text/html", "buffer": text.encode("latin-1")} for name, text in files.items()),
    )
    if "photo.txt.gif.js" in files:  # taken for a picture by its first bytes, which cannot be read
        page.get_by_role("button", name="Send as a file").click()
    ready(page, len(files))
    send(page, "open these")
    row = message(page, "open these")
    row.get_by_role("link").nth(len(files) - 1).wait_for()
    return addresses(page)


def addresses(page: Page) -> dict[str, str]:
    """The addresses of all files that are shown as downloads, by name."""
    until(page, "!document.querySelector('a.file:not([href])')")
    return dict(page.evaluate("[...document.querySelectorAll('a.file')].map((each) => [each.download, each.pathname])"))


def strangers(context: BrowserContext, origin: str) -> list[str]:
    """A list that collects what is asked of other hosts."""
    asked: list[str] = []
    context.on("request", lambda each: each.url.startswith((origin, "data:", "blob:")) or asked.append(each.url))
    return asked


def _fulfil(kind: str, text: str, route: Route) -> None:
    route.fulfill(content_type=kind, body=text)


def test_the_payload_would_run(browser: Browser) -> None:
    """Where a site does believe it: what the other tests look for is there to be found."""
    context = browser.new_context()
    for kind, text in (("text/html", HTML), ("image/svg+xml", SVG)):
        page = context.new_page()
        page.route("**", functools.partial(_fulfil, kind, text))
        page.goto(ELSEWHERE)
        until(page, "self.ran === true && localStorage.ran === '1'")
    context.close()


@pytest.mark.slow
@pytest.mark.parametrize("policy", [True, False], ids=["with the policy", "without the policy"])
def test_nothing_of_a_file_runs(visit: Callable[..., Visitor], policy: bool) -> None:
    """In the page's origin, in all places that take a file; also if no Content-Security-Policy held at all."""
    visitor = visit(**LAPTOP, bypass_csp=not policy)
    visitor.allowed += [*CUT, "Content Security Policy", "TrustedScript", "MIME type", "worker", "decode", "net::ERR"]
    asked = strangers(visitor.context, visitor.origin)
    page = come_in(visitor, "ana")
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    paths = sent_files(page, HOSTILE)
    assert len(paths) == len(HOSTILE)
    title = page.title()
    for name, path in paths.items():
        for kind, became in zip(KINDS, page.evaluate(EMBED, [path, KINDS]), strict=True):
            assert "shown" not in became, (name, kind)
            if kind in ("script", "module", "style", "worker", "import"):
                assert became != "load", (name, kind)
        assert page.evaluate(RAN) == ["undefined", "undefined", title, ""], name
    assert asked == []


@pytest.mark.slow
def test_a_file_that_is_opened_is_saved(visit: Callable[..., Visitor]) -> None:
    """By its link, and as an address in a tab of its own: bytes on the disk, and no document in this origin."""
    from playwright.sync_api import Error

    visitor = visit()
    visitor.allowed += CUT
    asked = strangers(visitor.context, visitor.origin)
    page = come_in(visitor, "ana")
    for name, path in sent_files(page, HOSTILE).items():
        with page.expect_download(timeout=PATIENCE_MS) as waited:
            page.locator(f"a.file[href='{path}']").click()
        assert waited.value.suggested_filename == name
        tab = visitor.context.new_page()
        with tab.expect_download(timeout=PATIENCE_MS) as waited, pytest.raises(Error, match=r"Download|ERR_ABORTED"):
            tab.goto(visitor.origin + path)
        assert waited.value.path().read_bytes() == HOSTILE[name].encode("latin-1")
        assert tab.url == "about:blank"
        tab.close()
    assert page.evaluate("localStorage.ran") is None
    assert asked == []


@pytest.mark.slow
def test_another_site_gets_nothing_of_a_file(visit: Callable[..., Visitor], browser: Browser) -> None:
    """It knows the address, and embeds it."""
    visitor = visit()
    visitor.allowed += CUT
    page = come_in(visitor, "ana")
    paths = sent_files(page, HOSTILE)
    context = browser.new_context()
    other = context.new_page()
    other.route(
        ELSEWHERE + "/**", lambda route: route.fulfill(content_type="text/html", body="<title>other</title><p>")
    )
    other.goto(ELSEWHERE + "/")
    for path in paths.values():
        kinds = ("img", "script", "module", "style", "import", "iframe", "object")
        for kind, became in zip(kinds, other.evaluate(EMBED, [visitor.origin + path, kinds]), strict=True):
            assert kind in ("iframe", "object") or became == "error", (path, kind, became)
    assert other.evaluate(RAN) == ["undefined", "undefined", "other", ""]
    assert [frame.url for frame in other.frames if frame.url.startswith(visitor.origin)] == []
    context.close()


FORGED = [
    "[file: report.pdf, 1 MiB]",
    "look\n[file: photo.png, 1.0 MiB]\n[file: other.png, 3 B]",
    "[file: <img src=x onerror=alert(1)>, 1 B]",
]


def test_lines_that_name_no_files_are_text(visit: Callable[..., Visitor]) -> None:
    """Only what the server says is a file; a message with a file keeps lines that are not its own."""
    page = come_in(visit(**PHONE), "ana")
    for text in FORGED:
        say(page, text)
        row = message(page, text.splitlines()[0])
        row.wait_for()
        assert row.locator(".text").inner_text() == text
        assert row.locator(".file, .picture, img, a").count() == 0
    choose(page, {"name": "real.bin", "mimeType": "", "buffer": b"12345"})
    ready(page)
    send(page, "[file: real.bin, 5 B]\n[file: real.bin, 6 B]\nthe end\n[file: real.bin, 5 B]")
    row = message(page, "the end")
    row.get_by_role("link", name="real.bin").wait_for()
    assert row.get_by_role("link").count() == 1
    shown = row.locator(".text").inner_text()
    assert shown == "[file: real.bin, 5 B]\n[file: real.bin, 6 B]\nthe end\n[file: real.bin, 5 B]"


STATUS = "async (path) => (await fetch(path, {cache: 'no-store'})).status"
IS_GONE = f"async (path) => await ({STATUS})(path) === 404"


@pytest.mark.slow
def test_links_end_with_the_login_and_the_right(visit: Callable[..., Visitor], server: ServerProcess) -> None:
    """Each login has its own; one that left, was kicked or has logged out opens nothing more with what it ever had."""
    owner, guest, outsider = visit(), visit(), visit()
    for each in (owner, guest, outsider):
        each.allowed += CUT
    follow(owner, invite(server))
    make_account(owner, "ana")
    ana, budi, eve = owner.page, come_in(guest, "budi"), come_in(outsider, "eve")
    composer(ana).wait_for()
    for page in (ana, budi):
        composer(page).fill("/join den")
        send(page)
        composer(page, "#den").wait_for()
    choose(ana, {"name": "secret.bin", "mimeType": "", "buffer": b"secret"})
    ready(ana)
    ana.get_by_role("button", name="Send", exact=True).click()
    for page in (ana, budi):
        message(page, "secret.bin").get_by_role("link").wait_for()
    mine, theirs = addresses(ana)["secret.bin"], addresses(budi)["secret.bin"]
    assert mine != theirs
    assert eve.evaluate(STATUS, mine) == eve.evaluate(STATUS, theirs) == 200, "the address is the right"
    _, kind, number, key, _ = mine.split("/")
    for foreign in (f"/{kind}/{number}/{key[::-1]}/x", f"/{kind}/{number[::-1]}/{key}/x", f"/{kind}/{number}"):
        assert eve.evaluate(STATUS, foreign) == 404, foreign
    composer(ana, "#den").fill("/kick budi")
    send(ana)
    until(budi, IS_GONE, theirs)
    assert ana.evaluate(STATUS, mine) == 200, "another login keeps its own"
    ana.evaluate("location.hash = '#/room/den?settings'")
    ana.get_by_role("button", name="Log out", exact=True).click()
    ana.get_by_role("button", name="Log out", exact=True).last.click()
    until(eve, IS_GONE, mine)


SCROLL_THROUGH = """async () => {
  const scroller = document.querySelector(".scroller");
  const frame = () => new Promise((go) => requestAnimationFrame(() => setTimeout(go)));
  const inView = (each) => each.getBoundingClientRect().bottom > 0 && each.getBoundingClientRect().top < innerHeight;
  const tops = () => [...document.querySelectorAll("article")].filter(inView)
    .map((each) => [each.querySelector(".text")?.innerText, each.getBoundingClientRect().top].join());
  const moved = [];
  let last = "";
  for (let still = 0; still < 5;) {
    scroller.scrollBy(0, -300);
    await frame();
    const before = tops();
    const pictures = [...document.querySelectorAll(".picture img")].filter(inView);
    while (pictures.some((each) => !each.naturalWidth)) await frame();
    await frame();
    if (before.join() !== tops().join()) moved.push(before, tops());
    still = before.join() === last ? still + 1 : 0;
    last = before.join();
  }
  return moved;
}"""
"""From the end to the beginning, waiting for the pictures in sight: where rows stood before and after a move."""


@pytest.mark.slow
def test_fifty_pictures_are_loaded_as_previews(visit: Callable[..., Visitor], server: ServerProcess) -> None:
    """A page of them: at most 1.5 MB, previews alone, and no row moves when they arrive."""
    pytest.importorskip("PIL", reason="Pillow is not installed: every picture is a file")
    with ApiClient(server, make_token(server, "ana", "post", "files")) as api:  # a page sends one after the other
        for number in range(50):
            width, height = [(800, 600), (300, 900), (1600, 200)][number % 3]
            path = f"/rooms/lobby/files/{number}.png?text=picture+{number};"
            answer = api.ask("PUT", path, png(width, height), Content_Type="image/png")
            assert answer.status == 201, answer
    reader = visit(**PHONE)
    paths: list[Any] = []
    reader.context.on("response", lambda each: "/files/" in each.url and paths.append(each))
    page = come_in(reader, "budi")
    message(page, "picture 49;").wait_for()
    moved = page.evaluate(SCROLL_THROUGH)
    assert moved == [], "rows move when pictures arrive"
    message(page, "picture 0;").wait_for()
    assert all("size=320" in each.url or "?" not in each.url for each in paths)
    loaded = sum(each.request.sizes()["responseBodySize"] for each in paths)
    assert loaded <= 1_500_000
    loads = [(each.url, each.status) for each in paths]  # one that a busy server refuses is asked for anew
    whole = [url for url, status in loads if status == 200]
    assert len(whole) == len(set(whole)) == 50, f"not each picture was loaded once: {loads}"
