"""Where the panes stand: no cell in two of them, messages at the right edge, an answer for every size."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securechat.client.ui.screen_model.layout import (
    ONE_PANE,
    SMALLEST,
    PaneField,
    ScreenLayout,
    ScreenPane,
    WantedPanes,
    layout,
)

NAMES = ("header", "conversations", "members", "messages", "activity", "above", "composer", "status", "footer")


def fields(of: ScreenLayout) -> dict[str, PaneField]:
    return {name: field for name in NAMES if (field := getattr(of, name)) is not None}


def test_a_wide_screen_has_lists_left_and_messages_at_the_right_edge() -> None:
    of = layout(120, 40, WantedPanes())
    assert of.conversations == PaneField(0, 0, 20, 25)
    assert of.members == PaneField(0, 26, 20, 12)
    assert of.messages == PaneField(21, 1, 99, 35)
    assert of.composer == PaneField(21, 37, 99, 1)
    assert not of.one_pane


@pytest.mark.parametrize(("needed", "columns"), [(5, 20), (24, 24), (99, 28)])
def test_the_list_is_as_wide_as_its_names_within_bounds(needed: int, columns: int) -> None:
    of = layout(120, 40, WantedPanes(list_columns=needed))
    assert of.conversations is not None
    assert of.conversations.columns == columns


def test_members_and_list_fold() -> None:
    assert layout(120, 40, WantedPanes(members=False)).conversations == PaneField(0, 0, 20, 38)
    only_members = layout(120, 40, WantedPanes(conversations=False))
    assert only_members.conversations is None
    assert only_members.members == PaneField(0, 0, 20, 38)
    folded = layout(120, 40, WantedPanes(conversations=False, members=False))
    assert folded.messages == PaneField(0, 1, 120, 35)


@pytest.mark.parametrize(("typed", "rows"), [(0, 1), (1, 1), (5, 5), (13, 13), (99, 13)])
def test_the_composer_takes_one_row_to_a_third_of_the_height(typed: int, rows: int) -> None:
    of = layout(120, 40, WantedPanes(composer_rows=typed))
    assert of.composer is not None
    assert of.composer.rows == rows


@pytest.mark.parametrize("pane", list(ScreenPane))
def test_a_narrow_screen_has_one_pane(pane: ScreenPane) -> None:
    of = layout(ONE_PANE - 1, 24, WantedPanes(pane=pane))
    assert of.one_pane
    shown = [name for name in ("conversations", "members", "messages") if getattr(of, name) is not None]
    assert shown == [pane.value]
    assert getattr(of, pane.value).columns == ONE_PANE - 1


def test_forty_by_ten_has_rows_for_messages() -> None:
    of = layout(40, 10, WantedPanes())
    assert not of.too_small
    assert of.messages == PaneField(0, 1, 40, 5)


@pytest.mark.parametrize("size", [(0, 0), (-1, 5), (SMALLEST[0] - 1, 40), (200, SMALLEST[1] - 1)])
def test_a_screen_that_is_too_small_says_only_that(size: tuple[int, int]) -> None:
    of = layout(*size, WantedPanes())
    assert of.too_small
    assert set(fields(of)) == ({"messages"} if min(size) > 0 else set())


@given(
    st.integers(-1, 300),
    st.integers(-1, 120),
    st.builds(
        WantedPanes,
        st.booleans(),
        st.booleans(),
        st.sampled_from(ScreenPane),
        st.integers(-1, 90),
        st.integers(-1, 90),
        st.integers(-1, 20),
    ),
)
def test_no_two_fields_share_a_cell_and_all_are_on_the_screen(columns: int, rows: int, wanted: WantedPanes) -> None:
    of = layout(columns, rows, wanted)
    found = fields(of)
    for field in found.values():
        assert min(field.columns, field.rows) >= 1
        assert min(field.column, field.row) >= 0
        assert field.column + field.columns <= columns
        assert field.row + field.rows <= rows
    for one, other in itertools.combinations(found.values(), 2):
        apart = (
            one.column + one.columns <= other.column
            or other.column + other.columns <= one.column
            or one.row + one.rows <= other.row
            or other.row + other.rows <= one.row
        )
        assert apart
    if of.messages is not None:
        assert of.messages.column + of.messages.columns == columns
