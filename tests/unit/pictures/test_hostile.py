"""Files that are made to harm: each is a picture within its limits, or is told to be none, and the process is over."""

from __future__ import annotations

import io
import os
import random
import struct
import sys
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("the limits of a process are those of Linux", allow_module_level=True)
pytest.importorskip("PIL", reason="pictures are written anew where Pillow is installed")

from PIL import Image

from securechat.limits import PREVIEW_SIDES
from securechat.pictures import worker
from securechat.pictures.answers import (
    HEAD_BYTES,
    ROW_BYTES,
    AnswerRules,
    UnreadableReason,
    decode_head,
    decode_rows,
)
from securechat.pictures.kinds import kind_of
from securechat.pictures.process import WorkerProcess, worker_command
from securechat.pictures.records import Picture, UnreadablePicture
from tests.support import pictures

MOST_PIXELS = 50_000_000
RULES = AnswerRules(MOST_PIXELS, PREVIEW_SIDES)
KINDS = list(pictures.WITH_ALL)


def outcome_of(data: bytes, folder: Path) -> Picture | UnreadablePicture:
    (folder / "source").write_bytes(data)
    return WorkerProcess(worker_command(MOST_PIXELS, PREVIEW_SIDES), RULES).run(folder / "source", folder / "into")


def png_head(width: int, height: int, depth: int = 8, colour: int = 2, interlace: int = 0) -> bytes:
    fields = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    return b"\x89PNG\r\n\x1a\n" + pictures.chunk(b"IHDR", fields)


def png(head: bytes, pixels: bytes) -> bytes:
    return head + pictures.chunk(b"IDAT", pixels) + pictures.chunk(b"IEND", b"")


def zeros(count: int) -> bytes:
    packer = zlib.compressobj(9)
    step = 1 << 20
    return b"".join(packer.compress(bytes(min(step, count - at))) for at in range(0, count, step)) + packer.flush()


def jpeg_of(width: int, height: int) -> bytes:
    """A JPEG whose header says another size than its pixels have."""
    data = bytearray(pictures.encoded(pictures.upright(), "JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def with_canvas(data: bytes, width: int, height: int) -> bytes:
    """An extended WebP with another canvas."""
    return data[:24] + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little") + data[30:]


def gif_frames(frames: int, size: tuple[int, int]) -> bytes:
    """A GIF whose second frame is repeated as it is: to encode each anew takes a minute."""
    first = pictures.encoded(pictures.upright("P", size), "GIF")
    plain = pictures.encoded(Image.new("P", size), "GIF")
    palette_bytes = 3 * (2 << (plain[10] & 7))
    return first[:-1] + plain[13 + palette_bytes : -1] * (frames - 1) + first[-1:]


def exif_jpeg(exif: bytes) -> bytes:
    data = pictures.encoded(pictures.upright(), "JPEG")
    return data[:2] + pictures.segment(0xE1, b"Exif\0\0" + exif) + data[2:]


LOOP = b"II*\0\x08\0\0\0\1\0" + struct.pack("<HHII", 0x8769, 4, 1, 8) + struct.pack("<I", 8)
OUTSIDE = b"MM\0*\xff\xff\xff\xf0" + bytes(40)
READABLE: dict[str, Callable[[], bytes]] = {
    "EXIF in a loop": lambda: exif_jpeg(LOOP),
    "EXIF that points outside": lambda: exif_jpeg(OUTSIDE),
    "EXIF of 65,000 entries": lambda: exif_jpeg(b"II*\0\x08\0\0\0" + struct.pack("<H", 65_000) + bytes(60_000)),
    "a zip behind a JPEG": lambda: pictures.jpeg_with_all(6, behind=pictures.a_zip()),
    "HTML before the pixels": lambda: exif_jpeg(b"<html><script>alert(1)</script>"),
    "200 frames of 2,000 x 2,000": lambda: gif_frames(200, (2_000, 2_000)),
    "50 megapixels": lambda: png(png_head(10_000, 5_000, 1, 0), zeros(1251 * 5_000)),
    "a profile that is not one": lambda: pictures.encoded(pictures.upright(), "JPEG", icc_profile=os.urandom(3_000)),
}
"""Made by the test that reads them: each worker collects all tests, and one of them runs this one."""


def bomb() -> bytes:
    """900 megapixels in 109 KB."""
    return png(png_head(30_000, 30_000, 1, 0), zeros(3_751 * 30_000))


def jpeg_without_tables() -> bytes:
    data = jpeg_of(420, 260)
    return b"\xff\xd8" + data[data.index(b"\xff\xda") :]


def png_with(at: int, piece: bytes) -> bytes:
    data = pictures.png_with_all()
    return data[:at] + piece + data[at + len(piece) :]


UNREADABLE: dict[str, tuple[Callable[[], bytes], UnreadableReason]] = {
    "900 megapixels of PNG": (bomb, UnreadableReason.TOO_MANY_PIXELS),
    "4 gigapixels of JPEG": (lambda: jpeg_of(65_535, 65_535), UnreadableReason.TOO_MANY_PIXELS),
    "a canvas of WebP": (
        lambda: with_canvas(pictures.webp_with_all(), 16_384, 16_384), UnreadableReason.TOO_MANY_PIXELS,
    ),
    "a screen of GIF": (
        lambda: b"GIF89a\xff\xff\xff\xff" + pictures.gif_with_all()[10:], UnreadableReason.TOO_MANY_PIXELS,
    ),
    "no width": (lambda: png(png_head(0, 10), zeros(10)), UnreadableReason.DAMAGED),
    "no height": (lambda: png(png_head(10, 0), zeros(10)), UnreadableReason.DAMAGED),
    "no pixels": (lambda: png_head(10, 10) + pictures.chunk(b"IEND", b""), UnreadableReason.DAMAGED),
    "2 gigapixels in one row": (lambda: png(png_head(2**31 - 1, 1), zeros(10)), UnreadableReason.TOO_MANY_PIXELS),
    "a chunk of 4 GiB": (lambda: png_with(33, b"\xff\xff\xff\xffIDAT"), UnreadableReason.NO_MEMORY),
    "a wrong sum of the head": (lambda: png_with(29, b"abcd"), UnreadableReason.DAMAGED),
    "a colour that is none": (lambda: png(png_head(10, 10, 8, 5), zeros(500)), UnreadableReason.DAMAGED),
    "a JPEG without tables": (jpeg_without_tables, UnreadableReason.DAMAGED),
    "the beginning of a JPEG": (lambda: b"\xff\xd8\xff" + bytes(100), UnreadableReason.DAMAGED),
    "a JPEG of markers": (lambda: b"\xff\xd8" + b"\xff" * 1_000_000, UnreadableReason.DAMAGED),
}  # fmt: skip


@pytest.mark.parametrize("make", READABLE.values(), ids=READABLE.keys())
def test_what_can_be_read_is_written(make: Callable[[], bytes], tmp_path: Path) -> None:
    outcome = outcome_of(make(), tmp_path)
    assert isinstance(outcome, Picture)
    assert outcome.previews


@pytest.mark.parametrize(("make", "reason"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_cannot_be_read_is_told(make: Callable[[], bytes], reason: UnreadableReason, tmp_path: Path) -> None:
    outcome = outcome_of(make(), tmp_path)
    assert isinstance(outcome, UnreadablePicture), outcome
    assert outcome.reason is reason, outcome
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_the_bomb_is_as_small_as_it_says() -> None:
    assert len(bomb()) < 120_000


def test_the_frames_are_as_many_as_they_say() -> None:
    with Image.open(io.BytesIO(gif_frames(200, (200, 200)))) as image:
        assert getattr(image, "n_frames", 1) == 200
        image.seek(199)
        assert all(low == high for low, high in image.convert("RGB").getextrema())


def test_a_bomb_that_hides_its_size_has_no_memory(tmp_path: Path) -> None:
    """Without the judgement of the header the limit of the process is the last one, and it holds."""
    rules = AnswerRules(10**9, PREVIEW_SIDES)
    (tmp_path / "source").write_bytes(png(png_head(30_000, 30_000, 8, 2), zeros(90_001 * 300)))
    outcome = WorkerProcess(worker_command(10**9, PREVIEW_SIDES), rules).run(tmp_path / "source", tmp_path / "into")
    assert outcome == UnreadablePicture(UnreadableReason.NO_MEMORY)


def test_a_jpeg_that_is_larger_than_its_pixels_is_answered(tmp_path: Path) -> None:
    outcome = outcome_of(jpeg_of(4_000, 4_000), tmp_path)
    assert isinstance(outcome, Picture | UnreadablePicture)
    if isinstance(outcome, Picture):
        assert (outcome.width, outcome.height) == (4_000, 4_000)


@pytest.mark.parametrize("size", [(1, 60_000), (60_000, 1)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF"])
def test_a_line_of_60_000_pixels_is_a_picture(kind: str, size: tuple[int, int], tmp_path: Path) -> None:
    image = Image.new("P" if kind == "GIF" else "RGB", size)
    outcome = outcome_of(pictures.encoded(image, kind), tmp_path)
    assert isinstance(outcome, Picture)
    assert (outcome.width, outcome.height) == size
    assert [max(each.width, each.height) for each in outcome.previews] == [320, 1600]


# --- Many in one process: the worker's own program in a child that was forked, so that one costs milliseconds


class Batch:
    """Asks the worker's program, with its limits, in children of this process: each gets one file and is over."""

    def ask(self, data: bytes) -> Picture | UnreadablePicture | str:
        source = os.memfd_create("source")
        os.write(source, data)
        os.lseek(source, 0, os.SEEK_SET)
        reading, writing = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads; the child runs no other
            child = os.fork()
        if child == 0:
            os.dup2(source, 0)
            os.dup2(writing, 1)
            os.closerange(3, 256)
            try:
                import resource

                resource.setrlimit(resource.RLIMIT_CPU, (10, 10))
                worker.main([str(Path(worker.__file__).parents[2]), "/", str(MOST_PIXELS), "320", "1600"])
            except BaseException:  # noqa: BLE001  (a child must never go on as the test)
                os._exit(7)
            os._exit(0)
        os.close(source)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            answer = pipe.read()
        _pid, status = os.waitpid(child, 0)
        assert status == 0, f"the worker ended with {status}"
        return self._judged(answer)

    def _judged(self, answer: bytes) -> Picture | UnreadablePicture | str:
        head = decode_head(answer[:HEAD_BYTES], RULES.most_rows)
        if head.reason is not None:
            assert len(answer) == HEAD_BYTES + head.detail_bytes
            return head.reason.value
        at = HEAD_BYTES + head.rows * ROW_BYTES
        _size, rows = decode_rows(answer[HEAD_BYTES:at], head, RULES)
        for row in rows:
            data = answer[at : at + row.size_bytes]
            at += row.size_bytes
            assert kind_of(data) is row.kind
            assert pictures.SECRET not in data
            shown = Image.open(io.BytesIO(data))
            shown.load()
            assert shown.size == (row.width, row.height)
        assert at == len(answer)
        return "picture"


@pytest.fixture(scope="module")
def batch() -> Batch:
    """Pillow is loaded before, so that children need no file for it; `worker.main` sets their limits."""
    from securechat.pictures import rewriting

    assert rewriting
    return Batch()


def cut_at_every_tenth(data: bytes) -> Iterator[bytes]:
    for tenth in range(10):
        yield data[: len(data) * tenth // 10]


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_that_is_cut_off_is_told_to_be_none(kind: str, batch: Batch) -> None:
    whole = pictures.encoded(Image.effect_noise((200, 160), 90).convert("P" if kind == "GIF" else "RGB"), kind)
    found = [batch.ask(part) for part in cut_at_every_tenth(whole)]
    assert found[0] == "not_a_picture"
    # of a PNG only the end is missing in the last part, of a GIF its pixels are: each is one or the other
    assert set(found[1:]) <= {"damaged", "not_a_picture"}
    assert batch.ask(whole) == "picture"


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_changed_bytes_are_a_picture_or_none(kind: str, batch: Batch) -> None:
    """FUZZ_PICTURES=N: so many of each kind."""
    dice = random.Random(int(os.environ.get("FUZZ_SEED", "7")))
    whole = pictures.WITH_ALL[kind](6, image=pictures.upright("P" if kind == "GIF" else "RGB", (90, 60)))
    moving = whole if kind == "JPEG" else pictures.moving(kind, 3, (90, 60))
    found: dict[str, int] = {}
    for _case in range(int(os.environ.get("FUZZ_PICTURES", "100"))):
        answer = batch.ask(changed(dice.choice((whole, moving)), dice))
        found[str(answer)] = found.get(str(answer), 0) + 1
    assert set(found) <= {"picture", *UnreadableReason}
    assert "picture" in found  # what is changed behind the header is a picture still
    assert "not_clean" not in found


def changed(data: bytes, dice: random.Random) -> bytes:
    new = bytearray(data)
    for _ in range(dice.randint(1, 5)):
        at = dice.randrange(min(len(new), dice.choice((64, 400, 100_000))))
        match dice.randrange(6):
            case 0 | 1:
                new[at] = dice.randrange(256)
            case 2:
                new[at] ^= 1 << dice.randrange(8)
            case 3:
                del new[at : at + dice.randint(1, 40)]
            case 4:
                new[at:at] = new[at : at + dice.randint(1, 40)] * dice.choice((1, 2, 50))
            case _:
                new[at : at + 4] = dice.choice((b"\xff\xff\xff\xff", bytes(4), b"\x7f\xff\xff\xff", b"\0\0\xff\xff"))
        if len(new) < 8:
            break
    return bytes(new)
