"""The world around a program: every program, in every world that a shell, a container or a cron job can make.

Looked through: the outermost main of securechat-server, -client and -admin, tools/gen_certs.py and tools/dev.py, with
each command of the admin tool; all of `sys.stdin`, `sys.stdout`, `sys.stderr`, `Path.cwd`, `absolute()`, `expanduser`,
`user_state_dir` and `astimezone` in securechat/ and tools/. A program ends with a sentence and a documented exit code,
never with a traceback, and writes nothing where it was not asked to.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from securechat.admin.exit_codes import AdminExit
from securechat.client.exit_codes import ClientExit
from securechat.server.app import ExitCode
from tests.support import warm
from tests.support.client import CLIENT, PATIENCE_S, ROOT
from tests.support.screen import Screen
from tests.support.server import ServerProcess
from tests.support.worlds import Case, Result, run_all

pytestmark = [
    pytest.mark.not_pseudo("starts its programs by tests.support.worlds, whose answer is JSON, and in other encodings"),
    pytest.mark.skipif(sys.platform != "linux", reason="/dev/full and the limits are Linux's"),
]

SERVE, ADMIN, CHAT = "securechat.cli.serve", "securechat.cli.admin", "securechat.cli.chat"
CERTS, DEV = str(ROOT / "tools" / "gen_certs.py"), str(ROOT / "tools" / "dev.py")
STRANGER = 54321
"""A user that no passwd file has."""
NO_SERVER = "127.0.0.1:1"
PROGRAMS: dict[str, list[str]] = {
    "server --help": [SERVE, "--help"],
    "server --version": [SERVE, "--version"],
    "server --print-config": [SERVE, "--print-config"],
    "server --check-config": [SERVE, "--check-config", "--cert", "{certs}/server.pem", "--data", "{data}"],
    "server": [SERVE, "--port", "0", "--host", "127.0.0.1", "--cert", "{certs}/server.pem", "--data", "{data}"],
    "client --help": [CHAT, "--help"],
    "client --version": [CHAT, "--version"],
    "client --send": [CHAT, "--send", "--name", "x", "--ca", "{certs}/ca.pem", NO_SERVER],
    "client --tail": [CHAT, "--tail", "--ca", "{certs}/ca.pem", NO_SERVER],
    "client": [CHAT, "--name", "x", "--ca", "{certs}/ca.pem", NO_SERVER],
    "client --forget": [CHAT, "--forget", NO_SERVER],
    "admin --help": [ADMIN, "--help"],
    "admin --version": [ADMIN, "--version"],
    "admin users": [ADMIN, "users", "--data", "{standing}"],
    "certs --version": [CERTS, "--version"],
    "certs": [CERTS, "--dir", "{data}"],
    "dev --help": [DEV, "--help"],
    "dev --version": [DEV, "--version"],
    "dev": [DEV],
}
ADMIN_COMMANDS = [
    "status", "rooms", "rooms prune", "sessions", "invite", "invites", "revoke 1", "kick x", "ban 192.0.2.9",
    "unban 192.0.2.9", "mute x", "unmute x", "bans", "mutes", "logout 99", "reset-password x", "role x admin",
    "delete-user x --messages keep", "announce hello", "audit", "export lobby", "check --cert {certs}/server.pem",
    "backup - --cert {certs}/server.pem", "backup {data}.tar --cert {certs}/server.pem",
    "restore - --certs {data}.certs", "recover", "shutdown --no-such-flag",
]  # fmt: skip
"""Each command; the last does not stop the server that the others need."""
WORLDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "no home": {"env": {"HOME": None}, "user": STRANGER},
    "an empty home": {"env": {"HOME": ""}},
    "read-only": {"user": STRANGER},
    "in closed": {"streams": {"0": "closed"}},
    "out closed": {"streams": {"1": "closed"}},
    "err closed": {"streams": {"2": "closed"}},
    "in and out closed": {"streams": {"0": "closed", "1": "closed"}},
    "in and err closed": {"streams": {"0": "closed", "2": "closed"}},
    "out and err closed": {"streams": {"1": "closed", "2": "closed"}},
    "all closed": {"streams": {"0": "closed", "1": "closed", "2": "closed"}},
    "out full": {"streams": {"1": "full"}},
    "err full": {"streams": {"2": "full"}},
    "both full": {"streams": {"1": "full", "2": "full"}},
    "reader gone": {"streams": {"1": "gone"}},
    "cwd gone": {"without_cwd": True},
    "TZ is a file": {"env": {"TZ": ":/etc/passwd"}},
    "TZ is unknown": {"env": {"TZ": "Foo/Bar"}},
    "TZ is empty": {"env": {"TZ": ""}},
    "TZ is more than a day": {"env": {"TZ": "AAA24:59:59"}},
    "Kubernetes": {"env": {"SECURECHAT_PORT": "tcp://10.0.0.1:8443", "SECURECHAT_SERVICE_HOST": "10.0.0.1"}},
    "empty variables": {"env": {f"SECURECHAT_{name}": "" for name in ("CONFIG", "PORT", "NAME", "CA", "LOG_FORMAT")}},
    "COLUMNS=0": {"env": {"COLUMNS": "0", "TERM": "dumb"}},
    "COLUMNS=abc": {"env": {"COLUMNS": "abc", "TERM": None, "NO_COLOR": "1"}},
    "few descriptors": {"limits": {"RLIMIT_NOFILE": 20}},
    "no file grows": {"limits": {"RLIMIT_FSIZE": 0}},
    "an odd data directory": {"data": "a b\n'c\"$(d)"},
    "a data directory that is no text": {"data": "da\udcff"},
    "no data directory": {"data": ""},
}
EVERYWHERE = ("server --check-config", "client --tail", "admin users")
"""One of each kind is run in every world; the others where their output goes wrong, and where a test below asks."""
SERVER_WORLDS = ("out closed", "all closed", "out full", "Kubernetes", "TZ is more than a day", "no file grows",
                 "an odd data directory", "a data directory that is no text", "no data directory")  # fmt: skip
OTHERS = {"server --print-config": ("out closed", "out full", "reader gone", "cwd gone"),
          "certs": ("out full", "reader gone", "no data directory", "cwd gone"),
          "client": ("no home", "an empty home"), "dev": ("all closed",), "dev --help": ("out full", "reader gone"),
          "admin backup - --cert {certs}/server.pem": ("plain",)}  # fmt: skip


def _worlds_of(program: str) -> tuple[str, ...]:
    if program in EVERYWHERE:
        return tuple(world for world, what in WORLDS.items() if "data" not in what or not program.startswith("client"))
    if program == "server":
        return SERVER_WORLDS
    return OTHERS.get(program, ("out full",))


CODES: dict[str, set[int]] = {
    SERVE: {code.value for code in ExitCode} - {ExitCode.STOPPED_AT_ONCE},
    CHAT: {code.value for code in ClientExit} - {ClientExit.CRASHED},
    ADMIN: {code.value for code in AdminExit},
    CERTS: {0, 1, 2},
    DEV: {0, 1, 2},
}


def _cases(place: Path, certs: Path, standing: Path) -> dict[tuple[str, str], Case]:
    cases = {}
    commands = {f"admin {words}": [ADMIN, *words.split(), "--data", "{standing}"] for words in ADMIN_COMMANDS}
    for program, command in {**PROGRAMS, **commands}.items():
        for world in _worlds_of(program):
            what = dict(WORLDS[world])
            if what.get("user") and os.geteuid() != 0:
                continue
            folder = place / str(len(cases))
            data = what.pop("data", "data")
            for name in ("cwd", "home"):
                (folder / name).mkdir(parents=True)
                (folder / name).chmod(0o755)
            values = {"certs": certs, "standing": standing, "data": str(folder / data) if data else ""}
            typed = [word.format(**values) for word in command]
            stop_at = str(folder / data / "admin.sock") if program == "server" else ""
            cases[program, world] = Case(typed, str(folder), stop_at=stop_at, **what)
    return cases


Outcomes = dict[tuple[str, str], tuple[Case, Result]]


@pytest.fixture
def outcomes(certs: Path, standing: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    """Every program in every world, all run at once; only one test asks, or each worker would run them all again."""
    place = tmp_path_factory.mktemp("worlds")
    for parent in (place, *place.parents[:3]):
        if os.geteuid() == 0 and str(parent).startswith("/tmp/"):
            parent.chmod(parent.stat().st_mode | 0o055)
    env = {name: value for name, value in os.environ.items() if not name.startswith("SECURECHAT_")}
    cases = _cases(place, certs, standing.data)
    results = run_all(list(cases.values()), env=env)
    return dict(zip(cases, zip(cases.values(), results, strict=True), strict=True))


def _wrong(case: Case, result: Result) -> str:
    """What is wrong with the end of a program; empty when nothing is."""
    text = result.out + result.err
    if "Traceback" in text or "Exception ignored" in text:
        return "a traceback"
    if result.late:
        return "no end"
    if result.code not in CODES[case.command[0]]:
        return f"exit code {result.code}"
    heard = "2" not in case.streams and case.limits.get("RLIMIT_FSIZE") != 0
    if result.code and heard and not result.err.strip() and "--json" not in case.command:
        return f"exit code {result.code} without a word"
    left = [path for name in ("cwd", "home") for path in (Path(case.folder) / name).glob("**/*")]
    return f"files where none were asked for: {left}" if left else ""


SENTENCES = [
    ("server --print-config", "out closed", ExitCode.OUTPUT, "Give it a file or a pipe"),
    ("server --print-config", "out full", ExitCode.OUTPUT, "No space left on device"),
    ("server --help", "out full", ExitCode.OUTPUT, "No space left on device"),
    ("server --print-config", "cwd gone", ExitCode.INTERNAL, "working directory was deleted"),
    ("server --check-config", "a data directory that is no text", ExitCode.USAGE, "must be a path in UTF-8"),
    ("server", "a data directory that is no text", ExitCode.USAGE, "must be a path in UTF-8"),
    ("server", "no data directory", ExitCode.USAGE, "this one is empty"),
    ("server", "Kubernetes", ExitCode.OK, ""),
    ("server", "out full", ExitCode.OK, "The log lines cannot be written"),
    ("server", "out closed", ExitCode.OK, ""),
    ("server", "TZ is more than a day", ExitCode.OK, ""),
    ("server", "no file grows", ExitCode.LOG, ""),
    ("admin users", "out full", AdminExit.IO, "No space left on device"),
    ("admin users", "out closed", AdminExit.IO, "Give it a file or a pipe"),
    ("admin users", "reader gone", AdminExit.IO, "program that reads the output has ended"),
    ("admin backup - --cert {certs}/server.pem", "plain", AdminExit.USAGE, "written to a file only"),
    ("certs", "no data directory", 2, "the directory has no name"),
    ("certs", "reader gone", 1, "program that reads the output has ended"),
    ("client --help", "out full", ClientExit.OUTPUT_FAILED, "No space left on device"),
    ("dev --help", "out full", 1, "No space left on device"),
]
"""A program, a world, the exit code, and what the sentence says that is to be done."""


@pytest.mark.slow
def test_every_program_in_every_world(outcomes: Outcomes) -> None:
    wrong = {key: (_wrong(*outcome), outcome[1].err[-300:]) for key, outcome in outcomes.items() if _wrong(*outcome)}
    assert wrong == {}
    unsaid = {}
    for program, world, code, sentence in SENTENCES:
        _, result = outcomes[program, world]
        if (result.code, sentence in result.err) != (code, True):
            unsaid[program, world] = (code, sentence, result)
    assert unsaid == {}


@pytest.mark.cold
def test_a_locale_without_utf8_costs_nothing(certs: Path, tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "SECURECHAT_"))}
    env |= {"LANG": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    for module, arguments in ((CHAT, ["--help"]), (SERVE, ["--check-config", "--cert", f"{certs}/server.pem"])):
        done = warm.run([sys.executable, "-m", module, *arguments], text="", timeout=PATIENCE_S, cwd=ROOT, env=env)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.cold
def test_an_interrupt_while_a_program_imports_its_modules_shows_no_traceback(tmp_path: Path) -> None:
    """A module that is imported early sends the interrupt, as a user does who is quick."""
    (tmp_path / "msgspec.py").write_text(
        f"import os, time\nos.kill(os.getpid(), {int(signal.SIGINT)})\ntime.sleep(20)\n", encoding="utf-8"
    )
    for module in (SERVE, ADMIN, CHAT):
        env = {**os.environ, "PYTHONPATH": str(tmp_path)}
        done = warm.run([sys.executable, "-m", module, "--help"], text="", timeout=PATIENCE_S, cwd=ROOT, env=env)
        assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


def test_a_terminal_whose_window_is_closed_ends_the_client(standing: ServerProcess) -> None:
    """It says goodbye: the name is free at once, and the code is that of SIGTERM."""
    for _ in range(2):
        with Screen(
            [*CLIENT, "--ca", str(standing.ca), f"127.0.0.1:{standing.port}", "--name", "wanda"], cwd=ROOT
        ) as screen:
            screen.wait_for("Connected")
            screen.close_window()
            assert screen.process.wait(PATIENCE_S) == ClientExit.TERMINATED
