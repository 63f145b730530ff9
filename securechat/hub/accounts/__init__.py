"""Accounts: authentication, login, names, bans, and what members change about their own account."""
