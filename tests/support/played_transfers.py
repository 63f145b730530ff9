"""Transfers of files that a test moves and ends, in place of `securechat.client.files.threads.FileTransfers`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
        small: paths, `came` and `done` of those that are read together.
    """

    def __init__(self) -> None:
        self.under_way: list[tuple[str, Callable[[int], None], Callable[[Any], None], FileTransfer]] = []
        self.targets: list[LocalTarget] = []
        self.discarded: list[str] = []
        self.small: list[tuple[list[str], Callable[[int, bytes], None], Callable[[], None]]] = []

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

    def read_small(
        self, paths: Sequence[str], _: int, came: Callable[[int, bytes], None], done: Callable[[], None]
    ) -> None:
        self.small.append((list(paths), came, done))

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
