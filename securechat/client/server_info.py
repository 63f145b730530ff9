"""Describes the server of a session, for the screen."""

from __future__ import annotations

from cryptography import x509

from securechat.client.network import ServerTarget
from securechat.client.ui.screen_model.lists import ServerInfo
from securechat.tls.pem_bundle import fingerprint


def server_info(target: ServerTarget) -> ServerInfo:
    """Return the address and the fingerprint of the CA, the first where there are several."""
    certificates = x509.load_pem_x509_certificates(target.ca_pem.encode()) if target.ca_pem else []
    digits = fingerprint(certificates[0]).removeprefix("sha256:") if certificates else ""
    return ServerInfo(target.host, target.port, ca_fingerprint=digits, ca=target.ca)
