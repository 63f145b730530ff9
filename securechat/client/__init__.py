"""The client process: a sans-IO core, a thin shell around it, and the terminal. It knows no server code.

Without a socket, clock, thread or randomness: core, talk, feed, pull, drafts, requests, membership, patience, state,
happenings, intents,
and also commands, sentences, telling, outcome. With them: runner, terminal, pipes; rendering knows the time zone.
"""
