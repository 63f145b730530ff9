"""Who gets in: the hub as a state machine, with accounts, guests, invites, bans and logins, held against a model.

The model is a few sets and dictionaries that say who may be in at this moment. The machine interleaves everything with
the log's answers in any order of events: a hello may be under way while its login is ended, its account deleted, its
invite revoked or its network banned. The one law: nobody is in who should not be, and whoever should be let in is.
"""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from securechat.errors import ErrorCode, Refusal
from securechat.hub.admin.commands import CreatedInvite
from securechat.hub.interfaces import Access
from securechat.model import (
    ChangePassword,
    Hello,
    Logout,
    Nick,
    Quit,
    Refused,
    Register,
    Registered,
    Welcome,
)
from securechat.records.accounts import Ban, Invite, Role
from securechat.records.log import NotAppended
from tests.support.hub_rig import FakePeer, HubRig

NAMES = ("ann", "bob", "cyd")
PASSWORDS = ("first password", "second password")
HOSTS = ("203.0.113.1", "198.51.100.2")
names, passwords, hosts = st.sampled_from(NAMES), st.sampled_from(PASSWORDS), st.sampled_from(HOSTS)


class AccessMachine(RuleBasedStateMachine):
    """See the module."""

    access: Access

    @initialize(access=st.sampled_from(list(Access)))
    def begin(self, access: Access) -> None:
        self.access = access
        self.rig = HubRig(access=access)
        self.peers: list[FakePeer] = []
        self.said: dict[FakePeer, Hello] = {}
        self.tokens: dict[str, str] = {}  # token -> name of its account when it was given
        self.ids: dict[str, int] = {}
        self.invites: list[str] = []
        self.secrets = 0

    # --- Strangers ------------------------------------------------------------------------------------------------

    def _hello(self, name: str, host: str, **proof: Any) -> None:
        self.secrets += 1
        peer = self.rig.peer(host)
        self.peers.append(peer)
        self.said[peer] = Hello(version=1, name=name, secret=f"{self.secrets:032x}", **proof)
        self.rig.do(peer, self.said[peer], settle=False)

    @rule(name=names, host=hosts)
    def come_as_guest(self, name: str, host: str) -> None:
        self._hello(name, host)

    @rule(name=names, host=hosts, password=passwords)
    def come_with_password(self, name: str, host: str, password: str) -> None:
        self._hello(name, host, password=password)

    @precondition(lambda self: self.tokens)
    @rule(data=st.data(), name=names, host=hosts)
    def come_with_token(self, data: st.DataObject, name: str, host: str) -> None:
        self._hello(name, host, token=data.draw(st.sampled_from(sorted(self.tokens))))

    @precondition(lambda self: self.invites)
    @rule(data=st.data(), name=names, host=hosts, password=passwords)
    def come_with_invite(self, data: st.DataObject, name: str, host: str, password: str) -> None:
        self._hello(name, host, invite=data.draw(st.sampled_from(self.invites)), password=password)

    # --- Members --------------------------------------------------------------------------------------------------

    def _members(self) -> list[FakePeer]:
        return [peer for peer in self.peers if self.rig.hub.is_member(peer)]

    @precondition(lambda self: self._members())
    @rule(data=st.data(), what=st.sampled_from(["register", "quit", "logout", "nick", "password", "lose"]))
    def act(self, data: st.DataObject, what: str) -> None:
        peer = data.draw(st.sampled_from(self._members()))
        match what:
            case "register":
                self.rig.do(peer, Register(ref=1, password=data.draw(passwords)), settle=False)
            case "quit":
                self.rig.do(peer, Quit(), settle=False)
            case "logout":
                self.rig.do(peer, Logout(ref=2), settle=False)
            case "nick":
                self.rig.do(peer, Nick(ref=3, name=data.draw(names)), settle=False)
            case "password":
                old, new = data.draw(passwords), data.draw(passwords)
                self.rig.do(peer, ChangePassword(ref=4, old=old, new=new), settle=False)
            case "lose":
                self.rig.hub.lost(peer)

    # --- The steward ----------------------------------------------------------------------------------------------

    @rule(uses=st.integers(1, 2))
    def invite(self, uses: int) -> None:
        def done(answer: CreatedInvite | NotAppended) -> None:
            assert isinstance(answer, CreatedInvite)
            self.invites.append(answer.token)

        self.rig.hub.admin_commands.invite("admin", uses=uses, days=7, room=None, done=done)

    @precondition(lambda self: any(self.rig.hub.admin_commands.invites()))
    @rule(data=st.data())
    def revoke(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from([row.invite_id for row in self.rig.hub.admin_commands.invites()]))
        self.rig.hub.admin_commands.revoke("admin", number, _nothing)

    @rule(whom=st.sampled_from([*NAMES, *HOSTS, "203.0.113.0/24"]), lasting=st.booleans())
    def ban(self, whom: str, lasting: bool) -> None:
        duration_s = None if lasting else 60.0
        self.rig.hub.admin_commands.ban("admin", whom, reason="", duration_s=duration_s, done=_nothing)

    @rule(whom=st.sampled_from([*NAMES, *HOSTS, "203.0.113.0/24"]))
    def unban(self, whom: str) -> None:
        self._try(lambda: self.rig.hub.admin_commands.unban("admin", whom, _nothing))

    @rule(name=names, what=st.sampled_from(["kick", "reset", "delete", "role"]))
    def order(self, name: str, what: str) -> None:
        steward = self.rig.hub.admin_commands
        match what:
            case "kick":
                self._try(lambda: steward.kick("admin", name, "", _nothing))
            case "reset":
                self._try(lambda: steward.reset_password("admin", name, _nothing))
            case "delete":
                self._try(lambda: steward.delete_user("admin", name, remove=False, progress=_nothing, done=_nothing))
            case "role":
                self._try(lambda: steward.role("admin", name, Role.ADMIN, _nothing))

    def _try(self, act: Any) -> None:
        try:
            act()
        except Refusal as refusal:
            assert refusal.code in {ErrorCode.NOT_FOUND, ErrorCode.BUSY}

    # --- The world ------------------------------------------------------------------------------------------------

    @rule(steps=st.integers(1, 4))
    def let_the_log_work(self, steps: int) -> None:
        for _ in range(steps):
            self.rig.step()

    @rule()
    def let_everything_settle(self) -> None:
        self.rig.settle()
        self._learn()
        self._everybody_was_answered()

    @rule(seconds=st.sampled_from([1.0, 40.0, 130.0, 86_400.0 * 31]))
    def wait(self, seconds: float) -> None:
        self.rig.settle()
        self._learn()
        self.rig.pass_time(seconds)

    @rule()
    def restart(self) -> None:
        """A crash: what the log had not stored is gone."""
        self._learn()
        now = self.rig.now
        self.rig.log.abandon()
        self.rig = HubRig(access=self.access, store=self.rig.store)
        self.rig.now = now + 1
        self.peers.clear()
        self.said.clear()

    def _learn(self) -> None:
        for peer in self.peers:
            for event in peer.of(Welcome):
                if event.token:
                    self.tokens.setdefault(event.token, event.name)
            for registered in peer.of(Registered):
                self.tokens.setdefault(registered.token, registered.name)

    def _everybody_was_answered(self) -> None:
        for peer in self.peers:
            assert peer.events or peer.closed, "a hello without an answer"

    # --- The laws -------------------------------------------------------------------------------------------------

    @invariant()
    def nobody_is_in_who_should_not_be(self) -> None:
        if not hasattr(self, "rig"):
            return
        hub, registry = self.rig.hub, self.rig.hub._directory
        for peer in self._members():
            member = hub._connections[peer].member
            hello = self.said[peer]
            assert not _banned(registry.bans.values(), peer, member, registry.wall_ms()), "a banned one is in"
            account = registry.accounts.get(member.sender_id)
            if account is None:
                assert self.access is Access.OPEN, "a guest among members"
                assert hello.password is None or hello.invite is not None
                assert all(other.key != member.key for other in registry.accounts.values()), "a guest has its name"
            else:
                assert member.name == account.name
                assert hello.password or hello.token or hello.invite or peer.of(Registered), "no proof"
            login = hub._connections[peer].login_id
            assert not login or login in registry.logins, "its login was ended"

    @invariant()
    def names_are_somebodys_alone(self) -> None:
        if hasattr(self, "rig"):
            keys = [member.key for member in self.rig.hub.context.members.values()]
            assert len(keys) == len(set(keys))

    @invariant()
    def invites_are_never_used_up_twice(self) -> None:
        if hasattr(self, "rig"):
            for invite in self.rig.hub.admin_commands.invites():
                assert isinstance(invite, Invite)
                assert len(invite.used_by) <= invite.uses

    @invariant()
    def the_disk_agrees(self) -> None:
        """When nothing is under way, memory and disk hold the same people."""
        if hasattr(self, "rig") and not self.rig.posted:
            again = HubRig(access=self.access, store=self.rig.store).hub._directory
            mine = self.rig.hub._directory
            assert mine.accounts == again.accounts
            assert mine.logins == again.logins
            assert mine.invites == again.invites
            assert mine.bans == again.bans

    @invariant()
    def no_stranger_is_told_anything(self) -> None:
        if not hasattr(self, "rig"):
            return
        for peer in self.peers:
            if not peer.of(Welcome):
                assert all(isinstance(event, Refused) or event is peer.closed for event in peer.events)


def _banned(bans: Any, peer: FakePeer, member: Any, now_ms: int) -> bool:
    def hits(ban: Ban) -> bool:
        if ban.until_ms is not None and ban.until_ms <= now_ms:
            return False
        match ban.kind.value:
            case "network":
                return peer.host.startswith(ban.target.split("/")[0].removesuffix(".0"))
            case "account":
                return ban.target == str(member.sender_id)
            case _:
                return not member.account and ban.target == member.key

    return any(hits(ban) for ban in bans)


def _nothing(_: object) -> None:
    """For answers the machine does not wait for."""


@pytest.mark.parametrize("examples", [50, pytest.param(250, marks=pytest.mark.slow)])
def test_access_is_as_in_the_model(examples: int) -> None:
    thorough = settings(
        max_examples=examples,
        stateful_step_count=40,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
    )
    run_state_machine_as_test(AccessMachine, settings=thorough)
