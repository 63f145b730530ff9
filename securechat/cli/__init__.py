"""The entry points, one file a command: they read flags, compose a process, and turn errors into sentences."""
