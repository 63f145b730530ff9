"""Reads the names of emoji, which are those of the page."""

from __future__ import annotations

from importlib.resources import files

import msgspec

from securechat.translation import language


def emoji_groups() -> list[str]:
    """Return the names of emoji, which the page has too; none where they cannot be read."""
    try:
        path = files("securechat") / "web" / f"emoji.{language()}.json"
        return msgspec.json.decode(path.read_bytes(), type=list[str])
    except (OSError, msgspec.DecodeError):
        return []
