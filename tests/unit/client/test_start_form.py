"""The form of the first start: its pages, and that a fingerprint becomes a pin only by the user."""

from __future__ import annotations

import pytest

from securechat.client.ui.screen_model.start_form import (
    ADDRESS,
    CONFIRM,
    FINGERPRINT,
    NAME,
    SHELL,
    StartForm,
    StartPage,
    typed_pin,
)
from securechat.client.ui.screen_model.view import ItemTarget, MoveSelection

DIGITS = "0123456789abcdef" * 4
PIN = f"sha256:{DIGITS}"
GIVEN = {ADDRESS: "chat.lan", FINGERPRINT: "", NAME: "ann"}


def form(*servers: str, size: tuple[int, int] = (80, 24), asks_shell: bool = False) -> StartForm:
    one = StartForm("ann", servers, asks_shell=asks_shell)
    one.columns, one.rows = size
    return one


def shown(one: StartForm) -> str:
    overlay = one.view().overlay
    assert overlay is not None
    fields = [f"{each.label} {each.value} {each.refusal} {each.hint}" for each in overlay.fields]
    return "\n".join(
        [str(overlay.title), *map(str, overlay.above), *(str(each.row) for each in overlay.items), *fields]
    )


@pytest.mark.parametrize("typed", ["", "  ", "no", "y", DIGITS[:-1], "sha256:" + "0" * 64, "sha256:"])
def test_without_yes_or_the_same_fingerprint_nothing_is_tried(typed: str) -> None:
    one = form()
    one.compare(GIVEN, PIN)
    assert one.answer({CONFIRM: typed}) is None
    assert one.page is StartPage.COMPARE


@pytest.mark.parametrize("typed", ["yes", " YES ", PIN, DIGITS, DIGITS.upper(), f"{DIGITS[:4]} {DIGITS[4:]}"])
def test_yes_or_the_same_fingerprint_makes_it_the_pin(typed: str) -> None:
    one = form()
    one.compare(GIVEN, PIN)
    assert one.answer({CONFIRM: typed}) == {**GIVEN, FINGERPRINT: PIN}


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_the_fingerprint_is_whole_in_groups_of_four_at_every_width(columns: int) -> None:
    one = form(size=(columns, 24))
    one.compare(GIVEN, PIN)
    overlay = one.view().overlay
    assert overlay is not None
    rows = [str(row) for row in overlay.above]
    groups = [word for row in rows for word in row.split() if len(word) == 4 and set(word) <= set(DIGITS)]
    assert "".join(groups)[:64] == DIGITS
    assert max(map(len, rows)) <= columns - 4


def test_another_answer_of_the_server_is_compared_anew() -> None:
    one = form()
    one.compare(GIVEN, PIN)
    other = f"sha256:{'f' * 64}"
    one.compare(GIVEN, other)
    assert one.answer({CONFIRM: PIN}) is None
    assert one.answer({CONFIRM: other}) == {**GIVEN, FINGERPRINT: other}


def test_a_refusal_stands_beside_its_field_and_what_was_typed_stays() -> None:
    one = form()
    one.compare(GIVEN, PIN)
    one.refuse({**GIVEN, NAME: "a\x1bb"}, NAME, "No such\x07 name")
    overlay = one.view().overlay
    assert overlay is not None
    by_name = {each.name: each for each in overlay.fields}
    assert str(by_name[NAME].refusal) == "No such␇ name"
    assert by_name[NAME].value == "a␛b"
    assert not by_name[ADDRESS].refusal
    assert by_name[ADDRESS].value == "chat.lan"


def test_a_known_server_is_taken_from_the_list_and_another_one_leads_to_the_fields() -> None:
    one = form("a.lan:8443", "b.lan:1")
    assert "b.lan:1" in shown(one)
    one.move(MoveSelection(1))
    assert one.choose() == {ADDRESS: "b.lan:1"}
    one.move(MoveSelection(5))
    assert one.choose() is None
    assert one.page is StartPage.FIELDS
    assert one.back()
    assert one.page is StartPage.SERVERS
    assert one.choose(0) == {ADDRESS: "a.lan:8443"}
    assert not one.back()


def test_a_long_list_scrolls_with_its_selection() -> None:
    one = form(*(f"s{number}.lan:1" for number in range(50)), size=(40, 10))
    one.move(MoveSelection(edge=1))
    overlay = one.view().overlay
    assert overlay is not None
    (target,) = (each.target for each in overlay.items if each.selected)
    assert isinstance(target, ItemTarget)
    assert target.index == 50
    assert len(overlay.items) <= 10
    one.move(MoveSelection(-1, page=True))
    assert "s49.lan:1" in shown(one)


def test_screen_or_lines_is_asked_only_where_it_is_to_be_asked() -> None:
    for asks in (False, True):
        overlay = form(asks_shell=asks).view().overlay
        assert overlay is not None
        assert (SHELL in {each.name for each in overlay.fields}) is asks


def test_escape_goes_back_from_the_comparison_to_the_fields_and_then_leaves() -> None:
    one = form()
    one.compare(GIVEN, PIN)
    assert one.back()
    assert one.page is StartPage.FIELDS
    assert not one.back()


@pytest.mark.parametrize(
    ("typed", "pin"),
    [("", ""), (" \t", ""), ("ab 12", "sha256:ab12"), ("SHA256:ab", "SHA256:ab"), ("system", "sha256:system")],
)
def test_a_typed_fingerprint_is_what_pin_takes(typed: str, pin: str) -> None:
    assert typed_pin(typed) == pin
