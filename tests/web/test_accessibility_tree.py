"""What a screen reader finds on each screen, as text, held against recorded trees (`--update-golden` records them)."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.browser import LAPTOP, PHONE, Visitor
from tests.support.page import PANELS, come_in, expect_once, open_panel, say

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "accessibility"
_CHANGING = (
    (re.compile(r"localhost:\d+"), "localhost:PORT"),
    (re.compile(r"\b\d{1,2}:\d\d(?:\W[AP]M)?(?!\d)"), "TIME"),
    (re.compile(r"(?:[0-9A-Fa-f]{4} ?){16}"), "FINGERPRINT"),
    (re.compile(r"sha256:[0-9a-f]{64}"), "FINGERPRINT"),
    (re.compile(r"securechat/\S+"), "VERSION"),
    (re.compile(r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, [^\"\n]*?\d{4}"), "DAY"),
)


@pytest.mark.slow
@pytest.mark.desktop
@pytest.mark.parametrize(("name", "device"), [("phone", PHONE), ("laptop", LAPTOP)], ids=["phone", "laptop"])
def test_the_trees_are_the_recorded_ones(
    name: str, device: dict[str, Any], visit: Callable[..., Visitor], request: pytest.FixtureRequest
) -> None:
    visitor = visit(**{**device, "locale": "en-US", "timezone_id": "UTC"})
    page = visitor.open()
    page.get_by_label("Name", exact=True).wait_for()
    trees = {"first screen": page.locator("body").aria_snapshot()}
    page = come_in(visitor, "ana")
    say(page, "halo `kode` https://example.org/")
    expect_once(page, "halo")
    page.get_by_role("article").locator("time").wait_for()  # stored: before, it says "Sending"
    page.get_by_text("Connected").last.wait_for()
    trees["conversation"] = page.locator("body").aria_snapshot()
    for panel in PANELS:
        with open_panel(page, panel) as place:
            trees[panel] = place.aria_snapshot()
    found = "".join(f"=== {screen}\n{tree}\n\n" for screen, tree in trees.items())
    for changing, word in _CHANGING:
        found = changing.sub(word, found)
    path = GOLDEN / f"{name}.txt"
    if request.config.getoption("--update-golden"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8")
