"""Uploads in parts by tus 1.0.0 (https://tus.io/protocols/resumable-upload), with four extensions.

They are creation, expiration, termination and checksum.
``POST /api/v1/uploads`` makes an upload with a token; ``HEAD``, ``PATCH`` and ``DELETE`` at the address that it gives
need none, because the address is a secret. All of tus stands in this module, so that another protocol can stand beside
it.

A newer PATCH takes an upload over from an older one, whose connection may hang. The offset is judged when the disk has
answered what the older one brought. With the last byte the upload is finished, which the answer waits for: a picture is
written anew then. One that cannot be read is refused, and an empty PATCH at its end, with ``Upload-As: file``, keeps it
as it is.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from hmac import compare_digest
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec import Struct

from securechat.errors import Refusal
from securechat.hub.files.service import UPLOADS_ROOT
from securechat.limits import MAX_FILE_NAME_BYTES
from securechat.model import AddUpload, StoredFile, UploadAdded
from securechat.server.api.answers import JSON, RULES, ApiAnswer
from securechat.server.api.exchange import ProgramExchange
from securechat.server.api.problems import ProblemError, RefusedError, error_answer, method_not_allowed, refusal_answer
from securechat.server.api.requests import MOST_ID, token_of
from securechat.server.web.dates import http_date
from securechat.text.refusals import refusal_for
from securechat.wire.http import Headers, HttpError, Request, response, response_head

if TYPE_CHECKING:
    from securechat.hub.files.service import FileService
    from securechat.hub.files.uploads import PendingUpload
    from securechat.hub.files.writing import UploadWriter
    from securechat.limits import Limits
    from securechat.server.api.peer import Steps
    from securechat.server.api.peers import ProgramPeers
    from securechat.server.web.programs import BodyExchange, Exchange, ProgramAnswer

VERSION = "1.0.0"
EXTENSIONS = "creation,expiration,termination,checksum"
CHECKSUMS = ("sha1", "sha256")
PART_TYPE = b"application/offset+octet-stream"
FINISH_S = 120.0
"""Seconds for the end of an upload: pictures wait for one another, each for a second at most."""
_SOON_S = 1.0
"""Until a request may succeed that came before the uploads of an earlier process are read."""
_RESUMABLE = ("Tus-Resumable", VERSION)
_NUMBER = re.compile(rb"(?:0|[1-9][0-9]{0,15})\Z")
_ADDRESS = re.compile(rf"{UPLOADS_ROOT}/([0-9a-f]{{32}})/([0-9a-f]{{32}})\Z")
_METADATA_KEY = re.compile(rb"[\x21-\x2b\x2d-\x7e]+\Z")
_MOST_METADATA = 16
_CHECKSUM_MISMATCH = 460
"""The status of tus for a part whose checksum is another one; no other protocol has it."""


class UploadBegun(Struct, frozen=True):
    """The answer to a creation, besides its Location.

    Attributes:
        id: to be named in a message.
        name: of the file, as it will be shown.
        until_ms: the upload is given up then, UTC milliseconds.
    """

    id: str
    name: str
    until_ms: int


class TusAnswer(Struct, frozen=True):
    """One answer.

    Attributes:
        status: of the status line.
        headers: besides those of every answer.
        body: its JSON.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def answer(self, request: Request, *, date: str, closes: bool) -> bytes:
        """Return the answer as bytes; see `securechat.wire.http.response`."""
        typed: Headers = (("Content-Type", JSON),) if self.body else ()
        head = response_head(self.status, (*typed, _RESUMABLE, *RULES, *self.headers))
        has_body = self.status not in (204, 304)
        return response(head, self.body, date=date, closes=closes, has_body=has_body, is_head=request.method == "HEAD")


class _Checksum(NamedTuple):
    """What the header Upload-Checksum says of a part."""

    algorithm: str
    digest: bytes


def refused(refusal: Refusal | HttpError) -> ApiAnswer:
    """Return the answer to a refusal, of the hub or of HTTP."""
    made = refusal_answer(refusal) if isinstance(refusal, Refusal) else error_answer(refusal)
    name, value = _RESUMABLE
    return ApiAnswer(made.status, made.head + f"{name}: {value}\r\n".encode(), made.body)


class TusPaths:
    """The paths of uploads; a part of `securechat.server.api.files.FilePaths`.

    Args:
        files: the uploads.
        peers: of the tokens, and the rate of addresses that are none.
        limits: of a file.
    """

    def __init__(self, files: FileService, peers: ProgramPeers, limits: Limits) -> None:
        self._files = files
        self._peers = peers
        self._limits = limits

    @staticmethod
    def is_here(path: str) -> bool:
        """Whether a path is of uploads."""
        return path == UPLOADS_ROOT or path.startswith(f"{UPLOADS_ROOT}/")

    def most_body(self, method: str) -> int:
        """Return how long a body may be."""
        return self._limits.file_bytes if method == "PATCH" else 1

    def is_known(self, request: Request) -> bool:
        """Whether the address is that of an upload."""
        found = _ADDRESS.match(request.path)
        return found is not None and self._files.upload_at(found[1], found[2]) is not None

    def begin(self, request: Request, address: str) -> Exchange | BodyExchange:
        """Judge a request by its head.

        Raises:
            HttpError: it is refused.
        """
        method = request.method
        if request.target != request.path:
            raise ProblemError(400, "bad_request", "This address takes no query")
        if method == "OPTIONS":
            return _Made(self._options())
        if request.values(b"tus-resumable") != [VERSION.encode()]:
            raise ProblemError(
                412,
                "tus_version",
                f"This server speaks tus {VERSION}. Send Tus-Resumable: {VERSION}",
                headers=[("Tus-Version", VERSION)],
            )
        if request.path == UPLOADS_ROOT:
            if method != "POST":
                raise method_not_allowed("OPTIONS", "POST")
            return self._creation(request, address)
        upload = self._upload(request, address)
        if method == "PATCH":
            return self._part(request, upload)
        if request.body_bytes:
            raise ProblemError(413, "body_too_large", "This request has no body")
        if method == "HEAD":
            return _OffsetExchange(self._files, upload)
        if method == "DELETE":
            return self._termination(upload)
        raise method_not_allowed("DELETE", "HEAD", "OPTIONS", "PATCH")

    def _options(self) -> TusAnswer:
        return TusAnswer(
            204,
            (
                ("Tus-Version", VERSION),
                ("Tus-Extension", EXTENSIONS),
                ("Tus-Max-Size", str(self._limits.file_bytes)),
                ("Tus-Checksum-Algorithm", ",".join(CHECKSUMS)),
            ),
        )

    def _upload(self, request: Request, address: str) -> PendingUpload:
        found = _ADDRESS.match(request.path)
        upload = self._files.upload_at(found[1], found[2]) if found is not None else None
        if upload is None and not self._files.uploads.is_loaded:  # it may be one of the earlier process
            raise RefusedError(refusal_for("uploads_of_server_used_up", retry_after_s=_SOON_S))
        if upload is None and found is not None and self._files.uploads.was_removed(found[1]):
            raise RefusedError(refusal_for("upload_removed"))
        if upload is None:
            self._peers.note_no_upload(address)
            raise ProblemError(404, "not_found", refusal_for("upload_unknown").detail)
        return upload

    def _creation(self, request: Request, address: str) -> Exchange:
        if request.body_bytes:
            raise no_bytes_with_creation()
        if request.values(b"upload-defer-length"):
            raise ProblemError(400, "bad_request", "This server needs Upload-Length at the creation of an upload")
        size_bytes = _number(request, b"upload-length")
        metadata = _metadata(request)
        if metadata.get("as", "file") != "file":
            words = "The value of as in Upload-Metadata is: file, in Base64"
            raise ProblemError(400, "bad_request", words, args={"parameter": "as"})
        name, as_file = metadata.get("filename", ""), is_as_file(request) or "as" in metadata
        if len(name) > 4 * MAX_FILE_NAME_BYTES:
            raise ProblemError(400, "bad_request", "The name of the file is too long")
        peer = self._peers.peer_of(token_of(request), address)
        peer.enter()

        def steps(_: bytes) -> Steps:
            added: UploadAdded = yield AddUpload(0, name, size_bytes, as_file)
            body = msgspec.json.encode(UploadBegun(added.id, added.name, added.until_ms))
            upload = self._files.uploads.get(added.id)
            until_ms = added.until_ms if upload is None else upload.until_ms
            return TusAnswer(201, (("Location", added.path), ("Upload-Expires", http_date(until_ms // 1000))), body)

        return ProgramExchange(peer, address, steps, refused)

    def _part(self, request: Request, upload: PendingUpload) -> BodyExchange:
        if [each.partition(b";")[0].strip().lower() for each in request.values(b"content-type")] != [PART_TYPE]:
            raise ProblemError(415, "media_type", f"A part is {PART_TYPE.decode()}")
        offset = _number(request, b"upload-offset")
        checksum = _checksum(request)
        return _PartExchange(self._files, upload, offset, request.body_bytes, checksum, as_file=is_as_file(request))

    def _termination(self, upload: PendingUpload) -> Exchange:
        if upload.is_claimed or upload.is_finishing:
            raise ProblemError(423, "locked", refusal_for("upload_in_use").detail)
        self._files.writing.discard(upload)
        return _Made(TusAnswer(204))


class _Made:
    """A request whose answer is made already."""

    def __init__(self, made: TusAnswer) -> None:
        self._made = made

    def receive(self, body: bytes, done: Callable[[ProgramAnswer], None]) -> None:  # noqa: ARG002  (there is none)
        """See `Exchange.receive`."""
        done(self._made)

    def abandon(self) -> None:
        """Nothing is under way."""


class _OffsetExchange:
    """A HEAD.

    Clients of tus take an upload for finished whose offset is its length. So one that is whole, and whose end was
    never reached, because the server was killed or busy, is finished before it is told.
    """

    def __init__(self, files: FileService, upload: PendingUpload) -> None:
        self._writing = files.writing
        self._upload = upload
        self._is_over = False

    def receive(self, body: bytes, done: Callable[[ProgramAnswer], None]) -> None:  # noqa: ARG002  (there is none)
        """See `Exchange.receive`."""

        def finished(outcome: StoredFile | Refusal) -> None:
            if not self._is_over:
                done(refused(outcome) if isinstance(outcome, Refusal) else self._answer())

        state = self._upload.state
        if self._upload.is_whole and state.stored is None and not state.unreadable:
            self._writing.when_whole(self._upload, finished)
        else:
            done(self._answer())

    def _answer(self) -> TusAnswer:
        return _offset_answer(self._upload, 200, (("Upload-Metadata", _metadata_of(self._upload)),))

    def abandon(self) -> None:
        """See `Exchange.abandon`."""
        self._is_over = True


class _PartExchange:
    """A PATCH; a `securechat.server.web.programs.BodyExchange`.

    A part with a checksum counts as a whole or not at all.
    """

    answer_s: float | None = FINISH_S

    def __init__(
        self,
        files: FileService,
        upload: PendingUpload,
        offset: int,
        size_bytes: int,
        checksum: _Checksum | None,
        *,
        as_file: bool,
    ) -> None:
        self._files = files
        self._writing = files.writing
        self._upload = upload
        self._offset = offset
        self._size_bytes = size_bytes
        self._checksum = checksum
        self._hash = None if checksum is None else hashlib.new(checksum.algorithm)
        self._as_file = as_file
        self._writer: UploadWriter | None = None
        self._done: Callable[[ProgramAnswer], None] | None = None
        self._has_begun = False
        self._is_judged = checksum is None  # nothing is there that its checksum has not been asked about
        self._is_over = False

    def prepare(self, ready: Callable[[], None], done: Callable[[ProgramAnswer], None]) -> None:
        """See `BodyExchange.prepare`."""
        self._done = done
        self._writer = self._writing.open(self._upload, self._cut)
        self._writing.when_quiet(self._upload, lambda: self._begin(ready), self._writer)

    def _begin(self, ready: Callable[[], None]) -> None:
        if self._done is None:
            return
        assert self._writer is not None
        upload = self._upload
        if upload.is_gone:
            self._answer(refused(self._gone()))
        elif self._offset != upload.state.offset:
            self._answer(_wrong_offset(upload))
        elif self._offset + self._size_bytes > upload.state.size_bytes:
            sentence = "The part goes beyond the length that the upload was begun with. Ask for its offset by HEAD"
            self._answer(refused(ProblemError(413, "body_too_large", sentence)))
        else:
            unjudged_from = self._offset if self._checksum is not None and self._size_bytes else None
            self._writing.note_unjudged(upload, unjudged_from, lambda refusal: self._noted(refusal, ready))

    def _noted(self, refusal: Refusal | None, ready: Callable[[], None]) -> None:
        """The disk knows whether the bytes of this part are judged when they come, also over a crash."""
        if self._done is None:
            return
        assert self._writer is not None
        if refusal is not None:
            self._answer(refused(refusal))
        else:
            self._has_begun = True
            self._writer.ready()
            ready()

    def has_room(self, more: Callable[[], None]) -> bool:
        """See `BodyExchange.has_room`."""
        assert self._writer is not None
        return self._writer.has_room(more)

    def take(self, data: bytes, more: Callable[[], None]) -> bool:
        """See `BodyExchange.take`."""
        assert self._writer is not None
        if self._hash is not None:
            self._hash.update(data)
        if self._writer.failure is not None:
            self._answer(refused(self._writer.failure))
            return True
        return self._writer.write(data, more)

    def end(self) -> None:
        """See `BodyExchange.end`."""
        self._writing.when_quiet(self._upload, self._ended, self._writer)

    def _ended(self) -> None:
        if self._done is None:
            return
        assert self._writer is not None
        if self._writer.failure is not None:
            self._answer(refused(self._writer.failure))
            return
        if self._checksum is not None and self._hash is not None:
            if not compare_digest(self._hash.digest(), self._checksum.digest):
                self._writing.roll_back(self._upload, self._offset, self._rolled_back)
                return
            self._is_judged = True
        if self._upload.is_whole:  # its end is noted on the disk, with what follows from it
            self._judged(None)
        else:
            self._writing.note_unjudged(self._upload, None, self._judged)

    def _judged(self, refusal: Refusal | None) -> None:
        if self._done is None:
            return
        if refusal is not None:
            self._answer(refused(refusal))
        elif self._upload.is_whole:
            self._writing.finish(self._upload, self._finished, as_file=self._as_file)
        else:
            self._answer(_offset_answer(self._upload, 204))

    def _rolled_back(self, refusal: Refusal | None) -> None:
        if refusal is not None:
            self._answer(refused(refusal))
        else:
            self._is_judged = True
            self._answer(_mismatch())

    def _finished(self, outcome: StoredFile | Refusal) -> None:
        self._answer(refused(outcome) if isinstance(outcome, Refusal) else _offset_answer(self._upload, 204))

    def _cut(self) -> None:
        """A newer request has taken the upload over, or it is gone."""
        if self._upload.is_gone:
            self._answer(refused(self._gone()))
        else:
            self._answer(refused(ProblemError(423, "locked", refusal_for("upload_in_use").detail)))

    def _gone(self) -> Refusal:
        was_removed = self._files.uploads.was_removed(self._upload.file_id)
        return refusal_for("upload_removed" if was_removed else "upload_unknown")

    def _answer(self, made: ProgramAnswer) -> None:
        done, self._done = self._done, None
        self._leave()
        if done is not None:
            done(made)

    def abandon(self) -> None:
        """See `BodyExchange.abandon`: what has come stays, but for a part whose checksum cannot be judged."""
        self._done = None
        self._leave()

    def _leave(self) -> None:
        """Bring nothing more, and take off what was not judged, however the request ends."""
        if self._writer is None or self._is_over:
            return
        self._is_over = True
        self._writer.close()
        if self._has_begun and not self._is_judged:
            self._writing.when_quiet(self._upload, self._drop_part)

    def _drop_part(self) -> None:
        if not self._upload.is_gone and self._upload.state.stored is None and self._upload.state.offset > self._offset:
            self._writing.roll_back(self._upload, self._offset, self._dropped)

    def _dropped(self, refusal: Refusal | None) -> None:
        """Give the upload up where the disk cannot take the part off: nothing may stay that was not judged."""
        if refusal is not None and not self._upload.is_gone:
            self._writing.discard(self._upload)


def is_as_file(request: Request) -> bool:
    """Whether a request says that a picture stays as it is.

    Raises:
        ProblemError: 400, it says something else.
    """
    words = request.words(b"upload-as")
    if words not in ([], ["file"]):
        raise ProblemError(400, "bad_request", "The header Upload-As is: file", args={"parameter": "upload-as"})
    return bool(words)


def _offset_answer(upload: PendingUpload, status: int, headers: tuple[tuple[str, str], ...] = ()) -> TusAnswer:
    state = upload.state
    return TusAnswer(
        status,
        (
            ("Upload-Offset", str(state.offset)),
            ("Upload-Length", str(state.size_bytes)),
            ("Upload-Expires", http_date(upload.until_ms // 1000)),
            *headers,
        ),
    )


def _wrong_offset(upload: PendingUpload) -> ApiAnswer:
    headers = [("Upload-Offset", str(upload.state.offset))]
    sentence = "The part does not begin where the upload ends. Ask for its offset by HEAD"
    return refused(ProblemError(409, "wrong_offset", sentence, headers=headers))


def _mismatch() -> ApiAnswer:
    """The answer of tus to a part that has changed on its way; its status has no phrase in Python."""
    made = refused(ProblemError(400, "checksum_mismatch", "The part has changed on its way. Send it again"))
    head = made.head.replace(b"HTTP/1.1 400 Bad Request", b"HTTP/1.1 460 Checksum Mismatch", 1)
    return ApiAnswer(_CHECKSUM_MISMATCH, head, made.body.replace(b'"status":400', b'"status":460', 1))


def _number(request: Request, name: bytes) -> int:
    """Return the number in a header.

    Raises:
        ProblemError: 400, it is missing or none, or there are two.
    """
    values = request.values(name)
    if len(values) != 1 or not _NUMBER.match(values[0]) or int(values[0]) > MOST_ID:
        raise ProblemError(400, "bad_request", f"The request needs one header {name.decode().title()} with a number")
    return int(values[0])


def _checksum(request: Request) -> _Checksum | None:
    """Return what Upload-Checksum says.

    Raises:
        ProblemError: 400, it is no checksum, or not of an algorithm that this server has.
    """
    values = request.values(b"upload-checksum")
    if not values:
        return None
    algorithm, _, encoded = values[0].partition(b" ")
    name = algorithm.decode("iso-8859-1").lower()
    try:
        digest = b64decode(encoded, validate=True)
    except binascii.Error:
        digest = b""
    if len(values) != 1 or name not in CHECKSUMS or len(digest) != hashlib.new(name).digest_size:
        words = f"Upload-Checksum is one of {', '.join(CHECKSUMS)}, a space, and the checksum in Base64"
        raise ProblemError(400, "bad_request", words)
    return _Checksum(name, digest)


def _metadata(request: Request) -> dict[str, str]:
    """Return the metadata of a creation that mean something here; all must be well formed.

    Raises:
        ProblemError: 400.
    """
    found: dict[str, str] = {}
    pairs = b",".join(request.values(b"upload-metadata")).split(b",", _MOST_METADATA)
    if len(pairs) > _MOST_METADATA:
        raise _bad_metadata()
    for pair in pairs:
        name, _, encoded = pair.strip().partition(b" ")
        if not name and len(pairs) == 1:
            return {}
        if not _METADATA_KEY.match(name) or name.decode() in found:
            raise _bad_metadata()
        try:
            found[name.decode()] = b64decode(encoded, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise _bad_metadata() from None
    return found


def no_bytes_with_creation() -> ProblemError:
    """Return the refusal of a creation with bytes: creation-with-upload is none of the extensions here."""
    words = "This server takes no bytes with the creation of an upload. Send them by PATCH to its Location"
    return ProblemError(413, "body_too_large", words)


def _bad_metadata() -> ProblemError:
    return ProblemError(400, "bad_request", "Upload-Metadata is a list of keys, each with its value in Base64 of UTF-8")


def _metadata_of(upload: PendingUpload) -> str:
    """Return what is kept of the metadata, as HEAD tells it."""
    told = f"filename {b64encode(upload.state.name.encode()).decode()}"
    return f"{told},as {b64encode(b'file').decode()}" if upload.state.as_file else told
