"""Sequences for the terminal, shared by both shells: modes, frames, pictures, notifications, the clipboard."""
