"""The connection to the running server: sends one command and reads its rows and its end.

It does not know the meaning of any command.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from securechat import translation
from securechat.admin.exit_codes import AdminExit, AdminFailure
from securechat.errors import Refusal
from securechat.net.unix_socket import UnixSocketUnavailable, connect_unix
from securechat.programs import Program, on_data
from securechat.server.admin_protocol import SOCKET, AdminCommand
from securechat.storage.directory import is_served
from securechat.text.refusals import REASONS
from securechat.translation import _, english, system_error, translated

PATIENCE_S = 60.0
"""Longest silence of the server: a commit takes milliseconds, and long acts report their progress."""
_STORAGE_CODES = frozenset({"disk_full", "log_failed"})


class AdminReply(msgspec.Struct):
    """The answer to a command: its rows, and its end."""

    rows: list[dict[str, Any]]
    done: dict[str, Any]


class AdminConnection:
    """A connection to the server of a data directory.

    Args:
        data: the data directory.

    Raises:
        Failure: NOT_RUNNING, or IO where it cannot be reached.
    """

    def __init__(self, data: Path) -> None:
        self._sock = _connect(data)
        self._reader = self._sock.makefile("rb")

    def ask(self, command: AdminCommand, progress: Callable[[float], None] = lambda _share: None) -> AdminReply:
        """Send a command and read its answer.

        Raises:
            Failure: REFUSED with the server's own sentence; IO when it broke off.
        """
        try:
            with contextlib.suppress(BrokenPipeError):  # turned away already: the reason is there to be read
                self._sock.sendall(msgspec.json.encode(command) + b"\n")
            return self._read(progress)
        except TimeoutError as error:
            raise AdminFailure(
                AdminExit.IO, _("The server does not answer. Look at its log and at the load of the machine")
            ) from error
        except (OSError, ValueError) as error:
            raise _broken_off(error) from error

    def wait_for_end(self) -> None:
        """Return when the server has closed this connection, as the last thing it does."""
        with contextlib.suppress(OSError):
            while self._reader.read(1):
                pass

    def close(self) -> None:
        """Close the connection."""
        self._reader.close()
        self._sock.close()

    def __enter__(self) -> AdminConnection:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _read(self, progress: Callable[[float], None]) -> AdminReply:
        rows = []
        for word in self._words():
            if "row" in word:
                rows.append(word["row"])
            elif "progress" in word:
                progress(float(word["progress"]))
            elif "done" in word:
                return AdminReply(rows, word["done"])
            elif "error" in word:
                raise _failure(word["error"])
        raise _broken_off(None)

    def _words(self) -> Iterator[dict[str, Any]]:
        while line := self._reader.readline():
            word = json.loads(line)
            if not isinstance(word, dict):
                raise ValueError("no JSON object")
            yield word


def _connect(data: Path) -> socket.socket:
    path = data / SOCKET
    try:
        return connect_unix(path, PATIENCE_S)
    except UnixSocketUnavailable as error:
        raise AdminFailure(AdminExit.IO, translated(error)) from error
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError) as error:
        raise _not_running(data) from error
    except PermissionError as error:
        raise AdminFailure(AdminExit.IO, _not_allowed(data, path)) from error
    except OSError as error:
        raise AdminFailure(
            AdminExit.IO, _("Cannot reach the server through {path}: {why}", path=path, why=system_error(error))
        ) from error


def _not_running(data: Path) -> AdminFailure:
    try:
        served = is_served(data)
    except OSError:
        served = None
    if served is not None:
        return AdminFailure(
            AdminExit.IO,
            _(
                "A server is running on {data}, but its socket {socket} is missing (its log says why). Restart it",
                data=data,
                socket=SOCKET,
            ),
        )
    start = on_data(Program.SERVER, data)
    return AdminFailure(
        AdminExit.NOT_RUNNING,
        _(
            "No server is running on {data}. Start it with {command}, or name another data directory with --data DIR",
            data=data,
            command=start,
        ),
    )


def _not_allowed(data: Path, path: Path) -> str:
    if sys.platform != "win32":
        with contextlib.suppress(OSError, KeyError):
            return _("Only user {user} may open {path}. Run this as that user", user=data.owner(), path=path)
    return _("Only its owner may open {path}. Run this as that user", path=path)


def _broken_off(error: Exception | None) -> AdminFailure:
    if error is None:
        sentence = _(
            "The server closed the connection before it answered. Look at its log; the command may have been carried "
            "out"
        )
    else:
        sentence = _(
            "The server closed the connection before it answered ({why}). Look at its log; the command may have been "
            "carried out",
            why=system_error(error) if isinstance(error, OSError) else str(error),
        )
    return AdminFailure(AdminExit.IO, sentence)


# --- What the server refused ------------------------------------------------------------------------------------------


def _failure(error: dict[str, Any]) -> AdminFailure:
    """Return the failure that an answer tells: in the language in use where this tool knows the reason."""
    code, text = str(error["code"]), str(error["text"])
    reason, arguments = error.get("reason"), error.get("arguments", {})
    if isinstance(reason, str) and isinstance(arguments, dict):
        text = _said(reason, arguments, text)
    return AdminFailure(AdminExit.IO if code in _STORAGE_CODES else AdminExit.REFUSED, text, code)


def refusal_sentence(refusal: Refusal) -> str:
    """Return what a refusal says, in the language in use."""
    return _said(refusal.reason, refusal.arguments, refusal.detail)


def _said(reason: str, arguments: Mapping[str, Any], text: str) -> str:
    """Return the sentence of a reason, or ``text`` where this version does not know it or its arguments."""
    if translation.language() == "en" or reason not in REASONS:
        return english(text)
    try:
        return translation.LazyText(REASONS[reason][1])(**arguments)
    except (KeyError, TypeError, ValueError):
        return english(text)
