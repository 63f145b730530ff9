"""The audit, read back: who did what to whom, oldest first; and what of it is old enough to go.

A function over a connection and not a store's method alone, because an operator's tool reads the database of a server
that is running, or is no more.
"""

from __future__ import annotations

import apsw

from securechat.records.accounts import OWN_ACTS, AuditEntry, Committed, TrimAudit

_LAST = "SELECT at_ms, actor, act, target, detail FROM audit ORDER BY entry DESC LIMIT ?"

_OWN = f"(act IN ({', '.join(repr(act) for act in OWN_ACTS)}) OR (act = 'logout' AND actor = target))"
_TRIM = f"""
DELETE FROM audit WHERE entry IN (
    SELECT entry FROM audit
    WHERE at_ms < :before_ms OR ({_OWN} AND entry <= (
        SELECT entry FROM audit WHERE {_OWN} ORDER BY entry DESC LIMIT 1 OFFSET :own_most))
    ORDER BY entry LIMIT :most)
"""  # noqa: S608  # our own words


def read_audit(connection: apsw.Connection, last: int) -> list[AuditEntry]:
    """Return the last entries, in the order in which they were written.

    Args:
        connection: may be read-only.
        last: how many.
    """
    rows = connection.execute(_LAST, (last,)).fetchall()
    return [AuditEntry(*row) for row in reversed(rows)]


def trim(connection: apsw.Connection, asked: TrimAudit) -> Committed:
    """Forget what is old; see `TrimAudit`.

    Args:
        connection: in a transaction.
        asked: what is old.
    """
    about = {"before_ms": asked.before_ms, "own_most": asked.own_most, "most": asked.most}
    connection.execute(_TRIM, about)
    return Committed(connection.changes())
