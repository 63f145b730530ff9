"""Judges whether what an earlier process wrote and did not sync is still there: unless the machine was started since.

The kernel keeps what a killed process has written. So the boot in which files were written last is noted in the data
directory; after another one, and where the system names none, only what was synced is trusted.
"""

from __future__ import annotations

from contextlib import suppress

from securechat.storage.files.file_system import FileSystem
from securechat.storage.files.layout import FileLayout
from securechat.storage.files.steps import read_whole, replace_synced, run

_BOOT_BYTES = 64


def is_same_boot(system: FileSystem, layout: FileLayout) -> bool:
    """Return whether the machine has run since files were written last."""
    boot = system.boot_id()
    try:
        noted = read_whole(system, layout.boot, _BOOT_BYTES)
    except OSError:
        return False
    return bool(boot) and noted == boot.encode()


def note_boot(system: FileSystem, layout: FileLayout) -> None:
    """Note this boot; a note that is lost makes the next start trust less."""
    with suppress(OSError):
        run(replace_synced(system, layout.boot, system.boot_id().encode()))
