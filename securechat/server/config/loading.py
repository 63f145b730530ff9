"""Loads the server's settings: merges file, environment and flags, and collects every error.

A flag overrides its environment variable, which overrides the file, which overrides the default. Every given value is
validated, also an overridden one, and all problems are collected first: each names its location and a valid value. A
file is read only when it is named (``--config``, ``SECURECHAT_CONFIG``), so that a server never depends on its working
directory. Relative paths in the file start from the file's directory.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from securechat.errors import ConfigError
from securechat.hub.interfaces import Access
from securechat.limits import Limits
from securechat.programs import DEFAULT_DATA
from securechat.server.config.flags import parser
from securechat.server.config.limit_rules import LimitRule, broken_rules
from securechat.server.config.settings import (
    DEFAULT_CERT,
    DEFAULT_PORT,
    ENV_PREFIX,
    LIMIT_PREFIX,
    LIMITS,
    LIMITS_TABLE,
    SETTINGS,
    Setting,
    SettingKind,
    SettingType,
    from_text,
    from_toml,
    path_of,
)
from securechat.translation import Sentence, sentence_of

if TYPE_CHECKING:
    from securechat.toml_file import TomlEntry

_CONFIG_VARIABLE = f"{ENV_PREFIX}CONFIG"
_SETTINGS = {setting.name: setting for setting in SETTINGS}
_LIMITS = {setting.name: setting for setting in LIMITS}
_OTHER_READERS = frozenset(
    ENV_PREFIX + name
    for name in (
        *("BANNER", "CA", "CLIENT_CONFIG", "COLOR", "DO_NOT_DISTURB", "EDITOR", "KEYS", "LOCALE_DIR"),
        *("MEMBERS", "MOUSE"),
        *("NAME", "NOTIFICATIONS", "NOTIFICATION_TEXT", "NOTIFY", "NUMBERS", "PASSWORD_FILE", "PICTURES", "PIN"),
        *("PLAIN", "READER", "SEED", "STATE", "THEME"),
    )
)
"""Variables that tools/dev.py, the translations, the client and the tests read: not errors, and ignored here."""


class ServerConfig(Struct, frozen=True, kw_only=True):
    """The settings of one server.

    Attributes:
        cert: PEM file with the certificate, and perhaps the key.
        key: PEM file with the key, where it is in neither ``cert`` nor beside it.
        hosts: addresses to listen on; empty for loopback and every private address.
        port: TCP port; 0 for a free one.
        data: directory of the message log.
        access: who may log in, as `Access`.
        web: whether browsers are served.
        web_hosts: names and addresses for them, beside those of the certificate.
        api: whether programs are served over HTTP; with ``web`` alone.
        webhooks: whether incoming webhooks are, likewise, and outgoing ones, also without ``web``.
        files: whether messages may have files; with ``web`` alone.
        webhook_networks: networks that outgoing webhooks may go to besides the internet.
        webhook_ca: a file with CA certificates for their receivers; None for none.
        metrics: HOST:PORT where metrics are served; empty for nowhere.
        tls12: also accept TLS 1.2.
        show_messages: whether message texts go to the console.
        log_format: ``text`` or ``json``.
        rates: whether message and byte rates apply.
        lang: the language of what the start prints; empty for the system's.
        limits: all limits.
    """

    cert: Path = DEFAULT_CERT
    key: Path | None = None
    hosts: tuple[str, ...] = ()
    port: int = DEFAULT_PORT
    data: Path = DEFAULT_DATA
    access: Access = Access.OPEN
    web: bool = True
    web_hosts: tuple[str, ...] = ()
    api: bool = True
    webhooks: bool = True
    files: bool = True
    webhook_networks: tuple[str, ...] = ()
    webhook_ca: Path | None = None
    metrics: str = ""
    tls12: bool = False
    show_messages: bool = False
    log_format: str = "text"
    rates: bool = True
    lang: str = ""
    limits: Limits = field(default_factory=Limits)


class SettingOrigin(Struct, frozen=True):
    """The source of a value.

    Attributes:
        place: a flag, a variable or the path of a file; empty for a default.
        line: in the file, from 1.
        tells_key: whether the place belongs to that setting alone, so that a sentence need not name it again.
    """

    place: str = ""
    line: int | None = None
    tells_key: bool = False

    def __str__(self) -> str:
        """Format it as compilers do: ``/etc/securechat.toml:7``."""
        return self.place if self.line is None else f"{self.place}:{self.line}"


class SettingValue(Struct, frozen=True):
    """A value and its origin."""

    value: SettingType
    origin: SettingOrigin


class SettingError(Struct, frozen=True):
    """An error in a setting, or with ``is_warning`` a warning.

    Attributes:
        origin: the source of the value.
        key: its name; empty when it is about the file as a whole.
        reason: the problem and its remedy.
        is_warning: whether the server can start anyway.
    """

    origin: SettingOrigin
    key: str
    reason: str
    is_warning: bool = False

    @property
    def sentence(self) -> Sentence:
        """The message for the operator: source, setting, problem."""
        # Translators: where a setting without a value comes from
        place = str(self.origin) or Sentence("default")
        if self.origin.tells_key or not self.key:
            return Sentence("{place}: {problem}", place=place, problem=self.reason)
        return Sentence("{place}: {setting}: {problem}", place=place, setting=self.key, problem=self.reason)


class RequestedOutput(Enum):
    """The action that the command line requests."""

    RUN = auto()
    PRINT = auto()
    CHECK = auto()


class ParsedSettings(Struct, frozen=True, kw_only=True):
    """The merged settings, and their problems.

    Attributes:
        given: every setting and limit by name; the default for one with an invalid value.
        problems: errors that prevent the start, in the order file, environment, flags.
        warnings: further remarks of ``--check-config``.
        wanted: the requested action.
    """

    given: Mapping[str, SettingValue]
    problems: tuple[SettingError, ...]
    warnings: tuple[SettingError, ...]
    wanted: RequestedOutput

    def config(self) -> ServerConfig:
        """Return the settings.

        Raises:
            ConfigError: the first problem, if there is any.
        """
        if self.problems:
            first = self.problems[0]
            raise ConfigError(str(first.origin), first.key, first.reason)
        value = {name: given.value for name, given in self.given.items()}
        return ServerConfig(
            cert=value["cert"],
            key=value["key"],
            hosts=value["host"],
            port=value["port"],
            data=value["data"],
            access=Access(value["access"]),
            web=value["web"],
            web_hosts=value["web_hosts"],
            api=value["api"],
            webhooks=value["webhooks"],
            files=value["files"],
            webhook_networks=value["webhook_networks"],
            webhook_ca=value["webhook_ca"],
            metrics=value["metrics"],
            tls12=value["tls12"],
            show_messages=value["show_messages"],
            log_format=value["log_format"],
            rates=value["rate_limit"],
            lang=value["lang"],
            limits=Limits(**{name: value[name] for name in _LIMITS}),
        )


def load(arguments: Sequence[str] | None, environ: Mapping[str, str]) -> ServerConfig:
    """Load all sources, and raise an error if anything is wrong.

    Args:
        arguments: the command line without the program's name; None for the process's own.
        environ: the environment.

    Raises:
        ConfigError: a value is invalid; tells its source, its name, and a valid value.
        SystemExit: from argparse, for an unknown flag or ``--help``.
    """
    return read(arguments, environ).config()


def read(arguments: Sequence[str] | None, environ: Mapping[str, str]) -> ParsedSettings:
    """Read and validate all sources.

    Args:
        arguments: the command line without the program's name; None for the process's own.
        environ: the environment.

    Raises:
        SystemExit: from argparse, for an unknown flag or ``--help``.
    """
    flags = parser().parse_args(arguments)
    reader = _Reader()
    if flags.config is not None:
        reader.take_file(flags.config, SettingOrigin("--config", tells_key=True))
    elif name := environ.get(_CONFIG_VARIABLE):
        reader.take_file(name, SettingOrigin(_CONFIG_VARIABLE, tells_key=True))
    reader.take_environment(environ)
    reader.take_flags(vars(flags))
    reader.compare_limits()
    return ParsedSettings(
        given=reader.given,
        problems=tuple(problem for problem in reader.found if not problem.is_warning),
        warnings=tuple(problem for problem in reader.found if problem.is_warning),
        wanted=RequestedOutput.CHECK
        if flags.check_config
        else RequestedOutput.PRINT
        if flags.print_config
        else RequestedOutput.RUN,
    )


class _Reader:
    """Reads one source after the other; a later one overrides."""

    def __init__(self) -> None:
        self.found: list[SettingError] = []
        self.given = {setting.name: SettingValue(setting.default, SettingOrigin()) for setting in (*SETTINGS, *LIMITS)}

    # --- The file ---------------------------------------------------------------------------------------------------

    def take_file(self, name: str, named_by: SettingOrigin) -> None:
        from securechat.toml_file import TomlError, read_file  # noqa: PLC0415 - most servers have no file

        if not name:
            reason = Sentence("the path is empty; name a TOML file, or leave the flag out")
            self.found.append(SettingError(named_by, "", reason))
            return
        try:
            path = path_of(name)
        except ValueError as error:
            self.found.append(SettingError(named_by, "", sentence_of(error)))
            return
        try:
            entries = read_file(path, {LIMITS_TABLE})
        except TomlError as error:
            origin = named_by if error.line is None else SettingOrigin(str(path), error.line)
            self.found.append(SettingError(origin, "", error.reason))
            return
        for entry in entries:
            self._take_entry(path, entry)

    def _take_entry(self, path: Path, entry: TomlEntry) -> None:
        origin = SettingOrigin(str(path), entry.line)
        known = _LIMITS if entry.table else _SETTINGS
        setting = known.get(entry.key)
        if setting is None:
            self.found.append(SettingError(origin, entry.key, _unknown_key(entry)))
            return
        self._take(setting, origin, from_toml, entry.value, base=path.parent)

    # --- The environment --------------------------------------------------------------------------------------------

    def take_environment(self, environ: Mapping[str, str]) -> None:
        ours = {setting.variable: setting for setting in (*SETTINGS, *LIMITS)}
        known = {*ours, *_OTHER_READERS, _CONFIG_VARIABLE}
        for variable in sorted(name for name in environ if name.startswith(ENV_PREFIX)):
            text = environ[variable]
            origin = SettingOrigin(variable, tells_key=True)
            if _is_from_kubernetes(variable, text):
                self.found.append(SettingError(origin, "", _KUBERNETES, is_warning=True))
            elif (setting := ours.get(variable)) is not None:
                if text:  # an empty variable counts as unset
                    self._take(setting, origin, from_text, text)
            elif variable.startswith(LIMIT_PREFIX):
                name = variable.removeprefix(LIMIT_PREFIX).lower()
                self.found.append(SettingError(origin, name, _no_such_limit(name)))
            elif variable not in known:
                self.found.append(SettingError(origin, "", _unread(variable, known), is_warning=True))

    # --- The flags --------------------------------------------------------------------------------------------------

    def take_flags(self, flags: Mapping[str, object]) -> None:
        for setting in SETTINGS:
            given = flags[setting.name]
            if given is None:
                continue
            text = ",".join(given) if isinstance(given, list) else str(given)
            self._take(setting, SettingOrigin(setting.flag, tells_key=True), from_text, text)
        limits = flags["limit"]
        for item in limits if isinstance(limits, list) else ():
            self._take_limit(str(item))

    def _take_limit(self, item: str) -> None:
        origin = SettingOrigin("--limit")
        name, equals, text = item.partition("=")
        name = name.strip().replace("-", "_")
        setting = _LIMITS.get(name)
        if not equals:
            self.found.append(SettingError(origin, name, _LIMIT_FORM))
        elif setting is None:
            self.found.append(SettingError(origin, name, _no_such_limit(name)))
        else:
            self._take(setting, origin, from_text, text)

    # --- Merging ----------------------------------------------------------------------------------------------------

    def compare_limits(self) -> None:
        limits = {name: self.given[name].value for name in _LIMITS}
        for rule in broken_rules(limits):
            name = self._culprit(rule)
            self.found.append(
                SettingError(self.given[name].origin, rule.names[0], rule.reason, is_warning=not rule.fatal)
            )

    def _culprit(self, rule: LimitRule) -> str:
        """The limit of a broken rule that was given explicitly: the other one may be a default, which has no source."""
        return next((name for name in rule.names if self.given[name].origin.place), rule.names[0])

    def _take(
        self,
        setting: Setting,
        origin: SettingOrigin,
        judge: Callable[[Setting, Any], SettingType],
        written: object,
        *,
        base: Path | None = None,
    ) -> None:
        """Validate a value and let it override earlier ones; an invalid one becomes a problem.

        Args:
            setting: the setting.
            origin: the source of the value.
            judge: `from_text` or `from_toml`.
            written: the value as written in the source.
            base: the directory that a relative path starts from; None for the working directory.
        """
        try:
            value = judge(setting, written)
        except ValueError as error:
            # The variable is meant for every program of the user, and keeps no server from starting.
            is_warning = setting.kind is SettingKind.LANGUAGE and origin.place == setting.variable
            self.found.append(SettingError(origin, setting.name, sentence_of(error), is_warning=is_warning))
            return
        if base is not None and setting.kind is SettingKind.PATH and written:
            value = base / value
        self.given[setting.name] = SettingValue(value, origin)


_LIMIT_FORM = Sentence("must look like NAME=VALUE, such as message_rate=10")
_KUBERNETES = Sentence(
    "is set by Kubernetes for a service named securechat, and ignored; to be rid of it: enableServiceLinks: false in "
    "the pod, or another name for the service"
)


def _is_from_kubernetes(variable: str, text: str) -> bool:
    """Whether a variable is one that Kubernetes makes of a service named securechat (docs: accessing a service)."""
    name = variable.removeprefix(ENV_PREFIX)
    if name == "PORT":
        return text.startswith(("tcp://", "udp://", "sctp://"))
    return (
        re.fullmatch(r"SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?", name) is not None
    )


def _unread(variable: str, known: Iterable[str]) -> Sentence:
    if (nearest := _nearest(variable, known)) is not None:
        return Sentence("nothing reads this variable; did you mean {name}?", name=nearest)
    return Sentence("nothing reads this variable; unset it")


def _no_such_limit(name: str) -> Sentence:
    if (nearest := _nearest(name, _LIMITS)) is not None:
        return Sentence("there is no such limit; did you mean {name}?", name=nearest)
    return Sentence("there is no such limit; docs/operations.md lists them")


def _unknown_key(entry: TomlEntry) -> Sentence:
    if entry.table:
        if entry.key in _SETTINGS:
            return Sentence("is no limit: move this line to the top of the file, above [{table}]", table=LIMITS_TABLE)
        return _no_such_limit(entry.key)
    if entry.key == LIMITS_TABLE:
        return Sentence(
            "must be a table: a line [{table}], and below it lines such as message_rate = 10", table=LIMITS_TABLE
        )
    if entry.key in _LIMITS:
        return Sentence("is a limit: move this line below [{table}]", table=LIMITS_TABLE)
    return _no_such_table(entry.key) if isinstance(entry.value, dict) else _no_such_setting(entry.key)


def _no_such_table(name: str) -> Sentence:
    if (nearest := _nearest(name, [LIMITS_TABLE])) is not None:
        return Sentence("there is no such table; did you mean {name}?", name=nearest)
    return Sentence("there is no such table; [{table}] is the only one", table=LIMITS_TABLE)


def _no_such_setting(name: str) -> Sentence:
    if (nearest := _nearest(name, _SETTINGS)) is not None:
        return Sentence("there is no such setting; did you mean {name}?", name=nearest)
    return Sentence("there is no such setting; docs/securechat.toml lists them")


def _nearest(name: str, known: Iterable[str]) -> str | None:
    return next(iter(difflib.get_close_matches(name.replace("-", "_"), list(known), 1)), None)
