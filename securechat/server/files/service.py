"""The files of one server: its disk, the secret of its links, its paths, and the daily look at disk and log.

Nothing here is imported by a server that takes no files, and nothing is made on the disk before the first one comes.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from securechat.containment import FILES
from securechat.limits import PREVIEW_SIDES
from securechat.model import FILES_FEATURE, PICTURES_FEATURE
from securechat.pictures.answers import TERMINAL_SIDE
from securechat.pictures.workers import PictureWorkers, available
from securechat.server.api import paths as api
from securechat.server.api.files import FilePaths
from securechat.server.files import paths as links
from securechat.server.files.disk import ThreadedFileDisk
from securechat.server.files.link_key import link_secret
from securechat.server.files.pictures import WorkerPictures
from securechat.storage.files.layout import FileLayout
from securechat.text.counts import counted

if TYPE_CHECKING:
    from securechat.hub.files.housekeeping import DiskComparison
    from securechat.hub.files.service import FileService
    from securechat.net.loop import Loop
    from securechat.server.api.peers import ProgramPeers
    from securechat.server.config.loading import ServerConfig
    from securechat.server.console import Console
    from securechat.server.web.programs import ProgramPaths

_COMPARE_S = 5.0
"""Seconds after the start, so that listing files does not delay clients that reconnect."""
_DAY_S = 86_400.0
_NAMED_FILES = 3
"""Of those that are missing; ``securechat-admin check`` names all."""


class ServerFiles:
    """What a server that takes files has besides.

    Args:
        config: the data directory and the limits.
        loop: gets what the disk's thread has done.
        console: is told what a comparison has found.
        warn: tells the operator.

    Attributes:
        disk: the bytes.
    """

    def __init__(self, config: ServerConfig, loop: Loop, console: Console, warn: Callable[[str], None]) -> None:
        self._folder = FileLayout(config.data).directory
        self._limits = config.limits
        self._loop = loop
        self._console = console
        self._warn = warn
        self._pictures = WorkerPictures(self._workers(), self._warn_later) if available() else None
        self.disk = ThreadedFileDisk(
            config.data, loop.post, pictures=self._pictures, on_trouble=warn, on_error=self._failed
        )

    def _workers(self) -> PictureWorkers:
        limits = self._limits
        return PictureWorkers(limits.picture_pixels, (TERMINAL_SIDE, *PREVIEW_SIDES), limits.picture_queue)

    def _warn_later(self, sentence: str) -> None:
        """Warn from any thread."""
        self._loop.post(lambda: self._warn(sentence))

    def for_hub(self) -> dict[str, Any]:
        """Return the arguments of `HubContext` about files."""
        features = (FILES_FEATURE,) if self._pictures is None else (FILES_FEATURE, PICTURES_FEATURE)
        return {"file_disk": self.disk, "link_secret": self._link_secret, "file_features": features}

    def _failed(self, error: Exception) -> None:
        self._loop.containment.report(FILES, "the disk of files", error)

    def _link_secret(self) -> bytes:
        return link_secret(self._folder, secrets.token_bytes)

    def paths(self, files: FileService, peers: ProgramPeers, behind: ProgramPaths | None) -> dict[str, ProgramPaths]:
        """Return the paths of uploads and downloads, by prefix.

        Args:
            files: of the hub.
            peers: of the tokens.
            behind: the rest of the API; None where programs have none.
        """
        return {
            api.PREFIX: FilePaths(files, peers, self._limits, behind),
            links.PREFIX: links.FileLinkPaths(files, peers.note_no_link),
        }

    def start(self, files: FileService) -> None:
        """Compare disk and log soon, and every day."""
        self._loop.call_later(_COMPARE_S, lambda: self._compare(files))

    def _compare(self, files: FileService) -> None:
        self._loop.call_later(_DAY_S, lambda: self._compare(files))  # first: should it fail, it is tried again
        if files.uploads.is_loaded and not files.uploads.is_empty:
            files.compare(self._compared)

    def _compared(self, found: DiskComparison) -> None:
        if found.swept:
            self._console.event("notice", f"{counted(found.swept, 'file')} without a message removed")
        if found.missing:
            some = ", ".join(found.missing[:_NAMED_FILES])
            self._console.event(
                "error",
                f"{counted(len(found.missing), 'file')} of messages not in the data directory, such as {some}; restore "
                "them from a backup",
            )

    def close(self) -> None:
        """End the threads, and the processes of pictures."""
        if self._pictures is not None:
            self._pictures.close()
        self.disk.close()
