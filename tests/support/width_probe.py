"""Runs in a terminal and asks it what it has drawn: ``python -m tests.support.width_probe MODE INPUT OUTPUT``.

- ``measure``: INPUT is a JSON list of texts, OUTPUT becomes the list of the columns that each takes here.
- ``show``: INPUT is a JSON list of what is to be written, one screen after the other. After each, OUTPUT becomes its
  number, and the next key leads on.
- ``print``: likewise, but the terminal itself prints each screen (ECMA-48 MC) into the named pipe OUTPUT.pipe, and
  OUTPUT becomes the list of what was printed.

The answer to a question for the place of the cursor (DSR 6) says that all before it is drawn.
"""

from __future__ import annotations

import json
import os
import re
import sys
import termios
import tty
from pathlib import Path

_ANSWER = re.compile(rb"\x1b\[(\d+);(\d+)R")
_ASK = b"\x1b[6n"
_AT_ONCE = 100
"""Questions asked together: the answers fit into the buffer of a terminal."""
_PRINT = b"\x1b[i"


def answers(data: bytes, count: int) -> list[int]:
    """Write, and return the columns that the terminal answers with."""
    while data:
        data = data[os.write(1, data) :]
    got = b""
    while len(found := _ANSWER.findall(got)) < count:
        got += os.read(0, 65536)
    return [int(column) for _, column in found]


def measure(texts: list[str]) -> list[int]:
    """Return the columns of each text."""
    columns: list[int] = []
    for at in range(0, len(texts), _AT_ONCE):
        some = texts[at : at + _AT_ONCE]
        asked = b"".join(b"\r\x1b[K" + text.encode() + _ASK for text in some)
        columns += [column - 1 for column in answers(asked, len(some))]
    return columns


def main() -> int:
    """Do what the arguments say."""
    mode, given, output = sys.argv[1], json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")), Path(sys.argv[3])
    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        if mode == "measure":
            result = json.dumps(measure(given))
        else:
            printed = []
            for number, screen in enumerate(given):
                answers(screen.encode() + (_PRINT if mode == "print" else b"") + _ASK, 1)
                if mode == "print":
                    printed.append(output.with_suffix(".pipe").read_text(encoding="utf-8"))
                else:
                    _write(output, str(number))
                    os.read(0, 1)
            result = json.dumps(printed)
    finally:
        termios.tcsetattr(0, termios.TCSANOW, before)
    _write(output, result)
    return 0


def _write(output: Path, text: str) -> None:
    """Write a file that is never seen half written."""
    part = output.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(output)


if __name__ == "__main__":
    sys.exit(main())
