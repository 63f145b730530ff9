"""The store in SQLite and the obviously right one in memory give the same answers to the same random conversations."""

import random

import pytest
from msgspec.structs import replace

from securechat.limits import Limits, PageLimits
from securechat.model import Draft, FileInfo, Revision, RevisionKind, StoredFile
from securechat.records.accounts import Account, Drop, EraseSender, PurgeMessageKeys, Put
from securechat.records.files import DropGoneFiles, FileQuery, FileUsage, OwnFilesQuery, PurgeFiles
from securechat.records.log import Appended
from securechat.records.queries import ConversationQuery, HistoryQuery, UnreadQuery
from securechat.records.rooms import (
    DropMembership,
    DropRoom,
    DropRoomBan,
    Membership,
    PurgeExpired,
    PutMembership,
    PutReadMarker,
    PutRoom,
    PutRoomBan,
    RoomBan,
    RoomRecord,
    RoomRole,
)
from securechat.storage.sqlite import files, message_changes, message_writer
from securechat.storage.sqlite.store import DATABASE, SqliteStore
from securechat.storage.store import KEY_OF_ANOTHER, ApplyChanges, IdentifySender
from securechat.storage.tools.backup import Snapshot
from securechat.storage.tools.integrity import damage
from securechat.testing import memory_messages
from securechat.testing.memory_store import MemoryStore
from securechat.text.file_lines import with_file_lines

ROOMS = ("lobby", "ops", "Ωmega", "'; --")
NOW_MS = 1_700_000_000_000


class Chance:
    """Random writes and questions, mostly about what is there."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.now_ms = NOW_MS
        self.client_ids = {}
        self.last_seq = 0
        self.keyed = []
        self.file_ids = []

    def client_id(self, stream):
        if self.rng.random() < 0.1:  # a retry, or a number that was never used
            return self.rng.randint(1, self.client_ids.get(stream, 0) + 1)
        self.client_ids[stream] = self.client_ids.get(stream, 0) + self.rng.choice((1, 1, 1, 2))
        return self.client_ids[stream]

    def seq(self):
        if self.rng.random() < 0.4:  # the same few again and again
            return max(0, self.last_seq // 40 * 40 + self.rng.randint(-2, 2))
        low = 0 if self.rng.random() < 0.3 else max(0, self.last_seq - 20)
        return self.rng.randint(low, self.last_seq + 4)

    def where(self, who):
        return {"to": self.rng.randint(1, 5)} if self.rng.random() < 0.3 else {"room": self.rng.choice(ROOMS)}

    def people(self):
        return tuple(self.rng.randint(1, 5) for _ in range(self.rng.choice((0, 0, 0, 1, 2, 3))))

    def files(self):
        return tuple(self.file() for _ in range(self.rng.choice((0, 0, 0, 0, 1, 2, 3))))

    def file(self):
        if self.rng.random() < 0.96 or not self.file_ids:
            self.file_ids.append(f"{self.rng.getrandbits(128):032x}")
        file_id = self.rng.choice(self.file_ids[-3:]) if self.rng.random() < 0.02 else self.file_ids[-1]
        name, size = self.rng.choice(("a.txt", "ü" * 70)), self.rng.choice((0, 1, 5, 10**9))
        picture = self.rng.choice(({}, {"width": 3, "height": 4, "previews": [320]}))
        return StoredFile(FileInfo(file_id, name, size, "text/plain", **picture), bytes(32), 7 * len(picture))

    def draft(self):
        if self.keyed and self.rng.random() < 0.1:  # the same again, as another draft
            again = self.rng.choice(self.keyed)
            return replace(again, client_id=self.client_id(again.stream or again.sender_id))
        who = self.rng.randint(1, 5)
        stream = self.rng.choice((0, 0, who + 10))
        where = self.where(who)
        reply = self.seq() if self.rng.random() < 0.3 else None
        text, files = self.rng.choice(("hi", "a\0b", "\U0001f600" * 9, "x" * 9000)), self.files()
        text = with_file_lines(text, [(stored.info.name, stored.info.size) for stored in files])
        draft = Draft(
            who, f"p{who}", self.client_id(stream or who), text, stream=stream, reply=reply, mentions=self.people(),
            files=files, to_name=f"p{where['to']}" if "to" in where else None, known_only=self.rng.random() < 0.05,
            key=self.rng.choice((None, None, None, "k1", "k2", "k3")), **where,
        )  # fmt: skip
        if draft.key is not None:
            self.keyed.append(draft)
        return draft

    def revision(self, places):
        who, kind = self.rng.randint(1, 5), self.rng.choice(list(RevisionKind))
        target = self.seq()
        where = places.get(target) if self.rng.random() < 0.9 else None
        if isinstance(where, tuple):
            who = self.rng.choice(where) if self.rng.random() < 0.9 else who
            where = {"to": sum(where) - who}
        elif where is not None:
            where = {"room": where}
        return Revision(
            kind, who, f"p{who}", self.client_id(who), target, text=self.rng.choice(("", "so\0", "y" * 5000)),
            sign=self.rng.choice(("+1", "\0", "ℹ")), any_author=self.rng.random() < 0.6, mentions=self.people(),
            **(where or self.where(who)),
        )  # fmt: skip

    def change(self):
        who, room_id = self.rng.randint(1, 5), self.rng.randint(20, 23)
        match self.rng.randint(0, 15):
            case 0:
                return EraseSender(who, self.rng.random() < 0.3, above=self.seq(), seqs=self.rng.randint(1, 30))
            case 1:
                ago_ms = self.rng.randint(0, 30_000)
                return PurgeExpired(self.rng.choice(ROOMS), self.now_ms - ago_ms, most=self.rng.randint(1, 6))
            case 2 | 3:
                return PutRoom(
                    RoomRecord(room_id, self.rng.choice(ROOMS), "t\0", who > 2, who > 3, 5, 6, who > 4, True, 7)
                )
            case 4:
                return PutMembership(Membership(room_id, who, self.rng.choice(list(RoomRole)), 1, 2, -1))
            case 5:
                return DropMembership(room_id, who)
            case 6:
                return PutRoomBan(RoomBan(room_id, who, "n", "r\0", "b", self.rng.choice((None, 7))))
            case 7:
                return DropRoomBan(room_id, who)
            case 12:
                return PurgeMessageKeys(self.now_ms - self.rng.randint(0, 30_000), most=self.rng.randint(1, 6))
            case 13:
                return PurgeFiles(self.now_ms - self.rng.randint(0, 30_000), most=self.rng.randint(1, 6))
            case 14 | 15:
                return DropGoneFiles(tuple(self.rng.choice(["", *self.file_ids]) for _ in range(20)))
            case 8:
                return Drop(Account, who) if self.rng.random() < 0.2 else Put(Account(who, "a", "a"))
            case _:
                where = self.where(who)
                return PutReadMarker(who, self.seq(), where.get("room"), where.get("to"))

    def write(self, places):
        dice = self.rng.random()
        if dice < 0.45:
            return self.draft()
        if dice < 0.85:
            return self.revision(places)
        if dice < 0.87:  # never in one Record with a PutPlace
            return ApplyChanges((DropRoom(self.rng.randint(20, 23), if_empty=self.rng.random() < 0.7),))
        return ApplyChanges(tuple(self.change() for _ in range(self.rng.choice((1, 1, 2, 4)))))

    def query(self):
        rng = self.rng
        shape = rng.randint(0, 4)
        return HistoryQuery(
            up_to=rng.choice((2**53, self.seq())),
            limit=rng.choice((1, 2, 3, 7, 50)),
            rooms=tuple(rng.sample(ROOMS, rng.randint(0, 4))),
            floors=tuple((rng.choice(ROOMS), self.seq()) for _ in range(rng.choice((0, 0, 2)))),
            dialogue=rng.choice((None, (rng.randint(1, 5), rng.randint(1, 5)))),
            dialogues_of=rng.choice((None, rng.randint(1, 5))),
            after=self.seq() if shape in (0, 1) else None,
            before=self.seq() if shape == 2 or rng.random() < 0.2 else None,
            around=self.seq() if shape == 3 else None,
            since_ms=self.now_ms - rng.randint(-1000, 60_000) if shape == 4 else None,
        )


def note_places(places, entries):
    for entry in entries:
        to = getattr(entry, "to", None)
        places[entry.seq] = entry.room if to is None else tuple(sorted((entry.sender_id, to)))


def usage_of(store):
    """What each sender keeps, added up file by file."""
    kept = {}
    ids = store.stored_file_ids("", 10_000)
    rows = [store.file(FileQuery(file_id)) for file_id in ids]
    previews = [7 * 3 if row.file.is_picture else 0 for row in rows]
    for row, more in zip(rows, previews, strict=True):
        kept.setdefault(row.sender_id, []).append(row.file.size + more)
    for gone in store.gone_files("", 10_000):
        kept.setdefault(gone.sender_id, []).append(gone.kept_bytes)
    return tuple(FileUsage(who, len(sizes), sum(sizes)) for who, sizes in sorted(kept.items()))


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 8))])
def test_they_agree_about_conversations(tmp_path, seed, monkeypatch):
    print(f"seed {seed}")
    for module in (message_writer, message_changes):
        monkeypatch.setattr(module, "_CHUNK_ROWS", 3)
    monkeypatch.setattr(message_writer, "REMEMBERED", 3)
    for name, value in (("CHANGES_PER_MESSAGE", 1), ("MAX_UNREAD_COUNT", 999), ("EXPIRE_CHANGES", 3)):
        monkeypatch.setattr(memory_messages, name, value)
    monkeypatch.setattr("securechat.storage.sqlite.history.CHANGES_PER_MESSAGE", 1)
    monkeypatch.setattr("securechat.storage.sqlite.purge.EXPIRE_CHANGES", 3)
    chance, places = Chance(seed), {}
    pages = PageLimits(reactions=4)
    both = [
        SqliteStore(tmp_path, Limits(), wall_ms=lambda: chance.now_ms, pages=pages),
        MemoryStore(Limits(), wall_ms=lambda: chance.now_ms, pages=pages),
    ]
    ours, theirs = (replace(each.open(), log_id="") for each in both)
    assert ours == theirs
    for each in both:
        each.apply([IdentifySender(bytes([who]) * 32, "x", "x") for who in range(1, 20)])
    appended = keys_used = keys_repeated = found = gone = 0
    for _ in range(120):
        chance.now_ms += chance.rng.choice((0, 1, 4000, -3000))
        batch = [chance.write(places) for _ in range(chance.rng.choice((1, 2, 8, 20)))]
        refuse = chance.rng.random() < 0.05
        ours, theirs = (each.apply(batch, refuse_fresh=refuse) for each in both)
        assert ours.outcomes == theirs.outcomes
        assert ours.fresh == theirs.fresh
        appended += sum(isinstance(outcome, Appended) for outcome in ours.outcomes)
        keys_used += sum(outcome == KEY_OF_ANOTHER for outcome in ours.outcomes)
        fresh_ids = {(d.stream or d.sender_id, d.client_id) for d in batch if isinstance(d, Draft)} - both[
            1
        ]._talk.seqs.keys()
        keys_repeated += sum(
            isinstance(outcome, Appended) and (d.stream or d.sender_id, d.client_id) in fresh_ids
            for d, outcome in zip(batch, ours.outcomes, strict=True) if isinstance(d, Draft)
        )  # fmt: skip
        note_places(places, ours.fresh)
        chance.last_seq = max([chance.last_seq, *(entry.seq for entry in ours.fresh)])
        if chance.rng.random() < 0.1:
            both[0].erase()
            for each in both:
                each.close()
            ours, theirs = (replace(each.open(), log_id="") for each in both)
            assert ours.last_seq == theirs.last_seq == chance.last_seq
            assert (ours.people, ours.room_records) == (theirs.people, theirs.room_records)
            assert ours.files == theirs.files
        for query in [chance.query() for _ in range(6)]:
            ours, theirs = (each.read(query) for each in both)
            assert ours == theirs, query
        rooms = tuple((room, chance.seq()) for room in chance.rng.sample(ROOMS, 3))
        asked = UnreadQuery(
            chance.rng.randint(1, 5), rooms, chance.rng.choice((2**53, chance.seq())), chance.rng.choice((None, 0, 3)),
            limit=chance.rng.choice((1, 2, 200)), looks=chance.rng.choice((1, 3, 2_000)),
        )  # fmt: skip
        ours, theirs = (each.unread(asked) for each in both)
        assert ours == theirs, asked
        floors = tuple((room, chance.seq()) for room, _ in rooms[:2])
        listed = ConversationQuery(
            asked.sender_id, rooms, asked.up_to, floors, asked.after, asked.limit, asked.looks,
            is_counted=chance.rng.random() < 0.8,
        )  # fmt: skip
        ours, theirs = (each.conversations(listed) for each in both)
        assert ours == theirs, listed
        file_ids = ["", *chance.file_ids]
        for file_id in chance.rng.sample(file_ids, min(10, len(file_ids))):
            ours, theirs = (each.file(FileQuery(file_id)) for each in both)
            assert ours == theirs
            found += ours is not None
        own = OwnFilesQuery(asked.sender_id, chance.rng.choice((None, *file_ids)), chance.rng.choice((1, 3, 50)))
        after = chance.rng.choice(file_ids)
        ours, theirs = (
            (each.own_files(own), each.gone_files(after, own.limit), each.stored_file_ids(after, own.limit))
            for each in both
        )
        assert ours == theirs
        gone = max(gone, len(both[0].gone_files("", 1_000)))
        assert usage_of(both[0]) == files.load(both[0]._db).usage, "the sum is not what there is"
    assert min(appended - 200, keys_used, keys_repeated, found - 100, gone - 5) > 0, (
        "the dice said no too often to prove anything"
    )
    with Snapshot(tmp_path / DATABASE) as snapshot:
        findings = damage(snapshot, lambda _: None)
    assert [one for one in findings if not one.startswith("account")] == []  # accounts come and go here as they like
    both[0].close()
