"""A database of an earlier version, as that version wrote it, goes on as if nothing had happened."""

from pathlib import Path

import apsw
import pytest

from securechat.limits import Limits
from securechat.model import Draft, Edited, FileInfo, Person, Revision, RevisionKind, StoredFile
from securechat.records.accounts import (
    NEW_SENDER,
    Account,
    AccountKind,
    ApiToken,
    AuditEntry,
    Ban,
    BanKind,
    Certificate,
    Committed,
    Drop,
    EraseSender,
    Invite,
    Login,
    Mute,
    Put,
    Role,
    Scope,
    StoredAccounts,
)
from securechat.records.files import FileQuery, FileUsage, GoneFile, StoredFiles
from securechat.records.log import Appended, Identity
from securechat.records.queries import HistoryQuery, Unread, UnreadQuery
from securechat.records.rooms import PutRoom, RoomRecord, StoredRooms
from securechat.storage.directory import make_directory
from securechat.storage.sqlite.migrations import MIGRATIONS
from securechat.storage.sqlite.store import DATABASE, SqliteStore
from securechat.storage.store import NEEDS_LOGIN, ApplyChanges, IdentifySender
from securechat.storage.tools.backup import renew_identity
from tests.simulation.checkers.stored import read_database

FIXTURES = Path(__file__).parents[3] / "fixtures"
LAST_SENT_AT_MS = 1_700_000_064_000
ROWS = """
SELECT seq, prev, sender_id, name, to_name, sent_at_ms, text, room
FROM messages JOIN conversations USING (conversation) ORDER BY seq
"""


def write_database(directory, fixture):
    """Make the data directory that an earlier version left; return its database's version, messages and drafts."""
    make_directory(directory)
    connection = apsw.Connection(str(directory / DATABASE))
    connection.execute((FIXTURES / fixture).read_text(encoding="utf-8"))
    version = connection.pragma("user_version")
    messages = connection.execute(ROWS).fetchall()
    drafts = connection.execute("SELECT stream, client_id, seq FROM drafts").fetchall()
    connection.close()
    return version, messages, drafts


def test_an_old_database_loses_nothing_and_learns_accounts(tmp_path):
    version, messages, drafts = write_database(tmp_path / "data", "foundation.sql")
    assert (version, len(messages), len(drafts)) == (1, 12, 16)
    store = SqliteStore(tmp_path / "data", Limits(name_reservation_s=120), wall_ms=lambda: LAST_SENT_AT_MS + 1_000)
    state = store.open()
    assert (state.last_seq, state.people) == (16, StoredAccounts())
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
    came = store.apply([IdentifySender(bytes([n]) * 32, "name", f"key {n}") for n in (*last, 6)]).outcomes
    assert came == [*(Identity(n, client_id, n) for n, client_id in last.items()), Identity(6, 0, 6)]
    (fresh,) = store.apply([Draft(4, "dora", 2, "there again", "ops")]).fresh
    assert (fresh.seq, fresh.prev) == (17, 14), "the chain goes on from a message that was deleted"

    account, login = Account(1, "ann", "ann", password="$argon2id$"), Login(1, 1, b"t" * 32, "", "", 1, 2, 3)
    device = IdentifySender(bytes([9]) * 32, "ann", "ann", account=1)
    outcomes = store.apply(
        [ApplyChanges((Put(account), Put(login))), device, IdentifySender(bytes([1]) * 32, "ann", "ann")]
    ).outcomes
    assert outcomes == [Committed(), Identity(1, 0, 7), NEEDS_LOGIN]
    store.close()
    state = store.open()
    assert state.people == StoredAccounts(accounts=(account,), logins=(login,), serial=1)
    assert 1 not in {held.sender_id for held in state.reservations}
    store.close()


def test_a_database_with_accounts_loses_nothing_and_learns_to_change(tmp_path):
    version, messages, drafts = write_database(tmp_path / "data", "people.sql")
    assert (version, len(messages), len(drafts)) == (2, 8, 11)
    store = SqliteStore(tmp_path / "data", Limits(), wall_ms=lambda: 1_700_000_040_000)
    state = store.open()
    assert (state.last_seq, state.room_records) == (11, StoredRooms())
    assert [held.sender_id for held in state.reservations] == [2, 3, 4]
    assert state.people == StoredAccounts(
        accounts=(Account(1, "ann", "ann", Role.ADMIN, "$argon2id$x", made_at_ms=5),),
        logins=(Login(1, 1, b"t" * 32, "c", "192.0.2.1", 1, 2, 3),),
        certificates=(Certificate(2, 1, "sha256:00", "l", 5),),
        invites=(Invite(3, b"i" * 32, 2, "ann", 1, 2, "ops", ("bob",)),),
        bans=(Ban(4, BanKind.NETWORK, "192.0.2.0/24", "192.0.2.0/24", "", "ann", 1),),
        mutes=(Mute(4, "dora", "", "ann", 1),),
        serial=7,
    )
    assert store.audit(9) == [AuditEntry(1, "ann", "ban", "x")]
    everything = HistoryQuery(up_to=99, limit=99, rooms=("lobby", "ops"), dialogues_of=1, dialogue=(3, 3))
    read = store.read(everything).messages
    assert [
        (m.seq, m.prev, m.sender_id, m.name, m.to_name, m.sent_at_ms, m.text, m.room) for m in read
    ] == messages  # fmt: skip
    assert {(m.reply, m.edited, m.deleted, *m.mentions, *m.reactions) for m in read} == {(None, None, None)}
    retries = store.apply(
        [Draft(1, "x", client_id, "again", "lobby", stream=stream) for stream, client_id, _ in drafts]
    )
    assert retries.outcomes == [Appended(seq, retry=True) for _, _, seq in drafts]

    edit = Revision(RevisionKind.EDIT, 1, "ann", 3, 1, "lobby", text="HELLO", mentions=(2,))
    applied = store.apply([edit, Draft(4, "dora", 4, "newest", "ops"), ApplyChanges((PutRoom(RoomRecord(8, "ops")),))])
    assert applied.outcomes == [Appended(12), Appended(13), Committed()]
    assert applied.fresh[0] == Edited(12, 1, 1, "ann", 1_700_000_040_000, "lobby", text="HELLO", mentions=[2])
    assert applied.fresh[1].prev == 11, "the chain goes on from a message that was removed"
    assert store.unread(UnreadQuery(2, (("lobby", 0),), 99)).rows == [
        Unread(0, 2, 1, 1, "lobby"),
        Unread(0, 1, 0, 4, None, 1),
    ]
    store.close()
    state = store.open()
    assert (state.last_seq, state.room_records.room_records, state.people.serial) == (13, (RoomRecord(8, "ops"),), 8)
    assert store.read(everything).messages[0].text == "HELLO"
    store.close()


def test_a_database_without_checksums_loses_nothing_and_gets_them(tmp_path):
    version, messages, drafts = write_database(tmp_path / "data", "conversation.sql")
    assert (version, len(messages), len(drafts)) == (3, 11, 17)
    store = SqliteStore(tmp_path / "data", Limits(), wall_ms=lambda: 1_700_000_040_000)
    state = store.open()
    assert (state.last_seq, state.room_records.room_records) == (17, (RoomRecord(8, "foyer", topic="all"),))
    everything = HistoryQuery(up_to=99, limit=99, rooms=("foyer", "ops"), dialogues_of=1, dialogue=(4, 5))

    def texts():
        return [(m.seq, m.text, m.reply, m.mentions, m.edited, m.deleted) for m in store.read(everything).messages]

    before = texts()
    assert [text for _, text, *_ in before] == [row[6] for row in messages]
    assert before[3] == (4, "answer", 2, [2, 3], None, None)
    assert store.fills_checksums
    retries = store.apply([Draft(1, "x", client_id, "again", "ops", stream=stream) for stream, client_id, _ in drafts])
    assert retries.outcomes == [Appended(seq, retry=True) for _, _, seq in drafts]
    store.apply([Revision(RevisionKind.EDIT, 1, "ann", 7, 5, to=2, text="said"), Draft(4, "dora", 4, "new", "ops")])
    store.close()
    store.open()
    while store.fills_checksums:
        store.tidy(idle=True)
    read_database(store._db)  # holds each against its checksum
    assert texts() == [(5, "said", None, [], 18, None) if row[0] == 5 else row for row in before] + [
        (19, "new", None, [], None, None)
    ]
    assert store.take_damaged() == []
    store.close()


def test_a_database_without_removed_senders_loses_nothing_and_tells_what_is_gone(tmp_path):
    version, messages, drafts = write_database(tmp_path / "data", "checksums.sql")
    assert (version, len(messages), len(drafts)) == (4, 5, 13)
    store = SqliteStore(tmp_path / "data", Limits(), wall_ms=lambda: 1_700_000_070_000)
    state = store.open()
    assert (state.last_seq, state.people.removed) == (13, ()), "whom that version removed, it did not write down"
    assert state.room_records.purged == ((8, 2), (9, 5)), "retention had left nothing up to there"
    everything = HistoryQuery(up_to=99, limit=99, rooms=("lobby", "ops", "quiet"), dialogues_of=1)
    read = store.read(everything).messages
    assert [(m.seq, m.text) for m in read] == [(row[0], row[6]) for row in messages]
    ann = Person(1, "ann")
    assert [(m.edited_by, m.deleted_by) for m in read] == [
        (None, None), (None, None), (ann, None), (None, ann), (None, None)
    ]  # fmt: skip
    store.apply([ApplyChanges((EraseSender(3, remove=True, above=0),))])
    store.close()
    state = store.open()
    assert state.people.removed == ((3, 13),)
    assert [m.seq for m in store.read(everything).messages] == [6, 9]
    store.close()


def test_a_database_without_keys_loses_nothing_and_learns_keys(tmp_path):
    version, messages, drafts = write_database(tmp_path / "data", "removed_senders.sql")
    assert (version, len(messages), len(drafts)) == (5, 4, 15)
    store = SqliteStore(tmp_path / "data", Limits(), wall_ms=lambda: 1_700_000_080_000)
    state = store.open()
    assert (state.last_seq, state.people.removed) == (15, ((3, 13),))
    read = store.read(HistoryQuery(up_to=99, limit=99, rooms=("lobby", "ops", "quiet"), dialogues_of=1)).messages
    assert [m.seq for m in read] == [6, 9, 14, 15]
    keyed = [Draft(1, "ann", client_id, "alert", "ops", key="k") for client_id in (10, 11)]
    assert store.apply(keyed).outcomes == [Appended(16), Appended(16, retry=True)]
    assert store.apply([Draft(1, "ann", 9, "after the upgrade", "ops")]).outcomes == [Appended(14, retry=True)]
    store.close()


def test_a_database_without_bots_loses_nothing_and_learns_them(tmp_path):
    version, messages, drafts = write_database(tmp_path / "data", "message_keys.sql")
    assert (version, len(messages), len(drafts)) == (6, 6, 17)
    store = SqliteStore(tmp_path / "data", Limits(), wall_ms=lambda: 1_700_000_090_000)
    state = store.open()
    assert (state.last_seq, state.people.tokens) == (17, ())
    assert {account.kind for account in state.people.accounts} == {AccountKind.PERSON}
    everything = HistoryQuery(up_to=99, limit=99, rooms=("lobby", "ops", "quiet"), dialogues_of=1)
    assert {m.bot for m in store.read(everything).messages} == {False}
    bot = Account(NEW_SENDER, "deploy", "deploy", kind=AccountKind.BOT, made_by=1)
    token = ApiToken(90, NEW_SENDER, "deploy", b"1" * 32, (Scope.POST,))
    came = IdentifySender(b"2" * 32, "deploy", "deploy", None, (Put(bot), Put(token)))
    (identity,) = store.apply([came]).outcomes
    assert isinstance(identity, Identity)
    number = identity.sender_id
    drafts = [
        Draft(1, "ann", 30, "alert", "ops", key="backup-1"),
        Draft(number, "deploy", 1, "green", "ops", stream=identity.stream, bot=True),
    ]
    assert store.apply(drafts).outcomes == [Appended(16, retry=True), Appended(18)]
    store.apply([ApplyChanges((Drop(Account, number),))])
    store.close()
    state = store.open()
    assert (state.people.tokens, state.people.serial) == ((), 90)
    assert [m.text for m in store.read(everything).messages if m.bot] == ["green"], "it stays a bot's"
    store.close()


def test_a_database_without_files_loses_nothing_and_learns_them(tmp_path):
    version, messages, drafts = write_database(tmp_path / "data", "outgoing_webhooks.sql")
    assert (version, len(messages), len(drafts)) == (9, 6, 9)
    store = SqliteStore(tmp_path / "data", Limits(), wall_ms=lambda: 1_700_000_090_000)
    state = store.open()
    assert (state.last_seq, state.log_id, state.files) == (9, "0f27695035d2", StoredFiles())
    assert [token.token_id for token in state.people.tokens] == [7]
    everything = HistoryQuery(up_to=99, limit=99, rooms=("lobby", "ops"), dialogues_of=1)
    before = store.read(everything).messages
    assert [message.text for message in before] == [text for *_, text, _ in messages]
    assert {len(message.files) for message in before} == {0}
    stored = StoredFile(FileInfo("ab" * 16, "note.txt", 3, "text/plain"), b"3" * 32)
    drafts = [
        Draft(4, "deploy", 2, "green", "ops", bot=True, key="build-1"),
        Draft(4, "deploy", 3, "log\n[file: note.txt, 3 B]", "ops", bot=True, files=(stored,)),
        Revision(RevisionKind.EDIT, 3, "cyd", 2, 4, "ops", text="a line that was only text"),
    ]
    assert store.apply(drafts).outcomes == [Appended(3, retry=True), Appended(10), Appended(11)]
    assert store.file(FileQuery("ab" * 16)).room == "ops"
    store.close()
    assert store.open().files == StoredFiles((FileUsage(4, 1, 3),))
    after = store.read(everything).messages
    assert [message.text for message in after if message.sender_id == 3] == ["a line that was only text"]
    assert after[-1].files == [stored.info]
    store.apply([Revision(RevisionKind.DELETE, 4, "deploy", 4, 10, "ops")])
    assert store.gone_files("", 9) == [GoneFile("ab" * 16, 4, 3)]
    read_database(store._db)
    store.close()


def test_a_log_has_a_name_that_it_keeps_and_no_other_has(tmp_path):
    names = []
    for name in ("one", "other"):
        for _ in range(2):
            store = SqliteStore(tmp_path / name, Limits())
            names.append(store.open().log_id)
            store.close()
    assert names[0] == names[1] != names[2] == names[3]
    assert len(names[0]) == 12
    renew_identity(tmp_path / "one" / DATABASE)
    store = SqliteStore(tmp_path / "one", Limits())
    assert store.open().log_id not in names, "a restored log is another one"
    store.close()


OLD = [
    "foundation.sql",
    "people.sql",
    "conversation.sql",
    "checksums.sql",
    "removed_senders.sql",
    "message_keys.sql",
    "outgoing_webhooks.sql",
]


@pytest.mark.parametrize("fixture", OLD)
def test_an_old_database_ends_up_with_the_tables_of_a_new_one(fixture, tmp_path):
    write_database(tmp_path / "data", fixture)
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
