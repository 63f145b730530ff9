"""Logs connections in: turns a hello into a member, and a lost connection into a reserved or free name.

A login authenticates the hello, claims the name and asks the log for the sender, in one commit with the login's row.
The member exists and gets its Welcome only when that is durable, so a crash takes back no ack and no sender_id that was
shown. If the connection ends meanwhile, the login is settled when the log answers. While the disk is full, a sender
that is durable already gets in to read, and is told so.
"""

from __future__ import annotations

from itertools import islice

from msgspec.structs import replace

from securechat.errors import ErrorCode, Refusal
from securechat.hub.accounts.authentication import Authenticated, Authenticator
from securechat.hub.accounts.login_completion import LoginCompletion
from securechat.hub.accounts.names import owner_of, owner_of_account
from securechat.hub.context import HubContext
from securechat.hub.interfaces import OperatorEvent, Peer
from securechat.hub.members import Member, MemberConnection
from securechat.hub.workflow import Identify, Turn, Workflow
from securechat.model import PROTOCOL_VERSION, Closing, Hello, Notice, Refused
from securechat.records.accounts import NEW_SENDER, Account, AccountKind, Change, Drop, Invite, Login, Put
from securechat.records.log import Identity
from securechat.text.names import check_name, name_key
from securechat.text.refusals import refusal_for


class PendingLogin:
    """A login that has claimed its name and waits for the log."""

    __slots__ = ("began", "client", "entry", "key", "owner", "secret_hash")

    def __init__(self, hello: Hello, entry: Authenticated, began: int) -> None:
        self.entry = entry
        self.began = began  # how many connections had ended before it
        self.client = hello.client
        self.secret_hash = owner_of(hello.secret)
        self.key = name_key(entry.name)
        account = entry.account
        self.owner = self.secret_hash if account is None else owner_of_account(account.sender_id)


class LoginFlow:
    """Turns hellos into members.

    Args:
        context: members, names and accounts; the log knows which secret is which sender.
        authenticator: judges hellos.
        completion: greets the connection of a member.
    """

    def __init__(self, context: HubContext, authenticator: Authenticator, completion: LoginCompletion) -> None:
        self._context = context
        self.name_reservations = context.names
        self._members = context.members
        self._by_key = context.members_by_key
        self._connections = context.connections
        self._directory = context.accounts
        self._log = context.log
        self._limits = context.limits
        self._authenticator = authenticator
        self._completion = completion
        self._authenticating: set[Peer] = set()
        self._waiting: dict[Peer, PendingLogin] = {}
        # The last client_id of devices whose connection ended while a hello waited, and which end it was; oldest first.
        self._left_behind: dict[int, tuple[int, int]] = {}
        self._ended = 0

    def hello(self, peer: Peer, hello: Hello) -> None:
        """Answer a hello: with a member and its Welcome, or with Refused, after which another hello may follow.

        Raises:
            Refusal: an earlier hello of the connection is still being answered.
        """
        if hello.version != PROTOCOL_VERSION:
            peer.close(Closing.of(refusal_for("unsupported_version", version=PROTOCOL_VERSION)))
            return
        if peer in self._waiting or peer in self._authenticating:
            raise refusal_for("hello_being_answered")

        def refused(refusal: Refusal) -> None:
            self._refuse(peer, hello.name, refusal)

        try:
            self._context.workflows.run(self._log_in(peer, hello), refused)
        except Refusal as refusal:
            refused(refusal)

    def _log_in(self, peer: Peer, hello: Hello) -> Workflow[None]:
        """Answer a hello, from its first check to the welcome."""
        entry: Authenticated | None = None
        pending: PendingLogin | None = None
        self._authenticating.add(peer)
        try:
            entry = yield from self._authenticator.authenticate(peer, hello, check_name(hello.name))
            if peer not in self._authenticating:
                return  # the connection has ended, and nothing is claimed yet
            pending = self._claim(peer, hello, entry)
            identity = yield from self._identify(peer, pending)
            if identity is None:
                self._abandon(peer, pending)
            elif peer in self._waiting:
                self._settle(peer, pending, identity)
            else:
                self._forget_login(entry)
                self._abandoned(pending, identity.sender_id)
        except BaseException as error:
            is_here = self._abandon(peer, pending)
            if is_here or not isinstance(error, Refusal):
                raise
        finally:
            self._authenticating.discard(peer)
            if entry is not None:
                self._authenticator.release(entry)

    def _claim(self, peer: Peer, hello: Hello, entry: Authenticated) -> PendingLogin:
        """Claim the name that a hello has proved enough for. Raises as `NameReservations.claim`."""
        pending = PendingLogin(hello, entry, self._ended)
        self._claim_name(entry, pending)
        self._authenticating.discard(peer)
        self._waiting[peer] = pending
        return pending

    def _abandon(self, peer: Peer, pending: PendingLogin | None) -> bool:
        """End a login that came to nothing: it holds no name, and another may follow. Tell whether its peer is here."""
        is_here = peer in self._authenticating or peer in self._waiting or peer in self._connections
        self._authenticating.discard(peer)
        if pending is not None:
            self._no_longer_waits(peer)
            self._give_back(pending)
        return is_here

    def _identify(self, peer: Peer, pending: PendingLogin) -> Workflow[Identity | None]:
        """Ask the log for the sender, and make its login or its account durable along with it.

        Returns:
            None if the connection has ended before the log was asked.
        """
        entry = pending.entry
        try:
            if entry.invite is not None:
                return (yield from self._redeem(peer, pending, entry.invite.invite_id))
            account = entry.account.sender_id if entry.account is not None else None
            changes = self._authenticator.changes(entry, peer.host)
            identity: Identity = yield Identify(pending.secret_hash, entry.name, pending.key, account, changes)
        except Refusal as refusal:
            if refusal.code is ErrorCode.NOT_FOUND:
                raise refusal_for("login_failed") from None  # the account has just been deleted
            raise
        return identity

    def _redeem(self, peer: Peer, pending: PendingLogin, invite_id: int) -> Workflow[Identity | None]:
        """Make the account of an invited guest along with its sender; one use of the invite after the other."""
        entry = pending.entry
        with (yield Turn((Invite, invite_id))):
            invite = self._directory.present(Invite, invite_id)
            if peer not in self._waiting:
                return None
            if invite is None:
                raise refusal_for("invite_unknown")
            if self._directory.look_alike(entry.name) is not None:  # registered and left during the hashing
                raise refusal_for("name_not_free")
            spent = self._authenticator.spend(invite, entry.name, peer.host)
            account, login, changes = self._new_account(pending, peer)
            identity: Identity = yield Identify(
                pending.secret_hash, entry.name, pending.key, None, (Put(spent), *changes)
            )
        entry.account = replace(account, sender_id=identity.sender_id)
        entry.login = replace(login, sender_id=identity.sender_id)
        owner = owner_of_account(identity.sender_id)  # whether the connection still lives or not
        self.name_reservations.hand_over(entry.name, pending.owner, owner)
        pending.owner = owner
        return identity

    def _new_account(self, pending: PendingLogin, peer: Peer) -> tuple[Account, Login, tuple[Change, ...]]:
        entry = pending.entry
        assert entry.invite is not None
        now_ms = self._directory.wall_ms()
        account = Account(
            NEW_SENDER, entry.name, pending.key, password=entry.password, made_at_ms=now_ms, seen_at_ms=now_ms
        )
        login, entry.token, changes = self._authenticator.new_login(NEW_SENDER, pending.client, peer.host)
        note = self._directory.note(entry.name, "register", entry.name, f"with invite {entry.invite.invite_id}")
        return account, login, (Put(account), *changes, note)

    def _settle(self, peer: Peer, pending: PendingLogin, identity: Identity) -> None:
        """Look again at what may have changed during the commit, and let the member in.

        Raises:
            Refusal: a newer connection of the device is here; the proof is worth nothing any more; another member has
                the name.
        """
        entry = pending.entry
        last_client_id = max(identity.last_client_id, self._left_behind.get(identity.stream, (0, 0))[0])
        identity = replace(identity, last_client_id=last_client_id)
        claimed = entry.name
        try:
            self._check_newest(peer, identity)
            self._authenticator.recheck(entry, peer.host, identity.sender_id)
            pending.key = name_key(entry.name)
            self._claim_name(entry, pending)
        except Refusal:
            entry.name, pending.key = claimed, name_key(claimed)  # the account may have got another name meanwhile
            self._forget_login(entry)
            self._correct(identity.sender_id)
            raise
        self._no_longer_waits(peer)
        self.name_reservations.exchange(claimed, entry.name, pending.owner)  # renamed meanwhile by another device
        self._admit(peer, pending, identity)
        if not identity.stored:
            peer.deliver(Notice.of(refusal_for("reading_only"), self._directory.wall_ms()))

    def _check_newest(self, peer: Peer, identity: Identity) -> None:
        """Refuse a hello that took long, if its device has a newer connection, which it must not replace."""
        member = self._members.get(identity.sender_id)
        for other in member.peers if member is not None else ():
            if other.number > peer.number and self._connections[other].stream == identity.stream:
                raise refusal_for("replaced")

    def _forget_login(self, entry: Authenticated) -> None:
        """Drop a new login whose token was not delivered."""
        if entry.token and entry.login is not None:
            self._context.changes.commit((Drop(Login, entry.login.login_id),))

    def _refuse(self, peer: Peer, name: str, refusal: Refusal) -> None:
        self._context.operator_log.happened(OperatorEvent.REFUSED, peer, name, str(refusal))
        if refusal.code in {ErrorCode.BANNED, ErrorCode.REPLACED}:
            peer.close(Closing.of(refusal))
        else:
            peer.deliver(Refused.of(refusal))

    def _admit(self, peer: Peer, pending: PendingLogin, identity: Identity) -> None:
        member = self._members.get(identity.sender_id)
        name, key = pending.entry.name, pending.key
        old_name = None if member is None else member.name
        if member is None:
            account = pending.entry.account
            bot = account is not None and account.kind is not AccountKind.PERSON
            member = Member(identity.sender_id, pending.owner, name, key, self._limits, bot=bot)
            self._members[identity.sender_id] = member
        elif member.owner != pending.owner:  # a guest who is here has become an account by an invite
            self.name_reservations.hand_over(member.name, member.owner, pending.owner)
            member.owner = pending.owner
        if member.name != name:
            self._take_name(member, name, key)
            self._log.rename(member.sender_id, name, key)  # a Nick may have been recorded since the hello
        member.account = pending.entry.account is not None
        if not member.account and self._directory.mutes:
            self._directory.mute_along(member.sender_id, name)
        self._by_key[key] = member
        try:
            self._completion.complete(member, peer, pending.client, pending.entry, identity, old_name)
        except BaseException:
            if old_name is None and not member.peers:
                self.dismiss(member)  # it never came in, and nothing else would let go of it
            raise

    def _take_name(self, member: Member, name: str, key: str) -> None:
        """Give a member the name it has claimed, in place of the old one."""
        self.name_reservations.exchange(member.name, name, member.owner)
        if self._by_key.get(member.key) is member:
            del self._by_key[member.key]
        member.name, member.key = name, key
        self._by_key[key] = member

    def _abandoned(self, pending: PendingLogin, sender_id: int) -> None:
        """Reserve the name of a login whose connection ended before the answer, as after any lost connection.

        If another connection of the same owner is in, or is being answered, that one decides.
        """
        if sender_id not in self._members and not self._is_logging_in(pending.owner, pending.key):
            self.name_reservations.reserve(
                pending.entry.name, pending.owner, self._context.now + self._limits.name_reservation_s
            )
        else:
            self._give_back(pending)
        if not self._is_logging_in(pending.owner):
            self._correct(sender_id, reserved=True)

    def _give_back(self, pending: PendingLogin) -> None:
        """Undo the claim of a login that came to nothing: the name is as it was before."""
        name, owner = pending.entry.name, pending.owner
        if self._is_logging_in(owner, pending.key):
            return
        holder = self._by_key.get(pending.key)
        if holder is None or holder.owner != owner:
            self.name_reservations.give_back(name, owner)
        elif not holder.peers:
            self.name_reservations.reserve(name, owner, self._context.now + self._limits.name_reservation_s)

    def _correct(self, sender_id: int, *, reserved: bool = False) -> None:
        """Tell the log the present name of a sender whose login it has just recorded in vain."""
        if sender_id in self._directory.accounts:
            return  # it holds no name by being here
        member = self._members.get(sender_id)
        if member is None:
            self._log.release(sender_id, reserved=reserved)
            return
        self._log.rename(sender_id, member.name, member.key)
        if not member.peers:
            self._log.release(sender_id, reserved=True)

    def _claim_name(self, entry: Authenticated, pending: PendingLogin) -> None:
        is_own = entry.account is not None
        self.name_reservations.claim(entry.name, pending.owner, self._context.now, is_own=is_own)

    def _is_logging_in(self, owner: bytes, key: str | None = None) -> bool:
        """Tell whether a hello of this owner (for this name) is being answered."""
        return any(each.owner == owner and key in (None, each.key) for each in self._waiting.values())

    # --- Names of members -------------------------------------------------------------------------------------------

    def claim(self, member: Member, raw: str) -> str:
        """Claim another name for a member, who has it after `rename`; returns it as it will be shown.

        Raises:
            Refusal: the name is invalid, reserved or taken.
        """
        name = check_name(raw)
        if name_key(name) != member.key:
            taken = self._directory.look_alike(name)
            if taken is None or taken.sender_id != member.sender_id:
                self._authenticator.check_free(name)
            self.name_reservations.claim(name, member.owner, self._context.now)
        return name

    def unclaim(self, member: Member, name: str) -> None:
        """Give up a name that `claim` has returned: the member left before it had it."""
        if not self._is_logging_in(member.owner, name_key(name)):
            self.name_reservations.free(name, member.owner)

    def rename(self, member: Member, name: str) -> str:
        """Give a member a name that `claim` has returned; returns the old one."""
        old = member.name
        self._take_name(member, name, name_key(name))
        if not member.account:
            self._log.rename(member.sender_id, name, member.key)
            if self._directory.mutes:
                self._directory.mute_along(member.sender_id, name)
        return old

    def registered(self, member: Member) -> None:
        """A guest has become an account."""
        owner = owner_of_account(member.sender_id)
        self.name_reservations.hand_over(member.name, member.owner, owner)
        member.owner = owner
        member.account = True

    def forget(self, peer: Peer) -> None:
        """A connection ended before its hello was answered."""
        self._no_longer_waits(peer)
        self._authenticating.discard(peer)

    def connection_lost(self, connection: MemberConnection) -> None:
        """A connection is over. What came on it may be unknown to the log's answer to a hello of the same device."""
        self._ended += 1
        if self._waiting:
            before, _ = self._left_behind.pop(connection.stream, (0, 0))
            self._left_behind[connection.stream] = (max(connection.last_client_id, before), self._ended)

    def _no_longer_waits(self, peer: Peer) -> bool:
        """A hello is answered, or will not be; tell whether it still waited."""
        present = self._waiting.pop(peer, None) is not None
        # The log answers a hello after all that was given to it before: what ended before the oldest hello is known.
        oldest = min((guest.began for guest in islice(self._waiting.values(), 1)), default=self._ended)
        while self._left_behind:
            stream, (_, ended) = next(iter(self._left_behind.items()))
            if ended > oldest:
                break
            del self._left_behind[stream]
        return present

    def reserve(self, member: Member) -> None:
        """The last connection of a member was lost: keep the name for a while, across a restart too."""
        self.name_reservations.reserve(member.name, member.owner, self._context.now + self._limits.name_reservation_s)
        if not self._is_logging_in(member.owner) and not member.account:
            self._log.release(member.sender_id, reserved=True)

    def free(self, member: Member) -> None:
        """A member quit: the name is free at once."""
        if not self._is_logging_in(member.owner, member.key):
            self.name_reservations.free(member.name, member.owner)
        if not self._is_logging_in(member.owner) and not member.account:
            self._log.release(member.sender_id, reserved=False)
        self.dismiss(member)

    def dismiss(self, member: Member) -> None:
        """A member is gone; its reservation, if it has one, goes on."""
        self._directory.forget_muted_along(member.sender_id)
        del self._members[member.sender_id]
        if self._by_key.get(member.key) is member:
            del self._by_key[member.key]
