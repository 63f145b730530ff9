"""Writes a picture anew from its pixels, and its previews. Part of the worker's process; needs Pillow.

The pixels are turned upright; nothing else of the file is taken over. Pillow's obvious way leaks: an image that was
opened carries its comment, and `save` writes it. So what is saved never has the `info` of what was opened, `save` is
told all that it may write, and what it wrote is looked over (`containers.foreign_parts`).

Errors of damaged files are whatever Pillow raises, in C or in Python: `worker` answers each of them. In a process that
goes on afterwards, call `use_four_formats` first.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import BinaryIO, NamedTuple

from PIL import GifImagePlugin, Image, ImageFile, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from securechat.pictures.answers import MOST_OUTPUT_BYTES, PREVIEW_KIND, UnreadableReason
from securechat.pictures.containers import foreign_parts
from securechat.pictures.kinds import HEAD_BYTES, PictureKind, canvas_of, kind_of
from securechat.pictures.orientation import orientation_of
from securechat.pictures.profiles import KEPT_PROFILES, coloured

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
_PREVIEW_QUALITY = 75
_PREVIEW_METHOD = 2
"""Of WebP: 1,600 x 1,200 pixels take 113 ms; method 4 takes 240 for 7 % less."""
_PNG_LEVEL = 6
_PNG_FAST_PIXELS = 16_000_000
_PNG_FAST_LEVEL = 3
_WEBP_METHOD_PIXELS = 3_000_000
"""Up to so many pixels a WebP is compressed with care, method 4; larger ones with method 1, for the sake of time."""
_STANDARD_LUMINANCE = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51,
    87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
"""ITU T.81, table K.1."""


class CannotRewrite(Exception):
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
    quality: int = 0
    sampling: int = 0
    is_lossless: bool = False


def use_four_formats(most_pixels: int) -> None:
    """Set Pillow up for a process that does nothing else: no further format is ever loaded, and a bomb is an error."""
    Image._initialized = 2  # `save` would load the plugins of other formats
    Image.MAX_IMAGE_PIXELS = most_pixels
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    for name in ("tEXt", "zTXt", "iTXt"):  # texts are passed over: a large one is no reason to refuse a picture
        setattr(PngImagePlugin.PngStream, f"chunk_{name}", _pass_over)
    setattr(JpegImagePlugin.JpegImageFile, "_read_dpi_from_exif", _read_nothing)  # noqa: B010  (a method)


def rewrite(file: BinaryIO, most_pixels: int, sides: Sequence[int]) -> Rewritten:
    """Write a picture anew.

    Args:
        file: seekable, at its beginning.
        most_pixels: of the picture; judged before its pixels are decoded.
        sides: the longer sides of its previews, the smallest first, pixels. One is written where it is smaller than the
            picture; of one that moves the first always, and the second where the picture is larger than the first.

    Raises:
        CannotRewrite: it is no picture that is written anew.
        Exception: it is damaged, in one of many ways; MemoryError, too.
    """
    head = file.read(HEAD_BYTES)
    kind = kind_of(head)
    if kind is None:
        raise CannotRewrite(UnreadableReason.NOT_A_PICTURE)
    if (canvas := canvas_of(kind, head)) is not None:
        _judge(canvas, most_pixels)
    file.seek(0)
    opened = _OPENERS[kind](file)
    _judge(opened.size, most_pixels)
    form = _form_of(opened, kind, file)
    profile, orientation = opened.info.get("icc_profile"), orientation_of(opened.info.get("exif") or b"")
    moves = bool(getattr(opened, "is_animated", False))
    opened.seek(0)
    image = _pixels(opened)
    if orientation in _TURNS:
        image = image.transpose(_TURNS[orientation])
    image, kept = coloured(image, profile)
    files: list[RewrittenFile] = []
    if not moves:
        files.append(RewrittenFile(kind, 0, *image.size, _encoded(image, form, kept)))
    width, height = image.size
    files.extend(reversed([*_previews(image, kept, sides, moves=moves)]))
    if sum(len(each.data) for each in files) > MOST_OUTPUT_BYTES:
        raise CannotRewrite(UnreadableReason.TOO_LARGE)
    for each in files:
        if foreign := foreign_parts(each.kind, each.data, KEPT_PROFILES):
            raise CannotRewrite(UnreadableReason.NOT_CLEAN, f"{each.kind.name}: {', '.join(foreign[:5])}")
    return Rewritten(width, height, moves, tuple(files))


def _judge(size: tuple[int, int], most_pixels: int) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise CannotRewrite(UnreadableReason.DAMAGED, "it has no pixels")
    if width * height > most_pixels:
        raise CannotRewrite(UnreadableReason.TOO_MANY_PIXELS, f"{width} x {height}")


# --- Reading ----------------------------------------------------------------------------------------------------------


def _pixels(opened: ImageFile.ImageFile) -> Image.Image:
    """Decode, and return the pixels without all that came with them but transparency."""
    opened.load()
    transparency = opened.info.get("transparency")
    image = Image.Image._new(opened, opened.im)
    image.info = {}
    if image.mode.startswith("I"):  # 16 bits of gray
        return image.point(_HIGH_BYTE, "L") if image.mode == "I;16" else image.point(lambda value: value / 256, "L")
    if transparency is None:
        return image
    image.info["transparency"] = transparency
    if opened.format != "GIF" and image.mode in ("1", "L", "RGB"):
        return image.convert("RGBA" if image.mode == "RGB" else "LA")
    return image


_HIGH_BYTE = [value >> 8 for value in range(65_536)]


def _form_of(opened: ImageFile.ImageFile, kind: PictureKind, file: BinaryIO) -> _Form:
    if isinstance(opened, JpegImagePlugin.JpegImageFile):
        least, most = _JPEG_QUALITY
        quality = max(least, min(most, jpeg_quality(opened.quantization.get(0, ()))))
        return _Form(kind, quality, max(0, JpegImagePlugin.get_sampling(opened)))
    if kind is PictureKind.WEBP:
        return _Form(kind, is_lossless=_is_lossless_webp(file))
    return _Form(kind)


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
    pixels = image.width * image.height
    out = BytesIO()
    kept = profile or None
    match form.kind:
        case PictureKind.JPEG:
            image.save(out, "JPEG", quality=form.quality, subsampling=form.sampling, icc_profile=kept)
        case PictureKind.PNG:
            level = _PNG_LEVEL if pixels <= _PNG_FAST_PIXELS else _PNG_FAST_LEVEL
            image.save(out, "PNG", compress_level=level, icc_profile=kept)
        case PictureKind.WEBP:
            method = 4 if pixels <= _WEBP_METHOD_PIXELS and not form.is_lossless else 1
            image.save(out, "WEBP", quality=90, lossless=form.is_lossless, method=method, icc_profile=kept)
        case PictureKind.GIF:
            image.save(out, "GIF")
    return out.getvalue()


def _previews(image: Image.Image, profile: bytes, sides: Sequence[int], *, moves: bool) -> Iterator[RewrittenFile]:
    """Make the previews, the largest first: each from the one before."""
    longer = max(image.size)
    for index, side in reversed([*enumerate(sides)]):
        if side >= longer and not (moves and (index == 0 or longer > sides[index - 1])):
            continue
        image = _smaller(image, side)
        out = BytesIO()
        image.save(
            out, PREVIEW_KIND.name, quality=_PREVIEW_QUALITY, method=_PREVIEW_METHOD, icc_profile=profile or None
        )
        yield RewrittenFile(PREVIEW_KIND, side, *image.size, out.getvalue())


def _smaller(image: Image.Image, side: int) -> Image.Image:
    if image.mode not in ("RGB", "RGBA"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    share = side / max(image.size)
    if share >= 1:
        return image
    width, height = (max(1, round(each * share)) for each in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=2.0)


def _pass_over(stream: PngImagePlugin.PngStream, _at: int, length: int) -> bytes:
    assert stream.fp is not None
    return ImageFile._safe_read(stream.fp, length)


def _read_nothing(_opened: JpegImagePlugin.JpegImageFile) -> None:
    """Instead of the resolution in EXIF, for which Pillow loads its plugin of TIFF, and walks the offsets."""
