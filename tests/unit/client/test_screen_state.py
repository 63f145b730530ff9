"""The screen as a whole: what it shows, where a text goes, what counts as read, what notifies, what is never lost."""

from __future__ import annotations

import pytest

from securechat import model as m
from securechat.client import catalogue
from securechat.client.core import actions, events
from securechat.client.core.state import ConnectionPhase, PersonKey, RoomKey
from securechat.client.ui.input.unsent_texts import UnsentRecord, UnsentText, UnsentTexts
from securechat.client.ui.notifications import APART_S, NotificationLevel, NotificationPolicy
from securechat.client.ui.screen_model.layout import ScreenPane
from securechat.client.ui.screen_model.notices import SHOWN_S
from securechat.client.ui.screen_model.view import (
    AddHistory,
    ChooseItem,
    ClickRow,
    ComposerMode,
    ConversationTarget,
    CopyText,
    EndTarget,
    FileTarget,
    FocusChanged,
    FrameShown,
    KeepLanguage,
    KeyTyped,
    MemberTarget,
    MessageTarget,
    MoveSelection,
    NotifyUser,
    OpenLink,
    OverlayKind,
    QuoteTarget,
    RingBell,
    RunAction,
    SaveFiles,
    ScreenFocus,
    ScreenHidden,
    ScreenResized,
    ScrollPane,
    ShowSentence,
    StoreUnsent,
    SubmitText,
    TransferProgress,
    TypedFilter,
    TypedText,
    UnsentTarget,
)
from securechat.client.ui.settings import ClientSettings
from securechat.errors import ErrorCode
from securechat.model import FileInfo, RevisionKind
from securechat.text.sanitize import visible
from securechat.translation import use
from tests.support.screen_rig import ScreenRig, dialogue, text_of

PASSWORD = "correct horse battery"


@pytest.fixture
def rig() -> ScreenRig:
    return ScreenRig("ops")


# --- what is seen -----------------------------------------------------------------------------------------------------


def test_the_view_has_all_panes(rig: ScreenRig) -> None:
    rig.driver.hear(m.RoomRules("ops", topic="deploys", private=True))
    rig.say("hello", "lobby")
    view = rig.view
    assert view.header == "#ops  [private]  deploys"
    assert text_of(view.conversations) == "  #lobby           1\n> #ops"
    assert text_of(view.members) == "1 member\nme"
    assert view.status == "me · connected"
    assert view.composer.prompt == "#ops > "
    assert view.composer.mode is ComposerMode.MESSAGE
    assert view.footer.startswith("F1 ")


def test_the_selected_member_stays_selected_when_others_come_and_go(rig: ScreenRig) -> None:
    rig.driver.hear(m.Presence("ops", 3, [m.Person(50, "nina")]))
    rig.note()
    rig.run("members")
    people = [str(row.row).strip() for row in rig.view.members[1:]]
    rig.take(MoveSelection(people.index("nina")))
    assert [str(row.row).strip() for row in rig.view.members if row.selected] == ["nina"]
    rig.driver.hear(m.Presence("ops", 4, [m.Person(51, "aaron")]))
    rig.note()
    assert [str(row.row).strip() for row in rig.view.members if row.selected] == ["nina"]
    rig.driver.hear(m.Presence("ops", 3, left=[m.Person(50, "nina")]))
    rig.note()
    assert not [row for row in rig.view.members if row.selected]
    before = rig.core.current
    rig.take(ChooseItem())
    assert rig.core.current == before


def test_typists_are_told(rig: ScreenRig) -> None:
    rig.driver.hear(m.TypingNow(m.Person(99, "p99"), room="ops"))
    rig.note()
    assert str(rig.view.activity.row) == "p99 is typing…"


def test_the_title_counts_what_is_for_the_user(rig: ScreenRig) -> None:
    assert rig.view.title == "securechat"
    rig.say("no mention", "lobby")
    assert rig.view.title == "securechat"
    rig.say("hello me", "lobby")
    rig.tell("psst", by=7)
    assert rig.view.title == "securechat (2)"


def test_the_list_of_conversations_is_asked_for_when_the_core_takes_it() -> None:
    rig = ScreenRig(online=False)
    rig.pump()
    rig.driver.cut()
    rig.note()
    rig.pump()
    assert rig.core.phase is ConnectionPhase.ONLINE
    assert rig.acts.count(actions.ListConversations()) == 2
    assert not rig.driver.all(events.ActionRejected)


def test_connection_and_waiting_messages_are_always_visible(rig: ScreenRig) -> None:
    rig.driver.cut()
    rig.note()
    rig.submit("are you there")
    view = rig.view
    assert "reconnecting in" in view.status
    assert "1 waiting" in view.status
    assert "are you there" in rig.messages
    deadline = rig.state.deadline()
    assert deadline is not None
    assert deadline <= rig.driver.now + 1
    rig.pump()
    assert rig.view.status == "me · connected"
    assert rig.messages.count("are you there") == 1


def test_a_resent_message_is_told_as_such(rig: ScreenRig) -> None:
    rig.driver.cut()
    rig.note()
    rig.submit("one")
    rig.driver.tick()
    for _ in range(10):
        if rig.core.phase is not ConnectionPhase.ONLINE:
            rig.driver.to_server()
            rig.driver.to_client()
    rig.note()
    assert "resending 1" in rig.view.status


def test_no_row_is_wider_than_its_pane() -> None:
    for columns, rows in ((120, 40), (80, 24), (69, 20), (40, 10), (20, 6)):
        rig = ScreenRig("ops", size=(columns, rows))
        rig.say("x" * 300 + "\N{ROCKET}" * 30, "ops")
        rig.tell("psst", by=7)
        for action in ("select", "reply", "help", "escape", "rooms"):
            rig.take(RunAction(action))
            view = rig.view
            for name in ("conversations", "members", "messages"):
                field = getattr(view.layout, name)
                for row in getattr(view, name):
                    assert len(row.row) <= field.columns, (columns, name, row.row)
            for row in (view.header, view.status, view.footer, view.activity.row):
                assert len(row) <= columns
            assert view.layout.messages is None or len(view.messages) <= view.layout.messages.rows


def test_a_screen_without_a_size_shows_nothing_and_one_too_small_says_so(rig: ScreenRig) -> None:
    rig.take(ScreenResized(0, 0))
    assert rig.view.messages == ()
    assert rig.view.alone == ""
    rig.take(ScreenResized(19, 5))
    assert rig.view.alone == str(catalogue.screen.TOO_SMALL())
    rig.take(ScreenResized(40, 10))
    assert rig.view.layout.messages is not None


def test_hostile_text_comes_as_symbols_only(rig: ScreenRig) -> None:
    rig.driver.hear(m.RoomRules("ops", topic="\x1b]0;owned\x07"))
    rig.say("\x1b[2Jhello\u202e", "ops")
    rig.run("select")
    for action in ("about", "escape", "reply", "copy", "open_link", "palette"):
        rig.take(RunAction(action))
        view = rig.view
        rows = [view.header, view.status, view.footer, *view.composer.above]
        rows += [each.row for each in (*view.messages, *view.conversations, *view.members)]
        rows += [each.row for each in view.overlay.items] if view.overlay is not None else []
        assert all(visible(row) == row and "\n" not in row for row in rows)


def test_the_language_changes_while_it_runs(rig: ScreenRig) -> None:
    try:
        assert KeepLanguage("id") in rig.submit("/lang id")
        rig.take(RunAction("help"))
        assert rig.view.overlay is not None
    finally:
        use("en")


# --- notices and lists ------------------------------------------------------------------------------------------------


def test_notices_go_after_a_while_and_with_escape(rig: ScreenRig) -> None:
    rig.escape()
    rig.take(ShowSentence("copied"))
    assert rig.messages.splitlines()[-1] == "-- copied"
    rig.driver.now += SHOWN_S + 1
    assert "copied" not in rig.messages
    rig.take(ShowSentence("copied"))
    rig.escape()
    assert "copied" not in rig.messages


def test_notices_take_a_third_of_the_field_at_most(rig: ScreenRig) -> None:
    rig.say("hello", "ops")
    for number in range(50):
        rig.take(ShowSentence(f"notice {number}"))
    view = rig.view
    assert view.layout.messages is not None
    told = [row for row in view.messages if str(row.row).startswith("-- ")]
    assert len(told) == view.layout.messages.rows // 3
    assert "hello" in rig.messages


def test_long_answers_are_lists(rig: ScreenRig) -> None:
    rig.submit("/help")
    assert rig.view.overlay is not None
    assert rig.view.overlay.kind is OverlayKind.HELP
    rig.escape()
    rig.submit("/help rooms")
    assert "/invite NAME" in rig.overlay


def test_who_and_rooms_lead_somewhere(rig: ScreenRig) -> None:
    rig.submit("/who")
    assert rig.overlay == "#ops\nme\np99"
    rig.choose("p99")
    assert rig.core.current == dialogue(99)
    rig.submit("/rooms")
    rig.choose("lobby")
    assert rig.core.current == rig.key("lobby")


def test_comings_and_goings_are_one_row(rig: ScreenRig) -> None:
    rig.say("hello", "ops")
    for number in (11, 12, 13):
        rig.driver.hear(m.Presence("ops", number - 9, [m.Person(number, f"p{number}")]))
    rig.note()
    assert len([row for row in rig.messages.splitlines() if "p11" in row]) == 1
    assert text_of(rig.view.members).splitlines() == ["4 members", "me", "p11", "p12", "p13"]


def test_a_click_leads_on(rig: ScreenRig) -> None:
    first = rig.say("one", "ops")
    file = FileInfo("0" * 32, "a.pdf", 10)
    second = rig.driver.server.store(99, "see", room="ops", files=(file,))
    rig.driver.server.push(second)
    rig.pump()
    ops = rig.key("ops")
    assert rig.take(ClickRow(None, link="https://a.example/")) == [OpenLink("https://a.example/")]
    rig.take(ClickRow(MessageTarget(ops, first.seq)))
    assert "one" in rig.selected
    assert isinstance(rig.take(ClickRow(FileTarget(ops, second.seq, file.id)))[0], SaveFiles)
    rig.take(ClickRow(QuoteTarget(ops, second.seq, first.seq)))
    assert "one" in rig.selected
    rig.take(ClickRow(EndTarget()))
    assert rig.selected == ""
    rig.take(ClickRow(MessageTarget(ops, first.seq), person=99))
    assert rig.core.current == dialogue(99)
    rig.take(ClickRow(ConversationTarget(ops)))
    assert rig.core.current == ops
    rig.take(ClickRow(MemberTarget(99)))
    assert rig.core.current == dialogue(99)


def test_file_and_quote_rows_have_their_targets(rig: ScreenRig) -> None:
    file = FileInfo("0" * 32, "a.pdf", 10)
    message = rig.driver.server.store(99, "see", room="ops", files=(file,))
    rig.driver.server.push(message)
    rig.pump()
    rig.run("select")
    rig.run("reply")
    rig.submit("thanks")
    targets = [row.target for row in rig.view.messages]
    ops = rig.key("ops")
    assert FileTarget(ops, message.seq, file.id) in targets
    answer = rig.core.conversations[ops].messages[-1]
    assert QuoteTarget(ops, answer.seq, message.seq) in targets
    assert MessageTarget(ops, answer.seq) in targets


@pytest.mark.parametrize(
    "target",
    [
        MessageTarget(RoomKey("ops"), 12345),
        UnsentTarget(77),
        QuoteTarget(RoomKey("gone"), 1, 2),
        FileTarget(RoomKey("gone"), 1, "0" * 32),
        ConversationTarget(RoomKey("gone")),
        MemberTarget(0),
    ],
)
def test_a_click_on_what_is_gone_does_nothing_and_says_so(rig: ScreenRig, target: object) -> None:
    current, acts = rig.core.current, len(rig.acts)
    rig.escape()
    rig.take(ClickRow(target))  # type: ignore[arg-type]
    assert rig.core.current == current
    assert [each for each in rig.acts[acts:] if not isinstance(each, actions.MarkSeen)] == []
    assert "not there any more" in rig.messages


def test_a_choice_from_a_list_that_another_has_replaced_chooses_nothing(rig: ScreenRig) -> None:
    rig.run("palette")
    overlay = rig.view.overlay
    assert overlay is not None
    old = overlay.items[0].target
    rig.submit("/who")
    rig.pump()
    shown = rig.overlay
    before = rig.core.current
    rig.take(ClickRow(old), ChooseItem(overlay.revision), ChooseItem(0))
    assert (rig.overlay, rig.core.current) == (shown, before)
    rig.escape()
    rig.run("palette")
    rig.take(ClickRow(old), ChooseItem(overlay.revision))
    assert rig.view.overlay is not None


def test_a_click_on_a_row_that_a_filter_has_moved_chooses_nothing(rig: ScreenRig) -> None:
    rig.run("palette")
    overlay = rig.view.overlay
    assert overlay is not None
    rig.take(TypedFilter("quit", overlay.revision), ClickRow(overlay.items[0].target))
    assert rig.view.overlay is not None


def test_a_click_beside_a_list_closes_it(rig: ScreenRig) -> None:
    rig.run("palette")
    rig.take(ClickRow(None))
    assert rig.view.overlay is None


def test_the_wheel_scrolls_what_it_is_over() -> None:
    rig = ScreenRig("ops", size=(100, 16))
    for number in range(60):
        rig.say(f"line {number}", "ops")
    rig.take(ScrollPane(ScreenPane.MESSAGES, -30))
    assert "line 59" not in rig.messages
    rig.take(ScrollPane(ScreenPane.MEMBERS, 1), ScrollPane(ScreenPane.CONVERSATIONS, 5))
    rig.run("palette")
    before = rig.overlay
    rig.take(ScrollPane(ScreenPane.MESSAGES, 30))
    assert rig.overlay != before


def test_a_filter_of_a_list_that_is_closed_is_dropped(rig: ScreenRig) -> None:
    rig.run("palette")
    assert rig.view.overlay is not None
    old = rig.view.overlay.revision
    rig.run("switch")
    assert rig.view.overlay is not None
    total = rig.view.overlay.total
    rig.take(TypedFilter("zzz", old))
    assert rig.view.overlay.total == total


# --- where a text goes ------------------------------------------------------------------------------------------------


def test_each_conversation_has_its_own_text(rig: ScreenRig) -> None:
    rig.type("for ops")
    rig.take(ClickRow(ConversationTarget(rig.key("lobby"))))
    assert rig.view.composer.text == ""
    rig.type("for the lobby")
    rig.take(ClickRow(ConversationTarget(rig.key("ops"))))
    assert rig.view.composer.text == "for ops"


def test_a_text_of_an_earlier_run_is_there() -> None:
    unsent = UnsentTexts(UnsentRecord(0, (UnsentText("#lobby", "half a thought"),)))
    rig = ScreenRig(unsent=unsent)
    assert rig.view.composer.text == "half a thought"
    rig.type("more")
    assert StoreUnsent() in rig.requests


def test_a_reply_and_an_edit_wait_with_their_conversation(rig: ScreenRig) -> None:
    rig.submit("my wrod")
    rig.run("select")
    rig.run("edit")
    rig.type("my word, al")
    rig.take(ClickRow(ConversationTarget(rig.key("lobby"))))
    assert rig.view.composer.mode is ComposerMode.MESSAGE
    rig.take(ClickRow(ConversationTarget(rig.key("ops"))))
    assert rig.view.composer.mode is ComposerMode.EDIT
    assert rig.view.composer.text == "my word, al"


def test_a_text_submitted_after_the_room_was_left_is_not_sent_to_another(rig: ScreenRig) -> None:
    revision = rig.view.composer.revision
    rig.driver.hear(m.Left("ops", 0, "You were removed"))
    rig.note()
    assert rig.core.current == rig.key("lobby")
    rig.take(SubmitText("secret of ops", revision))
    assert not [each for each in rig.acts if isinstance(each, actions.SendMessage)]
    assert "Not sent" in rig.messages
    assert rig.state.unsent.get(rig.key("ops")) == "secret of ops"


def test_text_typed_under_an_earlier_revision_stays_with_its_conversation(rig: ScreenRig) -> None:
    old = rig.view.composer.revision
    rig.take(ClickRow(ConversationTarget(rig.key("lobby"))))
    rig.take(TypedText("for ops", 7, old))
    assert rig.state.unsent.get(rig.key("lobby")) == ""
    assert rig.view.composer.text == ""
    assert rig.state.unsent.get(rig.key("ops")) == "for ops"


def test_what_is_typed_while_a_refused_message_comes_back_is_not_lost(rig: ScreenRig) -> None:
    rig.type("half a th")
    old = rig.view.composer.revision
    pending = events.PendingMessage(0, PersonKey(0), "hello", to="ana b")
    rig.state.note([events.MessageRefused(pending, ErrorCode.NO_SUCH_PERSON, "")])
    rig.take(TypedText("half a thou", 11, old), TypedText("half a thought", 14, old))
    assert rig.view.composer.text == '/msg "ana b" hello\nhalf a thought'


def test_what_is_typed_while_the_room_of_an_edit_is_left_stays_with_the_edit(rig: ScreenRig) -> None:
    rig.submit("my wrod")
    rig.run("select")
    rig.run("edit")
    old = rig.view.composer.revision
    rig.take(ClickRow(ConversationTarget(rig.key("lobby"))))
    rig.take(TypedText("my word", 7, old))
    assert rig.view.composer.text == rig.state.unsent.get(rig.key("lobby")) == ""
    rig.take(ClickRow(ConversationTarget(rig.key("ops"))))
    assert (rig.view.composer.mode, rig.view.composer.text) == (ComposerMode.EDIT, "my word")


def test_a_text_typed_before_a_password_is_asked_for_comes_back(rig: ScreenRig) -> None:
    old = rig.view.composer.revision
    rig.state.note([events.PasswordNeeded("me", False, ErrorCode.PASSWORD_NEEDED, "")])
    rig.take(TypedText("half a thought", 14, old))
    assert rig.view.composer.text == ""
    assert rig.state.unsent.get(rig.key("ops")) == "half a thought"


def test_each_pause_in_typing_is_followed_by_a_new_request_to_store(rig: ScreenRig) -> None:
    for text in ("one", "one two", "one two three"):
        rig.requests.clear()
        rig.type(text)
        assert rig.requests == [StoreUnsent()]
        assert rig.state.unsent.all().texts == (UnsentText("#ops", text),)


def test_an_edit_that_is_left_can_be_brought_back(rig: ScreenRig) -> None:
    rig.submit("my wrod")
    rig.run("select")
    rig.run("edit")
    rig.type("my word, and more of it")
    rig.escape()
    assert rig.view.composer.mode is ComposerMode.MESSAGE
    assert str(catalogue.screen.EDIT_LEFT()) in rig.messages
    assert rig.view.composer.history[-1] == "my word, and more of it"
    rig.run("select")
    rig.run("edit")
    rig.escape()
    assert rig.view.composer.history[-1] == "my word, and more of it"


@pytest.mark.parametrize("is_open", [True, False])
def test_no_edit_or_reply_goes_to_a_message_of_another_log(rig: ScreenRig, is_open: bool) -> None:
    rig.submit("my wrod")
    rig.run("select")
    rig.run("edit")
    rig.type("my word")
    if not is_open:
        rig.take(ClickRow(ConversationTarget(rig.key("lobby"))))
    rig.state.note([events.HistoryReset()])
    rig.take(ClickRow(ConversationTarget(rig.key("ops"))))
    assert (rig.view.composer.mode, rig.view.composer.text) == (ComposerMode.MESSAGE, "my word")
    rig.say("theirs", "ops")
    rig.run("select")
    rig.run("reply")
    assert rig.view.composer.mode is ComposerMode.REPLY
    rig.run("palette")
    rig.state.note([events.HistoryReset()])
    assert (rig.view.composer.mode, rig.view.composer.text) == (ComposerMode.MESSAGE, "my word")
    assert rig.view.overlay is None


def test_a_refused_message_stays_where_it_can_be_sent_again_edited_copied_or_discarded(rig: ScreenRig) -> None:
    rig.driver.server.refuse_texts = True
    rig.submit("please")
    assert "read-only" in rig.messages
    assert "1 not sent" in rig.view.status
    rig.escape()
    rig.run("select")
    assert "please" in rig.selected
    assert rig.run("copy") == [CopyText("please")]
    rig.run("edit")
    assert rig.view.composer.text == "please"
    assert "1 not sent" not in rig.view.status
    rig.submit("please!")
    rig.run("select")
    rig.driver.server.refuse_texts = False
    rig.run("choose")
    assert rig.core.conversations[rig.key("ops")].messages[-1].text == "please!"
    rig.driver.server.refuse_texts = True
    rig.submit("again")
    rig.run("select")
    rig.run("delete")
    rig.escape()
    assert "again" not in rig.messages


def test_what_the_core_does_not_take_comes_back(rig: ScreenRig) -> None:
    long = "x" * 5_000
    rig.submit(long)
    assert rig.view.composer.text == long
    rig.type("")
    rig.submit("/reply 999 what")
    assert rig.view.composer.text == "/reply 999 what"


def test_what_is_lost_at_the_end_is_kept_for_the_next_start(rig: ScreenRig) -> None:
    rig.driver.cut()
    rig.note()
    rig.take(SubmitText("unheard", rig.view.composer.revision))
    rig.act(actions.LeaveChat(0.0))
    rig.act(actions.LeaveChat(0.0))
    assert rig.core.phase is ConnectionPhase.ENDED
    assert rig.state.unsent.get(rig.key("ops")) == "unheard"
    assert StoreUnsent() in rig.requests


def test_a_refused_edit_comes_back_as_its_command(rig: ScreenRig) -> None:
    change = events.MessageChangeRequest(RevisionKind.EDIT, 12)
    pending = events.PendingMessage(3, rig.key("ops"), "my word", change=change)
    rig.state.note([events.MessageRefused(pending, ErrorCode.NOT_FOUND, "gone")])
    assert rig.view.composer.text == "/edit 12 my word"


def test_a_message_to_a_name_that_nobody_has_comes_back(rig: ScreenRig) -> None:
    pending = events.PendingMessage(0, PersonKey(0), "hello", to="ana b")
    rig.state.note([events.MessageRefused(pending, ErrorCode.NO_SUCH_PERSON, "nobody")])
    assert rig.view.composer.text == '/msg "ana b" hello'


def test_an_edit_of_a_message_that_is_gone_keeps_the_text(rig: ScreenRig) -> None:
    rig.submit("mine")
    rig.run("select")
    rig.run("edit")
    rig.type("mine, longer")
    revision = rig.view.composer.revision
    own = rig.core.conversations[rig.key("ops")].messages[-1]
    rig.driver.server.change(own.seq, "delete", by=rig.core.me.id)
    rig.pump()
    rig.take(SubmitText("mine, longer", revision))
    assert rig.view.composer.text == "mine, longer"
    assert rig.view.composer.mode is ComposerMode.MESSAGE
    assert str(catalogue.screen.MESSAGE_GONE()) in rig.messages


def test_lines_are_remembered_but_no_secret(rig: ScreenRig) -> None:
    assert AddHistory("hello") in rig.submit("hello")
    assert rig.view.composer.history[-1] == "hello"
    rig.submit(f"/password {PASSWORD}")
    assert not [each for each in rig.requests if isinstance(each, AddHistory) and PASSWORD in each.line]
    assert PASSWORD not in "".join(rig.view.composer.history)


def test_typing_is_told_for_a_message_and_not_for_a_command(rig: ScreenRig) -> None:
    rig.type("/join x")
    assert not [each for each in rig.acts if isinstance(each, actions.NotifyTyping)]
    rig.type("hello")
    assert [each for each in rig.acts if isinstance(each, actions.NotifyTyping)]


def test_the_counter_comes_near_the_limit(rig: ScreenRig) -> None:
    rig.type("x" * 3_000)
    assert rig.view.composer.counter == ""
    rig.type("x" * 3_900)
    assert rig.view.composer.counter == "100 characters left"
    rig.type("x" * 4_001)
    assert rig.view.composer.counter == "1 character too many"


def test_completion_knows_rooms_people_commands_and_emoji(rig: ScreenRig) -> None:
    rig.say("hello", "ops")

    def offered(text: str) -> list[str]:
        rig.type(text)
        found = rig.view.composer.completion
        return [] if found is None else [each.word for each in found.candidates]

    assert offered("@p") == ["@p99"]
    assert offered("see #lo") == ["#lobby"]
    assert offered("/reac") == ["/react"]
    assert offered(":rock") == ["\N{ROCKET}"]
    assert offered("plain") == []


# --- questions --------------------------------------------------------------------------------------------------------


def test_a_name_is_asked_for() -> None:
    rig = ScreenRig(online=False, core_options={"name": None}, default_name="ana")
    rig.driver.tick()
    rig.note()
    assert rig.view.composer.mode is ComposerMode.NAME
    assert "ana" in rig.view.composer.prompt
    rig.take(SubmitText("budi", rig.view.composer.revision))
    assert actions.ChooseName("budi") in rig.acts


def test_a_password_is_hidden_and_goes_nowhere_else(rig: ScreenRig) -> None:
    rig.type("half a thought")
    rig.state.note([events.PasswordNeeded("me", False, ErrorCode.PASSWORD_NEEDED, "")])
    view = rig.view
    assert view.composer.mode is ComposerMode.PASSWORD
    assert view.composer.hidden
    assert view.composer.text == ""
    assert not view.composer.keeps
    rig.take(TypedText(PASSWORD, 3, view.composer.revision))  # a shell never sends it; nothing keeps it
    rig.take(SubmitText(PASSWORD, view.composer.revision))
    assert actions.GivePassword(PASSWORD) in rig.acts
    assert PASSWORD not in repr(rig.state.unsent.all())
    assert PASSWORD not in "".join(rig.view.composer.history)
    assert not [each for each in rig.requests if isinstance(each, AddHistory)]


def test_a_text_begun_before_a_password_was_asked_for_is_not_taken_for_one(rig: ScreenRig) -> None:
    revision = rig.view.composer.revision
    rig.type("half a thought")
    rig.state.note([events.PasswordNeeded("me", False, ErrorCode.PASSWORD_NEEDED, "")])
    rig.take(SubmitText("half a thought", revision))
    assert not [each for each in rig.acts if isinstance(each, actions.GivePassword | actions.SendMessage)]
    assert str(catalogue.screen.ANSWER_FIRST()) in rig.messages
    assert "half a thought" in rig.state.unsent.get(rig.key("ops"))


def test_a_password_submitted_after_the_question_is_gone_is_never_said(rig: ScreenRig) -> None:
    rig.submit("/register")
    revision = rig.view.composer.revision
    assert rig.view.composer.hidden
    rig.escape()
    assert not rig.view.composer.hidden
    rig.take(SubmitText(PASSWORD, revision))
    assert not [each for each in rig.acts if isinstance(each, actions.SendMessage)]


def test_the_repr_of_a_submitted_text_holds_none_of_it() -> None:
    assert PASSWORD not in repr(SubmitText(PASSWORD, 1))


# --- what counts as read ----------------------------------------------------------------------------------------------


def unread(rig: ScreenRig, room: str) -> int:
    return rig.core.conversations[rig.key(room)].unread


def test_a_message_counts_as_read_when_it_was_on_a_screen_that_is_looked_at(rig: ScreenRig) -> None:
    rig.take(FocusChanged(False))
    rig.say("hello", "ops")
    assert unread(rig, "ops") == 1
    rig.take(FocusChanged(True))
    rig.take(KeyTyped())
    rig.pump()
    assert unread(rig, "ops") == 0


def test_a_message_is_seen_when_a_view_shows_it_and_not_when_it_comes(rig: ScreenRig) -> None:
    """A thousand a second may come between two views: what none has shown was not seen, and costs no rows."""
    rig.take(FocusChanged(True), KeyTyped())
    message = rig.driver.server.store(99, "hello", room="ops")
    rig.driver.server.push(message)
    rig.driver.settle()
    rig.acts.clear()
    rig.note()
    assert not [act for act in rig.acts if isinstance(act, actions.MarkSeen)]
    rig.take(FrameShown(rig.state.view().frame))
    assert actions.MarkSeen(rig.key("ops"), message.seq) in rig.acts


def test_a_glance_at_a_room_changes_nothing(rig: ScreenRig) -> None:
    rig.say("hello", "lobby")
    rig.run("next_unread")
    assert rig.core.current == rig.key("lobby")
    rig.run("back")
    assert unread(rig, "lobby") == 1
    rig.run("next_unread")
    assert str(catalogue.message_blocks.NEW()) in rig.messages
    rig.take(KeyTyped())
    rig.pump()
    assert unread(rig, "lobby") == 0


def test_a_dialogue_of_before_this_start_is_listed_opened_and_read() -> None:
    rig = ScreenRig(online=False)
    for text in ("one", "two"):
        rig.driver.server.store(7, text, to=1)
    rig.pump()
    assert text_of(rig.view.conversations).splitlines()[0].split() == ["@p7", "2"]
    rig.run("next_unread")
    assert rig.core.current == dialogue(7)
    assert rig.messages.splitlines()[0].startswith(f"---- {catalogue.message_blocks.NEW()}")
    assert "two" in rig.messages
    rig.take(KeyTyped())
    rig.pump()
    assert actions.MarkSeen(dialogue(7), rig.driver.server.log[-1].seq) in rig.acts
    assert "2" not in text_of(rig.view.conversations)


def test_behind_a_list_nothing_is_seen(rig: ScreenRig) -> None:
    rig.take(KeyTyped())
    rig.run("palette")
    rig.say("hello", "ops")
    rig.take(MoveSelection(1))
    rig.pump()
    assert unread(rig, "ops") == 1
    rig.escape()
    rig.pump()
    assert unread(rig, "ops") == 0


def test_nothing_is_seen_on_a_screen_that_is_too_small(rig: ScreenRig) -> None:
    rig.take(KeyTyped(), ScreenResized(19, 5))
    assert rig.view.layout.too_small
    rig.say("hello", "ops")
    assert unread(rig, "ops") == 1
    rig.take(ScreenResized(80, 24))
    rig.pump()
    assert unread(rig, "ops") == 0


def test_nothing_is_seen_under_the_list_of_a_completion(rig: ScreenRig) -> None:
    rig.take(KeyTyped())
    rig.type("/he")
    rig.say("hello", "ops")
    assert unread(rig, "ops") == 1
    rig.type("")
    rig.pump()
    assert unread(rig, "ops") == 0


def test_nothing_is_seen_while_another_program_has_the_terminal(rig: ScreenRig) -> None:
    rig.take(KeyTyped(), ScreenHidden(True))
    rig.say("hello", "ops")
    assert unread(rig, "ops") == 1
    rig.take(ScreenHidden(False))
    rig.pump()
    assert unread(rig, "ops") == 0


# --- what notifies ----------------------------------------------------------------------------------------------------


def notified(rig: ScreenRig) -> list[str]:
    return [each.text for each in rig.requests if isinstance(each, NotifyUser)]


def test_mentions_and_dialogues_notify_and_nothing_else(rig: ScreenRig) -> None:
    rig.say("hello all", "lobby")
    assert notified(rig) == []
    rig.say("hello me", "lobby")
    rig.driver.now += APART_S
    rig.tell("psst \x1b]0;owned\x07", by=7)
    assert notified(rig) == ["#lobby has 2 new messages", "1 new direct message"]


def test_what_is_on_a_screen_that_is_looked_at_does_not_notify(rig: ScreenRig) -> None:
    rig.take(KeyTyped())
    rig.say("hello me", "ops")
    assert notified(rig) == []
    rig.take(FocusChanged(False))
    rig.say("hello me again", "ops")
    assert notified(rig) == ["#ops has 1 new message"]


def test_a_flood_notifies_once(rig: ScreenRig) -> None:
    for number in range(20):
        rig.say(f"me {number}", "lobby")
    assert len(notified(rig)) == 1


@pytest.mark.parametrize(("level", "count"), [("all", 1), ("mentions", 0), ("none", 0)])
def test_a_room_notifies_as_it_is_set(rig: ScreenRig, level: str, count: int) -> None:
    rig.state.notification.set_level("#lobby", NotificationLevel(level))
    rig.say("hello all", "lobby")
    assert len(notified(rig)) == count


def test_a_muted_room_is_dim_and_stands_behind(rig: ScreenRig) -> None:
    rig.state.notification.set_level("#lobby", NotificationLevel.NONE)
    rig.say("hello me", "lobby")
    assert notified(rig) == []
    assert rig.view.title == "securechat"


def test_not_to_be_disturbed_is_silence(rig: ScreenRig) -> None:
    rig.run("do_not_disturb")
    rig.tell("psst", by=7)
    assert notified(rig) == []


@pytest.mark.parametrize("room", ["a\x1b]0;x\x07b", "a;b", "x" * 300, "\u202eevil"])
def test_no_character_of_a_room_can_end_or_divide_an_osc(rig: ScreenRig, room: str) -> None:
    shown = events.MessageShown(rig.say("hello", "ops"), RoomKey(room), own=False)
    said = NotificationPolicy(rig.core, ClientSettings()).text(shown, 100.0)
    assert visible(said) == said
    assert not {";", "\x1b", "\x07"} & set(said)
    assert len(said) < 80


def test_a_text_stands_in_a_notification_only_where_the_user_wants_it() -> None:
    rig = ScreenRig(settings=ClientSettings(notification_text=True))
    rig.tell("p\x1b]s;s\x07t", by=7)
    assert notified(rig) == ["p7: p␛]s,s␇t"]


@pytest.mark.parametrize(("how", "asked"), [("bell", RingBell()), ("off", None)])
def test_notifications_are_a_bell_or_nothing(how: str, asked: object) -> None:
    rig = ScreenRig(settings=ClientSettings(notifications=how))
    rig.tell("psst", by=7)
    assert notified(rig) == []
    assert (asked in rig.requests) == (asked is not None)


def test_the_settings_hold_from_the_start() -> None:
    settings = ClientSettings(members=False, mouse=False, numbers=True, do_not_disturb=True, notify={"#ops": "none"})
    rig = ScreenRig("ops", settings=settings)
    said = rig.say("hello me", "ops")
    view = rig.view
    assert view.layout.members is None
    assert not view.mouse
    assert "do not disturb" in view.status
    assert f"00:00 {said.seq} p99" in rig.messages
    assert view.title == "securechat"


def test_progress_of_a_file_is_shown(rig: ScreenRig) -> None:
    rig.take(TransferProgress("a.pdf 50 %"))
    assert "a.pdf 50 %" in rig.view.status


def test_inputs_are_counted(rig: ScreenRig) -> None:
    before = rig.view.taken
    rig.take(KeyTyped(), KeyTyped())
    assert rig.view.taken == before + 2
    assert rig.view.focus is ScreenFocus.COMPOSER


# --- commands of the line mode ----------------------------------------------------------------------------------------


def test_a_command_names_a_message_by_its_number(rig: ScreenRig) -> None:
    said = rig.say("see https://a.example/x", "ops")
    rig.submit(f"/react {said.seq} \N{ROCKET}")
    assert "\N{ROCKET} 1" in rig.messages
    assert OpenLink("https://a.example/x") in rig.submit(f"/open {said.seq}")
    assert [each for each in rig.submit(f"/copy {said.seq}") if isinstance(each, CopyText)]
    rig.submit(f"/reply {said.seq} thanks")
    assert actions.SendMessage("thanks", rig.key("ops"), reply=said.seq) in rig.acts


def test_dm_goes_into_a_dialogue_and_join_leads_out(rig: ScreenRig) -> None:
    rig.say("hello", "ops")
    rig.submit("/dm p99")
    assert rig.core.current == dialogue(99)
    assert rig.view.header == "@p99"
    rig.submit("psst")
    assert rig.core.conversations[dialogue(99)].messages[-1].text == "psst"
    rig.submit("/join")
    assert rig.core.current == rig.key("ops")


def test_around_jumps_to_a_message(rig: ScreenRig) -> None:
    first = rig.say("the first", "ops")
    for number in range(50):
        rig.say(f"line {number}", "ops")
    rig.submit(f"/around {first.seq}")
    assert "the first" in rig.selected


def test_an_action_can_be_typed(rig: ScreenRig) -> None:
    rig.submit("/mouse")
    assert not rig.view.mouse
    rig.submit("/members")
    assert rig.view.focus is ScreenFocus.MEMBERS


@pytest.mark.parametrize("command", ["/about", "/quote", "/mark"])
def test_an_action_about_a_message_takes_its_number(rig: ScreenRig, command: str) -> None:
    said = rig.say("the one", "ops")
    rig.say("another", "ops")
    rig.submit(f"{command} {said.seq}")
    match command:
        case "/about":
            assert f"Number: {said.seq}" in rig.overlay
        case "/quote":
            assert rig.view.composer.text == "> the one\n"
        case _:
            assert actions.MarkUnread(rig.key("ops"), said.seq, 2) in rig.acts
    rig.escape()
    rig.submit(f"{command} 987654")
    assert "987654" in rig.messages


def test_commands_of_actions_are_completed_too(rig: ScreenRig) -> None:
    rig.type("/sideb")
    found = rig.view.composer.completion
    assert found is not None
    assert [each.word for each in found.candidates] == ["/sidebar"]


def test_an_unknown_command_comes_back_with_a_sentence(rig: ScreenRig) -> None:
    rig.submit("/serch x")
    assert rig.view.composer.text == "/serch x"
    assert "/search" in rig.messages
