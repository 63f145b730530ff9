"""Decides how a bot connects: the server, its CA, who the bot is, and where its cursor is kept."""

from __future__ import annotations

import os
import random
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from securechat import __version__
from securechat.bot.cursor import CursorFolder
from securechat.bot.records import StartupFailed
from securechat.bot.session import UNNAMED_BOT, BotSession
from securechat.client.connection_plan import ConnectionOptions, ConnectionPlan, NoName, StartupError, decide
from securechat.client.core.client import ClientCore
from securechat.client.core.credentials import Credentials
from securechat.client.core.state import Visibility
from securechat.client.files.https import FileServer
from securechat.client.files.threads import FileTransfers
from securechat.client.local_store import STATE_VARIABLE, LocalStore, authority_of, open_local_store
from securechat.client.network import NetworkThread
from securechat.client.secret_files import read_password_file
from securechat.errors import ConfigError, SecurechatError
from securechat.invite_link import BadLink, InviteLink, parse_link
from securechat.limits import SECRET_BYTES
from securechat.text.names import name_key
from securechat.tls.contexts import SYSTEM_CAS
from securechat.translation import translated

_TOKEN = re.compile(r"scb_[0-9A-Za-z]{43,}|[0-9a-f]{32}")
_UNNAMED = "bot"
"""Said in the hello of a bot that knows no name of its own: with a token, the server takes the name of its account."""


@dataclass(frozen=True, kw_only=True)
class BotOptions:
    """What a program gives; see `Client`. None where it gives nothing."""

    server: str | None = None
    name: str | None = None
    ca: str | None = None
    pin: str | None = None
    token_file: str | None = None
    password_file: str | None = None
    link: str | None = field(default=None, repr=False)
    state: str | None = None


def prepare(given: BotOptions) -> tuple[BotSession, CursorFolder]:
    """Return a session that is not yet begun, and the folder of the bot's cursor. May learn a CA over the network.

    Raises:
        StartupFailed: how to connect cannot be decided; the sentence says what is missing.
    """
    environment = dict(os.environ) if given.state is None else {**os.environ, STATE_VARIABLE: given.state}
    store = open_local_store(environment)
    token = _token(given.token_file)
    try:
        plan = decide(_options(given, store, token), store, interactive=False, needs_name=True)
    except NoName:
        raise StartupFailed(UNNAMED_BOT) from None
    except StartupError as error:
        raise StartupFailed(str(translated(error.sentence))) from None
    except SecurechatError as error:
        raise StartupFailed(str(error)) from None
    target = plan.server_target
    folder = CursorFolder(None if store is None else store.folder, target.host, target.port)
    cursors = folder.read()
    core = ClientCore(
        secret=plan.secret,
        jitter=random.random,
        name=plan.name,
        client=f"securechat.bot {__version__}",
        credentials=_credentials(plan, token),
        visibility=Visibility.NOBODY,
        known={sender_id: cursor.done for sender_id, cursor in cursors.items()},
    )
    session = BotSession(core, target.host, target.port)
    session.network = NetworkThread(core, target, session.heard)
    session.files = FileTransfers(FileServer(target.host, target.port, target.ca_pem), session.network.post)
    session.cursors = cursors
    return session, folder


def _token(path: str | None) -> str:
    if path is None:
        return ""
    try:
        token = read_password_file(Path(path), _token_file).strip()
    except ConfigError as error:
        raise StartupFailed(error.reason) from None
    if _TOKEN.fullmatch(token) is None:
        raise StartupFailed(
            _token_file(path, "its first line is no token; copy the whole token, which begins with scb_")
        )
    return token


def _token_file(path: str, why: str) -> str:
    return f"The token file {path} cannot be used: {why}"


def _options(given: BotOptions, store: LocalStore | None, token: str) -> ConnectionOptions:
    options = ConnectionOptions(
        server=given.server, ca=given.ca, pin=given.pin, name=given.name, password_file=given.password_file
    )
    if token and given.name is None:
        options = replace(options, name=_UNNAMED)
    if given.link is None:
        return options
    try:
        link = parse_link(given.link)
    except BadLink as bad:
        raise StartupFailed(str(translated(bad))) from None
    if not token and not _is_known(given, store, link):
        return replace(options, server=None, ca=None, pin=None, invite=link)
    host = f"[{link.host}]" if ":" in link.host else link.host
    ca, pin = (SYSTEM_CAS, None) if link.ca_fingerprint is None else (None, link.ca_fingerprint)
    return replace(options, server=f"{host}:{link.port}", ca=ca, pin=pin)


def _is_known(given: BotOptions, store: LocalStore | None, link: InviteLink) -> bool:
    """Whether an earlier run has used the link, and keeps its login: then it only says where the server is."""
    known = None if store is None else store.server(link.host, link.port)
    if store is None or known is None or given.name is None:
        return False
    authority = authority_of(known.ca_pem)
    if (None if authority == SYSTEM_CAS else f"sha256:{authority}") != link.ca_fingerprint:
        return False
    return name_key(given.name) in {name_key(name) for name in store.tokens(link.host, link.port, known.ca_pem)}


def _credentials(plan: ConnectionPlan, token: str) -> Credentials:
    if not token:
        return plan.credentials
    return Credentials(plan.secret, fresh_secret=lambda: secrets.token_hex(SECRET_BYTES), token=token)
