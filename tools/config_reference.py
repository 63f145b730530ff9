#!/usr/bin/env python3
"""Write docs/securechat.toml, the commented configuration file, from the settings; a test notices when it is stale.

Every setting stands there commented out with its default. Prose begins with ``# `` and a setting with ``#``, so that a
person and a test can tell them apart.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from securechat.server.config.settings import (  # noqa: E402  (a checkout works without being installed)
    LIMITS,
    LIMITS_TABLE,
    SETTINGS,
    Setting,
    SettingKind,
)
from securechat.toml_file import toml_value  # noqa: E402
from tools.limits_table import readable  # noqa: E402

REFERENCE = ROOT / "docs" / "securechat.toml"
_COLUMNS = 100
_HEADING = """\
Settings of securechat-server, in TOML (https://toml.io). This file is made by tools/config_reference.py.

Copy it, take the # away before the lines you change, and name the copy: securechat-server --config FILE, or
SECURECHAT_CONFIG=FILE. No file is read that was not named. What stands here is what holds without the line.

A flag wins over its environment variable, a variable over the file, the file over the default.
securechat-server --config FILE --check-config says all that is wrong; --print-config, what holds and why.

Relative paths start from this file's directory; without a line, from where the server is started. Paths with a
backslash stand in single quotes: 'C:\\securechat\\data'."""
_LIMITS_HEADING = """\
Limits: how much one client, one address or all together may use. The defaults suit a small server; change one when a
log line or a client names it. Behind each: the unit, the reason, and for comparison what other servers do.
Each is a flag, --limit NAME=VALUE, and a variable, SECURECHAT_LIMIT_NAME."""


def reference() -> str:
    """Return the file."""
    lines = [*_prose(_HEADING)]
    for setting in SETTINGS:
        lines += ["", *_setting(setting)]
    lines += ["", *_prose(_LIMITS_HEADING), "", f"[{LIMITS_TABLE}]"]
    for setting in LIMITS:
        lines += ["", *_limit(setting)]
    return "\n".join(lines) + "\n"


def _setting(setting: Setting) -> Iterator[str]:
    value = setting.metavar or ("on|off" if setting.kind is SettingKind.SWITCH else "|".join(setting.words))
    yield from _prose(f"{_capital(setting.what)}.")
    if setting.unset:
        yield from _prose(f"Without a value: {setting.unset}.")
    yield from _prose(f"Flag {setting.flag} {value}, variable {setting.variable}.")
    yield _line(setting)


def _limit(setting: Setting) -> Iterator[str]:
    yield from _prose(f"{setting.unit}: {setting.what}.")
    yield from _prose(
        f"Default {readable(setting.default, setting.unit)}; --limit {setting.name}=VALUE, {setting.variable}."
    )
    yield _line(setting)


def _line(setting: Setting) -> str:
    value = setting.default.as_posix() if isinstance(setting.default, Path) else setting.default
    return f"#{setting.name} = {toml_value(value)}"


def _prose(text: str) -> Iterator[str]:
    for number, paragraph in enumerate(text.split("\n\n")):
        if number:
            yield "#"
        yield from (f"# {line}" for line in textwrap.wrap(paragraph, _COLUMNS, break_on_hyphens=False))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def main() -> None:
    """Write the file."""
    REFERENCE.write_text(reference(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
