"""Records how far an account has read each conversation, and tells the account's other devices."""

from __future__ import annotations

from securechat.hub.context import HubContext
from securechat.hub.interfaces import Peer
from securechat.hub.members import Member
from securechat.hub.rooms.room import HubRoom
from securechat.hub.workflow import Commit, Turn, Workflow
from securechat.model import Read, ReadElsewhere
from securechat.records.rooms import PutReadMarker


class AccountReadMarkers:
    """Shares read markers between the devices of an account.

    Args:
        context: members, accounts, and the last seq fanned out.
    """

    def __init__(self, context: HubContext) -> None:
        self._context = context

    def answer(self, peer: Peer, member: Member, command: Read) -> None:
        """Record how far a conversation has been read; a guest's marker is passed on and not recorded.

        Raises:
            Refusal: ROOM_INVALID.
        """
        seq = min(command.seq, self._context.fed_seq)
        if (command.room is None) == (command.peer is None):
            return
        room = member.room_called(command.room) if command.room is not None else None
        if command.room is not None and room is None:
            return
        if rest := [each for each in member.hearers(room) if each is not peer]:
            self._context.broadcaster.broadcast(rest, [ReadElsewhere(seq, _name(room), command.peer)])
        if member.account:
            # the next marker of the conversation makes up for one that is not recorded
            self._context.workflows.run(_record(member.sender_id, seq, room, command.peer))


def _record(sender_id: int, seq: int, room: HubRoom | None, peer: int | None) -> Workflow[None]:
    yield Turn(("read", sender_id))
    if room is not None and room.is_renaming:
        yield Turn(room)  # behind the new name, because the log knows rooms by name
    yield Commit((PutReadMarker(sender_id, seq, _name(room), peer),))


def _name(room: HubRoom | None) -> str | None:
    return None if room is None else room.name
