#!/usr/bin/env python3
"""Write the table of metrics in docs/operations.md from their catalogue; a test notices when it is stale."""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from securechat.server.metrics.catalogue import METRICS, PROCESS_METRICS  # noqa: E402  (works without being installed)

OPERATIONS = ROOT / "docs" / "operations.md"
BEGIN = "<!-- metrics: made by tools/metrics_table.py -->"
END = "<!-- end of metrics -->"


def table() -> str:
    """Return the table as Markdown."""
    rows = ["| metric | kind | labels | meaning |", "|---|---|---|---|"]
    for metric in (*METRICS, *PROCESS_METRICS):
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        more = f"{labels}: {metric.values}" if labels else ""
        rows.append(f"| `{metric.name}` | {metric.kind.value} | {more} | {metric.meaning} |")
    return "\n".join(rows)


def main() -> None:
    """Replace what stands between the markers."""
    text = OPERATIONS.read_text(encoding="utf-8")
    pattern = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    OPERATIONS.write_text(pattern.sub(lambda _: f"{BEGIN}\n\n{table()}\n\n{END}", text), encoding="utf-8")


if __name__ == "__main__":
    main()
