"""The session of a bot over the client core and a model server, without threads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import wait as wait_for
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from securechat import model as m
from securechat.bot import (
    Client,
    Deleted,
    Disconnected,
    Edited,
    Gap,
    HeardFile,
    LeftRoom,
    Reconnected,
    Refused,
    StartupFailed,
    Stopped,
)
from securechat.bot.cursor import Cursor
from securechat.bot.hearing import HeardEntry
from securechat.bot.session import BotSession
from securechat.client.core import actions
from securechat.client.core.client import CoreOutput
from securechat.client.core.send_queue import KEPT_PENDING
from securechat.client.core.state import ConnectionPhase
from securechat.client.files.https import FileGone, TransferError
from securechat.client.files.saving import LocalTarget
from securechat.client.files.sources import local_files
from securechat.errors import ErrorCode
from tests.support.chat_model import ModelServer
from tests.support.core_driver import ChangingServer, Driver
from tests.support.played_transfers import PlayedTransfers


class DrivenSession(Driver):
    """A session whose network is the driver: `securechat.bot.session.BotNetwork`."""

    failure: BaseException | None = None

    def __init__(
        self,
        server: ModelServer | None = None,
        *,
        cursors: Mapping[int, Cursor] | None = None,
        most_waiting: int = 1_000,
    ) -> None:
        super().__init__(server, known={who: cursor.done for who, cursor in (cursors or {}).items()})
        self.session = BotSession(self.core, "chat.lan", 8443, most_waiting)
        self.session.network = self
        self.transfers = PlayedTransfers()
        self.session.files = self.transfers  # type: ignore[assignment]
        self.session.cursors = cursors or {}
        self.timers: list[tuple[float, Callable[[], None]]] = []

    def take(self, output: CoreOutput) -> CoreOutput:
        super().take(output)
        if output.ui_events:
            self.session.heard(output.ui_events)
        return output

    def start(self) -> None:
        self.tick()

    def post(self, callback: Callable[[], None]) -> None:
        callback()

    def act(self, action: actions.Action) -> None:
        self.want(action)

    def wait(self, timeout_s: float | None = None) -> bool:
        return self.core.phase is ConnectionPhase.ENDED

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> object:
        self.timers.append((delay_s, callback))
        return None

    def online(self) -> DrivenSession:
        started = self.session.start()
        self.settle()
        assert started.result(0).name == "me"
        return self

    def taken(self) -> list[HeardEntry]:
        """Everything that waits."""
        return [self.session.take().result(0) for _ in range(self.session.waiting)]

    def texts(self) -> list[str]:
        return [entry.fields["text"] for entry in self.taken() if entry.fields is not None]

    def others_say(self, *texts: str, room: str = "lobby") -> None:
        self.server.batch([(room, text) for text in texts])
        self.settle()


def test_the_first_run_begins_with_what_is_said_from_then_on() -> None:
    server = ModelServer()
    server.store(99, "before", room="lobby")
    run = DrivenSession(server).online()
    assert run.session.begins_at() == Cursor(1)
    run.others_say("after")
    assert run.texts() == ["after"]


def test_a_later_run_hears_what_was_said_since_the_cursor() -> None:
    server = ModelServer(identities={"0123456789abcdef" * 2: 7})
    for text in ("handled", "missed 1", "missed 2", "missed 3", "missed 4"):
        server.store(99, text, room="lobby")
    first = server.log[0].seq
    # The lobby of an account is told with ref 0, as the model does.
    run = DrivenSession(server, cursors={7: Cursor(first, at=server.log[1].seq)}).online()
    assert run.session.begins_at() == Cursor(first, at=server.log[1].seq)
    entries = run.taken()
    assert [entry.fields["text"] for entry in entries if entry.fields] == [
        "missed 1",
        "missed 2",
        "missed 3",
        "missed 4",
    ]
    assert all(one.seq <= one.through < other.seq for one, other in pairwise(entries))
    assert entries[-1].through == server.fed
    run.others_say("live")
    assert run.texts() == ["live"]


@pytest.mark.parametrize("cursors", [{8: Cursor(1)}, {}])
def test_the_cursor_of_another_account_is_not_taken(cursors: dict[int, Cursor]) -> None:
    server = ModelServer(identities={"0123456789abcdef" * 2: 7})
    server.store(99, "one", room="lobby")
    server.store(99, "two", room="lobby")
    run = DrivenSession(server, cursors=cursors).online()
    assert run.session.begins_at() == Cursor(server.fed)
    assert run.taken() == []


def test_a_cursor_above_the_log_is_one_of_another_log_which_is_a_gap() -> None:
    server = ModelServer(identities={"0123456789abcdef" * 2: 7})
    server.store(99, "one", room="lobby")
    run = DrivenSession(server, cursors={7: Cursor(500)}).online()
    assert run.session.begins_at() == Cursor(1)
    assert [entry.event for entry in run.taken()] == [Gap(None, None)]


def test_a_page_is_not_handled_with_its_first_message() -> None:
    server = ModelServer(page_rows=50)
    run = DrivenSession(server).online()
    run.cut()
    server.batch([("lobby", "one"), ("lobby", "two"), ("lobby", "three")], drop=True)
    run.settle()
    entries = [entry for entry in run.taken() if entry.seq]
    assert [entry.through for entry in entries][:2] == [entries[1].seq - 1, entries[2].seq - 1]


def test_while_a_gap_is_filled_the_cursor_stays_below_it() -> None:
    server = ChangingServer(slow_reader=True)
    run = DrivenSession(server).online()
    joined = run.session.join("ops")
    run.settle()
    joined.result(0)
    server.store(99, "lost on its way", room="ops")
    server.push(server.store(99, "reveals the gap", room="ops"))
    server.push(server.store(99, "elsewhere", room="lobby"))
    run.settle()
    (elsewhere,) = run.taken()
    assert elsewhere.through < server.log[0].seq < elsewhere.seq
    server.finish_reading()
    run.settle()
    entries = run.taken()
    assert [entry.fields["text"] for entry in entries if entry.fields] == ["lost on its way", "reveals the gap"]
    assert entries[-1].through == elsewhere.seq


def test_a_slow_handler_is_answered_while_entries_are_held_back() -> None:
    run = DrivenSession(ChangingServer(), most_waiting=4).online()
    said = [f"message {number}" for number in range(1_500)]
    for first in range(0, 1_500, 100):
        run.others_say(*said[first : first + 100])
    assert run.session.waiting == 5
    sent = run.session.send("lobby", "an answer")
    asked = run.session.history_page("lobby", None, 2)
    run.settle()
    assert sent.result(0) == run.server.log[-1].seq
    assert [message.text for message in asked.result(0).messages] == ["message 1499", "an answer"]
    assert run.session.waiting == 5
    heard = []
    while run.session.waiting:
        heard.append(run.session.take().result(0))
        run.settle()
    texts = [entry.fields["text"] for entry in heard if entry.fields is not None]
    assert texts == [*said, "an answer"]
    assert run.core.phase is ConnectionPhase.ONLINE


def test_entries_held_back_survive_a_lost_connection() -> None:
    run = DrivenSession(ChangingServer(), most_waiting=2).online()
    run.others_say("1", "2", "3", "4", "5")
    run.cut()
    run.server.batch([("lobby", "6")], drop=True)
    run.settle()
    run.others_say("7")
    heard = []
    while run.session.waiting:
        heard.append(run.session.take().result(0))
        run.settle()
    assert [entry.fields["text"] for entry in heard if entry.fields] == ["1", "2", "3", "4", "5", "6", "7"]


def test_lost_connections_are_events_of_which_only_so_many_wait() -> None:
    run = DrivenSession(most_waiting=6).online()
    for _ in range(20):
        run.cut()
        run.settle()
    events = [entry.event for entry in run.taken()]
    assert len(events) == 6
    assert isinstance(events[0], Disconnected)
    assert events[1] == Reconnected()


def test_a_message_is_sent_when_it_is_durable_and_once_over_a_reconnect() -> None:
    run = DrivenSession().online()
    sent = run.session.send("lobby", "hello", key="greeting")
    assert not sent.done()
    run.to_server()
    run.cut()  # the ack is lost
    run.settle()
    assert sent.result(0) == run.server.fed
    assert len(run.server.log) == 1


def test_more_messages_than_the_core_keeps_wait_for_their_turn() -> None:
    run = DrivenSession().online()
    sent = [run.session.send("lobby", f"number {number}") for number in range(KEPT_PENDING + 20)]
    run.settle()
    assert [future.result(0) for future in sent] == [message.seq for message in run.server.log]


def test_a_question_is_asked_again_after_a_lost_connection() -> None:
    run = DrivenSession().online()
    asked = run.session.find_person("ann")
    run.cut()
    assert not asked.done()
    run.settle()
    assert asked.result(0).person == m.Person(99, "ann")


def test_a_question_that_the_server_has_no_time_for_is_asked_again_later() -> None:
    run = DrivenSession().online()
    asked = run.session.find_person("ann")
    (question,) = [command for command in run.wire if isinstance(command, m.Whois)]
    run.wire.clear()
    run.hear(m.Refused(ErrorCode.OVERLOADED, "later", ref=question.ref, retry_after_s=2.5))
    assert not asked.done()
    ((delay_s, ask_again),) = run.timers
    assert delay_s == pytest.approx(2.5)
    ask_again()
    run.settle()
    assert asked.result(0).person.name == "ann"


@pytest.mark.parametrize(
    ("request_it", "code"),
    [
        (lambda s: s.send("ops", "x"), "not_a_member"),
        (lambda s: s.send("lobby", " "), "text_empty"),
        (lambda s: s.send("lobby", "x" * 20_000), "text_too_long"),
        (lambda s: s.join("a b"), "room_invalid"),
        (lambda s: s.send("a b", "x"), "room_invalid"),
    ],
)
def test_what_the_client_knows_to_be_wrong_is_refused_with_the_servers_code(
    request_it: Callable[[BotSession], Any], code: str
) -> None:
    run = DrivenSession().online()
    with pytest.raises(Refused) as refused:
        request_it(run.session).result(0)
    assert refused.value.code == code
    assert code in {each.value for each in ErrorCode}


@pytest.mark.parametrize(
    "request_it",
    [
        lambda s: s.send("lobby", "\ud800"),
        lambda s: s.send("lobby", "x", reply=-1),
        lambda s: s.send("lobby", "x", key="\u00e9"),
        lambda s: s.edit("lobby", 2**60, "x"),
        lambda s: s.react("lobby", 1, "", on=True),
        lambda s: s.find_person("\udfff"),
        lambda s: s.search_page("", None, 5),
        lambda s: s.history_page("lobby", None, 0),
        lambda s: s.members_page("x" * 300, None),
    ],
)
def test_what_cannot_be_sent_is_refused_and_the_session_lives(request_it: Callable[[BotSession], Any]) -> None:
    run = DrivenSession().online()
    with pytest.raises(Refused) as refused:
        request_it(run.session)
    assert refused.value.code == "invalid"
    run.others_say("still there")
    assert run.texts() == ["still there"]


def test_a_room_that_is_no_text_is_the_programs_mistake_and_the_session_lives() -> None:
    run = DrivenSession().online()
    with pytest.raises(Exception, match="NoneType"):
        run.session.join(None).result(0)  # type: ignore[arg-type]
    run.others_say("still there")
    assert run.texts() == ["still there"]


def test_every_request_ends_with_the_session() -> None:
    run = DrivenSession().online()
    open_ones = [run.session.take(), run.session.send("lobby", "x"), run.session.find_person("ann")]
    run.wire.clear()
    run.hear(m.Closing(ErrorCode.BANNED, "You are banned"))
    run.cut()
    for future in (*open_ones, run.session.take()):
        with pytest.raises(Stopped, match=r"banned|ended before the server had stored"):
            future.result(0)


def test_a_login_that_is_refused_is_a_failed_start_and_later_an_end() -> None:
    run = DrivenSession()
    started = run.session.start()
    run.hear(m.Refused(ErrorCode.LOGIN_EXPIRED, "The login has expired"))
    with pytest.raises(StartupFailed, match=r"The login has expired\. Give a file with a valid token"):
        started.result(0)
    later = DrivenSession().online()
    waits = later.session.take()
    later.cut()
    later.tick()
    later.server.out.clear()
    later.hear(m.Refused(ErrorCode.LOGIN_EXPIRED, "The login has expired"))
    with pytest.raises(Stopped, match="The login has expired"):
        while True:
            waits.result(0)
            waits = later.session.take()


def test_a_purge_is_a_gap_only_where_it_took_what_was_not_heard() -> None:
    server = ModelServer()
    run = DrivenSession(server).online()
    run.others_say("one", "two")
    run.taken()
    run.hear(m.Purged(server.fed, room="lobby"))
    assert run.taken() == [], "all of it was heard"
    run.cut()
    server.batch([("lobby", "three")], drop=True)
    gone = server.log.pop()
    server.batch([("lobby", "four")], drop=True)
    run.tick()
    run.to_server()
    run.to_client(1)  # the welcome
    joined = server.out.pop(0)
    assert isinstance(joined, m.Joined)
    run.hear(m.Joined("lobby", joined.live_from, 1, joined.members, purged=gone.seq))
    run.settle()
    events = [entry.event for entry in run.taken() if entry.event is not None]
    assert events[-1] == Gap("lobby", gone.seq)


def test_the_bot_hears_that_it_was_taken_out_of_a_room_and_that_a_message_was_deleted() -> None:
    server = ChangingServer()
    run = DrivenSession(server).online()
    joined = run.session.join("ops")
    run.settle()
    joined.result(0)
    run.others_say("one", room="ops")
    server.change(server.log[-1].seq, "delete")
    run.settle()
    run.hear(m.Left("ops", 0, ErrorCode.KICKED, "You were kicked"))
    _, deleted, left = [entry.event for entry in run.taken()]
    assert isinstance(deleted, Deleted)
    assert (deleted.message, deleted.room) == (server.log[-1].seq, "ops")
    assert left == LeftRoom("ops", "You were kicked")


def test_another_log_is_a_gap_and_is_held_back_as_well() -> None:
    server = ChangingServer()
    run = DrivenSession(server, most_waiting=2).online()
    run.others_say(*(f"old {number}" for number in range(5)))
    run.cut()
    server.log.clear()
    server.entries.clear()
    run.settle()
    run.others_say(*(f"new {number}" for number in range(20)))
    assert run.session.waiting <= 6
    heard = []
    while run.session.waiting:
        heard.append(run.session.take().result(0))
        run.settle()
    gap = next(entry for entry in heard if entry.event == Gap(None, None))
    assert gap.through == 0
    assert [entry.fields["text"] for entry in heard if entry.fields][3:] == [f"new {number}" for number in range(20)]


def test_a_room_that_another_device_joins_later_is_heard_from_then_on() -> None:
    """What was said in it between the cursor and now was never said to the bot."""
    server = ModelServer(identities={"0123456789abcdef" * 2: 7})
    first = server.store(99, "handled", room="lobby").seq
    server.store(99, "in ops, before", room="ops")
    server.store(99, "missed", room="lobby")
    run = DrivenSession(server, cursors={7: Cursor(first)}).online()
    server.rooms.add("ops")
    run.hear(m.Joined("ops", server.fed, 1, [m.Person(7, "me")]))
    run.others_say("in ops, since", room="ops")
    assert run.texts() == ["missed", "in ops, since"]


@pytest.mark.parametrize(("purged_at", "is_gap"), [(0, False), (2, True)])
def test_after_a_restart_a_purge_above_the_cursor_is_a_gap_and_one_below_it_is_none(
    purged_at: int, is_gap: bool
) -> None:
    server = ModelServer(identities={"0123456789abcdef" * 2: 7})
    seqs = [server.store(99, f"message {number}", room="lobby").seq for number in range(5)]
    del server.log[: purged_at + 1]
    run = DrivenSession(server, cursors={7: Cursor(seqs[1])})
    run.session.start()
    run.to_server()
    welcome, joined = server.out
    assert isinstance(joined, m.Joined)
    server.out[1] = structs.replace(joined, purged=seqs[purged_at])
    run.settle()
    assert isinstance(welcome, m.Welcome)
    entries = run.taken()
    assert [entry.event for entry in entries if entry.event] == ([Gap("lobby", seqs[purged_at])] if is_gap else [])
    heard = [entry.seq for entry in entries if entry.fields]
    assert heard == [seq for seq in seqs[2:] if seq > seqs[purged_at]]


# --- files ------------------------------------------------------------------------------------------------------------


def with_files() -> DrivenSession:
    return DrivenSession(ModelServer(features=("files",))).online()


def run(steps: Any, session: DrivenSession, *results: Any) -> Any:
    """Run a request: each future is settled by the model server, or else by the end of its transfer."""
    ends = list(results)
    try:
        future = next(steps)
        while True:
            for _ in range(1_000):
                session.settle()
                if session.transfers.under_way and not future.done():
                    session.transfers.end(ends.pop(0) if ends else None)
                if future.done():
                    break
                wait_for([future], 0.01)
            try:
                result = future.result(0)
            except Exception as error:  # noqa: BLE001 - the request decides what it means
                future = steps.throw(error)
            else:
                future = steps.send(result)
    except StopIteration as done:
        return done.value


def bot_of(session: DrivenSession) -> Client:
    chat = Client(name="me")
    chat._session = session.session
    return chat


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.pdf"
    path.write_bytes(b"123")
    return path


def test_a_message_with_files_is_sent_when_they_are_there(report: Path) -> None:
    session = with_files()
    sent = run(bot_of(session)._send_steps("lobby", "the numbers", None, None, [report, report]), session)
    (message,) = session.server.log
    assert message.seq == sent
    assert [file.name for file in message.files] == ["report.pdf", "report.pdf"]
    assert session.transfers.discarded == []
    (heard,) = session.taken()
    assert heard.fields is not None
    assert (heard.fields["text"], [file["size"] for file in heard.fields["files"]]) == ("the numbers", [3, 3])


def test_an_upload_that_the_server_has_lost_begins_anew_but_not_for_ever(report: Path) -> None:
    session = with_files()
    chat, gone = bot_of(session), FileGone("gone")
    run(chat._send_steps("lobby", "", None, None, [report, report]), session, None, gone, None)
    (message,) = session.server.log
    begun = [command for command in session.sent if isinstance(command, m.AddUpload)]
    assert (len(message.files), len(begun)) == (2, 3)
    with pytest.raises(Refused) as refused:
        run(chat._send_steps("lobby", "", None, None, [report]), session, gone, gone, gone)
    assert refused.value.code == "not_found"
    assert len(session.server.log) == 1


def test_what_is_not_sent_is_taken_back(report: Path) -> None:
    session = with_files()
    failure = TransferError("The picture cannot be read", "picture_unreadable", "picture_unreadable")
    with pytest.raises(Refused) as refused:
        run(bot_of(session)._send_steps("lobby", "", None, None, [report, report]), session, None, failure)
    assert refused.value.code == "picture_unreadable"
    assert session.server.log == []
    assert len(session.transfers.discarded) == 2


def test_a_file_of_this_machine_that_is_none_is_refused(tmp_path: Path) -> None:
    session = with_files()
    with pytest.raises(Refused) as refused:
        run(bot_of(session)._send_steps("lobby", "", None, None, [tmp_path / "none"]), session)
    assert refused.value.code == "file_unusable"
    assert not [command for command in session.sent if isinstance(command, m.AddUpload)]


def test_a_server_without_files_refuses_them(report: Path) -> None:
    session = DrivenSession().online()
    with pytest.raises(Refused) as refused:
        run(bot_of(session)._send_steps("lobby", "", None, None, [report]), session)
    assert refused.value.code == "files_off"


def test_a_lost_connection_asks_again_for_the_upload(report: Path) -> None:
    session = with_files()
    (file,) = local_files([str(report)])
    future = session.session.begin_upload(file, as_file=True)
    session.to_server()
    session.cut()
    session.settle()
    assert future.result(0).name == "report.pdf"
    assert [command.as_file for command in session.sent if isinstance(command, m.AddUpload)] == [True, True]


def test_a_file_is_saved_and_its_address_asked_for_again_where_the_login_has_ended(tmp_path: Path) -> None:
    session = with_files()
    file = HeardFile(id="ab" * 16, name="../../a.txt", size=3)
    saved = run(bot_of(session)._save_steps(file, tmp_path), session, FileGone("gone"), tmp_path / "a.txt")
    assert saved == tmp_path / "a.txt"
    assert session.transfers.targets == [LocalTarget(tmp_path, "a.txt")] * 2
    with pytest.raises(Refused) as refused:
        run(bot_of(session)._save_steps(file, tmp_path), session, FileGone("gone"), FileGone("gone"))
    assert refused.value.code == "not_found"
    with pytest.raises(Refused) as refused:
        run(bot_of(session)._save_steps(file, tmp_path / "none" / "x"), session)
    assert refused.value.code == "file_unusable"


def test_what_is_read_into_memory_is_bounded() -> None:
    session = with_files()
    file = HeardFile(id="ab" * 16, name="a", size=3)
    assert run(bot_of(session)._read_steps(file, 3), session, b"123") == b"123"
    with pytest.raises(Refused) as refused:
        run(bot_of(session)._read_steps(file, 2), session)
    assert refused.value.code == "file_too_large"


def test_a_transfer_ends_with_the_session(report: Path) -> None:
    session = with_files()
    (file,) = local_files([str(report)])
    future = session.session.upload(file, "/api/v1/uploads/ab/key")
    transfer = session.transfers.under_way[0][3]
    session.session.close(0.0)
    session.session.close(0.0)
    assert isinstance(future.exception(0), Stopped)
    assert transfer.cancelled.is_set()


def test_an_edit_is_heard_without_the_lines_of_the_files() -> None:
    server = ChangingServer(features=("files",))
    session = DrivenSession(server).online()
    file = m.FileInfo("ab" * 16, "a", 1)
    message = server.store(99, "before", room="lobby", files=(file,))
    server.push(message)
    server.change(message.seq, "edit", by=99, text="after\n[file: a, 1 B]")
    session.settle()
    _, edited = session.taken()
    assert isinstance(edited.event, Edited)
    assert edited.event.text == "after"
