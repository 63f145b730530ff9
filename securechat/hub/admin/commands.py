"""The steward: what an administrator may do to people, and what he may look at.

Every act is durable, and written into the audit in the same transaction, before anybody is told of it or feels it.
Rules are refused at once; ``done`` hears the outcome, or NotAppended when it could not be stored. Nothing here asks
who the administrator is: whoever holds the steward decides that, and names them (``actor``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from securechat.errors import ErrorCode, Refusal
from securechat.hub.accounts.authentication import banned, span
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
from securechat.hub.rooms.membership import RoomMembership
from securechat.hub.slices import Slices
from securechat.limits import SECRET_BYTES
from securechat.model import Closing, Notice
from securechat.records.accounts import (
    Account,
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
from securechat.text.names import check_name, check_room, name_key

_T = TypeVar("_T")
_DAY_MS = 86_400_000
_TEMPORARY_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
"""31 signs nobody mistakes for one another when a password is read aloud."""
_TEMPORARY_CHARS = 16
"""79 bits."""
_MAPPED_BITS = 96
"""In front of an IPv4 address that is written as an IPv6 one (RFC 4291, section 2.5.5.2)."""
_LIKE_AN_ADDRESS = re.compile(r"[\d.]+(/\d*)?|\[?[0-9a-fA-F:]*:[0-9a-fA-F:.]*\]?(/\d*)?")
"""What somebody means as an address and has mistyped: better a refusal than a ban on a name."""
MOST_DAYS = 3650
"""Of an invite, a ban or a mute: ten years."""


class CreatedInvite(Struct, frozen=True, gc=False):
    """A new invite, and the token that only its link carries."""

    invite: Invite
    token: str

    def __repr__(self) -> str:
        return f"InviteMade({self.invite!r})"


class AdminCommands(AdminReports):
    """Administrates a hub.

    Args:
        context: as `AdminReports`.
        login_throttle: is told to forgive when a password is reset.
        account_service: ends logins.
        room_membership: lets the deleted leave their rooms.
        disconnection: ends connections.
        slices: does a long job between what others ask for.

    Attributes:
        room_admin: lists and removes rooms.
    """

    def __init__(
        self,
        context: HubContext,
        login_throttle: LoginThrottle,
        account_service: AccountService,
        room_membership: RoomMembership,
        disconnection: Disconnection,
        slices: Slices,
    ) -> None:
        super().__init__(context)
        self.room_admin = RoomReports(context)
        self._broadcaster = context.broadcaster
        self._login_throttle = login_throttle
        self._account_service = account_service
        self._room_membership = room_membership
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
        if not 1 <= uses <= 10_000:
            raise Refusal(ErrorCode.INVALID, "an invite can be used 1 to 10000 times")
        if not 0 < days <= MOST_DAYS:
            raise Refusal(ErrorCode.INVALID, f"an invite lasts up to {MOST_DAYS} days")
        token = self._keys.token_bytes(SECRET_BYTES).hex()
        now_ms = self._directory.wall_ms()
        most_invites = self._context.limits.open_invites
        if sum(is_open(row, now_ms) for row in self._directory.invites.values()) >= most_invites:
            sentence = f"{most_invites} invites are open already; revoke some, or make one with more uses"
            raise Refusal(ErrorCode.TOO_MANY, sentence)
        invite = Invite(
            invite_id=self._directory.number(),
            token_hash=hash_of(token),
            uses=uses,
            made_by=actor,
            made_at_ms=now_ms,
            expires_at_ms=now_ms + int(days * _DAY_MS),
            room=check_room(room) if room is not None else None,
        )
        detail = f"{counted(uses, 'use')}, {counted(days, 'day')}" + (f", #{invite.room}" if invite.room else "")
        note = self._directory.note(actor, "invite", str(invite.invite_id), detail)
        self._change((Put(invite), note), CreatedInvite(invite, token), done)

    def revoke(self, actor: str, invite_id: int, done: Callable[[Invite | NotAppended], None]) -> None:
        """Take an invite back.

        Raises:
            Refusal: NOT_FOUND.
        """
        if invite_id not in self._directory.invites:
            raise Refusal(ErrorCode.NOT_FOUND, f"there is no invite {invite_id}; `invites` lists them")
        note = self._directory.note(actor, "revoke", str(invite_id))

        def recorded(answer: Committed | NotAppended) -> None:
            done(answer if isinstance(answer, NotAppended) else self._directory.invites[invite_id])

        def edit(row: Invite) -> Invite:
            ended_ms = min(row.expires_at_ms, self._directory.wall_ms())  # it is forgotten some time after its end
            return replace(row, revoked=True, expires_at_ms=ended_ms)

        self._directory.amend(Invite, invite_id, edit, (note,), recorded)

    # --- Order ----------------------------------------------------------------------------------------------------

    def kick(self, actor: str, name: str, reason: str, done: Callable[[int | NotAppended], None]) -> None:
        """End every connection of somebody; they may come back.

        Raises:
            Refusal: NOT_FOUND, nobody here has this name.
        """
        member = self._present(name)

        def then() -> int:
            why = f": {reason}" if reason else ""
            closing = Closing(ErrorCode.KICKED, f"an administrator ended your connection{why}")
            return self._disconnection.end_member(member.sender_id, closing)

        self._change((self._directory.note(actor, "kick", member.name, reason),), then, done)

    def ban(
        self,
        actor: str,
        target: str,
        *,
        reason: str,
        duration_s: float | None,
        done: Callable[[Ban | NotAppended], None],
    ) -> None:
        """Keep an account, a guest's name, an address or a network out, and end what it has here.

        Raises:
            Refusal: NAME_INVALID, or INVALID for a duration that makes no sense.
        """
        kind, what = self._ban_target(target)
        until_ms = self._until(duration_s)
        now_ms = self._directory.wall_ms()
        ban = Ban(self._directory.number(), kind, what, target, reason, actor, now_ms, until_ms)
        detail = (f"for {duration_s:g} s" if duration_s is not None else "for good") + (f": {reason}" if reason else "")
        old = [Drop(Ban, row.ban_id) for row in self._directory.banned.of(kind, what)]

        def then() -> Ban:
            refusal = banned(ban, self._directory.wall_ms())
            closing = Closing(refusal.code, refusal.detail, retry_after_s=refusal.retry_after_s)
            self._slices.begin(self._end_banned(closing))
            return ban

        self._change((*old, Put(ban), self._directory.note(actor, "ban", target, detail)), then, done)

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
            raise Refusal(ErrorCode.NOT_FOUND, f"there is no ban of {target}; `bans` lists them")
        changes: list[Change] = [Drop(Ban, ban.ban_id) for ban in found]
        self._change((*changes, self._directory.note(actor, "unban", target)), found, done)

    def mute(
        self,
        actor: str,
        name: str,
        *,
        reason: str,
        duration_s: float | None,
        done: Callable[[Mute | NotAppended], None],
    ) -> None:
        """Let somebody read but not write.

        Raises:
            Refusal: NOT_FOUND, or INVALID for a duration that makes no sense.
        """
        sender_id = self._find(name)
        shown = self._name_of(sender_id)
        mute = Mute(sender_id, shown, reason, actor, self._directory.wall_ms(), self._until(duration_s))
        detail = (f"for {duration_s:g} s" if duration_s is not None else "for good") + (f": {reason}" if reason else "")

        def then() -> Mute:
            member = self._members.get(sender_id)
            left = "" if duration_s is None else f" for {span(duration_s)}"
            why = f" ({reason})" if reason else ""
            for peer in member.peers if member is not None else ():
                peer.deliver(Notice(f"an administrator lets you read but not write{left}{why}", mute.made_at_ms))
            return mute

        self._change_mute(sender_id, (Put(mute), self._directory.note(actor, "mute", shown, detail)), then, done)

    def unmute(self, actor: str, name: str, done: Callable[[Mute | NotAppended], None]) -> None:
        """Let somebody write again.

        Raises:
            Refusal: NOT_FOUND, nobody of this name is muted.
        """
        key = name_key(name)
        mute = next((row for row in self._directory.mutes.values() if name_key(row.name) == key), None)
        if mute is None:
            mute = self._directory.mutes.get(self._find(name))
        if mute is None:
            raise Refusal(ErrorCode.NOT_FOUND, f"{name} is not muted; `mutes` lists who is")
        changes = (Drop(Mute, mute.sender_id), self._directory.note(actor, "unmute", mute.name))
        self._change_mute(mute.sender_id, changes, mute, done)

    # --- Accounts -------------------------------------------------------------------------------------------------

    def end_session(self, actor: str, login_id: int, done: Callable[[Login | NotAppended], None]) -> None:
        """End a login and its connections.

        Raises:
            Refusal: NOT_FOUND.
        """
        login = self._directory.logins.get(login_id)
        if login is None:
            raise Refusal(ErrorCode.NOT_FOUND, f"there is no login {login_id}; `sessions` lists them")

        note = self._directory.note(actor, "logout", self._name_of(login.sender_id), f"login {login_id}")
        self._change((Drop(Login, login_id), note), login, done)

    def reset_password(self, actor: str, name: str, done: Callable[[str | NotAppended], None]) -> None:
        """Give an account a temporary password, and end all its logins; certificates stay.

        Raises:
            Refusal: NOT_FOUND, or BUSY when too many passwords are being hashed.
        """
        account = self._account(name)
        password = self._temporary_password()

        def hashed(phc: str | Refusal) -> None:
            if isinstance(phc, Refusal):
                done(NotAppended(phc.code, phc.detail, phc.retry_after_s))
                return
            numbers = {row.login_id for row in self._directory.logins_of(account.sender_id)}
            note = self._directory.note(actor, "reset-password", account.name)

            def recorded(answer: Committed | NotAppended) -> None:
                if isinstance(answer, NotAppended):
                    done(answer)
                    return
                self._login_throttle.reset(account.key)
                self._account_service.end_sessions(account.sender_id, None)
                done(password)

            self._directory.amend(
                Account,
                account.sender_id,
                lambda row: replace(row, password=phc, must_change=True),
                (*(Drop(Login, number) for number in numbers), note),
                recorded,
            )

        self._keys.hasher.hash(password, hashed)

    def role(self, actor: str, name: str, role: Role, done: Callable[[Account | NotAppended], None]) -> None:
        """Give an account a role.

        Raises:
            Refusal: NOT_FOUND.
        """
        account = self._account(name)
        note = self._directory.note(actor, "role", account.name, role.value)

        def recorded(answer: Committed | NotAppended) -> None:
            done(answer if isinstance(answer, NotAppended) else self._directory.accounts[account.sender_id])

        self._directory.amend(Account, account.sender_id, lambda row: replace(row, role=role), (note,), recorded)

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

        ``progress`` goes from 0 to 1. Whatever comes between, the same command can finish it; see `AccountDeletion`.

        Raises:
            Refusal: NOT_FOUND.
        """
        account, kept = self._account(name), "messages " + ("removed" if remove else "kept")
        AccountDeletion(
            account,
            remove=remove,
            context=self._context,
            account_service=self._account_service,
            room_membership=self._room_membership,
            disconnection=self._disconnection,
            progress=progress,
            done=done,
        ).begin(self._directory.note(actor, "delete-user", account.name, kept))

    # --- Everybody ------------------------------------------------------------------------------------------------

    def announce(self, actor: str, text: str, done: Callable[[int | NotAppended], None]) -> None:
        """Tell everybody who is here something; it is part of no history.

        Raises:
            Refusal: TEXT_EMPTY or TEXT_TOO_LONG.
        """
        if not text.strip():
            raise Refusal(ErrorCode.TEXT_EMPTY, "there is nothing to announce")
        if len(text) > 1000:
            raise Refusal(ErrorCode.TEXT_TOO_LONG, "an announcement has at most 1000 characters")

        def then() -> int:
            peers = list(self._connections)
            self._broadcaster.broadcast(peers, [Notice(text, self._directory.wall_ms())])
            return len({connection.member.sender_id for connection in self._connections.values()})

        self._change((self._directory.note(actor, "announce", "", text),), then, done)

    def note(
        self, actor: str, act: str, target: str, detail: str, done: Callable[[Committed | NotAppended], None]
    ) -> None:
        """Write into the audit what an administrator did elsewhere."""
        self._directory.change((self._directory.note(actor, act, target, detail),), done)

    # --- Parts ------------------------------------------------------------------------------------------------------

    def _change(
        self,
        changes: tuple[Change, ...],
        result: _T | Callable[[], _T],
        done: Callable[[_T | NotAppended], None],
    ) -> None:
        self._directory.change(changes, _reported(result, done))

    def _change_mute(
        self,
        sender_id: int,
        changes: tuple[Change, ...],
        result: _T | Callable[[], _T],
        done: Callable[[_T | NotAppended], None],
    ) -> None:
        """One after the other for each person: the end of an earlier mute may be on its way."""
        self._directory.in_turn((Mute, sender_id), lambda: (changes, _reported(result, done)))

    def _account(self, name: str) -> Account:
        account = self._directory.account_named(name)
        if account is None:
            raise Refusal(ErrorCode.NOT_FOUND, f"nobody named {name} has an account; `users` lists who has")
        return account

    def _until(self, duration_s: float | None) -> int | None:
        if duration_s is None:
            return None
        if not 0 < duration_s <= MOST_DAYS * _DAY_MS / 1000:
            raise Refusal(ErrorCode.INVALID, f"a duration is more than nothing and at most {MOST_DAYS} days")
        return self._directory.wall_ms() + int(duration_s * 1000)

    def _ban_target(self, target: str) -> tuple[BanKind, str]:
        try:
            network = ip_network(target.strip("[]"), strict=False)
        except ValueError:
            if _LIKE_AN_ADDRESS.fullmatch(target):
                sentence = f"{target} is no network address; write 192.0.2.7 or 192.0.2.0/24"
                raise Refusal(ErrorCode.INVALID, sentence) from None
        else:
            mapped = getattr(network.network_address, "ipv4_mapped", None)
            if mapped is not None and network.prefixlen >= _MAPPED_BITS:
                network = ip_network((mapped, network.prefixlen - _MAPPED_BITS))
            return BanKind.NETWORK, str(network)
        account = self._directory.account_named(target)
        if account is not None:
            return BanKind.ACCOUNT, str(account.sender_id)
        return BanKind.NAME, skeleton(check_name(target))

    def _is_banned(self, peer: Peer, connection: MemberConnection) -> bool:
        directory, member = self._directory, connection.member
        if directory.banned.on_host(peer.host) is not None:
            return True
        if member.account:
            return directory.banned.on_account(member.sender_id) is not None
        return directory.banned.on_name(member.name) is not None

    def _end_banned(self, closing: Closing) -> Iterator[None]:
        """End the connections of those who are banned, one a step; whoever comes meanwhile is judged at the door."""
        for peer in list(self._connections):
            connection = self._connections.get(peer)
            if connection is not None and self._is_banned(peer, connection):
                self._disconnection.end(peer, closing)
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


def _reported(
    result: _T | Callable[[], _T], done: Callable[[_T | NotAppended], None]
) -> Callable[[Committed | NotAppended], None]:
    """Let ``done`` hear the result once it is durable, or why it could not be stored."""

    def recorded(answer: Committed | NotAppended) -> None:
        if isinstance(answer, NotAppended):
            done(answer)
        else:
            done(result() if callable(result) else result)

    return recorded
