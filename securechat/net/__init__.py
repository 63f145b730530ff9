"""Layer 5: the only sockets, selector and clock of the program.

``net`` moves bytes and never learns what they mean: no frame, no room, no name is known here. It promises that no
call blocks, that every queue and every wait is bounded, that what one peer does costs only that peer, and that a
handler hears ``connection_lost`` exactly once, last.
"""
