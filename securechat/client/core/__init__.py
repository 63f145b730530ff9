"""The client without sockets, clock or terminal: bytes and actions in, events and bytes out."""
