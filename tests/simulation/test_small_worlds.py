"""Small worlds reach the edges that they are small for: pages that go on, rooms that are full, frames that are.

A world whose limits nobody meets finds nothing. The figures are of the first small worlds together.
"""

from __future__ import annotations

from collections import Counter
from itertools import count, islice

import pytest

from securechat.errors import ErrorCode
from securechat.limits import KIB, PageLimits
from securechat.model import (
    AskConversations,
    ConversationList,
    Event,
    HistoryPage,
    Refused,
    RoomsPage,
    Roster,
    SearchPage,
    UnreadList,
)
from securechat.wire.native import JsonBodies
from tests.simulation.crowd import Visitor
from tests.simulation.watch import Watch, WatchedSession
from tests.simulation.world import World, found_by

pytestmark = pytest.mark.slow

WORLDS = 24
"""Of some 150 seeds."""
PAGES = (UnreadList, ConversationList, HistoryPage, SearchPage, RoomsPage, Roster)


@pytest.fixture(scope="module")
def seen() -> Counter[object]:
    """What happened in the first small worlds, counted."""
    seen: Counter[object] = Counter()
    with pytest.MonkeyPatch.context() as patch:
        handed, encode, look = Watch.handed, JsonBodies.encode, Visitor._look

        def watched(self: Watch, peer: WatchedSession, event: Event) -> None:
            if isinstance(event, PAGES) and event.more:
                seen[type(event)] += 1
            elif isinstance(event, Refused):
                seen[event.code] += 1
            handed(self, peer, event)

        def measured(self: JsonBodies, event: Event) -> bytes:
            body = encode(self, event)
            assert len(body) <= self.frame_bytes
            seen["full", self.frame_bytes] = max(seen["full", self.frame_bytes], len(body))
            return body

        def looked(self: Visitor) -> object:
            commands = look(self)
            seen[type(commands[0])] += 1
            return commands

        patch.setattr(Watch, "handed", watched)
        patch.setattr(JsonBodies, "encode", measured)
        patch.setattr(Visitor, "_look", looked)
        small = (world for world in map(World, count()) if "small" in world.flavour)
        for world in islice(small, WORLDS):
            assert not found_by(world)
            seen["rows", world.pages.page_rows] += 1
            seen["frames", world.pages.frame_bytes] += 1
            seen["crowds"] += "crowd" in world.flavour
            seen["rooms", world.server.hub.context.limits.rooms_total] += 1
    return seen


@pytest.mark.parametrize("kind", PAGES, ids=lambda kind: kind.__name__)
def test_lists_go_on_behind_a_page(seen: Counter[object], kind: type) -> None:
    assert seen[kind] > 0


def test_limits_are_as_small_as_was_asked_for(seen: Counter[object]) -> None:
    assert seen["frames", 4 * KIB] > 0
    assert seen["rows", 5] > seen["rows", 40]
    assert seen["rooms", 10] == WORLDS
    assert seen["crowds"] >= WORLDS / 3


def test_frames_are_filled_and_rooms_used_up(seen: Counter[object]) -> None:
    """A page is what a frame has left beside FRAME_SPARE_BYTES."""
    for frame_bytes in (4 * KIB, 8 * KIB):
        assert seen["full", frame_bytes] > 0.6 * PageLimits.of_frames(frame_bytes).page_bytes
    assert seen[ErrorCode.TOO_MANY_ROOMS] > 0
    assert seen[AskConversations] > 0
