"""The catalogues: both have every text, with the same fields; what is made from CLDR is fresh."""

from __future__ import annotations

import ast
import gzip
import json
import re
import sys
import tomllib
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

from securechat.text.refusals import REASONS
from tests.support.locales import translations_tool

ROOT = Path(__file__).resolve().parent.parent.parent
tool = translations_tool()
extracted = cache(tool.extracted)

MOST_BYTES = 14 * 1024
"""Of the page's catalogue, compressed: what the page loads before its first text."""


def test_both_catalogues_are_complete() -> None:
    source = extracted()
    found = [each for language in tool.LANGUAGES for each in tool.problems(language, source)]
    assert not found, "\n".join(found)


def test_a_catalogue_is_written_as_the_tool_writes_it() -> None:
    source = extracted()
    for language in tool.LANGUAGES:
        assert tool.catalogue_path(language).read_bytes() == tool.updated(language, source), language


def test_what_is_wrong_with_a_catalogue_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool, "LOCALES", ROOT / "securechat" / "locale")
    source = tool.Catalog(locale="en")
    for msgid in ("whole {a}", "lacks a field {a}", "has another {a}", "not translated", " blank"):
        source.add(msgid, None)
    source.add("missing", None)
    known = tool.Catalog(locale="id")
    known.add("whole {a}", "utuh {a}")
    known.add("lacks a field {a}", "kurang")
    known.add("has another {a}", "lain {b}")
    known.add("not translated", "")
    known.add(" blank", "kosong")
    known.add("stale", "lama")
    monkeypatch.setattr(tool, "read", lambda _language: known)
    found = "\n".join(tool.problems("id", source))
    assert "whole" not in found
    for words in ("'lacks a field {a}' differ", "'has another {a}' differ", "'not translated' is not", "' blank' and"):
        assert words in found
    assert "'missing' is missing" in found
    assert "'stale' is no longer" in found


@pytest.mark.parametrize("wrong", ["galat: %(other)s", "galat", "galat: %(name)s %(name)s", "galat: %s", "%(name)d"])
def test_another_percent_field_is_found(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tool.Catalog(locale="en")
    source.add("error: %(name)s", None)
    known = tool.Catalog(locale="id")
    monkeypatch.setattr(tool, "read", lambda _language: known)
    known.add("error: %(name)s", "galat: %(name)s")
    assert list(tool.problems("id", source)) == []
    known["error: %(name)s"].string = wrong
    (found,) = tool.problems("id", source)
    assert "the fields of 'error: %(name)s' differ" in found


@pytest.mark.parametrize("language", tool.LANGUAGES)
def test_another_rule_for_plural_forms_is_found(language: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = extracted()
    text = tool.catalogue_path(language).read_text(encoding="utf-8")
    monkeypatch.setattr(tool, "ROOT", tmp_path)
    monkeypatch.setattr(tool, "LOCALES", tmp_path / "locale")
    path = tool.catalogue_path(language)
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    assert list(tool.problems(language, source)) == []
    for rule in ("n%0", "0 ", "(n > 1)", ""):
        path.write_text(text.replace(f"plural={tool.PLURALS[language]};", f"plural={rule};", 1), encoding="utf-8")
        (found,) = tool.problems(language, source)
        assert f"the rule for plural forms is not {tool.PLURALS[language]}" in found


def test_a_package_has_what_was_compiled_and_not_its_sources() -> None:
    """A source distribution has the sources instead, and is compiled where it is installed."""
    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    left_out = [pattern for patterns in configuration["exclude-package-data"].values() for pattern in patterns]
    taken = configuration["package-data"]["securechat"]
    for name in ("locale/id/LC_MESSAGES/securechat.mo", "web/messages.id.json"):
        assert any(fnmatch(name, pattern) for pattern in taken)
        assert not any(fnmatch(Path(name).name, pattern) for pattern in left_out)
    for name in ("securechat.po", "securechat.mo.4711", "messages.id.json.4711"):
        assert any(fnmatch(name, pattern) for pattern in left_out)
    manifest = (ROOT / "MANIFEST.in").read_text(encoding="utf-8").splitlines()
    assert "graft securechat/locale" in manifest
    assert not [line for line in manifest if "exclude" in line and ".po" in line]


_PASSIVES = "kirim simpan hapus baca buat ubah tolak pakai blokir keluarkan sunting temukan mulai izinkan terima buka"
_NOT_OURS = {
    "stiff": "anda|silakan|silahkan|mohon",
    "misspelt": "merubah|dirubah|ijin|mengijinkan|diijinkan|kadaluarsa|kadaluwarsa|nomer|resiko|dimana|disini|disana"
    f"|diatas|dibawah|kedalam|terimakasih|aktifitas|di (?:{_PASSIVES.replace(' ', '|')})",
    "English": "password|username|message|guest|error|settings|failed",
}
"""Words that no translation into Indonesian uses, by what is wrong with them; docs/glossary.md has the ones to use."""
_NAME_BEFORE, _NAME_AFTER = r"(?<![-\w/:|=#.\"'`{(])", r"(?![-\w:|=})])"
"""Names of commands, flags and fields are English: what stands before and after a word of theirs."""
_PATTERNS = {
    kind: re.compile(f"{_NAME_BEFORE}(?:{words}){_NAME_AFTER}", re.IGNORECASE) for kind, words in _NOT_OURS.items()
}


def bad_words(text: str) -> list[str]:
    """What a translation into Indonesian should say in another way."""
    return [f"{found[0]!r} is {kind}" for kind, pattern in _PATTERNS.items() for found in pattern.finditer(text)]


def test_translations_use_the_words_of_the_glossary() -> None:
    found = []
    for message in tool.entries(tool.read("id")):
        for text in tool.forms(message.string):
            found += [f"{text!r}: {why}" for why in bad_words(text)]
    assert not found, "see docs/glossary.md\n" + "\n".join(found)


@pytest.mark.parametrize(
    "text",
    ["Silakan tunggu", "nama Anda", "Masukkan password", "pesan di kirim", "untuk merubah", "Ini dimana?", "ERROR"],
)
def test_a_word_that_no_translation_uses_is_found(text: str) -> None:
    assert len(bad_words(text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "/password mengganti kata sandi",
        "--password-file FILE",
        "di server, dikirim, panda",
        "{error}",
        "reset-password",
    ],
)
def test_names_and_other_words_are_left_alone(text: str) -> None:
    assert bad_words(text) == []


def test_a_translation_ends_as_its_text_does() -> None:
    ends = (".", ":", "?", "…")
    found = [
        text
        for message in tool.entries(tool.read("id"))
        for text in tool.forms(message.string)
        if text and [text.endswith(end) for end in ends] != [tool.forms(message.id)[0].endswith(end) for end in ends]
    ]
    assert not found, "a full stop, colon or question mark of one language alone"


def test_the_page_has_its_texts_and_the_refusals_that_a_member_meets(tmp_path: Path) -> None:
    tool.compile_catalogues(tmp_path, tmp_path)
    assert not (tmp_path / "messages.en.json").exists()
    page = json.loads((tmp_path / "messages.id.json").read_bytes())
    wanted = {
        tool.short_key("\4".join(filter(None, (message.context, tool.forms(message.id)[0])))): len(
            tool.forms(message.id)
        )
        for message in tool.entries(extracted())
        if any(name.startswith(tool.PAGE) for name, _line in message.locations)
    }
    assert page["language"] == "id"
    assert page["texts"].keys() == wanted.keys()
    for msgid, text in page["texts"].items():
        assert isinstance(text, list) == (wanted[msgid] > 1), msgid
        assert len(text if isinstance(text, list) else [text]) == 1, "one form in Indonesian"
    assert tool.reasons() == {reason: text for reason, (_code, text) in REASONS.items()}
    refusals = {each for each in REASONS if not tool.NOT_FOR_MEMBERS.match(each)}
    assert page["refusals"].keys() == {tool.short_key(each) for each in refusals}
    assert not {"admin_internal", "frame_empty"} & refusals
    assert {"login_failed", "slow_mode", "muted_by_administrator"} <= refusals


def test_two_texts_with_one_short_key_are_found() -> None:
    assert tool.short_key("Today") == "wk0u"  # as shortKey of the page says
    with pytest.raises(ValueError, match="same short key"):
        tool.shortened({"text 4548": "a", "text 8812": "b"})


def test_the_catalogue_of_the_page_is_small(tmp_path: Path) -> None:
    tool.compile_catalogues(tmp_path, tmp_path)
    assert len(gzip.compress((tmp_path / "messages.id.json").read_bytes(), 9)) <= MOST_BYTES


def test_the_formats_are_those_of_cldr() -> None:
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        import cldr_formats
    finally:
        sys.path.remove(str(ROOT / "tools"))
    assert cldr_formats.MODULE.read_text(encoding="utf-8") == cldr_formats.module(), "run: python tools/cldr_formats.py"


def _assigns_underscore(function: ast.AST) -> bool:
    return any(
        isinstance(node, ast.Name) and node.id == "_" and isinstance(node.ctx, ast.Store) for node in ast.walk(function)
    ) or any(isinstance(node, ast.arg) and node.arg == "_" for node in ast.walk(function))


def translating_modules() -> list[Path]:
    paths = [*(ROOT / "securechat").rglob("*.py"), ROOT / "tools" / "dev.py", ROOT / "tools" / "gen_certs.py"]
    return [path for path in sorted(paths) if "import" in (text := path.read_text(encoding="utf-8")) and "_(" in text]


@pytest.mark.parametrize("path", translating_modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_texts_are_constants_and_translated_in_time(path: Path) -> None:
    """No variable hides ``_``, none translates while a module is read, and each text is a literal."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    imports = {alias.asname or alias.name for node in imported for alias in node.names}
    if "_" in imports:
        assert not _assigns_underscore(tree), "a variable hides the function _"
    functions = (node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.Lambda)))
    inside = {id(node) for function in functions for node in ast.walk(function)}
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            continue
        name = node.func.id
        if name not in imports or name not in {*tool.KEYWORDS}:
            continue
        texts = node.args[:2] if name in ("ngettext", "nsentence", "pgettext") else node.args[:1]
        where = f"line {node.lineno}"
        if "translation" not in path.parts:
            assert texts, where
            assert all(isinstance(each, ast.Constant) and isinstance(each.value, str) for each in texts), where
        if name in ("_", "ngettext", "pgettext"):
            assert id(node) in inside, f"{where}: translated while the module is read; use LazyText"
