"""What crosses: two acts about one person, of which the second begins before the first is durable.

Every test runs one scenario at every step that a log can be at, and looks at what nobody may ever find afterwards.
"""

from __future__ import annotations

import pytest

from securechat.errors import ErrorCode
from securechat.hub.interfaces import Access
from securechat.limits import Limits
from securechat.model import (
    AddCertificate,
    ChangePassword,
    Closing,
    Hello,
    LoginList,
    Logins,
    Nick,
    Quit,
    Refused,
    Register,
    RemoveCertificate,
    Say,
    Welcome,
)
from tests.support.hub_rig import FakePeer, HubRig
from tests.unit.hub.accounts.test_accounts import KEY, PASSWORD, certified, hello, proof_of, refusal, register
from tests.unit.hub.admin.test_commands import Outcome, act, invite, redeem

STEPS = range(7)
OTHER = "another good password"


@pytest.fixture
def rig() -> HubRig:
    return HubRig()


def begin(rig: HubRig, peer: FakePeer, name: str, secret: str, steps: int, **proof: str) -> None:
    """Say hello and let so many things happen."""
    rig.do(peer, Hello(version=1, name=name, secret=secret, **proof), settle=False)
    advance(rig, steps)


def advance(rig: HubRig, steps: int) -> None:
    for _ in range(steps):
        rig.step()


def begun(rig: HubRig, name: str, *arguments: object, **options: object) -> Outcome:
    """An administrator's act that is not durable yet."""
    outcome = Outcome()
    getattr(rig.hub.admin_commands, name)("root", *arguments, **options, done=outcome)
    return outcome


def numbers(rig: HubRig, peer: FakePeer) -> list[int]:
    rig.do(peer, Logins(ref=77))
    return [row.login for row in peer.last(LoginList).logins]


def gone_for_good(rig: HubRig, *peers: FakePeer) -> None:
    """Everybody goes, and all that was to happen later happens."""
    for peer in peers:
        rig.lose(peer)
    rig.pass_time(500.0)
    assert rig.hub.admin_commands.status().members == 0


# --- Kicks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", STEPS)
def test_a_kick_that_meets_somebody_leaving_and_coming_back_takes_nobody_apart(rig: HubRig, steps: int) -> None:
    ann, back = rig.member("ann", "1" * 32), rig.peer()
    begin(rig, back, "ann", "1" * 32, 0)
    kicked = begun(rig, "kick", "ann", "")
    rig.do(ann, Quit(), settle=False)
    advance(rig, steps)
    rig.settle()
    assert kicked.told
    assert rig.hub.is_member(back) == (rig.hub.admin_commands.status().members == 1)
    gone_for_good(rig, back)


# --- Invites ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", STEPS)
def test_after_an_invite_was_revoked_nobody_comes_in_by_it(steps: int) -> None:
    rig = HubRig(access=Access.MEMBERS)
    made, peer = invite(rig), rig.peer()
    begin(rig, peer, "ann", "2" * 32, steps, invite=made.token, password=PASSWORD)
    was_in = rig.hub.is_member(peer)
    revoked = begun(rig, "revoke", made.invite.invite_id)
    while not revoked.told:
        was_in = rig.hub.is_member(peer)
        rig.step()
    rig.settle()
    assert rig.hub.is_member(peer) == was_in
    assert len(revoked.only.used_by) == was_in, "what the administrator was told is how it stays"
    assert rig.hub.admin_commands.status().accounts == was_in
    if not was_in:
        assert refusal(peer) is ErrorCode.INVITE_REVOKED
        assert hello(HubRig(store=rig.store), "ann").of(Welcome), "the name is free"


def test_a_guest_here_who_follows_an_invite_is_the_account_with_all_its_devices(rig: HubRig) -> None:
    guest = rig.member("ann", "3" * 32)
    made = invite(rig)
    invited = redeem(rig, made, "bob", secret="3" * 32)
    assert invited.last(Welcome).sender_id == guest.last(Welcome).sender_id
    second = hello(rig, "bob", password=PASSWORD)
    assert second.of(Welcome)
    rig.do(second, Nick(ref=9, name="carl"))
    assert hello(rig, "carl", password=PASSWORD).of(Welcome)
    assert rig.member("ann"), "the guest's old name is free"
    assert rig.member("bob"), "and so is the account's"


# --- Names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("look", ["ann", "Ann", "аnn"])
def test_nobody_takes_a_name_while_it_is_made_an_account(rig: HubRig, steps: int, look: str) -> None:
    ann, eve = rig.member("ann", "4" * 32), rig.member("eve")
    rig.do(ann, Register(ref=1, password=PASSWORD), settle=False)
    advance(rig, steps)
    rig.do(ann, Quit(), settle=False)
    rig.do(eve, Nick(ref=2, name=look), settle=False)
    rig.settle()
    users = {row.name: row.account for row in rig.hub.admin_commands.users()}
    assert users in ({"ann": True, "eve": False}, {look: False})


def test_the_name_of_a_deleted_account_is_free_at_once(rig: HubRig) -> None:
    ann = rig.member("ann")
    register(rig, ann)
    rig.lose(ann)
    rig.pass_time(60.0)  # left, the name is still kept for it
    act(rig, "delete_user", "ann", remove=False, progress=lambda _: None)
    assert rig.member("ann")


# --- Passwords --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", STEPS)
def test_whoever_has_the_account_cannot_outrun_an_administrators_reset(rig: HubRig, steps: int) -> None:
    ann = rig.member("ann")
    register(rig, ann)
    rig.do(ann, ChangePassword(ref=1, old=PASSWORD, new=OTHER), settle=False)
    advance(rig, steps)
    reset = begun(rig, "reset_password", "ann")
    rig.settle()
    assert not rig.hub.is_member(ann)
    rig.now += 3600
    assert refusal(hello(rig, "ann", password=OTHER)) is ErrorCode.LOGIN_FAILED
    assert hello(rig, "ann", password=reset.only).of(Welcome)


@pytest.mark.parametrize("ahead", STEPS)
@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("how", ["change", "reset"])
def test_an_old_password_is_worth_nothing_once_there_is_a_new_one(
    rig: HubRig, how: str, ahead: int, steps: int
) -> None:
    ann, thief = rig.member("ann"), rig.peer()
    register(rig, ann)
    if how == "change":
        rig.do(ann, ChangePassword(ref=1, old=PASSWORD, new=OTHER), settle=False)
    else:
        begun(rig, "reset_password", "ann")
    advance(rig, ahead)
    begin(rig, thief, "ann", "5" * 32, steps, password=PASSWORD)
    rig.settle()
    assert not rig.hub.is_member(thief)
    assert len(numbers(rig, ann) if how == "change" else []) == len(list(rig.hub.admin_commands.sessions("ann")))
    assert len(rig.store.open().people.logins) == (how == "change")


def test_two_logins_at_once_may_both_find_the_hash_stale(rig: HubRig) -> None:
    register(rig, rig.member("ann"))
    rig.keys.hasher.generation = 2  # type: ignore[attr-defined]
    first, second = rig.peer(), rig.peer()
    for peer in (first, second):
        begin(rig, peer, "ann", f"{peer.number + 50:032x}", 0, password=PASSWORD)
    rig.settle()
    assert first.of(Welcome)
    assert second.of(Welcome)


def test_a_login_that_made_way_for_a_newer_one_ends_on_its_connection_too() -> None:
    rig = HubRig(Limits(sessions_per_account=2))
    ann = rig.member("ann")
    register(rig, ann)
    others = []
    for _ in range(2):
        rig.now += 60
        others.append(hello(rig, "ann", password=PASSWORD))
    assert ann.last(Closing).code is ErrorCode.LOGGED_OUT, "it would be in no list, and no new password would end it"
    assert all(rig.hub.is_member(peer) for peer in others)


def test_a_login_that_is_here_does_not_expire_and_a_new_password_ends_it(rig: HubRig) -> None:
    ann = rig.member("ann")
    register(rig, ann)
    second = hello(rig, "ann", password=PASSWORD)
    for _ in range(40):
        rig.now += 86_400
        rig.hub.tidy()
        rig.settle()
    assert len(numbers(rig, ann)) == 2
    rig.do(ann, ChangePassword(ref=1, old=PASSWORD, new=OTHER))
    assert second.last(Closing).code is ErrorCode.LOGGED_OUT


# --- Deletion ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ahead", STEPS)
@pytest.mark.parametrize("proof", ["password", "token"])
def test_nothing_of_a_deleted_account_comes_into_being(rig: HubRig, proof: str, ahead: int) -> None:
    ann, peer = rig.member("ann"), rig.peer()
    token = register(rig, ann)
    proofs = {"token": token} if proof == "token" else {"password": PASSWORD}
    begin(rig, peer, "ann", "6" * 32, ahead, **proofs)
    begun(rig, "delete_user", "ann", remove=False, progress=lambda _: None)
    ann.certificate = KEY
    rig.do(ann, AddCertificate(ref=1), settle=False)
    rig.settle()
    assert not rig.hub.is_member(peer)
    for each in (rig, HubRig(store=rig.store)):
        assert each.store.open().people.logins == ()
        assert each.store.open().people.certificates == ()
        assert refusal(certified(each, "ann")) is ErrorCode.CERTIFICATE_UNKNOWN
        assert refusal(hello(each, "ann", token=token)) is ErrorCode.LOGIN_EXPIRED


# --- Certificates -----------------------------------------------------------------------------------------------------


def test_one_key_added_twice_at_once_is_one_accounts_and_is_removed_for_good(rig: HubRig) -> None:
    ann, eve = rig.member("ann"), rig.member("eve")
    for peer in (ann, eve):
        register(rig, peer)
        peer.certificate = KEY
    for peer in (ann, eve, ann):
        rig.do(peer, AddCertificate(ref=5, fingerprint=KEY), settle=False)
    rig.settle()
    (certificate,) = rig.store.open().people.certificates
    assert certified(rig, "ann").last(Welcome).name == "ann"
    rig.do(ann, RemoveCertificate(ref=6, certificate=certificate.certificate_id))
    for each in (rig, HubRig(store=rig.store)):
        assert refusal(certified(each, "ann")) is ErrorCode.CERTIFICATE_UNKNOWN


def test_not_even_at_once_more_certificates_than_allowed() -> None:
    rig = HubRig(Limits(certificates_per_account=2))
    ann = rig.member("ann")
    register(rig, ann)
    for number in range(5):
        rig.do(ann, proof_of(number + 1, ann), settle=False)
    rig.settle()
    assert len(rig.store.open().people.certificates) <= 2


def test_tidying_up_an_old_mute_does_not_lift_a_new_one(rig: HubRig) -> None:
    ann = rig.member("ann")
    act(rig, "mute", "ann", reason="", duration_s=1)
    rig.pass_time(2)
    rig.hub.admin_commands.mute("root", "ann", reason="again", duration_s=None, done=lambda _: None)
    rig.hub.tidy()  # the old one is over, and the new one on its way
    rig.settle()
    rig.do(ann, Say(1, "lobby", "let me"))
    assert ann.last(Refused).code is ErrorCode.MUTED
    act(rig, "unmute", "ann")
    rig.do(ann, Say(2, "lobby", "thank you"))
    assert ann.messages[-1].text == "thank you"
