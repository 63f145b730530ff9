"""A program that writes down what it was given, and ends as it is told.

Usage: probe FILE [exit CODE | leave CODE | raise | kill | wait]; leave has a thread and a handler speak after it.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import random
import signal
import sys
import threading
from pathlib import Path

SIGNALS = (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGPIPE, signal.SIGCHLD)


def main() -> None:
    target, *rest = sys.argv[1:]
    print("said")
    print("told", file=sys.stderr)
    draft = Path(f"{target}.draft")
    draft.write_text(json.dumps(facts()), encoding="utf-8")
    draft.rename(target)  # whoever waits for it finds all of it
    match rest:
        case ["exit", code]:
            sys.exit(int(code))
        case ["leave", code]:
            atexit.register(print, "last")
            main_thread = threading.main_thread()
            threading.Thread(target=lambda: (main_thread.join(), print("late", end=" "))).start()
            sys.exit(int(code))
        case ["raise"]:
            raise RuntimeError("as told")
        case ["kill"]:
            os.kill(os.getpid(), signal.SIGKILL)
        case ["wait"]:
            signal.pause()


def facts() -> dict[str, object]:
    """What a program can know of how it was started."""
    umask = os.umask(0)
    os.umask(umask)
    module = sys.modules["__main__"]
    return {
        "name": __name__,
        "module": module.__spec__.name if module.__spec__ else None,
        "arguments": sys.argv,
        "directory": str(Path.cwd()),
        "environment": {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"},
        "path": sys.path,
        "flags": str(sys.flags),
        "umask": umask,
        "signals": [str(signal.getsignal(number)) for number in SIGNALS],
        "blocked": [number for number in SIGNALS if number in signal.pthread_sigmask(signal.SIG_BLOCK, [])],
        "streams": [_stream(name) for name in ("stdin", "stdout", "stderr")],
        "descriptors": [_kind(path) for path in sorted(Path("/proc/self/fd").iterdir())],
        "chance": random.random(),
        "threads": threading.active_count(),
        "collected": gc.isenabled(),
        "leads": os.getsid(0) == os.getpid(),
        "input": None if sys.stdin.isatty() else sys.stdin.read(),
    }


def _stream(name: str) -> list[object]:
    stream = getattr(sys, name)
    return [
        stream.fileno(), stream.encoding, stream.errors, stream.line_buffering, stream.write_through, stream.isatty(),
        stream is getattr(sys, f"__{name}__"), type(stream.buffer).__name__,
    ]  # fmt: skip


def _kind(path: Path) -> str:
    try:
        target = os.readlink(path).partition(":")[0]  # noqa: PTH115 - not every one is a path
        terminal = target.startswith("/dev/pts/")  # which of them is by chance: other tests have some too
        return f"{path.name} {'a terminal' if terminal else target}"
    except FileNotFoundError:
        return f"{path.name} the list itself"


if __name__ == "__main__":
    main()
