"""Replays the fuzz corpus, and a few fresh inputs with a fixed seed, so that a finding stays found."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest

from securechat.wire.http import HttpServerCodec
from tests.fuzz.harnesses import HARNESSES, HOOK_TYPES
from tests.fuzz.run import CORPUS, mutate, seeds
from tests.fuzz.tus_requests import rig
from tests.support.golden import GOLDEN, all_vectors, web_vectors

FILES = sorted(path for path in CORPUS.glob("*/*") if path.is_file())


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_replay(path: Path) -> None:
    HARNESSES[path.parent.name](path.read_bytes())


@pytest.mark.parametrize("harness", HARNESSES)
def test_every_harness_has_a_corpus_and_survives_its_mutants(harness: str) -> None:
    corpus = seeds(harness)
    assert len(corpus) >= 3
    dice = random.Random(f"{harness} 1")
    for _ in range(300):
        HARNESSES[harness](mutate(dice.choice(corpus), corpus, dice))


@pytest.mark.parametrize("side", ["command", "event"])
def test_the_golden_frames_are_a_corpus_too(side: str) -> None:
    run = HARNESSES["native_server" if side == "command" else "native_client"]
    for row in all_vectors():
        for how in (b"\x00", b"\x01", b"\x07"):
            run(how + row["bytes"])


def test_the_golden_frames_of_websocket_are_a_corpus_too() -> None:
    for row in web_vectors("client"):
        for how in (b"\x00", b"\x01", b"\x03", b"\x0e"):
            HARNESSES["web_server"](how + row["bytes"])


@pytest.mark.parametrize("path", sorted((GOLDEN / "hooks").glob("*.body")), ids=lambda path: path.stem)
def test_the_golden_bodies_of_webhooks_are_a_corpus_too(path: Path) -> None:
    for how in range(len(HOOK_TYPES)):
        HARNESSES["hook_body"](bytes([how]) + path.read_bytes())


def test_the_harness_of_webhooks_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("securechat.server.hooks.payload._NONSENSE", ())
    with pytest.raises(msgspec.DecodeError):
        HARNESSES["hook_body"]((CORPUS / "hook_body" / "half_character").read_bytes())


def test_the_harness_of_tus_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    run, wrong = HARNESSES["tus_headers"], (CORPUS / "tus_headers" / "wrong_checksum").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr("securechat.server.api.tus.compare_digest", lambda *_: True)
        with pytest.raises(AssertionError, match="the checksum of another"):
            run(wrong)
    rig().clear()
    run(wrong)
    with monkeypatch.context() as patch:
        patch.setattr("securechat.server.api.tus._PartExchange._leave", lambda _: None)
        with pytest.raises(AssertionError, match="has changed the upload"):
            run((CORPUS / "tus_headers" / "cut_off_with_checksum").read_bytes())
    rig.cache_clear()


def test_the_harness_of_http_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    smuggled = b"\0GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 26\r\n\r\nGET / HTTP/1.1\r\nHost: b\r\n\r\n"
    HARNESSES["http_server"](smuggled)
    monkeypatch.setattr("securechat.wire.http._body_bytes", lambda _head, _most_bytes: 0)
    with pytest.raises(AssertionError, match="another reader sees a body"):
        HARNESSES["http_server"](smuggled)


def test_the_harness_of_bodies_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    posted = b"\0POST /api/ HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHost: b\r\n\r\n"
    HARNESSES["http_bodies"](posted)
    monkeypatch.setattr("securechat.wire.http._body_bytes", lambda _head, _most_bytes: 2)
    with pytest.raises(AssertionError, match="another body"):
        HARNESSES["http_bodies"](posted)


def test_the_harness_of_uploads_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """The body was given as it came, with what is behind it."""
    two = (CORPUS / "http_upload" / "two").read_bytes()
    HARNESSES["http_upload"](two)

    def greedy(codec: HttpServerCodec, data: bytes = b"") -> bytes:
        codec.receive_data(data)
        codec.unread_bytes = 0
        return codec.switch()

    monkeypatch.setattr("securechat.wire.http.HttpServerCodec.take_body", greedy)
    with pytest.raises(AssertionError):
        HARNESSES["http_upload"](two)


def test_the_harness_of_ranges_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """A suffix that is longer than the file began before it."""
    suffix = (CORPUS / "file_range" / "suffix").read_bytes()
    HARNESSES["file_range"](suffix)
    monkeypatch.setattr("securechat.server.web.ranges.min", lambda first, _second: first, raising=False)
    with pytest.raises(AssertionError):
        HARNESSES["file_range"](suffix)


def test_a_harness_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bug that was there once: text that is no UTF-8 came out of the codec as an error of msgspec."""
    monkeypatch.setattr("securechat.wire.native._NONSENSE", (RecursionError,))
    with pytest.raises((UnicodeDecodeError, msgspec.DecodeError)):  # by the version of msgspec
        HARNESSES["native_server"]((CORPUS / "native_server" / "bad_utf8").read_bytes())
