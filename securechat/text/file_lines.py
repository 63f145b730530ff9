"""The lines by which a message's text names its files, for clients that do not know files.

They stand at the end of the text, one a file, in the order of the files: ``[file: report.pdf, 1.2 MiB]``. Searching
finds a file by them, and export, log and IRC show them. A client that knows files shows those instead, and takes the
lines of the files that are there from the end of the text. The line of a file that was deleted alone stays: it then
says what was there.

They are English, as all that the server writes for every reader. The page computes the same lines:
`tests/golden/file_lines.json` holds both to it.
"""

from __future__ import annotations

from collections.abc import Sequence

from securechat.text.clusters import cut_after, cut_before

MAX_LINE_NAME_CHARS = 60
"""Of a name in a line, code points; a longer one is cut in the middle, so that its ending stays."""
_KIB = 1024


BEGINNING = "[file: "
"""Of such a line."""


def file_line(name: str, size_bytes: int) -> str:
    """Return the line of one file."""
    return f"{BEGINNING}{shortened(name)}, {size_words(size_bytes)}]"


def with_file_lines(text: str, files: Sequence[tuple[str, int]]) -> str:
    """Return a text with the lines of its files, each given by name and size in bytes."""
    lines = [file_line(name, size_bytes) for name, size_bytes in files]
    return "\n".join([*([text] if text else []), *lines])


def without_file_lines(text: str, files: Sequence[tuple[str, int]]) -> str:
    """Return a text without the lines of these files, where it ends with them."""
    for name, size_bytes in reversed(files):
        line = file_line(name, size_bytes)
        if text == line:
            return ""
        if not text.endswith(f"\n{line}"):
            break
        text = text[: -len(line) - 1]
    return text


def shortened(name: str) -> str:
    """Return a name as it stands in a line: of a long one the beginning, and the end with its ending."""
    if len(name) <= MAX_LINE_NAME_CHARS:
        return name
    behind = MAX_LINE_NAME_CHARS // 3
    first = cut_before(name, MAX_LINE_NAME_CHARS - behind - 1)
    last = cut_after(name, len(name) - behind)
    return f"{name[:first]}\N{HORIZONTAL ELLIPSIS}{name[last:]}"


def size_words(size_bytes: int) -> str:
    """Return a size as people read it: ``731 B``, ``12 KiB``, ``1.2 MiB``, ``3.0 GiB``.

    It is rounded to the nearest, a half upwards, in whole numbers, so that every language computes the same. What would
    round to 1,024 of a unit is one of the next.
    """
    if size_bytes < _KIB:
        return f"{size_bytes} B"
    whole = _rounded(size_bytes, _KIB)
    if whole < _KIB:
        return f"{whole} KiB"
    tenths = _rounded(10 * size_bytes, _KIB**2)
    unit = "MiB"
    if tenths >= 10 * _KIB:
        tenths = _rounded(10 * size_bytes, _KIB**3)
        unit = "GiB"
    return f"{tenths // 10}.{tenths % 10} {unit}"


def _rounded(size: int, unit: int) -> int:
    return (2 * size + unit) // (2 * unit)
