"""The connection to the running server: sends one command and reads its rows and its end.

It does not know the meaning of any command.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from securechat.admin.exit_codes import AdminExit, AdminFailure
from securechat.net.unix_socket import UnixSocketUnavailable, connect_unix
from securechat.programs import Program, command
from securechat.server.admin_protocol import SOCKET, AdminCommand
from securechat.storage.directory import is_served

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

    def ask(self, command: AdminCommand, progress: Callable[[float], None] = lambda _: None) -> AdminReply:
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
                AdminExit.IO, "The server does not answer. Look at its log and at the load of the machine"
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

    def __exit__(self, *_: object) -> None:
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
                code = str(word["error"]["code"])
                raise AdminFailure(
                    AdminExit.IO if code in _STORAGE_CODES else AdminExit.REFUSED, str(word["error"]["text"]), code
                )
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
        raise AdminFailure(AdminExit.IO, str(error)) from error
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError) as error:
        raise _not_running(data) from error
    except PermissionError as error:
        raise AdminFailure(AdminExit.IO, f"Only {_owner(data)} may open {path}. Run this as that user") from error
    except OSError as error:
        raise AdminFailure(
            AdminExit.IO, f"Cannot reach the server through {path}: {error.strerror or error}"
        ) from error


def _not_running(data: Path) -> AdminFailure:
    try:
        served = is_served(data)
    except OSError:
        served = None
    if served is not None:
        return AdminFailure(
            AdminExit.IO,
            f"A server is running on {data}, but its socket {SOCKET} is missing (its log says why). Restart it",
        )
    start = command(Program.SERVER, f"--data {shlex.quote(str(data))}")
    return AdminFailure(
        AdminExit.NOT_RUNNING,
        f"No server is running on {data}. Start it with {start}, or name another data directory with --data DIR",
    )


def _owner(data: Path) -> str:
    if sys.platform != "win32":
        with contextlib.suppress(OSError, KeyError):
            return f"user {data.owner()}"
    return "its owner"


def _broken_off(error: Exception | None) -> AdminFailure:
    detail = f" ({error})" if error is not None else ""
    return AdminFailure(
        AdminExit.IO,
        f"The server closed the connection before it answered{detail}. Look at its log; "
        "the command may have been carried out",
    )
