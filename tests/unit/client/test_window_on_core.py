"""A message window on a real core and a server with a log: pages both ways, nothing twice, nothing left out."""

from __future__ import annotations

from securechat.client.core import actions
from securechat.client.core.state import Visibility
from securechat.client.ui.window.message_window import MessageWindow
from tests.support.core_driver import ChangingServer, Driver
from tests.support.window_log import PlainRows


class WindowOnCore:
    """The lobby of one who was there all the time, or came when ``before`` messages had been said."""

    def __init__(self, before: int = 0) -> None:
        self.server = ChangingServer()
        self.server.batch([("lobby", f"old {number}") for number in range(before)])
        self.driver = Driver(self.server, visibility=Visibility.REPORTED, backfill_count=10)
        self.driver.settle()
        core, key = self.driver.core, self.driver.core.current
        self.window = MessageWindow(key, lambda: core.conversations.get(key), PlainRows(), 20, 8, core.ignored)
        self.driver.told.clear()

    def take(self) -> None:
        """Deliver, note every event, and ask for the pages that are wanted."""
        for _ in range(50):
            self.driver.settle()
            for ui_event in self.driver.told:
                self.window.note(ui_event)
            self.driver.told.clear()
            if (page := self.window.wanted()) is None:
                return
            self.driver.want(page.action(self.window.target, 100))
            self.window.asked(page)
        raise AssertionError("wants pages without end")

    def kept(self) -> list[str]:
        return [message.text for message in self.window.kept]

    def log(self) -> list[str]:
        return [message.text for message in self.server.log if message.room == "lobby"]


def test_all_of_the_log_is_reached_by_scrolling_up() -> None:
    one = WindowOnCore(300)
    for _ in range(100):
        one.take()
        one.window.page(-1)
    assert one.kept() == one.log()
    assert [str(each.row) for each in one.window.rows().rows][:2] == ["<99>", "old 0"]


def test_what_is_said_and_changed_is_shown_as_the_log_has_it() -> None:
    one = WindowOnCore(20)
    one.take()
    one.server.batch([("lobby", f"new {number}") for number in range(700)])  # more than the core keeps
    one.take()
    target = one.server.log[30].seq
    one.server.change(target, "edit", text="other words")
    one.server.change(one.server.log[710].seq, "delete")
    one.take()
    one.window.page(-1)
    one.take()
    log = {message.seq: message for message in one.server.log}
    assert [message.seq for message in one.window.kept] == sorted(log)[-len(one.window.kept) :]
    kept = {message.seq: message for message in one.window.kept}
    assert kept[target].text == "other words"
    assert sum(message.deleted is not None for message in kept.values()) == 1


def test_what_was_missed_is_there_after_a_lost_connection_and_the_reader_stays() -> None:
    one = WindowOnCore(60)
    one.take()
    one.window.page(-2)
    before = [str(each.row) for each in one.window.rows().rows]
    one.driver.cut()
    one.server.batch([("lobby", f"missed {number}") for number in range(40)])
    one.take()
    assert [str(each.row) for each in one.window.rows().rows] == before
    assert one.window.below == 40
    assert one.kept() == one.log()[-len(one.kept()) :]


def test_what_was_seen_is_unread_no_more() -> None:
    one = WindowOnCore(20)
    one.take()
    one.server.batch([("lobby", f"new {number}") for number in range(5)])
    one.take()
    conversation = one.driver.core.conversations[one.window.target]
    assert conversation.unread == 5
    one.window.open(conversation.read + 1)
    through = one.window.seen_through(conversation.read)
    assert through > conversation.read
    one.driver.want(actions.MarkSeen(one.window.target, through))
    assert conversation.unread == 0
    assert conversation.read == through
