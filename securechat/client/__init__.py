"""The client process: a sans-IO core, a thin shell around it, and the user interfaces. It knows no server code.

The core (core/), the sentences (catalogue/) and most of ui/ know no socket, clock, thread or randomness. The shell
(network.py), the terminal and the pipes do; ui/rows/rendering.py knows the time zone.
"""
