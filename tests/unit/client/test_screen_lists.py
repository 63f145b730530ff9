"""The lists over the panes: their keys, F2 with the logins, /whois and /react, pages that are only read."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from securechat.client import catalogue
from securechat.client.core import actions
from securechat.client.ui.rows.wrapping import cells
from securechat.client.ui.screen_model.overlay import ScreenOverlay, item
from securechat.client.ui.screen_model.view import CloseOverlay, MoveSelection, OverlayKind, ScreenResized
from securechat.model import LoginInfo, RevisionKind
from securechat.translation import use
from tests.support.screen_rig import ScreenRig, dialogue

LOGINS = (
    LoginInfo(3, "securechat-client 0.1.0", "192.0.2.7", 0, 0, online=True, current=True),
    LoginInfo(8, "a phone\x1b[2J", "192.0.2.9", 0, 0),
)


@pytest.fixture(params=["en", "id"])
def code(request: pytest.FixtureRequest) -> Iterator[str]:
    use(request.param)
    yield request.param
    use("en")


# --- the row of keys --------------------------------------------------------------------------------------------------


def _with_message(rig: ScreenRig, text: str = "see https://example.org/a and https://example.org/b") -> None:
    rig.say(text, "ops")
    rig.run("select")


def _emoji(rig: ScreenRig) -> None:
    _with_message(rig)
    rig.run("react")


def _links(rig: ScreenRig) -> None:
    _with_message(rig)
    rig.run("open_link")


def _delete(rig: ScreenRig) -> None:
    message = rig.driver.server.store(rig.core.me.id, "mine", room="ops")
    rig.driver.server.push(message)
    rig.pump()
    rig.run("select")
    rig.run("delete")


def _details(rig: ScreenRig) -> None:
    _with_message(rig)
    rig.run("about")


def _hits(rig: ScreenRig) -> None:
    rig.say("a needle", "ops")
    rig.submit("/search needle")


def _rooms(rig: ScreenRig) -> None:
    rig.submit("/rooms")


def _commands(rig: ScreenRig) -> None:
    rig.run("palette")
    overlay = rig.state._context.overlay
    assert overlay is not None
    overlay.type("/join")


LISTS: dict[str, tuple[Callable[[ScreenRig], object], Callable[[], str]]] = {
    "switcher": (lambda rig: rig.run("switch"), catalogue.screen.ENTER_GO),
    "palette": (lambda rig: rig.run("palette"), catalogue.screen.ENTER_DO),
    "commands": (_commands, catalogue.screen.ENTER_WRITE),
    "links": (_links, catalogue.screen.ENTER_OPEN),
    "hits": (_hits, catalogue.screen.ENTER_GO_MESSAGE),
    "emoji": (_emoji, catalogue.screen.ENTER_REACT),
    "delete": (_delete, catalogue.screen.ENTER_DELETE),
    "rooms": (_rooms, catalogue.screen.ENTER_RUN),
    "levels": (lambda rig: rig.run("notify"), catalogue.screen.ENTER_DO),
}
PAGES: dict[str, Callable[[ScreenRig], object]] = {
    "help": lambda rig: rig.run("help"),
    "details": _details,
    "connection": lambda rig: rig.run("connection"),
    "notices": lambda rig: rig.run("notices"),
}


@pytest.mark.parametrize("name", LISTS)
def test_the_last_row_says_what_enter_does_in_this_list(name: str, code: str) -> None:
    opens, words = LISTS[name]
    rig = ScreenRig("ops", size=(80, 24))
    opens(rig)
    footer = rig.view.footer
    assert f"Enter {words()}  Escape {catalogue.screen.KEY_CLOSE()}" in footer
    assert str(catalogue.screen.KEYS_MOVE()) in footer
    assert cells(footer) <= 80
    rig.take(ScreenResized(40, 24))
    assert f"Enter {words()}  Escape {catalogue.screen.KEY_CLOSE()}" in rig.view.footer
    assert cells(rig.view.footer) <= 40


@pytest.mark.parametrize("name", PAGES)
def test_the_last_row_of_a_page_promises_nothing_of_enter(name: str, code: str) -> None:
    rig = ScreenRig("ops", size=(80, 24))
    PAGES[name](rig)
    assert "Enter" not in rig.view.footer
    assert rig.view.footer.startswith(
        f"Escape {catalogue.screen.KEY_CLOSE()}  Up Down {catalogue.screen.KEYS_SCROLL()}"
    )


def test_enter_in_a_line_is_named_once_something_is_typed() -> None:
    rig = ScreenRig("ops")
    rig.run("search")
    assert "Enter" not in rig.view.footer
    overlay = rig.state._context.overlay
    assert overlay is not None
    overlay.type("word")
    assert f"Enter {catalogue.screen.ENTER_SEARCH()}" in rig.view.footer


def test_every_choice_has_words_for_enter() -> None:
    from securechat.client.ui.screen_model import overlay
    from securechat.client.ui.screen_model.overlay import ChooseLine, OverlayChoice

    kinds = set(OverlayChoice.__args__)  # type: ignore[attr-defined]
    assert set(overlay._ENTER_WORDS) == kinds - {ChooseLine}


def test_a_page_moves_with_the_first_key() -> None:
    page = ScreenOverlay(OverlayKind.DETAILS, "Page", [item(f"row {number}") for number in range(50)])
    assert str(page.view(40, 10).items[0].row) == "row 0"
    page.move(1)
    assert str(page.view(40, 10).items[0].row) == "row 1"
    page.move(0, edge=1)
    assert str(page.view(40, 10).items[-1].row) == "row 49"
    page.move(-1)
    assert str(page.view(40, 10).items[0].row) == "row 39"


# --- F2 ---------------------------------------------------------------------------------------------------------------


def test_f2_shows_the_logins_and_marks_this_one() -> None:
    rig = ScreenRig("ops", logins=LOGINS)
    rig.run("connection")
    shown = rig.overlay
    assert "ab12 ab12 ab12" in shown
    assert "3  securechat-client 0.1.0, from 192.0.2.7" in shown
    assert "this session" in shown
    assert "8  a phone" in shown
    assert "\x1b" not in shown
    assert shown.index("Fingerprint") < shown.index("Your logins") < shown.index("3  securechat")


def test_a_login_is_ended_after_a_question() -> None:
    rig = ScreenRig("ops", logins=LOGINS)
    rig.run("connection")
    rig.take(MoveSelection(1))
    assert f"Enter {catalogue.screen.ENTER_END()}" in rig.view.footer
    rig.choose()
    assert "End this login? 8  a phone" in rig.overlay
    rig.choose()  # No
    assert actions.EndLogin(8) not in rig.acts
    rig.run("connection")
    rig.take(MoveSelection(1))
    rig.choose()
    rig.take(MoveSelection(1))
    rig.choose()
    assert actions.EndLogin(8) in rig.acts
    rig.run("connection")
    assert "8  a phone" not in rig.overlay


def test_ending_this_login_says_that_the_chat_ends() -> None:
    rig = ScreenRig("ops", logins=LOGINS)
    rig.run("connection")
    rig.choose()
    assert "the chat ends here" in rig.overlay
    rig.take(MoveSelection(1))
    rig.choose()
    assert actions.EndLogin() in rig.acts


def test_logins_that_come_when_f2_is_closed_open_nothing() -> None:
    rig = ScreenRig("ops", logins=LOGINS)
    rig.state.take(rig_input := CloseOverlay())
    assert rig_input is not None
    rig.state._context.asked_logins = 1
    rig.act(actions.AskLogins())
    rig.pump()
    assert rig.view.overlay is None
    rig.submit("/sessions")  # which has asked for them
    assert "8  a phone" in rig.overlay


def test_a_guest_has_no_logins() -> None:
    rig = ScreenRig("ops")
    rig.run("connection")
    assert actions.AskLogins() not in rig.acts
    assert "guest" in rig.overlay


# --- /whois, /react ---------------------------------------------------------------------------------------------------


def test_whois_tells_whose_name_it_is_and_leads_to_the_dialogue() -> None:
    rig = ScreenRig("ops")
    rig.submit("/whois p99")
    assert rig.overlay.startswith("p99\np99 is here")
    rig.choose()
    assert rig.core.current == dialogue(99)


def test_a_reaction_without_a_number_goes_to_the_last_message() -> None:
    rig = ScreenRig("ops")
    rig.say("first", "ops")
    last = rig.say("last", "ops")
    rig.submit("/react \N{ROCKET}")
    assert actions.ChangeMessage(rig.key("ops"), RevisionKind.REACT, last.seq, emoji="\N{ROCKET}") in rig.acts


def test_a_reaction_without_a_number_goes_to_the_selected_message() -> None:
    rig = ScreenRig("ops")
    first = rig.say("first", "ops")
    rig.say("last", "ops")
    rig.run("select")
    rig.run("previous")
    rig.submit("/react \N{ROCKET}")
    assert actions.ChangeMessage(rig.key("ops"), RevisionKind.REACT, first.seq, emoji="\N{ROCKET}") in rig.acts


def test_a_number_goes_before_the_selection() -> None:
    rig = ScreenRig("ops")
    first = rig.say("first", "ops")
    rig.say("last", "ops")
    rig.run("select")
    rig.submit(f"/react {first.seq} \N{ROCKET}")
    assert actions.ChangeMessage(rig.key("ops"), RevisionKind.REACT, first.seq, emoji="\N{ROCKET}") in rig.acts


def test_react_alone_offers_the_emoji_for_the_last_message() -> None:
    rig = ScreenRig("ops")
    last = rig.say("last", "ops")
    rig.submit("/react")
    assert rig.overlay.startswith("React with")
    rig.choose("rocket")
    assert actions.ChangeMessage(rig.key("ops"), RevisionKind.REACT, last.seq, emoji="\N{ROCKET}") in rig.acts


def test_there_is_nothing_to_react_to_in_an_empty_room() -> None:
    rig = ScreenRig("ops")
    rig.submit("/react \N{ROCKET}")
    assert str(catalogue.rooms.NO_MESSAGE_HERE()) in rig.messages
    assert not [each for each in rig.acts if isinstance(each, actions.ChangeMessage)]
