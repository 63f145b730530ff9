"""Conditions of the disk that the operator must hear of: each is reported once when it begins, and when it ends.

A condition that comes and goes with every batch is reported again only after a while, so that a full disk is not filled
by its own warnings.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from pathlib import Path

from securechat.programs import Program, on_data

SILENT_S = 60.0
"""Seconds without a condition before its end is reported, and before it counts as a new one: a disk at its limit takes
one batch and refuses the next."""


class DiskCondition(Enum):
    """A condition, with the sentence for its beginning and the one for its end."""

    LOCKED = (
        (
            "the database is locked by another program; messages wait, and none is acknowledged until it lets go. Look "
            "for a database browser, the sqlite3 shell or a backup tool that has {detail} open, and close it"
        ),
        "the database is free again; messages are stored",
    )
    LOW = (
        ("the disk is running low: {detail}. Free some space on the disk of the data directory"),
        "the disk has enough space again",
    )
    FULL = (
        (
            "the disk is full ({detail}): new messages are refused until there is space. Free some on the disk of the "
            "data directory"
        ),
        "the disk has space again; messages are stored",
    )
    JOURNAL_HELD = (
        (
            "another program has been reading the database for long; the journal cannot be emptied and has grown to "
            "{detail} MiB. Let that program finish, or close it"
        ),
        "the journal is emptied again",
    )
    FUTURE = (
        (
            "the newest message is from {detail} ahead of this machine's clock, which is slow now or was fast then. "
            "New messages get the time of that one until the clock has passed it. If the clock is right, stop the "
            "server, then: {mend}"
        ),
        "the clock has passed the time of the newest message; new messages have their own time again",
    )


class DiskConditions:
    """Reports the conditions of a disk.

    Args:
        report: called with a sentence, and whether a condition began.
        clock: monotonic seconds.
        directory: the data directory, for commands to copy.
    """

    def __init__(
        self, report: Callable[[str, bool], None], clock: Callable[[], float], directory: Path = Path()
    ) -> None:
        self._directory = directory
        self._report = report
        self._clock = clock
        self._seen_s: dict[DiskCondition, float] = {}

    def holds(self, condition: DiskCondition) -> bool:
        """Whether a condition was met and its end was not reported yet; may be asked from any thread."""
        return bool(self._seen_s) and condition in self._seen_s  # see `passed`

    def met(self, condition: DiskCondition, detail: object) -> None:
        """Note a condition that is true now."""
        if condition not in self._seen_s:
            began: str = condition.value[0]
            mend = on_data(Program.ADMIN, self._directory, "check --mend-times")
            self._report(began.replace("{detail}", str(detail)).replace("{mend}", mend), True)
        self._seen_s[condition] = self._clock()

    def passed(self, condition: DiskCondition, *, for_certain: bool = False) -> None:
        """Note a condition that is not true now; its end is reported when it stays so, or at once ``for_certain``."""
        if not self._seen_s:  # so it is with nearly every batch, and the key's hash is Python's own
            return
        seen_s = self._seen_s.get(condition)
        if seen_s is not None and (for_certain or self._clock() - seen_s >= SILENT_S):
            del self._seen_s[condition]
            self._report(condition.value[1], False)
