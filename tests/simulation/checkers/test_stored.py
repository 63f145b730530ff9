"""What a store holds, read past its reader: the same from both stores, from a plain connection, and as it was said."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest
from msgspec.structs import replace

from securechat.limits import Limits
from securechat.model import (
    Deleted,
    Draft,
    Edited,
    Message,
    Reacted,
    Reaction,
    Revision,
    RevisionKind,
)
from securechat.records.rooms import PutReadMarker, PutRoom, RoomRecord
from securechat.storage.sqlite.store import DATABASE, SqliteStore
from securechat.storage.store import ApplyChanges, DiskFull, StoreWrite, key_hash
from securechat.testing.memory_store import MemoryStore
from tests.simulation.checkers.stored import Stored, read_database, stored
from tests.simulation.checkers.transcript import Transcript
from tests.simulation.checkers.watched_store import WatchedStore

NOW_MS = 1_700_000_000_000
EDIT, DELETE, REACT, UNREACT = RevisionKind
WRITES: list[StoreWrite] = [
    Draft(1, "ann", 1, "one", "lobby", key="k"),
    Draft(1, "ann", 2, "to bob", to=2, to_name="bob"),
    Draft(2, "bob", 1, "to ann", to=1, to_name="ann", reply=2, stream=7),
    Revision(EDIT, 1, "ann", 3, 1, "lobby", text="mended", mentions=(2,)),
    Revision(REACT, 2, "bob", 2, 1, "lobby", sign="+", stream=7),
    Revision(REACT, 1, "ann", 4, 1, "lobby", sign="-"),
    Revision(UNREACT, 1, "ann", 5, 1, "lobby", sign="-"),
    Revision(DELETE, 2, "bob", 3, 3, to=1, stream=7),
    Revision(REACT, 2, "bob", 4, 2, to=1, sign="second", stream=7),
    Revision(REACT, 1, "ann", 6, 2, to=2, sign="first"),
    Revision(REACT, 1, "ann", 7, 2, to=2, sign="second"),
    ApplyChanges((PutRoom(RoomRecord(9, "lobby")), PutReadMarker(1, 3, "lobby"), PutReadMarker(2, 2, None, 1))),
]
EXPECTED = Stored(
    messages=[
        Message(
            1, 0, 1, "ann", NOW_MS, "mended", "lobby", mentions=[2], edited=4, reactions=[Reaction("+", [2])]
        ),
        Message(2, 0, 1, "ann", NOW_MS, "to bob", to=2, to_name="bob",
            reactions=[Reaction("second", [2, 1]), Reaction("first", [1])],
        ),
        Message(3, 2, 2, "bob", NOW_MS, "", to=1, to_name="ann", reply=2, deleted=8),
    ],
    changes=[
        Edited(4, 1, 1, "ann", NOW_MS, "lobby"),
        Reacted(5, 1, 2, "bob", NOW_MS, "lobby", sign="+"),
        Reacted(6, 1, 1, "ann", NOW_MS, "lobby", sign="-"),
        Reacted(7, 1, 1, "ann", NOW_MS, "lobby", sign="-", on=False),
        Deleted(8, 3, 2, "bob", NOW_MS, to=1),
        Reacted(9, 2, 2, "bob", NOW_MS, to=1, sign="second"),
        Reacted(10, 2, 1, "ann", NOW_MS, to=2, sign="first"),
        Reacted(11, 2, 1, "ann", NOW_MS, to=2, sign="second"),
    ],
    drafts={
        (1, 1): 1, (1, 2): 2, (1, 3): 4, (1, 4): 6, (1, 5): 7, (1, 6): 10, (1, 7): 11,
        (7, 1): 3, (7, 2): 5, (7, 3): 8, (7, 4): 9,
    },
    keys={(1, key_hash("k")): (1, NOW_MS)},
    reads={(1, "lobby"): 3, (2, (1, 2)): 2},
)  # fmt: skip


def test_both_stores_hold_what_was_said(tmp_path: Path) -> None:
    memory = MemoryStore(Limits(), wall_ms=lambda: NOW_MS)
    sqlite = SqliteStore(tmp_path, Limits(), wall_ms=lambda: NOW_MS)
    for store in (memory, sqlite):
        store.open()
        store.apply(WRITES)
        found = stored(store)
        messages = [apart_from_changed(message) for message in found.messages]
        assert found._replace(messages=messages) == EXPECTED
    sqlite.close()
    connection = apsw.Connection(str(tmp_path / DATABASE))
    assert read_database(connection) == EXPECTED
    connection.close()


def apart_from_changed(message: Message) -> Message:
    """What is only of use on the wire: the memory store keeps it, the tables do not."""
    return replace(message, changed=None)


# --- A store under watch ----------------------------------------------------------------------------------------------


class Listener(Transcript):
    """A transcript that notes what it hears, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def attempted(self, writes: object) -> None:  # type: ignore[override]
        self.heard.append("attempted")

    def applied(self, writes: object, applied: object) -> None:  # type: ignore[override]
        self.heard.append("applied")

    def answered(self, writes: object, applied: object) -> None:  # type: ignore[override]
        self.heard.append("answered")

    def opened(self, found: Stored, places: object) -> None:  # type: ignore[override]
        self.heard.append(f"opened with {len(found.messages)}")


def test_a_watched_store_is_the_other_one_and_tells() -> None:
    listener, memory = Listener(), MemoryStore(Limits(), wall_ms=lambda: NOW_MS)
    store = WatchedStore(memory, listener)
    assert store.open().last_seq == 0
    applied = store.apply(WRITES)
    assert [entry.seq for entry in applied.fresh] == list(range(1, 12))
    assert store.answer(WRITES[:1]).fresh == []
    store.close()
    assert store.open().last_seq == 11
    assert listener.heard == ["opened with 0", "attempted", "applied", "answered", "opened with 3"]
    assert store.search_site is memory.search_site


def test_what_failed_was_attempted_and_not_applied() -> None:
    listener, memory = Listener(), MemoryStore(Limits(), wall_ms=lambda: NOW_MS)

    def fault(at: str) -> None:
        raise DiskFull(at)

    store = WatchedStore(memory, listener)
    store.open()
    memory.fault = fault
    with pytest.raises(DiskFull):
        store.apply(WRITES)
    assert listener.heard == ["opened with 0", "attempted"]
