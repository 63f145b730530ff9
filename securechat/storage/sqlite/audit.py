"""Reads and trims the audit of administrative acts.

Functions over a connection, not only methods of a store, because an operator's tool reads the database while the server
runs, or after it has ended.
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
    """Return the last entries, oldest first.

    Args:
        connection: may be read-only.
        last: how many.
    """
    rows = connection.execute(_LAST, (last,)).fetchall()
    return [AuditEntry(*row) for row in reversed(rows)]


def trim(connection: apsw.Connection, asked: TrimAudit) -> Committed:
    """Delete old entries; see `TrimAudit`.

    Args:
        connection: in a transaction.
        asked: which entries are old.
    """
    about = {"before_ms": asked.before_ms, "own_most": asked.own_most, "most": asked.most}
    connection.execute(_TRIM, about)
    return Committed(connection.changes())
