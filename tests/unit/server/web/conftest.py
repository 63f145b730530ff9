"""A web server without sockets."""

from __future__ import annotations

import pytest

from tests.support.web_connections import Web


@pytest.fixture
def web() -> Web:
    return Web()
