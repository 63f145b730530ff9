"""Looks at a TLS ClientHello: how many of its bytes are missing, and which protocols it offers (RFC 8446, 4.1.2).

Reads the headers of the TLS records (RFC 8446, section 5.1) and of the handshake message in them, which may be spread
over several records (section 4), and of a complete hello the ALPN extension (RFC 7301), because the server must choose
a context before OpenSSL reads the hello. Everything else in it is OpenSSL's to judge. Does no I/O.
"""

from __future__ import annotations

from struct import Struct

_RECORD_HEADER_BYTES = 5
_MESSAGE_HEADER_BYTES = 4  # type and length
_HANDSHAKE_RECORD = 22
_CLIENT_HELLO = 1
MOST_RECORD_BYTES = 2**14
"""Of a record's body, and here of a ClientHello as well. A usual one has 250 to 2,000 bytes."""
MOST_PROTOCOLS = 16
"""Offers that are looked at; Chromium and Firefox make two, and one with GREASE (RFC 8701) three."""
MOST_EXTENSIONS = 64
"""Of a hello, and as many records that it is spread over; Chromium sends 18 extensions in one or two records."""
_ALPN = 16
_EXTENSION_HEADER = Struct(">HH")  # type and length


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


def offered_protocols(data: bytes) -> tuple[str, ...] | None:
    """The protocols that a ClientHello offers by ALPN, in the client's order (RFC 7301, section 3.1).

    Costs 3.1 to 3.8 us for a hello of OpenSSL (517 bytes) or of Chromium (1,824), and a look at the socket 0.8 us
    (measured). Where browsers are served both happen twice, to count a connection and to choose its context: 9 us, and
    300 to 800 us for the handshake.

    Args:
        data: the beginning of a connection's bytes, up to the end of its ClientHello or beyond.

    Returns:
        At most MOST_PROTOCOLS names, each byte as one character (Latin-1), so that no name is lost or taken for
        another. None where ALPN is not offered, where the bytes are no complete ClientHello or break the rules
        (OpenSSL ends such a handshake, or sees no offer either), and where there are more than MOST_EXTENSIONS
        extensions or records before it.
    """
    message = _message_in(data)
    # legacy_version (2), random (32), then legacy_session_id<0..32>, cipher_suites<2..2^16-2>,
    # legacy_compression_methods<1..2^8-1> and extensions<8..2^16-1>: RFC 8446, section 4.1.2.
    at = _MESSAGE_HEADER_BYTES + 34
    for length_bytes in (1, 2, 1):
        at += length_bytes + int.from_bytes(message[at : at + length_bytes])
    end = at + 2 + int.from_bytes(message[at : at + 2])
    at += 2
    if end > len(message):
        return None
    for _ in range(MOST_EXTENSIONS):
        if at + 4 > end:
            return None
        kind, size_bytes = _EXTENSION_HEADER.unpack_from(message, at)
        at += 4
        if kind == _ALPN:  # a second one ends the handshake (section 4.2): OpenSSL says so
            return _names_in(message[at : at + size_bytes]) if at + size_bytes <= end else None
        at += size_bytes
    return None


def _message_in(data: bytes) -> bytes:
    """Take the ClientHello out of its records; empty when it is not complete, or is none."""
    pieces: list[bytes] = []
    at = got_bytes = 0
    head = b""
    while got_bytes < _wanted_bytes(head):
        if len(pieces) == MOST_EXTENSIONS:
            return b""
        begin = at + _RECORD_HEADER_BYTES
        header = data[at:begin]
        at = begin + int.from_bytes(header[3:])
        if not header.startswith(b"\x16") or not begin < at <= len(data):
            return b""
        pieces.append(data[begin:at])
        got_bytes += at - begin
        if len(head) < _MESSAGE_HEADER_BYTES:
            head = (head + pieces[-1])[:_MESSAGE_HEADER_BYTES]
            if head[0] != _CLIENT_HELLO:
                return b""
    return b"".join(pieces)[: _wanted_bytes(head)]


def _names_in(extension: bytes) -> tuple[str, ...] | None:
    """The names in a ProtocolNameList, none of which may be empty (RFC 7301, section 3.1)."""
    if len(extension) < 2 or int.from_bytes(extension[:2]) != len(extension) - 2:
        return None
    at = 2
    names: list[str] = []
    while at < len(extension) and len(names) < MOST_PROTOCOLS:
        end = at + 1 + extension[at]
        if not at + 1 < end <= len(extension):
            return None
        names.append(extension[at + 1 : end].decode("latin-1"))
        at = end
    return tuple(names) or None
