"""The entrance: from a hello to a member, and from a lost connection to an absent or departed one.

The door says who somebody is; then the name is claimed and the log is asked for the sender. Only when that answer is
durable does the member exist and get its Welcome; so no ack and no sender_id can be shown that a crash could take
back. What happens to the connection in between is settled when the answer comes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

from msgspec.structs import replace

from securechat.errors import ErrorCode, Refusal
from securechat.hub.accounts.authentication import Authenticated, Authenticator
from securechat.hub.accounts.login_completion import REPLACED, LoginCompletion
from securechat.hub.accounts.names import owner_of, owner_of_account
from securechat.hub.context import HubContext
from securechat.hub.interfaces import OperatorEvent, Peer
from securechat.hub.members import Member, MemberConnection
from securechat.model import PROTOCOL_VERSION, Closing, Hello, Refused
from securechat.records.accounts import Account, Change, Committed, Drop, Invite, Login, Put
from securechat.records.log import Identity, NotAppended
from securechat.text.names import check_name, name_key


class PendingLogin:
    """Somebody on the way in."""

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
        """Answer a hello: later with a member, or with Refused, after which another hello may follow.

        Raises:
            Refusal: the connection already said a hello that is being answered, or it proves nothing.
        """
        if hello.version != PROTOCOL_VERSION:
            sentence = f"this server speaks version {PROTOCOL_VERSION} of the protocol; install a matching client"
            peer.close(Closing(ErrorCode.UNSUPPORTED_VERSION, sentence))
            return
        if peer in self._waiting or peer in self._authenticating:
            raise Refusal(ErrorCode.BUSY, "a hello is being answered; wait for it")
        self._authenticating.add(peer)
        try:
            name = check_name(hello.name)
            self._authenticator.authenticate(peer, hello, name, lambda answer: self._opened(peer, hello, answer))
        except Refusal as refusal:
            self._authenticating.discard(peer)
            self._refuse(peer, hello.name, refusal)
        except BaseException:
            self._authenticating.discard(peer)
            raise

    @contextmanager
    def _ended_by_error(self, peer: Peer, guest: PendingLogin) -> Iterator[None]:
        """A hello whose next step raises is over: it holds no name and no use of an invite, and another may follow."""
        try:
            yield
        except BaseException:
            self._no_longer_waits(peer)
            self._authenticator.release(guest.entry)
            self._give_back(guest)
            raise

    def _opened(self, peer: Peer, hello: Hello, answer: Authenticated | Refusal) -> None:
        present = peer in self._authenticating
        self._authenticating.discard(peer)
        if isinstance(answer, Refusal):
            if present:
                self._refuse(peer, hello.name, answer)
            return
        if not present:
            self._authenticator.release(answer)
            return
        guest = PendingLogin(hello, answer, self._ended)
        try:
            self.name_reservations.claim(answer.name, guest.owner, self._context.now)
        except Refusal as refusal:
            self._authenticator.release(answer)
            self._refuse(peer, hello.name, refusal)
            return
        self._waiting[peer] = guest
        account = answer.account.sender_id if answer.account is not None else None
        with self._ended_by_error(peer, guest):
            self._log.identify(
                guest.secret_hash,
                answer.name,
                guest.key,
                lambda identity: self._identified(peer, guest, identity),
                account,
            )

    def _identified(self, peer: Peer, guest: PendingLogin, answer: Identity | NotAppended) -> None:
        present = peer in self._waiting
        if isinstance(answer, NotAppended):
            self._no_longer_waits(peer)
            self._authenticator.release(guest.entry)
            self._give_back(guest)
            if present:
                peer.deliver(Refused(answer.code, answer.text))
        elif not present:
            self._authenticator.release(guest.entry)
            self._abandoned(guest, answer.sender_id)
        else:
            with self._ended_by_error(peer, guest):
                self._record(peer, guest, answer)

    def _record(self, peer: Peer, guest: PendingLogin, identity: Identity) -> None:
        """Make durable what must be before the welcome: a login, or the account of somebody invited."""
        entry = guest.entry

        def recorded(answer: Committed | NotAppended) -> None:
            self._recorded(peer, guest, identity, answer)

        if entry.invite is not None:
            changes = self._new_account(guest, identity.sender_id, peer)
            name, authenticator = entry.name, self._authenticator
            self._directory.amend(
                Invite,
                entry.invite.invite_id,
                lambda invite: authenticator.spend(invite, name, peer.host),
                changes,
                recorded,
            )
        elif changes := self._authenticator.changes(entry, peer.host):
            self._directory.change(changes, recorded)
        else:
            self._settle(peer, guest, identity)

    def _new_account(self, guest: PendingLogin, sender_id: int, peer: Peer) -> tuple[Change, ...]:
        entry = guest.entry
        assert entry.invite is not None
        now_ms = self._directory.wall_ms()
        account = Account(
            sender_id, entry.name, guest.key, password=entry.password, made_at_ms=now_ms, seen_at_ms=now_ms
        )
        entry.login, entry.token, changes = self._authenticator.new_login(sender_id, guest.client, peer.host)
        entry.account = account
        note = self._directory.note(entry.name, "register", entry.name, f"with invite {entry.invite.invite_id}")
        return (Put(account), *changes, note)

    def _recorded(self, peer: Peer, guest: PendingLogin, identity: Identity, answer: Committed | NotAppended) -> None:
        if isinstance(answer, NotAppended):
            present = self._no_longer_waits(peer)
            self._authenticator.release(guest.entry)
            self._give_back(guest)
            self._correct(identity.sender_id)
            if present:
                code = ErrorCode.LOGIN_FAILED if answer.code is ErrorCode.NOT_FOUND else answer.code
                self._refuse(peer, guest.entry.name, Refusal(code, answer.text))
            return
        with self._ended_by_error(peer, guest):
            if guest.entry.invite is not None:
                self._now_an_account(guest, identity.sender_id)
            self._settle(peer, guest, identity)

    def _now_an_account(self, guest: PendingLogin, sender_id: int) -> None:
        """The invited have an account from here on, whether their connection still lives or not."""
        owner = owner_of_account(sender_id)
        self.name_reservations.hand_over(guest.entry.name, guest.owner, owner)
        guest.owner = owner

    def _settle(self, peer: Peer, guest: PendingLogin, identity: Identity) -> None:
        last_client_id = max(identity.last_client_id, self._left_behind.get(identity.stream, (0, 0))[0])
        identity = replace(identity, last_client_id=last_client_id)
        present = self._no_longer_waits(peer)
        self._authenticator.release(guest.entry)
        if not present:
            self._forget_login(guest.entry)
            self._abandoned(guest, identity.sender_id)
            return
        claimed = guest.entry.name
        try:  # again: the owner may have quit elsewhere meanwhile, somebody else taken the name, or a ban have come
            self._check_newest(peer, identity)
            self._authenticator.recheck(guest.entry, peer.host)
            guest.key = name_key(guest.entry.name)
            self.name_reservations.claim(guest.entry.name, guest.owner, self._context.now)
        except Refusal as refusal:
            guest.entry.name, guest.key = claimed, name_key(claimed)  # the account may have got another name meanwhile
            self._forget_login(guest.entry)
            self._give_back(guest)
            self._correct(identity.sender_id)
            self._refuse(peer, guest.entry.name, refusal)
            return
        self.name_reservations.exchange(
            claimed, guest.entry.name, guest.owner
        )  # another device may have renamed the account
        self._admit(peer, guest, identity)

    def _check_newest(self, peer: Peer, identity: Identity) -> None:
        """A hello that was long on its way must not throw out the connection that was made in its place."""
        member = self._members.get(identity.sender_id)
        for other in member.peers if member is not None else ():
            if other.number > peer.number and self._connections[other].stream == identity.stream:
                raise Refusal(REPLACED.code, REPLACED.text)

    def _forget_login(self, entry: Authenticated) -> None:
        """A login was made for nobody: its token has gone nowhere."""
        if entry.token and entry.login is not None:
            self._directory.change((Drop(Login, entry.login.login_id),))

    def _refuse(self, peer: Peer, name: str, refusal: Refusal) -> None:
        self._context.operator_log.happened(OperatorEvent.REFUSED, peer, name, str(refusal))
        if refusal.code in {ErrorCode.BANNED, ErrorCode.REPLACED}:
            peer.close(Closing(refusal.code, refusal.detail, retry_after_s=refusal.retry_after_s))
        else:
            peer.deliver(Refused(refusal.code, refusal.detail, retry_after_s=refusal.retry_after_s))

    def _admit(self, peer: Peer, guest: PendingLogin, identity: Identity) -> None:
        member = self._members.get(identity.sender_id)
        name, key = guest.entry.name, guest.key
        old_name = None if member is None else member.name
        if member is None:
            member = Member(identity.sender_id, guest.owner, name, key, self._limits)
            self._members[identity.sender_id] = member
        elif member.owner != guest.owner:  # a guest who is here has become an account by an invite
            self.name_reservations.hand_over(member.name, member.owner, guest.owner)
            member.owner = guest.owner
        if member.name != name:
            self._take_name(member, name, key)
            self._log.rename(member.sender_id, name, key)  # a Nick may have been recorded since the hello
        member.account = guest.entry.account is not None
        self._by_key[key] = member
        try:
            self._completion.complete(member, peer, guest.client, guest.entry, identity, old_name)
        except BaseException:
            if old_name is None and not member.peers:
                self.dismiss(member)  # it never came in, and nothing else would let go of it
            raise

    def _take_name(self, member: Member, name: str, key: str) -> None:
        """The member has claimed this name and gives up the old one."""
        self.name_reservations.exchange(member.name, name, member.owner)
        if self._by_key.get(member.key) is member:
            del self._by_key[member.key]
        member.name, member.key = name, key
        self._by_key[key] = member

    def _abandoned(self, guest: PendingLogin, sender_id: int) -> None:
        """The connection ended before its hello was answered: its owner keeps the name for a while, as after any loss.

        Unless another connection of the same owner is in, or is being answered: then that one decides.
        """
        if sender_id not in self._members and not self._is_logging_in(guest.owner, guest.key):
            self.name_reservations.reserve(
                guest.entry.name, guest.owner, self._context.now + self._limits.name_reservation_s
            )
        else:
            self._give_back(guest)
        if not self._is_logging_in(guest.owner):
            self._correct(sender_id, reserved=True)

    def _give_back(self, guest: PendingLogin) -> None:
        """A claim made for a hello that came to nothing: back to what it was before."""
        name, owner = guest.entry.name, guest.owner
        if self._is_logging_in(owner, guest.key):
            return
        holder = self._by_key.get(guest.key)
        if holder is None or holder.owner != owner:
            self.name_reservations.give_back(name, owner)
        elif not holder.peers:
            self.name_reservations.reserve(name, owner, self._context.now + self._limits.name_reservation_s)

    def _correct(self, sender_id: int, *, reserved: bool = False) -> None:
        """Tell the log how things stand with a sender whose hello it has just recorded in vain."""
        if sender_id in self._directory.accounts:
            return  # it holds no name by being here
        member = self._members.get(sender_id)
        if member is None:
            self._log.release(sender_id, reserved=reserved)
            return
        self._log.rename(sender_id, member.name, member.key)
        if not member.peers:
            self._log.release(sender_id, reserved=True)

    def _is_logging_in(self, owner: bytes, key: str | None = None) -> bool:
        """Whether a hello of this owner (for this name) is being answered."""
        return any(each.owner == owner and key in (None, each.key) for each in self._waiting.values())

    # --- Those who are in -----------------------------------------------------------------------------------------

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
        del self._members[member.sender_id]
        if self._by_key.get(member.key) is member:
            del self._by_key[member.key]
