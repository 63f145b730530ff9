"""Looks at a TLS ClientHello while it arrives: tells how many of its bytes are missing (RFC 8446, 4.1.2 and 5.1).

Reads the headers of the TLS records (RFC 8446, section 5.1) and of the handshake message in them, which may be spread
over several records (section 4), and nothing else: what a hello says is OpenSSL's to judge. Does no I/O.
"""

from __future__ import annotations

_RECORD_HEADER_BYTES = 5
_MESSAGE_HEADER_BYTES = 4  # type and length
_HANDSHAKE_RECORD = 22
_CLIENT_HELLO = 1
MOST_RECORD_BYTES = 2**14
"""Of a record's body, and here of a ClientHello as well. A usual one has 250 to 2,000 bytes."""


class ClientHelloProgress:
    """The beginning of one connection's bytes, measured again each time that more have come.

    Goes on behind the last complete record: a hello in thousands of records of one byte is read once, not once for
    each of them.
    """

    __slots__ = ("_at", "_got", "_head")

    def __init__(self) -> None:
        self._at = 0  # where the first record that was not complete begins
        self._got = 0  # bytes of the message in the records before it
        self._head = b""  # the message's header, as far as it has come in these records

    def missing_bytes(self, data: bytes) -> int:
        """How many bytes must at least follow before the ClientHello is complete.

        Args:
            data: all that has come, from the beginning; begins with the ``data`` of the call before.

        Returns:
            0 when it is complete, is none, or breaks the rules: OpenSSL has an answer to that.
        """
        while True:
            header = data[self._at : self._at + _RECORD_HEADER_BYTES]
            if header and header[0] != _HANDSHAKE_RECORD:
                return 0
            if len(header) < _RECORD_HEADER_BYTES:
                return _RECORD_HEADER_BYTES - len(header) + _wanted_bytes(self._head) - self._got
            body_bytes = int.from_bytes(header[3:])
            if not 0 < body_bytes <= MOST_RECORD_BYTES:
                return 0
            begin = self._at + _RECORD_HEADER_BYTES
            there_bytes = min(body_bytes, len(data) - begin)
            left_bytes = body_bytes - there_bytes
            got = self._got + there_bytes
            head = self._head
            if len(head) < _MESSAGE_HEADER_BYTES:
                head = (head + data[begin : begin + there_bytes])[:_MESSAGE_HEADER_BYTES]
            wanted = _wanted_bytes(head)
            if (head and head[0] != _CLIENT_HELLO) or wanted > MOST_RECORD_BYTES:
                return 0
            if left_bytes:
                after = wanted - got - left_bytes  # to come in records behind this one
                return left_bytes + (_RECORD_HEADER_BYTES + after if after > 0 else 0)
            if got >= wanted:
                return 0
            self._at, self._got, self._head = begin + body_bytes, got, head


def _wanted_bytes(head: bytes) -> int:
    """Of the whole message; of its header while that has not come."""
    if len(head) < _MESSAGE_HEADER_BYTES:
        return _MESSAGE_HEADER_BYTES
    return _MESSAGE_HEADER_BYTES + int.from_bytes(head[1:])
