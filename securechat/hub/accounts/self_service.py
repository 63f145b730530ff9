"""Answers what members change about their own account: registration, password, logins and certificates.

Each change is durable before it is answered. A login or certificate that ends takes its connections along.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import assert_never

from msgspec.structs import replace

from securechat.client_address import is_loopback
from securechat.hub.accounts.authentication import Authenticator
from securechat.hub.accounts.login import LoginFlow
from securechat.hub.accounts.login_throttle import LoginThrottle
from securechat.hub.context import HubContext
from securechat.hub.disconnection import Disconnection
from securechat.hub.interfaces import PasswordCheck, Peer
from securechat.hub.members import Member, MemberConnection
from securechat.hub.messages.paging import certificate_list, login_list
from securechat.hub.rate_limits import DailyQuota
from securechat.hub.rooms.membership import RoomMembership
from securechat.hub.workflow import Commit, HashPassword, VerifyPassword, Workflow, amend
from securechat.model import (
    AccountCommand,
    AddCertificate,
    CertificateInfo,
    Certificates,
    ChangePassword,
    Closing,
    Done,
    LoginInfo,
    Logins,
    Logout,
    Register,
    Registered,
    RemoveCertificate,
)
from securechat.records.accounts import Account, Certificate, Change, Drop, Login, Put
from securechat.text.passwords import check_password, normal_password
from securechat.text.refusals import refusal_for

LOGGED_OUT = Closing.of(refusal_for("logged_out"))
TOKEN_ENDED = Closing.of(refusal_for("token_ended"))
_LABEL_CHARS = 64


class AccountService:
    """Answers `AccountCommand`s.

    Args:
        context: accounts and connections.
        authenticator: makes logins, and hashes passwords.
        login_throttle: judges when the old password may be tried.
        login_flow, room_membership: hear of a guest who has become an account.
        disconnection: ends connections.
    """

    def __init__(
        self,
        context: HubContext,
        authenticator: Authenticator,
        login_throttle: LoginThrottle,
        login_flow: LoginFlow,
        room_membership: RoomMembership,
        disconnection: Disconnection,
    ) -> None:
        self._context = context
        self._pages = context.pages
        self._directory = context.accounts
        self._limits = context.limits
        self._connections = context.connections
        self._authenticator = authenticator
        self._workflows = context.workflows
        self._login_throttle = login_throttle
        self._login_flow = login_flow
        self._room_membership = room_membership
        self._disconnection = disconnection
        self._at_work: set[int] = set()  # sender_ids whose password is being hashed or stored
        self._made = DailyQuota(context.limits.accounts_per_address_day)
        self._adding: set[int | str] = set()  # sender_ids that add a certificate, and its fingerprint

    def answer(self, peer: Peer, member: Member, command: AccountCommand) -> None:
        """Answer a command, now or when it is durable.

        Raises:
            Refusal: a rule forbids it.
        """
        connection = self._connections[peer]
        if isinstance(command, Register):
            self._workflows.answer(peer, command.ref, self._register(peer, connection, command))
            return
        account = self._directory.accounts.get(member.sender_id)
        if account is None or not member.account:
            raise refusal_for("account_needed")
        match command:
            case Logins():
                peer.deliver(login_list(command.ref, self._logins(connection), peer.page_limits))
            case Certificates():
                mine = [_info(row, peer) for row in self._directory.certificates_of(account.sender_id)]
                peer.deliver(certificate_list(command.ref, mine, peer.certificate, peer.page_limits))
            case _:
                self._workflows.answer(peer, command.ref, self._change(peer, connection, account, command))

    def _change(
        self,
        peer: Peer,
        connection: MemberConnection,
        account: Account,
        command: ChangePassword | Logout | AddCertificate | RemoveCertificate,
    ) -> Workflow[None]:
        match command:
            case ChangePassword():
                return self._change_password(peer, connection, account, command)
            case Logout():
                return self._logout(peer, connection, command)
            case AddCertificate():
                return self._add_certificate(peer, connection, account, command)
            case RemoveCertificate():
                return self._remove_certificate(peer, connection, account, command)
            case _:
                assert_never(command)

    def is_at_work_on(self, member: Member) -> bool:
        """Whether the member's name must stay as it is, because an account is being made of it."""
        return member.sender_id in self._at_work

    # --- Registering and passwords --------------------------------------------------------------------------------

    def _register(self, peer: Peer, connection: MemberConnection, command: Register) -> Workflow[None]:
        member = connection.member
        if member.account:
            raise refusal_for("already_registered")
        if not is_loopback(peer.address) and not self._made.has_room(peer.address, 1, self._context.now):
            raise refusal_for("registrations_used_up")
        with self._storing_password(member.sender_id):
            phc = yield HashPassword(check_password(command.password, member.name), peer)
            if not self._is_here(peer, connection):
                return  # a name whose owner has gone does not become an account
            if self._directory.look_alike(member.name) is not None:
                raise refusal_for("name_like_account")
            now_ms = self._directory.wall_ms()
            account = Account(
                member.sender_id, member.name, member.key, password=phc, made_at_ms=now_ms, seen_at_ms=now_ms
            )
            login, token, logins = self._authenticator.new_login(member.sender_id, connection.client, peer.host)
            yield Commit((Put(account), *logins, self._directory.note(member.name, "register", member.name)))
            self._made.take(peer.address, 1)
            self._login_flow.registered(member)
            self._room_membership.keep_current_rooms(member)
            connection.login_id = login.login_id
        self._tell(peer, connection, Registered(command.ref, account.name, token))

    def _change_password(
        self, peer: Peer, connection: MemberConnection, account: Account, command: ChangePassword
    ) -> Workflow[None]:
        sender_id, epoch = account.sender_id, self._directory.epoch(account.sender_id)
        new = check_password(command.new, account.name)
        if new == normal_password(command.old):
            raise refusal_for("password_unchanged")
        with self._storing_password(sender_id):
            yield from self._check_old_password(peer, account, normal_password(command.old))
            if not self._is_here(peer, connection):
                return  # a connection whose login was ended meanwhile may change nothing any more
            phc = yield HashPassword(new, peer)
            if not self._is_here(peer, connection):
                return

            def edit(row: Account) -> Account:
                if self._directory.epoch(sender_id) != epoch:
                    raise refusal_for("password_changed_elsewhere")
                return replace(row, password=phc, must_change=False)

            kept = connection.login_id
            ended = [Drop(Login, row.login_id) for row in self._directory.logins_of(sender_id) if row.login_id != kept]
            note = self._directory.note(connection.member.name, "password", connection.member.name)
            yield from amend(self._directory, Account, sender_id, edit, (*ended, note))
        for _, each in self._connections_of(sender_id):
            each.must_change = False  # of those that stay
        try:
            self._tell(peer, connection, Done(command.ref))
        finally:
            self.end_sessions(sender_id, connection)

    def _check_old_password(self, peer: Peer, account: Account, password: str) -> Workflow[None]:
        """Compare the old password with the account's, when it may be tried.

        Raises:
            Refusal: LOGIN_SLOWED; BUSY; LOGIN_FAILED, it is another.
        """
        throttle, key = self._login_throttle, account.key
        throttle.check(peer, key, self._context.now)
        try:
            verdict: PasswordCheck = yield VerifyPassword(account.password, password, peer)
        except BaseException:  # nothing was compared: the try does not count
            throttle.retract(peer, key, self._context.now)
            raise
        if not verdict.match:
            throttle.failed(peer, key, self._context.now)
            raise refusal_for("old_password_wrong")
        throttle.succeeded(peer, key)

    @contextmanager
    def _storing_password(self, sender_id: int) -> Iterator[None]:
        """One at a time for each account.

        Raises:
            Refusal: BUSY.
        """
        if sender_id in self._at_work:
            raise refusal_for("password_being_stored", retry_after_s=1.0)
        self._at_work.add(sender_id)
        try:
            yield
        finally:
            self._at_work.discard(sender_id)

    # --- Logins ---------------------------------------------------------------------------------------------------

    def end_logins(self, numbers: set[int], closing: Closing = LOGGED_OUT) -> None:
        """End every connection that came in by one of these logins, with these last words."""
        self._end_where(lambda each: each.login_id in numbers, self._connections.items(), closing)

    def end_tokens(self, numbers: set[int]) -> None:
        """End every connection that came in by one of these API tokens."""

        def is_one(connection: MemberConnection) -> bool:
            return connection.token is not None and connection.token.token_id in numbers

        self._end_where(is_one, self._connections.items(), TOKEN_ENDED)

    def end_sessions(self, sender_id: int, keep: MemberConnection | None, closing: Closing = LOGGED_OUT) -> None:
        """End all sessions of an account after a change of its password, except that of ``keep``.

        Among them are logins that were made while the new password became durable, and connections whose login has gone
        already. Sessions by certificate and by API token stay.
        """
        self._directory.begin_epoch(sender_id)
        kept = keep.login_id if keep is not None else 0
        late = [row for row in self._directory.logins_of(sender_id) if row.login_id != kept]
        if late:
            self._context.changes.commit([Drop(Login, row.login_id) for row in late])

        def is_other(connection: MemberConnection) -> bool:
            is_kept = connection is keep or (bool(kept) and connection.login_id == kept)
            return connection.certificate is None and connection.token is None and not is_kept

        self._end_where(is_other, self._connections_of(sender_id), closing)

    def _end_where(
        self,
        test: Callable[[MemberConnection], bool],
        connections: Iterable[tuple[Peer, MemberConnection]],
        closing: Closing = LOGGED_OUT,
    ) -> None:
        self._disconnection.end_each([peer for peer, connection in connections if test(connection)], closing)

    def _connections_of(self, sender_id: int) -> list[tuple[Peer, MemberConnection]]:
        """Return the connections of an account that are here now."""
        member = self._context.members.get(sender_id)
        return [(peer, self._connections[peer]) for peer in member.peers] if member is not None else []

    def _logins(self, connection: MemberConnection) -> list[LoginInfo]:
        online = {self._connections[peer].login_id for peer in connection.member.peers}
        return [
            LoginInfo(
                row.login_id,
                row.client,
                row.address,
                row.made_at_ms,
                row.used_at_ms,
                online=row.login_id in online,
                current=row.login_id == connection.login_id,
            )
            for row in self._directory.logins_of(connection.member.sender_id)
        ]

    def _logout(self, peer: Peer, connection: MemberConnection, command: Logout) -> Workflow[None]:
        number = connection.login_id if command.login is None else command.login
        if number == 0:
            self._disconnection.end(peer, LOGGED_OUT)  # it came by certificate: there is no login to drop
            return
        login = self._directory.logins.get(number)
        if login is None or login.sender_id != connection.member.sender_id:
            raise refusal_for("no_such_session", session=number)
        note = self._directory.note(connection.member.name, "logout", connection.member.name, f"login {number}")
        yield Commit((Drop(Login, number), note))
        self._tell(peer, connection, Done(command.ref))

    # --- Certificates ---------------------------------------------------------------------------------------------

    def _add_certificate(
        self, peer: Peer, connection: MemberConnection, account: Account, command: AddCertificate
    ) -> Workflow[None]:
        fingerprint = self._proven(peer, account, command)
        held = self._directory.certificate_with(fingerprint)
        if held is not None and held.sender_id == account.sender_id:
            peer.deliver(Done(command.ref))
            return
        mine = self._directory.certificates_of(account.sender_id)
        if len(mine) >= self._limits.certificates_per_account:
            raise refusal_for("too_many_certificates", count=len(mine))
        row = Certificate(
            self._directory.number(),
            account.sender_id,
            fingerprint,
            command.label[:_LABEL_CHARS],
            self._directory.wall_ms(),
        )
        changes: list[Change] = [Put(row), self._directory.note(account.name, "cert add", account.name, fingerprint)]
        if held is not None:  # a key belongs to one account: the last one that has proved it
            changes.insert(0, Drop(Certificate, held.certificate_id))
            changes.append(self._directory.note(account.name, "cert remove", self._name_of(held), fingerprint))
        with self._adding_certificate(account.sender_id, fingerprint):
            yield Commit(changes)
        try:
            self._tell(peer, connection, Done(command.ref))
        finally:
            if held is not None:
                self._end_certificate(fingerprint, held.sender_id)

    @contextmanager
    def _adding_certificate(self, sender_id: int, fingerprint: str) -> Iterator[None]:
        """One at a time for each account, and for each key.

        Raises:
            Refusal: BUSY.
        """
        adding: set[int | str] = {sender_id, fingerprint}
        if self._adding & adding:
            raise refusal_for("certificate_being_added", retry_after_s=1.0)
        self._adding |= adding
        try:
            yield
        finally:
            self._adding -= adding

    def _proven(self, peer: Peer, account: Account, command: AddCertificate) -> str:
        """Return the fingerprint of the key that is to be added.

        Raises:
            Refusal: INVALID; nothing proves that the asker has it.
        """
        wanted = command.fingerprint
        if command.key is not None and command.proof is not None:
            proven = self._authenticator.proven(command.key, command.proof, account.sender_id)
            if proven is None or wanted not in {None, proven}:
                raise refusal_for("key_proof_invalid")
            return proven
        if peer.certificate is None and wanted is None:
            raise refusal_for("no_certificate_shown")
        if peer.certificate is None or wanted not in {None, peer.certificate}:
            raise refusal_for("fingerprint_proves_nothing")
        return peer.certificate

    def _name_of(self, row: Certificate) -> str:
        owner = self._directory.accounts.get(row.sender_id)
        return "" if owner is None else owner.name

    def _end_certificate(self, fingerprint: str, sender_id: int) -> None:
        """End what came in to this account by this certificate."""
        self._end_where(lambda each: each.certificate == fingerprint, self._connections_of(sender_id))

    def _remove_certificate(
        self, peer: Peer, connection: MemberConnection, account: Account, command: RemoveCertificate
    ) -> Workflow[None]:
        row = self._directory.certificates.get(command.certificate)
        if row is None or row.sender_id != account.sender_id:
            raise refusal_for("no_such_certificate", certificate=command.certificate)
        note = self._directory.note(account.name, "cert remove", account.name, row.fingerprint)
        yield Commit((Drop(Certificate, row.certificate_id), note))
        try:
            self._tell(peer, connection, Done(command.ref))
        finally:
            self._end_certificate(row.fingerprint, account.sender_id)

    # --- Answers --------------------------------------------------------------------------------------------------

    def _is_here(self, peer: Peer, connection: MemberConnection) -> bool:
        return self._connections.get(peer) is connection

    def _tell(self, peer: Peer, connection: MemberConnection, event: Done | Registered) -> None:
        if self._is_here(peer, connection):
            peer.deliver(event)


def _info(row: Certificate, peer: Peer) -> CertificateInfo:
    current = row.fingerprint == peer.certificate
    return CertificateInfo(row.certificate_id, row.fingerprint, row.label, row.added_at_ms, current=current)
