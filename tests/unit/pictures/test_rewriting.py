"""What comes out of the rewriting: the same picture, upright, and nothing else of the file."""

from __future__ import annotations

import io
import random
import struct
import zlib
from pathlib import Path

import pytest

pytest.importorskip("PIL", reason="pictures are written anew where Pillow is installed")

from PIL import Image, ImageChops, ImageCms, JpegImagePlugin

from securechat.client.tty.png import MOST_BYTES, png_size
from securechat.limits import PREVIEW_SIDES
from securechat.pictures.answers import TERMINAL_SIDE, UnreadableReason
from securechat.pictures.containers import foreign_parts
from securechat.pictures.kinds import PictureKind
from securechat.pictures.profiles import KEPT_PROFILES
from securechat.pictures.rewriting import RewriteRefused, Rewritten, jpeg_quality, rewrite, use_four_formats
from tests.support import pictures

MOST_PIXELS = 1_000_000
KINDS = list(pictures.WITH_ALL)


@pytest.fixture(autouse=True)
def _as_in_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", MOST_PIXELS)
    use_four_formats(MOST_PIXELS)


def rewritten(data: bytes, most_pixels: int = MOST_PIXELS) -> Rewritten:
    return rewrite(io.BytesIO(data), most_pixels, PREVIEW_SIDES)


def is_same(image: Image.Image, other: Image.Image) -> bool:
    difference = ImageChops.difference(image.convert("RGBA"), other.convert("RGBA"))
    return image.size == other.size and difference.getbbox(alpha_only=False) is None


def png(head: tuple[int, ...], rows: bytes) -> bytes:
    """A PNG of given fields and rows."""
    parts = (b"IHDR", struct.pack(">IIBBBBB", *head)), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(pictures.chunk(name, content) for name, content in parts)


@pytest.mark.parametrize(("kind", "orientation", "order"), [*pictures.every()])
def test_a_picture_is_upright_and_keeps_its_size(kind: str, orientation: int, order: str) -> None:
    made = rewritten(pictures.WITH_ALL[kind](orientation, order))
    assert (made.width, made.height) == pictures.SIZE
    assert [(each.kind.name, each.side) for each in made.files] == [(kind, 0), ("WEBP", 320)]
    for each in made.files:
        image = pictures.quarters(each.data)
        assert image.size == (each.width, each.height)
        pictures.assert_upright(image)
    preview = made.files[1]
    assert (preview.width, preview.height) == (320, round(320 * 260 / 420))


@pytest.mark.parametrize("behind", [b"", pictures.a_zip(), pictures.BEHIND], ids=["alone", "zip", "script"])
@pytest.mark.parametrize("kind", KINDS)
def test_no_byte_of_what_was_beside_the_pixels_comes_out(kind: str, behind: bytes) -> None:
    sent = pictures.WITH_ALL[kind](6, behind=behind)
    assert pictures.SECRET in sent
    assert foreign_parts(PictureKind[kind], sent)
    for each in rewritten(sent).files:
        assert pictures.SECRET not in each.data
        assert foreign_parts(each.kind, each.data) == []


@pytest.mark.skipif(not pictures.HAS_EXIFTOOL, reason="exiftool is not installed (Debian: libimage-exiftool-perl)")
def test_exiftool_finds_no_place_time_maker_comment_or_xmp(tmp_path: Path) -> None:
    sent, given = tmp_path / "sent", tmp_path / "given"
    sent.mkdir()
    given.mkdir()
    for kind, orientation, order in pictures.every():
        data = pictures.WITH_ALL[kind](orientation, order, pictures.a_zip())
        name = f"{kind}-{orientation}"
        (sent / name).write_bytes(data)
        for each in rewritten(data).files:
            (given / f"{name}-{each.side}").write_bytes(each.data)
    for kind in ("GIF", "PNG", "WEBP"):
        for each in rewritten(pictures.moving(kind)).files:
            (given / f"{kind}-moving-{each.side}").write_bytes(each.data)
    (given / "p3").write_bytes(rewritten(pictures.jpeg_with_all(icc_profile=KEPT_PROFILES[0])).files[0].data)
    assert len(pictures.exiftool_finds(sent)) == 32  # it does find what is there
    assert len([*given.iterdir()]) == 32 * 2 + 3 * 2 + 1
    assert pictures.exiftool_finds(given) == {}


def test_exiftool_would_find_them(tmp_path: Path) -> None:
    if not pictures.HAS_EXIFTOOL:
        pytest.skip("exiftool is not installed (Debian: libimage-exiftool-perl)")
    (tmp_path / "a").write_bytes(pictures.jpeg_with_all(6))
    found = pictures.exiftool_finds(tmp_path)["a"]
    assert {"GPSLatitude", "Make", "DateTimeOriginal", "Comment", "ThumbnailImage"} <= found.keys()


# --- Forms of pixels


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "P", "I;16"])
def test_a_png_of_every_mode_keeps_its_pixels(mode: str) -> None:
    if mode == "I;16":
        source = Image.frombytes("I;16", (300, 200), struct.pack("<300H", *(each * 200 for each in range(300))) * 200)
        shown = Image.frombytes("L", (300, 200), bytes(each * 200 >> 8 for each in range(300)) * 200)
    else:
        shown = source = pictures.upright(mode)
    made = rewritten(pictures.encoded(source, "PNG"))
    assert is_same(pictures.quarters(made.files[0].data), shown)


def test_a_png_of_16_bits_a_colour_is_read() -> None:
    row = b"\0" + struct.pack(">HHH", 0xFF00, 0x8000, 0x00FF) * 30
    data = png((30, 20, 16, 2, 0, 0, 0), row * 20)
    image = pictures.quarters(rewritten(data).files[0].data)
    assert (image.mode, image.getpixel((3, 3))) == ("RGB", (255, 128, 0))


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_a_palette_keeps_its_transparency(kind: str) -> None:
    source = pictures.upright("P")
    clear = source.getpixel((5, 5))
    sent = pictures.encoded(source, kind, transparency=clear)
    made = rewritten(sent)
    assert is_same(pictures.quarters(made.files[0].data), pictures.quarters(sent))
    for each in made.files:
        shown = pictures.quarters(each.data).convert("RGBA")
        assert shown.getpixel((5, 5))[3] == 0
        assert shown.getpixel((each.width - 5, 5))[3] == 255


def test_a_png_with_a_transparent_colour_keeps_it() -> None:
    sent = pictures.encoded(pictures.upright(), "PNG", transparency=(220, 30, 30))
    for each in rewritten(sent).files:
        shown = pictures.quarters(each.data).convert("RGBA")
        assert shown.getpixel((5, 5))[3] == 0
        assert shown.getpixel((each.width - 5, 5))[3] == 255


@pytest.mark.parametrize("mode", ["1", "L"])
def test_a_png_of_gray_with_a_transparent_value_keeps_it(mode: str) -> None:
    image = Image.new("L", (400, 200), 255)
    image.paste(0, (0, 0, 200, 200))
    sent = pictures.encoded(image.convert(mode), "PNG", transparency=0)
    for each in rewritten(sent).files:
        shown = pictures.quarters(each.data).convert("RGBA")
        assert [shown.getpixel((x, 5))[3] for x in (5, each.width - 5)] == [0, 255]


def test_a_palette_keeps_how_transparent_each_colour_is() -> None:
    source = pictures.upright("P")
    sent = pictures.encoded(source, "PNG", transparency=bytes(range(0, 160, 10)))
    made = rewritten(sent)
    assert is_same(pictures.quarters(made.files[0].data), pictures.quarters(sent))
    shown, preview = (pictures.quarters(data).convert("RGBA") for data in (sent, made.files[1].data))
    alphas = [shown.getpixel((int(x * shown.width), int(y * shown.height)))[3] for x, y in pictures.COLOURS]
    assert len(set(alphas)) == 4
    assert alphas == [preview.getpixel((int(x * 320), int(y * preview.height)))[3] for x, y in pictures.COLOURS]


def test_a_gray_gif_keeps_its_transparency() -> None:
    image = Image.new("L", (400, 200), 200)
    image.paste(7, (0, 0, 200, 200))
    sent = pictures.encoded(image, "GIF", transparency=7)
    made = rewritten(sent)
    assert is_same(pictures.quarters(made.files[0].data), pictures.quarters(sent))
    for each in made.files:
        shown = pictures.quarters(each.data).convert("RGBA")
        assert [shown.getpixel((x, 5))[3] for x in (5, each.width - 5)] == [0, 255]


def test_exif_behind_the_pixels_of_a_png_turns_it() -> None:
    plain = pictures.encoded(pictures.upright().transpose(pictures.STORED_AS[6]), "PNG")
    made = rewritten(plain[:-12] + pictures.chunk(b"eXIf", pictures.tiff(6)) + plain[-12:])
    assert (made.width, made.height) == pictures.SIZE
    pictures.assert_upright(pictures.quarters(made.files[0].data))


def test_an_interlaced_png_is_read() -> None:
    made = rewritten(interlaced(pictures.upright()))
    assert is_same(pictures.quarters(made.files[0].data), pictures.upright())


def interlaced(image: Image.Image) -> bytes:
    """An interlaced PNG (Adam7), which Pillow does not write."""
    raw = bytearray()
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    for x0, y0, dx, dy in passes:
        for y in range(y0, image.height, dy):
            raw += b"\0"
            for x in range(x0, image.width, dx):
                raw += bytes(image.getpixel((x, y)))
    return png((*image.size, 8, 2, 0, 0, 1), bytes(raw))


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_a_jpeg_of_gray_or_for_print_is_shown_as_it_was(mode: str) -> None:
    made = rewritten(pictures.jpeg_with_all(3, image=pictures.upright(mode)))
    image = pictures.quarters(made.files[0].data)
    assert image.mode == ("L" if mode == "L" else "RGB")
    if mode == "CMYK":
        pictures.assert_upright(image)


@pytest.mark.parametrize(("sampling", "kept"), [(0, 0), (1, 1), (2, 2)])
def test_a_jpeg_keeps_how_its_colours_are_sampled(sampling: int, kept: int) -> None:
    made = rewritten(pictures.encoded(pictures.upright(), "JPEG", subsampling=sampling))
    image = pictures.quarters(made.files[0].data)
    assert JpegImagePlugin.get_sampling(image) == kept


@pytest.mark.parametrize(("sent", "written"), [(30, 75), (80, 80), (90, 90), (98, 90)])
def test_a_jpeg_is_not_made_better_than_it_was(sent: int, written: int) -> None:
    made = rewritten(pictures.encoded(pictures.upright(), "JPEG", quality=sent))
    image = pictures.quarters(made.files[0].data)
    assert isinstance(image, JpegImagePlugin.JpegImageFile)
    assert jpeg_quality(image.quantization[0]) == written


def test_a_table_of_nothing_is_the_best_quality() -> None:
    assert jpeg_quality(()) == 100
    assert jpeg_quality([1] * 64) == 100
    assert jpeg_quality([65_535] * 64) == 1


@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_webp_without_loss_stays_so(mode: str, lossless: bool) -> None:
    sent = pictures.webp_with_all(image=pictures.upright(mode), lossless=lossless)
    data = rewritten(sent).files[0].data
    assert (b"VP8L" in data[:64]) == lossless
    if lossless:
        assert is_same(pictures.quarters(data), pictures.upright(mode))


# --- Moving pictures, sizes of previews


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_of_a_moving_picture_only_previews_of_its_first_frame_are_written(kind: str) -> None:
    made = rewritten(pictures.moving(kind))
    assert made.previews_only
    assert [(each.side, max(each.width, each.height)) for each in made.files] == [(320, 320), (1600, 420)]
    for each in made.files:
        pictures.assert_upright(pictures.quarters(each.data))
        assert not getattr(pictures.quarters(each.data), "is_animated", False)


def test_a_small_moving_picture_has_a_preview_too() -> None:
    made = rewritten(pictures.moving("GIF", size=(40, 20)))
    assert [(each.side, each.width, each.height) for each in made.files] == [(320, 40, 20)]


@pytest.mark.parametrize(
    ("size", "previews"),
    [
        ((320, 200), []),
        ((200, 321), [(320, 199, 320)]),
        ((1600, 10), [(320, 320, 2)]),
        ((1601, 400), [(320, 320, 80), (1600, 1600, 400)]),
        ((1, 60_000), [(320, 1, 320), (1600, 1, 1600)]),
        ((60_000, 1), [(320, 320, 1), (1600, 1600, 1)]),
    ],
)
def test_previews_are_made_where_they_are_smaller(size: tuple[int, int], previews: list[tuple[int, int, int]]) -> None:
    made = rewritten(pictures.encoded(Image.new("RGB", size, "red"), "PNG"))
    assert [(each.side, each.width, each.height) for each in made.files[1:]] == previews


@pytest.mark.parametrize(
    ("size", "mode", "shown"),
    [((800, 600), "RGB", (240, 180)), ((60, 90), "RGBA", (60, 90)), ((3, 900), "L", (1, 240))],
)
def test_a_terminal_has_a_preview_of_its_own(size: tuple[int, int], mode: str, shown: tuple[int, int]) -> None:
    sent = io.BytesIO(pictures.encoded(pictures.upright(mode, size), "PNG"))
    preview = rewrite(sent, MOST_PIXELS, (TERMINAL_SIDE, *PREVIEW_SIDES)).files[1]
    assert (preview.kind, preview.side, (preview.width, preview.height)) == (PictureKind.PNG, TERMINAL_SIDE, shown)
    assert png_size(preview.data) == shown, "the client shows no other PNG"
    if min(shown) > 8:
        pictures.assert_upright(pictures.quarters(preview.data).convert("RGBA"))


def test_the_preview_for_a_terminal_is_never_too_large_for_it() -> None:
    worst = Image.frombytes("RGB", (240, 240), random.Random(5).randbytes(240 * 240 * 3))
    sent = io.BytesIO(pictures.encoded(worst, "PNG"))
    preview = rewrite(sent, MOST_PIXELS, (TERMINAL_SIDE,)).files[1]
    assert len(preview.data) <= MOST_BYTES


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_a_moving_picture_has_a_preview_for_terminals(kind: str) -> None:
    made = rewrite(io.BytesIO(pictures.moving(kind)), MOST_PIXELS, (TERMINAL_SIDE, *PREVIEW_SIDES))
    assert [(each.side, each.kind) for each in made.files] == [
        (TERMINAL_SIDE, PictureKind.PNG), (320, PictureKind.WEBP), (1600, PictureKind.WEBP),
    ]  # fmt: skip
    assert png_size(made.files[0].data) is not None


# --- Profiles


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_profile_that_does_what_ours_does_is_replaced_by_ours(kind: str) -> None:
    theirs = KEPT_PROFILES[0].replace("Display P3".encode("utf-16-be"), "SECRETPLAC".encode("utf-16-be"))
    assert theirs != KEPT_PROFILES[0]
    made = rewritten(pictures.encoded(pictures.upright(), kind, icc_profile=theirs))
    for each in made.files:
        assert pictures.quarters(each.data).info["icc_profile"] == KEPT_PROFILES[0]
        pictures.assert_upright(pictures.quarters(each.data))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_profile_of_srgb_is_left_out(kind: str) -> None:
    made = rewritten(pictures.encoded(pictures.upright(), kind, icc_profile=srgb_profile()))
    for each in made.files:
        assert "icc_profile" not in pictures.quarters(each.data).info
        pictures.assert_upright(pictures.quarters(each.data))


@pytest.mark.parametrize("profile", KEPT_PROFILES, ids=["P3", "Adobe RGB"])
def test_our_profiles_are_ones(profile: bytes) -> None:
    opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    assert opened.profile.xcolor_space == "RGB "
    assert opened.profile.is_matrix_shaper
    assert int.from_bytes(profile[:4], "big") == len(profile)
    colour, srgb = Image.new("RGB", (1, 1), (200, 100, 100)), ImageCms.createProfile("sRGB")
    shown = ImageCms.profileToProfile(colour, opened, srgb, outputMode="RGB")
    assert shown is not None
    assert shown.getpixel((0, 0))[0] > 205  # its red is redder than sRGB's


def test_colours_of_another_space_are_converted() -> None:
    """A profile in which red and blue have changed places: the picture's red is shown as blue."""
    profile = bytearray(KEPT_PROFILES[0])
    red, blue = profile.index(b"rXYZ"), profile.index(b"bXYZ")
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    made = rewritten(pictures.encoded(pictures.upright(), "PNG", icc_profile=bytes(profile)))
    shown = pictures.quarters(made.files[0].data)
    assert "icc_profile" not in shown.info
    assert shown.getpixel((5, 5))[2] > 200 > 60 > shown.getpixel((5, 5))[0]


@pytest.mark.parametrize("mode", ["RGBA", "P"])
def test_colours_are_converted_beside_transparency(mode: str) -> None:
    profile = bytearray(KEPT_PROFILES[0])
    red, blue = profile.index(b"rXYZ"), profile.index(b"bXYZ")
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    source = pictures.upright(mode)
    options = {}
    if mode == "RGBA":
        source.putalpha(Image.new("L", source.size, 77))
    else:
        options["transparency"] = source.getpixel((5, 5))
    made = rewritten(pictures.encoded(source, "PNG", icc_profile=bytes(profile), **options))
    shown = pictures.quarters(made.files[0].data).convert("RGBA")
    assert shown.getpixel((5, 5))[3] == (77 if mode == "RGBA" else 0)
    assert shown.getpixel((5, shown.height - 5))[0] > 180  # blue was


@pytest.mark.parametrize(
    "profile",
    [b"", b"nonsense", bytes(4 * 1024 * 1024), KEPT_PROFILES[0][:200]],
    ids=["empty", "garbage", "4 MiB", "half"],
)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_profile_that_cannot_be_used_is_as_none(mode: str, profile: bytes) -> None:
    made = rewritten(pictures.encoded(pictures.upright(mode), "JPEG", icc_profile=profile))
    assert "icc_profile" not in pictures.quarters(made.files[0].data).info
    if mode != "L":
        pictures.assert_upright(pictures.quarters(made.files[0].data))


def test_a_profile_of_4_mib_in_a_png_is_as_none() -> None:
    made = rewritten(pictures.encoded(pictures.upright(), "PNG", icc_profile=bytes(4 * 1024 * 1024)))
    pictures.assert_upright(pictures.quarters(made.files[0].data))


# --- Refusals


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"BM" + bytes(60),
        b"II*\0" + bytes(60),
        b"%PDF-1.7",
        b"<svg/>",
        pictures.a_zip(),
        b"\0\0\0\x18ftypheic" + bytes(30),
    ],
)
def test_other_files_are_no_pictures(data: bytes) -> None:
    with pytest.raises(RewriteRefused) as refused:
        rewritten(data)
    assert refused.value.reason is UnreadableReason.NOT_A_PICTURE


@pytest.mark.parametrize("kind", KINDS)
def test_pixels_are_judged_by_the_header(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = pictures.WITH_ALL[kind]()
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    monkeypatch.setattr("securechat.pictures.rewriting._pixels", lambda opened: pytest.fail("decoded"))
    with pytest.raises(RewriteRefused) as refused:
        rewritten(data, 420 * 260 - 1)
    assert refused.value.reason is UnreadableReason.TOO_MANY_PIXELS


def test_a_text_of_5_mib_is_no_reason_to_refuse_a_picture() -> None:
    data = pictures.png_with_all()
    text = pictures.chunk(b"zTXt", b"workflow\0\0" + zlib.compress(bytes(5 * 1024 * 1024)))
    pictures.assert_upright(pictures.quarters(rewritten(data[:33] + text + data[33:]).files[0].data))


def test_what_the_library_adds_one_day_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Image.Image.save

    def talkative(self: Image.Image, file: io.BytesIO, kind: str, **options: object) -> None:
        real(self, file, kind, **({"comment": b"made by"} if kind == "JPEG" else {}), **options)

    data = pictures.jpeg_with_all()
    monkeypatch.setattr(Image.Image, "save", talkative)
    with pytest.raises(RewriteRefused) as refused:
        rewritten(data)
    assert refused.value.reason is UnreadableReason.NOT_CLEAN
