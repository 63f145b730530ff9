"""Members: connected senders, each with its connections, its rooms and its rates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securechat.hub.rate_limits import TokenBucket
from securechat.limits import Limits
from securechat.model import Person

if TYPE_CHECKING:
    from securechat.hub.interfaces import Peer
    from securechat.hub.rooms.active_room import ActiveRoom


class MemberConnection:
    """One connection of a member.

    Attributes:
        member: the member.
        stream: the device; a retry is recognised by it.
        client: the program, as it calls itself.
        login_id: the login it used; 0 for a guest, or for a certificate.
        certificate: the fingerprint of the certificate it used.
        since_ms: the time of its login, UTC milliseconds.
        heard_seq: the last seq fanned out when its last bytes came: up to here it very likely has everything.
        last_client_id: the highest number of a draft that came on it and was given to the log.
        known_client_id: the number in its Welcome: drafts up to here may be stored, and come again as retries.
    """

    __slots__ = (
        "certificate", "client", "heard_seq", "known_client_id", "last_client_id", "login_id", "member", "since_ms",
        "stream",
    )  # fmt: skip

    def __init__(
        self, member: Member, stream: int, client: str, since_ms: int, heard_seq: int, known_client_id: int
    ) -> None:
        self.member = member
        self.stream = stream
        self.client = client
        self.since_ms = since_ms
        self.heard_seq = heard_seq
        self.last_client_id = self.known_client_id = known_client_id
        self.login_id = 0
        self.certificate: str | None = None


class Member:
    """One sender who is connected. Rates and presence belong to the member, never to a connection.

    Attributes:
        sender_id: its number, for ever.
        owner: the owner of its name in `NameReservations`.
        name: as others see it.
        key: decides whether two names are the same.
        account: whether it is logged in to an account.
        peers: its connections; none during a short absence, several only of an account.
        rooms: the rooms it is in, by name.
        unsettled: drafts the log has not answered yet.
        entered_seq: for each room the last seq fanned out when it entered: with ``history_from_join``, a guest reads
            only above.
        departures: rooms it has left, whose members are told when nothing of it is unsettled any more.
        was_called: rooms that got another name while it was in them, by the old name, which its clients may still use.
    """

    __slots__ = (
        "_person", "account", "byte_bucket", "departures", "entered_seq", "key", "message_bucket", "name", "owner",
        "peers", "request_bucket", "rooms", "sender_id", "unsettled", "was_called",
    )  # fmt: skip

    def __init__(self, sender_id: int, owner: bytes, name: str, key: str, limits: Limits) -> None:
        self.sender_id = sender_id
        self.owner = owner
        self.name = name
        self._person = Person(sender_id, name)
        self.key = key
        self.account = False
        self.peers: list[Peer] = []
        self.rooms: dict[str, ActiveRoom] = {}
        self.unsettled = 0
        self.departures: list[ActiveRoom] = []
        self.entered_seq: dict[str, int] = {}
        self.was_called: dict[str, ActiveRoom] = {}
        self.message_bucket = TokenBucket(limits.message_burst, limits.message_rate)
        self.request_bucket = TokenBucket(limits.request_burst, limits.request_rate)
        self.byte_bucket = TokenBucket(limits.byte_burst, limits.byte_rate)

    def room_meant(self, name: str) -> str:
        """Return what a room is called now, where the member still uses a name that it had while they were in it."""
        room = self.was_called.get(name)
        if room is None or name in self.rooms or self.rooms.get(room.name) is not room:
            return name
        return room.name

    @property
    def person(self) -> Person:
        """This member as others see it; made once for each name, because a Joined shows up to 200 people."""
        if self._person.name is not self.name:
            self._person = Person(self.sender_id, self.name)
        return self._person
