"""The outcomes of a picture that was given to `PictureWorkers`."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from securechat.pictures.answers import UnreadableReason, preview_kind


def preview_type(side: int) -> str:
    """Return the media type of the preview of a side, whatever the picture's is."""
    return preview_kind(side).value


class Preview(NamedTuple):
    """A smaller copy of a picture.

    Attributes:
        side: the longer side that was asked for, pixels: its name.
        width: pixels.
        height: pixels.
        size_bytes: of its file.
    """

    side: int
    width: int
    height: int
    size_bytes: int


class Picture(NamedTuple):
    """A picture was written anew. Its files are not synced.

    Attributes:
        type: its media type, which is that of what was sent.
        width: pixels, upright.
        height: likewise.
        size_bytes: of what was written; 0 with ``previews_only``.
        sha256: of what was written; empty with ``previews_only``.
        previews: the smallest first; none where the picture is smaller itself.
        previews_only: it moves. The previews show its first frame, and the picture itself was not written: its bytes
            stay as they were sent, with all that is in them, and are a download.
    """

    type: str
    width: int
    height: int
    size_bytes: int
    sha256: bytes
    previews: tuple[Preview, ...]
    previews_only: bool = False


class UnreadablePicture(NamedTuple):
    """It cannot be written anew, now or later, and nothing was written.

    Attributes:
        reason: why.
        detail: for the operator's log: printable ASCII.
    """

    reason: UnreadableReason
    detail: str = ""


class PicturesBusy(NamedTuple):
    """Too many pictures wait, or the workers are closed: nothing was looked at, and it may be tried again."""


class PictureNotWritten(NamedTuple):
    """The disk or the system has failed, so that nothing is known about the picture. Nothing was written.

    Attributes:
        error: what it said.
    """

    error: Exception


PictureOutcome: TypeAlias = Picture | UnreadablePicture | PicturesBusy | PictureNotWritten
