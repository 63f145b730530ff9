"""The program that writes one picture anew, in a process of its own: ``python -I -S worker.py`` (see `process`).

It reads the picture from descriptor 0, which is open for reading alone, and writes its answer (`answers`) to
descriptor 1. Before it looks at a byte of the picture it gives up what it does not need: memory, time, new files, new
processes. What it still could do, if a picture took it over, is to answer nonsense, and `process` believes nothing.

It knows its folders by its arguments, because it looks into no environment and runs no `site`.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

if sys.platform != "win32":
    import resource

MOST_MEMORY_BYTES = 512 * 1024 * 1024
"""Address space: 50 megapixels of JPEG that are turned need 440 MiB."""
MOST_CPU_S = 10
NOT_BEGUN = 70
"""The exit code of a process that has failed before it looked at the picture."""
NICENESS = 10
"""Talk comes first."""


def main(arguments: list[str]) -> None:
    """Answer for the picture at descriptor 0.

    Args:
        arguments: the folders of this package and of Pillow, the most pixels, and the sides of the previews.
    """
    root, pillow, most_pixels, *sides = arguments
    try:
        _give_up_resources()
        sys.path[:0] = [root]
        sys.path.append(pillow)
        from securechat.pictures import answers  # noqa: PLC0415  (found by the path alone)
        from securechat.pictures.rewriting import (  # noqa: PLC0415
            RewriteRefused,
            load_all,
            rewrite,
            use_four_formats,
        )

        use_four_formats(int(most_pixels))
        load_all()
        _give_up_files_and_processes()
    except Exception:  # noqa: BLE001  (a Pillow that cannot be loaded, memory: no fault of the picture)
        os._exit(NOT_BEGUN)
    parts: list[bytes]
    reasons = answers.UnreadableReason
    try:
        with os.fdopen(0, "rb", closefd=False) as file:
            made = rewrite(file, int(most_pixels), [int(each) for each in sides])
        rows = [answers.WrittenPicture(*each[:4], len(each.data)) for each in made.files]
        head = answers.encode_written(rows, made.width, made.height, previews_only=made.previews_only)
        parts = [head, *(each.data for each in made.files)]
    except RewriteRefused as error:
        parts = [answers.encode_unreadable(error.reason, error.detail)]
    except MemoryError:
        parts = [answers.encode_unreadable(reasons.NO_MEMORY, "")]
    except Exception as error:  # noqa: BLE001  (damaged files make libraries raise everything)
        parts = [answers.encode_unreadable(reasons.DAMAGED, f"{type(error).__name__}: {error}")]
    for part in parts:
        _write(part)


def _write(data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(1, left) :]


def _give_up_resources() -> None:
    if sys.platform != "win32":  # it has none of these limits: there the server's deadline is the only one
        with suppress(OSError):
            os.nice(NICENESS)
        _limit(resource.RLIMIT_AS, MOST_MEMORY_BYTES)
        _limit(resource.RLIMIT_CPU, MOST_CPU_S, MOST_CPU_S + 1)  # at the first SIGXCPU, which says why, then SIGKILL
        _limit(resource.RLIMIT_CORE, 0)


def _give_up_files_and_processes() -> None:
    """After every module is loaded: no descriptor beyond 0, 1 and 2 is given out any more, no thread, no process."""
    if sys.platform != "win32":
        _limit(resource.RLIMIT_FSIZE, 0)  # a pipe is no file
        _limit(resource.RLIMIT_NOFILE, 3)
        _limit(resource.RLIMIT_NPROC, 0)


def _limit(which: int, most: int, hard: int | None = None) -> None:
    if sys.platform != "win32":
        with suppress(OSError, ValueError):  # macOS has no RLIMIT_AS
            resource.setrlimit(which, (most, most if hard is None else hard))


if __name__ == "__main__":
    main(sys.argv[1:])
    os._exit(0)  # nothing is left to do: no module is torn down
