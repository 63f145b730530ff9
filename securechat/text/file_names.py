"""Names of files: texts of strangers that are shown, stored, sent as headers and used as names on other disks.

`clean_name` is what the server keeps and every client shows. `save_name` is stricter: what a file is called on the disk
of the person who saves it, on any system.
"""

from __future__ import annotations

import unicodedata

from securechat.limits import MAX_FILE_NAME_BYTES, MAX_FILE_NAME_CHARS
from securechat.text.sanitize import is_hostile

UNNAMED = "file"
_MAX_ENDING_BYTES = 20
"""What is longer is no ending, such as a sentence with a full stop in it."""
_SEPARATORS = str.maketrans(dict.fromkeys("/\\", "_"))
_FORBIDDEN = str.maketrans(dict.fromkeys('<>:"|?*', "_"))
"""What Windows takes in no name."""
_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", *(f"com{n}" for n in "123456789¹²³"), *(f"lpt{n}" for n in "123456789¹²³")}
)
"""Names that Windows gives to devices, whatever ending stands behind them."""


def clean_name(raw: str) -> str:
    """Return a name as it is kept and shown: one line without a path, with its real ending, of bounded length.

    Control, bidirectional and other invisible characters are taken out, because they make ``exe.txt`` of ``txt.exe``.
    """
    name = unicodedata.normalize("NFC", raw)
    name = name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    name = " ".join("".join(" " if each.isspace() else each for each in name if not _is_invisible(each)).split())
    name = name.strip(". ") if not name.strip(". ") else name.rstrip(". ")
    return _cut(name) or UNNAMED


def save_name(name: str) -> str:
    """Return a name under which a file may be stored on any system: never a path, a device, hidden, or empty."""
    name = clean_name(name).translate(_SEPARATORS).translate(_FORBIDDEN).lstrip(". ").lstrip("-")
    if not name:
        return UNNAMED
    if name.partition(".")[0].strip().lower() in _DEVICES:
        name = f"_{name}"
    return _cut(name) or UNNAMED


def _is_invisible(character: str) -> bool:
    return not character.isspace() and (is_hostile(character) or unicodedata.category(character) in ("Cs", "Cn"))


def _cut(name: str) -> str:
    """Return a name that is short enough, with its ending."""
    stem, dot, ending = name.rpartition(".")
    if not stem or len(ending.encode()) > _MAX_ENDING_BYTES:
        stem, dot, ending = name, "", ""
    rest = dot + ending
    stem = stem[: MAX_FILE_NAME_CHARS - len(rest)]
    stem = stem.encode()[: MAX_FILE_NAME_BYTES - len(rest.encode())].decode(errors="ignore")
    return f"{stem}{rest}"
