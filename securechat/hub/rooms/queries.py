"""Answers questions about members of a room, about names, and about the rooms there are, from memory and at once."""

from __future__ import annotations

from typing import assert_never

from securechat.hub.contained_question import ContainedQuestion
from securechat.hub.context import HubContext
from securechat.hub.interfaces import Peer
from securechat.hub.members import Member
from securechat.hub.messages.paging import people_list, rooms_page, roster_page
from securechat.model import AskPeople, Found, RoomCount, Rooms, Who, Whois
from securechat.records.accounts import ApiToken
from securechat.text.names import check_name, check_room, name_key
from securechat.text.refusals import refusal_for


class RoomQueries:
    """Answers Who, Whois, AskPeople and Rooms, each with one page.

    Args:
        context: accounts, rooms, and the members in them.
    """

    def __init__(self, context: HubContext) -> None:
        self._containment = context.containment
        self._directory = context.accounts
        self._room_directory = context.rooms
        self._listing = context.rooms.listing
        self._by_key = context.members_by_key
        self._members = context.members

    def answer(self, peer: Peer, member: Member, command: Who | Whois | AskPeople | Rooms) -> None:
        """Answer one question.

        Raises:
            Refusal: NOT_A_MEMBER of the room, NO_SUCH_PERSON, or a name that is none.
        """
        with self._containment.work_for(ContainedQuestion(peer, command)):
            match command:
                case Who():
                    self._who(peer, member, command)
                case Whois():
                    self._whois(peer, command)
                case AskPeople():
                    self._name_people(peer, command)
                case Rooms():
                    self._list_rooms(peer, member, command)
                case _:
                    assert_never(command)

    def _who(self, peer: Peer, member: Member, command: Who) -> None:
        room = self._room_directory.entered(member, command.room)
        after = command.after if command.after is not None else -1
        peer.deliver(roster_page(command.ref, room, after, peer.page_limits))

    def _whois(self, peer: Peer, command: Whois) -> None:
        name = check_name(command.name)
        member = self._by_key.get(name_key(name))
        if member is None and (account := self._directory.account_named(name)) is not None:
            peer.deliver(
                Found(ref=command.ref, person=self._directory.person(account.sender_id, account.name), absent=True)
            )
            return
        if member is None:
            raise refusal_for("no_such_person")
        peer.deliver(Found(ref=command.ref, person=member.person))

    def _name_people(self, peer: Peer, command: AskPeople) -> None:
        people = []
        for sender_id in dict.fromkeys(command.ids):
            held = self._members.get(sender_id) or self._directory.living(sender_id)
            if held is not None:
                people.append(self._directory.person(sender_id, held.name))
        peer.deliver(people_list(command.ref, people, peer.page_limits))

    def _list_rooms(self, peer: Peer, member: Member, command: Rooms) -> None:
        after = check_room(command.after) if command.after else ""
        belongs_to = (room for room, _ in self._room_directory.memberships_of(member.sender_id))
        own = {room.name for room in (*member.rooms, *belongs_to)}
        most = peer.page_limits.page_rows
        token = member.tokens.get(peer)
        if token is not None and token.rooms:  # it learns of no other room
            names = self._names_for(token, member, after)
        else:
            names = self._listing.page(after, own, most + 1)
        rooms = [RoomCount(name, self._room_directory.count_present(name)) for name in names[:most]]
        peer.deliver(rooms_page(command.ref, rooms, peer.page_limits, more=len(names) > most))

    def _names_for(self, token: ApiToken, member: Member, after: str) -> list[str]:
        """Return the rooms behind a name that a token for some rooms is good for."""
        directory = self._room_directory
        rooms = (directory.recorded.get(number) if number else directory.lobby for number in token.rooms)
        visible = (room for room in rooms if room is not None and directory.is_visible(room, member.sender_id))
        return sorted(room.name for room in visible if room.name > after)
