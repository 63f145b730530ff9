"""The cost of files to a server that has none: its start, its memory, and its rest; against another version, by turns.

    python -m tools.bench.without_files --against CHECKOUT [--rounds 6] [--rest 10]

Three servers take turns: that of the other checkout, with its own ``.venv``, ours, and ours with ``--files off``. The
CPU of a start counts until the port listens, and again until the first member is in and what is done behind the start
is over; then the memory is read, and the CPU while nothing happens.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

from tools.bench.certs import client_context, make_certificates
from tools.bench.engine import Engine, Member
from tools.bench.process import GENERATOR_CORE, ROOT, pin, running

_SETTLE_S = 3.0
_FIGURES = ("CPU until it listens, ms", "CPU with the first login, ms", "RSS, MiB", "CPU at rest, ms/s")


def figures(kind: str, certs: Path, data: Path, checkout: Path, flags: tuple[str, ...], rest_s: float) -> list[float]:
    """Start a server once; returns the numbers of _FIGURES."""
    with running(kind, certs, data, checkout, flags=flags) as server:
        listening_ms = server.cpu_s() * 1e3
        engine = Engine(client_context(certs / "ca.pem"), server.address)
        try:
            engine.enter([Member("first", "lobby")], 1, 10.0)
            engine.settle(_SETTLE_S, 20.0)
            begun_s = server.cpu_s()
            end = time.monotonic() + rest_s
            while time.monotonic() < end:
                engine.poll(0.1)
            at_rest = (server.cpu_s() - begun_s) * 1e3 / rest_s
            return [listening_ms, begun_s * 1e3, server.rss_kib() / 1024, at_rest]
        finally:
            engine.close()


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--against", type=Path, required=True, metavar="CHECKOUT", help="a version without files")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--rest", type=float, default=10.0, help="seconds at rest (default 10)")
    options = parser.parse_args()
    pin(GENERATOR_CORE)
    checkout = options.against.resolve()
    kinds: dict[str, tuple[str, Path, tuple[str, ...]]] = {
        "before": ("before", checkout, ()),
        "with files": ("securechat", ROOT, ()),
        "--files off": ("securechat", ROOT, ("--files", "off")),
    }
    found: dict[str, list[list[float]]] = {name: [] for name in kinds}
    with tempfile.TemporaryDirectory(prefix="securechat-bench-") as scratch:
        certs = Path(scratch)
        make_certificates(certs)
        for number in range(options.rounds + 1):
            for name, (kind, where, flags) in kinds.items():
                rest_s = options.rest if number else 0.1
                measured = figures(kind, certs, certs / f"{kind}-{len(flags)}-{number}", where, flags, rest_s)
                if number:  # the first start of each compiles what is not compiled yet
                    found[name].append(measured)
    for place, figure in enumerate(_FIGURES):
        cells = []
        for name, rounds in found.items():
            values = [each[place] for each in rounds]
            cells.append(f"{name} {statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})")
        print(f"{figure}: {'; '.join(cells)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
