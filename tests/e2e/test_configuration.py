"""The settings as an operator meets them: a file, its check, its print, and a server that follows it."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.native import NativeClient
from tests.support.server import ServerProcess

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.cold


def serve(
    *flags: str, cwd: Path = ROOT, environ: dict[str, str] | None = None, encoding: str = "utf-8"
) -> subprocess.CompletedProcess[str]:
    """Run securechat-server to its end."""
    ours = {key: value for key, value in os.environ.items() if not key.startswith("SECURECHAT_")}
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-m", "securechat.cli.serve", *flags],
        env={**ours, "PYTHONPATH": path, "PYTHONIOENCODING": encoding, **(environ or {})},
        capture_output=True,
        encoding=encoding,
        cwd=cwd,
        check=False,
        timeout=60,
    )


def test_a_server_follows_its_file(certs: Path, tmp_path: Path) -> None:
    file = tmp_path / "etc" / "securechat.toml"
    file.parent.mkdir()
    file.write_text("[limits]\nhello_timeout_s = 0.2\nhandshake_timeout_s = 0.2\n", encoding="utf-8")
    with ServerProcess(certs, tmp_path / "data", "--config", str(file)).start() as server:
        with NativeClient(server.port, server.ca) as silent:
            silent.read_to_end()
        server.wait_for_event("disconnected", reason="hello_timeout")
        assert server.stop() == 0


def test_a_wrong_value_in_the_file_stops_the_start_with_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "securechat.toml"
    file.write_text("\nport = 'x'\ntls12 = 2\n", encoding="utf-8")
    done = serve("--config", str(file))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"securechat-server: {file}:2: port: must be a number from 0 to 65535, not the text 'x' (take the quotes away) "
        "(1 further problem: --check-config lists all)\n"
    )


def test_a_check_says_all_that_is_wrong_and_starts_nothing(tmp_path: Path) -> None:
    file = tmp_path / "securechat.toml"
    file.write_text(
        "cert = 'missing.pem'\nlog-format = 'json'\nport = 99999\n[limits]\noutbox_soft_bytes = 2_000_000\n",
        encoding="utf-8",
    )
    environ = {"SECURECHAT_PROT": "1", "SECURECHAT_CA": "x", "SECURECHAT_TLS12": "x"}
    done = serve("--check-config", "--config", str(file), "--data", str(tmp_path / "data"), environ=environ)
    assert (done.returncode, done.stdout) == (2, "")
    lines = [line.removeprefix("securechat-server: ") for line in done.stderr.splitlines()]
    for line, begin in zip(
        lines,
        [
            f"error: {file}:2: log-format: there is no such setting; did you mean log_format?",
            f"error: {file}:3: port: must be a number from 0 to 65535, not 99999",
            "error: SECURECHAT_TLS12: must be on or off, not 'x'",
            f"error: {file}:5: outbox_soft_bytes: must be smaller than outbox_hard_bytes",
            f"error: {file}:1: cert: there is no certificate: {tmp_path / 'missing.pem'} does not exist",
            "warning: SECURECHAT_PROT: nothing reads this variable; did you mean SECURECHAT_PORT?",
            "5 errors and 1 warning: the server would not start",
        ],
        strict=True,
    ):
        assert line.startswith(begin)
    assert not (tmp_path / "data").exists()


def test_a_good_configuration_is_called_good(certs: Path, tmp_path: Path) -> None:
    flags = ["--cert", str(certs / "server.pem"), "--data", str(tmp_path / "data"), "--check-config"]
    done = serve(*flags)
    assert (done.returncode, done.stdout, done.stderr) == (0, "securechat-server: the configuration is good\n", "")
    done = serve(*flags, environ={"SECURECHAT_PORTS": "1"})
    assert done.returncode == 0
    assert done.stderr.endswith("1 warning: the server would start\n")


@pytest.mark.not_pseudo("the printed settings are the same in every language")
def test_the_printed_settings_are_toml_in_any_encoding(tmp_path: Path) -> None:
    file = tmp_path / "sëttings.toml"
    file.write_text("port = 1\n", encoding="utf-8")
    for encoding in ("utf-8", "ascii"):
        done = serve("--print-config", "--config", file.name, cwd=tmp_path, encoding=encoding)
        assert (done.returncode, done.stderr) == (0, "")
        assert tomllib.loads(done.stdout)["port"] == 1
        assert "ttings.toml line 1" in done.stdout


def test_settings_that_are_wrong_are_not_printed() -> None:
    done = serve("--print-config", "--port", "x")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "securechat-server: --port: must be a number from 0 to 65535, not 'x'\n"
