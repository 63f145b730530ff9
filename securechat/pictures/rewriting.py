"""Writes a picture anew from its pixels, and its previews. Part of the worker's process; needs Pillow.

The pixels are turned upright; nothing else of the file is taken over. Pillow's obvious way leaks: an image that was
opened carries its comment, and `save` writes it. So what is saved never has the `info` of what was opened, `save` is
told all that it may write, and what it wrote is looked over (`containers.foreign_parts`).

Errors of damaged files are whatever Pillow raises, in C or in Python: `worker` answers each of them. In a process that
goes on afterwards, call `use_four_formats` first.
"""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Sequence
from io import BytesIO
from typing import BinaryIO, NamedTuple

from PIL import GifImagePlugin, Image, ImageFile, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from securechat.pictures.answers import MOST_OUTPUT_BYTES, PREVIEW_KIND, TERMINAL_SIDE, UnreadableReason
from securechat.pictures.containers import foreign_parts
from securechat.pictures.kinds import HEAD_BYTES, PictureKind, canvas_of, kind_of
from securechat.pictures.orientation import orientation_of
from securechat.pictures.profiles import KEPT_PROFILES, MOST_PROFILE_BYTES, coloured

_OPENERS: dict[PictureKind, type[ImageFile.ImageFile]] = {
    PictureKind.JPEG: JpegImagePlugin.JpegImageFile,
    PictureKind.PNG: PngImagePlugin.PngImageFile,
    PictureKind.WEBP: WebPImagePlugin.WebPImageFile,
    PictureKind.GIF: GifImagePlugin.GifImageFile,
}
"""Opened by class, never by `Image.open`: that takes other formats into account, and of a JPEG makes an MPO."""
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture of each orientation upright (EXIF 3.0, 4.6.5.1.4)."""
_JPEG_QUALITY = (75, 90)
"""The least and the most: a picture that was compressed harder before does not grow for nothing."""
_WEBP_QUALITY = 90
_WEBP_LOW_QUALITY = 60
_LARGE_PIXELS = 4_000_000
"""Larger pictures are compressed with less care, for the sake of time, where the kind allows that."""
_STANDARD_LUMINANCE = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51,
    87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
"""ITU T.81, table K.1."""


class RewriteRefused(Exception):
    """The picture is one that is not written anew.

    Args:
        reason: why.
        detail: for the operator.
    """

    def __init__(self, reason: UnreadableReason, detail: str = "") -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason
        self.detail = detail


class RewrittenFile(NamedTuple):
    """A picture as a file.

    Attributes:
        kind: of it.
        side: the longer side that was asked for, pixels; 0: the picture itself.
        width: pixels.
        height: pixels.
        data: the file.
    """

    kind: PictureKind
    side: int
    width: int
    height: int
    data: bytes


class Rewritten(NamedTuple):
    """What has become of a picture.

    Attributes:
        width: pixels, upright.
        height: likewise.
        previews_only: it moves, and only previews of its first frame were written.
        files: the picture, unless it moves, and its previews, the smallest first.
    """

    width: int
    height: int
    previews_only: bool
    files: tuple[RewrittenFile, ...]


class _Form(NamedTuple):
    """How a picture was written, as far as it is written so again."""

    kind: PictureKind
    quality: int = _WEBP_QUALITY
    sampling: int = 0
    is_lossless: bool = False


_PREVIEW = _Form(PREVIEW_KIND, 75)
"""Of WebP with method 2: 1,600 x 1,200 pixels take 113 ms. Method 4 takes 240 for 7 % less."""


def use_four_formats(most_pixels: int) -> None:
    """Set Pillow up for a process that does nothing else: no further format is ever loaded, and a bomb is an error."""
    Image._initialized = 2  # `save` would load the plugins of other formats
    Image.MAX_IMAGE_PIXELS = most_pixels
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    for name in ("tEXt", "zTXt", "iTXt"):  # texts are passed over: a large one is no reason to refuse a picture
        setattr(PngImagePlugin.PngStream, f"chunk_{name}", _pass_over)
    setattr(PngImagePlugin.PngStream, "chunk_iCCP", _take_profile)  # noqa: B010  (a method)
    setattr(JpegImagePlugin.JpegImageFile, "_read_dpi_from_exif", _read_nothing)  # noqa: B010  (a method)


def load_all() -> None:
    """Write a small picture of each kind anew, so that no module is left to be loaded."""
    for kind in PictureKind:
        out = BytesIO()
        Image.new("RGB", (3, 2)).save(out, kind.name)
        out.seek(0)
        rewrite(out, 6, (2, TERMINAL_SIDE))


def rewrite(file: BinaryIO, most_pixels: int, sides: Sequence[int]) -> Rewritten:
    """Write a picture anew.

    Args:
        file: seekable, at its beginning.
        most_pixels: of the picture; judged before its pixels are decoded.
        sides: the longer sides of its previews, the smallest first, pixels. One is written where it is smaller than the
            picture; of one that moves the first always, and the second where the picture is larger than the first.
            `TERMINAL_SIDE` is none of these: where it is among them, that preview is always written.

    Raises:
        RewriteRefused: it is no picture that is written anew.
        Exception: it is damaged, in one of many ways; MemoryError, too.
    """
    found = _read(file, most_pixels)
    image, kept = coloured(_turned(found.image, found.orientation), found.profile)
    found = found._replace(image=_NOTHING)  # large pictures need the memory
    width, height = image.size
    files = []
    if not found.moves:
        files.append(RewrittenFile(found.form.kind, 0, width, height, _encoded(image, found.form, kept)))
    previews: list[RewrittenFile] = []
    wanted = _sides_of(image.size, [side for side in sides if side != TERMINAL_SIDE], moves=found.moves)
    if wanted or TERMINAL_SIDE in sides:
        image = _without_palette(image)
    for side in reversed(wanted):  # each from the one before
        image = _smaller(image, side)
        previews.insert(0, RewrittenFile(PREVIEW_KIND, side, *image.size, _encoded(image, _PREVIEW, kept)))
    if TERMINAL_SIDE in sides:
        image = _smaller(image, TERMINAL_SIDE)
        previews.insert(0, RewrittenFile(PictureKind.PNG, TERMINAL_SIDE, *image.size, _for_terminal(image)))
    files.extend(previews)
    if sum(len(each.data) for each in files) > MOST_OUTPUT_BYTES:
        raise RewriteRefused(UnreadableReason.TOO_LARGE)
    for each in files:
        if foreign := foreign_parts(each.kind, each.data, KEPT_PROFILES):
            raise RewriteRefused(UnreadableReason.NOT_CLEAN, f"{each.kind.name}: {', '.join(foreign[:5])}")
    return Rewritten(width, height, found.moves, tuple(files))


def _judge(size: tuple[int, int], most_pixels: int) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise RewriteRefused(UnreadableReason.DAMAGED, "it has no pixels")
    if width * height > most_pixels:
        raise RewriteRefused(UnreadableReason.TOO_MANY_PIXELS, f"{width} x {height}")


# --- Reading ----------------------------------------------------------------------------------------------------------


class _Found(NamedTuple):
    """What was read of a file: all of it that is used."""

    image: Image.Image
    form: _Form
    profile: bytes | None
    orientation: int
    moves: bool


_NOTHING = Image.new("1", (1, 1))


def _read(file: BinaryIO, most_pixels: int) -> _Found:
    head = file.read(HEAD_BYTES)
    kind = kind_of(head)
    if kind is None:
        raise RewriteRefused(UnreadableReason.NOT_A_PICTURE)
    if (canvas := canvas_of(kind, head)) is not None:
        _judge(canvas, most_pixels)
    form = _Form(kind, is_lossless=kind is PictureKind.WEBP and _is_lossless_webp(file))
    file.seek(0)
    opened = _OPENERS[kind](file)
    _judge(opened.size, most_pixels)
    if isinstance(opened, JpegImagePlugin.JpegImageFile):
        least, most = _JPEG_QUALITY
        quality = max(least, min(most, jpeg_quality(opened.quantization.get(0, ()))))
        form = form._replace(quality=quality, sampling=max(0, JpegImagePlugin.get_sampling(opened)))
    moves = bool(getattr(opened, "is_animated", False))
    opened.seek(0)
    image = _pixels(opened)
    orientation = orientation_of(opened.info.get("exif") or b"")  # of a PNG it may stand behind the pixels
    return _Found(image, form, opened.info.get("icc_profile"), orientation, moves)


def _turned(image: Image.Image, orientation: int) -> Image.Image:
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)


def _pixels(opened: ImageFile.ImageFile) -> Image.Image:
    """Decode, and return the pixels without all that came with them but transparency."""
    opened.load()
    transparency = opened.info.get("transparency")
    image = Image.Image._new(opened, opened.im)
    image.info = {}
    if image.mode.startswith("I"):  # 16 bits of gray
        return image.point(lambda value: value * (1 / 256)).convert("L")
    if transparency is None:
        return image
    image.info["transparency"] = transparency
    if opened.format != "GIF" and image.mode in ("1", "L", "RGB"):
        return image.convert("RGBA" if image.mode == "RGB" else "LA")
    return image


def jpeg_quality(table: Sequence[int]) -> int:
    """Return the quality, 1 to 100, by which libjpeg makes a table of about these numbers; 100 where there is none."""
    if not table:
        return 100
    wanted = sum(table)
    return min(range(100, 0, -1), key=lambda quality: abs(_standard_sum(quality) - wanted))


def _standard_sum(quality: int) -> int:
    scale = 5_000 // quality if quality < 50 else 200 - 2 * quality
    return sum(max(1, min(255, (value * scale + 50) // 100)) for value in _STANDARD_LUMINANCE)


def _is_lossless_webp(file: BinaryIO) -> bool:
    at, most_chunks = 12, 16
    for _chunk in range(most_chunks):
        file.seek(at)
        head = file.read(8)
        if head[:4] in (b"VP8L", b"VP8 ") or len(head) < 8:
            break
        size = int.from_bytes(head[4:], "little")
        at += 8 + size + size % 2
    else:
        head = b""
    return head[:4] == b"VP8L"


# --- Writing ----------------------------------------------------------------------------------------------------------


def _encoded(image: Image.Image, form: _Form, profile: bytes) -> bytes:
    is_large = image.width * image.height > _LARGE_PIXELS
    out, kept = BytesIO(), profile or None
    match form.kind:
        case PictureKind.JPEG:
            image.save(out, "JPEG", quality=form.quality, subsampling=form.sampling, icc_profile=kept)
        case PictureKind.PNG:
            image.save(out, "PNG", compress_level=3 if is_large else 6, icc_profile=kept)
        case PictureKind.WEBP if form.is_lossless:  # the quality is the effort, here
            image.save(out, "WEBP", lossless=True, quality=0 if is_large else 50, method=0, icc_profile=kept)
        case PictureKind.WEBP:
            method = 1 if is_large else 2
            try:
                image.save(out, "WEBP", quality=form.quality, method=method, icc_profile=kept)
            except ValueError:  # of large ones the modes of the blocks do not fit into their 512 KiB (RFC 9649, 9.3)
                image.save(out, "WEBP", quality=_WEBP_LOW_QUALITY, method=method, icc_profile=kept)
        case PictureKind.GIF:
            image.save(out, "GIF")
    return out.getvalue()


def _sides_of(size: tuple[int, int], sides: Sequence[int], *, moves: bool) -> list[int]:
    longer, below = max(size), 0
    wanted = []
    for side in sides:
        if side < longer or (moves and below < longer):
            wanted.append(side)
        below = side
    return wanted


def _without_palette(image: Image.Image) -> Image.Image:
    if image.mode in ("RGB", "RGBA"):
        return image
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _smaller(image: Image.Image, side: int) -> Image.Image:
    share = side / max(image.size)
    if share >= 1:
        return image
    width, height = (max(1, round(each * share)) for each in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=2.0)


def _for_terminal(image: Image.Image) -> bytes:
    """Return a PNG of few bytes. Without a profile: terminals take none.

    By an octree, in 1 ms; by median cut a picture of many colours takes 190 for a third less of error at best.
    """
    out = BytesIO()
    few = image.quantize(256, Image.Quantize.FASTOCTREE)
    few.info = {}
    few.save(out, "PNG", bits=8)
    return out.getvalue()


def _pass_over(stream: PngImagePlugin.PngStream, _at: int, length: int) -> bytes:
    assert stream.fp is not None
    return ImageFile._safe_read(stream.fp, length)


def _take_profile(stream: PngImagePlugin.PngStream, at: int, length: int) -> bytes:
    """Instead of Pillow's own, which refuses a picture whose profile is damaged or has more than 1 MiB."""
    content = _pass_over(stream, at, length)
    try:
        profile = zlib.decompressobj().decompress(content.partition(b"\0")[2][1:], MOST_PROFILE_BYTES + 1)
    except zlib.error:
        profile = b""
    if len(profile) <= MOST_PROFILE_BYTES:
        stream.im_info["icc_profile"] = profile
    return content


def _read_nothing(_opened: JpegImagePlugin.JpegImageFile) -> None:
    """Instead of the resolution in EXIF, for which Pillow loads its plugin of TIFF, and walks the offsets."""
