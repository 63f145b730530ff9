"""The steward: invites, order, accounts; durable first, then felt, always in the audit."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from securechat.errors import ErrorCode, Refusal
from securechat.hub.admin.commands import CreatedInvite
from securechat.hub.interfaces import Access
from securechat.model import (
    Acked,
    Direct,
    Done,
    Hello,
    History,
    HistoryPage,
    Join,
    Joined,
    Message,
    Nick,
    Notice,
    Quit,
    Refused,
    Register,
    Say,
    SetRoom,
    Welcome,
)
from securechat.records.accounts import AuditEntry, BanKind, Role
from tests.support.hub_rig import FakePeer, HubRig
from tests.unit.hub.accounts.test_accounts import KEY, PASSWORD, certified, hello, refusal, register


@pytest.fixture
def rig() -> HubRig:
    return HubRig()


class Outcome:
    """Keeps what a ``done`` was told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def __call__(self, answer: Any) -> None:
        self.told.append(answer)

    @property
    def only(self) -> Any:
        (answer,) = self.told
        return answer


def act(rig: HubRig, name: str, *arguments: Any, **options: Any) -> Any:
    outcome = Outcome()
    getattr(rig.hub.admin_commands, name)("root", *arguments, **options, done=outcome)
    rig.settle()
    return outcome.only


def audit(rig: HubRig) -> list[AuditEntry]:
    return rig.store.audit(100)


def invite(rig: HubRig, uses: int = 1, days: float = 7, room: str | None = None) -> CreatedInvite:
    made = act(rig, "invite", uses=uses, days=days, room=room)
    assert isinstance(made, CreatedInvite)
    return made


def redeem(rig: HubRig, made: CreatedInvite, name: str, **options: Any) -> FakePeer:
    return hello(rig, name, invite=made.token, password=PASSWORD, **options)


# --- Invites ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("access", list(Access))
def test_an_invite_makes_an_account_and_brings_it_in(access: Access) -> None:
    rig = HubRig(access=access)
    made = invite(rig, room="ops")
    asked = hello(rig, "ann", invite=made.token)
    assert refusal(asked) is ErrorCode.PASSWORD_NEEDED
    ann = redeem(rig, made, "ann")
    welcome = ann.last(Welcome)
    assert (welcome.account, welcome.admin, len(welcome.token)) == (True, False, 32)
    assert [joined.room for joined in ann.of(Joined)] == ["lobby", "ops"]
    assert hello(rig, "ann", password=PASSWORD).of(Welcome)
    assert hello(rig, "ann", token=welcome.token).of(Welcome)


def test_an_invite_into_a_private_room_lets_its_accounts_in(rig: HubRig) -> None:
    owner = redeem(rig, invite(rig), "owner")
    rig.do(owner, Join(ref=1, rooms=["lab"]))
    rig.do(owner, SetRoom(ref=2, room="lab", private=True))
    made = invite(rig, uses=2, room="lab")
    for name in ("ann", "bob"):
        joined = redeem(rig, made, name).of(Joined)
        assert [(each.room, each.role) for each in joined] == [("lobby", None), ("lab", "member")]
    [again] = [each for each in hello(rig, "ann", password=PASSWORD).of(Joined) if each.room == "lab"]
    assert again.role == "member"
    stranger = redeem(rig, invite(rig), "eve")
    rig.do(stranger, Join(ref=1, rooms=["lab"]))
    assert stranger.last(Refused).code is ErrorCode.NO_SUCH_ROOM


def test_an_invite_lets_nobody_into_a_private_room_that_others_have_made_since(rig: HubRig) -> None:
    made = invite(rig, room="lab")
    rig.now += 10
    owner = redeem(rig, invite(rig), "owner")
    rig.do(owner, Join(ref=1, rooms=["lab"]))
    rig.do(owner, SetRoom(ref=2, room="lab", private=True))
    ann = redeem(rig, made, "ann")
    assert [each.room for each in ann.of(Joined)] == ["lobby"]
    assert ann.last(Refused).code is ErrorCode.NO_SUCH_ROOM


def test_used_up_expired_revoked_and_unknown_invites_each_say_so(rig: HubRig) -> None:
    used = invite(rig)
    redeem(rig, used, "ann")
    assert refusal(redeem(rig, used, "bob")) is ErrorCode.INVITE_USED
    revoked = invite(rig)
    act(rig, "revoke", revoked.invite.invite_id)
    assert refusal(redeem(rig, revoked, "bob")) is ErrorCode.INVITE_REVOKED
    old = invite(rig, days=1)
    rig.now += 86_401
    assert refusal(redeem(rig, old, "bob")) is ErrorCode.INVITE_EXPIRED
    unknown = CreatedInvite(used.invite, "0" * 32)
    assert refusal(redeem(rig, unknown, "bob")) is ErrorCode.INVITE_UNKNOWN


def test_a_replayed_link_makes_one_account_however_it_is_timed() -> None:
    for steps in range(6):
        rig = HubRig(access=Access.MEMBERS)
        made = invite(rig)
        peers = []
        for number in range(3):
            peer = rig.peer()
            peers.append(peer)
            first = Hello(version=1, name=f"n{number}", secret=f"{number:032x}", invite=made.token, password=PASSWORD)
            rig.do(peer, first, settle=False)
            for _ in range(steps):
                rig.step()
        rig.settle()
        assert sum(bool(peer.of(Welcome)) for peer in peers) == 1
        assert len(rig.hub._directory.accounts) == 1


def test_an_invite_cannot_take_somebodys_name(rig: HubRig) -> None:
    rig.member("guest")
    register(rig, rig.member("ann"))
    made = invite(rig)
    for name in ("ann", "Ann", "guest"):
        assert refusal(redeem(rig, made, name)) is ErrorCode.NAME_IN_USE
    assert redeem(rig, made, "bob").of(Welcome), "and it is not used up by trying"


def test_a_use_is_not_lost_when_the_connection_breaks_before_the_account_is_made(rig: HubRig) -> None:
    made = invite(rig)
    peer = rig.peer()
    rig.do(peer, Hello(version=1, name="ann", secret="1" * 32, invite=made.token, password=PASSWORD), settle=False)
    rig.lose(peer)
    assert redeem(rig, made, "bob").of(Welcome)


def test_numbers_that_make_no_sense_are_refused(rig: HubRig) -> None:
    for uses, days in ((0, 7), (1, 0), (1, 1e9), (100_000, 7)):
        with pytest.raises(Refusal):
            act(rig, "invite", uses=uses, days=days, room=None)


# --- Order ------------------------------------------------------------------------------------------------------------


def test_a_kicked_one_may_come_back(rig: HubRig) -> None:
    ann = rig.member("ann")
    assert act(rig, "kick", "ann", "calm down") == 1
    assert ann.closed is not None
    assert ann.closed.code is ErrorCode.KICKED
    assert "calm down" in ann.closed.text
    assert hello(rig, "ann").of(Welcome)
    with pytest.raises(Refusal):
        act(rig, "kick", "nobody", "")


@pytest.mark.parametrize(
    ("target", "host", "keeps_out"),
    [
        ("203.0.113.5", "203.0.113.5", True),
        ("203.0.113.5", "203.0.113.6", False),
        ("203.0.113.0/24", "203.0.113.77", True),
        ("2001:db8::/32", "2001:db8:1::5", True),
        ("2001:db8::/32", "2001:db9::5", False),
        ("::ffff:203.0.113.0/120", "203.0.113.77", True),
        ("::ffff:203.0.113.5", "203.0.113.5", True),
        ("::ffff:203.0.113.5", "203.0.113.6", False),
    ],
)
def test_addresses_and_networks_are_banned(rig: HubRig, target: str, host: str, keeps_out: bool) -> None:
    here = rig.member("ann", address=host)
    act(rig, "ban", target, reason="noise", duration_s=None)
    assert (here.closed is not None) is keeps_out
    again = hello(rig, "bob", address=host)
    assert (again.closed is not None) is keeps_out
    if keeps_out:
        assert again.closed is not None
        assert again.closed.code is ErrorCode.BANNED
        assert "noise" in again.closed.text


def test_a_banned_account_is_out_on_every_way_in(rig: HubRig) -> None:
    ann = rig.member("ann")
    token = register(rig, ann)
    rig.do(ann, Register(ref=9, password=PASSWORD))
    act(rig, "ban", "ann", reason="", duration_s=3600)
    assert ann.closed is not None
    for peer in (hello(rig, "ann", token=token), hello(rig, "ann", password=PASSWORD)):
        assert peer.closed is not None
        assert peer.closed.code is ErrorCode.BANNED
        assert "1 hour" in peer.closed.text
    rig.now += 3601
    assert hello(rig, "ann", token=token).of(Welcome)


def test_a_wrong_password_learns_nothing_of_a_ban(rig: HubRig) -> None:
    register(rig, rig.member("ann"))
    act(rig, "ban", "ann", reason="", duration_s=None)
    assert refusal(hello(rig, "ann", password="wrong password")) is ErrorCode.LOGIN_FAILED


def test_a_banned_name_is_no_guests_nor_what_looks_like_it(rig: HubRig) -> None:
    guest = rig.member("troll")
    act(rig, "ban", "troll", reason="", duration_s=None)
    assert guest.closed is not None
    for name in ("troll", "TROLL", "trоll"):  # the last with a Cyrillic letter
        assert hello(rig, name).closed is not None
    other = rig.member("other")
    rig.do(other, Nick(ref=1, name="Troll"))
    assert refusal(other) is ErrorCode.BANNED


@pytest.mark.parametrize("proof", ["guest", "password", "token", "certificate", "invite"])
def test_a_ban_that_comes_during_a_hello_holds(proof: str) -> None:
    """However far the hello has got, nobody banned is in when everything has settled."""
    for steps in range(6):
        for target in ("203.0.113.5", "ann"):
            rig = HubRig()
            made = invite(rig)
            peer = rig.peer("203.0.113.5")
            proofs: dict[str, str] = {}
            if proof in {"password", "token", "certificate"}:
                ann = rig.member("ann")
                token = register(rig, ann)
                from securechat.model import AddCertificate

                ann.certificate = KEY
                rig.do(ann, AddCertificate(ref=2))
                assert ann.of(Done)
                rig.do(ann, Quit())
                proofs = {"password": PASSWORD} if proof == "password" else {"token": token} if proof == "token" else {}
                peer.certificate = KEY if proof == "certificate" else None
            elif proof == "invite":
                proofs = {"invite": made.token, "password": PASSWORD}
            rig.do(peer, Hello(version=1, name="ann", secret="9" * 32, **proofs), settle=False)
            for _ in range(steps):
                rig.step()
            act(rig, "ban", target, reason="", duration_s=None)
            if proof == "invite" and target == "ann" and peer.of(Welcome):
                continue  # the ban was of a guest's name, before there was an account
            assert not rig.hub.is_member(peer), (steps, target)
            assert peer.closed is not None


def test_bans_are_lifted_by_number_or_target_and_replaced_by_a_second_one(rig: HubRig) -> None:
    first = act(rig, "ban", "203.0.113.0/24", reason="a", duration_s=None)
    second = act(rig, "ban", "203.0.113.0/24", reason="b", duration_s=60)
    assert first.ban.kind is BanKind.NETWORK
    assert [ban.ban_id for ban in rig.hub.admin_commands.bans()] == [second.ban.ban_id]
    act(rig, "unban", str(second.ban.ban_id))
    assert list(rig.hub.admin_commands.bans()) == []
    act(rig, "ban", "ann", reason="", duration_s=None)
    act(rig, "unban", "ann")
    assert hello(rig, "ann").of(Welcome)
    with pytest.raises(Refusal):
        act(rig, "unban", "ann")


def test_a_muted_one_reads_but_does_not_write_on_any_device(rig: HubRig) -> None:
    ann = rig.member("ann")
    register(rig, ann)
    second = hello(rig, "ann", password=PASSWORD)
    bob = rig.member("bob")
    act(rig, "mute", "ann", reason="", duration_s=600)
    assert "for 10 minutes" in ann.last(Notice).text
    assert second.of(Notice)
    assert not bob.of(Notice)
    for peer in (ann, second, hello(rig, "ann", password=PASSWORD)):
        rig.do(peer, Say(client_id=1, room="lobby", text="hello"))
        assert peer.last(Refused).code is ErrorCode.MUTED
        rig.do(peer, Direct(client_id=2, to=bob.last(Welcome).sender_id, text="hello"))
        assert peer.last(Refused).code is ErrorCode.MUTED
    rig.do(bob, Say(client_id=1, room="lobby", text="still heard"))
    assert ann.last(Message).text == "still heard"
    again = HubRig(store=rig.store)
    again.now = rig.now
    restarted = hello(again, "ann", password=PASSWORD)
    again.do(restarted, Say(client_id=1, room="lobby", text="hello"))
    assert restarted.last(Refused).code is ErrorCode.MUTED
    again.now += 601
    again.do(restarted, Say(client_id=2, room="lobby", text="hello"))
    assert restarted.of(Acked)


def test_unmuting(rig: HubRig) -> None:
    ann = rig.member("ann")
    act(rig, "mute", "ann", reason="", duration_s=None)
    act(rig, "unmute", "ann")
    rig.do(ann, Say(client_id=1, room="lobby", text="hello"))
    assert ann.of(Acked)


# --- Accounts ---------------------------------------------------------------------------------------------------------


def test_a_reset_password_is_temporary_and_ends_every_login(rig: HubRig) -> None:
    ann = rig.member("ann")
    token = register(rig, ann)
    temporary = act(rig, "reset_password", "ann")
    assert ann.closed is not None
    assert refusal(hello(rig, "ann", token=token)) is ErrorCode.LOGIN_EXPIRED
    assert refusal(hello(rig, "ann", password=PASSWORD)) is ErrorCode.LOGIN_FAILED
    back = hello(rig, "ann", password=temporary)
    assert back.last(Welcome).must_change
    assert temporary not in repr(audit(rig))


def test_a_reset_password_opens_the_way_through_a_slowdown(rig: HubRig) -> None:
    register(rig, rig.member("ann"))
    for _ in range(8):
        hello(rig, "ann", password="wrong password", address="203.0.113.5")
    temporary = act(rig, "reset_password", "ann")
    assert hello(rig, "ann", password=temporary, address="203.0.113.5").of(Welcome)


def test_the_first_admin_is_made_by_whoever_has_the_shell(rig: HubRig) -> None:
    register(rig, rig.member("ann"))
    assert act(rig, "role", "ann", Role.ADMIN).role is Role.ADMIN
    assert hello(rig, "ann", password=PASSWORD).last(Welcome).admin
    with pytest.raises(Refusal):
        act(rig, "role", "nobody", Role.ADMIN)


@pytest.mark.parametrize("remove", [False, True])
def test_a_deleted_user_is_gone_and_the_messages_are_unnamed_or_gone(rig: HubRig, remove: bool) -> None:
    ann, bob = rig.member("ann", "1" * 32), rig.member("bob")
    token = register(rig, ann)
    for number in range(1, 4):
        rig.do(ann, Say(client_id=number, room="lobby", text=f"ann {number}"))
        rig.do(bob, Say(client_id=number, room="lobby", text=f"bob {number}"))
    assert act(rig, "delete_user", "ann", remove=remove, progress=lambda _: None) == 3
    assert ann.closed is not None
    rig.do(bob, History(ref=1, room="lobby"))
    texts = [(message.name, message.text) for message in bob.last(HistoryPage).messages]
    kept = [] if remove else [("", f"ann {number}") for number in range(1, 4)]
    assert sorted(texts) == sorted([*kept, *(("bob", f"bob {number}") for number in range(1, 4))])
    assert refusal(hello(rig, "ann", token=token)) is ErrorCode.LOGIN_EXPIRED
    newcomer = hello(rig, "ann", secret="1" * 32)
    assert newcomer.last(Welcome).sender_id != ann.last(Welcome).sender_id, "the old secret is nobody's"


# --- Looking, telling, remembering ------------------------------------------------------------------------------------


def test_everybody_hears_an_announcement_and_no_history_has_it(rig: HubRig) -> None:
    ann, bob = rig.member("ann"), rig.member("bob")
    assert act(rig, "announce", "the server restarts at noon") == 2
    assert ann.last(Notice).text == bob.last(Notice).text == "the server restarts at noon"
    rig.do(ann, History(ref=1))
    assert ann.last(HistoryPage).messages == []
    with pytest.raises(Refusal):
        act(rig, "announce", "  ")


def test_users_sessions_and_status_tell_who_is_here(rig: HubRig) -> None:
    ann = rig.member("ann")
    register(rig, ann)
    rig.member("guest", address="192.168.1.9")
    certified(rig, "ann")
    users = {row.name: row for row in rig.hub.admin_commands.users()}
    assert (users["ann"].account, users["ann"].role, users["ann"].online) == (True, "member", True)
    assert (users["guest"].account, users["guest"].addresses) == (False, ("192.168.1.9",))
    assert [row.name for row in rig.hub.admin_commands.sessions()] == ["ann", "guest"]
    assert [row.online for row in rig.hub.admin_commands.sessions("ann")] == [True]
    status = rig.hub.admin_commands.status()
    assert (status.members, status.guests, status.accounts, status.connections) == (2, 1, 1, 2)
    listed: list[Any] = []
    rig.hub.admin_commands.room_admin.rooms(listed.append)
    rig.settle()
    assert [(row.room, row.total) for row in listed[0]] == [("lobby", 2)]


def test_every_act_is_in_the_audit_and_no_secret_is(rig: HubRig) -> None:
    ann = rig.member("ann")
    token = register(rig, ann)
    made = invite(rig)
    act(rig, "revoke", made.invite.invite_id)
    act(rig, "mute", "ann", reason="r", duration_s=60)
    act(rig, "unmute", "ann")
    act(rig, "kick", "ann", "r")
    act(rig, "ban", "203.0.113.0/24", reason="r", duration_s=60)
    act(rig, "unban", "203.0.113.0/24")
    temporary = act(rig, "reset_password", "ann")
    act(rig, "role", "ann", Role.ADMIN)
    act(rig, "announce", "hello")
    act(rig, "delete_user", "ann", remove=False, progress=lambda _: None)
    entries = audit(rig)
    assert [entry.act for entry in entries] == [
        "register", "invite", "revoke", "mute", "unmute", "kick", "ban", "unban", "reset-password", "role",
        "announce", "delete-user",
    ]  # fmt: skip
    assert {entry.actor for entry in entries[1:]} == {"root"}
    assert [entry.detail for entry in entries if entry.act in {"mute", "ban"}] == ["for 1 min: r", "for 1 min: r"]
    for secret in (PASSWORD, token, made.token, temporary):
        assert secret not in repr(entries)


@pytest.mark.parametrize("remove", [False, True])
def test_a_deletion_that_was_interrupted_can_be_finished(remove: bool) -> None:
    for steps in range(6):
        rig = HubRig()
        ann = rig.member("ann", "1" * 32)
        token = register(rig, ann)
        for number in range(1, 4):
            rig.do(ann, Say(client_id=number, room="lobby", text=f"ann {number}"))
        rig.hub.admin_commands.delete_user("root", "ann", remove=remove, progress=lambda _: None, done=lambda _: None)
        for _ in range(steps):
            rig.step()
        rig.log.abandon()
        again = HubRig(store=rig.store)
        if "ann" in {row.name for row in again.hub.admin_commands.users()}:
            act(again, "delete_user", "ann", remove=remove, progress=lambda _: None)
        bob = again.member("bob")
        again.do(bob, History(ref=1, room="lobby"))
        assert {message.name for message in bob.last(HistoryPage).messages} <= {""}
        assert refusal(hello(again, "ann", token=token)) is ErrorCode.LOGIN_EXPIRED


@pytest.mark.parametrize("remove", [False, True])
def test_what_is_written_to_somebody_who_is_being_deleted_does_not_keep_the_name(remove: bool) -> None:
    for steps in range(8):
        rig = HubRig()
        ann, bob = rig.member("ann", "1" * 32), rig.member("bob")
        register(rig, ann)
        ann_id = ann.last(Welcome).sender_id
        rig.hub.admin_commands.delete_user("root", "ann", remove=remove, progress=lambda _: None, done=lambda _: None)
        for _ in range(steps):
            rig.step()
        rig.do(bob, Direct(client_id=1, to=ann_id, text="are you there?"), settle=False)
        rig.settle()
        assert not rig.hub._directory.being_deleted
        rig.do(bob, History(ref=1, peer=ann_id))
        assert {message.to_name for message in bob.last(HistoryPage).messages} <= {""}, steps


def test_a_mistyped_address_is_no_name(rig: HubRig) -> None:
    for target in ("10.0.0.300", "10.0.0.0/99", "10.0.0", "2001:db8::/200", "fe80:::1"):
        with pytest.raises(Refusal) as refused:
            act(rig, "ban", target, reason="", duration_s=None)
        assert refused.value.code is ErrorCode.INVALID


def test_what_lasts_for_a_time_lasts_exactly_so_long_whenever_the_clock_ticks(
    rig: HubRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(rig, rig.member("ann"))
    ticks = itertools.count(rig.wall_ms())
    monkeypatch.setattr(rig.hub._directory, "wall_ms", lambda: next(ticks))  # between any two looks
    mute = act(rig, "mute", "ann", reason="", duration_s=600.0)
    assert mute.until_ms - mute.made_at_ms == 600_000
    ban = act(rig, "ban", "192.0.2.7", reason="", duration_s=600.0).ban
    assert ban.until_ms - ban.made_at_ms == 600_000
    hello(rig, "ann", password=PASSWORD)
    login = max(rig.hub._directory.logins.values(), key=lambda login: login.login_id)
    assert (login.expires_at_ms - login.used_at_ms) % 86_400_000 == 0
