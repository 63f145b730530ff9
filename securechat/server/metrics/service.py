"""The metrics of one server: the listener that the setting asks for, and the text for the paths of programs.

Numbers are counted where they arise, with or without this. What copies and formats them is imported when it is needed
first: with the listener, or by the first request with a token.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING

from securechat.containment import METRICS
from securechat.server.config.settings import endpoint_of
from securechat.translation import Sentence, system_error

if TYPE_CHECKING:
    from securechat.hub.context import HubContext
    from securechat.net.loop import Loop
    from securechat.net.pending_connections import PendingConnections
    from securechat.server.config.loading import ServerConfig
    from securechat.server.metrics.counters import EventCounters
    from securechat.server.metrics.scraper import Scraper
    from securechat.server.metrics.server import MetricsServer
    from securechat.server.password_hashing import Argon2Hasher
    from securechat.server.readiness import Readiness
    from securechat.storage.threaded_log import ThreadedLog
    from securechat.tls.contexts import ServerCertificate


class MetricsUnavailable(Exception):
    """The address for metrics cannot be bound; the sentence says why, and what to do."""


class ServerMetrics:
    """Serves metrics. Made at the start of the server.

    Args:
        config: the address of the listener, and the data directory.
        loop: the loop.
        readiness: what probes are told.
        pending: connections by kind.
        hub: members and rooms.
        log: what is stored and what waits.
        hasher: passwords that wait.
        certificate: in use now.
        counters: events since the start.
        count_streams: returns how many connections are event streams.
    """

    def __init__(
        self,
        config: ServerConfig,
        loop: Loop,
        readiness: Readiness,
        pending: PendingConnections,
        hub: HubContext,
        log: ThreadedLog,
        hasher: Argon2Hasher,
        certificate: ServerCertificate,
        counters: EventCounters,
        count_streams: Callable[[], int],
    ) -> None:
        self._config = config
        self._loop = loop
        self._readiness = readiness
        self._of_snapshots = (
            loop, pending, hub, log, hasher, certificate, counters, readiness, time.time(), count_streams,
        )  # fmt: skip
        self._server: MetricsServer | None = None
        self._scraper: Scraper | None = None

    def listen(self) -> str | None:
        """Listen for scrapers, where the operator wants that.

        Returns:
            ``HOST:PORT``, as bound; None without the setting.

        Raises:
            MetricsUnavailable: see the class.
        """
        config = self._config
        if not config.metrics:
            return None
        if find_spec("prometheus_client") is None:
            raise MetricsUnavailable(
                Sentence("metrics need the Python package prometheus-client, which is not installed: pip install it")
            )
        from securechat.server.metrics.server import MetricsServer  # noqa: PLC0415 - most have none

        host, port = endpoint_of(config.metrics)
        assert host is not None and port is not None, "checked with the settings"
        try:
            self._server = MetricsServer(self._loop, host, port, self._readiness, self)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                why: str = Sentence("another program uses it; choose another port with --metrics")
            else:
                why = system_error(error)
            raise MetricsUnavailable(
                Sentence("metrics cannot be served on {where}: {why}", where=config.metrics, why=why)
            ) from error
        return self._server.address

    def prepare(self) -> None:
        """Do what a start need not wait for, in a thread."""
        if self._server is not None:
            self._server.prepare()

    def scrape(self, done: Callable[[bytes | None], None]) -> None:
        """Have ``done`` called on the loop's thread, now or later, with the text; None: it could not be made."""
        if self._scraper is None:
            self._scraper = self._new_scraper()
        self._scraper.scrape(done)

    def close(self) -> None:
        """Accept nothing more, and close every connection of the listener. Idempotent."""
        if self._server is not None:
            self._server.close()
        if self._scraper is not None:
            self._scraper.close()

    def _new_scraper(self) -> Scraper:
        from securechat.server.metrics.scraper import Scraper  # noqa: PLC0415
        from securechat.server.metrics.snapshot import SnapshotSource  # noqa: PLC0415

        loop, source = self._loop, SnapshotSource(*self._of_snapshots)
        return Scraper(
            loop,
            loop.post,
            loop.containment,
            lambda: source.take(0 if self._server is None else len(self._server.connections)),
            self._config.data,
            lambda error: loop.containment.report(METRICS, "the metrics", error),
        )
