"""Which tests one worker of pytest-xdist runs together, and in what order they begin.

A file goes to one worker, so that what its tests share (a standing server, parsed sources) is made once and not once in
each worker. Tests that take seconds each and share nothing of their own go one by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

_ONE_BY_ONE = ("tests/simulation/", "tests/web/")
_TOGETHER = "tests/arch/"
"""A whole folder: all of it parses the same sources."""
_LONGEST_FIRST = ("tests/e2e/", "tests/web/", "tests/simulation/", "tests/arch/")


def order(item: pytest.Item) -> tuple[bool, int]:
    """Sort what takes longest to the front, so that nothing long is left to run alone at the end."""
    place = next((n for n, each in enumerate(_LONGEST_FIRST) if item.nodeid.startswith(each)), len(_LONGEST_FIRST))
    return item.get_closest_marker("slow") is None, place


def unit_of(nodeid: str) -> str:
    """Return what tests that stay together have in common."""
    if nodeid.startswith(_ONE_BY_ONE):
        return nodeid
    if nodeid.startswith(_TOGETHER):
        return _TOGETHER
    return nodeid.partition("::")[0]


def scheduler(config: pytest.Config, log: Any) -> Any:
    """Make pytest-xdist's scheduler."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return unit_of(nodeid)

    config.option.loadscopereorder = False  # `order` has the say
    return ByFile(config, log)
