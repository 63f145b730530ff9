"""What --print-config and --check-config say."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from securechat.limits import Limits
from securechat.server.config.limit_rules import RULES, broken_rules
from securechat.server.config.loading import ParsedSettings, ServerConfig, SettingError, SettingOrigin, read
from securechat.server.config.report import checked, first_sentence, printed
from securechat.server.config.settings import LIMITS
from securechat.toml_file import toml_value


def _lines(reading: ParsedSettings) -> dict[str, str]:
    """The printed settings by name."""
    return {line.split(" = ")[0]: line for line in printed(reading).splitlines() if " = " in line}


def test_each_value_is_printed_with_its_origin(tmp_path: Path) -> None:
    file = tmp_path / "chat.toml"
    file.write_text('\nlog_format = "json"\n[limits]\nbyte_rate = 5\n', encoding="utf-8")
    environ = {"SECURECHAT_CONFIG": str(file), "SECURECHAT_TLS12": "on"}
    lines = _lines(read(["--port", "99", "--limit", "byte_burst=7"], environ))
    for name, value, origin in [
        ("port", "99", "flag --port"),
        ("tls12", "true", "SECURECHAT_TLS12"),
        ("log_format", '"json"', f"{file} line 2"),
        ("access", '"open"', "default"),
        ("host", "[]", "default: loopback and every private address"),
        ("byte_rate", "5.0", f"{file} line 4"),
        ("byte_burst", "7.0", "flag --limit"),
        ("drain_s", "10.0", "default"),
    ]:
        assert lines[name].split("  ")[0] == f"{name} = {value}"
        assert lines[name].endswith(f"  # {origin}")


def test_what_is_printed_is_the_same_configuration_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    flags = ["--host", "::1", "--cert", 'a "b" \\ ü.pem', "--access", "members", "--limit", "append_queue=9"]
    before = read(flags, {})
    Path("etc").mkdir()
    Path("etc", "saved.toml").write_text(printed(before), encoding="utf-8")
    after = read(["--config", str(Path("etc", "saved.toml"))], {}).config()
    assert after.cert == tmp_path / 'a "b" \\ ü.pem'
    assert after.data == tmp_path / "securechat-data"
    assert (after.hosts, after.access, after.limits) == (("::1",), "members", Limits(append_queue=9))
    assert (after.key, after.port, after.rates) == (None, ServerConfig().port, True)


@pytest.mark.parametrize(
    "value", [True, False, 5, 0.2, 1e300, "", 'a"b\\c\n\t\x00\x1b\x7f\u202e ü 漢 🙂', ("a", "::1"), ()]
)
def test_every_value_is_valid_toml(value: object) -> None:
    back = tomllib.loads(f"x = {toml_value(value)}")["x"]
    assert back == (list(value) if isinstance(value, tuple) else value)
    assert toml_value(value).isprintable()


def test_none_is_empty_and_a_name_that_is_no_text_is_valid_all_the_same() -> None:
    assert tomllib.loads(f"x = {toml_value(None)}")["x"] == ""
    assert tomllib.loads(f"x = {toml_value(Path('a' + chr(0xDCFF)))}")["x"] == "a\ufffd"


def test_nothing_in_an_origin_ends_its_comment() -> None:
    reading = read([], {})
    given = {**reading.given, "port": type(reading.given["port"])(1, SettingOrigin("/x\nport = 2\x1b[m", 1))}
    text = printed(ParsedSettings(given=given, problems=(), warnings=(), wanted=reading.wanted))
    assert tomllib.loads(text)["port"] == 1
    assert "\x1b" not in text


def test_the_verdict_counts_and_nothing_is_said_twice_or_unsafely() -> None:
    wrong = SettingError(SettingOrigin("x.toml", 3), "port", "must be \x1b[m")
    strange = SettingError(SettingOrigin("SECURECHAT_X"), "", "nothing reads this", is_warning=True)
    assert checked([]) == []
    assert checked([strange]) == ["warning: SECURECHAT_X: nothing reads this", "1 warning: the server would start"]
    assert checked([wrong, strange, wrong, SettingError(SettingOrigin(), "data", "no")]) == [
        "error: x.toml:3: port: must be ␛[m",
        "warning: SECURECHAT_X: nothing reads this",
        "error: default: data: no",
        "2 errors and 1 warning: the server would not start",
    ]
    assert first_sentence([strange]) == "SECURECHAT_X: nothing reads this"
    assert first_sentence([strange] * 3).endswith(" (2 further problems: --check-config lists all)")


def test_the_defaults_break_no_rule_and_every_rule_can_be_broken() -> None:
    defaults = {setting.name: setting.default for setting in LIMITS}
    assert list(broken_rules(defaults)) == []
    for rule in RULES:
        broken = dict(defaults)
        if isinstance(rule.smaller, str):
            broken[rule.smaller] = 2**50
        else:
            broken[str(rule.larger)] = 1
        assert rule in broken_rules(broken)
        assert rule.names[0] in defaults
