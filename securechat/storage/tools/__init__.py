"""Backup, export and integrity checks of the database."""
