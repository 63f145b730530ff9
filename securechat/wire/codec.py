"""What every codec is: bytes in, records out, and the other way round; no sockets, no clock, no rules of the chat."""

from __future__ import annotations

from typing import Protocol

from securechat.errors import ErrorCode, Refusal
from securechat.model import Command, Event


class FrameRefused(Refusal):
    """A well-formed frame that makes no sense here; it is skipped and the connection lives.

    Args:
        code: UNKNOWN_TYPE or INVALID.
        detail: one sentence; never an echo of the peer's bytes.
        ref: the request number in the frame, where it had one.
        client_id: the draft number in the frame, where it had one.
    """

    def __init__(self, code: ErrorCode, detail: str, ref: int | None = None, client_id: int | None = None) -> None:
        super().__init__(code, detail)
        self.ref = ref
        self.client_id = client_id


class WireFormat(Protocol):
    """How events look on one kind of connection. Formats are compared by identity: one instance per format."""

    @property
    def name(self) -> str:
        """The ALPN word of the format."""

    def encode(self, event: Event) -> bytes:
        """Return the event as complete bytes that can be joined with others and shared by every reader.

        Raises:
            LocalProtocolError: the event does not fit into a frame: a bug of the caller.
        """


class ServerCodec(Protocol):
    """One connection's input state, on the server's side."""

    @property
    def format(self) -> WireFormat:
        """The format to encode events with."""

    def receive_data(self, data: bytes) -> None:
        """Take decrypted bytes."""

    def next_command(self) -> Command | None:
        """Return the next complete command, or None when more data is needed.

        Raises:
            FrameRefused: UNKNOWN_TYPE or INVALID; the frame is skipped and the next call goes on behind it.
            RemoteProtocolError: nonsense; the connection must end. Every later call raises the same.
        """

    def hello_accepted(self) -> None:
        """Lift the frame limit for strangers."""
