"""The operator's tool with a real server: every command, as text and as JSON, and what a socket has to bear."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import shutil
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from securechat.admin.parser import make_parser
from securechat.errors import ErrorCode
from securechat.invite_link import parse_link
from securechat.model import (
    Closing,
    Hello,
    Join,
    Joined,
    Notice,
    Purged,
    Refused,
    Register,
    Registered,
    RoomRules,
    SetRoom,
    Welcome,
)
from securechat.net.unix_socket import CONNECTIONS, LINE_BYTES, connect_unix
from tests.e2e.conftest import Connect
from tests.support.admin import ADMIN, admin, needs_socket, refused, row, rows, told
from tests.support.client import ROOT
from tests.support.native import Gone, NativeClient
from tests.support.screen import Screen
from tests.support.secrecy import OTHER_PASSWORD, PASSWORD, keep_secret
from tests.support.server import PATIENCE_S, ServerProcess, wait_until

pytestmark = needs_socket


def register(client: NativeClient) -> None:
    client.send(Register(ref=77, password=PASSWORD))
    keep_secret(client.wait_for(Registered).token)


def hello(client: NativeClient, name: str, **proof: str) -> Welcome | Refused | Closing:
    """Say hello with a proof; returns the answer."""
    client.send(Hello(version=1, name=name, secret=client.secret, client="test/1", **proof))
    answer = client.wait_for(Welcome | Refused | Closing)  # type: ignore[arg-type]
    if isinstance(answer, Welcome):
        keep_secret(answer.token)
    return answer


def raw(server: ServerProcess) -> socket.socket:
    return connect_unix(server.data / "admin.sock", PATIENCE_S)


@contextlib.contextmanager
def a_place(server: ServerProcess) -> Iterator[tuple[socket.socket, BinaryIO]]:
    """A connection that is served, with its answers; whoever had the last place may only just be leaving it."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with raw(server) as sock, sock.makefile("rb") as answers:
            with contextlib.suppress(BrokenPipeError):  # turned away already
                sock.sendall(b'{"command": "status"}\n')
            if "done" in json.loads(answers.readline()):
                yield sock, answers
                return
    raise AssertionError("there is no place")


def ask_raw(server: ServerProcess, line: bytes) -> dict[str, object]:
    with raw(server) as sock, sock.makefile("rb") as answers:
        sock.sendall(line + b"\n")
        answer: dict[str, object] = json.loads(answers.readline())
        return answer


# --- Looking --------------------------------------------------------------------------------------------------------


@pytest.mark.cold
def test_the_server_at_a_glance(server: ServerProcess, connect: Connect) -> None:
    ann = connect(server, "ann")
    ann.say_acked("hello")
    record = row(server, "status")
    assert record["pid"] == server.pid
    assert (record["members"], record["guests"], record["connections"]) == (1, 1, 1)
    assert record["listening"] == [f"127.0.0.1:{server.port}"]
    assert record["data"] == str(server.data)
    assert record["ca_fingerprint"].startswith("sha256:")
    assert 80 < record["certificate_days"] <= 90
    text = told(server, "status")
    assert f"process {server.pid}" in text
    assert "1 entry so far" in text


def test_who_is_here(server: ServerProcess, connect: Connect) -> None:
    ann, _ = connect(server, "ann"), connect(server, "bob")
    register(ann)
    people = {person["name"]: person for person in rows(server, "users")}
    assert people["ann"]["account"]
    assert people["bob"]["role"] == "guest"
    assert "bob   guest   yes     lobby  127.0.0.1  now" in told(server, "users")
    (lobby,) = rows(server, "rooms")
    assert (lobby["room"], lobby["total"], lobby["messages"], lobby["prunable"]) == ("lobby", 2, 0, False)
    assert "lobby  2" in told(server, "rooms")
    (only,) = rows(server, "sessions", "ann")
    assert only["client"] == "test/1"
    assert only["login"] > 0
    assert len(rows(server, "sessions")) == 2
    assert "guest" in told(server, "sessions", "bob")
    assert "No member of this name is here" in refused(server.data, 1, "sessions", "nobody")


def test_a_hostile_name_or_reason_reaches_no_terminal(server: ServerProcess) -> None:
    nasty = "\x1b]0;owned\x07\u202ebad\x9b31m"
    ban = row(server, "ban", "10.1.2.3", "--reason", nasty)
    assert ban["reason"] == nasty  # JSON keeps it, spelled out
    text = told(server, "bans")
    assert "␛]0;owned" in text
    assert not any(sign in text for sign in "\x1b\x07\u202e\x9b")
    assert "␛" in told(server, "audit")


def test_in_another_language_every_heading_and_label_is_translated(server: ServerProcess, connect: Connect) -> None:
    ann, _ = connect(server, "ann"), connect(server, "bob")
    register(ann)
    ann.say_acked("hello")
    keep_secret(row(server, "invite", "--host", "127.0.0.1")["token"])
    told(server, "ban", "10.1.2.3")
    told(server, "mute", "bob", "--for", "1h")
    for command in ("status", "users", "rooms", "sessions", "invites", "bans", "mutes", "audit"):
        english, indonesian = told(server, command), told(server, command, "--lang", "id")
        assert english.splitlines()[0] != indonesian.splitlines()[0], command
        assert len(english.splitlines()) == len(indonesian.splitlines()), command
        if command != "status":  # which has the paths of this test
            assert max(map(len, indonesian.splitlines())) <= 90, indonesian
        assert steady_rows(server, command, "--lang", "id") == steady_rows(server, command), "JSON is English"


def steady_rows(server: ServerProcess, *words: str) -> list[dict[str, object]]:
    """Return what a command prints with --json, without what the time changes."""
    changing = ("uptime_s", "free_bytes", "database_bytes", "seen_at_ms", "used_at_ms")
    return [{key: value for key, value in each.items() if key not in changing} for each in rows(server, *words)]


# --- Invites --------------------------------------------------------------------------------------------------------


def test_the_command_that_revokes_works_in_every_folder(server: ServerProcess) -> None:
    words = [*ADMIN, "--data", server.data.name, "invite", "--host", "127.0.0.1"]
    done = subprocess.run(words, cwd=server.data.parent, capture_output=True, text=True, check=True, timeout=PATIENCE_S)
    assert re.search(rf"revoke \d+ --data {re.escape(str(server.data))}\n", done.stdout)


def test_an_invite_lets_its_account_into_a_private_room(server: ServerProcess, connect: Connect) -> None:
    first = parse_link(told(server, "invite", "--host", "127.0.0.1").splitlines()[0])
    owner = connect(server)
    hello(owner, "owner", invite=first.token, password=PASSWORD)
    owner.send(Join(ref=1, rooms=["lab"]))
    owner.wait_for(Joined, lambda event: event.room == "lab")
    owner.send(SetRoom(ref=2, room="lab", private=True))
    owner.wait_for(RoomRules, lambda event: event.private)
    link = parse_link(told(server, "invite", "--room", "lab", "--host", "127.0.0.1").splitlines()[0])
    ann = connect(server)
    hello(ann, "ann", invite=link.token, password=PASSWORD)
    assert ann.wait_for(Joined, lambda event: event.room == "lab").private


def test_an_invite_makes_an_account_once_and_is_shown_once(server: ServerProcess, connect: Connect) -> None:
    printed = told(server, "invite", "--room", "#lab", "--host", "127.0.0.1")
    assert f"revoke 1 --data {server.data}\n" in printed, "the command that is shown reaches another server"
    assert "for one person, who joins #lab" in printed
    link = parse_link(printed.splitlines()[0])
    keep_secret(link.token)
    assert (link.host, link.port, link.once) == ("127.0.0.1", server.port, True)
    assert link.ca_fingerprint == row(server, "status")["ca_fingerprint"]
    welcome = hello(connect(server), "ann", invite=link.token, password=PASSWORD)
    assert isinstance(welcome, Welcome)
    assert welcome.account
    again = hello(connect(server), "bob", invite=link.token, password=PASSWORD)
    assert isinstance(again, Refused)
    assert again.code is ErrorCode.INVITE_USED
    (listed,) = rows(server, "invites")
    assert (listed["used_by"], listed["room"]) == (["ann"], "lab")
    assert "used up" in told(server, "invites")
    assert link.token not in told(server, "audit") + told(server, "invites") + "".join(server.lines)


def test_an_invite_for_several_can_be_taken_back(server: ServerProcess, connect: Connect) -> None:
    made = row(server, "invite", "--uses", "3", "--days", "2", "--host", "127.0.0.1:4711")
    keep_secret(made["token"])
    assert made["link"].startswith("securechat://127.0.0.1:4711/join/")
    assert "is revoked" in told(server, "revoke", str(made["invite"]))
    answer = hello(connect(server), "ann", invite=made["token"], password=PASSWORD)
    assert isinstance(answer, Refused)
    assert answer.code is ErrorCode.INVITE_REVOKED
    assert row(server, "revoke", str(made["invite"]))["revoked"]
    assert "no invite 4711" in refused(server.data, 1, "revoke", "4711")


def test_an_address_nobody_else_can_use_is_not_chosen(server: ServerProcess) -> None:
    assert "--host HOST" in refused(server.data, 1, "invite")
    assert rows(server, "invites") == []  # and no token was made for nothing
    done = admin(server.data, "invite", "--host", "chat.example.org")
    assert "does not name chat.example.org" in done.stderr
    keep_secret(parse_link(done.stdout.splitlines()[0]).token)


@pytest.mark.cold
def test_in_a_terminal_the_link_comes_with_its_qr_code(server: ServerProcess) -> None:
    with Screen([*ADMIN, "invite", "--host", "127.0.0.1", "--data", str(server.data)], cwd=ROOT, columns=200) as screen:
        screen.wait_for("To revoke it")
        screen.wait_for("securechat-client --invite")
        assert screen.process.wait(PATIENCE_S) == 0
        shown = screen.output.decode()
        keep_secret(parse_link(next(line for line in shown.splitlines() if line.startswith("https://"))).token)
        assert "▀" in shown or "▄" in shown
    assert "█" not in told(server, "invite", "--host", "127.0.0.1")  # not into a pipe


# --- Order ----------------------------------------------------------------------------------------------------------


def test_kick_ban_and_mute(server: ServerProcess, connect: Connect) -> None:
    eve = connect(server, "eve")
    assert "Kicked eve (1 connection closed)" in told(server, "kick", "eve", "--reason", "spam")
    closing = eve.last_words()
    assert closing.code is ErrorCode.KICKED
    assert "spam" in closing.text
    back = connect(server, "eve")

    muted = row(server, "mute", "eve", "--for", "10m", "--reason", "loud")
    assert muted["until_ms"] - muted["made_at_ms"] == 600_000
    client_id = back.say("can you hear me")
    answer = back.wait_for(Refused)
    assert answer.code is ErrorCode.MUTED
    assert "eve" in told(server, "mutes")
    assert rows(server, "mutes")[0]["reason"] == "loud"
    assert "Unmuted eve" in told(server, "unmute", "eve")
    back.say_acked("now", "lobby")
    assert client_id
    for name in ("eve", "nobody"):
        assert "No member of this name is muted" in refused(server.data, 1, "unmute", name)
    assert "permanently" in told(server, "mute", "eve")
    assert row(server, "unmute", "eve")["name"] == "eve"

    banned = row(server, "ban", "eve", "--for", "2h")
    assert banned["kind"] == "name"
    assert back.last_words().code is ErrorCode.BANNED
    assert isinstance(hello(connect(server), "eve"), Refused | Closing)
    assert "eve" in told(server, "bans")
    assert "Unbanned" in told(server, "unban", str(banned["ban"]))
    assert isinstance(hello(connect(server), "eve"), Welcome)
    assert "no such ban" in refused(server.data, 1, "unban", "eve")
    assert "No member of this name is here" in refused(server.data, 1, "kick", "nobody")
    row(server, "kick", "eve")


def test_a_network_is_banned_and_the_operator_still_gets_in(server: ServerProcess, connect: Connect) -> None:
    ann = connect(server, "ann")
    assert row(server, "ban", "127.0.0.0/8")["kind"] == "network"
    ann.read_to_end()
    with pytest.raises((Gone, AssertionError, OSError)):
        connect(server, "bob")
    assert row(server, "unban", "127.0.0.0/8")["bans"][0]["target"] == "127.0.0.0/8"
    connect(server, "bob")


def test_an_address_that_was_banned_for_a_user_is_shown_and_lifted_as_an_address(
    server: ServerProcess, connect: Connect
) -> None:
    connect(server, "eve")
    row(server, "ban", "eve", "--address", "--reason", "spam")
    bans = [(ban["kind"], ban["target"], ban["made_for"]) for ban in rows(server, "bans")]
    assert sorted(bans) == [("guest", "eve", None), ("name", "eve", None), ("network", "127.0.0.1", "eve")]
    assert "127.0.0.1 (of eve)  network" in told(server, "bans")
    lifted = told(server, "unban", "127.0.0.1")
    assert "Unbanned the network 127.0.0.1 (of eve)" in lifted
    assert "Unbanned the name eve" in lifted
    assert rows(server, "bans") == []
    for given, shown in (
        ("10.1.2.3/8", "10.0.0.0/8"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("::ffff:10.0.0.5", "10.0.0.5"),
    ):
        row(server, "ban", given)
        assert [(ban["target"], ban["made_for"]) for ban in rows(server, "bans")] == [(shown, None)]
        row(server, "unban", shown)


# --- Accounts -------------------------------------------------------------------------------------------------------


def test_logins_passwords_and_roles(server: ServerProcess, connect: Connect) -> None:
    ann = connect(server, "ann")
    register(ann)
    (session,) = rows(server, "sessions", "ann")
    assert "is logged out" in told(server, "logout", str(session["login"]))
    assert ann.last_words().code is ErrorCode.LOGGED_OUT
    assert "There is no session" in refused(server.data, 1, "logout", str(session["login"]))

    password = keep_secret(row(server, "reset-password", "ann")["password"])
    welcome = hello(connect(server), "ann", password=password)
    assert isinstance(welcome, Welcome)
    refused_old = hello(connect(server), "ann", password=OTHER_PASSWORD)
    assert isinstance(refused_old, Refused)
    printed = told(server, "reset-password", "ann")
    assert "shown only once" in printed
    keep_secret(printed.splitlines()[0].split()[-1])
    assert password not in told(server, "audit") + "".join(server.lines)

    assert "ann is now an admin" in told(server, "role", "ann", "admin")
    assert row(server, "role", "ann", "member") == {"name": "ann", "role": "member"}
    assert "There is no account of this name" in refused(server.data, 1, "reset-password", "nobody")


@pytest.mark.parametrize("fate", ["keep", "remove"])
def test_a_user_is_deleted_after_a_question(server: ServerProcess, connect: Connect, fate: str) -> None:
    ann = connect(server, "ann")
    register(ann)
    for number in range(5):
        ann.say_acked(f"message {number}")
    words = ["delete-user", "ann", "--messages", fate]
    assert "add --yes" in refused(server.data, 2, *words)
    with Screen([*ADMIN, *words, "--data", str(server.data)], cwd=ROOT, columns=120) as screen:
        screen.wait_for("Type yes to continue")
        screen.type("no\r")
        screen.wait_for("Nothing was done")
        assert screen.process.wait(PATIENCE_S) == 1
    assert len(rows(server, "users")) == 1
    cyd, away = connect(server, "cyd"), connect(server, "dora")
    cursor = away.history("lobby")[-1].seq
    away.close()
    with Screen([*ADMIN, *words, "--data", str(server.data)], cwd=ROOT, columns=120) as screen:
        screen.wait_for("Type yes to continue")
        screen.type("yes\r")
        screen.wait_for("5 messages removed" if fate == "remove" else "5 messages kept without a name")
        assert screen.process.wait(PATIENCE_S) == 0
    assert ann.last_words().code is ErrorCode.KICKED
    left = [message for message in connect(server, "bob").history("lobby") if message.text.startswith("message")]
    assert [message.name for message in left] == ([] if fate == "remove" else [""] * 5)
    back = connect(server, "dora", secret=away.secret)
    back.history(after=cursor)
    told = {event for event in back.events if isinstance(event, Purged)}  # again to those who ask for history
    expected = Purged(cursor, sender_id=ann.wait_for(Welcome).sender_id)
    assert told == ({expected} if fate == "remove" else set())
    assert fate == "keep" or cyd.wait_for(Purged) == expected
    assert "There is no account of this name" in refused(server.data, 1, *words, "--yes")
    assert "There is no account of this name" in refused(server.data, 1, *words), "a question for nothing"


def test_an_announcement_reaches_everybody_and_the_audit_tells_who_made_it(
    server: ServerProcess, connect: Connect
) -> None:
    ann = connect(server, "ann")
    assert told(server, "announce", "down for\nlunch") == "Announced to 1 person\n"
    assert ann.wait_for(Notice).text == "down for\nlunch"
    assert row(server, "announce", "again") == {"people": 1}
    entries = rows(server, "audit", "--last", "1")
    assert [(entry["act"], entry["detail"]) for entry in entries] == [("announce", "again")]
    assert entries[0]["actor"].startswith("shell")
    assert "down for⏎lunch" in told(server, "audit")
    assert "The announcement is empty" in refused(server.data, 1, "announce", " ")


# --- The end, and no server -----------------------------------------------------------------------------------------


def test_a_renewed_certificate_is_taken_as_certs_says(certs: Path, tmp_path: Path, connect: Connect) -> None:
    own = tmp_path / "certs"
    shutil.copytree(certs, own)
    assert "Next: securechat-server --cert" in admin(tmp_path / "data", "certs", "--dir", str(own)).stdout
    with ServerProcess(own, tmp_path / "data").start() as server:
        words = ["certs", "--dir", str(own)]
        assert f"Next: nothing. The running server (process {server.pid}) uses" in told(server, *words, "--if-needed")
        advice = f"kill -HUP {server.pid}"
        renewed = told(server, *words, "--name", "chat.lan")
        assert f"Next: {advice}  (" in renewed
        assert "chat.lan" not in row(server, "status")["certificate_names"]
        subprocess.run(advice, shell=True, check=True)
        wait_until(lambda: "chat.lan" in row(server, "status")["certificate_names"], "the new certificate")
        connect(server, "ann")
        other = told(server, "certs", "--dir", str(tmp_path / "other"))
        assert f"stop the running server (process {server.pid}), which uses {own / 'server.pem'}" in other


@pytest.mark.cold
def test_shutdown_waits_for_the_end(server: ServerProcess, connect: Connect) -> None:
    ann = connect(server, "ann")
    assert "Every acknowledged message is stored" in told(server, "shutdown")
    assert server.wait() == 0
    assert ann.last_words().code is ErrorCode.SHUTTING_DOWN
    assert not (server.data / "admin.sock").exists()
    assert "Start it with securechat-server --data" in refused(server.data, 3, "status")
    assert [entry["act"] for entry in rows(server, "audit")] == ["shutdown"]  # read from the files
    server.start()
    assert row(server, "shutdown") == {"stopping": True, "stopped": True}
    assert server.wait() == 0


def test_killed_and_started_again_the_socket_is_a_new_one(server: ServerProcess) -> None:
    row(server, "ban", "10.0.0.1")
    server.kill()
    assert (server.data / "admin.sock").exists()
    assert "No server is running" in refused(server.data, 3, "bans")
    server.start()
    assert [ban["target"] for ban in rows(server, "bans")] == ["10.0.0.1"]


def test_a_server_whose_socket_was_removed_is_not_taken_for_none(server: ServerProcess) -> None:
    (server.data / "admin.sock").unlink()
    assert "Restart it" in refused(server.data, 5, "status")


def test_a_data_directory_with_a_very_long_path(certs: Path, tmp_path: Path) -> None:
    with ServerProcess(certs, tmp_path / ("d" * 100) / ("e" * 100)).start() as server:
        assert row(server, "status")["pid"] == server.pid


def test_data_from_a_configuration_file(server: ServerProcess, tmp_path: Path) -> None:
    config = tmp_path / "securechat.toml"
    config.write_text(f'data = "{server.data}"\n')
    done = subprocess.run(
        [*ADMIN, "--config", str(config), "--json", "rooms"], capture_output=True, cwd=ROOT, check=True
    )
    assert json.loads(done.stdout)["room"] == "lobby"
    config.write_text("data = 7\n")
    done = subprocess.run([*ADMIN, "--config", str(config), "rooms"], capture_output=True, cwd=ROOT, check=False)
    assert done.returncode == 2
    assert b"securechat.toml:1" in done.stderr


# --- The socket -----------------------------------------------------------------------------------------------------


def test_the_socket_is_for_its_owner_alone(standing: ServerProcess) -> None:
    assert stat.S_IMODE((standing.data / "admin.sock").lstat().st_mode) == 0o600
    assert stat.S_IMODE(standing.data.stat().st_mode) == 0o700


NOT_FOUND = {
    "sessions nobody": 1,
    "kick nobody": 1,
    "ban nobody --address": 1,
    "unban nobody": 1,
    "unban 99": 1,
    "mute nobody": 1,
    "unmute nobody": 1,
    "revoke 99": 1,
    "logout 99": 1,
    "reset-password nobody": 1,
    "role nobody admin": 1,
    "delete-user nobody --messages keep": 1,
    "export nowhere": 1,
    "export nowhere --to {tmp}/rows": 1,
    "certs --client ann --dir {tmp}": 1,
    "backup {tmp}/a.tar --cert {tmp}/no.pem": 5,
    "backup {tmp}/no/a.tar --cert {certs}/server.pem": 5,
    "restore {tmp}/no.tar --certs {tmp}/certs": 5,
    "status --config {tmp}/no.toml": 2,
    "bot remove nosuch --yes": 1,
    "bot rotate nosuch": 1,
    "bot add x1 --room nosuch": 1,
    "hook add nosuch x1": 1,
    "hook remove nosuch --yes": 1,
    "hook list nosuch": 1,
    "token list nosuch": 1,
    "token remove 999": 1,
}
"""What each command that takes something by its name answers when it is not there: 1 for what the server or its
database does not have, 5 for a file to read or write, and 2 for a setting."""
NAMES_NOTHING = {
    "status", "users", "rooms", "files", "invite", "invites", "bans", "mutes", "announce", "audit", "recover", "check",
    "shutdown",
}  # fmt: skip


@pytest.mark.parametrize("words", NOT_FOUND)
def test_what_is_not_found_has_one_exit_code_and_leaves_nothing(
    standing: ServerProcess, certs: Path, tmp_path: Path, words: str
) -> None:
    before = row(standing, "status")
    arguments = [word.format(tmp=tmp_path, certs=certs) for word in words.split()]
    data = tmp_path / "new" if arguments[0] == "restore" else standing.data
    assert refused(data, NOT_FOUND[words], *arguments).startswith("securechat-admin: ")
    assert list(tmp_path.iterdir()) == []
    assert {**row(standing, "status"), "uptime_s": 0, "free_bytes": 0} == {**before, "uptime_s": 0, "free_bytes": 0}


@pytest.mark.parametrize(
    "words",
    ["audit", "files", "export lobby", "backup {tmp}/a.tar --cert {certs}/server.pem", "check", "recover --yes"],
)
def test_a_data_directory_that_is_not_there_is_a_missing_file(certs: Path, tmp_path: Path, words: str) -> None:
    arguments = [word.format(tmp=tmp_path, certs=certs) for word in words.split()]
    refused(tmp_path / "no", 5, *arguments)
    assert list(tmp_path.iterdir()) == []


def test_every_command_is_in_the_table_of_what_is_not_found() -> None:
    commands = next(action for action in make_parser()._actions if isinstance(action.choices, dict)).choices
    assert commands is not None
    assert set(commands) == {words.split()[0] for words in NOT_FOUND if "--config" not in words} | NAMES_NOTHING


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"rubbish",
        b"\x00\xff\xfe",
        b"[1]",
        b"{}",
        b'{"command": 7}',
        b'{"command": "format-disk"}',
        b'{"command": "kick"}',
        b'{"command": "kick", "name": 7}',
        b'{"command": "kick", "name": "ann", "extra": 1}',
        b'{"command": "kick", "name": "' + b"x" * 600 + b'"}',
        b'{"command": "kick", "name": "\\ud800"}',
        b'{"command": "ban", "target": "\\u0000"}',
        b'{"command": "ban", "target": "ann", "duration_s": 1e400}',
        b'{"command": "ban", "target": "ann", "duration_s": -1}',
        b'{"command": "invite", "uses": 1, "days": 1e300}',
        b'{"command": "mute", "name": ""}',
        b"[" * 60_000,
        b"x" * (LINE_BYTES + 1),
    ],
    ids=lambda line: line[:40].decode("latin-1"),
)
def test_rubbish_is_answered_and_costs_nothing(standing: ServerProcess, connect: Connect, line: bytes) -> None:
    assert set(ask_raw(standing, line)) == {"error"}
    assert not [event for event in standing.events() if event["event"] == "error"]
    connect(standing, f"ann {secrets.token_hex(4)}").say_acked("all is well")


def test_two_administrators_at_once_and_more_than_there_are_places_for(server: ServerProcess) -> None:
    held = [raw(server) for _ in range(CONNECTIONS - 1)]
    try:
        told(server, "status")
        with a_place(server) as (first, answers):
            busy = refused(server.data, 1, "status")
            assert "Too many admin tools" in busy
            first.sendall(b'{"command": "announce", "text": "one"}\n{"command": "status"}\n')  # two in a row
            assert json.loads(answers.readline()) == {"done": {"people": 0}}
            assert "done" in json.loads(answers.readline())
    finally:
        for sock in held:
            sock.close()
    both = [subprocess.Popen([*ADMIN, "announce", f"{n}", "--data", str(server.data)], cwd=ROOT) for n in range(2)]
    assert [process.wait(PATIENCE_S) for process in both] == [0, 0]
    assert len(rows(server, "audit")) == 3


def test_who_hangs_up_in_the_middle_costs_nothing(server: ServerProcess, connect: Connect) -> None:
    for _ in range(20):
        with raw(server) as sock, contextlib.suppress(BrokenPipeError):  # turned away: too many tools
            sock.sendall(b'{"command": "announce", "text": "nobody waits for this"}\n')

    def is_well() -> bool:
        done = admin(server.data, "status", "--json")  # as long as some of them have not left, there is no place
        return done.returncode == 0 and json.loads(done.stdout)["unsettled"] == 0

    wait_until(is_well, "a server that is well")
    assert rows(server, "audit")  # what was understood is carried out all the same
    assert not [event for event in server.events() if event["event"] == "error"]
