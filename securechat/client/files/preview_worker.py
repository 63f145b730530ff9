"""The program that writes one preview anew for a terminal, in a process of its own: ``python -I -S preview_worker.py``.

It reads the PNG of the server from descriptor 0 and writes what it made to descriptor 1: a PNG for kitty's protocol, or
the sixel images of the rows, a line each. Before it looks at a byte of the picture it gives up what it does not need,
as `securechat.pictures.worker` does; `preview_process` believes nothing that it answers.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

if sys.platform != "win32":
    import resource

MOST_MEMORY_BYTES = 256 * 1024 * 1024
"""Address space: a PNG of 58 KiB and 480 x 480 pixels of sixels take 20 MiB, Python itself about 40."""
MOST_CPU_S = 5
NICENESS = 10
"""The screen comes first."""
NOT_MADE = 65
"""The exit code where the bytes are no such picture."""
MOST_SIDE = 512
"""Of what is made for kitty's protocol, pixels: a preview, and see-through pixels that keep its aspect."""


def main(arguments: list[str]) -> int:
    """Write the picture at descriptor 0 anew; returns the exit code.

    Args:
        arguments: the folder of this package, the protocol, columns and rows of the preview, and the size of a cell in
            pixels.
    """
    root, protocol, *numbers = arguments
    columns, rows, cell_width, cell_height = map(int, numbers)
    sys.path[:0] = [root]
    from securechat.client.tty.png import MOST_BYTES, decoded, encoded, fitted, padded  # noqa: PLC0415 (by the path)
    from securechat.client.tty.sixel import sixel_strips  # noqa: PLC0415

    _give_up_resources()
    with os.fdopen(0, "rb", closefd=False) as file:
        data = file.read(MOST_BYTES + 1)
    picture = decoded(data) if len(data) <= MOST_BYTES else None
    if picture is None:
        return NOT_MADE
    width, height = columns * cell_width, rows * cell_height
    if protocol == "sixel":
        made = "\n".join(sixel_strips(fitted(picture, width, height), rows)).encode()
    else:
        made = encoded(padded(picture, width / height, MOST_SIDE))
    left = memoryview(made)
    while left:
        left = left[os.write(1, left) :]
    return 0


def _give_up_resources() -> None:
    if sys.platform != "win32":  # it has none of these limits: there the deadline is the only one
        with suppress(OSError):
            os.nice(NICENESS)
        _limit(resource.RLIMIT_AS, MOST_MEMORY_BYTES)
        _limit(resource.RLIMIT_CPU, MOST_CPU_S)
        _limit(resource.RLIMIT_CORE, 0)
        _limit(resource.RLIMIT_FSIZE, 0)  # a pipe is no file
        _limit(resource.RLIMIT_NOFILE, 3)
        _limit(resource.RLIMIT_NPROC, 0)


def _limit(which: int, most: int) -> None:
    if sys.platform != "win32":
        with suppress(OSError, ValueError):  # macOS has no RLIMIT_AS
            resource.setrlimit(which, (most, most))


if __name__ == "__main__":
    os._exit(main(sys.argv[1:]))  # nothing is left to do: no module is torn down
