"""What is written and not sent: over a kill, a question, and another log, each text in its own conversation, once."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from securechat import model as m
from securechat.client import catalogue
from securechat.client.core import actions, events
from securechat.client.core.state import ConversationId, PersonKey
from securechat.client.ui.input.unsent_texts import UnsentRecord, UnsentTexts
from securechat.client.ui.screen_model.view import (
    AddHistory,
    ClickRow,
    ComposerMode,
    ConversationTarget,
    KeyTyped,
    StoreUnsent,
    SubmitText,
    TypedText,
)
from securechat.errors import ErrorCode
from securechat.model import Message, RevisionKind
from tests.support.screen_rig import ScreenRig, ScreenServer, dialogue

PASSWORD = "correct horse battery staple"


@pytest.fixture
def rig() -> ScreenRig:
    return ScreenRig("ops")


def go(rig: ScreenRig, key: ConversationId) -> None:
    rig.take(ClickRow(ConversationTarget(key)))


def server_of(rig: ScreenRig) -> ScreenServer:
    assert isinstance(rig.driver.server, ScreenServer)
    return rig.driver.server


def start_again(rig: ScreenRig, *rooms: str, server: ScreenServer | None = None) -> ScreenRig:
    """Kill the client, and start another one with what was stored."""
    record = rig.state.unsent.all()
    there = server or server_of(rig)
    there.cut()
    there.out.clear()
    return ScreenRig(*(rooms or ("ops",)), server=there, record=record)


def replaced(rig: ScreenRig, *, grown: bool = False) -> ScreenServer:
    """Another log at the same address, where 1 is the user again; ``grown`` longer than the one before."""
    server = ScreenServer(identities=dict(server_of(rig).identities))
    for number in range(server_of(rig).fed + 5 if grown else 0):
        server.store(rig.core.me.id, f"other {number}", room="ops")
    return server


def lose_the_log(rig: ScreenRig) -> None:
    """The connection is lost, and another log is there when it comes back."""
    server = server_of(rig)
    rig.driver.cut(restart=True)
    rig.note()
    for kept in (server.log, server.entries, server.stored):
        kept.clear()
    rig.pump()
    assert rig.driver.all(events.HistoryReset)


def edit_last(rig: ScreenRig, text: str) -> None:
    rig.run("select")
    rig.run("edit")
    rig.type(text)


def sent(rig: ScreenRig) -> list[str]:
    return [each.text for each in server_of(rig).log]


def written(rig: ScreenRig) -> str:
    """Every text that is kept."""
    return repr(rig.state.unsent.all())


# --- an edit over a kill ----------------------------------------------------------------------------------------------


def test_an_edit_is_offered_again_after_a_kill(rig: ScreenRig) -> None:
    rig.submit("my wrod")
    rig.type("a draft")
    edit_last(rig, "my word, and more")
    assert StoreUnsent() in rig.requests
    rig = start_again(rig)
    rig.pump()
    view = rig.view
    assert (view.composer.mode, view.composer.text) == (ComposerMode.EDIT, "my word, and more")
    assert str(catalogue.screen.EDIT_IS_HERE())[:60] in rig.messages
    rig.submit("my word, and more")
    assert sent(rig) == ["my word, and more"]
    assert (rig.view.composer.mode, rig.view.composer.text) == (ComposerMode.MESSAGE, "a draft")
    assert "my word" not in written(rig)


def test_an_edit_of_a_message_far_above_is_offered_again(rig: ScreenRig) -> None:
    rig.submit("my wrod")
    for number in range(300):
        server_of(rig).store(99, f"later {number}", room="ops")
    edit_last(rig, "my word")
    rig = start_again(rig)
    rig.pump()
    assert actions.ShowHistory(rig.key("ops"), around=1) in rig.acts
    assert rig.view.composer.mode is ComposerMode.EDIT
    assert "wrod" in rig.view.composer.above[0]
    rig.submit("my word")
    assert sent(rig)[0] == "my word"


def test_an_edit_is_kept_in_the_room_that_is_not_open_and_over_an_orderly_end(rig: ScreenRig) -> None:
    rig.submit("my wrod")
    edit_last(rig, "my word")
    go(rig, rig.key("lobby"))
    rig.act(actions.LeaveChat(0.0))
    rig.state.give_back_all()
    rig = start_again(rig, "dev", "ops", "lobby")
    go(rig, rig.key("ops"))
    assert (rig.view.composer.mode, rig.view.composer.text) == (ComposerMode.EDIT, "my word")


@pytest.mark.parametrize("purged", [False, True])
def test_an_edit_of_a_message_that_was_deleted_meanwhile_becomes_a_draft(rig: ScreenRig, purged: bool) -> None:
    rig.submit("my wrod")
    edit_last(rig, "my word")
    server = server_of(rig)
    server.cut()
    if purged:
        server.log.pop()
        server.store(99, "later", room="ops")
    else:
        server.change(1, "delete", by=rig.core.me.id)
    rig = start_again(rig)
    rig.pump()
    assert (rig.view.composer.mode, rig.view.composer.text) == (ComposerMode.MESSAGE, "my word")
    assert str(catalogue.screen.EDIT_IS_GONE())[:60] in rig.messages
    rig = start_again(rig)
    assert (rig.view.composer.mode, rig.view.composer.text) == (ComposerMode.MESSAGE, "my word")


@pytest.mark.parametrize("what", ["shorter", "of another", "of another time"])
def test_an_edit_never_changes_a_message_of_another_log(rig: ScreenRig, what: str) -> None:
    rig.submit("before")
    rig.submit("my wrod")
    edit_last(rig, "my word")
    server = replaced(rig, grown=what != "shorter")
    if what == "of another":
        server.log = [replace(each, sender_id=99) for each in server.log]
        server.entries = list(server.log)
    if what == "of another time":
        server.log = [replace(each, sent_at_ms=5) for each in server.log]
        server.entries = list(server.log)
    before = [each.text for each in server.log]
    rig = start_again(rig, server=server)
    rig.pump()
    assert (rig.view.composer.mode, rig.view.composer.text) == (ComposerMode.MESSAGE, "my word")
    said = catalogue.screen.TEXTS_OF_ANOTHER_LOG if what == "shorter" else catalogue.screen.EDIT_IS_GONE
    assert str(said())[:40] in rig.messages
    rig.submit("my word")
    assert [each.text for each in server.log] == [*before, "my word"]


def test_an_edit_that_is_submitted_before_its_message_is_found_stays(rig: ScreenRig) -> None:
    rig.submit("my wrod")
    edit_last(rig, "my word")
    record = rig.state.unsent.all()
    server_of(rig).cut()
    again = ScreenRig("ops", online=False)
    again.state.use_unsent(UnsentTexts(replace(record, through=0)))
    go_there = again.view.composer
    assert (go_there.mode, go_there.text) == (ComposerMode.EDIT, "my word")
    again.take(SubmitText("my word!", go_there.revision))
    assert (again.view.composer.mode, again.view.composer.text) == (ComposerMode.EDIT, "my word!")
    assert str(catalogue.screen.EDIT_IS_SOUGHT()) in again.messages


def test_an_edit_that_the_user_leaves_is_not_offered_again(rig: ScreenRig) -> None:
    rig.submit("my wrod")
    edit_last(rig, "my word")
    rig.escape()
    rig = start_again(rig)
    assert (rig.view.composer.mode, rig.view.composer.text) == (ComposerMode.MESSAGE, "")


# --- what is submitted and not durable --------------------------------------------------------------------------------


def test_a_message_submitted_without_a_connection_survives_a_kill(rig: ScreenRig) -> None:
    rig.driver.cut()
    rig.note()
    rig.take(SubmitText("first", rig.view.composer.revision))
    rig.take(SubmitText("second", rig.view.composer.revision))
    assert StoreUnsent() in rig.requests
    rig.type("third")
    rig = start_again(rig)
    assert rig.view.composer.text == "first\nsecond\nthird"


@pytest.mark.parametrize("orderly", [False, True])
def test_a_message_that_begins_with_a_slash_comes_back_as_one(rig: ScreenRig, orderly: bool) -> None:
    rig.driver.cut()
    rig.note()
    rig.take(SubmitText("//quit is a command", rig.view.composer.revision))
    if orderly:
        rig.act(actions.LeaveChat(0.0))
        rig.act(actions.LeaveChat(0.0))
    rig = start_again(rig)
    assert rig.view.composer.text == "//quit is a command"
    rig.submit(rig.view.composer.text)
    assert sent(rig) == ["/quit is a command"]


def test_an_edit_submitted_without_a_connection_survives_a_kill(rig: ScreenRig) -> None:
    rig.submit("my wrod")
    rig.run("select")
    rig.run("edit")
    rig.driver.cut()
    rig.note()
    rig.take(SubmitText("my word", rig.view.composer.revision))
    rig = start_again(rig)
    rig.pump()
    assert (rig.view.composer.mode, rig.view.composer.text) == (ComposerMode.EDIT, "my word")


def test_a_refused_message_survives_a_kill_and_a_sent_one_is_not_kept(rig: ScreenRig) -> None:
    rig.submit("on its way")
    assert "on its way" not in written(rig)
    server_of(rig).refuse_texts = True
    rig.submit("refused")
    rig = start_again(rig)
    assert rig.view.composer.text == "refused"


def test_what_is_given_back_at_the_end_is_kept_once(rig: ScreenRig) -> None:
    rig.driver.cut()
    rig.note()
    rig.take(SubmitText("unheard", rig.view.composer.revision))
    rig.act(actions.LeaveChat(0.0))
    rig.act(actions.LeaveChat(0.0))
    rig.state.give_back_all()
    rig = start_again(rig)
    assert rig.view.composer.text == "unheard"


# --- questions in the field of a draft --------------------------------------------------------------------------------


def test_a_question_leaves_the_draft_alone_and_its_answer_is_kept_nowhere() -> None:
    rig = ScreenRig(online=False, core_options={"name": None}, default_name="ana")
    rig.type("half a thought")
    rig.driver.tick()
    rig.note()
    view = rig.view
    assert (view.composer.mode, view.composer.text) == (ComposerMode.NAME, "")
    rig.type("bud")
    assert "bud" not in written(rig)
    assert "half a thought" in written(rig)
    rig.take(SubmitText("budi", rig.view.composer.revision))
    assert actions.ChooseName("budi") in rig.acts
    assert rig.view.composer.text == "half a thought"
    rig.pump()
    assert rig.view.composer.text == "half a thought"
    assert sent(rig) == []
    assert "budi" not in written(rig)
    assert not [each for each in rig.requests if isinstance(each, AddHistory)]


def test_a_text_submitted_as_the_question_comes_is_no_answer() -> None:
    rig = ScreenRig(online=False, core_options={"name": None})
    rig.type("half a thought")
    revision = rig.view.composer.revision
    rig.driver.tick()
    rig.note()
    rig.take(SubmitText("half a thought", revision))
    assert not [each for each in rig.acts if isinstance(each, actions.ChooseName)]
    assert str(catalogue.screen.ANSWER_QUESTION()) in rig.messages
    rig.submit("budi")
    assert rig.view.composer.text == "half a thought"


def test_an_answer_after_the_end_of_its_question_goes_nowhere(rig: ScreenRig) -> None:
    rig.type("half a thought")
    rig.state._context.interaction.asks_name = True  # no event ends it but the answer: as if it came twice
    rig.take(KeyTyped())
    revision = rig.view.composer.revision
    rig.type("bu")
    rig.state._context.interaction.asks_name = False
    rig.take(KeyTyped())
    assert rig.view.composer.text == "half a thought"
    rig.take(TypedText("bud", 3, revision), SubmitText("budi", revision))
    assert str(catalogue.screen.QUESTION_OVER()) in rig.messages
    assert sent(rig) == []
    assert rig.view.composer.text == "half a thought"
    assert "bu" not in written(rig)


@pytest.mark.parametrize("answer", ["yes", "no", ""])
def test_the_question_about_a_held_line_leaves_the_draft_and_an_edit_alone(rig: ScreenRig, answer: str) -> None:
    rig.submit("my wrod")
    context = rig.state._context
    context.interaction.guarded = True
    rig.submit("is it a password")
    view = rig.view
    assert (view.composer.mode, view.composer.text) == (ComposerMode.CHOICE, "")
    edit_last(rig, "x")
    assert rig.view.composer.mode is ComposerMode.CHOICE
    assert "my wrod" not in rig.view.composer.text
    rig.submit(answer)
    assert rig.view.composer.mode is ComposerMode.EDIT
    assert rig.view.composer.text == "my wrod"
    assert sent(rig) == (["my wrod", "is it a password"] if answer == "yes" else ["my wrod"])


def test_what_may_be_a_password_is_not_stored_until_it_is_known_to_be_none(rig: ScreenRig) -> None:
    rig.type("half")
    rig.state._context.interaction.guarded = True
    rig.take(KeyTyped())
    rig.type(f"half {PASSWORD}")
    go(rig, rig.key("lobby"))
    assert PASSWORD not in written(rig)
    assert "half" in written(rig)
    go(rig, rig.key("ops"))
    assert rig.view.composer.text == f"half {PASSWORD}"
    rig.state._context.interaction.guarded = False
    rig.take(KeyTyped())
    assert PASSWORD in written(rig)


@pytest.mark.parametrize("line", [f"/password {PASSWORD}", f"/register {PASSWORD}", f"/passwrd {PASSWORD}"])
def test_a_password_behind_a_command_is_not_stored(rig: ScreenRig, line: str) -> None:
    rig.type(line)
    assert PASSWORD not in written(rig)
    rig.submit(line)
    assert PASSWORD not in written(rig)


def test_a_hidden_answer_leaves_the_draft_as_it_is_through_a_login(rig: ScreenRig) -> None:
    asked = ScreenRig(online=False)
    asked.type("typed before the login")
    asked.state.note([events.PasswordNeeded("me", False, ErrorCode.PASSWORD_NEEDED, "")])
    asked.take(SubmitText(PASSWORD, asked.view.composer.revision))
    kept = UnsentTexts()
    kept.put(asked.key("lobby"), "of the last run")
    asked.state.use_unsent(kept)
    asked.pump()
    asked.state._context.interaction.password_sent = False
    asked.take(KeyTyped())
    assert asked.view.composer.text == "typed before the login\nof the last run"
    assert PASSWORD not in written(asked)


# --- people of another log --------------------------------------------------------------------------------------------


class Renaming(ScreenServer):
    """A server where 99 is called eve."""

    def __init__(self, other: ScreenServer) -> None:
        super().__init__(log=other.log, entries=other.entries, identities=other.identities)

    def store(self, sender: int, text: str, **where: Any) -> Message:
        message = replace(super().store(sender, text, **where), name="eve" if sender == 99 else f"p{sender}")
        self.log[-1] = self.entries[-1] = message
        return message

    def _dialogue(self, peer: int) -> m.ConversationItem:
        return replace(super()._dialogue(peer), peer=m.Person(peer, "eve"))


def in_dialogue(text: str) -> ScreenRig:
    rig = ScreenRig("ops")
    rig.tell("hello")
    go(rig, dialogue())
    rig.type(text)
    return rig


def test_a_draft_of_a_dialogue_is_there_again_for_the_same_person() -> None:
    rig = start_again(in_dialogue("only for you"))
    assert rig.view.composer.text == ""
    rig.pump()
    go(rig, dialogue())
    assert rig.view.composer.text == "only for you"
    rig = start_again(rig)
    rig.pump()
    go(rig, dialogue())
    assert rig.view.composer.text == "only for you"


@pytest.mark.parametrize("grown", [False, True])
def test_a_draft_is_not_in_the_dialogue_of_another_person_of_another_log(grown: bool) -> None:
    rig = in_dialogue("only for you")
    rig.say("1", "ops")
    rig.say("2", "ops")
    server = Renaming(replaced(rig, grown=grown))
    server.store(99, "I am another", to=rig.core.me.id)
    rig = start_again(rig, server=server)
    rig.pump()
    assert rig.view.composer.text == '/msg "p99" only for you'
    assert rig.messages.count("You wrote this to p99") == 1
    go(rig, dialogue())
    assert rig.view.composer.text == ""
    assert written(rig).count("only for you") == 1


def test_a_draft_for_a_person_waits_while_something_else_is_written() -> None:
    rig = in_dialogue("only for you")
    go(rig, rig.key("ops"))
    rig.type("for all")
    lose_the_log(rig)
    go(rig, rig.key("ops"))
    assert rig.view.composer.text == "for all"
    rig.submit("for all")
    assert rig.view.composer.text == '/msg "p99" only for you'
    assert sent(rig) == ["for all"]


def test_a_draft_leaves_its_dialogue_when_the_log_is_another_one_meanwhile() -> None:
    rig = in_dialogue("only for you")
    revision = rig.view.composer.revision
    lose_the_log(rig)
    assert rig.core.current == rig.key("lobby")
    rig.tell("I am another")
    go(rig, dialogue())
    rig.take(TypedText("only for you, ana", 17, revision), SubmitText("only for you, ana!", revision))
    rig.pump()
    assert rig.view.composer.text == ""
    assert sent(rig) == ["I am another"]
    go(rig, rig.key("ops"))
    assert '/msg "p99" only for you' in rig.view.composer.text
    go(rig, rig.key("lobby"))
    texts = (written(rig), rig.view.composer.text)
    assert "only for you, ana" in repr(texts)


def test_a_failed_message_to_a_person_is_not_sent_to_another_one_of_another_log() -> None:
    rig = in_dialogue("")
    rig.driver.cut()
    rig.note()
    rig.take(SubmitText("only for you", rig.view.composer.revision))
    lose_the_log(rig)
    rig.tell("I am another")
    go(rig, dialogue())
    rig.run("select")
    assert "only for you" not in rig.messages
    assert rig.state._context.window.unsent.find(1) is None
    go(rig, rig.key("ops"))
    kept = f"{written(rig)}{rig.view.composer.text}"
    assert "only for you" in kept
    assert [each.text for each in server_of(rig).log] == ["I am another"]


def test_a_failed_answer_is_not_sent_as_an_answer_to_another_message(rig: ScreenRig) -> None:
    rig.say("what?", "ops")
    rig.run("select")
    rig.run("reply")
    rig.driver.cut()
    rig.note()
    rig.take(SubmitText("that", rig.view.composer.revision))
    lose_the_log(rig)
    go(rig, rig.key("ops"))
    assert rig.view.composer.text == "that"
    assert len(rig.state._context.window.unsent) == 0


def test_a_refused_edit_of_a_dialogue_of_another_log_is_kept_for_its_person() -> None:
    rig = in_dialogue("x")
    change = events.MessageChangeRequest(RevisionKind.EDIT, 12)
    pending = events.PendingMessage(3, PersonKey(99), "only for you", change=change)
    rig.state.note([events.HistoryReset(), events.MessagesLost((pending,))])
    assert rig.state.unsent.get(PersonKey(99)) == ""
    assert "only for you" in written(rig)


def test_a_record_without_texts_is_an_empty_one() -> None:
    assert UnsentTexts(UnsentRecord()).all() == UnsentRecord()
