"""The end of a session as an exit code and a last sentence, the same for every user interface."""

from __future__ import annotations

from securechat.client import catalogue
from securechat.client.catalogue.translation import refusal_sentence
from securechat.client.core.events.connection import ClientEnded, Disconnect, DisconnectReason, EndReason
from securechat.client.exit_codes import OF_TLS_PROBLEM, ClientExit
from securechat.errors import ErrorCode

_OF_LOSS = {
    DisconnectReason.REFUSED: ClientExit.CONNECTION_REFUSED,
    DisconnectReason.HOST_NOT_FOUND: ClientExit.HOST_NOT_FOUND,
    DisconnectReason.TIMEOUT: ClientExit.TIMEOUT,
    DisconnectReason.SILENT: ClientExit.TIMEOUT,
    DisconnectReason.UNREACHABLE: ClientExit.UNREACHABLE,
    DisconnectReason.NONSENSE: ClientExit.CLOSED_BY_SERVER,
    DisconnectReason.CLOSED: ClientExit.CONNECTION_LOST,
    DisconnectReason.TLS: ClientExit.TLS_OTHER,
    DisconnectReason.HUNG_UP: ClientExit.TLS_OTHER,
}
_INVITE_CODES = frozenset(
    {ErrorCode.INVITE_UNKNOWN, ErrorCode.INVITE_USED, ErrorCode.INVITE_EXPIRED, ErrorCode.INVITE_REVOKED}
)
_REMOVED_CODES = frozenset({ErrorCode.BANNED, ErrorCode.KICKED, ErrorCode.LOGGED_OUT})


def of_loss(loss: Disconnect) -> ClientExit:
    """Return the exit code of a failed connection."""
    return OF_TLS_PROBLEM[loss.tls.problem] if loss.tls is not None else _OF_LOSS[loss.kind]


def of_name(code: ErrorCode) -> ClientExit:
    """Return the exit code of a refused name."""
    return ClientExit.NAME_TAKEN if code is ErrorCode.NAME_IN_USE else ClientExit.NAME_INVALID


def of_end(ended: ClientEnded, host: str, port: int) -> tuple[ClientExit, str | None]:
    """Return the exit code of the session's end and the sentence that explains it, if it needs one."""
    if ended.cause is EndReason.QUIT:
        return ClientExit.OK, None
    if ended.cause is EndReason.LOGGED_OUT:
        return ClientExit.OK, catalogue.accounts.LOGGED_OUT()
    if ended.code in _INVITE_CODES:
        return ClientExit.INVITE_REFUSED, catalogue.accounts.invite_refused(refusal_sentence(ended))
    if ended.code in _REMOVED_CODES:
        return ClientExit.REMOVED, catalogue.accounts.removed(refusal_sentence(ended))
    if ended.code is not None:
        code = ClientExit.REPLACED if ended.code is ErrorCode.REPLACED else ClientExit.CLOSED_BY_SERVER
        return code, catalogue.connection.ended(ended.cause, ended.code, refusal_sentence(ended))
    loss = ended.loss or Disconnect(DisconnectReason.CLOSED)
    return of_loss(loss), catalogue.connection.not_reached(loss, host, port)
