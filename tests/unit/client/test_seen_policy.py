"""A message counts as read when a person looked at it: focus, keys, passing by, and what was put back."""

from __future__ import annotations

from securechat.client.core.state import PersonKey, RoomKey
from securechat.client.ui.window.seen_policy import LOOKING_S, SeenPolicy

OPS, ANA = RoomKey("ops"), PersonKey(7)


def inside(*, focused: bool | None = None, now: float = 100.0) -> SeenPolicy:
    """In a room where a key was pressed."""
    one = SeenPolicy()
    if focused is not None:
        one.focus(on=focused)
    one.entered(OPS)
    one.pressed(OPS, now)
    return one


def test_what_is_on_a_focused_screen_is_seen_once() -> None:
    one = inside(focused=True)
    assert one.seen(5, 1000.0) == 5
    assert one.seen(5, 1001.0) is None
    assert one.seen(6, 9999.0) == 6


def test_nothing_is_seen_while_the_terminal_has_not_the_focus() -> None:
    one = inside(focused=True)
    one.focus(on=False)
    assert one.seen(5, 101.0) is None
    one.focus(on=True)
    assert one.seen(5, 102.0) == 5


def test_a_key_means_that_a_report_of_focus_was_lost() -> None:
    one = inside(focused=True)
    one.focus(on=False)
    one.pressed(OPS, 200.0)
    assert one.seen(5, 200.0) == 5


def test_without_reports_a_key_counts_for_a_minute() -> None:
    one = inside(now=100.0)
    assert one.seen(5, 100.0 + LOOKING_S - 1) == 5
    assert one.seen(6, 100.0 + LOOKING_S) is None
    one.pressed(OPS, 300.0)
    assert one.seen(6, 301.0) == 6


def test_entering_and_leaving_without_a_key_changes_nothing() -> None:
    one = SeenPolicy()
    one.focus(on=True)
    one.entered(OPS)
    one.entered(ANA)
    one.pressed(OPS, 100.0)  # the key that led from one to the other
    assert one.seen(5, 100.0) is None
    one.pressed(ANA, 101.0)
    assert one.seen(5, 101.0) == 5


def test_a_key_in_one_conversation_is_none_in_the_next() -> None:
    one = inside(focused=True)
    assert one.seen(50, 100.0) == 50
    one.entered(ANA)
    assert one.seen(60, 100.0) is None
    one.pressed(ANA, 101.0)
    assert one.seen(4, 101.0) == 4


def test_entering_where_one_is_changes_nothing() -> None:
    one = inside(focused=True)
    one.entered(OPS)
    assert one.seen(5, 100.0) == 5


def test_what_is_put_back_stays_unread_until_the_reader_comes_again() -> None:
    one = inside(focused=True)
    assert one.seen(5, 100.0) == 5
    one.marked_unread()
    one.pressed(OPS, 101.0)
    assert one.seen(5, 101.0) is None
    one.entered(ANA)
    one.entered(OPS)
    one.pressed(OPS, 102.0)
    assert one.seen(5, 102.0) == 5


def test_the_end_is_seen_when_it_is_asked_for() -> None:
    one = inside(focused=True)
    one.marked_unread()
    one.went_to_end()
    assert one.skips
    assert one.seen(9, 101.0) == 9
    assert not one.skips  # once


def test_nothing_is_seen_before_it_is_known_what_is_unread() -> None:
    one = inside(focused=True)
    assert one.seen(5, 100.0, unread_known=False) is None
    assert one.seen(5, 100.0) == 5
