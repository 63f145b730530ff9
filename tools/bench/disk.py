"""The disk's own mood: how long it takes to append 4 KiB and sync, in the directory where the log lives."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

BLOCK_BYTES = 4_096
_BLOCK = b"\xa5" * BLOCK_BYTES


class Probe:
    """Appends to a file of its own.

    Args:
        directory: on the disk in question.
    """

    def __init__(self, directory: Path) -> None:
        self._fd = os.open(directory / "probe.bin", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.times_ns: list[int] = []

    def run(self, rate: float, seconds: float) -> None:
        """Append and sync at this rate for so long: the rate of the messages it is compared with."""
        began = time.monotonic()
        for count in range(int(rate * seconds)):
            time.sleep(max(0.0, began + count / rate - time.monotonic()))
            before = time.monotonic_ns()
            os.write(self._fd, _BLOCK)
            os.fsync(self._fd)
            self.times_ns.append(time.monotonic_ns() - before)

    def close(self) -> None:
        """Leave the file to whoever removes the directory."""
        os.close(self._fd)


def describe(directory: Path) -> str:
    """Which device and file system the directory is on, as ``df`` tells it."""
    told = subprocess.run(
        ["df", "--output=source,fstype,target", str(directory)], capture_output=True, text=True, check=True
    )
    return " ".join(told.stdout.splitlines()[-1].split())
