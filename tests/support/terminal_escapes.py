"""What a program has written to a terminal, without its text: each escape sequence and control as a short word.

Numbers that only say where or in which colour are written as ``#``, so that the words of a program are few, and a list
of them can be kept. The parser is that of ECMA-48 and of xterm's string sequences, and knows nothing of the client.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable

from tests.support.golden import GOLDEN

PATH = GOLDEN / "terminal_escapes.txt"
_SEQUENCE = re.compile(
    r"\x1b\[(?P<csi>[\x30-\x3f]*[\x20-\x2f]*[\x40-\x7e])"
    r"|\x1b(?P<kind>[\]P_^X])(?P<string>[^\x07\x1b\x9c]*)(?P<end>\x07|\x1b\\)"
    r"|\x1b(?P<short>[\x20-\x2f]*[\x30-\x7e])"
    r"|(?P<control>[\x00-\x1f\x7f-\x9f])"
    r"|(?P<sign>[\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f])"
)
_HALF = re.compile(r"\x1b(?:\[[\x20-\x3f]*|[\]P_^X][^\x07\x1b]*\x1b?)?\Z")
_KINDS = {"]": "OSC", "P": "DCS", "_": "APC", "^": "PM", "X": "SOS"}
_PLACED = "ABCDGHJKXmd"
"""CSI sequences whose numbers only say where, how much or how it looks."""


def escapes(output: bytes) -> set[str]:
    """Return the words of everything in some output that is no text; the last one may be half read."""
    text = codecs.getincrementaldecoder("utf-8")().decode(output)
    return {_word(found) for found in _SEQUENCE.finditer(_HALF.sub("", text))}


def _word(found: re.Match[str]) -> str:
    if (csi := found["csi"]) is not None:
        placed = csi[-1] in _PLACED and csi[0] not in "?<=>"
        return f"CSI {re.sub('[0-9;]+', '#', csi) if placed else csi}"
    if found["kind"] is not None:
        return f"{_KINDS[found['kind']]} {_payload(found['string'])} {'BEL' if found['end'] == chr(7) else 'ST'}"
    if found["short"] is not None:
        return f"ESC {found['short']}"
    return f"U+{ord(found[0]):04X}"


def _payload(payload: str) -> str:
    """Return a string's content, with what may differ as a word."""
    payload = re.sub(r"^2;securechat \(\d+\+?\)$", "2;securechat (N)", payload)
    payload = re.sub(r"^8;id=[0-9a-f]{8};https?://[!-~]*$", "8;id=HASH;LINK", payload)
    return re.sub(r"^8;id=[^;]*;https?://[!-~]*$", "8;id=OTHER;LINK", payload)


def known(shell: str) -> set[str]:
    """Return the words that a shell of the client may write: ``lines`` or ``screen``."""
    return {word for kind, _, word in map(_parts, _lines()) if kind == shell}


def keep(shell: str, words: Iterable[str]) -> None:
    """Write the words of a shell into the list, in place of those there."""
    others = [line for line in _lines() if _parts(line)[0] != shell]
    PATH.write_text(
        "".join(f"{line}\n" for line in sorted({*others, *(f"{shell}: {word}" for word in words)})), encoding="utf-8"
    )


def _lines() -> list[str]:
    return PATH.read_text(encoding="utf-8").splitlines() if PATH.exists() else []


def _parts(line: str) -> tuple[str, str, str]:
    return line.partition(": ")
