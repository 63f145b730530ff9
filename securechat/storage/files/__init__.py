"""The bytes of files in the data directory: their layout, and each step that blocks; it knows no thread and no hub."""
