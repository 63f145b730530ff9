"""What a member reads when an administrator acts: one line, on each of its devices, and no other member reads it.

Looked through: kick, ban, mute, unmute, role, reset-password, logout and delete-user. Invites, `unban` and `announce`
concern no member who is here, or all of them.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from securechat.errors import ErrorCode
from securechat.model import AddCertificate, Closing, Done, Hello, Join, Notice, SetRoom, Welcome
from securechat.records.accounts import Role
from securechat.records.log import NotAppended
from securechat.text.refusals import sentence
from tests.support.hub_rig import FakePeer, HubRig
from tests.unit.hub.accounts.test_accounts import KEY, PASSWORD, certified, hello, register
from tests.unit.hub.admin.test_commands import act


@pytest.fixture
def rig() -> HubRig:
    return HubRig()


def devices(rig: HubRig) -> tuple[FakePeer, FakePeer, FakePeer]:
    """Two devices of an account, and another member."""
    ann = rig.member("ann")
    register(rig, ann)
    second, bob = hello(rig, "ann", password=PASSWORD), rig.member("bob")
    register(rig, bob)
    return ann, second, bob


NOTICES: list[tuple[Callable[[HubRig], object], str]] = [
    (
        lambda rig: act(rig, "mute", "ann", reason="", duration_s=None),
        "You were muted by an administrator. You can read, but not write",
    ),
    (
        lambda rig: act(rig, "mute", "ann", reason="spam", duration_s=600),
        "You were muted by an administrator for 10 minutes: spam. You can read, but not write",
    ),
    (lambda rig: act(rig, "role", "ann", Role.ADMIN), "You are an administrator of this server now"),
]


@pytest.mark.parametrize(("do", "text"), NOTICES)
def test_an_act_is_told_to_each_device_of_its_member_once(
    rig: HubRig, do: Callable[[HubRig], object], text: str
) -> None:
    ann, second, bob = devices(rig)
    do(rig)
    for peer in (ann, second):
        (notice,) = peer.of(Notice)
        assert notice.text == text
        assert notice.text == sentence(notice.reason, notice.arguments), "a client cannot say it in its language"
    assert bob.of(Notice) == []


def test_an_announcement_has_no_reason_and_a_member_can_tell_it_from_a_word_for_it_alone(rig: HubRig) -> None:
    ann, _, bob = devices(rig)
    act(rig, "announce", "You were muted by an administrator")
    for peer in (ann, bob):
        (notice,) = peer.of(Notice)
        assert (notice.reason, notice.arguments) == ("", {})


def test_the_end_of_a_mute_is_told_to_those_whom_it_kept_silent(rig: HubRig) -> None:
    guest, other = rig.member("guest"), rig.member("other")
    act(rig, "mute", "guest", reason="", duration_s=None)
    rig.lose(guest)
    rig.now += rig.limits.name_reservation_s + rig.limits.quiet_return_s
    rig.settle()
    again = hello(rig, "guest", secret="5" * 32)  # another client, which shares the mute of the name
    assert again.of(Welcome)
    act(rig, "unmute", "guest")
    assert [notice.reason for notice in again.of(Notice)] == ["unmuted_by_administrator"]
    assert other.of(Notice) == []


def test_a_role_is_told_when_it_changes(rig: HubRig) -> None:
    ann, _, bob = devices(rig)
    for role in (Role.MEMBER, Role.ADMIN, Role.ADMIN, Role.MEMBER):
        act(rig, "role", "ann", role)
    assert [notice.reason for notice in ann.of(Notice)] == ["made_administrator", "no_longer_administrator"]
    assert bob.of(Notice) == []


ENDS: list[tuple[Callable[[HubRig], object], ErrorCode, str]] = [
    (
        lambda rig: act(rig, "kick", "ann", "caps"),
        ErrorCode.KICKED,
        "You were kicked by an administrator: caps. You may connect again",
    ),
    (
        lambda rig: act(rig, "ban", "ann", reason="caps", duration_s=3600),
        ErrorCode.BANNED,
        "You are banned from this server for another 1 hour: caps",
    ),
    (
        lambda rig: act(rig, "reset_password", "ann"),
        ErrorCode.LOGGED_OUT,
        "An administrator reset your password. Ask for the temporary one, and log in with it",
    ),
    (
        lambda rig: act(rig, "delete_user", "ann", remove=False, progress=lambda _: None),
        ErrorCode.KICKED,
        "This account was deleted by an administrator",
    ),
]


@pytest.mark.parametrize(("do", "code", "text"), ENDS)
def test_an_act_that_ends_connections_is_the_last_line_of_each(
    rig: HubRig, do: Callable[[HubRig], object], code: ErrorCode, text: str
) -> None:
    ann, second, bob = devices(rig)
    do(rig)
    for peer in (ann, second):
        assert peer.closed is not None
        assert (peer.closed.code, peer.closed.text) == (code, text)
        assert peer.of(Closing) == [peer.closed]
        assert peer.of(Notice) == []
    assert bob.closed is None
    assert bob.of(Notice) == []


@pytest.mark.parametrize("duration_s", [None, 3600])
def test_a_bystander_at_a_banned_address_reads_of_the_address_and_not_why_another_was_banned(
    rig: HubRig, duration_s: float | None
) -> None:
    eve, bob = rig.member("eve", address="203.0.113.5"), rig.member("bob", address="203.0.113.5")
    act(rig, "ban", "eve", reason="insults", duration_s=duration_s, address=True)
    assert eve.closed is not None
    assert eve.closed.text.startswith("You are banned from this server")
    assert "insults" in eve.closed.text
    for bystander in (bob, hello(rig, "cid", address="203.0.113.5")):
        assert bystander.closed is not None
        assert bystander.closed.code is ErrorCode.BANNED
        assert bystander.closed.text.startswith("Your network address is banned from this server")
        assert "insults" not in bystander.closed.text
        assert ("1 hour" in bystander.closed.text) is (duration_s is not None)


def test_the_reason_of_a_ban_on_an_address_itself_is_told(rig: HubRig) -> None:
    bob = rig.member("bob", address="203.0.113.5")
    act(rig, "ban", "203.0.113.0/24", reason="an open proxy", duration_s=60)
    assert bob.closed is not None
    assert bob.closed.text == "Your network address is banned from this server for another 1 minute: an open proxy"


def test_a_session_that_an_administrator_ends_is_told_so_and_the_other_goes_on(rig: HubRig) -> None:
    ann, second, _ = devices(rig)
    number = max(row.login for row in rig.hub.admin_commands.sessions("ann"))
    act(rig, "end_session", number)
    assert ann.closed is None
    assert second.closed is not None
    assert second.closed.reason == "logged_out_by_administrator"


def test_a_session_by_certificate_stays_after_a_reset_and_is_told(rig: HubRig) -> None:
    ann, _, _ = devices(rig)
    ann.certificate = KEY
    rig.do(ann, AddCertificate(ref=2))
    assert ann.of(Done)
    third = certified(rig, "ann")
    act(rig, "reset_password", "ann")
    assert ann.closed is not None
    assert third.closed is None
    assert [notice.reason for notice in third.of(Notice)] == ["password_reset_beside_certificate"]


@pytest.mark.parametrize("remove", [False, True])
@pytest.mark.parametrize("proof", ["token", "password", "certificate"])
def test_a_device_that_comes_during_a_deletion_reads_that_it_was_deleted(proof: str, remove: bool) -> None:
    """However far its hello and the deletion have got."""
    told = set()
    for before in range(5):
        for after in range(5):
            rig = HubRig()
            ann = rig.member("ann", "1" * 32)
            token = register(rig, ann)
            ann.certificate = KEY
            rig.do(ann, AddCertificate(ref=2))
            peer = rig.peer()
            peer.certificate = KEY if proof == "certificate" else None
            proofs = {"token": {"token": token}, "password": {"password": PASSWORD}, "certificate": {}}[proof]
            rig.do(peer, Hello(version=1, name="ann", secret="9" * 32, **proofs), settle=False)
            for _ in range(before):
                rig.step()
            rig.hub.admin_commands.delete_user(
                "root", "ann", remove=remove, progress=lambda _: None, done=lambda _: None
            )
            for _ in range(after):
                rig.step()
            late = rig.peer()
            late.certificate = peer.certificate
            rig.do(late, Hello(version=1, name="ann", secret="8" * 32, **proofs), settle=False)
            rig.settle()
            for each in (ann, peer, late):
                assert not rig.hub.is_member(each), (before, after)
                if each.of(Welcome):
                    assert each.closed is not None
                    assert each.of(Closing) == [each.closed]
                    assert each.closed.reason == "account_deleted", (before, after)
                    told.add(each.number)
    assert len(told) > 1, "no device came in while the account was being deleted"


def test_a_password_set_during_a_deletion_leaves_no_one_in() -> None:
    """However far the deletion has got when a device comes by it."""
    told = 0
    for steps in range(20):
        rig = HubRig()
        ann = rig.member("ann", "1" * 32)
        register(rig, ann)
        for number in range(4):  # each takes the deletion a step
            rig.do(ann, Join(number, [f"room{number}"]))
            rig.do(ann, SetRoom(number, f"room{number}", topic="tea"))
        passwords: list[str | NotAppended] = []
        rig.hub.admin_commands.reset_password("root", "ann", passwords.append)
        rig.hub.admin_commands.delete_user("root", "ann", remove=False, progress=lambda _: None, done=lambda _: None)
        for _ in range(steps):
            rig.step()
        if not passwords or not isinstance(passwords[0], str):
            continue
        peer = rig.peer()
        rig.do(peer, Hello(version=1, name="ann", secret="9" * 32, password=passwords[0]), settle=False)
        rig.settle()
        assert not rig.hub.is_member(peer), steps
        told += peer.closed is not None and peer.closed.reason == "account_deleted"
    assert told, "no device came in while the account was being deleted"
