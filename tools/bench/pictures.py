"""Times the picture worker, and shows how much memory it takes.

    python -m tools.bench.pictures [--rounds 5] [--case WORD]

Each round starts the worker's process as the server does, once for each case, in turns, and reads its answer to the
end. The table shows the medians: seconds by the clock and of the processor, and the largest resident memory of the
process. Pictures are made first, each by a process of its own, because a process that starts another counts its own
memory into the other's: noise of every size, as in a photo, EXIF that turns it, and quality 92. Needs Pillow.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from securechat.limits import PREVIEW_SIDES, Limits
from securechat.pictures.answers import HEAD_BYTES, decode_head
from securechat.pictures.process import worker_command

ROOT = Path(__file__).resolve().parents[2]
MAKE = """
import sys
from PIL import Image, ImageChops
Image.MAX_IMAGE_PIXELS = None
kind, mode, width, height, path = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
photo, cells, strength = None, 2, 110.0
while cells <= height:
    size = (max(2, cells * width // height), cells)
    noise = [Image.effect_noise(size, strength + 2) for _band in range(3)]
    layer = Image.merge("RGB", noise).resize((width, height), Image.Resampling.BICUBIC)
    photo = layer if photo is None else ImageChops.add(photo, layer, 1, -128)
    cells, strength = cells * 2, strength * 0.72
exif = Image.Exif()
exif[0x0112] = 6
more = {"exif": exif} if kind != "GIF" else {}
photo.convert(mode).save(path, kind, **({"quality": 92} if kind == "JPEG" else {}), **more)
"""


class Case(NamedTuple):
    name: str
    kind: str
    mode: str
    width: int
    height: int


CASES = (
    Case("JPEG, 2 megapixels", "JPEG", "RGB", 1632, 1224),
    Case("JPEG, 12 megapixels", "JPEG", "RGB", 4032, 3024),
    Case("JPEG, 50 megapixels", "JPEG", "RGB", 8160, 6120),
    Case("JPEG for print, 12 megapixels", "JPEG", "CMYK", 4032, 3024),
    Case("PNG, 2 megapixels", "PNG", "RGB", 1920, 1080),
    Case("PNG with transparency, 8 megapixels", "PNG", "RGBA", 3840, 2160),
    Case("WebP, 12 megapixels", "WEBP", "RGB", 4032, 3024),
    Case("GIF, 2 megapixels", "GIF", "P", 1920, 1080),
)


class Round(NamedTuple):
    wall_s: float
    cpu_s: float
    rss_mib: float
    written: int
    reason: str


def once(command: list[str], path: Path) -> Round:
    """Run the worker for one picture."""
    began = time.perf_counter()
    with path.open("rb") as file:
        process = subprocess.Popen(command, stdin=file, stdout=subprocess.PIPE, env={})
    assert process.stdout is not None
    head = decode_head(process.stdout.read(HEAD_BYTES), 2 + len(PREVIEW_SIDES))
    written = 0
    while piece := process.stdout.read(1 << 16):
        written += len(piece)
    process.stdout.close()
    _pid, process.returncode, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - began
    cpu_s = usage.ru_utime + usage.ru_stime
    return Round(wall_s, cpu_s, usage.ru_maxrss / 1024, written, head.reason.value if head.reason else "")


def main(arguments: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench.pictures", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--case", default="", metavar="WORD", help="only cases with this word in their name")
    options = parser.parse_args(arguments)
    command = worker_command(Limits().picture_pixels, PREVIEW_SIDES)
    cases = [case for case in CASES if options.case.lower() in case.name.lower()]
    with tempfile.TemporaryDirectory() as folder:
        nothing = Path(folder) / "nothing"
        nothing.write_bytes(b"no picture")
        paths = {"start of the process": nothing}
        for case in cases:
            paths[case.name] = Path(folder) / case.name.replace(" ", "-")
            shape = [case.kind, case.mode, str(case.width), str(case.height)]
            subprocess.run([sys.executable, "-c", MAKE, *shape, str(paths[case.name])], check=True)
        rounds: dict[str, list[Round]] = {name: [] for name in paths}
        for _round in range(options.rounds):
            for name, path in paths.items():
                rounds[name].append(once(command, path))
        print("| picture | sent | written, previews too | seconds | least, most | CPU s | resident |")
        print("|---|---|---|---|---|---|---|")
        for name, path in paths.items():
            print(row(name, path.stat().st_size, rounds[name]))
    return 0


def row(name: str, sent: int, rounds: list[Round]) -> str:
    """A line of the table."""
    walls = [each.wall_s for each in rounds]
    middle = statistics.median(walls)
    cpu = statistics.median(each.cpu_s for each in rounds)
    rss = max(each.rss_mib for each in rounds)
    kib = f"{sent / 1024:,.0f} KiB | {rounds[0].reason or f'{rounds[0].written / 1024:,.0f} KiB'}"
    return f"| {name} | {kib} | {middle:.2f} | {min(walls):.2f}, {max(walls):.2f} | {cpu:.2f} | {rss:.0f} MiB |"


if __name__ == "__main__":
    sys.exit(main())
