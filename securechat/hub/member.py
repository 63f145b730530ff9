"""A member: one sender who is here, with the connections it is here through and what it may still do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securechat.hub.policy import TokenBucket
from securechat.limits import Limits
from securechat.model import Person

if TYPE_CHECKING:
    from securechat.hub.ports import Peer
    from securechat.hub.room import Room


class Member:
    """Somebody present. Limits and presence hang here, never on a connection.

    Attributes:
        sender_id: who it is, for ever.
        owner: SHA-256 of the resume secret.
        name: as others see it; ``key`` decides uniqueness.
        peers: its connections: one, or none during a quiet absence.
        rooms: where it is.
        unsettled: drafts the log has not answered yet.
        departures: rooms it has left, but whose members are told only when nothing of it is unsettled.
    """

    __slots__ = (
        "byte_bucket", "departures", "key", "message_bucket", "name", "owner", "peers", "request_bucket",
        "rooms", "sender_id", "unsettled",
    )  # fmt: skip

    def __init__(self, sender_id: int, owner: bytes, name: str, key: str, limits: Limits) -> None:
        self.sender_id = sender_id
        self.owner = owner
        self.name = name
        self.key = key
        self.peers: list[Peer] = []
        self.rooms: dict[str, Room] = {}
        self.unsettled = 0
        self.departures: list[Room] = []
        self.message_bucket = TokenBucket(limits.message_burst, limits.message_rate)
        self.request_bucket = TokenBucket(limits.request_burst, limits.request_rate)
        self.byte_bucket = TokenBucket(limits.byte_burst, limits.byte_rate)

    @property
    def person(self) -> Person:
        """This member as others see it."""
        return Person(self.sender_id, self.name)
