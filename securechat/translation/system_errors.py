"""Says why the system refused something, in the language of the person: errno's usual messages as translated texts."""

from __future__ import annotations

import errno
import os
from typing import Final

from securechat.translation.catalogue import N_, Sentence

_MESSAGES: Final = {
    "EACCES": N_("Permission denied"),
    "EADDRINUSE": N_("Address already in use"),
    "EADDRNOTAVAIL": N_("Cannot assign requested address"),
    "EAFNOSUPPORT": N_("Address family not supported by protocol"),
    "EBADF": N_("Bad file descriptor"),
    "EBUSY": N_("Device or resource busy"),
    "ECONNABORTED": N_("Software caused connection abort"),
    "ECONNREFUSED": N_("Connection refused"),
    "ECONNRESET": N_("Connection reset by peer"),
    "EDQUOT": N_("Disk quota exceeded"),
    "EEXIST": N_("File exists"),
    "EFBIG": N_("File too large"),
    "EHOSTUNREACH": N_("No route to host"),
    "EINVAL": N_("Invalid argument"),
    "EIO": N_("Input/output error"),
    "EISDIR": N_("Is a directory"),
    "ELOOP": N_("Too many levels of symbolic links"),
    "EMFILE": N_("Too many open files"),
    "ENAMETOOLONG": N_("File name too long"),
    "ENETUNREACH": N_("Network is unreachable"),
    "ENFILE": N_("Too many open files in system"),
    "ENOENT": N_("No such file or directory"),
    "ENOSPC": N_("No space left on device"),
    "ENOTDIR": N_("Not a directory"),
    "ENOTEMPTY": N_("Directory not empty"),
    "EPERM": N_("Operation not permitted"),
    "EPIPE": N_("Broken pipe"),
    "EROFS": N_("Read-only file system"),
    "ETIMEDOUT": N_("Connection timed out"),
    "EXDEV": N_("Invalid cross-device link"),
}
_BY_NUMBER: Final = {getattr(errno, name): text for name, text in _MESSAGES.items() if hasattr(errno, name)}


def system_error(error: OSError) -> str:
    """Return why the system refused something: a `Sentence` where it is one of the usual reasons.

    Args:
        error: as the system raised it; a text of another origin in it stays as it is.
    """
    text = _BY_NUMBER.get(error.errno or 0)
    if text is not None and error.strerror == os.strerror(error.errno or 0):
        return Sentence(text)
    return error.strerror or str(error) or type(error).__name__
