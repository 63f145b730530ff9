#!/usr/bin/env python3
"""Write the table of reasons in docs/protocol.md from ``securechat/text/refusals.py``; a test notices a stale one."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from string import Formatter

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from securechat.errors import ErrorCode  # noqa: E402  (a checkout works without being installed)
from securechat.text.refusals import REASONS  # noqa: E402

PROTOCOL = ROOT / "docs" / "protocol.md"
BEGIN = "<!-- reasons: made by tools/refusals_table.py -->"
END = "<!-- end of reasons -->"


def table() -> str:
    """Return the table as Markdown: by code in the order of section 9, then by reason."""
    codes = list(ErrorCode)
    rows = ["| code | `reason` | `args` | English sentence |", "|---|---|---|---|"]
    for reason, (code, template) in sorted(REASONS.items(), key=lambda row: (codes.index(row[1][0]), row[0])):
        parts = [(name, spec) for _, name, spec, _ in Formatter().parse(template) if name]
        arguments = ", ".join(f"`{name}`{' (s)' if spec == 'duration' else ''}" for name, spec in parts)
        shown = re.sub(r"\{(\w+):duration\}", r"{\1}", template).replace("|", "\\|")
        rows.append(f"| `{code.value}` | `{reason}` | {arguments} | {shown} |")
    return "\n".join(rows)


def main() -> None:
    """Replace the text between the markers."""
    text = PROTOCOL.read_text(encoding="utf-8")
    pattern = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    PROTOCOL.write_text(pattern.sub(lambda _: f"{BEGIN}\n\n{table()}\n\n{END}", text), encoding="utf-8")


if __name__ == "__main__":
    main()
