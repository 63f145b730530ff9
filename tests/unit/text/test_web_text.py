"""The page shows hostile text as the terminal does: the same vectors, and ten thousand strings made of the worst."""

from __future__ import annotations

import json
import os
import random
import subprocess
import unicodedata
from pathlib import Path

import pytest

from securechat.text.sanitize import one_line, visible
from tests.support.deno import DENO, needs_deno

ROOT = Path(__file__).resolve().parents[3]
VECTORS = json.loads((ROOT / "tests" / "golden" / "visible_v1.json").read_text(encoding="utf-8"))
STRINGS = 10_000
_PROGRAM = """
import { oneLine, visible } from "TEXT";
const texts = JSON.parse(await new Response(Deno.stdin.readable).text());
console.log(JSON.stringify(texts.map((text) => [visible(text), oneLine(text)])));
"""
_RANGES = (
    (0x00, 0x20), (0x20, 0x7F), (0x7F, 0xA1), (0xAD, 0xAE), (0x300, 0x370), (0x600, 0x620), (0x115F, 0x1161),
    (0x180A, 0x1810), (0x200B, 0x2010), (0x2028, 0x2030), (0x2060, 0x2070), (0x20D0, 0x20F1), (0x23CE, 0x23CF),
    (0x2506, 0x2507), (0x3041, 0x3097), (0xD800, 0xE000), (0xFDD0, 0xFDF0), (0xFEFF, 0xFF00), (0xFFF0, 0x10000),
    (0x1BCA0, 0x1BCA4), (0x1D173, 0x1D17B), (0x1F389, 0x1F38A), (0xE0000, 0xE1000),
)  # fmt: skip


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: ascii(vector["text"])[:30])
def test_a_vector(vector: dict[str, str]) -> None:
    assert visible(vector["text"]) == vector["visible"]
    assert one_line(vector["text"]) == vector["one_line"]


def hostile(dice: random.Random) -> str:
    """Return a string of the worst; a half character is never followed by its other half, which would make it whole."""
    ranges = dice.sample(_RANGES, dice.choice((1, 2, 4)))
    chars = [chr(dice.randrange(*dice.choice(ranges))) for _ in range(dice.choice((1, 3, 12, 40)))]
    text = "".join(char for char in chars if unicodedata.category(char) != "Cn" or char in "\ufdd0\uffff\U000e0fff")
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return whole if whole == text else "".join(char for char in text if not "\ud800" <= char <= "\udfff")


@needs_deno
def test_strings_made_of_the_worst() -> None:
    dice = random.Random(0)
    texts = [hostile(dice) for _ in range(STRINGS)]
    program = _PROGRAM.replace("TEXT", (ROOT / "securechat" / "web" / "core" / "text.js").as_uri())
    done = subprocess.run(
        [str(DENO), "eval", "--ext=js", program],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "DENO_NO_UPDATE_CHECK": "1"},
    )
    for text, (shown, line) in zip(texts, json.loads(done.stdout), strict=True):
        assert [ascii(visible(text)), ascii(one_line(text))] == [ascii(shown), ascii(line)], ascii(text)
