"""Names, passwords and texts: validation, comparison, and safe display."""
