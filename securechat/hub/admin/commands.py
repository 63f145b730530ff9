"""The administrator's commands: invites, kicks, bans, mutes, passwords, roles, deletions and announcements.

Each act is durable, and written into the audit in the same transaction, before it is told or has any effect. A broken
rule is refused at once; ``done`` hears the outcome, or NotAppended when it could not be stored. The commands do not ask
who the administrator is: the caller decides that, and names them (``actor``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_network
from math import ceil
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from securechat.errors import Refusal
from securechat.hub.accounts.authentication import banned
from securechat.hub.accounts.deletion import AccountDeletion
from securechat.hub.accounts.directory import hash_of
from securechat.hub.accounts.login_throttle import LoginThrottle
from securechat.hub.accounts.self_service import AccountService
from securechat.hub.admin.reports import AdminReports, is_open
from securechat.hub.admin.rooms import RoomReports
from securechat.hub.context import HubContext
from securechat.hub.disconnection import Disconnection
from securechat.hub.interfaces import Peer
from securechat.hub.members import MemberConnection
from securechat.hub.programs.admin import ProgramCommands
from securechat.hub.programs.makers import MakersRights
from securechat.hub.programs.tokens import ApiTokens
from securechat.hub.rooms.membership import RoomMembership
from securechat.hub.slices import Slices
from securechat.hub.workflow import Commit, HashPassword, Turn, Workflow, amend
from securechat.limits import SECRET_BYTES
from securechat.model import Closing, Notice
from securechat.records.accounts import (
    Account,
    AccountKind,
    Ban,
    BanKind,
    Change,
    Committed,
    Drop,
    Invite,
    Login,
    Mute,
    Put,
    Role,
)
from securechat.records.log import NotAppended
from securechat.text.confusables import skeleton
from securechat.text.counts import counted
from securechat.text.durations import logged_duration
from securechat.text.names import check_name, check_room, name_key
from securechat.text.refusals import refusal_for

_T = TypeVar("_T")
_DAY_MS = 86_400_000
_TEMPORARY_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
"""31 characters that are not mistaken for one another when a password is read aloud."""
_TEMPORARY_CHARS = 16
"""79 bits."""
_MAPPED_BITS = 96
"""In front of an IPv4 address that is written as an IPv6 one (RFC 4291, section 2.5.5.2)."""
_LIKE_AN_ADDRESS = re.compile(r"[\d.]+(/\d*)?|\[?[0-9a-fA-F:]*:[0-9a-fA-F:.]*\]?(/\d*)?")
"""Matches an address that was mistyped: better a refusal than a ban on a name."""
MOST_DAYS = 3650
"""Of an invite, a ban or a mute: ten years."""
MOST_USES = 10_000
"""Of an invite."""
_ANNOUNCEMENT_CHARS = 1000
_STOPPED = Closing.of(refusal_for("bot_stopped"))
_LOGGED_OUT = Closing.of(refusal_for("logged_out_by_administrator"))
_PASSWORD_RESET = Closing.of(refusal_for("password_reset_by_administrator"))


class CreatedInvite(Struct, frozen=True, gc=False):
    """A new invite, and the token that only its link carries."""

    invite: Invite
    token: str

    def __repr__(self) -> str:
        return f"InviteMade({self.invite!r})"


class NewBan(Struct, frozen=True, gc=False):
    """A new ban, with what it covers.

    Attributes:
        ban: on the target as it was given.
        further: made along with it, on a guest's secret and on addresses.
        addresses: from which the target was connected.
    """

    ban: Ban
    further: tuple[Ban, ...] = ()
    addresses: tuple[str, ...] = ()


class AdminCommands(AdminReports):
    """Administers a hub.

    Args:
        context: as `AdminReports`.
        login_throttle: forgets the wrong passwords when a password is reset.
        account_service: ends logins.
        room_membership: ends the memberships of deleted accounts.
        disconnection: ends connections.
        slices: does long jobs between other work.
        api_tokens: knows which bots stop with a ban.
        makers_rights: takes bots out of rooms that their maker may not see any more.
        programs: the commands for bots, webhooks and tokens.

    Attributes:
        room_admin: lists and removes rooms.
        programs: as given.
    """

    def __init__(
        self,
        context: HubContext,
        login_throttle: LoginThrottle,
        account_service: AccountService,
        room_membership: RoomMembership,
        disconnection: Disconnection,
        slices: Slices,
        api_tokens: ApiTokens,
        makers_rights: MakersRights,
        programs: ProgramCommands,
    ) -> None:
        super().__init__(context)
        self.programs = programs
        self._api_tokens = api_tokens
        self._makers_rights = makers_rights
        self.room_admin = RoomReports(context)
        self._broadcaster = context.broadcaster
        self._workflows = context.workflows
        self._login_throttle = login_throttle
        self._account_service = account_service
        self._deletion = AccountDeletion(context, account_service, room_membership, disconnection)
        self._disconnection = disconnection
        self._slices = slices

    # --- Invites --------------------------------------------------------------------------------------------------

    def invite(
        self,
        actor: str,
        *,
        uses: int,
        days: float,
        room: str | None,
        done: Callable[[CreatedInvite | NotAppended], None],
    ) -> None:
        """Make an invite.

        Raises:
            Refusal: INVALID for a number that makes no sense, ROOM_INVALID, TOO_MANY open ones.
        """
        if not 1 <= uses <= MOST_USES:
            raise refusal_for("invite_uses_out_of_range", most=MOST_USES)
        if not 0 < days <= MOST_DAYS:
            raise refusal_for("invite_days_out_of_range", most=MOST_DAYS)
        name = check_room(room) if room is not None else None
        if name is not None:
            self._expect_distinct(name)
        token = self._keys.token_bytes(SECRET_BYTES).hex()
        now_ms = self._directory.wall_ms()
        open_invites = sum(is_open(row, now_ms) for row in self._directory.invites.values())
        if open_invites >= self._context.limits.open_invites:
            raise refusal_for("too_many_invites", count=open_invites)
        invite = Invite(
            invite_id=self._directory.number(),
            token_hash=hash_of(token),
            uses=uses,
            made_by=actor,
            made_at_ms=now_ms,
            expires_at_ms=now_ms + int(days * _DAY_MS),
            room=name,
        )
        detail = f"{counted(uses, 'use')}, {counted(days, 'day')}" + (f", #{invite.room}" if invite.room else "")
        note = self._directory.note(actor, "invite", str(invite.invite_id), detail)

        def act() -> Workflow[CreatedInvite]:
            yield Commit((Put(invite), note))
            return CreatedInvite(invite, token)

        self._workflows.report(act(), done)

    def _expect_distinct(self, room: str) -> None:
        """Require that an invite's room is there, or looks like none that is."""
        rooms = self._context.rooms
        there = rooms.named(room)
        if (there is None or there.record is None) and (other := rooms.look_alike(room, there)) is not None:
            raise refusal_for("room_looks_like", room=room, other=other.name)

    def revoke(self, actor: str, invite_id: int, done: Callable[[Invite | NotAppended], None]) -> None:
        """Take an invite back.

        Raises:
            Refusal: NOT_FOUND.
        """
        if invite_id not in self._directory.invites:
            raise refusal_for("unknown_invite", invite=invite_id)

        def edit(row: Invite) -> Invite:
            ended_ms = min(row.expires_at_ms, self._directory.wall_ms())  # it is forgotten some time after its end
            return replace(row, revoked=True, expires_at_ms=ended_ms)

        def act() -> Workflow[Invite]:
            note = self._directory.note(actor, "revoke", str(invite_id))
            yield from amend(self._directory, Invite, invite_id, edit, (note,))
            return self._directory.invites[invite_id]

        self._workflows.report(act(), done)

    # --- Moderation -----------------------------------------------------------------------------------------------

    def kick(self, actor: str, name: str, reason: str, done: Callable[[int | NotAppended], None]) -> None:
        """End every connection of a member, who may connect again.

        Raises:
            Refusal: NOT_FOUND, no member has this name.
        """
        member = self._present(name)
        refusal = (
            refusal_for("kicked_by_administrator_because", why=reason)
            if reason
            else refusal_for("kicked_by_administrator")
        )

        def act() -> Workflow[int]:
            yield Commit((self._directory.note(actor, "kick", member.name, reason),))
            return self._disconnection.end_member(member.sender_id, Closing.of(refusal))

        self._workflows.report(act(), done)

    def ban(
        self,
        actor: str,
        target: str,
        *,
        reason: str,
        duration_s: float | None,
        done: Callable[[NewBan | NotAppended], None],
        address: bool = False,
    ) -> None:
        """Keep an account, a guest, an address or a network out, and end its connections.

        A ban on a guest is on its name, and, if it is here, on the secret of its client, so that another name does not
        lead around it. With ``address``, the addresses from which the target is connected are banned too.

        Raises:
            Refusal: NAME_INVALID; INVALID for a duration that makes no sense; NOT_FOUND where no address is known.
        """
        kind, what = self._ban_target(target)
        sender_id = self._sender_of(kind, what)
        hosts = self._hosts_of(sender_id)
        if address and not hosts:
            raise refusal_for("no_address_known")
        now_ms = self._directory.wall_ms()
        until_ms = _until(duration_s, now_ms)
        targets = [(kind, what)]
        if kind is BanKind.NAME and sender_id is not None:
            targets.append((BanKind.GUEST, str(sender_id)))
        targets += [self._ban_target(host) for host in (hosts if address else ())]
        bans = [Ban(self._directory.number(), *each, target, reason, actor, now_ms, until_ms) for each in targets]
        note = self._directory.note(actor, "ban", target, _audited(duration_s, reason))
        old = [Drop(Ban, row.ban_id) for each in targets for row in self._directory.banned.of(*each)]

        def act() -> Workflow[NewBan]:
            yield Commit((*old, *map(Put, bans), note))
            self._slices.begin(self._end_banned())
            return NewBan(bans[0], tuple(bans[1:]), hosts)

        self._workflows.report(act(), done)

    def unban(self, actor: str, target: str, done: Callable[[list[Ban] | NotAppended], None]) -> None:
        """Lift a ban, by its number or by its target as written.

        Raises:
            Refusal: NOT_FOUND.
        """
        found = [ban for ban in self._directory.bans.values() if target in (str(ban.ban_id), ban.shown)]
        if not found:
            try:
                wanted = self._ban_target(target)
            except Refusal:
                wanted = None
            found = [] if wanted is None else self._directory.banned.of(*wanted)
        if not found:
            raise refusal_for("unknown_ban")
        made = {(ban.shown, ban.made_at_ms, ban.made_by) for ban in found}  # a guest's are lifted as they were made
        found = [
            ban for ban in self._directory.bans.values()
            if ban in found or (ban.shown, ban.made_at_ms, ban.made_by) in made
        ]  # fmt: skip

        def act() -> Workflow[list[Ban]]:
            drops: list[Change] = [Drop(Ban, ban.ban_id) for ban in found]
            yield Commit((*drops, self._directory.note(actor, "unban", target)))
            return found

        self._workflows.report(act(), done)

    def mute(
        self,
        actor: str,
        name: str,
        *,
        reason: str,
        duration_s: float | None,
        done: Callable[[Mute | NotAppended], None],
    ) -> None:
        """Let a member read but not write.

        Raises:
            Refusal: NOT_FOUND, or INVALID for a duration that makes no sense.
        """
        sender_id = self._find(name)
        shown = self._name_of(sender_id)
        now_ms = self._directory.wall_ms()
        mute = Mute(sender_id, shown, reason, actor, now_ms, _until(duration_s, now_ms))
        note = self._directory.note(actor, "mute", shown, _audited(duration_s, reason))

        def act() -> Workflow[Mute]:
            yield from self._change_mute(sender_id, (Put(mute), note))
            self._tell_member(sender_id, _muted(duration_s, reason))
            return mute

        self._workflows.report(act(), done)

    def unmute(self, actor: str, name: str, done: Callable[[Mute | NotAppended], None]) -> None:
        """Let a member write again.

        Raises:
            Refusal: NOT_FOUND, no member of this name is muted.
        """
        key = name_key(name)
        mutes = [row for row in self._directory.mutes.values() if name_key(row.name) == key]
        held = self._directory.account_named(name) or self._by_key.get(key)
        if not mutes and held is not None and (found := self._directory.mutes.get(held.sender_id)) is not None:
            mutes = [found]
        if not mutes:
            raise refusal_for("not_muted")

        def act() -> Workflow[Mute]:
            first, *others = mutes
            muted = {sender for mute in mutes for sender in self._directory.muted_by(mute)}
            note = self._directory.note(actor, "unmute", first.name)
            yield from self._change_mute(first.sender_id, (Drop(Mute, first.sender_id), note))
            for mute in others:  # each client of a muted guest's name has one of its own
                if mute.sender_id in self._directory.mutes:
                    yield from self._change_mute(mute.sender_id, (Drop(Mute, mute.sender_id),))
            for sender_id in muted:
                if self._directory.mute_on(sender_id) is None:
                    self._tell_member(sender_id, refusal_for("unmuted_by_administrator"))
            return first

        self._workflows.report(act(), done)

    def _change_mute(self, sender_id: int, changes: Sequence[Change]) -> Workflow[None]:
        """One after the other for each member: housekeeping may be dropping an earlier mute."""
        with (yield Turn((Mute, sender_id))):
            yield Commit(changes)

    # --- Accounts -------------------------------------------------------------------------------------------------

    def end_session(self, actor: str, login_id: int, done: Callable[[Login | NotAppended], None]) -> None:
        """End a login and its connections.

        Raises:
            Refusal: NOT_FOUND.
        """
        login = self._directory.logins.get(login_id)
        if login is None:
            raise refusal_for("unknown_session", session=login_id)

        def act() -> Workflow[Login]:
            note = self._directory.note(actor, "logout", self._name_of(login.sender_id), f"login {login_id}")
            yield Commit((Drop(Login, login_id), note))
            self._account_service.end_logins({login_id}, _LOGGED_OUT)
            return login

        self._workflows.report(act(), done)

    def reset_password(self, actor: str, name: str, done: Callable[[str | NotAppended], None]) -> None:
        """Give an account a temporary password, and end all its logins; certificates stay.

        Raises:
            Refusal: NOT_FOUND, or BUSY when too many passwords are being hashed.
        """
        account = self._person(name)
        password = self._temporary_password()

        def act() -> Workflow[str]:
            phc = yield HashPassword(password)
            drops = [Drop(Login, row.login_id) for row in self._directory.logins_of(account.sender_id)]
            yield from amend(
                self._directory,
                Account,
                account.sender_id,
                lambda row: replace(row, password=phc, must_change=True),
                (*drops, self._directory.note(actor, "reset-password", account.name)),
            )
            self._login_throttle.reset(account.key)
            self._account_service.end_sessions(account.sender_id, None, _PASSWORD_RESET)
            self._tell_member(account.sender_id, refusal_for("password_reset_beside_certificate"))
            return password

        self._workflows.report(act(), done)

    def role(self, actor: str, name: str, role: Role, done: Callable[[Account | NotAppended], None]) -> None:
        """Give an account a role.

        Raises:
            Refusal: NOT_FOUND.
        """
        account = self._person(name)

        def act() -> Workflow[Account]:
            note = self._directory.note(actor, "role", account.name, role.value)
            before = self._directory.accounts[account.sender_id].role
            yield from amend(self._directory, Account, account.sender_id, lambda row: replace(row, role=role), (note,))
            if role is not before:
                is_admin = role is Role.ADMIN
                self._makers_rights.look_at(account.sender_id)
                notice = refusal_for("made_administrator" if is_admin else "no_longer_administrator")
                self._tell_member(account.sender_id, notice)
            return self._directory.accounts[account.sender_id]

        self._workflows.report(act(), done)

    def delete_user(
        self,
        actor: str,
        name: str,
        *,
        remove: bool,
        progress: Callable[[float], None],
        done: Callable[[int | NotAppended], None],
    ) -> None:
        """Delete an account: its logins end and its name is free. Its messages lose its name, or (``remove``) go too.

        ``progress`` goes from 0 to 1. If it is cut short, the same command finishes it; see `AccountDeletion`.

        Raises:
            Refusal: NOT_FOUND.
        """
        account = self._person(name)
        note = self._directory.note(actor, "delete-user", account.name, "messages " + ("removed" if remove else "kept"))
        self._workflows.report(self._deletion.delete(account, remove=remove, note=note, progress=progress), done)

    # --- The whole server -----------------------------------------------------------------------------------------

    def announce(self, actor: str, text: str, done: Callable[[int | NotAppended], None]) -> None:
        """Show a notice to all members who are here; it is part of no history. ``done`` hears how many they are.

        Raises:
            Refusal: TEXT_EMPTY or TEXT_TOO_LONG.
        """
        if not text.strip():
            raise refusal_for("announcement_empty")
        if len(text) > _ANNOUNCEMENT_CHARS:
            raise refusal_for("announcement_too_long", most=_ANNOUNCEMENT_CHARS)

        def act() -> Workflow[int]:
            yield Commit((self._directory.note(actor, "announce", "", text),))
            self._broadcaster.broadcast(list(self._connections), [Notice(text, self._directory.wall_ms())])
            return len({connection.member.sender_id for connection in self._connections.values()})

        self._workflows.report(act(), done)

    def note(
        self, actor: str, act: str, target: str, detail: str, done: Callable[[Committed | NotAppended], None]
    ) -> None:
        """Write into the audit what an administrator did by other means."""
        self._context.changes.commit((self._directory.note(actor, act, target, detail),), done)

    def _tell_member(self, sender_id: int, what: Refusal) -> None:
        """Tell a member alone what an administrator has done, on each of its connections."""
        member = self._members.get(sender_id)
        if member is not None and member.peers:
            self._broadcaster.broadcast(list(member.peers), [Notice.of(what, self._directory.wall_ms())])

    # --- Parts ------------------------------------------------------------------------------------------------------

    def _account(self, name: str) -> Account:
        account = self._directory.account_named(name)
        if account is None:
            raise refusal_for("unknown_account")
        return account

    def _person(self, name: str) -> Account:
        account = self._account(name)
        if account.kind is not AccountKind.PERSON:
            raise refusal_for("account_is_bot")
        return account

    def _ban_target(self, target: str) -> tuple[BanKind, str]:
        try:
            network = ip_network(target.strip("[]"), strict=False)
        except ValueError:
            if _LIKE_AN_ADDRESS.fullmatch(target):
                raise refusal_for("network_invalid") from None
        else:
            mapped = getattr(network.network_address, "ipv4_mapped", None)
            if mapped is not None and network.prefixlen >= _MAPPED_BITS:
                network = ip_network((mapped, network.prefixlen - _MAPPED_BITS))
            return BanKind.NETWORK, str(network)
        account = self._directory.account_named(target)
        if account is not None:
            return BanKind.ACCOUNT, str(account.sender_id)
        return BanKind.NAME, skeleton(check_name(target))

    def _sender_of(self, kind: BanKind, target: str) -> int | None:
        """Return the account that a ban is on, or the guest who is here with a name that it is on."""
        if kind is BanKind.ACCOUNT:
            return int(target)
        if kind is not BanKind.NAME:
            return None
        guests = (member for member in self._members.values() if not member.account)
        return next((member.sender_id for member in guests if skeleton(member.name) == target), None)

    def _hosts_of(self, sender_id: int | None) -> tuple[str, ...]:
        member = self._members.get(sender_id) if sender_id is not None else None
        return tuple(dict.fromkeys(peer.host for peer in member.peers)) if member is not None else ()

    def _ban_on(self, peer: Peer, connection: MemberConnection) -> Ban | None:
        """Return a ban that keeps a connection out: rather one on its member than one on its address."""
        index, member = self._directory.banned, connection.member
        if (ban := index.on_sender(member.sender_id)) is not None:
            return ban
        if not member.account and (ban := index.on_name(member.name)) is not None:
            return ban
        return index.on_host(peer.host)

    def _end_banned(self) -> Iterator[None]:
        """End the connections that a ban keeps out, one a step; hellos meanwhile are refused by themselves."""
        for peer in list(self._connections):
            connection = self._connections.get(peer)
            if connection is not None and (ban := self._ban_on(peer, connection)) is not None:
                self._disconnection.end_each((peer,), Closing.of(banned(ban, self._directory.wall_ms())))
            elif connection is not None and self._api_tokens.ban_on_maker(connection.member.sender_id) is not None:
                self._disconnection.end_each((peer,), _STOPPED)
            yield

    def _temporary_password(self) -> str:
        """A random one, without bias: bytes beyond the last whole alphabet are thrown away."""
        signs: list[str] = []
        base = len(_TEMPORARY_ALPHABET)
        while len(signs) < _TEMPORARY_CHARS:
            fair = (byte for byte in self._keys.token_bytes(32) if byte < 256 - 256 % base)
            signs += [_TEMPORARY_ALPHABET[byte % base] for byte in fair]
        text = "".join(signs[:_TEMPORARY_CHARS])
        return "-".join(text[at : at + 4] for at in range(0, _TEMPORARY_CHARS, 4))


def _audited(duration_s: float | None, reason: str) -> str:
    """The detail of a ban or mute in the audit."""
    how_long = f"for {logged_duration(duration_s)}" if duration_s is not None else "permanently"
    return how_long + (f": {reason}" if reason else "")


def _muted(duration_s: float | None, reason: str) -> Refusal:
    """What a muted member is told."""
    if duration_s is None:
        if reason:
            return refusal_for("muted_by_administrator_because", why=reason)
        return refusal_for("muted_by_administrator")
    left = ceil(duration_s)
    if reason:
        return refusal_for("muted_by_administrator_for_because", left=left, why=reason)
    return refusal_for("muted_by_administrator_for", left=left)


def _until(duration_s: float | None, now_ms: int) -> int | None:
    """The end of what begins at ``now_ms``; None for no end."""
    if duration_s is None:
        return None
    if not 0 < duration_s <= MOST_DAYS * _DAY_MS / 1000:
        raise refusal_for("duration_out_of_range", most=MOST_DAYS)
    return now_ms + int(duration_s * 1000)
