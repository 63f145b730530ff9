"""Code has colours within bounds, and is plain code beyond them. How long the worst takes: tools/bench."""

from __future__ import annotations

import subprocess
import sys

import pytest

from securechat.client.ui.rows import code_highlighting
from securechat.client.ui.rows.code_highlighting import LANGUAGES, LEXERS, code_spans, most_chars
from securechat.client.ui.rows.styled_text import TextSpan, TextStyle


def styled(code: str, language: str) -> list[tuple[TextStyle, str]]:
    whole, *spans = code_spans(code, language)
    assert whole == TextSpan(0, len(code), TextStyle.CODE)
    return [(span.style, code[span.start : span.end]) for span in spans]


def test_a_block_has_the_colours_of_its_language() -> None:
    assert styled("def f():  # why\n    return 'a', 12", "python") == [
        (TextStyle.KEYWORD, "def"),
        (TextStyle.COMMENT, "# why"),
        (TextStyle.KEYWORD, "return"),
        (TextStyle.STRING, "'a'"),
        (TextStyle.NUMBER, "12"),
    ]
    assert (TextStyle.KEYWORD, "select") in styled("select a from b -- c", "SQL")
    assert (TextStyle.KEYWORD, "echo") in styled("echo 1;", "php")
    assert (TextStyle.STRING, "+new") in styled("-old\n+new\n", "diff")


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_every_language_has_a_lexer(language: str) -> None:
    code = "if (x) { 'a'; 1 } # <b>\n"
    assert code_spans(code, language)[0].style is TextStyle.CODE
    assert all(0 <= span.start < span.end <= len(code) for span in code_spans(code, language))
    assert code_highlighting._ALSO.get(language, language) in LEXERS


@pytest.mark.parametrize("language", ["", "klingon", "brainfuck", "python python"])
def test_a_language_that_is_not_named_or_known_is_plain(language: str) -> None:
    assert styled("return 1", language) == []


@pytest.mark.parametrize(
    ("most", "more"),
    [
        ("1\n" * 199 + "1", "1\n" * 200 + "1"),
        ("1" * 200, "1" * 201),
        (f"1{' ' * 60}1", f"1{' ' * 61}1"),
        (f"1{chr(10) * 60}1", f"1{chr(10) * 61}1"),
    ],
    ids=["lines", "line", "blanks", "blank lines"],
)
def test_beyond_the_bounds_a_block_is_plain(most: str, more: str) -> None:
    assert styled(most, "python")
    assert styled(more, "python") == []


def test_only_the_beginning_of_a_long_block_is_looked_at() -> None:
    line = "return 1\n"
    code = line * 199
    ends = [len(code[: span.end]) for span in code_spans(code, "java")[1:]]
    assert most_chars("java") - len(line) < max(ends) <= most_chars("java")
    many = "(1\n" * 60 * 3
    assert len(styled(many, "python")) <= code_highlighting.MAX_TOKENS
    tokens = "1;" * 99 + "\n"
    assert len(styled(tokens * 12, "c")) < code_highlighting.MAX_TOKENS


def test_a_fault_of_a_lexer_costs_the_colours_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: str) -> None:
        raise RecursionError

    monkeypatch.setattr(code_highlighting, "_tokens", lambda _: broken)
    assert styled("return 'broken'", "python") == []


def test_pygments_is_not_imported_before_it_is_needed() -> None:
    program = (
        "import sys; from securechat.client.ui.rows.code_highlighting import code_spans;"
        "code_spans('x = 1', 'text'); assert not any(name.startswith('pygments') for name in sys.modules);"
        "code_spans('x = 1', 'python'); assert 'pygments' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
