"""What is shared, what is copied, what is kept."""

from __future__ import annotations

from securechat.net.outbox import TLS_RECORD_BYTES, Outbox


def test_one_chunk_goes_out_as_it_is() -> None:
    outbox, chunk = Outbox(), bytes(100)
    outbox.append(chunk)
    assert outbox.take() is chunk
    assert outbox.take() is chunk, "in flight until accepted"
    assert outbox.accepted(100) is False
    assert not outbox


def test_a_long_chunk_goes_out_as_views_of_itself() -> None:
    outbox, chunk = Outbox(), bytes(40_000)
    outbox.append(chunk)
    lengths = []
    while piece := outbox.take():
        assert isinstance(piece, memoryview)
        assert piece.obj is chunk
        lengths.append(len(piece))
        outbox.accepted(len(piece))
    assert lengths == [TLS_RECORD_BYTES, TLS_RECORD_BYTES, 40_000 - 2 * TLS_RECORD_BYTES]


def test_waiting_chunks_are_joined_into_full_records() -> None:
    outbox = Outbox()
    for _ in range(300):
        outbox.append(bytes(164))
    assert len(outbox.take()) == TLS_RECORD_BYTES
    assert outbox.size_bytes == 300 * 164


def test_clearing_keeps_what_is_in_flight_and_the_rest_of_a_begun_chunk() -> None:
    outbox = Outbox()
    outbox.append(b"frame one.")
    outbox.append(b"frame two.")
    outbox.append(b"frame three.")
    piece = outbox.take(14)
    outbox.clear_unsent()
    outbox.append(b"LAST")
    sent = bytes(piece)
    outbox.accepted(len(piece))
    while piece := outbox.take():
        sent += piece
        outbox.accepted(len(piece))
    assert sent == b"frame one.frame two.LAST"


def test_a_chunk_as_long_as_a_record_goes_out_as_it_is_among_others() -> None:
    outbox = Outbox()
    parts = [bytes([number]) * TLS_RECORD_BYTES for number in range(3)]
    for part in (*parts, b"end"):
        outbox.append(part)
    for number, part in enumerate(parts):
        assert outbox.size_bytes == (3 - number) * TLS_RECORD_BYTES + 3
        assert outbox.take() is part
        assert outbox.accepted(len(part))
    assert outbox.take() == b"end"
    assert not outbox.accepted(3)
    assert outbox.size_bytes == 0


def test_clearing_behind_a_chunk_that_went_out_whole_drops_all_that_is_left() -> None:
    outbox = Outbox()
    for size in (TLS_RECORD_BYTES, 10, TLS_RECORD_BYTES):
        outbox.append(b"x" * size)
    outbox.take()
    outbox.clear_unsent()
    assert outbox.size_bytes == TLS_RECORD_BYTES  # in flight
    outbox.accepted(TLS_RECORD_BYTES)
    assert not outbox
