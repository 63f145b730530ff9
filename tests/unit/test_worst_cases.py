"""Every command has its worst case in `tools/bench/worst`, and every case there works."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from securechat.model import Command
from securechat.server import admin_protocol
from securechat.wire.native import NativeClientCodec
from tools.bench import worst
from tools.bench.worst_cases import Case
from tools.bench.worst_web import CASES
from tools.bench.worst_world import SMALL, World


def test_every_command_has_its_worst_case() -> None:
    covered = {case.kind for case in CASES if not isinstance(case.kind, str)}
    assert set(Command.__args__) | set(admin_protocol.AdminCommand.__args__) == covered


def test_every_field_of_a_command_is_in_a_case(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that has got another field needs a case with it: what it carries costs time, too."""
    given: set[tuple[type, str]] = set()
    encode = NativeClientCodec.encode

    def noted(command: Command) -> bytes:
        values = msgspec.structs.asdict(command)
        defaults = {field.name: field.default for field in msgspec.structs.fields(command)}
        given.update((type(command), name) for name, value in values.items() if value != defaults[name])
        return encode(command)

    monkeypatch.setattr(NativeClientCodec, "encode", staticmethod(noted))
    for case in CASES:
        worst.measure(world, case, 1)
    every = {(kind, field.name) for kind in Command.__args__ for field in msgspec.structs.fields(kind)}
    assert sorted(f"{kind.__name__}.{name}" for kind, name in every - given) == []


def test_no_case_is_there_twice() -> None:
    lines = [(case.kind, case.who, case.what) for case in CASES]
    assert len(set(lines)) == len(lines)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    yield World(SMALL)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{worst.name_of(case.kind)}-{case.what}")
def test_a_case_runs(world: World, case: Case) -> None:
    """Small, and untimed; a case that only measures a refusal for want of preparation would be worth nothing."""
    figure = worst.measure(world, case, 1)
    assert figure.failure == ""
    assert figure.passes >= 1
