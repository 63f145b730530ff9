"""The queue of bytes that wait to be sent to one peer; no sockets.

A broadcast puts one ``bytes`` object into a thousand outboxes, so a chunk is kept by reference and copied only when
several are joined into one TLS record. A single chunk of at most a record is sent as it is; a longer one is sent as
views of itself.

OpenSSL demands that a refused or short write is repeated with the same bytes (SSL_write(3), SSL_ERROR_WANT_WRITE),
because the record is already encrypted. So the result of :meth:`Outbox.take` stays *in flight* until
:meth:`Outbox.accepted` has counted all of it.

A chunk is a whole number of the protocol's units (frames, lines). :meth:`Outbox.clear_unsent` cuts only between chunks,
never inside one partly sent: last words must not follow half a frame.
"""

from __future__ import annotations

from collections.abc import Callable

TLS_RECORD_BYTES = 16 * 1024
"""Largest plaintext of one TLS record (RFC 8446, section 5.1), and so the size of one send."""


class Outbox:
    """A queue of shared chunks with one piece in flight.

    Attributes:
        append: adds a chunk. It is the list's own method, because a broadcast calls it a thousand times a pass; lengths
            are counted only when asked for.
        chunks: what `append` adds to. For the flush of a broadcast, which does without a call a member.
        in_flight: the piece that was taken and not accepted yet.
    """

    __slots__ = ("_begun", "_counted", "_counted_bytes", "append", "chunks", "in_flight")

    def __init__(self) -> None:
        self.chunks: list[bytes | memoryview] = []
        self.append: Callable[[bytes | memoryview], None] = self.chunks.append
        self._begun = False  # whether the first chunk is the rest of a partly taken one
        self._counted = 0  # how many leading chunks _counted_bytes includes
        self._counted_bytes = 0
        self.in_flight: bytes | memoryview = b""

    def __bool__(self) -> bool:
        """Whether anything is queued or in flight."""
        return bool(self.in_flight or self.chunks)

    @property
    def size_bytes(self) -> int:
        """The bytes not yet accepted by the socket. Counts only the chunks appended since the last call."""
        return self._count() + len(self.in_flight)

    def take(self, max_bytes: int = TLS_RECORD_BYTES) -> bytes | memoryview:
        """Return the next piece to send: the one in flight, else the queued chunks joined up to ``max_bytes``.

        Returns:
            The same piece again until it is accepted; empty when the outbox is.
        """
        if self.in_flight:
            return self.in_flight
        chunks = self.chunks
        if chunks and len(chunks[0]) == max_bytes:  # a part of a file: sent as it is
            return self._take_first()
        if len(chunks) == 1 and len(chunks[0]) <= max_bytes:
            piece = chunks[0]
        elif self._count() <= max_bytes:
            piece = b"".join(chunks)
        else:
            self.in_flight = piece = self._gather(max_bytes)
            return piece
        chunks.clear()
        self._counted = self._counted_bytes = 0
        self._begun = False
        self.in_flight = piece
        return piece

    def accepted(self, sent_bytes: int) -> bool:
        """Count ``sent_bytes`` of the piece in flight as sent; the rest of it stays first.

        Returns:
            Whether something is left to send.
        """
        piece = self.in_flight
        if sent_bytes == len(piece):
            self.in_flight = b""
            return bool(self.chunks)
        self.in_flight = memoryview(piece)[sent_bytes:]
        return True

    def sent_whole(self) -> None:
        """Everything was sent in one piece that never was in flight."""
        self.chunks.clear()
        self._begun = False
        self._counted = self._counted_bytes = 0

    def clear_unsent(self) -> None:
        """Drop every chunk that is not partly sent."""
        keep = self.chunks[:1] if self._begun else []
        self.chunks[:] = keep
        self._counted = self._counted_bytes = 0

    def _count(self) -> int:
        """Count the bytes of all chunks, visiting only those added since the last call."""
        chunks = self.chunks
        if len(chunks) > self._counted:
            self._counted_bytes += sum(map(len, chunks[self._counted :]))
            self._counted = len(chunks)
        return self._counted_bytes

    def _take_first(self) -> bytes | memoryview:
        """Take the first chunk, whole."""
        self.in_flight = piece = self.chunks.pop(0)
        self._begun = False
        if self._counted:
            self._counted -= 1
            self._counted_bytes -= len(piece)
        return piece

    def _gather(self, max_bytes: int) -> bytes | memoryview:
        """Take exactly ``max_bytes`` out of more: the last chunk is split by views, not copied."""
        chunks = self.chunks
        total = taken = 0
        for chunk in chunks:
            if total >= max_bytes:
                break
            total += len(chunk)
            taken += 1
        parts = chunks[:taken]
        if total > max_bytes:
            view = memoryview(parts[-1])
            cut = len(view) - (total - max_bytes)
            parts[-1] = view[:cut]
            chunks[:taken] = [view[cut:]]
            self._begun = True
        else:
            del chunks[:taken]
            self._begun = False
        piece = parts[0] if len(parts) == 1 else b"".join(parts)
        self._counted = len(chunks)
        self._counted_bytes -= len(piece)
        return piece
