"""securechat: a chat server and client for your own network, over verified TLS.

The packages below are layers; each imports only what stands below it. ``docs/tour.md`` lists the files in the
order in which they read best.
"""

__version__ = "0.1.0"
