"""Faults of event streams that are not mended yet; each test fails."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from securechat.model import Moderate
from tests.support.api_rig import ApiRig
from tests.support.hub_rig import FakePeer
from tests.unit.server.api.test_streams import ana, api, limited, owner, pages, say, token

__all__ = ["ana", "api", "pages", "token"]


def read_all(api: ApiRig, pages: deque[Callable[[], None]]) -> None:
    while pages:
        pages.popleft()()
        api.settle()
        api.pass_time(1)


def test_brk_held_messages_of_a_removed_account_do_not_follow_its_purge(
    api: ApiRig, token: str, ana: FakePeer, pages: deque[Callable[[], None]]
) -> None:
    start = say(api, ana, "start")
    spam = owner(api, "spam")
    stream = api.stream(token, f"?after={start}")
    assert pages, "a page is under way"
    say(api, spam, "a home address")
    told: list[Any] = []
    api.hub.admin_commands.delete_user("root", "spam", remove=True, progress=lambda _: None, done=told.append)
    for _ in range(20):
        api.settle()
        api.rig.pass_time(1)
    assert told == [1], told
    read_all(api, pages)
    assert "purged" in stream.kinds
    assert stream.texts == [], "what was told to be gone is told afterwards"


def test_brk_held_messages_of_a_room_do_not_follow_the_kick_from_it(
    api: ApiRig, token: str, ana: FakePeer, pages: deque[Callable[[], None]]
) -> None:
    me = api.get("/me", token).json["id"]
    stream = api.stream(token, "?rooms=ops,lobby")
    start = say(api, ana, "start")
    stream.lose()
    stream = api.stream(token, f"?rooms=ops,lobby&after={start}")
    assert pages, "a page is under way"
    say(api, ana, "before the kick", "ops")
    api.rig.do(ana, Moderate(3, "ops", me, "kick"))
    read_all(api, pages)
    assert stream.kinds == ["start", "message", "left"]


def test_brk_a_stream_of_a_token_for_a_room_names_that_room_when_it_ends(
    api: ApiRig, token: str, ana: FakePeer
) -> None:
    stream = api.stream(limited(api, token, "ops"))
    say(api, ana, "before", "ops")
    api.rig.do(ana, Moderate(3, "ops", api.get("/me", token).json["id"], "kick"))
    api.pass_time(15)
    assert stream.kinds == ["start", "message", "left", "closing"]
    assert "lobby" not in stream.events[-1]["data"]["text"]


def test_brk_a_request_that_is_refused_enters_no_room(api: ApiRig, token: str, ana: FakePeer) -> None:
    assert api.ask("GET", "/events?rooms=ops,nowhere", token).status == 404
    assert api.get("/rooms/ops", token).json["role"] is None
