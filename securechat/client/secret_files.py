"""Files of the user's own that a login needs: one with a password in it, one with a client certificate.

A password in a file that others can read is refused, as ssh refuses such keys: it is no secret. Nothing read here is
shown.
"""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from securechat.client import intents as want
from securechat.client import sentences_accounts as sentences
from securechat.errors import ConfigError, TlsFailure
from securechat.tls.client_keys import fingerprint_of_file
from securechat.tls.pem_files import os_reason

_MOST_BYTES = 4096
"""Read of a password file: several times what a password can have."""
_LABEL_CHARS = 64
"""model.AddCertificate"""


def read_password_file(path: Path) -> str:
    """Return the first line of a file.

    Raises:
        ConfigError: it cannot be read, is open to others, or holds nothing; ``reason`` is the sentence.
    """
    try:
        with path.open("rb") as file:
            _expect_private(path, os.fstat(file.fileno()))
            line = file.read(_MOST_BYTES).split(b"\n")[0].rstrip(b"\r")
    except OSError as error:
        raise _unusable(path, os_reason(error)) from None
    try:
        password = line.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _unusable(path, sentences.FILE_NO_TEXT) from None
    if not password:
        raise _unusable(path, sentences.FILE_EMPTY)
    return password


def _expect_private(path: Path, status: os.stat_result) -> None:
    if sys.platform != "win32" and stat.S_ISREG(status.st_mode) and status.st_mode & 0o077:
        raise _unusable(path, sentences.file_open_to_others(str(path)))


def _unusable(path: Path, why: str) -> ConfigError:
    return ConfigError(path, "--password-file", sentences.password_file(str(path), why))


def certificate_to_add(typed: str) -> want.AddCertificate | str:
    """Return the intent for ``/cert add FILE``, or the sentence that says what is wrong with the file."""
    path = Path(typed.strip("\"'")).expanduser()
    try:
        return want.AddCertificate(fingerprint_of_file(path), path.name[:_LABEL_CHARS])
    except TlsFailure as failure:
        return sentences.certificate_file(failure.detail)
