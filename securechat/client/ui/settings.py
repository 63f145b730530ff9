"""The settings of the client at a terminal: one table, from which flags, variables and docs/client.toml are made.

A setting has one name: ``notification_text`` in the file, ``--notification-text`` as a flag,
``SECURECHAT_NOTIFICATION_TEXT`` as a variable. A flag wins over its variable, a variable over the file. A line of the
file that cannot be used never stops the client: its default holds, and one sentence tells where it stands.

Themes, actions and TOML are imported where they are needed: pipes start without them.

No I/O: `securechat.client.settings_file` reads the file.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum, auto
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from securechat.client.catalogue import settings as texts
from securechat.text.sanitize import one_line
from securechat.translation import LANGUAGES, Sentence, given, sentence_of

if TYPE_CHECKING:
    from securechat.client.ui.input.ui_actions import KeyTableError
    from securechat.client.ui.themes import Theme, ThemeName
    from securechat.toml_file import TomlEntry

PREFIX = "SECURECHAT_"
KEYS, NOTIFY = "keys", "notify"
TABLES = frozenset({KEYS, NOTIFY})
"""The tables of the file."""
AUTO = "auto"
NOTIFY_WORDS = ("all", "mentions", "none")
THEME_WORDS = ("dark", "light", "contrast", "terminal", "none")
"""The values of `themes.ThemeName`."""
_ON, _OFF = ("on", "true", "yes", "1"), ("off", "false", "no", "0")
_SWITCH_WORDS = {**dict.fromkeys(_ON, True), **dict.fromkeys(_OFF, False)}
_COLUMNS = 100
_SHOWN_CHARS = 40
_MOST_CHARS = 1_000
"""Of one text; an editor's command line is far shorter."""
_NO_ENTRIES: Mapping[str, Any] = MappingProxyType({})


class ClientSettingKind(Enum):
    """The kinds of values."""

    SWITCH = auto()
    WORD = auto()
    TEXT = auto()
    LANGUAGE = auto()
    TABLE = auto()


class ClientSetting(Struct, frozen=True, kw_only=True):
    """One row of the table.

    Attributes:
        name: its key in the file; flag and variable follow from it.
        default: its value when it is not given.
        words: the valid values of a WORD, and of the lines of NOTIFY.
    """

    name: str
    kind: ClientSettingKind
    default: Any
    words: tuple[str, ...] = ()

    @property
    def flag(self) -> str:
        """The flag that sets it."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return f"{PREFIX}{self.name.upper()}"


def _switch(name: str, *, default: bool = False) -> ClientSetting:
    return ClientSetting(name=name, kind=ClientSettingKind.SWITCH, default=default)


def _word(name: str, *words: str) -> ClientSetting:
    kind = ClientSettingKind.WORD
    return ClientSetting(name=name, kind=kind, default=words[0], words=words)


def _table(name: str, *words: str) -> ClientSetting:
    kind = ClientSettingKind.TABLE
    return ClientSetting(name=name, kind=kind, default=_NO_ENTRIES, words=words)


CLIENT_SETTINGS: tuple[ClientSetting, ...] = (
    _switch("plain"),
    _word("theme", AUTO, *THEME_WORDS),
    _word("color", AUTO, "always", "never"),
    _switch("mouse", default=True),
    _word("notifications", "terminal", "bell", "off"),
    _switch("notification_text"),
    _switch("do_not_disturb"),
    _word("pictures", "off", "kitty", "sixel"),
    _switch("reader"),
    _switch("numbers"),
    _switch("members", default=True),
    ClientSetting(name="lang", kind=ClientSettingKind.LANGUAGE, default=""),
    ClientSetting(name="editor", kind=ClientSettingKind.TEXT, default=""),
    _table(NOTIFY, *NOTIFY_WORDS),
    _table(KEYS),
)
"""The first word of each is its default. Tables stand last, as TOML wants it."""
CLIENT_SETTING_OF = {setting.name: setting for setting in CLIENT_SETTINGS}


class ClientSettings(Struct, frozen=True, kw_only=True):
    """The values that hold; each attribute is what `catalogue.settings.SETTING_WORDS` says of it.

    Attributes:
        notify: all, mentions or none by `#room` or `@person`, in small letters; mentions for others.
        keys: those of an action, as `KeyTable` takes them.
    """

    plain: bool = False
    theme: str = AUTO
    color: str = AUTO
    mouse: bool = True
    notifications: str = "terminal"
    notification_text: bool = False
    do_not_disturb: bool = False
    pictures: str = "off"
    reader: bool = False
    numbers: bool = False
    members: bool = True
    lang: str = ""
    editor: str = ""
    notify: Mapping[str, str] = _NO_ENTRIES
    keys: Mapping[str, tuple[str, ...]] = _NO_ENTRIES


class LoadedSettings(Struct, frozen=True, kw_only=True):
    """The settings, with their origins and problems.

    Attributes:
        settings: a default stands where a value cannot be used.
        origins: of each value that is not a default, by name; of a line of a table by `table.key`.
        file_problems: what the file has that cannot be used.
        problems: of variables and flags, which were given for this run: the program should not start.
    """

    settings: ClientSettings
    origins: Mapping[str, str]
    file_problems: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def file_problem(self) -> str | None:
        """One sentence about the file; None where all of it is used."""
        if not self.file_problems:
            return None
        return texts.not_used(self.file_problems[0], len(self.file_problems) - 1)


def load_settings(
    flags: Mapping[str, object],
    environ: Mapping[str, str],
    entries: Iterable[TomlEntry] = (),
    path: str = "",
    file_problems: Iterable[str] = (),
) -> LoadedSettings:
    """Merge all sources.

    Args:
        flags: a bool, a text, or a list of texts by name of a setting; None for one that was not given.
        environ: an empty variable counts as unset.
        entries: of the file.
        path: the file, for sentences.
        file_problems: why the file could not be read.
    """
    reader = _SettingReader(file_problems)
    for entry in entries:
        reader.take_entry(entry, path)
    for setting in CLIENT_SETTINGS:
        if (text := environ.get(setting.variable)) and not _is_told_elsewhere(setting, text):
            reader.take_text(setting, setting.variable, text)
    for setting in CLIENT_SETTINGS:
        reader.take_flag(setting, flags.get(setting.name))
    reader.check_keys()
    return LoadedSettings(
        settings=ClientSettings(**reader.values),
        origins=reader.origins,
        file_problems=tuple(reader.file_problems),
        problems=tuple(reader.problems),
    )


class _SettingReader:
    """Takes one source after the other; a later one overrides, in a table line by line."""

    def __init__(self, file_problems: Iterable[str]) -> None:
        self.values: dict[str, Any] = {}
        self.origins: dict[str, str] = {}
        self.file_problems = list(file_problems)
        self.problems: list[str] = []
        self._places: dict[str, tuple[str, bool]] = {}
        """By id of an action: where its keys stand, and whether that is the file."""

    def take_entry(self, entry: TomlEntry, path: str) -> None:
        place = f"{path}:{entry.line}"
        self._in_file(place, lambda: self._entry(entry, path, place))

    def _in_file(self, place: str, take: Callable[[], None]) -> None:
        try:
            take()
        except ValueError as error:
            self.file_problems.append(texts.at_place(place, sentence_of(error)))

    def _entry(self, entry: TomlEntry, path: str, place: str) -> None:
        origin = texts.from_line(path, entry.line)
        if entry.table:
            self._line(CLIENT_SETTING_OF[entry.table], entry.key, entry.value, origin, (place, True))
            return
        setting = CLIENT_SETTING_OF.get(entry.key)
        if setting is None:
            raise ValueError(texts.unknown_setting(_shown(entry.key), _nearest(entry.key, CLIENT_SETTING_OF)))
        if setting.kind is ClientSettingKind.TABLE:
            raise ValueError(texts.not_a_table(setting.name))
        self._put(setting.name, _of_toml(setting, entry.value), origin)

    def take_text(self, setting: ClientSetting, place: str, text: str) -> None:
        """Take a variable, or a flag that is written as one."""
        try:
            if setting.kind is ClientSettingKind.TABLE:
                for part in filter(None, (each.strip() for each in text.split(";"))):
                    name, equals, value = part.partition("=")
                    if not equals:
                        raise ValueError(texts.at_place(place, texts.not_an_assignment(_shown(part))))
                    given_value = value.split() if setting.name == KEYS else value.strip()
                    self._line(setting, name.strip(), given_value, place, (place, False))
            else:
                self._put(setting.name, _of_text(setting, text, place), place)
        except ValueError as error:
            self.problems.append(sentence_of(error))

    def take_flag(self, setting: ClientSetting, value: object) -> None:
        match value:
            case None:
                pass
            case bool():
                self._put(setting.name, value, setting.flag)
            case list():
                for each in value:
                    self.take_text(setting, setting.flag, str(each))
            case _:
                self.take_text(setting, setting.flag, str(value))

    def _put(self, name: str, value: object, origin: str) -> None:
        self.values[name] = value
        self.origins[name] = origin

    def _line(self, setting: ClientSetting, name: str, value: object, origin: str, place: tuple[str, bool]) -> None:
        if setting.name == KEYS:
            checked: object = _keys(name, value)
            self._places[name] = place
        else:
            if not isinstance(value, str) or value not in setting.words:
                raise ValueError(texts.not_one_of(_shown(name), setting.words, _shown(value)))
            name, checked = _conversation(name), value
        self.values.setdefault(setting.name, {})[name] = checked
        self.origins[f"{setting.name}.{name}"] = origin

    def check_keys(self) -> None:
        """Leave out the keys that cannot be used, one action after the other."""
        keys: dict[str, tuple[str, ...]] = dict(self.values.get(KEYS, {}))
        if not keys:
            return
        from securechat.client.ui.input.ui_actions import KeyTable, KeyTableError  # noqa: PLC0415 - most clients change none

        while keys:
            try:
                KeyTable(keys)
                break
            except KeyTableError as error:
                del keys[error.action_id]
                self.origins.pop(f"{KEYS}.{error.action_id}")
                place, is_file = self._places[error.action_id]
                told = texts.at_place(place, _key_problem(error))
                (self.file_problems if is_file else self.problems).append(told)
        self.values[KEYS] = keys


def _is_told_elsewhere(setting: ClientSetting, text: str) -> bool:
    """Tell whether a value is a language that there is not: `translation.chosen` tells it before anything is parsed."""
    if setting.kind is not ClientSettingKind.LANGUAGE:
        return False
    try:
        given(text)
    except ValueError:
        return True
    return False


def _of_toml(setting: ClientSetting, value: object) -> object:
    match setting.kind:
        case ClientSettingKind.SWITCH:
            if not isinstance(value, bool):
                raise ValueError(texts.not_one_of(setting.name, ("true", "false"), _shown(value)))
            return value
        case _:
            if not isinstance(value, str):
                raise ValueError(texts.not_a_text(setting.name))
            return _of_text(setting, value, setting.name)


def _of_text(setting: ClientSetting, text: str, name: str) -> object:
    """Return the value of a text.

    Args:
        setting: whose value it is.
        text: the value.
        name: what the sentence calls it.

    Raises:
        ValueError: with a `Sentence`.
    """
    match setting.kind:
        case ClientSettingKind.SWITCH:
            if text.lower() not in _SWITCH_WORDS:
                raise ValueError(texts.not_one_of(name, ("on", "off"), _shown(text)))
            return _SWITCH_WORDS[text.lower()]
        case ClientSettingKind.WORD:
            if text not in setting.words:
                raise ValueError(texts.not_one_of(name, setting.words, _shown(text)))
            return text
        case ClientSettingKind.LANGUAGE:
            try:
                return given(text) if text else ""
            except ValueError:
                raise ValueError(texts.not_one_of(name, tuple(LANGUAGES), _shown(text))) from None
        case _:
            if len(text) > _MOST_CHARS or not (text.isprintable() or not text):
                raise ValueError(texts.not_a_text(name))
            return text


def _keys(action_id: str, value: object) -> tuple[str, ...]:
    from securechat.client.ui.input.ui_actions import ACTION_OF  # noqa: PLC0415 - most clients change no key

    if action_id not in ACTION_OF:
        raise ValueError(texts.unknown_action(_shown(action_id), _nearest(action_id, ACTION_OF)))
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError(texts.not_keys(action_id))
    return tuple(value)


def _key_problem(error: KeyTableError) -> Sentence:
    from securechat.client.ui.input.ui_actions import KeyFault  # noqa: PLC0415 - as above

    key = _shown(error.key)
    match error.fault:
        case KeyFault.UNKNOWN_ACTION:
            return texts.unknown_action(_shown(error.action_id), "")
        case KeyFault.UNKNOWN_KEY:
            return texts.unknown_key(key)
        case KeyFault.KEPT:
            return texts.kept_key(key)
        case KeyFault.TYPED:
            return texts.typed_key(key, error.action_id)
        case KeyFault.TAKEN:
            return texts.taken_key(key, error.other_id)


def _conversation(name: str) -> str:
    """Return `#room` or `@person` as `ClientSettings.notify` has it."""
    lower = name.casefold()
    return lower if lower.startswith(("#", "@")) else f"#{lower}"


def _nearest(name: str, known: Iterable[str]) -> str:
    import difflib  # noqa: PLC0415 - only a mistake needs it

    return next(iter(difflib.get_close_matches(name, known, n=1)), "")


def _shown(value: object) -> str:
    """Format a value for a sentence: safe, and short."""
    text = one_line(value if isinstance(value, str) else str(value))
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"


# --- what follows from the settings ---


def settings_theme(
    settings: ClientSettings,
    environ: Mapping[str, str],
    background: int | None = None,
    unknown: ThemeName | None = None,
) -> Theme:
    """Return the theme that the settings and the terminal lead to.

    Args:
        settings: `theme` and `color` of them.
        environ: see `themes.color_depth`; `color` goes before NO_COLOR.
        background: what the terminal reports, 0xRRGGBB; None for nothing.
        unknown: for `auto` without a background; None is DARK. A shell that does not paint its own takes TERMINAL.
    """
    from securechat.client.ui.themes import ColorDepth, ThemeName, color_depth, theme, theme_on  # noqa: PLC0415 - pipes have none

    if settings.color == "never":
        depth = ColorDepth.NONE
    elif settings.color == "always":
        without = {name: value for name, value in environ.items() if name != "NO_COLOR"}
        depth = color_depth(without)
        depth = ColorDepth.ANSI if depth is ColorDepth.NONE else depth
    else:
        depth = color_depth(environ)
    if settings.theme != AUTO:
        return theme(ThemeName(settings.theme), depth)
    return theme((unknown or ThemeName.DARK) if background is None else theme_on(background), depth)


# --- the file, written ---


def printed_settings(loaded: LoadedSettings, path: str) -> str:
    """Return the settings as TOML, with comments and origins: saved as a file, it gives the same settings.

    Args:
        loaded: what holds.
        path: the file that is read, or would be.
    """
    heading = [*_prose(texts.HEADING()), *_prose(texts.file_is(path))]
    return "\n".join((*heading, *_lines(loaded, commented=False))) + "\n"


def settings_reference() -> str:
    """Return docs/client.toml: every setting with its default, commented out."""
    loaded = load_settings({}, {})
    heading = [*_prose(texts.HEADING()), "#", *_prose(texts.REFERENCE_HEADING())]
    return "\n".join((*heading, *_lines(loaded, commented=True))) + "\n"


def _lines(loaded: LoadedSettings, *, commented: bool) -> Iterator[str]:
    from securechat.toml_file import toml_value  # noqa: PLC0415 - it is printed rarely, and read in few runs

    mark = "#" if commented else ""
    for setting in CLIENT_SETTINGS:
        yield ""
        yield from _about(setting)
        value = getattr(loaded.settings, setting.name)
        if setting.kind is ClientSettingKind.TABLE:
            yield f"{mark}[{setting.name}]"
            if not value:
                yield f"#{_EXAMPLES[setting.name]}"
            for name, each in value.items():
                line = f"{toml_value(name)} = {toml_value(each)}"
                yield _with_origin(line, loaded.origins[f"{setting.name}.{name}"])
        elif commented:
            yield f"#{setting.name} = {toml_value(value)}"
        else:
            origin = loaded.origins.get(setting.name) or texts.FROM_DEFAULT()
            yield _with_origin(f"{setting.name} = {toml_value(value)}", origin)


_EXAMPLES = {NOTIFY: '"#ops" = "all"', KEYS: 'next_unread = ["Alt+A", "F7"]'}


def _about(setting: ClientSetting) -> Iterator[str]:
    words = texts.SETTING_WORDS[setting.name]()
    yield from _prose(f"{words[:1].upper()}{words[1:]}.")
    if setting.name in texts.UNSET_WORDS:
        yield from _prose(texts.unset(texts.UNSET_WORDS[setting.name]()))
    yield from _prose(texts.given_by(flag_form(setting), setting.variable))


def flag_form(setting: ClientSetting) -> str:
    """Return how a flag is typed."""
    match setting.kind:
        case ClientSettingKind.SWITCH:
            return f"{setting.flag} | --no-{setting.flag.removeprefix('--')}"
        case ClientSettingKind.WORD:
            return f"{setting.flag} {'|'.join(setting.words)}"
        case ClientSettingKind.LANGUAGE:
            return f"{setting.flag} {'|'.join(LANGUAGES)}"
        case ClientSettingKind.TEXT:
            return f"{setting.flag} PROGRAM"
        case ClientSettingKind.TABLE:
            return f'{setting.flag} "NAME={"KEY" if setting.name == KEYS else "|".join(setting.words)}"'


def _with_origin(line: str, origin: str) -> str:
    return f"{line}  # {one_line(origin)}"


def _prose(text: str) -> Sequence[str]:
    return [f"# {line}" for line in textwrap.wrap(one_line(text), _COLUMNS, break_on_hyphens=False)]
