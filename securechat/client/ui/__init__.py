"""What every user interface shares: commands, rows, line numbers and descriptions; no toolkit, no I/O."""
