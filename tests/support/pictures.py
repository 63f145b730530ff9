"""Pictures made for tests: upright when turned as their EXIF says, and with a secret in every place that a file has.

What should not come out again is `SECRET`, a place near Null Island, times of 1999, and the makes and models in
`_tiff`.
"""

from __future__ import annotations

import io
import json
import shutil
import struct
import subprocess
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from PIL import Image, ImageDraw

SECRET = b"SECRETPLACE"
SIZE = (420, 260)
"""Of every picture here, upright: larger than the smaller preview."""
COLOURS = {
    (0.25, 0.25): (220, 30, 30),
    (0.75, 0.25): (30, 180, 40),
    (0.25, 0.75): (40, 50, 210),
    (0.75, 0.75): (230, 210, 40),
}
"""Red, green, blue, yellow: the quarters, by where their middle is."""
XMP = (
    b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    b'xmlns:exif="http://ns.adobe.com/exif/1.0/" exif:GPSLatitude="1,2.5N" exif:GPSLongitude="3,4.5E" '
    b'xmlns:dc="http://purl.org/dc/elements/1.1/" dc:source="'
    + SECRET
    + b'"/></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)
STORED_AS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}  # fmt: skip
"""How an upright picture is turned to be stored with an orientation: the inverse of what makes it upright again."""


def upright(mode: str = "RGB", size: tuple[int, int] = SIZE) -> Image.Image:
    """Four quarters of known colours."""
    image = Image.new("RGB", size)
    draw = ImageDraw.Draw(image)
    for (x, y), colour in COLOURS.items():
        left, top = round((x - 0.25) * size[0]), round((y - 0.25) * size[1])
        draw.rectangle((left, top, left + size[0] // 2, top + size[1] // 2), fill=colour)
    if mode == "P":
        return image.quantize(16)
    return image.convert(mode)


def assert_upright(image: Image.Image, within: int = 24) -> None:
    """Fail if a picture does not have its quarters where they belong."""
    shown = image.convert("RGB")
    for (x, y), colour in COLOURS.items():
        found = shown.getpixel((int(x * image.width), int(y * image.height)))
        assert isinstance(found, tuple)
        assert all(abs(a - b) <= within for a, b in zip(found, colour, strict=True)), (x, y, found, colour)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.info = {}
    image.save(out, kind, **options)
    return out.getvalue()


# --- EXIF -------------------------------------------------------------------------------------------------------------


def tiff(orientation: int = 1, order: str = "<", *, thumbnail: bytes | None = None) -> bytes:
    """A camera's EXIF: make, times, maker's note, a place, and a thumbnail."""
    text = SECRET + b" 1999\0"
    place = [
        (1, 2, b"N\0"), (2, 5, struct.pack(f"{order}6I", 1, 1, 2, 1, 30, 1)), (3, 2, b"E\0"),
        (4, 5, struct.pack(f"{order}6I", 3, 1, 4, 1, 30, 1)), (29, 2, b"1999:01:02\0"),
    ]  # fmt: skip
    camera = [
        (0x9003, 2, b"1999:01:02 03:04:05\0"), (0x927C, 7, b"Apple iOS\0\0\1MM" + SECRET),
        (0x9286, 7, b"ASCII\0\0\0" + SECRET),
        (0xA431, 2, text), (0xA434, 2, text),
    ]  # fmt: skip
    small = thumbnail if thumbnail is not None else encoded(upright(size=(160, 120)), "JPEG", comment=SECRET)
    directory: list[tuple[int, int, bytes | list]] = [
        (0x010E, 2, text), (0x010F, 2, b"Apple\0"), (0x0110, 2, text),
        (0x0112, 3, struct.pack(f"{order}H", orientation)),
        (0x0131, 2, text), (0x0132, 2, b"1999:01:02 03:04:05\0"), (0x013B, 2, text), (0x8298, 2, text),
        (0x8769, 4, camera), (0x8825, 4, place),
    ]  # fmt: skip
    return _tiff(order, directory, small)


_SIZES = {2: 1, 3: 2, 4: 4, 5: 8, 7: 1}


def _tiff(order: str, directory: list, thumbnail: bytes) -> bytes:
    out = bytearray((b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8))

    def write(entries: list, following: bool) -> None:
        start = len(out)
        out.extend(bytes(2 + 12 * len(entries) + 4))
        struct.pack_into(f"{order}H", out, start, len(entries))
        for index, (tag, kind, value) in enumerate(entries):
            at = start + 2 + 12 * index
            if isinstance(value, list):
                struct.pack_into(f"{order}HHII", out, at, tag, kind, 1, len(out))
                write(value, False)
                continue
            struct.pack_into(f"{order}HHI", out, at, tag, kind, len(value) // _SIZES[kind])
            if len(value) <= 4:
                out[at + 8 : at + 8 + len(value)] = value
            else:
                struct.pack_into(f"{order}I", out, at + 8, len(out))
                out.extend(value + bytes(len(value) % 2))
        if following and thumbnail:
            struct.pack_into(f"{order}I", out, start + 2 + 12 * len(entries), len(out))
            second = len(out)
            rows = [
                (0x0103, 3, struct.pack(f"{order}H", 6)), (0x0201, 4, struct.pack(f"{order}I", second + 2 + 36 + 4)),
                    (0x0202, 4, struct.pack(f"{order}I", len(thumbnail)))]  # fmt: skip
            write(rows, False)
            out.extend(thumbnail)

    write(directory, True)
    return bytes(out)


# --- Files with secrets -----------------------------------------------------------------------------------------------


def a_zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("evil.html", b"<script>alert(1)</script>" + SECRET)
    return out.getvalue()


BEHIND = b"<html><script>alert(document.domain)</script>" + SECRET


def segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def jpeg_with_all(
    orientation: int = 1, order: str = "<", behind: bytes = b"", image: Image.Image | None = None, **options: object
) -> bytes:
    """A JPEG with EXIF, XMP, extended XMP, IPTC, comments, MPF, C2PA, FlashPix, and something behind its end."""
    stored = image or upright()
    if orientation in STORED_AS:
        stored = stored.transpose(STORED_AS[orientation])
    plain = encoded(stored, "JPEG", **{"quality": 95, "subsampling": 0, **options})
    guid = b"0123456789ABCDEF0123456789ABCDEF"
    iptc = b"\x1c\x02\x5a" + struct.pack(">H", len(SECRET)) + SECRET + b"\x1c\x02\x37\0\x0819990102"
    photoshop = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0" + struct.pack(">I", len(iptc)) + iptc + bytes(len(iptc) % 2)
    parts = (
        segment(0xE1, b"Exif\0\0" + tiff(orientation, order))
        + segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP)
        + segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + guid + struct.pack(">II", len(XMP), 0) + XMP)
        + segment(0xE2, b"MPF\0II*\0\x08\0\0\0" + SECRET)
        + segment(0xE2, b"FPXR\0" + SECRET)
        + segment(0xEB, b"JP\0\1\0\0\0\1" + SECRET)
        + segment(0xEC, b"Ducky\0\2" + SECRET)
        + segment(0xED, photoshop)
        + segment(0xE4, SECRET)
        + segment(0xFE, b"a comment " + SECRET)
    )
    return plain[:2] + parts + plain[2:] + behind


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png_with_all(
    orientation: int = 1, order: str = "<", behind: bytes = b"", image: Image.Image | None = None
) -> bytes:
    """A PNG with every kind of text, a time, EXIF, and chunks that no one knows."""
    stored = image or upright()
    if orientation in STORED_AS:
        stored = stored.transpose(STORED_AS[orientation])
    plain = encoded(stored, "PNG")
    raw = b"\nexif\n" + str(len(SECRET)).encode() + b"\n" + SECRET.hex().encode() + b"\n"
    parts = (
        chunk(b"tEXt", b"Comment\0" + SECRET)
        + chunk(b"tEXt", b"Author\0" + SECRET)
        + chunk(b"zTXt", b"Description\0\0" + zlib.compress(SECRET))
        + chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(raw))
        + chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP)
        + chunk(b"iTXt", b"Title\0\1\0en\0Titel\0" + zlib.compress(SECRET))
        + chunk(b"tIME", struct.pack(">HBBBBB", 1999, 1, 2, 3, 4, 5))
        + chunk(b"pHYs", struct.pack(">IIB", 2835, 2835, 1))
        + chunk(b"eXIf", tiff(orientation, order))
        + chunk(b"prVt", SECRET)
    )
    return plain[:33] + parts + plain[33:-12] + chunk(b"tEXt", b"Late\0" + SECRET) + plain[-12:] + behind


def webp_with_all(
    orientation: int = 1, order: str = "<", behind: bytes = b"", image: Image.Image | None = None, **options: object
) -> bytes:
    """A WebP with EXIF, XMP and a chunk that no one knows."""
    stored = image or upright()
    if orientation in STORED_AS:
        stored = stored.transpose(STORED_AS[orientation])
    plain = encoded(stored, "WEBP", **{"quality": 95, "exif": tiff(orientation, order), "xmp": XMP, **options})
    unknown = b"SECR" + struct.pack("<I", len(SECRET)) + SECRET + bytes(len(SECRET) % 2)
    return b"RIFF" + struct.pack("<I", len(plain) - 8 + len(unknown)) + plain[8:] + unknown + behind


def gif_with_all(
    orientation: int = 1, order: str = "<", behind: bytes = b"", image: Image.Image | None = None
) -> bytes:
    """A GIF with comments, XMP and a plain text. It has no EXIF, so it is stored upright."""
    plain = encoded(image or upright("P"), "GIF")
    flags = plain[10]
    at = 13 + (3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0)
    trailer = b"\1" + bytes(range(255, -1, -1)) + b"\0"
    parts = (
        b"!\xfe" + bytes([len(SECRET)]) + SECRET + b"\0"
        + b"!\xff\x0bXMP DataXMP" + XMP + trailer
        + b"!\x01\x0c" + bytes(12) + bytes([len(SECRET)]) + SECRET + b"\0"
    )  # fmt: skip
    return b"GIF89a" + plain[6:at] + parts + plain[at:] + behind


WITH_ALL: dict[str, Callable[..., bytes]] = {
    "JPEG": jpeg_with_all, "PNG": png_with_all, "WEBP": webp_with_all, "GIF": gif_with_all,
}  # fmt: skip


def moving(kind: str, frames: int = 3, size: tuple[int, int] = SIZE) -> bytes:
    """An animation whose first frame is upright, and the others black."""
    mode = "P" if kind == "GIF" else "RGB"
    # further frames differ from each other, or the encoder would drop them
    rest = [Image.new("RGB", size, (each % 250, each // 250, 0)).convert(mode) for each in range(1, frames)]
    return encoded(upright(mode, size), kind, save_all=True, append_images=rest, duration=100)


# --- exiftool ---------------------------------------------------------------------------------------------------------

HAS_EXIFTOOL = shutil.which("exiftool") is not None
HARMLESS = frozenset(
    [
        "SourceFile", "ExifToolVersion", "Directory", "FileName", "FileSize", "FileModifyDate", "FileAccessDate",
        "FileInodeChangeDate", "FilePermissions", "FileType", "FileTypeExtension", "MIMEType", "ImageWidth",
        "ImageHeight", "ImageSize", "Megapixels", "EncodingProcess", "BitsPerSample", "ColorComponents",
        "YCbCrSubSampling", "JFIFVersion", "ResolutionUnit", "XResolution", "YResolution", "BitDepth", "ColorType",
        "Compression", "Filter", "Interlace", "Palette", "Transparency", "VP8Version", "HorizontalScale",
        "VerticalScale", "WebP_Flags", "AlphaFiltering", "AlphaPreprocessing", "AlphaCompression", "AlphaIsUsed",
        "GIFVersion", "HasColorMap", "ColorResolutionDepth", "BitsPerPixel", "BackgroundColor", "TransparentColor",
        "WebPFlags", "ProfileName", "ProfileCMMType", "ProfileVersion", "ProfileClass", "ColorSpaceData",
        "ProfileConnectionSpace", "ProfileDateTime", "ProfileFileSignature", "PrimaryPlatform", "CMMFlags",
        "DeviceManufacturer", "DeviceModel", "DeviceAttributes", "RenderingIntent", "ConnectionSpaceIlluminant",
        "ProfileCreator", "ProfileID", "ProfileDescription", "ProfileCopyright", "MediaWhitePoint",
        "ChromaticAdaptation", "RedMatrixColumn", "GreenMatrixColumn", "BlueMatrixColumn", "RedTRC", "GreenTRC",
        "BlueTRC",
    ]
)  # fmt: skip
"""What exiftool tells of any file of these kinds: sizes and forms, and our own profiles."""


def exiftool_finds(folder: Path) -> dict[str, dict[str, object]]:
    """What exiftool finds in the files of a folder beside what is harmless, by name; unknown tags too."""
    done = subprocess.run(
        ["exiftool", "-json", "-a", "-u", "-U", "-ee", "-r", "-ext", "*", str(folder)], capture_output=True, check=False
    )
    rows = json.loads(done.stdout)
    return {
        Path(row["SourceFile"]).name: found
        for row in rows
        if (found := {name: value for name, value in row.items() if name not in HARMLESS})
    }


def quarters(data: bytes) -> Image.Image:
    """Open a picture as a reader would, and not turn it."""
    return Image.open(io.BytesIO(data))


def every(kinds: Iterable[str] = WITH_ALL) -> Iterator[tuple[str, int, str]]:
    """Kinds, orientations and byte orders."""
    for kind in kinds:
        for orientation in range(1, 9):
            yield kind, orientation, "<" if orientation % 2 else ">"
