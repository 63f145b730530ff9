"""Writes pictures anew, from their pixels alone, in a process of their own: no place, no time, no camera stays in them.

It knows no hub, no socket and no loop. `workers` is what a server uses; `worker` is the program of the process, and
only what it imports knows Pillow (the extra ``securechat[pictures]``).
"""
