"""Reports for an administrator: the server at a glance, members and accounts, sessions, invites, bans and mutes.

A long list is an iterator. Its caller takes a few rows at a time, and the loop serves others in between: 10,000
accounts or 50,000 logins are 100 ms of work. Lists are not sorted, for the same reason. A row is of the moment in which
it is taken; rows that have gone since the list was asked for are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from msgspec import Struct

from securechat.hub.context import HubContext
from securechat.hub.members import Member
from securechat.records.accounts import Ban, Invite, Mute
from securechat.text.names import name_key
from securechat.text.refusals import refusal_for

_RowT = TypeVar("_RowT")


class ServerStatus(Struct, frozen=True, gc=False):
    """The server at a glance."""

    version: str
    access: str
    members: int
    guests: int
    accounts: int
    connections: int
    rooms: int
    last_seq: int
    unsettled: int
    open_invites: int
    bans: int
    mutes: int
    kept_rooms: int
    rooms_without_members: int


class UserRow(Struct, frozen=True, gc=False):
    """An account, or a guest who is here."""

    name: str
    sender_id: int
    account: bool
    role: str
    online: bool
    connections: int
    rooms: tuple[str, ...]
    addresses: tuple[str, ...]
    made_at_ms: int
    seen_at_ms: int
    muted: bool
    banned: bool


class SessionRow(Struct, frozen=True, gc=False):
    """A login, or a connection without one (``login`` is 0: by a guest, or by certificate)."""

    name: str
    login: int
    client: str
    address: str
    since_ms: int
    used_at_ms: int
    online: bool
    certificate: str | None = None


class AdminReports:
    """Looks at a hub; every answer is of this moment.

    Args:
        context: accounts, members and rooms.
    """

    def __init__(self, context: HubContext) -> None:
        self._context = context
        self._directory = context.accounts
        self._keys = context.authentication
        self._members = context.members
        self._by_key = context.members_by_key
        self._connections = context.connections

    def status(self) -> ServerStatus:
        """Return the server at a glance."""
        context, directory, members = self._context, self._directory, self._members.values()
        now_ms = directory.wall_ms()
        return ServerStatus(
            version=context.server,
            access=self._keys.access.value,
            members=len(members),
            guests=sum(not member.account for member in members),
            accounts=len(directory.accounts),
            connections=len(self._connections),
            rooms=len(context.rooms.occupied),
            last_seq=context.fed_seq,
            unsettled=context.unsettled,
            open_invites=sum(is_open(invite, now_ms) for invite in directory.invites.values()),
            bans=sum(_lasts(ban.until_ms, now_ms) for ban in directory.bans.values()),
            mutes=sum(_lasts(mute.until_ms, now_ms) for mute in directory.mutes.values()),
            kept_rooms=len(directory.room_directory.recorded),
            rooms_without_members=directory.room_directory.count_without_members(),
        )

    def users(self) -> Iterator[UserRow]:
        """All accounts, then the guests who are here."""
        return (self._user(sender_id) for sender_id in self._known_ids() if self._is_known(sender_id))

    def sessions(self, name: str | None = None) -> Iterator[SessionRow]:
        """Logins and connections of one member or account, or of all of them, one after the other.

        Raises:
            Refusal: NOT_FOUND, no member and no account has this name.
        """
        ids: Iterable[int] = self._known_ids() if name is None else (self._find(name),)
        return (row for sender_id in ids if self._is_known(sender_id) for row in self._sessions_of(sender_id))

    def invites(self) -> Iterator[Invite]:
        """Every invite there ever was and that has not been cleaned away, the newest last."""
        return self._still_there(self._directory.invites)

    def bans(self) -> Iterator[Ban]:
        """Every ban in force."""
        return (ban for ban in self._still_there(self._directory.bans) if self._directory.lasts(ban.until_ms))

    def mutes(self) -> Iterator[Mute]:
        """Every mute in force."""
        return (mute for mute in self._still_there(self._directory.mutes) if self._directory.lasts(mute.until_ms))

    def _still_there(self, rows: Mapping[int, _RowT]) -> Iterator[_RowT]:
        return (row for number in list(rows) if (row := rows.get(number)) is not None)

    def _known_ids(self) -> list[int]:
        accounts, members = self._directory.accounts, self._members
        return [*accounts, *(sender_id for sender_id in members if sender_id not in accounts)]

    def _is_known(self, sender_id: int) -> bool:
        return sender_id in self._directory.accounts or sender_id in self._members

    def _present(self, name: str) -> Member:
        member = self._by_key.get(name_key(name))
        if member is None:
            raise refusal_for("unknown_member")
        return member

    def is_guest(self, sender_id: int) -> bool:
        """Tell whether a sender has no account."""
        return sender_id not in self._directory.accounts

    def _find(self, name: str) -> int:
        account = self._directory.account_named(name)
        return account.sender_id if account is not None else self._present(name).sender_id

    def _name_of(self, sender_id: int) -> str:
        held = self._directory.accounts.get(sender_id) or self._members.get(sender_id)
        return held.name if held is not None else ""

    def _user(self, sender_id: int) -> UserRow:
        account, member = self._directory.accounts.get(sender_id), self._members.get(sender_id)
        peers = member.peers if member is not None else []
        name = self._name_of(sender_id)
        barred = self._directory.banned.on_sender(sender_id)
        if barred is None and account is None:
            barred = self._directory.banned.on_name(name)
        return UserRow(
            name=name,
            sender_id=sender_id,
            account=account is not None,
            role=account.role.value if account is not None else "guest",
            online=bool(peers),
            connections=len(peers),
            rooms=tuple(sorted(room.name for room in member.rooms)) if member is not None else (),
            addresses=tuple(dict.fromkeys(peer.host for peer in peers)),
            made_at_ms=account.made_at_ms if account is not None else 0,
            seen_at_ms=self._directory.wall_ms() if peers else account.seen_at_ms if account is not None else 0,
            muted=self._directory.mute_on(sender_id) is not None,
            banned=barred is not None,
        )

    def _sessions_of(self, sender_id: int) -> list[SessionRow]:
        name = self._name_of(sender_id)
        member = self._members.get(sender_id)
        connections = [(peer, self._connections[peer]) for peer in member.peers] if member is not None else []
        online = {connection.login_id for _, connection in connections}
        rows = [
            SessionRow(
                name,
                row.login_id,
                row.client,
                row.address,
                row.made_at_ms,
                row.used_at_ms,
                online=row.login_id in online,
            )
            for row in self._directory.logins_of(sender_id)
        ]
        rows += [
            SessionRow(
                name,
                0,
                connection.client,
                peer.host,
                connection.since_ms,
                connection.since_ms,
                online=True,
                certificate=connection.certificate,
            )
            for peer, connection in connections
            if not connection.login_id
        ]
        return rows


def _lasts(until_ms: int | None, now_ms: int) -> bool:
    """Tell whether something with this end is still in force; as `lasts`, which asks the clock each time."""
    return until_ms is None or until_ms > now_ms


def is_open(invite: Invite, now_ms: int) -> bool:
    """Tell whether an invite can still be used."""
    return not invite.revoked and len(invite.used_by) < invite.uses and invite.expires_at_ms > now_ms
