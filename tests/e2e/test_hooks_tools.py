"""Incoming webhooks with programs that send to them: Alertmanager, slack_sdk, apprise and curl, over TLS with our CA.

Each is set up as docs/bots.md says; each message is there once, rendered as it is read.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from securechat.model import Message
from tests.support.admin import row
from tests.support.native import NativeClient
from tests.support.server import PATIENCE_S, ServerProcess, wait_until

Connect = Callable[..., NativeClient]
ALERTMANAGER = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
APPRISE = shutil.which("apprise", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))


@pytest.fixture
def address(server: ServerProcess) -> str:
    """The address of a webhook of the lobby, called ``alerts``."""
    made = row(server, "hook", "add", "lobby", "alerts", "--host", f"{server.host}:{server.port}")
    example = made["example"]
    assert isinstance(example, str)
    return example


@pytest.fixture
def ana(server: ServerProcess, connect: Connect) -> NativeClient:
    client: NativeClient = connect(server, "ana")
    return client


def heard(ana: NativeClient) -> list[tuple[str, str]]:
    """Name and text of all messages of the lobby, in which webhooks alone have written."""
    messages = ana.history("lobby")
    assert all(message.bot for message in messages)
    return [(message.name, message.text) for message in messages]


# --- Alertmanager -----------------------------------------------------------------------------------------------------

CONFIG = """
route:
  receiver: chat
  group_wait: 0s
  group_interval: 1s
receivers:
  - name: chat
    slack_configs:
      - api_url_file: {folder}/chat-hook
        send_resolved: true
        http_config:
          tls_config:
            ca_file: {ca}
        text: |-
          {{{{ range .Alerts }}}}{{{{ .Annotations.summary }}}}: {{{{ .Annotations.description }}}}
          {{{{ end }}}}
"""


class Alertmanager:
    """A running Alertmanager, asked over its API v2."""

    def __init__(self, port: int) -> None:
        self._port = port

    def ask(self, method: str, path: str, record: object = None) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE_S)
        try:
            body = None if record is None else json.dumps(record)
            connection.request(method, path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def is_ready(self) -> bool:
        try:
            return self.ask("GET", "/-/ready")[0] == 200
        except OSError:
            return False

    def alert(self, *, ends: timedelta) -> None:
        """Tell of the one alert: with an end in the past, that it is over."""
        now = datetime.now(UTC)
        alert = {
            "labels": {"alertname": "DiskFull", "instance": "nas"},
            "annotations": {"summary": "Disk nearly full", "description": "92 % & <rising>"},
            "startsAt": (now - timedelta(minutes=2)).isoformat(),
            "endsAt": (now + ends).isoformat(),
        }
        assert self.ask("POST", "/api/v2/alerts", [alert])[0] == 200

    def counted(self, name: str) -> float:
        """The value of one of its metrics about Slack's integration."""
        text = self.ask("GET", "/metrics")[1]
        prefix = f'alertmanager_{name}{{integration="slack"}} '
        return sum(float(line.removeprefix(prefix)) for line in text.splitlines() if line.startswith(prefix))


@contextmanager
def alertmanager(folder: Path) -> Iterator[Alertmanager]:
    assert ALERTMANAGER is not None
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = folder / "alertmanager.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [
                ALERTMANAGER,
                f"--config.file={folder / 'alertmanager.yml'}",
                f"--storage.path={folder / 'alertmanager'}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--cluster.listen-address=",
            ],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
        try:
            manager = Alertmanager(port)
            wait_until(lambda: process.poll() is not None or manager.is_ready(), "Alertmanager is ready")
            assert process.poll() is None, log.read_text()
            yield manager
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


@pytest.mark.skipif(ALERTMANAGER is None, reason="prometheus-alertmanager is not installed")
def test_an_alert_fires_and_is_resolved_each_once(
    server: ServerProcess, address: str, ana: NativeClient, tmp_path: Path
) -> None:
    (tmp_path / "chat-hook").write_text(address)
    (tmp_path / "alertmanager.yml").write_text(CONFIG.format(folder=tmp_path, ca=server.ca))
    with alertmanager(tmp_path) as manager:
        manager.alert(ends=timedelta(hours=1))
        fired = wait_for(ana, "[FIRING:1]")
        manager.alert(ends=timedelta(minutes=-1))
        resolved = wait_for(ana, "[RESOLVED]")
        wait_until(lambda: manager.counted("notifications_total") == 2, "both count as sent")
        assert manager.counted("notifications_failed_total") == 0
        assert manager.counted("notification_requests_failed_total") == 0
    assert [text for _, text in heard(ana)] == [fired, resolved]
    for text in (fired, resolved):
        title, *rest = text.splitlines()
        assert "(DiskFull nas)" in title
        assert "receiver=chat)" in title, "the address of the title"
        assert rest == ["Disk nearly full: 92 % & <rising>"]
    assert {name for name, _ in heard(ana)} == {"Alertmanager via alerts"}


def wait_for(ana: NativeClient, start: str) -> str:
    """The text of the first message that begins so."""
    return ana.wait_for(Message, lambda message: message.text.startswith(start)).text


# --- slack_sdk, apprise, curl -----------------------------------------------------------------------------------------


def test_slack_sdk_posts(server: ServerProcess, address: str, ana: NativeClient) -> None:
    webhook = pytest.importorskip("slack_sdk.webhook", reason="slack_sdk is not installed")
    chat = webhook.WebhookClient(address, ssl=ssl.create_default_context(cafile=str(server.ca)))
    answers = [
        chat.send(text="Backup *done*, see <https://nas.lan/log|the log> &amp; sleep"),
        chat.send(
            text="Deployed web",
            blocks=[
                {"type": "header", "text": {"type": "plain_text", "text": "Deployed web"}},
                {"type": "section", "fields": [{"type": "mrkdwn", "text": "*by* ana"}]},
            ],
        ),
    ]
    assert [(answer.status_code, answer.body) for answer in answers] == [(200, "ok"), (200, "ok")]
    assert heard(ana) == [
        ("alerts", "Backup done, see the log (https://nas.lan/log) & sleep"),
        ("alerts", "Deployed web\nby ana"),
    ]
    refused = chat.send(text="")
    assert (refused.status_code, refused.body) == (400, "no_text")


def test_slack_sdk_without_the_ca_sends_nothing(address: str, ana: NativeClient) -> None:
    webhook = pytest.importorskip("slack_sdk.webhook", reason="slack_sdk is not installed")
    with pytest.raises(OSError, match="certificate verify failed"):
        webhook.WebhookClient(address).send(text="never")
    assert heard(ana) == []


def test_apprise_posts_by_its_address_for_mattermost(
    server: ServerProcess, address: str, ana: NativeClient, tmp_path: Path
) -> None:
    pytest.importorskip("apprise", reason="apprise is not installed")
    assert APPRISE is not None
    config = tmp_path / "alerts.conf"
    config.write_text(address.replace("https://", "mmosts://").replace("/hooks/", "/") + "\n")
    done = subprocess.run(
        [APPRISE, f"--config={config}", "--title=Disk nearly full", "--body=nas: 92 %"],
        env={**os.environ, "REQUESTS_CA_BUNDLE": str(server.ca)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    ((name, text),) = heard(ana)
    assert name == "Apprise via alerts"
    assert text == "Disk nearly full\nnas: 92 %"


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_a_cron_job_posts_once_however_often_it_repeats(
    server: ServerProcess, address: str, ana: NativeClient, tmp_path: Path
) -> None:
    config = tmp_path / "chat.curl"
    config.write_text(f'url = "{address}"\ncacert = "{server.ca}"\nfail\nretry = 5\nretry-all-errors\n')
    for key in ("backup-1", "backup-1", "backup-2"):
        command = ["curl", "-sS", "-K", str(config), "-H", f"Idempotency-Key: {key}", "-d", "backup failed"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        assert (done.returncode, done.stdout) == (0, "ok"), done.stderr
    assert heard(ana) == [("alerts", "backup failed")] * 2
