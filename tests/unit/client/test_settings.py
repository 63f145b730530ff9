"""The client's settings: three sources over defaults, a file that never stops the client, and TOML that reads back."""

from __future__ import annotations

import errno
import os
import tomllib
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import fields

from securechat.cli.chat import _parser, main
from securechat.client.catalogue.settings import SETTING_WORDS, UNSET_WORDS
from securechat.client.exit_codes import ClientExit
from securechat.client.settings_file import CONFIG_VARIABLE, read_settings, settings_language, settings_path
from securechat.client.ui.input.ui_actions import ACTION_OF, KeyboardFocus, KeyTable
from securechat.client.ui.settings import (
    CLIENT_SETTINGS,
    TABLES,
    THEME_WORDS,
    ClientSettings,
    LoadedSettings,
    load_settings,
    printed_settings,
    settings_reference,
    settings_theme,
)
from securechat.client.ui.themes import ColorDepth, ThemeName
from securechat.server.config import loading
from securechat.toml_file import parse
from securechat.translation import translated, use
from tools import client_reference

TRUE = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}


def of_file(text: str, flags: dict[str, object] | None = None, environ: dict[str, str] | None = None) -> LoadedSettings:
    return load_settings(flags or {}, environ or {}, parse(text, TABLES), "client.toml")


def test_the_table_has_each_setting_once_with_words_and_a_default() -> None:
    names = [setting.name for setting in CLIENT_SETTINGS]
    assert names == [field.name for field in fields(ClientSettings)]
    assert set(names) == set(SETTING_WORDS)
    assert set(UNSET_WORDS) <= set(names)
    for setting in CLIENT_SETTINGS:
        assert getattr(ClientSettings(), setting.name) == setting.default
    assert load_settings({}, {}).settings == ClientSettings()
    assert [setting.name for setting in CLIENT_SETTINGS[-len(TABLES) :]] == ["notify", "keys"], "tables stand last"


def test_a_flag_wins_over_its_variable_and_that_over_the_file() -> None:
    text, environ = (
        'theme = "dark"\nmouse = false\nnumbers = true',
        {"SECURECHAT_THEME": "light", "SECURECHAT_MOUSE": ""},
    )
    loaded = of_file(text, {"theme": "contrast", "numbers": None}, environ)
    assert (loaded.settings.theme, loaded.settings.mouse, loaded.settings.numbers) == ("contrast", False, True)
    assert loaded.origins == {"theme": "--theme", "mouse": "client.toml, line 2", "numbers": "client.toml, line 3"}
    assert of_file(text, {}, environ).settings.theme == "light"
    assert of_file(text, {"mouse": True}).settings.mouse is True
    assert not loaded.problems
    assert loaded.file_problem is None


@pytest.mark.parametrize(
    ("variable", "value", "name", "expected"),
    [
        ("SECURECHAT_PLAIN", "1", "plain", True),
        ("SECURECHAT_MOUSE", "off", "mouse", False),
        ("SECURECHAT_NOTIFICATIONS", "bell", "notifications", "bell"),
        ("SECURECHAT_EDITOR", "nano -w", "editor", "nano -w"),
        ("SECURECHAT_LANG", "id_ID", "lang", "id"),
        ("SECURECHAT_LANG", "tlh", "lang", ""),  # told where the language is chosen
        ("SECURECHAT_NOTIFY", "Ops=none; @Ana=all", "notify", {"#ops": "none", "@ana": "all"}),
        ("SECURECHAT_KEYS", "next_unread=Alt+N F7;numbers=", "keys", {"next_unread": ("Alt+N", "F7"), "numbers": ()}),
    ],
)
def test_every_kind_can_be_a_variable(variable: str, value: str, name: str, expected: Any) -> None:
    loaded = load_settings({}, {variable: value})
    assert getattr(loaded.settings, name) == expected
    assert not loaded.problems


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('theme = "blue"', "theme is auto or dark or light or contrast or terminal or none, and not blue"),
        ('mouse = "off"', "mouse is true or false, and not off"),
        ("editor = 7", "editor is a text in quotes"),
        ('editor = "\\u001b[2J"', "editor is a text in quotes"),
        ('lang = "tlh"', "lang is en or id, and not tlh"),
        ('colour = "never"', "there is no setting colour; color is one"),
        ("wide = 1", "there is no setting wide"),
        ("keys = 1", "keys is a table: write [keys], and its lines below it"),
        ('[notify]\nops = "sometimes"', "ops is all or mentions or none, and not sometimes"),
        ('[keys]\nswich = "F3"', "there is no action swich; switch is one"),
        ('[keys]\nflying = "F3"', "there is no action flying; docs/keys.md lists them"),
        ("[keys]\nswitch = [3]", 'the keys of switch are a list of texts: ["F7", "Alt+N"]'),
        ('[keys]\nswitch = "Ctrl+S"', "Ctrl+S is kept by the terminal or by line editing"),
        ('[keys]\nswitch = "Hyper+S"', "Hyper+S is no key that a terminal reports"),
        ('[keys]\nswitch = "g"', "g types a character where switch holds"),
        ('[keys]\nreply = ["F3", "e"]', "e is a key of edit"),
    ],
)
def test_a_line_that_cannot_be_used_is_told_with_its_place(line: str, told: str) -> None:
    loaded = of_file(f"numbers = true\n{line}")
    number = 2 + line.count("\n")
    assert loaded.file_problem == f"client.toml:{number}: {told}. The default is used"
    assert loaded.settings == ClientSettings(numbers=True), "the other lines hold"
    assert not loaded.problems


def test_several_broken_lines_are_one_sentence() -> None:
    loaded = of_file('theme = "blue"\nwide = 1\nmembers = 3')
    assert str(loaded.file_problem).endswith("blue. Defaults are used there, and in 2 other lines")
    use("id")
    try:
        assert loaded.file_problem is not None
        assert translated(loaded.file_problem).endswith("Nilai bawaan dipakai di sana, dan di 2 baris lain")
    finally:
        use("en")


def test_keys_that_can_be_used_hold_beside_those_that_cannot() -> None:
    loaded = of_file('[keys]\nreply = ["e"]\nedit = ["r"]\nquote = ["Ctrl+S"]\nopen_link = ["y"]')
    assert loaded.settings.keys == {"reply": ("e",), "edit": ("r",)}
    assert len(loaded.file_problems) == 2
    table = KeyTable(loaded.settings.keys)
    assert table.action("e", KeyboardFocus.MESSAGE) is ACTION_OF["reply"]


@pytest.mark.parametrize(
    ("flags", "environ", "told"),
    [
        ({}, {"SECURECHAT_PICTURES": "iterm"}, "SECURECHAT_PICTURES is off or kitty or sixel, and not iterm"),
        ({}, {"SECURECHAT_PLAIN": "maybe"}, "SECURECHAT_PLAIN is on or off, and not maybe"),
        ({"keys": ["switch=Ctrl+S"]}, {}, "--keys: Ctrl+S is kept by the terminal or by line editing"),
        ({"notify": ["ops"]}, {}, "--notify: ops lacks an equals sign: write NAME=VALUE"),
        ({}, {"SECURECHAT_THEME": "\x1b]0;x\x07"}, "theme"),
    ],
)
def test_a_wrong_variable_or_flag_is_an_error(flags: dict[str, object], environ: dict[str, str], told: str) -> None:
    loaded = load_settings(flags, environ)
    assert len(loaded.problems) == 1
    assert told in loaded.problems[0] or "SECURECHAT_THEME" in loaded.problems[0]
    assert loaded.problems[0].isprintable()
    assert not loaded.file_problems


def test_what_is_printed_reads_back() -> None:
    loaded = of_file(
        'theme = "light"\neditor = "vi \\"x\\""\n[notify]\n"#a\'b" = "all"\n[keys]\nhelp = ["F1", "h"]\nnumbers = []'
    )
    printed = printed_settings(loaded, "/tmp/a\u202eb.toml")
    assert of_file(printed).settings == loaded.settings
    assert "client.toml, line 1" in printed
    assert all(line.isprintable() for line in printed.splitlines())


def test_the_reference_is_up_to_date_and_holds_without_its_marks() -> None:
    assert client_reference.REFERENCE.read_text(encoding="utf-8") == settings_reference(), (
        "run: python tools/client_reference.py"
    )
    assert tomllib.loads(settings_reference()) == {}
    lines = [line for line in settings_reference().splitlines() if not line.startswith("# ")]
    bare = "\n".join(line.removeprefix("#") for line in lines)
    loaded = of_file(bare)
    assert not loaded.file_problems
    examples = {"notify": {"#ops": "all"}, "keys": {"next_unread": ("Alt+A", "F7")}}
    assert loaded.settings == ClientSettings(**examples)
    for setting in CLIENT_SETTINGS:
        assert f"Flag {setting.flag} " in settings_reference()
        assert setting.variable in settings_reference()


def test_every_setting_is_a_flag_and_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        _parser().parse_args(["--help"])
    shown = capfd.readouterr().out
    for setting in CLIENT_SETTINGS:
        assert setting.flag in shown
    printed = tomllib.loads(printed_settings(load_settings({}, {}), "x.toml"))
    assert set(printed) == {setting.name for setting in CLIENT_SETTINGS}
    more = of_file('mouse = false\n[notify]\nops = "all"\n[keys]\nswitch = []')
    assert tomllib.loads(printed_settings(more, "x.toml")) == {
        **printed,
        "mouse": False,
        "notify": {"#ops": "all"},
        "keys": {"switch": []},
    }


def test_the_server_knows_the_variables_of_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {setting.variable: "x" for setting in CLIENT_SETTINGS if setting.name != "lang"} | {CONFIG_VARIABLE: "x"}
    assert loading.read([], environ).warnings == ()


# --- the file ---


def test_the_file_is_in_the_users_folder_or_where_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    usual = settings_path(None, {})
    assert usual is not None
    assert usual.name == "client.toml"
    assert settings_path(None, {CONFIG_VARIABLE: "/etc/x.toml"}) == Path("/etc/x.toml")
    assert settings_path("y.toml", {CONFIG_VARIABLE: "/etc/x.toml"}) == Path("y.toml")
    assert settings_path(None, {CONFIG_VARIABLE: ""}) is None
    assert settings_path(None, {"HOME": ""}) is None


def test_a_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "client.toml"
    file.write_bytes(b'\xef\xbb\xbflang = "id"\r\ntheme = "light"\r\n')
    loaded = read_settings({}, str(file), {})
    assert (loaded.settings.theme, loaded.settings.lang, loaded.file_problem) == ("light", "id", None)
    assert settings_language([], {CONFIG_VARIABLE: str(file)}) == "id"
    assert settings_language(["--config", str(file), "localhost"], {}) == "id"
    assert settings_language([f"--config={file}"], {CONFIG_VARIABLE: "/elsewhere"}) == "id"


@pytest.mark.parametrize(
    ("content", "line"), [(b"theme = \n", 1), (b'numbers = true\n"', 2), (b"numbers = true\n\xff", 2), (b"\0", 1)]
)
def test_a_broken_file_is_told_with_its_line_and_the_defaults_hold(tmp_path: Path, content: bytes, line: int) -> None:
    file = tmp_path / "client.toml"
    file.write_bytes(content)
    loaded = read_settings({"reader": True}, None, {CONFIG_VARIABLE: str(file)})
    assert str(loaded.file_problem).startswith(f"{file}:{line}: ")
    assert loaded.settings == ClientSettings(reader=True)


def test_a_file_that_cannot_be_read_is_told_and_one_that_is_not_there_is_not(tmp_path: Path) -> None:
    for each in (tmp_path, tmp_path / "none.toml"):
        told = str(read_settings({}, str(each), {}).file_problem)
        assert told.startswith(f"{each} cannot be read")
        assert told.count(str(each)) == 1
    deep = tmp_path / "deep.toml"
    deep.write_text("a = " + "[" * 10_000, encoding="utf-8")
    assert str(read_settings({}, str(deep), {}).file_problem).startswith(f"{deep}")


def test_a_user_without_a_file_has_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_CONFIG_HOME", "HOME", "APPDATA", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path))
    assert read_settings({}, None, {}) == load_settings({}, {})


@pytest.mark.parametrize("error", [errno.EACCES, errno.ELOOP, errno.EIO])
def test_a_usual_file_that_cannot_be_looked_at_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    path = settings_path(None, {})
    assert path is not None
    usual = Path.stat

    def refused(self: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if self == path:
            raise OSError(error, os.strerror(error), str(self))
        return usual(self, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", refused)
    loaded = read_settings({"reader": True}, None, {})
    assert str(loaded.file_problem).startswith(f"{path} cannot be read")
    assert loaded.settings == ClientSettings(reader=True)


def test_a_file_below_a_file_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    for name in ("XDG_CONFIG_HOME", "HOME", "APPDATA", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "file"))
    assert read_settings({}, None, {}) == load_settings({}, {})


# --- the theme ---


@pytest.mark.parametrize(
    ("settings", "environ", "background", "name", "depth"),
    [
        (ClientSettings(), TRUE, None, ThemeName.DARK, ColorDepth.TRUE),
        (ClientSettings(), TRUE, 0xFDF6E3, ThemeName.LIGHT, ColorDepth.TRUE),
        (ClientSettings(theme="contrast"), TRUE, 0xFDF6E3, ThemeName.CONTRAST, ColorDepth.TRUE),
        (ClientSettings(theme="terminal"), TRUE, None, ThemeName.TERMINAL, ColorDepth.ANSI),
        (ClientSettings(theme="none"), TRUE, None, ThemeName.NONE, ColorDepth.NONE),
        (ClientSettings(), TRUE | {"NO_COLOR": "1"}, None, ThemeName.NONE, ColorDepth.NONE),
        (ClientSettings(theme="light"), TRUE | {"NO_COLOR": "1"}, None, ThemeName.NONE, ColorDepth.NONE),
        (ClientSettings(color="always"), TRUE | {"NO_COLOR": "1"}, None, ThemeName.DARK, ColorDepth.TRUE),
        (ClientSettings(color="always"), {"TERM": "dumb"}, None, ThemeName.DARK, ColorDepth.ANSI),
        (ClientSettings(color="never"), TRUE, None, ThemeName.NONE, ColorDepth.NONE),
    ],
)
def test_settings_and_terminal_choose_the_theme(
    settings: ClientSettings, environ: dict[str, str], background: int | None, name: ThemeName, depth: ColorDepth
) -> None:
    theme = settings_theme(settings, environ, background)
    assert (theme.name, theme.depth) == (name, depth)


def test_the_words_of_the_setting_are_the_names_of_the_themes() -> None:
    assert tuple(each.value for each in ThemeName) == THEME_WORDS


def test_a_shell_that_paints_no_background_takes_the_terminals_colours() -> None:
    assert settings_theme(ClientSettings(), TRUE, unknown=ThemeName.TERMINAL).name is ThemeName.TERMINAL


# --- the program ---


@pytest.fixture
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECURECHAT_STATE", str(tmp_path / "state"))
    monkeypatch.setenv(CONFIG_VARIABLE, str(tmp_path / "client.toml"))


@pytest.mark.usefixtures("_own_folders")
def test_the_client_prints_its_settings(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "client.toml").write_text('theme = "dark"\nwide = 1\n', encoding="utf-8")
    assert main(["--print-config", "--no-mouse", "--keys", "switch=F3"]) == ClientExit.OK
    printed, told = capfd.readouterr()
    assert tomllib.loads(printed)["mouse"] is False
    assert tomllib.loads(printed)["theme"] == "dark"
    assert tomllib.loads(printed)["keys"] == {"switch": ["F3"]}
    assert told == f"-- {tmp_path / 'client.toml'}:2: there is no setting wide. The default is used\n"


@pytest.mark.usefixtures("_own_folders")
def test_a_wrong_flag_ends_the_start(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--keys", "switch=Ctrl+S"]) == ClientExit.USAGE
    assert "kept by the terminal" in capfd.readouterr().err
