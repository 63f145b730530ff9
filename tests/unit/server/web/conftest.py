"""A web server without sockets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.web_connections import Web


@pytest.fixture
def web() -> Iterator[Web]:
    web = Web()
    yield web
    assert web.failures == []
