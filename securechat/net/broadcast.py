"""Queues the same bytes on many transports; the hottest loop of the server.

It does the same as `Transport.write` without a call per member: that halves the Python work of a broadcast (0.7 to 0.3
µs a member on a slow core, measured), a tenth of the cost of a delivery when messages come singly. For this reason this
function, and no other, uses private attributes of transports.
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
