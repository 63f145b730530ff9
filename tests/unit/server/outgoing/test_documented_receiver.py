"""The programs in docs/bots.md that receive webhooks, as a reader copies them."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from securechat.server.outgoing.attempt import Attempt
from securechat.server.outgoing.destinations import parse_destination
from securechat.server.outgoing.networks import NetworkPolicy, parse_networks
from securechat.server.outgoing.outcome import Delivered, DeliveryProblem, Failed
from securechat.server.outgoing.sender import OutgoingRequest, OutgoingSettings, WebhookSender
from securechat.server.outgoing.signature import WebhookSecret, signed_headers
from tests.support.receiver import PATIENCE_S, closed_port
from tests.support.secrecy import keep_secret
from tests.support.server import wait_until

ROOT = Path(__file__).resolve().parents[4]
TEXT = (ROOT / "docs" / "bots.md").read_text(encoding="utf-8").split("\n## Messages to other programs\n")[1]
PROGRAM, BY_HAND = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
SECRET, OTHER = WebhookSecret(bytes(range(40))), WebhookSecret(bytes(40))
POLICY = NetworkPolicy(parse_networks(["127.0.0.1"]))


def example() -> bytes:
    """The body in the document, on one line as it is sent."""
    (found,) = re.findall(r'^    (\{"type".*\n     .*)$', TEXT, re.MULTILINE)
    return "".join(line.strip() for line in found.splitlines()).encode()


def test_the_body_is_that_of_the_golden_vector() -> None:
    assert example().decode() in (ROOT / "tests/golden/webhook_v1.jsonl").read_text().replace('\\"', '"')


def test_the_program_verifies_and_replies_once(tmp_path: Path) -> None:
    path, port = tmp_path / "receiver.py", closed_port()
    path.write_text(PROGRAM, encoding="utf-8")
    environment = {**os.environ, "WEBHOOK_SECRET": keep_secret(SECRET.revealed()), "PORT": str(port)}
    with subprocess.Popen([sys.executable, path], env=environment, stderr=subprocess.DEVNULL) as receiver:
        try:
            wait_until(lambda: is_listening(port), "the receiver listens")
            sender = WebhookSender(OutgoingSettings(POLICY))

            def send(delivery_id: str, *secrets: WebhookSecret) -> Any:
                destination = parse_destination(f"http://127.0.0.1:{port}/chat", POLICY)
                return sender.send(
                    OutgoingRequest(destination, delivery_id, example(), secrets), Attempt(limit_s=PATIENCE_S)
                )

            assert send("msg_1", SECRET) == Delivered("Ana said !deploy web")
            assert send("msg_1", SECRET) == Delivered(), "the same delivery again"
            assert send("msg_2", OTHER, SECRET) == Delivered("Ana said !deploy web"), (
                "while the secret is being changed"
            )
            assert send("msg_3", OTHER) == Failed(DeliveryProblem.STATUS, "the receiver answered 401", 401)
        finally:
            receiver.kill()


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_function_tells_genuine_deliveries_from_others() -> None:
    namespace: dict[str, Any] = {}
    exec(BY_HAND, namespace)
    is_genuine, now_s = namespace["is_genuine"], int(namespace["time"].time())
    body = example()
    for secrets in ([SECRET], [OTHER, SECRET], [SECRET, OTHER]):
        assert is_genuine(SECRET.revealed(), signed_headers("msg_1", now_s, body, secrets), body)
    headers = signed_headers("msg_1", now_s, body, [SECRET])
    assert not is_genuine(OTHER.revealed(), headers, body)
    assert not is_genuine(SECRET.revealed(), headers, body + b" ")
    assert not is_genuine(SECRET.revealed(), {**headers, "webhook-id": "msg_2"}, body)
    assert not is_genuine(SECRET.revealed(), signed_headers("msg_1", now_s - 301, body, [SECRET]), body)
