"""The part shared by all user interfaces: commands, rows, line numbers and descriptions; no toolkit, no I/O."""
