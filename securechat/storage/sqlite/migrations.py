"""The database schema, as numbered migrations: each runs in its own transaction and is never edited afterwards.

Four decisions:

- A ``seq`` is a rowid, so the log itself is the primary index; the index by conversation holds the rowid anyway.
- Numbers are never reused. A trigger remembers the highest deleted one, so only a deletion costs time. AUTOINCREMENT or
  a counter row would slow every commit: 64 rows took 12 µs CPU a row without, 15 and 17 with (one noisy run; at 1 and
  256 rows a commit the difference was within 15 % or below the noise).
- ``drafts`` recognises retries, apart from the messages: retention and deletion never touch it, so a retry is
  recognised permanently. Its key grows, which costs half of a random key (see architecture, Retry).
- Accounts and rooms are numbers: a name may change, a message's ``sender_id`` never does.
"""

from __future__ import annotations

import apsw

from securechat.errors import LogError, LogSchemaTooNew
from securechat.translation import Sentence

APPLICATION_ID = 0x53436874
"""The ASCII letters SCht in the file header, which identify the file's owner (SQLite file format, section 1.3.14)."""

_FOUNDATION = """
CREATE TABLE senders (
    sender_id INTEGER PRIMARY KEY AUTOINCREMENT,
    secret_hash BLOB NOT NULL UNIQUE,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL,
    holds_name INTEGER NOT NULL CHECK (holds_name IN (0, 1)),  -- online, or lost with the name still owed
    lost_at_ms INTEGER                                         -- NULL while online
) STRICT;
CREATE INDEX senders_holding ON senders (sender_id) WHERE holds_name = 1;  -- start reads these few, not all

CREATE TABLE conversations (
    conversation INTEGER PRIMARY KEY,
    room TEXT UNIQUE,
    low INTEGER,   -- a dialogue's two senders, the smaller id first
    high INTEGER,
    deleted_seq INTEGER NOT NULL DEFAULT 0,  -- the highest seq ever deleted here: prev goes on from it
    UNIQUE (low, high),
    CHECK ((room IS NULL) = (low IS NOT NULL) AND (low IS NULL) = (high IS NULL) AND low <= high)
) STRICT;
CREATE INDEX conversations_by_high ON conversations (high) WHERE high IS NOT NULL;
CREATE INDEX conversations_by_deleted ON conversations (deleted_seq) WHERE deleted_seq > 0;

CREATE TABLE messages (
    seq INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL,
    prev INTEGER NOT NULL CHECK (prev < seq),
    sender_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    to_name TEXT,
    sent_at_ms INTEGER NOT NULL,
    text TEXT NOT NULL
) STRICT;
CREATE INDEX messages_by_conversation ON messages (conversation);
CREATE TRIGGER messages_never_reuse AFTER DELETE ON messages BEGIN
    UPDATE conversations SET deleted_seq = max(deleted_seq, OLD.seq) WHERE conversation = OLD.conversation;
END;

CREATE TABLE drafts (
    stream INTEGER NOT NULL,
    client_id INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (stream, client_id)
) STRICT, WITHOUT ROWID;
"""

# Only numbers are unique here: the hub decides which names, tokens and keys are allowed, and a rule broken by a bug
# must not stop the log. `serials` does for them what deleted_seq does for messages: only a deletion costs time.
_PEOPLE = """
ALTER TABLE senders ADD COLUMN account INTEGER;  -- whom this device speaks for; NULL: for itself
CREATE INDEX senders_by_account ON senders (account) WHERE account IS NOT NULL;

CREATE TABLE accounts (
    sender_id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL,
    role TEXT NOT NULL,
    password TEXT,                 -- a PHC string
    must_change INTEGER NOT NULL,
    made_at_ms INTEGER NOT NULL,
    seen_at_ms INTEGER NOT NULL,
    seen_seq INTEGER NOT NULL
) STRICT;

CREATE TABLE logins (
    login_id INTEGER PRIMARY KEY,
    sender_id INTEGER NOT NULL,
    token_hash BLOB NOT NULL,      -- SHA-256
    client TEXT NOT NULL,
    address TEXT NOT NULL,
    made_at_ms INTEGER NOT NULL,
    used_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX logins_by_sender ON logins (sender_id);

CREATE TABLE certificates (
    certificate_id INTEGER PRIMARY KEY,
    sender_id INTEGER NOT NULL,
    fingerprint TEXT NOT NULL,
    label TEXT NOT NULL,
    added_at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE invites (
    invite_id INTEGER PRIMARY KEY,
    token_hash BLOB NOT NULL,      -- SHA-256
    uses INTEGER NOT NULL,
    made_by TEXT NOT NULL,
    made_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    room TEXT,
    used_by TEXT NOT NULL,         -- names, a JSON array
    revoked INTEGER NOT NULL
) STRICT;

CREATE TABLE bans (
    ban_id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    target TEXT NOT NULL,
    shown TEXT NOT NULL,
    reason TEXT NOT NULL,
    made_by TEXT NOT NULL,
    made_at_ms INTEGER NOT NULL,
    until_ms INTEGER               -- NULL: for ever
) STRICT;

CREATE TABLE mutes (
    sender_id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    reason TEXT NOT NULL,
    made_by TEXT NOT NULL,
    made_at_ms INTEGER NOT NULL,
    until_ms INTEGER               -- NULL: for ever
) STRICT;

CREATE TABLE audit (
    entry INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    actor TEXT NOT NULL,
    act TEXT NOT NULL,
    target TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;

CREATE TABLE serials (deleted INTEGER NOT NULL) STRICT;  -- one row: the highest number ever deleted
INSERT INTO serials VALUES (0);
CREATE TRIGGER logins_never_reuse AFTER DELETE ON logins BEGIN
    UPDATE serials SET deleted = max(deleted, OLD.login_id);
END;
CREATE TRIGGER certificates_never_reuse AFTER DELETE ON certificates BEGIN
    UPDATE serials SET deleted = max(deleted, OLD.certificate_id);
END;
CREATE TRIGGER invites_never_reuse AFTER DELETE ON invites BEGIN
    UPDATE serials SET deleted = max(deleted, OLD.invite_id);
END;
CREATE TRIGGER bans_never_reuse AFTER DELETE ON bans BEGIN
    UPDATE serials SET deleted = max(deleted, OLD.ban_id);
END;
"""

# `changes` holds the changes of messages, with their seq and never with a text: a text is in the message alone, so that
# an edit or a deletion leaves none behind. New fields of `messages` are columns, because adding one rewrites nothing.
# The index by conversation is rebuilt, once, with the columns that counting unread messages needs (1.8 s for a million
# messages on a slow core): 100 rooms counted up to 999 take 12 ms, and 140 without.
_CONVERSATION = """
ALTER TABLE messages ADD COLUMN reply INTEGER;    -- the seq it answers, in the same conversation
ALTER TABLE messages ADD COLUMN mentions TEXT;    -- a JSON array of sender_ids; NULL: nobody
ALTER TABLE messages ADD COLUMN edited INTEGER;   -- the change that its text comes from; NULL: as it was sent
ALTER TABLE messages ADD COLUMN deleted INTEGER;  -- the change that emptied it
DROP INDEX messages_by_conversation;
CREATE INDEX messages_by_conversation ON messages (conversation, seq, sender_id, deleted);

CREATE TABLE changes (
    seq INTEGER PRIMARY KEY,      -- of the same count as messages
    conversation INTEGER NOT NULL,
    kind TEXT NOT NULL,           -- edit, delete, react or unreact
    target INTEGER NOT NULL CHECK (target < seq),
    sender_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    sent_at_ms INTEGER NOT NULL,
    sign TEXT NOT NULL            -- empty where there is none
) STRICT;
CREATE INDEX changes_by_conversation ON changes (conversation);
CREATE INDEX changes_by_target ON changes (target);
ALTER TABLE serials ADD COLUMN deleted_change INTEGER NOT NULL DEFAULT 0;  -- apart from deleted_seq: no prev leads here
CREATE TRIGGER changes_never_reuse AFTER DELETE ON changes BEGIN
    UPDATE serials SET deleted_change = max(deleted_change, OLD.seq);
END;

CREATE TABLE reactions (
    target INTEGER NOT NULL,
    sign TEXT NOT NULL,
    sender_id INTEGER NOT NULL,
    since INTEGER NOT NULL,       -- when somebody began to use this sign here: the order of signs,
    seq INTEGER NOT NULL,         -- and of those who use it
    PRIMARY KEY (target, sign, sender_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE mentions (
    person INTEGER NOT NULL,      -- never the sender of the message
    conversation INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (person, conversation, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE places (
    room_id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,           -- that of its conversation
    topic TEXT NOT NULL,
    private INTEGER NOT NULL,
    read_only INTEGER NOT NULL,
    slow_s INTEGER NOT NULL,
    retention_days INTEGER NOT NULL,
    history_from_join INTEGER NOT NULL,
    archived INTEGER NOT NULL,
    made_at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX places_by_name ON places (name);

CREATE TABLE former_names (
    room TEXT NOT NULL,
    conversation INTEGER NOT NULL,
    PRIMARY KEY (room, conversation)
) STRICT, WITHOUT ROWID;

CREATE TABLE memberships (
    room_id INTEGER NOT NULL,
    sender_id INTEGER NOT NULL,
    role TEXT NOT NULL,
    joined_at_ms INTEGER NOT NULL,
    joined_seq INTEGER NOT NULL,
    muted_until_ms INTEGER NOT NULL,
    PRIMARY KEY (room_id, sender_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX memberships_by_sender ON memberships (sender_id);

CREATE TABLE room_bans (
    room_id INTEGER NOT NULL,
    sender_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    reason TEXT NOT NULL,
    made_by TEXT NOT NULL,
    until_ms INTEGER,             -- NULL: for ever
    PRIMARY KEY (room_id, sender_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX room_bans_by_sender ON room_bans (sender_id);

CREATE TABLE reads (
    sender_id INTEGER NOT NULL,
    conversation INTEGER NOT NULL,
    seq INTEGER NOT NULL,         -- read up to here
    PRIMARY KEY (sender_id, conversation)
) STRICT, WITHOUT ROWID;
"""

# Adding a column rewrites and reads no row: old messages get their checksums while the server runs, in the order of
# their seqs, because filling them all here would double the file in its journal and delay the start.
_CHECKSUMS = """
ALTER TABLE messages ADD COLUMN checksum INTEGER;  -- see checksums.py; NULL: an earlier version wrote it, unchecked
CREATE TABLE checksum_progress (  -- one row
    filled_to INTEGER NOT NULL,   -- every message up to here has its checksum
    fill_to INTEGER NOT NULL      -- and every one above this
) STRICT;
INSERT INTO checksum_progress SELECT 0, ifnull(max(seq), 0) FROM messages;
"""

# What was removed leaves no row behind, so a client that was away is told from here that it must not go on showing it.
# What retention deletes needs none: the oldest message of a room names the last one before it.
_REMOVED_SENDERS = """
CREATE TABLE removed_senders (
    sender_id INTEGER PRIMARY KEY,
    through INTEGER NOT NULL  -- none of its messages up to this seq is left
) STRICT;
"""

# A key recognises a message that its sender sends again as another draft. Like the drafts, it outlasts its message: a
# deleted one must not come back by a retry. What tells two messages apart (a hash of the text) does not outlast the
# text. Keys end by age, so they are numbered by seq: the oldest come first.
_MESSAGE_KEYS = """
CREATE TABLE message_keys (
    seq INTEGER PRIMARY KEY,      -- of the message
    sender_id INTEGER NOT NULL,
    key_hash BLOB NOT NULL,       -- SHA-256, the first 16 bytes
    conversation INTEGER NOT NULL,
    content_hash BLOB,            -- of the text and reply, likewise; NULL: the text has changed or is gone
    sent_at_ms INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX message_keys_by_sender ON message_keys (sender_id, key_hash);
CREATE TRIGGER message_keys_after_change AFTER UPDATE OF text ON messages BEGIN
    UPDATE message_keys SET content_hash = NULL WHERE seq = OLD.seq;
END;
CREATE TRIGGER message_keys_after_deletion AFTER DELETE ON messages BEGIN
    UPDATE message_keys SET content_hash = NULL WHERE seq = OLD.seq;
END;
"""

# A bot stays one in its messages after its account is gone, so its number stays too. In a table of its own, because a
# column of `messages` would be one more part of every checksum.
_PROGRAMS = """
ALTER TABLE accounts ADD COLUMN kind TEXT NOT NULL DEFAULT 'person';
ALTER TABLE accounts ADD COLUMN made_by INTEGER NOT NULL DEFAULT 0;  -- the maker's sender_id; 0: none
CREATE TABLE bot_senders (sender_id INTEGER PRIMARY KEY) STRICT;
CREATE TRIGGER bot_senders_stay AFTER INSERT ON accounts WHEN NEW.kind <> 'person' BEGIN
    INSERT OR IGNORE INTO bot_senders VALUES (NEW.sender_id);
END;

CREATE TABLE api_tokens (
    token_id INTEGER PRIMARY KEY,
    sender_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    token_hash BLOB NOT NULL,      -- SHA-256
    scopes TEXT NOT NULL,          -- a JSON array
    rooms TEXT NOT NULL,           -- room_ids, a JSON array; empty: every room
    made_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER,         -- NULL: never
    used_at_ms INTEGER NOT NULL,   -- 0: never
    address TEXT NOT NULL
) STRICT;
CREATE INDEX api_tokens_by_sender ON api_tokens (sender_id);
CREATE TRIGGER api_tokens_never_reuse AFTER DELETE ON api_tokens BEGIN
    UPDATE serials SET deleted = max(deleted, OLD.token_id);
END;
"""

# A program's cursor is a seq, which means nothing in another log: after a restore the same numbers are given again, to
# other messages. So a cursor names its log, and a restore gives the log another name.
_LOG_IDENTITY = """
CREATE TABLE log_identity (log_id TEXT NOT NULL) STRICT;  -- one row
INSERT INTO log_identity VALUES (lower(hex(randomblob(6))));
"""

# The secrets are in clear: a signature is made from them. The file is readable by its owner alone.
_OUTGOING_WEBHOOKS = """
CREATE TABLE outgoing_webhooks (
    sender_id INTEGER PRIMARY KEY,     -- its account
    hook_id TEXT NOT NULL,             -- random; the ids of its deliveries are made from it
    room_id INTEGER NOT NULL,          -- 0: the lobby
    url TEXT NOT NULL,
    trigger TEXT NOT NULL,             -- all, mention, or a command such as !deploy
    bots INTEGER NOT NULL,             -- whether messages of bots count
    secret TEXT NOT NULL,
    old_secret TEXT NOT NULL,          -- valid until old_until_ms; empty: none
    old_until_ms INTEGER NOT NULL,
    cursor INTEGER NOT NULL,           -- every message up to this seq is done with
    failures INTEGER NOT NULL,
    failing_since_ms INTEGER NOT NULL, -- 0: no failure
    next_ms INTEGER NOT NULL,          -- the earliest time of the next attempt
    off TEXT NOT NULL,                 -- why it is switched off; empty: it is on
    off_at_ms INTEGER NOT NULL
) STRICT;
"""

# A file belongs to one message, and its rows are in the order of messages, so a page of history finds them together.
# Triggers take a file out with its message, whatever took that out, and put it among those to be unlinked: no path of
# the program can forget either. Both tables have a sender's bytes in an index alone, which is read at each start.
_FILES = """
CREATE TABLE files (
    seq INTEGER NOT NULL,          -- of the message
    place INTEGER NOT NULL,        -- among its files, from 0
    file_id TEXT NOT NULL,         -- 128 random bits, hexadecimal
    sender_id INTEGER NOT NULL,    -- of the message
    name TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    sha256 BLOB NOT NULL,
    type TEXT NOT NULL,
    width INTEGER NOT NULL,        -- 0: no picture of the server's own
    height INTEGER NOT NULL,
    previews TEXT NOT NULL,        -- their longer sides, a JSON array
    kept_bytes INTEGER NOT NULL,   -- with the previews
    checksum INTEGER NOT NULL,     -- see files.py
    PRIMARY KEY (seq, place)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX files_by_id ON files (file_id);
CREATE INDEX files_by_sender ON files (sender_id, size_bytes, file_id, kept_bytes);

CREATE TABLE gone_files (
    file_id TEXT PRIMARY KEY,
    sender_id INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    kept_bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX gone_files_by_sender ON gone_files (sender_id, kept_bytes);

CREATE TRIGGER files_to_unlink AFTER DELETE ON files BEGIN
    INSERT OR REPLACE INTO gone_files VALUES (OLD.file_id, OLD.sender_id, OLD.size_bytes, OLD.kept_bytes);
END;
CREATE TRIGGER files_of_deleted AFTER UPDATE OF deleted ON messages WHEN NEW.deleted IS NOT NULL BEGIN
    DELETE FROM files WHERE seq = OLD.seq;
END;
CREATE TRIGGER files_of_removed AFTER DELETE ON messages BEGIN
    DELETE FROM files WHERE seq = OLD.seq;
END;
"""

MIGRATIONS: tuple[str, ...] = (
    _FOUNDATION,
    _PEOPLE,
    _CONVERSATION,
    _CHECKSUMS,
    _REMOVED_SENDERS,
    _MESSAGE_KEYS,
    _PROGRAMS,
    _LOG_IDENTITY,
    _OUTGOING_WEBHOOKS,
    _FILES,
)
"""Migration n brings the schema from version n to n + 1."""


def migrate(connection: apsw.Connection, migrations: tuple[str, ...] = MIGRATIONS) -> None:
    """Bring the schema up to date; every step commits whole or not at all.

    Raises:
        LogSchemaTooNew: a newer securechat wrote the database.
        LogError: the file is a database of another program.
    """
    version = _pragma(connection, "user_version")
    if version > len(migrations):
        raise LogSchemaTooNew(
            Sentence(
                "the message log was written by a newer securechat (schema {version}, this one knows {known}): start "
                "that version, or restore a backup from before the upgrade",
                version=version,
                known=len(migrations),
            )
        )
    empty = connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()[0][0] == 0
    if not empty and _pragma(connection, "application_id") != APPLICATION_ID:
        raise LogError(Sentence("the database file belongs to another program: choose another data directory"))
    for number in range(version, len(migrations)):
        _apply(connection, migrations[number], number + 1)


def read_log_id(connection: apsw.Connection) -> str:
    """Return what tells this log from every other; see `LogState.log_id`."""
    ((log_id,),) = connection.execute("SELECT ifnull(min(log_id), '') FROM log_identity").fetchall()
    return str(log_id)


def renew_log_id(connection: apsw.Connection) -> None:
    """Make the log of a restored database another one; one of an earlier version gets its identity at its start."""
    if connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'log_identity'").fetchall():
        connection.execute("UPDATE log_identity SET log_id = lower(hex(randomblob(6)))")


def _apply(connection: apsw.Connection, script: str, version: int) -> None:
    """Run one migration and record its number in the same transaction: both PRAGMAs live in the file's header."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(script)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {version}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _pragma(connection: apsw.Connection, name: str) -> int:
    value = connection.pragma(name)
    assert isinstance(value, int)
    return value
