"""A verified connection that knows frames and nothing of our codecs: what another program would make of the server."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any

from tests.support import patience
from tests.support.secure_socket import secure_socket

PATIENCE_S = patience.PATIENCE_S


class RawLink:
    """One connection, frame by frame.

    Args:
        host: address of the server.
        port: its port.
        ca: the CA's PEM file.
    """

    def __init__(self, host: str, port: int, ca: Path) -> None:
        context = ssl.create_default_context(cafile=str(ca))
        context.set_alpn_protocols(["securechat/1"])
        self._link = secure_socket(context, (host, port))
        self._buffer = b""

    def send(self, frame: bytes) -> None:
        """Send bytes as they are."""
        self._link.sendall(frame)

    def next_frame(self) -> bytes:
        """Return the next complete frame, header included; empty at an orderly end."""
        while True:
            if len(self._buffer) >= 4:
                end = 4 + int.from_bytes(self._buffer[:4], "big")
                if len(self._buffer) >= end:
                    frame, self._buffer = self._buffer[:end], self._buffer[end:]
                    return frame
            data = self._link.recv(65536)
            if not data:
                assert not self._buffer, "half a frame before the end"
                return b""
            self._buffer += data

    def next_record(self, *, skip: frozenset[str] = frozenset()) -> dict[str, Any] | None:
        """Return the next record whose type is not skipped; None at the end."""
        while frame := self.next_frame():
            record: dict[str, Any] = json.loads(frame[4:])
            if record["t"] not in skip:
                return record
        return None

    def close(self) -> None:
        """Break the connection."""
        self._link.close()
