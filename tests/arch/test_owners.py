"""What is handed to the loop belongs to its connection; what stops the process is a short list that is written down.

An exception is its owner's where the callback is the owner's own method (`securechat.containment`). A lambda belongs to
none, so the connection it works for would stay open and half done.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from securechat.containment import Vital

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("hub", "net", "server")
HANDED_OVER = {"call_later": 1, "call_at": 1, "post": 0, "call_before_flush": 0}
"""The loop's methods, and which argument is the callback."""
OF_NO_CONNECTION = {
    "net/connector.py": "the client's",
    "net/pending_connections.py": "a connection that has sent a part of its hello: it is closed at its deadline",
    "net/plain_answers.py": "one that is answered already: the oldest make room",
    "server/app.py": "the server's own work",
    "server/files/disk.py": "the hub binds what it asks the disk for",
    "server/files/service.py": "the server's own work, once a day",
    "server/metrics/scraper.py": "bound to each connection that waits",
    "server/outgoing/feed.py": "bound to the webhook that it works for",
    "server/outgoing/worker.py": "the feed binds the outcome to its webhook",
    "server/web/server.py": "the files of the page",
}
MOST_VITAL = 6
SECTION = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8").split("### When a bug stops the server\n")[1]


def without_owner(source: str) -> Iterator[int]:
    """The lines where a lambda is handed to the loop, unless it is vital."""
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Call)
            and (at := HANDED_OVER.get(getattr(node.func, "attr", "").lstrip("_"))) is not None
        ):
            callbacks = [*node.args[at : at + 1], *(word.value for word in node.keywords if word.arg == "callback")]
            yield from (node.lineno for each in callbacks if isinstance(each, ast.Lambda))


def test_callbacks_of_connections_have_an_owner() -> None:
    found = {
        str(path.relative_to(ROOT / "securechat"))
        for folder in FOLDERS
        for path in (ROOT / "securechat" / folder).rglob("*.py")
        if any(without_owner(path.read_text(encoding="utf-8")))
    }
    assert found == set(OF_NO_CONNECTION)


@pytest.mark.parametrize(
    "source",
    ["loop.call_later(1.0, lambda: end(peer))", "self._post(lambda: 0)", "x.call_at(0, callback=lambda: 0)"],
)
def test_a_callback_without_an_owner_is_found(source: str) -> None:
    assert list(without_owner(source)) == [1]


def test_what_stops_the_server_is_a_short_list_that_operators_have() -> None:
    rows = re.findall(r"^\| (.+?) \| .+ \|$", SECTION.split("\n\n`securechat-admin` says")[0], re.MULTILINE)[1:]
    assert len(Vital) <= MOST_VITAL
    told = [task.value for task in Vital if task is not Vital.LOG_FAILURE]
    assert [row.partition(",")[0] for row in rows] == told
    assert Vital.LOG_FAILURE.value.removeprefix("stopping ") in " ".join(rows)


def test_work_is_vital_by_that_list_alone() -> None:
    """Only `vital` makes work that stops the process; it is used where the list says."""
    uses: dict[str, set[str]] = {}
    for path in (ROOT / "securechat").rglob("*.py"):
        for task in re.findall(r"vital\(Vital\.(\w+)", path.read_text(encoding="utf-8")):
            uses.setdefault(task, set()).add(path.name)
    assert uses == {
        "LOG": {"app.py"}, "FAN_OUT": {"app.py"}, "LOG_FAILURE": {"app.py"}, "STOPPING": {"app.py"},
        "CHANGES": {"changes.py"},
    }  # fmt: skip
