"""Extracts the server's certificate from a TLS 1.3 handshake (RFC 8446 section 4.4.2), before verification.

Used only to explain a failure. The bytes are untrusted: whatever does not parse is not a certificate.
"""

from __future__ import annotations

_CERTIFICATE = 11  # HandshakeType, RFC 8446 section 4


def certificate_in(kind: int, message: bytes) -> bytes | None:
    """Return the DER of the first certificate in a TLS 1.3 Certificate message.

    Args:
        kind: the message's handshake type.
        message: the whole handshake message with its four bytes of header.

    Returns:
        The DER; None for any other message, an empty list, or one that does not parse.
    """
    if kind != _CERTIFICATE or len(message) < 5 or message[0] != _CERTIFICATE:
        return None
    # type (1), length (3), certificate_request_context<0..2^8-1>, certificate_list<0..2^24-1> of
    # { cert_data<1..2^24-1>, extensions<0..2^16-1> }
    list_at = 5 + message[4]
    length = int.from_bytes(message[list_at + 3 : list_at + 6], "big")
    der = message[list_at + 6 : list_at + 6 + length]
    return bytes(der) if length and len(der) == length else None
