"""Looking texts up: in a catalogue made for the test."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from securechat.translation import (
    LazyText,
    Sentence,
    _,
    english,
    language,
    ngettext,
    nsentence,
    pgettext,
    sentence_of,
    translated,
    use,
)
from tests.support.locales import write_catalogue


@pytest.fixture(autouse=True)
def _a_catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    write_catalogue(
        tmp_path,
        "id",
        {
            "Cancelled": "Dibatalkan",
            "Joined #{room}": "Bergabung ke #{room}",
            "wrong fields: {a}": "bidang salah: {b}",
            "not well-formed: {a}": "rusak: {a",
            "{count} minutes": "x",
            "Bad file {path}: {why}": "File rusak {path}: {why}",
            "it is empty": "isinya kosong",
            ("{count} message of {name}", "{count} messages of {name}"): ("{count} pesan dari {name}",),
            ("{count} minute", "{count} minutes"): ("{count} menit",),
            "Wait {left:duration}": "Tunggu {left:duration}",
        },
        contexts={("room", "open"): "terbuka", ("verb", "open"): "buka"},
    )
    monkeypatch.setenv("SECURECHAT_LOCALE_DIR", str(tmp_path))
    monkeypatch.setenv("LANGUAGE", "")
    yield tmp_path
    use("en")


def test_english_needs_no_catalogue() -> None:
    assert use("en") == ""
    assert language() == "en"
    assert _("Joined #{room}", room="ops") == "Joined #ops"
    assert ngettext("{count} message of {name}", "{count} messages of {name}", 1, name="ana") == "1 message of ana"
    assert pgettext("room", "open") == "open"


def test_a_catalogue_that_was_changed_is_read_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also here, where a process reads each catalogue once (tests/support/locales.py)."""
    monkeypatch.setenv("SECURECHAT_LOCALE_DIR", str(tmp_path / "other"))
    for word in ("satu", "dua lagi"):
        write_catalogue(tmp_path / "other", "id", {"Hello": word})
        assert use("id") == ""
        assert _("Hello") == word


def test_texts_are_translated() -> None:
    assert use("id") == ""
    assert language() == "id"
    assert _("Joined #{room}", room="ops") == "Bergabung ke #ops"
    assert pgettext("room", "open") == "terbuka"
    assert pgettext("verb", "open") == "buka"
    assert _("Wait {left:duration}", left=61) == "Tunggu 2 menit"


@pytest.mark.parametrize("count", [0, 1, 2])
def test_plural_forms(count: int) -> None:
    use("id")
    shown = ngettext("{count} message of {name}", "{count} messages of {name}", count, name="{x}")
    assert shown == f"{count} pesan dari {{x}}"
    use("en")
    shown = ngettext("{count} message of {name}", "{count} messages of {name}", count, name="{x}")
    assert shown == f"{count} message{'' if count == 1 else 's'} of {{x}}"


def test_what_a_catalogue_lacks_is_english() -> None:
    use("id")
    assert _("Not in it: {a}", a=1) == "Not in it: 1"
    assert pgettext("elsewhere", "open") == "open"


def test_a_translation_that_does_not_fit_is_english() -> None:
    use("id")
    assert _("wrong fields: {a}", a=1) == "wrong fields: 1"
    assert _("not well-formed: {a}", a=1) == "not well-formed: 1"


def test_a_constant_is_in_the_language_of_the_moment() -> None:
    cancelled = LazyText("Cancelled")
    assert cancelled() == "Cancelled"
    use("id")
    assert cancelled() == "Dibatalkan"
    assert f"{cancelled}" == "Dibatalkan"
    assert cancelled.english() == "Cancelled"


def test_an_error_is_english_in_a_log_and_translated_for_a_person() -> None:
    use("id")
    error = ValueError(Sentence("Bad file {path}: {why}", path="{x}", why=Sentence("it is empty")))
    assert str(error) == "Bad file {x}: it is empty"
    assert translated(error) == "File rusak {x}: isinya kosong"
    assert translated(KeyError("x")) == "'x'"
    assert translated(sentence_of(error)) == translated(error)
    assert sentence_of(OSError(2, "gone")) == "[Errno 2] gone"
    assert translated("plain") == "plain"
    assert english(Sentence("it is empty")) == "it is empty"


def test_a_number_in_an_error() -> None:
    use("id")
    sentence = nsentence("{count} message of {name}", "{count} messages of {name}", 2, name="ana")
    assert str(sentence) == "2 messages of ana"
    assert translated(sentence) == "2 pesan dari ana"


def test_a_sentence_is_copied_as_its_english() -> None:
    assert pickle.loads(pickle.dumps(str(Sentence("it is empty")))) == "it is empty"


@pytest.mark.parametrize(
    "content", [b"", b"\xde\x12\x04\x95", b"no catalogue", b"\xde\x12\x04\x95" + b"\xff" * 40, b"\x00" * 100]
)
def test_a_damaged_catalogue_is_named_once_and_english_is_used(content: bytes, _a_catalogue: Path) -> None:
    path = _a_catalogue / "id" / "LC_MESSAGES" / "securechat.mo"
    path.write_bytes(content)
    problem = use("id")
    assert str(path) in problem
    assert problem.endswith("English is used")
    assert language() == "en"
    assert _("Cancelled") == "Cancelled"


def test_half_a_catalogue_is_a_damaged_one(_a_catalogue: Path) -> None:
    path = _a_catalogue / "id" / "LC_MESSAGES" / "securechat.mo"
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        if use("id"):
            assert language() == "en"
        assert _("Cancelled") in ("Cancelled", "Dibatalkan")


def test_a_language_without_a_catalogue_is_named() -> None:
    assert "No such file" in use("fr")
    assert language() == "en"


def test_a_sentence_knows_whether_it_begins_with_an_argument() -> None:
    """Who prints it with a capital letter must not change a name or a path."""
    bad = Sentence("Bad file {path}: {why}", path="a.toml", why="x")
    assert not bad.begins_with_argument
    assert Sentence("{path} is a folder", path="a").begins_with_argument
    assert not Sentence("{what}. Try again", what=bad).begins_with_argument
    assert Sentence("{what}. Try again", what="ana said no").begins_with_argument
    assert not Sentence("{{path}}: {path}", path="a").begins_with_argument
    assert nsentence("{name} has {count}", "{name} have {count}", 2, name="ana").begins_with_argument
