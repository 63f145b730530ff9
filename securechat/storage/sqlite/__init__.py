"""The SQLite store: tables, migrations, writing and reading."""
