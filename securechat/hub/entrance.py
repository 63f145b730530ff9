"""The entrance: from a hello to a member, and from a lost connection to an absent or departed one.

A hello claims its name at once and then asks the log who the sender is. Only when that answer is durable does the
member exist and get its Welcome; so no ack and no sender_id can be shown that a crash could take back. What happens
to the connection in between is settled when the answer comes.
"""

from __future__ import annotations

from collections.abc import Callable

from securechat.errors import ErrorCode, Refusal
from securechat.hub.claims import NameClaims, owner_of
from securechat.hub.member import Member
from securechat.hub.ports import Identity, MessageLog, NotAppended, Peer
from securechat.limits import Limits
from securechat.model import PROTOCOL_VERSION, Closing, Hello, Refused
from securechat.names import check_name, name_key


class Entrance:
    """Turns hellos into members.

    Args:
        log: knows which secret is which sender.
        limits: reservation times and bucket sizes.
        admitted: called with the member and its new connection; ``resumed`` tells whether the member had never
            left, ``old_name`` what it was called before.
    """

    def __init__(
        self,
        log: MessageLog,
        limits: Limits,
        admitted: Callable[[Member, Peer, Identity, bool, str], None],
    ) -> None:
        self.claims = NameClaims()
        self.members: dict[int, Member] = {}
        self._log = log
        self._limits = limits
        self._admitted = admitted
        self._by_key: dict[str, Member] = {}
        self._now = 0.0
        self._waiting: dict[Peer, tuple[str, bytes]] = {}

    def hello(self, peer: Peer, hello: Hello, now: float) -> None:
        """Answer a hello: later with a member, or now with Refused, after which another hello may follow.

        Raises:
            Refusal: the connection already said a hello that is being answered, or the name cannot be had.
        """
        if hello.version != PROTOCOL_VERSION:
            sentence = f"this server speaks version {PROTOCOL_VERSION} of the protocol; install a matching client"
            peer.close(Closing(ErrorCode.UNSUPPORTED_VERSION, sentence))
            return
        self._now = now
        if peer in self._waiting:
            raise Refusal(ErrorCode.BUSY, "a hello is being answered; wait for it")
        name = check_name(hello.name)
        key = name_key(name)
        owner = owner_of(hello.secret)
        self.claims.claim(key, owner, now)
        self._waiting[peer] = (key, owner)
        self._log.identify(owner, name, key, lambda answer: self._identified(peer, owner, name, key, answer))

    def _identified(self, peer: Peer, owner: bytes, name: str, key: str, answer: Identity | NotAppended) -> None:
        present = self._waiting.pop(peer, None) is not None
        if isinstance(answer, NotAppended):
            self._give_back(key, owner)
            if present:
                peer.deliver(Refused(answer.code, answer.text))
        elif not present:
            self._abandoned(answer.sender_id, owner, key)
        else:
            try:  # again: the owner may have quit elsewhere meanwhile, and somebody else taken the name
                self.claims.claim(key, owner, self._now)
            except Refusal as refusal:
                self._correct(answer.sender_id)
                peer.deliver(Refused(refusal.code, refusal.detail, retry_after_s=refusal.retry_after_s))
                return
            self._admit(peer, owner, name, key, answer)

    def _admit(self, peer: Peer, owner: bytes, name: str, key: str, identity: Identity) -> None:
        member = self.members.get(identity.sender_id)
        resumed, old_name = member is not None, name
        if member is None:
            member = Member(identity.sender_id, owner, name, key, self._limits)
            self.members[identity.sender_id] = member
        elif member.name != name:
            old_name = member.name
            if member.key != key:
                self.claims.free(member.key, owner)
                self._by_key.pop(member.key, None)
            member.name, member.key = name, key
            self._log.rename(member.sender_id, name, key)  # a Nick may have been recorded since the hello
        self._by_key[key] = member
        self._admitted(member, peer, identity, resumed, old_name)

    def _abandoned(self, sender_id: int, owner: bytes, key: str) -> None:
        """The connection ended before its hello was answered: its owner keeps the name for a while, as after any loss.

        Unless another connection of the same owner is in, or is being answered: then that one decides.
        """
        if sender_id not in self.members and not self._is_coming(owner, key):
            self.claims.reserve(key, owner, self._now + self._limits.name_reservation_s)
        else:
            self._give_back(key, owner)
        if not self._is_coming(owner):
            self._correct(sender_id, reserved=True)

    def _give_back(self, key: str, owner: bytes) -> None:
        """A claim made for a hello that came to nothing: back to what it was before."""
        if self._is_coming(owner, key):
            return
        holder = self._by_key.get(key)
        if holder is None or holder.owner != owner:
            self.claims.free(key, owner)
        elif not holder.peers:
            self.claims.reserve(key, owner, self._now + self._limits.name_reservation_s)

    def _correct(self, sender_id: int, *, reserved: bool = False) -> None:
        """Tell the log how things stand with a sender whose hello it has just recorded in vain."""
        member = self.members.get(sender_id)
        if member is None:
            self._log.release(sender_id, reserved=reserved)
            return
        self._log.rename(sender_id, member.name, member.key)
        if not member.peers:
            self._log.release(sender_id, reserved=True)

    def _is_coming(self, owner: bytes, key: str | None = None) -> bool:
        """Whether a hello of this owner (for this name) is being answered."""
        return any(each == owner and key in (None, its_key) for its_key, each in self._waiting.values())

    def rename(self, member: Member, raw: str, now: float) -> str:
        """Give a member another name; returns the old one.

        Raises:
            Refusal: the name is invalid, reserved or taken.
        """
        name = check_name(raw)
        key = name_key(name)
        if key != member.key:
            self.claims.claim(key, member.owner, now)
            self.claims.free(member.key, member.owner)
            self._by_key.pop(member.key, None)
            self._by_key[key] = member
        old, member.name, member.key = member.name, name, key
        self._log.rename(member.sender_id, name, key)
        return old

    def find(self, key: str) -> Member | None:
        """Return the member with this name key, or None."""
        return self._by_key.get(key)

    def forget(self, peer: Peer) -> None:
        """A connection ended before its hello was answered."""
        self._waiting.pop(peer, None)

    def reserve(self, member: Member, now: float) -> None:
        """The last connection of a member was lost: keep the name for a while, across a restart too."""
        self._now = now
        self.claims.reserve(member.key, member.owner, now + self._limits.name_reservation_s)
        if not self._is_coming(member.owner):
            self._log.release(member.sender_id, reserved=True)

    def free(self, member: Member) -> None:
        """A member quit: the name is free at once."""
        if not self._is_coming(member.owner, member.key):
            self.claims.free(member.key, member.owner)
        if not self._is_coming(member.owner):
            self._log.release(member.sender_id, reserved=False)
        self.dismiss(member)

    def dismiss(self, member: Member) -> None:
        """A member is gone; its reservation, if it has one, goes on."""
        del self.members[member.sender_id]
        if self._by_key.get(member.key) is member:
            del self._by_key[member.key]
