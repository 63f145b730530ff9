"""The client process: a sans-IO core, a thin shell around it, and the terminal. It knows no server code.

Without a socket, clock, thread or randomness: core, feed, pull, drafts, requests, membership, patience, state,
happenings, intents. With them: runner, terminal, pipes.
"""
