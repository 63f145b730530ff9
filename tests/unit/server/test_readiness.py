"""A server is ready while it serves, its log works and its disk takes messages; else it says why."""

from __future__ import annotations

from securechat.errors import LogError
from securechat.server.readiness import STALLED_S, Readiness, ServerPhase
from tests.support.web_connections import HealthyLog


def test_a_server_is_ready_between_its_start_and_its_end() -> None:
    readiness = Readiness(HealthyLog())
    assert readiness.obstacle == "the server is starting"
    readiness.phase = ServerPhase.SERVING
    assert readiness.obstacle is None
    readiness.phase = ServerPhase.STOPPING
    assert readiness.obstacle == "the server is stopping"


def test_a_full_disk_and_a_failed_log_keep_it_from_serving() -> None:
    log = HealthyLog()
    readiness = Readiness(log)
    readiness.phase = ServerPhase.SERVING
    log.disk_full = True
    assert readiness.obstacle is not None
    assert "disk is full" in readiness.obstacle
    log.disk_full, log.commit_age_s = False, STALLED_S + 0.1
    assert readiness.obstacle is not None
    assert "nothing is being stored" in readiness.obstacle
    log.commit_age_s = STALLED_S
    assert readiness.obstacle is None
    log.failure = LogError("/home/ann/secret/securechat.db is broken")
    assert readiness.obstacle == "the message log has stopped", "a path is nothing for strangers"
    readiness.phase = ServerPhase.STOPPING
    assert readiness.obstacle == "the message log has stopped", "the reason of the end, not the end"
