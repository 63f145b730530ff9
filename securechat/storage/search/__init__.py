"""The full-text index beside the log."""
