"""The flags of the client's settings, made from their table."""

from __future__ import annotations

import argparse

from securechat.client import catalogue
from securechat.client.catalogue import settings as texts
from securechat.client.settings_file import CONFIG_FLAG
from securechat.client.ui.settings import CLIENT_SETTINGS, KEYS, ClientSetting, ClientSettingKind


def add_setting_flags(parser: argparse.ArgumentParser) -> None:
    """Give the client a flag for each setting; ``--lang``, which every program has, is no part of it.

    A switch has no value, which would take the host that stands behind it: ``--mouse`` and ``--no-mouse``.
    """
    parser.add_argument(CONFIG_FLAG, metavar="FILE", type=filled, help=texts.CLI_CONFIG())
    parser.add_argument("--print-config", action="store_true", help=texts.CLI_PRINT_CONFIG())
    for setting in CLIENT_SETTINGS:
        if setting.kind is not ClientSettingKind.LANGUAGE:
            _add_flag(parser, setting)


def filled(text: str) -> str:
    """Return the value of a flag.

    Raises:
        argparse.ArgumentTypeError: it is empty, as ``"$NAME"`` of a script that has not set it.
    """
    if not text:
        raise argparse.ArgumentTypeError(catalogue.connection.EMPTY_VALUE())
    return text


def _add_flag(parser: argparse.ArgumentParser, setting: ClientSetting) -> None:
    words = texts.SETTING_WORDS[setting.name]().replace("%", "%%")
    match setting.kind:
        case ClientSettingKind.SWITCH:
            text = f"{words} ({'on' if setting.default else 'off'})"
            parser.add_argument(setting.flag, action=argparse.BooleanOptionalAction, default=None, help=text)
        case ClientSettingKind.WORD:
            text = f"{words} ({setting.default})"
            parser.add_argument(setting.flag, choices=setting.words, help=text)
        case ClientSettingKind.TABLE:
            metavar = "ID=KEYS" if setting.name == KEYS else texts.CLI_TABLE()
            parser.add_argument(setting.flag, metavar=metavar, action="append", type=filled, help=words)
        case _:
            parser.add_argument(setting.flag, metavar=texts.CLI_PROGRAM(), type=filled, help=words)
