"""Describes UI events about rooms: rules, roles, invitations, unread counts. Messages have rows (message_rows.py)."""

from __future__ import annotations

from collections.abc import Sequence

from securechat.client import catalogue
from securechat.client.core import events
from securechat.client.core.events import UiEvent
from securechat.client.core.events.messages import PendingMessage
from securechat.client.ui.rows.rendering import excerpt, local_date, safe_sign, shown_name
from securechat.model import ConversationItem, Person, RevisionKind, RoomRules, UnreadItem
from securechat.text.sanitize import one_line


def of_room(ui_event: UiEvent, me: int) -> str | None:  # noqa: PLR0911 - one row an event
    """Return the sentence for an event; None for those without one, or shown in another way."""
    match ui_event:
        case events.RoomSettingsShown(rules, topic_only):
            return _topic(rules) if topic_only else _settings(rules)
        case events.RoomSettingsChanged(rules, before):
            return _changed(rules, before, me)
        case events.InvitedToRoom(room, by):
            return catalogue.rooms.invited(one_line(room), shown_name(by))
        case events.RoleShown():
            return _role(ui_event, me)
        case events.ModerationDone(order, person, guest):
            return catalogue.rooms.done(
                order.verb,
                one_line(order.room),
                shown_name(person),
                seconds=order.seconds,
                reason=excerpt(order.reason),
                role_word=order.role,
                guest=guest,
            )
        case events.ModerationUnconfirmed():
            return catalogue.rooms.MAYBE_DONE()
        case events.UnreadShown(items, asked):
            return _unread(items, asked=asked)
        case events.ConversationsShown(items):
            return _dialogues(items)
        case events.TypingNoticesSet(on):
            return catalogue.rooms.TYPING_ON() if on else catalogue.rooms.TYPING_OFF()
        case _:
            return None


def of_entering(event: events.RoomJoined) -> list[str]:
    """Return the notes about a room that the user enters."""
    more = [catalogue.rooms.topic(one_line(event.room), one_line(event.topic))] if event.topic else []
    if said := catalogue.rooms.entered_more(read_only=event.read_only, archived=event.archived):
        more.append(said)
    return more


def line_text(line: PendingMessage) -> str:
    """Return the beginning of a pending message's text, or a description of its change."""
    if line.change is None:
        return excerpt(" ".join([*([line.text] if line.text else []), *(f"[{file.name}]" for file in line.files)]))
    match line.change.kind:
        case RevisionKind.EDIT:
            return catalogue.rooms.line_of_edit(excerpt(line.text))
        case RevisionKind.DELETE:
            return catalogue.rooms.line_of_deletion()
        case _:
            return catalogue.rooms.line_of_reaction(safe_sign(line.change.emoji))


def _topic(rules: RoomRules) -> str:
    return catalogue.rooms.topic(one_line(rules.room), one_line(rules.topic))


def _settings(rules: RoomRules) -> str:
    room = one_line(rules.room)
    said = catalogue.rooms.settings(room, _parts(rules))
    return "\n".join([said, _topic(rules), catalogue.rooms.your_role(room, rules.role)])


def _changed(rules: RoomRules, before: RoomRules, me: int) -> str:
    said, room, by = [], one_line(rules.room), _subject(rules.by, me)
    if rules.was is not None:
        said.append(catalogue.rooms.room_renamed(one_line(rules.was), room))
    if rules.topic != before.topic:
        said.append(catalogue.rooms.topic_changed(room, one_line(rules.topic), by))
    if not said or _parts(rules) != _parts(before):
        said.append(catalogue.rooms.settings_changed(room, _parts(rules), by))
    return "\n".join(said)


def _parts(rules: RoomRules) -> list[str]:
    return catalogue.rooms.setting_parts(
        private=rules.private,
        read_only=rules.read_only,
        slow_s=rules.slow_s,
        retention_days=rules.retention_days,
        joined_only=rules.history == "joined",
        archived=rules.archived,
    )


def _subject(by: Person | None, me: int) -> str:
    if by is None:
        return ""
    return catalogue.rooms.YOU if by.id == me else catalogue.names.quoted(shown_name(by))


def _role(event: events.RoleShown, me: int) -> str:
    return catalogue.rooms.role(
        one_line(event.room),
        shown_name(event.person),
        one_line(event.role),
        by=_subject(event.by, me),
        muted_s=event.muted_s,
        was_muted=event.was_muted,
        me=event.me,
        reason=excerpt(event.reason),
    )


def _unread(items: tuple[UnreadItem, ...], *, asked: bool) -> str:
    if not items:
        return catalogue.rooms.ALL_READ()
    rows = [(_place(item), item.unread, item.mentions) for item in items]
    return catalogue.rooms.unread_list(rows) if asked else catalogue.rooms.unread_line(rows)


def _dialogues(items: Sequence[ConversationItem]) -> str:
    """List the dialogues, those with unread messages first, then the latest."""
    people = [item for item in items if item.peer is not None]
    people.sort(key=lambda item: (not item.unread, -item.sent_at_ms))
    return catalogue.rooms.dialogues(
        [
            (shown_name(item.peer) or catalogue.names.DELETED(), item.unread, local_date(item.sent_at_ms))
            for item in people
            if item.peer is not None
        ]
    )


def _place(item: UnreadItem) -> str:
    if item.room is not None:
        return f"#{one_line(item.room)}"
    return catalogue.names.quoted(shown_name(item.peer) if item.peer is not None else "")
