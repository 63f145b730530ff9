"""What every codec is: bytes in, records out, and the other way round; no sockets, no clock, no rules of the chat."""

from __future__ import annotations

from typing import Protocol

from securechat.model import Command, Event


class WireFormat(Protocol):
    """How events look on one kind of connection. Its instances are compared by identity: one per format."""

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
        """Take decrypted bytes; at most 64 KiB at a time."""

    def next_command(self) -> Command | None:
        """Return the next complete command, or None when more data is needed.

        Raises:
            Refusal: a well-formed frame that makes no sense here (UNKNOWN_TYPE, INVALID); the frame is skipped and
                the next call goes on.
            RemoteProtocolError: nonsense; the connection must end. Every later call raises the same.
        """

    def hello_accepted(self) -> None:
        """Lift the frame limit for strangers."""
