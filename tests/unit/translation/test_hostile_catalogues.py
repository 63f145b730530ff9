"""A catalogue that is not what it should be gives whole English sentences, and ends nothing."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from securechat.translation import (
    LazyText,
    Sentence,
    _,
    formatted,
    language,
    ngettext,
    nsentence,
    pgettext,
    translated,
    use,
    verbatim,
)
from tests.support.locales import write_raw_catalogue

TEXTS = {
    "Cancelled": "Dibatalkan",
    "Joined #{room}": "Bergabung ke #{room}",
    "Bad file {path}: {why}": "File rusak {path}: {why}",
    "it is empty": "isinya kosong",
    "Wait {left:duration}": "Tunggu {left:duration}",
    "{count} message\0{count} messages": "{count} pesan",
    "{count} minute\0{count} minutes": "{count} menit",
    "{count} min\0{count} min": "{count} mnt",
    "room\4open": "terbuka",
    "usage: ": "pemakaian: ",
    "options": "opsi",
    "show this help message and exit": "tampilkan bantuan ini lalu selesai",
    "argument %(argument_name)s: %(message)s": "argumen %(argument_name)s: %(message)s",
    "the following arguments are required: %s": "argumen berikut harus ada: %s",
    "not 50%": "bukan 50%",
}
_FIELD = re.compile(r"\{(\w+)[^}]*\}")
WRONG: dict[str, Callable[[str], str]] = {
    "attributes": lambda text: _FIELD.sub(r"{\1.__class__}", text) + "{a.__class__}",
    "an index": lambda text: _FIELD.sub(r"{\1[0]}", text) + "{0}",
    "a conversion": lambda text: _FIELD.sub(r"{\1!r}", text) + "{a!r}",
    "another format": lambda text: _FIELD.sub(r"{\1:date}", text) + "{a:date}",
    "no such format": lambda text: _FIELD.sub(r"{\1:>9999999}", text) + "{a:x}",
    "an unknown field": lambda text: _FIELD.sub(r"{other}", text) + "{other}",
    "an open brace": lambda text: text + "{",
    "nothing": lambda text: "",
    "an escape sequence": lambda text: f"\x1b[31m{text}",
    "a line of its own": lambda text: f"{text}\nsecurechat: ok",
    "a right-to-left override": lambda text: f"\u202e{text}",
    "a percent field": lambda text: f"{text} %d",
    "another percent field": lambda text: text.replace("%s", "%(no)s").replace("%(", "%(no_") + "%(x)s",
    "a percent sign": lambda text: f"{text} %",
}


@pytest.fixture(autouse=True)
def _english_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SECURECHAT_LOCALE_DIR", str(tmp_path))
    yield
    use("en")


def said() -> list[str]:
    """Every way to say something."""
    why = Sentence("it is empty")
    return [
        _("Cancelled"),
        LazyText("Joined #{room}")(room="ops"),
        translated(Sentence("Bad file {path}: {why}", path="{x}", why=why)),
        _("Wait {left:duration}", left=61),
        pgettext("room", "open"),
        *counted(),
    ]


def counted() -> list[str]:
    """What takes a plural form."""
    return [
        *(ngettext("{count} message", "{count} messages", count) for count in (0, 1, 2)),
        translated(nsentence("{count} message", "{count} messages", 2)),
        str(nsentence("{count} message", "{count} messages", 2).begins_with_argument),
        formatted("{left:shortduration}", left=60),
    ]


def parsed(capsys: pytest.CaptureFixture[str]) -> str:
    """What argparse says: its help, and two errors."""
    parser = argparse.ArgumentParser(prog="x", allow_abbrev=False)
    parser.add_argument("--port", type=int, metavar="N", required=True, help=_("not 50%").replace("%", "%%"))
    for words in (["--help"], [], ["--port", "x"]):
        with pytest.raises(SystemExit):
            parser.parse_args(words)
    shown = capsys.readouterr()
    return shown.out + shown.err


def test_the_catalogue_of_this_test_is_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    english = [*said(), parsed(capsys)]
    write_raw_catalogue(tmp_path, TEXTS)
    assert use("id") == ""
    assert [each for each in [*said(), parsed(capsys)] if each in english] == ["False"]  # begins_with_argument


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_translation_is_a_whole_english_sentence(
    wrong: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    english = said()
    ours = parsed(capsys)
    write_raw_catalogue(tmp_path, {key: WRONG[wrong](text) for key, text in TEXTS.items()})
    assert use("id") == ""
    assert said() == english
    shown = parsed(capsys)
    if "{" not in shown:  # a brace says nothing to argparse
        assert shown == ours


@pytest.mark.parametrize("rule", ["n%0", "n/0", "n*n*n*n*n*n*n*n*99999999999999", "7", "n-9"])
def test_a_plural_rule_that_cannot_be_computed_is_english_where_a_number_is_said(rule: str, tmp_path: Path) -> None:
    english = counted()
    write_raw_catalogue(tmp_path, TEXTS, f"nplurals=2; plural={rule}")
    use("id")
    if "*" not in rule:  # a product that can be computed
        assert counted() == english
    assert _("Cancelled") in ("Cancelled", "Dibatalkan")
    assert _("Wait {left:duration}", left=61) in ("Wait 2 minutes", "Tunggu 2 menit")


@pytest.mark.parametrize("rule", ["", "__import__('os')", "n n", "(" * 200 + "n" + ")" * 200, "!" * 5000 + "n", "m"])
def test_a_plural_rule_that_is_none_is_a_damaged_catalogue(rule: str, tmp_path: Path) -> None:
    english = said()
    path = write_raw_catalogue(tmp_path, TEXTS, f"nplurals=2; plural={rule}")
    problem = use("id")
    assert problem in ("", f"The translation {path} cannot be used: it is damaged. English is used")
    assert problem == "" or said() == english


def test_what_half_a_catalogue_lacks_is_english_with_english_units(tmp_path: Path) -> None:
    write_raw_catalogue(tmp_path, {key: text for key, text in TEXTS.items() if "Wait" not in key})
    assert use("id") == ""
    assert _("Wait {left:duration}", left=61) == "Wait 2 minutes"
    assert _("{size:number} bytes", size=1234) == "1,234 bytes"
    assert _("Joined #{room}", room="ops") == "Bergabung ke #ops"


@pytest.mark.skipif(sys.platform == "win32", reason="pipes have no names, and symbolic links need a permission")
@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
def test_what_is_no_file_is_not_opened(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "id" / "LC_MESSAGES" / "securechat.mo"
    path.parent.mkdir(parents=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero")
    assert use("id") == f"The translation {path} cannot be used: it is no file. English is used"
    assert language() == "en"


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = write_raw_catalogue(tmp_path, TEXTS)
    os.truncate(path, 16 * 1024 * 1024 + 1)
    assert use("id") == f"The translation {path} cannot be used: it is too large. English is used"
    assert _("Cancelled") == "Cancelled"


def test_english_asks_no_catalogue(tmp_path: Path) -> None:
    english = said()
    path = write_raw_catalogue(tmp_path, TEXTS, "nplurals=2; plural=n%0")
    path.parent.parent.rename(tmp_path / "en")
    assert use("en") == ""
    assert said() == english


def test_a_text_of_another_program_is_no_template(tmp_path: Path) -> None:
    write_raw_catalogue(tmp_path, TEXTS)
    use("id")
    assert translated(verbatim("it is empty")) == "isinya kosong"
    for text in ("{x}", "{", "a {} b", "{{x}}", "50%"):
        assert translated(verbatim(text)) == str(verbatim(text)) == text


def test_a_sentence_can_be_sent_to_another_program_and_translated_there(tmp_path: Path) -> None:
    sentence = Sentence("Bad file {path}: {why}", path=Path("{x}"), why=Sentence("it is empty"))
    received = Sentence.unpacked(sentence.packed())
    assert received == sentence
    write_raw_catalogue(tmp_path, TEXTS)
    use("id")
    assert translated(received) == "File rusak {x}: isinya kosong"
