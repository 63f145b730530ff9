#!/usr/bin/env python3
"""Write docs/keys.md from the table of actions, ``client/ui/input/ui_actions.py``; a test notices a stale one."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from securechat.client.ui.input.ui_actions import (  # noqa: E402  (a checkout works without being installed)
    ACTIONS,
    KeyboardFocus,
    KeyTable,
    UiAction,
)

PAGE = ROOT / "docs" / "keys.md"
_HEAD = """\
# Keys

This page is made by tools/keys_table.py from the table of actions, `client/ui/input/ui_actions.py`. `?` and F1
show the same, Alt+P finds an action by its words. The page obeys the commands that its `?` lists.

On a Mac the page has Cmd in place of Ctrl, and Option is Alt; where a text is written Option types characters, and
Control+Option is Alt. In the page Enter on a message opens its menu, and a letter that stands for nothing there is
written. A terminal without kitty's protocol reports Shift+Enter as Enter: Ctrl+J
and Alt+Enter start a new line everywhere. Where a keyboard has no Alt, the command does the same.

`[keys]` in the settings of the terminal client changes keys at the terminal, by the id in the last column:

```toml
[keys]
next_unread = ["Alt+N", "F7"]
numbers = []
```

A key that the terminal or its line editing keeps is refused: Ctrl+S, Q, Z, B, I, M, A, E, K, U, W, Y and their like.
"""


def page() -> str:
    """Return the page."""
    return "\n".join((_HEAD, *_sections())).rstrip("\n") + "\n"


def _sections() -> Iterator[str]:
    table = KeyTable()
    for place in KeyboardFocus:
        here = table.placed(place)
        shown = {action.id for action, _keys in here}
        lacking = [(action, ()) for action in ACTIONS if action.place is place and action.id not in shown]
        rows = sorted([*here, *lacking], key=lambda row: ACTIONS.index(row[0]))
        yield f"## {place.words()}"
        yield ""
        yield "| action | terminal | page | command | id |"
        yield "|---|---|---|---|---|"
        yield from (_row(action, keys, place) for action, keys in rows)
        yield ""


def _row(action: UiAction, keys: Iterable[str], place: KeyboardFocus) -> str:
    page_keys = action.page_keys if place is action.place else ()
    cells = (action.words(), _code(keys), _code(page_keys), _code((action.command,)), f"`{action.id}`")
    return f"| {' | '.join(cells)} |"


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name.strip()}`" for name in names if name)


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
