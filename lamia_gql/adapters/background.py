"""Going on in the background, so that whoever has run this program need not wait for it."""

from __future__ import annotations

import os


def detach() -> bool:
    """Go on in a process of its own; returns whether this is that process.

    It has a session of its own, and none of the caller's files, so the caller can neither end it by
    a signal to its group nor wait for the end of its output. The other process returns after that.
    """
    read_end, write_end = os.pipe()
    if os.fork():
        os.close(write_end)
        os.read(read_end, 1)  # until it is in its own session
        os.close(read_end)
        return False
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    os.close(write_end)
    return True
