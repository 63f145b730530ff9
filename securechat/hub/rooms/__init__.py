"""Rooms: membership, settings, permissions, moderation and presence."""
