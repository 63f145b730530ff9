"""Measures the server against a plain asyncio one: ``python -m tools.bench.run`` from the root; see README.md."""
