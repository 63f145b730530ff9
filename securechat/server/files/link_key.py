"""The secret that makes the keys of links, in the data directory, so that links outlive a restart.

It is made when the first link is. Where it cannot be kept, a secret of this process does: then a browser loads its
pictures once more after a restart.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from securechat.files import NotRegular, open_own_file, read_regular

NAME = "link.key"
_SECRET_BYTES = 32


def link_secret(folder: Path, random_bytes: Callable[[int], bytes]) -> bytes:
    """Return the secret of a server; make it where there is none.

    Args:
        folder: of files; made where it is missing.
        random_bytes: that many, unguessable.
    """
    path = folder / NAME
    try:
        secret = read_regular(path, _SECRET_BYTES)
    except OSError:
        secret = b""
    if len(secret) == _SECRET_BYTES:
        return secret
    secret = random_bytes(_SECRET_BYTES)
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        _write(path, secret)
    except (OSError, NotRegular):
        pass
    return secret


def _write(path: Path, secret: bytes) -> None:
    """Write the file as a whole, under another name first; not synced: links that are lost are asked for anew."""
    temporary = path.with_name(f".{NAME}.new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(open_own_file(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as file:
        file.write(secret)
    temporary.replace(path)
