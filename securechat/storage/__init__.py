"""The durable log: group commit, SQLite, the search index and the tools for its files."""
