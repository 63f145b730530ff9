"""The hottest loop of the server: the same bytes into a thousand outboxes.

It does what `Transport.write` does, without a call per member: measured, that halves the Python work of a broadcast
(0.7 to 0.3 µs a member on a slow core), which is a tenth of all that a delivery costs when messages come singly. That
is why this function, and no other, reaches into transports.
"""

from __future__ import annotations

from collections.abc import Iterable

from securechat.net.transport import Transport


def write_all(transports: Iterable[Transport], data: bytes) -> None:
    """Queue whole frames, by reference, on every transport that still writes.

    Args:
        transports: of one loop or of several.
        data: whole frames.
    """
    for transport in transports:
        if transport._writing:
            transport._append(data)
            if not transport._dirty:
                transport._dirty = True
                transport._loop.dirty.append(transport)
