"""The records of the web client are those of the model."""

from __future__ import annotations

from tests.support.deno import needs_deno
from tools.web_records import RECORDS, text


@needs_deno
def test_records_of_the_page_are_those_of_the_model() -> None:
    assert RECORDS.read_text(encoding="utf-8") == text(), "run: python tools/web_records.py"
