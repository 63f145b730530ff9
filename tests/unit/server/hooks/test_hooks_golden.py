"""What well-known programs send, and the message that becomes of it.

``tests/golden/hooks/``: NAME.body is the body as its program writes it, made after the source that ``senders.json``
names, with values of our own; NAME.txt is the message.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from securechat.hub.messages.mentions import mentioned
from securechat.server.hooks.delivery_key import delivery_key
from securechat.server.hooks.payload import parse
from securechat.server.hooks.rendering import render
from securechat.server.hooks.username import shown_name

GOLDEN = Path(__file__).resolve().parents[3] / "golden" / "hooks"
SENDERS: dict[str, dict[str, Any]] = json.loads((GOLDEN / "senders.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", SENDERS)
def test_a_payload_is_rendered(name: str) -> None:
    sender = SENDERS[name]
    payload = parse((GOLDEN / f"{name}.body").read_bytes(), sender["content_type"])
    rendered = render(payload)
    assert rendered.text + "\n" == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")
    assert rendered.ignored == sender["ignored"]
    assert mentioned(rendered.text, lambda _key: 1) == ()
    wanted = f"{sender['username']} via hook" if "username" in sender else "hook"
    assert shown_name(payload.username, "hook", lambda _name: False) == wanted


def test_a_redelivery_of_gitea_has_its_key() -> None:
    sender = SENDERS["gitea_push"]
    headers = [(name.lower().encode(), value.encode()) for name, value in sender["headers"]]
    assert delivery_key(headers) == sender["key"]


def test_every_sender_of_the_issue_is_there() -> None:
    kinds = {name.split("_")[0] for name in SENDERS}
    assert {"grafana", "alertmanager", "gitea", "uptime", "healthchecks", "slack", "apprise", "form", "curl"} == kinds


def test_no_file_is_forgotten() -> None:
    names = {path.name for path in GOLDEN.iterdir()} - {"senders.json"}
    assert names == {f"{name}.{kind}" for name in SENDERS for kind in ("body", "txt")}
