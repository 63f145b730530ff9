"""The web client, over HTTP on the port of the server: the page and its files, and the way from there to a session.

HTTP is spoken here, in `securechat.wire.http` and in `securechat.wire.websocket`, and nowhere else.
"""
