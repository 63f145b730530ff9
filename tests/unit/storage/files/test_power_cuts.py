"""The power is cut at every step between the first byte of a file and its settled message, and of a deletion.

At each call that changes the disk, before it and after it, with everything unsynced lost and with several draws of what
may survive; and the same with ``kill -9``. Then the next process starts, once whole, and once cut again in its start.
"""

import random

import pytest

from securechat.storage.files import uploads as uploads_module
from securechat.storage.files.steps import run
from tests.support.file_worlds import FileWorld, bytes_of, state_of

DRAWS = 4
"""Of what survives, at each cut; beside that nothing unsynced does."""

NOTES = state_of(1, bytes_of(1, 5000))
PHOTO = state_of(2, bytes_of(2, 3000), "photo.jpg")
MOVING = state_of(3, bytes_of(3, 2100), "dance.gif")
EXACT = state_of(0x4 << 120, bytes_of(4, 2048))
"""Its length is a multiple of the sync step."""
GIVEN_UP = state_of(5, bytes_of(5, 1500))
ABORTED = state_of(6, bytes_of(6, 3000))
WAITING = state_of(7, bytes_of(7, 100), "photo.png")
GOING = state_of(0xFF << 120, bytes_of(8, 4000))


def live(world):
    """Every way that a file can take, one step after the other, some of them woven together."""

    def send(state, seed, size_bytes):
        world.create(state, bytes_of(seed, size_bytes))
        world.write(state, 0, size_bytes)

    send(NOTES, 1, 5000)
    world.create(GOING, bytes_of(8, 4000))
    world.finish(NOTES)
    world.write(GOING, 0, 2500)
    send(PHOTO, 2, 3000)
    world.commit(NOTES)
    world.finish(PHOTO, rewritten=True)
    world.settle(NOTES)
    world.commit(PHOTO)
    world.settle(PHOTO)
    send(MOVING, 3, 2100)
    world.finish(MOVING, rewritten=True, still=False)
    send(EXACT, 4, 2048)
    world.commit(MOVING)
    world.finish(EXACT)
    world.delete(MOVING)  # its sidecar is still there
    send(GIVEN_UP, 5, 1500)
    world.finish(GIVEN_UP)
    world.discard(GIVEN_UP)
    world.create(ABORTED, bytes_of(6, 3000))
    world.write(ABORTED, 0, 1700)
    world.discard(ABORTED)
    send(WAITING, 7, 100)
    world.finish(WAITING, rewritten=True)
    world.delete(PHOTO)
    world.commit(EXACT)
    world.settle(EXACT)
    world.delete(NOTES)


def worlds_after_cuts(seed=0):
    """Every world that a cut in a life may leave, with where that was."""
    world, found = FileWorld(), []

    def look():
        calls = world.system.calls
        where = f"at call {calls} behind {world.system.log[-1] if calls else 'nothing'}"
        found.append((f"killed {where}", world.after(world.system.kill())))
        for draw in range(DRAWS + 1):
            rng = random.Random(f"{seed} {len(found)}") if draw else None
            found.append((f"cut {where}, draw {draw}", world.after(world.system.cut(rng))))

    world.system.on_step = look
    live(world)
    look()
    return found, world.system.log


def check_every_cut():
    for where, world in worlds_after_cuts()[0]:
        try:
            uploads = world.start()
            world.check(uploads)
            world.go_on(uploads)
            world.check(uploads)
        except AssertionError as error:
            raise AssertionError(f"{where}: {error}") from error


def test_a_cut_at_every_call():
    found, log = worlds_after_cuts()
    kinds = {line.partition(" ")[0] for line in log}
    assert {"create", "write", "sync", "rename", "unlink", "sync_directory", "make_directory"} <= kinds
    assert len(found) > 2000
    check_every_cut()


def test_a_second_cut_in_the_start_after_the_first_or_in_what_goes_on_then():
    rng = random.Random(17)
    second_cuts = 0
    for where, world in worlds_after_cuts(1)[0][:: 2 * DRAWS - 1]:  # every kind of cut
        again = world.after(world.system.kill())
        left = []
        again.system.on_step = lambda again=again, left=left: left.append(again.after(again.system.cut(rng)))
        again.go_on(again.start())
        for after in rng.sample(left, min(3, len(left))):
            second_cuts += 1
            try:
                after.check(after.start())
            except AssertionError as error:
                raise AssertionError(f"{where}, and again in the start: {error}") from error
    assert second_cuts > 800


@pytest.mark.parametrize(
    ("planted", "complaint"),
    [
        ("data is not synced", "damaged|missing|lost"),
        ("names are not synced", "missing|lost"),
        ("the sidecar is not synced", "lost|final name|come back"),
        ("the name of an upload is not synced", "lost synced bytes"),
        ("previews are left behind", "final name"),
        ("every length is trusted", "damaged bytes"),
    ],
)
def test_the_checks_notice_a_planted_bug(planted, complaint, monkeypatch):
    match planted:
        case "data is not synced":
            monkeypatch.setattr(uploads_module.UploadFiles, "_sync", lambda *_: None)
        case "names are not synced":
            monkeypatch.setattr("securechat.storage.files.finished.sync_names", lambda *_: None)
        case "the sidecar is not synced":
            monkeypatch.setattr(uploads_module, "sync_names", lambda *_: None)
            monkeypatch.setattr("securechat.storage.files.finished.sync_names", lambda *_: None)
        case "the name of an upload is not synced":
            monkeypatch.setattr(uploads_module.UploadFiles, "_sync_name", lambda *_: iter(()))
        case "previews are left behind":
            monkeypatch.setattr(
                "securechat.storage.files.finished.unlink_if_there",
                lambda system, path: "." not in path.name and (system.unlink(path) or True),
            )
        case "every length is trusted":
            monkeypatch.setattr("securechat.storage.files.recovery.is_same_boot", lambda *_: True)
    with pytest.raises(AssertionError, match=complaint):
        check_every_cut()


def test_what_no_checksum_has_judged_is_gone_at_the_start_wherever_it_was_cut():
    """A part with other bytes, which is never judged; then the right ones, and another crash behind them."""
    state, data = state_of(9, bytes_of(9, 5000)), bytes_of(9, 5000)
    world, left = FileWorld(), []

    def look():
        left.append((world.after(world.system.kill()), "killed"))
        left.extend((world.after(world.system.cut(random.Random(f"{len(left)}"))), "cut") for _ in range(2))
        left.append((world.after(world.system.cut(None)), "cut"))

    world.create(state, data)
    world.write(state, 0, 1500)
    world.system.on_step = look
    uploads = world.store.uploads
    run(uploads.note_unjudged(state.file_id, 1500))
    for at in (1500, 2200, 2900):
        run(uploads.write(state.file_id, at, bytes(700)))
    run(uploads.cut(state.file_id, 1500))
    run(uploads.note_unjudged(state.file_id, None))
    world.system.on_step = lambda: None
    assert len(left) > 60

    def upload_of(each):
        found = each.start()[state.file_id]
        content = each.system.content(each.store.layout.upload(state.file_id)) or b""
        assert content == data[: found.offset], "bytes that no one has judged stayed"
        return found

    for number, (each, how) in enumerate(left):
        offset = upload_of(each).offset
        assert offset <= 1500
        assert how == "cut" or offset == 1500
        run(each.store.uploads.note_unjudged(state.file_id, None))
        each.write(state, offset, 1900)
        for draw in range(2):
            upload_of(each.after(each.system.cut(random.Random(f"{number} {draw}"))))
        each.write(state, 1900, 5000)
        each.finish(state)
        each.check(each.start())
