"""Copies the numbers of a server, on the loop's thread and in some 50 us, for another thread to format."""

from __future__ import annotations

import platform
import ssl
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from securechat import __version__
from securechat.containment import FAILURE_KINDS
from securechat.histogram import HistogramCopy
from securechat.storage.sqlite.store import SQLITE_VERSION

if TYPE_CHECKING:
    from securechat.hub.context import HubContext
    from securechat.net.loop import Loop
    from securechat.net.pending_connections import PendingConnections
    from securechat.server.metrics.counters import EventCounters
    from securechat.server.password_hashing import Argon2Hasher
    from securechat.server.readiness import Readiness
    from securechat.storage.threaded_log import ThreadedLog
    from securechat.tls.contexts import ServerCertificate

Labels: TypeAlias = tuple[str, ...]
"""The values of a metric's labels, in the order of their names."""
MetricsSnapshot: TypeAlias = dict[str, float | HistogramCopy | dict[Labels, float]]
"""Values by the names of metrics; one that cannot be told now is left out."""


class SnapshotSource:
    """Where the numbers of one server stand.

    Args:
        loop: passes, bytes and backlogs.
        pending: connections by kind.
        hub: members and rooms.
        log: what is stored and what waits.
        hasher: passwords that wait.
        certificate: in use now.
        counters: events since the start.
        readiness: as probes are told.
        started_at_s: when the server started, seconds since the epoch.
        count_streams: returns how many of the connections that speak HTTP are event streams.
    """

    def __init__(
        self,
        loop: Loop,
        pending: PendingConnections,
        hub: HubContext,
        log: ThreadedLog,
        hasher: Argon2Hasher,
        certificate: ServerCertificate,
        counters: EventCounters,
        readiness: Readiness,
        started_at_s: float,
        count_streams: Callable[[], int] = lambda: 0,
    ) -> None:
        self._loop = loop
        self._pending = pending
        self._hub = hub
        self._log = log
        self._hasher = hasher
        self._certificate = certificate
        self._counters = counters
        self._readiness = readiness
        self._started_at_s = started_at_s
        self._count_streams = count_streams
        self._build = (__version__, platform.python_version(), ssl.OPENSSL_VERSION, SQLITE_VERSION)

    def take(self, metrics_connections: int) -> MetricsSnapshot:
        """Return the present numbers.

        Args:
            metrics_connections: open on the listener for metrics.
        """
        loop, hub, counters, log = self._loop, self._hub, self._counters, self._log.figures()
        files = hub.file_numbers()
        snapshot: MetricsSnapshot = {
            "securechat_build_info": {self._build: 1},
            "securechat_ready": self._readiness.obstacle is None,
            "securechat_connections": _by_label(self._connections(metrics_connections)),
            "securechat_members": len(hub.members) - hub.presence.absences,
            "securechat_rooms": _by_label({"occupied": len(hub.rooms.occupied), "kept": len(hub.rooms.recorded)}),
            "securechat_entries_stored_total": _by_label({"message": log.messages, "change": log.changes}),
            "securechat_commit_duration_seconds": log.commit_times,
            "securechat_loop_pass_duration_seconds": loop.pass_times.copy(),
            "securechat_loop_slow_passes_total": loop.slow_passes,
            "securechat_internal_errors_total": _by_label(dict.fromkeys(FAILURE_KINDS, 0) | loop.containment.counts),
            "securechat_received_bytes_total": loop.bytes_in,
            "securechat_sent_bytes_total": loop.bytes_out,
            "securechat_outbox_bytes": loop.backlogs.total_bytes,
            "securechat_outbox_connections": len(loop.backlogs),
            "securechat_slow_readers_cut_total": counters.slow_readers,
            "securechat_refusals_total": _by_label(counters.refusals),
            "securechat_logins_total": _by_label(counters.logins),
            "securechat_login_failures_total": _by_label(counters.login_failures),
            "securechat_hook_posts_total": _by_label(counters.hook_posts),
            "securechat_outgoing_hook_attempts_total": _by_label(counters.outgoing),
            "securechat_hook_fields_ignored_total": counters.hook_fields_ignored,
            "securechat_connections_closed_total": _by_label(counters.closed),
            "securechat_connections_denied_total": _by_label(counters.denied),
            "securechat_queue_length": _by_label(
                {
                    "append": log.waiting_drafts,
                    "hashing": self._hasher.waiting,
                    "reads": log.waiting_reads,
                    "search": log.waiting_searches,
                }
            ),
            "securechat_files_bytes": files.kept_bytes,
            "securechat_uploads": files.uploads,
            "securechat_disk_reserve_bytes": loop.limits.low_disk_bytes,
            "securechat_disk_low": log.disk_low,
            "securechat_disk_full": log.disk_full,
            "securechat_commit_age_seconds": log.commit_age_s,
            "securechat_search_index_usable": log.indexed_to is not None,
            "securechat_certificate_expiry_timestamp_seconds": self._certificate.not_after.timestamp(),
            "securechat_start_timestamp_seconds": self._started_at_s,
        }
        if log.indexed_to is not None:
            snapshot["securechat_search_index_lag"] = max(0, hub.fed_seq - log.indexed_to)
        return snapshot

    def _connections(self, metrics_connections: int) -> dict[str, float]:
        counts: dict[str, float] = {**self._pending.counts()}
        streams = self._count_streams()
        counts["web"] -= streams
        return {**counts, "events": streams, "metrics": metrics_connections}


def _by_label(numbers: Mapping[str, float]) -> dict[Labels, float]:
    return {(label,): number for label, number in numbers.items()}
