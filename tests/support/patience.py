"""How long tests wait for what must come."""

PATIENCE_S = 120.0
"""How long a condition may take on a busy machine before the test fails; never a time that is waited for. CI runs four
workers on two processors."""
