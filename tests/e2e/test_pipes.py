"""--send, --tail and plain pipes against a real server, and an exit code of its own for every failure."""

from __future__ import annotations

import json
import os
import re
import secrets
import shlex
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from securechat.client import catalogue
from securechat.client.exit_codes import ClientExit
from securechat.tls.certificate_directory import ensure_server
from tests.support.client import CLIENT, PATIENCE_S, ROOT, at, run_client
from tests.support.native import NativeClient
from tests.support.server import ServerProcess


def tail(server: ServerProcess, *flags: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*CLIENT, *at(server, "--tail", *flags)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
    )


def end(reading: subprocess.Popen[str]) -> None:
    """End a client by SIGTERM, and wait: a pipe that closes before it is ended is another reason to stop."""
    reading.terminate()
    reading.wait(PATIENCE_S)


@pytest.mark.cold
def test_send_then_tail(server: ServerProcess) -> None:
    sent = run_client(*at(server, "--name", "ci", "--room", "ops", "--send"), stdin="one\n\ntwo ⏎\x1b[2J\n")
    assert (sent.returncode, sent.stdout) == (ClientExit.OK, "")
    assert sent.stderr == f"-- {catalogue.connection.nobody_else('ops', made=False)}\n"
    with tail(server, "--room", "ops", "--history", "5") as reading:
        assert reading.stdout is not None
        assert reading.stdout.readline() == "ci: one\n"
        assert reading.stdout.readline() == "ci: two <U+23CE>␛[2J\n"
        again = run_client(*at(server, "--name", "ci", "--room", "ops", "--send"), stdin="three\n")
        assert again.stderr == "", "the one who reads along is there"
        assert reading.stdout.readline() == "ci: three\n"
        end(reading)
    assert reading.returncode == ClientExit.TERMINATED


def test_tail_json(spoken_to: ServerProcess) -> None:
    with tail(spoken_to, "--json") as reading:
        assert reading.stdout is not None
        record = json.loads(reading.stdout.readline())
        end(reading)
    assert list(record) == ["seq", "at", "room", "by", "name", "text"]
    assert (record["room"], record["name"], record["text"]) == ("lobby", "ci", "one")


def test_tail_ends_quietly_when_nobody_reads(server: ServerProcess) -> None:
    reading = tail(server, "--history", "1")
    assert reading.stdout is not None
    reading.stdout.close()
    run_client(*at(server, "--name", "ci", "--send"), stdin="one\ntwo\n")
    assert reading.wait(PATIENCE_S) == ClientExit.OK


def test_tail_ends_quietly_when_its_reader_leaves_although_nobody_speaks(spoken_to: ServerProcess) -> None:
    with tail(spoken_to, "--history", "1") as reading:
        assert reading.stdout is not None
        assert reading.stdout.readline() == "ci: one\n"
        reading.stdout.close()
        assert reading.wait(PATIENCE_S) == ClientExit.OK


def in_a_shell(server: ServerProcess, flags: str, redirection: str) -> subprocess.CompletedProcess[str]:
    command = shlex.join([*CLIENT, *at(server), *flags.split()])
    return subprocess.run(
        ["/bin/sh", "-c", f"{command} {redirection}"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        cwd=ROOT,
        check=False,
    )


@pytest.fixture(scope="module")
def spoken_to(standing: ServerProcess) -> ServerProcess:
    """A server on which one line was said."""
    run_client(*at(standing, "--name", "ci", "--send"), stdin="one\n")
    return standing


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux")
@pytest.mark.parametrize(
    ("flags", "redirection", "code", "sentence"),
    [
        ("--name NAME --send", "<&-", ClientExit.USAGE, "Standard input is closed"),
        ("--name NAME", "<&-", ClientExit.USAGE, "Standard input is closed"),
        ("--name NAME --send", "0>/dev/null", ClientExit.USAGE, "Cannot read from standard input"),
        ("--tail", ">/dev/full", ClientExit.OUTPUT_FAILED, "Cannot write to standard output"),
        ("--tail --json", ">/dev/full", ClientExit.OUTPUT_FAILED, "Cannot write to standard output"),
        ("--tail", ">&-", ClientExit.OUTPUT_FAILED, "Standard output is closed"),
        ("--name NAME", ">&-", ClientExit.OUTPUT_FAILED, "Standard output is closed"),
        ("--name NAME --send", ">&-", ClientExit.OK, ""),
        ("--name NAME --send", "<&- 2>&-", ClientExit.USAGE, ""),
        ("--name x:y --send", "2>/dev/full", ClientExit.NAME_INVALID, ""),
        ("--tail", ">/dev/full 2>/dev/full", ClientExit.OUTPUT_FAILED, ""),
    ],
)
def test_standard_streams_that_are_closed_or_full_are_a_sentence_and_a_code(
    spoken_to: ServerProcess, flags: str, redirection: str, code: ClientExit, sentence: str
) -> None:
    done = in_a_shell(spoken_to, flags.replace("NAME", f"x{secrets.token_hex(4)}"), redirection)
    assert done.returncode == code
    assert sentence in done.stderr
    assert done.stderr.count("\n") == bool(sentence)


# The bytes that other programs and systems write, each with what is said of them: None where the line is refused.
BYTES = (
    (b"\xef\xbb\xbffirst\r\n", "first"),
    (b"caf\xe9\n", None),
    (b"windows\r\n", "windows"),
    (b"lone\rcr\n", "lone\rcr"),
    (b"nul\x00l\n", "nul\x00l"),
    ("sep\u2028par\u2029nel\x85\n".encode(), "sep\u2028par\u2029nel\x85"),
    (b"\xed\xa0\x80\n", None),
    (b"  /msg ann pin\n", "  /msg ann pin"),
    (b"exit\n", "exit"),
    (b"/kick ana\n", "/kick ana"),
    (b"/register\n", "/register"),
    (b"//twice\n", "//twice"),
    (b"last", "last"),
)


@pytest.mark.parametrize("flags", [["--send"], []])
def test_a_pipe_says_every_line_as_it_stands_or_refuses_it_by_number(standing: ServerProcess, flags: list[str]) -> None:
    """--send and the plain pipe; lines that would be commands are in it, and every kind of end of a line."""
    room = f"r{secrets.token_hex(4)}"
    sent = subprocess.run(
        [*CLIENT, *at(standing, "--name", f"x{room}", "--room", room, *flags)],
        input=b"".join(raw for raw, _ in BYTES),
        capture_output=True,
        cwd=ROOT,
        timeout=PATIENCE_S,
        check=False,
    )
    assert sent.returncode == ClientExit.MESSAGE_REFUSED
    for number in (2, 7):
        assert f"Line {number} was not sent, because it is not UTF-8 text" in sent.stderr.decode()
    with NativeClient(standing.port, standing.ca) as reader:
        reader.hello(f"y{room}")
        reader.join(room)
        assert [message.text for message in reader.history(room)] == [text for _, text in BYTES if text is not None]


@pytest.mark.parametrize("flags", [["--send"], [], ["--commands"]])
def test_utf_16_is_refused_and_nothing_is_said(standing: ServerProcess, flags: list[str]) -> None:
    sent = subprocess.run(
        [*CLIENT, *at(standing, "--name", f"u{secrets.token_hex(4)}", *flags)],
        input="hello\nyou\n".encode("utf-16"),
        capture_output=True,
        cwd=ROOT,
        timeout=PATIENCE_S,
        check=False,
    )
    assert sent.returncode == ClientExit.MESSAGE_REFUSED
    assert b"UTF-16" in sent.stderr
    assert sent.stdout == b""


@pytest.mark.parametrize(
    ("lines", "code", "told"),
    [
        ("/nosuch\nafter\n", ClientExit.MESSAGE_REFUSED, "Line 1: Unknown command /nosuch"),
        ("after\n /kick ana\n", ClientExit.MESSAGE_REFUSED, "Line 2: Not sent, because it may be a command"),
        ("after\n/leave\n", ClientExit.MESSAGE_REFUSED, "Line 2: You cannot leave #lobby"),
        ("after\n/register\npw\npw\n", ClientExit.MESSAGE_REFUSED, "Line 3 and the lines after it were not sent"),
        ("after\n/passwort\npw\n", ClientExit.MESSAGE_REFUSED, "Line 2: a password can be typed"),
        ("after\n/quit\npw\n", ClientExit.LINES_LOST, "Line 3 and the lines after it were not sent"),
        ("after\n/quit\n", ClientExit.OK, ""),
    ],
)
def test_commands_of_a_script_that_fail_are_told_by_number_and_by_the_code(
    standing: ServerProcess, lines: str, code: ClientExit, told: str
) -> None:
    """Looked through: lines that are no command, rejected by the client, that ask for a password, that end the chat."""
    name = f"c{secrets.token_hex(4)}"
    done = run_client(*at(standing, "--name", name, "--commands"), stdin=lines)
    assert done.returncode == code, done.stderr
    assert told in done.stderr
    assert f"{name}: after\n" in done.stdout
    assert "pw" not in done.stdout


def test_names_with_bytes_that_are_no_text_cost_one_character(standing: ServerProcess) -> None:
    sent = run_client(*at(standing, "--name", "caf\udce9", "--room", "r\udce9", "--send"), stdin="x\n")
    assert sent.returncode == ClientExit.OK
    heard = run_client(*at(standing, "--tail", "--room", "r\ufffd"), stop_after=1)
    assert heard.stdout == "caf\ufffd: x\n"


def test_an_address_with_a_port_and_no_brackets_is_explained() -> None:
    done = run_client("::1:18443", "--name", "x", "--send")
    assert done.returncode == ClientExit.USAGE
    assert "Not HOST[:PORT]; an IPv6 address with a port is written [::1]:8443: ::1:18443" in done.stderr


def test_a_server_that_hangs_up_at_once_may_have_turned_us_away(certs: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def turn_away() -> None:
            connection, _ = listener.accept()
            connection.close()

        thread = threading.Thread(target=turn_away)
        thread.start()
        port = listener.getsockname()[1]
        done = run_client("--ca", str(certs / "ca.pem"), f"127.0.0.1:{port}", "--name", "x", "--send")
        thread.join()
    assert done.returncode == ClientExit.TLS_OTHER
    assert "wait ten minutes" in done.stderr


@pytest.mark.cold
def test_a_pipe_says_and_hears(server: ServerProcess) -> None:
    done = run_client(*at(server, "--name", "pipe", "--commands"), stdin="hello\n/who\n")
    assert done.returncode == ClientExit.OK
    assert done.stdout == "pipe: hello\n"
    assert "In #lobby (1): pipe" in done.stderr


@pytest.mark.slow
def test_a_thousand_lines_under_the_rate_limit_arrive_in_order(certs: Path, tmp_path: Path) -> None:
    flags = ["--limit", "message_rate=200", "--limit", "byte_rate=1000000"]  # the same rules, forty times as fast
    lines = [f"line {number}" for number in range(1000)]
    with ServerProcess(certs, tmp_path / "data", *flags).start() as server:
        sent = run_client(*at(server, "--name", "ci", "--room", "ops", "--send"), stdin="\n".join(lines))
        assert sent.returncode == 0, sent.stderr
        with NativeClient(server.port, server.ca) as reader:
            reader.hello("reader")
            reader.join("ops")
            assert [message.text for message in reader.history("ops")] == lines


def test_over_the_rate_progress_says_why(server: ServerProcess) -> None:
    done = run_client(*at(server, "--name", "bulk", "--send"), stdin="".join(f"{n}\n" for n in range(25)))
    assert done.returncode == ClientExit.OK
    assert "limits the rate" in done.stderr
    assert re.search(r"About \d+ seconds? left at [\d.]+ a second", done.stderr)
    assert done.stderr.count("\n") == 1  # nobody watches a job: once in ten seconds


def test_a_line_too_long_is_told_and_the_others_are_sent(server: ServerProcess) -> None:
    done = run_client(*at(server, "--name", "ci", "--send"), stdin="x" * 4001 + "\nshort\n")
    assert done.returncode == ClientExit.MESSAGE_REFUSED
    assert "Line 1 has 4001 characters" in done.stderr
    with tail(server) as reading:
        assert reading.stdout is not None
        assert reading.stdout.readline() == "ci: short\n"
        end(reading)


def test_a_taken_name(server: ServerProcess) -> None:
    with tail(server, "--name", "ci", "--json") as reading:
        server.wait_for_line("ci")
        done = run_client(*at(server, "--name", "CI", "--send", "--wait", "1"), stdin="x\n")
        end(reading)
    assert done.returncode == ClientExit.NAME_TAKEN
    assert "taken" in done.stderr


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        (["--name", "a:b", "--send"], ClientExit.NAME_INVALID),
        (["--room", "a b", "--tail"], ClientExit.ROOM_REFUSED),
        (["--send"], ClientExit.USAGE),
        (["--json", "--name", "x"], ClientExit.USAGE),
        (["--send", "--tail", "--name", "x"], ClientExit.USAGE),
        (["--send", "--commands", "--name", "x"], ClientExit.USAGE),
        (["--tail", "--commands"], ClientExit.USAGE),
        (["--pin", "sha256:12", "--name", "x"], ClientExit.USAGE),
        (["--ca", "a", "--pin", "b", "--name", "x"], ClientExit.USAGE),
        (["[::1", "--name", "x"], ClientExit.USAGE),
        (["host:99999", "--name", "x"], ClientExit.USAGE),
        (["--ca", "/nowhere/ca.pem", "--name", "x"], ClientExit.BAD_CA_FILE),
        (["--history", "x", "--tail"], ClientExit.USAGE),
    ],
)
def test_wrong_flags(flags: list[str], code: ClientExit) -> None:
    done = run_client(*flags)
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert done.stderr


def test_no_ca_anywhere_says_what_to_do(tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "SECURECHAT_STATE": ""}
    done = subprocess.run(
        [*CLIENT, "--name", "x"], cwd=tmp_path, env=env, capture_output=True, text=True, check=False, input=""
    )
    assert done.returncode == ClientExit.BAD_CA_FILE
    assert "--pin" in done.stderr


def test_nothing_listens(certs: Path) -> None:
    done = run_client("--ca", str(certs / "ca.pem"), f"127.0.0.1:{closed_port()}", "--name", "x", "--send")
    assert done.returncode == ClientExit.CONNECTION_REFUSED
    assert done.stderr.count("\n") == 1


def test_an_unknown_host(certs: Path) -> None:
    done = run_client("--ca", str(certs / "ca.pem"), "nowhere.invalid", "--name", "x", "--send")
    assert done.returncode == ClientExit.HOST_NOT_FOUND


def test_a_foreign_ca_and_a_wrong_pin(standing: ServerProcess, tmp_path: Path) -> None:
    ensure_server(tmp_path)
    where = f"127.0.0.1:{standing.port}"
    done = run_client("--ca", str(tmp_path / "ca.pem"), where, "--name", "x", "--send")
    assert done.returncode == ClientExit.WRONG_CA
    done = run_client("--pin", "sha256:" + "00" * 32, where, "--name", "x", "--send")
    assert done.returncode == ClientExit.WRONG_PIN


def test_a_host_the_certificate_does_not_name(certs: Path, tmp_path: Path) -> None:
    with ServerProcess(certs, tmp_path / "data", host="127.0.0.2").start() as server:
        done = run_client("--ca", str(server.ca), f"127.0.0.2:{server.port}", "--name", "x", "--send")
    assert done.returncode == ClientExit.HOST_MISMATCH


def test_no_tls_at_all(certs: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                connection.recv(1000)

        thread = threading.Thread(target=answer)
        thread.start()
        port = listener.getsockname()[1]
        done = run_client("--ca", str(certs / "ca.pem"), f"127.0.0.1:{port}", "--name", "x", "--send")
        thread.join()
    assert done.returncode == ClientExit.NOT_TLS
