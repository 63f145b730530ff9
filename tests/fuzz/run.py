"""Fuzz the parsers: ``python tests/fuzz/run.py [--seconds N] [--seed N] [--atheris] [HARNESS …]``;
or a running server: ``python tests/fuzz/run.py --server [--seconds N] [--seed N]`` (`tests.fuzz.server_fuzz`).

Mutates the committed corpus without any dependency; with ``--atheris`` coverage guides it, where that is installed.
An input that breaks the invariant is written to ``tests/fuzz/corpus/HARNESS/``, where the test suite replays it for
ever: commit it together with the fix.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import time
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

from tests.fuzz.harnesses import HARNESSES  # noqa: E402  (the checkout's own packages, from any directory)

CORPUS = HERE / "corpus"
WORDS = [
    b'"t":', b'"ref":', b'"cid":', b'"text":', b"null", b"-1", b"1e999", b"9007199254740992", b"[", b"{", b"\\ud800",
    b"\\u0000", b"\xff", b"\xed\xa0\x80", b"\x00\x00\x00\x00", b"\x00\x00\x10\x01", b"\xff\xff\xff\xff", b"\x1b[2J",
    "\u202e".encode(), "\u0301".encode(), "ﬁ".encode(), "＿".encode(), "İ".encode(), b'"', b"_", b" ", b"\n",
    b"\r\n", b"\r\n\r\n", b"\r", b"\t", b":", b"GET / HTTP/1.1\r\nHost: chat.example\r\n\r\n", b"Content-Length: 0\r\n",
    b"Content-Length: 4\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n", b"0\r\n\r\n", b"HTTP/1.0",
    b'"attachments":[', b'"blocks":[{"type":', b'"fields":[', b'"elements":[', b"<!channel|@", b"<@U1|", b"<https://a|",
    b"Tus-Resumable: 1.0.0\n", b"Upload-Offset: 5\n", b"Upload-Length: 10\n", b"Upload-Checksum: sha256 ",
    b"Upload-As: file\n", b"\xff\x00\x05\x05", b"\xff\x01\x00\x00", b"\xff\x00\x0a\x0a",
    b"Upload-Metadata: filename YQ==,as ZmlsZQ==\n", b"Content-Type: application/offset+octet-stream\n",
    b"*", b"_", b"```", b"&amp;", b"%7B", b"payload=",
]  # fmt: skip


def seeds(harness: str) -> list[bytes]:
    """Return the corpus of a harness, smallest first."""
    return sorted((path.read_bytes() for path in (CORPUS / harness).glob("*")), key=len) or [b""]


def mutate(data: bytes, others: list[bytes], dice: random.Random) -> bytes:
    """Return ``data`` with one to six small changes; half the time the first frame's header is made right again."""
    new = bytearray(data)
    for _ in range(dice.randint(1, 6)):
        at = dice.randint(0, len(new))
        match dice.randrange(6):
            case 0:
                new[at : at + 1] = bytes([dice.randrange(256)])
            case 1:
                del new[at : at + dice.randint(1, 8)]
            case 2:
                new[at:at] = dice.choice(WORDS)
            case 3:
                new[at:at] = new[at : at + dice.randint(1, 40)] * dice.choice([1, 2, 50])
            case 4:
                other = dice.choice(others)
                cut = dice.randint(0, len(other))
                new[at:] = other[cut:]
            case _:
                new[at : at + 1] = bytes([(new[at] ^ (1 << dice.randrange(8))) if at < len(new) else 0])
    del new[200_000:]
    if len(new) > 5 and dice.random() < 0.5:
        new[1:5] = (len(new) - 5).to_bytes(4, "big")
    return bytes(new)


def keep(harness: str, data: bytes) -> Path:
    """Write an input into the corpus."""
    path = CORPUS / harness / hashlib.sha256(data).hexdigest()[:16]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def fuzz(harness: str, seconds: float, dice: random.Random) -> bool:
    """Run one harness for a while; False when it found something."""
    run, corpus = HARNESSES[harness], seeds(harness)
    end, count = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        data = mutate(dice.choice(corpus), corpus, dice)
        count += 1
        try:
            run(data)
        except Exception:  # noqa: BLE001  (anything that gets here is a finding)
            traceback.print_exc()
            print(f"{harness}: found after {count} inputs: {keep(harness, data)}")
            return False
    print(f"{harness}: {count} inputs, nothing found")
    return True


def guided(harness: str) -> None:
    """Hand the harness to atheris, which never returns."""
    import atheris  # optional: nothing else needs it

    atheris.Setup([sys.argv[0], str(CORPUS / harness)], HARNESSES[harness])
    atheris.Fuzz()


def main() -> int:
    """Run the harnesses asked for, one after the other."""
    parser = argparse.ArgumentParser(description="Fuzz the parsers of securechat.")
    parser.add_argument("harness", nargs="*", default=list(HARNESSES), help=f"some of {', '.join(HARNESSES)}")
    parser.add_argument("--seconds", type=float, default=10.0, help="time for each harness")
    parser.add_argument("--seed", type=int, default=None, help="repeat a run")
    parser.add_argument("--atheris", action="store_true", help="coverage-guided, one harness, until stopped")
    parser.add_argument("--server", action="store_true", help="a running server instead of the parsers")
    parser.add_argument(
        "--no-expanding", action="store_true", help="with --server: no texts that normalising makes many times as long"
    )
    args = parser.parse_args()
    if unknown := set(args.harness) - set(HARNESSES):
        parser.error(f"no harness is called {', '.join(sorted(unknown))}")
    if args.atheris:
        guided(args.harness[0])
    seed = args.seed if args.seed is not None else random.randrange(2**32)
    print(f"seed {seed}")
    if args.server:
        from tests.fuzz.server_fuzz import campaign  # which imports what parsers do without

        return 0 if campaign(args.seconds, seed, expanding=not args.no_expanding) else 1
    dice = random.Random(seed)
    found = [harness for harness in args.harness if not fuzz(harness, args.seconds, dice)]
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
