"""The snapshot has a value for every metric of the catalogue, with its labels, and copies what still changes."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any

from securechat.containment import FAILURE_KINDS
from securechat.histogram import Histogram, HistogramCopy
from securechat.limits import Limits
from securechat.net.loop import Loop
from securechat.server.metrics.catalogue import METRICS, MetricKind
from securechat.server.metrics.counters import EventCounters
from securechat.server.metrics.snapshot import SnapshotSource
from securechat.server.readiness import Readiness, ServerPhase
from securechat.storage.threaded_log import LogFigures
from tests.support.hub_rig import HubRig
from tests.support.web_connections import HealthyLog

_START_S = 1_700_000_000.0


def _source(counters: EventCounters, *, indexed_to: int | None = 0, loop: Loop | None = None) -> SnapshotSource:
    figures = LogFigures(Histogram().copy(), 4, 2, 1, 3, 5, indexed_to, False, True, 1.5)
    pending: Any = SimpleNamespace(counts=lambda: {"native": 7, "web": 1, "websocket": 0, "pending": 2})
    log: Any = SimpleNamespace(figures=lambda: figures)
    hasher: Any = SimpleNamespace(waiting=9)
    certificate: Any = SimpleNamespace(not_after=dt.datetime(2030, 1, 1, tzinfo=dt.UTC))
    readiness = Readiness(HealthyLog())
    readiness.phase = ServerPhase.SERVING
    rig = HubRig(Limits())
    rig.hub.context.fed_seq = 12
    made = loop or Loop(Limits())
    return SnapshotSource(made, pending, rig.hub.context, log, hasher, certificate, counters, readiness, _START_S)


def test_every_metric_has_its_value_and_its_labels() -> None:
    loop = Loop(Limits())
    snapshot = _source(EventCounters(), loop=loop).take(1)
    loop.close()
    assert set(snapshot) | {"securechat_disk_free_bytes"} == {metric.name for metric in METRICS}
    for metric in METRICS:
        value = snapshot.get(metric.name, 0)
        assert isinstance(value, HistogramCopy) == (metric.kind is MetricKind.HISTOGRAM)
        if metric.labels:
            assert isinstance(value, dict)
            assert {len(labels) for labels in value} == {len(metric.labels)}
        else:
            assert not isinstance(value, dict)


def _unwritable(_: object) -> None:
    raise OSError


def test_the_numbers_are_where_they_belong() -> None:
    loop = Loop(Limits(), on_error=_unwritable)
    loop.containment.report("hashing", "the password hasher", MemoryError())
    snapshot = _source(EventCounters(), indexed_to=9, loop=loop).take(1)
    loop.close()
    assert snapshot["securechat_ready"] is True
    assert snapshot["securechat_start_timestamp_seconds"] == _START_S, "of the server, not of the first scrape"
    errors = snapshot["securechat_internal_errors_total"]
    assert isinstance(errors, dict)
    assert errors == {(kind,): int(kind in {"hashing", "unreported"}) for kind in FAILURE_KINDS}
    assert snapshot["securechat_connections"] == {
        ("native",): 7, ("web",): 1, ("websocket",): 0, ("pending",): 2, ("events",): 0, ("metrics",): 1,
    }  # fmt: skip
    assert snapshot["securechat_entries_stored_total"] == {("message",): 4, ("change",): 2}
    assert snapshot["securechat_queue_length"] == {("append",): 1, ("hashing",): 9, ("reads",): 3, ("search",): 5}
    assert snapshot["securechat_search_index_lag"] == 3
    assert (snapshot["securechat_disk_low"], snapshot["securechat_disk_full"]) == (True, False)
    assert snapshot["securechat_commit_age_seconds"] == 1.5
    assert snapshot["securechat_certificate_expiry_timestamp_seconds"] == 1893456000


def test_a_snapshot_stays_as_it_was_and_lacks_what_cannot_be_told() -> None:
    counters, loop = EventCounters(), Loop(Limits())
    source = _source(counters, indexed_to=None, loop=loop)
    before = source.take(0)
    counters.disconnected("bye")
    loop.pass_times.add(1.0)
    loop.close()
    assert "securechat_search_index_lag" not in before
    closed = before["securechat_connections_closed_total"]
    assert isinstance(closed, dict)
    assert closed[("bye",)] == 0
    passes = before["securechat_loop_pass_duration_seconds"]
    assert isinstance(passes, HistogramCopy)
    assert sum(passes.counts) == 0
