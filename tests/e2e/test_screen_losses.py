"""Two people on full screens in tmux while the network, the client or the server fails: each message once, in order."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cutting_relay import CuttingRelay
from tests.support.screen_panes import ScreenPanes, command, process_of, said
from tests.support.secrecy import PASSWORD
from tests.support.server import ServerProcess, wait_until
from tests.support.tmux import TmuxPane, needs_tmux

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are Unix"),
    needs_tmux(),
    pytest.mark.slow,
    pytest.mark.not_pseudo("looks for what is said in English"),
]


@pytest.fixture
def panes() -> Iterator[ScreenPanes]:
    with ScreenPanes() as made:
        yield made


@pytest.fixture
def relay(server: ServerProcess) -> Iterator[CuttingRelay]:
    one = CuttingRelay(server.port)
    yield one
    one.close()


class Talk:
    """What two people say, each message with a number, and what both are to see of it."""

    def __init__(self, **screens: TmuxPane) -> None:
        self.screens = screens
        self.wanted: list[str] = []

    def say(self, name: str) -> str:
        """Have a person send the next message."""
        if self.wanted:
            self.screens[name].wait_for(self.wanted[-1])  # it goes before
        self.wanted.append(f"from {name} {len(self.wanted)}")
        self.screens[name].line(self.wanted[-1])
        return self.wanted[-1]

    def expect(self, *names: str) -> None:
        """Wait until each message is seen once, in order, on the screens of these people, by default of all."""
        for name in names or self.screens:
            screen = self.screens[name]
            screen.wait_until(lambda screen=screen: said(screen) == self.wanted, f"{name}: {self.wanted}")


def test_a_network_that_stops_and_breaks_loses_and_doubles_nothing(
    panes: ScreenPanes, server: ServerProcess, relay: CuttingRelay
) -> None:
    ann, bob = panes.opened(server, "ann", port=relay.port), panes.opened(server, "bob")
    ann.wait_for("bob joined")
    talk = Talk(ann=ann, bob=bob)
    talk.say("ann")
    talk.say("bob")
    talk.expect()

    relay.hold()  # nothing comes and goes, and nothing says so
    waiting = talk.say("ann")
    ann.wait_for("! Sending")
    assert waiting in ann.text
    assert waiting not in bob.text
    relay.cut()
    ann.wait_until(lambda: "· connected" not in ann.text, "the loss")
    ann.wait_for("! Waiting for the connection")
    ann.keys("half a text", literal=True)
    relay.flow()
    ann.wait_for("ann · connected")
    talk.expect()
    assert "#lobby > half a text" in ann.text
    ann.keys("C-u")

    relay.hold(to_server=False)  # the server has it, and ann does not hear that
    talk.say("ann")
    talk.expect("bob")
    talk.say("bob")
    talk.expect("bob")
    assert said(ann) == talk.wanted[:-1]
    relay.cut()
    ann.wait_until(lambda: "· connected" not in ann.text, "the loss")
    relay.flow()
    ann.wait_for("ann · connected")
    talk.expect()
    talk.say("ann")
    talk.expect()
    assert relay.cuts == 2


def test_a_client_that_is_killed_goes_on_where_it_was(
    panes: ScreenPanes, server: ServerProcess, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    ann, bob = panes.opened(server, "ann", env={"SECURECHAT_STATE": str(state)}), panes.opened(server, "bob")
    ann.wait_for("bob joined")
    _register(ann)
    talk = Talk(ann=ann, bob=bob)
    talk.say("ann")
    talk.say("bob")
    talk.expect()

    ann.keys("begun, not sent", literal=True)
    wait_until(lambda: any(b"begun, not sent" in each.read_bytes() for each in _files(state)), "the stored text")
    os.kill(process_of(ann), signal.SIGKILL)
    server.wait_for_event("disconnected", name="ann")
    talk.say("bob")
    talk.expect("bob")
    _sane_again(ann)
    ann.start(command(server, "ann"))
    ann.wait_for("ann · connected")
    talk.expect()
    ann.wait_for("#lobby > begun, not sent")
    ann.keys("C-u")
    talk.say("ann")
    talk.expect()


def _register(one: TmuxPane) -> None:
    """Give the name a password: a guest's name is kept for two minutes for who has lost the connection."""
    one.line("/register")
    one.wait_for("New password")
    one.line(PASSWORD)
    one.wait_for("again")
    one.line(PASSWORD)
    one.wait_for("Registered as")


def _files(directory: Path) -> list[Path]:
    return [each for each in directory.rglob("*") if each.is_file()]


def _sane_again(one: TmuxPane) -> None:
    """Do what a person does whose program was killed in a terminal's raw mode: type ``reset``, blindly."""
    one.keys("C-j")
    one.keys("stty sane; printf '\\033[?1049l\\033[m'; clear", literal=True)
    one.keys("C-j")
    one.wait_until(lambda: one.text.strip() in {"$", "#"}, "the prompt of the shell")


def test_what_waits_when_the_client_is_killed_can_be_sent_by_the_next_one(
    panes: ScreenPanes, server: ServerProcess, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    ann = panes.opened(server, "ann", env={"SECURECHAT_STATE": str(state)})
    _register(ann)
    server.signal(signal.SIGKILL)
    server.wait()
    ann.wait_until(lambda: "· connected" not in ann.text, "the loss")
    ann.line("from ann 0")
    ann.wait_for("! Waiting for the connection")
    wait_until(lambda: any(b"from ann 0" in each.read_bytes() for each in _files(state)), "the stored text", 5)
    os.kill(process_of(ann), signal.SIGKILL)
    server.start()
    _sane_again(ann)
    ann.start(command(server, "ann"))
    ann.wait_for("ann · connected")
    ann.wait_for("#lobby > from ann 0")
    ann.keys("Enter")
    ann.wait_until(lambda: said(ann) == ["from ann 0"] and "#lobby > Write" in ann.text, "the message, stored")
