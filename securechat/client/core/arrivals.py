"""Tells once that a person comes to the server or leaves it, whatever the number of shared rooms.

The server tells presence room by room, each gathered for a moment. Everyone is in the lobby, so who comes into it comes
to the server, and who leaves it leaves the server: what the other rooms say of the same people at the same time is no
news.
"""

from __future__ import annotations

from collections.abc import Sequence

from securechat.model import Person

SAME_TIME_S = 1.0
"""Seconds within which the rooms tell of one coming or leaving: five times the server's presence_interval_s."""
_MOST_PEOPLE = 10_000
"""People remembered for that time; some 1 MB. Beyond that a second line may be told."""


class ArrivalTracker:
    """The people who have just come to the server, or who have just left it."""

    def __init__(self) -> None:
        self._since: dict[int, float] = {}
        self._elsewhere: dict[int, float] = {}

    def forget(self, people: Sequence[Person]) -> None:
        """The opposite has happened to these people: what they do next is news."""
        for person in people:
            self._since.pop(person.id, None)
            self._elsewhere.pop(person.id, None)

    def news(self, people: Sequence[Person], now: float, *, in_lobby: bool) -> tuple[Person, ...]:
        """Return those whose coming (or leaving) was not told at the same time for another room.

        Args:
            people: who came into a room, or left it.
            now: monotonic seconds.
            in_lobby: whether the room is the lobby.
        """
        told, mine = (self._elsewhere, self._since) if in_lobby else (self._since, self._elsewhere)
        for times in (told, mine):
            while times and (next(iter(times.values())) <= now - SAME_TIME_S or len(times) > _MOST_PEOPLE):
                del times[next(iter(times))]
        fresh = tuple(person for person in people if person.id not in told)
        for person in people:
            mine.pop(person.id, None)
            mine[person.id] = now
        return fresh
