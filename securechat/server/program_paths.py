"""Puts together the paths of programs: the API, incoming webhooks, metrics, and the transfers of files."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from securechat import __version__
from securechat.server.api import paths as api
from securechat.server.api.peers import ProgramPeers
from securechat.server.hooks import paths as hooks
from securechat.server.metrics import paths as metrics
from securechat.server.web.programs import ProgramPaths, ProgramPrefixes

if TYPE_CHECKING:
    from securechat.hub.hub import Hub
    from securechat.net.loop import Loop
    from securechat.server.api.peer import PeerObserver
    from securechat.server.config.loading import ServerConfig
    from securechat.server.files.service import ServerFiles
    from securechat.server.metrics.counters import EventCounters
    from securechat.server.metrics.service import ServerMetrics


class ProgramServices(NamedTuple):
    """What the paths stand on.

    Attributes:
        config: which of them are served.
        hub: the hub.
        loop: its timers.
        observer: is told of logins and refusals.
        metrics: what is scraped.
        counters: count the posts of webhooks.
        files: of the server; None where it takes none.
    """

    config: ServerConfig
    hub: Hub
    loop: Loop
    observer: PeerObserver
    metrics: ServerMetrics
    counters: EventCounters
    files: ServerFiles | None


def program_paths(services: ProgramServices) -> tuple[ProgramPeers, ProgramPrefixes]:
    """Return the peers of the tokens, and the paths."""
    config, hub, files = services.config, services.hub, services.files
    peers = ProgramPeers(hub, services.loop, config.limits, services.observer)
    behind: dict[str, ProgramPaths] = {}
    if config.api:
        behind[api.PREFIX] = api.ApiPaths(peers, config.limits, __version__, has_files=files is not None)
        behind[metrics.METRICS_PATH] = metrics.MetricsPaths(
            hub.metrics_access, peers, services.observer, services.metrics
        )
    if config.webhooks:
        behind[hooks.PREFIX] = hooks.HookPaths(hub, config.limits, peers, services.counters.hook_posted)
    if files is not None and hub.files is not None:
        behind |= files.paths(hub.files, peers, behind.get(api.PREFIX))
    return peers, ProgramPrefixes(behind)
