"""Files in the API: uploads by tus, a file as a message in one request, and downloads by token.

| method | path | does |
|---|---|---|
| POST, HEAD, PATCH, DELETE, OPTIONS | /uploads... | uploads in parts: `securechat.server.api.tus` |
| PUT | /rooms/{room}/files/{name} | sends a file; `text`, `as`; Idempotency-Key |
| PUT | /people/{person}/files/{name} | likewise, as a direct message |
| GET | /files/{id} | reads a file; `size`; Range |

The list of own files and everything else behind ``/api/`` is `ApiPaths`'s. A PUT is judged before its body comes, by
a draft that names no upload of this sender: the hub refuses that last of all, so everything else is right. With a key
that was used the hub answers with the message of then, and the body need not come.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Struct

from securechat.errors import Refusal
from securechat.hub.files.access import ReadableFile
from securechat.hub.files.links import FILES_ROOT
from securechat.hub.files.service import UPLOADS_ROOT
from securechat.hub.messages.posting import TRIAL_FILE, TRIAL_REASONS
from securechat.limits import MAX_FILE_NAME_BYTES, MAX_TEXT_CHARS
from securechat.model import Acked, AddUpload, AskLinks, Command, Direct, FileLinks, Say, StoredFile, UploadAdded
from securechat.server.api.answers import ApiAnswer
from securechat.server.api.problems import (
    ProblemError,
    RefusedError,
    error_answer,
    method_not_allowed,
    refused_as_problem,
)
from securechat.server.api.requests import expect_no_secret, key_of, number_parameter, parameters, segment, token_of
from securechat.server.api.routes import ApiCall, Target, in_room, stored, target_of
from securechat.server.api.tus import FINISH_S, TusPaths, no_bytes_with_creation
from securechat.server.api.tus import refused as refused_by_tus
from securechat.server.files.answers import file_answer
from securechat.text.refusals import refusal_for
from securechat.wire.http import HttpError, Request

if TYPE_CHECKING:
    from securechat.hub.files.service import FileService
    from securechat.hub.files.uploads import PendingUpload
    from securechat.hub.files.writing import UploadWriter
    from securechat.limits import Limits
    from securechat.server.api.peer import ProgramPeer, ProgramRequest, Steps
    from securechat.server.api.peers import ProgramPeers
    from securechat.server.web.programs import BodyExchange, Exchange, ProgramAnswer, ProgramPaths
    from securechat.server.web.site import Answering

_ROOT = "/api/v1"
_PUT = re.compile(rf"{_ROOT}/(rooms|people)/([^/]+)/files/([^/]+)\Z")
_GET = re.compile(rf"{_ROOT}/files/([^/]+)\Z")
_FILE_ID = re.compile(r"[0-9a-f]{32}\Z")
_PUT_PARAMETERS = ("text", "as")
_Steps: TypeAlias = Generator[Command, Any, Any]


class FilePaths:
    """The paths behind ``/api/`` of a server that takes files; implements `ProgramPaths`.

    Args:
        files: uploads and downloads.
        peers: of the tokens.
        limits: of files.
        behind: the rest of the API; None where programs have none. Then only uploads are here, which the page needs.
    """

    def __init__(self, files: FileService, peers: ProgramPeers, limits: Limits, behind: ProgramPaths | None) -> None:
        self._files = files
        self._peers = peers
        self._limits = limits
        self._behind = behind
        self._tus = TusPaths(files, peers, limits)

    def prepare(self) -> None:
        """See `ProgramPaths.prepare`."""
        if self._behind is not None:
            self._behind.prepare()

    def most_body(self, path: str, method: str) -> int:
        """See `ProgramPaths.most_body`."""
        if self._tus.is_here(path):
            return self._tus.most_body(method)
        if self._behind is None:
            return 0
        if method == "PUT" and _PUT.match(path):
            return self._limits.file_bytes
        return self._behind.most_body(path, method)

    def expect_no_secret(self, request: Request) -> None:
        """See `ProgramPaths.expect_no_secret`."""
        expect_no_secret(request)

    def is_known(self, request: Request) -> bool:
        """See `ProgramPaths.is_known`."""
        if self._tus.is_here(request.path) and self._tus.is_known(request):
            return True
        try:
            return self._peers.is_known(token_of(request))
        except HttpError:
            return False

    def begin(self, request: Request, address: str) -> Exchange | BodyExchange:
        """See `ProgramPaths.begin`."""
        path = request.path
        if self._tus.is_here(path):
            if self._behind is None and request.method == "POST":
                raise ProblemError(404, "no_such_path", "This server has no API for programs")
            return self._tus.begin(request, address)
        if self._behind is None:
            raise ProblemError(404, "no_such_path", "This server has no API for programs")
        if (put := _PUT.match(path)) is not None:
            return self._put(request, address, put)
        if (got := _GET.match(path)) is not None and request.method != "DELETE":
            return self._get(request, address, got[1])
        return self._behind.begin(request, address)

    def error_answer(self, error: HttpError) -> Answering:
        """See `ProgramPaths.error_answer`."""
        path = error.path or ""
        is_of_tus = self._tus.is_here(path)
        if type(error) is HttpError and error.status == 413:  # what was judged by the length of its body alone
            if path == UPLOADS_ROOT:
                error = no_bytes_with_creation()
            elif error.body_bytes > self._limits.file_bytes and (is_of_tus or _PUT.match(path)):
                most = self._limits.file_bytes
                error = RefusedError(refusal_for("file_too_large", size=error.body_bytes, most=most))
        return refused_by_tus(error) if is_of_tus else error_answer(error)

    def _put(self, request: Request, address: str, put: re.Match[str]) -> BodyExchange:
        if request.method != "PUT":
            raise method_not_allowed("PUT")
        token = token_of(request)
        query = parameters(request, _PUT_PARAMETERS)
        if query.get("as", "file") != "file":
            raise ProblemError(400, "bad_request", "The parameter as can only be file", args={"parameter": "as"})
        wanted = _Wanted(
            {"room" if put[1] == "rooms" else "person": segment(put[2])},
            segment(put[3]),
            query.get("text", ""),
            request.body_bytes,
            query.get("as") == "file",
            key_of(request),
        )
        if len(wanted.name) > 4 * MAX_FILE_NAME_BYTES:
            raise ProblemError(400, "bad_request", "The name of the file is too long")
        if len(wanted.text) > MAX_TEXT_CHARS:
            raise RefusedError(refusal_for("text_too_long", most=MAX_TEXT_CHARS))
        if not request.body_bytes:
            raise RefusedError(refusal_for("file_empty"))
        peer = self._peers.peer_of(token, address)
        peer.enter()
        return _PutExchange(self._files, peer, address, wanted)

    def _get(self, request: Request, address: str, raw: str) -> Exchange:
        if request.method not in ("GET", "HEAD"):
            raise method_not_allowed("DELETE", "GET", "HEAD")
        if request.body_bytes:
            raise ProblemError(413, "body_too_large", "This request has no body")
        token = token_of(request)
        size = number_parameter(parameters(request, ("size",)), "size")
        peer = self._peers.peer_of(token, address)
        peer.enter()
        return _ReadExchange(self._files, peer, address, request, raw, size)


class _Wanted(Struct, frozen=True):
    """What a PUT is to send.

    Attributes:
        parts: the conversation in its path.
        name: of the file.
        text: of the message; may be empty.
        size_bytes: of the body.
        as_file: whether a picture stays as it is.
        key: of the header Idempotency-Key.
    """

    parts: dict[str, str]
    name: str
    text: str
    size_bytes: int
    as_file: bool
    key: str | None


_BEGUN = ApiAnswer(100, b"", b"")
"""Stands for the answer of the first half of a request: the second one begins."""


class _PutExchange:
    """A file that becomes a message; a `securechat.server.web.programs.BodyExchange`."""

    answer_s: float | None = FINISH_S

    def __init__(self, files: FileService, peer: ProgramPeer, address: str, wanted: _Wanted) -> None:
        self._files = files
        self._peer = peer
        self._address = address
        self._wanted = wanted
        self._target = Target()
        self._upload: PendingUpload | None = None
        self._writer: UploadWriter | None = None
        self._request: ProgramRequest | None = None
        self._done: Callable[[ProgramAnswer], None] | None = None
        self._is_over = False

    # --- before the body

    def prepare(self, ready: Callable[[], None], done: Callable[[ProgramAnswer], None]) -> None:
        """See `BodyExchange.prepare`."""
        self._done = done

        def answered(made: Any) -> None:
            upload = self._upload
            if made is not _BEGUN or upload is None:
                self._answer(made)
                return
            self._writer = self._files.writing.open(upload, self._cut)
            self._writer.ready()
            ready()

        self._request = self._peer.carry_out(self._address, self._judged, answered)

    def _judged(self) -> Steps:
        wanted = self._wanted
        call = ApiCall(wanted.parts, {}, b"", False, wanted.key, self._peer.own_id, self._peer.server)
        self._target = yield from target_of(call)
        try:
            return stored((yield from self._posted([TRIAL_FILE])), 201)
        except Refusal as refusal:
            if refusal.reason not in TRIAL_REASONS:
                raise
        added: UploadAdded = yield AddUpload(0, wanted.name, wanted.size_bytes, wanted.as_file)
        self._upload = upload = self._files.uploads.get(added.id)
        if self._is_over:
            self._give_up()
        elif upload is not None:
            self._files.close_address(upload)
        return _BEGUN

    def _posted(self, file_ids: list[str]) -> _Steps:
        target, wanted = self._target, self._wanted
        if target.person is not None:
            return (yield Direct(0, target.person, wanted.text, None, wanted.key, file_ids))
        room = target.room or ""
        acked: Acked = yield from in_room(room, Say(0, room, wanted.text, None, wanted.key, None, file_ids))
        return acked

    # --- the body

    def has_room(self, more: Callable[[], None]) -> bool:
        """See `BodyExchange.has_room`."""
        assert self._writer is not None
        return self._writer.has_room(more)

    def take(self, data: bytes, more: Callable[[], None]) -> bool:
        """See `BodyExchange.take`."""
        assert self._writer is not None
        if self._writer.failure is not None:
            self._answer(refused_as_problem(self._writer.failure))
            return True
        return self._writer.write(data, more)

    def end(self) -> None:
        """See `BodyExchange.end`."""
        assert self._upload is not None
        self._files.writing.when_quiet(self._upload, self._ended, self._writer)

    def _ended(self) -> None:
        if self._is_over:
            return
        assert self._writer is not None
        assert self._upload is not None
        if self._writer.failure is not None:
            self._answer(refused_as_problem(self._writer.failure))
        else:
            self._files.writing.finish(self._upload, self._finished)

    def _finished(self, outcome: StoredFile | Refusal) -> None:
        if self._is_over:
            return
        if isinstance(outcome, Refusal):
            self._answer(refused_as_problem(outcome))
            return
        if self._writer is not None:
            self._writer.close()
        file_id = outcome.info.id

        def steps() -> Steps:
            return stored((yield from self._posted([file_id])), 201)

        self._request = self._peer.carry_out(self._address, steps, self._answer)

    def _cut(self) -> None:
        self._answer(refused_as_problem(refusal_for("upload_unknown")))

    # --- its end

    def _answer(self, made: Any) -> None:
        done, self._done = self._done, None
        self._over()
        if done is not None:
            done(made)

    def abandon(self) -> None:
        """See `BodyExchange.abandon`. No one knows the address of this upload: what has come of it goes."""
        self._done = None
        if self._request is not None:
            self._request.abandon()
        self._over()

    def _over(self) -> None:
        if self._is_over:
            return
        self._is_over = True
        if self._writer is not None:
            self._writer.close()
        self._give_up()
        self._peer.leave()

    def _give_up(self) -> None:
        """Give up the upload, unless it is a message's, or may become one: the log has the draft."""
        upload = self._upload
        if upload is not None and not upload.is_gone and not upload.is_claimed:
            self._files.writing.discard(upload)


class _ReadExchange:
    """A download by token: the hub makes a link for the login of the token, and the link is followed."""

    def __init__(
        self, files: FileService, peer: ProgramPeer, address: str, request: Request, file_id: str, size: int | None
    ) -> None:
        self._files = files
        self._peer = peer
        self._address = address
        self._request = request
        self._file_id = file_id
        self._size = size
        self._asked: ProgramRequest | None = None
        self._path = ""
        self._is_over = False

    def receive(self, body: bytes, done: Callable[[ProgramAnswer], None]) -> None:  # noqa: ARG002  (there is none)
        """See `Exchange.receive`."""

        def opened(file: ReadableFile | Refusal | None) -> None:
            if self._is_over:
                if isinstance(file, ReadableFile):
                    file.file.close()
                return
            self._leave()
            if file is None:  # where the hub has let go of the token meanwhile, as when it stops, no file is judged
                done(refused_as_problem(self._peer.refusal or refusal_for("no_such_file")))
            elif isinstance(file, Refusal):
                done(refused_as_problem(file))
            else:
                done(file_answer(self._request, file, self._size))

        def answered(made: Any) -> None:
            if made is _BEGUN:
                key = self._path.removeprefix(f"{FILES_ROOT}/{self._file_id}/")
                self._files.access.open(self._file_id, key, self._size, opened)
                return
            self._leave()
            done(made)

        self._asked = self._peer.carry_out(self._address, self._steps, answered)

    def _steps(self) -> Steps:
        if not _FILE_ID.match(self._file_id):
            raise refusal_for("no_such_file")
        linked: FileLinks = yield AskLinks(0, [self._file_id])
        self._path = linked.links[0].path
        return _BEGUN

    def abandon(self) -> None:
        """See `Exchange.abandon`."""
        if self._asked is not None:
            self._asked.abandon()
        self._leave()

    def _leave(self) -> None:
        if not self._is_over:
            self._is_over = True
            self._peer.leave()
