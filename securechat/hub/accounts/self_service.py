"""The account desk: what a member does about the own account, on the own connection.

Registering, the password, logins and certificates. Everything is durable before it is answered, and what ends a login
ends its connections too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import assert_never

from msgspec.structs import replace

from securechat.client_address import is_loopback
from securechat.errors import ErrorCode, Refusal
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
    Refused,
    Register,
    Registered,
    RemoveCertificate,
)
from securechat.records.accounts import Account, Certificate, Change, Committed, Drop, Login, Put
from securechat.records.log import NotAppended
from securechat.text.passwords import check_password, normal_password

LOGGED_OUT = Closing(ErrorCode.LOGGED_OUT, "this login was ended; log in again to come back")
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
        self._hashing = authenticator.hashing
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
            self._register(peer, connection, command)
            return
        account = self._directory.accounts.get(member.sender_id)
        if account is None or not member.account:
            raise Refusal(ErrorCode.ACCOUNT_NEEDED, "you are a guest here; /register makes your name an account")
        match command:
            case ChangePassword():
                self._change_password(peer, connection, account, command)
            case Logins():
                peer.deliver(login_list(command.ref, self._logins(connection), peer.page_limits))
            case Logout():
                self._logout(peer, connection, command)
            case Certificates():
                mine = [_info(row, peer) for row in self._directory.certificates_of(account.sender_id)]
                peer.deliver(certificate_list(command.ref, mine, peer.certificate, peer.page_limits))
            case AddCertificate():
                self._add_certificate(peer, account, command)
            case RemoveCertificate():
                self._remove_certificate(peer, connection, account, command)
            case _:
                assert_never(command)

    def is_at_work_on(self, member: Member) -> bool:
        """Whether the member's name must stay what it is, because an account is being made of it."""
        return member.sender_id in self._at_work

    # --- Registering and passwords --------------------------------------------------------------------------------

    def _register(self, peer: Peer, connection: MemberConnection, command: Register) -> None:
        member = connection.member
        if member.account:
            raise Refusal(
                ErrorCode.ALREADY_REGISTERED, "this name is your account already; /password changes its password"
            )
        if not is_loopback(peer.address) and not self._made.has_room(peer.address, 1, self._context.now):
            raise Refusal(ErrorCode.QUOTA, "your address has registered all accounts it may today; ask for an invite")
        self._begin(member)
        with self._ended_by_error(member):
            password = check_password(command.password, member.name)
            self._hashing.hash(peer, password, lambda phc: self._make(peer, connection, command, phc))

    def _make(self, peer: Peer, connection: MemberConnection, command: Register, phc: str | Refusal) -> None:
        member = connection.member
        if isinstance(phc, Refusal):
            self._at_work.discard(member.sender_id)
            self._refuse(peer, connection, command.ref, phc)
            return
        if self._connections.get(peer) is not connection:
            self._at_work.discard(member.sender_id)  # gone meanwhile: a name without its owner is no account
            return
        if self._directory.look_alike(member.name) is not None:
            self._at_work.discard(member.sender_id)
            peer.deliver(Refused(ErrorCode.NAME_IN_USE, "this name looks like somebody's account", ref=command.ref))
            return
        with self._ended_by_error(member):
            self._record(peer, connection, command, phc)

    def _record(self, peer: Peer, connection: MemberConnection, command: Register, phc: str) -> None:
        """Make the account durable."""
        member = connection.member
        now_ms = self._directory.wall_ms()
        account = Account(member.sender_id, member.name, member.key, password=phc, made_at_ms=now_ms, seen_at_ms=now_ms)
        login, token, changes = self._authenticator.new_login(member.sender_id, connection.client, peer.host)
        note = self._directory.note(member.name, "register", member.name)

        def recorded(answer: Committed | NotAppended) -> None:
            self._at_work.discard(member.sender_id)
            if isinstance(answer, Committed):
                self._made.take(peer.address, 1)
                self._login_flow.registered(member)
                self._room_membership.keep_current_rooms(member)
                connection.login_id = login.login_id
            self._reply(peer, connection, command.ref, answer, Registered(command.ref, account.name, token))

        self._directory.change((Put(account), *changes, note), recorded)

    def _change_password(
        self, peer: Peer, connection: MemberConnection, account: Account, command: ChangePassword
    ) -> None:
        new = check_password(command.new, account.name)
        if new == normal_password(command.old):
            raise Refusal(ErrorCode.PASSWORD_INVALID, "the new password is the old one; choose another")
        if connection.member.sender_id in self._at_work:
            raise _under_way()
        self._login_throttle.check(peer, account.key, self._context.now)
        self._begin(connection.member)
        epoch = self._directory.epoch(account.sender_id)

        def verified(verdict: PasswordCheck | Refusal) -> None:
            if isinstance(verdict, Refusal):  # nothing was compared: the try counts for nothing
                self._at_work.discard(account.sender_id)
                self._login_throttle.retract(peer, account.key, self._context.now)
                self._refuse(peer, connection, command.ref, verdict)
                return
            if not verdict.match:
                self._at_work.discard(account.sender_id)
                self._login_throttle.failed(peer, account.key, self._context.now)
                self._refuse(
                    peer,
                    connection,
                    command.ref,
                    Refusal(ErrorCode.LOGIN_FAILED, "the old password is wrong; try again"),
                )
                return
            self._login_throttle.succeeded(peer, account.key)
            if self._connections.get(peer) is not connection:
                self._at_work.discard(account.sender_id)
                return
            try:
                with self._ended_by_error(connection.member):
                    self._hashing.hash(peer, new, lambda phc: self._new_password(peer, connection, command, phc, epoch))
            except Refusal as refusal:
                self._refuse(peer, connection, command.ref, refusal)

        try:
            with self._ended_by_error(connection.member):
                self._hashing.verify(peer, account.password, normal_password(command.old), verified)
        except BaseException:
            self._login_throttle.retract(peer, account.key, self._context.now)
            raise

    def _new_password(
        self, peer: Peer, connection: MemberConnection, command: ChangePassword, phc: str | Refusal, epoch: int
    ) -> None:
        member = connection.member
        if isinstance(phc, Refusal):
            self._at_work.discard(member.sender_id)
            self._refuse(peer, connection, command.ref, phc)
            return
        if self._connections.get(peer) is not connection:
            self._at_work.discard(member.sender_id)  # whose login was ended meanwhile may change nothing any more
            return
        with self._ended_by_error(member):
            self._store_password(peer, connection, command.ref, phc, epoch)

    def _store_password(self, peer: Peer, connection: MemberConnection, ref: int, phc: str, epoch: int) -> None:
        member = connection.member
        ended = [row for row in self._directory.logins_of(member.sender_id) if row.login_id != connection.login_id]
        changes: list[Change] = [Drop(Login, row.login_id) for row in ended]
        changes.append(self._directory.note(member.name, "password", member.name))

        def edit(account: Account) -> Account:
            if self._directory.epoch(account.sender_id) != epoch:
                raise Refusal(ErrorCode.LOGIN_FAILED, "the password was changed elsewhere; try again with that one")
            return replace(account, password=phc, must_change=False)

        def recorded(answer: Committed | NotAppended) -> None:
            self._at_work.discard(member.sender_id)
            try:
                self._reply(peer, connection, ref, answer, Done(ref))
            finally:
                if isinstance(answer, Committed):
                    self.end_sessions(member.sender_id, connection)

        self._directory.amend(Account, member.sender_id, edit, changes, recorded)

    def _begin(self, member: Member) -> None:
        if member.sender_id in self._at_work:
            raise _under_way()
        self._at_work.add(member.sender_id)

    @contextmanager
    def _ended_by_error(self, member: Member) -> Iterator[None]:
        """What is under way for a member is over when this raises, whatever it raises; else it goes on."""
        try:
            yield
        except BaseException:
            self._at_work.discard(member.sender_id)
            raise

    # --- Logins ---------------------------------------------------------------------------------------------------

    def end_logins(self, numbers: set[int]) -> None:
        """End every connection that came in by one of these logins."""
        for peer in [peer for peer, connection in self._connections.items() if connection.login_id in numbers]:
            with self._context.containment.work_for(peer):  # what it raises costs that connection alone
                self._disconnection.end(peer, LOGGED_OUT)

    def end_sessions(self, sender_id: int, keep: MemberConnection | None) -> None:
        """An account has another password: what an older one led to is over, but for one login. Certificates stay.

        Logins that came in while the new password became durable are among them, and connections whose login has
        gone before them.
        """
        self._directory.begin_epoch(sender_id)
        kept = keep.login_id if keep is not None else 0
        late = [row for row in self._directory.logins_of(sender_id) if row.login_id != kept]
        if late:
            self._directory.change([Drop(Login, row.login_id) for row in late])
        for peer, connection in list(self._connections.items()):
            others = connection is not keep and (not kept or connection.login_id != kept)
            if connection.member.sender_id == sender_id and connection.certificate is None and others:
                self._disconnection.end(peer, LOGGED_OUT)

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

    def _logout(self, peer: Peer, connection: MemberConnection, command: Logout) -> None:
        number = connection.login_id if command.login is None else command.login
        if number == 0:
            self._disconnection.end(peer, LOGGED_OUT)  # came by certificate: there is nothing to forget
            return
        login = self._directory.logins.get(number)
        if login is None or login.sender_id != connection.member.sender_id:
            raise Refusal(ErrorCode.NOT_FOUND, "you have no login with this number; /sessions lists them")
        note = self._directory.note(connection.member.name, "logout", connection.member.name, f"login {number}")

        self._directory.change(
            (Drop(Login, number), note),
            lambda answer: self._reply(peer, connection, command.ref, answer, Done(command.ref)),
        )

    # --- Certificates ---------------------------------------------------------------------------------------------

    def _add_certificate(self, peer: Peer, account: Account, command: AddCertificate) -> None:
        fingerprint = self._proven(peer, account, command)
        held = self._directory.certificate_with(fingerprint)
        if held is not None and held.sender_id == account.sender_id:
            peer.deliver(Done(command.ref))
            return
        mine = self._directory.certificates_of(account.sender_id)
        if len(mine) >= self._limits.certificates_per_account:
            raise Refusal(ErrorCode.TOO_MANY, f"you have {len(mine)} certificates, which is the most; remove one first")
        adding: set[int | str] = {account.sender_id, fingerprint}
        if self._adding & adding:
            raise Refusal(ErrorCode.BUSY, "a certificate is being added; try again in a moment", retry_after_s=1.0)
        number = self._directory.number()
        row = Certificate(
            number, account.sender_id, fingerprint, command.label[:_LABEL_CHARS], self._directory.wall_ms()
        )
        changes: list[Change] = [Put(row), self._directory.note(account.name, "cert add", account.name, fingerprint)]
        if held is not None:  # a key is one account's, and goes with whoever has proved it last
            changes.insert(0, Drop(Certificate, held.certificate_id))
            changes.append(self._directory.note(account.name, "cert remove", self._name_of(held), fingerprint))
        connection = self._connections[peer]

        def recorded(answer: Committed | NotAppended) -> None:
            self._adding -= adding
            try:
                self._reply(peer, connection, command.ref, answer, Done(command.ref))
            finally:
                if held is not None and isinstance(answer, Committed):
                    self._end_certificate(fingerprint, held.sender_id)

        self._adding |= adding
        try:
            self._directory.change(changes, recorded)
        except BaseException:
            self._adding -= adding
            raise

    def _proven(self, peer: Peer, account: Account, command: AddCertificate) -> str:
        """Return the fingerprint of the key that is to be added.

        Raises:
            Refusal: INVALID; nothing proves that whoever asks has it.
        """
        wanted = command.fingerprint
        if command.key is not None and command.proof is not None:
            proven = self._authenticator.proven(command.key, command.proof, account.sender_id)
            if proven is None or wanted not in {None, proven}:
                sentence = "this is no proof for this key, account and server; add the file again with /cert add FILE"
                raise Refusal(ErrorCode.INVALID, sentence)
            return proven
        if peer.certificate is None and wanted is None:
            raise Refusal(
                ErrorCode.INVALID, "this connection showed no certificate: name a file, or start the client with --cert"
            )
        if peer.certificate is None or wanted not in {None, peer.certificate}:
            raise Refusal(
                ErrorCode.INVALID,
                "a fingerprint alone is no proof that the key is yours: start the client with --cert FILE and type "
                "/cert add, or install a newer client",
            )
        return peer.certificate

    def _name_of(self, row: Certificate) -> str:
        owner = self._directory.accounts.get(row.sender_id)
        return "" if owner is None else owner.name

    def _end_certificate(self, fingerprint: str, sender_id: int) -> None:
        """End what came in to this account by this certificate."""
        for peer, connection in list(self._connections.items()):
            if connection.certificate == fingerprint and connection.member.sender_id == sender_id:
                self._disconnection.end(peer, LOGGED_OUT)

    def _remove_certificate(
        self, peer: Peer, connection: MemberConnection, account: Account, command: RemoveCertificate
    ) -> None:
        row = self._directory.certificates.get(command.certificate)
        if row is None or row.sender_id != account.sender_id:
            raise Refusal(ErrorCode.NOT_FOUND, "you have no certificate with this number; /cert lists them")
        note = self._directory.note(account.name, "cert remove", account.name, row.fingerprint)

        def recorded(answer: Committed | NotAppended) -> None:
            try:
                self._reply(peer, connection, command.ref, answer, Done(command.ref))
            finally:
                if isinstance(answer, Committed):
                    self._end_certificate(row.fingerprint, account.sender_id)

        self._directory.change((Drop(Certificate, row.certificate_id), note), recorded)

    # --- Answers --------------------------------------------------------------------------------------------------

    def _reply(
        self,
        peer: Peer,
        connection: MemberConnection,
        ref: int,
        answer: Committed | NotAppended,
        success: Done | Registered,
    ) -> None:
        if isinstance(answer, NotAppended):
            self._tell(peer, connection, Refused(answer.code, answer.text, ref=ref))
        else:
            self._tell(peer, connection, success)

    def _refuse(self, peer: Peer, connection: MemberConnection, ref: int, refusal: Refusal) -> None:
        refused = Refused(refusal.code, refusal.detail, ref=ref, retry_after_s=refusal.retry_after_s)
        self._tell(peer, connection, refused)

    def _tell(self, peer: Peer, connection: MemberConnection, event: Done | Registered | Refused) -> None:
        if self._connections.get(peer) is connection:
            peer.deliver(event)


def _under_way() -> Refusal:
    return Refusal(ErrorCode.BUSY, "a password of yours is being stored; wait for it", retry_after_s=1.0)


def _info(row: Certificate, peer: Peer) -> CertificateInfo:
    current = row.fingerprint == peer.certificate
    return CertificateInfo(row.certificate_id, row.fingerprint, row.label, row.added_at_ms, current=current)
