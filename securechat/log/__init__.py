"""The message log: drafts in, durable messages out, in one order. It knows no sockets and no rules of the chat."""
