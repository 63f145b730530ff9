"""No sentence for a peer is written outside the table of `securechat.text.refusals`, and each row of it is used."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from securechat.errors import ErrorCode
from securechat.text.refusals import REASONS, sentence
from securechat.translation.formatting import fields
from tests.support.refusals import FREE_TEXT, LONGEST, longest_arguments
from tools.prose import PERSONS
from tools.refusals_table import BEGIN, END, PROTOCOL, table

PRODUCT = Path(__file__).resolve().parent.parent.parent / "securechat"
MOST_CHARS = 300
"""Of a sentence, beside what a person wrote into it: two lines of a terminal, and one of IRC (RFC 2812, 2.3)."""
DEFINING = {"errors.py", "model/events.py", "records/log.py", "text/refusals.py"}
TEST_KIT = {"testing/codec_checks.py"}
"""It holds codecs against every code, with and without a reason."""
LIBRARY = "bot/"
"""Its errors tell a program what the server has said, and reach no peer."""
NEVER_SENT = {ErrorCode.UNKNOWN}
"""docs/protocol.md, section 9: the client's own."""
_SAYING = {"Closing", "NotAppended", "Refusal", "Refused", "RemoteProtocolError"}


@cache
def product() -> dict[str, ast.Module]:
    """Every module of the product, by its path in securechat/."""
    return {str(path.relative_to(PRODUCT)): ast.parse(path.read_text("utf-8")) for path in PRODUCT.rglob("*.py")}


def called(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """The calls of a module, each with the last word of what is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            match node.func:
                case ast.Name(id=name) | ast.Attribute(attr=name):
                    yield name, node


def refusals() -> Iterator[tuple[str, ast.Call]]:
    """Every call of `refusal_for` and `protocol_error`, with its place."""
    for path, tree in product().items():
        for name, call in called(tree):
            if name in {"refusal_for", "protocol_error"}:
                yield f"{path}:{call.lineno}", call


def reasons_of(call: ast.Call) -> list[str]:
    """The reasons that a call can name: one literal, or two of a conditional expression; empty for anything else."""
    match call.args:
        case [ast.Constant(value=str(reason))]:
            return [reason]
        case [ast.IfExp(body=ast.Constant(value=str(one)), orelse=ast.Constant(value=str(other)))]:
            return [one, other]
    return []


def writes_a_sentence(name: str, call: ast.Call) -> bool:
    """Whether a call makes what a peer is told from something else than a row of the table."""
    if name == "Left":  # without a code it answers a wish, and has no sentence
        return len(call.args) > 2 or any(keyword.arg in {"code", "text"} for keyword in call.keywords)
    return name in _SAYING


def test_each_refusal_names_a_row_and_its_arguments() -> None:
    wrong = []
    for place, call in refusals():
        reasons = reasons_of(call)
        given = {keyword.arg for keyword in call.keywords} - {"retry_after_s"}
        if not reasons or any(reason not in REASONS or given != fields(REASONS[reason][1]) for reason in reasons):
            wrong.append(f"{place}: {reasons or 'no literal'} {given}")
    assert wrong == []


def test_each_row_is_used() -> None:
    used = {reason for _, call in refusals() for reason in reasons_of(call)}
    assert set(REASONS) - used == set()


def test_no_sentence_is_written_elsewhere() -> None:
    found = [
        f"{path}:{call.lineno}"
        for path, tree in product().items()
        for name, call in called(tree)
        if path not in DEFINING | TEST_KIT and not path.startswith(LIBRARY) and writes_a_sentence(name, call)
    ]
    assert found == []


def test_each_code_that_is_sent_has_a_row() -> None:
    codes = {code for code, _ in REASONS.values()}
    assert codes.isdisjoint(NEVER_SENT)
    assert set(ErrorCode) - codes - NEVER_SENT == set()


@pytest.mark.parametrize("reason", REASONS)
def test_a_reason_is_a_word(reason: str) -> None:
    assert re.fullmatch(r"[a-z]+(?:_[a-z0-9]+)*", reason)
    assert len(reason) <= 40


@pytest.mark.parametrize("reason", REASONS)
def test_a_sentence_is_in_the_style_of_the_others(reason: str) -> None:
    template = REASONS[reason][1]
    for part in re.split(r"(?<!\d)\. ", template):
        assert part[0].isupper() or part[0] in "{#/`", f"begins small: {part}"
    assert template[-1] not in ".!?"
    assert ";" not in template
    assert not PERSONS.search(template)


@pytest.mark.parametrize("reason", REASONS)
def test_a_sentence_is_short(reason: str) -> None:
    unknown = fields(REASONS[reason][1]) - set(LONGEST)
    assert not unknown, f"tests/support/refusals.py: how long may {unknown} be?"
    short = {name: "" if name in FREE_TEXT else value for name, value in longest_arguments(reason).items()}
    assert len(sentence(reason, short)) <= MOST_CHARS


def test_the_table_in_the_protocol_is_up_to_date() -> None:
    text = PROTOCOL.read_text(encoding="utf-8")
    assert text.count(BEGIN) == text.count(END) == 1
    current = text.split(BEGIN)[1].split(END)[0].strip()
    assert current == table().strip(), "run: python tools/refusals_table.py"
