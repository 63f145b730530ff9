"""Every action of the table, by each of its keys in every place where the key holds, by its command and in the palette.

The cases are made from the table: an action, a key or a place without what it is to lead to fails here. What counts is
what a person has of it: the screen, the composer, the terminal, and what goes to the server.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from securechat import model as m
from securechat.client import catalogue
from securechat.client.core import actions
from securechat.client.core.state import ConversationId
from securechat.client.ui.input.ui_actions import ACTION_OF, ACTIONS, PALETTE, KeyboardFocus, UiAction
from securechat.client.ui.notifications import NotificationLevel
from securechat.client.ui.screen_model import view as views
from securechat.client.ui.screen_model.view import ComposerMode, OverlayKind, ScreenFocus
from securechat.client.ui.window.message_window import MessageWindow
from securechat.model import RevisionKind
from tests.support.screen_pilot import PilotScreen, SharedScreen
from tests.support.screen_rig import ScreenRig, text_of

LINK = "https://a.example/x"
MINE = f"my words {LINK}"
WORDS = "some words"
CLEARS = "\x1b[2J"
MEMBERS, MIDDLE, QUESTION = "members", "middle", "question"
"""Places beside those of the table: the other list, within a text, and a list without a filter."""


@dataclass
class Case:
    """A screen, and what stands on it: 40 lines, an own message with a link, and two lines more.

    Attributes:
        place: where the keyboard is.
        way: a key's name, the command, or ``palette``.
        before: the view before the action.
        wrote: what was on the terminal before, characters.
        acted: actions of the session before.
        mine: the own message.
        file: of this machine.
    """

    place: str
    way: str
    file: Path
    rig: ScreenRig = field(init=False)
    screen: PilotScreen = field(init=False)
    before: views.ScreenView = field(init=False)
    mine: int = 0
    wrote: int = 0
    acted: int = 0

    def __post_init__(self) -> None:
        self.rig = rig = ScreenRig("ops", online=False)
        server = rig.driver.server
        server.features = (*server.features, "files")
        for number in range(40):
            server.store(99, f"line {number}", room="ops")
        self.mine = server.store(1, MINE, room="ops").seq
        for text in ("one", "two"):
            server.store(99, text, room="ops")
        rig.pump()
        for line in ("/join lobby", "/join ops"):
            rig.submit(line)
        rig.take(views.CloseOverlay())
        server.out.append(m.Presence("ops", 2, joined=[m.Person(99, "p99")]))
        rig.say("hello @me", "lobby")

    @property
    def ops(self) -> ConversationId:
        return self.rig.key("ops")

    @property
    def lobby(self) -> ConversationId:
        return self.rig.key("lobby")

    @property
    def by_command(self) -> bool:
        return self.way.startswith("/")

    @property
    def view(self) -> views.ScreenView:
        return self.screen.view

    @property
    def acts(self) -> list[actions.Action]:
        """What went to the session by the action."""
        return self.rig.acts[self.acted :]

    @property
    def window(self) -> MessageWindow:
        return self.rig.state._context.window

    @property
    def shown(self) -> str:
        """The messages that are on the terminal, with the notices."""
        field = self.view.layout.messages
        assert field is not None
        return "\n".join(row[field.column :] for row in self.screen.rows[field.row : field.row + field.rows])

    def overlay(self, kind: OverlayKind) -> str:
        """The list that is open, as the terminal shows it."""
        assert self.view.overlay is not None, "no list is open"
        assert self.view.overlay.kind is kind
        return "\n".join(self.screen.rows)

    def says(self, sentence: object) -> bool:
        """Whether a sentence is to be seen."""
        shown = self.shown if self.view.overlay is None else "\n".join(self.screen.rows)
        return "".join(str(sentence).split()) in "".join(re.sub("^-[- ] ", "", shown, flags=re.MULTILINE).split())

    def selected(self, view: views.ScreenView) -> str:
        """The selected row of the list that has the keys."""
        assert view.overlay is not None or view.focus is not ScreenFocus.COMPOSER
        rows = {
            ScreenFocus.MESSAGES: view.messages,
            ScreenFocus.CONVERSATIONS: view.conversations,
            ScreenFocus.MEMBERS: view.members,
        }
        found = view.overlay.items if view.overlay is not None else rows[view.focus]
        return text_of([row for row in found if row.selected])


# --- where the keyboard is --------------------------------------------------------------------------------------------


async def _nowhere(_case: Case) -> None:
    """In the empty composer, where it begins."""


async def _in_text(case: Case) -> None:
    await case.screen.paste(WORDS)
    await case.screen.press("Left", "Left")


async def _at_end(case: Case) -> None:
    await case.screen.paste(WORDS)


async def _at_top(case: Case) -> None:
    await case.screen.paste("first\nsecond")
    await case.screen.press("Up")
    assert case.view.focus is ScreenFocus.COMPOSER


async def _at_message(case: Case) -> None:
    await case.screen.press("Ctrl+Up", "k", "k")
    assert case.window.selected == case.mine


async def _at_list(case: Case) -> None:
    await case.screen.press("Alt+1")
    assert case.view.focus is ScreenFocus.CONVERSATIONS


async def _at_members(case: Case) -> None:
    await case.screen.press("Alt+2")
    assert case.view.focus is ScreenFocus.MEMBERS


async def _at_overlay(case: Case) -> None:
    await case.screen.press("Alt+P")
    assert case.view.overlay is not None
    assert case.view.overlay.kind is OverlayKind.PALETTE


async def _at_question(case: Case) -> None:
    await _at_message(case)
    await case.screen.press("d")
    assert case.view.overlay is not None
    assert case.view.overlay.kind is OverlayKind.QUESTION


PLACES: dict[str, Callable[[Case], Awaitable[None]]] = {
    KeyboardFocus.COMPOSER.value: _in_text,
    KeyboardFocus.COMPOSER_EMPTY.value: _nowhere,
    KeyboardFocus.COMPOSER_END.value: _at_end,
    KeyboardFocus.COMPOSER_TOP.value: _at_top,
    KeyboardFocus.MESSAGE.value: _at_message,
    KeyboardFocus.LIST.value: _at_list,
    KeyboardFocus.OVERLAY.value: _at_overlay,
    MEMBERS: _at_members,
    QUESTION: _at_question,
}
WITHIN = {
    KeyboardFocus.ANYWHERE.value: [*PLACES],
    KeyboardFocus.LIST.value: [KeyboardFocus.LIST.value, MEMBERS],
    KeyboardFocus.OVERLAY.value: [KeyboardFocus.OVERLAY.value, QUESTION],
    KeyboardFocus.COMPOSER_END.value: [KeyboardFocus.COMPOSER_END.value, KeyboardFocus.COMPOSER_EMPTY.value],
}
"""Places that are within one of the table, beside itself."""


def cases() -> Iterator[tuple[str, str, str]]:
    """Give out each action, with its way and place."""
    for action in ACTIONS:
        keys = [*((action.place, key) for key in action.keys), *action.also]
        given = {(key, place) for where, key in keys for place in WITHIN.get(where.value, [where.value])}
        yield from ((action.id, key, place) for key, place in sorted(given))
        if action.command:
            about = action.place is KeyboardFocus.MESSAGE
            yield action.id, action.command, KeyboardFocus.COMPOSER_EMPTY.value
            yield action.id, "palette", (KeyboardFocus.MESSAGE if about else KeyboardFocus.COMPOSER_EMPTY).value


# --- what it leads to -------------------------------------------------------------------------------------------------


def switch(case: Case) -> None:
    shown = case.overlay(OverlayKind.SWITCHER)
    assert "#lobby  1" in shown


def next_unread(case: Case) -> None:
    assert case.rig.core.current == case.lobby
    assert "hello @me" in case.shown


def back(case: Case) -> None:
    assert case.rig.core.current == case.lobby
    assert "#lobby" in case.screen.rows[0]


def mentions(case: Case) -> None:
    shown = case.overlay(OverlayKind.SEARCH)
    assert str(catalogue.screen.MENTIONS()) in shown
    assert "hello @me" in shown


def search(case: Case) -> None:
    shown = case.overlay(OverlayKind.SEARCH)
    assert ("hello @me" if case.by_command else f"{catalogue.screen.SEARCH()}: ".strip()) in shown


def date(case: Case) -> None:
    if case.by_command:
        assert [each for each in case.acts if isinstance(each, actions.ShowHistory)]
    else:
        assert f"{catalogue.screen.DAY()}:" in case.overlay(OverlayKind.SEARCH)


def first_unread(case: Case) -> None:
    assert str(catalogue.message_blocks.NEW()) in case.shown
    assert "later 0" in case.shown
    assert "later 39" not in case.shown


def read_all(case: Case) -> None:
    assert case.rig.core.conversations[case.lobby].unread == 0
    assert case.says(catalogue.screen.ALL_READ())


def send(case: Case) -> None:
    assert [each.text for each in case.acts if isinstance(each, actions.SendMessage)] == [WORDS]
    assert WORDS in case.shown
    assert case.screen.text == ""


def newline(case: Case) -> None:
    assert case.screen.text == "some wor\nds"


def complete(case: Case) -> None:
    assert case.screen.text == "/history "


def recall(case: Case) -> None:
    assert case.view.composer.mode is ComposerMode.EDIT
    assert case.screen.text == MINE


def editor(case: Case) -> None:
    written = case.place == KeyboardFocus.COMPOSER.value
    assert case.screen.edited == [WORDS if written else ""]
    assert case.screen.text == case.screen.edits_to
    assert CLEARS in case.screen.written[case.wrote :]


def upload(case: Case) -> None:
    if case.by_command:
        (request,) = [each for each in case.screen.requests if isinstance(each, views.SendFiles)]
        assert [file.path for file in request.files.files] == [case.file]
    else:
        assert case.screen.text == "/upload "


def select(case: Case) -> None:
    assert case.view.focus is ScreenFocus.MESSAGES
    assert case.view.overlay is None
    before = case.place in {KeyboardFocus.MESSAGE.value, QUESTION}
    assert case.selected(case.view).endswith("line 39" if before else "two")


def _moved(case: Case, wanted: str, others: Callable[[list[str]], str]) -> None:
    """Expect the selection on one of the messages, or on a row of the list that has the keys."""
    if case.place == KeyboardFocus.MESSAGE.value:
        assert case.selected(case.view).endswith(wanted)
        return
    assert case.view.focus is case.before.focus
    shown = case.view.overlay.items if case.view.overlay is not None else case.view.conversations
    if case.place == MEMBERS:
        shown = case.view.members[1:]
    assert case.selected(case.view) == others([str(row.row).rstrip() for row in shown])


def previous(case: Case) -> None:
    _moved(case, "line 39", lambda rows: rows[0])


def next_(case: Case) -> None:
    _moved(case, "one", lambda rows: rows[min(1, len(rows) - 1)])


def first(case: Case) -> None:
    _moved(case, "line 0", lambda rows: rows[0])


def last(case: Case) -> None:
    _moved(case, "two", lambda rows: rows[-1])


def choose(case: Case) -> None:
    match case.place:
        case KeyboardFocus.MESSAGE.value:
            assert case.screen.opened == [LINK]
        case KeyboardFocus.LIST.value:
            assert case.rig.core.current == case.lobby
            assert case.view.focus is ScreenFocus.COMPOSER
        case where if where == MEMBERS:
            assert case.view.composer.prompt.startswith("@p99")
        case where if where == QUESTION:
            assert [each.kind for each in case.acts if isinstance(each, actions.ChangeMessage)] == [RevisionKind.DELETE]
            assert "deleted" in case.shown
        case _:
            switch(case)  # the first one of the palette


def reply(case: Case) -> None:
    if case.by_command:
        assert [each.reply for each in case.acts if isinstance(each, actions.SendMessage)] == [case.mine]
        assert "my answer" in case.shown
    else:
        assert case.view.composer.mode is ComposerMode.REPLY
        assert any("my words" in row for row in case.screen.rows[-5:])
        assert case.view.focus is ScreenFocus.COMPOSER


def edit(case: Case) -> None:
    if case.by_command:
        assert case.screen.text == f"/edit {case.mine} {MINE}"
    else:
        assert case.view.composer.mode is ComposerMode.EDIT
        assert case.screen.text == MINE


def delete(case: Case) -> None:
    if case.by_command:
        assert [each.seq for each in case.acts if isinstance(each, actions.ChangeMessage)] == [case.mine]
        assert "deleted" in case.shown
    else:
        assert "my words" in case.overlay(OverlayKind.QUESTION)


def react(case: Case) -> None:
    if case.by_command:
        assert "\N{ROCKET} 1" in case.shown
    else:
        assert "\N{ROCKET}" in case.overlay(OverlayKind.EMOJI)


def quote(case: Case) -> None:
    assert case.screen.text == f"> {MINE}\n"
    assert case.view.focus is ScreenFocus.COMPOSER


def copy(case: Case) -> None:
    assert views.CopyText(MINE) in case.screen.requests
    assert "\x1b]52;c;bXkgd29yZHMgaHR0cHM6Ly9hLmV4YW1wbGUveA==\x1b\\" in case.screen.written
    assert case.says(catalogue.screen_shell.COPIED())


def open_link(case: Case) -> None:
    assert case.screen.opened == [LINK]


def unread_from_here(case: Case) -> None:
    assert actions.MarkUnread(case.ops, case.mine, 2) in case.acts
    assert case.rig.core.conversations[case.ops].unread == 2
    rows = case.shown.splitlines()
    line = next(number for number, row in enumerate(rows) if str(catalogue.message_blocks.NEW()) in row)
    assert any("my words" in row for row in rows[line : line + 3])


def about(case: Case) -> None:
    assert f"Number: {case.mine}" in case.overlay(OverlayKind.DETAILS)


def _paged(case: Case, pages: int) -> None:
    """Expect a page of the list that has the keys; where none has, of the messages."""
    if case.view.overlay is None and case.view.focus in {ScreenFocus.COMPOSER, ScreenFocus.MESSAGES}:
        was, now = _top(case.before), _top(case.view)
        assert now < was if pages < 0 else now > was
        return
    before, after = case.selected(case.before), case.selected(case.view)
    rows = [str(row.row) for row in (case.view.overlay.items if case.view.overlay is not None else ())]
    if case.place == KeyboardFocus.OVERLAY.value and pages > 0:
        assert after != before
        assert len(rows) > 10
    elif case.place == KeyboardFocus.LIST.value:
        assert ("#ops" if pages > 0 else "#lobby") in after
    elif case.place == QUESTION:
        assert after == rows[-1 if pages > 0 else 0].rstrip()


def _top(view: views.ScreenView) -> int:
    """The number of the first line that is shown."""
    texts = [str(row.row) for row in view.messages]
    return next(int(text.split()[-1]) for text in texts if "line " in text)


def page_up(case: Case) -> None:
    _paged(case, -1)


def page_down(case: Case) -> None:
    _paged(case, 1)


def present(case: Case) -> None:
    assert case.view.overlay is None
    assert case.view.focus is ScreenFocus.COMPOSER
    assert case.window.following
    assert "  :00 two\n" in case.shown


def rooms(case: Case) -> None:
    assert case.view.overlay is None
    if case.place == KeyboardFocus.LIST.value:  # it has the keys: it is folded
        assert case.view.layout.conversations is None
        assert case.view.focus is ScreenFocus.COMPOSER
    else:
        assert case.view.focus is ScreenFocus.CONVERSATIONS
        assert case.selected(case.view).endswith("#ops")


def members(case: Case) -> None:
    assert case.view.overlay is None
    if case.place == MEMBERS:
        assert case.view.layout.members is None
        assert case.view.focus is ScreenFocus.COMPOSER
    else:
        assert case.view.focus is ScreenFocus.MEMBERS
        assert case.selected(case.view)


def numbers(case: Case) -> None:
    assert case.view.overlay == case.before.overlay
    assert any(f" {case.mine} " in str(row.row) for row in case.view.messages)


def bare(case: Case) -> None:
    assert case.view.bare is not None
    rows = case.screen.rows
    assert not any("│" in row for row in rows)
    assert any(row.endswith(MINE) for row in rows)
    assert LINK in rows


def mouse(case: Case) -> None:
    assert not case.view.mouse
    assert "\x1b[?1000l" in case.screen.written[case.wrote :]
    assert "mouse off" in case.screen.rows[-2]


def redraw(case: Case) -> None:
    written = case.screen.written[case.wrote :]
    assert CLEARS in written
    assert case.screen.rows[0] in written or "#ops" in written or case.before.overlay is not None
    assert case.view.messages == case.before.messages


def notify(case: Case) -> None:
    if case.by_command:
        assert case.rig.state.notification.level(case.ops) is NotificationLevel.NONE
        assert views.KeepSetting("notify.#ops", "none") in case.screen.requests
    else:
        assert "none" in case.overlay(OverlayKind.LIST)


def do_not_disturb(case: Case) -> None:
    assert not case.rig.state.notification.disturb or "do not disturb" in case.screen.rows[-2]
    assert "do not disturb" in case.screen.rows[-2]


def notices(case: Case) -> None:
    assert "an old notice" in case.overlay(OverlayKind.LIST)


def help_(case: Case) -> None:
    assert "Ctrl+G" in case.overlay(OverlayKind.HELP)


def palette(case: Case) -> None:
    assert "/switch" in case.overlay(OverlayKind.PALETTE)


def connection(case: Case) -> None:
    assert "chat.lan:8443" in case.overlay(OverlayKind.CONNECTION)


def escape(case: Case) -> None:
    assert case.view.overlay is None
    if case.place == QUESTION:
        assert case.window.selected == case.mine, "one step back, and not two"
        assert not [each for each in case.acts if isinstance(each, actions.ChangeMessage)]
    else:
        assert case.view.focus is ScreenFocus.COMPOSER
        assert case.window.selected is None
    assert case.screen.text == {
        KeyboardFocus.COMPOSER.value: WORDS,
        KeyboardFocus.COMPOSER_END.value: WORDS,
        KeyboardFocus.COMPOSER_TOP.value: "first\nsecond",
    }.get(case.place, ""), "no text is lost"


def interrupt(case: Case) -> None:
    written = case.place.startswith("composer") and case.place != KeyboardFocus.COMPOSER_EMPTY.value
    if written:
        assert case.screen.text == ""
        assert not case.says(catalogue.screen.quit_again("Ctrl+C"))
    else:
        assert case.says(catalogue.screen.quit_again("Ctrl+C"))
    assert not case.rig.core.leaving


def leave(case: Case) -> None:
    assert case.rig.core.leaving


EFFECTS: dict[str, Callable[[Case], None]] = {
    **{
        each.__name__.rstrip("_"): each
        for each in (
            *(switch, next_unread, back, mentions, search, date, first_unread, read_all, send, newline, complete),
            *(recall, editor, upload, select, previous, next_, first, last, choose, reply, edit, delete, react, quote),
            *(copy, open_link, unread_from_here, about, page_up, page_down, present, rooms, members, numbers, bare),
            *(mouse, redraw, notify, do_not_disturb, notices, help_, palette, connection, escape, interrupt, leave),
        )
    }
}


# --- what must be so before -------------------------------------------------------------------------------------------


async def _unread_in_ops(case: Case) -> None:
    case.rig.take(views.FocusChanged(False))
    for number in range(40):
        case.rig.say(f"later {number}", "ops")
    await case.screen.show()


async def _scrolled_up(case: Case) -> None:
    case.window.page(-1)
    await case.screen.show()
    assert not case.window.following


async def _begin_command(case: Case) -> None:
    await case.screen.press("Home")
    for _ in WORDS:
        await case.screen.press("Delete")
    await case.screen.paste("/hist")


async def _down_the_list(case: Case) -> None:
    if case.place != KeyboardFocus.MESSAGE.value:
        await case.screen.press("Down")


async def _notice(case: Case) -> None:
    case.rig.take(views.ShowSentence("an old notice"))
    case.rig.driver.now += 90.0
    await case.screen.show()


async def _another_one(case: Case) -> None:
    if case.place == KeyboardFocus.LIST.value:
        await case.screen.press("Up" if "#ops" in case.selected(case.view) else "Down")
        assert "#lobby" in case.selected(case.view)
    elif case.place == MEMBERS:
        await case.screen.press("Up" if "p99" not in case.selected(case.view) else "Down")
        await case.screen.press("End" if "p99" not in case.selected(case.view) else "Down")


PREPARED: dict[str, Callable[[Case], Awaitable[None]]] = {
    "first_unread": _unread_in_ops,
    "present": _scrolled_up,
    "page_down": _scrolled_up,
    "complete": _begin_command,
    "previous": _down_the_list,
    "first": _down_the_list,
    "choose": _another_one,
    "notices": _notice,
}
ARGUMENTS: dict[str, Callable[[Case], str]] = {
    "search": lambda _: "hello",
    "date": lambda _: "1970-01-01",
    "upload": lambda case: str(case.file),
    "notify": lambda _: "none",
    "reply": lambda case: f"{case.mine} my answer",
    "react": lambda case: f"{case.mine} \N{ROCKET}",
    "copy": lambda case: f"{case.mine} text",  # without it a link alone
}


def argument(action: UiAction, case: Case) -> str:
    """Return what stands behind a command: by default the number of the own message."""
    if not action.command.endswith(" "):
        return ""
    return ARGUMENTS.get(action.id, lambda each: str(each.mine))(case)


# --- the tests --------------------------------------------------------------------------------------------------------


def test_each_action_has_an_effect_that_is_looked_for() -> None:
    assert EFFECTS.keys() == ACTION_OF.keys()
    assert {*PLACES, KeyboardFocus.ANYWHERE.value} >= {each.value for each in KeyboardFocus}
    done = {action_id for action_id, _, _ in cases()}
    assert done == ACTION_OF.keys(), "each has a key or a command"


@pytest.fixture(scope="module")
def shared() -> Iterator[SharedScreen]:
    one = SharedScreen()
    yield one
    one.close()


@pytest.mark.parametrize(("action_id", "way", "place"), [pytest.param(*case, id="-".join(case)) for case in cases()])
def test_an_action_does_what_it_is_for(
    action_id: str, way: str, place: str, shared: SharedScreen, tmp_path: Path
) -> None:
    action = ACTION_OF[action_id]
    file = tmp_path / "report.pdf"
    file.write_bytes(b"%PDF")
    case = Case(place, way, file)

    async def play(screen: PilotScreen) -> None:
        case.screen = screen
        await PLACES[place](case)
        if action_id in PREPARED:
            await PREPARED[action_id](case)
        case.before, case.wrote, case.acted = case.view, len(screen.written), len(case.rig.acts)
        if way == "palette":
            await screen.press("Alt+P")
            await screen.paste(str(action.words()))
            await screen.press("Enter")
        elif way.startswith("/"):
            await screen.command(way.strip() + (f" {argument(action, case)}".rstrip()))
        else:
            await screen.press(way)
        EFFECTS[action_id](case)

    shared.run(case.rig, play)


def test_the_palette_offers_what_has_a_command() -> None:
    assert [action.id for action in PALETTE] == [action.id for action in ACTIONS if action.command]
