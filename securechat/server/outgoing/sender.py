"""Makes one attempt to deliver: resolves, judges, connects, posts, and reads the answer. Blocks; for a worker's thread.

Promises: no connection goes to an address that the policy does not allow; no redirect is followed and no proxy of the
environment used; an attempt ends within `attempt.ATTEMPT_S`; at most 64 KiB of body are read, and nothing is decoded:
48 KB of gzip can be 50 MB. A receiver that answers 2xx has the delivery, whatever becomes of the rest of the answer:
another attempt would make it act twice.
"""

from __future__ import annotations

import datetime as dt
import email.utils
import ssl
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct

from securechat import __version__
from securechat.errors import TlsFailure
from securechat.limits import MAX_TEXT_CHARS
from securechat.server.outgoing.attempt import MOST_ANSWER_BYTES, AnswerTooLong, Attempt, AttemptAborted, AttemptPhase
from securechat.server.outgoing.destinations import SETTING, Destination
from securechat.server.outgoing.networks import IpAddress, NetworkPolicy
from securechat.server.outgoing.outcome import Delivered, DeliveryProblem, Failed, Gone, Outcome, ReplyProblem
from securechat.server.outgoing.resolver import NoAddress, Resolver
from securechat.server.outgoing.signature import WebhookSecret, signed_headers
from securechat.tls.contexts import receiver_context
from securechat.tls.verify_errors import verify_words
from securechat.translation import Sentence, system_error

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, HTTPConnectionPool

_JSON: Final = "application/json"
_GONE: Final = 410
_MOST_TEXT_CHARS: Final = 4 * MAX_TEXT_CHARS
"""Of a reply; the hub has the exact limit, and says so to the room."""
_LATE: Final = {
    AttemptPhase.RESOLVING: Sentence("the name was not resolved in time"),
    AttemptPhase.CONNECTING: Sentence("no connection in time"),
    AttemptPhase.HANDSHAKE: Sentence("no encrypted connection in time"),
    AttemptPhase.EXCHANGE: Sentence("no answer in time"),
}
_MOST_RETRY_AFTER_S: Final = 7 * 86_400.0
"""What is read of a Retry-After; the schedule has a bound of its own."""


class OutgoingSettings(Struct, frozen=True):
    """What the operator decides about outgoing webhooks.

    Attributes:
        policy: where they may be delivered.
        ca_pem: CA certificates that receivers may be verified with besides this machine's, as `trust.load_ca_file`
            returns them.
    """

    policy: NetworkPolicy = NetworkPolicy()
    ca_pem: str | None = None


class OutgoingRequest(Struct, frozen=True):
    """A delivery: what is posted, and where to. Its repr shows neither the body nor a secret.

    Attributes:
        destination: the receiver.
        delivery_id: the same at every attempt; see `signature.signed_headers`.
        body: JSON, from `payload.payload_of`.
        secrets: one, or two while rotating.
    """

    destination: Destination
    delivery_id: str
    body: bytes
    secrets: tuple[WebhookSecret, ...]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.destination!r}, {self.delivery_id!r}, ...)"


class _Reply(Struct, frozen=True):
    text: str | None = None


class _NoReply(Exception):
    """The answer makes no reply."""

    def __init__(self, problem: ReplyProblem) -> None:
        super().__init__(problem.value)
        self.problem = problem


class WebhookSender:
    """Makes attempts; callable from several threads at once.

    Args:
        settings: the operator's.
        resolver: looks names up.
        wall_s: seconds since the epoch, UTC.
    """

    def __init__(
        self,
        settings: OutgoingSettings,
        resolver: Resolver | None = None,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._resolver = resolver or Resolver()
        self._wall_s = wall_s
        self._context: ssl.SSLContext | None = None

    def send(self, request: OutgoingRequest, attempt: Attempt) -> Outcome:
        """Make one attempt.

        Raises:
            AttemptAborted: another thread has ended it; whether the receiver has the delivery is unknown.
        """
        from securechat.server.outgoing import connection  # noqa: PLC0415 - see there

        try:
            context = self._expect_context() if request.destination.encrypted else None
            attempt.begin()  # what the first delivery prepares is not the receiver's time
            addresses = self._addresses(request.destination, attempt)
        except TlsFailure as error:
            return Failed(DeliveryProblem.UNVERIFIED, error.detail)
        except NoAddress as error:
            return Failed(DeliveryProblem.NO_ADDRESS, error.args[0])
        allowed, refusal = self._judged(request.destination, addresses)
        if not allowed:
            return Failed(DeliveryProblem.FORBIDDEN, refusal)
        try:
            made, address = connection.connected(allowed, request.destination.port, attempt)
        except OSError as error:
            return _failed(error, attempt)
        with made, connection.interruptible(made, attempt):
            pool = connection.pool_over(made, address, request.destination, attempt, context)
            return self._exchanged(pool, request, attempt)

    def doubt(self, destination: Destination, attempt: Attempt) -> str:
        """Return why no delivery could go to a destination now, as a clause; empty if one could. Connects to nothing.

        Raises:
            AttemptAborted: as `send`.
        """
        attempt.begin()
        try:
            allowed, refusal = self._judged(destination, self._addresses(destination, attempt))
        except NoAddress as error:
            return str(error.args[0])
        return "" if allowed else refusal

    def _addresses(self, destination: Destination, attempt: Attempt) -> tuple[IpAddress, ...]:
        if (address := destination.address) is not None:
            return (address,)
        return self._resolver.addresses(destination.host, attempt)

    def _judged(self, destination: Destination, addresses: tuple[IpAddress, ...]) -> tuple[list[IpAddress], str]:
        """Return the addresses that a delivery may go to, and otherwise why it may not.

        One that is allowed is enough: a name often has an address in a network that is not named beside the other.
        """
        judged = [self._settings.policy.judge(each) for each in addresses]
        allowed = [each.address for each in judged if each.allowed and (destination.encrypted or each.named)]
        first = judged[0]
        if first.allowed:
            return allowed, Sentence(
                "http:// is for networks that {setting} names, and none has {address}",
                setting=SETTING,
                address=str(first.address),
            )
        if not first.kind.is_reachable:  # what some filters answer for a name that they block
            return allowed, Sentence("its address {address} is none that can be reached", address=str(first.address))
        return allowed, Sentence(
            "its address {address} is not one of the internet ({kind}), and {setting} names no network that has it",
            address=str(first.address),
            kind=first.kind.value,
            setting=SETTING,
        )

    def _exchanged(self, pool: HTTPConnectionPool, request: OutgoingRequest, attempt: Attempt) -> Outcome:
        headers = self._headers(request)
        response: BaseHTTPResponse | None = None
        try:
            response = pool.urlopen(
                "POST",
                request.destination.target,
                body=request.body,
                headers=headers,
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
            return self._outcome(response)
        except AttemptAborted:
            raise
        except Exception as error:
            attempt.expect_wanted()
            if attempt.accepted:
                return Delivered(problem=_reply_problem(error, attempt))
            if isinstance(error, MemoryError):
                raise
            return _failed(error, attempt)  # of any type: so the parsers of the library fail at what is not HTTP
        finally:
            if response is not None:
                response.close()

    def _expect_context(self) -> ssl.SSLContext:
        if self._context is None:  # two threads may make one each, which does no harm
            self._context = receiver_context(self._settings.ca_pem)
        return self._context

    def _headers(self, request: OutgoingRequest) -> dict[str, str]:
        return {
            "host": request.destination.authority,
            "user-agent": f"securechat/{__version__}",
            "content-type": _JSON,
            "accept": _JSON,
            "accept-encoding": "identity",
            "connection": "close",
            **signed_headers(request.delivery_id, int(self._wall_s()), request.body, request.secrets),
        }

    def _outcome(self, response: BaseHTTPResponse) -> Outcome:
        status = response.status
        if 200 <= status < 300:
            return _delivered(response)
        if status == _GONE:
            return Gone()
        retry_after_s = self._retry_after_s(response.headers.get("retry-after", ""))
        if 300 <= status < 400:
            why = Sentence("the receiver answered {status}, which leads elsewhere; give the final URL", status=status)
            return Failed(DeliveryProblem.REDIRECT, why, status, retry_after_s)
        why = Sentence("the receiver answered {status}", status=status)
        return Failed(DeliveryProblem.STATUS, why, status, retry_after_s)

    def _retry_after_s(self, text: str) -> float | None:
        """Parse seconds or a date (RFC 9110 section 10.2.3); None where it is neither."""
        text = text.strip()
        if text.isascii() and text.isdecimal():
            return min(float(text[:10]), _MOST_RETRY_AFTER_S)
        try:
            at = email.utils.parsedate_to_datetime(text)
        except (ValueError, TypeError, OverflowError):
            return None
        at = at if at.tzinfo is not None else at.replace(tzinfo=dt.UTC)
        return min(max(at.timestamp() - self._wall_s(), 0.0), _MOST_RETRY_AFTER_S)


def _delivered(response: BaseHTTPResponse) -> Delivered:
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != _JSON:
        return Delivered()
    try:
        return Delivered(_reply_in(_body_of(response)))
    except _NoReply as error:
        return Delivered(problem=error.problem)


def _body_of(response: BaseHTTPResponse) -> bytes:
    if response.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise _NoReply(ReplyProblem.ENCODED)
    body = b""
    while len(body) <= MOST_ANSWER_BYTES:
        piece = response.read(MOST_ANSWER_BYTES + 1 - len(body), decode_content=False)
        if not piece:
            return body
        body += piece
    raise _NoReply(ReplyProblem.TOO_LONG)


def _reply_in(body: bytes) -> str | None:
    try:
        text = msgspec.json.decode(body, type=_Reply).text
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _NoReply(ReplyProblem.INVALID) from None
    if text is not None and len(text) > _MOST_TEXT_CHARS:
        raise _NoReply(ReplyProblem.TOO_LONG)
    return text if text is not None and text.strip() else None


def _reply_problem(error: Exception, attempt: Attempt) -> ReplyProblem:
    """Return what an error means behind a status line of 2xx."""
    if isinstance(error, AnswerTooLong):
        return ReplyProblem.TOO_LONG  # what frames the body counts too
    return ReplyProblem.LATE if attempt.is_late else ReplyProblem.CUT


def _failed(error: Exception, attempt: Attempt) -> Failed:
    """Return what an error means, by what the attempt was doing."""
    fault = attempt.fault or error
    if attempt.is_late:
        return Failed(DeliveryProblem.TIMEOUT, _LATE[attempt.phase])
    if attempt.phase is AttemptPhase.CONNECTING:
        return Failed(DeliveryProblem.UNREACHABLE, _words(fault))
    if isinstance(fault, ssl.SSLCertVerificationError):
        return Failed(DeliveryProblem.UNVERIFIED, verify_words(fault))
    if isinstance(fault, ssl.SSLError) or attempt.phase is AttemptPhase.HANDSHAKE:
        return Failed(DeliveryProblem.TLS, Sentence("no encrypted connection: {why}", why=_words(fault)))
    if isinstance(fault, OSError) or isinstance(error.args[-1] if error.args else None, ConnectionError):
        return Failed(DeliveryProblem.CUT, Sentence("the receiver ended the connection without an answer"))
    return Failed(DeliveryProblem.MALFORMED, Sentence("what the receiver answered is not HTTP"))


def _words(fault: Exception) -> str:
    """Return why the system or OpenSSL refused; never the text of another error, which may have the URL in it."""
    if isinstance(fault, ssl.SSLError):
        return (fault.reason or type(fault).__name__).lower().replace("_", " ")
    return system_error(fault) if isinstance(fault, OSError) else type(fault).__name__
