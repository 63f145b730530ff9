"""A throw-away CA, and the client context that trusts it and nothing else.

The context is made here and not taken from ``securechat.tls``: that one watches handshakes through a Python callback,
which OpenSSL calls for every record, and the generator must cost as little as it can. It verifies all the same.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from pathlib import Path

from securechat.model import ALPN
from securechat.tls.hostnames import Names
from securechat.tls.issuing import certificate_pem, new_authority, new_server_leaf

SERVER_NAME = "localhost"


def make_certificates(directory: Path) -> None:
    """Write ``ca.pem`` and ``server.pem`` into ``directory``."""
    now = dt.datetime.now(dt.UTC)
    authority = new_authority(now)
    leaf = new_server_leaf(authority, Names((SERVER_NAME,), (ipaddress.ip_address("127.0.0.1"),)), now)
    (directory / "ca.pem").write_bytes(certificate_pem(authority.certificate))
    server = directory / "server.pem"
    server.touch(mode=0o600)
    server.write_bytes(leaf.to_pem())


def client_context(ca_file: Path, alpn: str = ALPN) -> ssl.SSLContext:
    """TLS 1.3, verified under the strict rules, ALPN ``securechat/1`` or another word."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.set_alpn_protocols([alpn])
    context.load_verify_locations(ca_file)
    return context
