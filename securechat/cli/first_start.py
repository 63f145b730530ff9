"""The first start on a screen: asks for the server until a connection is planned, and for screen or lines once."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv6Address

from msgspec import Struct
from msgspec.structs import replace

from securechat.client import catalogue
from securechat.client.catalogue import screen_shell as words
from securechat.client.connection_plan import (
    DEFAULT_CA,
    ConnectionOptions,
    ConnectionPlan,
    StartupError,
    address,
    decide,
    fingerprint_to_compare,
)
from securechat.client.exit_codes import ClientExit
from securechat.client.local_store import KnownServer, LocalStore
from securechat.client.ui.screen_model.start_form import (
    ADDRESS,
    FINGERPRINT,
    NAME,
    SHELL,
    StartComparison,
    StartForm,
    StartRefused,
    StartResult,
    StartTaken,
    typed_pin,
)
from securechat.client.ui.settings import ClientSettings
from securechat.invite_link import BadLink, looks_like_link, parse_link
from securechat.tls.contexts import SYSTEM_CAS
from securechat.translation import system_error, translated

_FIELD_OF = {
    ClientExit.NAME_INVALID: NAME,
    ClientExit.WRONG_PIN: FINGERPRINT,
    ClientExit.PIN_NOT_OF_CA: FINGERPRINT,
}
"""The field that a refusal is about; the others are about the server."""


class FirstStart(Struct, frozen=True):
    """What the user has answered.

    Attributes:
        plan: how to connect.
        plain: whether the line mode is wanted; None where that was not asked.
        notes: sentences to show first.
    """

    plan: ConnectionPlan
    plain: bool | None = None
    notes: tuple[str, ...] = ()


def is_first(given: ConnectionOptions, local_store: LocalStore | None) -> bool:
    """Whether no server is named or known, nor a CA where one is looked for."""
    named = any((given.server, given.port, given.ca, given.pin, given.invite))
    return not named and not DEFAULT_CA.exists() and (local_store is None or local_store.last() is None)


def shown_address(known: KnownServer) -> str:
    """Return the address of a server as `address` takes it."""
    try:
        return f"[{IPv6Address(known.host)}]:{known.port}"
    except ValueError:
        return f"{known.host}:{known.port}"


def ask(
    given: ConnectionOptions,
    local_store: LocalStore | None,
    settings: ClientSettings,
    *,
    login: str | None,
    asks_shell: bool,
) -> FirstStart:
    """Ask on a screen.

    Args:
        given: the options of the command line; the form's fields go before them.
        local_store: knows servers; None for none.
        settings: as the user has them.
        login: the name that the form suggests.
        asks_shell: whether it asks for screen or lines.

    Raises:
        KeyboardInterrupt: the user leaves.
    """
    from securechat.client.screen.start_screen import StartScreen  # noqa: PLC0415 - nothing else needs the toolkit

    attempt = StartAttempt(given, local_store)
    servers = [shown_address(each) for each in local_store.servers()] if local_store is not None else []
    form = StartForm(given.name or login or "", servers, asks_shell=asks_shell)
    if not StartScreen(form, attempt, settings).run() or attempt.plan is None:
        raise KeyboardInterrupt
    if attempt.plain is None:
        return FirstStart(attempt.plan)
    return FirstStart(attempt.plan, attempt.plain, _kept(local_store, plain=attempt.plain))


def _kept(local_store: LocalStore | None, *, plain: bool) -> tuple[str, ...]:
    """Remember the choice; returns the sentence for a choice that is not."""
    try:
        if local_store is not None:
            local_store.keep_plain(on=plain)
    except OSError as error:
        return (words.choice_unsaved(system_error(error)),)
    return ()


class StartAttempt:
    """Tries what the form was answered with.

    The rules of trust are those of `connection_plan.decide`: a CA is learned by its fingerprint alone. A fingerprint
    that the server shows is handed back to be compared, and nothing is connected to before it comes back as a pin.

    Args:
        given: the options of the command line.
        local_store: knows servers; None for none.

    Attributes:
        plan: how to connect, once an answer was taken.
        plain: whether lines are wanted; None where that was not asked.
    """

    def __init__(self, given: ConnectionOptions, local_store: LocalStore | None) -> None:
        self.plan: ConnectionPlan | None = None
        self.plain: bool | None = None
        self._given = given
        self._local_store = local_store

    def __call__(self, values: Mapping[str, str]) -> StartResult:
        """Try an answer."""
        server, name = values.get(ADDRESS, "").strip(), values.get(NAME, "").strip()
        try:
            link = parse_link(server) if looks_like_link(server) else None
        except BadLink as bad:
            return StartRefused(ADDRESS, translated(bad))
        if not server:
            return StartRefused(ADDRESS, words.ADDRESS_HINT())
        options = replace(self._given, name=name or self._given.name)
        try:
            if link is not None:
                options = replace(options, server=None, port=None, ca=None, pin=None, invite=link)
            else:
                host, port = address(server, self._given.port)
                options = replace(options, server=server, **self._trust(values.get(FINGERPRINT, "")))
                if not (options.ca or options.pin) and not self._is_known(host, port):
                    return StartComparison(fingerprint_to_compare(host, port))
            self.plan = decide(options, self._local_store, interactive=True)
        except StartupError as error:
            sentence = catalogue.names.capital(translated(error.sentence))
            is_pin = error.code is ClientExit.USAGE and bool(options.pin)
            return StartRefused(FINGERPRINT if is_pin else _FIELD_OF.get(error.code, ADDRESS), sentence)
        if SHELL in values:
            self.plain = values[SHELL] == words.SHELL_LINES()
        return StartTaken()

    def _trust(self, typed: str) -> dict[str, str | None]:
        """Return what is trusted: the typed fingerprint, else what the command line names."""
        pin = typed_pin(typed)
        if not pin:
            return {"ca": self._given.ca, "pin": self._given.pin}
        return {"ca": SYSTEM_CAS, "pin": None} if typed.strip() == SYSTEM_CAS else {"ca": None, "pin": pin}

    def _is_known(self, host: str, port: int) -> bool:
        return self._local_store is not None and self._local_store.server(host, port) is not None
