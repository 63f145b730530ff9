"""Outgoing webhooks: signs a message, judges where it may go, delivers it on a thread, and plans the next attempt.

The package delivers what it is given. It knows no room, no hub and no database: which messages a hook wants, and how
far it has come, is decided elsewhere.
"""
