"""Which language is chosen."""

from __future__ import annotations

from pathlib import Path

import pytest

from securechat.translation import chosen, given


@pytest.mark.parametrize(
    ("arguments", "environment", "configured", "expected"),
    [
        ([], {}, None, "en"),
        ([], {"LANG": "id_ID.UTF-8"}, None, "id"),
        ([], {"LANG": "in_ID"}, None, "id"),
        ([], {"LANG": "en_US.UTF-8", "LC_MESSAGES": "id_ID.UTF-8"}, None, "id"),
        ([], {"LANG": "id_ID", "LC_MESSAGES": "id_ID", "LC_ALL": "en_GB"}, None, "en"),
        ([], {"LANG": "id_ID", "LC_ALL": ""}, None, "id"),
        ([], {"LANG": "de_DE", "LANGUAGE": "fr:id:en"}, None, "id"),
        ([], {"LANG": "C.UTF-8", "LANGUAGE": "id"}, None, "en"),
        ([], {"LANG": "C", "LANGUAGE": "id"}, None, "en"),
        ([], {"LANG": "fr_FR.UTF-8"}, None, "en"),
        ([], {"LANG": "no such locale, \x1b[31m"}, None, "en"),
        ([], {"LANG": "../../etc"}, None, "en"),
        ([], {"LANG": "en_US"}, "id", "id"),
        ([], {"LANG": "en_US", "SECURECHAT_LANG": "id"}, "en", "id"),
        ([], {"SECURECHAT_LANG": ""}, "id", "id"),
        (["--lang", "en"], {"SECURECHAT_LANG": "id"}, "id", "en"),
        (["--lang=id", "HOST"], {"SECURECHAT_LANG": "en"}, None, "id"),
        (["--lang=en", "--lang", "ID"], {}, None, "id"),
        (["--", "--lang=id"], {}, None, "en"),
        (["--lang"], {"LANG": "id_ID"}, None, "id"),
    ],
)
def test_what_is_asked_for_comes_first(
    arguments: list[str], environment: dict[str, str], configured: str | None, expected: str
) -> None:
    assert chosen(arguments, environment, configured) == (expected, "")


@pytest.mark.parametrize(
    ("arguments", "environment", "configured"),
    [([], {"SECURECHAT_LANG": "fr"}, None), ([], {}, "fr")],
)
def test_a_language_that_was_asked_for_and_does_not_exist_is_named(
    arguments: list[str], environment: dict[str, str], configured: str | None
) -> None:
    code, problem = chosen(arguments, environment, configured)
    assert code == "en"
    assert problem == "There is no translation called fr. Languages: en (English), id (Bahasa Indonesia)"


def test_a_language_of_the_command_line_is_refused_by_its_parser() -> None:
    assert chosen(["--lang", "fr"], {}) == ("en", "")
    assert chosen(["--lang", "x" * 5000], {}) == ("en", "")


def test_a_language_in_a_folder_that_cannot_be_read_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    def is_dir(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_dir", is_dir)
    assert chosen([], {"SECURECHAT_LANG": "fr"})[0] == "en"
    assert chosen([], {"LANG": "fr_FR.UTF-8"}) == ("en", "")
    assert chosen([], {"LANG": "id_ID.UTF-8"}) == ("id", "")


def test_a_code_is_understood_in_its_usual_forms() -> None:
    assert [given(each) for each in ("id", "ID", "id-ID", "id_ID.UTF-8", "id@latin", " id ")] == ["id"] * 6
    with pytest.raises(ValueError, match=r"no translation called \.\."):
        given("..")
    with pytest.raises(ValueError, match=r"^The name of the language is empty\. Languages: en"):
        given(" ")
