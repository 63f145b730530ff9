"""The HTTP API of programs, under ``/api/v1``: one door more to the same hub, with its rights, limits and refusals.

A request becomes commands of a `ProgramPeer`, and the hub's events become its answer. Nothing here stores anything or
knows a rule of the chat, and nothing below imports this package: `securechat.server.web` meets it at its port for the
paths of programs.
"""
