"""Profiles the server by function: samples one case from outside, without slowing it much.

    python -m tools.bench.profile_server --case rooms-w1 [--kind baseline] [--seconds 5]

Two samplers, one run each, because they disturb each other. ``py-spy`` (a PyPI package) knows Python's functions and
lines but not what C does inside them; ``perf`` knows the C functions and the kernel but not Python's. Whichever is not
installed is left out. Shares are of samples on the CPU, and are shown as µs per delivery of that same run.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from securechat.wire.http import HTTP_ALPN
from tools.bench.cases import Result, Scene
from tools.bench.certs import client_context, make_certificates
from tools.bench.load import raise_file_limit
from tools.bench.process import GENERATOR_CORE, pin, running
from tools.bench.suite import CASES, Case

SAMPLES_PER_S = 499
"""Not a divisor of anything periodic."""
_LINES = 30
_ATTACH_S = 0.7
"""py-spy reads the interpreter's symbols before it samples."""


def py_spy_command(pid: int, output: Path) -> list[str]:
    rate = str(SAMPLES_PER_S)
    return ["py-spy", "record", "-p", str(pid), "-r", rate, "-d", "600", "-f", "raw", "-t", "-o", str(output)]


def perf_command(pid: int, output: Path) -> list[str]:
    return ["perf", "record", "-q", "-e", "cpu-clock", "-F", "2999", "-p", str(pid), "-o", str(output)]


@contextlib.contextmanager
def sampling(command: list[str]) -> Iterator[None]:
    """Run a sampler for the length of the block; SIGINT makes it write its file."""
    sampler = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(_ATTACH_S)
        yield
    finally:
        sampler.send_signal(2)
        try:
            sampler.wait(20)
        except subprocess.TimeoutExpired:
            sampler.kill()
            sampler.wait()


def python_table(output: Path, cpu_us: float) -> str:
    """By Python function: alone, and with all it called; each thread for itself.

    py-spy takes a thread that waits for the disk for a busy one. So only the main thread's figures are µs; the
    others show shares.
    """
    threads: dict[str, Counter[tuple[str, ...]]] = {}
    for line in output.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        thread, *frames = stack.split(";")
        threads.setdefault(thread, Counter())[tuple(map(_without_line, frames))] += int(count)
    return "\n".join(_thread_table(thread, stacks, cpu_us) for thread, stacks in sorted(threads.items()))


def _thread_table(thread: str, stacks: Counter[tuple[str, ...]], cpu_us: float) -> str:
    own, whole, total = Counter[str](), Counter[str](), stacks.total()
    for frames, count in stacks.items():
        own[frames[-1] if frames else "?"] += count
        for frame in set(frames):
            whole[frame] += count
    main = "MainThread" in thread
    scale, unit = (cpu_us / total, "µs") if main else (100 / total, "%")
    shown = sorted(whole, key=lambda frame: (-own[frame], -whole[frame]))[: _LINES if main else _LINES // 3]
    lines = [f"  {thread}: {total} samples", f"  {'alone ' + unit:>9}{'with calls ' + unit:>15}  function"]
    lines += [f"  {own[frame] * scale:9.3f}{whole[frame] * scale:15.3f}  {frame}" for frame in shown]
    return "\n".join(lines)


def _without_line(frame: str) -> str:
    """``flush (securechat/net/transport.py:120)`` without the line, which would split a function in many."""
    name, _, place = frame.partition(" (")
    return f"{name} ({place.rpartition(':')[0]})" if place else name


def native_table(output: Path, cpu_us: float) -> str:
    """By library and by C or kernel function, alone; all threads."""
    lines = []
    for order, count in (("dso", 10), ("dso,symbol", _LINES)):
        told = subprocess.run(
            ["perf", "report", "-i", str(output), "--stdio", "--sort", order],
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        rows = [line.split() for line in told.splitlines() if line.strip() and not line.startswith("#")]
        lines.append(f"  {'alone µs':>9}  {order}")
        lines += [f"  {float(row[0].rstrip('%')) / 100 * cpu_us:9.3f}  {' '.join(row[1:])}" for row in rows[:count]]
    return "\n".join(lines)


def sampled(case: Case, kind: str, seconds: float, command: Callable[[int, Path], list[str]], output: Path) -> Result:
    """One run of the case under one sampler."""
    with tempfile.TemporaryDirectory(prefix="securechat-bench-") as name:
        workplace = Path(name)
        make_certificates(workplace)
        with running(kind, workplace, workplace / "server") as server:
            watching = partial(sampling, command(server.pid, output))
            ca = workplace / "ca.pem"
            web_context = client_context(ca, HTTP_ALPN)
            return case.run(Scene(server, client_context(ca), workplace, seconds, watching, web_context))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [case.name for case in CASES if "cpu_us" in {bar.figure for bar in case.bars}] + ["acked", "rate", "storm"]
    parser.add_argument("--case", choices=names, required=True)
    parser.add_argument("--kind", choices=("securechat", "baseline"), default="securechat")
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    raise_file_limit()
    pin(GENERATOR_CORE)
    case = next(case for case in CASES if case.name == options.case)
    with tempfile.TemporaryDirectory() as name:
        for tool, command, table in (
            ("py-spy", py_spy_command, python_table),
            ("perf", perf_command, native_table),
        ):
            if shutil.which(tool) is None:
                print(f"{tool} is not installed")
                continue
            output = Path(name) / tool
            result = sampled(case, options.kind, options.seconds, command, output)
            cpu_us, unit = result.get("cpu_us", 0.0), "delivery"
            if not cpu_us:
                cpu_us, unit = result["cpu_us_per_login"], "login"
            print(f"\n{case.name} {options.kind} by {tool}: {cpu_us:.3f} µs per {unit}", *result["complaints"])
            print(table(output, cpu_us), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
