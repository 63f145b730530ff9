"""Puts the parts of outgoing webhooks together for one server: the policy, the sender, the threads and the feeds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from securechat.containment import WEBHOOKS
from securechat.server.outgoing.feed import FeedScheduler, OutgoingFeed
from securechat.server.outgoing.networks import NetworkPolicy, networks_around, parse_networks
from securechat.server.outgoing.sender import OutgoingSettings, WebhookSender
from securechat.server.outgoing.worker import OutgoingWorker
from securechat.tls.local_addresses import own_addresses
from securechat.tls.trust import load_ca_file

if TYPE_CHECKING:
    from securechat.containment import Containment
    from securechat.hub.programs.outgoing import OutgoingWebhooks
    from securechat.server.config.loading import ServerConfig
    from securechat.server.metrics.counters import EventCounters
    from securechat.server.operator_log import OperatorLog


class OutgoingLoop(FeedScheduler, Protocol):
    """The part of the loop that is used."""

    @property
    def containment(self) -> Containment:
        """Confines exceptions."""

    @property
    def now(self) -> float:
        """The time of this pass, monotonic seconds."""

    def post(self, callback: Callable[[], None]) -> None:
        """Run a callable on the loop's thread; callable from any thread."""


class OutgoingObserver:
    """Counts outcomes, and tells the operator; implements `FeedObserver`."""

    def __init__(self, counters: EventCounters, operator_log: OperatorLog, loop: OutgoingLoop) -> None:
        self._operator_log = operator_log
        self._loop = loop
        self.outgoing_delivered = counters.outgoing_delivered

    def outgoing_off(self, name: str, why: str) -> None:
        """See `FeedObserver`."""
        self._operator_log.outgoing_off(name, why, self._loop.now)

    def outgoing_failed(self, name: str, problem: str, detail: str) -> None:
        """See `FeedObserver`."""
        self._operator_log.outgoing_failed(name, problem, detail, self._loop.now)

    def outgoing_reply_lost(self, name: str, why: str) -> None:
        """See `FeedObserver`."""
        self._operator_log.outgoing_reply_lost(name, why, self._loop.now)

    def outgoing_gap(self, name: str, through: int) -> None:
        """See `FeedObserver`."""
        self._operator_log.outgoing_gap(name, through)


class OutgoingService:
    """Delivers the outgoing webhooks of one server.

    Args:
        config: the settings.
        webhooks: those of the hub, which has its state.
        loop: of the server.
        counters: count outcomes.
        operator_log: tells of a webhook that was switched off.

    Raises:
        TlsFailure: the file of webhook_ca cannot be used.
    """

    def __init__(
        self,
        config: ServerConfig,
        webhooks: OutgoingWebhooks,
        loop: OutgoingLoop,
        counters: EventCounters,
        operator_log: OperatorLog,
    ) -> None:
        ca_pem = None if config.webhook_ca is None else load_ca_file(config.webhook_ca)
        policy = NetworkPolicy(parse_networks(config.webhook_networks), networks_around(own_addresses()))
        sender = WebhookSender(OutgoingSettings(policy, ca_pem))
        containment = loop.containment
        self._worker = OutgoingWorker(
            sender.send, loop.post, lambda error: containment.report(WEBHOOKS, "an outgoing webhook", error)
        )
        observer = OutgoingObserver(counters, operator_log, loop)
        self._feed = OutgoingFeed(webhooks, self._worker, loop, containment, observer, policy)
        self._feed.start()

    def stop(self) -> None:
        """Deliver nothing more: what is under way is ended, and how far each webhook has come goes to the log."""
        self._feed.stop()

    def close(self) -> None:
        """End the threads. Takes a second at most."""
        self._feed.stop()
        self._worker.close()
