"""The client in pipes: send, tail, and lines both ways."""
