"""Accounts: names that need proof, one member on several devices, logins, certificates and invites."""

from __future__ import annotations

from typing import Any

import pytest

from securechat.errors import ErrorCode
from securechat.hub.interfaces import Access
from securechat.limits import Limits
from securechat.model import (
    Acked,
    AddCertificate,
    CertificateList,
    Certificates,
    ChangePassword,
    Direct,
    Done,
    Found,
    Hello,
    History,
    HistoryPage,
    Join,
    Joined,
    Leave,
    Left,
    LoginList,
    Logins,
    Logout,
    Named,
    Nick,
    Quit,
    Read,
    ReadElsewhere,
    Refused,
    Register,
    Registered,
    RemoveCertificate,
    Say,
    Welcome,
    Whois,
)
from securechat.records.accounts import Certificate, Put
from tests.simulation.certificates import fingerprint, proof
from tests.support.hub_rig import FakePeer, HubRig

PASSWORD = "correct horse battery"
KEY = "sha256:" + "ab" * 32


@pytest.fixture
def rig() -> HubRig:
    return HubRig()


def register(rig: HubRig, peer: FakePeer, password: str = PASSWORD) -> str:
    rig.do(peer, Register(ref=1, password=password))
    return peer.last(Registered).token


def hello(rig: HubRig, name: str, *, secret: str | None = None, address: str = "127.0.0.1", **proof: str) -> FakePeer:
    peer = rig.peer(address)
    rig.do(peer, Hello(version=1, name=name, secret=secret or f"{900 + peer.number:032x}", **proof))
    return peer


def refusal(peer: FakePeer) -> ErrorCode:
    return peer.last(Refused).code


# --- Registering ------------------------------------------------------------------------------------------------------


def test_registering_makes_the_name_an_account_that_needs_proof(rig: HubRig) -> None:
    ann = rig.member("ann", "1" * 32)
    token = register(rig, ann)
    assert len(token) == 32
    rig.do(ann, Quit())
    assert refusal(hello(rig, "ann")) is ErrorCode.LOGIN_REQUIRED
    assert refusal(hello(rig, "Ann", password="wrong wrong")) is ErrorCode.LOGIN_FAILED
    back = hello(rig, "ANN", password=PASSWORD)
    welcome = back.last(Welcome)
    assert (welcome.name, welcome.account, welcome.sender_id) == ("ann", True, ann.last(Welcome).sender_id)
    assert len(welcome.token) == 32
    assert welcome.token != token


def test_the_secret_of_the_device_that_registered_is_no_proof(rig: HubRig) -> None:
    ann = rig.member("ann", "1" * 32)
    register(rig, ann)
    rig.do(ann, Quit())
    assert refusal(hello(rig, "ann", secret="1" * 32)) is ErrorCode.LOGIN_REQUIRED
    assert refusal(hello(rig, "somebody", secret="1" * 32)) is ErrorCode.LOGIN_REQUIRED


def test_messages_and_dialogues_go_along_and_nobody_elses(rig: HubRig) -> None:
    ann, bob = rig.member("ann", "1" * 32), rig.member("bob", "2" * 32)
    ann_id, bob_id = ann.last(Welcome).sender_id, bob.last(Welcome).sender_id
    rig.do(ann, Direct(client_id=1, to=bob_id, text="for bob"))
    rig.do(bob, Direct(client_id=1, to=ann_id, text="for ann"))
    carl = rig.member("carl", "3" * 32)
    rig.do(bob, Direct(client_id=2, to=carl.last(Welcome).sender_id, text="not for ann"))
    register(rig, ann)
    rig.do(ann, Quit())
    back = hello(rig, "ann", password=PASSWORD)
    rig.do(back, History(ref=9))
    assert [m.text for m in back.last(HistoryPage).messages] == ["for bob", "for ann"]


def test_a_guest_who_takes_a_freed_name_gets_nothing_of_its_former_holder(rig: HubRig) -> None:
    ann = rig.member("ann", "1" * 32)
    bob = rig.member("bob", "2" * 32)
    rig.do(bob, Direct(client_id=1, to=ann.last(Welcome).sender_id, text="secret"))
    rig.do(ann, Quit())
    other = rig.member("ann", "4" * 32)
    register(rig, other)
    rig.do(other, History(ref=9))
    assert other.last(HistoryPage).messages == []


@pytest.mark.parametrize("password", ["short", "ann" * 1, "aaaaaaaaaaaa", "password"])
def test_bad_passwords_are_refused_with_a_reason(rig: HubRig, password: str) -> None:
    ann = rig.member("ann")
    rig.do(ann, Register(ref=1, password=password))
    assert refusal(ann) is ErrorCode.PASSWORD_INVALID
    rig.do(ann, Register(ref=2, password=PASSWORD))
    assert ann.last(Registered).ref == 2


def test_registering_twice_is_refused(rig: HubRig) -> None:
    ann = rig.member("ann")
    register(rig, ann)
    rig.do(ann, Register(ref=2, password=PASSWORD))
    assert refusal(ann) is ErrorCode.ALREADY_REGISTERED


def test_the_name_stays_while_it_is_made_an_account(rig: HubRig) -> None:
    ann = rig.member("ann")
    rig.do(ann, Register(ref=1, password=PASSWORD), settle=False)
    rig.do(ann, Nick(ref=2, name="anna"), settle=False)
    assert refusal(ann) is ErrorCode.BUSY
    rig.settle()
    assert ann.last(Registered).name == "ann"


def test_who_leaves_while_registering_has_an_account_or_has_none_and_never_half_a_one(rig: HubRig) -> None:
    for steps in range(4):
        ann = rig.member(f"ann{steps}", f"{steps + 50:032x}")
        rig.do(ann, Register(ref=1, password=PASSWORD), settle=False)
        for _ in range(steps):
            rig.step()
        rig.do(ann, Quit())
        again = hello(rig, f"ann{steps}", password=PASSWORD)
        exists = bool(again.of(Welcome))
        assert exists or refusal(again) is ErrorCode.LOGIN_FAILED
        guest = hello(rig, f"ann{steps}")
        assert bool(guest.of(Welcome)) is not exists


# --- Guests never shadow ----------------------------------------------------------------------------------------------


def test_a_guest_can_have_no_accounts_name_nor_one_that_looks_like_it(rig: HubRig) -> None:
    ann = rig.member("anna")
    register(rig, ann)
    rig.do(ann, Quit())
    for name in ("anna", "Anna", "ANNA", "аnna", "anna "):  # the fourth begins with a Cyrillic letter
        assert refusal(hello(rig, name)) in {ErrorCode.LOGIN_REQUIRED, ErrorCode.NAME_IN_USE}
    guest = rig.member("guest")
    rig.do(guest, Nick(ref=1, name="аnna"))
    assert refusal(guest) is ErrorCode.NAME_IN_USE
    rig.do(guest, Nick(ref=2, name="Anna"))
    assert refusal(guest) is ErrorCode.LOGIN_REQUIRED


def test_guests_cannot_look_alike_either(rig: HubRig) -> None:
    rig.member("anna")
    assert refusal(hello(rig, "аnna")) is ErrorCode.NAME_IN_USE


# --- Several devices --------------------------------------------------------------------------------------------------


@pytest.fixture
def two(rig: HubRig) -> tuple[FakePeer, FakePeer]:
    first = rig.member("ann", "1" * 32)
    register(rig, first)
    return first, hello(rig, "ann", password=PASSWORD, secret="2" * 32)


def test_two_devices_are_one_member(rig: HubRig, two: tuple[FakePeer, FakePeer]) -> None:
    first, second = two
    assert first.closed is None
    assert second.last(Welcome).sender_id == first.last(Welcome).sender_id
    bob = rig.member("bob")
    assert [person.name for person in bob.last(Joined).members] == ["ann", "bob"]
    rig.do(first, Say(client_id=1, room="lobby", text="one"))
    rig.do(second, Say(client_id=1, room="lobby", text="two"))
    for peer in (first, second, bob):
        assert [message.text for message in peer.messages] == ["one", "two"]
        assert {message.sender_id for message in peer.messages} == {first.last(Welcome).sender_id}
    assert (first.last(Acked).seq, second.last(Acked).seq) == (1, 2)


def test_retries_are_recognised_per_device(rig: HubRig, two: tuple[FakePeer, FakePeer]) -> None:
    first, second = two
    rig.do(first, Say(client_id=1, room="lobby", text="one"))
    rig.do(second, Say(client_id=1, room="lobby", text="two"))
    rig.lose(second)
    again = hello(rig, "ann", token=second.last(Welcome).token, secret="2" * 32)
    assert again.last(Welcome).last_client_id == 1
    rig.do(again, Say(client_id=1, room="lobby", text="two"))
    assert again.last(Acked).seq == 2
    assert len(rig.fed) == 2


def test_rooms_are_the_members_and_shown_on_every_device(rig: HubRig, two: tuple[FakePeer, FakePeer]) -> None:
    first, second = two
    rig.do(first, Join(ref=5, rooms=["ops"]))
    assert (second.last(Joined).room, second.last(Joined).ref) == ("ops", 0)
    third = hello(rig, "ann", password=PASSWORD)
    assert [joined.room for joined in third.of(Joined)] == ["lobby", "ops"]
    rig.do(second, Leave(ref=6, room="ops"))
    assert (first.last(Left).ref, second.last(Left).ref, third.last(Left).ref) == (0, 6, 0)


def test_the_member_leaves_when_its_last_device_goes(rig: HubRig, two: tuple[FakePeer, FakePeer]) -> None:
    first, second = two
    bob = rig.member("bob")
    rig.do(first, Quit())
    rig.do(bob, Whois(ref=1, name="ann"))
    assert bob.last(Found).absent is False
    rig.do(second, Quit())
    rig.do(bob, Whois(ref=2, name="ann"))
    assert bob.last(Found).absent is True


def test_what_is_read_on_one_device_shows_on_the_others(rig: HubRig, two: tuple[FakePeer, FakePeer]) -> None:
    first, second = two
    rig.do(first, Say(client_id=1, room="lobby", text="one"))
    rig.do(second, Read(seq=1, room="lobby"))
    assert first.last(ReadElsewhere) == ReadElsewhere(seq=1, room="lobby")
    assert not second.of(ReadElsewhere)


def test_the_same_device_again_replaces_only_itself(rig: HubRig, two: tuple[FakePeer, FakePeer]) -> None:
    first, second = two
    again = hello(rig, "ann", token=second.last(Welcome).token, secret="2" * 32)
    assert again.of(Welcome)
    assert second.closed is not None
    assert second.closed.code is ErrorCode.REPLACED
    assert first.closed is None


def test_an_account_changes_its_name_on_every_device(rig: HubRig, two: tuple[FakePeer, FakePeer]) -> None:
    first, second = two
    rig.do(first, Nick(ref=3, name="anna"))
    assert (first.last(Named), second.last(Named)) == (Named("anna", 3), Named("anna", 0))
    assert hello(rig, "anna", password=PASSWORD).of(Welcome)
    assert hello(rig, "ann").of(Welcome), "the old name is free"
    token = hello(rig, "ann", token=second.last(Welcome).token, secret="2" * 32)
    assert token.last(Welcome).name == "anna", "a token says who it is, whatever name was remembered"


# --- Absent accounts --------------------------------------------------------------------------------------------------


def test_direct_messages_to_an_absent_account_are_kept(rig: HubRig, two: tuple[FakePeer, FakePeer]) -> None:
    first, second = two
    ann_id = first.last(Welcome).sender_id
    rig.do(first, Quit())
    rig.do(second, Quit())
    bob = rig.member("bob")
    rig.do(bob, Direct(client_id=1, to=ann_id, text="for later"))
    assert bob.of(Acked)
    back = hello(rig, "ann", password=PASSWORD)
    welcome = back.last(Welcome)
    assert welcome.seen_seq is not None
    rig.do(back, History(ref=1, after=welcome.seen_seq))
    assert [message.text for message in back.last(HistoryPage).messages] == ["for later"]
    guest_id = rig.member("guest").last(Welcome).sender_id + 1
    rig.do(bob, Direct(client_id=2, to=guest_id, text="for nobody"))
    assert refusal(bob) is ErrorCode.PERSON_ABSENT


# --- Logins -----------------------------------------------------------------------------------------------------------


def test_a_token_needs_no_password_and_survives_a_restart(rig: HubRig) -> None:
    ann = rig.member("ann")
    token = register(rig, ann)
    rig.lose(ann)
    again = HubRig(store=rig.store)
    back = hello(again, "ann", token=token)
    assert back.last(Welcome).account
    assert back.last(Welcome).token == "", "only a new login gets one"


def test_an_unused_login_expires_and_a_used_one_lives_on() -> None:
    rig = HubRig(Limits(session_days=2.0))
    ann = rig.member("ann")
    token = register(rig, ann)
    for _ in range(3):
        rig.now += 1.5 * 86_400
        assert hello(rig, "ann", token=token).of(Welcome)
    rig.now += 2.1 * 86_400
    assert refusal(hello(rig, "ann", token=token)) is ErrorCode.LOGIN_EXPIRED


def test_logins_are_listed_and_ended(rig: HubRig, two: tuple[FakePeer, FakePeer]) -> None:
    first, second = two
    rig.do(first, Logins(ref=1))
    listed = first.last(LoginList).logins
    assert [(row.online, row.current) for row in listed] == [(True, True), (True, False)]
    rig.do(first, Logout(ref=2, login=listed[1].login))
    assert first.last(Done).ref == 2
    assert second.closed is not None
    assert second.closed.code is ErrorCode.LOGGED_OUT
    assert refusal(hello(rig, "ann", token=second.last(Welcome).token)) is ErrorCode.LOGIN_EXPIRED
    rig.do(first, Logout(ref=3))
    assert first.closed is not None


def test_nobody_ends_another_accounts_login(rig: HubRig, two: tuple[FakePeer, FakePeer]) -> None:
    eve = rig.member("eve")
    register(rig, eve)
    rig.do(two[0], Logins(ref=1))
    rig.do(eve, Logout(ref=1, login=two[0].last(LoginList).logins[0].login))
    assert refusal(eve) is ErrorCode.NOT_FOUND


def test_a_login_that_is_being_ended_brings_nobody_in(rig: HubRig, two: tuple[FakePeer, FakePeer]) -> None:
    first, second = two
    token = second.last(Welcome).token
    rig.lose(second)
    rig.do(first, Logins(ref=1))
    number = first.last(LoginList).logins[1].login
    for late in range(5):
        peer = rig.peer()
        rig.do(peer, Hello(version=1, name="ann", secret=f"{late + 70:032x}", token=token), settle=False)
        if late == 2:
            rig.do(first, Logout(ref=2, login=number), settle=False)
        rig.step()
    rig.settle()
    rig.do(first, Logins(ref=3))
    assert number not in [row.login for row in first.last(LoginList).logins]
    assert refusal(hello(rig, "ann", token=token)) is ErrorCode.LOGIN_EXPIRED
    restarted = HubRig(store=rig.store)
    assert refusal(hello(restarted, "ann", token=token)) is ErrorCode.LOGIN_EXPIRED


def test_only_so_many_logins_are_kept() -> None:
    rig = HubRig(Limits(sessions_per_account=2))
    ann = rig.member("ann")
    oldest = register(rig, ann)
    for _ in range(2):
        rig.now += 1
        hello(rig, "ann", password=PASSWORD)
    assert refusal(hello(rig, "ann", token=oldest)) is ErrorCode.LOGIN_EXPIRED


def test_a_new_password_ends_every_other_login(rig: HubRig, two: tuple[FakePeer, FakePeer]) -> None:
    first, second = two
    rig.do(first, ChangePassword(ref=1, old="not the old one", new="a new password"))
    assert refusal(first) is ErrorCode.LOGIN_FAILED
    rig.do(first, ChangePassword(ref=3, old=PASSWORD, new=PASSWORD))
    assert refusal(first) is ErrorCode.PASSWORD_INVALID
    rig.do(first, ChangePassword(ref=2, old=PASSWORD, new="a new password"))
    assert first.last(Done).ref == 2
    assert second.closed is not None
    assert first.closed is None
    assert refusal(hello(rig, "ann", password=PASSWORD)) is ErrorCode.LOGIN_FAILED
    assert hello(rig, "ann", password="a new password").of(Welcome)


def test_a_stale_hash_is_renewed_at_login(rig: HubRig) -> None:
    ann = rig.member("ann")
    register(rig, ann)
    rig.keys.hasher.generation = 2  # type: ignore[attr-defined]
    hello(rig, "ann", password=PASSWORD)
    (account,) = rig.hub._directory.accounts.values()
    assert account.password is not None
    assert account.password.startswith("plain$2$")
    assert hello(rig, "ann", password=PASSWORD).of(Welcome)


def test_a_guests_secret_cannot_become_an_accounts_device(rig: HubRig, two: tuple[FakePeer, FakePeer]) -> None:
    rig.member("guest", "7" * 32)
    assert refusal(hello(rig, "ann", password=PASSWORD, secret="7" * 32)) is ErrorCode.INVALID


def test_guests_have_no_account_to_look_at(rig: HubRig) -> None:
    guest = rig.member("guest")
    rig.do(guest, Logins(ref=1))
    assert refusal(guest) is ErrorCode.ACCOUNT_NEEDED


# --- Wrong passwords --------------------------------------------------------------------------------------------------


def test_an_unknown_name_and_a_wrong_password_look_the_same(rig: HubRig) -> None:
    ann = rig.member("ann")
    register(rig, ann)
    wrong = hello(rig, "ann", password="wrong password").last(Refused)
    work = rig.keys.hasher.hashed  # type: ignore[attr-defined]
    unknown = hello(rig, "nobody", password="wrong password").last(Refused)
    assert wrong == unknown
    assert rig.keys.hasher.hashed == work + 1, "the same work"  # type: ignore[attr-defined]


def test_being_told_busy_costs_no_try() -> None:
    rig = HubRig(Limits(login_tries_per_connection=3))
    register(rig, rig.member("ann"))
    crowd = [rig.peer() for _ in range(33)]
    for peer in crowd:
        first = Hello(version=1, name="ann", secret=f"{peer.number:032x}", password=PASSWORD)
        rig.do(peer, first, settle=False)
    late = crowd[-1]
    for _ in range(5):
        assert refusal(late) is ErrorCode.BUSY
        rig.do(late, Hello(version=1, name="ann", secret="9" * 32, password=PASSWORD), settle=False)
    rig.settle()
    rig.do(late, Hello(version=1, name="ann", secret="9" * 32, password=PASSWORD))
    assert late.of(Welcome)


def test_a_flood_of_wrong_passwords_slows_itself_and_not_the_owner_elsewhere(rig: HubRig) -> None:
    ann = rig.member("ann")
    token = register(rig, ann)
    rig.do(ann, Quit())
    flood = [hello(rig, "ann", password="wrong password", address="203.0.113.5") for _ in range(40)]
    waits = [refusal(peer) for peer in flood]
    assert waits.count(ErrorCode.LOGIN_FAILED) == 5
    assert set(waits) == {ErrorCode.LOGIN_FAILED, ErrorCode.LOGIN_SLOWED}
    assert hello(rig, "ann", password=PASSWORD, address="198.51.100.7").of(Welcome), "from elsewhere, at once"
    assert hello(rig, "ann", token=token, address="203.0.113.5").of(Welcome), "by token, at once"


def test_the_owner_gets_a_turn_even_from_the_attackers_own_network(rig: HubRig) -> None:
    ann = rig.member("ann")
    register(rig, ann)
    rig.do(ann, Quit())
    flood = [rig.peer("203.0.113.5") for _ in range(8)]
    owner = rig.peer("203.0.113.5")
    due = dict.fromkeys([*flood, owner], rig.now)
    for _ in range(1_500):
        rig.now += 1.0
        for peer in [*flood, owner]:
            if rig.now < due[peer]:
                continue
            password = PASSWORD if peer is owner else "wrong password"
            rig.do(peer, Hello(version=1, name="ann", secret=f"{peer.number:032x}", password=password))
            if owner.of(Welcome):
                return
            due[peer] = rig.now + (peer.last(Refused).retry_after_s or 0.0)
    pytest.fail("locked out")


# --- Certificates -----------------------------------------------------------------------------------------------------


def certified(rig: HubRig, name: str, fingerprint: str = KEY) -> FakePeer:
    peer = rig.peer()
    peer.certificate = fingerprint
    rig.do(peer, Hello(version=1, name=name, secret=f"{700 + peer.number:032x}"))
    return peer


def test_a_certificate_logs_in_once_it_was_added_and_never_after_it_was_removed(rig: HubRig) -> None:
    ann = rig.member("ann")
    register(rig, ann)
    assert refusal(certified(rig, "ann")) is ErrorCode.CERTIFICATE_UNKNOWN
    ann.certificate = KEY
    rig.do(ann, AddCertificate(ref=1, fingerprint=KEY, label="laptop"))
    assert ann.last(Done).ref == 1
    by_key = certified(rig, "ann")
    assert by_key.last(Welcome).account
    rig.do(by_key, Certificates(ref=2))
    listed = by_key.last(CertificateList)
    assert [(row.label, row.current) for row in listed.certificates] == [("laptop", True)]
    rig.do(ann, RemoveCertificate(ref=3, certificate=listed.certificates[0].certificate))
    assert by_key.closed is not None
    assert by_key.closed.code is ErrorCode.LOGGED_OUT
    assert refusal(certified(rig, "ann")) is ErrorCode.CERTIFICATE_UNKNOWN


def proof_of(number: int, peer: FakePeer, **changed: Any) -> AddCertificate:
    """What proves that the account of a connection has the key with this number."""
    made = proof(number, peer.last(Welcome).sender_id)
    fields: dict[str, Any] = {"fingerprint": made.fingerprint, "key": made.key, "proof": made.proof}
    return AddCertificate(ref=1, **(fields | changed))


def ann_and_bob(rig: HubRig) -> tuple[FakePeer, FakePeer]:
    ann, bob = rig.member("ann"), rig.member("bob")
    register(rig, ann)
    register(rig, bob)
    return ann, bob


def test_a_fingerprint_alone_adds_nothing(rig: HubRig) -> None:
    ann, bob = ann_and_bob(rig)
    rig.do(bob, AddCertificate(ref=1, fingerprint=fingerprint(1)))
    assert refusal(bob) is ErrorCode.INVALID
    assert "--cert FILE" in bob.last(Refused).text
    bob.certificate = KEY
    rig.do(bob, AddCertificate(ref=2, fingerprint=fingerprint(1)))
    assert bob.last(Refused).ref == 2
    rig.do(ann, proof_of(1, ann))
    assert ann.last(Done).ref == 1
    assert certified(rig, "ann", fingerprint(1)).of(Welcome)


def test_what_the_handshake_has_proved_is_proof_enough(rig: HubRig) -> None:
    ann, _ = ann_and_bob(rig)
    rig.do(ann, AddCertificate(ref=1))
    assert "showed no certificate" in ann.last(Refused).text
    ann.certificate = KEY
    rig.do(ann, AddCertificate(ref=2))
    rig.do(ann, AddCertificate(ref=3, fingerprint=KEY))
    assert [done.ref for done in ann.of(Done)] == [2, 3]
    assert certified(rig, "ann").of(Welcome)


@pytest.mark.parametrize("wrong", ["another account's", "another key", "another fingerprint", "half", "nonsense"])
def test_a_wrong_proof_adds_nothing(rig: HubRig, wrong: str) -> None:
    ann, bob = ann_and_bob(rig)
    command = proof_of(1, bob)
    match wrong:
        case "another account's":
            command = proof_of(1, ann)
        case "another key":
            command = proof_of(1, bob, key=proof_of(2, bob).key)
        case "another fingerprint":
            command = proof_of(1, bob, fingerprint=fingerprint(2))
        case "half":
            command = proof_of(1, bob, proof=None)
        case "nonsense":
            command = proof_of(1, bob, key="AAAA", proof="")
    rig.do(bob, command)
    assert refusal(bob) is ErrorCode.INVALID
    assert not rig.hub._directory.certificates


def test_a_key_goes_with_whoever_has_proved_it_last(rig: HubRig) -> None:
    ann, bob = ann_and_bob(rig)
    squatted = Certificate(rig.hub._directory.number(), ann.last(Welcome).sender_id, fingerprint(1), "", 1)
    rig.hub.context.changes.commit((Put(squatted),))  # as an older server let anybody do
    rig.settle()
    by_key = certified(rig, "ann", fingerprint(1))
    assert by_key.of(Welcome)
    rig.do(bob, proof_of(1, bob))
    assert bob.last(Done).ref == 1
    assert by_key.closed is not None and by_key.closed.code is ErrorCode.LOGGED_OUT
    assert refusal(certified(rig, "ann", fingerprint(1))) is ErrorCode.CERTIFICATE_UNKNOWN
    assert certified(rig, "bob", fingerprint(1)).last(Welcome).name == "bob"
    (stored,) = rig.store.open().people.certificates
    assert stored.sender_id == bob.last(Welcome).sender_id


def test_nobody_comes_in_as_somebody_else_by_a_key(rig: HubRig) -> None:
    ann, _ = ann_and_bob(rig)
    ann.certificate = KEY
    rig.do(ann, AddCertificate(ref=1))
    assert refusal(certified(rig, "bob")) is ErrorCode.CERTIFICATE_UNKNOWN
    assert certified(rig, "ann").last(Welcome).name == "ann"


# --- Members only -----------------------------------------------------------------------------------------------------


def test_under_members_every_stranger_hears_the_same() -> None:
    rig = HubRig()
    register(rig, rig.member("ann"))
    closed = HubRig(store=rig.store, access=Access.MEMBERS)
    known, unknown = hello(closed, "ann"), hello(closed, "nobody")
    assert known.events == unknown.events
    assert refusal(known) is ErrorCode.LOGIN_REQUIRED
    assert not closed.hub.is_member(known)
    assert hello(closed, "ann", password=PASSWORD).of(Welcome)


def test_what_has_expired_and_guests_long_unseen_are_forgotten() -> None:
    rig = HubRig(Limits(session_days=2.0, guest_days=3.0))
    ann = rig.member("ann")
    token = register(rig, ann)
    rig.do(ann, Quit())
    for number in range(3):
        rig.do(rig.member(f"guest{number}", f"{500 + number:032x}"), Quit())
    talker = rig.member("talker", "5" * 32)
    rig.do(talker, Say(client_id=1, room="lobby", text="I was here"))
    talker_id = talker.last(Welcome).sender_id
    rig.do(talker, Quit())
    rig.now += 4 * 86_400
    rig.hub.tidy()
    rig.settle()
    assert not rig.hub._directory.logins
    assert refusal(hello(rig, "ann", token=token)) is ErrorCode.LOGIN_EXPIRED
    ids = [hello(rig, f"guest{n}", secret=f"{500 + n:032x}").last(Welcome).sender_id for n in range(3)]
    assert min(ids) > talker_id, "numbers are never given twice"
    assert hello(rig, "talker", secret="5" * 32).last(Welcome).sender_id == talker_id


def test_an_address_registers_only_so_many_accounts_a_day() -> None:
    rig = HubRig(Limits(accounts_per_address_day=2))
    for name in ("one", "two"):
        register(rig, rig.member(name, address="203.0.113.5"))
    three = rig.member("three", address="203.0.113.5")
    rig.do(three, Register(ref=1, password=PASSWORD))
    assert refusal(three) is ErrorCode.QUOTA
    register(rig, rig.member("four", address="198.51.100.9"))
    rig.now += 86_401
    register(rig, three)
