"""Which of several sources wins, what each may say, and what is said about a wrong value."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from securechat.errors import ConfigError
from securechat.hub.interfaces import Access
from securechat.server.config.loading import ParsedSettings, RequestedOutput, ServerConfig, load, read
from securechat.server.config.settings import LIMITS, SETTINGS


def with_file(path: Path, text: str, *flags: str, environ: dict[str, str] | None = None) -> ParsedSettings:
    """Read a configuration file of that text, and flags and variables besides."""
    file = path / "securechat.toml"
    file.write_text(text, encoding="utf-8")
    return read(["--config", str(file), *flags], environ or {})


def test_nothing_given_is_the_defaults() -> None:
    assert load([], {}) == ServerConfig()


def test_no_two_settings_share_a_name_a_flag_or_a_variable() -> None:
    names = [setting.name for setting in (*SETTINGS, *LIMITS)]
    variables = [setting.variable for setting in (*SETTINGS, *LIMITS)]
    flags = [setting.flag for setting in SETTINGS]
    for each in (names, variables, flags):
        assert len(set(each)) == len(each)


# --- Who wins ---------------------------------------------------------------------------------------------------------


def test_a_flag_wins_over_the_environment() -> None:
    environ = {"SECURECHAT_PORT": "1", "SECURECHAT_DATA": "/env", "SECURECHAT_TLS12": "yes"}
    config = load(["--port", "2"], environ)
    assert (config.port, config.data, config.tls12) == (2, Path("/env"), True)


def test_flag_over_variable_over_file_over_default(tmp_path: Path) -> None:
    text = 'port = 1\nlog_format = "json"\ntls12 = true\n[limits]\nmessage_rate = 7\nmessage_burst = 7\nbyte_rate = 7\n'
    environ = {"SECURECHAT_PORT": "2", "SECURECHAT_LIMIT_MESSAGE_RATE": "8", "SECURECHAT_LIMIT_MESSAGE_BURST": "8"}
    flags = ["--port", "3", "--tls12", "off", "--limit", "message_rate=9"]
    config = with_file(tmp_path, text, *flags, environ=environ).config()
    assert (config.port, config.log_format, config.tls12, config.show_messages) == (3, "json", False, False)
    limits = config.limits
    assert (limits.message_rate, limits.message_burst, limits.byte_rate, limits.byte_burst) == (9, 8, 7, 65_536)


def test_every_origin_is_kept(tmp_path: Path) -> None:
    given = with_file(tmp_path, "\nport = 1\ntls12 = true\n", "--tls12", environ={"SECURECHAT_KEY": "k"}).given
    assert str(given["port"].origin) == f"{tmp_path / 'securechat.toml'}:2"
    assert [str(given[name].origin) for name in ("tls12", "key", "data")] == ["--tls12", "SECURECHAT_KEY", ""]


def test_a_file_is_read_only_when_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("securechat.toml").write_text("port = 1\n", encoding="utf-8")
    Path("other.toml").write_text("port = 2\n", encoding="utf-8")
    assert load([], {}) == ServerConfig()
    assert load([], {"SECURECHAT_CONFIG": "securechat.toml"}).port == 1
    assert load(["--config", "other.toml"], {"SECURECHAT_CONFIG": "securechat.toml"}).port == 2
    assert load([], {"SECURECHAT_CONFIG": ""}) == ServerConfig()


# --- What a value may be ----------------------------------------------------------------------------------------------


def test_hosts_may_be_repeated_and_come_from_the_environment_or_the_file(tmp_path: Path) -> None:
    assert load(["--host", "127.0.0.1", "--host", "[::1]"], {}).hosts == ("127.0.0.1", "::1")
    assert load([], {"SECURECHAT_HOST": "127.0.0.1, ::1"}).hosts == ("127.0.0.1", "::1")
    assert with_file(tmp_path, 'host = ["127.0.0.1",\n  "[::1]"]').config().hosts == ("127.0.0.1", "::1")


def test_webhooks_can_be_switched_off_in_every_way(tmp_path: Path) -> None:
    assert load([], {}).webhooks
    assert not load(["--webhooks", "off"], {}).webhooks
    assert not load([], {"SECURECHAT_WEBHOOKS": "off"}).webhooks
    (tmp_path / "c.toml").write_text("webhooks = false\n")
    assert not load(["--config", str(tmp_path / "c.toml")], {}).webhooks


def test_the_api_can_be_switched_off_in_every_way(tmp_path: Path) -> None:
    assert load([], {}).api
    assert not load(["--api", "off"], {}).api
    assert not load([], {"SECURECHAT_API": "off"}).api
    assert not with_file(tmp_path, "api = false").config().api


def test_the_web_can_be_switched_off_and_has_hosts_of_its_own(tmp_path: Path) -> None:
    assert load([], {}).web
    assert load([], {}).web_hosts == ()
    assert not load(["--web", "off"], {"SECURECHAT_WEB": "on"}).web
    assert not load([], {"SECURECHAT_WEB": "off"}).web
    assert not with_file(tmp_path, "web = false").config().web
    flags = ["--web-host", "Chat.Example.Org.", "--web-host", "[FD00::1]"]
    assert load(flags, {}).web_hosts == ("chat.example.org", "fd00::1")
    assert load([], {"SECURECHAT_WEB_HOSTS": "a, bücher.example"}).web_hosts == ("a", "xn--bcher-kva.example")
    assert with_file(tmp_path, 'web_hosts = ["a", "192.0.2.1"]').config().web_hosts == ("a", "192.0.2.1")
    assert with_file(tmp_path, "web_hosts = []").config().web_hosts == ()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("127.0.0.1:9464", "127.0.0.1:9464"),
        ("[::1]:9464", "[::1]:9464"),
        ("LocalHost:0", "127.0.0.1:0"),
        (" 127.9.9.9:1 ", "127.9.9.9:1"),
        ("off", ""),
    ],
)
def test_metrics_are_served_on_loopback_where_asked_for(tmp_path: Path, text: str, value: str) -> None:
    assert load([], {}).metrics == ""
    assert load(["--metrics", text], {}).metrics == value
    assert load([], {"SECURECHAT_METRICS": text}).metrics == value
    assert with_file(tmp_path, f'metrics = "{text}"').config().metrics == value
    assert with_file(tmp_path, 'metrics = ""').config().metrics == ""


@pytest.mark.parametrize(
    "text",
    [
        "9464",
        "127.0.0.1",
        "127.0.0.1:",
        ":9464",
        "127.0.0.1:70000",
        "::1:9464",
        "a b:1",
        "127.0.0.1:-1",
        "127.0.0.1:1e3",
        "127.0.0.1:٣",
        "on",
        "",
    ],
)
def test_what_is_no_address_with_a_port_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--metrics: metrics: must be HOST:PORT, such as 127\.0\.0\.1:9464"):
        load(["--metrics", text], {})


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "[::]", "[fd00::1]", "chat.example", "127.0.0.1.example"])
def test_metrics_leave_this_machine_under_no_address(host: str) -> None:
    with pytest.raises(
        ConfigError, match=r"--metrics: metrics: must be a loopback address .* without TLS, and .* is none"
    ):
        load(["--metrics", f"{host}:9464"], {})


def test_every_limit_can_be_changed() -> None:
    config = load(["--limit", "message_rate=9.5", "--limit", "append-queue=7"], {"SECURECHAT_LIMIT_MESSAGE_BURST": "3"})
    assert (config.limits.message_rate, config.limits.append_queue, config.limits.message_burst) == (9.5, 7, 3)


def test_the_rate_limit_can_be_switched_off(tmp_path: Path) -> None:
    assert not load(["--rate-limit", "off"], {}).rates
    assert not load([], {"SECURECHAT_RATE_LIMIT": "off"}).rates
    assert not with_file(tmp_path, "rate_limit = false").config().rates


def test_who_may_come_in(tmp_path: Path) -> None:
    assert load([], {}).access is Access.OPEN
    assert load(["--access", "members"], {}).access is Access.MEMBERS
    assert with_file(tmp_path, 'access = "members"').config().access is Access.MEMBERS


def test_paths_in_the_file_start_from_its_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/of/ann")
    monkeypatch.setenv("USERPROFILE", "/home/of/ann")
    config = with_file(tmp_path, f"cert = 'tls/server.pem'\nkey = '~/k'\ndata = {str(tmp_path / 'd')!r}\n").config()
    assert (config.cert, config.key, config.data) == (
        tmp_path / "tls" / "server.pem",
        Path("/home/of/ann/k"),
        tmp_path / "d",
    )
    assert load(["--data", "here"], {}).data == Path("here")


def test_an_empty_value_is_none(tmp_path: Path) -> None:
    environ = {"SECURECHAT_PORT": "", "SECURECHAT_HOST": "", "SECURECHAT_LIMIT_BYTE_RATE": ""}
    assert (
        with_file(tmp_path, 'cert = ""\nkey = ""\ndata = ""\nhost = []\n', environ=environ).config() == ServerConfig()
    )


def test_a_number_has_the_type_of_its_limit(tmp_path: Path) -> None:
    limits = with_file(tmp_path, "limits.message_rate = 3\nlimits.append_queue = 1_000\n").config().limits
    assert type(limits.message_rate) is float
    assert type(limits.append_queue) is int


def test_what_is_asked_for() -> None:
    asked = [read(flags, {}).wanted for flags in ([], ["--check-config"], ["--print-config"])]
    assert asked == [RequestedOutput.RUN, RequestedOutput.CHECK, RequestedOutput.PRINT]


# --- What is wrong ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "environ", "source", "words"),
    [
        (["--port", "x"], {}, "--port", "0 to 65535"),
        (["--port", "70000"], {}, "--port", "0 to 65535"),
        ([], {"SECURECHAT_PORT": "-1"}, "SECURECHAT_PORT", "0 to 65535"),
        (["--log-format", "xml"], {}, "--log-format", "text or json"),
        (["--access", "closed"], {}, "--access", "open or members"),
        (["--rate-limit", "maybe"], {}, "--rate-limit", "on or off"),
        (["--data", "~nobody-of-that-name/x"], {}, "--data", "home directory"),
        (["--limit", "nonsense=1"], {}, "--limit", "no such limit"),
        (["--limit", "mesage_rate=1"], {}, "--limit", "did you mean message_rate?"),
        (["--limit", "message_rate"], {}, "--limit", "NAME=VALUE"),
        (["--limit", "append_queue=1.5"], {}, "--limit", "whole number"),
        (["--limit", "presence_names=201"], {}, "--limit", "at most 200"),
        (["--limit", "append_queue=0"], {}, "--limit", "greater than zero"),
        (["--limit", "drain_s=nan"], {}, "--limit", "greater than zero"),
        (["--limit", "drain_s=inf"], {}, "--limit", "must be at most"),
        (["--limit", "listen_backlog=9999999999"], {}, "--limit", "the system does not take it"),
        (["--limit", "outbox_soft_bytes=9999999"], {}, "--limit", "smaller than"),
        (["--limit", "outbox_hard_bytes=100000"], {}, "--limit", "smaller than"),
        ([], {"SECURECHAT_LIMIT_BYTE_RATE": "fast"}, "SECURECHAT_LIMIT_BYTE_RATE", "number"),
        ([], {"SECURECHAT_LIMIT_BITE_RATE": "1"}, "SECURECHAT_LIMIT_BITE_RATE", "did you mean byte_rate?"),
        (["--config", "/no/such/file.toml"], {}, "--config", "/no/such/file.toml cannot be read: "),
        ([], {"SECURECHAT_CONFIG": "~nobody-of-that-name/x"}, "SECURECHAT_CONFIG", "home directory"),
    ],
)
def test_a_wrong_value_names_where_it_stands_and_what_would_be_right(
    arguments: list[str], environ: dict[str, str], source: str, words: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(arguments, environ)
    assert caught.value.source == source
    assert words in caught.value.reason


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('port = "8443"', 1, "port: must be a number from 0 to 65535, not the text '8443' (take the quotes away)"),
        ("port = true", 1, "port: must be a number from 0 to 65535, not true"),
        ("port = 80.5", 1, "port: must be a number from 0 to 65535, not 80.5"),
        ("\n\nport = 70_000", 3, "port: must be a number from 0 to 65535, not 70000"),
        ("tls12 = 1", 1, "tls12: must be true or false, without quotes, not 1"),
        ('tls12 = "on"', 1, "tls12: must be true or false, without quotes, not the text 'on'"),
        ('host = "127.0.0.1"', 1, "host: must be a list of addresses in quotes"),
        ("host = [1]", 1, "host: must be a list of addresses in quotes"),
        ('web_hosts = "a"', 1, "web_hosts: must be a list of addresses in quotes"),
        ('web_hosts = ["a:8443"]', 1, "web_hosts: must be names or addresses without a port: 'a:8443' is no DNS name"),
        ('web_hosts = ["https://a"]', 1, "web_hosts: must be names or addresses without a port"),
        (
            'web_hosts = ["*.a.org"]',
            1,
            "web_hosts: must be names or addresses without a port: '*.a.org': wildcards",
        ),
        ('web_hosts = ["a", ""]', 1, "web_hosts: must be addresses, and one of them is empty; leave --web-host out"),
        ("web = 1", 1, "web: must be true or false, without quotes, not 1"),
        ("cert = 5", 1, 'cert: must be a path in quotes, such as "certs/server.pem", not 5'),
        ("data = 2024-01-01", 1, "data: must be a path in quotes"),
        ('log_format = "xml"', 1, "log_format: must be text or json, not 'xml'"),
        ("access = {}", 1, "access: must be open or members, in quotes, not a table"),
        ("log-format = 'json'", 1, "log-format: there is no such setting; did you mean log_format?"),
        ("xyzzy = 1", 1, "xyzzy: there is no such setting; docs/securechat.toml lists them"),
        ("message_rate = 1", 1, "message_rate: is a limit: move this line below [limits]"),
        ("[limits]\n# no\nport = 1", 3, "port: is no limit: move this line to the top of the file, above [limits]"),
        ("[limits]\nmessage-rates = 1", 2, "there is no such limit; did you mean message_rate?"),
        ("[limits]\nappend_queue = 1.0", 2, "append_queue: must be a whole number greater than zero, not 1.0"),
        ("[limits]\nbyte_rate = inf", 2, "byte_rate: must be at most"),
        (f"[limits]\nbyte_rate = 1{'0' * 400}", 2, "byte_rate: must be at most 9007199254740992, not 1000"),
        ("[limits]\n\noutbox_hard_bytes = 9", 3, "outbox_soft_bytes: must be smaller than outbox_hard_bytes"),
        ("[limit]\nbyte_rate = 1", 1, "limit: there is no such table; did you mean limits?"),
        ("limits = 5", 1, "limits: must be a table: a line [limits]"),
        ("port = 1\nport = 2", 2, "is not valid TOML: cannot overwrite a value; this key or table stands there twice"),
        ('port = 1\ndata = "C:\\chat"', 2, "is not valid TOML: "),
    ],
)
def test_what_is_wrong_in_the_file_is_told_with_its_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    problems = with_file(tmp_path, text).problems
    assert len(problems) == 1
    assert problems[0].sentence.startswith(f"{tmp_path / 'securechat.toml'}:{line}: ")
    assert words in problems[0].sentence


def test_every_problem_is_found_at_once(tmp_path: Path) -> None:
    environ = {"SECURECHAT_TLS12": "perhaps", "SECURECHAT_LIMIT_X": "1"}
    reading = with_file(tmp_path, "port = 'x'\n[limits]\nbyte_rate = 0\n", "--access", "no", environ=environ)
    places = [str(problem.origin).rpartition(os.sep)[2] for problem in reading.problems]
    assert places == ["securechat.toml:1", "securechat.toml:3", "SECURECHAT_LIMIT_X", "SECURECHAT_TLS12", "--access"]
    with pytest.raises(ConfigError, match=r"securechat\.toml:1: port: must be"):
        reading.config()


def test_a_value_that_is_outvoted_is_judged_too() -> None:
    with pytest.raises(ConfigError, match="SECURECHAT_PORT"):
        load(["--port", "1"], {"SECURECHAT_PORT": "x"})


def test_an_unknown_variable_is_a_warning_unless_another_program_reads_it() -> None:
    environ = {
        "SECURECHAT_PROT": "1",
        "SECURECHAT_CA": "x",
        "SECURECHAT_BANNER": "dev",
        "SECURECHAT_LOCALE_DIR": "x",
        "SECURECHAT_PASSWORD_FILE": "x",
    }
    reading = read([], environ)
    assert reading.problems == ()
    assert [problem.sentence for problem in reading.warnings] == [
        "SECURECHAT_PROT: nothing reads this variable; did you mean SECURECHAT_PORT?"
    ]


def test_limits_that_work_but_cannot_be_meant_are_warnings() -> None:
    reading = read(["--limit", "half_open_per_address=500", "--limit", "outbox_hard_bytes=270000"], {})
    assert reading.problems == ()
    assert [(problem.key, str(problem.origin)) for problem in reading.warnings] == [
        ("half_open_per_address", "--limit")
    ]


def test_flags_are_not_abbreviated(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read(["--dat", "x"], {})
    assert "--dat" in capsys.readouterr().err
