"""The rate at which lines are stored, and how it is told."""

from __future__ import annotations

import pytest

from securechat.client import catalogue
from securechat.client.core.timing import RATE_S, SendRate


def test_no_rate_before_enough_was_seen() -> None:
    pace = SendRate()
    assert pace.rate() is None
    pace.begin(10.0)
    pace.moved(10.0 + RATE_S)
    pace.moved(10.0 + RATE_S * 1.5)
    assert pace.rate() is None


def test_a_burst_before_the_limit_does_not_count() -> None:
    pace = SendRate()
    for _ in range(10):
        pace.moved(0.0)
    pace.begin(10.0)
    for _ in range(10):
        pace.moved(10.1)  # the burst's own acknowledgements come after the server's word
    for step in range(1, 21):
        pace.moved(10.0 + step / 5)
    assert pace.rate() == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("waiting", "rate", "more", "ends"),
    [
        (900, 5.0, False, "About 3 minutes left at 5 a second"),
        (900, 4.96, True, "At least 3 minutes left at 5 a second"),
        (10, 5.0, False, "About 2 seconds left at 5 a second"),
        (1, 5.0, False, "About 1 second left at 5 a second"),
        (100, 200.0, False, "About 1 second left at 200 a second"),
        (3, 0.25, False, "About 12 seconds left at 0.25 a second"),
    ],
)
def test_progress_says_the_rate_and_the_time_left(waiting: int, rate: float, more: bool, ends: str) -> None:
    said = catalogue.connection.progress(7, waiting, rate, more=more)
    assert said.startswith(f"7 stored, {waiting} on their way. ")
    assert "limits the rate" in said
    assert said.endswith(ends)
