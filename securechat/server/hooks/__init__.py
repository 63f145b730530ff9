"""Incoming webhooks: what programs post in Slack's payload becomes the text of a message.

Nothing here knows a connection, the hub or a clock: bytes and headers in, a text, a name, a key or an answer out.
"""
