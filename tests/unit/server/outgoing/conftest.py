from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.hub_rig import FakePeer
from tests.support.outgoing_rig import OutgoingRig
from tests.support.receiver import Authority, Receiver

Start = Callable[..., Receiver]


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("receivers"))


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[Receiver] = []

    def start_one(behave: Callable[[Any], None] | str, context: ssl.SSLContext | None = None) -> Receiver:
        if behave == "hang":
            receiver = Receiver(lambda _handler: receiver.hang(), context)
        else:
            assert callable(behave)
            receiver = Receiver(behave, context)
        started.append(receiver)
        return receiver

    yield start_one
    for each in started:
        each.close()


@pytest.fixture
def rig() -> OutgoingRig:
    return OutgoingRig()


@pytest.fixture
def ann(rig: OutgoingRig) -> FakePeer:
    """Ann owns #ops."""
    return rig.person("ann", "ops")
