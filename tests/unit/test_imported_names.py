"""Names that tests take from modules where they are not are found by `tools/imported_names.py`, without a run."""

from __future__ import annotations

import pytest

from tools.imported_names import missing_in

WRONG = {
    "from securechat.limits import NO_SUCH": "no NO_SUCH in securechat.limits",
    "def late():\n    from securechat.hub.hub import Habs": "no Habs in securechat.hub.hub",
    "from securechat.hub import hubs": "no hubs in securechat.hub",
    "import securechat.hub.hubs": "no securechat.hub.hubs",
    "from tests.support.gone import anything": "no anything in tests.support.gone",
    "from .support import gone": "no gone in tests.support",
    "from securechat import limits\nprint(limits.NO_SUCH)": "no NO_SUCH in securechat.limits",
    "import securechat.limits as known\nprint(known.NO_SUCH)": "no NO_SUCH in securechat.limits",
    "from securechat import limits\ndef test(monkeypatch):\n    monkeypatch.setattr(limits, 'NO_SUCH', 1)":
        "no NO_SUCH in securechat.limits",
}  # fmt: skip
RIGHT = (
    "from securechat.hub import hub\nfrom securechat.hub.hub import Hub\nprint(hub.Hub, hub.__file__)",
    "from securechat.hub import *",
    "import os.nothing\nfrom nowhere import anything",
    "from securechat import limits\nlimits = object()\nprint(limits.no_module)",
    "from securechat import limits\ndef test(limits):\n    print(limits.no_module)",
    "from securechat import limits\ndef test(patch):\n    patch.setattr(limits, 'NO_SUCH', 1, raising=False)",
    "from tools import dev\nimport tests.support.warm",
    "from .support.warm import run",
)


@pytest.mark.parametrize(("source", "said"), WRONG.items())
def test_a_name_that_is_not_there_is_found(source: str, said: str) -> None:
    (line,) = missing_in(source, "tests/test_made.py")
    assert line.startswith("tests/test_made.py:")
    assert line.endswith(said)


@pytest.mark.parametrize("source", RIGHT)
def test_names_that_are_there_are_no_findings(source: str) -> None:
    assert list(missing_in(source, "tests/test_made.py")) == []
