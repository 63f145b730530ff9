"""The part of the conformance suite of `MessageLog` that is about files of messages; see `log_checks`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from securechat.errors import ErrorCode
from securechat.limits import MAX_TEXT_CHARS
from securechat.model import Draft, Edited, FileInfo, RevisionKind, StoredFile
from securechat.records.accounts import Account, Committed, Drop, EraseSender, Put
from securechat.records.files import (
    DropGoneFiles,
    FileQuery,
    FileRow,
    FileUsage,
    GoneFile,
    OwnFilesQuery,
    PurgeFiles,
)
from securechat.records.log import Appended, NotAppended
from securechat.records.queries import ConversationQuery, HistoryQuery, SearchQuery
from securechat.records.rooms import PurgeExpired, PutRoom, RoomRecord
from securechat.testing.conversation_checks import CopyReader, codes, page, revision
from securechat.testing.log_checks import Implementation, Rig
from securechat.testing.search_checks import search
from securechat.text.file_lines import with_file_lines

EDIT, DELETE, REACT = RevisionKind.EDIT, RevisionKind.DELETE, RevisionKind.REACT
END = 2**53


def stored_file(number: int, name: str = "", size_bytes: int = 0, *, is_picture: bool = False) -> StoredFile:
    """Return a file of which everything is made from its number."""
    info = FileInfo(f"{number:032x}", name or f"report-{number}.pdf", size_bytes or 1_000 * number, "application/pdf")
    if is_picture:
        info = replace(info, type="image/jpeg", width=4_000, height=3_000, previews=[320, 1_600])
    return StoredFile(info, bytes([number % 256]) * 32, 77 if is_picture else 0)


def with_files(draft: Draft, *files: StoredFile, text: str = "look") -> Draft:
    """Return a draft with files, and with their lines, as the hub makes it."""
    lines = [(stored.info.name, stored.info.size) for stored in files]
    return replace(draft, text=with_file_lines(text, lines), files=files)


def ask(rig: Rig, question: Callable[..., None], *arguments: Any) -> Any:
    """Ask the log, and insist on an answer."""
    answers: list[Any] = []
    question(*arguments, answers.append)
    rig.until(lambda: bool(answers))
    assert not isinstance(answers[0], NotAppended), f"not answered: {answers[0]}"
    return answers[0]


def find(rig: Rig, number: int) -> FileRow | None:
    """Find a file of `stored_file`."""
    row = ask(rig, rig.log.file, FileQuery(f"{number:032x}"))
    assert row is None or isinstance(row, FileRow)
    return row


def _gone(rig: Rig) -> list[int]:
    rows: list[GoneFile] = ask(rig, rig.log.gone_files, "", 1_000)
    return [int(row.file_id, 16) for row in rows]


def _own(rig: Rig, sender_id: int, after: int | None = None, limit: int = 50) -> list[int]:
    query = OwnFilesQuery(sender_id, None if after is None else f"{after:032x}", limit)
    rows: list[FileRow] = ask(rig, rig.log.own_files, query)
    assert all(row == find(rig, int(row.file.id, 16)) for row in rows)
    return [int(row.file.id, 16) for row in rows]


def _infos(*files: StoredFile) -> list[FileInfo]:
    return [stored.info for stored in files]


def _drop(rig: Rig, *numbers: int) -> int:
    return rig.record(DropGoneFiles(tuple(f"{number:032x}" for number in numbers))).count


def check_files_are_told_with_their_message(implementation: Implementation) -> None:
    """The feed, history, the list of conversations and a search tell them, in order, before and after a restart."""
    rig = Rig(implementation)
    files = (stored_file(3, is_picture=True), stored_file(1, 'a "b" \u00fc.txt'), stored_file(2, size_bytes=5))
    alone = stored_file(9)
    drafts = [rig.draft(1), with_files(rig.draft(2), *files), rig.draft(3), with_files(rig.draft(4, to=2), alone)]
    rig.seqs(*drafts)
    rig.until(lambda: len(rig.feed) == 4)
    expected = [[], _infos(*files), [], _infos(alone)]
    assert [message.files for message in rig.feed] == expected
    for kill in (None, False, True):
        if kill is not None:
            state = rig.restart(kill=kill)
            assert state.files.usage == (FileUsage(1, 4, 3_000 + 77 + 1_000 + 5 + 9_000),)
        rows = rig.history(HistoryQuery(END, 99, rooms=("lobby",), dialogues_of=1)).messages
        assert rows == rig.feed
        listed = rig.conversations(ConversationQuery(1, (("lobby", 0),), 2)).rows
        assert [row.last for row in listed] == [rig.feed[1]]
        hits = search(rig, SearchQuery(END, 9, ("look",), rooms=("lobby",), dialogues_of=1)).hits
        assert [hit.message for hit in hits] == [rig.feed[3], rig.feed[1]]
        (hit,) = search(rig, SearchQuery(END, 9, ("report-2.pdf",), rooms=("lobby",))).hits
        assert hit.message == rig.feed[1], "a file is found by its name"
    rig.close()


def check_a_file_is_found_by_its_number(implementation: Implementation) -> None:
    """With its message, in the room as it is called now, or in a dialogue; none that is not stored is found."""
    rig = Rig(implementation)
    rig.record(PutRoom(RoomRecord(5, "hall")))
    files = [stored_file(number, is_picture=number == 2) for number in range(5)]
    rig.seqs(
        with_files(rig.draft(1, room="hall"), *files[1:3]),
        with_files(rig.draft(1, sender_id=7, to=4), files[3]),
        with_files(rig.draft(2, sender_id=7, to=7), files[4]),
    )
    at_ms = rig.now_ms
    for kill in (None, False, True):
        if kill is not None:
            rig.restart(kill=kill)
        assert find(rig, 0) is None
        for stored in files[1:3]:
            row = FileRow(stored.info, stored.sha256, 1, 1, at_ms, "hall")
            assert find(rig, int(stored.info.id, 16)) == row
        assert find(rig, 3) == FileRow(files[3].info, files[3].sha256, 7, 2, at_ms, None, (4, 7), 4)
        assert find(rig, 4) == FileRow(files[4].info, files[4].sha256, 7, 3, at_ms, None, (7, 7), 7)
    rig.record(PutRoom(RoomRecord(5, "attic")))
    renamed = find(rig, 2)
    assert renamed is not None
    assert renamed.room == "attic"
    assert ask(rig, rig.log.file, FileQuery("'; --")) is None
    rig.close()


def check_an_edit_keeps_the_lines_of_files(implementation: Implementation) -> None:
    """They stand behind the new text, once, whether the editor sent them or not; all together have a bounded length."""
    rig = Rig(implementation)
    files = (stored_file(1), stored_file(2))
    lines = "\n[file: report-1.pdf, 1000 B]\n[file: report-2.pdf, 2 KiB]"
    most = MAX_TEXT_CHARS - len(lines)
    (seq, other) = rig.seqs(with_files(rig.draft(1), *files), rig.draft(2))
    texts = ["new", f"newer{lines}", "", "x" * most, "x" * (most + 1), f"{'y' * most}{lines}", "x" * MAX_TEXT_CHARS]
    outcomes = rig.append(*(revision(EDIT, 2 + n, seq, text=text) for n, text in enumerate(texts, 1)))
    assert [isinstance(outcome, Appended) for outcome in outcomes] == [True, True, True, True, False, True, False]
    assert {outcome.code for outcome in outcomes if isinstance(outcome, NotAppended)} == {ErrorCode.TEXT_TOO_LONG}
    assert codes(rig.append(revision(EDIT, 20, seq, sender_id=2, text="x" * MAX_TEXT_CHARS))) == [ErrorCode.NO_RIGHT]
    assert codes(rig.append(revision(EDIT, 20, other, text=""))) == [ErrorCode.TEXT_EMPTY], "it has no files"
    rig.seqs(revision(EDIT, 21, other, text="x" * MAX_TEXT_CHARS), revision(REACT, 22, seq, sign="+"))
    rig.until(lambda: len(rig.entries) == 9)
    told = [entry.text for entry in rig.entries if isinstance(entry, Edited)]
    assert told[:5] == [f"new{lines}", f"newer{lines}", lines[1:], "x" * most + lines, "y" * most + lines]
    for kill in (None, False, True):
        if kill is not None:
            rig.restart(kill=kill)
        message = rig.everything()[0]
        assert message.text == "y" * most + lines
        assert message.files == _infos(*files)
    # a message and its edit in one commit
    (late, _) = rig.seqs(
        with_files(rig.draft(23), stored_file(5)), revision(EDIT, 24, rig.entries[-1].seq + 1, text="at once")
    )
    assert rig.everything()[-1].text == "at once\n[file: report-5.pdf, 5 KiB]", f"of message {late}"
    rig.close()


def check_every_reader_ends_up_with_the_same_files(implementation: Implementation) -> None:
    """A reader of the feed, one who was away since any message, and one that comes late."""
    rig = Rig(implementation)
    rig.seqs(*(with_files(rig.draft(n), *map(stored_file, range(10 * n, 10 * n + n % 4))) for n in range(1, 9)))
    rig.seqs(
        revision(EDIT, 10, 2, text="new"), revision(DELETE, 11, 3), revision(EDIT, 12, 3 + 4, text="newer"),
        with_files(rig.draft(13), stored_file(99)), revision(DELETE, 14, 6), revision(EDIT, 15, 2, text="newest"),
    )  # fmt: skip
    live, late = CopyReader(), CopyReader()
    live.take(rig.entries)
    late.take(rig.everything())
    assert late.contents == live.contents
    assert [len(message.files) for message in live.contents] == [1, 2, 0, 0, 1, 0, 3, 0, 1]
    for cursor in range(len(rig.entries)):
        away = CopyReader()
        away.take(rig.entries[:cursor])
        rows = page(rig, cursor)
        away.take(sorted([*rows.messages, *rows.changes], key=lambda entry: entry.seq))
        assert away.contents == live.contents, f"who was away since {cursor} sees something else"
    rig.close()


def check_files_go_with_their_message(implementation: Implementation) -> None:
    """By a deletion, also in the same commit, by retention, and with their sender; they count until unlinked."""
    rig = Rig(implementation)
    drafts = [with_files(rig.draft(n, sender_id=1 + n % 2), stored_file(n), stored_file(10 + n)) for n in range(1, 6)]
    rig.seqs(*drafts)
    assert _gone(rig) == []
    rig.seqs(revision(DELETE, 20, 1, sender_id=2))
    assert _gone(rig) == [1, 11]
    assert [find(rig, number) for number in (1, 11)] == [None, None]
    (late, _) = rig.seqs(with_files(rig.draft(21), stored_file(21)), revision(DELETE, 22, rig.entries[-1].seq + 1))
    assert _gone(rig) == [1, 11, 21], f"the files of {late}"
    assert rig.record(EraseSender(2, False, 0)).through is None
    assert _gone(rig) == [1, 11, 21], "a name went, not a message"
    rig.record(EraseSender(1, True, 0))
    assert _gone(rig) == [1, 2, 4, 11, 12, 14, 21]
    rows = rig.everything()
    assert [len(message.files) for message in rows] == [0, 2, 2]
    total = {1: 2_000 + 12_000 + 4_000 + 14_000 + 21_000, 2: 1_000 + 11_000 + 3_000 + 13_000 + 5_000 + 15_000}
    for kill in (False, True):
        usage = rig.restart(kill=kill).files.usage
        assert usage == (FileUsage(1, 5, total[1]), FileUsage(2, 6, total[2])), "what is not unlinked counts no more"
    first: list[GoneFile] = ask(rig, rig.log.gone_files, "", 1)
    assert first == [GoneFile(f"{1:032x}", 2, 1_000)]
    behind: list[GoneFile] = ask(rig, rig.log.gone_files, f"{4:032x}", 3)
    assert [int(row.file_id, 16) for row in behind] == [11, 12, 14]
    assert _drop(rig, 1, 2, 3, 99) == 2
    assert find(rig, 3) is not None, "a file of a message was dropped"
    assert _gone(rig) == [4, 11, 12, 14, 21]
    assert _drop(rig, 4, 11, 12, 14, 21) == 5
    assert rig.restart(kill=True).files.usage == (FileUsage(2, 4, total[2] - 12_000),)
    assert rig.record(PurgeExpired("lobby", rig.now_ms + 1)).count == 3
    assert _gone(rig) == [3, 5, 13, 15]
    _drop(rig, *_gone(rig))
    assert rig.restart().files.usage == ()
    assert ask(rig, rig.log.stored_file_ids, "", 99) == []
    rig.close()


def check_a_file_is_sent_once(implementation: Implementation) -> None:
    """As another message's, or twice in one, it is refused and nothing is stored; a retry is still a retry."""
    rig = Rig(implementation)
    (seq,) = rig.seqs(with_files(rig.draft(1), stored_file(1), stored_file(2)))
    outcomes = rig.append(
        with_files(rig.draft(1), stored_file(1), stored_file(2)),
        with_files(rig.draft(2), stored_file(3), stored_file(2)),
        with_files(rig.draft(3), stored_file(4), stored_file(4)),
        with_files(rig.draft(4), stored_file(5)),
        with_files(rig.draft(5), stored_file(5)),
    )
    assert outcomes[0] == Appended(seq, retry=True)
    assert codes(outcomes[1:]) == [ErrorCode.INVALID, ErrorCode.INVALID, seq + 1, ErrorCode.INVALID]
    assert {outcome.reason for outcome in outcomes if isinstance(outcome, NotAppended)} == {"upload_used"}
    rig.seqs(revision(DELETE, 6, seq))
    assert codes(rig.append(with_files(rig.draft(7), stored_file(2)))) == [ErrorCode.INVALID], "it is being unlinked"
    assert rig.append(with_files(rig.draft(1), stored_file(1))) == [Appended(seq, retry=True)]
    assert len(rig.everything()) == 2
    assert [find(rig, number) for number in (3, 4)] == [None, None]
    rig.close()


def check_a_key_covers_the_text_without_the_lines(implementation: Implementation) -> None:
    """A program that sends again has uploaded again: other files, and maybe another name of them."""
    rig = Rig(implementation)

    def keyed(client_id: int, *files: StoredFile, text: str) -> Draft:
        return replace(with_files(rig.draft(client_id), *files, text=text), key="nightly")

    (seq,) = rig.seqs(keyed(1, stored_file(1), text="log"))
    assert rig.append(keyed(2, stored_file(2), text="log")) == [Appended(seq, retry=True)]
    assert rig.append(keyed(3, text="log")) == [Appended(seq, retry=True)]
    assert codes(rig.append(keyed(4, stored_file(2), text="another log"))) == [ErrorCode.KEY_USED]
    assert find(rig, 2) is None
    rig.close()


def check_files_of_guests_end(implementation: Implementation) -> None:
    """Their messages stay, with the lines; those of accounts stay, also of one that is gone, and of one unheard of."""
    rig = Rig(implementation)
    guest, account, removed = (rig.identify(who).sender_id for who in (1, 2, 3))
    device = rig.identify(4, "ann", None)
    for sender_id in (account, removed):
        rig.record(Put(Account(sender_id, f"person {sender_id}", f"person {sender_id}")))
    people = (guest, account, removed, device.sender_id, 99)
    for round_ in range(2):
        for at, sender_id in enumerate(people):
            number = 10 * round_ + 2 * at + 1
            rig.seqs(
                with_files(rig.draft(round_ + 1, sender_id=sender_id), stored_file(number), stored_file(number + 1))
            )
        rig.now_ms += 1_000
    rig.record(Drop(Account, removed))
    texts = [message.text for message in rig.everything()]
    start_ms = rig.now_ms - 2_000
    assert rig.record(PurgeFiles(start_ms)).count == 0
    assert rig.record(PurgeFiles(start_ms + 1, most=1)).count == 2, "all of a message or none"
    assert _gone(rig) == [1, 2]
    assert rig.record(PurgeFiles(start_ms + 1_000)).count == 2
    assert _gone(rig) == [1, 2, 7, 8]
    assert rig.record(PurgeFiles(rig.now_ms)).count == 4
    assert _gone(rig) == [1, 2, 7, 8, 11, 12, 17, 18]
    assert rig.record(PurgeFiles(rig.now_ms)).count == 0
    for kill in (None, False, True):
        if kill is not None:
            rig.restart(kill=kill)
        rows = rig.everything()
        assert [message.text for message in rows] == texts
        assert [len(message.files) for message in rows] == [0, 2, 2, 0, 2] * 2
        assert find(rig, 1) is None
        assert find(rig, 3) is not None
    rig.seqs(revision(EDIT, 9, 1, sender_id=guest, text="its lines are words now"))
    assert rig.everything()[0].text == "its lines are words now"
    rig.close()


def check_changes_of_files_keep_their_order(implementation: Implementation) -> None:
    """Also in one commit: what comes behind such a change is not touched by it, and what comes before it is."""
    rig = Rig(implementation)
    guest = rig.identify(1).sender_id
    answers: list[object] = []
    rig.log.append(with_files(rig.draft(1, sender_id=guest), stored_file(1)), answers.append)
    rig.log.record([PurgeFiles(rig.now_ms + 1)], answers.append)
    rig.log.append(with_files(rig.draft(2, sender_id=guest), stored_file(2)), answers.append)
    rig.log.record([DropGoneFiles((f"{1:032x}", f"{2:032x}"))], answers.append)
    rig.log.revise(revision(DELETE, 3, 2, sender_id=guest), answers.append)
    rig.until(lambda: len(answers) == 5)
    assert answers == [Appended(1), Committed(1), Appended(2), Committed(1), Appended(3)]
    assert _gone(rig) == [2]
    rig.close()


def check_own_files_come_in_pages(implementation: Implementation) -> None:
    """The largest first, each once; also when the last one of a page is deleted before the next one is asked for."""
    rig = Rig(implementation)
    sizes = {1: 500, 2: 100, 3: 900, 4: 500, 5: 500, 6: 1, 7: 2**40}
    files = [stored_file(number, size_bytes=size, is_picture=number == 2) for number, size in sizes.items()]
    for number, stored in enumerate(files, 1):
        rig.seqs(
            with_files(rig.draft(number), stored), with_files(rig.draft(number, sender_id=2), stored_file(50 + number))
        )
    order = [7, 3, 5, 4, 1, 2, 6]
    assert _own(rig, 1) == order
    assert _own(rig, 3) == []
    for limit in (1, 2, 3, 7):
        found: list[int] = []
        while len(found) < len(order):
            rows = _own(rig, 1, found[-1] if found else None, limit)
            assert rows == order[len(found) : len(found) + limit]
            found += rows
    assert _own(rig, 1, order[-1]) == []
    assert _own(rig, 1, 50) == order, "after a file of another"
    rig.seqs(revision(DELETE, 20, 2 * 5 - 1))
    assert _own(rig, 1, 5) == [4, 1, 2, 6]
    _drop(rig, 5)
    assert _own(rig, 1, 5) == [7, 3, 4, 1, 2, 6], "where it stood is not known any more"
    rig.close()


def check_ids_of_files_come_in_pages(implementation: Implementation) -> None:
    """All that belong to a message, in order."""
    rig = Rig(implementation)
    numbers = [7, 300, 2, 45, 16**31 + 1]
    for at, number in enumerate(numbers, 1):
        rig.seqs(with_files(rig.draft(at), stored_file(number, size_bytes=1)))
    rig.seqs(revision(DELETE, 9, 4))
    found: list[str] = []
    while True:
        ids: Sequence[str] = ask(rig, rig.log.stored_file_ids, found[-1] if found else "", 2)
        found += ids
        if len(ids) < 2:
            break
    assert found == [f"{number:032x}" for number in sorted(numbers) if number != 45]
    rig.close()


FILE_CHECKS: tuple[Callable[[Implementation], None], ...] = (
    check_files_are_told_with_their_message,
    check_a_file_is_found_by_its_number,
    check_an_edit_keeps_the_lines_of_files,
    check_every_reader_ends_up_with_the_same_files,
    check_files_go_with_their_message,
    check_a_file_is_sent_once,
    check_a_key_covers_the_text_without_the_lines,
    check_files_of_guests_end,
    check_changes_of_files_keep_their_order,
    check_own_files_come_in_pages,
    check_ids_of_files_come_in_pages,
)
"""Every promise about files of messages, one function each."""
