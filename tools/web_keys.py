#!/usr/bin/env python3
"""Write securechat/web/ui/page_keys.js, the page's keys by action, from the table of actions; a test compares."""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from securechat.client.ui.input.key_names import page_key  # noqa: E402  (a checkout works without being installed)
from securechat.client.ui.input.ui_actions import ACTIONS  # noqa: E402
from tools.web_records import formatted  # noqa: E402

PAGE_KEYS = ROOT / "securechat" / "web" / "ui" / "page_keys.js"
_HEAD = """\
/**
 * The page's keys by the id of an action, as of KeyboardEvent.key; `Mod` is Ctrl, or Cmd on a Mac. Several are
 * separated by blanks, the usual one first. Made by tools/web_keys.py from the table that the terminal client has too.
 */
"""


def text() -> str:
    """Return the module."""
    keys = {action.id: " ".join(map(page_key, action.page_keys)) for action in ACTIONS if action.page_keys}
    return formatted(f"{_HEAD}export const KEYS = {json.dumps(keys)};\n")


def main() -> None:
    """Write the file."""
    PAGE_KEYS.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
