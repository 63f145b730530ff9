"""The terminal client on a pseudo-terminal, measured against its bars; prints a Markdown table.

    python -m tools.bench.terminal [--runs 5] [--part PART] [--against CHECKOUT] [--flood-s 30] [--messages 100000]

A server and the client share one core; this program, which is the terminal and the others in the room, has the other.
The terminal is 120 by 40 where nothing else is said. Parts, all of them in each run:

- **lines**: the line mode, from the spawn until the room's last message is written; with ``--against`` by turns with
  another checkout's, both with this Python.
- **rest**: from the spawn until the footer is written, and the room's last message; 5 s in which nothing changes; one
  key at a time that nothing else on the screen has, from its write until it comes back; sizes, from the signal until
  the last row has been written; PgUp, from its write until an older line comes.
- **scroll**: PgUp through the messages that were said before.
- **rooms**: an account in 100 rooms; from Enter in the list of rooms until the room's last line is written, where
  its messages have to be asked for (on 127.0.0.1, so the round trip is the server's time), and where they are kept.
- **small**: keys at 80 by 24.
- **flood**: 1,000 messages a second in the room that is shown; keys every 50 ms, then PgUp.
- **link**: the same keys where 256 kbit/s are passed on with a delay of 100 ms each way. The link's time is both delays
  and that of the 120 bytes that a key takes.
- **slow**: a terminal that reads 2 KiB/s, and one that reads nothing, in the flood; then it reads again.

Other work on the same cores shows in the milliseconds: what the machine did beside is in the first lines.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from tools.bench import terminal_parts as parts
from tools.bench.certs import make_certificates
from tools.bench.client_terminal import Link
from tools.bench.process import GENERATOR_CORE, machine_busy_s, pin, running
from tools.bench.terminal_figures import Run, machine, table
from tools.bench.terminal_room import Talker, prepare_rooms

PARTS = {
    "lines": parts.start_of_lines,
    "rest": parts.start_and_rest,
    "rooms": parts.rooms,
    "small": parts.small_terminal,
    "scroll": parts.scroll,
    "flood": parts.flood,
    "link": parts.slow_link,
    "slow": parts.slow_reader,
}
_LINK = Link(bytes_s=256_000 / 8, delay_s=0.1)
_LEAST = 6_000
"""Messages said before, where none are scrolled: more than the pages hold."""
_SWITCH_S = 0.001
"""Between two switches of this program's threads: the flood's must not hold up the terminal's clock."""


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=5, help="runs of each part (default 5)")
    parser.add_argument("--part", action="append", choices=list(PARTS), help="only this; repeatable")
    parser.add_argument("--flood-s", type=float, default=30.0, help="seconds of 1,000 messages each; 0: none")
    parser.add_argument("--messages", type=int, default=100_000, help="said before, and scrolled (default 100,000)")
    parser.add_argument("--against", type=Path, metavar="CHECKOUT", help="another version, for the line mode's start")
    options = parser.parse_args()
    pin(GENERATOR_CORE)
    sys.setswitchinterval(_SWITCH_S)
    os.environ |= {"SECURECHAT_LIMIT_REQUEST_RATE": "1000000", "SECURECHAT_LIMIT_REQUEST_BURST": "1000000"}
    chosen = options.part or list(PARTS)
    runs = [Run() for _ in range(options.runs)]
    with tempfile.TemporaryDirectory() as scratch:
        certs = Path(scratch)
        make_certificates(certs)
        with running("securechat", certs, certs / "data") as server:
            ca = certs / "ca.pem"
            prepare_rooms(ca, server.port)
            talker = Talker(ca, server.port)
            talker.say_many(max(_LEAST, options.messages if "scroll" in chosen else 0))
            bench = parts.Bench(
                port=server.port,
                ca=ca,
                scratch=certs,
                talker=talker,
                flood_s=options.flood_s,
                scrolled=options.messages,
                link=_LINK,
                against=options.against.resolve() if options.against is not None else None,
            )
            parts.start_of_lines(bench, Run())  # so that files are in the kernel's cache
            began, busy_s = time.monotonic(), machine_busy_s()
            for number, run in enumerate(runs, 1):
                for part in chosen:
                    PARTS[part](bench, run)
                    print(f"run {number}: {part}", file=sys.stderr, flush=True)
            busy = (machine_busy_s() - busy_s) / (time.monotonic() - began)
            talker.close()
    print(f"{machine()}; {options.runs} runs; {busy:.2f} cores busy with all there was\n")
    print(table(runs, {"scrolled": f" of {options.messages:,}"}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
