"""The peers of all tokens, found by the tokens' hashes; and the network addresses whose secrets were none.

Tokens, links and addresses of uploads are counted apart: a page whose login has ended asks for its pictures once more,
which must keep neither the programs nor the uploads of its network out.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from securechat.client_address import origin_of
from securechat.errors import ErrorCode, Refusal
from securechat.hub.accounts.authentication import LoginKind
from securechat.hub.rate_limits import AddressBuckets
from securechat.model import Closing
from securechat.server.api.peer import PeerObserver, ProgramPeer
from securechat.server.api.problems import STATUSES, ProblemError, RefusedError
from securechat.server.api.streams import EventStreams
from securechat.text.api_tokens import is_well_formed
from securechat.text.refusals import refusal_for

if TYPE_CHECKING:
    from securechat.hub.hub import Hub
    from securechat.limits import Limits
    from securechat.server.session import Scheduler

_FAILED_RATE = 0.5
"""Tokens per second and address that may be none, after limits.api_failed_tokens: nothing can be guessed, and a program
that was not told of its new token costs little."""


class ProgramPeers:
    """The peers.

    Args:
        hub: the hub.
        scheduler: timers and the time of this pass.
        limits: of peers, and of tokens that are none.
        observer: is told of logins and refusals.

    Attributes:
        streams: the event streams of the tokens.
    """

    def __init__(self, hub: Hub, scheduler: Scheduler, limits: Limits, observer: PeerObserver) -> None:
        self._hub = hub
        self._scheduler = scheduler
        self._limits = limits
        self._observer = observer
        self.streams = EventStreams(hub, scheduler, limits, observer)
        self._peers: dict[bytes, ProgramPeer] = {}
        self._failed, self._failed_links, self._failed_uploads = (
            AddressBuckets(limits.api_failed_tokens, _FAILED_RATE, 1.0) for _ in range(3)
        )

    def close(self, closing: Closing) -> None:
        """End every peer and stream: the server stops. Requests without an answer get the reason as theirs."""
        self.streams.close(closing)
        for peer in list(self._peers.values()):
            peer.close(closing)

    def __len__(self) -> int:
        return len(self._peers)

    def is_known(self, token: str) -> bool:
        """Whether the hub has accepted a token, and has not let go of it since."""
        peer = self._peers.get(_key(token))
        return peer is not None and peer.is_welcome

    def note_none(self, address: str) -> None:
        """Count a token that was none against its network address.

        Raises:
            ProblemError: 429, too many tokens from this address were none.
        """
        origin = origin_of(address)
        self._expect_not_guessing(origin)
        self._failed.take(origin, 1.0, self._scheduler.now)

    def note_no_link(self, address: str) -> None:
        """Count a link of a file that opens nothing against the network address that followed it.

        Raises:
            ProblemError: 429, too many from this address were none.
        """
        self._note_no_secret(self._failed_links, address)

    def note_no_upload(self, address: str) -> None:
        """Count an address of an upload that is none against the network address that asked for it.

        Raises:
            ProblemError: 429, too many from this address were none.
        """
        self._note_no_secret(self._failed_uploads, address)

    def _note_no_secret(self, failed: AddressBuckets, address: str) -> None:
        origin, now = origin_of(address), self._scheduler.now
        if (wait_s := failed.wait_for(origin, 1.0, now)) > 0:
            raise ProblemError(
                429,
                "too_many_failed_addresses",
                "Too many addresses that this network asked for were none. Wait before the next one",
                retry_after_s=round(wait_s, 3),
                headers=[("Retry-After", str(int(wait_s) + 1))],
            )
        failed.take(origin, 1.0, now)

    def _expect_not_guessing(self, origin: str) -> None:
        if (wait_s := self._failed.wait_for(origin, 1.0, self._scheduler.now)) > 0:
            raise ProblemError(
                429,
                "too_many_failed_tokens",
                "Too many tokens from this network address were none. Wait before the next one",
                retry_after_s=round(wait_s, 3),
            )

    def peer_of(self, token: str, address: str) -> ProgramPeer:
        """Return the peer of a token, which may not be welcome yet.

        Args:
            token: as it came.
            address: the network address that it came from.

        Raises:
            RefusedError: the token is none, or it or the address is banned.
            ProblemError: 429, too many tokens from this address were none.
        """
        try:
            self._hub.require_unbanned(address)
        except Refusal as refusal:
            raise RefusedError(refusal) from None
        key = _key(token)
        peer = self._peers.get(key)
        if peer is not None:
            return peer
        origin = origin_of(address)
        self._expect_not_guessing(origin)

        if not is_well_formed(token):  # such as that of a login, which is good for more than any program should be
            self._failed.take(origin, 1.0, self._scheduler.now)
            mistyped = refusal_for("token_mistyped")
            self._observer.refused(mistyped.code, LoginKind.API_TOKEN)
            raise RefusedError(mistyped)

        def over(ended: ProgramPeer) -> None:
            if self._peers.get(key) is ended:
                del self._peers[key]
            if not ended.own_id and ended.refusal is not None and _is_none(ended.refusal.code):
                self._failed.take(origin, 1.0, self._scheduler.now)

        peer = ProgramPeer(self._hub, self._scheduler, self._limits, token, address, self._observer, over)
        if peer.refusal is not None:
            raise RefusedError(peer.refusal)
        self._peers[key] = peer
        return peer


def _key(token: str) -> bytes:
    return sha256(token.encode()).digest()


def _is_none(code: ErrorCode) -> bool:
    """Whether a refused hello counts as a token that is none: a server that is busy does not make it one."""
    return STATUSES[code] in (401, 403)
