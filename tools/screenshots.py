#!/usr/bin/env python3
"""Make the pictures of docs/web.md: a real server, people who do not exist, and the page as a browser shows it.

    .venv/bin/python tools/screenshots.py [FOLDER]        docs/pictures by default

It needs Playwright and a Chromium (see the tests of the page). Each picture has a server of its own, so that what is
said there is in one language. The browser is told where chat.lan is, a name that no machine here has.
"""

from __future__ import annotations

import socket
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from securechat.tls.certificate_directory import ensure_server  # noqa: E402
from securechat.tls.hostnames import parse_names  # noqa: E402
from tests.support.browser import LAPTOP, PHONE, chromium, spki_hash  # noqa: E402
from tests.support.server import ServerProcess  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

HOST = "chat.lan"
ANA = "ana"
ROOM = "ops"
TALK: Mapping[str, Sequence[tuple[str, str, str]]] = {
    "en": (
        ("lobby", "dewi", "There is cake in the kitchen"),
        ("design", "citra", "New colours for the dark theme: who has a look?"),
        (ROOM, "budi", "Good morning! The printer in lab 2 is out of paper again."),
        (ROOM, "citra", "I have some. On my way"),
        (ROOM, "budi", "The backup took 40 s tonight:"),
        (ROOM, "budi", "```\n02:00 backup started\n02:00 1,284 messages\n02:01 backup stored\n```"),
        (ROOM, "dewi", "@ana shall we move the meeting to ten? https://wiki.lan/meetings"),
        (ROOM, ANA, "Ten is fine. Thanks!"),
        ("design", "dewi", "@ana your turn"),
    ),
    "id": (
        ("lobby", "dewi", "Ada kue di dapur"),
        ("desain", "citra", "Warna baru untuk tema gelap: siapa mau lihat?"),
        (ROOM, "budi", "Selamat pagi! Kertas printer di lab 2 habis lagi."),
        (ROOM, "citra", "Aku punya. Sebentar, aku ke sana"),
        (ROOM, "budi", "Cadangan tadi malam butuh 40 detik:"),
        (ROOM, "budi", "```\n02:00 cadangan dimulai\n02:00 1.284 pesan\n02:01 cadangan tersimpan\n```"),
        (ROOM, "dewi", "@ana rapatnya kita geser ke jam sepuluh? https://wiki.lan/rapat"),
        (ROOM, ANA, "Jam sepuluh boleh. Makasih!"),
        ("desain", "dewi", "@ana giliranmu"),
    ),
}
"""Room, author and text, in the order said."""
WORDS = {
    "en": {"name": "Name", "in": "Join", "message": "Message #{room}", "send": "Send", "join": "Join"},
    "id": {"name": "Nama", "in": "Gabung", "message": "Pesan untuk #{room}", "send": "Kirim", "join": "Gabung"},
}
PICTURES = (("laptop", "light", "en"), ("laptop", "dark", "id"), ("phone", "light", "id"), ("phone", "dark", "en"))


class Person:
    """A person with a browser.

    Args:
        browser: where it runs.
        name: of the person.
        language: that the browser asks for.
        options: of the browser's profile.
    """

    def __init__(self, browser: Browser, name: str, language: str, **options: Any) -> None:
        locale = {"en": "en-GB", "id": "id-ID"}[language]
        self.name = name
        self._words = WORDS[language]
        self.page: Page = browser.new_context(**options, locale=locale).new_page()
        self.page.goto(f"https://{HOST}/")
        self.page.get_by_label(self._words["name"], exact=True).fill(name)

    def come_in(self) -> None:
        """Join as a guest."""
        self.page.get_by_role("button", name=self._words["in"], exact=True).click()
        self.page.locator("[data-screen=chat]").wait_for()

    def enter(self, room: str) -> Locator:
        """Go to a room, and join it; returns where one writes."""
        self.page.goto(f"https://{HOST}/#/room/{room}")
        box = self.page.get_by_role("textbox", name=self._words["message"].format(room=room))
        join = self.page.get_by_role("button", name=self._words["join"], exact=True)
        box.or_(join).first.wait_for()
        if join.is_visible():
            join.click()
        box.wait_for()
        return box

    def say(self, room: str, text: str) -> None:
        """Send a message, and wait until it stands there."""
        self.enter(room).fill(text)
        self.page.get_by_role("button", name=self._words["send"], exact=True).click()
        words = next(line for line in text.splitlines() if line != "```").partition(" https:")[0]
        self.page.get_by_text(words).filter(visible=True).first.wait_for()


def picture(browser: Browser, path: Path, device: str, scheme: str, language: str) -> None:
    """Let people talk, and make a picture of what ana sees."""
    talk = TALK[language]
    names = dict.fromkeys(author for _room, author, _text in talk)
    people = {each: Person(browser, each, language, **LAPTOP) for each in names if each != ANA}
    ana = Person(browser, ANA, language, **(PHONE if device == "phone" else LAPTOP), color_scheme=scheme)
    if device == "phone":
        ana.page.screenshot(path=path.with_name(path.name.replace("web-", "entrance-")))
    people[ANA] = ana
    for person in people.values():
        person.come_in()
        for room in dict.fromkeys(room for room, _author, _text in talk):
            person.enter(room)
    for room, author, text in talk:
        people[author].say(room, text)
    ana.enter(ROOM)
    ana.page.get_by_text(talk[-2][2]).filter(visible=True).first.wait_for()
    ana.page.evaluate("document.activeElement?.blur()")
    ana.page.mouse.move(0, 0)
    ana.page.screenshot(path=path)
    for context in browser.contexts:
        context.close()


def free_port() -> int:
    """Return a port that no program uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def main(arguments: list[str]) -> int:
    """Make the pictures; returns the exit code."""
    target = Path(arguments[0]) if arguments else ROOT / "docs" / "pictures"
    target.mkdir(parents=True, exist_ok=True)
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="securechat-pictures-") as name:
        folder = Path(name)
        certs = folder / "certs"
        ensure_server(certs, parse_names([HOST]))
        flags = (
            f"--ignore-certificate-errors-spki-list={spki_hash(certs / 'server.pem')}",
            f"--host-resolver-rules=MAP {HOST}:443 127.0.0.1:{port}",
        )
        with chromium(*flags) as browser:
            for device, scheme, language in PICTURES:
                path = target / f"web-{device}-{scheme}-{language}.png"
                server = ServerProcess(certs, folder / path.stem, port=port).start()
                try:
                    picture(browser, path, device, scheme, language)
                finally:
                    server.kill()
                print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
