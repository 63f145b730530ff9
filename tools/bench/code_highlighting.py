"""Measures the colouring of code in the terminal client: the slowest hostile block for each language.

    python -m tools.bench.code_highlighting [LANGUAGE...]

Blocks are made of the pieces that open, close and fill what languages have: each piece repeated, and pairs of them
(once each before the other, and in turn), up to the bounds of `ui/rows/code_highlighting.py`. Printed are the three
slowest, in milliseconds of the thread's own time, the least of three runs.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator

from securechat.client.ui.rows import code_highlighting

PIECES = (
    '"', "'", "`", '"""', "'''", "\\", "/", "*", "/*", "*/", "//", "#", "(", ")", "[", "]", "{", "}", "<", ">", "</",
    "<!--", "-->", "<?", "<![CDATA[", "$", "${", "$(", "$((", "((", "))", "=", "==", " ", "\t", "\n", ";", ":", ",",
    ".", "-", "--", "+", "@", "!", "?", "&", "|", "%", "^", "~", "a", "a ", "1", "0x", "1.", "e", "_", "é", "def ",
    "class ", "function ", "if ", 'f"', 'r"', "<a ", "<script>", "<style>", "a=", "a:", "- ", "<<", "<<E\n", "q(",
    "?:", "=>", "->", "::", "#{", "%{", 'R"(', '@"', '$"', "u", "\\u", "import ", "from ", "select ", "var ", "async ",
    "0", "9" * 20, "a" * 20, " " * 20, "a\n", "\n ", "a(", "a<", "x y ", "*a",
)  # fmt: skip
PAIRS = 600
RUNS = 3


def main() -> None:
    languages = sys.argv[1:] or sorted(code_highlighting.LEXERS)
    for language in languages:
        code_highlighting.code_spans("x = 1\n", language)
        slowest = sorted(
            ((cost(block, language), name) for name, block in blocks(code_highlighting.most_chars(language))),
            reverse=True,
        )[:3]
        print(f"{language:12}", *(f"{ms:6.1f} ms {name!r}" for ms, name in slowest), sep="  ", flush=True)


def blocks(chars: int) -> Iterator[tuple[str, str]]:
    """Yield a name and a block of the most characters, lines and characters in a line."""
    dice = random.Random(0)
    for piece in PIECES:
        yield piece, bounded(chars, piece)
    for _ in range(PAIRS):
        first, second = dice.choice(PIECES), dice.choice(PIECES)
        yield first + second, bounded(chars, first + second)
        yield f"{first} once, {second}", bounded(chars, second, first)


def bounded(chars: int, piece: str, before: str = "") -> str:
    text = before + piece * (chars // len(piece) + 1)
    most = code_highlighting.MAX_LINE_CHARS
    lines = [line[at : at + most] for line in text.split("\n") for at in range(0, max(len(line), 1), most)]
    return "\n".join(lines[: code_highlighting.MAX_LINES])


def cost(block: str, language: str) -> float:
    least = float("inf")
    for _ in range(RUNS):
        begin = time.thread_time()
        code_highlighting.code_spans.__wrapped__(block, language)
        least = min(least, (time.thread_time() - begin) * 1_000)
        if least < 4:
            break
    return least


if __name__ == "__main__":
    main()
