"""Messages: posting, delivery, history, search, typing notices and read markers."""
