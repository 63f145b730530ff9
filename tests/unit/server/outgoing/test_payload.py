from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from securechat.limits import MAX_TEXT_CHARS
from securechat.model import FileInfo, Message
from securechat.server.outgoing.payload import Payload, delivery_id, payload_of
from securechat.server.outgoing.signature import WebhookSecret, signed_headers
from tests.support.golden import GOLDEN

VECTORS = [json.loads(line) for line in (GOLDEN / "webhook_v1.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_the_bytes_of_a_delivery_stay(vector: dict[str, Any]) -> None:
    """Fields may be added behind these; then the vectors are extended, and nothing in them changes."""
    files = [FileInfo(**file) for file in vector["message"].get("files", ())]
    body = payload_of(Message(**{**vector["message"], "files": files}), bot=vector["bot"])
    assert body.decode() == vector["body"]
    assert json.loads(body)["data"]["text"] == vector["message"]["text"]


def test_the_vectors_have_every_field() -> None:
    found = [msgspec.json.decode(vector["body"], type=Payload) for vector in VECTORS]
    assert {each.data.sender.bot for each in found} == {True, False}
    assert {each.data.reply is msgspec.UNSET for each in found} == {True, False}
    assert {bool(each.data.mentions) for each in found} == {True, False}
    assert {each.data.files is msgspec.UNSET for each in found} == {True, False}


def test_a_direct_message_is_not_delivered() -> None:
    with pytest.raises(ValueError, match="direct message"):
        payload_of(Message(1, 0, 2, "Ana", 0, "hi", to=3, to_name="Budi"), bot=False)


@pytest.mark.parametrize("char", ["\x01", "\U0001f600", '"', "é"])
def test_the_longest_text_has_a_bound(char: str) -> None:
    body = payload_of(Message(2**53 - 1, 0, 2**53 - 1, char * 32, 0, char * MAX_TEXT_CHARS, room=char * 64), bot=True)
    assert len(body) <= 6 * MAX_TEXT_CHARS + 6 * 96 + 300


SAID = Message(1, 0, 2, "Ana", 1_796_000_000_123, "hi", room="ops")


def test_an_id_differs_between_hooks_and_messages() -> None:
    ids = {delivery_id(hook, replace(SAID, seq=seq)) for hook in ("a", "b", "a1") for seq in (1, 2, 11)}
    assert len(ids) == 9
    for each in ids:
        signed_headers(each, 0, b"", [WebhookSecret(bytes(24))])


@pytest.mark.parametrize("other", [{"sent_at_ms": 1_796_000_000_124}, {"sender_id": 3}], ids=repr)
def test_another_message_with_the_same_seq_has_another_id(other: dict[str, int]) -> None:
    """A server that was restored from a backup gives seqs once more."""
    assert delivery_id("a", replace(SAID, **other)) != delivery_id("a", SAID)


def test_an_id_is_the_same_at_every_attempt() -> None:
    assert delivery_id("a", SAID) == "msg_65794b565b5d27ea584b255cdd68c3a8"
    later = replace(SAID, text="edited", edited=5, changed=6, name="Anna", room="renamed", prev=0)
    assert delivery_id("a", later) == delivery_id("a", SAID)
