"""The TLS handshake of one connection: its queue slot, deadline and result.

A step costs the loop 0.3 to 0.8 ms of computation (measured), so steps wait in the loop's queue, and the loop runs only
a few a pass. The transport decides what the selector watches when a step would block, and what follows the handshake.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from securechat.net.interfaces import LoopConnection

if TYPE_CHECKING:
    from securechat.net.interfaces import TransportOwner
    from securechat.net.loop import Loop

TransportT = TypeVar("TransportT", bound=LoopConnection)


class TlsParameters(NamedTuple):
    """The result of a finished handshake.

    Attributes:
        alpn: the protocol that ALPN selected (RFC 7301); None when none was.
        tls_version: such as ``"TLSv1.3"``.
        peer_certificate: DER of the certificate the peer proved to own, verified as the context asks; None when it
            showed none.
    """

    alpn: str | None
    tls_version: str | None
    peer_certificate: bytes | None


class Handshake(Generic[TransportT]):
    """One handshake under way; its deadline, limits.handshake_timeout_s, runs from here on.

    Args:
        loop: the loop.
        sock: owned by the transport, and never closed here.
        transport: the loop calls its ``step_handshake``.
        late: called at the deadline.
        owner: told whether the peer's ClientHello is complete, until it is.

    Attributes:
        queued: whether it waits for a turn of the loop.
    """

    __slots__ = ("_deadline", "_loop", "_owner", "_sock", "_transport", "queued")

    def __init__(
        self,
        loop: Loop,
        sock: ssl.SSLSocket,
        transport: TransportT,
        late: Callable[[], None],
        owner: TransportOwner[TransportT] | None = None,
    ) -> None:
        self._loop = loop
        self._sock = sock
        self._transport = transport
        self.queued = False
        self._owner = owner  # until the hello is complete
        self._deadline = loop.call_later(loop.limits.handshake_timeout_s, late)

    def queue(self) -> None:
        """Ask the loop for a turn; one at a time."""
        if not self.queued:
            self.queued = True
            self._loop.handshakes.append(self._transport)

    def step(self) -> TlsParameters:
        """Run the handshake as far as the received bytes allow.

        Returns:
            The result; the handshake is then over.

        Raises:
            ssl.SSLWantReadError, ssl.SSLWantWriteError: the peer's next bytes are missing, or the socket is full.
            OSError, ValueError: the handshake failed.
        """
        self.queued = False
        sock = self._sock
        try:
            sock.do_handshake()
        except ssl.SSLWantReadError:
            self._tell_owner()
            raise
        # A context that verifies nothing would return a certificate that proves nothing.
        verified = sock.context.verify_mode is not ssl.CERT_NONE
        shown = sock.getpeercert(binary_form=True) if verified else None
        return TlsParameters(sock.selected_alpn_protocol(), sock.version(), shown)

    def over(self) -> None:
        """Cancel the deadline: the handshake is over or abandoned."""
        self._deadline.cancel()

    def _tell_owner(self) -> None:
        """Tell the owner whether the whole ClientHello has arrived: OpenSSL knows the peer's ciphers from then on."""
        if self._owner is not None:
            complete = self._sock.shared_ciphers() is not None
            self._owner.hello_heard(self._transport, complete=complete)
            if complete:
                self._owner = None
