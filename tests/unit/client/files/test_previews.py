"""Previews on a screen: when they are asked for, made and handed over, and what is forgotten."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from msgspec.structs import replace

from securechat.client.files import previews
from securechat.client.files.preview_process import PictureProtocol, PreviewEncoder, PreviewSize
from securechat.client.files.previews import ASK_AGAIN_S, STAY_S, ScreenPreviews
from securechat.client.tty.screen_pictures import EncodedPicture
from securechat.client.ui.rows.picture_cells import PictureArea
from securechat.model import FileId
from securechat.net.timers import Timer, Timers

AREA = PictureArea(FileId("a" * 32), 7, 6, 4, 16, 6, 0, 6)
OTHER = replace(AREA, file_id=FileId("b" * 32), seq=8, row=12)
MADE = EncodedPicture(1, 1, b"png")


class FakeEncoder(PreviewEncoder):
    def __init__(self) -> None:
        self.jobs: list[tuple[bytes, PreviewSize, Callable[[EncodedPicture | None], None]]] = []

    def encode(self, data: bytes, size: PreviewSize, done: Callable[[EncodedPicture | None], None]) -> None:
        self.jobs.append((data, size, done))


class Rig:
    """Previews with a clock of their own, a server that answers by hand, and a painter that notes."""

    def __init__(self, protocol: PictureProtocol = PictureProtocol.KITTY) -> None:
        self.now = 0.0
        self.timers = Timers()
        self.asked: list[Sequence[FileId]] = []
        self.given: list[PictureArea] = []
        self.forgotten: list[FileId] = []
        self.wakes = 0
        self.encoder = FakeEncoder()
        self.previews = ScreenPreviews(
            self.asked.append, self.encoder, self, self._wake, lambda: self.now, self._call_later
        )
        self.previews.use(protocol, (8, 16))

    def give_picture(self, area: PictureArea, picture: EncodedPicture) -> None:
        assert picture is MADE
        self.given.append(area)

    def forget_pictures(self, file_ids: Iterable[FileId]) -> None:
        self.forgotten += file_ids

    def _wake(self) -> None:
        self.wakes += 1

    def _call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        return self.timers.add(self.now + delay_s, callback)

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.timers.settle()
        self.timers.run_due(self.now)

    def make(self) -> None:
        jobs, self.encoder.jobs = self.encoder.jobs, []
        for _, _, done in jobs:
            done(MADE)

    def show_whole(self, *areas: PictureArea) -> None:
        """Show areas until their previews are given."""
        self.previews.show(areas)
        self.wait(STAY_S)
        for area in areas:
            self.previews.came(area.file_id, b"data")
        self.make()


def test_a_preview_is_asked_for_once_it_stays_made_and_given() -> None:
    rig = Rig()
    rig.previews.show([AREA])
    rig.wait(STAY_S / 2)
    assert rig.asked == []
    rig.wait(STAY_S / 2)
    assert rig.asked == [[AREA.file_id]]
    rig.previews.came(AREA.file_id, b"data")
    ((data, size, _),) = rig.encoder.jobs
    assert (data, size) == (b"data", PreviewSize(PictureProtocol.KITTY, 16, 6, (8, 16)))
    rig.make()
    assert rig.given == [AREA]
    assert rig.wakes == 1
    rig.previews.show([AREA])
    rig.wait(STAY_S)
    assert rig.given == [AREA]


def test_scrolling_by_asks_for_nothing() -> None:
    rig = Rig()
    for number in range(100):
        rig.previews.show([replace(AREA, file_id=FileId(f"{number:032x}"))])
        rig.wait(STAY_S * 0.9)
    assert rig.asked == []


def test_a_terminal_with_kittys_protocol_gets_what_moves_and_one_with_sixels_what_stays() -> None:
    for protocol, given in ((PictureProtocol.KITTY, 1), (PictureProtocol.SIXEL, 0)):
        rig = Rig(protocol)
        rig.previews.show([AREA])
        rig.wait(STAY_S)
        rig.previews.came(AREA.file_id, b"data")
        for row in range(5, 20):
            rig.previews.show([replace(AREA, row=row)])
            rig.wait(STAY_S / 2)
        rig.make()
        assert len(rig.given) == given
        rig.wait(STAY_S)
        assert rig.given[-1:] == [replace(AREA, row=19)] if not given else len(rig.given) == 1


def test_what_is_not_known_to_the_server_is_asked_for_seldom() -> None:
    rig = Rig()
    for _ in range(100):
        rig.previews.show([AREA])
        rig.wait(ASK_AGAIN_S / 50)
    assert 2 <= len(rig.asked) <= 3


def test_what_cannot_be_made_is_not_made_again() -> None:
    rig = Rig()
    rig.previews.show([AREA])
    rig.wait(STAY_S)
    rig.previews.came(AREA.file_id, b"data")
    rig.encoder.jobs.pop()[2](None)
    for _ in range(5):
        rig.previews.show([])
        rig.previews.show([AREA])
        rig.wait(STAY_S)
    assert rig.encoder.jobs == []
    assert rig.given == []


def test_what_was_erased_is_given_again_after_a_while_without_a_question() -> None:
    rig = Rig()
    rig.show_whole(AREA)
    rig.previews.erased()
    assert len(rig.given) == 1
    rig.wait(STAY_S)
    assert rig.given == [AREA, AREA]
    assert len(rig.asked) == 1


def test_another_size_is_made_of_what_was_read() -> None:
    rig = Rig()
    rig.show_whole(AREA)
    larger = replace(AREA, columns=20, rows=8)
    rig.previews.show([larger])
    rig.wait(STAY_S)
    rig.make()
    assert rig.given == [AREA, larger]
    rig.previews.use(PictureProtocol.KITTY, (10, 20))
    rig.wait(STAY_S)
    assert [job[1].cell for job in rig.encoder.jobs] == [(10, 20)]
    assert len(rig.asked) == 1


def test_nothing_remains_of_a_deleted_message() -> None:
    rig = Rig()
    rig.show_whole(AREA, OTHER)
    rig.previews.forget(AREA.seq)
    assert rig.forgotten == [AREA.file_id]
    rig.previews.came(AREA.file_id, b"late")
    rig.previews.show([OTHER])
    rig.wait(STAY_S)
    assert rig.given == [AREA, OTHER]
    rig.previews.show([AREA])  # as if its message was there again: it is read anew
    rig.wait(STAY_S)
    assert rig.asked[-1] == [AREA.file_id]
    rig.previews.forget()
    assert set(rig.forgotten) == {AREA.file_id, OTHER.file_id}


def test_one_that_is_deleted_while_it_is_made_is_not_given() -> None:
    rig = Rig()
    rig.previews.show([AREA])
    rig.wait(STAY_S)
    rig.previews.came(AREA.file_id, b"data")
    rig.previews.forget(AREA.seq)
    rig.make()
    rig.wait(STAY_S)
    assert rig.given == []


def test_what_is_kept_is_bounded() -> None:
    rig = Rig()
    size = previews.MOST_READ_BYTES // 100
    for number in range(300):
        area = replace(AREA, file_id=FileId(f"{number:032x}"))
        rig.previews.show([area])
        rig.wait(STAY_S)
        rig.previews.came(area.file_id, bytes(size))
        rig.make()
    assert len(rig.given) == 300
    assert sum(map(len, rig.previews._read.values())) <= previews.MOST_READ_BYTES
