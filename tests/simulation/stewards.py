"""The administrator: invites, kicks, bans, mutes, ends logins, deletes accounts; and forgives everybody in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securechat.errors import ErrorCode, Refusal
from securechat.hub.admin.commands import CreatedInvite, NewBan
from securechat.records.accounts import Ban, Mute, Role
from securechat.records.log import NotAppended

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from tests.simulation.people import Person
    from tests.simulation.world import World


class Administrator:
    """Acts through the hub's steward, as `securechat-admin` does.

    Attributes:
        is_busy: whether the forgiving at the end is not over yet.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.is_busy = False
        self._rng = world.chance.dice("administrator")
        self._nothing_left = 0
        self._acts: tuple[Callable[[Person], None], ...] = (
            self._kick, self._ban, self._unban, self._mute, self._mute, self._mute, self._unmute, self._promote,
            self._invite, self._end_session, self._end_session, self._reset_password, self._announce, self._delete,
        )  # fmt: skip
        self._ambushes = (self._ban, self._end_session, self._kick, self._delete)

    def act(self, dice: random.Random) -> None:
        """Do something to somebody."""
        self._do(dice.choice(self._acts), dice.choice(self.world.people), dice)

    def _do(self, act: Callable[[Person], None], person: Person, dice: random.Random) -> None:
        world, self._rng = self.world, dice
        if not world.server.alive or world.server.log.failure is not None:
            return
        world.clock.note("administrator", f"{act.__name__[1:]} {person.name}")
        try:
            act(person)
        except Refusal as refusal:
            world.clock.note("administrator", f"is refused: {refusal}")
        world.server.passes.wake()

    def kick(self, person: Person, dice: random.Random) -> None:
        """End somebody's connections."""
        if not self.world.calm:
            self._do(self._kick, person, dice)

    def delete(self, person: Person, dice: random.Random) -> None:
        """Delete somebody's account, if there is one."""
        if not self.world.calm:
            self._do(self._delete, person, dice)

    def act_on_maker(self, person: Person, dice: random.Random) -> None:
        """Act on a member who has made bots: with what ends their rights, and what gives them back."""
        acts = (self._ban, self._ban, self._unban, self._unban, self._mute, self._unmute, self._delete, self._kick)
        if not self.world.calm:
            self._do(dice.choice(acts), person, dice)

    def ambush(self, person: Person, dice: random.Random, share: float = 0.2) -> None:
        """Act, in this share of all cases, against somebody who is just saying hello: the worst moment."""
        world = self.world
        if "admin" in world.flavour and not world.calm and dice.random() < share:
            act = dice.choice(self._ambushes)
            world.clock.call_later(dice.uniform(0.0, 0.1), lambda: None if world.calm else self._do(act, person, dice))

    def _kick(self, person: Person) -> None:
        name = person.name

        def done(ended: int | NotAppended) -> None:
            if isinstance(ended, int):
                self.world.law.expelled(name)

        for each in self.world.people:
            if person.name in each.known_as:
                self.world.law.kicked.add(each.number)
        self.world.server.admin_commands.kick("root", name, "", done)

    def _ban(self, person: Person) -> None:
        world, law = self.world, self.world.law
        target = self._rng.choice((person.name, person.name, person.address))
        duration_s = self._rng.choice((None, 2.0, 30.0))

        def done(made: NewBan | NotAppended) -> None:
            if isinstance(made, NewBan):
                bans = (made.ban, *made.further)
                again = {(ban.kind, ban.target) for ban in bans}
                law.bans = {n: old for n, old in law.bans.items() if (old.kind, old.target) not in again}
                law.bans |= {ban.ban_id: ban for ban in bans}
                law.check_seats(in_batch=True)

        for each in world.people:
            if target in each.known_as:
                each.was_banned = True
        person.was_banned = True
        law.bans = {n: old for n, old in law.bans.items() if old.shown != target}
        world.server.admin_commands.ban("root", target, reason="", duration_s=duration_s, done=done)

    def _unban(self, person: Person) -> None:
        law = self.world.law
        for ban in list(self.world.server.hub._directory.bans.values()):
            law.bans.pop(ban.ban_id, None)
            self.world.server.admin_commands.unban("root", str(ban.ban_id), self._unbanned)

    def _mute(self, person: Person) -> None:
        law = self.world.law

        def done(mute: Mute | NotAppended) -> None:
            if isinstance(mute, Mute):
                law.muted(mute)
                for device in person.devices:
                    person.later(0.0, 0.3, lambda one=device: self.world.provoke(one))
                if duration_s == 1.0 and not self.world.calm:
                    person.later(1.0, 1.2, lambda: self._do(self._mute_and_tidy_up, person, self._rng))

        duration_s = self._rng.choice((None, 1.0, 1.0, 5.0))
        core = person.devices[0].core
        if core is not None:
            law.mutes.pop(core.me.id, None)
        law.about_to_mute()
        self.world.server.admin_commands.mute("root", person.name, reason="", duration_s=duration_s, done=done)

    def _mute_and_tidy_up(self, person: Person) -> None:
        """The old mute is over, and the new one is not stored yet, when what is over is forgotten."""
        self._mute(person)
        self.world.law.tidied()
        self.world.server.tidy()

    def _unmute(self, person: Person) -> None:
        for mute in list(self.world.server.hub._directory.mutes.values()):
            self.world.law.mutes.pop(mute.sender_id, None)
            self.world.server.admin_commands.unmute("root", mute.name, self._unmuted)

    def _unbanned(self, bans: list[Ban] | NotAppended) -> None:
        for ban in bans if isinstance(bans, list) else ():
            self.world.law.bans.pop(ban.ban_id, None)

    def _unmuted(self, mute: Mute | NotAppended) -> None:
        if isinstance(mute, Mute):
            self.world.law.mutes.pop(mute.sender_id, None)

    def _invite(self, person: Person) -> None:
        world = self.world

        def done(made: CreatedInvite | NotAppended) -> None:
            if isinstance(made, CreatedInvite):
                world.invites.append(made.token)

        room = self._rng.choice((None, "ops"))
        world.server.admin_commands.invite("root", uses=self._rng.choice((1, 2)), days=1.0, room=room, done=done)

    def _end_session(self, person: Person) -> None:
        world = self.world
        logins = list(world.server.hub._directory.logins.values())
        if not logins:
            return
        login = self._rng.choice(logins)

        def done(answer: object) -> None:
            if not isinstance(answer, NotAppended):
                world.law.ended_tokens.add(login.token_hash)
                world.law.ended_logins.add(login.login_id)

        for each in world.people:
            each.lost_logins = True
        world.server.admin_commands.end_session("root", login.login_id, done)

    def _reset_password(self, person: Person) -> None:
        def done(password: str | NotAppended) -> None:
            if isinstance(password, str):
                person.passwords.append(password)

        person.lost_logins = True
        self.world.server.admin_commands.reset_password("root", person.name, done)

    def _announce(self, person: Person) -> None:
        self.world.server.admin_commands.announce("root", "tea is ready", lambda _: None)

    def _promote(self, person: Person) -> None:
        role = self._rng.choice((Role.ADMIN, Role.MEMBER, Role.MEMBER))
        self.world.server.admin_commands.role("root", person.name, role, lambda _: None)

    def _delete(self, person: Person) -> None:
        world, remove = self.world, self._rng.random() < 0.5
        account = world.server.hub._directory.account_named(person.name)
        if account is None:
            raise Refusal(ErrorCode.NOT_FOUND, "nobody of that name has an account")

        def done(count: int | NotAppended) -> None:
            if not isinstance(count, NotAppended):
                world.law.deleted(account.sender_id, remove=remove)
                world.law.expelled(account.name)

        for each in world.people:
            if account.sender_id in each.ids:
                each.lost_logins = each.may_be_invalid = True
                world.law.kicked.add(each.number)
        world.temptation.somebody_goes(account.sender_id)
        world.server.admin_commands.delete_user("root", account.name, remove=remove, progress=lambda _: None, done=done)

    def pardon_all(self) -> None:
        """Lift every ban and mute, again and again until it is done."""
        world = self.world
        self.is_busy = True  # a ban may still be on its way to the disk: look several times
        registry = world.server.hub._directory
        if world.server.alive and world.server.log.failure is None:
            if not registry.bans and not registry.mutes:
                self._nothing_left += 1
                if self._nothing_left == 4:
                    self.is_busy = False
                    return
            for undo in (self._unban, self._unmute):
                try:
                    undo(world.people[0])
                except Refusal as refusal:
                    world.clock.note("administrator", f"is refused: {refusal}")
            world.server.passes.wake()
        world.clock.call_later(0.5, self.pardon_all)
