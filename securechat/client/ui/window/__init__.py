"""Holds the messages of one conversation that the screen shows: anchor, selection, unread line, pages."""
