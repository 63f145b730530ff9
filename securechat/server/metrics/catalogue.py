"""Every metric: its name, kind, labels and meaning. `docs/operations.md` has the same list.

Names follow Prometheus' practice (prometheus.io, Metric and label naming): a prefix, base units, ``_total`` for what
only grows. The values of every label come from the closed sets named here, never from what a person has typed.

No import here takes time: the library that formats is known to `exposition` alone.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class MetricKind(StrEnum):
    """The kinds of metrics, in the words of the text format."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Metric(Struct, frozen=True):
    """One metric.

    Attributes:
        name: as scraped, of a histogram without the suffixes of its samples.
        kind: of the text format.
        meaning: its HELP.
        labels: their names.
        values: what the one label may be, in a few words for the documentation.
    """

    name: str
    kind: MetricKind
    meaning: str
    labels: tuple[str, ...] = ()
    values: str = ""


_COUNTER, _GAUGE, _HISTOGRAM = MetricKind.COUNTER, MetricKind.GAUGE, MetricKind.HISTOGRAM

METRICS: tuple[Metric, ...] = (
    Metric(
        "securechat_build_info",
        _GAUGE,
        "Always 1; the versions of this server stand in the labels.",
        ("version", "python", "openssl", "sqlite"),
        "versions",
    ),
    Metric("securechat_ready", _GAUGE, "Whether the server serves people now, as /readyz tells: 1 or 0."),
    Metric(
        "securechat_connections",
        _GAUGE,
        "Open connections.",
        ("kind",),
        "native, web (HTTP), websocket, events (streams of programs), metrics, and pending (the handshake is not over)",
    ),
    Metric("securechat_members", _GAUGE, "People who are logged in, each once, however many connections they have."),
    Metric(
        "securechat_rooms", _GAUGE, "Rooms.", ("state",), "occupied (members are present), kept (with a durable record)"
    ),
    Metric(
        "securechat_entries_stored_total",
        _COUNTER,
        "Entries stored durably since the start.",
        ("kind",),
        "message, change (edits, deletions and reactions)",
    ),
    Metric("securechat_commit_duration_seconds", _HISTOGRAM, "From taking a batch of writes to its durable commit."),
    Metric("securechat_loop_pass_duration_seconds", _HISTOGRAM, "The work of one pass of the event loop."),
    Metric("securechat_loop_slow_passes_total", _COUNTER, "Passes of the event loop that took over 100 ms."),
    Metric(
        "securechat_internal_errors_total",
        _COUNTER,
        "Internal errors, each of which cost one connection or request.",
        ("kind",),
        "the kind of work, as in the log's `error`; unreported (the log could not be written)",
    ),
    Metric("securechat_received_bytes_total", _COUNTER, "Bytes received from clients, decrypted."),
    Metric("securechat_sent_bytes_total", _COUNTER, "Bytes sent to clients, before encryption."),
    Metric("securechat_outbox_bytes", _GAUGE, "Bytes that wait for clients that do not read as fast as they are sent."),
    Metric("securechat_outbox_connections", _GAUGE, "Connections for which bytes wait so."),
    Metric("securechat_slow_readers_cut_total", _COUNTER, "Connections closed because the client did not read."),
    Metric("securechat_refusals_total", _COUNTER, "Requests refused.", ("code",), "codes of docs/protocol.md"),
    Metric(
        "securechat_logins_total",
        _COUNTER,
        "Logins that succeeded.",
        ("kind",),
        "guest, token, api_token, certificate, password, invite",
    ),
    Metric("securechat_login_failures_total", _COUNTER, "Logins refused.", ("code",), "codes of docs/protocol.md"),
    Metric(
        "securechat_hook_posts_total",
        _COUNTER,
        "Posts of incoming webhooks.",
        ("outcome",),
        "the words of the answers: ok, invalid_payload, no_text, no_service, rate_limited, and those of docs/bots.md",
    ),
    Metric(
        "securechat_outgoing_hook_attempts_total",
        _COUNTER,
        "Attempts of outgoing webhooks to deliver.",
        ("outcome",),
        "delivered, gone (410), reply_refused (a reply that became no message), and why one failed: docs/bots.md",
    ),
    Metric(
        "securechat_hook_fields_ignored_total", _COUNTER, "Fields of their payloads that mean nothing to this server."
    ),
    Metric(
        "securechat_connections_closed_total",
        _COUNTER,
        "Connections of people that ended.",
        ("reason",),
        "the reasons of `disconnected` in the log",
    ),
    Metric(
        "securechat_connections_denied_total",
        _COUNTER,
        "Connections turned away before a login.",
        ("reason",),
        "the reasons of `refused` connections in the log",
    ),
    Metric(
        "securechat_queue_length",
        _GAUGE,
        "What waits for a thread.",
        ("queue",),
        "append (drafts), hashing (passwords), reads (history and the like), search",
    ),
    Metric("securechat_files_bytes", _GAUGE, "Bytes of the files of messages, with previews."),
    Metric("securechat_uploads", _GAUGE, "Files that no message has yet: on their way, or not sent."),
    Metric("securechat_disk_free_bytes", _GAUGE, "Free space on the disk of the data directory."),
    Metric("securechat_disk_reserve_bytes", _GAUGE, "Free space under which new messages are refused."),
    Metric("securechat_disk_low", _GAUGE, "Whether that space is running out, under four times the reserve: 1 or 0."),
    Metric("securechat_disk_full", _GAUGE, "Whether new messages are refused for want of space: 1 or 0."),
    Metric(
        "securechat_commit_age_seconds",
        _GAUGE,
        "Seconds for which the present commit is under way: more than one where the database is locked, or its disk "
        "does not answer.",
    ),
    Metric("securechat_search_index_usable", _GAUGE, "Whether there is a search index that can be used: 1 or 0."),
    Metric("securechat_search_index_lag", _GAUGE, "Entries of the log that the search index does not have yet."),
    Metric("securechat_certificate_expiry_timestamp_seconds", _GAUGE, "When the server's certificate expires."),
    Metric("securechat_start_timestamp_seconds", _GAUGE, "When the server started."),
)
"""In the order in which they are scraped."""

PROCESS_METRICS: tuple[Metric, ...] = (
    Metric("process_virtual_memory_bytes", _GAUGE, "Virtual memory size in bytes."),
    Metric("process_resident_memory_bytes", _GAUGE, "Resident memory size in bytes."),
    Metric("process_start_time_seconds", _GAUGE, "Start time of the process since unix epoch in seconds."),
    Metric("process_cpu_seconds_total", _COUNTER, "Total user and system CPU time spent in seconds."),
    Metric("process_open_fds", _GAUGE, "Number of open file descriptors."),
    Metric("process_max_fds", _GAUGE, "Maximum number of open file descriptors."),
)
"""Of the library, on Linux alone, in its words."""
