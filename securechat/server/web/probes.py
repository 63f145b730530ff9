"""Answers ``/healthz`` and ``/readyz``: the process is alive, and it serves people.

They answer under any host, because a load balancer asks by address; there is nothing in them that a page of another
host must not read. Answers are made on the loop's thread, so one that comes proves that the loop turns.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from securechat.server.web.site import Answering, Resource, sentence

if TYPE_CHECKING:
    from securechat.server.readiness import Readiness

HEALTH_PATH = "/healthz"
READINESS_PATH = "/readyz"
"""The names that Kubernetes has made usual (its own API server: /healthz, /livez, /readyz)."""


class Probes:
    """Answers the probes of one server.

    Args:
        readiness: whether the server serves.
    """

    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness

    def find(self, path: str) -> Answering | None:
        """Return the answer to a probe; None for any other path."""
        if path == HEALTH_PATH:
            return _answer(200, "ok")
        if path == READINESS_PATH:
            obstacle = self._readiness.obstacle
            return _answer(200, "ready") if obstacle is None else _answer(503, f"not ready: {obstacle}")
        return None


@lru_cache(maxsize=8)
def _answer(status: int, text: str) -> Resource:
    return sentence(status, text)
