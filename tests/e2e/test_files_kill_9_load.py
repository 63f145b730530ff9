"""Promise 1 for files, under kill -9 at random: clients of every kind send files and delete them, all the time.

`curl -T`, tus over plain HTTP, `securechat-client --send --file` and the bot library go on and send again after each
kill. The server is killed when a little more has happened than at the last kill, in the middle of an upload too. After
each kill every file of every message in the database is whole on the disk; after the last one, everything that was
acknowledged is read, and the rest is not (`Promised`).
"""

from __future__ import annotations

import random
import secrets
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from securechat.model import AskFiles, FileList, Hello, Welcome
from tests.support.admin import rows
from tests.support.file_load import FLAGS, SIZES, Load, look
from tests.support.native import NativeClient
from tests.support.promised_files import check_numbers, names_on_disk, waiting_uploads
from tests.support.secrecy import PASSWORD, keep_secret
from tests.support.server import ServerProcess, wait_until

KINDS = {"curl", "tus", "client", "bot", "part", "delete"}
"""Of the work of a load (`Load.acked`)."""

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="kill -9"),
    pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed"),
]


@pytest.fixture
def load(certs: Path, tmp_path: Path) -> Iterator[Load]:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    server = ServerProcess(certs, tmp_path / "data", *FLAGS).start()
    (tmp_path / "sent").mkdir()
    load = Load(server, tmp_path / "sent", seed)
    try:
        yield load
    finally:
        load.enough.set()
        server.kill()


@pytest.mark.parametrize("kills", [4, pytest.param(15, marks=pytest.mark.slow)])
def test_kill_9_at_random_under_load(load: Load, tmp_path: Path, kills: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LONGEST_DELAY_S", "LONGEST_AFTER_EARLY_ENDS_S"):  # many losses in a row are no mishap here
        monkeypatch.setattr(f"securechat.client.core.timing.{name}", 0.2)
    server, rng = load.server, random.Random(secrets.randbits(64))
    load.introduce()
    load.start()
    in_the_middle = 0
    for number in range(kills):
        goal = load.happened + rng.randrange(1, 12)
        wait_for(load, lambda goal=goal: load.happened >= goal, "the load gets on")  # type: ignore[misc]
        if rng.random() < 0.5:
            wait_for(load, lambda: is_growing(server.data, rng), "an upload is under way")
        acked, _ = load.snapshot()
        server.kill()
        in_the_middle += bool(names_on_disk(server.data)[1])
        _, possible = load.snapshot()
        look(server.data, tmp_path / f"kill{number}", acked & load.snapshot()[0], possible)
        server.start()
    wait_for(load, lambda: set(load.acked) >= KINDS, "each kind of work is acknowledged")
    load.finish()
    shown = load.promised.check(server, load.token)
    load.promised.check_disk(server, shown, set(waiting_uploads(server.data)))
    check_numbers(server, shown)
    check_quota(server, load)
    print(f"{kills} kills, {in_the_middle} during uploads, {len(waiting_uploads(server.data))} uploads left")
    print(f"acknowledged {dict(load.acked)}, again {dict(load.again)}")
    assert set(load.acked) >= KINDS
    assert in_the_middle
    assert load.again


def check_quota(server: ServerProcess, load: Load) -> None:
    """What the command about one's own files says is what the operator sees, and what is on its way."""
    with NativeClient(server.port, server.ca) as client:
        client.send(Hello(1, "deploy", client.secret, password=PASSWORD))
        me = client.wait_for(Welcome)
        keep_secret(me.token)

        def is_counted() -> bool:
            ref = len(client.events)
            client.send(AskFiles(ref))
            told = client.wait_for(FileList, lambda page: page.ref == ref)
            kept = sum(each["kept_bytes"] for each in rows(server, "files") if each["sender_id"] == me.sender_id)
            waiting = sum(
                each.size_bytes if each.stored is None else each.stored.kept_bytes
                for each in waiting_uploads(server.data).values()
                if each.sender_id == me.sender_id
            )
            return bool(kept) and told.used == kept + waiting

        wait_until(is_counted, "deleted files are off the disk, and count no more")


def wait_for(load: Load, condition: Callable[[], bool], what: str) -> None:
    def holds() -> bool:
        load.check_health()
        return condition()

    wait_until(holds, what)


def is_growing(data: Path, rng: random.Random) -> bool:
    sizes = [path.stat().st_size for path in [*(data / "files" / "incoming").glob("?" * 32)] if path.exists()]
    return any(size > rng.choice(SIZES) for size in sizes)
