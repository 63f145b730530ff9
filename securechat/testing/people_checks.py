"""The conformance suite of `MessageLog` for accounts: devices, records, and erasing a sender.

The second half of the suite in `log_checks`, over the same `Implementation`: run every function of `PEOPLE_CHECKS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import astuple, replace

from securechat.errors import ErrorCode, LocalProtocolError, Overloaded
from securechat.limits import Limits
from securechat.records.accounts import (
    NEW_SENDER,
    Account,
    AccountKind,
    AccountRow,
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
    OutgoingWebhook,
    PurgeGuests,
    Put,
    Role,
    Scope,
    StoredAccounts,
    TrimAudit,
    WriteAudit,
)
from securechat.records.log import Appended, Identity, NotAppended
from securechat.records.queries import HistoryQuery
from securechat.testing.log_checks import MORNING_MS, Implementation, Rig

_PHC = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA"
_LONG_AGO_MS = MORNING_MS - 90_000


def _register(rig: Rig, who: int) -> Account:
    """Let person ``who`` come as a guest, and make the account."""
    account = Account(rig.identify(who).sender_id, f"person {who}", f"person {who}", password=_PHC)
    rig.record(Put(account))
    return account


def _of_every_kind(one: int, two: int) -> StoredAccounts:
    """Records of every kind, with every field set in one of them and left out in another; ``one`` owns most."""
    return StoredAccounts(
        accounts=(
            Account(
                one, "Ann\u0301", "ánn", Role.ADMIN, _PHC, must_change=True, made_at_ms=5, seen_at_ms=6, seen_seq=7
            ),
            Account(two, "bob", "bob", kind=AccountKind.HOOK, made_by=one),
        ),
        logins=(
            Login(3, one, b"\0" * 32, "client\0\n'--", "2001:db8::1", 1, 2, 3),
            Login(4, two, bytes(range(32)), "", "", 0, 0, 0),
        ),
        certificates=(Certificate(5, one, "sha256:" + "0f" * 32, "laptop", 9), Certificate(6, two, "sha256:", "", 0)),
        invites=(
            Invite(7, b"\xff" * 32, 2, "Ann", 1, 2, "lobby", ("bob", "'; --", "\u202e"), revoked=True),
            Invite(8, b"", 0, "", 0, 0),
        ),
        bans=(
            Ban(9, BanKind.NETWORK, "192.0.2.0/24", "192.0.2.7/24", "noise", "Ann", 1, 2),
            Ban(10, BanKind.ACCOUNT, str(one), "Ann", "", "bob", 1),
            Ban(11, BanKind.NAME, str(one), "1", "", "bob", 1),
        ),
        mutes=(Mute(one, "Ann", "why", "bob", 1, 2), Mute(two, "bob", "", "Ann", 1)),
        tokens=(
            ApiToken(12, one, "cron 'job'", b"\x01" * 32, (Scope.POST, Scope.READ), (4, 2**40), 1, 2, 3, "2001:db8::1"),
            ApiToken(13, two, "", b"", (Scope.HOOK,)),
        ),
        outgoing=(
            OutgoingWebhook(
                two,
                "0f" * 16,
                2**40,
                "https://ci.example.org/'",
                "!d\u00e9ploy",
                True,
                "whsec_new",
                "whsec_old",
                5,
                6,
                7,
                8,
                9,
                "gone",
                10,
            ),
        ),
        serial=13,
    )


def _rows(people: StoredAccounts) -> list[Any]:
    return [
        *people.accounts, *people.logins, *people.certificates, *people.invites, *people.bans, *people.mutes,
        *people.tokens, *people.outgoing,
    ]  # fmt: skip


def _number(row: AccountRow) -> int:
    number = astuple(row)[0]
    assert isinstance(number, int)
    return number


def _refused(answer: object, code: ErrorCode) -> bool:
    return isinstance(answer, NotAppended) and answer.code is code


# --- Records ------------------------------------------------------------------------------------------------------


def check_records_are_kept_as_they_are(implementation: Implementation) -> None:
    """Every field of every kind survives a restart and a kill; a second Put replaces the first."""
    rig = Rig(implementation)
    assert rig.state.people == StoredAccounts()
    one, two = (rig.identify(who).sender_id for who in (1, 2))
    people = _of_every_kind(one, two)
    assert (
        rig.record(*(Put(row) for row in _rows(people)), WriteAudit(AuditEntry(1, "Ann", "ban", "bob"))) == Committed()
    )
    for kill in (False, True):
        assert rig.restart(kill=kill).people == people
    changed = replace(people.accounts[0], password=None, role=Role.MEMBER, must_change=False, seen_seq=2**53)
    rig.record(Put(people.accounts[1]), Put(people.accounts[0]), Put(changed))
    assert rig.restart(kill=True).people == replace(people, accounts=(changed, people.accounts[1]))
    rig.close()


def check_records_are_all_or_none(implementation: Implementation) -> None:
    """A record with a text that is no Unicode is refused whole, and names no secret; no record is ever overloaded."""
    rig = Rig(implementation, Limits(append_queue=1))
    answers: list[object] = []
    mute = Mute(1, "ann", "", "bob", 1)
    for bad in (Put(replace(mute, reason="\ud800")), WriteAudit(AuditEntry(1, "ann", "\ud800"))):
        try:
            rig.log.record([Put(mute), bad], answers.append)
        except LocalProtocolError:
            continue
        raise AssertionError("a lone surrogate was taken")
    rig.log.append(rig.draft(1), answers.append)
    try:
        rig.log.append(rig.draft(2), answers.append)
    except Overloaded:
        rig.log.record([Put(replace(mute, sender_id=2))], answers.append)
    rig.until(lambda: len(answers) == 2)
    assert [row.sender_id for row in rig.restart(kill=True).people.mutes] == [2]
    assert rig.record() == Committed(), "a record of nothing"
    rig.close()


def check_numbers_are_given_once(implementation: Implementation) -> None:
    """The highest number ever given survives its record, over restarts; so does the number of a sender."""
    rig = Rig(implementation)
    rows = _rows(_of_every_kind(1, 2))
    for kind in (Login, ApiToken, OutgoingWebhook, Certificate, Invite, Ban):
        row = [row for row in rows if type(row) is kind][-1]
        rig.record(Put(row), Drop(kind, _number(row)))
        rig.record(Drop(kind, 1000))  # there is none
    for kill in (False, True):
        people = rig.restart(kill=kill).people
        assert people.serial == 13, f"serial is {people.serial}"
        assert _rows(people) == []
    account = _register(rig, 1)
    rig.record(Drop(Account, account.sender_id))
    for kill in (False, True):
        rig.restart(kill=kill)
        newcomer = rig.identify(1)
        assert newcomer.sender_id > account.sender_id, "a dropped sender's number was given again"
        account = Account(newcomer.sender_id, "ann", "ann")
        rig.record(Put(account))
        rig.record(Drop(Account, account.sender_id))
    rig.close()


# --- Who may come, as whom ----------------------------------------------------------------------------------------


def check_a_device_speaks_for_its_account(implementation: Implementation) -> None:
    """Each device is a stream of its own under the account's number, over restarts; the first is the sender itself."""
    rig = Rig(implementation)
    account = _register(rig, 1).sender_id
    assert rig.identify(1, account=account) == Identity(account, 0, account)
    devices = [rig.identify(who, "ann", account).stream for who in (2, 3)]
    assert len({account, *devices}) == 3
    drafts = [
        rig.draft(1, text, sender_id=account, stream=stream)
        for text, stream in (("from the first", 0), ("from two", devices[0]), ("from three", devices[1]))
    ]
    to = rig.draft(5, "to somebody", sender_id=account, to=99, stream=devices[1])
    seqs = rig.seqs(*drafts, to)
    for kill in (None, False, True):
        if kill is not None:
            rig.restart(kill=kill)
        assert rig.append(*drafts, to) == [Appended(seq, retry=True) for seq in seqs], "a device's retry is not known"
        (outcome,) = rig.append(rig.draft(4, sender_id=account, stream=devices[1]))
        assert _refused(outcome, ErrorCode.OUT_OF_ORDER)
        last = [rig.identify(who, "ann", account) for who in (1, 2, 3)]
        assert last == [
            Identity(account, 1, account),
            Identity(account, 1, devices[0]),
            Identity(account, 5, devices[1]),
        ]
    assert {message.sender_id for message in rig.everything()} == {account}
    assert rig.history(HistoryQuery(up_to=99, limit=9, dialogue=(account, 99))).messages[0].text == "to somebody"
    rig.close()


def check_a_secret_belongs_to_one(implementation: Implementation) -> None:
    """A secret of an account needs the account's login, and no secret changes its owner; a refusal changes nothing."""
    rig = Rig(implementation)
    one, two = (_register(rig, who).sender_id for who in (1, 2))
    device = rig.identify(3, "ann", one).stream
    guest = rig.identify(4).sender_id
    for _ in range(2):
        for who in (1, 2, 3):
            assert _refused(rig.come(who, "thief"), ErrorCode.LOGIN_REQUIRED)
        for who, account in ((1, two), (3, two), (4, one)):
            assert _refused(rig.come(who, "thief", account), ErrorCode.INVALID)
        for who in (1, 4, 9):
            assert _refused(rig.come(who, "thief", 4000), ErrorCode.LOGIN_REQUIRED), "there is no such account"
        held = [(r.sender_id, r.name) for r in rig.restart(kill=True).reservations]
        assert held == [(guest, "person 4")]
    assert rig.identify(3, "ann", one).stream == device
    assert rig.identify(4).sender_id == guest
    assert rig.identify(9).sender_id > guest, "a refusal made a sender"
    rig.close()


def check_changes_come_along_with_an_identity(implementation: Implementation) -> None:
    """They are made in the same commit or not at all, also over a kill; `NEW_SENDER` is the sender identified."""
    rig = Rig(implementation)
    ann = _register(rig, 1)
    login = Login(1, ann.sender_id, b"1" * 32, "client", "192.0.2.1", 1, 1, 9)
    note = WriteAudit(AuditEntry(5, "bob", "register", "bob"))
    bob = Account(NEW_SENDER, "bob", "bob", password=_PHC)
    his = Login(2, NEW_SENDER, b"2" * 32, "client", "192.0.2.2", 1, 1, 9)
    invite = Invite(3, b"3" * 32, 1, "ann", 1, 9, used_by=("bob",))
    device = rig.come(2, "ann", ann.sender_id, (Put(login),))
    made = rig.come(3, "bob", None, (Put(invite), Put(bob), Put(his), note))
    assert isinstance(device, Identity)
    assert isinstance(made, Identity)
    assert device.sender_id == ann.sender_id
    for who, account in ((2, None), (3, ann.sender_id), (9, 4000)):  # refused, and so are the changes
        assert isinstance(rig.come(who, "thief", account, (Drop(Login, 1), Drop(Login, 2), note)), NotAppended)
    people = rig.restart(kill=True).people
    number = made.sender_id
    assert list(people.accounts) == [ann, replace(bob, sender_id=number)]
    assert list(people.logins) == [login, replace(his, sender_id=number)]
    assert list(people.invites) == [invite]
    assert rig.come(3, "bob", number, (Drop(Login, 2),)) == Identity(number, 0, number)
    assert list(rig.restart(kill=True).people.logins) == [login]
    rig.close()


def check_accounts_hold_no_names_here(implementation: Implementation) -> None:
    """Neither the sender that registered nor a device is ever owed a name, whatever they do."""
    rig = Rig(implementation)
    account = _register(rig, 1).sender_id
    assert list(rig.restart(kill=True).reservations) == [], "registering left a reservation"
    device = rig.identify(2, "ann", account).stream
    rig.identify(1, "ann", account)
    assert list(rig.restart(kill=True).reservations) == [], "a login left a reservation"
    for stream in (account, device):
        rig.log.rename(stream, "new name", "new name")
        rig.log.release(stream, reserved=True)
    guest = rig.identify(3).sender_id
    rig.log.release(guest, reserved=True)
    rig.record()
    assert [r.sender_id for r in rig.restart(kill=True).reservations] == [guest]
    rig.close()


def check_writes_keep_their_order(implementation: Implementation) -> None:
    """Asked all at once, each write finds what those before it did: records, logins and drafts among each other."""
    rig = Rig(implementation)
    answers: list[Any] = []
    ann = Account(1, "ann", "ann")

    def come(who: int, account: int | None = None) -> None:
        rig.log.identify(bytes([who]) * 32, "ann", "ann", answers.append, account)

    def record(*changes: Any) -> None:
        rig.log.record(changes, answers.append)

    come(1)
    come(2, 1)
    record(Put(ann))
    come(2, 1)
    come(2)
    rig.log.append(rig.draft(1), answers.append)
    rig.log.append(rig.draft(1, "from the device", stream=2), answers.append)
    record(EraseSender(1, remove=False, above=0))
    rig.log.append(rig.draft(2), answers.append)
    record(WriteAudit(AuditEntry(1, "ann", "leave")), Drop(Account, 1))
    come(2, 1)
    come(2)
    rig.until(lambda: len(answers) == 12)
    kinds = [answer.code if isinstance(answer, NotAppended) else type(answer) for answer in answers]
    assert kinds == [
        Identity,
        ErrorCode.LOGIN_REQUIRED,
        Committed,
        Identity,
        ErrorCode.LOGIN_REQUIRED,
        Appended,
        Appended,
        Committed,
        Appended,
        Committed,
        ErrorCode.LOGIN_REQUIRED,
        Identity,
    ], kinds
    assert (answers[3].sender_id, answers[3].stream) == (1, 2)
    assert answers[7] == Committed(2), "the scrub saw another log than the one before it"
    assert answers[11].sender_id == 3, "the dropped device's number was given again"
    assert [message.name for message in rig.everything()] == ["", "", "person 1"]
    rig.close()


# --- Erasing a sender ---------------------------------------------------------------------------------------------


def check_dropping_an_account_drops_what_hangs_on_it(implementation: Implementation) -> None:
    """Logins, certificates, mute, bans and devices go with the account; others keep theirs, and messages stay."""
    rig = Rig(implementation)
    one, two = (rig.identify(who).sender_id for who in (1, 2))
    people = _of_every_kind(one, two)
    rig.record(*(Put(row) for row in _rows(people)))
    devices = [rig.identify(who, "ann", account).stream for who, account in ((3, one), (4, two))]
    rig.seqs(rig.draft(1, sender_id=one), rig.draft(1, sender_id=one, stream=devices[0]))
    rig.record(Drop(Account, one))
    left = StoredAccounts(
        accounts=people.accounts[1:],
        logins=people.logins[1:],
        certificates=people.certificates[1:],
        invites=people.invites,
        bans=(people.bans[0], people.bans[2]),
        mutes=people.mutes[1:],
        tokens=people.tokens[1:],
        outgoing=people.outgoing,
        serial=people.serial,
    )
    assert rig.restart(kill=True).people == left
    assert len(rig.everything()) == 2, "messages went with their sender"
    highest = max(devices)
    assert rig.identify(1).sender_id > highest, "a dropped sender's secret still means something"
    assert rig.identify(3).sender_id > highest, "a dropped device's secret still means something"
    assert rig.identify(4, "bob", two).stream == devices[1]
    rig.record(*(Drop(type(row), _number(row)) for row in _rows(left)))
    assert rig.restart().people == StoredAccounts(serial=people.serial)
    rig.close()


def _talk(rig: Rig) -> None:
    """Eight messages, of which one and two write to each other and to themselves."""
    rig.seqs(
        rig.draft(1),
        rig.draft(1, sender_id=2),
        rig.draft(2, to=2),
        rig.draft(2, sender_id=2, to=1),
        rig.draft(3, to=1),
        rig.draft(3, sender_id=2, to=2),
        rig.draft(4, sender_id=2, to=3),
        rig.draft(5),
    )


def _names(rig: Rig) -> list[tuple[int, str, str | None]]:
    query = HistoryQuery(up_to=2**53, limit=200, rooms=("lobby",), dialogue=(1, 1), dialogues_of=2)
    return [(message.seq, message.name, message.to_name) for message in rig.history(query).messages]


def _scrub(rig: Rig, sender_id: int, *, remove: bool, seqs: int) -> tuple[int, int]:
    """Scrub step by step; return how many messages, and in how many steps."""
    count, steps, above = 0, 0, 0
    while True:
        told = rig.record(EraseSender(sender_id, remove, above, seqs))
        count, steps = count + told.count, steps + 1
        if told.through is None:
            return count, steps
        assert above < told.through <= above + seqs, f"from {above} through {told.through}"
        above = told.through


def check_scrub_takes_a_name_out(implementation: Implementation) -> None:
    """Step by step the name goes, from the own messages and from those written to it, and nothing else changes."""
    rig = Rig(implementation)
    _talk(rig)
    texts = [message.text for message in rig.everything()]
    assert _scrub(rig, 99, remove=False, seqs=20_000) == (0, 1)
    assert _scrub(rig, 1, remove=False, seqs=3) == (5, 3)
    expected = [
        (1, "", None), (2, "person 2", None), (3, "", "person 2"), (4, "person 2", ""), (5, "", ""),
        (6, "person 2", "person 2"), (7, "person 2", "person 3"), (8, "", None),
    ]  # fmt: skip
    for kill in (None, False, True):
        if kill is not None:
            rig.restart(kill=kill)
        assert _names(rig) == expected
        assert [message.text for message in rig.everything()] == texts
    assert _scrub(rig, 1, remove=False, seqs=8) == (0, 1), "the second time there was something left"
    rig.close()


def check_scrub_removes_messages(implementation: Implementation) -> None:
    """Messages go, the newest too; numbers, chains and retries go on as if they were there."""
    rig = Rig(implementation)
    _talk(rig)
    rig.seqs(rig.draft(9, sender_id=2), rig.draft(6, "the newest", to=2))
    assert _scrub(rig, 1, remove=True, seqs=4) == (6, 3)
    left = [(2, "person 2", None), (4, "person 2", ""), (6, "person 2", "person 2"), (7, "person 2", "person 3"),
            (9, "person 2", None)]  # fmt: skip
    assert _names(rig) == left
    (retry,) = rig.append(rig.draft(1))
    assert retry == Appended(1, retry=True), f"the retry of a removed message got {retry}"
    for turn, kill in enumerate((None, False, True)):
        if kill is not None:
            assert rig.restart(kill=kill).last_seq == 10 + 2 * turn, "the log forgot where it ends"
        feed_before = len(rig.feed)
        assert rig.seqs(rig.draft(20 + 2 * turn), rig.draft(21 + 2 * turn, to=2)) == [11 + 2 * turn, 12 + 2 * turn]
        rig.until(lambda before=feed_before: len(rig.feed) == before + 2)  # type: ignore[misc]
        assert [message.prev for message in rig.feed[-2:]] == [9 + 2 * turn, 10 + 2 * turn], "a chain broke"
        assert _scrub(rig, 1, remove=True, seqs=20_000) == (2, 1)
        assert _names(rig) == left
    rig.close()


def check_a_scrub_is_bounded(implementation: Implementation) -> None:
    """One step changes a thousand messages or so, of any number that a sender has, and says how far it came."""
    rig = Rig(implementation)
    rig.seqs(*(rig.draft(n, sender_id=1 + n % 3 // 2) for n in range(1, 3001)))
    for remove in (False, True):
        told = rig.record(EraseSender(1, remove, above=0))
        assert 0 < told.count < 2000, "all messages wait for this commit"
        assert told.through is not None
        count, _ = _scrub(rig, 1, remove=remove, seqs=20_000)
        assert count + told.count == 2000
    assert len(rig.everything()) == 1000
    rig.close()


def check_guests_without_a_trace_are_forgotten(implementation: Implementation) -> None:
    """A guest or device that never wrote, was never written to, and is gone for long is forgotten; all others stay."""
    rig = Rig(implementation, Limits(name_reservation_s=10))
    rig.now_ms = _LONG_AGO_MS
    gone, wrote, written_to, muted, registered, online, reserved = (
        rig.identify(who).sender_id for who in range(1, 8)
    )  # fmt: skip
    banned = rig.identify(9).sender_id
    device = rig.identify(8, account=_register(rig, 5).sender_id).stream
    rig.seqs(rig.draft(1, sender_id=wrote), rig.draft(2, sender_id=wrote, to=written_to))
    rig.record(Put(Mute(muted, "m", "", "ann", 1)))
    rig.record(Put(Ban(1, BanKind.GUEST, str(banned), "b", "", "ann", 1)))
    for sender_id in (gone, wrote, written_to, muted, registered, device, banned):
        rig.log.release(sender_id, reserved=False)
    rig.log.release(reserved, reserved=True)
    assert rig.record(PurgeGuests(_LONG_AGO_MS)) == Committed(0), "they were seen just now"
    assert rig.record(PurgeGuests(MORNING_MS, online=(device,))) == Committed(2), "the one gone, and the one reserved"
    assert rig.identify(1).sender_id > device, "no guest was forgotten"
    assert rig.identify(7).sender_id > device, "a reservation that is over kept its guest for ever"
    known = {2: wrote, 3: written_to, 4: muted, 6: online, 9: banned}
    assert {who: rig.identify(who).sender_id for who in known} == known
    assert rig.identify(8, account=registered).stream == device, "it was online"
    assert rig.record(PurgeGuests(_LONG_AGO_MS)) == Committed(0), "the device was let in just now"
    assert rig.record(PurgeGuests(_LONG_AGO_MS + 1)) == Committed(1)
    assert rig.identify(8, account=registered).stream > device, "a device that never wrote stays for ever"
    rig.restart(kill=True)
    streams = [rig.identify(who).sender_id for who in range(20, 25)]
    for sender_id in streams:
        rig.log.release(sender_id, reserved=False)
    assert rig.record(PurgeGuests(MORNING_MS, most=2, above=streams[0] - 1)) == Committed(2, streams[1])
    assert rig.record(PurgeGuests(MORNING_MS, most=2, above=streams[2])) == Committed(2, streams[4])
    assert rig.record(PurgeGuests(MORNING_MS, most=2, above=streams[0] - 1)) == Committed(1)
    rig.close()


def check_the_audit_is_trimmed(implementation: Implementation) -> None:
    """Old entries go, and all but the latest acts of accounts on themselves; an administrator's acts stay."""
    rig = Rig(implementation)
    acts = [
        AuditEntry(1, "shell", "kick", "eve"),
        AuditEntry(2, "shell", "logout", "eve"),
        *(AuditEntry(n, f"eve{n}", "rename", f"eve{n + 1}") for n in range(3, 9)),
        AuditEntry(9, "eve9", "logout", "eve9"),
        AuditEntry(10, "shell", "ban", "eve9"),
    ]
    rig.record(*map(WriteAudit, acts))
    assert rig.record(TrimAudit(0, own_most=7)) == Committed(0)
    assert rig.record(TrimAudit(2, own_most=2, most=3)) == Committed(3)
    assert rig.record(TrimAudit(2, own_most=2, most=3)) == Committed(3)
    assert rig.record(TrimAudit(2, own_most=2)) == Committed(0)
    rig.close()


PEOPLE_CHECKS: tuple[Callable[[Implementation], None], ...] = (
    check_records_are_kept_as_they_are,
    check_records_are_all_or_none,
    check_numbers_are_given_once,
    check_a_device_speaks_for_its_account,
    check_a_secret_belongs_to_one,
    check_changes_come_along_with_an_identity,
    check_accounts_hold_no_names_here,
    check_writes_keep_their_order,
    check_dropping_an_account_drops_what_hangs_on_it,
    check_scrub_takes_a_name_out,
    check_scrub_removes_messages,
    check_a_scrub_is_bounded,
    check_guests_without_a_trace_are_forgotten,
    check_the_audit_is_trimmed,
)
"""Every promise about people, one function each."""
