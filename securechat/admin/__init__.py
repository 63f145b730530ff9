"""The operator's tool: what `securechat-admin` asks of a running server, and what it does with the files by itself.

Stands above the server, because it speaks its requests and reads its settings. Never writes a database: what changes
people goes through the server, and `backup`, `audit` and `check` only read, with or without one.
"""
