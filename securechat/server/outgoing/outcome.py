"""The outcome of one attempt to deliver.

No text in it has a path, a query or anything that the receiver sent: addresses of webhooks often contain a secret, and
the texts go into logs and rooms.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct


class DeliveryProblem(StrEnum):
    """The kinds of failed attempts. Values are stable words for records and metrics."""

    NO_ADDRESS = "no_address"
    """The name has no address, or the resolver did not answer."""
    FORBIDDEN = "forbidden"
    """None of its addresses may be connected to."""
    UNREACHABLE = "unreachable"
    """No connection to any of them."""
    UNVERIFIED = "unverified"
    """The receiver's certificate could not be verified."""
    TLS = "tls"
    """The handshake failed in another way."""
    TIMEOUT = "timeout"
    """No answer in time."""
    CUT = "cut"
    """The connection ended before the answer."""
    MALFORMED = "malformed"
    """What came is no answer of HTTP."""
    REDIRECT = "redirect"
    """The answer leads elsewhere (3xx)."""
    STATUS = "status"
    """The answer has another status than 2xx, 3xx and 410."""
    INTERNAL = "internal"
    """The attempt could not be made: a fault of this program, no thread, or no memory."""


class ReplyProblem(StrEnum):
    """Why an answer made no reply that might have one, although the delivery succeeded. Values are stable words."""

    TOO_LONG = "too_long"
    """More than 64 KiB of answer, or a text that no message can hold."""
    ENCODED = "encoded"
    """Compressed; the sender had asked for `identity`."""
    LATE = "late"
    """Not complete in time."""
    CUT = "cut"
    """It ended in the middle, or goes on with what is not HTTP."""
    INVALID = "invalid"
    """No JSON object with a ``text`` that is text."""


class Delivered(Struct, frozen=True):
    """The receiver has taken the delivery (2xx).

    Attributes:
        reply: the text that it answers with, as it came: the hub judges it like any message; None: no reply.
        problem: why its answer made no reply, where it might have one: it is JSON, or its headers could not be read.
    """

    reply: str | None = None
    problem: ReplyProblem | None = None


class Failed(Struct, frozen=True):
    """The attempt failed, and another may succeed.

    Attributes:
        problem: the kind.
        detail: one clause for the operator, in English and translatable: "the receiver answered 503".
        status: of the answer, where there was one.
        retry_after_s: what the receiver's Retry-After asks for, seconds.
    """

    problem: DeliveryProblem
    detail: str = ""
    status: int | None = None
    retry_after_s: float | None = None


class Gone(Struct, frozen=True):
    """The receiver wants no more deliveries (410)."""


Outcome: TypeAlias = Delivered | Failed | Gone
