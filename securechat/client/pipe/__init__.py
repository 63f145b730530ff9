"""The client in pipes: --send, --tail, and chat without a prompt."""
