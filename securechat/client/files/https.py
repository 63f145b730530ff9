"""HTTPS to the chat server for the bytes of files, verified as the chat's own connection is.

The same CA, host and port; ALPN ``http/1.1``. Nothing here asks without verifying, and no address of a file or upload
is shown: each is a secret. Everything here blocks, for threads of their own (`threads`).
"""

from __future__ import annotations

import contextlib
import datetime as dt
import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

from msgspec import Struct

from securechat.client import catalogue
from securechat.errors import TlsFailure
from securechat.text.refusals import REASONS, translatable_sentence
from securechat.text.sanitize import one_line
from securechat.tls.contexts import WEB_ALPN, ClientContext, client_context
from securechat.tls.failures import check_protocol, explain
from securechat.tls.hostnames import name_in_certificate
from securechat.translation import translated

STALL_S = 30.0
"""Without a byte moving, a connection counts as dead: the server's own upload_stall_s."""
FIRST_DELAY_S = 0.5
"""Before the first new attempt; each pause is twice as long, up to LONGEST_DELAY_S, and a byte that moves ends that."""
LONGEST_DELAY_S = 10.0
_MOST_PROBLEM_BYTES = 16 * 1024
"""Of an answer that says what is wrong: a sentence and its arguments."""
_LONGEST_WAIT_S = 60.0
"""The most that a server's Retry-After is waited for at once."""


class TransferError(Exception):
    """A transfer has ended without success; the text is a sentence for the user.

    Attributes:
        code: a word of docs/protocol.md, section 9; empty for what this machine finds.
        reason: a finer one; see `securechat.text.refusals.REASONS`.
        arguments: what the sentence was made from.
    """

    def __init__(
        self, sentence: str, code: str = "", reason: str = "", arguments: Mapping[str, str | int] | None = None
    ) -> None:
        super().__init__(sentence)
        self.code = code
        self.reason = reason
        self.arguments = dict(arguments or {})


class FileGone(TransferError):
    """The server has nothing at this address, or not for this login."""


class Cancelled(TransferError):
    """The user, or the end of the session, has ended a transfer."""

    def __init__(self) -> None:
        super().__init__(catalogue.files.CANCELLED())


class RetryLater(Exception):
    """The server has no time for a request now.

    Attributes:
        delay_s: the pause that it names; None where it names none.
        error: what is told where no further attempt is made.
    """

    def __init__(self, error: TransferError, delay_s: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.delay_s = delay_s


class FileServer:
    """Where the files are: the server of the chat.

    Args:
        host: as the user typed it.
        port: TCP port.
        ca_pem: the CAs that verify it, or `contexts.SYSTEM_CAS`; as for the chat's connection.
    """

    def __init__(self, host: str, port: int, ca_pem: str) -> None:
        self.host = host
        self.port = port
        self._ca_pem = ca_pem

    @cached_property
    def context(self) -> ClientContext:
        """Verifies the server.

        Raises:
            TlsFailure: the CA is unusable.
        """
        return client_context(self._ca_pem, alpn=(WEB_ALPN,))

    @contextlib.contextmanager
    def connection(self) -> Iterator[HttpsConnection]:
        """Open a connection for the requests of a block.

        Raises:
            TransferError: the server cannot be verified, or offers no HTTP.
            OSError: there is no connection.
        """
        try:
            opened = HttpsConnection(self.host, self.port, self.context)
            opened.connect()
        except ssl.SSLCertVerificationError as error:
            failure = explain(error, self.host, dt.datetime.now(dt.UTC), self.context.seen)
            raise _unverified(failure) from None
        except TlsFailure as failure:
            raise _unverified(failure) from None
        try:
            yield opened
        finally:
            opened.close()


def _unverified(failure: TlsFailure) -> TransferError:
    return TransferError(catalogue.connection.tls_failure(failure.problem, failure.detail))


class HttpsConnection(http.client.HTTPSConnection):
    """A connection whose certificate is verified by the strict rules of the chat, and whose end is no ragged one."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext) -> None:
        super().__init__(name_in_certificate(host), port, timeout=STALL_S, context=context)
        self._address = (host, port)
        self._verifying = context

    def connect(self) -> None:
        """Connect and verify.

        Raises:
            OSError: there is no connection; of `ssl`, where it cannot be verified.
            TlsFailure: the server offers no HTTP.
        """
        raw = socket.create_connection(self._address, timeout=STALL_S)
        try:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock = self._verifying.wrap_socket(raw, server_hostname=self.host, suppress_ragged_eofs=False)
        except BaseException:
            raw.close()
            raise
        self.sock = sock
        try:
            check_protocol(sock.selected_alpn_protocol(), self.host)
        except TlsFailure:
            self.close()
            raise

    def begin(self, method: str, path: str, headers: Mapping[str, str]) -> None:
        """Send the head of a request; a body follows by `send`.

        Raises:
            TransferError: the server gave an address that is none.
        """
        if not path.startswith("/") or not path.isascii() or not path.isprintable() or " " in path:
            raise TransferError(catalogue.files.NONSENSE())
        self.putrequest(method, path, skip_accept_encoding=True)
        for name, value in headers.items():
            self.putheader(name, value)
        self.endheaders()

    def ask(self, method: str, path: str, headers: Mapping[str, str]) -> http.client.HTTPResponse:
        """Send a request without a body; return its answer, whose body is not read."""
        self.begin(method, path, headers)
        return self.getresponse()


# --- what an answer means ---------------------------------------------------------------------------------------------


class _Problem(Struct):
    code: str
    detail: str
    reason: str
    arguments: dict[str, str | int]
    retry_after_s: float | None


AT_WORK = frozenset({"upload_not_ready", "upload_in_use", "pictures_busy"})
"""Reasons that pass by themselves."""
_PASSING = frozenset({408, 423, 425, 429, 500, 502, 503, 504})


def problem_of(response: http.client.HTTPResponse) -> TransferError | RetryLater:
    """Return what an answer that is no success means.

    Returns:
        RetryLater: the same request may succeed by itself.
        TransferError: it will not.
    """
    problem = _read_problem(response)
    delay_s = problem.retry_after_s if problem.retry_after_s is not None else _retry_after_s(response)
    arguments = (problem.code, problem.reason, problem.arguments)
    sentence = _sentence(problem, response.status)
    if response.status == 404:
        return FileGone(sentence, *arguments)
    error = TransferError(sentence, *arguments)
    if problem.reason in AT_WORK or (response.status in _PASSING and problem.code != "quota"):
        return RetryLater(error, delay_s)
    return error


def _read_problem(response: http.client.HTTPResponse) -> _Problem:
    raw: Any = None
    with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
        raw = json.loads(response.read(_MOST_PROBLEM_BYTES))
    if not isinstance(raw, dict):
        raw = {}
    args = raw.get("args")
    kept = (
        {str(name): each for name, each in args.items() if isinstance(each, str | int)}
        if isinstance(args, dict)
        else {}
    )
    retry = raw.get("retry_after_s")
    code, detail, reason = (str(raw.get(name) or "") for name in ("code", "detail", "reason"))
    return _Problem(code, detail, reason, kept, float(retry) if isinstance(retry, int | float) else None)


def _sentence(problem: _Problem, status: int) -> str:
    """Return the sentence in the user's language where its reason is known here, else the server's own."""
    if problem.reason in REASONS:
        safe = {name: one_line(each) if isinstance(each, str) else each for name, each in problem.arguments.items()}
        with contextlib.suppress(KeyError, TypeError, ValueError):
            return translated(translatable_sentence(problem.reason, safe))
    if status in {404, 410}:
        return catalogue.files.NOT_THERE()
    if problem.detail:
        return catalogue.names.capital(one_line(problem.detail))
    return catalogue.files.unexpected(status)


def _retry_after_s(response: http.client.HTTPResponse) -> float | None:
    text = response.getheader("Retry-After", "").strip()
    return float(text[:9]) if text.isascii() and text.isdigit() else None


# --- attempts ---------------------------------------------------------------------------------------------------------


class Attempts:
    """The pauses between the attempts of one transfer, and their end.

    Args:
        cancelled: set to end the transfer.
        patience_s: time without progress after which it is given up; None for never.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        cancelled: threading.Event,
        patience_s: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cancelled = cancelled
        self._patience_s = patience_s
        self._clock = clock
        self._failures = 0
        self._moved_at = clock()

    def moved(self) -> None:
        """A byte has moved: what failed before counts no more."""
        self._failures = 0
        self._moved_at = self._clock()

    def expect_wanted(self) -> None:
        """Raise Cancelled where the transfer is not wanted any more."""
        if self._cancelled.is_set():
            raise Cancelled

    def wait(self, error: TransferError, delay_s: float | None = None) -> None:
        """Wait before the next attempt.

        Raises:
            TransferError: ``error``, where there is none.
            Cancelled: the transfer is not wanted any more.
        """
        pause_s = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** min(self._failures, 10))
        if delay_s is not None:
            pause_s = min(max(pause_s, delay_s), _LONGEST_WAIT_S)
        self._failures += 1
        if self._patience_s is not None and self._clock() + pause_s - self._moved_at > self._patience_s:
            raise error
        self._cancelled.wait(pause_s)
        self.expect_wanted()
