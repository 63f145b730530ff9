"""The language of each program, as real processes: English where no other is to be had, and that is said once.

Looked through: a locale that does not exist, a language without a translation, a catalogue that is cut off, damaged,
absent, or has a few texts only; for the server, the client, the operator's tool, the certificate tool and tools/dev.py.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from securechat.client.catalogue.connection import name_refused
from securechat.client.exit_codes import ClientExit
from securechat.client.local_store import LocalStore
from securechat.errors import ErrorCode
from securechat.translation import LANGUAGES, use
from tests.support import warm
from tests.support.client import CLIENT, PATIENCE_S, ROOT, at, run_client
from tests.support.locales import all_texts, translations_tool, write_catalogue, write_raw_catalogue
from tests.support.native import NativeClient
from tests.support.server import ServerProcess

pytestmark = pytest.mark.not_pseudo("chooses the languages itself")

PROGRAMS = {
    "server": [sys.executable, "-m", "securechat.cli.serve"],
    "client": CLIENT,
    "admin": [sys.executable, "-m", "securechat.cli.admin"],
    "gen_certs": [sys.executable, str(ROOT / "tools" / "gen_certs.py")],
}
"""Those that the installed package and a checkout start; tools/dev.py has tests of its own."""
COMMAND = {"admin": ["status"]}
"""What a program needs before it looks at its flags."""
DEV = [sys.executable, str(ROOT / "tools" / "dev.py")]
UNKNOWN = "There is no translation called xx. Languages: en (English), id (Bahasa Indonesia)"


def helped(program: list[str], *flags: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Ask a program for its help in an environment of these variables."""
    return asked(program, *flags, "--help", **env)


def asked(program: list[str], *flags: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a program in an environment of these variables."""
    usual = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "SECURECHAT_"))}
    whole = {**usual, "PYTHONUTF8": "1", "COLUMNS": "100", "SECURECHAT_STATE": "", **env}
    return warm.run([*program, *flags], text="", timeout=PATIENCE_S, cwd=ROOT, env=whole)


def catalogue_path(folder: Path) -> Path:
    return folder / "id" / "LC_MESSAGES" / "securechat.mo"


@pytest.fixture(scope="module")
def english() -> dict[str, str]:
    """The help of each program in English."""
    return {name: helped(program).stdout for name, program in PROGRAMS.items()}


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize(
    "env",
    [
        {"LANG": "xx_YY.UTF-8"},
        {"LC_ALL": "no such locale"},
        {"LANG": "de_DE.UTF-8", "LANGUAGE": "fr:de"},
        {"LANG": "../../../etc"},
        {"LANG": "C.UTF-8", "SECURECHAT_LANG": ""},
    ],
    ids=str,
)
def test_a_system_in_a_language_without_a_translation_gets_english_without_a_word(
    program: str, env: dict[str, str], english: dict[str, str]
) -> None:
    done = helped(PROGRAMS[program], **env)
    assert (done.returncode, done.stdout, done.stderr) == (0, english[program], "")


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_language_that_was_asked_for_and_does_not_exist_is_named_once(program: str, english: dict[str, str]) -> None:
    done = helped(PROGRAMS[program], SECURECHAT_LANG="xx", LANG="id_ID.UTF-8")
    assert (done.returncode, done.stdout) == (0, english[program])
    assert done.stderr.partition(": ")[2] == f"{UNKNOWN}\n"


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_flag_that_names_no_language_is_refused_by_its_name(program: str) -> None:
    done = asked(PROGRAMS[program], "--lang", "xx", LANG="id_ID.UTF-8")
    assert (done.returncode != 0, done.stdout) == (True, "")
    assert done.stderr.count("xx") == 1
    assert UNKNOWN in done.stderr


def _half(whole: bytes) -> bytes:
    return whole[: len(whole) // 2]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "half": _half,
    "no catalogue": lambda _whole: b"no catalogue",
    "empty": lambda _whole: b"",
    "absent": lambda whole: whole,
}


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_catalogue_that_cannot_be_read_is_named_once(
    program: str, damage: str, tmp_path: Path, english: dict[str, str]
) -> None:
    path = catalogue_path(tmp_path)
    path.parent.mkdir(parents=True)
    if damage != "absent":
        path.write_bytes(DAMAGES[damage]((ROOT / "securechat" / "locale" / path.relative_to(tmp_path)).read_bytes()))
    done = helped(PROGRAMS[program], SECURECHAT_LANG="id", SECURECHAT_LOCALE_DIR=str(tmp_path))
    assert (done.returncode, done.stdout) == (0, english[program])
    assert done.stderr.count("\n") == done.stderr.count(str(path)) == 1
    assert done.stderr.endswith("English is used\n")


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_catalogue_with_a_few_texts_gives_those_and_english_without_a_word(
    program: str, tmp_path: Path, english: dict[str, str]
) -> None:
    write_catalogue(tmp_path, "id", {"usage: ": "PAKAI "})
    done = helped(PROGRAMS[program], SECURECHAT_LANG="id", SECURECHAT_LOCALE_DIR=str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert _words(done.stdout) == _words(english[program].replace("usage: ", "PAKAI ", 1))


HOSTILE: dict[str, Callable[[str], str]] = {
    "control characters": lambda text: f"\x1b[31m\n{text}",
    "nothing": lambda _text: "",
    "percent fields": lambda text: f"{text} %s %d %",
    "other fields": lambda text: f"{text.replace('{', '{no.__class__')} {{x.__class__}} %d",
}


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_catalogue_whose_translations_do_not_fit_gives_english(
    program: str, hostile: str, tmp_path: Path, english: dict[str, str]
) -> None:
    texts = {key: "\0".join(map(HOSTILE[hostile], text.split("\0"))) for key, text in all_texts().items()}
    write_raw_catalogue(tmp_path, texts, "nplurals=2; plural=n%0")
    env = {"SECURECHAT_LANG": "id", "SECURECHAT_LOCALE_DIR": str(tmp_path)}
    done = helped(PROGRAMS[program], **env)
    assert (done.returncode, done.stdout, done.stderr) == (0, english[program], "")
    wrong = asked(PROGRAMS[program], *COMMAND.get(program, []), "--no-such-flag", **env)
    assert wrong.returncode != 0
    assert "--no-such-flag" in wrong.stderr
    assert [word for word in ("Traceback", "\x1b", "__class__") if word in wrong.stderr] == []


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes with names")
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_catalogue_that_is_a_pipe_is_not_waited_for(program: str, tmp_path: Path, english: dict[str, str]) -> None:
    path = catalogue_path(tmp_path)
    path.parent.mkdir(parents=True)
    os.mkfifo(path)
    done = helped(PROGRAMS[program], SECURECHAT_LANG="id", SECURECHAT_LOCALE_DIR=str(tmp_path))
    assert (done.returncode, done.stdout) == (0, english[program])
    assert done.stderr.endswith(f"The translation {path} cannot be used: it is no file. English is used\n")


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("name", ["a\nb", "a\x1b[31m\x1b]0;x\x07", "z" * 60_000], ids=["newline", "escape", "long"])
def test_what_is_no_language_is_shown_safely_on_one_line(program: str, name: str) -> None:
    for done in (helped(PROGRAMS[program], SECURECHAT_LANG=name), asked(PROGRAMS[program], "--lang", name)):
        said = done.stderr.splitlines()[-1]
        assert "There is no translation called" in said
        assert len(said) < 400
        assert said.isprintable()
    shown = helped(PROGRAMS[program], SECURECHAT_LANG=name).stderr
    assert shown.count("\n") == 1


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[31m", "z" * 60_000], ids=["newline", "escape", "long"])
def test_a_language_that_was_remembered_wrong_is_shown_safely(
    name: str, tmp_path: Path, english: dict[str, str]
) -> None:
    LocalStore(tmp_path).keep_language(name)
    done = helped(CLIENT, SECURECHAT_STATE=str(tmp_path))
    assert (done.returncode, done.stdout) == (0, english["client"])
    (said,) = done.stderr.splitlines()
    assert "There is no translation called" in said
    assert len(said) < 400
    assert said.isprintable()


@pytest.mark.parametrize("program", PROGRAMS)
def test_no_flag_is_abbreviated(program: str) -> None:
    command = COMMAND.get(program, [])
    for words in (["--lan", "id", *command], [*command, "--lan", "id"]):
        done = asked(PROGRAMS[program], *words, LANG="en")
        assert (done.returncode != 0, done.stdout) == (True, "")
        assert "error: " in done.stderr


def test_the_operators_tool_takes_the_language_of_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "securechat.toml"
    flags = ["status", "--config", str(file), "--data", str(tmp_path / "none")]
    file.write_text("", encoding="utf-8")
    english = asked(PROGRAMS["admin"], *flags)
    file.write_text('lang = "id"\n', encoding="utf-8")
    indonesian = asked(PROGRAMS["admin"], *flags)
    assert indonesian.returncode == english.returncode
    assert "Tidak ada" in indonesian.stderr
    assert asked(PROGRAMS["admin"], *flags, "--lang", "en").stderr == english.stderr
    assert asked(PROGRAMS["admin"], *flags, "--json").stdout == asked(PROGRAMS["admin"], *flags, "--json").stdout
    file.write_text('lang = "xx"\n', encoding="utf-8")
    warned = asked(PROGRAMS["admin"], *flags)
    assert warned.returncode == english.returncode
    assert warned.stderr == f"securechat-admin: warning: {file}:1: lang: {UNKNOWN}\n{english.stderr}"
    assert asked(PROGRAMS["admin"], *flags, "--lang", "id").stderr.endswith(indonesian.stderr)
    file.write_text('lang = "xx"\nport = 1.5\n', encoding="utf-8")
    assert ":2: port: must be" in asked(PROGRAMS["admin"], *flags).stderr


def test_a_checked_configuration_says_once_what_is_no_language(certs: Path, tmp_path: Path) -> None:
    flags = ["--check-config", "--cert", str(certs / "server.pem"), "--data", str(tmp_path)]
    done = asked(PROGRAMS["server"], *flags, SECURECHAT_LANG="xx")
    assert (done.returncode, done.stderr.count("xx")) == (0, 1)
    assert UNKNOWN in done.stderr
    file = tmp_path / "securechat.toml"
    file.write_text('lang = "xx"\n', encoding="utf-8")
    done = asked(PROGRAMS["server"], *flags, "--config", str(file))
    assert (done.returncode != 0, done.stderr.count("called xx")) == (True, 1)


def _words(text: str) -> list[str]:
    return text.split()


@pytest.mark.parametrize("program", PROGRAMS)
def test_each_way_to_ask_for_indonesian_gives_the_same(program: str) -> None:
    shown = [
        helped(PROGRAMS[program], **env)
        for env in (
            {"LANG": "id_ID.UTF-8"},
            {"SECURECHAT_LANG": "id", "LANG": "en"},
            {"LC_ALL": "id_ID.UTF-8"},
        )
    ]
    shown.append(helped(PROGRAMS[program], "--lang", "id", SECURECHAT_LANG="en"))
    assert [(done.returncode, done.stderr) for done in shown] == [(0, "")] * 4
    assert len({done.stdout for done in shown}) == 1


def test_the_server_says_it_once_though_it_reads_its_configuration_later(certs: Path, tmp_path: Path) -> None:
    """The setting ``lang`` is read from the same variable, and is chosen from again."""
    path = catalogue_path(tmp_path / "locale")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    env = {"SECURECHAT_LANG": "id", "SECURECHAT_LOCALE_DIR": str(tmp_path / "locale")}
    with ServerProcess(certs, tmp_path / "data", env=env).start() as server:
        assert server.stop() == 0
        assert server.stderr.count(str(path)) == 1


def test_a_server_and_a_client_in_two_languages_get_on(certs: Path, tmp_path: Path) -> None:
    """The operator's log and JSON stay English; each person reads their own language."""
    configuration = tmp_path / "securechat.toml"
    configuration.write_text('lang = "id"\n', encoding="utf-8")
    flags = ["--config", str(configuration)]
    with ServerProcess(certs, tmp_path / "data", *flags).start() as server, NativeClient(server.port, server.ca) as ann:
        ann.hello("ann")
        ann.say_acked("hello")
        for language in LANGUAGES:
            env = {**os.environ, "SECURECHAT_LANG": language}
            done = run_client(*at(server, "--name", "ann", "--send", "--wait", "0"), stdin="x\n", env=env)
            assert done.returncode == ClientExit.NAME_TAKEN
            use(language)
            expected = name_refused("ann", "", ErrorCode.NAME_IN_USE)
            use("en")
            assert expected in done.stderr
            heard = run_client(*at(server, "--tail", "--json", "--history", "1"), env=env, stop_after=1)
            assert json.loads(heard.stdout)
        assert {event["event"] for event in server.events()} >= {"listening", "connected"}


# --- tools/dev.py -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "env",
    [
        {"LANG": "xx_YY.UTF-8"},
        {"SECURECHAT_LANG": "xx"},
        {"SECURECHAT_LANG": "../.."},
        {"SECURECHAT_LANG": "id", "SECURECHAT_LOCALE_DIR": "/nowhere"},
    ],
    ids=str,
)
def test_dev_py_starts_in_every_environment(env: dict[str, str]) -> None:
    """It reads the source of the catalogues, because nothing is compiled before the first set-up."""
    done = helped(DEV, **env)
    assert (done.returncode, done.stderr) == (0, "")
    assert "tools/dev.py" in done.stdout


def test_dev_py_survives_a_catalogue_that_is_cut_off(tmp_path: Path) -> None:
    """A checkout whose catalogue is half written, as a pull that was interrupted leaves it."""
    (tmp_path / "tools").mkdir()
    for name in ("tools/dev.py", "pyproject.toml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    for path in (ROOT / "securechat" / "translation").glob("*.py"):
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    (tmp_path / "securechat" / "__init__.py").touch()
    source = translations_tool().catalogue_path("id")
    copy = tmp_path / source.relative_to(ROOT)
    copy.parent.mkdir(parents=True)
    whole = source.read_bytes()
    for content in (_half(whole), whole[: whole.rindex(b'msgstr "') + 12], b"", b"\xff\xfe", b'msgid "a\n'):
        copy.write_bytes(content)
        done = helped([sys.executable, str(tmp_path / "tools" / "dev.py")], SECURECHAT_LANG="id")
        assert done.returncode == 0, done.stderr
        assert done.stderr in ("", f"dev: The translation {copy} cannot be read. English is used\n")
        assert "tools/dev.py" in done.stdout
