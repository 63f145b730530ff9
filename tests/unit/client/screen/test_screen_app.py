"""The application with a state that says back what is typed: keys, pastes, the mouse, overlays, drawing."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from securechat.client.screen.app import STUCK_S
from securechat.client.screen.toolkit import PastedText, Region, events
from securechat.client.tty.modes import MOUSE_OFF, MOUSE_ON
from securechat.client.ui.input.terminal_input import PASTE_CHARS
from securechat.client.ui.rows.styled_text import TextRow
from securechat.client.ui.screen_model import view as views
from securechat.client.ui.screen_model.layout import ScreenPane
from tests.support.event_loops import without_running_loop
from tests.support.screen_program import LINK, EchoState

Test = Callable[[EchoState, Any], Coroutine[Any, Any, None]]


def run(test: Test, size: tuple[int, int] = (80, 24)) -> EchoState:
    """Run a test with a pilot."""

    async def main() -> EchoState:
        state = EchoState()
        async with state.app.run_test(size=size) as pilot:
            await pilot.pause()
            await test(state, pilot)
            await pilot.pause()
        return state

    with without_running_loop():
        return asyncio.run(main())


async def type_text(pilot: Any, text: str) -> None:
    await pilot.press(*({" ": "space", "/": "slash", "?": "question_mark"}.get(char, char) for char in text))
    await pilot.pause()


def rows(state: EchoState) -> list[str]:
    """What the toolkit has on its screen."""
    screen = state.app.screen
    strips = screen._compositor.render_strips()
    return [strip.text.rstrip() for strip in strips]


def inputs_of(state: EchoState, kind: type) -> list[Any]:
    return [each for each in state.inputs if isinstance(each, kind)]


def test_a_view_is_drawn_in_its_fields() -> None:
    async def test(state: EchoState, _pilot: Any) -> None:
        shown = rows(state)
        assert shown[0] == "#lobby".ljust(20) + "│#lobby"
        assert shown[20].endswith("│#lobby >") or shown[21].endswith("│#lobby >")
        assert shown[-1] == "F1 help"

    run(test)


def test_a_view_is_told_to_be_on_the_terminal_when_it_was_drawn() -> None:
    async def test(state: EchoState, pilot: Any) -> None:
        assert not inputs_of(state, views.FrameShown)
        state.changes = {"frame": 7, "header": TextRow.of("another")}
        state.app.show(state.view())
        assert not inputs_of(state, views.FrameShown)
        state.changes["frame"] = 0
        await pilot.pause()
        assert not inputs_of(state, views.FrameShown) or rows(state)[0].endswith("another")
        state.changes = {"frame": 8, "header": TextRow.of("a third")}
        state.app.show(state.view())
        await pilot.pause()
        await pilot.pause()
        assert views.FrameShown(8) in state.inputs

    run(test)


def test_typed_text_is_painted_before_any_answer_and_told() -> None:
    async def test(state: EchoState, pilot: Any) -> None:
        state.waits = True
        await type_text(pilot, "hi")
        assert any(row.endswith("#lobby > hi") for row in rows(state))
        assert inputs_of(state, views.TypedText)[0].text == "h"

    run(test)


def test_while_one_text_is_on_its_way_the_newest_one_alone_follows() -> None:
    async def test(state: EchoState, pilot: Any) -> None:
        state.waits = True
        await type_text(pilot, "hello")
        assert [each.text for each in inputs_of(state, views.TypedText)] == ["h"]
        state.waits = False
        state.app.show(state.view())
        assert [each.text for each in inputs_of(state, views.TypedText)] == ["h", "hello"]

    run(test)


def test_keys_wait_for_the_view_that_has_counted_the_text() -> None:
    async def test(state: EchoState, pilot: Any) -> None:
        await type_text(pilot, "one")
        state.waits = True
        await pilot.press("enter", "t", "w", "o", "enter")
        await pilot.pause()
        assert state.messages == ["one"]
        state.waits = False
        state.app.show(state.view())
        await pilot.pause()
        await pilot.pause()
        assert state.messages == ["one", "two"]

    run(test)


def test_more_than_a_thousand_keys_and_a_paste_wait_for_a_busy_session() -> None:
    async def test(state: EchoState, pilot: Any) -> None:
        state.waits = True
        await pilot.press("a", "enter")
        typed = "".join(f"{number} " for number in range(500))
        for char in typed:
            state.app.post_message(events.Key("space" if char == " " else char, char))
        state.app.post_message(PastedText("one\ntwo", 7))
        await pilot.pause()
        assert state.app.composer.buffer.text == ""
        state.waits = False
        state.app.show_soon(state.view())
        await pilot.pause()
        assert len(typed) > 1_800
        assert state.app.composer.buffer.text == f"{typed}one\ntwo"
        assert inputs_of(state, views.TypedText)[-1].text == f"{typed}one\ntwo"
        assert inputs_of(state, views.ShowSentence) == []

    run(test)


def test_what_a_busy_session_has_no_place_for_is_told_and_no_part_of_it_is_sent() -> None:
    async def test(state: EchoState, pilot: Any) -> None:
        state.waits = True
        await pilot.press("a", "enter")
        for _ in range(6):
            state.app.post_message(PastedText("x" * 15_000, 15_000))
        state.app.post_message(events.Key("enter", "\r"))
        await pilot.pause()
        state.waits = False
        state.app.show_soon(state.view())
        await pilot.pause()
        assert state.messages == ["a"]
        (told,) = [each.sentence for each in inputs_of(state, views.ShowSentence) if "busy" in each.sentence]
        assert "30,001 characters" in told or "30001 characters" in told

    run(test)


@pytest.mark.parametrize("text", ["short", "x" * 44, "x" * 43, "x" * 200])
def test_what_is_left_of_the_limit_is_shown_however_full_the_last_row_is(text: str) -> None:
    async def test(state: EchoState, pilot: Any) -> None:
        state.composer["counter"] = TextRow.of("7 characters left")
        await type_text(pilot, text)
        shown = rows(state)
        assert sum("7 characters left" in row for row in shown) == 1
        assert sum(row.count("x") for row in shown if "http" not in row) == text.count("x")

    run(test)


def test_a_copied_mark_is_copied_again_by_ctrl_c_though_a_notice_has_moved_the_rows() -> None:
    async def test(state: EchoState, pilot: Any) -> None:
        await type_text(pilot, "half")
        field = state.app.view.layout.messages
        assert field is not None
        at = (field.column, field.row + field.rows - 1)
        await pilot.mouse_down(offset=at)
        await pilot.hover(offset=(at[0] + 3, at[1]))
        await pilot.mouse_up(offset=(at[0] + 3, at[1]))
        state.messages.append("another")
        state.app.show_soon(state.view())
        await pilot.press("ctrl+c")
        await pilot.pause()
        copied = [each for each in inputs_of(state, views.ShowSentence) if "clipboard" in each.sentence]
        assert state.app.composer.buffer.text == "half"
        await pilot.press("ctrl+c")
        await pilot.pause()
        assert state.app.composer.buffer.text == ""
        assert len(copied) == 2

    run(test)


def test_a_new_line_is_typed_in_three_ways() -> None:
    async def test(_state: EchoState, pilot: Any) -> None:
        await pilot.press("a", "shift+enter", "b", "ctrl+j", "c", "alt+enter", "d", "enter")

    assert run(test).messages == ["a\nb\nc\nd"]


def test_a_paste_of_several_lines_is_one_message_sent_by_enter_only() -> None:
    async def test(state: EchoState, pilot: Any) -> None:
        state.app.post_message(PastedText("one\r\ntwo\rthree\n", 15))
        await pilot.pause()
        assert state.messages == []
        assert sum("two" in row or "three" in row for row in rows(state)) >= 1
        await pilot.press("enter")

    assert run(test).messages == ["one\ntwo\nthree\n"]


def test_what_of_a_paste_finds_no_place_is_told() -> None:
    async def test(state: EchoState, pilot: Any) -> None:
        state.app.post_message(PastedText("x\x00" * (PASTE_CHARS // 2), 10 * 2**20))
        await pilot.pause()

    state = run(test)
    (told,) = inputs_of(state, views.ShowSentence)
    assert str(10 * 2**20 - PASTE_CHARS) in told.sentence
    assert "\x00" not in state.app.composer.buffer.text


def test_a_password_is_told_only_when_it_is_submitted() -> None:
    async def test(state: EchoState, pilot: Any) -> None:
        await type_text(pilot, "begun")
        state.composer = {"mode": views.ComposerMode.PASSWORD, "revision": 1, "prompt": TextRow.of("Password: ")}
        state.app.show(state.view())
        seen = len(state.inputs)
        await type_text(pilot, "secret")
        await pilot.press("ctrl+w", *"hidden1", "ctrl+underscore", "ctrl+y")
        await pilot.pause()
        assert not any("secret" in row or "hidden" in row for row in rows(state))
        assert not [each for each in state.inputs[seen:] if not isinstance(each, views.KeyTyped)]
        state.composer = {"revision": 2}
        await pilot.press("enter")
        await pilot.pause()
        await pilot.press("ctrl+y", "ctrl+underscore")
        assert state.messages == ["hidden1"]
        assert state.app.composer.buffer.text == ""

    run(test)


def test_the_rest_of_a_password_is_not_typed_into_the_room() -> None:
    async def test(state: EchoState, pilot: Any) -> None:
        state.composer = {"mode": views.ComposerMode.PASSWORD, "revision": 1, "prompt": TextRow.of("Password: ")}
        state.app.show(state.view())
        await type_text(pilot, "sec")
        state.composer = {"revision": 2}
        state.app.show(state.view())
        await type_text(pilot, "ret")
        await pilot.press("enter")
        await type_text(pilot, "hello")
        assert state.app.composer.buffer.text == "hello"
        assert state.messages == []
        assert len(inputs_of(state, views.ShowSentence)) == 1

    run(test)


def test_a_small_screen_shows_its_sentence_whole() -> None:
    async def test(state: EchoState, _pilot: Any) -> None:
        shown = " ".join(row.strip() for row in rows(state) if row)
        assert shown == "The window is too small: 20 columns and 6 rows are needed"

    run(test, size=(19, 5))


def test_the_line_above_the_members_is_whole() -> None:
    async def test(state: EchoState, _pilot: Any) -> None:
        below = state.view().layout.members
        assert below is not None
        assert rows(state)[below.row - 1].split("│")[0] == "-" * 20

    run(test)


def test_ctrl_c_empties_the_composer_and_undo_brings_the_text_back() -> None:
    async def test(state: EchoState, pilot: Any) -> None:
        await type_text(pilot, "text")
        await pilot.press("ctrl+c")
        assert state.app.composer.buffer.text == ""
        await pilot.press("ctrl+underscore")
        assert state.app.composer.buffer.text == "text"

    run(test)


def test_ctrl_k_deletes_where_it_can_and_switches_rooms_where_not() -> None:
    async def test(state: EchoState, pilot: Any) -> None:
        await type_text(pilot, "text")
        await pilot.press("home", "ctrl+k")
        assert state.app.composer.buffer.text == ""
        assert not inputs_of(state, views.RunAction)
        await pilot.press("ctrl+k")
        assert inputs_of(state, views.RunAction) == [views.RunAction("switch")]

    run(test)


def test_up_moves_in_the_text_and_selects_messages_from_its_first_row() -> None:
    async def test(state: EchoState, pilot: Any) -> None:
        state.app.post_message(PastedText("word " * 30, 150))
        await pilot.pause()
        await pilot.press("up")
        assert not inputs_of(state, views.RunAction)
        await pilot.press("up", "up", "up")
        assert inputs_of(state, views.RunAction)[0] == views.RunAction("select")

    run(test)


def test_a_letter_that_is_no_action_of_a_selected_message_is_typed() -> None:
    async def test(state: EchoState, pilot: Any) -> None:
        state.changes = {"focus": views.ScreenFocus.MESSAGES, "cursor": (21, 3)}
        state.app.show(state.view())
        assert state.app.cursor == (21, 3)
        await pilot.press("r", "x")
        await pilot.pause()
        assert inputs_of(state, views.RunAction) == [views.RunAction("reply")]
        assert state.app.composer.buffer.text == "x"

    run(test)


def test_the_cursor_is_at_the_insertion_point() -> None:
    async def test(state: EchoState, pilot: Any) -> None:
        await type_text(pilot, "ab漢")
        field = state.app.view.layout.composer
        assert field is not None
        assert state.app.cursor == (field.column + len("#lobby > ab") + 2, field.row)

    run(test)


def test_a_long_question_is_whole_and_leaves_a_place_for_its_answer() -> None:
    question = "Not sent, because it may be a password. Send it as a message? (y/n) "

    async def test(state: EchoState, pilot: Any) -> None:
        state.composer = {"mode": views.ComposerMode.CHOICE, "prompt": TextRow.of(question)}
        state.app.show(state.view())
        await type_text(pilot, "y")
        shown = [row.partition("│")[2].strip() for row in rows(state)[-4:-2]]
        assert " ".join(shown) == question + "y"

    run(test)


# --- completion


def test_tab_takes_the_first_candidate_and_enter_none_unless_the_list_was_entered() -> None:
    async def test(state: EchoState, pilot: Any) -> None:
        await type_text(pilot, "/h")
        assert any("/help ARG" in row for row in rows(state))
        await pilot.press("tab")
        await pilot.pause()
        assert state.app.composer.buffer.text == "/help "
        await pilot.press("ctrl+u", *["slash", "h"])
        await pilot.pause()
        await pilot.press("down", "down", "enter")
        await pilot.pause()
        assert state.app.composer.buffer.text == "/history "
        assert state.messages == []
        await pilot.press("ctrl+u", *["slash", "h"])
        await pilot.pause()
        await pilot.press("enter")
        await pilot.pause()
        assert state.messages == ["/h"]

    run(test)


def test_escape_leaves_the_list_and_nothing_else() -> None:
    async def test(state: EchoState, pilot: Any) -> None:
        await type_text(pilot, "/h")
        await pilot.press("escape")
        assert not any("/help ARG" in row for row in rows(state))
        assert not inputs_of(state, views.CloseOverlay)
        await pilot.press("escape")
        assert inputs_of(state, views.CloseOverlay)

    run(test)


# --- overlays


def overlay(**fields: Any) -> views.OverlayView:
    items = tuple(views.ViewRow(TextRow.of(f"item {n}"), views.ItemTarget(n, 1, ""), selected=n == 1) for n in range(3))
    return views.OverlayView(
        **{"kind": views.OverlayKind.SWITCHER, "title": TextRow.of("Rooms"), "items": items, **fields}
    )


def test_a_list_is_filtered_moved_and_chosen() -> None:
    async def test(state: EchoState, pilot: Any) -> None:
        state.changes = {"overlay": overlay(prompt=TextRow.of("> ")), "focus": views.ScreenFocus.OVERLAY}
        state.app.show(state.view())
        await pilot.pause()
        assert [row for row in rows(state) if "item" in row] == ["  item 0", "  item 1", "  item 2"]
        await pilot.press("j", "k", "down", "up", "end", "pagedown", "enter", "escape")
        await pilot.pause()
        assert [each.text for each in inputs_of(state, views.TypedFilter)] == ["j", "jk"]
        moves = inputs_of(state, views.MoveSelection)
        assert moves == [
            views.MoveSelection(1),
            views.MoveSelection(-1),
            views.MoveSelection(edge=1),
            views.MoveSelection(1, page=True),
        ]
        assert inputs_of(state, views.ChooseItem)
        assert inputs_of(state, views.CloseOverlay)
        assert state.app.cursor == (6, 1)

    run(test)


def test_a_form_is_filled_in_field_by_field_and_a_refusal_stands_beside_its_field() -> None:
    fields = (
        views.FormField("address", TextRow.of("Address"), "chat.example"),
        views.FormField("password", TextRow.of("Password"), hidden=True),
        views.FormField("mode", TextRow.of("Mode"), "screen", choices=("screen", "lines")),
    )

    async def test(state: EchoState, pilot: Any) -> None:
        state.changes = {"overlay": overlay(kind=views.OverlayKind.FORM, items=(), fields=fields)}
        state.app.show(state.view())
        await pilot.press("x", "enter", *"secret", "tab", "right", "shift+tab", "tab", "enter")
        await pilot.pause()
        (answer,) = inputs_of(state, views.AnswerForm)
        assert answer.values == {"address": "chat.examplex", "password": "secret", "mode": "lines"}
        assert not any("secret" in row for row in rows(state))
        refused = (views.FormField("address", TextRow.of("Address"), refusal=TextRow.of("no such host")), *fields[1:])
        state.changes = {"overlay": overlay(kind=views.OverlayKind.FORM, items=(), fields=refused, revision=1)}
        state.app.show(state.view())
        await pilot.pause()
        at = next(number for number, row in enumerate(rows(state)) if row.strip().startswith("Address"))
        assert rows(state)[at + 1].strip() == "no such host"
        assert state.app.cursor is not None
        assert state.app.cursor[1] == at
        state.changes = {}
        state.app.show(state.view())
        assert state.app.overlay.values == {}

    run(test)


# --- the mouse


def test_the_wheel_and_clicks_are_told_with_what_was_there() -> None:
    async def test(state: EchoState, pilot: Any) -> None:
        await type_text(pilot, "hi")
        await pilot.press("enter")
        await pilot.pause()
        pane = state.app.query_one("#messages")
        assert pane.region == Region(21, 1, 59, 19)
        await pilot._post_mouse_events([events.MouseScrollUp], offset=(30, 5), button=0)
        await pilot.click(offset=(2, 0))
        await pilot.click(offset=(2, 16))
        await pilot.click(offset=(30, 19))
        await pilot.click(offset=(30, 18))
        assert inputs_of(state, views.ScrollPane) == [views.ScrollPane(ScreenPane.MESSAGES, -3)]
        clicks = inputs_of(state, views.ClickRow)
        assert clicks[0].target == views.EndTarget()
        assert views.UnsentTarget(1) in [each.target for each in clicks]
        assert LINK in [each.link for each in clicks]

    run(test)


def test_dragging_marks_cells_of_its_pane_alone_and_copies_them() -> None:
    async def test(state: EchoState, pilot: Any) -> None:
        sent: list[str] = []
        state.app.send = sent.append  # type: ignore[method-assign]
        await pilot._post_mouse_events([events.MouseDown], offset=(25, 19), button=1)
        await pilot._post_mouse_events([events.MouseMove], offset=(2, 19), button=1)
        await pilot._post_mouse_events([events.MouseMove], offset=(79, 19), button=1)
        await pilot._post_mouse_events([events.MouseUp], offset=(79, 19), button=1)
        assert sent == ["\x1b]52;c;aHR0cHM6Ly9leGFtcGxlLm9yZy9hL2xvbmcvd2F5\x1b\\"]
        assert inputs_of(state, views.ShowSentence)

    run(test)


# --- the rest


def test_focus_and_size_are_told() -> None:
    async def test(state: EchoState, pilot: Any) -> None:
        state.app.post_message(events.AppBlur())
        state.app.post_message(events.AppFocus())
        await pilot.resize_terminal(40, 10)
        await pilot.pause()
        assert [each.on for each in inputs_of(state, views.FocusChanged)] == [False, True]
        assert views.ScreenResized(40, 10) in state.inputs
        assert rows(state)[-1] == "F1 help"
        await pilot.resize_terminal(10, 3)
        await pilot.pause()
        assert rows(state)[0] == "The window"

    run(test)


@pytest.mark.skipif(sys.platform == "win32", reason="there Textual writes")
def test_it_is_told_when_the_terminal_takes_nothing_and_when_it_does_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(state: EchoState, pilot: Any) -> None:
        driver: Any = state.app._driver
        driver.waits_s, driver.send, driver.show_frame = STUCK_S, lambda _: None, lambda: None
        monkeypatch.setattr("securechat.client.screen.app._Driver", type(driver))
        for _ in range(2):
            state.app.show_soon(state.view())
            await pilot.pause()
        assert inputs_of(state, views.ScreenHidden) == [views.ScreenHidden(True)]
        driver.waits_s = 0.0
        state.app._tell_stuck()
        assert inputs_of(state, views.ScreenHidden)[1:] == [views.ScreenHidden(False)]

    run(test)


def test_requests_become_sequences() -> None:
    async def test(state: EchoState, _pilot: Any) -> None:
        sent: list[str] = []
        state.app.send = state.app.answers._send = sent.append  # type: ignore[method-assign]
        state.app.request(views.CopyText("text"))
        state.app.request(views.RingBell())
        state.app.request(views.CopyText("x" * 100_000))
        assert sent == ["\x1b]52;c;dGV4dA==\x1b\\", "\a"]

    state = run(test)
    assert len(inputs_of(state, views.ShowSentence)) == 2


def test_where_the_mouse_is_off_it_is_said_once() -> None:
    async def test(state: EchoState, pilot: Any) -> None:
        said: list[str] = []
        state.app.send = said.append  # type: ignore[method-assign]
        state.changes["mouse"] = False
        for letter in "abc":
            await type_text(pilot, letter)
        assert said.count(MOUSE_OFF) == 1
        state.changes["mouse"] = True
        for letter in "abc":
            await type_text(pilot, letter)
        assert said.count(MOUSE_ON) == 1

    run(test)


def test_what_comes_while_the_panes_go_is_not_drawn() -> None:
    """A view and a key may come between the end and the last pane: each raised an error into the terminal."""

    async def test(state: EchoState, _pilot: Any) -> None:
        app, inputs = state.app, len(state.inputs)
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
        app.exit()
        await app.screen.query("Pane").remove()
        app.show_soon(state.view())
        drawn = asyncio.Event()
        asyncio.get_running_loop().call_soon(drawn.set)  # behind the view
        await drawn.wait()
        await app.on_event(events.Key("x", "x"))
        assert len(state.inputs) == inputs

    failures: list[Any] = []
    run(test)
    assert not failures
