"""What must never be written down: passwords and tokens that tests use, and where to look for them.

Every test takes its passwords from here or says `keep_secret`; at the end of a run everything that was written is
searched for them and for API tokens (`tests/conftest.py`). Only what exists to hold a secret is left out: the client's
kept logins, and files that a test itself makes to hand a password or a token over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from securechat.text.api_tokens import is_well_formed

PASSWORD = "correct horse battery"
OTHER_PASSWORD = "staple of another kind"
WRONG_PASSWORD = "not the right one"
_KEPT = {PASSWORD, OTHER_PASSWORD, WRONG_PASSWORD}
_TOKEN_CHARS = 32
_IS_HEX_DIGIT = bytes(byte in b"0123456789abcdef" for byte in range(256))
_TOKEN_MARKS = b"\1" * _TOKEN_CHARS
_API_TOKEN = re.compile(rb"scb_[0-9A-Za-z]{49}")
_MAY_HOLD = (".password", ".toml-login", ".login.json", "token", "chat.curl", "chat-hook", "alerts.conf")


def keep_secret(secret: str) -> str:
    """Remember a secret that came up during a test (a token, a temporary password); returns it."""
    if secret:
        _KEPT.add(secret)
    return secret


def secrets_in(text: str) -> list[str]:
    """Return what of the secrets stands in a text, and every API token: those need no `keep_secret`."""
    return [*(secret for secret in _KEPT if secret in text), *_api_tokens_in(text.encode(errors="replace"))]


def _api_tokens_in(content: bytes) -> list[str]:
    return [token for token in map(bytes.decode, _API_TOKEN.findall(content)) if is_well_formed(token)]


def expect_clean(what: str, lines: Iterable[str]) -> None:
    """Fail when a secret stands in what a process has printed."""
    for line in lines:
        assert not secrets_in(line), f"{what} printed a secret"


def expect_clean_command(command: Sequence[str]) -> None:
    """Fail when a secret stands in a command line; single-use invite links are the one exception."""
    for argument in command:
        assert "/join-once/" in argument or not secrets_in(argument), "a secret on a command line"


def files_with_secrets(directory: Path) -> list[str]:
    """Search every file below a directory; returns which file holds how many secrets."""
    tokens = {secret.encode() for secret in _KEPT if _is_token(secret)}
    others = [secret.encode() for secret in _KEPT if not _is_token(secret)]
    found: list[str] = []
    for path in sorted(directory.rglob("*")):
        if path.name.endswith(_MAY_HOLD) or "securechat-state" in path.parts or path.is_symlink() or not path.is_file():
            continue
        try:
            content = path.read_bytes()
        except OSError:
            continue  # a test's own unreadable file
        hits = sum(secret in content for secret in others) + len(_api_tokens_in(content))
        if hits := hits + len(tokens.intersection(_possible_tokens(content))):
            found.append(f"{path.relative_to(directory)}: {hits}")
    return found


def _is_token(secret: str) -> bool:
    return len(secret) == _TOKEN_CHARS and not secret.strip("0123456789abcdef")


def _possible_tokens(content: bytes) -> Iterator[bytes]:
    """Whatever could be a token: there are hundreds of them, and looking for each takes a minute for a gigabyte."""
    marks = content.translate(_IS_HEX_DIGIT)
    begin = marks.find(_TOKEN_MARKS)
    while begin >= 0:
        end = marks.find(b"\0", begin)
        run = content[begin : end if end >= 0 else None]
        yield from (run[at : at + _TOKEN_CHARS] for at in range(len(run) - _TOKEN_CHARS + 1))
        begin = marks.find(_TOKEN_MARKS, begin + len(run))
