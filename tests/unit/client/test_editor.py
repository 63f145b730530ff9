"""Names are completed where somebody is named, and nowhere else."""

from __future__ import annotations

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from securechat.client.terminal.editor import MentionCompleter

NAMES = ("ann", "Anna B", "bob", "an\u202ex")


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("@an", ["ann ", "Anna B "]),
        ("well, @Anna", ["Anna B "]),
        ("@anna_b", ["Anna B "]),
        ("@", ["ann ", "Anna B ", "bob "]),
        ("an", []),
        ("mail@an", []),
        ("@zoe", []),
    ],
)
def test_at_names(typed: str, found: list[str]) -> None:
    completions = MentionCompleter(lambda: NAMES).get_completions(Document(typed), CompleteEvent())
    assert [completion.text for completion in completions] == found
