"""Keys that wait: in order, bounded, and nothing behind a gap."""

from __future__ import annotations

from securechat.client.ui.input.held_keys import MOST_CHARS, HeldKeys


def everything(held: HeldKeys[str]) -> list[str]:
    taken = []
    while held:
        assert held.lost() == 0
        taken.append(held.take())
    return taken


def test_many_keys_are_held_in_order() -> None:
    held: HeldKeys[str] = HeldKeys()
    keys = [str(number) for number in range(10_000)]
    for key in keys:
        held.hold(key, 1)
    assert everything(held) == keys
    assert held.lost() == 0


def test_behind_what_finds_no_place_nothing_is_held_until_it_is_empty() -> None:
    held: HeldKeys[str] = HeldKeys()
    held.hold("first", MOST_CHARS - 1)
    held.hold("paste", 5)
    held.hold("Enter", 1)
    assert everything(held) == ["first"]
    assert held.lost() == 6
    assert held.lost() == 0
    held.hold("a", 1)
    assert everything(held) == ["a"]


def test_what_is_taken_leaves_a_place() -> None:
    held: HeldKeys[str] = HeldKeys()
    held.hold("first", MOST_CHARS)
    assert held.take() == "first"
    held.hold("next", MOST_CHARS)
    assert everything(held) == ["next"]
    assert held.lost() == 0
