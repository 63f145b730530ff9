"""The name of a hook's message is a valid one, says its hook, and is never that of a person."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securechat.errors import Refusal
from securechat.limits import MAX_NAME_CHARS
from securechat.server.hooks.username import shown_name
from securechat.text.confusables import is_like_reserved, skeleton
from securechat.text.names import check_name


def none_taken(_name: str) -> bool:
    return False


def like(*names: str) -> Callable[[str], bool]:
    """What the hub answers: whether a name is or looks like one of these."""
    looks = {skeleton(name) for name in names}
    return lambda name: skeleton(name) in looks


@pytest.mark.parametrize(
    ("username", "shown"),
    [
        ("Grafana", "Grafana via alerts"),
        ("  Uptime   Kuma ", "Uptime Kuma via alerts"),
        ("Build #12: shop/main", "Build 12 shop main via alerts"),
        ("@channel", "channel via alerts"),
        ("R&amp;D &lt;lab&gt;", "R&D <lab> via alerts"),
        ("-verbose+all", "verbose+all via alerts"),
        ("\u0301acute+grave", "acute+grave via alerts"),
        ("a\nb\x1b[2Jc", "a b [2Jc via alerts"),
        ("a\u202eb", "a b via alerts"),
        ("Kuma \U0001f43b", "Kuma \U0001f43b via alerts"),
        ("Проверка", "Проверка via alerts"),
        ("Ｋｕｍａ", "Kuma via alerts"),
        ("a" * 500, "a" * 21 + " via alerts"),
        ("word " * 20, "word word word word w via alerts"),
        ("two  via  alerts", "two via alerts via alerts"),
        ("\ufdfa\ufdfa", "صلى الله عليه وسلمصلى via alerts"),  # NFKC makes eighteen code points of each
    ],
)
def test_a_name_is_made_to_fit(username: str, shown: str) -> None:
    assert shown_name(username, "alerts", none_taken) == shown


@pytest.mark.parametrize(
    "username", [None, 1, True, [], {}, "", "  ", "::", "@", "\x00", "\ud83d", "—", "\u2800", "---"]
)
def test_without_a_name_it_is_the_hooks(username: object) -> None:
    assert shown_name(username, "alerts", none_taken) == "alerts"


@pytest.mark.parametrize("username", ["alerts", "Alerts", "ALERTS ", "аlerts"])
def test_the_name_of_the_hook_is_not_said_twice(username: str) -> None:
    assert shown_name(username, "alerts", none_taken) == "alerts"


@pytest.mark.parametrize("username", ["ana", "Ana", "@ana", "аna", " ana: "])
def test_a_member_is_never_meant(username: str) -> None:
    assert shown_name(username, "alerts", like("ana")) == "alerts"


def test_a_member_may_be_called_like_the_whole_name() -> None:
    assert shown_name("ana", "alerts", like("Ana via Alerts")) == "alerts"
    assert shown_name("ben", "alerts", like("Ana via Alerts")) == "ben via alerts"


@pytest.mark.parametrize("username", ["server", "System", "ѕerver", "sуstem"])
def test_the_server_is_never_meant(username: str) -> None:
    assert shown_name(username, "alerts", none_taken) == "alerts"


@pytest.mark.parametrize(
    ("hook", "shown"), [("h" * 26, "a via " + "h" * 26), ("h" * 27, "h" * 27), ("h" * 32, "h" * 32)]
)
def test_a_long_name_of_a_hook_leaves_little_place(hook: str, shown: str) -> None:
    assert shown_name("abc", hook, none_taken) == shown


HOOKS = st.sampled_from(["a", "alerts", "Größe 1", "警報", "h" * 26, "h" * 32, "\U00020000" * 31])


@given(st.text(max_size=60) | st.text(st.sampled_from("aA \u0301ﷺﬁ:@#-_.&;\u200d😀가각Ⅳ²"), max_size=40), HOOKS)
def test_any_name_becomes_a_valid_one(username: str, hook: str) -> None:
    shown = shown_name(username, hook, none_taken)
    assert check_name(shown) == shown
    assert shown == hook or shown.endswith(f" via {hook}")
    assert not is_like_reserved(shown.removesuffix(f" via {hook}"))


@given(st.text(max_size=40))
def test_no_name_is_that_of_a_member(username: str) -> None:
    try:
        member = check_name(username)
    except Refusal:
        return
    if len(member) <= MAX_NAME_CHARS - len(" via alerts"):  # a longer one is cut, and is another name then
        assert shown_name(username, "alerts", like(member)) == "alerts"
