"""Names, passwords and texts: which are valid, which are the same, and how they are shown safely."""
