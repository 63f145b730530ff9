"""Times what the languages cost a program's start.

    python -m tools.bench.languages [--rounds 40] [--check]

Each round starts one process for each case, in turns. A process imports what every program imports anyway (argparse,
datetime, logging and others of the standard library), and then measures the CPU time of ``import
securechat.translation`` and of ``use``, with the compiled catalogues of this checkout; the table shows the median of
the rounds in milliseconds, with the least and the most. The bar is 5 ms.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path

BAR_MS = 5.0
"""What a start may pay (docs/design/0011-languages.md)."""
ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import argparse, dataclasses, datetime, logging, pathlib, string, struct, time, typing
began = time.process_time_ns()
from securechat.translation import _, use
imported = time.process_time_ns()
problem = use({language!r})
_("Name")
ended = time.process_time_ns()
assert not problem, problem
print((imported - began) / 1e6, (ended - imported) / 1e6)
"""
CASES = ("en", "id")


def round_ms(language: str) -> tuple[float, float]:
    """Start one process; returns the milliseconds of the import, and of choosing the language."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for variable in ("SECURECHAT_LOCALE_DIR", "PYTHONDONTWRITEBYTECODE"):
        environment.pop(variable, None)  # modules are compiled once, as an installation's are
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(language=language)],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    imported, used = map(float, done.stdout.split())
    return imported, used


def main(arguments: list[str] | None = None) -> int:
    """Print the table; with ``--check``, returns 1 where the bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench.languages", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--check", action="store_true", help=f"exit code 1 where a start pays {BAR_MS:.0f} ms or more")
    options = parser.parse_args(arguments)
    taken: dict[str, list[tuple[float, float]]] = {language: [] for language in CASES}
    for language in CASES:
        round_ms(language)  # compiles the modules
    for _round in range(options.rounds):
        for language in CASES:
            taken[language].append(round_ms(language))
    print("| language | import | use | together | least | most |\n|---|---|---|---|---|---|")
    worst = 0.0
    for language, rounds in taken.items():
        together = [imported + used for imported, used in rounds]
        middle = statistics.median(together)
        worst = max(worst, middle)
        shown = [statistics.median(part) for part in zip(*rounds, strict=True)]
        figures = [*shown, middle, min(together), max(together)]
        print(f"| {language} | {' | '.join(f'{each:.2f} ms' for each in figures)} |")
    return int(options.check and worst >= BAR_MS)


if __name__ == "__main__":
    sys.exit(main())
