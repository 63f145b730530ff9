"""The client's texts in the user's language: days and times, names, roles, help, and that they fit the screen."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from string import Formatter

import pytest

from securechat import model as m
from securechat.client import catalogue
from securechat.client.catalogue import rooms
from securechat.client.catalogue.help_layout import PAGE_CELLS, HelpRow, page_text
from securechat.client.catalogue.help_pages import PAGES, page, usage
from securechat.client.catalogue.names import quoted
from securechat.client.core import actions
from securechat.client.core.actions import ModerationVerb
from securechat.client.ui.commands.parser import read
from securechat.client.ui.commands.results import HistoryRequest
from securechat.client.ui.rows.rendering import (
    day_at_ms,
    is_day,
    local_date,
    message_rows,
    notice_rows,
    tail_line,
    today,
)
from securechat.text.refusals import REASONS
from securechat.text.sanitize import width
from securechat.translation import LazyText, use
from securechat.translation.cldr import FORMATS_OF
from securechat.translation.formatting import format_text
from tests.support.locales import translations_tool
from tests.unit.client.test_commands import HERE, KNOWN, NUMBERED

tool = translations_tool()


@pytest.fixture(autouse=True)
def _indonesian() -> Iterator[None]:
    assert use("id") == ""
    yield
    use("en")


# --- times and days ---------------------------------------------------------------------------------------------------


def sent_at(*moment: int, edited: int | None = None, edited_by: m.Person | None = None) -> m.Message:
    at_ms = int(dt.datetime(*moment).astimezone().timestamp() * 1000)  # type: ignore[arg-type]
    return m.Message(1, 0, 5, "ana", at_ms, "halo", "lobby", edited=edited, edited_by=edited_by)


def test_the_clock_is_that_of_the_language() -> None:
    message = sent_at(2026, 11, 29, 6, 13)
    assert message_rows(message, 80) == ["06.13 ana: halo"]
    assert local_date(message.sent_at_ms) == "2026-11-29 06.13"
    use("en")
    assert message_rows(message, 80) == ["06:13 ana: halo"]


@pytest.mark.parametrize(
    ("word", "english"),
    [("hari-ini", "today"), ("Kemarin", "yesterday"), ("senin", "monday"), ("Jumat", "friday"), ("minggu", "sunday")],
)
def test_days_have_names_in_the_users_language_and_in_english(word: str, english: str) -> None:
    assert is_day(word)
    assert is_day(english)
    assert day_at_ms(word) == day_at_ms(english) is not None
    use("en")
    assert not is_day(word)


@pytest.mark.parametrize("language", ["en", "id"])
def test_the_days_that_a_refusal_offers_are_days(language: str) -> None:
    use(language)
    words = rooms.A_DAY().replace(",", "").split()
    assert [word for word in words if not is_day(word)] == [{"en": "or", "id": "atau"}[language]]


def test_the_days_that_a_refused_search_offers_are_days() -> None:
    text = LazyText(REASONS["search_date_invalid"][1])()
    assert [word for word in ("hari-ini", "kemarin") if word in text and is_day(word)] == ["hari-ini", "kemarin"]


def test_today_can_be_typed_as_two_words() -> None:
    assert read("/history hari ini", HERE, KNOWN, NUMBERED, 1) == HistoryRequest(HERE, date="hari-ini")
    assert read("/history Hari ini @ana", HERE, KNOWN, NUMBERED, 1) == HistoryRequest("@ana", date="hari-ini")
    assert read("/history hari", HERE, KNOWN, NUMBERED, 1) == HistoryRequest("hari", 20)
    assert day_at_ms("hari-ini") == day_at_ms(today().isoformat())


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("teh after:kemarin", "teh after:yesterday"),
        ("BEFORE:Hari-Ini", "BEFORE:today"),
        ("after:yesterday", "after:yesterday"),
        ("kemarin", "kemarin"),
        ("after:kemarinnya x:after:kemarin", "after:kemarinnya x:after:kemarin"),
    ],
)
def test_a_search_takes_the_users_words_for_days(typed: str, sent: str) -> None:
    assert read(f"/search {typed}", HERE, KNOWN, NUMBERED, 1) == actions.FindMessages(sent)


# --- names ------------------------------------------------------------------------------------------------------------


def test_those_who_type_are_listed_in_the_way_of_the_language() -> None:
    assert rooms.typing(["ana"]) == "ana sedang mengetik…"
    assert rooms.typing(["ana", "budi"]) == "ana dan budi sedang mengetik…"
    assert rooms.typing(["ana", "budi", "cici"]) == "3 orang sedang mengetik…"


NAMES = ("{room}", "{", "%s", "{0}", "{name:list}", "a {by} b")


@pytest.mark.parametrize("language", ["en", "id"])
@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_never_a_template(name: str, language: str) -> None:
    use(language)
    role = {"by": quoted(name), "was_muted": True, "me": False, "reason": name}
    done = {"seconds": 60, "reason": name, "role_word": name}
    said = [
        rooms.edited(1, name, name),
        rooms.deleted(1, name),
        rooms.removed(name),
        rooms.reactions(1, [(name, [name])]),
        rooms.reacted(1, name, name, on=True),
        rooms.reacted(1, name, name, on=False),
        rooms.edited_mark(name),
        rooms.deleted_mark(name),
        rooms.topic("ops", name),
        rooms.topic_changed("ops", name, rooms.YOU),
        rooms.topic_changed("ops", "", quoted(name)),
        rooms.settings_changed("ops", [name], quoted(name)),
        rooms.invited("ops", name),
        *(rooms.role("ops", name, "owner", muted_s=seconds, **role) for seconds in (None, 60.0, 0.0)),  # type: ignore[arg-type]
        *(rooms.done(verb, "ops", name, **done) for verb in ModerationVerb),  # type: ignore[arg-type]
        rooms.unread_line([(name, 1, 1)]),
        rooms.typing([name]),
        rooms.typing([name, name]),
        rooms.no_emoji(name),
        rooms.unknown_filters([name]),
    ]
    assert [each for each in said if name not in each] == []


# --- sentences --------------------------------------------------------------------------------------------------------


def test_settings_are_a_list_of_their_own_words() -> None:
    parts = rooms.setting_parts(
        private=True, read_only=True, slow_s=90, retention_days=1, joined_only=True, archived=False
    )
    assert rooms.settings("ops", parts) == (
        "#ops: privat (hanya dengan undangan), hanya-baca untuk anggota, "
        "mode lambat (90 detik antara dua pesan seorang anggota), pesan dihapus setelah 1 hari, "
        "tanpa pesan lama untuk anggota baru"
    )
    assert rooms.wrong_setting("slow", "ya") == "slow perlu waktu paling lama sehari seperti 10s, atau off, bukan: ya"


def role(role_word: str = "member", *, by: str = "", muted_s: float = 0, me: bool = False, reason: str = "") -> str:
    return rooms.role("ops", "budi", role_word, by=by, muted_s=muted_s, was_muted=True, me=me, reason=reason)


def test_roles_and_mutes_are_whole_sentences() -> None:
    assert role(by=rooms.YOU, muted_s=600, reason="ribut") == "Kamu membisukan budi di #ops selama 10 menit: ribut"
    assert role(me=True) == "Kamu boleh menulis lagi di #ops"
    assert role(by="ana") == "ana membatalkan bisu budi di #ops"
    assert rooms.role("ops", "budi", "moderator", by="ana", muted_s=0, was_muted=False, me=True) == (
        "ana menjadikanmu moderator #ops"
    )


def test_unread_conversations_are_counted() -> None:
    items = [("#ops", 1200, 2), *((f"#r{number}", 1, 0) for number in range(9))]
    shown = "#ops 999+ (2 sebutan), #r0 1, #r1 1, #r2 1, #r3 1, #r4 1, #r5 1, #r6 1"
    assert rooms.unread_line(items) == f"Belum dibaca: {shown}, dan 2 percakapan lagi. Lihat /unread"


def test_the_usage_of_a_command_has_placeholders_of_the_language() -> None:
    assert usage("/history") == "Pemakaian: /history [N] [RUANG atau NAMA], /history HARI [RUANG atau NAMA]"


def test_the_marks_of_changes_are_translated_and_cannot_be_mistaken() -> None:
    message = sent_at(2026, 11, 29, 6, 13, edited=2, edited_by=m.Person(9, "mod"))
    assert tail_line(message) == "/disunting oleh mod, ana: halo"
    marks = [rooms.edited_mark(None), rooms.edited_mark("x"), rooms.deleted_mark(None), rooms.deleted_mark("x")]
    assert not re.search("[,:/]", "".join(marks))


# --- help -------------------------------------------------------------------------------------------------------------


def test_no_word_that_is_typed_is_translated_and_placeholders_are() -> None:
    typed = re.compile(r"(?<!\S)/[a-z]+|--[a-z]+|\bon\|off\b|owner\|moderator\|member|joined\|all")
    for name in PAGES:
        use("en")
        english = page(name)
        use("id")
        indonesian = page(name)
        assert set(typed.findall(indonesian)) - {"/teks"} == set(typed.findall(english)) - {"/text"}, name
        assert not re.search(r"\b(NAME|TEXT|ROOM|DAY|KEY|VALUE|COMMAND|NEW)\b", indonesian), name


def test_a_page_is_laid_out_by_the_cells_of_its_texts() -> None:
    rows = (
        HelpRow("/react 👍", LazyText("one")),
        HelpRow("/x", LazyText("word " * 20 + "end")),
        HelpRow("sub", LazyText("two"), indented=True),
        HelpRow("/" + "y" * 30, LazyText("three")),
        HelpRow("", LazyText("note " * 20 + "end")),
    )
    lines = page_text(rows).splitlines()
    assert [lines[0], *lines[1:3], *lines[3:5]] == [
        "/react 👍  one",
        "/x         word word word word word word word word word word word word word",
        "           word word word word word word word end",
        "    sub    two",
        f"/{'y' * 30}  three",
    ]
    assert lines[5].startswith("note note")
    assert lines[6].startswith("note")
    assert max(map(width, lines)) <= PAGE_CELLS


# --- width ------------------------------------------------------------------------------------------------------------

ENGLISH = {
    "name": "budi", "by": "ana", "room": "ops", "old": "ops", "new": "dev", "text": "hello", "topic": "hello",
    "number": "[12]", "count": 3, "emoji": "👍", "reactions": "👍: ana", "day": "2026-11-20", "next_day": "2026-11-22",
    "filters": ['"to:"'], "known": "from:, in:", "commands": "/help, /who", "settings": "public", "role": "a member",
    "span": "10 minutes", "most": 500, "key": "x", "setting": "slow", "values": "on or off", "value": "yes",
    "conversations": "#ops 3", "names": ["ana", "budi"], "nearest": "/room set slow 10s",
    "example": "/room set slow 10s",
}  # fmt: skip
INDONESIAN = {**ENGLISH, "role": "anggota", "span": "10 menit", "values": "on atau off", "settings": "publik"}
"""Typical arguments of each field."""


BY_FORMAT: dict[str, object] = {
    "duration": 600, "number": 12, "list": ["ana", "budi"], "date": dt.date(2026, 11, 20), "size": 1536,
    "weekday": dt.date(2026, 11, 18),
    "moment": dt.datetime(2026, 11, 20, 6, 13, tzinfo=dt.UTC), "": "12",
}  # fmt: skip
"""For fields that are not above."""


def filled_in(text: str, typical: dict[str, object], language: str) -> str:
    """A text with typical arguments."""
    fields = [(name, spec or "") for _text, name, spec, _conversion in Formatter().parse(text) if name]
    return format_text(text, {name: BY_FORMAT[spec] for name, spec in fields} | typical, FORMATS_OF[language])


def sentences(*places: str) -> Iterator[tuple[str, str]]:
    """The sentences of these files in both languages; the pages of help have their own layout."""
    for message in tool.entries(tool.read("id")):
        files = [name for name, _line in message.locations if "/help" not in name]
        if any(place in name for name in files for place in places):
            english, indonesian = tool.forms(message.id)[-1], tool.forms(message.string)[-1]
            yield filled_in(english, ENGLISH, "en"), filled_in(indonesian, INDONESIAN, "id")


@pytest.mark.parametrize(
    ("columns", "places"),
    [(40, ("securechat/client/", "securechat/text/refusals.py")), (80, ("securechat/client/catalogue/rooms.py",))],
)
def test_what_is_one_row_in_english_is_one_row_in_indonesian(columns: int, places: tuple[str, ...]) -> None:
    """Notices of a row at 40 columns stay so, and the tables and lists of rooms at 80."""

    def is_one_row(text: str) -> bool:
        return len(notice_rows(text, columns)) == 1

    pairs = list(sentences(*places))
    assert len(pairs) > 50
    found = [indonesian for english, indonesian in pairs if is_one_row(english) and not is_one_row(indonesian)]
    assert found == []


def test_the_rows_of_unread_fit_a_terminal() -> None:
    items: Sequence[tuple[str, int, int]] = [("#ruang-kelas-xi-ipa-2", 1200, 37), ("ana", 1, 1)]
    assert catalogue.rooms.unread_list(items).splitlines() == [
        "1  #ruang-kelas-xi-ipa-2: 999+ (37 sebutan)",
        "2  ana: 1 (1 sebutan)",
        "/unread N menampilkan pesannya",
    ]
