"""The client in Bahasa Indonesia: whole sentences, answers in both languages, and names that no word hides behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from securechat.cli.chat import main
from securechat.client import catalogue
from securechat.client.catalogue import accounts, connection
from securechat.client.catalogue.names import capital, quoted
from securechat.client.core import actions
from securechat.client.core.events.connection import Disconnect, DisconnectReason
from securechat.client.core.events.requests import RejectReason
from securechat.client.ui.interaction import InputResult
from securechat.errors import ErrorCode, TlsProblem
from securechat.translation import LazyText, Sentence, is_no, is_yes, use
from tests.support.locales import write_catalogue
from tests.unit.client.test_interaction import interaction


@pytest.fixture(autouse=True)
def _indonesian(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("LANGUAGE", "")
    assert use("id") == ""
    yield
    use("en")


def test_a_lost_connection_is_told_in_whole_sentences() -> None:
    lost = Disconnect(DisconnectReason.CLOSED)
    assert connection.connection_lost(lost, None, "") == (
        "Koneksi terputus. Server menghilang. Mencoba lagi, ketikanmu disimpan"
    )
    assert connection.connection_lost(lost, ErrorCode.SHUTTING_DOWN, "").endswith(
        "Server sedang dimatikan. Terhubung lagi begitu server kembali, ketikanmu tetap disimpan"
    )


def test_counts_and_lists_follow_the_language() -> None:
    assert connection.caught_up(1) == "1 pesan selama kamu pergi, tampil di atas"
    assert connection.came("ops", ["ana", "user1 pc", "budi"]) == 'ana, "user1 pc", dan budi bergabung ke #ops'
    assert connection.went(None, ["ana", "budi"]) == "ana dan budi keluar"
    assert "0,5 per detik" in connection.progress(3, 4, 0.5, more=False)


@pytest.mark.parametrize("typed", ["ya", "YA", " yes ", "Yes"])
def test_yes_is_understood_in_both_languages(typed: str) -> None:
    assert is_yes(typed)
    assert not is_no(typed)


@pytest.mark.parametrize("typed", ["tidak", "Tidak", "no"])
def test_no_is_understood_in_both_languages(typed: str) -> None:
    assert is_no(typed)
    assert not is_yes(typed)


@pytest.mark.parametrize(("typed", "sent"), [("ya", True), ("yes", True), ("tidak", False), ("no", False)])
def test_a_line_that_may_be_a_password_is_sent_after_a_yes(typed: str, sent: bool) -> None:
    one = interaction()
    one.take("/password")
    one.take("bukan apa-apa")
    assert one.asks_held
    result = one.take(typed)
    assert result == (
        InputResult(actions.SendMessage("bukan apa-apa", one._core.current))
        if sent
        else InputResult(notice="Barismu tidak terkirim")
    )
    assert not one.asks


def test_in_english_no_other_word_is_an_answer() -> None:
    use("en")
    assert is_yes("yes")
    assert not is_yes("ya")
    assert not is_no("")


@pytest.mark.parametrize("name", ["kamu", "Kamu", "You", "user1 pc"])
def test_a_name_that_reads_like_the_user_is_quoted(name: str) -> None:
    assert quoted(name) == f'"{name}"'


def test_the_author_of_a_deleted_account_is_no_name() -> None:
    assert "/" in quoted("")
    assert quoted("") == "/akun dihapus/"


@pytest.mark.parametrize("name", ["{x}", "%s", "{name", "}"])
def test_a_name_is_never_a_template(name: str) -> None:
    assert connection.renamed_self(name) == f"Namamu sekarang {name}"
    assert connection.line_refused(name, name, to=name) == f"{name}. Tidak terkirim ke {name}: {name}"


def test_the_sentence_of_a_lower_layer_is_translated_and_begins_with_a_capital_letter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = {
        "the file {path} is bad": "{path} rusak",
        "{host} hung up": "sambungan diputus {host}",
        "{what}; try {host}": "{what}; coba {host}",
        "it is {count} byte long": "panjangnya {count} byte",
    }
    write_catalogue(tmp_path, "id", texts)
    monkeypatch.setenv("SECURECHAT_LOCALE_DIR", str(tmp_path))
    use("id")
    assert capital(Sentence("the file {path} is bad", path="ca.pem")) == "ca.pem rusak"
    hung_up = Sentence("{host} hung up", host="chat.example")
    assert capital(hung_up) == "Sambungan diputus chat.example"
    assert capital(Sentence("{what}; try {host}", what=hung_up, host="b")) == "Sambungan diputus chat.example; coba b"
    assert capital(Sentence("{what}; try {host}", what="ana", host="b")) == "ana; coba b"
    use("en")
    assert capital(Sentence("the file {path} is bad", path="ca.pem")) == "The file ca.pem is bad"
    assert capital(hung_up) == "chat.example hung up"


def test_a_tls_failure_of_a_lower_layer_is_followed_by_advice() -> None:
    detail = Sentence("{name} is offline. Your message will be delivered later", name="ana")
    assert connection.tls_failure(TlsProblem.NOT_TLS, detail) == (
        "ana sedang offline. Pesanmu akan disampaikan nanti. "
        "Periksa host dan port. Server securechat selalu memakai TLS"
    )


@pytest.mark.parametrize("reason", RejectReason)
def test_every_refusal_of_ours_has_a_sentence(reason: RejectReason) -> None:
    assert connection.declined(reason, "ruang", "aturan")


ONE_LINE = 40
"""Columns of a phone held upright."""


@pytest.mark.parametrize(
    "text",
    [
        each
        for module in (accounts, connection)
        for name, each in vars(module).items()
        if isinstance(each, LazyText) and not name.startswith("CLI_") and len(each.msgid) <= ONE_LINE
    ],
    ids=repr,
)
def test_what_fits_a_narrow_line_in_english_fits_it_in_indonesian(text: LazyText) -> None:
    assert len(text().strip()) <= ONE_LINE


def test_the_help_is_indonesian_and_fits_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["--lang", "id", "--help"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("pemakaian: ")
    assert "--name NAMA" in said
    assert catalogue.connection.CLI_ROOM() in said
    assert max(map(len, said.splitlines())) <= 80


def test_a_start_that_fails_says_why_in_indonesian(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--lang", "id", "--json"]) == 2
    assert capsys.readouterr().err == "-- --json dan --history perlu --tail\n"
