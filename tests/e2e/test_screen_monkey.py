"""Someone who presses anything at the screen, while the network, the server and other people do what they can."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.support.screen_monkey import ScreenMonkey
from tests.support.server import ServerProcess

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are Unix"),
    pytest.mark.slow,
    pytest.mark.not_pseudo("looks for what is said in English"),
]
SEEDS = [int(seed) for seed in os.environ.get("SCREEN_MONKEY_SEEDS", "2 3").split()]
STEPS = int(os.environ.get("SCREEN_MONKEY_STEPS", "80"))


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_is_pressed_the_client_lives_and_gives_the_terminal_back(
    server: ServerProcess, tmp_path: Path, seed: int
) -> None:
    with ScreenMonkey(server, tmp_path, seed) as monkey:
        monkey.play(STEPS)
        monkey.leave("key" if seed % 2 else "signal")
