#!/usr/bin/env python3
"""Write docs/client.toml, the commented settings of the client, from their table; a test notices when it is stale."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from securechat.client.ui.settings import settings_reference  # noqa: E402  (a checkout works without being installed)

REFERENCE = ROOT / "docs" / "client.toml"


def main() -> None:
    """Write the file."""
    REFERENCE.write_text(settings_reference(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
