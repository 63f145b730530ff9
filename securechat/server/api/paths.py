"""The paths behind ``/api/``: judges requests by their heads, and carries them out through the peers of tokens."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from securechat.server.api.answers import ApiAnswer, answer
from securechat.server.api.exchange import ProgramExchange
from securechat.server.api.peer import Steps
from securechat.server.api.peers import ProgramPeers
from securechat.server.api.problems import ProblemError, RefusedError, error_answer, refused_as_problem
from securechat.server.api.requests import expect_no_secret, is_json, key_of, parameters, segment, token_of
from securechat.server.api.routes import ApiCall, RouteTable
from securechat.server.api.streams import stream_request
from securechat.text.refusals import refusal_for
from securechat.wire.http import HttpError, Request

if TYPE_CHECKING:
    from securechat.limits import Limits
    from securechat.server.web.programs import Exchange, ProgramAnswer

PREFIX = "/api/"
ROOT = "/api/v1"
_DESCRIPTION = "/openapi.json"
_OF_FILES = re.compile(rf"{ROOT}/(?:(?:rooms|people)/[^/]+/files/[^/]*|files(?:/[^/]+)?|uploads(?:/.*)?)\Z")
"""The paths of `securechat.server.api.files`."""


class ApiPaths:
    """The API of one server; implements `securechat.server.web.programs.ProgramPaths`.

    Args:
        peers: of the tokens.
        limits: of bodies.
        version: of the program, for the description of the API.
        has_files: whether `securechat.server.api.files` stands before this, likewise.

    Attributes:
        peers: as given.
    """

    def __init__(self, peers: ProgramPeers, limits: Limits, version: str, *, has_files: bool = False) -> None:
        self.peers = peers
        self._limits = limits
        self._version = version
        self._has_files = has_files
        self._table = RouteTable()
        self._description: ApiAnswer | None = None

    def prepare(self) -> None:
        """See `ProgramPaths.prepare`: the description takes 10 ms to make."""
        self._described()

    def most_body(self, path: str, method: str) -> int:  # noqa: ARG002  (all take the same)
        """See `ProgramPaths.most_body`."""
        return self._limits.api_body_bytes

    def expect_no_secret(self, request: Request) -> None:
        """See `ProgramPaths.expect_no_secret`."""
        expect_no_secret(request)

    def is_known(self, request: Request) -> bool:
        """See `ProgramPaths.is_known`."""
        try:
            return self.peers.is_known(token_of(request))
        except HttpError:
            return False

    def begin(self, request: Request, address: str) -> Exchange:
        """Judge a request by its head: its address, its token, and what else stands there.

        Raises:
            HttpError: it is refused.
        """
        path = request.path
        if self._is_of_files(path):
            raise RefusedError(refusal_for("files_off"))
        if not path.startswith(f"{ROOT}/"):
            raise ProblemError(404, "no_such_path", f"There is nothing at this address. This server has {ROOT}")
        if path == ROOT + _DESCRIPTION and request.method in ("GET", "HEAD") and not request.body_bytes:
            return _DescriptionExchange(self._described)
        route, raw = self._table.find(request.method, path[len(ROOT) :])
        if request.body_bytes and route.takes is None:
            raise ProblemError(413, "body_too_large", "This request has no body")
        token = token_of(request)
        parts = {name: segment(part) for name, part in raw.items()}
        query = parameters(request, route.parameters)
        with_json = route.takes is not None and is_json(request)
        key = key_of(request) if route.is_keyed else None
        streams = self.peers.streams
        wanted = None
        if route.run is None:
            wanted = stream_request(token, address, request, query)
            streams.expect_free(token)
        peer = self.peers.peer_of(token, address)
        peer.enter()

        def steps(body: bytes) -> Steps:
            if wanted is not None:
                return streams.steps(wanted)
            assert route.run is not None
            return route.run(ApiCall(parts, query, body, with_json, key, peer.own_id, peer.server))

        return ProgramExchange(peer, address, steps)

    def error_answer(self, error: HttpError) -> ApiAnswer:
        """See `ProgramPaths.error_answer`."""
        if self._is_of_files(error.path or ""):  # also where the body, which may be any length, is too long for this
            return refused_as_problem(refusal_for("files_off"))
        return error_answer(error)

    def _is_of_files(self, path: str) -> bool:
        """Whether a path is one of files, which this server does not take."""
        return not self._has_files and _OF_FILES.match(path) is not None

    def _described(self) -> ApiAnswer:
        """Return the description of the API; makes it where it is asked for before `prepare` has."""
        if self._description is None:
            from securechat.server.api.openapi import description  # noqa: PLC0415 - a start need not wait for it

            self._description = answer(200, description(self._version, has_files=self._has_files))
        return self._description


class _DescriptionExchange:
    """A request for the description, which needs no token: it tells nothing of this server but its version."""

    def __init__(self, make: Callable[[], ApiAnswer]) -> None:
        self._make = make

    def receive(self, body: bytes, done: Callable[[ProgramAnswer], None]) -> None:  # noqa: ARG002  (there is none)
        """See `Exchange.receive`."""
        done(self._make())

    def abandon(self) -> None:
        """Nothing is under way."""
