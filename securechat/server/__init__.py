"""Composition of the server process: sessions, fan-out, configuration and the application around the hub."""
