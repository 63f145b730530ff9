"""Connects the picture workers with the disk of files: each outcome is a picture to be kept, or a refusal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import assert_never

from securechat.errors import Refusal
from securechat.limits import PREVIEW_SIDES, Limits
from securechat.pictures.records import Picture, PictureNotWritten, PictureOutcome, PicturesBusy, UnreadablePicture
from securechat.pictures.workers import PictureWorkers
from securechat.storage.files.pictures import RewrittenPicture
from securechat.text.refusals import refusal_for

_RETRY_S = 5.0
"""Until a picture may be sent that found too many before it."""


class WorkerRewriter:
    """A `securechat.server.files.disk.PictureRewriter` with a process for each picture.

    Args:
        limits: of pictures.
    """

    def __init__(self, limits: Limits) -> None:
        self._workers = PictureWorkers(limits.picture_pixels, PREVIEW_SIDES, limits.picture_queue)

    def rewrite(self, source: Path, into: Path, done: Callable[[RewrittenPicture | Refusal], None]) -> None:
        """See `PictureRewriter.rewrite`."""
        self._workers.rewrite(source, into, lambda outcome: done(_outcome(outcome)))

    def close(self) -> None:
        """End what runs."""
        self._workers.close()


def _outcome(outcome: PictureOutcome) -> RewrittenPicture | Refusal:
    match outcome:
        case Picture():
            return RewrittenPicture(
                outcome.type,
                outcome.width,
                outcome.height,
                outcome.size_bytes,
                outcome.sha256,
                tuple((preview.side, preview.size_bytes) for preview in outcome.previews),
                not outcome.previews_only,
            )
        case UnreadablePicture():
            return refusal_for("picture_unreadable")
        case PicturesBusy():
            return refusal_for("pictures_busy", retry_after_s=_RETRY_S)
        case PictureNotWritten():
            return refusal_for("file_not_stored")
        case _:
            assert_never(outcome)
