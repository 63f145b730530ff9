"""SIGHUP: of a closed terminal, or of the operator."""

from __future__ import annotations

from securechat.server.hangup import TerminalWatcher


class _Terminal:
    there = True

    def __call__(self) -> bool:
        return self.there


def test_a_signal_at_the_closing_is_the_terminals() -> None:
    terminal = _Terminal()
    controlling = TerminalWatcher(terminal, ignored=False)
    assert not controlling.was_closed, "it is there: the operator's"
    terminal.there = False
    assert controlling.was_closed
    controlling.look()
    assert controlling.was_closed, "the signal may be on its way"


def test_a_server_that_outlived_its_terminal_is_reloaded() -> None:
    """As after ``disown``: the shell sends nothing at the closing."""
    terminal = _Terminal()
    controlling = TerminalWatcher(terminal, ignored=False)
    terminal.there = False
    controlling.look()
    controlling.look()
    assert not controlling.was_closed
    assert not controlling.watched


def test_a_server_without_a_terminal_or_under_nohup_is_reloaded() -> None:
    terminal = _Terminal()
    assert not TerminalWatcher(terminal, ignored=True).watched
    terminal.there = False
    assert not TerminalWatcher(terminal, ignored=False).was_closed
