"""The documents say what the code says: records, fields, codes, limits, settings, and the links between them."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

import securechat
from securechat.admin.parser import make_parser as admin_parser
from securechat.cli.chat import _parser as client_parser
from securechat.errors import ErrorCode
from securechat.model import Command, Event
from securechat.server.config.flags import parser as server_parser
from securechat.server.config.loading import ServerConfig, read
from securechat.server.config.settings import LIMITS, SETTINGS, Setting
from securechat.storage.sqlite.migrations import MIGRATIONS
from tests.support.locales import translations_tool
from tools import gen_certs, tour
from tools.config_reference import REFERENCE, reference
from tools.limits_table import BEGIN, END, OPERATIONS, table

ROOT = Path(__file__).resolve().parent.parent.parent
tool = translations_tool()
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "certs" / "README.md"]


def sections(part: str) -> dict[str, str]:
    """The record sections of a numbered part of the protocol, by type."""
    body = re.split(r"^## ", PROTOCOL.split(f"\n## {part}")[1], flags=re.MULTILINE)[0]
    pieces = re.split(r"^### `(\w+)`\n", body, flags=re.MULTILINE)
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))


@pytest.mark.parametrize(("part", "union"), [("5. Commands", Command), ("6. Events", Event)])
def test_every_record_is_documented_with_its_fields(part: str, union: Any) -> None:
    documented = sections(part)
    kinds = {kind.__struct_config__.tag: kind for kind in union.__args__}
    assert set(documented) == set(kinds)
    for tag, kind in kinds.items():
        rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", documented[tag], re.MULTILINE)
        fields = msgspec.structs.fields(kind)
        assert [name for name, _ in rows] == [field.encode_name for field in fields], f"the fields of {tag}"
        for (name, description), field in zip(rows, fields, strict=True):
            assert ("default" in description) == (not field.required), f"{tag}.{name}: is it optional?"


def test_every_error_code_is_documented_once() -> None:
    codes = re.findall(r"^\| `(\w+)` \| (closing|refused|closing, refused|neither) \|", PROTOCOL, re.MULTILINE)
    assert [code for code, _ in codes] == [code.value for code in ErrorCode]


def test_the_table_of_limits_is_up_to_date() -> None:
    text = OPERATIONS.read_text(encoding="utf-8")
    assert text.count(BEGIN) == text.count(END) == 1
    current = text.split(BEGIN)[1].split(END)[0].strip()
    assert current == table().strip(), "run: python tools/limits_table.py"


def test_every_table_has_a_bound_and_an_end() -> None:
    """A new table comes with a line that says what it grows with, what bounds it, and what ends it."""
    part = OPERATIONS.read_text(encoding="utf-8").split("## What grows, and what ends it\n")[1].split("\n## ")[0]
    on_disk = part.split("In memory")[0]
    rows = [line.split(" | ") for line in on_disk.splitlines() if line.startswith("| ")]
    assert all(len(row) == 4 for row in rows), "a cell is missing"
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row[0])}
    assert {name for script in MIGRATIONS for name in re.findall(r"CREATE TABLE (\w+)", script)} <= named
    others = {
        "api_tokens",
        "bot_senders",
        "checksum_progress",
        "former_names",
        "gone_files",
        "log_identity",
        "message_keys",
        "outgoing_webhooks",
        "removed_senders",
        "room_bans",
        "room_quota",
    }
    limits = {name for name in re.findall(r"`(\w+)`", part) if "_" in name} - others
    assert limits <= {setting.name for setting in LIMITS}, "a limit that does not exist"


_PASSING = {
    "hub/messages/mentions.py": "one text at a time",
    "net/connector.py": "the client's",
    "net/slow_passes.py": "kinds of work",
    "server/api/routes.py": "the paths that there are",
    "server/config/loading.py": "the start's",
    "server/hooks/rendering.py": "one payload at a time",
    "storage/search/index.py": "one stretch of the sweep",
}
"""Files whose containers need no line: what they hold ends with the call, or is counted by the program itself."""


def test_what_is_kept_in_memory_has_a_bound_and_an_end() -> None:
    """A file with a growing container stands in the table, by its path or, behind another of its folder, its name."""
    part = OPERATIONS.read_text(encoding="utf-8").split("In memory, all of it gone")[1].split("\n## ")[0]
    rows = [line.strip("|").split(" | ") for line in part.splitlines() if line.startswith("| ")]
    assert all(len(row) == 3 and row[1].strip() for row in rows), "a cell is missing"
    named = {name for row in rows for name in re.findall(r"`([\w/]+\.py)`", row[0])}
    kept = re.compile(r"^        self\.\w+: (?:dict|set|list|deque|SimpleQueue)\[", re.MULTILINE)
    product = Path(securechat.__file__).parent
    for folder in ("hub", "net", "server", "storage", "text", "wire"):
        for path in (product / folder).rglob("*.py"):
            relative = path.relative_to(product).as_posix()
            if kept.search(path.read_text(encoding="utf-8")) and relative not in _PASSING:
                assert {relative, path.name} & named, f"{relative}: what it keeps has no line in {OPERATIONS.name}"


def test_the_reference_of_the_configuration_is_up_to_date() -> None:
    assert REFERENCE.read_text(encoding="utf-8") == reference(), "run: python tools/config_reference.py"


def test_the_reference_without_its_comment_signs_is_the_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where a relative path means the same with and without a file
    uncommented = re.sub(r"^#(\w+ = )", r"\1", REFERENCE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    Path("all.toml").write_text(uncommented, encoding="utf-8")
    Path("none.toml").write_text(REFERENCE.read_text(encoding="utf-8"), encoding="utf-8")
    every, none = (read(["--config", name], {}) for name in ("all.toml", "none.toml"))
    assert every.config() == none.config() == ServerConfig()
    assert every.warnings == none.warnings == ()
    names = {setting.name for setting in (*SETTINGS, *LIMITS)}
    assert {name for name, given in every.given.items() if given.origin.place} == names
    assert {name for name, given in none.given.items() if given.origin.place} == set()


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_stands_in_the_operators_table(setting: Setting) -> None:
    text = OPERATIONS.read_text(encoding="utf-8")
    assert re.search(rf"^\| `{setting.name}` \| `{setting.flag}\b.*` \|", text, re.MULTILINE)


PARSERS: dict[str, Callable[[], argparse.ArgumentParser]] = {
    "securechat-server": server_parser,
    "securechat-client": client_parser,
    "securechat-admin": admin_parser,
    "tools/gen_certs.py": gen_certs.build_parser,
    "tools/dev.py serve": server_parser,
    "tools/dev.py chat": client_parser,
    "tools/dev.py admin": admin_parser,
    "tools/dev.py certs": gen_certs.build_parser,
}
PROGRAM = re.compile(r"(?:securechat-(?:server|client|admin)|tools/gen_certs\.py|tools/dev\.py(?: \w+)?)(?= |$)")


def commands_in(text: str) -> Iterator[str]:
    """The commands of a document, from the program's name on: in code spans, indented lines and fenced blocks."""
    spans = re.findall(r"`([^`\n]+)`", text)
    lines = [line for line in text.splitlines() if re.match(r"    |\$ |   python3", line)]
    for piece in (*spans, *lines):
        shown = re.sub(r"\$\([^)]*\)", "X", piece)  # what a shell puts in
        shown = re.split(r"\s{3,}(?=\S)|\s[|#>&]+\s|`", shown.strip().removeprefix("$ "))[0]
        if found := PROGRAM.search(shown):
            yield shown[found.start() :]


def expect_command(command: str) -> None:
    """Have the program's own parser read it."""
    found = PROGRAM.match(command)
    assert found is not None
    program, words = found[0], shlex.split(command[found.end() :])
    if program.startswith("tools/dev.py "):
        assert program in PARSERS or program == "tools/dev.py test", command
    words = ["1" if word == "N" else word for word in words if word not in ("...", "…")]
    if program not in PARSERS or not words:
        return
    if len(words) == 1:
        words.append("--help")  # the name of a subcommand alone, in a sentence
    try:
        PARSERS[program]().parse_args(words)
    except SystemExit as end:
        assert end.code == 0, command  # --help and --version end well


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_that_is_shown_exists(path: Path) -> None:
    for command in commands_in(path.read_text(encoding="utf-8")):
        expect_command(command)


@pytest.mark.parametrize(
    "command", ["securechat-admin promote ann", "tools/dev.py certificates", "tools/gen_certs.py --user x"]
)
def test_a_command_that_does_not_exist_is_found(command: str) -> None:
    for shown in (f"see `python3 {command}`", f"do:\n\n    {command}   what for\n"):
        (found,) = commands_in(shown)
        with pytest.raises(AssertionError):
            expect_command(found)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    headings = {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("#"):
            assert target[1:] in headings, f"{path.name}: no heading for {target}"
        elif "://" not in target:
            assert (path.parent / target.partition("#")[0]).exists(), f"{path.name}: {target} does not exist"


# --- Documents in two languages -----------------------------------------------------------------------------------

SAMPLE_WORDS = {"NAMA": "NAME", "halo": "hello", "ya": "yes"}
"""What a reader types in Bahasa Indonesia, and in English."""
SECTIONS = {
    "What it looks like": "Seperti apa bentuknya",
    "Keep your name": "Simpan namamu",
    "Keep strangers out": "Batasi siapa yang masuk",
    "What it promises": "Yang dijanjikan",
    "What it does not do": "Yang tidak dilakukan",
    "Installing it for good": "Memasang untuk seterusnya",
}
"""The headings of README.md that README.id.md has, too."""


def code_in(text: str) -> list[str]:
    """The commands and names of a document, in order: code spans and indented lines, without what a line explains."""
    fences = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    found = re.findall(r"^ {4}(\S.*)$|`([^`\n]+)`", fences, re.MULTILINE)
    shown = (re.split(r" {3,}", line or span)[0] for line, span in found)
    return [re.sub(r"\w+", lambda word: SAMPLE_WORDS.get(word[0], word[0]), each) for each in shown]


def sections_of(path: Path) -> dict[str, str]:
    """The text below each heading of a document."""
    first, *pieces = re.split(r"^## (.*)\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {"": first, **dict(zip(pieces[::2], pieces[1::2], strict=True))}


def shown_lines(text: str) -> list[str]:
    """The lines of the recorded sessions of the client, without what its users said."""
    sessions = re.findall(r"^```\n((?:\$ python3 tools/dev.py chat|>>).*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [line for session in sessions for line in session.splitlines() if not re.match(r"\d\d:\d\d ", line)]


def translation_of(said: str) -> str | None:
    """What the catalogue makes of an English line; None where it does not have all of its sentences."""
    mark, text = said[:3] if said.startswith("-- ") else "", said.removeprefix("-- ")
    whole = [found for each in _indonesian() if (found := each.filled_in(text)) is not None]
    if whole:
        return f"{mark}{max(whole)[1]}"
    first, dot, rest = text.partition(". ")
    parts = [translation_of(part) for part in (first, rest)] if dot else [None]
    return None if None in parts else f"{mark}{'. '.join(part for part in parts if part is not None)}"


@dataclass(frozen=True)
class _Entry:
    """What matches the English text of an entry, how many letters of that are its own, and the translation."""

    pattern: re.Pattern[str]
    letters: int
    string: str

    def filled_in(self, text: str) -> tuple[int, str] | None:
        """The translation with the arguments that make the English text this one.

        Before it stands how many letters are the entry's own: the one with the most is meant.
        """
        if (found := self.pattern.fullmatch(text)) is None:
            return None
        return self.letters, re.sub(r"\{(\w+)(?::\w+)?\}", lambda field: found[field[1]], self.string)


@cache
def _indonesian() -> list[_Entry]:
    """Read once, because each of its patterns is tried on each line."""
    found = []
    for message in tool.entries(tool.read("id")):
        if isinstance(message.id, tuple) or not message.string:
            continue
        pieces = re.split(r"\{(\w+)(?::\w+)?\}", message.id.rstrip())  # a question ends with a blank
        letters = sum(map(str.isalpha, "".join(pieces[::2])))
        if letters < 4 or len(pieces[1::2]) != len(set(pieces[1::2])):
            continue
        parts = (rf"(?P<{each}>(?:(?!\. ).)+?)" if at % 2 else re.escape(each) for at, each in enumerate(pieces))
        found.append(_Entry(re.compile("".join(parts)), letters, message.string.rstrip()))
    return found


def test_the_quick_start_has_the_same_commands_in_both_languages() -> None:
    english, indonesian = (ROOT / "docs" / name for name in ("quickstart.md", "mulai-cepat.md"))
    commands = code_in(english.read_text(encoding="utf-8"))
    assert len(commands) > 25
    assert code_in(indonesian.read_text(encoding="utf-8")) == commands


@pytest.mark.parametrize(
    ("one", "other"), [("docs/quickstart.md", "docs/mulai-cepat.md"), ("README.md", "README.id.md")]
)
def test_each_language_links_to_the_other_at_once(one: str, other: str) -> None:
    for path, twin in ((one, other), (other, one)):
        top = (ROOT / path).read_text(encoding="utf-8").splitlines()[:3]
        assert any(f"({Path(twin).name})" in line for line in top), path


def test_what_both_readmes_have_has_the_same_commands() -> None:
    english, indonesian = sections_of(ROOT / "README.md"), sections_of(ROOT / "README.id.md")
    for heading, twin in SECTIONS.items():
        if heading != "What it looks like":
            assert code_in(indonesian[twin]) == code_in(english[heading]), twin
    assert code_in(english[""])[:2] == code_in(indonesian[""])[:2]


def test_both_readmes_show_the_same_session() -> None:
    """Line by line; what the catalogue has in English it has in Bahasa Indonesia as the other file shows it."""
    english, indonesian = sections_of(ROOT / "README.md"), sections_of(ROOT / "README.id.md")
    pairs = [
        pair
        for heading in ("What it looks like", "Keep your name")
        for pair in zip(shown_lines(english[heading]), shown_lines(indonesian[SECTIONS[heading]]), strict=True)
    ]
    assert len(pairs) > 15
    for said, translated in pairs:
        if said.startswith(("$ ", ">> ")):
            assert said == translated
        elif (wanted := translation_of(said)) is not None:
            assert translated == wanted.replace("did it work?", "sudah jadi?")  # what Ana typed


def test_the_tour_is_up_to_date() -> None:
    text = (ROOT / "docs" / "tour.md").read_text(encoding="utf-8")
    assert text.count(tour.BEGIN) == text.count(tour.END) == 1
    assert text.split(tour.BEGIN)[1].split(tour.END)[0].strip() == tour.listing(), "run: python tools/tour.py"


def test_the_tour_leads_through_files_that_exist() -> None:
    paths = (ROOT / "docs" / "tour.md").read_text(encoding="utf-8").split(tour.BEGIN)[0]
    named = re.findall(r"`(securechat/[\w/.]+\.py)`", paths)
    assert len(named) > 30
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_tour_has_every_folder() -> None:
    folders = {path.parent.relative_to(ROOT / "securechat").as_posix() for path in (ROOT / "securechat").rglob("*.py")}
    assert folders == set(tour.FOLDERS)
