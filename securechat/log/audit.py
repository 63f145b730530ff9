"""The audit, read back: who did what to whom, oldest first. Nothing here changes it; the log only ever adds.

A function over a connection and not a store's method alone, because an operator's tool reads the database of a server
that is running, or is no more.
"""

from __future__ import annotations

import apsw

from securechat.hub.people import AuditEntry

_LAST = "SELECT at_ms, actor, act, target, detail FROM audit ORDER BY entry DESC LIMIT ?"


def read_audit(connection: apsw.Connection, last: int) -> list[AuditEntry]:
    """Return the last entries, in the order in which they were written.

    Args:
        connection: may be read-only.
        last: how many.
    """
    rows = connection.execute(_LAST, (last,)).fetchall()
    return [AuditEntry(*row) for row in reversed(rows)]
