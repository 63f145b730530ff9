"""How a session ended, as an exit code and a last sentence: the same for every way of using the client."""

from __future__ import annotations

from securechat.client import sentences
from securechat.client import sentences_accounts as accounts
from securechat.client.exit_codes import OF_TLS_PROBLEM, Exit
from securechat.client.happenings import EndCause, Ended, Loss, LossKind
from securechat.errors import ErrorCode
from securechat.text import one_line

_OF_LOSS = {
    LossKind.REFUSED: Exit.CONNECTION_REFUSED,
    LossKind.HOST_NOT_FOUND: Exit.HOST_NOT_FOUND,
    LossKind.TIMEOUT: Exit.TIMEOUT,
    LossKind.SILENT: Exit.TIMEOUT,
    LossKind.UNREACHABLE: Exit.UNREACHABLE,
    LossKind.NONSENSE: Exit.CLOSED_BY_SERVER,
    LossKind.CLOSED: Exit.CONNECTION_LOST,
    LossKind.TLS: Exit.TLS_OTHER,
    LossKind.HUNG_UP: Exit.TLS_OTHER,
}
_INVITE_CODES = frozenset(
    {ErrorCode.INVITE_UNKNOWN, ErrorCode.INVITE_USED, ErrorCode.INVITE_EXPIRED, ErrorCode.INVITE_REVOKED}
)
_REMOVED_CODES = frozenset({ErrorCode.BANNED, ErrorCode.KICKED, ErrorCode.LOGGED_OUT})


def of_loss(loss: Loss) -> Exit:
    """Return the exit code of a connection that was not made."""
    return OF_TLS_PROBLEM[loss.tls.problem] if loss.tls is not None else _OF_LOSS[loss.kind]


def of_name(code: ErrorCode) -> Exit:
    """Return the exit code of a refused name."""
    return Exit.NAME_TAKEN if code is ErrorCode.NAME_IN_USE else Exit.NAME_INVALID


def of_end(ended: Ended, host: str, port: int) -> tuple[Exit, str | None]:
    """Return the exit code of the end and the sentence that explains it, if it needs one."""
    if ended.cause is EndCause.QUIT:
        return Exit.OK, None
    if ended.cause is EndCause.LOGGED_OUT:
        return Exit.OK, accounts.LOGGED_OUT
    if ended.code in _INVITE_CODES:
        return Exit.INVITE_REFUSED, accounts.invite_refused(one_line(ended.text))
    if ended.code in _REMOVED_CODES:
        return Exit.REMOVED, accounts.removed(one_line(ended.text))
    if ended.code is not None:
        code = Exit.REPLACED if ended.code is ErrorCode.REPLACED else Exit.CLOSED_BY_SERVER
        return code, sentences.ended(ended.cause, ended.code, one_line(ended.text))
    loss = ended.loss or Loss(LossKind.CLOSED)
    return of_loss(loss), sentences.not_reached(loss, host, port)
