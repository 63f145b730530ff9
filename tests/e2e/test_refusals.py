"""A server and a client in different languages: what travels is English, and each person reads their own language."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from securechat.model import Refused
from securechat.model.rooms import SetRoom
from securechat.text.refusals import sentence
from tests.support.native import NativeClient
from tests.support.screen import Screen
from tests.support.server import ServerProcess

IN_INDONESIAN = {"SECURECHAT_LANG": "id"}


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are Unix")
def test_people_in_two_languages_at_one_server(screen: Callable[..., Screen]) -> None:
    ann = screen("--name", "ann", rows=60, columns=120)
    ann.wait_for("#lobby")
    budi = screen("--name", "budi", rows=60, columns=120, env=IN_INDONESIAN)
    ann.wait_for("budi joined")
    for one, the_servers, its_own in (
        (ann, "Only moderators and owners of #lobby can change its topic", "A room name cannot contain ':'"),
        (budi, "Hanya moderator dan pemilik #lobby yang bisa mengubah topiknya", "Nama ruang tidak boleh berisi ':'"),
    ):
        one.line("/topic mine")
        one.wait_for(the_servers)
        one.line("/join a:b")
        one.wait_for(its_own)


def test_a_server_in_another_language_says_its_refusals_in_english(
    certs: Path, tmp_path: Path, connect: Callable[..., NativeClient]
) -> None:
    with ServerProcess(certs, tmp_path / "data", env=IN_INDONESIAN).start() as server:
        ann = connect(server, "ann")
        ann.send(SetRoom(ref=7, room="lobby", topic="mine"))
        refused = ann.wait_for(Refused)
    assert refused.text == sentence(refused.reason, refused.arguments)
    assert refused.text == "Only moderators and owners of #lobby can change its topic"
