"""Codecs: bytes to commands, events to bytes; sans-IO. A codec refuses nonsense and knows no socket, room or rule."""
