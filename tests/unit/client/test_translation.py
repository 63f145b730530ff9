"""Refusals in the language of the person: whatever the server speaks, and whatever the arguments hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from string import Formatter

import pytest

from securechat.client.catalogue.translation import refusal_sentence
from securechat.client.core import events
from securechat.errors import ErrorCode, Refusal
from securechat.text.names import check_name, check_room
from securechat.text.passwords import check_password
from securechat.text.refusals import REASONS, refusal_for, sentence
from securechat.text.sanitize import one_line
from securechat.text.search_query import parse, utc_days
from securechat.translation import Sentence, translated, use
from securechat.translation.formatting import fields
from tests.support.refusals import LONGEST

SERVERS = "The words of the server"
HOSTILE = (
    "{x}",
    "%s",
    "%(room)s",
    "{0}",
    "{",
    "{why:duration}",
    "\u202eabc\u2066",
    "\x1b[2J\n-- bye",
    "Goodbye",
    "a" * 300,
)


@pytest.fixture(autouse=True)
def _language(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("LANGUAGE", "")
    assert use("id") == ""
    yield
    use("en")


def refused(reason: str, arguments: Mapping[str, str | int], code: ErrorCode = ErrorCode.BUSY) -> str:
    return refusal_sentence(events.RequestRefused(code, SERVERS, None, reason, dict(arguments)))


def arguments_of(reason: str, text: str) -> dict[str, str | int]:
    """Legal numbers, and a text for each argument that is one."""
    longest = {name: LONGEST[name] for name in fields(REASONS[reason][1])}
    return {name: 90 if isinstance(value, int) else text for name, value in longest.items()}


@pytest.mark.parametrize("language", ["en", "id"])
@pytest.mark.parametrize("reason", REASONS)
def test_whatever_the_arguments_hold_the_sentence_has_them_as_they_are(reason: str, language: str) -> None:
    use(language)
    for text in HOSTILE:
        arguments = arguments_of(reason, text)
        said = refused(reason, arguments)
        assert SERVERS not in said
        assert said == one_line(said).replace("<U+23CE>", "⏎"), "safe to show"
        assert all(one_line(text) in said for value in arguments.values() if value == text)
        if language == "en":
            shown = {name: one_line(value) if isinstance(value, str) else value for name, value in arguments.items()}
            assert said == sentence(reason, shown)


@pytest.mark.parametrize("reason", REASONS)
def test_each_is_translated_with_all_its_arguments(reason: str) -> None:
    arguments = arguments_of(reason, "{x}")
    use("en")
    in_english = refused(reason, arguments)
    use("id")
    said = refused(reason, arguments)
    assert said != in_english
    assert said[0].isupper() or said[0] in "{#`"
    assert said[-1] not in ".!?"
    for value in arguments.values():
        assert str(value) in said or "2 menit" in said


@pytest.mark.parametrize("reason", REASONS)
def test_wrong_arguments_give_the_words_of_the_server(reason: str) -> None:
    arguments = arguments_of(reason, "x")
    for name in arguments:
        assert refused(reason, {key: value for key, value in arguments.items() if key != name}) == SERVERS
    durations = {name for _literal, name, spec, _ in Formatter().parse(REASONS[reason][1]) if spec == "duration"}
    for name in durations:
        assert refused(reason, {**arguments, str(name): "{x}"}) == SERVERS
    assert refused(reason, {**arguments, "msgid": "more", "self": 1, "template": "{x}"}) == refused(reason, arguments)


def test_a_reason_of_a_later_server_is_told_in_its_words() -> None:
    assert refused("moon_full", {"phase": 4}) == SERVERS


def test_a_text_of_the_catalogue_that_a_member_wrote_is_not_translated() -> None:
    assert refused("muted_because", {"why": "Goodbye"}) == "Kamu dibisukan di server ini: Goodbye. Hubungi adminnya"
    assert "Goodbye" in refused("muted_because", {"why": Sentence("Goodbye")})


def test_numbers_and_durations_are_those_of_the_language() -> None:
    assert refused("muted_for", {"left": 60}) == "Kamu dibisukan di server selama 1 menit"
    assert refused("muted_for", {"left": 7_200}) == "Kamu dibisukan di server selama 2 jam"
    assert refused("muted_for", {"left": -5}) == "Kamu dibisukan di server selama 1 detik"


def test_every_event_that_carries_a_refusal_is_translated() -> None:
    closed = Refusal(ErrorCode.BYE, SERVERS, reason="goodbye")
    shown = [
        events.NoticeShown(SERVERS, "made_administrator", {}),
        events.RoomLeft("ops", text=SERVERS, reason="kicked_from_room", arguments={"room": "ops", "by": "ana"}),
        events.NameRefused("ana", ErrorCode.NAME_IN_USE, SERVERS, "name_taken", {}),
    ]
    assert [refusal_sentence(each) for each in shown] == [
        "Kamu sekarang admin server ini",
        "Kamu dikeluarkan dari #ops oleh ana",
        "Nama ini sudah dipakai. Pilih nama lain",
    ]
    assert translated(closed.sentence) == SERVERS, "without a template there is nothing to translate"


def test_a_command_that_the_server_does_not_know() -> None:
    assert refused("record_type_unknown", {}, ErrorCode.UNKNOWN_TYPE) == "Server ini belum mendukung itu"


@pytest.mark.parametrize(
    ("says", "rule"),
    [
        ("Nama tidak boleh berisi ':'. ", lambda: check_name("ana:{")),
        ("Nama ruang tidak boleh kosong", lambda: check_room("#")),
        ("Kata sandi paling sedikit", lambda: check_password("short", "ana")),
        ("Filter from: perlu nilai", lambda: parse("from:", utc_days(0))),
        ("Filter in: perlu nilai, misalnya in:#ops", lambda: parse("in:", utc_days(0))),
    ],
)
def test_the_clients_own_rules_are_said_in_the_language_too(says: str, rule: object) -> None:
    assert callable(rule)
    with pytest.raises(Refusal) as caught:
        rule()
    assert translated(caught.value.sentence).startswith(says)
    assert caught.value.sentence == caught.value.detail, "English, for a log"


@pytest.mark.parametrize("reason", REASONS)
def test_a_refusal_and_its_event_have_one_sentence(reason: str) -> None:
    arguments = arguments_of(reason, "{x}")
    refusal = refusal_for(reason, **arguments)
    assert translated(refusal.sentence) == refused(reason, arguments)
    assert refusal.detail == sentence(reason, arguments)
    assert type(refusal.detail) is str, "the wire's encoder takes nothing else"
