"""docs/protocol.md, section 15 and "Writing a client", statement by statement, as another program would meet them.

Nothing of our client or codec is used: JSON over a verified connection. Each test names what the document says. What
other tests show stays there: the reconnect and the edits of the appendix (`test_protocol_doc`), the bytes of erased
texts in the files (`test_rooms`), pages and their limits (`test_long_answers`).
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from tests.support.admin import needs_socket, told
from tests.support.raw_link import RawLink
from tests.support.secrecy import PASSWORD, keep_secret
from tests.support.server import ServerProcess

Record: TypeAlias = dict[str, Any]
_ENTRIES = frozenset({"msg", "edited", "deleted", "reacted"})


def frame(record: Record) -> bytes:
    body = json.dumps(record).encode()
    return len(body).to_bytes(4, "big") + body


class Independent:
    """A client that knows the document and nothing else.

    Attributes:
        live: entries that came by themselves, in order.
        others: everything else that answered nothing.
        welcome: the answer to the hello.
        cid: of the last draft.
    """

    def __init__(self, server: ServerProcess, name: str, secret: str | None = None, **hello: str) -> None:
        self.name, self.secret = name, secret or secrets.token_hex(16)
        self.live: list[Record] = []
        self.others: list[Record] = []
        self.cid = self._ref = 0
        self._link = RawLink(server.host, server.port, server.ca)
        self.send(t="hello", version=1, name=name, secret=self.secret, **hello)
        self.welcome = self.wait(lambda got: got["t"] in {"welcome", "refused"})
        self.is_in = self.welcome["t"] == "welcome"
        if self.is_in:
            self.cid = self.welcome.get("lastcid", 0)
            keep_secret(self.welcome.get("token") or secrets.token_hex(16))
            for _ in range(self.welcome["rooms"]):
                self.wait(lambda got: got["t"] in {"joined", "refused"} and not got.get("ref"))

    @property
    def me(self) -> int:
        return int(self.welcome["sender_id"])

    def send(self, **record: Any) -> None:
        self._link.send(frame(record))

    def send_together(self, *records: Record) -> None:
        """Send several records in one write."""
        self._link.send(b"".join(frame(record) for record in records))

    def wait(self, test: Callable[[Record], bool]) -> Record:
        """Return the first record to come for which this holds; answer pings, keep the rest."""
        while True:
            got = self._link.next_record()
            assert got is not None, f"closed; before that: {self.others[-3:]}"
            if test(got):
                return got
            if got["t"] == "ping":
                self.send(t="pong", n=got.get("n", 0))
            (self.live if got["t"] in _ENTRIES else self.others).append(got)

    def ask(self, **record: Any) -> Record:
        """Send a request; return its answer."""
        self._ref += 1
        self.send(ref=self._ref, **record)
        return self.wait(lambda got: got.get("ref") == self._ref and got["t"] != "hello")

    def draft(self, **record: Any) -> Record:
        """Send a draft; return its answer."""
        self.cid += 1
        self.send(cid=self.cid, **record)
        return self.wait(lambda got: got.get("cid") == self.cid)

    def say(self, text: str, **more: Any) -> int:
        """Say something in the lobby; return its seq."""
        return int(self.draft(**{"t": "say", "room": "lobby", "text": text, **more})["seq"])

    def page(self, **asked: Any) -> Record:
        page = self.ask(t="history", **asked)
        assert page["t"] == "page", page
        return page

    def catch_up(self, seq: int) -> None:
        """Wait until an entry of this seq has come live."""
        if not any(entry["seq"] >= seq for entry in self.live):
            self.live.append(self.wait(lambda got: got["t"] in _ENTRIES and got["seq"] >= seq))

    def register(self) -> str:
        """Become an account; return its token."""
        return keep_secret(self.ask(t="register", password=PASSWORD)["token"])

    def close(self) -> None:
        self._link.close()


Come: TypeAlias = Callable[..., Independent]


@pytest.fixture
def come() -> Iterator[Come]:
    clients: list[Independent] = []

    def make(server: ServerProcess, name: str, secret: str | None = None, **hello: str) -> Independent:
        clients.append(Independent(server, name, secret, **hello))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


def state(message: Record) -> tuple[object, ...]:
    """What a message says and shows now; `edited` of a deleted one means nothing."""
    signs = [(each["sign"], each["by"]) for each in message.get("reactions", [])]
    edited = None if "deleted" in message else message.get("edited")
    return message["text"], edited, message.get("deleted"), message.get("mentions", []), signs


def apply(messages: dict[int, Record], change: Record) -> None:
    """Section 15: by target, and not those up to the message's `changed`."""
    message = messages.get(change["target"])
    if message is None or change["seq"] <= message.get("changed", 0):
        return
    message["changed"] = change["seq"]
    match change["t"]:
        case "edited" if "text" in change:  # else a later change, which follows, has replaced it
            message |= {"text": change["text"], "edited": change["seq"], "mentions": change.get("mentions", [])}
        case "deleted":
            message |= {"text": "", "mentions": [], "reactions": [], "deleted": change["seq"]}
        case "reacted":
            signs: list[Record] = [
                {**each, "by": [who for who in each["by"] if who != change["by"] or each["sign"] != change["sign"]]}
                for each in message.get("reactions", [])
            ]
            if change.get("on", True):
                found = next((each for each in signs if each["sign"] == change["sign"]), None)
                if found is None:
                    signs.append({"sign": change["sign"], "by": [change["by"]]})
                else:
                    found["by"].append(change["by"])
            message["reactions"] = [each for each in signs if each["by"]]


# --- 15. Edits and deletions ------------------------------------------------------------------------------------------


def test_a_deletion_clears_text_mentions_and_reactions_and_nothing_else(server: ServerProcess, come: Come) -> None:
    ana = come(server, "ana")
    first = ana.say("first")
    seq = ana.say("@ana look", reply=first)
    ana.draft(t="react", seq=seq, sign="+1", room="lobby")
    before = ana.page(room="lobby", after=first)["messages"][0]
    assert (before["mentions"], before["reactions"]) == ([ana.me], [{"sign": "+1", "by": [ana.me]}])
    deletion = ana.draft(t="delete", seq=seq, room="lobby")["seq"]
    after = ana.page(room="lobby", after=first)["messages"][0]
    assert (after["text"], after.get("mentions", []), after.get("reactions", [])) == ("", [], [])
    assert after["deleted"] == after["changed"] == deletion
    kept = ("t", "seq", "prev", "by", "name", "at", "room", "reply")
    assert {key: after[key] for key in kept} == {key: before[key] for key in kept}


def test_the_other_side_of_a_changed_dialogue_is_told_from_the_view_of_who_changed_it(
    server: ServerProcess, come: Come
) -> None:
    ana, budi = come(server, "ana"), come(server, "budi")
    seq = ana.draft(t="direct", to=budi.me, text="psst")["seq"]
    reaction = budi.draft(t="react", seq=seq, sign="+1", to=ana.me)["seq"]
    edit = ana.draft(t="amend", seq=seq, text="pssst", to=budi.me)["seq"]
    deletion = ana.draft(t="delete", seq=seq, to=budi.me)["seq"]
    for client in (ana, budi):
        client.catch_up(deletion)
        seen = {entry["seq"]: (entry["t"], entry["by"], entry["to"]) for entry in client.live if entry["t"] != "msg"}
        assert seen == {
            reaction: ("reacted", budi.me, ana.me),
            edit: ("edited", ana.me, budi.me),
            deletion: ("deleted", ana.me, budi.me),
        }
        assert all("room" not in entry for entry in client.live)


def test_reactions_stand_in_the_order_of_first_use(server: ServerProcess, come: Come) -> None:
    ana, budi, cici = (come(server, name) for name in ("ana", "budi", "cici"))
    seq = ana.say("choose")
    for client, sign, on in (
        (ana, "b", True), (budi, "a", True), (cici, "b", True), (budi, "b", True), (ana, "b", False), (ana, "b", True),
    ):  # fmt: skip
        client.draft(t="react", seq=seq, sign=sign, room="lobby", on=on)
    (message,) = ana.page(room="lobby")["messages"]
    assert message["reactions"] == [
        {"sign": "b", "by": [cici.me, budi.me, ana.me]}, {"sign": "a", "by": [budi.me]},
    ]  # fmt: skip


def test_whatever_was_missed_all_clients_end_with_the_same(server: ServerProcess, come: Come) -> None:
    """One is there all the time, one comes back with its cursor after half of it, one comes when it is over."""
    ana, budi, away = come(server, "ana"), come(server, "budi"), come(server, "away")
    seqs = [ana.say(f"line {number}") for number in range(6)]
    away.catch_up(seqs[-1])
    held = {entry["seq"]: entry for entry in away.live}
    ana.draft(t="amend", seq=seqs[0], text="mended 0", room="lobby")
    first = ana.draft(t="react", seq=seqs[1], sign="+1", room="lobby")["seq"]
    away.catch_up(first)
    for entry in away.live[len(seqs) :]:
        apply(held, entry)
    away.close()
    for client, record in (
        (budi, {"t": "react", "seq": seqs[1], "sign": "+1"}),
        (ana, {"t": "react", "seq": seqs[1], "sign": "+1", "on": False}),
        (ana, {"t": "amend", "seq": seqs[0], "text": "@budi again"}),
        (ana, {"t": "amend", "seq": seqs[2], "text": "mended 2"}),
        (budi, {"t": "react", "seq": seqs[2], "sign": "x"}),
        (ana, {"t": "delete", "seq": seqs[2]}),
        (ana, {"t": "delete", "seq": seqs[5]}),
    ):
        last = client.draft(room="lobby", **record)["seq"]
    back = come(server, "away", away.secret)
    page = back.page(after=first)  # of all rooms
    assert not page.get("more")
    assert page["messages"] == [], "changes are no messages, and those that were there are known"
    assert [change["seq"] for change in page["changes"]] == sorted(change["seq"] for change in page["changes"])
    assert any(change["t"] == "edited" and "text" not in change for change in page["changes"]), "one was replaced later"
    for change in page["changes"]:
        apply(held, change)
        apply(held, change)  # a second time changes nothing
    budi.catch_up(last)
    told = {entry["seq"]: dict(entry) for entry in budi.live if entry["t"] == "msg"}
    for entry in budi.live:
        if entry["t"] != "msg":
            apply(told, entry)
    fresh = {entry["seq"]: entry for entry in come(server, "fresh").page(room="lobby")["messages"]}
    assert list(fresh) == seqs
    assert {seq: state(each) for seq, each in held.items()} == {seq: state(each) for seq, each in fresh.items()}
    assert {seq: state(each) for seq, each in told.items()} == {seq: state(each) for seq, each in fresh.items()}


def test_changes_move_the_cursor_and_no_prev_leads_to_them(server: ServerProcess, come: Come) -> None:
    ana = come(server, "ana")
    first = ana.say("first")
    edit = ana.draft(t="amend", seq=first, text="mended", room="lobby")["seq"]
    second = ana.say("second")
    ana.catch_up(second)
    assert [entry["seq"] for entry in ana.live] == [first, edit, second]
    assert ana.live[-1]["prev"] == first
    page = ana.page(after=edit)
    assert [entry["seq"] for entry in page["messages"]] == [second]
    assert page.get("changes", []) == []
    assert ana.page(after=second).get("messages", []) == []


@needs_socket
@pytest.mark.parametrize("fate", ["keep", "remove"])
def test_what_an_account_leaves_behind_goes_without_a_word(server: ServerProcess, come: Come, fate: str) -> None:
    """No `deleted` is sent and none is in `changes`; `prev` may lead to a seq that is no more; or names are empty."""
    ana, budi = come(server, "ana"), come(server, "budi")
    ana.register()
    first, gone = budi.say("first"), ana.say("mine")
    whisper = budi.draft(t="direct", to=ana.me, text="to you")["seq"]
    third = budi.say("third")
    budi.catch_up(third)
    told(server, "delete-user", "ana", "--messages", fate, "--yes")
    last = budi.say("last")
    budi.catch_up(last)
    assert [entry["seq"] for entry in budi.live] == [first, gone, whisper, third, last]
    page = budi.page(after=0)
    assert page.get("changes", []) == []
    rows = {entry["seq"]: entry for entry in page["messages"]}
    assert rows[whisper]["toname"] == ""
    if fate == "keep":
        assert (rows[gone]["name"], rows[gone]["text"]) == ("", "mine")
    else:
        assert gone not in rows
        assert rows[third]["prev"] == gone


# --- Writing a client -------------------------------------------------------------------------------------------------


def test_every_command_that_names_a_room_may_hear_that_the_name_is_none(standing: ServerProcess, come: Come) -> None:
    ana = come(standing, "rooms")
    bad = "a b"
    asked: list[Record] = [
        {"t": "join", "rooms": [bad]}, {"t": "leave", "room": bad}, {"t": "history", "room": bad},
        {"t": "who", "room": bad}, {"t": "roominfo", "room": bad}, {"t": "room", "room": bad, "topic": "x"},
        {"t": "room", "room": "lobby", "name": bad}, {"t": "invite", "room": bad, "person": 1},
        {"t": "moderate", "room": bad, "person": 1, "act": "kick"},
        {"t": "grant", "room": bad, "person": 1, "role": "owner"},
    ]  # fmt: skip
    codes = {record["t"]: ana.ask(**record).get("code") for record in asked if record.get("room") != "lobby"}
    assert set(codes.values()) == {"room_invalid"}, codes
    drafts: list[Record] = [
        {"t": "say", "text": "x"}, {"t": "amend", "seq": 1, "text": "x"}, {"t": "delete", "seq": 1},
        {"t": "react", "seq": 1, "sign": "x"},
    ]  # fmt: skip
    codes = {record["t"]: ana.draft(room=bad, **record).get("code") for record in drafts}
    assert set(codes.values()) == {"room_invalid"}, codes


@pytest.mark.parametrize("bad", ["", "-x", "...", "a:b"])
def test_every_request_that_names_a_person_may_hear_that_the_name_is_none(
    standing: ServerProcess, come: Come, bad: str
) -> None:
    ana = come(standing, f"persons {secrets.token_hex(4)}")
    assert ana.ask(t="nick", name=bad)["code"] == "name_invalid"
    assert ana.ask(t="whois", name=bad)["code"] == "name_invalid"
    if bad:
        assert ana.ask(t="search", query=f'x from:"{bad}"')["code"] == "name_invalid"


def test_the_name_of_an_account_is_for_who_proves_it(server: ServerProcess, come: Come) -> None:
    come(server, "ana").register()
    assert come(server, "budi").ask(t="nick", name="ana")["code"] == "login_required"


def test_an_empty_query_is_invalid(standing: ServerProcess, come: Come) -> None:
    assert come(standing, "empty").ask(t="search", query="")["code"] == "invalid"


def test_busy_without_a_time_means_wait_for_the_answer(standing: ServerProcess, come: Come) -> None:
    ana = come(standing, "busy")
    ana.send_together({"t": "history", "ref": 101, "after": 0}, {"t": "search", "ref": 102, "query": "x"})
    refused = ana.wait(lambda got: got.get("ref") == 102)
    assert (refused["t"], refused["code"], refused.get("retry")) == ("refused", "busy", None)
    if not any(got.get("ref") == 101 for got in ana.others):
        ana.wait(lambda got: got.get("ref") == 101)
    assert ana.ask(t="search", query="x")["t"] == "hits"


def test_every_command_may_be_sent_to_every_server(standing: ServerProcess, come: Come) -> None:
    ana = come(standing, "newer")
    assert ana.ask(t="of-a-later-version", rooms=[1])["code"] == "unknown_type"
    assert ana.ask(t="who", room="lobby", of_a_later_version=True)["t"] == "roster"


def test_the_number_of_code_points_is_the_one_to_check(standing: ServerProcess, come: Come) -> None:
    ana = come(standing, "long")
    assert ana.draft(t="say", room="lobby", text="\U0001d11e" * 4_000)["t"] == "acked"
    assert ana.draft(t="say", room="lobby", text="x" * 4_001)["code"] == "text_too_long"


def test_a_rooms_name_needs_no_letter_and_a_persons_does(standing: ServerProcess, come: Come) -> None:
    ana = come(standing, "dots")
    assert ana.ask(t="join", rooms=["..."])["room"] == "..."
    assert ana.ask(t="nick", name="...")["code"] == "name_invalid"


def test_drafts_go_on_above_lastcid_also_after_a_refused_one(server: ServerProcess, come: Come) -> None:
    """Step 4: a number below a stored one that is not stored itself is out of order, and gets a new number."""
    ana = come(server, "ana")
    assert ana.draft(t="say", room="nowhere", text="x")["code"] == "not_a_member"
    assert ana.draft(t="say", room="lobby", text="stored")["t"] == "acked"
    again = come(server, "ana", ana.secret)
    assert again.welcome["lastcid"] == ana.cid == 2
    again.send(t="say", cid=1, room="lobby", text="late")
    assert again.wait(lambda got: got.get("cid") == 1)["code"] == "out_of_order"
    assert again.draft(t="say", room="lobby", text="late")["t"] == "acked"


def test_the_lobby_counts_among_the_rooms_of_a_member(certs: Path, tmp_path: Path, come: Come) -> None:
    with ServerProcess(certs, tmp_path / "data", "--limit", "rooms_per_member=3").start() as server:
        guest, ana = come(server, "guest"), come(server, "ana")
        ana.register()
        for client in (guest, ana):
            assert [client.ask(t="join", rooms=[room])["t"] for room in ("a", "b")] == ["joined", "joined"]
            assert client.ask(t="join", rooms=["c"])["code"] == "too_many_rooms"


def test_rate_limit_off_leaves_the_other_bounds(certs: Path, tmp_path: Path, come: Come) -> None:
    """Those of messages and bytes are off; other requests are paced, drafts and sizes bounded as ever."""
    with ServerProcess(certs, tmp_path / "data", "--rate-limit", "off").start() as server:
        bot = come(server, "bot")
        assert not {"message_rate", "byte_rate"} & set(bot.welcome["limits"])
        lines = [f"line {number}" for number in range(100)]
        bot.send_together(
            *({"t": "say", "cid": cid, "room": "lobby", "text": line} for cid, line in enumerate(lines, 1))
        )
        bot.wait(lambda got: got["t"] == "acked" and got["cid"] == 100)
        assert not [got for got in bot.others if got["t"] == "throttled"]
        bot.send_together(*({"t": "who", "ref": 1_001 + number, "room": "lobby"} for number in range(40)))
        bot.wait(lambda got: got["t"] == "throttled")
        bot.wait(lambda got: got.get("ref") == 1_040)
        assert not [got for got in bot.others if got["t"] == "throttled"], "once for the stretch"
        bot.cid = 100
        assert bot.draft(t="say", room="lobby", text="x" * 4_001)["code"] == "text_too_long"


def test_a_room_that_was_renamed_while_one_was_away_is_known_by_its_number(server: ServerProcess, come: Come) -> None:
    """Step 6: the `joined` behind `welcome` are all there is, and `rooms` says how many."""
    ana, budi = come(server, "ana"), come(server, "budi")
    ana.register()
    token = budi.register()
    ana.ask(t="join", rooms=["ops"])
    number = budi.ask(t="join", rooms=["ops"])["id"]
    budi.ask(t="join", rooms=["left"])
    phone = come(server, "budi", token=token)
    budi.close()
    assert phone.ask(t="leave", room="left")["t"] == "left"
    phone.close()
    assert ana.ask(t="room", room="ops", name="crew")["t"] == "done"
    back = come(server, "budi", budi.secret, token=token)
    assert back.welcome["rooms"] == 2
    roster = back.ask(t="who", room="crew")
    assert roster["t"] == "roster"
    assert back.ask(t="roominfo", room="crew")["id"] == number
    assert back.ask(t="who", room="left")["code"] == "not_a_member"


def test_names_of_numbers_are_asked_for_once_and_renames_are_told(server: ServerProcess, come: Come) -> None:
    """Step 8."""
    ana, budi = come(server, "ana"), come(server, "budi")
    people = ana.ask(t="people", ids=[budi.me, ana.me, 999_999, budi.me])["people"]
    assert people == [{"id": budi.me, "name": "budi"}, {"id": ana.me, "name": "ana"}]
    assert budi.ask(t="nick", name="buddy")["name"] == "buddy"
    renamed = ana.wait(lambda got: got["t"] == "presence" and bool(got.get("renamed")))["renamed"]
    assert renamed == [{"id": budi.me, "old": "budi", "new": "buddy"}]


def test_unread_is_asked_for_once_and_read_marks_move_it(server: ServerProcess, come: Come) -> None:
    """Step 9: live messages are counted on; what was seen is said with `read`, and counts no more."""
    ana, budi = come(server, "ana"), come(server, "budi")
    ana.register()
    seqs = [budi.say(text) for text in ("one", "@ana two")]
    (item,) = ana.ask(t="unread")["items"]
    assert (item["room"], item["unread"], item["mentions"], item["first"]) == ("lobby", 2, 1, seqs[0])
    ana.send(t="read", seq=seqs[0], room="lobby")
    (item,) = ana.ask(t="unread")["items"]
    assert (item["read"], item["unread"], item["first"]) == (seqs[0], 1, seqs[1])
    ana.send(t="read", seq=seqs[1], room="lobby")
    assert ana.ask(t="unread").get("items", []) == []


def test_a_ping_that_is_answered_keeps_the_connection_and_silence_ends_it(
    certs: Path, tmp_path: Path, come: Come
) -> None:
    """Step 3."""
    flags = ("--limit", "idle_ping_s=0.1", "--limit", "ping_timeout_s=1.5")  # long enough for a pong on a busy machine
    with ServerProcess(certs, tmp_path / "data", *flags).start() as server:
        ana = come(server, "ana")
        for _ in range(3):
            ping = ana.wait(lambda got: got["t"] == "ping")
            ana.send(t="pong", n=ping.get("n", 0))
        closing = ana.wait(lambda got: got["t"] in {"ping", "closing"})
        while closing["t"] == "ping":  # and is not answered
            closing = ana.wait(lambda got: got["t"] in {"ping", "closing"})
        assert closing["code"] == "ping_timeout"
