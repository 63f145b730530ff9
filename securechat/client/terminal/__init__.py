"""The line client at a terminal."""
