"""The conformance suite of `MessageLog` for room records, and for read markers in rooms.

The last part of the suite in `log_checks`, over the same `Implementation`: run every function of `ROOM_CHECKS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from securechat.errors import ErrorCode, LocalProtocolError
from securechat.model import RevisionKind
from securechat.records.accounts import Account, Change, Committed, Drop, Put
from securechat.records.log import NotAppended
from securechat.records.queries import (
    ConversationQuery,
    ConversationRow,
    ConversationRows,
    Unread,
    UnreadQuery,
    UnreadRows,
)
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
    StoredRooms,
)
from securechat.testing.conversation_checks import codes, page, revision
from securechat.testing.log_checks import MORNING_MS, Implementation, Rig

EDIT, DELETE, REACT, UNREACT = RevisionKind
_HOUR_MS = 3_600_000


# --- What was read ------------------------------------------------------------------------------------------------


def check_unread_is_counted(implementation: Implementation) -> None:
    """Others' messages above mark and floor, those that name the reader, the first of them; only where any are."""
    rig = Rig(implementation)
    rig.seqs(
        replace(rig.draft(1, sender_id=2), mentions=(1, 2)),
        rig.draft(1),
        rig.draft(2, sender_id=2),
        replace(rig.draft(3, sender_id=2), mentions=(1,)),
        rig.draft(4, sender_id=2, to=1),
        rig.draft(5, sender_id=2, to=3),
        rig.draft(2, to=4),
        replace(rig.draft(6, sender_id=2, room="ops"), mentions=(3,)),
        rig.draft(1, sender_id=1 + 2, to=1),
    )
    everywhere = (("lobby", 0), ("nowhere", 0), ("ops", 0))
    dialogues = [Unread(0, 1, 0, 5, None, 2), Unread(0, 1, 0, 9, None, 3)]
    assert rig.unread(1, *everywhere) == [Unread(0, 3, 2, 1, "lobby"), Unread(0, 1, 0, 8, "ops"), *dialogues]
    assert rig.unread(1, *reversed(everywhere), up_to=3) == [Unread(0, 2, 1, 1, "lobby")]
    assert rig.unread(1, ("lobby", 1)) == [Unread(1, 2, 1, 3, "lobby"), *dialogues]
    assert [one.mentions for one in rig.unread(2, ("lobby", 0))] == [0], "naming oneself is no mention"
    rig.record(
        PutReadMarker(1, 3, "lobby"),
        PutReadMarker(1, 5, peer=2),
        PutReadMarker(1, 99, "nowhere"),
        PutReadMarker(4, 4, "lobby"),
    )
    after = [Unread(3, 1, 1, 4, "lobby"), Unread(0, 1, 0, 8, "ops"), dialogues[1]]
    for kill in (None, False, True):
        if kill is not None:
            rig.restart(kill=kill)
        assert rig.unread(1, *everywhere) == after
        rig.record(PutReadMarker(1, 1, "lobby"), PutReadMarker(1, 0, peer=2))
        assert rig.unread(1, *everywhere) == after, "a read mark moved back"
    assert rig.unread(1, ("lobby", 4), ("ops", 8)) == [dialogues[1]]
    rig.seqs(rig.draft(20, "again", sender_id=2, to=1), revision(DELETE, 21, 4, sender_id=2))
    assert rig.unread(1, ("lobby", 0)) == [Unread(5, 1, 0, 10, None, 2), dialogues[1]]
    rig.close()


def check_conversations_are_listed(implementation: Implementation) -> None:
    """Every room asked for and every dialogue, with the last message above the floor, in its final state."""
    rig = Rig(implementation)
    rig.seqs(
        replace(rig.draft(1, sender_id=2), mentions=(1,)),
        rig.draft(1, "lobby"),
        rig.draft(2, sender_id=2, to=1),
        rig.draft(3, sender_id=2, to=3),  # of others
        rig.draft(4, sender_id=2, room="ops"),
        rig.draft(5, sender_id=2, room="ops"),
        rig.draft(2, to=4),
        revision(REACT, 6, 1, sender_id=2, sign="+"),
        revision(RevisionKind.EDIT, 7, 3, sender_id=2, to=1, text="better"),
        revision(DELETE, 8, 6, sender_id=2, room="ops"),
    )
    rig.record(PutReadMarker(1, 1, "lobby"))
    rooms = (("ops", 4), ("nowhere", 3), ("lobby", 0))

    def listed(**more: Any) -> list[tuple[Any, ...]]:
        rows = rig.conversations(ConversationQuery(1, rooms, **({"up_to": 2**53} | more)))
        assert rows.through is None
        seen = []
        for row in rows.rows:
            assert (row.counts.room is None) != (row.counts.peer is None)
            last = row.last
            told = None if last is None else (last.seq, last.sender_id, last.text, last.deleted is not None)
            counts = row.counts
            seen.append((counts.room or counts.peer, told, counts.read_seq, counts.unread, counts.first_seq))
        return seen

    whole = [
        ("ops", (6, 2, "", True), 4, 1, 5),
        ("nowhere", None, 3, 0, 0),
        ("lobby", (2, 1, "lobby", False), 1, 0, 0),
        (2, (3, 2, "better", False), 0, 1, 3),
        (4, (7, 1, "1/2", False), 0, 0, 0),
    ]
    for kill in (None, False, True):
        if kill is not None:
            rig.restart(kill=kill)
        assert listed() == whole
        assert listed(after=None) == whole[:3]
        assert listed(after=2) == [*whole[:3], whole[4]]
        early = listed(up_to=5)
        assert early[0] == ("ops", (5, 2, "2/4", False), 4, 1, 5), "not what is above up_to"
        assert [row[0] for row in early[3:]] == [2]
        floored = listed(floors=(("lobby", 2), ("ops", 5)))
        assert [row[1] for row in floored[:3]] == [(6, 2, "", True), None, None], "not what was said before a floor"
        uncounted = listed(is_counted=False)
        assert [row[1] for row in uncounted] == [row[1] for row in whole]
        assert {row[3:] for row in uncounted} == {(0, 0)}
    told = rig.conversations(ConversationQuery(2, (), 2**53)).rows[0].last
    assert told is not None
    assert [told] == page(rig, rooms=(), dialogue=(1, 2)).messages, "the same message as in history"
    assert rig.conversations(ConversationQuery(9, (), 2**53)) == ConversationRows([])
    rig.close()


def check_dialogues_are_listed_in_pages(implementation: Implementation) -> None:
    """By sender_id, each once, whether a page is full or enough were looked at; rooms come with the first alone."""
    rig = Rig(implementation)
    writers = [11, 3, 7, 20, 4, 9, 2]
    me = 8
    rig.seqs(rig.draft(1, room="ops"), *(rig.draft(n, sender_id=who, to=me) for n, who in enumerate(writers, 2)))
    rig.seqs(rig.draft(21, sender_id=me, to=30), rig.draft(22, to=30))
    for limit, looks in ((200, 2_000), (2, 2_000), (1, 2), (200, 1), (2, 3), (5, 7), (8, 8)):
        found: list[int | None] = []
        after = 0
        while True:
            rows = rig.conversations(ConversationQuery(me, (), 2**53, (), after, limit, looks))
            assert len(rows.rows) <= limit
            found += [row.counts.peer for row in rows.rows]
            if rows.through is None:
                break
            assert rows.through > after, "a page that does not move on"
            after = rows.through
        assert found == [*sorted(writers), 30], f"{limit} a page, {looks} looked at"
    first = rig.conversations(ConversationQuery(me, (("ops", 0),), 2**53, limit=1))
    assert (first.rows[0].counts.room, first.rows[1].counts.peer, first.through) == ("ops", 2, 2)
    counts = Unread(0, 1, 0, 1, "ops")
    assert rig.conversations(ConversationQuery(me, (("ops", 0),), 2**53, after=None)) == ConversationRows(
        [ConversationRow(counts, first.rows[0].last)]
    )
    rig.close()


def check_counting_has_an_end(implementation: Implementation) -> None:
    """999 unread messages are many."""
    rig = Rig(implementation)
    rig.seqs(*(replace(rig.draft(n, sender_id=2), mentions=(1,)) for n in range(1, 1101)))
    assert rig.unread(1, ("lobby", 0)) == [Unread(0, 999, 999, 1, "lobby")]
    assert rig.unread(1, ("lobby", 200)) == [Unread(200, 900, 900, 201, "lobby")]
    rig.close()


def check_unread_dialogues_come_in_pages(implementation: Implementation) -> None:
    """By sender_id, each once, whether a page is full or enough were looked at; rooms come with the first alone."""
    rig = Rig(implementation)
    writers = [11, 3, 7, 20, 4, 9, 2]
    me = 8
    rig.seqs(rig.draft(1, room="ops"), *(rig.draft(n, sender_id=who, to=me) for n, who in enumerate(writers, 2)))
    rig.seqs(*(rig.draft(20, sender_id=who, to=me) for who in (3, 20)), rig.draft(21, to=30))
    rig.record(PutReadMarker(me, 10**6, peer=4), PutReadMarker(me, 10**6, peer=7))
    whole = [(2, 1), (3, 2), (9, 1), (11, 1), (20, 2)]
    for kill in (None, False, True):
        if kill is not None:
            rig.restart(kill=kill)
        for limit, looks in ((200, 2_000), (2, 2_000), (1, 2), (200, 1), (2, 3), (5, 7), (4, 6)):
            found, after, pages = [], 0, 0
            while True:
                rows = rig.unread_rows(UnreadQuery(me, (), 2**53, after, limit, looks))
                assert len(rows.rows) <= limit
                found += [(row.peer, row.unread) for row in rows.rows]
                pages += 1
                if rows.through is None:
                    break
                assert rows.through > after, "a page that does not move on"
                after = rows.through
            assert found == whole, f"{limit} a page, {looks} looked at"
            assert pages <= 1 + max(len(whole) // limit, len(writers) // looks) + 1
    first = rig.unread_rows(UnreadQuery(me, (("ops", 0),), 2**53, 0, 1))
    assert (first.rows[0].room, first.rows[1].peer, first.through) == ("ops", 2, 2)
    assert rig.unread_rows(UnreadQuery(me, (("ops", 0),), 2**53, None)) == UnreadRows(first.rows[:1])
    rig.close()


def check_a_mark_is_about_what_was_there(implementation: Implementation) -> None:
    """Asked all at once, a read mark finds the conversation that a draft before it began."""
    rig = Rig(implementation)
    answers: list[object] = []
    rig.log.record([PutReadMarker(2, 1, "lobby")], answers.append)
    rig.log.append(rig.draft(1), answers.append)
    rig.log.append(rig.draft(2), answers.append)
    rig.log.record([PutReadMarker(3, 1, "lobby"), PutReadMarker(3, 2, peer=1)], answers.append)
    rig.until(lambda: len(answers) == 4)
    assert rig.unread(2, ("lobby", 0)) == [Unread(0, 2, 0, 1, "lobby")], "nothing can have been read before the first"
    assert rig.unread(3, ("lobby", 0)) == [Unread(1, 1, 0, 2, "lobby")]
    rig.close()


# --- Rooms with rules ---------------------------------------------------------------------------------------------


def check_places_are_kept_as_they_are(implementation: Implementation) -> None:
    """Every field of every record survives; a second Put replaces; a room's number is of the one count of records."""
    rig = Rig(implementation)
    assert rig.state.room_records == StoredRooms()
    places = StoredRooms(
        room_records=(
            RoomRecord(8, "ops", "\0'; --", True, True, 5, 6, True, True, 7),
            RoomRecord(9, "lobby"),
        ),
        memberships=(
            Membership(8, 1, RoomRole.OWNER, 3, 4, -1),
            Membership(8, 2, RoomRole.INVITED),
            Membership(9, 1, RoomRole.MODERATOR),
        ),
        bans=(RoomBan(8, 3, "eve", "why\0", "ann", 5), RoomBan(9, 3, "eve", "", "")),
    )
    rig.record(PutRoom(RoomRecord(8, "ops")), PutMembership(Membership(8, 1)), PutRoomBan(RoomBan(8, 3, "", "", "")))
    rig.record(
        *(PutRoom(row) for row in reversed(places.room_records)),
        *(PutMembership(row) for row in reversed(places.memberships)),
        *(PutRoomBan(row) for row in reversed(places.bans)),
    )
    for kill in (False, True):
        state = rig.restart(kill=kill)
        assert state.room_records == places
        assert state.people.serial == 9, "a room's number would be given again"
    rig.record(DropMembership(8, 2), DropMembership(8, 99), DropRoomBan(9, 3), DropRoomBan(1, 1))
    left = StoredRooms(places.room_records, (places.memberships[0], places.memberships[2]), places.bans[:1])
    assert rig.restart(kill=True).room_records == left
    for bad in (PutRoom(RoomRecord(1, "a", "\ud800")), PutRoomBan(RoomBan(1, 2, "a", "\ud800", ""))):
        try:
            rig.log.record([bad], lambda _: None)
        except LocalProtocolError:
            continue
        raise AssertionError("a lone surrogate was taken")
    rig.close()


def _refused_name(rig: Rig, *changes: Any) -> bool:
    """Make changes; whether they were refused for a room's name."""
    answers: list[Committed | NotAppended] = []
    rig.log.record(changes, answers.append)
    rig.until(lambda: bool(answers))
    return isinstance(answers[0], NotAppended) and answers[0].code is ErrorCode.ROOM_INVALID


def check_a_new_name_takes_everything_along(implementation: Implementation) -> None:
    """Messages, changes, chain and read marks follow a room to its new name; what comes next does, too."""
    rig = Rig(implementation)
    first, _ = rig.seqs(rig.draft(1), rig.draft(2))
    rig.record(PutRoom(RoomRecord(5, "lobby")), PutReadMarker(2, first, "lobby"))
    answers: list[object] = []
    rig.log.append(rig.draft(3), answers.append)
    rig.log.record([PutRoom(RoomRecord(5, "hall", "new")), PutReadMarker(3, 2, "hall")], answers.append)
    rig.log.append(replace(rig.draft(4, room="hall"), reply=first), answers.append)
    rig.log.revise(revision(EDIT, 5, first, room="hall", text="new"), answers.append)
    rig.log.revise(revision(EDIT, 6, first, text="no"), answers.append)
    rig.until(lambda: len(answers) == 5)
    assert codes(answers) == [3, None, 4, 5, ErrorCode.NOT_FOUND]
    rig.until(lambda: len(rig.entries) == 5)
    assert (rig.feed[-1].prev, rig.feed[-1].reply, rig.feed[-1].room) == (3, first, "hall")
    for kill in (None, False, True):
        if kill is not None:
            assert rig.restart(kill=kill).room_records.room_records == (RoomRecord(5, "hall", "new"),)
        rows = page(rig, 0, rooms=("hall",))
        assert [m.seq for m in rows.messages] == [1, 2, 3, 4]
        assert {entry.room for entry in (*rows.messages, *rows.changes)} == {"hall"}
        assert page(rig, 0).messages == []
        assert [rig.unread(who, ("hall", 0))[0].read_seq for who in (2, 3)] == [1, 2]
    rig.record(PutReadMarker(2, first, "hall"), PutRoom(RoomRecord(5, "attic")))
    rig.seqs(rig.draft(7, "another room of that name", room="hall"))
    assert [m.text for m in page(rig, rooms=("hall",)).messages] == ["another room of that name"]
    rig.close()


def check_names_are_not_shared(implementation: Implementation) -> None:
    """A name that another room has, or had, is refused with the whole record; the others of its batch go through."""
    rig = Rig(implementation)
    rig.seqs(rig.draft(1), rig.draft(2, room="talk"))
    rig.record(PutRoom(RoomRecord(5, "lobby")), PutRoom(RoomRecord(6, "empty")))
    assert _refused_name(rig, PutMembership(Membership(5, 1)), PutRoom(RoomRecord(5, "talk"))), "it has messages"
    assert _refused_name(rig, PutRoom(RoomRecord(5, "empty")), PutMembership(Membership(5, 1))), "it has rules"
    assert _refused_name(rig, PutRoom(RoomRecord(7, "empty"))), "a second room of that name"
    rig.record(PutRoom(RoomRecord(5, "hall")))
    assert _refused_name(rig, PutRoom(RoomRecord(6, "lobby"))), "it had messages that others know by this name"
    answers: list[object] = []
    batch: list[list[Change]] = [
        [PutMembership(Membership(6, 2))],
        [PutMembership(Membership(6, 3)), PutRoom(RoomRecord(8, "new")), PutRoom(RoomRecord(6, "lobby"))],
        [PutMembership(Membership(6, 4))],
    ]
    for changes in batch:
        rig.log.record(changes, answers.append)
    rig.log.append(rig.draft(3, room="hall"), answers.append)
    rig.until(lambda: len(answers) == 4)
    assert codes(answers) == [None, ErrorCode.ROOM_INVALID, None, 3]
    for kill in (None, False, True):
        if kill is not None:
            state = rig.restart(kill=kill)
            assert state.room_records == StoredRooms(
                (RoomRecord(5, "hall"), RoomRecord(6, "empty")), (Membership(6, 2), Membership(6, 4))
            )
            assert state.people.serial == 6
        assert _refused_name(rig, PutRoom(RoomRecord(6, "lobby"))), "a former name was forgotten"
    rig.record(PutRoom(RoomRecord(5, "lobby")))
    rig.record(PutRoom(RoomRecord(5, "hall")))
    rig.record(PutRoom(RoomRecord(5, "hall", "a new topic")))
    rig.close()


def check_dropping_an_account_empties_its_seats(implementation: Implementation) -> None:
    """Memberships, bans and read marks go with an account; others keep theirs."""
    rig = Rig(implementation)
    one, two = (rig.identify(who).sender_id for who in (1, 2))
    rig.seqs(rig.draft(1, sender_id=9))
    for who in (one, two):
        rig.record(
            Put(Account(who, str(who), str(who))),
            PutMembership(Membership(5, who)),
            PutRoomBan(RoomBan(6, who, "", "", "")),
            PutReadMarker(who, 1, "lobby"),
        )
    rig.record(Drop(Account, one))
    assert rig.restart(kill=True).room_records == StoredRooms((), (Membership(5, two),), (RoomBan(6, two, "", "", ""),))
    assert rig.unread(two, ("lobby", 0)) == []
    assert [item.unread for item in rig.unread(one, ("lobby", 0))] == [1], "its read marks stayed"
    rig.close()


def check_old_messages_expire(implementation: Implementation) -> None:
    """The oldest go first, at most so many, with all that hangs on them; numbers, chains and retries go on."""
    rig = Rig(implementation)
    for n in range(1, 6):
        rig.now_ms = MORNING_MS + n * _HOUR_MS
        rig.seqs(replace(rig.draft(n), mentions=(2,)), rig.draft(n, sender_id=2, room="ops"))
    rig.seqs(revision(EDIT, 6, 1, text="old"), revision(REACT, 7, 3, sign="+"), revision(REACT, 8, 9, sign="+"))
    before_ms = MORNING_MS + 4 * _HOUR_MS
    assert rig.record(PurgeExpired("nowhere", before_ms)) == Committed(0)
    assert rig.record(PurgeExpired("lobby", before_ms, most=2)) == Committed(2, purged=3)
    assert rig.record(PurgeExpired("lobby", before_ms, most=2)) == Committed(1, purged=5)
    assert rig.record(PurgeExpired("lobby", before_ms)) == Committed(0, purged=5)
    for kill in (None, False, True):
        if kill is not None:
            assert rig.restart(kill=kill).last_seq == 13, "the log forgot where it ends"
        rows = page(rig, 0, rooms=("lobby", "ops"))
        assert [m.seq for m in rows.messages] == [2, 4, 6, 7, 8, 9, 10]
        assert [c.target for c in rows.changes] == [9], "changes of what is gone"
        assert rig.unread(2, ("lobby", 0)) == [Unread(0, 2, 2, 7, "lobby")]
    assert codes(rig.append(revision(EDIT, 9, 1, text="x"))) == [ErrorCode.NOT_FOUND]
    assert codes(rig.append(rig.draft(1), revision(EDIT, 6, 1, text="old"))) == [1, 11], "a retry was forgotten"
    rig.record(PurgeExpired("lobby", rig.now_ms + 1), PurgeExpired("ops", rig.now_ms + 1))
    for kill in (False, True):
        assert rig.restart(kill=kill).last_seq == 13, "the number of a change that is gone would be given again"
    assert rig.seqs(rig.draft(20)) == [14]
    assert rig.everything()[0].prev == 9, "the chain goes on from a message, gone as it is"
    rig.close()


def check_a_room_without_messages_goes(implementation: Implementation) -> None:
    """With it go members, bans, read marks and names; its number is not given again, and others keep theirs."""
    rig = Rig(implementation)
    first, _ = rig.seqs(rig.draft(1, room="talk"), rig.draft(2, room="old"))
    rig.record(*(PutRoom(RoomRecord(room_id, name)) for room_id, name in ((5, "talk"), (6, "old"), (7, "other"))))
    rig.record(PutRoom(RoomRecord(9, "empty")), PutMembership(Membership(9, 1)), PutRoomBan(RoomBan(9, 2, "", "", "")))
    rig.record(PutRoom(RoomRecord(9, "later")), PutMembership(Membership(7, 1)), PutReadMarker(1, 1, "empty"))
    rig.record(PutReadMarker(1, 1, "later"), PutReadMarker(1, 2, "old"), PutReadMarker(1, first, "talk"))
    assert rig.record(DropRoom(5)) == Committed(), "a message is in it"
    assert rig.record(DropRoom(99)) == Committed()
    assert rig.record(DropMembership(9, 1), DropRoom(9)) == Committed(dropped=(9,))
    assert rig.record(PurgeExpired("old", rig.now_ms + 1), DropRoom(6)) == Committed(1, dropped=(6,), purged=2)
    left = StoredRooms((RoomRecord(5, "talk"), RoomRecord(7, "other")), (Membership(7, 1),), purged_names=(("old", 2),))
    for kill in (None, False, True):
        if kill is not None:
            state = rig.restart(kill=kill)
            assert state.room_records == left
            assert state.people.serial == 9, "the number of a room that is gone would be given again"
            assert state.last_seq == 2, "the number of a message that is gone would be given again"
    rig.record(PutRoom(RoomRecord(10, "empty")), PutRoom(RoomRecord(11, "later")), PutRoom(RoomRecord(12, "old")))
    state = rig.restart(kill=False)
    assert (state.room_records.purged, state.room_records.purged_names) == (((12, 2),), ()), "it has a record again"
    rig.seqs(*(rig.draft(n, sender_id=2, room=room) for n, room in ((3, "empty"), (4, "later"), (5, "old"))))
    rooms = (("empty", 0), ("later", 0), ("old", 0))
    assert [item.read_seq for item in rig.unread(1, *rooms)] == [0, 0, 0], "read marks stayed"
    assert rig.feed[-1].prev == 2, "the chain goes on from a message, gone as it is"
    rig.close()


def check_a_room_can_go_and_leave_its_messages(implementation: Implementation) -> None:
    """Settings, members and bans go; messages, chain, read markers and former names stay."""
    rig = Rig(implementation)
    rig.seqs(rig.draft(1, room="attic"))
    rig.record(
        PutRoom(RoomRecord(5, "attic", "old things")), PutMembership(Membership(5, 1)), PutRoom(RoomRecord(6, "den"))
    )
    rig.record(PutRoom(RoomRecord(5, "hall")), PutReadMarker(2, 1, "hall"))
    answers: list[object] = []
    rig.log.append(rig.draft(2, room="hall"), answers.append)
    rig.log.record([DropRoom(5, if_empty=False)], answers.append)
    rig.log.append(rig.draft(3, room="hall"), answers.append)
    rig.until(lambda: len(answers) == 3)
    assert answers[1] == Committed(dropped=(5,))
    for kill in (None, False, True):
        if kill is not None:
            assert rig.restart(kill=kill).room_records == StoredRooms((RoomRecord(6, "den"),))
        assert [m.prev for m in page(rig, rooms=("hall",)).messages] == [0, 1, 2]
        assert rig.unread(2, ("hall", 0)) == [Unread(1, 2, 0, 2, "hall")]
        assert _refused_name(rig, PutRoom(RoomRecord(6, "attic"))), "a former name was forgotten"
    rig.record(PutRoom(RoomRecord(8, "hall")))
    assert rig.record(PurgeExpired("hall", rig.now_ms + 1), DropRoom(8)) == Committed(3, dropped=(8,), purged=3)
    rig.close()


ROOM_CHECKS: tuple[Callable[[Implementation], None], ...] = (
    check_unread_is_counted,
    check_unread_dialogues_come_in_pages,
    check_conversations_are_listed,
    check_dialogues_are_listed_in_pages,
    check_counting_has_an_end,
    check_a_mark_is_about_what_was_there,
    check_places_are_kept_as_they_are,
    check_a_new_name_takes_everything_along,
    check_names_are_not_shared,
    check_dropping_an_account_empties_its_seats,
    check_old_messages_expire,
    check_a_room_without_messages_goes,
    check_a_room_can_go_and_leave_its_messages,
)
"""Every promise about rooms and read marks, one function each."""
