"""Decides how to connect: the server, its CA, the user's name, and the proof of it.

Each is taken from the first that has it: the command line, the environment, an invite link, the local store, the
defaults of a fresh checkout. If one cannot be decided, `StartupError` carries a message and an exit code.
"""

from __future__ import annotations

import ipaddress
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from msgspec import Struct, field

from securechat.client import catalogue
from securechat.client.core.credentials import Credentials
from securechat.client.exit_codes import OF_TLS_PROBLEM, ClientExit
from securechat.client.local_store import KnownServer, LocalStore, StateRecorder, authority_of
from securechat.client.network import ServerTarget, loss_of
from securechat.client.outcome import of_loss
from securechat.client.secret_files import read_password_file
from securechat.client.ui.commands.parser import encodable
from securechat.client.ui.rows.rendering import excerpt
from securechat.errors import ConfigError, Refusal, TlsFailure
from securechat.invite_link import InviteLink
from securechat.limits import SECRET_BYTES
from securechat.programs import shown_path
from securechat.text.names import check_name
from securechat.tls.contexts import SYSTEM_CAS, ClientContext, client_context
from securechat.tls.trust import learn_ca, load_ca_file, parse_pin, shown_fingerprint
from securechat.translation import system_error

DEFAULT_HOST = "localhost"
DEFAULT_PORT = 8443
DEFAULT_CA = Path("certs/ca.pem")
LEARN_TIMEOUT_S = 10.0
"""Timeout of the handshake that learns a CA by its fingerprint: the server's own handshake_timeout_s."""


class StartupError(Exception):
    """The client cannot start: a message and an exit code."""

    def __init__(self, code: ClientExit, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


class NoName(StartupError):
    """A name is needed, and nothing gives one."""

    def __init__(self) -> None:
        super().__init__(ClientExit.USAGE, catalogue.connection.NAME_MISSING())


class ConnectionOptions(Struct, frozen=True):
    """Options from the command line or the environment; None where neither has one.

    Attributes:
        server: HOST[:PORT].
        port: for a server without one.
        ca: the path of a CA file; ``system`` for the CAs that this machine trusts.
        pin: a CA fingerprint.
        name: the user's name.
        certificate: a client certificate with its key.
        password_file: a file whose first line is the password.
        invite: an invite link.
    """

    server: str | None = None
    port: int | None = None
    ca: str | None = None
    pin: str | None = None
    name: str | None = None
    certificate: str | None = None
    password_file: str | None = None
    invite: InviteLink | None = None


class ConnectionPlan(Struct, frozen=True):
    """The decisions; ``notes`` are sentences to show first."""

    server_target: ServerTarget
    name: str | None
    credentials: Credentials
    secret: str
    notes: list[str] = field(default_factory=list)


def decide(
    given: ConnectionOptions,
    local_store: LocalStore | None,
    *,
    interactive: bool,
    needs_name: bool = False,
    confirm: Callable[[str], bool] = lambda _: False,
) -> ConnectionPlan:
    """Decide how to connect.

    Args:
        given: the options.
        local_store: servers and logins from earlier runs; None for none.
        interactive: whether a user sits at the client: then the name used last is used again, and this server is stored
            as the last one.
        needs_name: whether the name is required, because the user cannot be asked for it.
        confirm: shows a warning and asks whether to go on anyway.

    Raises:
        StartupError: it cannot be decided.
    """
    notes: list[str] = []
    nothing_typed = not (given.server or given.port or given.ca or given.pin or given.invite)
    known = local_store.last() if local_store is not None and nothing_typed else None
    if given.invite is not None:
        host, port = given.invite.host, given.invite.port
        notes.append(catalogue.accounts.invited(host, port))
    elif known is not None:
        host, port = known.host, known.port
    else:
        host, port = address(given.server or DEFAULT_HOST, given.port)
    remembered = known or (local_store.server(host, port) if local_store is not None else None)
    typed_name = None if given.name is None else checked(check_name, given.name, ClientExit.NAME_INVALID)
    if needs_name and typed_name is None and (remembered is None or given.invite is not None):
        raise NoName  # before any use of the network
    ca_pem = _authority(given, host, port, remembered, confirm)
    context = _context(ca_pem, given, host, port)
    tokens = local_store.tokens(host, port, ca_pem) if local_store is not None else {}
    if remembered is not None and authority_of(remembered.ca_pem) != authority_of(ca_pem):
        if given.invite is None and not _share_a_ca(remembered.ca_pem, ca_pem):
            shown = catalogue.accounts.other_ca_given(host, port, _shown(remembered.ca_pem), _shown(ca_pem))
            notes.extend(shown.split("\n"))
        remembered = None
    name = typed_name or _remembered_name(given, remembered, tokens, interactive=interactive)
    if needs_name and name is None:
        raise NoName
    if known is not None:
        notes.append(catalogue.accounts.going_to(host, port, name))
        if interactive and local_store is not None and len(local_store.servers()) > 1:
            notes.append(catalogue.accounts.other_servers())
    secret = secrets.token_hex(SECRET_BYTES)
    credentials = Credentials(
        secret,
        fresh_secret=lambda: secrets.token_hex(SECRET_BYTES),
        tokens=tokens,
        password=_password(given),
        invite=given.invite.token if given.invite is not None else "",
        certificate=given.certificate is not None,
    )
    as_last = interactive or given.invite is not None
    state_recorder = (
        StateRecorder(local_store, host, port, ca_pem, as_last=as_last) if local_store is not None else None
    )
    target = ServerTarget(host, port, context, state_recorder, _ca_path(given, remembered, ca_pem), ca_pem)
    return ConnectionPlan(target, name, credentials, secret, notes)


def forget(given: ConnectionOptions, local_store: LocalStore | None) -> str:
    """Forget the named server, or the one used last; returns the message for the user.

    Raises:
        StartupError: there is nothing to forget, or it cannot be deleted.
    """
    if local_store is None:
        raise StartupError(ClientExit.USAGE, catalogue.accounts.NO_MEMORY())
    if given.server is None and given.port is None:
        known = local_store.last()
        host, port = (known.host, known.port) if known is not None else (DEFAULT_HOST, DEFAULT_PORT)
    else:
        host, port = address(given.server or DEFAULT_HOST, given.port)
    try:
        names = local_store.forget_server(host, port)
    except OSError as error:
        raise StartupError(ClientExit.OUTPUT_FAILED, catalogue.accounts.not_forgotten(system_error(error))) from None
    return catalogue.accounts.NOTHING_KEPT() if names is None else catalogue.accounts.forgotten(host, port, names)


def checked(check: Callable[[str], str], raw: str, code: ClientExit) -> str:
    """Return the valid form of a name.

    Raises:
        StartupError: it has none.
    """
    try:
        return check(encodable(raw))
    except Refusal as refusal:
        raise StartupError(code, catalogue.connection.wrong_name(excerpt(raw), refusal.sentence)) from None


def address(text: str, port: int | None) -> tuple[str, int]:
    """Split HOST[:PORT]; an IPv6 address stands in brackets when a port follows.

    Raises:
        StartupError: it is something else.
    """
    host, given = text, ""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        given = rest.removeprefix(":")
        if not bracket or (rest and not rest.startswith(":")):
            raise StartupError(ClientExit.USAGE, catalogue.connection.bad_address(text))
    elif text.count(":") == 1:
        host, _, given = text.partition(":")
    elif ":" in text and not _is_ipv6(text):
        raise StartupError(ClientExit.USAGE, catalogue.connection.bad_address(text))
    valid = not given or (given.isascii() and given.isdigit() and 0 < int(given[:6]) < 65536)
    if not host or not valid:
        raise StartupError(ClientExit.USAGE, catalogue.connection.bad_address(text))
    return host, int(given) if given else port or DEFAULT_PORT


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _authority(
    given: ConnectionOptions, host: str, port: int, remembered: KnownServer | None, confirm: Callable[[str], bool]
) -> str:
    """Decide on the CA to trust. Contexts are made in no other way."""
    if given.invite is not None:
        _expect_same_authority(given.invite, remembered, confirm)
        if given.invite.ca_fingerprint is None:
            return SYSTEM_CAS
        return _learned(host, port, given.invite.ca_fingerprint)
    if given.pin and not given.ca:
        return _learned(host, port, given.pin)
    if not given.ca and remembered is not None:
        return remembered.ca_pem
    if given.ca == SYSTEM_CAS:
        return SYSTEM_CAS
    path = Path(given.ca) if given.ca else DEFAULT_CA
    if not given.ca and not path.exists():
        raise StartupError(ClientExit.BAD_CA_FILE, catalogue.connection.no_ca(str(DEFAULT_CA)))
    try:
        return load_ca_file(path)
    except TlsFailure as failure:
        raise _stop(failure, host, port) from None


def _ca_path(given: ConnectionOptions, remembered: KnownServer | None, ca_pem: str) -> str | None:
    """Return the file that `_authority` has read, as a shell takes it; see `ServerTarget`."""
    if ca_pem == SYSTEM_CAS:
        return ""
    learned = given.invite is not None or (given.pin and not given.ca)
    if learned or (not given.ca and remembered is not None):
        return None
    return shown_path(Path(given.ca) if given.ca else DEFAULT_CA, DEFAULT_CA)


def _expect_same_authority(link: InviteLink, remembered: KnownServer | None, confirm: Callable[[str], bool]) -> None:
    if remembered is None or _trusted(remembered.ca_pem) == link.ca_fingerprint:
        return
    known = _shown(remembered.ca_pem)
    named = link.ca_fingerprint or _shown(SYSTEM_CAS)
    if not confirm(catalogue.accounts.other_ca(link.host, link.port, known, named)):
        raise StartupError(ClientExit.WRONG_CA, catalogue.accounts.NOT_TRUSTED())


def _trusted(ca_pem: str) -> str | None:
    """Return the fingerprint of a CA as a link has it; None for those of the machine."""
    return None if ca_pem == SYSTEM_CAS else f"sha256:{authority_of(ca_pem)}"


def _shown(ca_pem: str) -> str:
    return catalogue.accounts.SYSTEM_CAS() if ca_pem == SYSTEM_CAS else f"sha256:{authority_of(ca_pem)}"


def _share_a_ca(one: str, other: str) -> bool:
    """Whether two CA files have a CA in common, as the old one and the one for a change of CA have."""
    if SYSTEM_CAS in (one, other):
        return one == other
    found = [set(x509.load_pem_x509_certificates(text.encode())) for text in (one, other)]
    return not found[0].isdisjoint(found[1])


def _learned(host: str, port: int, pin: str) -> str:
    try:
        return learn_ca(host, port, parse_pin(pin), LEARN_TIMEOUT_S)
    except ConfigError as error:
        raise StartupError(ClientExit.USAGE, error.reason) from None
    except TlsFailure as failure:
        raise _stop(failure, host, port) from None
    except (OSError, UnicodeError) as error:
        loss = loss_of(error, host)
        raise StartupError(of_loss(loss), catalogue.connection.not_reached(loss, host, port)) from None


def fingerprint_to_compare(host: str, port: int) -> str:
    """Fetch the fingerprint that a server shows, which a person compares before it is used as a pin.

    Raises:
        StartupError: it cannot be fetched.
    """
    try:
        return shown_fingerprint(host, port, LEARN_TIMEOUT_S)
    except TlsFailure as failure:
        raise _stop(failure, host, port) from None
    except (OSError, UnicodeError) as error:
        loss = loss_of(error, host)
        raise StartupError(of_loss(loss), catalogue.connection.not_reached(loss, host, port)) from None


def _context(ca_pem: str, given: ConnectionOptions, host: str, port: int) -> ClientContext:
    try:
        context = client_context(ca_pem)
    except TlsFailure as failure:
        raise _stop(failure, host, port) from None
    if given.certificate is None:
        return context
    try:
        return client_context(ca_pem, certificate=Path(given.certificate))
    except TlsFailure as failure:
        raise StartupError(ClientExit.LOGIN_REFUSED, failure.detail) from None


def _stop(failure: TlsFailure, host: str, port: int) -> StartupError:
    return StartupError(
        OF_TLS_PROBLEM[failure.problem], catalogue.connection.not_reached(loss_of(failure, host), host, port)
    )


def _remembered_name(
    given: ConnectionOptions, remembered: KnownServer | None, tokens: dict[str, str], *, interactive: bool
) -> str | None:
    """The name used last here; for a script only if a stored login proves it."""
    if remembered is None or not remembered.name or given.invite is not None:
        return None
    try:
        name = check_name(remembered.name)
    except Refusal:
        return None
    proven = name in tokens or given.certificate is not None or given.password_file is not None
    return name if interactive or proven else None


def _password(given: ConnectionOptions) -> str:
    if given.password_file is None:
        return ""
    try:
        return read_password_file(Path(given.password_file))
    except ConfigError as error:
        raise StartupError(ClientExit.LOGIN_REFUSED, error.reason) from None


def read_line_of_stdin() -> str | None:
    """Read one line, and no byte more: further input belongs to the chat. None at the end of the input."""
    line = b""
    while (byte := os.read(sys.stdin.fileno(), 1)) not in {b"", b"\n"}:
        line += byte
    return None if not line and not byte else line.decode("utf-8", errors="replace")
