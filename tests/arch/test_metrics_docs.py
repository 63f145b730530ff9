"""The dashboard and the alerts name metrics and labels that exist, and Prometheus' own tool accepts the alerts."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from securechat.server.metrics.catalogue import METRICS, PROCESS_METRICS, MetricKind

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "metrics"
DASHBOARD, RULES = FOLDER / "securechat-dashboard.json", FOLDER / "securechat-rules.yml"
KNOWN = {metric.name: metric for metric in (*METRICS, *PROCESS_METRICS)}
NAMED = re.compile(r"\b((?:securechat|process)_[a-z_]+)\b(?:\{([^}]*)\})?")
OF_PROMETHEUS = {"instance", "job", "le"}


def dashboard() -> Any:
    return json.loads(DASHBOARD.read_text(encoding="utf-8"))


def expressions() -> Iterator[str]:
    """Every query of both files."""
    for panel in dashboard()["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    yield from re.findall(r"^ +expr: (.+)$", RULES.read_text(encoding="utf-8"), re.MULTILINE)


def missing(expression: str) -> list[str]:
    """Names in a query that are no metric of ours, and labels that their metric does not have."""
    found = []
    for name, matchers in NAMED.findall(expression):
        metric = KNOWN.get(name) or KNOWN.get(re.sub(r"_(bucket|sum|count)$", "", name))
        if metric is None or (metric.name != name) != (metric.kind is MetricKind.HISTOGRAM):
            found.append(name)
            continue
        labels = set(re.findall(r"([a-z_]+)(?:=~|!~|!=|=)", matchers))
        found += sorted(labels - OF_PROMETHEUS - set(metric.labels))
    return found


@pytest.mark.parametrize("expression", sorted(set(expressions())))
def test_every_metric_and_label_in_a_query_exists(expression: str) -> None:
    assert NAMED.search(expression) or expression.startswith("up{"), "the query is about a metric"
    assert missing(expression) == []


@pytest.mark.parametrize(
    ("expression", "wrong"),
    [
        ("rate(securechat_nonsense_total[5m])", ["securechat_nonsense_total"]),
        ("securechat_commit_duration_seconds > 1", ["securechat_commit_duration_seconds"]),
        ('securechat_queue_length{name="x"}', ["name"]),
        ("securechat_members_count", ["securechat_members_count"]),
    ],
)
def test_what_does_not_exist_is_found(expression: str, wrong: list[str]) -> None:
    assert missing(expression) == wrong


def test_every_metric_of_the_server_is_shown_or_watched() -> None:
    shown = " ".join([*expressions(), json.dumps(dashboard())])
    unused = {name for name in KNOWN if name not in shown}
    assert unused <= {
        "process_virtual_memory_bytes", "process_start_time_seconds", "securechat_start_timestamp_seconds",
        "securechat_outbox_connections",
    }  # fmt: skip


def test_every_alert_says_what_to_do() -> None:
    rules = RULES.read_text(encoding="utf-8")
    alerts = rules.split("- alert: ")[1:]
    assert len(alerts) >= 10
    for alert in alerts:
        assert "summary: " in alert
        assert "description: " in alert
        assert re.search(r"severity: (critical|warning) ", alert)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Debian package prometheus) is not installed")
def test_prometheus_accepts_the_alerts() -> None:
    done = subprocess.run(["promtool", "check", "rules", str(RULES)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def configurations() -> list[str]:
    """The ``prometheus.yml`` of the handbook, each as a file."""
    text = (FOLDER.parent / "operations.md").read_text(encoding="utf-8")
    found = re.findall(r"^    # prometheus\.yml\n((?:    .*\n)+)", text, re.MULTILINE)
    return [textwrap.dedent(each) for each in found]


def check_configuration(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Have Prometheus check a configuration, with the files that it names in a folder."""
    (folder / "prometheus.yml").write_text(text.replace("/etc/prometheus/", f"{folder}/"), encoding="utf-8")
    for name in ("securechat-token", "securechat-ca.pem"):
        (folder / name).write_text("", encoding="utf-8")
    shutil.copy(RULES, folder)
    command = ["promtool", "check", "config", str(folder / "prometheus.yml")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Debian package prometheus) is not installed")
def test_prometheus_accepts_the_configurations_of_the_handbook(tmp_path: Path) -> None:
    by_token, by_listener = configurations()
    assert "credentials_file" in by_token
    assert "credentials_file" not in by_listener
    for text in (by_token, by_listener):
        done = check_configuration(text, tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "1 rule files found" in done.stdout
    assert check_configuration(by_token.replace("credentials_file", "credential_file"), tmp_path).returncode != 0


def test_the_panels_of_the_dashboard_do_not_lie_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
