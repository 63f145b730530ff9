"""Readiness: tells a load balancer or a supervisor whether this server serves people now, and why not.

`securechat.server.web.probes` answers with it. A server that is not ready says why in a few words, which name nothing
of its rooms, people and files.
"""

from __future__ import annotations

from enum import Enum
from typing import Protocol


class ServerPhase(Enum):
    """The phases of a server process. The first and the last are what a probe is told."""

    STARTING = "the server is starting"
    SERVING = ""
    STOPPING = "the server is stopping"


class StoredLog(Protocol):
    """The log, as far as readiness depends on it."""

    @property
    def failure(self) -> Exception | None:
        """The error that ended it."""

    @property
    def disk_full(self) -> bool:
        """Whether new messages are refused for want of space."""

    @property
    def commit_age_s(self) -> float:
        """Seconds for which the present commit is under way."""


STALLED_S = 3.0
"""Seconds of one commit after which nothing counts as being stored: a backup holds the database for less."""


class Readiness:
    """The readiness of one server.

    Args:
        log: its log.

    Attributes:
        phase: set by the server.
    """

    def __init__(self, log: StoredLog) -> None:
        self._log = log
        self.phase = ServerPhase.STARTING

    @property
    def obstacle(self) -> str | None:
        """Return why the server is not ready, in a few words; None when it is."""
        if self._log.failure is not None:  # first, as the server stops because of it
            return "the message log has stopped"
        if self.phase is not ServerPhase.SERVING:
            return str(self.phase.value)
        if self._log.disk_full:
            return "the disk is full, and new messages are refused"
        if self._log.commit_age_s > STALLED_S:
            return "nothing is being stored: another program holds the database, or its disk does not answer"
        return None
