"""One connection that speaks HTTP: requests in, answers of the site out, and perhaps the way to a session.

One request is answered at a time. The next one waits until the client has read the answer before, and all connections
share the turns of a pass. Nothing here is told to the operator but a visit: browsers open connections ahead and never
use them, and end them without a word.

The body of a request is read for the paths of programs alone, after what stands behind them has judged the head
(`securechat.server.web.programs`). A request of a member's program that is answered later does not pause the
connection: nothing is read behind it, but its end is noticed. Bodies and answers that are not kept whole are moved by
`securechat.server.web.transfers`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from securechat.client_address import origin_of
from securechat.net.interfaces import TransportHandler
from securechat.net.socket_options import CloseReason
from securechat.server.web.dates import date
from securechat.server.web.policy import SECURITY_HEADERS, error_answer
from securechat.server.web.programs import (
    BodyExchange,
    Exchange,
    FileAnswer,
    ProgramAnswer,
    ProgramPaths,
    StreamAnswer,
    is_streamed,
)
from securechat.server.web.rates import FILE_COST, MOST_WAIT_S
from securechat.server.web.transfers import Download, Upload
from securechat.server.web.turns import turns_of, turns_of_body
from securechat.wire.http import (
    CONTINUE,
    Authority,
    HttpError,
    HttpServerCodec,
    Request,
    no_body,
    response,
    response_head,
)
from securechat.wire.websocket import answer_upgrade

if TYPE_CHECKING:
    from securechat.server.session import Cancellable
    from securechat.server.web.interfaces import WebContext, WebLink
    from securechat.server.web.site import Answering

SOCKET_PATH = "/ws"
_LOOKS = 4
"""At a download, within the time in which something of it must be taken."""
_NO_REQUEST = Request("GET", "/", Authority("", 443), None, ())
"""Stands for one whose head was refused: the answer has a body, whatever its method was."""


class HttpConnection:
    """One connection, from its handshake to its end or its upgrade.

    Args:
        link: the transport.
        web: what all connections share.

    Attributes:
        origin: what its address is counted as.
    """

    __slots__ = (
        "_began", "_behind", "_body", "_busy", "_codec", "_counted", "_download", "_exchange", "_left_bytes", "_link",
        "_over", "_paused", "_queued", "_request", "_requests", "_session", "_stopping", "_stream", "_timer", "_upload",
        "_waits_for_body", "_web", "origin",
    )  # fmt: skip

    def __init__(self, link: WebLink, web: WebContext[HttpConnection]) -> None:
        self._link = link
        self._web = web
        self._codec = HttpServerCodec(no_body if web.programs is None else web.programs.most_body)
        self.origin = origin_of(link.address)
        self._requests = 0
        self._began = False  # a part of a request has come
        self._queued = False  # for a turn
        self._busy = False  # a request is being answered, or waits
        self._request: Request | None = None  # waits for the rate, for its body, or for its answer
        self._exchange: Exchange | None = None  # of a program's request that has begun
        self._upload: Upload | None = None  # of one whose body is not kept
        self._waits_for_body = False
        self._download: Download | None = None  # the answer that is sent as it is taken
        self._body: bytes | None = None  # of it, whole: waits for its turn
        self._counted = False  # as a program's connection
        self._stopping = False  # the answer that is awaited is the last one
        self._behind = False  # the client has not read what it was sent
        self._left_bytes = 0  # queued when the deadline was last due
        self._paused = False
        self._over = False
        self._session: TransportHandler | None = None  # after the upgrade
        self._stream: TransportHandler | None = None  # behind the head of an answer without an end
        self._timer: Cancellable | None = None

    # --- the transport's side

    def handshake_done(self) -> None:
        """The TLS handshake is done; the client may take its time, as browsers connect ahead."""
        if self._over:  # it was closed meanwhile
            return
        self._link.owes_hello = False
        self._set_timer(self._web.limits.web_keep_alive_s, self._idle_late)

    def data_received(self, data: bytes) -> None:
        """Take decrypted bytes."""
        if self._session is not None:  # the transport notices a new handler only at its next read
            self._session.data_received(data)
        elif self._stream is not None:
            self._stream.data_received(data)
        elif not self._over:
            self._codec.receive_data(data)
            if not self._busy:
                self._look()
            elif self._waits_for_body and self._upload is None:
                self._take_body()
            elif self._is_awaited:  # the client does not wait for the answer
                self._pause()

    def backlog_started(self) -> None:
        """The client does not read as fast as it is answered."""
        self._behind = True
        if self._stream is not None:
            self._stream.backlog_started()
        elif self._download is not None:
            self._download.backlog_started()

    def backlog_over(self) -> None:
        """The client has read everything."""
        self._behind = False
        if self._stream is not None:
            self._stream.backlog_over()
        elif self._download is not None:
            self._download.backlog_over()
        elif self._busy and self._request is None and not self._over:
            self._wait_for_turn()

    def outbox_overflow(self) -> None:
        """One answer at a time is queued, so that only limits smaller than a file come to this."""
        if self._stream is not None:
            self._stream.outbox_overflow()
            return
        self._end()
        self._link.close_with(drop_backlog=True)

    def failed(self) -> None:
        """Work for this connection raised."""
        if self._stream is not None:
            self._stream.failed()
            return
        if self._download is not None:  # the head of its answer is sent
            self._end()
            self._link.close_with(drop_backlog=True)
            return
        self._refuse(self._of_request(HttpError(500, "This server has met an error of its own.")))

    def connection_lost(self, reason: CloseReason, detail: str) -> None:
        """The transport is closed; the operator is not told of it."""
        self._end()
        if self._stream is not None:
            self._stream.connection_lost(reason, detail)
        self._web.closed(self)

    # --- for the owner

    @property
    def label(self) -> str:
        """Address and port."""
        return self._link.label

    def fail(self) -> None:
        """Close after work for this client raised; see `securechat.containment.Owner`."""
        self._link.fail()

    @property
    def is_answering(self) -> bool:
        """Whether a program's request has come whole, and waits for its answer, for the rest of it or of its stream."""
        return self._stream is not None or (self._is_awaited and not self._waits_for_body)

    @property
    def _is_awaited(self) -> bool:
        """Whether a program's request has begun that is not answered yet, or not wholly."""
        return self._exchange is not None or self._upload is not None or self._download is not None

    @property
    def is_idle(self) -> bool:
        """Whether it is open without a request, or a part of one."""
        return not (self._over or self._busy or self._began)

    def close(self) -> None:
        """Close: the server stops. A program's request that has come whole is answered first: the log may have it.

        A stream stays until the hub lets go of every member, and is told why. A download goes on for as long as the
        server waits for its clients; what is left then is cut (`cut`). An upload ends here: what has come of it stays.
        """
        if self.is_answering:
            self._stopping = True
            return
        self._end()
        self._link.close_with()

    def cut(self) -> None:
        """End what is left: the time of a stop is over."""
        if self._stream is None and not self._over:
            self._end()
            self._link.abort()

    @property
    def turns(self) -> int:
        """How many turns of a pass its next request takes, or the body that waits for them."""
        return turns_of(self._codec.head_bytes) if self._body is None else turns_of_body(len(self._body))

    def go_on(self) -> None:
        """The turn of the next request has come, or that of its body."""
        if self._body is not None:
            body, self._body = self._body, None
            self._carry_out(body)
            return
        self._queued = False
        if not self._over and not self._behind:
            self._answer_next()

    # --- one request after the other

    def _look(self) -> None:
        """See whether a request has come whole."""
        if self._codec.ready:
            self._busy = True
            if self._behind:
                self._pause()
                self._set_timer(self._web.limits.web_keep_alive_s, self._idle_late)
            elif self._web.turns.take(self.turns):
                self._answer_next()
            else:
                self._wait_for_turn()
        elif not self._began:
            self._began = True
            self._set_timer(self._web.limits.web_headers_s, self._head_late)

    def _wait_for_turn(self) -> None:
        self._pause()
        if not self._queued:
            self._queued = True
            self._web.turns.wait(self)

    def _answer_next(self) -> None:
        try:
            request = self._codec.next_request()
        except HttpError as error:
            self._refuse(error)
            return
        assert request is not None
        if not self._is_of_programs(request):  # those may keep a connection for long: they are counted and paced
            self._requests += 1
        wait_s = self._charge(request)
        if wait_s > MOST_WAIT_S:
            again = ("Retry-After", str(int(wait_s) + 1))
            self._request = request
            refusal = HttpError(429, "Too many requests come from this address; try again later.", [again])
            self._refuse(self._of_request(refusal), request)
        elif wait_s:
            self._request = request
            self._pause()
            self._set_timer(wait_s, self._rate_over)
        else:
            self._answer(request)

    def _charge(self, request: Request) -> float:
        """Count a request against the rate of its address; returns the seconds that it must wait."""
        web = self._web
        cost = 1.0
        if web.programs is not None and web.programs.most_body(request.path, request.method):
            if web.programs.is_known(request):  # the hub has rates for it; what never gets there is bounded here
                cost = FILE_COST
        elif web.site.is_file(request.path):
            cost = FILE_COST
        return web.rates.take(self.origin, cost, web.scheduler.now)

    def _rate_over(self) -> None:
        request, self._request = self._request, None
        if request is not None:
            self._answer(request)

    def _answer(self, request: Request) -> None:
        web = self._web
        if web.programs is not None and web.programs.most_body(request.path, request.method):
            self._begin(web.programs, request)
            return
        if (probe := web.probes.find(request.path)) is not None:
            self._answer_with(probe, request)
            return
        try:
            web.hosts.expect_ours(request)
            if request.path == web.socket_path:
                self._upgrade(request)
                return
        except HttpError as error:
            self._refuse(error, request)
            return
        answer = web.site.answer(request, date=date(), closes=self._closes_behind(request))
        if isinstance(answer, bytes):
            self._send(answer, request)
        else:
            self._request = request
            self._pause()
            self._set_timer(web.limits.web_headers_s, self._answer_late)
            answer.await_made(lambda made: self._answer_made(made, request))

    def _is_of_programs(self, request: Request) -> bool:
        return self._web.programs is not None and bool(self._web.programs.most_body(request.path, request.method))

    # --- programs

    def _begin(self, programs: ProgramPaths, request: Request) -> None:
        """Have a program's request judged by its head, and wait for its body."""
        try:
            programs.expect_no_secret(request)
            self._web.hosts.expect_ours(request)
            if self._counted or programs.is_known(request):
                self._counted = self._web.is_program(self)
                if not self._counted:
                    raise _too_many_programs()
            exchange = programs.begin(request, self._link.address)
        except HttpError as error:
            error.path = request.path
            self._refuse_by_head(programs, error, request)
            return
        self._request = request
        self._waits_for_body = True
        if is_streamed(exchange):
            self._begin_upload(exchange, request)
            return
        self._exchange = cast(Exchange, exchange)
        if request.expects_continue and not self._codec.began:
            self._link.write(CONTINUE)
        self._take_body()
        if self._waits_for_body:
            self._set_timer(self._web.limits.api_body_s, self._body_late)
            self._resume()

    def _refuse_by_head(self, programs: ProgramPaths, error: HttpError, request: Request) -> None:
        """Answer with an error; the connection goes on if the body, which no one looks at, is here already."""
        if request.expects_continue or self._codec.next_body() is None:
            self._refuse(error, request)
        else:
            self._answer_with(programs.error_answer(error), request)

    def _take_body(self) -> None:
        """Carry a program's request out, if its body is whole."""
        body = self._codec.next_body()
        if body is None:
            return
        self._waits_for_body = False
        self._set_timer(self._web.limits.api_answer_s, self._answer_late)
        turns = turns_of_body(len(body))
        if turns and not self._web.body_turns.take(turns):
            self._body = body
            self._web.body_turns.wait(self)
        else:
            self._carry_out(body)

    def _carry_out(self, body: bytes) -> None:
        """Hand over a body that has come whole."""
        request, exchange = self._request, self._exchange
        assert request is not None
        assert exchange is not None
        exchange.receive(body, lambda made: self._exchanged(made, request))

    def _is_counted(self) -> bool:
        """Count the connection as a program's, if it is not; False where there are as many as may be."""
        if not self._counted:
            self._counted = self._web.is_program(self)
        return self._counted

    def _begin_upload(self, exchange: BodyExchange, request: Request) -> None:
        """Have a request whose body is not kept judged further; nothing of the body is read before that."""
        link = self._web.transfer_link(self)
        upload = self._upload = Upload(self, link, self._codec, exchange, self._web, self._upload_over)
        self._pause()
        self._set_timer(self._web.limits.api_answer_s, self._answer_late)
        exchange.prepare(lambda: self._upload_ready(upload, request), lambda made: self._exchanged(made, request))

    def _upload_ready(self, upload: Upload, request: Request) -> None:
        """The body may come."""
        if self._upload is not upload or upload.has_begun:
            return
        if not self._is_counted():  # its token was not known when the request came
            self._refuse(self._of_request(_too_many_programs()), request)
            return
        if request.expects_continue and not self._codec.began:
            self._link.write(CONTINUE)
        self._set_timer(upload.patience_s, self._upload_late)
        upload.begin()

    def _upload_over(self) -> None:
        """The body has come whole; what is behind it is read as ever."""
        assert self._upload is not None
        self._waits_for_body = False
        self._set_timer(self._upload.answer_s, self._answer_late)
        self._resume()

    def _exchanged(self, made: ProgramAnswer, request: Request) -> None:
        """The answer to a program's request is made."""
        if self._request is not request or self._over:
            if isinstance(made, FileAnswer) and made.source is not None:
                made.source.close()
            return
        upload = self._upload
        self._exchange = self._upload = self._request = None
        if upload is not None:
            upload.close()
        if self._waits_for_body:
            self._answer_early(made, request, is_read=upload is not None and upload.has_begun)
        elif isinstance(made, FileAnswer):
            self._send_file(made, request)
        elif isinstance(made, StreamAnswer):
            self._open_stream(made, request)
        else:
            self._answer_with(made, request)

    def _answer_early(self, made: ProgramAnswer, request: Request, *, is_read: bool) -> None:
        """Answer before the body has come whole; the connection goes on if no one has looked at it, and it is here."""
        assert not isinstance(made, FileAnswer | StreamAnswer)
        self._waits_for_body = False
        if not (is_read or request.expects_continue or self._codec.next_body() is None):
            self._answer_with(made, request)
            return
        self._discard_body()
        self._end()
        self._link.close_with(made.answer(request, date=date(), closes=True))

    def _discard_body(self, more_bytes: int = 0) -> None:
        """Have a client that is still sending its body read the answer, behind which the connection ends."""
        unread_bytes = min(self._codec.unread_bytes + more_bytes, self._web.limits.file_bytes)
        if unread_bytes:
            self._web.transfer_link(self).linger_for(unread_bytes)

    def _open_stream(self, made: StreamAnswer, request: Request) -> None:
        if self._stopping:
            self._request = request
            self._refuse(self._of_request(HttpError(503, "The server is shutting down.")), request)
            return
        if not self._is_counted():  # as in `_upload_ready`
            self._request = request
            self._refuse(self._of_request(_too_many_programs()), request)
            return
        self._resume()
        self._end()
        self._link.write(response(made.head, b"", date=date(), closes=True, has_body=False))
        self._stream = made.open(self._link)
        self._stream.handshake_done()

    # --- answers

    def _closes_behind(self, request: Request) -> bool:
        return self._stopping or request.wants_close or self._requests >= self._web.limits.web_requests_per_connection

    def _answer_made(self, made: Answering, request: Request) -> None:
        if self._request is request and not self._over:
            self._request = None
            self._answer_with(made, request)

    def _answer_with(self, answering: Answering, request: Request) -> None:
        self._send(answering.answer(request, date=date(), closes=self._closes_behind(request)), request)

    def _send(self, answer: bytes, request: Request) -> None:
        self._link.write(answer)
        if request.path == "/" and request.method == "GET":
            self._web.visited(self)
        self._sent(request)

    def _sent(self, request: Request) -> None:
        """An answer is queued."""
        if self._closes_behind(request):
            self._end()
            self._link.close_with()
        else:
            self._await_next()

    def _send_file(self, made: FileAnswer, request: Request) -> None:
        """Send an answer as the client takes it; what it asks next waits."""
        closes = self._closes_behind(request)
        self._link.write(response(made.head, b"", date=date(), closes=closes, size_bytes=made.size_bytes))
        if made.source is None or request.method == "HEAD" or not made.size_bytes:
            if made.source is not None:
                made.source.close()
            self._sent(request)
            return
        self._is_counted()  # if it can be: it gives way to no browser then
        link = self._web.transfer_link(self)
        self._download = Download(self, link, made, self._web, lambda has_all: self._file_over(request, has_all))
        self._set_timer(self._web.limits.upload_stall_s / _LOOKS, self._download_late)
        self._resume()
        self._download.begin(is_behind=self._behind)

    def _file_over(self, request: Request, has_all: bool) -> None:
        self._download = None
        if has_all:
            self._sent(request)
        else:  # the client sees that the end is missing
            self._end()
            self._link.close_with()

    def _await_next(self) -> None:
        """Wait for the next request, and for the client to read the answer to this one."""
        self._left_bytes = 0
        if self._codec.ready:  # it did not wait for this answer
            self._wait_for_turn()
            self._began = False
        else:
            self._busy = False
            self._began = self._codec.began
            self._resume()
        if self._began:
            self._set_timer(self._web.limits.web_headers_s, self._head_late)
        else:
            self._set_timer(self._web.limits.web_keep_alive_s, self._idle_late)

    def _upgrade(self, request: Request) -> None:
        if request.method != "GET":
            raise HttpError(405, "A WebSocket is opened with GET.", [("Allow", "GET")])
        answer = answer_upgrade(request.headers)
        if answer.status != 101:
            raise HttpError(answer.status, "Here a browser opens a WebSocket of this chat.", answer.headers)
        head = response_head(101, [*answer.headers, *SECURITY_HEADERS])
        self._link.write(response(head, b"", date=date(), has_body=False))
        self._resume()
        self._end()
        self._session = self._web.upgraded(self, self._codec.switch())

    def _refuse(self, error: HttpError, request: Request | None = None) -> None:
        """Answer with an error, and close."""
        self._discard_body(error.body_bytes)
        self._end()
        is_head = request is not None and request.method == "HEAD"
        programs = self._web.programs
        if programs is not None and error.path is not None and programs.most_body(error.path, ""):
            answer = programs.error_answer(error).answer(request or _NO_REQUEST, date=date(), closes=True)
            self._link.close_with(answer)
            return
        self._link.close_with(error_answer(error, date=date(), is_head=is_head))

    # --- pacing

    def _pause(self) -> None:
        if not self._paused:
            self._paused = True
            self._link.pause_reading()

    def _resume(self) -> None:
        if self._paused:
            self._paused = False
            self._link.resume_reading()

    def _end(self) -> None:
        self._over = True
        self._waits_for_body = False
        self._body = None
        if self._exchange is not None:
            exchange, self._exchange = self._exchange, None
            exchange.abandon()
        if self._upload is not None:
            upload, self._upload = self._upload, None
            upload.abandon()
        if self._download is not None:
            self._download.close()
            self._download = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # --- deadlines

    def _set_timer(self, delay_s: float, callback: Callable[[], None]) -> None:
        """Set the one timer of this connection."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._web.scheduler.call_later(delay_s, callback)

    def _idle_late(self) -> None:
        """No request has come; or the client has not read the last answer, and then it must at least have read on."""
        queued_bytes = self._link.queued_bytes
        if queued_bytes and not 0 < self._left_bytes <= queued_bytes:
            self._left_bytes = queued_bytes
            self._set_timer(self._web.limits.web_keep_alive_s, self._idle_late)
        elif queued_bytes:
            self._end()
            self._link.abort()
        else:
            self.close()

    def _answer_late(self) -> None:
        self._refuse(self._of_request(HttpError(503, "The answer took too long.")), self._request)

    def _body_late(self) -> None:
        self._refuse(self._of_request(HttpError(408, "The body took too long.")), self._request)

    def _upload_late(self) -> None:
        """Have the upload look at what has come; the client is late when it has sent nothing for long."""
        assert self._upload is not None
        self._upload.look()
        patience_s = self._upload.patience_s
        if patience_s > 0:
            self._set_timer(patience_s, self._upload_late)
        else:
            self._refuse(self._of_request(HttpError(408, "The body does not come any more.")), self._request)

    def _download_late(self) -> None:
        """Look whether the client, or the source, goes on."""
        assert self._download is not None
        if self._download.is_stalled():
            self._end()
            self._link.abort()
        else:
            self._set_timer(self._web.limits.upload_stall_s / _LOOKS, self._download_late)

    def _of_request(self, error: HttpError) -> HttpError:
        """Return an error as one of the request that is answered."""
        error.path = None if self._request is None else self._request.path
        return error

    def _head_late(self) -> None:
        self._refuse(HttpError(408, "The request took too long."))


def _too_many_programs() -> HttpError:
    return HttpError(503, "Too many programs are connected; try again later.", [("Retry-After", "10")])
