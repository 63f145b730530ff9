"""Reads the client's settings from their file; a file that cannot be read is told, and the defaults hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import platformdirs

from securechat.client.catalogue import settings as texts
from securechat.client.ui.settings import TABLES, LoadedSettings, load_settings
from securechat.translation import flag_value, sentence_of

CONFIG_FLAG, CONFIG_VARIABLE = "--config", "SECURECHAT_CLIENT_CONFIG"
_NAME = "client.toml"


def settings_path(named: str | None, environ: Mapping[str, str]) -> Path | None:
    """Return the file of the settings; None where the user has no home.

    Args:
        named: by the flag; None for none.
        environ: CONFIG_VARIABLE names another file; empty, it turns the file off.
    """
    other = environ.get(CONFIG_VARIABLE) if named is None else named
    if other is not None:
        return Path(other) if other else None
    try:
        folder = Path(platformdirs.user_config_dir("securechat", appauthor=False))
    except RuntimeError:  # no HOME, and a user that the system does not know
        return None
    return folder / _NAME if folder.is_absolute() and environ.get("HOME") != "" else None


def settings_language(arguments: Sequence[str], environ: Mapping[str, str]) -> str:
    """Return the language of the file, before the command line is parsed in it; empty for none."""
    return read_settings({}, flag_value(arguments, CONFIG_FLAG), environ).settings.lang


def read_settings(flags: Mapping[str, object], named: str | None, environ: Mapping[str, str]) -> LoadedSettings:
    """Read the file, and merge it with variables and flags; see `load_settings`.

    Args:
        flags: of the command line, by name of a setting.
        named: a file that the command line names; it must be there.
        environ: the environment.
    """
    path = settings_path(named, environ)
    is_named = named is not None or CONFIG_VARIABLE in environ
    if path is None or (not is_named and _is_absent(path)):
        return load_settings(flags, environ)
    from securechat.toml_file import TomlError, read_file  # noqa: PLC0415 - most clients have no file

    try:
        entries = read_file(path, TABLES)
    except TomlError as error:
        told = sentence_of(error)
        if error.line is not None or str(path) not in told:  # that of a file that cannot be opened names it itself
            told = texts.at_place(str(path) if error.line is None else f"{path}:{error.line}", told)
        return load_settings(flags, environ, path=str(path), file_problems=[told])
    return load_settings(flags, environ, entries, str(path))


def _is_absent(path: Path) -> bool:
    """Tell whether there is surely no file; one that cannot be looked at is told by reading it."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False
