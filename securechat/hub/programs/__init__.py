"""Bots, incoming webhooks and API tokens: accounts without a password, and what acts for an account."""
