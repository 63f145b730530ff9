"""The bench must keep working as the protocol changes: five members, half a second, against both servers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the generator uses epoll and /proc"),
]


@pytest.mark.parametrize(
    ("kind", "case"),
    [
        ("baseline", "smoke"),
        ("securechat", "smoke"),
        ("securechat", "web-smoke"),
        ("securechat", "scrape-smoke"),
        ("securechat", "file-smoke"),
    ],
)
def test_every_delivery_of_a_short_run_is_right(kind: str, case: str, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    command = [sys.executable, "-m", "tools.bench.run", "--case", case, "--only", kind, "--json", str(report)]
    done = subprocess.run(
        [*command, "--data-root", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (result,) = json.loads(report.read_text())["cases"][case]["rounds"][kind]
    assert result["correct"] is True
    assert result["deliveries_per_s"] > 0
    assert result["bytes_per_message"] <= 180
