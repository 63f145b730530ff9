"""Links of a text: the same as in the page (tests/golden/links.json, which tests/web_unit/links.test.js reads too)."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from securechat.client.ui.rows.link_targets import MAX_LINK_UNITS, MAX_TARGET_CHARS, link_target
from securechat.client.ui.rows.links import (
    MAX_LOOKUPS,
    MAX_MARKS,
    MarkKind,
    TextLink,
    links_in,
    marks_in,
    visible_links,
)
from securechat.text.sanitize import visible
from tests.support.steps import steps

ROOT = Path(__file__).resolve().parents[3]
CASES = json.loads((ROOT / "tests" / "golden" / "links.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: ascii(case["text"])[:40])
def test_a_case_that_the_page_shares(case: dict[str, object]) -> None:
    found = [[link.start, link.end, link.target, link.host] for link in links_in(str(case["text"]))]
    assert found == case["links"]


def test_targets_hold_printable_ascii_only() -> None:
    dice = random.Random(18)
    chars = [
        *map(chr, range(0x20, 0x180)),
        "\x1b",
        "\x9c",
        "\x07",
        "\u202e",
        "\u200d",
        "\U0001f600",
        "\ufffe",
        "\ud800",
        "┆",
    ]
    found = 0
    for _ in range(2_000):
        text = dice.choice(("http://", "https://a.b/", "https://é.org/?")) + "".join(dice.choices(chars, k=12))
        for link in links_in(text):
            found += 1
            assert link.target.isascii(), ascii(text)
            assert link.target.isprintable(), ascii(text)
            assert not set(' <>"') & set(link.target), ascii(text)
            assert link.target.lower().startswith(("http://", "https://"))
            assert link.host.isascii()
    assert found > 500


def test_what_is_typed_in_ascii_is_the_target() -> None:
    typed = "https://Example.org:8443/a%20b/(c)?q=1|2&x={y}#~z"
    assert links_in(f"see {typed}!") == [TextLink(4, 4 + len(typed), typed)]


def test_a_link_has_a_greatest_length() -> None:
    longest = "http://a.b/" + "x" * (MAX_LINK_UNITS - 11)
    assert [link.target for link in links_in(longest)] == [longest]
    assert links_in(f"{longest}x") == []
    target = link_target("http://a.b/" + "é" * 345)
    assert target is not None
    assert len(target.url) == 11 + 6 * 345 <= MAX_TARGET_CHARS
    assert link_target("http://a.b/" + "é" * 346) is None


def test_only_so_much_of_a_text_is_looked_at() -> None:
    assert len(links_in("http://a.b " * 1_000)) == MAX_MARKS // 2  # each counts as looked at and as found
    assert len(marks_in("`a` " * 1_000)) == MAX_MARKS
    names = marks_in("@a " * 1_000, {"a"})
    assert len(names) == MAX_LOOKUPS


def test_links_stay_on_what_is_shown() -> None:
    text = "\ttab \x1b[1m https://a.example/x\u202egnp.exe https://b.example/\u0301"
    shown, links = visible_links(text)
    assert shown == visible(text)
    assert [shown[link.start : link.end] for link in links] == ["https://a.example/x", "https://b.example/\u0301"]
    assert [link.target for link in links] == ["https://a.example/x", "https://b.example/%CC%81"]


def test_marks_that_pile_up_over_the_edge_of_a_link_cost_the_links() -> None:
    text = "https://a.example/" + "\u0301" * 5 + "\U000e0101" + "\u0301" * 8
    shown, links = visible_links(text)
    assert shown == visible(text)
    assert all(shown[link.start : link.end].startswith("https://") for link in links)


def test_mentions_are_the_longest_name_that_fits() -> None:
    names = {"ana", "budi", "budi santoso"}
    text = "@Ana, hi @budi_santoso! and @budi. not@ana @@ana @nobody `@ana`"
    found = [
        (text[mark.start : mark.end], mark.value) for mark in marks_in(text, names) if mark.kind is MarkKind.MENTION
    ]
    assert found == [("@Ana", "ana"), ("@budi_santoso", "budi santoso"), ("@budi", "budi")]


def test_code_is_told_from_text() -> None:
    text = "run `a b` now\n```py\nx = 1\n```\nand ``c`d``"
    inner = [(mark.kind, text[mark.inner_start : mark.inner_end], mark.value) for mark in marks_in(text)]
    assert inner == [
        (MarkKind.CODE, "a b", ""),
        (MarkKind.BLOCK, "x = 1", "py"),
        (MarkKind.CODE, "c`d", ""),
    ]
    block = marks_in(text)[1]
    assert text[block.start : block.end] == "```py\nx = 1\n```"


HOSTILE = (
    "http://(((", "http://", "http://)", "`", "`` `", "@", "@.....", "```\n", "```a`\n", "http://[", "http://\xe9",
    "http://a.a.a.a", "@\xe9.\xe9. ", "````````a", "https://xn--a.", "http://\u4e00\u4e01\u4e02", "http://%41",
)  # fmt: skip


@pytest.mark.parametrize("piece", HOSTILE, ids=ascii)
def test_hostile_texts_take_linear_time(piece: str) -> None:
    text = (piece * 10_240)[:10_240]
    assert steps(lambda: marks_in(text, {"ana"})) < 400 * len(text)
