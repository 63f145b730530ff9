"""One act is one sentence: events that repeat it have none, and no name can change the meaning of a sentence."""

from __future__ import annotations

import pytest

from securechat import model as m
from securechat.client.catalogue.connection import came
from securechat.client.catalogue.names import capital, quoted
from securechat.client.catalogue.translation import refusal_sentence
from securechat.client.core import actions, events
from securechat.client.core.actions import ModerationVerb
from securechat.client.core.arrivals import ArrivalTracker
from securechat.client.ui.rows.describe import EventText, sentence
from securechat.errors import ErrorCode
from securechat.text.refusals import REASONS
from securechat.translation.formatting import fields
from tests.support.core_driver import ChangingServer, Driver

ANN = m.Person(5, "ann")
CARL = m.Person(8, "carl")


class Shown:
    """A client with ann and carl in #lobby and #ops, and what it shows."""

    def __init__(self) -> None:
        self.driver = Driver(ChangingServer(), rooms=("ops",))
        self.text = EventText(self.driver.core)
        self.driver.settle()
        for room in ("lobby", "ops"):
            self.hear(m.Presence(room, 3, joined=[ANN, CARL]))
        self.news()

    def hear(self, event: m.Event) -> None:
        self.driver.hear(event)

    def want(self, action: actions.Action) -> None:
        self.driver.want(action)

    def moderate(self, verb: ModerationVerb, **more: object) -> None:
        self.want(actions.ModerateMember("ops", verb, "ann", **more))  # type: ignore[arg-type]
        self.hear(m.Done(self.driver.sent[-1].ref))  # type: ignore[union-attr]

    def news(self) -> list[str]:
        told, self.driver.told[:] = list(self.driver.told), []
        return [said for event in told if (said := self.text.of(event))]


BAN_HOLDS = "\nThe ban holds for the account on all its devices, and not for the same person as a guest"
MUTE_HOLDS = "\nThe mute holds for the account in this room, not elsewhere or for the same person as a guest"


@pytest.fixture
def shown() -> Shown:
    return Shown()


def test_a_kick_is_one_sentence_for_the_moderator(shown: Shown) -> None:
    shown.moderate(ModerationVerb.KICK, reason="spam")
    shown.hear(m.Presence("ops", 2, left=[ANN]))
    assert shown.news() == ["You kicked ann from #ops: spam"]


def test_of_others_who_leave_with_the_kicked_member_is_told(shown: Shown) -> None:
    shown.moderate(ModerationVerb.BAN, seconds=60)
    shown.hear(m.Presence("ops", 1, left=[ANN, CARL]))
    assert shown.news() == [f"You banned ann from #ops for 1 minute{BAN_HOLDS}", "carl left"]


def test_a_member_who_comes_back_after_a_kick_leaves_with_a_sentence(shown: Shown) -> None:
    shown.moderate(ModerationVerb.KICK)
    shown.hear(m.Presence("ops", 2, left=[ANN]))
    shown.hear(m.Presence("ops", 3, joined=[ANN]))
    shown.hear(m.Presence("ops", 2, left=[ANN]))
    assert shown.news()[1:] == ["ann joined", "ann left"]


@pytest.mark.parametrize(
    ("verb", "more", "muted_s", "said"),
    [
        (ModerationVerb.ROLE, {"role": "moderator"}, 0.0, "You made ann a moderator of #ops"),
        (
            ModerationVerb.MUTE,
            {"seconds": 60, "reason": "spam"},
            60.0,
            f"You muted ann in #ops for 1 minute: spam{MUTE_HOLDS}",
        ),
    ],
)
def test_a_role_and_a_mute_are_one_sentence_for_the_moderator(
    shown: Shown, verb: ModerationVerb, more: dict[str, object], muted_s: float, said: str
) -> None:
    shown.moderate(verb, **more)
    shown.hear(m.RoleChanged("ops", ANN, "moderator", shown.driver.core.me, muted_s))
    assert shown.news() == [said]
    shown.hear(m.RoleChanged("ops", ANN, "owner", CARL))
    assert len(shown.news()) == 1


def test_after_leaving_a_room_the_active_one_is_named(shown: Shown) -> None:
    shown.want(actions.JoinRoom("ops"))
    shown.news()
    shown.want(actions.LeaveRoom("ops"))
    shown.hear(m.Left("ops", shown.driver.sent[-1].ref))  # type: ignore[union-attr]
    assert shown.news()[-1] == "You left #ops\nNow talking in #lobby"


def test_leaving_another_room_does_not_change_the_active_one(shown: Shown) -> None:
    shown.want(actions.JoinRoom("lobby"))
    shown.news()
    shown.want(actions.LeaveRoom("ops"))
    shown.hear(m.Left("ops", shown.driver.sent[-1].ref))  # type: ignore[union-attr]
    assert shown.news() == ["You left #ops"]


# --- coming and leaving -----------------------------------------------------------------------------------------------


DAN = m.Person(9, "dan")


@pytest.mark.parametrize("rooms", [("lobby", "ops"), ("ops", "lobby")])
def test_who_comes_to_the_server_is_told_once(shown: Shown, rooms: tuple[str, str]) -> None:
    for room in rooms:
        shown.hear(m.Presence(room, 4, joined=[DAN]))
    assert len(shown.news()) == 1


def test_who_leaves_the_server_is_told_once_and_not_as_leaving_a_room(shown: Shown) -> None:
    shown.driver.now += 10
    shown.want(actions.JoinRoom("ops"))
    shown.news()
    shown.hear(m.Presence("lobby", 2, left=[ANN]))
    shown.hear(m.Presence("ops", 1, left=[ANN, CARL]))
    assert shown.news() == ["ann left", "carl left"]


def test_who_comes_into_a_room_or_leaves_it_later_is_told(shown: Shown) -> None:
    shown.want(actions.JoinRoom("lobby"))
    shown.news()
    shown.hear(m.Presence("lobby", 4, joined=[DAN]))
    shown.driver.now += 2
    shown.hear(m.Presence("ops", 4, joined=[DAN]))
    shown.hear(m.Presence("ops", 3, left=[DAN]))
    shown.hear(m.Presence("lobby", 3, left=[DAN]))
    shown.hear(m.Presence("lobby", 4, joined=[DAN]))
    assert shown.news() == ["dan joined", "dan joined #ops", "dan left #ops", "dan left", "dan joined"]


def test_those_who_came_are_not_remembered_for_ever() -> None:
    tracker = ArrivalTracker()
    for number in range(20_000):
        tracker.news([m.Person(number, "x")], 1.0, in_lobby=bool(number % 2))
    assert len(tracker._since) + len(tracker._elsewhere) <= 20_002
    tracker.news([DAN], 3.0, in_lobby=True)
    tracker.news([DAN], 3.0, in_lobby=False)
    assert len(tracker._since) + len(tracker._elsewhere) == 2


# --- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ann", "ann"),
        ("user1 pc", '"user1 pc"'),
        ("ann is now known as bob", '"ann is now known as bob"'),
        ('x" left. "y', '"x"" left. ""y"'),
        ("You", '"You"'),
        ("", "/deleted account/"),
    ],
)
def test_a_name_of_several_words_is_quoted(name: str, said: str) -> None:
    assert quoted(name) == said


def test_names_are_listed_as_a_subject() -> None:
    assert came(None, ["ann"]) == "ann joined"
    assert came("ops", ["ann", "user1 pc", "bob"]) == 'ann, "user1 pc" and bob joined #ops'


def test_a_sentence_has_a_capital_letter_and_a_name_keeps_its_own() -> None:
    assert capital("the disk is full") == "The disk is full"
    assert capital("ann took you out") == "ann took you out"
    assert capital("") == ""


# --- refusals ---------------------------------------------------------------------------------------------------------


def refused(text: str, reason: str = "", code: ErrorCode = ErrorCode.KICKED, **arguments: str | int) -> str:
    return refusal_sentence(events.RequestRefused(code, text, None, reason, arguments))


def test_a_refusal_is_said_by_its_reason_and_arguments() -> None:
    assert (
        refused("in another language", "kicked_by_administrator_because", why="spam")
        == "You were kicked by an administrator: spam. You may connect again"
    )


@pytest.mark.parametrize("arguments", [{}, {"other": 1}])
def test_without_an_argument_the_servers_text_is_shown(arguments: dict[str, int]) -> None:
    assert refused("text of the server", "kicked_by_administrator_because", **arguments) == "text of the server"


def test_a_reason_of_a_later_server_falls_back_to_its_text() -> None:
    assert refused("the moon is full", "moon_full", phase=4) == "The moon is full"


def test_an_argument_of_the_wrong_type_falls_back_to_the_text() -> None:
    for reason, (code, template) in REASONS.items():
        if ":duration}" in template:
            wrong = dict.fromkeys(fields(template), "not a number")
            assert refused("text of the server", reason, code, **wrong) == "text of the server"


def test_arguments_are_made_safe_to_show() -> None:
    said = refused("x", "kicked_by_administrator_because", why="a\x1b[2Jb\n-- bye\u202e")
    assert "\x1b" not in said
    assert "\n" not in said
    assert "\u202e" not in said


def test_a_command_that_the_server_does_not_know_is_told_as_that() -> None:
    assert refused("bad", "x", ErrorCode.UNKNOWN_TYPE) == "This server does not support that yet"


def test_a_member_who_was_kicked_reads_the_sentence_of_the_refusal() -> None:
    left = events.RoomLeft("ops", text="old words", reason="kicked_by_administrator_because", arguments={"why": "spam"})
    assert sentence(left, Shown().driver.core.current, 1) == (
        "You were kicked by an administrator: spam. You may connect again"
    )
