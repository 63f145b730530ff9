"""What the operator reads of sessions and of the hub, one line per event."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from securechat.hub.ports import Happening, Peer
from securechat.server.console import Console

if TYPE_CHECKING:
    from securechat.net.admission import Denial
    from securechat.server.session import Session


class Chronicle:
    """Observes sessions and the hub, and tells the console.

    Args:
        console: where the lines go.
        show_messages: whether message texts may be shown.
    """

    def __init__(self, console: Console, *, show_messages: bool = False) -> None:
        self._console = console
        self.hears_messages = show_messages

    def connected(self, session: Session) -> None:
        """A TLS handshake is done."""
        self._console.event("connected", session.label, address=session.label)

    def disconnected(self, session: Session, name: str, reason: str, detail: str) -> None:
        """A connection is closed."""
        who = f'{session.label} "{name}"' if name else session.label
        sentence = _REASONS.get(reason, reason)
        if reason in _NEED_DETAIL and detail:
            sentence = f"{sentence}: {detail}"
        self._console.event(
            "disconnected",
            f"{who}: {sentence}",
            address=session.label,
            name=name or None,
            reason=reason,
            detail=detail or None,
        )

    def denied(self, address: str, denial: Denial) -> None:
        """A connection was not admitted."""
        self._console.event("refused", f"{address}: {_DENIALS[denial.value]}", address=address, reason=denial.value)

    def happened(self, what: Happening, peer: Peer | None, name: str, detail: str, text: str = "") -> None:
        """Something happened in the hub."""
        address: str | None = getattr(peer, "label", None)
        where = f"{address} " if address else ""
        match what:
            case Happening.NAMED:
                again = " again" if detail else ""
                self._console.event("named", f'{where}is "{name}"{again}', address=address, name=name)
            case Happening.JOINED:
                self._console.event("joined", f'"{name}" #{detail}', address=address, name=name, room=detail)
            case Happening.LEFT:
                self._console.event("left", f'"{name}" #{detail}', name=name, room=detail)
            case Happening.RENAMED:
                self._console.event("renamed", f'"{detail}" is now "{name}"', name=name, old=detail)
            case Happening.REFUSED:
                who = f'{where}"{name}"' if name else where.strip()
                self._console.event("refused", f"{who}: {detail}", address=address, name=name or None, reason=detail)
            case Happening.SAID:
                if self.hears_messages:
                    self._console.event(
                        "said", f'"{name}" to {detail}: {text}', address=address, name=name, to=detail, text=text
                    )
            case _:
                assert_never(what)


_NEED_DETAIL = frozenset({"tls_error", "failed"})
_REASONS = {
    # net.CloseReason
    "local": "closed by this server",
    "peer_closed": "closed by the client",
    "truncated": "the connection broke off (the client was killed, or its network is gone)",
    "reset": "the connection was reset",
    "tls_error": "TLS failed",
    "handshake_timeout": "the TLS handshake took too long",
    "timed_out": "the network gave up",
    "failed": "the connection failed",
    # errors.ErrorCode of our last words
    "bye": "said goodbye",
    "frame_too_large": "closed: announced a frame that is too large",
    "bad_frame": "closed: does not speak our protocol",
    "hello_expected": "closed: did not begin with a hello",
    "unsupported_version": "closed: speaks another version of the protocol",
    "hello_timeout": "closed: never said an acceptable hello",
    "ping_timeout": "closed: did not answer a ping",
    "slow_reader": "closed: does not read what it is sent",
    "replaced": "closed: the same person connected from somewhere else",
    "shutting_down": "closed: the server stops",
    "log_failed": "closed: the message log failed",
    "banned": "closed: banned",
    "kicked": "closed by an administrator",
    "logged_out": "closed: its login was ended",
}
_DENIALS = {
    "server_full": "turned away: as many connections as descriptors allow (raise `ulimit -n`)",
    "address_full": "turned away: too many connections from this address",
    "half_open": "turned away: too many unfinished handshakes from this address",
    "failed_hellos": "turned away: too many connections from this address never said hello",
    "no_descriptors": "turned away: the system has no descriptors left (raise `ulimit -n`)",
}
