"""What the screen says of a room that the user joins, and of one that is not joined yet."""

from __future__ import annotations

from securechat.client.core.client import ClientCore
from securechat.client.ui.screen_model.panes import MemberPane
from tests.support.core_driver import SECRET
from tests.support.screen_rig import ScreenRig, text_of


def test_a_room_that_is_joined_opens_and_says_so() -> None:
    rig = ScreenRig("ops", size=(80, 24))
    rig.submit("/join printers")
    assert rig.core.current == rig.core.room("printers")
    assert "Joined #printers" in text_of(rig.view.messages)


def test_a_notice_of_the_room_before_does_not_stay() -> None:
    rig = ScreenRig("ops", size=(80, 24))
    rig.submit("/serch printer")
    assert "/serch" in text_of(rig.view.messages)
    rig.submit("/join printers")
    assert "/serch" not in text_of(rig.view.messages)


def test_no_number_of_members_is_told_of_a_room_that_is_not_joined_yet() -> None:
    assert MemberPane().rows(ClientCore(secret=SECRET, name="me", jitter=lambda: 0.5), 20, 5) == ()
    rig = ScreenRig("ops", size=(80, 24))
    assert text_of(MemberPane().rows(rig.core, 20, 5)).startswith("1 member")


def test_the_sentence_of_the_first_interrupt_names_the_key() -> None:
    rig = ScreenRig("ops", size=(80, 24))
    rig.run("interrupt")
    assert "Ctrl+C again leaves the chat" in text_of(rig.view.messages)
