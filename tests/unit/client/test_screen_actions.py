"""Each action of the table on the screen: what it does, and what it does where there is nothing to do it to."""

from __future__ import annotations

from pathlib import Path

import pytest

from securechat.client import catalogue
from securechat.client.core import actions
from securechat.client.core.state import ConnectionPhase
from securechat.client.files.session import FilesToSave
from securechat.client.ui.input.ui_actions import ACTIONS, PALETTE
from securechat.client.ui.notifications import NotificationLevel
from securechat.client.ui.screen_model.context import MOST_SAVED
from securechat.client.ui.screen_model.layout import ScreenPane
from securechat.client.ui.screen_model.notices import MOST_PAST
from securechat.client.ui.screen_model.view import (
    AddHistory,
    ComposerMode,
    CopyText,
    EndTransfers,
    FileSaved,
    KeepSetting,
    KeyTyped,
    LeaveScreen,
    MoveSelection,
    OpenLink,
    OpenSavedFile,
    OverlayKind,
    RunAction,
    SaveFiles,
    ScreenFocus,
    ScreenResized,
    SendFiles,
    ShellAction,
    ShowSentence,
    TransferProgress,
)
from securechat.model import FileInfo, RevisionKind
from tests.support.screen_rig import ScreenRig, dialogue, text_of

LINK = "https://a.example/x"


@pytest.fixture
def rig() -> ScreenRig:
    return ScreenRig("ops")


def test_every_action_of_the_table_is_done(rig: ScreenRig) -> None:
    assert {action.id for action in ACTIONS} <= rig.state.action_ids


@pytest.mark.parametrize("action_id", [action.id for action in ACTIONS])
@pytest.mark.parametrize("place", ["nothing", "message", "gone", "overlay", "list", "offline", "small"])
def test_every_action_has_an_answer_in_every_place(action_id: str, place: str) -> None:
    rig = ScreenRig("ops", online=place != "offline")
    match place:
        case "message" | "gone":
            said = rig.say("hello", "ops")
            rig.run("select")
            if place == "gone":
                rig.driver.server.change(said.seq, "delete", by=99)
                rig.pump()
        case "overlay":
            rig.run("palette")
        case "list":
            rig.run("rooms")
        case "small":
            rig.take(ScreenResized(0, 0))
    rig.take(RunAction(action_id))
    assert rig.view.taken >= 3


# --- going somewhere --------------------------------------------------------------------------------------------------


def test_switch_offers_conversations_and_people_and_goes_there(rig: ScreenRig) -> None:
    rig.tell("psst", by=7)
    rig.run("switch")
    assert rig.view.overlay is not None
    assert rig.view.overlay.kind is OverlayKind.SWITCHER
    assert text_of(rig.view.overlay.items) == "@p7  1\n#lobby\n#ops"
    rig.choose("lob")
    assert rig.core.current == rig.key("lobby")
    assert rig.view.overlay is None


def test_next_unread_goes_to_what_is_for_the_user_first(rig: ScreenRig) -> None:
    rig.say("one", "lobby")
    rig.tell("psst", by=7)
    rig.run("next_unread")
    assert rig.core.current == dialogue(7)
    rig.take(KeyTyped())
    rig.run("next_unread")
    assert rig.core.current == rig.key("lobby")
    rig.take(KeyTyped())
    rig.run("next_unread")
    assert rig.core.current == rig.key("lobby")
    assert str(catalogue.screen.ALL_READ()) in rig.messages


def test_back_goes_where_one_was_and_says_when_there_is_nothing(rig: ScreenRig) -> None:
    rig.submit("/join lobby")
    assert rig.core.current == rig.key("lobby")
    rig.run("back")
    assert rig.core.current == rig.key("ops")
    rig.run("back")
    assert str(catalogue.screen.NO_PREVIOUS()) in rig.messages


def test_mentions_are_searched_and_lead_to_their_message(rig: ScreenRig) -> None:
    rig.say("hello me", "lobby")
    rig.run("mentions")
    assert rig.overlay.startswith(str(catalogue.screen.MENTIONS()))
    assert "hello me" in rig.overlay
    rig.choose()
    assert rig.core.current == rig.key("lobby")
    assert "hello me" in rig.selected


def test_search_asks_for_words_and_shows_hits(rig: ScreenRig) -> None:
    rig.say("the answer is 42", "lobby")
    rig.run("search")
    assert rig.view.overlay is not None
    assert rig.view.overlay.prompt
    rig.choose("answer")
    assert "the answer is 42" in rig.overlay
    rig.choose()
    assert "42" in rig.selected


def test_the_search_of_a_command_is_the_same_list(rig: ScreenRig) -> None:
    rig.say("the answer is 42", "ops")
    rig.submit("/search answer")
    assert "the answer is 42" in rig.overlay


def test_date_asks_for_a_day_and_goes_there(rig: ScreenRig) -> None:
    rig.say("first", "ops")
    rig.run("date")
    rig.choose("1970-01-02")
    assert [each.at_ms for each in rig.acts if isinstance(each, actions.ShowHistory)] == [86_400_000]
    assert rig.view.overlay is None
    rig.run("date", "1970-99-99")
    assert "1970-99-99" in rig.messages


def test_first_unread_and_present_move_the_window() -> None:
    rig = ScreenRig("ops", size=(100, 16))
    for number in range(40):
        rig.say(f"line {number}", "lobby")
    rig.submit("/join lobby")
    assert "line 0" in rig.messages, "opening a room shows the unread line"
    rig.run("present")
    assert "line 39" in rig.messages
    rig.run("first_unread")
    assert "line 0" in rig.messages


def test_read_all_marks_every_conversation(rig: ScreenRig) -> None:
    rig.say("one", "lobby")
    rig.tell("psst", by=7)
    rig.run("read_all")
    assert not [one for one in rig.core.conversations.values() if one.unread]


# --- writing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action_id", ["send", "newline", "complete", "editor", "redraw"])
def test_what_the_shell_does_goes_back_to_it(rig: ScreenRig, action_id: str) -> None:
    assert rig.take(RunAction(action_id)) == [ShellAction(action_id)]


def test_recall_edits_the_last_own_message_or_takes_the_last_line(rig: ScreenRig) -> None:
    rig.submit("/rooms")
    rig.escape()
    rig.run("recall")
    assert rig.view.composer.text == "/rooms"
    rig.take()
    rig.submit("my word")
    rig.run("recall")
    assert rig.view.composer.mode is ComposerMode.EDIT
    assert rig.view.composer.text == "my word"


def test_upload_begins_the_command(rig: ScreenRig) -> None:
    rig.run("upload")
    assert rig.view.composer.text == "/upload "


# --- on a message -----------------------------------------------------------------------------------------------------


def test_selecting_moves_from_message_to_message_and_back_to_the_composer(rig: ScreenRig) -> None:
    for text in ("one", "two", "three"):
        rig.say(text, "ops")
    rig.run("select")
    assert rig.view.focus is ScreenFocus.MESSAGES
    assert "three" in rig.selected
    assert rig.view.cursor is not None
    rig.run("previous")
    assert "two" in rig.selected
    rig.run("first")
    assert "one" in rig.selected
    rig.run("last")
    assert "three" in rig.selected
    rig.run("next")
    assert rig.view.focus is ScreenFocus.COMPOSER
    assert rig.view.cursor is None


def test_the_cursor_stands_on_the_selected_row(rig: ScreenRig) -> None:
    rig.say("one", "ops")
    rig.run("select")
    view = rig.view
    assert view.cursor is not None
    assert view.layout.messages is not None
    empty = view.layout.messages.rows - len(view.messages)
    first = next(index for index, row in enumerate(view.messages) if row.selected)
    assert view.cursor == (view.layout.messages.column, view.layout.messages.row + empty + first)


def test_reply_quotes_above_the_composer_and_answers_that_message(rig: ScreenRig) -> None:
    said = rig.say("what is it", "ops")
    rig.run("select")
    rig.run("reply")
    composer = rig.view.composer
    assert composer.mode is ComposerMode.REPLY
    assert "what is it" in composer.above[0]
    assert rig.view.focus is ScreenFocus.COMPOSER
    rig.submit("a chat")
    assert actions.SendMessage("a chat", rig.key("ops"), reply=said.seq) in rig.acts
    assert rig.view.composer.mode is ComposerMode.MESSAGE


def test_edit_takes_the_own_message_and_gives_back_what_was_written(rig: ScreenRig) -> None:
    rig.submit("my wrod")
    rig.type("half a thought")
    rig.run("select")
    rig.run("edit")
    assert rig.view.composer.text == "my wrod"
    rig.submit("my word")
    change = next(each for each in rig.acts if isinstance(each, actions.ChangeMessage))
    assert (change.kind, change.text) == (RevisionKind.EDIT, "my word")
    assert rig.view.composer.text == "half a thought"
    assert rig.view.composer.mode is ComposerMode.MESSAGE


def test_edit_of_a_foreign_message_says_so(rig: ScreenRig) -> None:
    rig.say("not mine", "ops")
    rig.run("select")
    rig.run("edit")
    assert str(catalogue.screen.NOT_YOURS()) in rig.messages
    assert rig.view.composer.mode is ComposerMode.MESSAGE


def test_delete_asks_first(rig: ScreenRig) -> None:
    rig.submit("oops")
    rig.run("select")
    rig.run("delete")
    assert rig.view.overlay is not None
    assert rig.view.overlay.kind is OverlayKind.QUESTION
    assert "oops" in rig.overlay
    assert not [each for each in rig.acts if isinstance(each, actions.ChangeMessage)]
    rig.take(MoveSelection(1))
    rig.choose()
    assert not [each for each in rig.acts if isinstance(each, actions.ChangeMessage)], "No was chosen"
    rig.run("delete")
    rig.choose()
    assert [each.kind for each in rig.acts if isinstance(each, actions.ChangeMessage)] == [RevisionKind.DELETE]


def test_react_offers_emoji_and_takes_a_reaction_back(rig: ScreenRig) -> None:
    rig.say("good news", "ops")
    rig.run("select")
    rig.run("react")
    rig.choose("rocket")
    assert "\N{ROCKET} 1" in rig.messages
    rig.run("react")
    rig.choose("rocket")
    kinds = [each.kind for each in rig.acts if isinstance(each, actions.ChangeMessage)]
    assert kinds == [RevisionKind.REACT, RevisionKind.UNREACT]
    assert "\N{ROCKET} 1" not in rig.messages


def test_quote_puts_the_lines_into_the_composer(rig: ScreenRig) -> None:
    rig.say("one\ntwo", "ops")
    rig.type("look:")
    rig.run("select")
    rig.run("quote")
    assert rig.view.composer.text == "look:\n> one\n> two\n"


def test_copy_copies_the_text_and_then_all_of_it(rig: ScreenRig) -> None:
    rig.say("copy me", "ops")
    rig.run("select")
    assert rig.run("copy") == [CopyText("copy me")]
    assert rig.run("copy") == [CopyText("1970-01-01 00:00 p99: copy me")]
    assert rig.run("copy") == [CopyText("copy me")]


def test_one_link_opens_at_once_and_several_are_offered(rig: ScreenRig) -> None:
    rig.say(f"see {LINK}", "ops")
    rig.run("select")
    assert rig.run("open_link") == [OpenLink(LINK)]
    rig.say(f"or {LINK}/1 and {LINK}/2", "ops")
    rig.run("last")
    rig.run("open_link")
    assert text_of(rig.view.overlay.items if rig.view.overlay else ()) == f"{LINK}/1  p99\n{LINK}/2  p99"
    assert rig.choose("/2") == [OpenLink(f"{LINK}/2")]


def test_without_a_selection_all_links_of_the_room_are_offered(rig: ScreenRig) -> None:
    rig.say(f"see {LINK}/old", "ops")
    rig.say(f"see {LINK}/new", "ops")
    rig.run("open_link")
    assert rig.overlay.splitlines() == [str(catalogue.screen.ROOM_LINKS()), f"{LINK}/new  p99", f"{LINK}/old  p99"]


def test_no_link_is_said(rig: ScreenRig) -> None:
    rig.say("none", "ops")
    rig.run("open_link")
    assert str(catalogue.screen.NO_LINKS()) in rig.messages


def test_unread_from_here_puts_the_line_back_and_it_stays(rig: ScreenRig) -> None:
    rig.say("one", "ops")
    second = rig.say("two", "ops")
    rig.take(KeyTyped())
    rig.pump()
    assert rig.core.conversations[rig.key("ops")].unread == 0
    rig.run("select")
    rig.run("unread_from_here")
    assert actions.MarkUnread(rig.key("ops"), second.seq, 1) in rig.acts
    assert rig.core.conversations[rig.key("ops")].unread == 1
    rows = rig.messages.splitlines()
    line = next(index for index, row in enumerate(rows) if str(catalogue.message_blocks.NEW()) in row)
    assert "two" in "".join(rows[line:])


def test_about_shows_number_author_and_time(rig: ScreenRig) -> None:
    said = rig.say("hello", "ops")
    rig.run("select")
    rig.run("about")
    assert rig.overlay.splitlines() == ["Message", f"Number: {said.seq}", "From: p99", "Sent: 1970-01-01 00:00"]
    rig.escape()
    assert rig.view.focus is ScreenFocus.MESSAGES


def test_enter_on_a_reply_jumps_and_back_comes_back(rig: ScreenRig) -> None:
    first = rig.say("the question", "ops")
    rig.run("select")
    rig.run("reply")
    rig.submit("the answer")
    rig.run("select")
    assert "the answer" in rig.selected
    rig.run("choose")
    assert "the question" in rig.selected
    assert rig.state._context.window.selected == first.seq
    rig.run("back")
    assert "the answer" in rig.selected


def test_enter_on_a_file_saves_it(rig: ScreenRig) -> None:
    file = FileInfo("0" * 32, "a.pdf", 10)
    message = rig.driver.server.store(99, "", room="ops", files=(file,))
    rig.driver.server.push(message)
    rig.pump()
    rig.run("select")
    [request] = rig.run("choose")
    assert isinstance(request, SaveFiles)
    assert request.files.files == (file,)


def test_enter_on_plain_text_tells_all_about_it(rig: ScreenRig) -> None:
    rig.say("hello", "ops")
    rig.run("select")
    rig.run("choose")
    assert rig.overlay.startswith("Message")


@pytest.mark.parametrize("action_id", ["reply", "edit", "delete", "quote", "copy", "about"])
def test_without_a_selection_a_message_action_says_so(rig: ScreenRig, action_id: str) -> None:
    rig.run(action_id)
    assert str(catalogue.screen.NO_MESSAGE_SELECTED()) in rig.messages
    assert rig.view.overlay is None


@pytest.mark.parametrize("action_id", ["reply", "edit", "delete", "react", "quote", "copy"])
def test_on_a_deleted_message_nothing_is_done_but_to_say_so(rig: ScreenRig, action_id: str) -> None:
    said = rig.say("hello", "ops")
    rig.run("select")
    rig.driver.server.change(said.seq, "delete", by=99)
    rig.pump()
    before = len(rig.acts)
    rig.run(action_id)
    assert len(rig.acts) == before
    assert str(catalogue.screen.NOT_EDITABLE()) in rig.messages


# --- the screen itself ------------------------------------------------------------------------------------------------


def test_pages_scroll_and_a_bar_tells_what_is_new() -> None:
    rig = ScreenRig("ops", size=(100, 16))
    for number in range(60):
        rig.say(f"line {number}", "ops")
    rig.run("page_up")
    top = rig.messages.splitlines()[0]
    rig.say("news", "ops")
    assert rig.messages.splitlines()[0] == top, "elsewhere it never moves"
    assert "news" not in rig.messages
    assert str(rig.view.activity.row) == "1 new · Ctrl+End"
    rig.run("page_down")
    rig.run("page_down")
    assert "news" in rig.messages
    assert str(rig.view.activity.row) == ""


def test_a_page_of_the_selection_is_a_page_of_the_messages() -> None:
    rig = ScreenRig("ops", size=(100, 16))
    for number in range(60):
        rig.say(f"line {number}", "ops")
    rig.take(MoveSelection(-1, page=True))
    assert "line 59" not in rig.messages
    assert rig.selected == ""


def test_panes_get_the_keys_and_fold(rig: ScreenRig) -> None:
    rig.run("rooms")
    assert rig.view.focus is ScreenFocus.CONVERSATIONS
    assert rig.view.cursor is not None
    rig.run("previous")
    rig.run("choose")
    assert rig.core.current == rig.key("lobby")
    rig.run("members")
    assert rig.view.focus is ScreenFocus.MEMBERS
    rig.run("members")
    assert rig.view.layout.members is None
    assert rig.view.focus is ScreenFocus.COMPOSER
    rig.run("members")
    assert rig.view.layout.members is not None


def test_in_one_pane_escape_goes_to_the_list() -> None:
    rig = ScreenRig("ops", size=(60, 24))
    assert rig.view.layout.conversations is None
    rig.escape()
    rig.escape()
    assert rig.view.layout.conversations is not None
    assert rig.view.focus is ScreenFocus.CONVERSATIONS
    rig.run("choose")
    assert rig.view.layout.messages is not None
    assert rig.state._context.pane is ScreenPane.MESSAGES


def test_numbers_are_shown_and_hidden(rig: ScreenRig) -> None:
    said = rig.say("hello", "ops")
    shown = f"00:00 {said.seq} p99"
    assert shown not in rig.messages
    rig.run("numbers")
    assert shown in rig.messages
    rig.run("numbers")
    assert shown not in rig.messages


def test_bare_view_has_each_message_and_link_as_one_line(rig: ScreenRig) -> None:
    long = f"{LINK}/{'a' * 200}"
    rig.say(f"look\n{long}", "ops")
    assert rig.view.bare is None
    rig.run("bare")
    assert rig.view.bare is not None
    assert [str(row) for row in rig.view.bare] == [f"00:00 p99: look⏎{long}", long]
    assert not rig.view.mouse
    rig.escape()
    assert rig.view.bare is None
    assert rig.view.mouse


def test_the_bare_view_of_an_empty_room_tells_the_way_back(rig: ScreenRig) -> None:
    rig.run("bare")
    assert rig.view.bare is not None
    assert [str(row) for row in rig.view.bare] == [str(catalogue.screen.BARE_IS_EMPTY())]


def test_a_question_ends_the_bare_view(rig: ScreenRig) -> None:
    rig.run("bare")
    rig.state._context.interaction.asks_name = True
    rig.state.note([])
    assert rig.view.bare is None


def test_the_mouse_is_given_back_and_taken(rig: ScreenRig) -> None:
    rig.run("mouse")
    assert not rig.view.mouse
    assert "mouse off" in rig.view.status
    rig.run("mouse")
    assert rig.view.mouse


def test_do_not_disturb_is_switched_and_shown(rig: ScreenRig) -> None:
    rig.run("do_not_disturb")
    assert "do not disturb" in rig.view.status
    rig.run("do_not_disturb")
    assert "do not disturb" not in rig.view.status


def test_help_has_every_key_and_command(rig: ScreenRig) -> None:
    rig.take(ScreenResized(100, 500))
    rig.run("help")
    for action in ACTIONS:
        for key in action.keys[:1]:
            assert key in rig.overlay
    assert "/history" in rig.overlay


def test_the_palette_runs_actions_and_begins_commands(rig: ScreenRig) -> None:
    rig.run("palette")
    assert rig.view.overlay is not None
    assert rig.view.overlay.total >= len(PALETTE)
    rig.choose("mouse")
    assert not rig.view.mouse
    rig.run("palette")
    rig.choose("/topic")
    assert rig.view.composer.text.startswith("/topic")


def test_the_connection_is_told_with_its_fingerprint(rig: ScreenRig) -> None:
    rig.run("connection")
    assert "chat.lan:8443" in rig.overlay
    assert "ab12 ab12 ab12" in rig.overlay
    assert "TLSv1.3" in rig.overlay
    assert "connected" in rig.overlay


def test_escape_closes_the_innermost_thing(rig: ScreenRig) -> None:
    rig.say("hello", "ops")
    rig.run("select")
    rig.run("about")
    rig.run("escape")
    assert rig.view.overlay is None
    assert rig.view.focus is ScreenFocus.MESSAGES
    rig.run("reply")
    rig.run("escape")
    assert rig.view.composer.mode is ComposerMode.MESSAGE


def test_interrupt_leaves_at_the_second_time(rig: ScreenRig) -> None:
    rig.run("interrupt")
    assert catalogue.screen.quit_again("Ctrl+C") in rig.messages
    rig.driver.now += 10
    rig.run("interrupt")
    assert not rig.core.leaving
    rig.run("interrupt")
    assert rig.core.leaving


def test_leave_leaves_and_ends_the_screen(rig: ScreenRig) -> None:
    rig.run("leave")
    assert rig.core.leaving
    rig.driver.cut()
    rig.note()
    assert rig.core.phase is ConnectionPhase.ENDED
    assert LeaveScreen() in rig.requests


# --- files, notifications of a conversation, past notices -------------------------------------------------------------


def with_files(rig: ScreenRig, *files: FileInfo) -> None:
    message = rig.driver.server.store(99, "", room="ops", files=files)
    rig.driver.server.push(message)
    rig.pump()
    rig.run("select")


def test_enter_on_a_saved_file_opens_it(rig: ScreenRig) -> None:
    file = FileInfo("0" * 32, "a.pdf", 10)
    with_files(rig, file)
    assert rig.run("choose") == [SaveFiles(FilesToSave((file,)))]
    rig.take(FileSaved(file.id, "/home/me/a.pdf"))
    assert rig.run("choose") == [OpenSavedFile(file, "/home/me/a.pdf")]


def test_of_several_files_only_those_are_saved_that_are_not_here(rig: ScreenRig) -> None:
    files = [FileInfo(digit * 32, f"{digit}.pdf", 10) for digit in "ab"]
    with_files(rig, *files)
    rig.take(FileSaved(files[0].id, "/home/me/a.pdf"))
    assert rig.run("choose") == [SaveFiles(FilesToSave((files[1],)))]
    rig.take(FileSaved(files[1].id, "/home/me/b\x1b.pdf"))
    assert rig.run("choose") == []
    assert "/home/me/a.pdf" in rig.messages
    assert "\x1b" not in rig.messages


def test_places_of_saved_files_are_bounded(rig: ScreenRig) -> None:
    for number in range(MOST_SAVED + 1):
        rig.take(FileSaved(f"{number:032x}", "/x"))
    assert len(rig.state._context.saved) == MOST_SAVED
    assert f"{0:032x}" not in rig.state._context.saved


def test_interrupt_cancels_what_is_sent_or_saved_and_leaves_only_then(rig: ScreenRig) -> None:
    rig.take(TransferProgress("50 % of a.pdf"))
    assert "50 % of a.pdf" in rig.view.status
    for _ in range(2):
        assert rig.run("interrupt") == [EndTransfers()]
    assert not any(isinstance(each, actions.LeaveChat) for each in rig.acts)
    rig.take(TransferProgress(""))
    rig.run("interrupt")
    rig.run("interrupt")
    assert any(isinstance(each, actions.LeaveChat) for each in rig.acts)


def test_upload_and_save_are_commands_of_the_screen(rig: ScreenRig, tmp_path: Path) -> None:
    rig.driver.server.features = (*rig.driver.server.features, "files")
    report = tmp_path / "report.pdf"
    report.write_bytes(b"%PDF")
    file = FileInfo("0" * 32, "a.pdf", 10)
    with_files(rig, file)
    seq = rig.state._context.window.selected
    rig.escape()
    assert rig.submit(f"/save {seq} {tmp_path}") == [
        AddHistory(f"/save {seq} {tmp_path}"),
        SaveFiles(FilesToSave((file,), str(tmp_path))),
    ]
    requests = rig.submit(f"/upload {report}")
    assert [each.files.files[0].path for each in requests if isinstance(each, SendFiles)] == [report]


@pytest.mark.parametrize("word", ["all", "mentions", "none"])
def test_what_notifies_in_a_room_is_set_by_a_word(rig: ScreenRig, word: str) -> None:
    requests = rig.submit(f"/notify {word}")
    assert KeepSetting("notify.#ops", word) in requests
    assert rig.state.notification.level(rig.key("ops")) is NotificationLevel(word)
    assert rig.state.notification.level(rig.key("lobby")) is NotificationLevel.MENTIONS
    assert "#ops: " in rig.messages


def test_what_notifies_is_chosen_from_a_list_that_marks_what_holds(rig: ScreenRig) -> None:
    rig.run("notify")
    assert "* mentions notify  mentions" in rig.overlay
    rig.take(MoveSelection(edge=1))
    rig.choose()
    assert rig.state.notification.level(rig.key("ops")) is NotificationLevel.NONE
    rig.run("notify")
    assert "* nothing notifies  none" in rig.overlay


def test_a_dialogue_has_no_mentions_to_notify(rig: ScreenRig) -> None:
    rig.tell("psst", by=7)
    rig.submit("/dm p7")
    rig.run("notify")
    assert "mentions" not in rig.overlay
    rig.escape()
    rig.submit("/notify mentions")
    assert "mentions is not among: all and none" in rig.messages
    rig.submit("/notify none")
    assert rig.state.notification.is_quiet(dialogue(7))


def test_past_notices_are_listed_newest_first_and_bounded(rig: ScreenRig) -> None:
    for number in range(MOST_PAST + 5):
        rig.take(ShowSentence(f"notice {number:03}"))
    rig.driver.now += 90.0
    assert "notice" not in rig.messages
    rig.submit("/notices")
    assert "1 minute ago" in rig.overlay
    assert rig.overlay.index("notice 204") < rig.overlay.index("notice 203")
    assert len(rig.state._context.notices.past) == MOST_PAST


def test_a_repeated_notice_is_listed_once(rig: ScreenRig) -> None:
    for _ in range(3):
        rig.take(ShowSentence("again and again"))
    rig.run("notices")
    assert rig.overlay.count("again and again") == 1
