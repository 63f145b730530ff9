"""The command line of ``securechat-server``, made from the table of settings.

It validates no value: `securechat.server.config.settings` has one rule for all sources.
"""

from __future__ import annotations

import argparse

from securechat.programs import Program, command, version
from securechat.server.config.settings import SETTINGS, Setting, SettingKind
from securechat.translation import _, translated


def parser() -> argparse.ArgumentParser:
    """Return the command line of ``securechat-server``, made from the table."""
    options = argparse.ArgumentParser(
        prog=command(Program.SERVER),
        allow_abbrev=False,  # a script that says --lo would break with the next flag that begins so
        description=_("A chat server for your own network: verified TLS, a durable log, no other service needed."),
        epilog=_(
            "Each option is an environment variable too, --log-format json is SECURECHAT_LOG_FORMAT=json, and a key of "
            "the configuration file. --limit message_rate=10 is SECURECHAT_LIMIT_MESSAGE_RATE=10. A flag wins over its "
            "variable, a variable over the file. docs/securechat.toml explains each setting and limit."
        ),
    )
    options.add_argument(
        "--version", action="version", version=version(Program.SERVER), help=_("print the version, and end")
    )
    options.add_argument("--config", metavar="FILE", help=_("read settings from this TOML file (none)"))
    instead = options.add_mutually_exclusive_group()
    instead.add_argument(
        "--check-config", action="store_true", help=_("say all that is wrong with the settings, and end")
    )
    instead.add_argument("--print-config", action="store_true", help=_("print every setting and its origin, and end"))
    for setting in SETTINGS:
        _add_flag(options, setting)
    options.add_argument(
        "--limit", metavar=_("NAME=VALUE"), action="append", help=_("change one limit; may be repeated")
    )
    return options


def _add_flag(options: argparse.ArgumentParser, setting: Setting) -> None:
    text = f"{translated(setting.what)} ({default_text(setting)})".replace("%", "%%")
    metavar = translated(setting.metavar) or "|".join(setting.words)
    match setting.kind:
        case SettingKind.SWITCH:
            options.add_argument(setting.flag, metavar="on|off", nargs="?", const="on", help=text)
        case SettingKind.ADDRESSES | SettingKind.NAMES | SettingKind.NETWORKS:
            options.add_argument(setting.flag, dest=setting.name, metavar=metavar, action="append", help=text)
        case _:
            options.add_argument(setting.flag, metavar=metavar, help=text)


def default_text(setting: Setting) -> str:
    """Return the default of a setting, for display."""
    if setting.unset:
        return translated(setting.unset)
    if setting.kind is SettingKind.SWITCH:
        return "on" if setting.default else "off"
    return setting.default.as_posix() if setting.kind is SettingKind.PATH else str(setting.default)
