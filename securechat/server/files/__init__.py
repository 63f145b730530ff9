"""Files of messages: the thread that does their disk work, and the sweep that compares the disk with the log."""
