"""Stores servers, their CAs, names and logins between two runs of the client.

- Each entry is a file of its own, written whole or not at all, so that two clients never undo each other's work and
  need no lock. The folder is 0700 and the files are 0600, where the platform has modes.
- A login's token belongs to one CA, host and port: a server that cannot prove the same CA never gets it.
- A damaged file is set aside with a warning; a file that cannot be read or written loses only its own entry, and never
  stops the chat.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

import msgspec
import platformdirs
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from securechat.client import catalogue
from securechat.client.core import events
from securechat.client.core.events import UiEvent
from securechat.files import open_own_file
from securechat.model import Token
from securechat.text.names import name_key
from securechat.tls.contexts import SYSTEM_CAS
from securechat.translation import system_error

STATE_VARIABLE = "SECURECHAT_STATE"
FOLDER = "v1"
"""A new format will use a new folder, so that two versions on one machine never read each other's files."""
_MOST_BYTES = 1024 * 1024
"""An entry is 2 KiB; one with a long CA file may be 100."""
_MOST_LOGINS = 50
"""Logins kept per server, because a server could give a new name each time; the ones written longest ago are
deleted."""
_UNFINISHED_S = 86_400.0
"""Age from which an unfinished file belongs to no running client."""


class KnownServer(msgspec.Struct, frozen=True):
    """A server that the client has connected to.

    Attributes:
        host: as typed, in lower case.
        port: TCP port.
        ca_pem: the CA that verified it.
        name: the name last used there.
        used_at_s: when it was used, seconds since the epoch.
    """

    host: str
    port: int
    ca_pem: str
    name: str = ""
    used_at_s: float = 0.0


class _StoredLogin(msgspec.Struct, frozen=True):
    """A login token of one name on one server."""

    authority: str
    host: str
    port: int
    name: str
    token: Token


class _Preferences(msgspec.Struct, frozen=True):
    """The user's preferences, the same for every server.

    Attributes:
        typing: whether typing notifications are sent and shown.
        language: the code of the language chosen with ``/lang``; empty for none.
        plain: whether the line mode is opened, as the first start has asked; None while it has not.
    """

    typing: bool = True
    language: str = ""
    plain: bool | None = None


class StoredChoices(msgspec.Struct, frozen=True):
    """What the user has chosen or typed on the screen of one server.

    Attributes:
        host: as for `KnownServer`.
        port: likewise.
        notify: which messages notify, by ``#room`` or ``@person`` in small letters: all, mentions or none.
        history: lines that were sent, the newest last; no password.
    """

    host: str
    port: int
    notify: dict[str, str] = {}
    history: tuple[str, ...] = ()


_Entry = TypeVar("_Entry", KnownServer, _StoredLogin, _Preferences, StoredChoices)


def authority_of(ca_pem: str) -> str:
    """Return the identity of a CA file: the fingerprint of its CA, or a hash over those of several.

    The CAs that the machine trusts (``SYSTEM_CAS``) have one identity, whatever they are.

    Raises:
        ValueError: it is not a certificate.
    """
    if ca_pem == SYSTEM_CAS:
        return ca_pem
    digests = sorted(one.fingerprint(hashes.SHA256()) for one in x509.load_pem_x509_certificates(ca_pem.encode()))
    return digests[0].hex() if len(digests) == 1 else sha256(b"".join(digests)).hexdigest()


def open_local_store(environment: Mapping[str, str]) -> LocalStore | None:
    """Return this user's store; None when an empty SECURECHAT_STATE turns it off, or where the user has no home.

    Without a home directory the path would begin with ``~``, and the store would be made in the working directory.
    """
    folder = environment.get(STATE_VARIABLE)
    if folder == "":
        return None
    if folder:
        return LocalStore(Path(folder))
    try:
        path = Path(platformdirs.user_state_dir("securechat", appauthor=False))
    except RuntimeError:  # no HOME, and a user that the system does not know
        return None
    return LocalStore(path) if path.is_absolute() and environment.get("HOME") != "" else None


class LocalStore:
    """The stored entries.

    Args:
        folder: its directory; created when the first entry is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = self._folder = folder / FOLDER
        self._troubles: list[tuple[Callable[[str, str], str], str, str]] = []

    @property
    def troubles(self) -> list[str]:
        """Messages for the user about unusable entries, in the language in use, which an entry may have named."""
        return list(dict.fromkeys(say(place, detail) for say, place, detail in self._troubles))

    # --- servers ------------------------------------------------------------------------------------------------------

    def last(self) -> KnownServer | None:
        """Return the server used last."""
        return max(self._servers(), key=_used_at, default=None)

    def servers(self) -> tuple[KnownServer, ...]:
        """Return every server, the one used last first; one that has had several CAs once, with the latest."""
        found: dict[tuple[str, int], KnownServer] = {}
        for one in sorted(self._servers(), key=_used_at, reverse=True):
            found.setdefault((one.host, one.port), one)
        return tuple(found.values())

    def server(self, host: str, port: int) -> KnownServer | None:
        """Return the entry of a server; the latest, if it has had several CAs."""
        return max((one for one in self._servers() if _is_at(one, host, port)), key=_used_at, default=None)

    def keep_server(self, host: str, port: int, ca_pem: str, name: str) -> None:
        """Store a server that was used now.

        Raises:
            OSError: it cannot be written.
        """
        known = KnownServer(host.lower(), port, ca_pem, name, time.time())
        self._write(_file("server", authority_of(ca_pem), host, port), msgspec.json.encode(known))

    def forget_server(self, host: str, port: int) -> tuple[str, ...] | None:
        """Forget a server and its logins; returns their names, or None when nothing was stored.

        Raises:
            OSError: something cannot be deleted.
        """
        found = False
        names = []
        for path, kept in self._entries("login", _StoredLogin):
            if _is_at(kept, host, port):
                path.unlink(missing_ok=True)
                names.append(kept.name)
        for path, known in self._entries("server", KnownServer):
            if _is_at(known, host, port):
                path.unlink(missing_ok=True)
                found = True
        for path, chosen in self._entries("screen", StoredChoices):
            if _is_at(chosen, host, port):
                path.unlink(missing_ok=True)
                found = True
        return tuple(names) if found or names else None

    # --- logins -------------------------------------------------------------------------------------------------------

    def tokens(self, host: str, port: int, ca_pem: str) -> dict[str, str]:
        """Return the logins for a server verified by this CA: token by name."""
        authority = authority_of(ca_pem)
        logins = (kept for _, kept in self._entries("login", _StoredLogin))
        return {kept.name: kept.token for kept in logins if kept.authority == authority and _is_at(kept, host, port)}

    def keep_login(self, host: str, port: int, ca_pem: str, name: str, token: str) -> None:
        """Store a login.

        Raises:
            OSError: it cannot be written.
        """
        authority = authority_of(ca_pem)
        kept = _StoredLogin(authority, host.lower(), port, name, token)
        self._write(_file("login", authority, host, port, name_key(name)), msgspec.json.encode(kept))
        self._forget_oldest_logins(kept)

    def forget_login(self, host: str, port: int, ca_pem: str, name: str) -> None:
        """Forget a login.

        Raises:
            OSError: it cannot be deleted.
        """
        (self._folder / _file("login", authority_of(ca_pem), host, port, name_key(name))).unlink(missing_ok=True)

    # --- preferences --------------------------------------------------------------------------------------------------

    def typing(self) -> bool:
        """Return whether typing notifications are sent and shown."""
        return self._preferences().typing

    def keep_typing(self, *, on: bool) -> None:
        """Store whether they are.

        Raises:
            OSError: it cannot be written.
        """
        self._keep_preferences(msgspec.structs.replace(self._preferences(), typing=on))

    def language(self) -> str:
        """Return the code of the language chosen last; empty for none."""
        return self._preferences().language

    def keep_language(self, code: str) -> None:
        """Store the language.

        Raises:
            OSError: it cannot be written.
        """
        self._keep_preferences(msgspec.structs.replace(self._preferences(), language=code))

    def plain(self) -> bool | None:
        """Return whether the line mode is opened; None where the user was not asked yet."""
        return self._preferences().plain

    def keep_plain(self, *, on: bool) -> None:
        """Store whether it is.

        Raises:
            OSError: it cannot be written.
        """
        self._keep_preferences(msgspec.structs.replace(self._preferences(), plain=on))

    def screen_choices(self, host: str, port: int, ca_pem: str) -> StoredChoices:
        """Return what was chosen on the screen of a server."""
        entry = self._read(self._folder / _file("screen", authority_of(ca_pem), host, port), StoredChoices)
        return entry if entry is not None else StoredChoices(host.lower(), port)

    def keep_screen_choices(self, ca_pem: str, preferences: StoredChoices) -> None:
        """Store it.

        Raises:
            OSError: it cannot be written.
        """
        where = (authority_of(ca_pem), preferences.host, preferences.port)
        self._write(_file("screen", *where), msgspec.json.encode(_whole(preferences)))

    def _preferences(self) -> _Preferences:
        return next((each for _, each in self._entries("habits", _Preferences)), _Preferences())

    def _keep_preferences(self, preferences: _Preferences) -> None:
        self._write(_file("habits"), msgspec.json.encode(preferences))

    # --- files --------------------------------------------------------------------------------------------------------

    def _servers(self) -> Iterator[KnownServer]:
        for path, known in self._entries("server", KnownServer):
            try:
                authority_of(known.ca_pem)
            except ValueError:
                self._set_aside(path)
            else:
                yield known

    def _entries(self, kind: str, form: type[_Entry]) -> Iterator[tuple[Path, _Entry]]:
        try:
            paths = sorted(path for path in self._folder.iterdir() if path.match(f"{kind}-*.json"))
        except FileNotFoundError:
            return
        except OSError as error:
            self._complain(catalogue.accounts.not_readable, str(self._folder), system_error(error))
            return
        for path in paths:
            if (entry := self._read(path, form)) is not None:
                yield path, entry

    def _read(self, path: Path, form: type[_Entry]) -> _Entry | None:
        try:
            with os.fdopen(open_own_file(path, os.O_RDONLY), "rb") as file:
                return msgspec.json.decode(file.read(_MOST_BYTES), type=form)
        except FileNotFoundError:  # another client has just deleted it
            return None
        except OSError as error:
            self._complain(catalogue.accounts.not_readable, str(path), system_error(error))
        except (msgspec.DecodeError, UnicodeDecodeError):
            self._set_aside(path)
        return None

    def _set_aside(self, path: Path) -> None:
        aside = path.with_suffix(".damaged")
        try:
            path.replace(aside)
        except OSError as error:
            self._complain(catalogue.accounts.not_readable, str(path), system_error(error))
        else:
            self._complain(catalogue.accounts.set_aside, str(path), aside.name)

    def _complain(self, say: Callable[[str, str], str], place: str, detail: str) -> None:
        self._troubles.append((say, place, detail))

    def _write(self, name: str, content: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if sys.platform != "win32" and self._folder.stat().st_mode & 0o077:
            self._folder.chmod(0o700)
        self._forget_unfinished()
        temporary = self._folder / f".{secrets.token_hex(8)}.tmp"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._folder / name)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise

    def _forget_unfinished(self) -> None:
        """Remove the files of clients that were killed while writing."""
        now_s = time.time()
        for path in self._folder.glob(".*.tmp"):
            with contextlib.suppress(FileNotFoundError):  # another client may be doing the same
                if path.stat().st_mtime < now_s - _UNFINISHED_S:
                    path.unlink()

    def _forget_oldest_logins(self, new: _StoredLogin) -> None:
        """Bound the logins stored for one server; those of others are not affected."""
        aged = []
        for path, kept in self._entries("login", _StoredLogin):
            if kept.authority == new.authority and _is_at(kept, new.host, new.port):
                with contextlib.suppress(FileNotFoundError):
                    aged.append((path.stat().st_mtime_ns, path))
        for _, path in sorted(aged)[:-_MOST_LOGINS]:
            path.unlink(missing_ok=True)


class StateRecorder:
    """Stores servers and logins as a session with one server succeeds.

    Args:
        local_store: the store.
        host: of the server.
        port: of the server.
        ca_pem: the CA that verifies it.
        as_last: whether to store it as the last server and name, for an interactive user; for a script only logins are
            stored.
    """

    def __init__(self, local_store: LocalStore, host: str, port: int, ca_pem: str, *, as_last: bool) -> None:
        self._local_store = local_store
        self._where = (host, port, ca_pem)
        self._as_last = as_last
        self._complained = False

    def note(self, ui_event: UiEvent) -> events.StateNotSaved | None:
        """Store or forget by an event; returns an event for the user, once, when that fails."""
        try:
            self._note(ui_event)
        except OSError as error:
            if not self._complained:
                self._complained = True
                return events.StateNotSaved(system_error(error), str(self._local_store.folder))
        return None

    def keep_language(self, code: str) -> str:
        """Store the language that the user chose; returns why not, empty when it is stored."""
        try:
            self._local_store.keep_language(code)
        except OSError as error:
            return system_error(error)
        return ""

    def _note(self, ui_event: UiEvent) -> None:
        match ui_event:
            case events.TokenReceived(name, token):
                self._local_store.keep_login(*self._where, name, token)
            case events.TokenLost(name):
                self._local_store.forget_login(*self._where, name)
            case events.LoggedIn(_, person) | events.IdentityChanged(person) if self._as_last:
                self._local_store.keep_server(*self._where, person.name)
            case events.TypingNoticesSet(on):
                self._local_store.keep_typing(on=on)
            case events.MemberRenamed(_, _, name, me=True) if self._as_last:
                self._local_store.keep_server(*self._where, name)


def _file(kind: str, *parts: object) -> str:
    """The file name of an entry: the same for the same entry, and without any text from a peer or a user."""
    return f"{kind}-{sha256(msgspec.json.encode([str(part).lower() for part in parts])).hexdigest()[:32]}.json"


def _whole(preferences: StoredChoices) -> StoredChoices:
    """A half of a pair of code units, as a paste may give, cannot be written as UTF-8."""
    lines = tuple(line.encode("utf-8", "replace").decode("utf-8") for line in preferences.history)
    return msgspec.structs.replace(preferences, history=lines)


def _is_at(entry: KnownServer | _StoredLogin | StoredChoices, host: str, port: int) -> bool:
    return entry.host == host.lower() and entry.port == port


def _used_at(known: KnownServer) -> float:
    return known.used_at_s
