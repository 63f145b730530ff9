#!/usr/bin/env python3
"""Write the table of limits in docs/operations.md from ``securechat/limits.py``; a test notices when it is stale."""

from __future__ import annotations

import re
import sys
from dataclasses import fields
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from securechat.limits import KIB, MIB, Limits  # noqa: E402  (a checkout works without being installed)

OPERATIONS = ROOT / "docs" / "operations.md"
BEGIN = "<!-- limits: made by tools/limits_table.py -->"
END = "<!-- end of limits -->"


def table() -> str:
    """Return the table as Markdown."""
    rows = ["| limit | default | unit | why, and what others do |", "|---|---|---|---|"]
    for item in fields(Limits):
        default = readable(item.default, item.metadata["unit"])
        rows.append(f"| `{item.name}` | {default} | {item.metadata['unit']} | {item.metadata['why']} |")
    return "\n".join(rows)


def readable(value: float, unit: str) -> str:
    """Return a number with its round binary size beside it, where it is one of bytes."""
    plain = f"{value:,}" if isinstance(value, int) else f"{value:,g}"
    if unit in {"B", "B/s"} and value >= KIB:
        size = f"{value / MIB:g} MiB" if value % MIB == 0 else f"{value / KIB:g} KiB"
        return f"{plain} ({size})"
    return plain


def main() -> None:
    """Replace what stands between the markers."""
    text = OPERATIONS.read_text(encoding="utf-8")
    pattern = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    OPERATIONS.write_text(pattern.sub(lambda _: f"{BEGIN}\n\n{table()}\n\n{END}", text), encoding="utf-8")


if __name__ == "__main__":
    main()
