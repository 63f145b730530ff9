"""What must be true of a run, held against an independent model of the log."""
