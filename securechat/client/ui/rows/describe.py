"""Describes UI events in sentences, for the interactive client and the pipes.

Messages are not included: rendering.py makes their rows. One act is told once: `EventText` leaves out the events
that repeat what the user has just done.
"""

from __future__ import annotations

from collections.abc import Sequence

from securechat.client import catalogue
from securechat.client.catalogue.names import named
from securechat.client.catalogue.translation import refusal_sentence
from securechat.client.core import events
from securechat.client.core.actions import ModerationVerb
from securechat.client.core.client import ClientCore
from securechat.client.core.events import UiEvent
from securechat.client.core.state import ConversationId, RoomKey
from securechat.client.ui.rows.describe_programs import of_programs
from securechat.client.ui.rows.describe_rooms import line_text, of_entering, of_room
from securechat.client.ui.rows.rendering import excerpt, local_date, local_time_of, shown_name
from securechat.model import CertificateInfo, LoginInfo, Person
from securechat.text.names import LOBBY
from securechat.text.sanitize import one_line
from securechat.translation import translated

_ERRORS = (
    events.ActionRejected,
    events.ClientEnded,
    events.ConnectionLost,
    events.LoginDelayed,
    events.MessageRefused,
    events.MessagesLost,
    events.NameKept,
    events.NameRefused,
    events.RenameRefused,
    events.RequestRefused,
    events.StateNotSaved,
)
_REMOVES = frozenset({ModerationVerb.KICK, ModerationVerb.BAN})
_CHANGES_ROLE = frozenset({ModerationVerb.ROLE, ModerationVerb.MUTE, ModerationVerb.UNMUTE})


class EventText:
    """Makes the sentences of one session.

    The server tells a moderator that an act is done, and then tells the whole room, the moderator too: the second event
    has no sentence. After the active room was left it adds the room that is active now.

    Args:
        core: says what is current, and who the user is.
    """

    def __init__(self, core: ClientCore) -> None:
        self._core = core
        self._current = core.current
        self._removed: set[tuple[str, int]] = set()
        self._granted: set[tuple[str, int]] = set()

    def of(self, ui_event: UiEvent) -> str | None:
        """Return the sentence for an event; None for those without one, or shown in another way."""
        told = self._without_repetition(ui_event)
        said = sentence(told, self._core.current, self._core.me.id) if told is not None else None
        was, self._current = self._current, self._core.current
        if (
            isinstance(ui_event, events.RoomLeft)
            and isinstance(was, RoomKey)
            and was.room == ui_event.room
            and isinstance(self._current, RoomKey)
        ):
            said = "\n".join(part for part in (said, catalogue.connection.back_in_room(self._current.room)) if part)
        return said

    def _without_repetition(self, ui_event: UiEvent) -> UiEvent | None:
        match ui_event:
            case events.ModerationDone(order, person) if order.verb in _REMOVES:
                self._removed.add((order.room, person.id))
            case events.ModerationDone(order, person) if order.verb in _CHANGES_ROLE:
                self._granted.add((order.room, person.id))
            case events.RoleShown(room, person) if (room, person.id) in self._granted:
                self._granted.discard((room, person.id))
                return None
            case events.MembersLeft(room, people):
                others = tuple(person for person in people if (room, person.id) not in self._removed)
                self._removed -= {(room, person.id) for person in people}
                return events.MembersLeft(room, others) if others else None
            case events.MembersJoined(room, people):
                self._removed -= {(room, person.id) for person in people}
            case events.ConnectionLost():
                self._removed.clear()
                self._granted.clear()
        return ui_event


def is_error(ui_event: UiEvent) -> bool:
    """Tell whether an event is a refusal, a failure or a loss, which look different from other notices."""
    return isinstance(ui_event, _ERRORS)


def sentence(ui_event: UiEvent, current: ConversationId, me: int) -> str | None:
    """Return the sentence for an event; None for those without one, or shown in another way."""
    return (
        _of_people(ui_event, current, me)
        or _of_lines(ui_event)
        or _of_connection(ui_event)
        or _of_account(ui_event)
        or of_room(ui_event, me)
        or of_programs(ui_event)
    )


def _of_people(ui_event: UiEvent, current: ConversationId, me: int) -> str | None:  # noqa: C901, PLR0911, PLR0912 - one row an event
    match ui_event:
        case events.RoomJoined(room, people, total, again=False, told_later=False):
            others = [person for person in people if person.id != me]
            if ui_event.elsewhere:
                return catalogue.accounts.entered_elsewhere(one_line(room), _names(others), total)
            return "\n".join(
                [
                    catalogue.connection.entered(
                        one_line(room), _names(others), total, made=ui_event.made, owned=ui_event.owned
                    ),
                    *of_entering(ui_event),
                ]
            )
        case events.RoomsKept(rooms):
            return catalogue.connection.kept_rooms([one_line(room) for room in rooms])
        case events.RoomSelected(room):
            return catalogue.connection.back_in_room(one_line(room))
        case events.PersonSelected(person):
            return catalogue.connection.in_dialogue(shown_name(person))
        case events.PasswordTemporary():
            return catalogue.accounts.MUST_CHANGE()
        case events.RoomLeft(room, elsewhere=True):
            return catalogue.accounts.left_elsewhere(one_line(room))
        case events.RoomLeft(room, missing=True):
            return catalogue.rooms.missing(one_line(room))
        case events.RoomLeft(_, text=text) if text:
            return refusal_sentence(ui_event)
        case events.RoomLeft(room, owner=owner):
            heir = shown_name(owner) if owner is not None else ""
            return catalogue.connection.left_room(one_line(room), heir)
        case events.MembersJoined(room, people):
            return catalogue.connection.came(_shown_room(room, current), _names(people))
        case events.MembersLeft(room, people):
            return catalogue.connection.went(_shown_room(room, current), _names(people))
        case events.MemberRenamed(_, _, new, me=True):
            return catalogue.connection.renamed_self(one_line(new))
        case events.MemberRenamed(_, old, new, bot=bot):
            return catalogue.connection.renamed(named(one_line(old), bot=bot), named(one_line(new), bot=bot))
        case events.RosterShown(room, people, total):
            return catalogue.connection.roster(one_line(room), _names(people), total)
        case events.PersonShown(person, absent, shared, ignored):
            names = [one_line(room) for room in shared]
            return catalogue.connection.person(shown_name(person), names, absent=absent, ignored=ignored)
        case events.RoomsShown(rooms):
            return catalogue.connection.rooms([(one_line(count.room), count.total) for count in rooms])
        case events.IgnoreChanged(person, hidden):
            return catalogue.connection.ignoring(shown_name(person), hidden=hidden)
        case _:
            return None


def _of_lines(ui_event: UiEvent) -> str | None:  # noqa: C901, PLR0911, PLR0912 - one row an event
    match ui_event:
        case events.UploadGone(name):
            return catalogue.files.upload_removed(one_line(name))
        case events.MessageWaiting(line, code):
            return catalogue.connection.line_waiting(line_text(line), code)
        case events.MessageRefused(line):
            return catalogue.connection.line_refused(line_text(line), refusal_sentence(ui_event), to=excerpt(line.to))
        case events.WillBeDeliveredLater(person):
            return catalogue.accounts.kept_for(shown_name(person))
        case events.ActionDeferred(kind, subject, text):
            return catalogue.connection.postponed(kind, excerpt(subject), excerpt(text))
        case events.LeavingChat():
            return catalogue.connection.LEAVING()
        case events.RenameRefused(name, code):
            kept = ui_event.reason == "name_kept"
            return catalogue.connection.name_refused(excerpt(name), refusal_sentence(ui_event), code, kept=kept)
        case events.MessagesLost(lines):
            return "\n".join(catalogue.connection.line_lost(line_text(line)) for line in lines)
        case events.ActionRejected(reason, subject, detail):
            return catalogue.connection.declined(reason, excerpt(subject), one_line(translated(detail)))
        case events.RequestRefused(room=room):
            return catalogue.connection.request_refused(refusal_sentence(ui_event), one_line(room) if room else None)
        case events.RateLimited():
            return catalogue.connection.slowed_down()
        case events.HistoryLoaded(messages=(), asked=True):
            return catalogue.connection.NO_HISTORY()
        case _:
            return None


def _of_connection(ui_event: UiEvent) -> str | None:
    match ui_event:
        case events.ConnectionLost(loss, code):
            return catalogue.connection.connection_lost(loss, code, refusal_sentence(ui_event))
        case events.BackOnline():
            return catalogue.connection.CONNECTION_BACK()
        case events.CaughtUp(missed) if missed:
            return catalogue.connection.caught_up(missed)
        case events.HistoryReset():
            return catalogue.connection.HISTORY_RESET()
        case _:
            return None


def _of_account(ui_event: UiEvent) -> str | None:  # noqa: PLR0911 - one row an event
    match ui_event:
        case events.LoginDelayed(retry_after_s, code):
            return catalogue.accounts.login_held(retry_after_s, code)
        case events.NameKept(name, retry_after_s):
            return catalogue.connection.name_kept(one_line(name), retry_after_s, can_choose=True)
        case events.MessagesPurged(_, None, count, name) if count:
            return catalogue.rooms.removed(one_line(name))
        case events.IdentityChanged(me):
            return catalogue.accounts.became_another(shown_name(me))
        case events.AccountActionDone(account_action, number, name):
            return catalogue.accounts.done(account_action, number, one_line(name))
        case events.AccountActionUnconfirmed(account_action):
            return catalogue.accounts.unanswered(account_action)
        case events.LoginsShown(logins, more):
            return "\n".join([_logins(logins), *([catalogue.accounts.MORE_LOGINS()] if more else [])])
        case events.CertificatesShown(certificates, presented, more):
            shown = _certificates(certificates, presented)
            return "\n".join([shown, *([catalogue.accounts.MORE_CERTIFICATES()] if more else [])])
        case events.AnnouncementShown(text, sent_at_ms):
            return catalogue.accounts.announcement(catalogue.days.clock(local_time_of(sent_at_ms)), one_line(text))
        case events.NoticeShown():
            return refusal_sentence(ui_event)
        case events.StateNotSaved(detail, folder):
            return catalogue.accounts.not_kept(one_line(translated(detail)), one_line(folder))
        case _:
            return None


def login_lines(logins: Sequence[LoginInfo]) -> list[str]:
    """Return a line for each login, safe to print."""
    return [
        catalogue.accounts.login_line(
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


def _logins(logins: tuple[LoginInfo, ...]) -> str:
    rows = login_lines(logins)
    return "\n".join([*rows, catalogue.accounts.END_LOGIN_HINT()]) if rows else catalogue.accounts.NO_LOGINS()


def _certificates(certificates: tuple[CertificateInfo, ...], presented: str | None) -> str:
    rows = [
        catalogue.accounts.certificate_line(
            each.certificate,
            excerpt(each.label),
            one_line(each.fingerprint),
            local_date(each.added_at_ms),
            current=each.current,
        )
        for each in certificates
    ]
    rows = rows or [catalogue.accounts.NO_CERTIFICATES()]
    known = any(each.current for each in certificates)
    if presented is not None and not known:
        rows.append(catalogue.accounts.presented(one_line(presented)))
    return "\n".join(rows)


def _names(people: tuple[Person, ...] | list[Person]) -> list[str]:
    return [shown_name(person) for person in people]


def _shown_room(room: str, current: ConversationId) -> str | None:
    """Return the room to name with a coming or leaving: neither the active one, nor the lobby, which is the server."""
    if room == LOBBY:
        return None
    return None if isinstance(current, RoomKey) and current.room == room else one_line(room)
