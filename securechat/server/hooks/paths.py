"""The paths behind ``/hooks/``: takes what other servers send, and posts it into the room of their webhook.

Senders of this kind can set no header, so the token stands in the path. It opens one room, for posting alone, and no
answer, log line or metric has it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from securechat.errors import Refusal
from securechat.model import Join, Say
from securechat.server.api.answers import ApiAnswer, answer
from securechat.server.api.exchange import ProgramExchange
from securechat.server.api.peer import Steps
from securechat.server.api.peers import ProgramPeers
from securechat.server.api.problems import ProblemError, RefusedError
from securechat.server.api.requests import expect_no_secret
from securechat.server.hooks.answers import (
    CONTENT_TYPE,
    NO_SERVICE,
    OK,
    HookAnswer,
    HookError,
    answer_to,
    answer_to_http,
)
from securechat.text.api_tokens import is_well_formed
from securechat.wire.http import Headers, HttpError, Request

if TYPE_CHECKING:
    from securechat.hub.hub import Hub
    from securechat.limits import Limits
    from securechat.server.web.programs import Exchange

PREFIX = "/hooks/"
_TEXT_TYPE = f"{CONTENT_TYPE}; charset=utf-8"


class HookPaths:
    """The webhooks of one server; implements `securechat.server.web.programs.ProgramPaths`.

    Args:
        hub: the hub.
        limits: of bodies.
        peers: of all tokens.
        count: called with the outcome of each post, the word of its answer, and how many fields of the payload were
            ignored.
    """

    def __init__(self, hub: Hub, limits: Limits, peers: ProgramPeers, count: Callable[[str, int], None]) -> None:
        self._hub = hub
        self._limits = limits
        self._peers = peers
        self._count = count

    def prepare(self) -> None:
        """See `ProgramPaths.prepare`: the rendering takes 9 ms to import."""
        from securechat.server.hooks import delivery_key, payload, rendering, username  # noqa: F401, PLC0415

    def most_body(self, path: str, method: str) -> int:  # noqa: ARG002  (all take the same)
        """See `ProgramPaths.most_body`."""
        return self._limits.api_body_bytes

    def expect_no_secret(self, request: Request) -> None:
        """See `ProgramPaths.expect_no_secret`."""
        expect_no_secret(request)

    def is_known(self, request: Request) -> bool:
        """See `ProgramPaths.is_known`."""
        return self._peers.is_known(_token(request))

    def begin(self, request: Request, address: str) -> Exchange:
        """Judge a request by its head.

        Raises:
            HttpError: it is refused; a token that is none, and one of another kind, as a path that is not there.
        """
        if request.method != "POST":
            raise HttpError(405, "A webhook is sent with POST.", [("Allow", "POST")])
        token = _token(request)
        if not is_well_formed(token):
            self._peers.note_none(address)
            raise HttpError(404, "There is no webhook at this address.")
        peer = self._peers.peer_of(token, address)
        peer.enter()
        return ProgramExchange(peer, address, lambda body: self.steps(request, token, body), self.refused)

    def error_answer(self, error: HttpError) -> ApiAnswer:
        """See `ProgramPaths.error_answer`."""
        return self.refused(error)

    def refused(self, refusal: Refusal | HttpError) -> ApiAnswer:
        """Return the answer to a refusal, in Slack's words."""
        if isinstance(refusal, RefusedError):
            refusal = refusal.refusal
        if isinstance(refusal, Refusal):
            return self.told(answer_to(refusal.code, reason=refusal.reason, retry_after_s=refusal.retry_after_s))
        made = answer_to_http(refusal.status, _wait_s(refusal))
        return self.told(made, headers=[each for each in refusal.headers if each[0] in ("Allow", "Accept-Encoding")])

    def told(self, made: HookAnswer, ignored: int = 0, headers: Headers = ()) -> ApiAnswer:
        """Return an answer, and count it; ``headers``: that its status needs."""
        self._count(made.word, ignored)
        retry = () if made.retry_after_s is None else (("Retry-After", str(made.retry_after_s)),)
        return answer(made.status, made.word.encode(), _TEXT_TYPE, (*headers, *retry))

    def steps(self, request: Request, token: str, body: bytes) -> Steps:
        """Post what a sender has sent."""
        # `prepare` has imported them
        from securechat.server.hooks.delivery_key import delivery_key  # noqa: PLC0415
        from securechat.server.hooks.payload import parse  # noqa: PLC0415
        from securechat.server.hooks.rendering import render  # noqa: PLC0415
        from securechat.server.hooks.username import shown_name  # noqa: PLC0415

        hook = self._hub.hook_of(token)
        if hook is None:
            return self.told(NO_SERVICE)
        types = request.values(b"content-type")
        try:
            payload = parse(body, types[0].decode("iso-8859-1") if types else "")
            rendered = render(payload)
        except HookError as error:
            return self.told(error.answer)
        name = shown_name(payload.username, hook.name, self._hub.is_name_taken)
        say = Say(
            1,
            hook.room,
            rendered.text,
            key=delivery_key(request.headers),
            shown_as=None if name == hook.name else name,
        )
        try:
            yield say
        except Refusal as refusal:
            if refusal.reason != "not_in_room":
                raise
            yield Join(1, [hook.room])  # its membership was not stored, or it was taken out and let in again
            yield say
        return self.told(OK, rendered.ignored)


def _wait_s(error: HttpError) -> float | None:
    """Return the seconds after which the same request may be taken; None where the refusal names none."""
    if isinstance(error, ProblemError):
        return error.retry_after_s
    return next((float(value) for name, value in error.headers if name == "Retry-After"), None)


def _token(request: Request) -> str:
    return request.path[len(PREFIX) :]
