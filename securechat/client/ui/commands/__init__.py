"""Parses typed lines into actions."""
