"""The disk in memory, with a real SQLite on it: full, broken, without power, and switched off."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import suppress

import apsw
import pytest

from securechat.testing.disk import DiskEventKind, disk_full, input_output
from securechat.testing.memory_disk import MemoryDisk


@pytest.fixture
def disk() -> Iterator[MemoryDisk]:
    with MemoryDisk("memory-disk-test") as disk:
        yield disk  # type: ignore[misc]


def opened(disk: MemoryDisk, synchronous: str = "FULL") -> apsw.Connection:
    connection = apsw.Connection("some/where/log.db", vfs=disk.name)
    connection.pragma("locking_mode", "EXCLUSIVE")  # no shared memory here
    connection.pragma("journal_mode", "WAL")
    connection.pragma("wal_autocheckpoint", 0)
    connection.pragma("synchronous", synchronous)
    connection.execute("CREATE TABLE IF NOT EXISTS said (number INTEGER PRIMARY KEY, text TEXT)")
    return connection


def say(connection: apsw.Connection, number: int) -> None:
    connection.execute("INSERT INTO said VALUES (?, ?)", (number, f"text {number}" * 50))


def numbers(connection: apsw.Connection) -> list[int]:
    assert connection.pragma("integrity_check") == "ok"
    return [number for (number,) in connection.execute("SELECT number FROM said ORDER BY number")]


def killed(disk: MemoryDisk, connection: apsw.Connection) -> None:
    """End its process: nothing that closing would still do reaches the disk."""
    disk.off = True
    with suppress(apsw.Error):
        connection.close(force=True)
    disk.off = False


def test_files_are_found_again(disk: MemoryDisk) -> None:
    connection = opened(disk)
    for number in range(10):
        say(connection, number)
    connection.close()
    assert set(disk.contents()) == {"log.db"}
    assert disk.used_bytes() == len(disk.contents()["log.db"])
    assert numbers(opened(disk)) == list(range(10))


def test_a_killed_process_loses_nothing_that_it_wrote(disk: MemoryDisk) -> None:
    connection = opened(disk, "OFF")
    for number in range(10):
        say(connection, number)
    before = disk.contents()
    killed(disk, connection)
    assert disk.contents() == before
    assert numbers(opened(disk)) == list(range(10))


def test_nothing_works_while_it_is_off(disk: MemoryDisk) -> None:
    connection = opened(disk)
    disk.off = True
    with pytest.raises(apsw.IOError):
        say(connection, 1)
    disk.off = False
    say(connection, 2)
    assert numbers(connection) == [2]


@pytest.mark.parametrize("survivors", ["none", "some"])
def test_what_was_synced_survives_the_power(disk: MemoryDisk, survivors: str) -> None:
    for seed in range(30):
        disk.hold({})
        connection = opened(disk)
        for number in range(8):
            say(connection, number)
        killed(disk, connection)
        disk.cut_power(random.Random(seed) if survivors == "some" else None)
        after = opened(disk)
        assert numbers(after) == list(range(8))
        after.close()


def test_what_was_not_synced_is_lost_in_some_power_cuts_and_in_some_it_is_not(disk: MemoryDisk) -> None:
    found = set()
    for seed in range(60):
        disk.hold({})
        connection = opened(disk)
        say(connection, 0)
        connection.pragma("synchronous", "OFF")
        say(connection, 1)
        killed(disk, connection)
        disk.cut_power(random.Random(seed) if seed else None)
        after = opened(disk)
        found.add(tuple(numbers(after)))
        after.close()
    assert found == {(0,), (0, 1)}


def test_without_its_luck_a_power_cut_takes_all_that_was_not_synced(disk: MemoryDisk) -> None:
    connection = opened(disk)
    say(connection, 0)
    synced = disk.contents()
    connection.pragma("synchronous", "OFF")
    for number in range(1, 20):
        say(connection, number)
    assert disk.contents() != synced
    killed(disk, connection)
    disk.cut_power(None)
    left = disk.contents()
    assert all(synced[name].startswith(content) for name, content in left.items())  # SQLite pads behind a sync
    assert numbers(opened(disk)) == [0]


def test_a_full_disk_takes_nothing_more_and_keeps_what_it_has(disk: MemoryDisk) -> None:
    connection = opened(disk)
    say(connection, 1)
    disk.capacity_bytes = disk.used_bytes() + 1_000
    with pytest.raises(apsw.FullError):
        say(connection, 2)
    assert numbers(connection) == [1]
    disk.forgive()
    say(connection, 3)
    assert numbers(connection) == [1, 3]


@pytest.mark.parametrize(
    ("kind", "suffix", "error"),
    [("write", "-wal", apsw.IOError), ("sync", "-wal", apsw.IOError), ("write", "-wal", apsw.FullError)],
)
def test_a_fault_hits_the_call_it_was_asked_for(
    disk: MemoryDisk, kind: DiskEventKind, suffix: str, error: type[apsw.Error]
) -> None:
    connection = opened(disk)
    fault = disk.fail(kind, suffix, times=1, error=input_output() if error is apsw.IOError else disk_full)
    with pytest.raises(error):
        say(connection, 1)
    assert fault.hits == 1
    say(connection, 2)
    assert fault.hits == 1, "it hit more than it was asked to"
    assert 2 in numbers(connection)


def test_a_fault_lets_some_calls_pass_and_others_alone(disk: MemoryDisk) -> None:
    connection = opened(disk)
    elsewhere = disk.fail("sync", "search.db-wal", times=9, error=input_output())
    fault = disk.fail("sync", "-wal", skip=2, times=2, error=input_output())
    failed = []
    for number in range(6):
        try:
            say(connection, number)
        except apsw.IOError:
            failed.append(number)
    assert failed == [2, 3]
    assert (fault.hits, elsewhere.hits) == (2, 0)


def test_faults_of_names(disk: MemoryDisk) -> None:
    disk.fail("create", ".db", error=input_output())
    with pytest.raises(apsw.IOError):
        apsw.Connection("log.db", vfs=disk.name)
    assert disk.contents() == {}
    disk.forgive()
    connection = opened(disk)
    say(connection, 1)
    fault = disk.fail("delete", "-wal", error=input_output())
    with suppress(apsw.Error):
        connection.close()
    assert fault.hits == 1
    assert "log.db-wal" in disk.contents()
    assert numbers(opened(disk)) == [1]


def test_a_disk_that_was_given_files_has_them_for_certain(disk: MemoryDisk) -> None:
    disk.hold({"log.db": b"content"})
    disk.cut_power(None)
    assert disk.contents() == {"log.db": b"content"}
    assert disk.used_bytes() == 7
