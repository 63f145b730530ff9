"""Tells many the same: each event is encoded once per wire format, joined once, and shared by reference.

Under load this is where the work per delivery goes to zero: one append per member and run of messages, whatever the
number of messages in the run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, cast

from securechat.model import Event

if TYPE_CHECKING:
    from securechat.hub.ports import Peer
    from securechat.server.session import Session
    from securechat.wire.base import WireFormat


class Fanout:
    """The hub's outlet over sessions."""

    def broadcast(self, peers: Iterable[Peer], events: Sequence[Event]) -> None:
        """Queue the same events, in order, for every peer.

        Args:
            peers: sessions whose hello was accepted.
            events: what they are told.
        """
        fmt: WireFormat | None = None
        payload = b""
        made: dict[WireFormat, bytes] = {}
        for session in cast("Iterable[Session]", peers):
            if session.format is not fmt:
                fmt = session.format
                cached = made.get(fmt)
                payload = made[fmt] = encode_joined(fmt, events) if cached is None else cached
            session.write(payload)


def encode_joined(fmt: WireFormat, events: Sequence[Event]) -> bytes:
    """Return the events encoded one behind the other."""
    if len(events) == 1:
        return fmt.encode(events[0])
    return b"".join([fmt.encode(event) for event in events])
