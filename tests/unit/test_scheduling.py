"""What workers of pytest-xdist are given together (tests/support/scheduling.py)."""

from __future__ import annotations

import pytest

from tests.support.scheduling import order, unit_of


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("tests/e2e/test_api.py::test_a[x::y]", "tests/e2e/test_api.py::test_b", True),
        ("tests/e2e/test_api.py::test_a", "tests/e2e/test_bot.py::test_a", False),
        ("tests/unit/hub/test_a.py::test_a", "tests/unit/net/test_a.py::test_a", False),
        ("tests/simulation/test_web.py::test_a[0]", "tests/simulation/test_web.py::test_a[50]", False),
        ("tests/web/test_chat.py::test_a", "tests/web/test_chat.py::test_b", False),
        ("tests/arch/test_docs.py::test_a", "tests/arch/test_layers.py::test_a", True),
    ],
)
def test_what_shares_something_stays_together(one: str, other: str, together: bool) -> None:
    assert (unit_of(one) == unit_of(other)) is together


def test_slow_tests_begin(request: pytest.FixtureRequest) -> None:
    as_it_is = order(request.node)
    request.node.add_marker(pytest.mark.slow)
    assert order(request.node) < as_it_is
