"""Happenings as sentences: what the interactive client and the pipes say about them, or nothing.

Messages are not told here: they have rows of their own (rendering.py).
"""

from __future__ import annotations

from securechat.client import deeds, sentences
from securechat.client import happenings as told
from securechat.client import sentences_accounts as accounts
from securechat.client.happenings import Happening
from securechat.client.rendering import excerpt, local_date, local_time_of
from securechat.client.sentences_talk import missing, taken_out
from securechat.client.state import Key, RoomKey
from securechat.client.telling_talk import line_text, of_entering, of_tiding, why
from securechat.model import CertificateInfo, LoginInfo, Person
from securechat.text import one_line


def sentence(happening: Happening, current: Key, me: int) -> str | None:
    """Return what to say about a happening; None for those that say nothing or are shown otherwise."""
    return (
        _of_people(happening, current, me)
        or _of_lines(happening)
        or _of_connection(happening)
        or _of_account(happening)
        or of_tiding(happening)
    )


def _of_people(happening: Happening, current: Key, me: int) -> str | None:  # noqa: C901, PLR0911, PLR0912 - one row a happening
    match happening:
        case told.EnteredRoom(room, people, total, again=False):
            others = [person for person in people if person.id != me]
            if happening.elsewhere:
                return accounts.entered_elsewhere(one_line(room), _names(others), total)
            return "\n".join([sentences.entered(one_line(room), _names(others), total), *of_entering(happening)])
        case told.BackInRoom(room):
            return sentences.back_in_room(one_line(room))
        case told.LeftRoom(room, elsewhere=True):
            return accounts.left_elsewhere(one_line(room))
        case told.LeftRoom(room, missing=True):
            return missing(one_line(room))
        case told.LeftRoom(room, text=text) if text:
            return taken_out(one_line(room), one_line(text))
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
            return sentences.line_waiting(line_text(line), code)
        case told.LineRefused(line, code, text):
            return sentences.line_refused(line_text(line), why(code, text), to=excerpt(line.to))
        case told.KeptFor(person):
            return accounts.kept_for(one_line(person.name))
        case told.Postponed(wish, subject, text):
            return sentences.postponed(wish, excerpt(subject), excerpt(text))
        case told.Leaving():
            return sentences.LEAVING
        case told.RenameRefused(name, code, text):
            return sentences.name_refused(excerpt(name), one_line(text), code)
        case told.LinesLost(lines):
            return "\n".join(sentences.line_lost(line_text(line)) for line in lines)
        case told.Declined(reason, subject, detail):
            return sentences.declined(reason, excerpt(subject), one_line(detail))
        case told.RequestRefused(code, text, room):
            return sentences.request_refused(why(code, text), one_line(room) if room else None)
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


def _of_account(happening: Happening) -> str | None:  # noqa: PLR0911 - one row a happening
    match happening:
        case deeds.LoginHeld(retry_after_s, code):
            return accounts.login_held(retry_after_s, code)
        case deeds.BecameAnother(me):
            return accounts.became_another(one_line(me.name))
        case deeds.DeedDone(deed, number, name):
            return accounts.done(deed, number, one_line(name))
        case deeds.DeedUnanswered(deed):
            return accounts.unanswered(deed)
        case deeds.LoginsShown(logins, more):
            return "\n".join([_logins(logins), *([accounts.MORE_LOGINS] if more else [])])
        case deeds.CertificatesShown(certificates, presented, more):
            shown = _certificates(certificates, presented)
            return "\n".join([shown, *([accounts.MORE_CERTIFICATES] if more else [])])
        case told.Announced(text, sent_at_ms):
            return accounts.announcement(local_time_of(sent_at_ms).strftime("%H:%M"), one_line(text))
        case told.NotKept(detail):
            return accounts.not_kept(one_line(detail))
        case _:
            return None


def _logins(logins: tuple[LoginInfo, ...]) -> str:
    rows = [
        accounts.login_line(
            each.login,
            excerpt(each.client),
            one_line(each.address),
            local_date(each.since_ms),
            local_date(each.used_at_ms),
            online=each.online,
            current=each.current,
        )
        for each in logins
    ]
    return "\n".join([*rows, accounts.END_LOGIN_HINT]) if rows else accounts.NO_LOGINS


def _certificates(certificates: tuple[CertificateInfo, ...], presented: str | None) -> str:
    rows = [
        accounts.certificate_line(
            each.certificate,
            excerpt(each.label),
            one_line(each.fingerprint),
            local_date(each.added_at_ms),
            current=each.current,
        )
        for each in certificates
    ]
    rows = rows or [accounts.NO_CERTIFICATES]
    known = any(each.current for each in certificates)
    if presented is not None and not known:
        rows.append(accounts.presented(one_line(presented)))
    return "\n".join(rows)


def _names(people: tuple[Person, ...] | list[Person]) -> list[str]:
    return [one_line(person.name) for person in people]


def _elsewhere(room: str, current: Key) -> str | None:
    return None if RoomKey(room) == current else one_line(room)
