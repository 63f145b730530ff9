"""A photo of 12 megapixels from its last byte to a second person, and what a page of fifty of them takes.

    python -m tools.bench.photos [--rounds 5] [--page 50]

One guest sends the photo and says it; another has the message, asks for the address, and fetches the preview that the
page shows in a row. Time counts from the moment the last byte was handed to the kernel, beside that until the
server had the picture: written anew, with previews, and durable. The bar is 1 s. Then as many messages as a page has,
each with a photo, are read by history, and their previews fetched as the page does: 1.5 MB together at most. The
server and its picture worker share one core. Needs Pillow.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from securechat.limits import PREVIEW_SIDES
from securechat.model import History, HistoryPage, Message
from tools.bench.certs import make_certificates
from tools.bench.phones import Phone
from tools.bench.pictures import MAKE
from tools.bench.process import GENERATOR_CORE, ROOT, pin, running

_FLAGS = ("--rate-limit", "off", "--limit", "files_per_guest_bytes=10000000000")
_BAR_S = 1.0
_BAR_BYTES = 1_500_000
_LINKS = 100


def photo(path: Path, width: int, height: int) -> bytes:
    """Make a photo of noise of every size, as `tools.bench.pictures` does."""
    subprocess.run(
        [sys.executable, "-c", MAKE, "JPEG", "RGB", str(width), str(height), str(path)], check=True, cwd=ROOT
    )
    return path.read_bytes()


def sent(sender: Phone, reader: Phone, body: bytes) -> tuple[float, float]:
    """Send a photo; returns the seconds until the server had it, and until the reader had its preview."""
    file_id, sent_at, stored_at = sender.upload(body, name="IMG_1.jpg")
    sender.say("", [file_id])
    message = reader.wait_for(Message)
    (path,) = reader.links([file.id for file in message.files])
    reader.download(f"{path}?size={PREVIEW_SIDES[0]}")
    return stored_at - sent_at, time.monotonic() - sent_at


def page_bytes(sender: Phone, reader: Phone, bodies: list[bytes]) -> tuple[int, int]:
    """Send messages with a photo each; returns the bytes of their previews with heads, and of the messages."""
    for body in bodies:
        file_id, _, _ = sender.upload(body, name="IMG_1.jpg")
        sender.say("", [file_id])
        reader.wait_for(Message)
    before_bytes = reader.heard_bytes
    reader.send(History(1, reader.room, limit=len(bodies)))
    files = [file for message in reader.wait_for(HistoryPage).messages for file in message.files]
    assert len(files) == len(bodies), "not all of them are on the page"
    paths: list[str] = []
    for start in range(0, len(files), _LINKS):
        paths += reader.links([file.id for file in files[start : start + _LINKS]])
    asked_bytes = reader.heard_bytes - before_bytes
    return sum(reader.download(f"{path}?size={PREVIEW_SIDES[0]}") for path in paths), asked_bytes


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=5, help="photos, one behind the other (default 5)")
    parser.add_argument("--page", type=int, default=50, help="messages of a page (default 50)")
    options = parser.parse_args()
    pin(GENERATOR_CORE)
    with tempfile.TemporaryDirectory() as scratch:
        certs = Path(scratch)
        make_certificates(certs)
        body = photo(certs / "photo", 4032, 3024)
        shapes = [(1600, 1200), (1200, 1600), (2000, 1125), (1125, 2000), (1280, 1280)]
        small = [photo(certs / "small", *shape) for shape in shapes]
        with running("securechat", certs, certs / "data", flags=_FLAGS) as server:
            sender, reader = (Phone(certs / "ca.pem", server.port, name) for name in ("ana", "budi"))
            took = [sent(sender, reader, body) for _ in range(options.rounds)]
            for what, place in (("at the server", 0), ("at the second person, with its preview", 1)):
                times = [each[place] for each in took]
                print(f"{what}: {statistics.median(times):.2f} s ({min(times):.2f} to {max(times):.2f})")
            bodies = [small[number % len(small)] for number in range(options.page)]
            previews_bytes, asked_bytes = page_bytes(sender, reader, bodies)
            print(f"a page of {options.page}: previews {previews_bytes:,} B, messages and addresses {asked_bytes:,} B")
            sender.close()
            reader.close()
    met = statistics.median(each[1] for each in took) <= _BAR_S and previews_bytes + asked_bytes <= _BAR_BYTES
    return int(not met)


if __name__ == "__main__":
    sys.exit(main())
