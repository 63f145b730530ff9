"""Brings the files' disk and the picture workers together: an outcome becomes a record of the disk, or a refusal.

A picture that was not written for want of space or memory is no unreadable one: its sender tries again later.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import assert_never

from securechat.errors import Refusal
from securechat.pictures.answers import UnreadableReason
from securechat.pictures.records import Picture, PictureNotWritten, PictureOutcome, PicturesBusy, UnreadablePicture
from securechat.pictures.workers import PictureWorkers
from securechat.storage.files.pictures import RewrittenPicture
from securechat.storage.files.steps import refusal_of
from securechat.text.refusals import refusal_for

_BUSY_RETRY_S = 5.0
"""A third of a full queue is worked off by then: a photo of 12 megapixels takes 0.34 s."""
_OF_PROCESS = frozenset(
    {
        UnreadableReason.NO_MEMORY, UnreadableReason.TOO_SLOW, UnreadableReason.NOT_CLEAN, UnreadableReason.CRASHED,
        UnreadableReason.BAD_ANSWER,
    }
)  # fmt: skip
"""What an operator is told, because the picture may be a good one; the rest says that it is none."""


class WorkerPictures:
    """A `securechat.server.files.disk.PictureRewriter` that runs the workers.

    Args:
        workers: run a process for each picture.
        on_trouble: told, on any thread, of what the operator has to know.
    """

    def __init__(self, workers: PictureWorkers, on_trouble: Callable[[str], None] = lambda _: None) -> None:
        self._workers = workers
        self._on_trouble = on_trouble

    def rewrite(
        self, source: Path, into: Path, done: Callable[[RewrittenPicture | Refusal], None], *, owner: int
    ) -> None:
        """Write a picture anew; see `PictureRewriter.rewrite`. ``done`` is called on any thread."""
        self._workers.rewrite(source, into, partial(self._answer, done), owner=owner)

    def close(self) -> None:
        """End what runs; see `PictureWorkers.close`."""
        self._workers.close()

    def _answer(self, done: Callable[[RewrittenPicture | Refusal], None], outcome: PictureOutcome) -> None:
        match outcome:
            case Picture():
                done(_rewritten(outcome))
            case UnreadablePicture(reason, detail):
                if reason in _OF_PROCESS:
                    self._on_trouble(f"the process of a picture gave up: {reason.value} {detail}".rstrip())
                done(refusal_for("picture_unreadable"))
            case PicturesBusy():
                done(refusal_for("pictures_busy", retry_after_s=_BUSY_RETRY_S))
            case PictureNotWritten(error):
                if not isinstance(error, FileNotFoundError):  # else its sender has given it up meanwhile
                    self._on_trouble(f"a picture could not be written anew: {error}")
                done(refusal_of(error) if isinstance(error, OSError) else refusal_for("file_not_stored"))
            case _:
                assert_never(outcome)


def _rewritten(picture: Picture) -> RewrittenPicture:
    previews = tuple((preview.side, preview.size_bytes) for preview in picture.previews)
    return RewrittenPicture(
        picture.type,
        picture.width,
        picture.height,
        picture.size_bytes,
        picture.sha256,
        previews,
        is_still=not picture.previews_only,
    )
