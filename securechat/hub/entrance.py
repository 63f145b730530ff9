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
            self._free_unless_held(key, owner)
            if present:
                peer.deliver(Refused(answer.code, answer.text))
            return
        member = self.members.get(answer.sender_id)
        if not present:
            if member is None:
                self.claims.free(key, owner)
                self._log.release(answer.sender_id, reserved=False)
            elif member.key != key:
                self.claims.free(key, owner)
                self._log.rename(member.sender_id, member.name, member.key)
            return
        resumed, old_name = member is not None, name
        if member is None:
            member = Member(answer.sender_id, owner, name, key, self._limits)
            self.members[answer.sender_id] = member
        else:
            old_name = member.name
            if member.key != key:
                self.claims.free(member.key, owner)
                self._by_key.pop(member.key, None)
            member.name, member.key = name, key
        self._by_key[key] = member
        self._admitted(member, peer, answer, resumed, old_name)

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
            del self._by_key[member.key]
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
        self.claims.reserve(member.key, member.owner, now + self._limits.name_reservation_s)
        self._log.release(member.sender_id, reserved=True)

    def free(self, member: Member) -> None:
        """A member quit: the name is free at once."""
        self.claims.free(member.key, member.owner)
        self._log.release(member.sender_id, reserved=False)
        self.dismiss(member)

    def dismiss(self, member: Member) -> None:
        """A member is gone; its reservation, if it has one, goes on."""
        del self.members[member.sender_id]
        del self._by_key[member.key]

    def _free_unless_held(self, key: str, owner: bytes) -> None:
        holder = self._by_key.get(key)
        if holder is None or holder.owner != owner:
            self.claims.free(key, owner)
