"""The frame: a 4-byte big-endian length and that many bytes of body.

The length is judged from the four header bytes alone, before a byte of the body is kept. So a peer can make the reader
keep one frame and the bytes of one read at most.
"""

from __future__ import annotations

from struct import Struct

from securechat.errors import LocalProtocolError, RemoteProtocolError
from securechat.limits import MAX_FRAME_BYTES
from securechat.text.refusals import protocol_error

HEADER_BYTES = 4
_length_at = Struct(">I").unpack_from


def frame(body: bytes, max_bytes: int = MAX_FRAME_BYTES) -> bytes:
    """Return ``body`` behind its length.

    Raises:
        LocalProtocolError: the body is empty or longer than ``max_bytes``.
    """
    size = len(body)
    if not 0 < size <= max_bytes:
        raise LocalProtocolError(f"a frame body of {size} bytes; allowed are 1 to {max_bytes}")
    return size.to_bytes(HEADER_BYTES, "big") + body


class FrameReader:
    """Cuts a stream of bytes into frame bodies.

    Args:
        max_bytes: the largest body accepted; may be raised later through the attribute of that name.
    """

    __slots__ = ("_buffer", "_failure", "_start", "max_bytes")

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._buffer = bytearray()
        self._start = 0
        self._failure: RemoteProtocolError | None = None

    @property
    def buffered_bytes(self) -> int:
        """Bytes held that no frame has used yet."""
        return len(self._buffer) - self._start

    def receive_data(self, data: bytes) -> None:
        """Take bytes as they came; a frame may begin and end anywhere in them. After a bad header nothing is kept."""
        if self._failure is not None:
            return
        if self._start:
            del self._buffer[: self._start]
            self._start = 0
        self._buffer += data

    def next_frame(self) -> bytearray | None:
        """Return the next complete body, or None when more data is needed.

        Raises:
            RemoteProtocolError: FRAME_TOO_LARGE or BAD_FRAME (length zero), from the header alone; and again at every
                later call, because behind a bad header no frame boundary is known.
        """
        if self._failure is not None:
            raise self._failure
        buffer = self._buffer
        body = self._start + HEADER_BYTES
        if len(buffer) < body:
            return None
        (size,) = _length_at(buffer, self._start)
        if not 0 < size <= self.max_bytes:
            raise self.fail(self._judge(size))
        end = body + size
        if len(buffer) < end:
            return None
        self._start = end
        return buffer[body:end]

    def fail(self, failure: RemoteProtocolError) -> RemoteProtocolError:
        """Take no more, because a body made no sense; every later call raises ``failure``. Returns it, to be raised."""
        self._failure = failure
        self._buffer.clear()
        self._start = 0
        return failure

    def _judge(self, size: int) -> RemoteProtocolError:
        if size == 0:
            return protocol_error("frame_empty")
        return protocol_error("frame_too_large", size=size, most=self.max_bytes)
