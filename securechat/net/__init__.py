"""The network layer: the only sockets, selector and clock of the program.

``net`` moves bytes and knows nothing of frames, rooms or names. It promises that no call blocks, that every queue and
every wait is bounded, that a peer's behaviour costs only that peer, and that a handler's ``connection_lost`` is called
exactly once, last.
"""
