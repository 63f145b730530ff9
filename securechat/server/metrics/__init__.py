"""Metrics of a running server, for Prometheus.

The loop counts in plain numbers; a thread of its own makes text of a copy. Nothing here knows a name of a room, a
person or an address, so none can reach a label.
"""

METRICS_PATH = "/metrics"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Of the text format (prometheus.io, Exposition formats)."""
