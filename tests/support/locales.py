"""Catalogues for tests: small ones, and the pseudo-locale that brackets every text."""

from __future__ import annotations

import importlib
import struct
import sys
from collections.abc import Mapping
from functools import cache
from gettext import GNUTranslations
from pathlib import Path
from types import ModuleType
from typing import TypeAlias

from babel.messages import Catalog
from babel.messages.mofile import write_mo

from securechat.translation import catalogue

ROOT = Path(__file__).resolve().parent.parent.parent
PSEUDO = "qps"
"""The code of the pseudo-locale; ISO 639 leaves qaa to qtz to everybody."""
LEFT, RIGHT = "\ufe04", "\ufe05"
"""Begin and end every text of the pseudo-locale. Variation selectors take no cell, so nothing moves on a screen, and
`sanitize.visible` leaves them alone; `bracketed` shows them as ⟦brackets⟧."""

Key: TypeAlias = str | tuple[str, str]


def translations_tool() -> ModuleType:
    """Return the module tools/translations.py."""
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        return importlib.import_module("translations")
    finally:
        sys.path.remove(str(ROOT / "tools"))


def compile_stale_catalogues() -> None:
    """Compile the catalogues when one was changed after it was compiled, as an installation does."""
    tool = translations_tool()
    if tool.is_stale():
        tool.compile_catalogues()


def read_catalogues_once() -> None:
    """Have this process parse a compiled catalogue once: in 13 ms, and tests choose a language thousands of times."""
    read = catalogue._read

    @cache
    def parsed(path: Path, _facts: tuple[int, ...]) -> GNUTranslations:
        return read(path)

    def read_once(path: Path) -> GNUTranslations:
        facts = path.stat()
        return parsed(path, (facts.st_ino, facts.st_mtime_ns, facts.st_size, facts.st_mode))

    catalogue._read = read_once


def write_catalogue(
    folder: Path,
    language: str,
    texts: Mapping[Key, str | tuple[str, ...]],
    contexts: Mapping[tuple[str, str], str] | None = None,
) -> Path:
    """Write a compiled catalogue into a folder for SECURECHAT_LOCALE_DIR; returns its path."""
    catalog = Catalog(locale="id" if language == "id" else "en", charset="utf-8")
    for msgid, msgstr in texts.items():
        catalog.add(msgid, msgstr)
    for (context, msgid), msgstr in (contexts or {}).items():
        catalog.add(msgid, msgstr, context=context)
    path = folder / language / "LC_MESSAGES" / "securechat.mo"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_mo(file, catalog)
    return path


def write_raw_catalogue(folder: Path, texts: Mapping[str, str], plural: str = "nplurals=1; plural=0") -> Path:
    """Write a catalogue of Indonesian that no tool would make; returns its path.

    Args:
        folder: for SECURECHAT_LOCALE_DIR.
        texts: by key, both as they stand in a .mo file: forms apart by U+0000, a context before U+0004.
        plural: the header's rule for plural forms.
    """
    header = f"Content-Type: text/plain; charset=utf-8\nPlural-Forms: {plural};\n"
    pairs = [(key.encode(), value.encode()) for key, value in sorted({"": header, **texts}.items())]
    at = 28 + 16 * len(pairs)
    tables: list[list[int]] = [[], []]
    content = b""
    for column, table in enumerate(tables):
        for pair in pairs:
            table += [len(pair[column]), at + len(content)]
            content += pair[column] + b"\0"
    head = struct.pack("<7I", 0x950412DE, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, 0)
    path = folder / "id" / "LC_MESSAGES" / "securechat.mo"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(head + b"".join(struct.pack(f"<{len(table)}I", *table) for table in tables) + content)
    return path


def all_texts() -> dict[str, str]:
    """Return the catalogue of Indonesian as `write_raw_catalogue` takes it."""
    tool = translations_tool()
    return {
        "\4".join(filter(None, (each.context, "\0".join(tool.forms(each.id))))): "\0".join(tool.forms(each.string))
        for each in tool.entries(tool.read("id"))
    }


def bracketed(text: str) -> str:
    """Return what a program said in the pseudo-locale, with brackets that a person sees."""
    return text.replace(LEFT, "⟦").replace(RIGHT, "⟧")


def write_pseudo_locale(folder: Path) -> None:
    """Write the pseudo-locale: every text of the source between brackets."""
    catalog = Catalog(locale="en", charset="utf-8")
    tool = translations_tool()
    for message in tool.entries(tool.read("en")):
        forms = tuple(f"{LEFT}{form}{RIGHT}" for form in tool.forms(message.id))
        catalog.add(message.id, forms if isinstance(message.id, tuple) else forms[0], context=message.context)
    path = folder / PSEUDO / "LC_MESSAGES" / "securechat.mo"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_mo(file, catalog)
