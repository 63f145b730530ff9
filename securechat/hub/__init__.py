"""The hub: rooms, members, names and rules. Commands come in, effects go out; it knows no bytes, sockets or clocks."""
