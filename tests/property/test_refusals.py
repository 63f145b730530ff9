"""Every refusal, with any legal arguments, makes a sentence and reaches the client as it was."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securechat.limits import KIB, PageLimits
from securechat.model import Closing, Left, Refused
from securechat.text.refusals import REASONS, protocol_error, refusal_for, sentence
from securechat.translation.formatting import fields
from securechat.wire.native import NATIVE, NativeClientCodec, NativeFormat
from tests.support.refusals import LONGEST, longest_arguments

TEXT = st.characters(exclude_categories=["Cs"])


def argument(name: str) -> st.SearchStrategy[str | int]:
    """Any legal value of an argument."""
    longest = LONGEST[name]
    if isinstance(longest, int):
        return st.integers(0, longest)
    return st.text(TEXT, max_size=len(longest))


@st.composite
def refused(draw: Any) -> tuple[str, dict[str, str | int]]:
    """A reason with arguments."""
    reason = draw(st.sampled_from(sorted(REASONS)))
    return reason, {name: draw(argument(name)) for name in sorted(fields(REASONS[reason][1]))}


def heard(data: bytes) -> object:
    """The event that a client reads."""
    codec = NativeClientCodec()
    codec.receive_data(data)
    return codec.next_event()


@given(refused(), st.none() | st.floats(0, 1e6))
def test_a_refusal_survives_the_wire(row: tuple[str, dict[str, Any]], retry_after_s: float | None) -> None:
    reason, arguments = row
    refusal = refusal_for(reason, retry_after_s=None if reason == "overloaded" else retry_after_s, **arguments)
    assert refusal.detail == sentence(reason, arguments)
    for event in (
        Refused.of(refusal, ref=1, client_id=2, room="ops"),
        Left.of(refusal, room="ops"),
        Closing.of(refusal, resume_after=9),
        Closing.of(protocol_error(reason, **arguments)),
    ):
        assert heard(NATIVE.encode(event)) == event
        assert (event.code, event.text) == (refusal.code, refusal.detail)
        assert (event.reason, event.arguments) == (reason, arguments)


@pytest.mark.parametrize("reason", REASONS)
def test_the_longest_fits_into_the_smallest_frame(reason: str) -> None:
    """Where it does not, it goes without its reason and arguments: the code and the text are for every client."""
    small = NativeFormat(PageLimits.of_frames(4 * KIB))
    event = Refused.of(refusal_for(reason, **longest_arguments(reason)), ref=1)
    told = heard(small.encode(event))
    assert isinstance(told, Refused)
    assert told.code is event.code
    assert event.text.startswith(told.text.removesuffix("…"))
    assert (told.reason, told.arguments) in [(event.reason, event.arguments), ("", {})]
