"""The search for secrets in what the tests have written finds them wherever they stand."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from securechat.limits import API_TOKEN_BYTES
from securechat.text.api_tokens import api_token
from tests.support import secrecy

TOKENS = [secrets.token_hex(16) for _ in range(3)]
PHRASE = "a phrase that nobody else says"


@pytest.fixture(autouse=True)
def _others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other secrets than the real ones, which must not be written down here either."""
    monkeypatch.setattr(secrecy, "_KEPT", {*TOKENS, PHRASE})


@pytest.mark.parametrize(
    ("content", "hits"),
    [
        ("", 0),
        ("nothing", 0),
        (TOKENS[0], 1),
        (f"\0{TOKENS[0]}\0", 1),
        (f"0{TOKENS[1]}", 1),
        (f"{TOKENS[1]}f", 1),
        (f"{'ab' * 40}{TOKENS[2]}{'c' * 33}", 1),
        (f"{TOKENS[0]}{TOKENS[1]}", 2),
        (f"{TOKENS[0]} {TOKENS[0]}", 1),
        (f"{'0' * 64}\n{TOKENS[0]} and {TOKENS[2]}, {PHRASE}", 3),
        (TOKENS[0][:-1], 0),
        (TOKENS[0][1:] + "g", 0),
        (TOKENS[0].upper(), 0),
        ("f" * 100, 0),
        (PHRASE, 1),
    ],
    ids=range(15),
)
def test_it_counts_what_is_there(tmp_path: Path, content: str, hits: int) -> None:
    assert sum(secret in content for secret in secrecy._KEPT) == hits  # as anybody would look for them
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "file").write_bytes(b"\xff\0" + content.encode() + b"\xff")
    (tmp_path / "clean").write_text("clean")
    assert secrecy.files_with_secrets(tmp_path) == ([f"inner/file: {hits}"] if hits else [])


def test_what_exists_to_hold_a_secret_is_left_out(tmp_path: Path) -> None:
    for name in ("x.password", "x.toml-login", "x.login.json", "x.txt"):
        (tmp_path / name).write_text(TOKENS[0])
    assert secrecy.files_with_secrets(tmp_path) == ["x.txt: 1"]


@pytest.mark.parametrize(
    ("content", "hits"),
    [("{}", 1), ("x{}y", 1), ("a hook at /hooks/{} is called", 1), ("{} {}", 2)],
    ids=range(4),
)
def test_it_finds_api_tokens_without_being_told(tmp_path: Path, content: str, hits: int) -> None:
    token = api_token(secrets.token_bytes(API_TOKEN_BYTES))
    mistyped = token[:-1] + ("0" if token[-1] != "0" else "1")
    (tmp_path / "file").write_bytes(b"\xff\0" + content.replace("{}", token).encode() + b"\xff")
    (tmp_path / "none").write_text(f"{mistyped} {token[:-1]}")
    assert secrecy.files_with_secrets(tmp_path) == [f"file: {hits}"]
    (tmp_path / "file").unlink()  # the search at the end of the run would find it, too
    with pytest.raises(AssertionError, match="the server printed a secret"):
        secrecy.expect_clean("the server", [content.replace("{}", token)])
    secrecy.expect_clean("the server", [mistyped])
