"""Transfers of files that a test moves and ends, in place of `securechat.client.files.threads.FileTransfers`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from securechat.client.files.saving import LocalTarget
from securechat.client.files.sources import LocalFile
from securechat.client.files.threads import FileTransfer


class PlayedTransfers:
    """Notes each transfer.

    Attributes:
        under_way: path, `moved`, `done` and handle of each that has not ended.
        targets: of those that are saved.
        discarded: paths of uploads that were taken back.
    """

    def __init__(self) -> None:
        self.under_way: list[tuple[str, Callable[[int], None], Callable[[Any], None], FileTransfer]] = []
        self.targets: list[LocalTarget] = []
        self.discarded: list[str] = []

    def upload(
        self, _: LocalFile, path: str, moved: Callable[[int], None], done: Callable[[Any], None]
    ) -> FileTransfer:
        return self._begin(path, moved, done)

    def save(
        self, path: str, _: int, target: LocalTarget, moved: Callable[[int], None], done: Callable[[Any], None]
    ) -> FileTransfer:
        self.targets.append(target)
        return self._begin(path, moved, done)

    def read(self, path: str, _: int, done: Callable[[Any], None]) -> FileTransfer:
        return self._begin(path, lambda _: None, done)

    def discard(self, path: str) -> None:
        self.discarded.append(path)

    def finish(self) -> None:
        """Nothing is to be waited for."""

    def end(self, result: Any = None) -> str:
        """End the first one; returns its path."""
        path, _, done, _ = self.under_way.pop(0)
        done(result)
        return path

    def _begin(self, path: str, moved: Callable[[int], None], done: Callable[[Any], None]) -> FileTransfer:
        self.under_way.append((path, moved, done, FileTransfer()))
        return self.under_way[-1][3]
