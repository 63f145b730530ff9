"""Class names consist of the words of docs/glossary.md, and no two public classes share one."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
TERMS, _rest = GLOSSARY.split("## Plain words")
PLAIN, INDONESIAN = _rest.split("## Words in Bahasa Indonesia")
OLD_WORDS = re.compile(
    r"\b(?:Desk|Door|Floor|Steward|Scribe|Tiding|Tidings|Deed|Deeds|Hush|Happening|Place|Places|Entrance|Chronicle|Fanout|Farewell|"
    r"Wish|Whisper|Attendance|Rulebook)\b"
)

LIBRARY = "securechat/bot/"


def words_of(name: str) -> list[str]:
    """The words of a CamelCase name; a run of capitals is one word."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z][a-z0-9]*|[A-Z]+", name)]


def classes() -> dict[str, list[str]]:
    """Every public class and type alias of the product, and the files that define it."""
    found = defaultdict(list)
    for path in sorted((ROOT / "securechat").rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            match node:
                case ast.ClassDef(name=name):
                    pass
                case ast.AnnAssign(target=ast.Name(id=name), annotation=ast.Name(id="TypeAlias")):
                    pass
                case _:
                    continue
            if not name.startswith("_"):
                found[name].append(str(path.relative_to(ROOT)))
    return found


def vocabulary() -> set[str]:
    terms = re.findall(r"^\| ([\w ]+) \|", TERMS, re.MULTILINE)
    plain = PLAIN.split("needs it.")[1]
    words = {word.lower() for text in (*terms, plain) for word in re.findall(r"\w+", text)}
    return words | {form for word in words for form in (f"{word}s", f"{word[:-1]}ies" if word.endswith("y") else word)}


def test_class_names_consist_of_words_of_the_glossary() -> None:
    known = vocabulary()
    strange = {name: unknown for name in classes() if (unknown := [w for w in words_of(name) if w not in known])}
    assert not strange, "say it with the glossary's words, or add the word to it"


def test_no_two_public_classes_share_a_name() -> None:
    """But for the names of `securechat.bot`: a program that uses the library sees no other records."""
    found = {name: [file for file in files if not file.startswith(LIBRARY)] for name, files in classes().items()}
    assert {name: files for name, files in found.items() if len(files) > 1} == {}


def test_the_words_of_before_are_gone_from_class_names() -> None:
    assert [name for name in classes() if OLD_WORDS.search(re.sub(r"(?<!^)(?=[A-Z])", " ", name))] == []


def test_terms_live_where_the_glossary_says() -> None:
    rows = re.findall(r"^\| [\w ]+ \| .*? \| (.*?) \| .*? \|$", TERMS, re.MULTILINE)
    paths = [path for row in rows for path in re.findall(r"`([\w/]+(?:\.py)?)`", row) if "/" in path or "." in path]
    assert len(paths) > 50
    assert [path for path in paths if not (ROOT / "securechat" / path).exists()] == []


def test_every_term_has_its_row_once() -> None:
    terms = re.findall(r"^\| ([\w ]+) \|", TERMS, re.MULTILINE)[1:]
    assert len(terms) == len(set(terms)) >= 40


def test_plain_words_are_one_alphabetical_list() -> None:
    words = PLAIN.split("needs it.")[1].split()
    assert words == sorted(set(words)), "put a new word where the alphabet has it; a merge may have doubled a line"
