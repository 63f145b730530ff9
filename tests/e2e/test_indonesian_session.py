"""A session in Indonesian at a terminal, at 40 and 80 columns, compared with what was recorded in ``tests/golden``.

Record it again where sentences were changed on purpose, and read the difference:

    python -m pytest tests/e2e/test_indonesian_session.py --update-golden

Nothing here waits for a sentence, so that a translation can change without the steps.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable

import pytest

from securechat.client.exit_codes import ClientExit
from tests.e2e.conftest import Connect
from tests.support.admin import told
from tests.support.golden import GOLDEN
from tests.support.screen import Screen
from tests.support.server import ServerProcess

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are Unix"),
    pytest.mark.not_pseudo("is about Indonesian"),
]
Open = Callable[..., Screen]
TIME = re.compile(r"\b\d\d([:.])\d\d\b")
PROMPT = ">>"


class Session:
    """Ani at her terminal: each step ends when the screen shows more than before, and the prompt again."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen

    def step(self, act: Callable[[], object], what: str, *, notices: int = 0) -> None:
        rows, least = len(self.screen.rows), self._notices() + notices
        act()
        self.screen.wait_until(
            lambda: len(self.screen.rows) > rows and self._notices() >= least and self._is_ready(),
            f"an answer to {what}",
        )

    def _notices(self) -> int:
        return sum(row.startswith("-- ") for row in self.screen.rows)

    def line(self, text: str) -> None:
        self.step(lambda: self.screen.line(text), text)

    def _is_ready(self) -> bool:
        return self.screen.rows[-1].endswith(PROMPT)


@pytest.mark.parametrize("columns", [40, 80])
def test_a_session_in_indonesian_looks_as_it_was_recorded(
    screen: Open, server: ServerProcess, connect: Connect, columns: int, request: pytest.FixtureRequest
) -> None:
    budi = connect(server, "budi")
    budi.join("ops")
    client = screen("--name", "ani", columns=columns, rows=40, env={"SECURECHAT_LANG": "id"})
    client.wait_for(f"{PROMPT}")
    client.wait_until(lambda: client.rows[-1].endswith(f"#lobby {PROMPT}") or len(client.rows) > 3, "the room")
    ani = Session(client)
    for command in ("/help", "/help msg", "/help rooms", "/who", "/join ops"):
        ani.line(command)
    ani.step(lambda: budi.say_acked("Rapat jam berapa?", "ops"), "a message")
    ani.line("/reply 1 Jam dua")
    ani.line("Nanti saya bawa kopi untuk semua orang di ruang ini")
    ani.line("/edit Nanti saya bawa teh")
    ani.step(lambda: client.line("/react 1 👍"), "a reaction", notices=1)  # told when it is durable
    client.wait_until(lambda: "Reaksi pada [1]" in client.text, "the reaction's row")
    for command in ("/topic Kopi", "/msg takada Halo", "/whoo", "/nick budi", "/history 5", "/search kopi"):
        ani.line(command)
    ani.step(lambda: told(server, "mute", "ani", "--for", "10m", "--reason", "berisik"), "a mute")
    ani.line("Halo?")
    ani.step(lambda: told(server, "unmute", "ani"), "its end")
    ani.step(lambda: told(server, "announce", "Server dimatikan jam lima"), "an announcement")
    ani.step(server.kill, "the loss of the connection", notices=2)  # and that the first try to come back failed
    ani.line("Ini menunggu")
    server.start()
    client.wait_until(lambda: client.rows[-1].endswith(PROMPT) and "ani: Ini menunggu" in client.text, "the way back")
    client.line("/quit")
    assert client.wait_for_exit() == ClientExit.OK
    shown = masked(client.text, server.port)
    path = GOLDEN / f"session_indonesian_{columns}.txt"
    if request.config.getoption("--update-golden"):
        path.write_text(shown, encoding="utf-8")
    assert shown.splitlines() == path.read_text(encoding="utf-8").splitlines()


def masked(text: str, port: int) -> str:
    """Replace what differs each time by as many signs."""
    without_times = TIME.sub(r"00\g<1>00", text.replace(str(port), "0" * len(str(port))))
    return re.sub(r"\d{4}-\d\d-\d\d", "0000-00-00", without_times) + "\n"
