"""The lines with which a new API token works, as a person pastes them into a shell or another program.

Nothing in them can be more than it seems: a token that is not well-formed has no line, a room's name is
percent-encoded, and all that a shell could read as its own stands in quotes.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from urllib.parse import quote

from securechat.text.api_tokens import is_well_formed
from securechat.text.names import LOBBY

UNKNOWN_CA = "ca.pem"
"""Stands for a file with the server's CA, where the program that shows the line has read it from none."""


def api_example(
    host: str, port: int, token: str, *, scopes: Sequence[str], rooms: Sequence[str] = (), ca: str = UNKNOWN_CA
) -> str:
    """Return a line that uses a token: the address of an incoming webhook, or a curl command; empty for no token.

    Args:
        host: at which the server is reached; an IPv6 address without brackets.
        port: TCP port.
        token: the secret.
        scopes: what it is good for: ``hook``; or the first of ``post``, ``read`` and ``metrics`` makes the example.
        rooms: the only ones it is good for; without any, the example is about the lobby.
        ca: the path of the file with the server's CA, quoted for a shell; empty where curl knows it anyway.
    """
    if not is_well_formed(token):
        return ""
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    if "hook" in scopes:
        return f"{server}/hooks/{token}"
    cacert = f"--cacert {ca} " if ca else ""
    curl = f'curl {cacert}-H "Authorization: Bearer {token}"'
    messages = shlex.quote(f"{server}/api/v1/rooms/{quote(rooms[0] if rooms else LOBBY, safe='')}/messages")
    if "post" in scopes:
        return f"{curl} -d 'hello' {messages}"
    return f"{curl} {messages}" if "read" in scopes else f"{curl} {shlex.quote(f'{server}/metrics')}"
