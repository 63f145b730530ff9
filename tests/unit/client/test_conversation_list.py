"""The list of rooms and dialogues: its order, which is the page's, where it waits, what is next, what is found."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from securechat.client.core.state import ConversationId, PersonKey, RoomKey
from securechat.client.ui.screen_model.conversation_list import (
    MOST_FOUND,
    ConversationEntry,
    ConversationListing,
    ListCounts,
    match_score,
    ordered,
)

CASES = json.loads((Path(__file__).parents[2] / "golden" / "conversation_order.json").read_text(encoding="utf-8"))
ROOMS = {name: RoomKey(name) for name in ("lobby", "ops", "dev", "deploy", "random")}
ANA = PersonKey(7)


def room(name: str, last: int = 0, unread: int = 0, mentions: int = 0, *, muted: bool = False) -> ConversationEntry:
    return ConversationEntry(ROOMS[name], name, last, unread, mentions, muted)


def names(conversations: object) -> list[str]:
    return [each.name for each in conversations]  # type: ignore[attr-defined]


@pytest.mark.parametrize("case", CASES, ids=[each["case"] for each in CASES])
def test_the_order_is_that_of_the_page(case: dict[str, list[dict[str, object]]]) -> None:
    listed = []
    for each in case["conversations"]:
        key: ConversationId = PersonKey(each["id"]) if each["kind"] == "direct" else RoomKey(each["name"])  # type: ignore[arg-type]
        fields = (each[name] for name in ("name", "last", "unread", "mentions", "muted"))
        listed.append(ConversationEntry(key, *fields))  # type: ignore[arg-type]
    found = ordered(listed)
    assert names(found) == case["order"]
    if "ids" in case:
        assert [each.key.person_id if isinstance(each.key, PersonKey) else 0 for each in found] == case["ids"]


def test_nothing_moves_while_the_keyboard_is_in_the_list() -> None:
    one = ConversationListing()
    one.put([room("lobby", 9), room("ops", 5), room("dev", 3)])
    one.enter(ROOMS["ops"])
    one.select_step(1)
    one.put([room("lobby", 9), room("ops", 5), room("dev", 12, 4, 1), room("random", 20, 1, 1)])
    assert names(one.shown) == ["lobby", "ops", "dev", "random"]
    assert one.shown[2].mentions == 1  # what is said of it is new
    assert one.selected == ROOMS["dev"]
    one.leave()
    assert names(one.shown) == ["random", "dev", "lobby", "ops"]


def test_a_selected_conversation_that_is_gone_ends_the_selection() -> None:
    one = ConversationListing()
    one.put([room("lobby", 9), room("ops", 5)])
    one.enter(ROOMS["ops"])
    one.put([room("lobby", 9)])
    assert (one.selected, names(one.shown)) == (None, ["lobby"])


def test_the_selection_stops_at_both_ends() -> None:
    one = ConversationListing()
    one.enter(None)
    assert one.selected is None
    one.put([room("lobby", 9), room("ops", 5)])
    one.enter(ROOMS["dev"])
    assert one.selected == ROOMS["lobby"]
    one.select_step(-3)
    assert one.selected == ROOMS["lobby"]
    one.select_step(9)
    assert one.selected == ROOMS["ops"]


def test_next_unread_goes_to_mentions_first_and_never_to_muted_rooms_or_where_one_is() -> None:
    one = ConversationListing()
    one.put([room("lobby", 9, 1), room("ops", 5, 3, 1), room("dev", 12, 9, 9, muted=True), room("random", 20)])
    assert one.next_unread(ROOMS["random"]) == ROOMS["ops"]
    assert one.next_unread(ROOMS["ops"]) == ROOMS["lobby"]
    one.put([room("lobby", 9, 1), room("dev", 12, 9, 9, muted=True)])
    assert one.next_unread(ROOMS["lobby"]) is None


def test_muted_rooms_are_counted_apart() -> None:
    one = ConversationListing()
    dialogue = ConversationEntry(ANA, "ana", 3, 2, muted=True)
    one.put([room("lobby", 9, 4, 1), room("dev", 12, 9, 9, muted=True), dialogue])
    assert one.counts == ListCounts(unread=6, loud=3, muted=9)


def test_names_are_found_by_their_parts_the_best_first() -> None:
    one = ConversationListing()
    one.put([*(room(name, 1) for name in ROOMS), ConversationEntry(ANA, "Ana Dewi", 2)])
    assert names(one.find("de")) == ["dev", "deploy", "Ana Dewi"]
    assert names(one.find("DEV")) == ["dev"]
    assert names(one.find("#de")) == ["dev", "deploy"]
    assert names(one.find("@de")) == ["Ana Dewi"]
    assert names(one.find("dpy")) == ["deploy"]
    assert names(one.find("xyz")) == []
    assert set(names(one.find(""))) == {*ROOMS, "Ana Dewi"}


def test_the_current_conversation_is_offered_last_among_its_equals() -> None:
    one = ConversationListing()
    one.put([room("lobby", 9), room("ops", 5)])
    assert names(one.find("", ROOMS["lobby"])) == ["ops", "lobby"]


def test_what_is_found_is_bounded() -> None:
    one = ConversationListing()
    one.put([ConversationEntry(RoomKey(f"room{number}"), f"room{number}") for number in range(200)])
    assert len(one.find("room")) == MOST_FOUND
    assert len(one.find("r" * 100_000)) == 0


def test_scores_fall_from_the_whole_name_to_scattered_letters() -> None:
    scores = [match_score("dev", name) for name in ("dev", "devel", "my dev", "xdevx", "d-e-v", "doeav")]
    assert all(one is not None and other is not None and one > other for one, other in itertools.pairwise(scores))
    assert match_score("dev", "ved") is None
