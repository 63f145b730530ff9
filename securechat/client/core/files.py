"""Asks the server about files: where an upload goes, where a file is read, and what the user has sent.

The bytes of a file are none of the core's business: a user interface transfers them over HTTPS. Questions that a
transfer waits for outlive a connection, as messages do: each is asked until it is answered or no longer wanted. An
upload that the server has begun, and whose answer was lost with the connection, is begun anew; the server gives the
first one up by itself (`limits.upload_hours`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias, assert_never

from securechat.client.core import actions, events
from securechat.client.core.context import CoreContext
from securechat.client.core.conversations import Conversations
from securechat.client.core.events.requests import RejectReason
from securechat.client.core.pending import PendingFileRequest
from securechat.client.core.timing import retry_at
from securechat.model import (
    FILES_FEATURE,
    AddUpload,
    AskFiles,
    AskLinks,
    Done,
    FileLinks,
    FileList,
    Refused,
    RemoveUpload,
    UploadAdded,
)
from securechat.text.refusals import refusal_for

_Kept: TypeAlias = actions.AskUpload | actions.AskFileLinks
_AtOnce: TypeAlias = actions.ShowFiles | actions.DropUpload


class FileRequests:
    """The questions about files.

    Args:
        context: shared state.
        conversations: what /more asks for next.
    """

    def __init__(self, context: CoreContext, conversations: Conversations) -> None:
        self._context = context
        self._conversations = conversations
        self._waiting: dict[int, tuple[_Kept, float]] = {}
        """Those to be asked, by number, each with the earliest time; the others are among the open requests."""

    @property
    def deadline(self) -> float | None:
        """When `send_due` has something to do."""
        return min((at for _, at in self._waiting.values()), default=None)

    def request(self, action: actions.FileAction) -> None:
        """Ask, now or once connected."""
        context = self._context
        match action:
            case actions.AskUpload(number) | actions.AskFileLinks(number):
                self._waiting[number] = action, context.now
            case actions.DropFileRequest(number):
                self._waiting.pop(number, None)
            case actions.ShowFiles(after):
                self._conversations.next_page = None
                if context.require_online():
                    self._send(action, partial(AskFiles, after=after))
            case actions.DropUpload(id):
                if context.require_online():
                    self._send(action, partial(RemoveUpload, id=id))
            case _:
                assert_never(action)

    def send_due(self) -> None:
        """Ask what may be asked now; called while online."""
        due = [action for action, at in self._waiting.values() if at <= self._context.now]
        for action in due:
            del self._waiting[action.number]
            match action:
                case actions.AskUpload(_, name, size, as_file):
                    self._send(action, partial(AddUpload, name=name, size=size, as_file=as_file))
                case actions.AskFileLinks(_, ids):
                    self._send(action, partial(AskLinks, ids=list(ids)))
                case _:
                    assert_never(action)

    def _send(
        self, action: _Kept | _AtOnce, make: Callable[[int], AddUpload | AskLinks | AskFiles | RemoveUpload]
    ) -> None:
        if FILES_FEATURE in self._context.features:
            self._context.send(make(self._context.requests.ask(PendingFileRequest(action))))
        else:  # an older server answers such a command without its ref
            refusal = refusal_for("files_off")
            self._refuse(action, Refused.of(refusal))

    # --- answers ------------------------------------------------------------------------------------------------------

    def answered(self, event: UploadAdded | FileLinks | FileList | Done) -> None:
        """Show an answer."""
        request = self._context.requests.take(event.ref)
        if not isinstance(request, PendingFileRequest):
            return  # the answer to a question of an earlier connection
        match event, request.action:
            case UploadAdded(_, id, path, name, until_ms), actions.AskUpload(number):
                self._context.show(events.UploadAnswered(number, id, path, name, until_ms))
            case FileLinks(_, links), actions.AskFileLinks(number):
                self._context.show(events.FileLinksAnswered(number, tuple(links)))
            case FileList(_, files, more, used, most, uploads), actions.ShowFiles():
                if more and files:
                    self._conversations.next_page = actions.ShowFiles(files[-1].file.id)
                self._context.show(events.FilesShown(tuple(files), more, used, most, tuple(uploads)))
            case Done(), actions.DropUpload(_, name):
                self._context.show(events.UploadGone(name))
            case _:
                pass  # a server that mixes up its answers

    def refused(self, request: PendingFileRequest, event: Refused) -> None:
        """Ask again later where the server only has no time for it now; otherwise show the refusal."""
        again_at = retry_at(event, self._context.now)
        if again_at is not None and isinstance(request.action, actions.AskUpload | actions.AskFileLinks):
            self._waiting[request.action.number] = request.action, again_at
        else:
            self._refuse(request.action, event)

    def unanswered(self, request: PendingFileRequest) -> None:
        """The connection broke before the answer: ask on the next one."""
        if isinstance(request.action, actions.ShowFiles | actions.DropUpload):
            self._context.reject(RejectReason.AWAY)
        else:
            self._waiting[request.action.number] = request.action, self._context.now

    def _refuse(self, action: _Kept | _AtOnce, event: Refused) -> None:
        if isinstance(action, actions.ShowFiles | actions.DropUpload):
            self._context.show(events.RequestRefused.of(event))
        else:
            self._context.show(
                events.FileRequestRefused(action.number, event.code, event.text, event.reason, event.arguments)
            )
