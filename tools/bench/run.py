"""The whole suite: our server and the baseline by turns, medians with spread, and the bars.

    python -m tools.bench.run [--case NAME]... [--quick] [--rounds N] [--json FILE] [--against CHECKOUT]

With ``--against`` the server of another checkout, with its own ``.venv``, takes the place of the baseline: so two
versions are compared in one run.

Every single run starts a server of its own with an empty data directory, on its own core, and stops it again. All
traffic is on 127.0.0.1. Exits 0 when every delivery was right, whatever the bars say; 1 when one was not.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import shutil
import signal
import ssl
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from securechat.wire.http import HTTP_ALPN
from tools.bench.cases import Result, Scene
from tools.bench.certs import client_context, make_certificates
from tools.bench.disk import describe
from tools.bench.load import raise_file_limit
from tools.bench.process import GENERATOR_CORE, ROOT, SERVER_CORE, await_quiet, pin, running
from tools.bench.report import bars_of, case_report, medians_of
from tools.bench.suite import CASES, Case

KINDS = ("securechat", "baseline")
QUICK_SECONDS = 1.0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", action="append", choices=[case.name for case in CASES], help="only this; repeatable")
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds (default 3)")
    parser.add_argument("--quick", action="store_true", help="one round of a second each: a look, not a measurement")
    parser.add_argument("--against", type=Path, metavar="CHECKOUT", help="another version instead of the baseline")
    parser.add_argument("--only", choices=KINDS, help="leave the other server out")
    parser.add_argument("--data-root", default=tempfile.gettempdir(), help="a directory on a real disk (%(default)s)")
    parser.add_argument("--patience", type=float, default=0, help="seconds to wait for a quiet machine before each run")
    parser.add_argument("--json", type=Path, help="write all rounds, medians and bars to this file")
    return parser.parse_args()


def run_once(case: Case, kind: str, certs: Path, data: Path, seconds: float, checkout: Path = ROOT) -> Result:
    """One run on a fresh server; a failure is a result too, so that the suite goes on."""
    core_ms = 0.0
    try:
        with running(kind, certs, data, checkout, metrics=case.metrics, flags=case.flags) as server:
            core_ms = server.core_ms
            ca = certs / "ca.pem"
            web_context = client_context(ca, HTTP_ALPN)
            result = case.run(Scene(server, client_context(ca), data, seconds, web_context=web_context, ca=ca))
    except (RuntimeError, OSError) as error:
        result = {"complaints": [f"failed: {error}"]}
    finally:
        gc.collect()
        shutil.rmtree(data, ignore_errors=True)
    result["core_ms"] = core_ms
    result["correct"] = not result["complaints"]
    return result


def rounds_of(case: Case, options: argparse.Namespace, certs: Path) -> Iterator[tuple[str, Result]]:
    """A B A B …: whatever the machine does meanwhile hits both."""
    kinds = [options.only] if options.only else ("securechat", "before") if options.against else KINDS
    if case.web or case.metrics or case.flags:
        kinds = [kind for kind in kinds if kind != "baseline"]
    checkout = options.against.resolve() if options.against else ROOT
    seconds = min(case.seconds, QUICK_SECONDS) if options.quick else case.seconds
    rounds = 1 if options.quick else case.rounds or options.rounds
    for number in range(1, rounds + 1):
        for kind in kinds:
            await_quiet(options.patience)
            result = run_once(case, kind, certs, certs / f"{case.name}-{kind}-{number}", seconds, checkout)
            told = "; ".join(result["complaints"]) or "sound"
            print(f"  {case.name} {kind} {number}/{rounds}: {told}", file=sys.stderr, flush=True)
            yield kind, result


def run_case(case: Case, options: argparse.Namespace, certs: Path) -> dict[str, Any]:
    """All rounds of a case; prints its table."""
    results: dict[str, list[Result]] = {}
    for kind, result in rounds_of(case, options, certs):
        results.setdefault(kind, []).append(result)
    print(case_report(case, results), flush=True)
    return {
        "about": case.about,
        "rounds": results,
        "medians": {kind: medians_of(runs) for kind, runs in results.items()},
        "bars": bars_of(case, results),
    }


def _interrupted(number: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + number)


def main() -> int:
    options = arguments()
    signal.signal(signal.SIGTERM, _interrupted)
    raise_file_limit()
    pin(GENERATOR_CORE)
    chosen = [case for case in CASES if (case.name in options.case if options.case else not case.by_request)]
    machine = {
        "python": platform.python_version(),
        "openssl": ssl.OPENSSL_VERSION,
        "kernel": platform.release(),
        "cores": f"generator {GENERATOR_CORE}, server {SERVER_CORE}",
        "disk": describe(Path(options.data_root)),
        "load_average": os.getloadavg(),
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    print(*(f"{name}: {value}" for name, value in machine.items()), sep="\n")
    cases: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="securechat-bench-", dir=options.data_root) as workplace:
        make_certificates(Path(workplace))
        for case in chosen:
            cases[case.name] = run_case(case, options, Path(workplace))
    if options.json:
        options.json.write_text(json.dumps({"machine": machine, "cases": cases}, indent=1) + "\n")
    runs = [run for case in cases.values() for results in case["rounds"].values() for run in results]
    return 1 if any(run["complaints"] for run in runs) else 0


if __name__ == "__main__":
    sys.exit(main())
