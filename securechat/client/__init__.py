"""The client: a sans-IO core, the shell that connects it, and the user interfaces. It imports no server code.

``core``, ``catalogue``, ``ui.commands``, ``ui.describe`` and ``outcome`` use no socket, clock, thread or randomness.
``network``, ``terminal`` and ``pipe`` do; ``ui.rendering`` reads the time zone.
"""
