"""Removes from a text what a terminal takes for an instruction: the filter behind all that a shell writes."""

from __future__ import annotations

import re

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
"""What is never written: C0, DEL and C1 (ECMA-48), what breaks or reorders a row (UAX #9), and lone surrogates."""


def harmless(text: str) -> str:
    """Return a text without controls: each is replaced by U+FFFD, so that the cells stay where they are."""
    return text if text.isascii() and text.isprintable() else _CONTROL.sub("\ufffd", text)
