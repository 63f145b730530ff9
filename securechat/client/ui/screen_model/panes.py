"""Rows around the messages: header, members, activity, status, footer. No row knows a size but its width."""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

from securechat.client import catalogue
from securechat.client.catalogue.names import marked, named
from securechat.client.core.client import ClientCore
from securechat.client.core.state import ConnectionPhase, ConversationId, PersonKey, RoomKey
from securechat.client.ui.input.ui_actions import ACTION_OF, KeyTable
from securechat.client.ui.rows.rendering import shown_name
from securechat.client.ui.rows.styled_text import TextRow, TextSpan, TextStyle
from securechat.client.ui.rows.wrapping import cells
from securechat.client.ui.screen_model.overlay import ScreenOverlay, cut, joined, styled
from securechat.client.ui.screen_model.view import EndTarget, MemberTarget, ViewRow
from securechat.model import Person
from securechat.text.sanitize import one_line

_GAP = "  "


def place(core: ClientCore, key: ConversationId) -> str:
    """Return what a conversation is called, safe to show: ``#room`` or ``@name``."""
    if isinstance(key, RoomKey):
        return f"#{one_line(key.room)}"
    name = core.name_of(key.person_id)
    if name is None:
        return f"@{catalogue.rooms.UNKNOWN_MEMBER()}"
    return f"@{marked(named(one_line(name), bot=core.is_bot(key.person_id)))}"


def header(core: ClientCore, key: ConversationId, columns: int) -> TextRow:
    """Return the row above the messages: the conversation, its marks and its topic."""
    row = styled(place(core, key), TextStyle.DIRECT if isinstance(key, PersonKey) else TextStyle.NAME)
    room = core.rooms.get(key.room) if isinstance(key, RoomKey) else None
    if room is None:
        return cut(row, columns)
    rules = room.rules
    marks = [
        word()
        for word, on in (
            (catalogue.screen.PRIVATE, rules.private),
            (catalogue.screen.READ_ONLY, rules.read_only),
            (catalogue.screen.ARCHIVED, rules.archived),
        )
        if on
    ]
    if marks:
        row = joined(row, _GAP, styled(f"[{', '.join(marks)}]", TextStyle.DIM))
    if rules.topic:
        row = joined(row, _GAP, one_line(rules.topic))
    return cut(row, columns)


def activity(core: ClientCore, below: int, present_key: str, columns: int) -> ViewRow:
    """Return the row below the messages.

    Args:
        core: knows who types.
        below: new messages below what is shown.
        present_key: the key that leads to them.
        columns: of the row.
    """
    names = [shown_name(person) for person in core.typists]
    typing = styled(catalogue.rooms.typing(names), TextStyle.DIM) if names else TextRow.of("")
    if not below:
        return ViewRow(cut(typing, columns))
    bar = styled(catalogue.screen.new_below(below, present_key), TextStyle.UNREAD)
    return ViewRow(cut(joined(bar, _GAP, typing) if names else bar, columns), EndTarget())


class ConnectionFacts(Struct, frozen=True):
    """What the status tells beside the core's phase.

    Attributes:
        retry_at: when the next attempt to connect comes, monotonic seconds; None for none.
        resending: whether messages go out again after a lost connection.
        failed: messages that were not stored and wait for the user.
        progress: of a file.
        disturb: whether notifications are on.
        mouse: whether the mouse is taken.
    """

    retry_at: float | None = None
    resending: bool = False
    failed: int = 0
    progress: str = ""
    disturb: bool = True
    mouse: bool = True


def status(core: ClientCore, facts: ConnectionFacts, now: float, columns: int) -> TextRow:
    """Return the row that tells the connection, and what is on its way."""
    words = catalogue.screen
    phase = connection_words(core, facts.retry_at, now)
    is_online = core.phase is ConnectionPhase.ONLINE
    parts = [styled(phase, TextStyle.NOTICE if is_online else TextStyle.ERROR)]
    if unsent := len(core.unsent):
        said = words.waiting(unsent) if not is_online else words.resending(unsent) if facts.resending else ""
        parts.append(styled(said or words.sending(unsent), TextStyle.NOTICE))
    if facts.failed:
        parts.append(styled(words.failed(facts.failed), TextStyle.ERROR))
    if facts.progress:
        parts.append(TextRow.of(one_line(facts.progress)))
    if not facts.disturb:
        parts.append(styled(words.DO_NOT_DISTURB(), TextStyle.DIM))
    if not facts.mouse:
        parts.append(styled(words.MOUSE_OFF(), TextStyle.DIM))
    me = [joined(shown_name(core.me), " · ")] if core.me.name else []
    row = joined(*me, parts[0], *(part for each in parts[1:] for part in (" · ", each)))
    return cut(row, columns)


def connection_words(core: ClientCore, retry_at: float | None, now: float) -> str:  # noqa: PLR0911 - one row a phase
    """Return the state of the connection; ``retry_at`` as in `ConnectionFacts`."""
    words = catalogue.screen
    if core.leaving:
        return words.QUITTING()
    match core.phase:
        case ConnectionPhase.ONLINE:
            return words.CONNECTED()
        case ConnectionPhase.OFFLINE if retry_at is not None:
            return words.reconnecting(max(0, math.ceil(retry_at - now)))
        case ConnectionPhase.OFFLINE:
            return words.OFFLINE()
        case ConnectionPhase.DIALLING:
            return words.CONNECTING()
        case ConnectionPhase.ENDED:
            return words.ENDED()
        case _:
            return words.LOGGING_IN()


def footer(keys: KeyTable, action_ids: Sequence[str], columns: int) -> TextRow:
    """Return the row of keys: those actions that have one, as many as fit; of their words what is before a colon."""
    return _keys_row(
        [(_first(keys, each), str(ACTION_OF[each].words()).partition(":")[0]) for each in action_ids], columns
    )


def overlay_footer(keys: KeyTable, overlay: ScreenOverlay, columns: int) -> TextRow:
    """Return the row of keys of a list: what Enter does with the selected row, Esc, and what moves."""
    words = catalogue.screen
    moves = " ".join(filter(None, (_first(keys, "previous", "Up"), _first(keys, "next", "Down"))))
    pages = " ".join(filter(None, (_first(keys, "page_up"), _first(keys, "page_down"))))
    pairs = [
        (_first(keys, "choose"), overlay.enter_words),
        (_first(keys, "escape"), words.KEY_CLOSE()),
        (moves, words.KEYS_MOVE() if overlay.chooses else words.KEYS_SCROLL()),
        (pages, words.KEYS_SCROLL() if overlay.chooses else ""),
    ]
    return _keys_row(pairs if overlay.purpose is None else pairs[:2], columns)


def _first(keys: KeyTable, action_id: str, wanted: str = "") -> str:
    """Return the usual key of an action, or the wanted one where it has that; empty for none."""
    names = keys.keys(action_id)
    return wanted if wanted in names else names[0] if names else ""


def _keys_row(pairs: Sequence[tuple[str, str]], columns: int) -> TextRow:
    """Return keys with what they do, the first ones where not all fit."""
    row = TextRow.of("")
    for key, words in pairs:
        if not key or not words:
            continue
        part = joined(styled(key, TextStyle.KEY), f" {words}")
        longer = joined(row, _GAP, part) if row else part
        if cells(longer) > columns:
            continue
        row = longer
    return row


class MemberPane:
    """The members of the current room, by name; sorted once for each change of them."""

    def __init__(self) -> None:
        self._of: ConversationId | None = None
        self._people: tuple[Person, ...] = ()
        self._fresh = False
        self.top = 0
        self.selected: int | None = None

    def changed(self) -> None:
        """Members have come, gone or changed."""
        self._fresh = False

    def people(self, core: ClientCore) -> tuple[Person, ...]:
        """Return the members of the current room, or the other one of a dialogue."""
        key = core.current
        if key != self._of:
            self.top, self.selected = 0, None
        if key != self._of or not self._fresh:
            self._of, self._fresh = key, True
            chosen, self._people = self.chosen, _people(core, key)
            if chosen is not None:  # the same person, wherever that is now; none where the person has left
                self.selected = next((at for at, each in enumerate(self._people) if each.id == chosen.id), None)
        return self._people

    def enter(self) -> None:
        """The keyboard comes into the list."""
        self.selected = 0 if self.selected is None else self.selected

    def move(self, core: ClientCore, step: int, *, edge: int = 0) -> None:
        """Move the selection, or take it to the first or last one."""
        last = len(self.people(core)) - 1
        at = self.selected or 0
        self.selected = max(0, min((0 if edge < 0 else last) if edge else at + step, last))

    @property
    def chosen(self) -> Person | None:
        """The selected member."""
        return None if self.selected is None or self.selected >= len(self._people) else self._people[self.selected]

    def scroll(self, rows: int) -> None:
        """Move the part that is shown."""
        self.top = max(0, self.top + rows)
        self.selected = None

    def rows(self, core: ClientCore, columns: int, rows: int) -> tuple[ViewRow, ...]:
        """Return the rows of the pane: how many there are, and as many of them as fit."""
        people = self.people(core)
        room = core.rooms.get(core.current.room) if isinstance(core.current, RoomKey) else None
        if room is None and isinstance(core.current, RoomKey):
            return ()  # not joined yet: how many are there is not known
        total = max(len(people), room.total if room is not None else 0)
        height = max(0, rows - 1)
        if self.selected is not None:
            self.selected = max(0, min(self.selected, len(people) - 1))
            self.top = max(min(self.top, self.selected), self.selected - height + 1)
        self.top = max(0, min(self.top, len(people) - height))
        muted = room.muted if room is not None else frozenset[int]()
        shown = people[self.top : self.top + height]
        return (
            ViewRow(cut(styled(catalogue.screen.members(total), TextStyle.DIM), columns)),
            *(
                ViewRow(
                    cut(_member(core, person, muted=person.id in muted), columns),
                    MemberTarget(person.id),
                    selected=self.top + index == self.selected,
                )
                for index, person in enumerate(shown)
            ),
        )[: max(0, rows)]


def _people(core: ClientCore, key: ConversationId) -> tuple[Person, ...]:
    if isinstance(key, PersonKey):
        return (Person(key.person_id, core.name_of(key.person_id) or "", core.is_bot(key.person_id)),)
    room = core.rooms.get(key.room)
    people = room.people.values() if room is not None else ()
    return tuple(sorted(people, key=lambda person: person.name.casefold()))


def _member(core: ClientCore, person: Person, *, muted: bool) -> TextRow:
    name = shown_name(person, core.is_bot) or catalogue.rooms.UNKNOWN_MEMBER()
    if muted or person.id in core.ignored:
        return styled(name, TextStyle.DIM)
    style = TextStyle.OWN_NAME if person.id == core.me.id else TextStyle.NAME
    return TextRow.of(name, [TextSpan(0, len(name), style, person=person.id)])
