"""The programs say nothing past the catalogue: tests of each program, run again in the pseudo-locale.

A selection, for the time that it takes; the whole is ``pytest --pseudo tests/e2e``. See tests/support/pseudo.py.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile

import pytest

from tests.support import pseudo
from tests.support.client import ROOT
from tests.support.locales import LEFT, RIGHT

SELECTIONS = {
    "client": ("terminal", "commands or asked_again or killed_server_is_told or not_meant_as_speech or while_away"),
    "rooms": ("conversation_client", "answered_edited or topic_rules or invited_into or unread"),
    "accounts": ("accounts_client", "password or certificate"),
    "pipes": ("pipes", "not thousand and not limits and not over_the_rate"),
    "admin": ("admin", "kick_ban or invite or rooms or announcement or audit or help"),
    "server": ("check_config", ""),
    "certificates": ("gen_certs", ""),
}
"""By program: a file of the end-to-end tests, and which of its tests (pytest's ``-k``)."""


@pytest.mark.slow
@pytest.mark.not_pseudo("is such a run itself")
@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are Unix")
@pytest.mark.parametrize("program", SELECTIONS)
def test_all_that_a_person_reads_comes_from_the_catalogue(program: str) -> None:
    file, words = SELECTIONS[program]
    command = [sys.executable, "-m", "pytest", "--pseudo", "-q", "-p", "no:cacheprovider", f"tests/e2e/test_{file}.py"]
    with tempfile.TemporaryDirectory() as folder:  # near the root: the path of a socket may be 107 bytes long
        command += ["--basetemp", f"{folder}/run", "-k", words]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    lines = [line for line in done.stdout.splitlines() if line.startswith(("E  ", "FAILED", "ERROR"))]
    assert done.returncode == 0, "\n".join(lines) + done.stderr


def said(text: str) -> str:
    """A text as the pseudo-locale has it."""
    return f"{LEFT}{text}{RIGHT}"


KNOWN = "this name is reserved for the server"
"""Words in a row that a text of the source has."""


@pytest.mark.parametrize(
    ("raw", "count"),
    [
        (f"-- {said('ana joined')}", 0),
        ("-- ana joined", 1),
        (f"12:00 {said('ana')}: hello there, what a day", 0),
        (f"12:00 ana: {KNOWN}", 1),
        (f"-- {said('Not sent:')} {KNOWN}", 1),
        (f"-- {said(f'Not sent: {said(KNOWN)}. Again')}", 0),
        (f"-- {LEFT}Not sent: this name is\r\n   ┆ reserved for the server{RIGHT}", 0),
        (f"\x1b[1m-- {said('x')}\x1b[0m\r\n-- x", 1),
        (f"securechat-client: {said('no')}\nsecurechat-client: no", 1),
        (f"Send it? {KNOWN}{RIGHT}yes", 0),
        ('{"text": "' + KNOWN + '"}', 0),
        ('{"text": "' + said("Name") + '"}', 1),
        (f"2026-11-29 06:13:00 info {KNOWN}", 0),
        (f"2026-11-29 06:13:00 info {said('Name')}", 1),
        (f"{said('usage: ')}securechat-admin certs [-h] [--data DIR]", 0),
        ("/tmp/this/name/is/reserved/for/the/server", 0),
    ],
)
def test_a_text_outside_the_catalogue_is_found(raw: str, count: int) -> None:
    assert len(list(pseudo.findings(raw))) == count


def test_the_marks_are_removed_wherever_a_read_ends() -> None:
    data = said("halo").encode()
    for cut in range(len(data) + 1):
        taken = pseudo.Output(["x"])
        assert taken.unmarked(data[:cut]) + taken.unmarked(data[cut:]) == b"halo"
        assert taken.text == said("halo")
