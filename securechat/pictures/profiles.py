"""Colour profiles (ICC.1:2022): which are kept, and what becomes of the others. Part of the worker's process.

A profile is bytes of a stranger: it can name a camera, its owner and a serial number. So none is ever written as it
came. A profile that does what sRGB does is left out, because a picture without one is sRGB to every program. One that
does what Display P3 (phones) or Adobe RGB (cameras) does is replaced by our own of the same meaning. By every other one
the colours are converted to sRGB. What a profile does is found by asking it, not by its name.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import NamedTuple

from PIL import Image, ImageChops, ImageCms

MOST_PROFILE_BYTES = 3 * 1024 * 1024
"""A larger one is ignored. Those of printing presses have up to 2.7 MB, those of cameras and screens some KB."""
_MOST_DIFFERENCE = 3
"""Of a colour of 0 to 255 that is put into another space, for the two to be the same one."""
_STEPS = (0, 32, 64, 96, 128, 160, 192, 224, 255)
_SPACES = {"1": "GRAY", "L": "GRAY", "LA": "GRAY", "P": "RGB", "RGB": "RGB", "RGBA": "RGB", "CMYK": "CMYK"}
_D50 = (0.9642, 1.0, 0.8249)
_ADAPTATION = (1.04788, 0.02292, -0.05022, 0.02959, 0.99048, -0.01707, -0.00925, 0.01508, 0.75168)
"""From D65 to D50, by Bradford (ICC.1:2022, annex E)."""


class Coloured(NamedTuple):
    """A picture, and the profile that is written with it.

    Attributes:
        image: its pixels.
        profile: one of `KEPT_PROFILES`, or empty: sRGB.
    """

    image: Image.Image
    profile: bytes


def coloured(image: Image.Image, profile: bytes | None) -> Coloured:
    """Return a picture whose colours are in a space that is kept: gray, sRGB, Display P3 or Adobe RGB.

    A profile that cannot be read, or that is one for other pixels, is as none: browsers see it that way.

    Args:
        image: 1, L, LA, P, RGB, RGBA or CMYK; it may be changed.
        profile: as its file has it.
    """
    if profile and len(profile) <= MOST_PROFILE_BYTES:
        try:
            source = ImageCms.ImageCmsProfile(BytesIO(profile))
            if source.profile.xcolor_space.strip() == _SPACES.get(image.mode):
                return _by_profile(image, source)
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            pass
    return Coloured(image.convert("RGB") if image.mode == "CMYK" else image, b"")


def _by_profile(image: Image.Image, source: ImageCms.ImageCmsProfile) -> Coloured:
    if image.mode == "CMYK":
        return Coloured(_to_srgb(image, source, "RGB"), b"")
    if image.mode in ("1", "L", "LA"):
        ramp = Image.frombytes("L", (256, 1), bytes(range(256)))
        if image.mode == "1" or _is_close(_to_srgb(ramp, source, "RGB"), ramp.convert("RGB")):
            return Coloured(image, b"")
        gray = _to_srgb(image.getchannel(0), source, "RGB").convert("L")
        return Coloured(Image.merge("LA", (gray, image.getchannel(1))) if image.mode == "LA" else gray, b"")
    for kept in (b"", *KEPT_PROFILES):
        space = ImageCms.ImageCmsProfile(BytesIO(kept) if kept else ImageCms.createProfile("sRGB"))
        if _is_close(_to_space(_grid(), source, space), _grid()):
            return Coloured(image, kept)
    if image.mode == "P":
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    return Coloured(_to_srgb(image, source, image.mode), b"")


def _to_srgb(image: Image.Image, source: ImageCms.ImageCmsProfile, mode: str) -> Image.Image:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    in_place = image.mode == mode  # half of the memory
    made = ImageCms.profileToProfile(image, source, srgb, outputMode=mode, inPlace=in_place)
    return image if made is None else made


def _to_space(image: Image.Image, source: ImageCms.ImageCmsProfile, space: ImageCms.ImageCmsProfile) -> Image.Image:
    made = ImageCms.profileToProfile(image, source, space, ImageCms.Intent.RELATIVE_COLORIMETRIC, "RGB")
    return image if made is None else made


def _grid() -> Image.Image:
    """Colours of the whole space."""
    colours = bytes(value for red in _STEPS for green in _STEPS for blue in _STEPS for value in (red, green, blue))
    return Image.frombytes("RGB", (len(colours) // 3, 1), colours)


def _is_close(image: Image.Image, other: Image.Image) -> bool:
    return all(most <= _MOST_DIFFERENCE for _least, most in _bands(ImageChops.difference(image, other)))


def _bands(image: Image.Image) -> Iterator[tuple[float, float]]:
    for band in image.split():
        least, most = band.getextrema()
        assert isinstance(least, (int, float))
        assert isinstance(most, (int, float))
        yield least, most


# --- Our own profiles -------------------------------------------------------------------------------------------------


def _number(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))  # s15Fixed16Number


def _text(text: str) -> bytes:
    encoded = text.encode("utf-16-be")
    return b"mluc" + struct.pack(">IIIHHII", 0, 1, 12, 0x656E, 0x5553, len(encoded), 28) + encoded  # en, US


def _colour(xyz: Sequence[float]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(map(_number, xyz))


def _profile(name: str, colours: Sequence[Sequence[float]], curve: Sequence[float]) -> bytes:
    """Return a profile of a screen, version 4.

    Args:
        name: of the space.
        colours: red, green and blue as XYZ, adapted to D50.
        curve: the numbers of a parametric curve of type 0 or 3.
    """
    kind = {1: 0, 5: 3}[len(curve)]
    shape = b"para" + struct.pack(">IHH", 0, kind, 0) + b"".join(map(_number, curve))
    adaptation = b"sf32\0\0\0\0" + b"".join(map(_number, _ADAPTATION))
    red, green, blue = map(_colour, colours)
    tags = [
        (b"desc", _text(name)), (b"cprt", _text("CC0")), (b"wtpt", _colour(_D50)), (b"chad", adaptation),
        (b"rXYZ", red), (b"gXYZ", green), (b"bXYZ", blue), (b"rTRC", shape), (b"gTRC", shape), (b"bTRC", shape),
    ]  # fmt: skip
    at, table, body = 128 + 4 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    placed: dict[bytes, int] = {}
    for tag, content in tags:
        if content not in placed:
            placed[content] = at + len(body)
            body += content + bytes(-len(content) % 4)
        table += tag + struct.pack(">II", placed[content], len(content))
    date = struct.pack(">6H", 2026, 1, 1, 0, 0, 0)
    head = struct.pack(">II", at + len(body), 0) + b"\x04\x20\0\0mntrRGB XYZ " + date + b"acsp" + bytes(28)
    return (head + b"".join(map(_number, _D50))).ljust(128, b"\0") + table + body


_DISPLAY_P3 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
_ADOBE_RGB = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
_SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
_ADOBE_CURVE = (563 / 256,)
KEPT_PROFILES = (
    _profile("Display P3", _DISPLAY_P3, _SRGB_CURVE),
    _profile("Adobe RGB (1998) compatible", _ADOBE_RGB, _ADOBE_CURVE),
)
"""What may stand in a picture that was written."""
