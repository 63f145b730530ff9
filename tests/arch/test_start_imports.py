"""What the client imports before it is needed: it would start later, for everyone."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

PIPE, SERVER = "securechat.cli.chat", "securechat.cli.serve"
LINES = "securechat.client.terminal.app"
NEVER = ("tomllib", "pygments", "textual", "rich", "securechat.toml_file", "securechat.client.screen")
KEYS = (
    "securechat.client.ui.input.ui_actions",
    "securechat.client.ui.screen_model.state",
    "securechat.client.ui.screen_model.start_form",
)
TOOLKITS = ("prompt_toolkit", "pygments", "textual", "rich", "securechat.client.screen", "securechat.client.terminal")
TERMINAL = ("prompt_toolkit", "subprocess", "securechat.client.ui.themes", "securechat.client.pipe.dumb")


@pytest.mark.parametrize(
    ("imported", "without"),
    [
        ((PIPE,), (*NEVER, *KEYS, *TERMINAL)),
        ((PIPE, LINES), (*NEVER, *KEYS, "securechat.client.pipe.dumb")),
        ((SERVER,), TOOLKITS),
    ],
)
def test_a_start_imports_only_what_its_mode_needs(imported: tuple[str, ...], without: tuple[str, ...]) -> None:
    program = f"import json, sys, {', '.join(imported)}; print(json.dumps(sorted(sys.modules)))"
    loaded: list[str] = json.loads(
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    )
    assert set(imported) <= set(loaded)
    unwanted = [each for each in loaded if any(f"{each}.".startswith(f"{name}.") for name in without)]
    assert unwanted == []
