"""The refusals that senders of files meet; a part of `refusals.REASONS`, with its rules.

Sizes are bytes: ``{most:size}`` shows them in words. Programs read these sentences too (the API, bots), so none names a
command of the terminal or a button of the page: what these offer, they say themselves.
"""

from __future__ import annotations

from collections.abc import Mapping

from securechat.errors import ErrorCode
from securechat.translation import N_

FILE_REASONS: Mapping[str, tuple[ErrorCode, str]] = {
    "files_off": (ErrorCode.FILES_OFF, N_("This server takes no files. Ask its administrator")),
    "file_too_large": (
        ErrorCode.FILE_TOO_LARGE,
        N_("The file has {size:size}, and at most {most:size} are allowed for one file. Send a smaller one"),
    ),
    "file_empty": (ErrorCode.INVALID, N_("The file is empty. Choose another one")),
    "files_quota_used_up": (
        ErrorCode.QUOTA,
        N_("Your files take {used:size} of {most:size}, so {left:size} are left. Delete some of them first"),
    ),
    "files_disk_full": (
        ErrorCode.DISK_FULL,
        N_("The server has no room for files left. Messages still go through. Tell its administrator"),
    ),
    "file_not_stored": (ErrorCode.DISK_FULL, N_("The server could not store the file. Try again later")),
    "uploads_used_up": (
        ErrorCode.TOO_MANY,
        N_("You have {count} files that are not sent yet, as many as allowed. Send or remove some first"),
    ),
    "guest_files_used_up": (
        ErrorCode.QUOTA,
        N_(
            "The files of your network's guests take {used:size} of {most:size}, so {left:size} are left. Register, "
            "or try again tomorrow"
        ),
    ),
    "uploads_of_network_used_up": (
        ErrorCode.TOO_MANY,
        N_("Your network has {count} files that are not sent yet, as many as allowed. Try again later"),
    ),
    "uploads_of_server_used_up": (ErrorCode.BUSY, N_("The server takes no further file for now. Try again later")),
    "no_such_file": (ErrorCode.NOT_FOUND, N_("There is no such file. Check its id")),
    "upload_unknown": (
        ErrorCode.NOT_FOUND,
        N_("The server does not have this file any more. Send it again"),
    ),
    "upload_removed": (ErrorCode.INVALID, N_("You have removed this file. Send the message without it")),
    "upload_used": (ErrorCode.INVALID, N_("This file is part of another message already. Send it again")),
    "upload_not_whole": (ErrorCode.FILE_NOT_READY, N_("The file is not whole yet. Send the rest of it first")),
    "text_too_long_with_files": (
        ErrorCode.TEXT_TOO_LONG,
        N_("With these files, the message may have {left} further characters at most. Shorten it"),
    ),
    "upload_in_use": (ErrorCode.BUSY, N_("The file is being sent by another connection. Wait for that one")),
    "upload_not_ready": (
        ErrorCode.FILE_NOT_READY,
        N_("The server is still at work on the file. Try again in a moment"),
    ),
    "picture_unreadable": (
        ErrorCode.PICTURE_UNREADABLE,
        N_("The picture cannot be read, so its place and time could not be removed. Send it as a file, with them"),
    ),
    "pictures_busy": (ErrorCode.BUSY, N_("The server is at work on other pictures. Try again in a moment")),
    "too_many_files": (ErrorCode.TOO_MANY, N_("A message has at most {most} files. Send the rest in another one")),
}
