"""TOML with lines: every value stands where it begins, and a broken file is told with its line."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securechat.toml_file import TomlEntry, TomlError, parse, read_file

WHOLE = '''# a comment

one = 1
two = [
  "a", # not = a key
  "b",
]
"quoted key" = """
three = 3
[limits]
"""
dotted.inner = true
limits.early = 1

[limits] # a comment
late = 2
  indented = { x = 1,  y = 2 }

[other.inner]
x = 1
[[list]]
a = 1
[[list]]
b = 1
'''


def test_each_value_has_the_line_it_begins_on() -> None:
    text = WHOLE.replace("limits.early = 1\n", "\n")
    found = [(entry.table, entry.key, entry.line) for entry in parse(text, {"limits"})]
    assert found == [
        ("", "one", 3),
        ("", "two", 4),
        ("", "quoted key", 8),
        ("", "dotted", 12),
        ("limits", "late", 16),
        ("limits", "indented", 17),
        ("", "other", 19),
        ("", "list", 21),
    ]


def test_dotted_and_inline_tables_are_looked_into() -> None:
    assert parse("\nlimits.early = 1\n", {"limits"}) == [TomlEntry("limits", "early", 1, 2)]
    assert parse("\n\nlimits = { a = 1, b = 2 }", {"limits"}) == [
        TomlEntry("limits", "a", 1, 3),
        TomlEntry("limits", "b", 2, 3),
    ]
    assert parse("limits = 5", {"limits"}) == [TomlEntry("", "limits", 5, 1)]
    assert parse("[limits]\n", {"limits"}) == []


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a = 1\nb\n", 2, "expected '=' after a key"),
        ("a = 1\nb = [1,\n2\n", 3, "unclosed array"),
        ('a = """\n\n', 1, "unterminated string"),
        ("a = 1\n\na = 2\n", 3, "stands there twice"),
        ("[a]\n[a]\n", 2, "stands there twice"),
        ("a = on\n", 1, "true and false are in small letters"),
        ('a = "C:\\certs"', 1, "in single quotes"),
        ("a = 1\n\x00", 2, "is not valid TOML"),
        (f"a = {'[' * 5000}", None, "nested too deeply"),
    ],
)
def test_what_is_not_toml_is_told_with_its_line(text: str, line: int | None, words: str) -> None:
    with pytest.raises(TomlError) as caught:
        parse(text, set())
    assert caught.value.line == line
    assert words in caught.value.reason
    assert "(at" not in caught.value.reason


def test_a_file_of_any_editor_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(b"\xef\xbb\xbfone = 1\r\n\r\ntwo = '''\r\nx'''\r\nthree = 3\r\n")
    assert [(entry.key, entry.line) for entry in read_file(path, set())] == [("one", 1), ("two", 3), ("three", 5)]


def test_what_is_no_text_or_no_file(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(b"a = 1\nb = '\xff'\n")
    with pytest.raises(TomlError, match="is not UTF-8") as caught:
        read_file(path, set())
    assert caught.value.line == 2
    for other in (tmp_path, tmp_path / "missing"):
        with pytest.raises(TomlError, match="cannot be read") as caught:
            read_file(other, set())
        assert caught.value.line is None


SCALARS = st.sampled_from(["1", "2.5", "true", '"x"', "'#'", '"""\n[x]\n"""', "[\n1,\n2\n]", "{ a = 1 }", "1979-05-27"])
LINES = st.one_of(st.sampled_from(["", "# x", "  "]), st.tuples(st.sampled_from("abcdef"), SCALARS).map(" = ".join))


@given(top=st.lists(LINES), inner=st.lists(LINES), gap=st.integers(0, 2))
def test_nothing_is_missing_and_every_line_is_where_its_key_is(top: list[str], inner: list[str], gap: int) -> None:
    text = "\n".join([*top, *[""] * gap, "[limits]", *inner])
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        with pytest.raises(TomlError):
            parse(text, {"limits"})
        return
    entries = parse(text, {"limits"})
    limits = document.pop("limits")
    assert {entry.key: entry.value for entry in entries if not entry.table} == document
    assert {entry.key: entry.value for entry in entries if entry.table} == limits
    for entry in entries:
        assert text.split("\n")[entry.line - 1].startswith(f"{entry.key} = ")


@given(st.text(alphabet=st.sampled_from("ab=[]{}\"'#.\n \\1_-,"), max_size=60))
def test_any_text_is_entries_or_a_bad_file(text: str) -> None:
    try:
        parse(text, {"a"})
    except TomlError as error:
        assert error.line is None or 1 <= error.line <= text.count("\n") + 1


def test_a_long_list_is_not_parsed_anew_at_each_of_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = 0
    usual = tomllib.loads

    def counted(text: str) -> dict[str, object]:
        nonlocal parsed
        parsed += 1
        return usual(text)

    monkeypatch.setattr(tomllib, "loads", counted)
    rows = "".join(f"  {number}, # of many\n" for number in range(500))
    texts = "x = \"\"\"\na\n\n\"\"\"\ny = '''\n'''\nz = { a = [\n1\n] }\n"
    assert [(each.key, each.line) for each in parse(f"many = [\n{rows}]\n{texts}last = 1\n", ())] == [
        ("many", 1),
        ("x", 503),
        ("y", 507),
        ("z", 509),
        ("last", 512),
    ]
    assert parsed < 30
