"""The pictures of docs/terminal.md are those of this client."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.client import ROOT
from tools import terminal_screenshots

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are Unix"),
    pytest.mark.not_pseudo("compares with pictures in both languages"),
]


@pytest.mark.parametrize("picture", terminal_screenshots.PICTURES, ids=lambda picture: picture.name)
def test_a_picture_is_not_stale(picture: terminal_screenshots.TerminalPicture, certs: Path, tmp_path: Path) -> None:
    kept = (ROOT / "docs" / "pictures" / f"{picture.name}.svg").read_text(encoding="utf-8")
    assert terminal_screenshots.made(picture, tmp_path, certs) == kept, "run: python tools/terminal_screenshots.py"
