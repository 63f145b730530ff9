"""The state that the services of one hub share: members, names, accounts, rooms, the time and the last seq fanned out.

A service takes the context and the services it calls, and nothing else. Each field has one writer, named below; all
others read it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from securechat.hub.accounts.changes import RecordChanges
from securechat.hub.accounts.directory import AccountDirectory
from securechat.hub.accounts.hashing_quota import HashingQuota
from securechat.hub.accounts.names import NameReservations
from securechat.hub.environment import HubEnvironment
from securechat.hub.interfaces import Peer
from securechat.hub.members import Member, MemberConnection
from securechat.hub.rooms.directory import RoomDirectory
from securechat.hub.rooms.presence import PresenceTracker
from securechat.hub.workflow import Workflows


class FileNumbers(NamedTuple):
    """What there is of files.

    Attributes:
        kept_bytes: of all files of messages, with those that are not unlinked yet.
        uploads: files that no message has yet.
    """

    kept_bytes: int = 0
    uploads: int = 0


@dataclass(eq=False)
class HubContext(HubEnvironment):
    """One per hub.

    Attributes:
        fed_seq: the last seq fanned out; set by `Hub.restore` and `Hub.on_commit`.
        log_id: tells this log from every other; set by `Hub.restore`.
        unsettled: drafts the log has not answered yet; counted by `Posting`.
        members: connected members and those absent for a while, by sender_id; kept by `LoginFlow`, as the next two.
        members_by_key: the same, by the key of their name.
        names: the owners of names.
        connections: every connection of a member; added by `LoginCompletion`, removed by `Disconnection`.
        accounts: accounts with their logins, certificates, invites and mutes.
        rooms: every room, by name and by record.
        presence: the members in the rooms.
        changes: makes changes of accounts and rooms.
        hashing: hashes the passwords of peers.
        workflows: runs what waits for the log or the hasher more than once.
        file_numbers: returns what there is of files; set by `Hub`, where the server takes any.
    """

    fed_seq: int = field(default=0, init=False)
    log_id: str = field(default="", init=False)
    unsettled: int = field(default=0, init=False)
    members: dict[int, Member] = field(default_factory=dict, init=False)
    members_by_key: dict[str, Member] = field(default_factory=dict, init=False)
    names: NameReservations = field(default_factory=NameReservations, init=False)
    connections: dict[Peer, MemberConnection] = field(default_factory=dict, init=False)
    accounts: AccountDirectory = field(init=False)
    rooms: RoomDirectory = field(init=False)
    presence: PresenceTracker = field(init=False)
    changes: RecordChanges = field(init=False)
    hashing: HashingQuota = field(init=False)
    workflows: Workflows = field(init=False)
    file_numbers: Callable[[], FileNumbers] = field(default=FileNumbers, init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.accounts = AccountDirectory(self)
        self.rooms = self.accounts.room_directory
        self.presence = PresenceTracker(self, self.rooms)
        self.changes = RecordChanges(self.log, self.accounts)
        self.hashing = HashingQuota(self.authentication.hasher, self.limits)
        self.workflows = Workflows(self, self.changes, self.hashing, self.connections)
