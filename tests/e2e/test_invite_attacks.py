"""What a link gives away: on the wire, to a man in the middle, in the wrong hands, a second time.

The client is the real one and the server is the real one; between them stands `Interceptor`.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from securechat.client.exit_codes import ClientExit
from securechat.errors import ErrorCode
from securechat.invite_link import parse_link
from securechat.model import Hello, Refused, Welcome
from securechat.tls.certificate_directory import ensure_server
from tests.e2e.conftest import Connect
from tests.support.admin import needs_socket, row, rows, told
from tests.support.client import run_client
from tests.support.interceptor import Interceptor
from tests.support.secrecy import PASSWORD, keep_secret
from tests.support.server import ServerProcess

pytestmark = [needs_socket, pytest.mark.skipif(sys.platform == "win32", reason="the administrator's socket is Unix")]
Follow = Callable[..., "subprocess.CompletedProcess[str]"]


def invite(server: ServerProcess, port: int, *flags: str) -> str:
    """A link that leads to a port."""
    link: str = row(server, "invite", "--host", f"127.0.0.1:{port}", *flags)["link"]
    keep_secret(parse_link(link).token)
    return link


@pytest.fixture
def follow(tmp_path: Path) -> Follow:
    """Follows a link with a real client that remembers nothing yet, and says one line."""
    password_file = tmp_path / "new.password"
    password_file.write_text(f"{PASSWORD}\n")
    password_file.chmod(0o600)

    def run(link: str, name: str = "ann") -> subprocess.CompletedProcess[str]:
        state = tmp_path / name / "securechat-state"
        env = {**os.environ, "SECURECHAT_STATE": str(state)}
        return run_client(
            "--invite", "--name", name, "--password-file", str(password_file), stdin=f"{link}\nit is me\n", env=env
        )

    return run


@pytest.fixture(scope="module")
def forged(certs: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Certificates of somebody who does not have our CA's key: one of his own CA, and one that shows ours besides."""
    own = tmp_path_factory.mktemp("forged")
    ensure_server(own)
    both = own / "both.pem"
    ours = x509.load_pem_x509_certificate((certs / "ca.pem").read_bytes())
    both.write_bytes((own / "server.pem").read_bytes() + ours.public_bytes(Encoding.PEM))
    return {"own": own / "server.pem", "both": both}


def forms_of(secret: str) -> list[bytes]:
    """A secret as it could stand in a recording."""
    forms = [secret.encode(), secret.upper().encode()]
    return [*forms, bytes.fromhex(secret)] if len(secret) == 32 else forms


def test_a_recording_of_everything_holds_neither_token_nor_password(server: ServerProcess, follow: Follow) -> None:
    with Interceptor(server.port) as middle:
        link = invite(server, middle.port)
        done = follow(link)
        assert done.returncode == ClientExit.OK, done.stderr
    assert [each["name"] for each in rows(server, "users")] == ["ann"]
    learning, talking = middle.taken
    assert len(talking.up) > len(learning.up)
    for taken in middle.taken:
        for form in [*forms_of(parse_link(link).token), *forms_of(PASSWORD), b"it is me"]:
            assert form not in taken.up
            assert form not in taken.down
    assert parse_link(link).token not in done.stdout + done.stderr


def test_a_recording_played_back_does_nothing(server: ServerProcess, follow: Follow) -> None:
    with Interceptor(server.port) as middle:
        done = follow(invite(server, middle.port, "--uses", "2"))
        assert done.returncode == ClientExit.OK, done.stderr
    for taken in middle.taken:
        with socket.create_connection(("127.0.0.1", server.port), 10) as wire:
            wire.sendall(taken.up)
            wire.shutdown(socket.SHUT_WR)
            while wire.recv(65_536):
                pass
    (listed,) = rows(server, "invites")
    assert listed["used_by"] == ["ann"]
    assert [each["name"] for each in rows(server, "users")] == ["ann"]


@pytest.mark.parametrize("plan", [(True,), (False, True)], ids=["from the start", "after showing the real server"])
@pytest.mark.parametrize("kind", ["own", "both"])
def test_whoever_has_not_the_cas_key_gets_no_byte(
    server: ServerProcess, follow: Follow, forged: dict[str, Path], kind: str, plan: tuple[bool, ...]
) -> None:
    with Interceptor(server.port, forged[kind], plan) as middle:
        link = invite(server, middle.port)
        done = follow(link)
    assert done.returncode in {ClientExit.WRONG_CA, ClientExit.WRONG_PIN}, (done.returncode, done.stderr)
    assert any(taken.forged for taken in middle.taken)
    assert any(taken.handshake for taken in middle.taken if taken.forged) or plan[0] is False, "he could have read it"
    for taken in middle.taken:
        assert taken.plain == b""
        assert not any(form in taken.up for form in forms_of(parse_link(link).token))
    (listed,) = rows(server, "invites")
    assert listed["used_by"] == []
    assert parse_link(link).token not in done.stdout + done.stderr


def test_a_link_whose_ca_was_exchanged_is_refused_by_the_honest_server_too(
    server: ServerProcess, follow: Follow
) -> None:
    link = invite(server, server.port)
    altered = link.replace(parse_link(link).ca_fingerprint.removeprefix("sha256:"), "0" * 64)
    done = follow(altered)
    assert done.returncode == ClientExit.WRONG_PIN, done.stderr
    (listed,) = rows(server, "invites")
    assert listed["used_by"] == []


def test_in_the_wrong_hands_a_link_is_worth_what_it_says_and_is_seen(
    server: ServerProcess, follow: Follow, connect: Connect
) -> None:
    link = invite(server, server.port)
    thief = connect(server)
    thief.send(Hello(version=1, name="thief", secret=thief.secret, invite=parse_link(link).token, password=PASSWORD))
    welcome = thief.wait_for(Welcome)
    keep_secret(welcome.token)
    assert not welcome.admin
    late = follow(link)
    assert late.returncode == ClientExit.INVITE_REFUSED
    assert "used up" in late.stderr
    assert "thief" in told(server, "invites")
    assert "with invite" in told(server, "audit")


def test_many_at_once_on_the_last_use_are_one_account(server: ServerProcess, connect: Connect) -> None:
    token = parse_link(invite(server, server.port)).token
    clients = [connect(server) for _ in range(6)]

    def redeem(number: int) -> Welcome | Refused:
        client = clients[number]
        client.send(Hello(version=1, name=f"n{number}", secret=client.secret, invite=token, password=PASSWORD))
        return client.wait_for(Welcome | Refused)  # type: ignore[arg-type,return-value]

    with ThreadPoolExecutor(len(clients)) as pool:
        answers = list(pool.map(redeem, range(len(clients))))
    welcomes = [answer for answer in answers if isinstance(answer, Welcome)]
    refusals = {answer.code for answer in answers if isinstance(answer, Refused)}
    assert len(welcomes) == 1
    assert refusals <= {ErrorCode.BUSY, ErrorCode.INVITE_USED}
    keep_secret(welcomes[0].token)
    assert [each["name"] for each in rows(server, "users") if each["account"]] == [welcomes[0].name]


def test_a_link_for_several_is_no_argument(server: ServerProcess) -> None:
    link = invite(server, server.port, "--uses", "3")
    shown = link.replace(parse_link(link).token, "0" * 32)
    done = run_client(shown, "--name", "ann", env={**os.environ, "SECURECHAT_STATE": ""})
    assert done.returncode == ClientExit.USAGE
    assert "--invite" in done.stderr
    assert "0" * 32 not in done.stdout + done.stderr, "nor is it shown again"
