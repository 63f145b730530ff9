"""Checks acknowledgements against the rows of a log, as crashes leave them behind.

The check takes two lists, acknowledgements and messages, and does not depend on their origin: the conformance suite, a
load over real processes and a disk that lost power use the same one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from securechat.model import Message


class Ack(Struct, frozen=True, gc=False):
    """An acknowledgement: the draft ``client_id`` of a sender, with this text, is message ``seq``."""

    sender_id: int
    client_id: int
    seq: int
    text: str


class HistoryBroken(AssertionError):
    """The rows contradict what was acknowledged, or each other."""


def check_history(acks: Iterable[Ack], rows: Sequence[Message], *, unique_texts: bool = True) -> None:
    """Hold the rows of a log against the acknowledgements of its senders.

    Every acknowledged message is present once, as it was sent and where it was said to be; seqs rise; no ``prev``
    chain has a break; each sender's messages are in the order of its client_ids.

    Args:
        acks: everything that was acknowledged, in any order; a repeated ack must be the same.
        rows: every message of the log, by seq. More than was acknowledged is fine.
        unique_texts: whether no sender ever sent the same text as a new draft, so that a double shows.

    Raises:
        HistoryBroken: the sentence names the first contradiction.
    """
    by_seq: dict[int, Message] = {}
    last_in: dict[str | tuple[int, ...], int] = {}
    last_seq = 0
    for row in rows:
        if row.seq <= last_seq:
            raise HistoryBroken(f"seq {row.seq} comes after {last_seq}")
        place = row.room if row.room is not None else tuple(sorted((row.sender_id, row.to or 0)))
        if row.prev != last_in.get(place, 0):
            raise HistoryBroken(
                f"message {row.seq} of {place!r} names {row.prev} before it, not {last_in.get(place, 0)}"
            )
        last_seq = last_in[place] = row.seq
        by_seq[row.seq] = row
    if unique_texts and len({(row.sender_id, row.text) for row in rows}) < len(rows):
        raise HistoryBroken("a message is stored twice")
    _check_acks(acks, by_seq)


def _check_acks(acks: Iterable[Ack], by_seq: dict[int, Message]) -> None:
    told: dict[tuple[int, int], Ack] = {}
    for ack in acks:
        if told.setdefault((ack.sender_id, ack.client_id), ack) != ack:
            raise HistoryBroken(f"draft {ack.client_id} of sender {ack.sender_id} was acknowledged as two messages")
        row = by_seq.get(ack.seq)
        if row is None:
            raise HistoryBroken(f"message {ack.seq} was acknowledged and is not there")
        if (row.sender_id, row.text) != (ack.sender_id, ack.text):
            raise HistoryBroken(f"message {ack.seq} is not what sender {ack.sender_id} was told")
    highest: dict[int, int] = {}
    for (sender_id, client_id), ack in sorted(told.items()):
        if ack.seq <= highest.get(sender_id, 0):
            raise HistoryBroken(f"draft {client_id} of sender {sender_id} overtook an earlier one")
        highest[sender_id] = ack.seq
