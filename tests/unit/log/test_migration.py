"""A database of the version before accounts, as that version wrote it, goes on as if nothing had happened."""

from pathlib import Path

import apsw
import pytest

from securechat.hub.people import Account, Login, People, Put, Recorded
from securechat.hub.ports import Appended, HistoryQuery, Identity
from securechat.limits import Limits
from securechat.log.directory import make_directory
from securechat.log.schema import MIGRATIONS
from securechat.log.sqlite import DATABASE, SqliteStore
from securechat.log.store import NEEDS_LOGIN, Identify, Record
from securechat.model import Draft

FOUNDATION = Path(__file__).parents[2] / "fixtures" / "foundation.sql"
LAST_SENT_AT_MS = 1_700_000_064_000
ROWS = """
SELECT seq, prev, sender_id, name, to_name, sent_at_ms, text, room
FROM messages JOIN conversations USING (conversation) ORDER BY seq
"""


@pytest.fixture
def before(tmp_path):
    """The messages and drafts of the old database, which lies in tmp_path / "data"."""
    make_directory(tmp_path / "data")
    connection = apsw.Connection(str(tmp_path / "data" / DATABASE))
    connection.execute(FOUNDATION.read_text(encoding="utf-8"))
    assert connection.pragma("user_version") == 1
    messages = connection.execute(ROWS).fetchall()
    drafts = connection.execute("SELECT stream, client_id, seq FROM drafts").fetchall()
    connection.close()
    assert (len(messages), len(drafts)) == (12, 16)
    return messages, drafts


def test_an_old_database_loses_nothing_and_learns_accounts(before, tmp_path):
    messages, drafts = before
    store = SqliteStore(tmp_path / "data", Limits(name_reservation_s=120), wall_ms=lambda: LAST_SENT_AT_MS + 1_000)
    state = store.open()
    assert (state.last_seq, state.people) == (16, People())
    assert [(held.sender_id, held.name, held.lost_at_ms - LAST_SENT_AT_MS) for held in state.reservations] == [
        (1, "ann", 1_000),  # online when that server ended
        (2, "bobby", -3_000),
        (3, "Ωmega", -3_000),
        (4, "dora", -13_000),
    ]
    everything = HistoryQuery(up_to=2**53, limit=99, rooms=("lobby", "ops"), dialogues_of=2, dialogue=(3, 3))
    rows = [
        (m.seq, m.prev, m.sender_id, m.name, m.to_name, m.sent_at_ms, m.text, m.room)
        for m in store.read(everything).messages
    ]
    assert rows == messages
    retries = store.apply([Draft(stream, "x", client_id, "again", "lobby") for stream, client_id, _ in drafts])
    assert retries.outcomes == [Appended(seq, retry=True) for _, _, seq in drafts]
    last = {1: 7, 2: 4, 3: 2, 4: 1, 5: 2}
    came = store.apply([Identify(bytes([n]) * 32, "name", f"key {n}") for n in (*last, 6)]).outcomes
    assert came == [*(Identity(n, client_id, n) for n, client_id in last.items()), Identity(6, 0, 6)]
    (fresh,) = store.apply([Draft(4, "dora", 2, "there again", "ops")]).fresh
    assert (fresh.seq, fresh.prev) == (17, 14), "the chain goes on from a message that was deleted"

    account, login = Account(1, "ann", "ann", password="$argon2id$"), Login(1, 1, b"t" * 32, "", "", 1, 2, 3)
    device = Identify(bytes([9]) * 32, "ann", "ann", account=1)
    outcomes = store.apply(
        [Record((Put(account), Put(login))), device, Identify(bytes([1]) * 32, "ann", "ann")]
    ).outcomes
    assert outcomes == [Recorded(), Identity(1, 0, 7), NEEDS_LOGIN]
    store.close()
    state = store.open()
    assert state.people == People(accounts=(account,), logins=(login,), serial=1)
    assert 1 not in {held.sender_id for held in state.reservations}
    store.close()


def test_an_old_database_ends_up_with_the_tables_of_a_new_one(before, tmp_path):
    schemas = []
    for name in ("data", "new"):
        store = SqliteStore(tmp_path / name, Limits())
        store.open()
        store.close()
        connection = apsw.Connection(str(tmp_path / name / DATABASE))
        assert connection.pragma("user_version") == len(MIGRATIONS)
        assert connection.pragma("integrity_check") == "ok"
        schemas.append(sorted(connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema"), key=str))
        connection.close()
    assert schemas[0] == schemas[1]
