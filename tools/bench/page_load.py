"""Times the page in Chromium from a real server: from the address to the first message on the screen.

``python -m tools.bench.page_load [--rounds 5]``. A person who is logged in opens the address:

- cold: with an empty cache; also at a quarter of the CPU, 1.6 Mbit/s and 150 ms (what a cheap phone has on 3G),
- warm: again, with what the first time has left in the cache; the requests that are left are counted.
- a key: from the press until the frame with the letter is drawn, in a room with 100,000 messages (``--messages``).
"""

from __future__ import annotations

import argparse
import socket
import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from securechat.model import Acked, Hello, Say, Welcome
from securechat.tls.certificate_directory import ensure_server
from securechat.tls.contexts import client_context
from securechat.wire.native import NativeClientCodec
from tests.support.browser import LAPTOP, Visitor, chromium, spki_hash
from tests.support.page import composer, say
from tests.support.server import ServerProcess

if TYPE_CHECKING:
    from playwright.sync_api import Page

_FIRST_ROW = """
() => new Promise((done) => {
  const row = "[role=feed] article";
  const look = () => document.querySelector(row) ? done(performance.now()) : requestAnimationFrame(look);
  look();
})
"""
_KEYS = """
async (count) => {
  const field = document.querySelector("textarea");
  field.focus();
  const took = [];
  for (let n = 0; n < count; n++) {
    await new Promise((go) => {
      const begin = performance.now();
      field.setRangeText("x", field.value.length, field.value.length, "end");
      field.dispatchEvent(new InputEvent("input", { bubbles: true, data: "x", inputType: "insertText" }));
      requestAnimationFrame(() => {
        const channel = new MessageChannel();
        channel.port1.onmessage = () => { took.push(performance.now() - begin); go(); };
        channel.port2.postMessage(0);
      });
    });
  }
  return took;
}
"""
_SLOW_NETWORK = {"offline": False, "latency": 150, "downloadThroughput": 200_000, "uploadThroughput": 200_000}
_SLOW_CPU = {"rate": 4}
_IN_FLIGHT = 64


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=0, help="so many in the lobby before the keys are timed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        certs = Path(scratch) / "certs"
        ensure_server(certs)
        server = ServerProcess(certs, Path(scratch) / "data", "--rate-limit", "off").start()
        try:
            with chromium(f"--ignore-certificate-errors-spki-list={spki_hash(certs / 'server.pem')}") as browser:
                visitor = Visitor(browser, f"https://localhost:{server.port}", **LAPTOP)
                talk(server, options.messages)
                measure(visitor, options.rounds)
                visitor.close()
        finally:
            server.kill()


def talk(server: ServerProcess, messages: int) -> None:
    """Say so many messages in the lobby, as fast as the server takes them."""
    context = client_context(server.ca.read_text())
    raw = socket.create_connection(("127.0.0.1", server.port))
    with context.wrap_socket(raw, server_hostname="localhost") as sock:
        codec = NativeClientCodec()
        sock.sendall(codec.encode(Hello(1, "talker", "1" * 32)))
        welcomed, sent, acked = False, 0, 0
        while acked < messages or not welcomed:
            if welcomed and (more := min(messages - sent, _IN_FLIGHT - (sent - acked))) > 0:
                drafts = (
                    Say(number, "lobby", f"message {number} of many") for number in range(sent + 1, sent + more + 1)
                )
                sock.sendall(b"".join(map(codec.encode, drafts)))
                sent += more
            codec.receive_data(sock.recv(1 << 16))
            while (event := codec.next_event()) is not None:
                welcomed = welcomed or isinstance(event, Welcome)
                acked += isinstance(event, Acked)


def measure(visitor: Visitor, rounds: int) -> None:
    """Come in once, and time what follows."""
    page = visitor.open()
    page.get_by_label("Stay logged in").check()
    page.get_by_label("Name", exact=True).fill("ana")
    page.keyboard.press("Enter")
    composer(page).wait_for()
    say(page, "the first message")
    page.get_by_role("article").first.wait_for()
    page.goto("about:blank")
    cold, slow, warm = [], [], []
    for _round in range(rounds):
        cold.append(loaded(visitor, page, empty=True))
        warm.append(loaded(visitor, page))
        slow.append(loaded(visitor, page, empty=True, slow=True))
    for name, took in (("cold", cold), ("cold, slow", slow), ("warm", warm)):
        times = [each[0] for each in took]
        print(
            f"{name:10} first message after {statistics.median(times):.0f} ms ({min(times):.0f}-{max(times):.0f}),"
            f" {took[-1][1]} requests, {took[-1][2] / 1024:.0f} KiB"
        )
    visitor.open("/#/room/lobby")
    composer(page).wait_for()
    session = visitor.context.new_cdp_session(page)
    for name, rate in (("key", 1), ("key, slow", 4)):
        session.send("Emulation.setCPUThrottlingRate", {"rate": rate})
        took_ms = sorted(page.evaluate(_KEYS, 200))
        print(f"{name:10} median {took_ms[100]:.1f} ms, p98 {took_ms[196]:.1f} ms, longest {took_ms[-1]:.1f} ms")


def loaded(visitor: Visitor, page: Page, *, empty: bool = False, slow: bool = False) -> tuple[float, int, int]:
    """Open the page; returns milliseconds until the first message, requests that went out, and their bytes."""
    session = visitor.context.new_cdp_session(page)
    session.send("Network.enable")
    if empty:
        session.send("Network.clearBrowserCache")
    if slow:
        session.send("Network.emulateNetworkConditions", _SLOW_NETWORK)
        session.send("Emulation.setCPUThrottlingRate", _SLOW_CPU)
    requests, sizes = set[str](), list[float]()
    cached = set[str]()
    session.on("Network.requestWillBeSent", lambda event: requests.add(event["requestId"]))
    session.on("Network.requestServedFromCache", lambda event: cached.add(event["requestId"]))
    session.on("Network.responseReceived", lambda event: _note_cached(event, cached))
    session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    page.goto(visitor.origin + "/#/room/lobby")
    took_ms = float(page.evaluate(_FIRST_ROW))
    composer(page).wait_for()
    seen = len(requests - cached), int(sum(sizes))
    page.goto("about:blank")
    session.detach()
    return took_ms, *seen


def _note_cached(event: dict[str, object], cached: set[str]) -> None:
    response = event["response"]
    assert isinstance(response, dict)
    if response.get("fromDiskCache") or response.get("fromPrefetchCache"):
        cached.add(str(event["requestId"]))


if __name__ == "__main__":
    main()
