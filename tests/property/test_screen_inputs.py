"""Whatever a person does on the screen while things happen: a view, whose rows fit and hold nothing hostile."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from securechat.client.ui.input.ui_actions import ACTIONS
from securechat.client.ui.rows.wrapping import cells
from securechat.client.ui.screen_model.layout import ScreenPane
from securechat.client.ui.screen_model.view import (
    ChooseItem,
    ClickRow,
    CloseOverlay,
    FocusChanged,
    KeyTyped,
    MoveSelection,
    RunAction,
    ScreenResized,
    ScrollPane,
    ShowSentence,
    SubmitText,
    TypedFilter,
    TypedText,
)
from securechat.text.sanitize import visible
from tests.support.screen_rig import ScreenRig

TEXTS = st.sampled_from(
    [
        "hello",
        "me @p99 https://a.example/x",
        "x" * 200,
        "a\nb",
        "\x1b]0;t\x07",
        "\N{ROCKET}" * 40,
        "/who",
        "/help",
        "//x",
    ]
)
IDS = st.sampled_from([action.id for action in ACTIONS if action.id not in {"leave", "interrupt"}])
STEPS = st.one_of(
    st.builds(RunAction, IDS),
    st.builds(lambda text: ("type", text), TEXTS),
    st.builds(lambda text: ("submit", text), TEXTS),
    st.builds(lambda text, room: ("say", text, room), TEXTS, st.sampled_from(["ops", "lobby"])),
    st.builds(lambda text: ("tell", text), TEXTS),
    st.builds(lambda index: ("click", index), st.integers(0, 40)),
    st.builds(lambda text: ("filter", text), TEXTS),
    st.builds(ScreenResized, st.integers(0, 130), st.integers(0, 40)),
    st.builds(ScrollPane, st.sampled_from(ScreenPane), st.integers(-50, 50)),
    st.builds(MoveSelection, st.integers(-3, 3), st.booleans(), st.integers(-1, 1)),
    st.builds(FocusChanged, st.booleans()),
    st.sampled_from([ChooseItem(), CloseOverlay(), KeyTyped(), ShowSentence("done"), "cut", "pump"]),
)


def take(rig: ScreenRig, step: object) -> None:
    view = rig.view
    match step:
        case ("type", str(text)):
            rig.take(TypedText(text, len(text), view.composer.revision, text.count("\n") + 1))
        case ("submit", str(text)):
            rig.take(SubmitText(text, view.composer.revision))
        case ("filter", str(text)):
            rig.take(TypedFilter(text, view.overlay.revision if view.overlay is not None else 0))
        case ("say", str(text), str(room)):
            rig.driver.server.push(rig.driver.server.store(99, text, room=room))
        case ("tell", str(text)):
            rig.driver.server.push(rig.driver.server.store(7, text, to=rig.core.me.id))
        case ("click", int(index)):
            rows = [*view.messages, *view.conversations, *view.members, *(view.overlay.items if view.overlay else ())]
            rig.take(ClickRow(rows[index % len(rows)].target if rows else None))
        case "cut":
            rig.driver.cut()
            rig.note()
        case "pump":
            rig.pump()
        case _:
            rig.take(step)  # type: ignore[arg-type]


def check(rig: ScreenRig) -> None:
    view = rig.view
    for name in ("conversations", "members", "messages"):
        field = getattr(view.layout, name)
        rows = getattr(view, name)
        assert field is not None or not rows
        if field is not None and not view.layout.too_small:
            assert len(rows) <= field.rows
            assert all(cells(row.row) <= max(field.columns, 20) for row in rows)
    one_rows = [view.header, view.status, view.footer, view.activity.row, *view.composer.above]
    overlay = [row.row for row in view.overlay.items] if view.overlay is not None else []
    panes = [row.row for row in (*view.messages, *view.conversations, *view.members)]
    assert all(cells(row) <= max(1, view.layout.columns) for row in one_rows)
    assert all(visible(row) == row and "\n" not in row for row in (*one_rows, *overlay, *panes))
    if view.cursor is not None:
        assert 0 <= view.cursor[0] < view.layout.columns
        assert 0 <= view.cursor[1] < view.layout.rows


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STEPS, max_size=25))
def test_every_sequence_of_inputs_has_a_view(steps: list[object]) -> None:
    rig = ScreenRig("ops")
    for step in steps:
        take(rig, step)
        check(rig)
    rig.take(ScreenResized(100, 30))
    rig.pump()
    check(rig)
