"""Happenings as sentences: what the interactive client and the pipes say about them, or nothing.

Messages are not told here: they have rows of their own (rendering.py).
"""

from __future__ import annotations

from securechat.client import happenings as told
from securechat.client import sentences
from securechat.client.happenings import Happening
from securechat.client.rendering import excerpt
from securechat.client.state import Key, RoomKey
from securechat.model import Person
from securechat.text import one_line


def sentence(happening: Happening, current: Key, me: int) -> str | None:
    """Return what to say about a happening; None for those that say nothing or are shown otherwise."""
    return _of_people(happening, current, me) or _of_lines(happening) or _of_connection(happening)


def _of_people(happening: Happening, current: Key, me: int) -> str | None:  # noqa: PLR0911 - one row a happening
    match happening:
        case told.EnteredRoom(room, people, total, again=False):
            others = [person for person in people if person.id != me]
            return sentences.entered(one_line(room), _names(others), total)
        case told.BackInRoom(room):
            return sentences.back_in_room(one_line(room))
        case told.LeftRoom(room):
            return sentences.left_room(one_line(room))
        case told.PeopleCame(room, people):
            return sentences.came(_elsewhere(room, current), _names(people))
        case told.PeopleWent(room, people):
            return sentences.went(_elsewhere(room, current), _names(people))
        case told.PersonRenamed(_, _, new, me=True):
            return sentences.renamed_self(one_line(new))
        case told.PersonRenamed(_, old, new):
            return sentences.renamed(one_line(old), one_line(new))
        case told.RosterShown(room, people, total):
            return sentences.roster(one_line(room), _names(people), total)
        case told.RoomsShown(rooms):
            return sentences.rooms([(one_line(count.room), count.total) for count in rooms])
        case told.IgnoreChanged(person, hidden):
            return sentences.ignoring(one_line(person.name), hidden=hidden)
        case _:
            return None


def _of_lines(happening: Happening) -> str | None:  # noqa: PLR0911 - one row a happening
    match happening:
        case told.LineWaiting(line, code):
            return sentences.line_waiting(excerpt(line.text), code)
        case told.LineRefused(line, _, text):
            return sentences.line_refused(excerpt(line.text), one_line(text), to=excerpt(line.to))
        case told.Postponed(wish, subject, text):
            return sentences.postponed(wish, excerpt(subject), excerpt(text))
        case told.Leaving():
            return sentences.LEAVING
        case told.RenameRefused(name, code, text):
            return sentences.name_refused(excerpt(name), one_line(text), code)
        case told.LinesLost(lines):
            return "\n".join(sentences.line_lost(excerpt(line.text)) for line in lines)
        case told.Declined(reason, subject, detail):
            return sentences.declined(reason, excerpt(subject), one_line(detail))
        case told.RequestRefused(_, text, room):
            return sentences.request_refused(one_line(text), one_line(room) if room else None)
        case told.SlowedDown():
            return sentences.slowed_down()
        case told.Recalled(messages=(), asked=True):
            return sentences.NO_HISTORY
        case _:
            return None


def _of_connection(happening: Happening) -> str | None:
    match happening:
        case told.ConnectionLost(loss, _, text):
            return sentences.connection_lost(loss, one_line(text))
        case told.BackOnline():
            return sentences.CONNECTION_BACK
        case told.CaughtUp(missed) if missed:
            return sentences.caught_up(missed)
        case told.HistoryReset():
            return sentences.HISTORY_RESET
        case _:
            return None


def _names(people: tuple[Person, ...] | list[Person]) -> list[str]:
    return [one_line(person.name) for person in people]


def _elsewhere(room: str, current: Key) -> str | None:
    return None if RoomKey(room) == current else one_line(room)
