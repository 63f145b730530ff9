"""Sends files in messages, and saves those of others, for a user interface: what is under way, and what is told of it.

Everything here runs on the network's thread; the transfers have threads of their own. A message with files is given to
the core when the server has every byte of them. Until then each file counts against the quota, so what is not sent is
taken back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

from msgspec import Struct, field

from securechat.client import catalogue
from securechat.client.catalogue.translation import refusal_sentence
from securechat.client.core import actions, events
from securechat.client.core.client import ClientCore
from securechat.client.core.events import UiEvent
from securechat.client.core.state import ConversationId
from securechat.client.files.https import FileGone, TransferError
from securechat.client.files.saving import LocalTarget, local_target
from securechat.client.files.sources import LocalFile
from securechat.client.files.threads import FileTransfer, FileTransfers
from securechat.model import FILES_FEATURE, PICTURES_FEATURE, FileId, FileInfo, FileLink
from securechat.pictures.answers import TERMINAL_SIDE
from securechat.text.sanitize import one_line

_LINK_TRIES = 2
"""Times that addresses are asked for: those of a login that has ended meanwhile lead nowhere."""
_UPLOAD_TRIES = 3
"""Times that one file is begun: the server may end before the upload is on its disk, or the disk may lose it."""
_MOST_PREVIEWS = 20
"""That wait: a screen has room for fewer."""
_PROGRESS_NAME_CHARS = 20


class FilesToSend(Struct, frozen=True):
    """A message with files of this machine.

    Attributes:
        files: looked at already.
        text: of the message; may be empty.
        target: where it goes; or
        to: the name of the person it goes to.
        as_file: pictures stay as they are.
        key: what a program calls the message.
    """

    files: tuple[LocalFile, ...]
    text: str
    target: ConversationId | None
    to: str = ""
    as_file: bool = False
    key: str | None = None


class FilesToSave(Struct, frozen=True):
    """Files of a message that the user wants here; ``typed`` says where, None for the downloads folder."""

    files: tuple[FileInfo, ...]
    typed: str | None = None


class FileNetwork(Protocol):
    """What is needed of the network's thread; see `securechat.client.network.NetworkThread`."""

    def want(self, action: actions.Action) -> None:
        """Pass an action to the core, on the network's thread."""


class _Looking(Struct, eq=False):
    """Previews whose addresses are asked for, by the ids of their files."""

    ids: tuple[FileId, ...]


class _OnFailure(Protocol):
    """Told when something is not sent or saved."""

    def __call__(self, *, refused: bool) -> None:
        """Take whether the server refused it."""


class _Sending(Struct, eq=False):
    """A message whose files are being sent."""

    asked: FilesToSend
    numbers: list[int] = field(default_factory=list)
    begun: dict[int, events.UploadAnswered] = field(default_factory=dict)
    done: int = 0
    moved: int = 0
    tries: int = 0
    transfer: FileTransfer | None = None
    over: bool = False


class _Saving(Struct, eq=False):
    """Files that are being saved."""

    asked: FilesToSave
    places: list[LocalTarget]
    number: int = 0
    tries: int = 0
    links: dict[FileId, str] = field(default_factory=dict)
    done: int = 0
    moved: int = 0
    transfer: FileTransfer | None = None
    over: bool = False


class FileSession:
    """The files of one session.

    Args:
        core: knows what the server can do.
        network: runs the core.
        transfers: moves the bytes.
        tell: shows a sentence to the user.
        changed: called when `progress` may be another one, and when something has ended.
        failed: called when something is not sent or saved, after it was told; with whether the server refused it.
        announce: whether it is told what is about to be sent.
        guest_words: tells a guest after how many seconds files are deleted.
        preview_came: gets what `look` asks for.
        most_preview_bytes: of a preview; a larger one is not read.
        saved: told where a file was saved, after the user was.
    """

    def __init__(
        self,
        core: ClientCore,
        network: FileNetwork,
        transfers: FileTransfers,
        tell: Callable[[str], None],
        *,
        changed: Callable[[], None] = lambda: None,
        failed: _OnFailure | None = None,
        announce: bool = True,
        guest_words: Callable[[float], str] = catalogue.files.guest_files,
        preview_came: Callable[[FileId, bytes], None] = lambda _id, _data: None,
        most_preview_bytes: int = 0,
        saved: Callable[[FileId, Path], None] = lambda _id, _path: None,
    ) -> None:
        self._core = core
        self._network = network
        self._transfers = transfers
        self._tell = tell
        self._changed = changed
        self._failed = failed or _ignore
        self._announce = announce
        self._guest_words = guest_words
        self._preview_came = preview_came
        self._most_preview_bytes = most_preview_bytes
        self._saved = saved
        self._told_guest = False
        self._numbers = 0
        self._under_way: list[_Sending | _Saving] = []
        self._waiting: dict[int, tuple[_Sending, int] | _Saving | _Looking] = {}
        self._previews: deque[FileId] = deque(maxlen=_MOST_PREVIEWS)
        self._is_looking = False
        self._paths: dict[FileId, str] = {}
        """Of uploads whose message has no answer yet."""

    @property
    def busy(self) -> bool:
        """Whether something is under way."""
        return bool(self._under_way)

    @property
    def progress(self) -> str:
        """How far the first of what is under way has come; empty where nothing is."""
        if not self._under_way:
            return ""
        job = self._under_way[0]
        file, count = job.asked.files[job.done], len(job.asked.files)
        shown = one_line(file.name)
        if len(shown) > _PROGRESS_NAME_CHARS:
            shown = f"{shown[: _PROGRESS_NAME_CHARS // 2]}…{shown[-_PROGRESS_NAME_CHARS // 2 :]}"
        return catalogue.files.progress(shown, min(100, job.moved * 100 // file.size), job.done + 1, count)

    # --- the user's wishes --------------------------------------------------------------------------------------------

    def send(self, asked: FilesToSend) -> None:
        """Send a message with files; each is announced to the server before the first byte is sent."""
        job = _Sending(asked)
        self._under_way.append(job)
        pictures = PICTURES_FEATURE in self._core.features
        if self._announce and FILES_FEATURE in self._core.features:
            for file in asked.files:
                self._tell(_before_sending(file, as_file=asked.as_file, pictures=pictures))
            self._tell_guest()
        for index in range(len(asked.files)):
            if job.over:
                break
            self._begin(job, index)
        self._changed()

    def _tell_guest(self) -> None:
        """Tell a guest, once, that files are deleted after some time."""
        hours = self._core.limits.get("guest_file_hours", 0.0)
        if hours and not self._core.account and not self._told_guest:
            self._told_guest = True
            self._tell(self._guest_words(hours * 3600))

    def save(self, asked: FilesToSave) -> None:
        """Save files of a message, one after the other."""
        alone = len(asked.files) == 1
        try:
            places = [local_target(asked.typed, file.name, alone=alone) for file in asked.files]
        except TransferError as error:
            self._tell(str(error))
            self._failed(refused=False)
            return
        job = _Saving(asked, places)
        self._under_way.append(job)
        self._ask_links(job)
        self._changed()

    def look(self, files: Iterable[FileInfo]) -> None:
        """Read the previews that a terminal shows, where there are some; each goes to ``preview_came``.

        Nothing is told of those that cannot be read. Of more than `_MOST_PREVIEWS` that wait, the newest are read.
        """
        self.look_at(file.id for file in files if TERMINAL_SIDE in file.previews)

    def look_at(self, file_ids: Iterable[FileId]) -> None:
        """Do so for files that have such a preview."""
        self._previews.extend(file_ids)
        self._look()

    def cancel(self) -> None:
        """End what is under way."""
        count = len(self._under_way)
        self._drop_all()
        if count:
            self._tell(catalogue.files.cancelled(count))
            self._changed()

    def finish(self) -> None:
        """Wait a moment, from any thread, until what was not sent is taken back; the session is over."""
        self._transfers.finish()

    # --- what the core shows ------------------------------------------------------------------------------------------

    def note(self, ui_event: UiEvent) -> None:
        """Take an event of the core."""
        match ui_event:
            case events.UploadAnswered():
                self._begun(ui_event)
            case events.FileLinksAnswered(number, links):
                job = self._waiting.pop(number, None)
                if isinstance(job, _Saving):
                    job.links = {link.id: link.path for link in links}
                    self._save_next(job)
                elif isinstance(job, _Looking):
                    self._read_previews(job, links)
            case events.FileRequestRefused(number):
                self._refused(self._waiting.pop(number, None), refusal_sentence(ui_event), ui_event.reason)
            case events.MessageAcked(message) | events.MessageRefused(message):
                paths = [self._paths.pop(file.id, "") for file in message.files]
                # With a key the answer may be the message of an earlier run, and these files are in none.
                if isinstance(ui_event, events.MessageRefused) or message.key is not None:
                    for path in filter(None, paths):
                        self._transfers.discard(path)
            case events.ClientEnded() if self._under_way:
                self._drop_all()
                self._tell(catalogue.files.UNFINISHED())
                self._failed(refused=False)
            case _:
                pass

    def _refused(self, waiting: tuple[_Sending, int] | _Saving | _Looking | None, why: str, reason: str) -> None:
        if isinstance(waiting, _Saving):
            self._not_saved(waiting, why, refused=True)
        elif isinstance(waiting, _Looking):
            self._look_again()
        elif waiting is not None:
            sending, index = waiting
            self._not_sent(sending, sending.asked.files[index].name, TransferError(why, "refused", reason))

    # --- sending ------------------------------------------------------------------------------------------------------

    def _begin(self, job: _Sending, index: int) -> None:
        number, file = self._next_number(), job.asked.files[index]
        job.numbers.append(number)
        self._waiting[number] = job, index
        self._network.want(actions.AskUpload(number, file.name, file.size, job.asked.as_file))

    def _begun(self, event: events.UploadAnswered) -> None:
        waiting = self._waiting.pop(event.number, None)
        if not isinstance(waiting, tuple):  # it was cancelled meanwhile
            self._transfers.discard(event.path)
            return
        job, index = waiting
        job.begun[index] = event
        if len(job.begun) == len(job.asked.files):
            self._send_next(job)

    def _send_next(self, job: _Sending) -> None:
        if job.done == len(job.asked.files):
            self._say(job)
            return
        file, begun = job.asked.files[job.done], job.begun[job.done]

        def moved(count: int) -> None:
            if not job.over:
                job.moved = count
                self._changed()

        def done(error: TransferError | None) -> None:
            if job.over:
                self._transfers.discard(begun.path)  # once more: the server may have been at its end
                return
            job.tries += 1
            if isinstance(error, FileGone) and job.tries < _UPLOAD_TRIES:
                job.transfer, job.moved = None, 0
                del job.begun[job.done]
                self._begin(job, job.done)
                return
            if error is not None:
                job.transfer = None
                self._not_sent(job, file.name, error)
                return
            job.done, job.moved, job.tries = job.done + 1, 0, 0
            self._send_next(job)

        job.transfer = self._transfers.upload(file, begun.path, moved, done)
        self._changed()

    def _say(self, job: _Sending) -> None:
        asked = job.asked
        files = tuple(actions.PendingFile(job.begun[index].id, file.name) for index, file in enumerate(asked.files))
        self._paths.update({begun.id: begun.path for begun in job.begun.values()})
        if asked.target is None:
            self._network.want(actions.SendDirect(asked.to, asked.text, files))
        else:
            self._network.want(actions.SendMessage(asked.text, asked.target, key=asked.key, files=files))
        self._end(job)  # not before: between the two a script would have nothing more to wait for
        self._changed()

    def _not_sent(self, job: _Sending, name: str, error: TransferError) -> None:
        self._drop(job)
        unreadable = error.reason == "picture_unreadable"
        told = catalogue.files.picture_unreadable if unreadable else catalogue.files.not_sent
        why = catalogue.files.delete_some(str(error)) if error.reason == "files_quota_used_up" else str(error)
        alone = len(job.asked.files) == 1 and not job.asked.text
        self._tell(told(one_line(name), why, alone=alone))
        self._failed(refused=bool(error.code))
        self._changed()

    # --- saving -------------------------------------------------------------------------------------------------------

    def _ask_links(self, job: _Saving) -> None:
        job.tries += 1
        job.number = self._next_number()
        self._waiting[job.number] = job
        self._network.want(actions.AskFileLinks(job.number, tuple(file.id for file in job.asked.files)))

    def _save_next(self, job: _Saving) -> None:
        if job.done == len(job.asked.files):
            self._end(job)
            self._changed()
            return
        file = job.asked.files[job.done]
        if (path := job.links.get(file.id)) is None:
            self._not_saved(job, catalogue.files.NOT_THERE(), refused=True)
            return

        def moved(count: int) -> None:
            if not job.over:
                job.moved = count
                self._changed()

        def done(result: Path | TransferError) -> None:
            if job.over:
                return
            if isinstance(result, FileGone) and job.tries < _LINK_TRIES:
                self._ask_links(job)
            elif isinstance(result, TransferError):
                self._not_saved(job, str(result), refused=bool(result.code))
            else:
                self._tell(catalogue.files.saved(one_line(str(result))))
                self._saved(file.id, result)
                job.done, job.moved = job.done + 1, 0
                self._save_next(job)

        job.transfer = self._transfers.save(path, file.size, job.places[job.done], moved, done)
        self._changed()

    def _not_saved(self, job: _Saving, why: str, *, refused: bool) -> None:
        self._drop(job)
        self._tell(catalogue.files.not_saved_file(one_line(job.asked.files[job.done].name), why))
        self._failed(refused=refused)
        self._changed()

    # --- previews -----------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Ask for the previews that are wanted, one batch behind the other."""
        if self._is_looking or not self._previews:
            return
        self._is_looking = True
        number, job = self._next_number(), _Looking(tuple(dict.fromkeys(self._previews)))
        self._previews.clear()
        self._waiting[number] = job
        self._network.want(actions.AskFileLinks(number, job.ids))

    def _read_previews(self, job: _Looking, links: Sequence[FileLink]) -> None:
        wanted = [link for link in links if link.id in job.ids]

        def came(index: int, data: bytes) -> None:
            self._preview_came(wanted[index].id, data)

        paths = [f"{link.path}?size={TERMINAL_SIDE}" for link in wanted]
        self._transfers.read_small(paths, self._most_preview_bytes, came, self._look_again)

    def _look_again(self) -> None:
        self._is_looking = False
        self._look()

    # --- both ---------------------------------------------------------------------------------------------------------

    def _next_number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _end(self, job: _Sending | _Saving) -> None:
        job.over = True
        if job in self._under_way:
            self._under_way.remove(job)

    def _drop_all(self) -> None:
        for job in tuple(self._under_way):
            self._drop(job)

    def _drop(self, job: _Sending | _Saving) -> None:
        """End a job without success, and take back what was begun."""
        self._end(job)
        if job.transfer is not None:
            job.transfer.cancel()
        numbers = job.numbers if isinstance(job, _Sending) else [job.number]
        for number in numbers:
            if self._waiting.pop(number, None) is not None:
                self._network.want(actions.DropFileRequest(number))
        if isinstance(job, _Sending):
            for begun in job.begun.values():
                self._transfers.discard(begun.path)


def _ignore(*, refused: bool) -> None:
    del refused


def _before_sending(file: LocalFile, *, as_file: bool, pictures: bool) -> str:
    """Tell what becomes of what is inside a file, before its first byte is sent."""
    name = one_line(file.name)
    if file.picture and pictures and not as_file:
        return catalogue.files.sending_picture(name, file.size)
    if file.picture or file.telling:
        return catalogue.files.sending_as_it_is(name, file.size, picture=file.picture)
    return catalogue.files.sending(name, file.size)
