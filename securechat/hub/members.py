"""Members: connected senders, each with its connections, its rooms and its rates."""

from __future__ import annotations

from securechat.hub.interfaces import Peer
from securechat.hub.programs.hearing import covers, hears
from securechat.hub.rate_limits import TokenBucket
from securechat.hub.rooms.room import HubRoom
from securechat.limits import Limits
from securechat.model import Person
from securechat.records.accounts import ApiToken
from securechat.text.names import check_room

_FORMER_NAMES = 100
"""Of the rooms that a member is in, the latest: for what was under way when they got another."""


class MemberConnection:
    """One connection of a member.

    Attributes:
        member: the member.
        stream: the device; a retry is recognised by it.
        client: the program, as it calls itself.
        login_id: the login it used; 0 for a guest, or for a certificate.
        certificate: the fingerprint of the certificate it used.
        token: the API token that it came by: it may do and hears what that one is good for. None for a person's.
        message_bucket: the rate of its messages: that of its member, or of its token, as are the next two.
        request_bucket: the rate of its other requests.
        byte_bucket: the rate of the bytes that it sends.
        must_change: whether it came in by a temporary password that has not been changed on it: it may do nothing else.
        since_ms: the time of its login, UTC milliseconds.
        heard_seq: the last seq fanned out when its last bytes came: up to here it very likely has everything.
        last_client_id: the highest number of a draft that came on it and was given to the log.
        known_client_id: the number in its Welcome: drafts up to here may be stored, and come again as retries.
    """

    __slots__ = (
        "byte_bucket", "certificate", "client", "heard_seq", "known_client_id", "last_client_id", "login_id", "member",
        "message_bucket", "must_change", "request_bucket", "since_ms", "stream", "token",
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
        self.must_change = False
        self.token: ApiToken | None = None
        self.message_bucket = member.message_bucket
        self.request_bucket = member.request_bucket
        self.byte_bucket = member.byte_bucket


class Member:
    """One sender who is connected. Rates and presence belong to the member, never to a connection.

    Attributes:
        sender_id: its number, for ever.
        owner: the owner of its name in `NameReservations`.
        name: as others see it.
        key: decides whether two names are the same.
        account: whether it is logged in to an account.
        bot: whether that is a bot's or an incoming webhook's.
        tokens: the API tokens of those of its connections that came by one, and hear what it may read and nothing else.
        peers: its connections; none during a short absence, several only of an account.
        rooms: the rooms it is in, with the last seq fanned out when it entered: with ``history_from_join``, a guest
            reads only above.
        unsettled: drafts the log has not answered yet.
        departures: rooms it has left, whose members are told when nothing of it is unsettled any more.
    """

    __slots__ = (
        "_has_former_names", "_person", "_room_names", "account", "bot", "byte_bucket", "departures", "key",
        "message_bucket", "name", "owner", "peers", "request_bucket", "rooms", "sender_id", "tokens", "unsettled",
    )  # fmt: skip

    def __init__(self, sender_id: int, owner: bytes, name: str, key: str, limits: Limits, *, bot: bool = False) -> None:
        self.sender_id = sender_id
        self.owner = owner
        self.name = name
        self.bot = bot
        self._person = Person(sender_id, name, bot)
        self.key = key
        self.account = False
        self.peers: list[Peer] = []
        self.tokens: dict[Peer, ApiToken] = {}
        self.rooms: dict[HubRoom, int] = {}
        self._room_names: dict[str, HubRoom] = {}
        self._has_former_names = False
        self.unsettled = 0
        self.departures: list[HubRoom] = []
        self.message_bucket = TokenBucket(limits.message_burst, limits.message_rate)
        self.request_bucket = TokenBucket(limits.request_burst, limits.request_rate)
        self.byte_bucket = TokenBucket(limits.byte_burst, limits.byte_rate)

    # A client knows rooms by their names alone, and uses a former one until it has heard of the new one. So a member
    # has a table of the names that its clients may use: the present names of its rooms, and those that a room had
    # while the member was in it, unless another of its rooms has the name by now. This is the one place where a former
    # name means anything.

    def room_called(self, raw: str) -> HubRoom | None:
        """Return the room that the member is in and that its clients call so.

        Raises:
            Refusal: ROOM_INVALID for what can be no room's name.
        """
        room = self._room_names.get(raw)
        return room if room is not None else self._room_names.get(check_room(raw))

    def note_entered(self, room: HubRoom, seq: int) -> None:
        """The member is in a room, after everything up to ``seq`` was fanned out."""
        self.rooms[room] = seq
        self._room_names[room.name] = room

    def note_left(self, room: HubRoom) -> None:
        """The member is in a room no more."""
        del self.rooms[room]
        names = self._room_names
        if self._has_former_names:
            self._room_names = {name: each for name, each in names.items() if each is not room}
        elif names.get(room.name) is room:
            del names[room.name]

    def note_room_renamed(self, room: HubRoom, old: str) -> None:
        """A room of the member has another name than ``old``, which its clients may still use."""
        names = self._room_names
        names[room.name] = room
        if names.get(old) is room:
            names[old] = names.pop(old)  # as the latest
        self._has_former_names = True
        if len(names) > len(self.rooms) + _FORMER_NAMES:
            former = next(name for name, each in names.items() if each.name != name)
            del names[former]

    @property
    def person(self) -> Person:
        """This member as others see it; made once for each name, because a Joined shows up to 200 people."""
        if self._person.name is not self.name:
            self._person = Person(self.sender_id, self.name, self.bot)
        return self._person

    def hearers(self, room: HubRoom | None) -> list[Peer]:
        """Return the connections that get what is said in a room, or (None) in the member's dialogues."""
        if not self.tokens:
            return self.peers
        return [peer for peer in self.peers if (token := self.tokens.get(peer)) is None or hears(token, room)]

    def told_of(self, room: HubRoom) -> list[Peer]:
        """Return the connections that are told of the member's coming into a room and leaving it."""
        if not self.tokens:
            return self.peers
        return [peer for peer in self.peers if (token := self.tokens.get(peer)) is None or covers(token, room)]
