"""Writes a text in the user's own editor: a file of mode 0600 that is deleted afterwards."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from securechat.client.ui.input.edit_buffer import MOST_CHARS, typable


def editor_command(environ: Mapping[str, str]) -> list[str]:
    """Return the command of the editor: $VISUAL, $EDITOR, or what every machine has."""
    command = environ.get("VISUAL") or environ.get("EDITOR") or ("notepad" if os.name == "nt" else "vi")
    return shlex.split(command, posix=os.name != "nt")


def edited(text: str, environ: Mapping[str, str]) -> str | None:
    """Run the editor over a text; returns what it left, without the newline that editors add, or None if it failed.

    The terminal must be the editor's meanwhile.
    """
    folder = tempfile.mkdtemp(prefix="securechat-")  # mode 0700
    path = Path(folder) / "message.txt"
    try:
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
        if subprocess.run([*editor_command(environ), str(path)], check=False).returncode:  # noqa: S603 - the user's own
            return None
        with path.open(encoding="utf-8", errors="replace") as file:
            return typable(file.read(MOST_CHARS + 1)).removesuffix("\n")[:MOST_CHARS]
    except (OSError, ValueError):
        return None
    finally:
        for left in Path(folder).glob("*"):  # editors leave copies
            left.unlink(missing_ok=True)
        Path(folder).rmdir()
