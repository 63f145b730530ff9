"""The checkers themselves: each contradiction is seen, and an honest history passes."""

import random

import pytest

from securechat.model import Message
from securechat.testing.disk import CrashStates, DiskEvent
from securechat.testing.log_checks import Ack, HistoryBroken, check_history


def row(seq, prev, text, sender=1, room="lobby", to=None):
    return Message(seq, prev, sender, "ann", 0, text, room, to)


ROWS = [
    row(1, 0, "a"),
    row(2, 0, "b", room="ops"),
    row(4, 1, "c"),
    row(5, 0, "d", 1, None, 2),
    row(6, 5, "e", 2, None, 1),
]
ACKS = [Ack(1, 1, 1, "a"), Ack(1, 2, 2, "b"), Ack(1, 3, 4, "c"), Ack(2, 1, 6, "e"), Ack(1, 1, 1, "a")]


def test_an_honest_history_passes():
    check_history(ACKS, ROWS)


@pytest.mark.parametrize(
    ("acks", "rows", "sentence"),
    [
        ([*ACKS, Ack(1, 4, 9, "x")], ROWS, "acknowledged and is not there"),
        ([Ack(1, 1, 1, "z")], ROWS, "not what sender 1 was told"),
        ([Ack(2, 1, 1, "a")], ROWS, "not what sender 2 was told"),
        ([Ack(1, 1, 1, "a"), Ack(1, 1, 2, "b")], ROWS, "two messages"),
        ([Ack(1, 1, 4, "c"), Ack(1, 2, 2, "b")], ROWS, "overtook"),
        ([], [ROWS[0], *ROWS[2:], ROWS[1]], "comes after"),
        ([], [*ROWS[1:]], "before it"),
        ([], [*ROWS, row(7, 4, "a")], "stored twice"),
    ],
)
def test_each_contradiction_is_seen(acks, rows, sentence):
    with pytest.raises(HistoryBroken, match=sentence):
        check_history(acks, rows)


EVENTS = [
    DiskEvent("create", "f"),
    DiskEvent("write", "f", 0, b"a" * 1024),
    DiskEvent("sync", "f"),
    DiskEvent("sync_directory", ""),
    DiskEvent("write", "f", 256, b"b" * 1024),
    DiskEvent("delete", "f"),
    DiskEvent("sync_directory", ""),
]


def crash(tmp_path, position, rng=None):
    states = CrashStates(EVENTS)
    states.advance(position)
    states.rebuild(tmp_path, rng)
    return (tmp_path / "f").read_bytes() if (tmp_path / "f").exists() else None


@pytest.mark.parametrize(
    ("position", "found"), [(3, None), (4, b"a" * 1024), (5, b"a" * 1024), (6, b"a" * 1024), (7, None)]
)
def test_only_what_was_synced_is_certain(tmp_path, position, found):
    assert crash(tmp_path, position) == found


def test_unsynced_sectors_survive_one_by_one(tmp_path):
    seen = set()
    for seed in range(200):
        content = crash(tmp_path, 5, random.Random(seed))
        cells = content.ljust(1280, b"-")
        seen.add(bytes(cells[at] for at in (0, 256, 511, 512, 1023, 1024, 1279)))
    assert b"aaaaa--" in seen, "nothing survived"
    assert b"abbbbbb" in seen, "all survived"
    assert b"abbaabb" in seen, "the middle sector is missing"
    assert all(cells[1] == cells[2] and cells[3] == cells[4] for cells in seen), "torn inside a sector"
