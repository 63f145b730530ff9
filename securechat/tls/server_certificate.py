"""Extracts the server's certificates from a TLS 1.3 handshake (RFC 8446 section 4.4.2), before verification.

Used only to explain a failure. The bytes are untrusted: what does not parse is not a certificate.
"""

from __future__ import annotations

_MOST = 10
"""Certificates taken from one message; real chains have at most five."""
_CERTIFICATE = 11  # HandshakeType, RFC 8446 section 4


def certificates_in(kind: int, message: bytes) -> tuple[bytes, ...]:
    """Return the DER of the certificates in a TLS 1.3 Certificate message, the server's own first.

    Args:
        kind: the message's handshake type.
        message: the whole handshake message with its four bytes of header.

    Returns:
        At most ten; those before the first that does not parse; none for any other message.
    """
    if kind != _CERTIFICATE or len(message) < 5 or message[0] != _CERTIFICATE:
        return ()
    # type (1), length (3), certificate_request_context<0..2^8-1>, certificate_list<0..2^24-1> of
    # { cert_data<1..2^24-1>, extensions<0..2^16-1> }
    at = 5 + message[4] + 3
    found: list[bytes] = []
    while len(found) < _MOST and at + 3 <= len(message):
        length = int.from_bytes(message[at : at + 3], "big")
        der = message[at + 3 : at + 3 + length]
        if not length or len(der) < length:
            break
        found.append(bytes(der))
        after = at + 3 + length
        at = after + 2 + int.from_bytes(message[after : after + 2], "big")
    return tuple(found)
