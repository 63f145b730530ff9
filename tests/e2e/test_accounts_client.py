"""The client of people who own their names, against a real server: at a terminal, in pipes, on two devices."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from securechat.client.exit_codes import ClientExit
from securechat.errors import ErrorCode
from securechat.invite_link import parse_link
from securechat.model import Hello, Refused, Register, Registered
from securechat.tls.certificate_directory import ensure_server, issue_client, load_authority
from tests.e2e.conftest import Connect
from tests.support.admin import row
from tests.support.client import CLIENT, PATIENCE_S, ROOT, at, run_client
from tests.support.native import NativeClient
from tests.support.screen import CTRL_C, CTRL_D, ENTER, Screen
from tests.support.secrecy import OTHER_PASSWORD, PASSWORD, WRONG_PASSWORD, keep_secret
from tests.support.server import ServerProcess

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are Unix")
UP = "\x1b[A"
ATTEMPTS = 5
"""At most, to come before the server forgets what a test made it remember for a second."""
Device = Callable[..., Screen]


class Machine:
    """Somebody's computer: terminals that share what it remembers."""

    def __init__(self, state: Path, server: ServerProcess) -> None:
        self.state = state
        self.server = server
        self.screens: list[Screen] = []

    @property
    def env(self) -> dict[str, str]:
        return {"SECURECHAT_STATE": str(self.state)}

    def open(self, *flags: str, known: bool = False, **env: str) -> Screen:
        """Open a terminal; ``known`` leaves it to the memory where to go."""
        where = [] if known else at(self.server)
        self.screens.append(
            Screen([*CLIENT, *where, *flags], cwd=ROOT, columns=120, rows=50, env={**self.env, "COLUMNS": "120", **env})
        )
        return self.screens[-1]

    def run(self, *flags: str, stdin: str = "", known: bool = False, **env: str) -> subprocess.CompletedProcess[str]:
        where = [] if known else at(self.server)
        return run_client(*where, *flags, stdin=stdin, env={**os.environ, **self.env, **env})


@pytest.fixture
def machine(server: ServerProcess, tmp_path: Path) -> Iterator[Callable[[str], Machine]]:
    made: list[Machine] = []

    def make(name: str = "first") -> Machine:
        made.append(Machine(tmp_path / name / "securechat-state", server))
        return made[-1]

    yield make
    for each in made:
        for screen in each.screens:
            expect_unseen(screen)
            screen.__exit__()


def expect_unseen(screen: Screen) -> None:
    """No password was ever on the screen, nor in anything that went to the terminal."""
    for secret in (PASSWORD, OTHER_PASSWORD, WRONG_PASSWORD):
        assert secret not in screen.text
        assert secret.encode() not in screen.output


def answer(screen: Screen, question: str, *lines: str) -> None:
    """Answer questions that show nothing of the answer, each when it is asked."""
    for number, line in enumerate(lines):
        asked = question if number == 0 else "again"
        screen.wait_until(partial(prompts, screen, asked), asked)
        screen.line(line)


def prompts(screen: Screen, text: str) -> bool:
    """Whether the last row asks this."""
    return text in "".join(screen.rows[-1:])


def register(screen: Screen, password: str = PASSWORD) -> None:
    screen.wait_for("Joined #lobby")
    screen.line("/register")
    answer(screen, "New password", password, password)
    screen.wait_for("Registered as")


def leave(screen: Screen) -> None:
    screen.line("/quit")
    assert screen.wait_for_exit() == ClientExit.OK


def invite(server: ServerProcess, *flags: str) -> str:
    """An invite link, as the administrator makes it."""
    command = [sys.executable, "-m", "securechat.cli.admin", "--data", str(server.data), "--json", "invite", *flags]
    command += ["--host", f"127.0.0.1:{server.port}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    link: str = json.loads(done.stdout)["link"]
    keep_secret(parse_link(link).token)
    return link


# --- registering, and coming back -------------------------------------------------------------------------------------


@pytest.mark.cold
def test_a_registered_name_comes_back_by_itself_and_to_nobody_else(machine: Callable[[str], Machine]) -> None:
    mine, theirs = machine("mine"), machine("theirs")
    first = mine.open("--name", "ann")
    first.wait_for("/register reserves this name")
    register(first)
    leave(first)

    again = mine.open(known=True)
    again.wait_for(f"Using the last server, 127.0.0.1 port {mine.server.port}, as ann")
    again.wait_for("as ann, encrypted")
    assert "Password" not in again.text

    stranger = theirs.open("--name", "ann")
    answer(stranger, "Password for ann", WRONG_PASSWORD)
    stranger.wait_for("Wrong password")
    answer(stranger, "Password for ann", "")
    stranger.wait_for("Name")
    stranger.line("bob")
    stranger.wait_for("as bob, encrypted")
    again.wait_for("bob joined")


def test_a_second_device_logs_in_by_password_and_sees_and_says_the_same(machine: Callable[[str], Machine]) -> None:
    one = machine("one").open("--name", "ann")
    register(one)
    other = machine("other").open("--name", "Ann")
    answer(other, "Password for Ann", PASSWORD)
    other.wait_for("as ann, encrypted")
    other.line("from the other one")
    one.wait_for("ann: from the other one")
    one.line("/join ops")
    other.wait_for("You are also in #ops")
    one.line("/leave")
    other.wait_for("You left #ops on another device")

    one.line("/sessions")
    one.wait_for("online")
    number = next(row for row in one.rows if "online" in row).split()[1]
    one.line(f"/sessions end {number}")
    one.wait_for(f"Session {number} is logged out")
    assert other.wait_for_exit() == ClientExit.REMOVED
    assert "ended" in other.text


def test_logging_out_forgets_the_login_and_forget_forgets_the_server(machine: Callable[[str], Machine]) -> None:
    mine = machine("mine")
    first = mine.open("--name", "ann")
    register(first)
    first.line("/logout")
    assert first.wait_for_exit() == ClientExit.OK
    assert "Logged out" in first.text
    again = mine.open(known=True)
    answer(again, "Password for ann", PASSWORD)
    again.wait_for("as ann, encrypted")
    leave(again)
    done = mine.run("--forget", known=True)
    assert done.returncode == ClientExit.OK
    assert "Logins forgotten: ann" in done.stderr
    assert not list(mine.state.rglob("*.json"))


def test_a_changed_password_ends_every_other_login(machine: Callable[[str], Machine]) -> None:
    one, other = machine("one"), machine("other")
    first = one.open("--name", "ann")
    register(first)
    second = other.open("--name", "ann")
    answer(second, "Password for ann", PASSWORD)
    second.wait_for("as ann, encrypted")
    first.line("/password")
    answer(first, "Old password", PASSWORD)
    answer(first, "New password", OTHER_PASSWORD, PASSWORD)
    first.wait_for("passwords do not match")
    answer(first, "New password", OTHER_PASSWORD, OTHER_PASSWORD)
    first.wait_for("Password changed")
    assert second.wait_for_exit() == ClientExit.REMOVED
    leave(first)
    back = one.open(known=True)
    back.wait_for("as ann, encrypted")
    lost = other.open("--name", "ann")
    answer(lost, "Password for ann", OTHER_PASSWORD)
    lost.wait_for("as ann, encrypted")


def test_what_is_typed_at_a_password_prompt_is_nowhere(machine: Callable[[str], Machine]) -> None:
    ann = machine("mine").open("--name", "ann")
    ann.wait_for("Joined #lobby")
    ann.line("an ordinary line")
    ann.wait_for("ann: an ordinary line")
    ann.line("/register")
    ann.wait_until(lambda: prompts(ann, "New password"), "the question")
    question = ann.rows[-1]
    ann.type(PASSWORD)
    bob = machine("theirs").open("--name", "bob")
    ann.wait_for("bob joined")  # printed above the prompt, which is drawn again, with whatever it shows
    bob.wait_for("Joined #lobby")
    bob.line("look away")
    ann.wait_for("bob: look away")
    ann.wait_until(lambda: ann.rows[-1].startswith("New password"), "the question, last")
    assert ann.rows[-1] == question
    ann.line("")
    ann.wait_until(lambda: "again" in ann.rows[-1], "the second question")
    ann.line("")
    ann.wait_for("Nothing was changed")
    ann.line("/register")
    ann.wait_until(lambda: prompts(ann, "New password"), "the question")
    ann.type(PASSWORD + CTRL_C)
    ann.wait_until(lambda: ann.text.count("Nothing was changed") == 2, "Ctrl-C takes back the question, not the chat")
    ann.type(UP)
    ann.wait_until(lambda: ann.rows[-1].endswith(">> /register"), "the last line but the password")
    ann.type("\x15")
    ann.line("/register hush")
    ann.wait_for("Do not type a password behind the command")
    ann.type(UP)
    ann.wait_until(lambda: ann.rows[-1].endswith(">> /register"), "the last line but the one with a password")
    assert "hush" not in ann.text


def test_a_password_typed_once_more_while_a_login_is_held_is_no_message(certs: Path, tmp_path: Path) -> None:
    flags = ("--limit", "login_tries_per_connection=2")
    with ExitStack() as stack:
        server = stack.enter_context(ServerProcess(certs, tmp_path / "data", *flags).start())
        ann = stack.enter_context(Machine(tmp_path / "mine", server).open("--name", "ann"))
        register(ann)
        other = stack.enter_context(Machine(tmp_path / "theirs", server).open("--name", "ann"))
        for tries in (1, 2):
            answer(other, "Password for ann", WRONG_PASSWORD)
            other.wait_until(lambda n=tries: other.text.count("Wrong password") == n, "a refusal")
        other.wait_until(partial(prompts, other, "Password for ann"), "the question")
        other.line(f"{PASSWORD}{ENTER}{OTHER_PASSWORD}")  # the second while no prompt is there
        other.wait_for("tried again in")
        other.wait_for("was not sent")
        other.wait_until(partial(prompts, other, "Logging in"), "no prompt for messages")
        other.type(PASSWORD[:-1] + CTRL_C)
        assert other.wait_for_exit() == ClientExit.OK
        assert PASSWORD[:-1] not in other.text
        expect_unseen(other)
        ann.line("all is well")
        ann.wait_for("ann: all is well")
        expect_unseen(ann)


def test_a_line_begun_before_a_password_is_asked_for_is_there_afterwards(
    machine: Callable[[str], Machine], server: ServerProcess
) -> None:
    ann = machine("mine").open("--name", "ann")
    register(ann)
    server.process.send_signal(signal.SIGSTOP)
    other = machine("other").open("--name", "ann")
    other.wait_until(partial(prompts, other, ">>"), "a prompt")
    other.type("half a sent")
    other.wait_until(partial(prompts, other, ">> half a sent"), "the line")
    server.process.send_signal(signal.SIGCONT)
    answer(other, "Password for ann", PASSWORD)
    other.wait_until(partial(prompts, other, ">> half a sent"), "the line again")
    other.line("ence")
    ann.wait_for("ann: half a sentence")


def test_an_account_comes_back_by_itself_after_a_crash_of_the_server(
    machine: Callable[[str], Machine], server: ServerProcess
) -> None:
    mine = machine("mine")
    ann = mine.open("--name", "ann")
    register(ann)
    server.kill()
    ann.wait_for("Connection lost")
    ann.line("typed while away")
    ann.wait_for("Waiting to be sent: typed while away")
    server.start()
    ann.wait_for("Connected again")
    ann.wait_for("ann: typed while away")
    assert "Password" not in ann.text


def test_a_direct_message_waits_for_whoever_is_not_here(machine: Callable[[str], Machine]) -> None:
    mine = machine("mine")
    ann = mine.open("--name", "ann")
    register(ann)
    leave(ann)
    bob = machine("theirs").open("--name", "bob")
    bob.wait_for("Joined #lobby")
    bob.line("/msg ann see you")
    bob.wait_for("ann is offline. Your message will be delivered later")
    bob.line("not for her")
    bob.wait_for("bob: not for her")
    back = mine.open(known=True)
    back.wait_for("bob @ann: see you")
    back.wait_for("1 message while you were away, shown above")
    assert back.text.count("see you") == 1


def test_a_dumb_terminal_keeps_passwords_to_itself_too(machine: Callable[[str], Machine]) -> None:
    mine = machine("mine")
    ann = mine.open("--name", "ann", TERM="dumb")
    ann.wait_for("Joined #lobby")
    ann.line("/register")
    answer(ann, "New password", PASSWORD, PASSWORD)
    ann.wait_for("Registered as")
    ann.line("and now aloud")
    ann.wait_for("and now aloud")
    ann.type(CTRL_D)
    assert ann.wait_for_exit() == ClientExit.OK
    assert mine.run("--name", "ann", "--send", stdin="hi\n").returncode == ClientExit.OK


# --- pipes ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    path = tmp_path / "ann.password"
    path.touch(0o600)
    path.write_text(f"{PASSWORD}\n")
    return path


@pytest.mark.cold
def test_scripts_log_in_by_file_once_and_then_by_what_is_kept(
    machine: Callable[[str], Machine], password_file: Path
) -> None:
    register(machine("mine").open("--name", "ann"))
    script = machine("script")
    done = script.run("--name", "ann", "--send", stdin="one\n")
    assert done.returncode == ClientExit.LOGIN_REFUSED
    assert "--password-file" in done.stderr
    done = script.run("--name", "ann", "--send", "--password-file", str(password_file), stdin="two\n")
    assert done.returncode == ClientExit.OK, done.stderr
    assert script.run("--name", "ann", "--send", stdin="three\n").returncode == ClientExit.OK
    tail = run_client(*at(script.server, "--tail", "--history", "2"), stop_after=2)
    assert tail.stdout == "ann: two\nann: three\n"


def test_a_password_file_that_is_wrong_or_open_is_refused(
    machine: Callable[[str], Machine], password_file: Path
) -> None:
    register(machine("mine").open("--name", "ann"))
    script = machine("script")
    flags = ("--name", "ann", "--send", "--password-file", str(password_file))
    password_file.write_text(WRONG_PASSWORD)
    done = script.run(*flags, stdin="x\n")
    assert done.returncode == ClientExit.LOGIN_REFUSED
    assert "Wrong password" in done.stderr
    password_file.chmod(0o644)
    done = script.run("--name", "ann", "--send", stdin="x\n", SECURECHAT_PASSWORD_FILE=str(password_file))
    assert done.returncode == ClientExit.LOGIN_REFUSED
    assert f"chmod 600 {password_file}" in done.stderr


def test_a_damaged_memory_costs_a_sentence_and_a_login(machine: Callable[[str], Machine]) -> None:
    mine = machine("mine")
    first = mine.open("--name", "ann")
    register(first)
    leave(first)
    for path in mine.state.rglob("login-*.json"):
        path.write_bytes(b"\xff")
    again = mine.open(known=True)
    again.wait_for("was renamed to")
    answer(again, "Password for ann", PASSWORD)
    again.wait_for("as ann, encrypted")


# --- certificates -----------------------------------------------------------------------------------------------------


def test_a_client_certificate_logs_in_once_it_is_added(
    machine: Callable[[str], Machine], certs: Path, tmp_path: Path
) -> None:
    issuer = load_authority(certs)
    assert issuer is not None
    issue_client(tmp_path, issuer, "ann")
    card = tmp_path / "client-ann.pem"
    mine = machine("mine")
    ann = mine.open("--name", "ann")
    register(ann)
    ann.line("/cert")
    ann.wait_for("Your account has no client certificate")
    ann.line(f"/cert add {tmp_path / 'nowhere.pem'}")
    ann.wait_for("No certificate was added")
    ann.line(f"/cert add {card}")
    ann.wait_for("Your account has this certificate now")
    ann.line("/cert")
    ann.wait_for("client-ann.pem, added")
    other = machine("other")
    done = other.run("--cert", str(card), "--name", "ann", "--send", stdin="by card\n")
    assert done.returncode == ClientExit.OK, done.stderr
    ann.wait_for("ann: by card")
    number = next(row for row in ann.rows if "client-ann.pem, added" in row).split()[1]
    ann.line(f"/cert remove {number}")
    ann.wait_for("removed")
    done = other.run("--cert", str(card), "--name", "ann", "--send", stdin="no more\n")
    assert done.returncode == ClientExit.LOGIN_REFUSED


def test_a_certificate_of_another_ca_is_refused_with_what_to_do(
    machine: Callable[[str], Machine], tmp_path: Path
) -> None:
    ensure_server(tmp_path)
    issuer = load_authority(tmp_path)
    assert issuer is not None
    issue_client(tmp_path, issuer, "ann")
    card = str(tmp_path / "client-ann.pem")
    done = machine("mine").run("--cert", card, "--name", "ann", "--send", stdin="x\n")
    assert done.returncode == ClientExit.TLS_OTHER
    assert "refused your own certificate (--cert): the server's CA did not issue it" in done.stderr
    done = machine("mine").run("--cert", str(tmp_path / "ca.pem"), "--name", "ann", "--send", stdin="x\n")
    assert done.returncode == ClientExit.LOGIN_REFUSED


# --- invites ----------------------------------------------------------------------------------------------------------


def test_a_link_makes_an_account_from_nothing_else(machine: Callable[[str], Machine], server: ServerProcess) -> None:
    link = invite(server)
    mine = machine("mine")
    ann = mine.open(link, known=True)
    ann.wait_for("Name")
    ann.line("ann")
    ann.wait_for("The invite is valid and the name is free")
    answer(ann, "New password", "short")
    ann.wait_for("Choose a longer one")
    answer(ann, "New password", PASSWORD, PASSWORD)
    ann.wait_for("as ann, encrypted")
    leave(ann)
    again = mine.open(known=True)
    again.wait_for("as ann, encrypted")
    second = machine("second").open(link, "--name", "eve", known=True)
    assert second.wait_for_exit() == ClientExit.INVITE_REFUSED
    assert "used up" in second.text


def test_a_link_with_several_uses_is_pasted_never_typed_behind_the_command(
    machine: Callable[[str], Machine], server: ServerProcess, password_file: Path
) -> None:
    link = invite(server, "--uses", "2")
    mine = machine("mine")
    refused = mine.run(link.replace(parse_link(link).token, "0" * 32), "--name", "ann", known=True)
    assert refused.returncode == ClientExit.USAGE
    assert "--invite" in refused.stderr
    ann = mine.open("--invite", "--name", "ann", known=True)
    ann.wait_for("Invite link:")
    ann.line("hello")
    ann.wait_for("This is no invite link; one begins with https:// or securechat://")
    half = len(link) // 2
    ann.line(link[:half])
    ann.wait_for("The rest of the link:")
    ann.line(link[half:])
    answer(ann, "New password", PASSWORD, PASSWORD)
    ann.wait_for("as ann, encrypted")
    flags = ("--invite", "--name", "bob", "--password-file", str(password_file))
    done = machine("pipe").run(*flags, stdin=f"{link}\nhello from a pipe\n", known=True)
    assert done.returncode == ClientExit.OK, done.stderr
    ann.wait_for("bob: hello from a pipe")


def test_a_link_that_is_cut_off_says_what_is_missing(machine: Callable[[str], Machine], server: ServerProcess) -> None:
    link = invite(server)
    done = machine("mine").run("--invite", "--name", "x", stdin=link[:-3], known=True)
    assert done.returncode == ClientExit.USAGE
    assert "its fingerprint has 61 of 64 characters" in done.stderr


def test_a_link_that_names_another_ca_than_before_is_a_warning(
    machine: Callable[[str], Machine], server: ServerProcess, tmp_path: Path
) -> None:
    mine = machine("mine")
    ann = mine.open("--name", "ann")
    ann.wait_for("Joined #lobby")
    leave(ann)
    ensure_server(tmp_path / "forged")
    forged = "0" * 64
    link = f"securechat://127.0.0.1:{server.port}/join-once/{'0' * 32}/{forged}"
    done = mine.run("--invite", "--name", "x", stdin=link, known=True)
    assert done.returncode == ClientExit.WRONG_CA
    assert "WARNING" in done.stderr
    asked = mine.open(link, known=True)
    asked.wait_for("Type yes to trust the link")
    asked.line("no")
    assert asked.wait_for_exit() == ClientExit.WRONG_CA
    trusting = mine.open(link, known=True)
    trusting.wait_for("Type yes to trust the link")
    trusting.line("yes")
    assert trusting.wait_for_exit() == ClientExit.WRONG_PIN


# --- A temporary password ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("term", ["xterm-256color", "dumb"])
def test_a_temporary_password_is_changed_first_and_no_line_typed_meanwhile_is_said(
    machine: Callable[[str], Machine], server: ServerProcess, connect: Connect, term: str
) -> None:
    one = machine("one").open("--name", "ann")
    register(one)
    leave(one)
    temporary = keep_secret(row(server, "reset-password", "ann")["password"])
    bob = connect(server, "bob")
    other = machine("other").open("--name", "ann", TERM=term)
    other.wait_until(partial(prompts, other, "Password for ann"), "the question")
    other.line(temporary)
    other.line(OTHER_PASSWORD)  # typed at once, by one who knows what comes: it is an answer, or nothing
    other.wait_for("An administrator has set your password")
    other.wait_until(
        lambda: prompts(other, "again") or (prompts(other, "new password") and "was not sent" in other.text),
        "a question",
    )
    if prompts(other, "new password"):
        other.line(OTHER_PASSWORD)
        other.wait_until(partial(prompts, other, "again"), "again")
    other.line("one that differs")  # two that differ are asked for anew, and nothing else is done
    answer(other, "new password", PASSWORD, PASSWORD)
    other.wait_for("Password changed")
    other.line("said with the new password")
    bob.wait_for_text("said with the new password")
    assert [message.text for message in bob.history("lobby")] == ["said with the new password"]
    assert temporary not in other.text
    leave(other)
    done = machine("script").run("--name", "ann", "--send", stdin="x\n")
    assert done.returncode == ClientExit.LOGIN_REFUSED


@pytest.mark.parametrize("term", ["xterm-256color", "dumb"])
def test_what_is_typed_behind_a_password_is_hidden_and_not_said(
    machine: Callable[[str], Machine], server: ServerProcess, connect: Connect, term: str
) -> None:
    """A password typed twice, because the first time seemed to do nothing, must not end up in the lobby."""
    one = machine("one").open("--name", "ann")
    register(one)
    leave(one)
    bob = connect(server, "bob")
    other = machine("other").open("--name", "ann", TERM=term)
    other.wait_until(partial(prompts, other, "Password for ann"), "the question")
    other.type(f"{PASSWORD}\r{OTHER_PASSWORD}\r")
    other.wait_for("Joined #lobby")
    other.line("said in the open")
    bob.wait_for_text("said in the open")
    other.wait_for("said in the open")
    said = [message.text for message in bob.history("lobby")]
    assert said == ["said in the open"], "what may be a password was said"
    leave(other)


def test_a_script_with_a_temporary_password_says_nothing_and_tells_what_to_do(
    machine: Callable[[str], Machine], server: ServerProcess, connect: Connect, tmp_path: Path
) -> None:
    one = machine("one").open("--name", "ann")
    register(one)
    leave(one)
    file = tmp_path / "first.password"
    file.write_text(keep_secret(row(server, "reset-password", "ann")["password"]), encoding="utf-8")
    file.chmod(0o600)
    for mode in (["--send"], []):
        done = machine("script").run("--name", "ann", "--password-file", str(file), *mode, stdin="not to be said\n")
        assert done.returncode == ClientExit.LOGIN_REFUSED, done.stderr
        assert "terminal" in done.stderr
    assert connect(server, "bob").history("lobby") == []


# --- A login that the server delays ---------------------------------------------------------------------------------


def _guess(server: ServerProcess, name: str, times: int) -> None:
    """Wrong passwords, so that the next login with this name has to wait: 1 s, 2 s, 4 s."""
    for _ in range(times):
        with NativeClient(server.port, server.ca) as guesser:
            guesser.send(Hello(version=1, name=name, secret=guesser.secret, client="test/1", password=WRONG_PASSWORD))
            refused = guesser.wait_for(Refused)
            assert refused.code is ErrorCode.LOGIN_FAILED, refused


@pytest.mark.slow
def test_a_pipe_waits_for_a_login_that_is_slowed_and_wait_0_ends_at_once(
    certs: Path, tmp_path: Path, password_file: Path
) -> None:
    flags = ["--limit", "failed_logins_free=2", "--limit", "login_delay_max_s=4"]
    with ServerProcess(certs, tmp_path / "data", *flags).start() as server:
        with NativeClient(server.port, server.ca) as ann:
            ann.hello("ann")
            ann.send(Register(ref=1, password=PASSWORD))
            keep_secret(ann.wait_for(Registered).token)
        login = at(server, "--name", "ann", "--password-file", str(password_file))
        said: list[str] = []

        def slowed(*flags: str) -> subprocess.CompletedProcess[str]:
            """Log in after wrong guesses; again where a busy machine began after the second that they cost."""
            for _ in range(ATTEMPTS):
                text = f"line {len(said)}"
                _guess(server, "ann", 2)
                done = run_client(*login, *flags, stdin=f"{text}\n")
                if done.returncode == 0:  # a right password ends the slowing
                    said.append(text)
                if "Too many wrong passwords were tried" in done.stderr:
                    return done
            raise AssertionError(f"not slowed in {ATTEMPTS} attempts: {done.stderr}")

        for mode in (["--send"], []):
            done = slowed(*mode, "--wait", "20")
            assert done.returncode == 0, done.stderr
        ended = slowed("--send", "--wait", "0")
        assert ended.returncode == ClientExit.LINES_LOST, ended.stderr
        assert "--wait 0 waits for nothing. Nothing was sent" in ended.stderr
        with NativeClient(server.port, server.ca) as bob:
            bob.hello("bob")
            assert [message.text for message in bob.history("lobby")] == said
        assert server.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_a_plain_terminal_gets_its_echo_back_however_the_program_ends(
    machine: Callable[[str], Machine], number: signal.Signals
) -> None:
    one = machine("one").open("--name", "ann")
    register(one)
    leave(one)
    other = machine("other").open("--name", "ann", TERM="dumb")
    other.wait_until(partial(prompts, other, "Password for ann"), "the question")
    other.wait_until(lambda: not other.has_echo(), "no echo")
    os.kill(other.process.pid, number)
    other.wait_until(other.has_echo, "the echo")
