"""Names of files: texts of strangers that are shown, stored, sent as headers and used as names on other disks.

`clean_name` is what the server keeps and every client shows. `save_name` is stricter: what a file is called on the disk
of the person who saves it, on any system. Each leaves alone what it has made itself.
"""

from __future__ import annotations

import re
import unicodedata

from securechat.limits import MAX_FILE_NAME_BYTES, MAX_FILE_NAME_CHARS
from securechat.text.clusters import cut_before, is_attached
from securechat.text.sanitize import NEWLINE_MARK, visible, without_hostile

UNNAMED = "file"
_MOST_RAW_CHARS = 4 * MAX_FILE_NAME_BYTES
"""Of a longer name only both ends are looked at: nothing of the middle would stay."""
_MAX_ENDING_BYTES = 20
"""What is longer is no ending, such as a sentence with a full stop in it."""
_JOINERS = "\u200c\u200d"
"""Persian and Hindi need the first, emoji the second; in a row, or at an end, they are only a hidden difference."""
_JOINERS_IN_A_ROW = re.compile(f"(?<=[{_JOINERS}])[{_JOINERS}]+")
_SPACES = re.compile("[\\s\u2800\U00013441\U00013442\U0001d159]+")
"""Whatever shows nothing and takes its width: a row of it pushes an ending out of sight."""
_FORBIDDEN = str.maketrans(dict.fromkeys('<>:"|?*/\\', "_"))
"""What Windows takes in no name; the last two are gone already."""
_NO_BEGINNINGS = ".-~ "
"""A file is hidden by a full stop, taken for an option by a dash, for a home folder by a tilde."""
_DEVICES = frozenset(
    {
        *("con", "prn", "aux", "nul", "conin$", "conout$", "clock$"),
        *(f"{port}{digit}" for port in ("com", "lpt") for digit in "0123456789¹²³"),
    }
)
"""Names that Windows gives to devices, whatever ending stands behind them (Python's `os.path.isreserved`)."""
_SHORTCUTS = frozenset({"lnk", "local", "scf", "url"})
"""Endings by which Windows acts when it only shows a folder; Chromium saves them with another one, too."""


def clean_name(raw: str) -> str:
    """Return a name as it is kept and shown: one line without a path, with its real ending, of bounded length.

    Control, bidirectional and other invisible characters are taken out, because they make ``exe.txt`` of ``txt.exe``.
    What is left is in NFC, and nothing of it has to be replaced before it is shown (`sanitize.visible`).
    """
    name = raw.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    if len(name) > _MOST_RAW_CHARS:
        name = name[: _MOST_RAW_CHARS // 2] + name[-_MOST_RAW_CHARS // 2 :]
    before = None
    while name != before:  # taking something out may bring a letter and a mark together, which are one in NFC
        before, name = name, _cleaned(name)
    return name or UNNAMED


def save_name(name: str) -> str:
    """Return a name under which a file may be stored on any system: never a path, a device, hidden, or empty."""
    before, name = None, clean_name(name)
    while name != before:
        before, name = name, clean_name(_harmless(name))
    return name


def _cleaned(raw: str) -> str:
    name = without_hostile(_SPACES.sub(" ", raw))
    name = "".join(each for each in name if ord(each) & 0xFFFE != 0xFFFE and each != NEWLINE_MARK)  # no characters
    name = _JOINERS_IN_A_ROW.sub("", name)
    name = visible(unicodedata.normalize("NFC", name))  # only piles of marks are left to be cut
    return _shortened(_without_ends(name))


def _without_ends(name: str) -> str:
    """Take off what stands on nothing at the beginning, and what Windows drops at the end."""
    first = 0
    while first < len(name) and (name[first] == " " or name[first] in _JOINERS or is_attached(name[first])):
        first += 1
    return name[first:].rstrip(f". {_JOINERS}")


def _harmless(name: str) -> str:
    name = name.translate(_FORBIDDEN).lstrip(_NO_BEGINNINGS)
    if name.partition(".")[0].rstrip().lower() in _DEVICES:
        name = f"_{name}"
    _, dot, ending = name.rpartition(".")
    if dot and ending.lower() in _SHORTCUTS:
        name = f"{name}.download"
    return name


def numbered(name: str, number: int) -> str:
    """Return a name as it is given to the copy of this number: ``report (1).pdf``, as short as names have to be."""
    stem, rest = _split(name)
    return _joined(stem, f" ({number}){rest}")


def _shortened(name: str) -> str:
    """Return a name that is short enough, with its ending."""
    if len(name) <= MAX_FILE_NAME_CHARS and len(name.encode()) <= MAX_FILE_NAME_BYTES:
        return name
    return _joined(*_split(name))


def _split(name: str) -> tuple[str, str]:
    """Return what stands before the ending of a name, and the ending with its full stop; empty for none."""
    stem, dot, ending = name.rpartition(".")
    return (stem, dot + ending) if stem and len(ending.encode()) <= _MAX_ENDING_BYTES else (name, "")


def _joined(stem: str, rest: str) -> str:
    """Put a name together again, with as much of its stem as there is room for."""
    room_bytes = MAX_FILE_NAME_BYTES - len(rest.encode())
    fitting = stem[: MAX_FILE_NAME_CHARS - len(rest)].encode()[:room_bytes].decode(errors="ignore")
    return f"{stem[: cut_before(stem, len(fitting))].rstrip()}{rest}"
