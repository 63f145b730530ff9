"""Every sentence a user reads stands in the catalogue, and every case of a closed set has one."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import securechat.client
from securechat.client import catalogue
from securechat.client.catalogue.help_pages import PAGES, page, usage
from securechat.client.core.events.connection import Disconnect, DisconnectReason, EndReason
from securechat.client.core.events.requests import RejectReason
from securechat.client.core.refused_hello import FINAL_CLOSINGS
from securechat.client.exit_codes import OF_TLS_PROBLEM, ClientExit
from securechat.client.outcome import of_loss
from securechat.client.ui.commands.parser import COMMANDS
from securechat.client.ui.rows.rendering import notice_rows
from securechat.errors import ErrorCode, TlsFailure, TlsProblem
from securechat.text.refusals import REASONS
from securechat.translation import LANGUAGES, use


@pytest.fixture(autouse=True)
def _english_again() -> Iterator[None]:
    yield
    use("en")


CLIENT = Path(securechat.client.__file__).parent
SOURCES = [*CLIENT.glob("*.py"), *(CLIENT / "ui").rglob("*.py"), *(CLIENT / "terminal").glob("*.py")]
SOURCES += [*(CLIENT / "pipe").glob("*.py"), CLIENT.parent / "cli" / "chat.py"]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_no_sentence_stands_outside_the_catalogue(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    said = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    documentation = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    found = [
        node.value
        for node in said
        if id(node) not in documentation and re.search(r"[a-z]{2,} +[a-z]{2,}", node.value, re.IGNORECASE)
    ]
    assert found == []


@pytest.mark.parametrize("problem", TlsProblem)
def test_every_tls_problem_has_advice_and_an_exit_code_of_its_own(problem: TlsProblem) -> None:
    assert catalogue.connection.tls_failure(problem, "the detail").startswith("The detail. ")
    assert of_loss(Disconnect(DisconnectReason.TLS, tls=TlsFailure(problem, "x"))) is OF_TLS_PROBLEM[problem]
    assert len(set(OF_TLS_PROBLEM.values())) == len(TlsProblem)


@pytest.mark.parametrize("kind", DisconnectReason)
def test_every_loss_has_its_sentences(kind: DisconnectReason) -> None:
    assert "h port 1" in catalogue.connection.not_reached(
        Disconnect(kind), "h", 1
    ) or "called h" in catalogue.connection.not_reached(Disconnect(kind), "h", 1)
    assert catalogue.connection.connection_lost(Disconnect(kind), None, "")
    assert of_loss(Disconnect(kind)) not in {ClientExit.OK, ClientExit.CRASHED, ClientExit.USAGE}


ANSWERS = {ErrorCode.INVALID, ErrorCode.LOGIN_REQUIRED}
"""Codes that end no connection."""


@pytest.mark.parametrize("reason", [reason for reason, (_, text) in REASONS.items() if "onnect again" in text])
def test_a_client_that_connects_again_by_itself_asks_nobody_to_do_so(reason: str) -> None:
    code, text = REASONS[reason]
    said = catalogue.connection.connection_lost(Disconnect(DisconnectReason.CLOSED), code, text)
    assert "onnect again" not in said or code in FINAL_CLOSINGS | ANSWERS


def test_why_the_connection_is_lost_and_what_follows_are_one_thing() -> None:
    lost = Disconnect(DisconnectReason.CLOSED)
    down = REASONS["shutting_down"][1]
    assert catalogue.connection.connection_lost(lost, ErrorCode.SHUTTING_DOWN, down) == (
        "Connection lost. The server is shutting down. Reconnecting when it is back, what you type is kept"
    )
    assert catalogue.connection.connection_lost(lost, ErrorCode.BUSY, "the moon is full") == (
        "Connection lost. The moon is full. Reconnecting, what you type is kept"
    )


def test_a_refused_text_or_name_stands_apart_from_the_reason() -> None:
    why = "You are muted in #ops for 5 minutes: spam"
    assert catalogue.connection.line_refused("hello", why, to="") == f"{why}. Not sent: hello"
    assert catalogue.connection.line_refused("hello", why, to="user1 pc") == f'{why}. Not sent to "user1 pc": hello'
    assert catalogue.connection.wrong_name("a@b", "A name cannot contain '@'. Choose one without it") == (
        "A name cannot contain '@'. Choose one without it. Not accepted: a@b"
    )


@pytest.mark.parametrize("reason", RejectReason)
def test_every_refusal_of_ours_has_a_sentence(reason: RejectReason) -> None:
    assert catalogue.connection.declined(reason, "room", "a rule")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", PAGES)
def test_every_page_of_help_fits_a_screen(name: str, language: str) -> None:
    use(language)
    rows = notice_rows(page(name), 80)
    assert len(rows) == len(page(name).splitlines()), "a row is wrapped"
    most = 12 if name.startswith("/") else 22
    assert len(rows) <= most, "24 rows, without the prompt and the line that asked"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_page_that_begins_with_it(command: str) -> None:
    assert command in page(command).splitlines()[0]
    assert set(COMMANDS) == {name for name in PAGES if name.startswith("/")}


def test_a_page_that_does_not_exist_names_all_that_do() -> None:
    said = catalogue.rooms.no_such_help("nosuch", COMMANDS)
    assert said.endswith("Not found: nosuch")
    assert all(name in said for name in PAGES)


@pytest.mark.parametrize("command", [word for word in COMMANDS if word not in {"/help", "/exit"}])
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_command_is_explained_and_says_how_it_is_used(command: str, language: str) -> None:
    use(language)
    assert command in usage(command)


def test_a_replaced_session_says_so() -> None:
    assert "elsewhere" in catalogue.connection.ended(EndReason.CLOSED, ErrorCode.REPLACED, "x")
