"""Takes bots out of rooms that the account which made them may not enter any more.

A bot has never a right that its maker lacks. Mutes, bans and ranks are judged where they are asked for; what has to be
done at once is to end a presence in a room: when the maker leaves a private one or is taken out, when it is banned from
one, or when a room becomes private.
"""

from __future__ import annotations

from securechat.errors import Refusal
from securechat.hub.context import HubContext
from securechat.hub.rooms.membership import RoomMembership
from securechat.hub.rooms.room import HubRoom
from securechat.hub.workflow import Workflow
from securechat.model import Left
from securechat.text.refusals import refusal_for


class MakersRights:
    """Holds bots to what their makers may do.

    Args:
        context: accounts and rooms.
        room_membership: takes members out of rooms.
    """

    def __init__(self, context: HubContext, room_membership: RoomMembership) -> None:
        self._context = context
        self._directory = context.accounts
        self._rooms = context.rooms
        self._room_membership = room_membership

    def look_again(self) -> None:
        """Judge what has changed since the last call; to be called after every commit."""
        narrowed, self._rooms.narrowed = self._rooms.narrowed, []
        for room, maker in narrowed:
            makers = list(self._directory.bots_of) if maker is None else [maker]
            for each in makers:
                for bot in list(self._directory.bots_of.get(each, ())):
                    self._judge(room, bot)

    def look_at(self, maker: int) -> None:
        """Judge every room of the bots of an account."""
        for bot in list(self._directory.bots_of.get(maker, ())):
            member = self._context.members.get(bot)
            belongs_to = [room for room, _ in self._rooms.memberships_of(bot)]
            for room in dict.fromkeys([*belongs_to, *(member.rooms if member is not None else ())]):
                self._judge(room, bot)

    def _judge(self, room: HubRoom, bot: int) -> None:
        member = self._context.members.get(bot)
        is_in = room.belongs(bot) or (member is not None and room in member.rooms)
        if not is_in or room.is_lobby or (self._rooms.is_visible(room, bot) and self._rooms.ban(room, bot) is None):
            return
        left = Left.of(refusal_for("maker_has_no_right"), room=room.name)
        self._room_membership.remove_member(bot, room, left)
        if room.belongs(bot):
            self._context.workflows.run(self._end(bot, room))

    def _end(self, bot: int, room: HubRoom) -> Workflow[None]:
        """End a membership; where the log refuses that, the room stays closed to the bot all the same."""
        try:
            yield from self._room_membership.forget_account(bot, room)
        except Refusal:
            return
