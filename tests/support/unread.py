"""What waits in a pipe."""

from __future__ import annotations

import fcntl
import struct
import termios
from typing import IO


def unread_bytes(pipe: IO[bytes] | None) -> int:
    """How much in a pipe nobody has read yet."""
    assert pipe is not None
    number: int = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))[0]
    return number
