"""Every sentence a user of the client reads."""

from securechat.client.catalogue import accounts, connection, help_pages, rooms

__all__ = ["accounts", "connection", "help_pages", "rooms"]
