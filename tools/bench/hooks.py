#!/usr/bin/env python3
"""Measure what the most expensive bodies of webhooks cost the loop: reading and rendering, CPU milliseconds a body.

    python tools/bench/hooks.py [--rounds N]

Prints a line per body, the dearest first: the least and the median of all rounds. The bar is 5 ms for any body of
64 KiB. ``tests/unit/server/hooks/test_bodies.py`` runs all of them.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

if __name__ == "__main__":  # as a script: the checkout's own packages, from any directory
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from securechat.limits import KIB
from securechat.server.hooks.answers import HookError
from securechat.server.hooks.payload import FORM, parse
from securechat.server.hooks.rendering import RenderedText, render

MOST_BODY_BYTES = 64 * KIB
JSON = "application/json"
TEXT = "text/plain"


def _filled(begin: str, unit: str, end: str, between: str = "") -> bytes:
    """Return as many units as fit into a body."""
    room = MOST_BODY_BYTES - len((begin + end).encode())
    count = room // len((unit + between).encode())
    return (begin + between.join([unit] * count) + end).encode()


def _text(unit: str, begin: str = "", end: str = "") -> tuple[bytes, str]:
    return _filled(f'{{"text":"{begin}', unit, f'{end}"}}'), JSON


def _listed(begin: str, unit: str, end: str) -> tuple[bytes, str]:
    return _filled(begin, unit, end, ","), JSON


_RICH = '{"blocks":[{"type":"rich_text","elements":[%s'
_SECTION = '{"type":"section","text":{"type":"mrkdwn","text":"*a* <!b> <http://x|y>"},"fields":[{"text":"*a*\\nb"}]}'
_EVERYTHING = ",".join(
    f'"{name}":"*a*"'
    for name in ("pretext", "author_name", "title", "title_link", "text", "image_url", "thumb_url", "footer")
)

BODIES: dict[str, tuple[bytes, str]] = {
    "attachments, empty": _listed('{"attachments":[', "{}", "]}"),
    "attachments, numbers": _listed('{"attachments":[', "1", "]}"),
    "attachments, one text": _listed('{"attachments":[', '{"text":"a"}', "]}"),
    "attachments, everything": _listed('{"attachments":[', f"{{{_EVERYTHING}}}", "]}"),
    "fields, short": _listed('{"attachments":[{"fields":[', '{"title":"a","value":"b","short":true}', "]}]}"),
    "blocks, dividers": _listed('{"blocks":[', '{"type":"divider"}', "]}"),
    "blocks, unknown": _listed('{"blocks":[', '{"type":"a","text":"b"}', "]}"),
    "blocks, headers that repeat": _listed('{"text":"a","blocks":[', '{"type":"header","text":"a"}', "]}"),
    "blocks, sections": _listed('{"blocks":[', _SECTION, "]}"),
    "blocks, titled fields": _listed('{"blocks":[{"type":"section","fields":[', '{"text":"*t*\\na"}', "]}]}"),
    "blocks, titles of spaces": _listed(
        '{"blocks":[{"type":"section","fields":[', '{"text":"*' + " " * 900 + '"}', "]}]}"
    ),
    "blocks, fields of lines": _listed(
        '{"text":"a","blocks":[{"type":"section","fields":[', '{"text":"*t*\\n' + "a\\n" * 1000 + '"}', "]}]}"
    ),
    "rich text, texts": _listed(_RICH % '{"elements":[', '{"type":"text","text":"a"}', "]}]}]}"),
    "rich text, users": _listed(_RICH % '{"elements":[', '{"type":"user","user_id":"a"}', "]}]}]}"),
    "rich text, items": _listed(_RICH % '{"type":"rich_text_list","elements":[', '{"elements":[]}', "]}]}]}"),
    "rich text, quotes": _listed(
        _RICH % "",
        '{"type":"rich_text_quote","elements":[{"type":"text","text":"' + "\\n" * 2000 + '"}]}',
        "]}]}",
    ),
    "tokens": _text("<!a>"),
    "tokens, mentions": _text("<@a> "),
    "tokens, links": _text("<http://a|b>"),
    "tokens, open": _text("<"),
    "tokens, open signs": _text("<!a"),
    "tokens, open links": _text("<http://a|"),
    "token, one without end": _text("a", begin="<!"),
    "bold": _text("*a* "),
    "bold, two stars": _text("**a** "),
    "bold, open": _text(" *a"),
    "bold, open behind brackets": _text("(*"),
    "bold, spaced": _text(" ** a"),
    "stars": _text("*"),
    "italic, open": _text(" _a"),
    "all signs, open": _text(" _*~a"),
    "code": _text("`a` "),
    "code, one sign": _text("`"),
    "code, open on lines": _text("`a\\n"),
    "code, blocks": _text("``` "),
    "entities": _text("&amp;"),
    "line ends": _text("\\n", begin="a", end="b"),
    "line ends, CR": _text("\\r", begin="a", end="b"),
    "spaces": _text(" ", begin="a", end="b"),
    "spaces on lines": _text(" \\n", begin="a", end="b"),
    "keys": (("{" + ",".join(f'"{number}":1' for number in range(7_000)) + ',"text":"a"}').encode(), JSON),
    "numbers, 1e308": _listed('{"text":"a","x":[', "1e308", "]}"),
    "depth 60,000": (b'{"text":' + b"[" * 60_000, JSON),
    "depth 900": (b'{"text":"a","x":' + b"[" * 900 + b"]" * 900 + b"}", JSON),
    "halves of emoji, high": _text("\\ud83d"),
    "halves of emoji, low": _text("\\udc00"),
    "halves of emoji, among backslashes": _text("\\\\", begin="\\ud83d"),
    "form, escapes": (_filled("payload=%7B%22text%22%3A%22", "%41", "%22%7D"), FORM),
    "form, broken escapes": (_filled("payload=%7B%22text%22%3A%22", "%4g", "%22%7D"), FORM),
    "form, empty fields": (_filled("", "a&", ""), FORM),
    "form, almost the field": (_filled("", "&payload", ""), FORM),
    "text": (_filled("", "hello world ", ""), TEXT),
    "text, lines": (_filled("", "a\n", ""), TEXT),
    "text, emoji": (_filled("", "\U0001f600", ""), TEXT),
    "text, marks": (_filled("a", "\u0301", ""), TEXT),
}
"""Bodies of nearly 64 KiB with their types, by what they have too much of."""


def outcome(body: bytes, content_type: str) -> RenderedText | HookError:
    """Return what becomes of a body."""
    try:
        return render(parse(body, content_type))
    except HookError as error:
        return error


def cost_ms(body: bytes, content_type: str) -> float:
    """Return the CPU time of one rendering."""
    begin = time.thread_time()
    outcome(body, content_type)
    return (time.thread_time() - begin) * 1e3


def main() -> None:
    """Measure all bodies."""
    parser = argparse.ArgumentParser(description="Measure what the most expensive bodies of webhooks cost.")
    parser.add_argument("--rounds", type=int, default=11, help="renderings of each body")
    rounds = parser.parse_args().rounds
    rows = [
        (sorted(cost_ms(body, content_type) for _ in range(rounds)), name)
        for name, (body, content_type) in BODIES.items()
    ]
    for costs, name in sorted(rows, reverse=True):
        print(f"{costs[0]:6.2f} {statistics.median(costs):6.2f} ms  {name}")


if __name__ == "__main__":
    main()
