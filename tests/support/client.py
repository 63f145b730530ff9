"""Ways to start a real client."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support import patience, warm
from tests.support.secrecy import expect_clean_command
from tests.support.server import ServerProcess

CLIENT = [sys.executable, "-m", "securechat.cli.chat"]
ROOT = Path(__file__).parents[2]
PATIENCE_S = patience.PATIENCE_S

# What the user of this machine has remembered is no business of the tests: their clients remember nothing by default.
os.environ["SECURECHAT_STATE"] = ""
os.environ["SECURECHAT_CLIENT_CONFIG"] = ""


def at(server: ServerProcess, *flags: str) -> list[str]:
    """The flags of a client of this server."""
    return ["--ca", str(server.ca), f"127.0.0.1:{server.port}", *flags]


def run_client(
    *flags: str, stdin: str = "", env: dict[str, str] | None = None, stop_after: int | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a client to its end; with ``stop_after``, until it has printed so many lines."""
    expect_clean_command(flags)
    if stop_after is None:
        return warm.run([*CLIENT, *flags], text=stdin, timeout=PATIENCE_S, cwd=ROOT, env=env)
    with subprocess.Popen([*CLIENT, *flags], stdout=subprocess.PIPE, text=True, cwd=ROOT, env=env) as process:
        assert process.stdout is not None
        output = "".join(process.stdout.readline() for _ in range(stop_after))
        process.terminate()
        process.wait(PATIENCE_S)  # before its pipe is closed, which is another reason to stop
    return subprocess.CompletedProcess(process.args, process.returncode, output, "")
