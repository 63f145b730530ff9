"""Looks names up with a time limit, which ``getaddrinfo`` does not have.

Each lookup runs on a thread of its own that is left behind when its time is over: a resolver whose servers do not
answer waits for 5 s a try (resolv.conf(5)). The number of such threads is bounded.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from ipaddress import ip_address
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeAlias

from securechat.errors import SecurechatError
from securechat.server.outgoing.attempt import Attempt
from securechat.server.outgoing.networks import IpAddress
from securechat.translation import Sentence

MOST_LOOKUPS: Final = 8
"""At a time, those that were left behind included: twice the threads that deliver."""
_MOST_ADDRESSES = 16
"""Of a name; the rest is ignored. Large services have up to eight."""

_Found: TypeAlias = list[tuple[Any, ...]] | None
"""What ``getaddrinfo`` returned; None: nothing."""


class NoAddress(SecurechatError):
    """A name has no address now. The text is one clause."""


class Resolver:
    """Looks names up. Callable from several threads.

    Args:
        lookup: as `socket.getaddrinfo`.
    """

    def __init__(self, lookup: Callable[..., list[tuple[Any, ...]]] = socket.getaddrinfo) -> None:
        self._lookup = lookup
        self._free = threading.Semaphore(MOST_LOOKUPS)

    def addresses(self, host: str, attempt: Attempt) -> tuple[IpAddress, ...]:
        """Return the addresses of a name, at least one, in the system's order of preference (RFC 6724).

        Raises:
            NoAddress: it has none, or the resolver did not answer in the attempt's time, or is asked too much.
            AttemptAborted: the attempt was aborted.
        """
        answers: SimpleQueue[_Found] = SimpleQueue()
        attempt.interrupt_by(lambda: answers.put(None))
        try:
            self._start(host, answers)
            found = answers.get(timeout=attempt.left_s())
        except (Empty, TimeoutError):
            raise NoAddress(Sentence("the name was not resolved in time")) from None
        finally:
            attempt.end_interrupt()
        attempt.expect_wanted()
        addresses = tuple(dict.fromkeys(ip_address(each[4][0]) for each in found or ()))
        if not addresses:
            raise NoAddress(Sentence("the name has no address"))
        return addresses[:_MOST_ADDRESSES]

    def _start(self, host: str, answers: SimpleQueue[_Found]) -> None:
        if not self._free.acquire(blocking=False):
            raise NoAddress(Sentence("the resolver does not answer: {count} lookups wait for it", count=MOST_LOOKUPS))
        thread = threading.Thread(target=self._ask, args=(host, answers), name="webhook-resolver", daemon=True)
        try:
            thread.start()
        except BaseException:  # at the limit of threads; reported by the caller
            self._free.release()
            raise

    def _ask(self, host: str, answers: SimpleQueue[_Found]) -> None:
        found: _Found = None
        try:
            found = self._lookup(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):  # no such name, no server, or no name at all: one outcome for the operator
            pass
        finally:
            self._free.release()
            answers.put(found)
