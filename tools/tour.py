#!/usr/bin/env python3
"""Write the list of files in docs/tour.md from the module docstrings; a test notices when it is stale.

    python tools/tour.py

A folder's line is the docstring of its ``__init__.py``, a file's line the first sentence of its own.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOUR = ROOT / "docs" / "tour.md"
BEGIN, END = "<!-- files: begin -->", "<!-- files: end -->"
FOLDERS = (
    ".", "translation", "text", "model", "records", "wire", "tls", "pictures", "hub", "hub/accounts", "hub/rooms",
    "hub/messages", "hub/programs", "hub/files", "hub/admin",
    "storage", "storage/sqlite", "storage/search", "storage/files", "storage/tools", "net", "server", "server/config",
    "server/web", "server/files",
    "server/api", "server/metrics", "server/hooks", "server/outgoing", "admin",
    "client", "client/core", "client/core/events", "client/catalogue", "client/ui", "client/ui/rows", "client/ui/input",
    "client/ui/window", "client/ui/screen_model", "client/ui/commands", "client/tty",
    "client/files", "client/screen", "client/terminal", "client/pipe", "bot", "cli", "testing",
)  # fmt: skip
"""In the order in which they explain each other: what stands below comes first."""


def first_sentence(path: Path) -> str:
    """The first sentence of a module's docstring, on one line."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    paragraph = " ".join(text.split("\n\n")[0].split())
    sentence = re.match(r"(.+?[.!?])(?=\s[A-Z`]|$)", paragraph)
    return (sentence.group(1) if sentence else paragraph).rstrip(".")


def listing() -> str:
    """The files of the product by folder, a line each."""
    lines: list[str] = []
    for folder in FOLDERS:
        path = ROOT / "securechat" / folder
        name = "securechat" if folder == "." else f"securechat/{folder}"
        lines += [f"### `{name}/`", "", first_sentence(path / "__init__.py") + ".", ""]
        files = sorted(each for each in path.glob("*.py") if each.name != "__init__.py")
        lines += [f"- `{name}/{each.name}`: {first_sentence(each)}." for each in files]
        lines += [""] if files else []
    return "\n".join(lines).strip()


def main() -> int:
    """Write it; returns 0."""
    before, _, rest = TOUR.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    TOUR.write_text(f"{before}{BEGIN}\n\n{listing()}\n\n{END}{after}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
