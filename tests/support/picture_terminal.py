"""A terminal that shows pictures by kitty's protocol, as far as its output tells: what it holds, and what stands where.

It is strict: a command within a transmission, a picture that is placed and not held, or a key that is not known fails
the test.
"""

from __future__ import annotations

import re
from base64 import b64decode
from dataclasses import dataclass, field

CELL = (10, 20)
ANSWERS = {
    b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\": b"\x1b_Gi=31;OK\x1b\\",
    b"\x1b[16t": b"\x1b[6;20;10t",
    b"\x1b[c": b"\x1b[?62;c",
}
"""Of a terminal with kitty's protocol and cells of 10 x 20 pixels."""
SIXEL_ANSWERS = {b"\x1b[16t": b"\x1b[6;20;10t", b"\x1b[c": b"\x1b[?62;4;22c"}
_PARTS = re.compile(
    r"\x1b_G(?P<keys>[^;\x1b]*)(?:;(?P<data>[A-Za-z0-9+/=]*))?\x1b\\|\x1b\[(?P<row>\d+);(?P<column>\d+)H"
    r"|(?P<clear>\x1b\[2J|\x1b\[\?1049[hl])|(?P<other>\x1b_)"
)
_KEYS = frozenset("aifqmpcrxywhCdstv")


@dataclass(frozen=True)
class Placed:
    """A placement: the cell where it begins, from 0, its size in cells, and the part of the picture, in pixels."""

    column: int
    row: int
    columns: int
    rows: int
    source: tuple[int, int, int, int]


@dataclass
class PictureTerminal:
    """Takes output as it comes.

    Attributes:
        held: the PNGs by number.
        placed: what is to be seen, by number of picture and placement.
        transmitted: how many pictures were transmitted to their end.
    """

    held: dict[int, bytes] = field(default_factory=dict)
    placed: dict[tuple[int, int], Placed] = field(default_factory=dict)
    transmitted: int = 0
    _sending: tuple[int, str] | None = None
    _cursor: tuple[int, int] = (0, 0)
    _rest: str = ""

    def feed(self, data: bytes | str) -> None:
        """Take output."""
        text = self._rest + (data if isinstance(data, str) else data.decode("utf-8", "replace"))
        at = text.rfind("\x1b")
        whole = (
            at < 0 or text.endswith("\x1b\\") or (text[at + 1 : at + 2] == "[" and re.search("[@-~]", text[at + 2 :]))
        )
        begins = text.rfind("\x1b_G")
        if begins >= 0 and "\x1b\\" not in text[begins:]:
            whole, at = False, begins
        text, self._rest = (text, "") if whole else (text[:at], text[at:])
        for part in _PARTS.finditer(text):
            if part["row"]:
                self._cursor = (int(part["column"]) - 1, int(part["row"]) - 1)
            elif part["clear"]:
                self.placed.clear()
            else:
                assert part["other"] is None, text[part.start() :][:80]
                pairs = [each.partition("=") for each in part["keys"].split(",")]
                self._command({key: value for key, _, value in pairs}, part["data"] or "")

    def at(self, row: int) -> list[Placed]:
        """What stands on a row of the screen."""
        return [each for each in self.placed.values() if each.row <= row < each.row + each.rows]

    def _command(self, keys: dict[str, str], data: str) -> None:
        assert keys.keys() <= _KEYS, keys
        action = keys.get("a")
        if action is None:
            assert self._sending is not None, keys
            number, before = self._sending
            self._take(number, before + data, more=keys["m"] == "1")
            return
        assert self._sending is None, f"{keys} within a transmission"
        if action == "q":
            return
        assert keys["q"] == "2", "it would answer as if it was typed"
        number = int(keys["i"])
        if action == "t":
            self._take(number, data, more=keys["m"] == "1")
        elif action == "p":
            assert number in self.held, keys
            assert keys["C"] == "1", "it would scroll the screen"
            source = tuple(int(keys[each]) for each in "xywh")
            size = int(keys["c"]), int(keys["r"])
            self.placed[number, int(keys["p"])] = Placed(*self._cursor, *size, source)  # type: ignore[arg-type]
        else:
            assert action == "d", keys
            gone = [key for key in self.placed if key[0] == number and keys.get("p", str(key[1])) == str(key[1])]
            for key in gone:
                del self.placed[key]
            if keys["d"] == "I":
                self.held.pop(number, None)

    def _take(self, number: int, text: str, *, more: bool) -> None:
        if more:
            self._sending = (number, text)
            return
        self._sending = None
        png = b64decode(text)
        if png.endswith(b"IEND\xaeB`\x82"):
            self.held[number] = png
            self.transmitted += 1
