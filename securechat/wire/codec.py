"""The interface between a session and a protocol: bytes in, commands out; events in, bytes out.

A codec is sans-IO: it owns no socket and no clock and knows no rule of the chat. It owns everything that is a matter of
its protocol: how a connection says hello and how much it may send before that, bytes that only the protocol knows about
(handshakes, pongs), and how the connection ends. docs/design/0008-codecs.md tells why, and
`securechat.testing.codec_checks` holds every codec against this page.

The session calls `ServerCodec.data_to_send` after each call of `next_command`, `encode` and, for what is left when the
peer talks nonsense, before `close`. So bytes that a codec makes while it reads leave before the answer to the next
command, and bytes that it makes while it encodes leave behind what `encode` returns.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, Protocol, TypeVar

import msgspec

from securechat.errors import Refusal, RemoteProtocolError
from securechat.limits import PageLimits
from securechat.model import Closing, Command, Event
from securechat.text.refusals import refusal_for

STRANGER_FRAMES = 16
"""Frames before a hello is accepted, refused hellos among them: several names may be tried, nothing can be flooded."""


class Handled(Enum):
    """The type of `HANDLED`."""

    HANDLED = "handled"


HANDLED: Final = Handled.HANDLED
"""The codec dealt with a frame by itself. The session charges it as a request, so that it cannot be flooded."""


class FrameRefused(Refusal):
    """A well-formed frame that makes no sense here; it is skipped and the connection lives.

    Args:
        refusal: what the peer is told, UNKNOWN_TYPE or INVALID; never an echo of its bytes.
        ref: the request number in the frame, where it had one.
        client_id: the draft number in the frame, where it had one.
    """

    def __init__(self, refusal: Refusal, ref: int | None = None, client_id: int | None = None) -> None:
        super().__init__(
            refusal.code, refusal.detail, refusal.retry_after_s, reason=refusal.reason, arguments=refusal.arguments
        )
        self.ref = ref
        self.client_id = client_id


_C = TypeVar("_C", bound=Command)


def validated(command: _C) -> _C:
    """Return a command that a codec has made field by field, if each field keeps to the bounds of its type.

    msgspec checks them where it decodes, not where a record is constructed, and the hub relies on them.

    Raises:
        FrameRefused: INVALID; a text is too long, say.
    """
    try:
        return msgspec.convert(msgspec.to_builtins(command), type(command))
    except msgspec.ValidationError:
        client_id = getattr(command, "client_id", None)
        raise FrameRefused(refusal_for("command_invalid"), client_id=client_id) from None


class Bodies(Protocol):
    """What encodes events without their frames. Compared by identity: what formats with the same one share."""

    def encode(self, event: Event) -> bytes:
        """Return the body of the event's frame.

        Raises:
            LocalProtocolError: the event does not fit into a frame.
        """


class WireFormat(Protocol):
    """The form of events on one kind of connection. Formats are compared by identity: one instance per format."""

    @property
    def name(self) -> str:
        """The word of the format: ALPN's, or the subprotocol of WebSocket."""

    @property
    def page_limits(self) -> PageLimits:
        """The longest page: every list that the hub makes for one peer is cut to the limits of its format.

        Two things may be longer: one message alone, which is bounded by the protocol (`PAGE_LIMITS`) and always comes
        whole, and what an event has beside its rows.
        """

    @property
    def shares(self) -> bool:
        """Whether all connections of the format are told a broadcast event in the same bytes.

        False: `ServerCodec.encode` is asked for each connection, at its price.
        """

    @property
    def bodies(self) -> Bodies | None:
        """Where a frame is a header and a body: what encodes the body. A broadcast to several formats asks it once."""

    def framed(self, body: bytes) -> bytes:
        """Return a body of `bodies` in the frame of this format. Never called where there are no bodies."""

    def encode(self, event: Event) -> bytes:
        """Return the event as complete bytes that can be joined with others and shared by every reader.

        Raises:
            LocalProtocolError: the event does not fit into a frame: a bug of the caller.
        """


class BodyReader(Protocol):
    """Cuts the bytes of a peer into the bodies of its frames.

    Attributes:
        max_bytes: the largest body accepted; raised when the hello is accepted.
    """

    max_bytes: int

    def receive_data(self, data: bytes) -> None:
        """Take bytes as they came."""

    def next_frame(self) -> bytearray | Handled | None:
        """Return the next complete body, `HANDLED` for a frame that has none, None when more data is needed.

        Raises:
            RemoteProtocolError: nothing can follow; and again at every later call.
        """

    def fail(self, failure: RemoteProtocolError) -> RemoteProtocolError:
        """Take no more, because a body made no sense. Returns the failure, to be raised."""


class ServerCodec(Protocol):
    """One connection, on the server's side. Subclasses inherit the defaults of a codec that keeps no state of its own.

    Attributes:
        format: the format to encode events with.
        wants_close: the protocol is over. The session takes nothing more and closes behind the bytes that
            `data_to_send` returns; the member is lost, not gone: a peer that quits is a Quit.
    """

    __slots__ = ()

    format: WireFormat
    wants_close: bool = False

    def receive_data(self, data: bytes) -> None:
        """Take decrypted bytes."""

    def next_command(self) -> Command | Handled | None:
        """Return the next complete command, `HANDLED` for a frame that needs no command, None when data is needed.

        One call deals with at most one frame or line of the peer; the session bounds how many it asks for in a pass.
        Before a hello is accepted the codec returns a Hello, Ping, Pong or Quit and nothing else, however its protocol
        gathers them, and gives up on a peer that sends more than `STRANGER_FRAMES` other frames and refused hellos.
        Every command keeps to the bounds of its type: see `validated`.

        Raises:
            FrameRefused: UNKNOWN_TYPE or INVALID; the frame is skipped and the next call goes on behind it.
            RemoteProtocolError: nonsense, or HELLO_EXPECTED; the connection must end. Every later call raises the same.
        """

    def hello_accepted(self) -> None:
        """The hub accepts the last Hello: lift the limits for strangers. Called behind `encode` of the Welcome."""

    def hello_refused(self) -> None:
        """The hub refuses the last Hello; another may follow. Called behind `encode` of the Refused."""

    def encode(self, event: Event) -> bytes:
        """Return what this one peer is told of an event; nothing where its protocol says nothing.

        Raises:
            LocalProtocolError: as `WireFormat.encode`.
        """
        return self.format.encode(event)

    def close(self, closing: Closing) -> bytes:
        """Return the last bytes of the connection: the event, and what the protocol ends with."""
        return self.encode(closing)

    def data_to_send(self) -> bytes:
        """Return bytes of the codec's own, once."""
        return b""
