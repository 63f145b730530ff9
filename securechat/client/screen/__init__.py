"""The full screen of the terminal client: it draws views and posts inputs (docs/design/0015-terminal.md)."""
