"""Bytes to commands and events, and back; sans-IO. A codec refuses nonsense and knows no socket, room or rule."""
