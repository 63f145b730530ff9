"""Migrations are transactions, know their limits, and the numbers of the log are never reused."""

import apsw
import pytest

from securechat.errors import LogError, LogSchemaTooNew
from securechat.limits import Limits
from securechat.model import Draft
from securechat.storage.sqlite.migrations import MIGRATIONS, migrate
from securechat.storage.sqlite.store import DATABASE, SqliteStore


@pytest.fixture
def connection(tmp_path):
    connection = apsw.Connection(str(tmp_path / "any.db"))
    yield connection
    connection.close()


def tables(connection):
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}


def test_migrating_twice_changes_nothing(connection):
    migrate(connection)
    before = connection.execute("SELECT * FROM sqlite_schema").fetchall()
    migrate(connection)
    assert connection.execute("SELECT * FROM sqlite_schema").fetchall() == before
    assert connection.pragma("user_version") == len(MIGRATIONS)


def test_a_failing_migration_leaves_the_version_before_it(connection):
    with pytest.raises(apsw.SQLError):
        migrate(connection, (*MIGRATIONS, "CREATE TABLE half (x INTEGER); CREATE TABLE half (x INTEGER);"))
    assert connection.pragma("user_version") == len(MIGRATIONS)
    assert "messages" in tables(connection)
    assert "half" not in tables(connection)
    migrate(connection, (*MIGRATIONS, "CREATE TABLE half (x INTEGER);"))
    assert "half" in tables(connection)


def test_a_newer_schema_is_refused_untouched(connection):
    migrate(connection)
    connection.pragma("user_version", len(MIGRATIONS) + 1)
    with pytest.raises(LogSchemaTooNew, match="newer securechat"):
        migrate(connection)
    assert connection.pragma("user_version") == len(MIGRATIONS) + 1


def test_another_programs_database_is_refused_untouched(connection):
    connection.execute("CREATE TABLE precious (x)")
    with pytest.raises(LogError, match="another program"):
        migrate(connection)
    assert tables(connection) == {"precious"}


@pytest.mark.parametrize("where", ["seq > 4", "seq = 6", "1", "room_is_lobby"])
def test_a_deleted_seq_is_never_given_again(tmp_path, where):
    def say(store, number, room):
        return store.apply([Draft(1, "ann", number, "x", room)]).fresh[0]

    store = SqliteStore(tmp_path, Limits())
    store.open()
    for number in range(1, 7):
        say(store, number, ("lobby", "ops")[number % 2])
    store.close()
    tool = apsw.Connection(str(tmp_path / DATABASE))
    tool.execute(
        "DELETE FROM messages WHERE "
        + where.replace("room_is_lobby", "conversation = (SELECT conversation FROM conversations WHERE room = 'lobby')")
    )
    tool.close()
    assert store.open().last_seq == 6
    message = say(store, 7, "lobby")
    assert (message.seq, message.prev) == (7, 6), "the room's chain goes on from the deleted message"
    store.close()
