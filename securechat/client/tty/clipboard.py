"""Copies to the clipboard through the terminal: OSC 52, write only.

What the clipboard holds is never asked for: a terminal that answered would hand it to any
program that can write to the screen.
"""

from __future__ import annotations

from base64 import b64encode

MOST_BYTES = 74_994
"""Of a copied text: xterm and others take 100,000 characters of a sequence; base64 has four for three bytes."""


def copying(text: str) -> str | None:
    """Return the sequence that copies a text; None where it is too long for terminals."""
    data = text.encode(errors="replace")
    return f"\x1b]52;c;{b64encode(data).decode()}\x1b\\" if len(data) <= MOST_BYTES else None
