"""Keys of links: a key opens one file for one login, as long as that login has a connection.

It names the login, and has 128 bits of an HMAC-SHA256 (RFC 2104) of login and file with a secret of this server. So the
server keeps none of them, and the key of a file stays the same within a login, which lets a browser keep what it has.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from hashlib import sha256
from typing import NamedTuple

from securechat.hub.context import HubContext
from securechat.hub.interfaces import Peer
from securechat.hub.members import MemberConnection

_KEY = re.compile(r"(\d{1,16})-([lst])(\d{1,16})-([0-9a-f]{32})")
_MAC_CHARS = 32
FILES_ROOT = "/files"
"""Below it are the addresses of files."""


class LinkLogin(NamedTuple):
    """A login, as a key names it.

    Attributes:
        sender_id: of its member.
        kind: ``l`` for a login with its own record, ``t`` for an API token, ``s`` for a device without either.
        number: of the login, the token or the device.
    """

    sender_id: int
    kind: str
    number: int


def login_of(connection: MemberConnection) -> LinkLogin:
    """Return the login that a connection has come by."""
    sender_id = connection.member.sender_id
    if connection.token is not None:
        return LinkLogin(sender_id, "t", connection.token.token_id)
    if connection.login_id:
        return LinkLogin(sender_id, "l", connection.login_id)
    return LinkLogin(sender_id, "s", connection.stream)


class LinkKeys:
    """Makes keys and judges them.

    Args:
        context: its connections.
        make_secret: returns that of this server, which is unguessable; called once, with the first key.
    """

    def __init__(self, context: HubContext, make_secret: Callable[[], bytes]) -> None:
        self._context = context
        self._make_secret = make_secret
        self._secret = b""

    def path(self, connection: MemberConnection, file_id: str) -> str:
        """Return the address of a file for the login of a connection."""
        login = login_of(connection)
        return f"{FILES_ROOT}/{file_id}/{login.sender_id}-{login.kind}{login.number}-{self._mac(login, file_id)}"

    def peer_of(self, file_id: str, key: str) -> Peer | None:
        """Return a connection of the login that a key belongs to; None for a wrong key, and without a connection."""
        match = _KEY.fullmatch(key)
        if match is None:
            return None
        login = LinkLogin(int(match[1]), match[2], int(match[3]))
        member = self._context.members.get(login.sender_id)
        connections = self._context.connections
        peers = () if member is None else member.peers
        peer = next((peer for peer in peers if login_of(connections[peer]) == login), None)
        if peer is None or not hmac.compare_digest(match[4], self._mac(login, file_id)):
            return None
        return peer

    def _mac(self, login: LinkLogin, file_id: str) -> str:
        if not self._secret:
            self._secret = self._make_secret()
        told = f"{login.sender_id} {login.kind} {login.number} {file_id}"
        return hmac.new(self._secret, told.encode(), sha256).hexdigest()[:_MAC_CHARS]
