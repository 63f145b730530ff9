"""What counts as being on the terminal: views that it has taken, and nothing of those that it was not given."""

from __future__ import annotations

from securechat.client.core.state import RoomKey
from securechat.client.ui.window.shown_frames import ShownFrames

OPS, LOBBY = RoomKey("ops"), RoomKey("lobby")


def test_a_view_counts_when_the_terminal_has_it() -> None:
    frames = ShownFrames()
    frame = frames.make(OPS, 5, 3)
    assert frames.through(OPS) <= 3
    frames.shown(frame)
    assert frames.through(OPS) == 5
    assert frames.make(OPS, 5, 3) == 0  # it is known to be there


def test_a_view_with_nothing_new_asks_for_nothing() -> None:
    assert ShownFrames().make(OPS, 3, 3) == 0


def test_the_same_view_made_again_has_the_same_number() -> None:
    frames = ShownFrames()
    assert frames.make(OPS, 5, 3) == frames.make(OPS, 5, 3) != frames.make(OPS, 6, 3)


def test_a_view_that_was_replaced_counts_for_nothing() -> None:
    frames = ShownFrames()
    first = frames.make(OPS, 5, 3)
    assert frames.make(OPS, 3, 3) == 0  # a flood has moved them out of the field
    frames.shown(first)
    assert frames.through(OPS) <= 3


def test_an_older_view_counts_as_far_as_it_goes() -> None:
    frames = ShownFrames()
    first, second = frames.make(OPS, 5, 3), frames.make(OPS, 8, 3)
    frames.shown(first)
    assert frames.through(OPS) == 5
    frames.shown(second)
    frames.shown(first)
    assert frames.through(OPS) == 8


def test_a_view_of_another_conversation_takes_the_screen() -> None:
    frames = ShownFrames()
    frames.shown(frames.make(OPS, 5, 3))
    frames.make(LOBBY, 2, 2)
    assert frames.through(OPS) == 0
    assert frames.through(LOBBY) <= 2


def test_nothing_is_on_a_terminal_that_another_program_has() -> None:
    frames = ShownFrames()
    waiting = frames.make(OPS, 5, 3)
    frames.hide()
    frames.shown(waiting)
    assert frames.through(OPS) == 0


def test_the_views_on_their_way_are_bounded() -> None:
    frames = ShownFrames()
    first = frames.make(OPS, 1, 0)
    for through in range(2, 2_000):
        newest = frames.make(OPS, through, 0)
    frames.shown(first)
    assert frames.through(OPS) == 0
    frames.shown(newest)
    assert frames.through(OPS) == 1_999
