"""The outbox against a model: one long string, and the places where its chunks end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from securechat.net.outbox import Outbox

_steps = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 40)),
        st.tuples(st.just("send"), st.integers(0, 30)),
        st.tuples(st.just("size"), st.just(0)),
        st.tuples(st.just("clear"), st.just(0)),
    ),
    max_size=60,
)


@given(_steps, st.integers(1, 25))
def test_all_is_sent_once_in_order_and_clearing_cuts_between_chunks(steps: list[tuple[str, int]], record: int) -> None:
    outbox, counter = Outbox(), 0
    sent, appended, ends = bytearray(), bytearray(), [0]
    again: bytes | None = None  # what a short send must repeat
    for action, number in steps:
        if action == "append":
            chunk = bytes((counter + i) % 251 for i in range(number))
            counter += number
            outbox.append(chunk)
            appended += chunk
            ends.append(len(appended))
        elif action == "send":
            piece = bytes(outbox.take(record))
            assert len(piece) <= record
            assert bool(piece) == (len(sent) < len(appended))
            assert again is None or piece == again
            accepted = min(number, len(piece))
            sent += piece[:accepted]
            again = piece[accepted:] or None
            if piece:
                more = outbox.accepted(accepted)
                assert more or len(sent) == len(appended)
        elif action == "clear":
            outbox.clear_unsent()
            reached = len(sent) + len(again or b"")
            end = min(place for place in ends if place >= reached)  # the chunk that was begun stays whole
            del appended[end:]
            ends = [place for place in ends if place <= end]
        assert outbox.size_bytes == len(appended) - len(sent)
        assert bytes(appended[: len(sent)]) == bytes(sent)
    while piece := bytes(outbox.take(record)):
        sent += piece
        outbox.accepted(len(piece))
    assert sent == appended
    assert not outbox or outbox.size_bytes == 0
