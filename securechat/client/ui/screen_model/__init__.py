"""Holds the state of the full screen for one user: takes UI events and inputs, makes views; no toolkit, no I/O."""
