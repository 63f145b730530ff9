"""Sends the same events to many sessions: each is encoded once per wire format, joined once, and shared by reference.

Under load, that makes the work per delivery almost nothing: one append per member and run of messages, however many
messages are in the run. Formats that differ only in the frame around the same body have the body encoded once. A format
that does not share (`WireFormat.shares`) is encoded by the codec of each connection, at its own price; an exception of
such a codec ends that connection alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

from securechat.errors import LocalProtocolError
from securechat.model import Event

if TYPE_CHECKING:
    from securechat.hub.interfaces import Peer
    from securechat.server.session import Session
    from securechat.wire.codec import Bodies, WireFormat


def _raise(_: Session, error: Exception) -> None:
    raise error


class Broadcaster:
    """Implements the hub's interface for broadcasts over sessions.

    Args:
        write_all: queues the same bytes on many links; the transports' own is the fastest (`securechat.net.broadcast`).
        on_error: called with an event that does not fit into a frame, which is a bug. The event is left out: the hub
            broadcasts a committed batch to all, and may not stop in the middle.
        on_failure: called with a session whose own codec raised, after all others were served; it should end that
            session.
    """

    def __init__(
        self,
        write_all: Callable[[list[Any], bytes], None],
        on_error: Callable[[LocalProtocolError], None] = lambda _: None,
        on_failure: Callable[[Session, Exception], None] = _raise,
    ) -> None:
        self._write_all = write_all
        self._on_error = on_error
        self._on_failure = on_failure

    def broadcast(self, peers: Sequence[Peer], events: Sequence[Event]) -> None:
        """Queue the same events, in order, for every peer.

        Args:
            peers: sessions whose hello was accepted.
            events: in the order of delivery.
        """
        sessions = cast("Sequence[Session]", peers)
        if not sessions:
            return
        fmt = sessions[0].format
        links = [session.link for session in sessions if session.format is fmt]
        if len(links) < len(sessions):
            self._broadcast_by_format(sessions, links, events)
        elif fmt.shares:
            try:
                encoded = encode_joined(fmt, events)
            except LocalProtocolError:
                encoded = b"".join(self._encode_each(fmt.encode, events))
            if encoded:
                self._write_all(links, encoded)
        else:
            self._tell_each(sessions, events)

    def _broadcast_by_format(self, sessions: Sequence[Session], links: list[Any], events: Sequence[Event]) -> None:
        """Queue the events for sessions of several formats; formats that have the same bodies encode them once.

        Args:
            sessions: of at least two formats.
            links: of those that have the first one's.
            events: in the order of delivery.
        """
        bodies: dict[Bodies, list[bytes]] = {}
        while links:
            fmt = sessions[0].format
            if not fmt.shares:
                self._tell_each([session for session in sessions if session.format is fmt], events)
            elif encoded := self._encoded(fmt, events, bodies):
                self._write_all(links, encoded)
            sessions = (
                [session for session in sessions if session.format is not fmt] if len(links) < len(sessions) else []
            )
            links = [session.link for session in sessions if session.format is sessions[0].format]

    def _encoded(self, fmt: WireFormat, events: Sequence[Event], bodies: dict[Bodies, list[bytes]]) -> bytes:
        """Encode the events for one format, with bodies that another has had encoded."""
        source = fmt.bodies
        if source is None:
            return b"".join(self._encode_each(fmt.encode, events))
        if source not in bodies:
            bodies[source] = list(self._encode_each(source.encode, events))
        return b"".join([fmt.framed(body) for body in bodies[source]])

    def _tell_each(self, sessions: Sequence[Session], events: Sequence[Event]) -> None:
        failures: list[tuple[Session, Exception]] = []
        for session in sessions:
            try:
                for event in events:
                    self._tell(session, event)
            except Exception as error:  # noqa: BLE001  (a codec's state is its connection's: no other may suffer)
                failures.append((session, error))
        for session, failure in failures:
            self._on_failure(session, failure)

    def _tell(self, session: Session, event: Event) -> None:
        try:
            session.tell(event)
        except LocalProtocolError as error:
            self._on_error(error)

    def _encode_each(self, encode: Callable[[Event], bytes], events: Sequence[Event]) -> Iterator[bytes]:
        for event in events:
            try:
                yield encode(event)
            except LocalProtocolError as error:
                self._on_error(error)


def encode_joined(fmt: WireFormat, events: Sequence[Event]) -> bytes:
    """Return the events encoded one behind the other."""
    if len(events) == 1:
        return fmt.encode(events[0])
    return b"".join([fmt.encode(event) for event in events])
