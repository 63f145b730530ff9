"""--send --file: sends files in one message, waits until it is stored, and ends."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from securechat.client import catalogue
from securechat.client.core import events
from securechat.client.core.client import ClientCore
from securechat.client.core.events import UiEvent
from securechat.client.core.state import ConnectionPhase
from securechat.client.exit_codes import ClientExit
from securechat.client.files.https import FileServer
from securechat.client.files.session import FileSession, FilesToSend
from securechat.client.files.sources import LocalFile
from securechat.client.files.threads import FileTransfers
from securechat.client.network import ServerTarget
from securechat.client.pipe.pipes import PROGRESS_S, STALLED_S, WAIT_S, PipeSend

FILE_STALLED_S = 180.0
"""Time without progress of a file after which sending gives up: the end of a picture may take the server 120 s."""


def pipe_files(mode: PipeSend, server_target: ServerTarget, *, announce: bool, patience_s: float | None) -> FileSession:
    """Return the files of a pipe mode, which tells about them on stderr and ends with an exit code of its own."""

    def failed(*, refused: bool) -> None:
        over = mode.core.leaving or mode.core.phase is ConnectionPhase.ENDED
        mode.worsen(ClientExit.MESSAGE_REFUSED if refused and not over else ClientExit.LINES_LOST)

    server = FileServer(server_target.host, server_target.port, server_target.ca_pem)
    return FileSession(
        mode.core,
        mode.network,
        FileTransfers(server, mode.network.post, patience_s),
        mode.notice,
        changed=mode.files_moved,
        failed=failed,
        announce=announce,
        guest_words=catalogue.files.guest_files_of_script,
    )


class PipeSendFiles(PipeSend):
    """Sends files, and reads nothing from stdin.

    Args:
        files: looked at already.
        text: of the message.
        as_file: pictures stay as they are.
    """

    def __init__(
        self,
        core: ClientCore,
        server_target: ServerTarget,
        room: str,
        files: tuple[LocalFile, ...],
        text: str,
        *,
        as_file: bool = False,
        message_key: str | None = None,
        wait_s: float = WAIT_S,
    ) -> None:
        super().__init__(core, server_target, room, message_key=message_key, wait_s=wait_s)
        key = None if message_key is None else f"{message_key}:1"
        self._asked = FilesToSend(files, text, self.key, as_file=as_file, key=key)
        # A job's log has what went wrong; words before sending are for one who reads them then.
        self._files = pipe_files(self, server_target, announce=sys.stderr.isatty(), patience_s=STALLED_S)
        self._last_progress = ""
        self._last_progress_at = 0.0

    def begin(self) -> None:
        """Read nothing."""

    @property
    def busy(self) -> bool:
        """Whether files are on their way."""
        return self._files.busy

    def on_ui_events(self, ui_events: Sequence[UiEvent]) -> None:
        """Follow the files, and begin to send them once logged in: the server then has told what it can do."""
        for ui_event in ui_events:
            self._files.note(ui_event)
        super().on_ui_events(ui_events)
        if any(isinstance(each, events.LoggedIn) for each in ui_events) and not self.core.leaving:
            self._input_over = True
            self._files.send(self._asked)
            self._watch()
            self._watch_files()

    def ended(self) -> None:
        """Take back what was not sent."""
        self._files.finish()

    def _watch_files(self) -> None:
        """Give up when no file moves for too long: a job in a pipeline must end."""
        now, progress = self.network.now, self._files.progress
        if progress != self._last_progress:
            self._last_progress, self._last_progress_at = progress, now
        if not self.busy or self.core.phase is ConnectionPhase.ENDED:
            return
        if now - self._last_progress_at >= FILE_STALLED_S:
            self.notice(catalogue.connection.stalled(FILE_STALLED_S))
            self.finish(ClientExit.LINES_LOST, 0.0)
        else:
            self.network.call_later(PROGRESS_S, self._watch_files)

    def files_moved(self) -> None:
        """Report the progress every few seconds, at a terminal."""
        now = self.network.now
        if self._progress_at is None:
            self._progress_at = now
        elif sys.stderr.isatty() and self._files.busy and now - self._progress_at >= self._progress_s:
            self._progress_at = now
            self.notice(self._files.progress)
        self.pull()

    def tell_of_line(self, ui_event: UiEvent, number: int | None) -> None:
        """There are no lines."""
        del number
        super().tell_of_line(ui_event, None)
