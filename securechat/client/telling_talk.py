"""Tidings as sentences: rooms and their rules, roles, invitations, what was not read. Messages have rows (lines.py)."""

from __future__ import annotations

from securechat.client import happenings as told
from securechat.client import sentences_talk as sentences
from securechat.client import tidings
from securechat.client.happenings import Happening, Line
from securechat.client.rendering import excerpt, safe_sign
from securechat.errors import ErrorCode
from securechat.model import RevisionKind, RoomRules, UnreadItem
from securechat.text import one_line


def of_tiding(happening: Happening) -> str | None:  # noqa: PLR0911 - one row a happening
    """Return what to say about a tiding; None for those that say nothing or are shown otherwise."""
    match happening:
        case tidings.RulesShown(rules, topic_only):
            return _topic(rules) if topic_only else _rules(rules)
        case tidings.RulesChanged(rules, before):
            return _changed(rules, before)
        case tidings.InvitedTo(room, by):
            return sentences.invited(one_line(room), one_line(by.name))
        case tidings.RoleTold(room, person, role, muted_s, was_muted, me):
            return sentences.role(
                one_line(room), one_line(person.name), one_line(role), muted_s=muted_s, was_muted=was_muted, me=me
            )
        case tidings.OrderDone(order, person):
            return sentences.done(order.verb, one_line(order.room), one_line(person.name), order.seconds)
        case tidings.OrderUnanswered():
            return sentences.MAYBE_DONE
        case tidings.UnreadShown(items, asked):
            return _unread(items, asked=asked)
        case tidings.TypingSwitched(on):
            return sentences.TYPING_ON if on else sentences.TYPING_OFF
        case _:
            return None


def of_entering(event: told.EnteredRoom) -> list[str]:
    """What to know of a room when one enters it."""
    more = [sentences.topic(one_line(event.room), one_line(event.topic))] if event.topic else []
    if said := sentences.entered_more(read_only=event.read_only, archived=event.archived):
        more.append(said)
    return more


def why(code: ErrorCode, text: str) -> str:
    """Why something was refused, in the server's words, or in ours where it did not understand."""
    return sentences.UNKNOWN_HERE if code is ErrorCode.UNKNOWN_TYPE else one_line(text)


def line_text(line: Line) -> str:
    """The beginning of a line, or what it would do."""
    if line.revising is None:
        return excerpt(line.text)
    match line.revising.kind:
        case RevisionKind.EDIT:
            return sentences.line_of_edit(excerpt(line.text))
        case RevisionKind.DELETE:
            return sentences.line_of_deletion()
        case _:
            return sentences.line_of_reaction(safe_sign(line.revising.sign))


def _topic(rules: RoomRules) -> str:
    return sentences.topic(one_line(rules.room), one_line(rules.topic), _by(rules))


def _rules(rules: RoomRules) -> str:
    said = sentences.rules(one_line(rules.room), _parts(rules), _by(rules))
    return "\n".join([said, _topic(rules), sentences.your_role(rules.role)]) if rules.ref else said


def _changed(rules: RoomRules, before: RoomRules) -> str:
    said = []
    if rules.was is not None:
        said.append(sentences.room_renamed(one_line(rules.was), one_line(rules.room)))
    if rules.topic != before.topic:
        said.append(_topic(rules))
    if not said or _parts(rules) != _parts(before):
        said.append(_rules(rules))
    return "\n".join(said)


def _parts(rules: RoomRules) -> list[str]:
    return sentences.rule_parts(
        private=rules.private,
        read_only=rules.read_only,
        slow_s=rules.slow_s,
        retention_days=rules.retention_days,
        joined_only=rules.history == "joined",
        archived=rules.archived,
    )


def _by(rules: RoomRules) -> str:
    return one_line(rules.by.name) if rules.by is not None else ""


def _unread(items: tuple[UnreadItem, ...], *, asked: bool) -> str:
    if not items:
        return sentences.ALL_READ
    rows = [(_place(item), item.unread, item.mentions) for item in items]
    return sentences.unread_list(rows) if asked else sentences.unread_line(rows)


def _place(item: UnreadItem) -> str:
    if item.room is not None:
        return f"#{one_line(item.room)}"
    return one_line(item.peer.name) if item.peer is not None and item.peer.name else sentences.SOMEBODY
