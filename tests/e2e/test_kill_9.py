"""Behaviours 7 and 11: kill -9 in a loop under load; nothing acknowledged is lost, nothing is there twice.

Raw clients keep what they were told, reconnect with their secret, send again what was not acknowledged under the same
client_id, and go on; beside them the real client does as it does for its users. All of them talk, answer, edit, delete,
react and read. The server is killed when some more acknowledgements are out than at the last kill, wherever it then is.

The checkers are those of the simulation: `WireChecker` for every connection, `Display` for every user, a `Transcript`
for what the database holds after each kill, and `check_streams` for what was acknowledged.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import apsw
import pytest
from msgspec.structs import replace

from securechat.model import (
    Delete,
    Deleted,
    Direct,
    Edit,
    Edited,
    LogEntry,
    Message,
    React,
    Reacted,
    Say,
)
from securechat.storage.sqlite.store import DATABASE
from securechat.testing.acks import HistoryBroken, check_history
from tests.simulation.checkers.histories import check_streams
from tests.simulation.checkers.stored import Stored, read_database
from tests.simulation.checkers.transcript import Transcript
from tests.support.checked import CheckedRunner
from tests.support.server import ServerProcess
from tests.support.talkers import ROOMS, Crowd, until

LOOPS = 20


# --- What the disk holds ----------------------------------------------------------------------------------------------


class Remains:
    """What each kill leaves in the data directory, without touching it.

    Args:
        data: the data directory.
        scratch: where copies may be made.

    Attributes:
        transcript: all that was ever found.
        kills: how often it was looked at.
    """

    def __init__(self, data: Path, scratch: Path) -> None:
        self.transcript = Transcript()
        self.kills = 0
        self._data = data
        self._scratch = scratch

    def look(self, ann: int, read: dict[str | int, int]) -> Stored:
        """Look at a copy of the database, its journal included; the next server shall find it as it was left.

        Raises:
            HistoryBroken: something is gone that was there before, or has moved back.
        """
        self.kills += 1
        copy = self._scratch / f"kill{self.kills}"
        copy.mkdir()
        for path in self._data.glob(f"{DATABASE}*"):
            shutil.copy(path, copy)
        connection = apsw.Connection(str(copy / DATABASE))
        try:
            found = read_database(connection)
        finally:
            connection.close()
        shutil.rmtree(copy)
        self.transcript.opened(found, [])
        for place, seq in read.items():
            key = place if isinstance(place, str) else (min(ann, place), max(ann, place))
            if found.reads.get((ann, key), 0) < seq:
                raise HistoryBroken(f"{place} was read up to {seq}, and now up to {found.reads.get((ann, key))}")
        return found


def check_shown(entries: Iterable[LogEntry], found: Stored, transcript: Transcript) -> None:
    """Whatever anybody was shown is stored: no entry was told before it was durable, and none was taken back."""
    rows = {row.seq: row for row in found.messages}
    for entry in entries:
        if not isinstance(entry, Message):
            transcript.check_change(entry)
        elif (row := rows.get(entry.seq)) is None or origin(row) != origin(entry):
            raise HistoryBroken(f"{entry} was shown, and the log has {row}")


def origin(message: Message) -> tuple[object, ...]:
    """What no change of a message changes."""
    return (message.prev, message.sender_id, message.sent_at_ms, message.room, message.to, message.reply)


# --- The test ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def crowd(certs: Path, tmp_path: Path) -> Iterator[Crowd]:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    server = ServerProcess(certs, tmp_path / "data", "--rate-limit", "off").start()
    crowd = Crowd(server, seed)
    try:
        yield crowd
    finally:
        server.kill()
        crowd.stop()


@pytest.mark.slow
def test_11_kill_9_in_a_loop_loses_nothing_acknowledged(
    crowd: Crowd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LONGEST_DELAY_S", "LONGEST_AFTER_EARLY_ENDS_S"):  # twenty losses in a row are no mishap here
        monkeypatch.setattr(f"securechat.client.core.timing.{name}", 0.2)
    rng, server, remains = random.Random(crowd.seed), crowd.server, Remains(tmp_path / "data", tmp_path)
    crowd.come()
    for _ in range(LOOPS):
        target = crowd.acked + rng.randrange(20, 300)
        until(lambda goal=target: crowd.acked >= goal, "the load gets on", crowd)  # type: ignore[misc]
        server.kill()
        remains.look(crowd.ids["ann"], dict(crowd.read))
        server.start()
    crowd.finish()
    last = crowd.talkers[0]
    with last.connect() as reader:
        ends = [reader.say_acked(f"that is all of #{room}", room).seq for room in ROOMS]
        rows = reader.history()
        until(lambda: all(is_caught_up(user, ends) for user in crowd.users), "everybody is shown the end", crowd)
    server.kill()
    found = remains.look(crowd.ids["ann"], crowd.read)

    check_streams(crowd.streams, found.messages, found.changes)
    check_history([], found.messages, unique_texts=False)  # the chains
    for user in crowd.users:
        user.core.display.check(found.messages, converged=True)
    for talker in crowd.talkers:
        check_shown(talker.shown, found, remains.transcript)
    me = crowd.ids[last.name]
    mine = [row for row in found.messages if row.room is not None or me in (row.sender_id, row.to)]
    assert [replace(row, changed=None) for row in rows] == mine, "a reader finds something else than the disk holds"
    check_variety(crowd, found)


def is_caught_up(user: CheckedRunner, ends: list[int]) -> bool:
    return user.is_quiet and all(end in user.core.display.shown for end in ends)


def check_variety(crowd: Crowd, found: Stored) -> None:
    """The load was one: all that can be done was done, and by everybody."""
    drafts = [draft for stream in crowd.streams for draft in stream.drafts.values() if draft.seq is not None]
    assert len(drafts) >= LOOPS * 20
    assert {type(draft.command) for draft in drafts} == {Say, Direct, Edit, Delete, React}
    assert any(draft.connections > 1 for draft in drafts), "nothing had to be sent twice"
    assert {type(change) for change in found.changes} == {Edited, Deleted, Reacted}
    assert any(row.reply for row in found.messages)
    assert any(row.reactions for row in found.messages)
    assert crowd.read, "nothing was read"
    said = [
        len(user.core.display.lines) for user in crowd.users
    ]  # one that is behind speaks only when it has caught up
    assert all(said) and sum(said) > LOOPS
