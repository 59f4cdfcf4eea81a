"""Keeps clients from beginning a connection, so that a listening socket can be closed.

A connection that the system accepts between the last call of ``accept`` and that of ``close`` would
be reset, and its request lost. Where it does not answer the first packet, the client asks again
after a second, and is then refused.
"""

from __future__ import annotations

import ctypes
import logging
import socket
import struct
import sys

log = logging.getLogger(__name__)

ATTACH_FILTER = 26
"""Linux's ``SO_ATTACH_FILTER``, which Python does not name."""
HANDSHAKE_S = 0.01
"""How long clients that have begun may take to complete a connection: round trips of a network."""

# See Linux's Documentation/networking/filter.rst.
_LOAD_BYTE, _JUMP_IF_BITS, _RETURN = 0x30, 0x45, 0x06
_FLAGS = 13
"""Where a TCP header has its flags."""
_SYN = 0x02
_WHOLE = 0xFFFFFFFF
_PROGRAM = (
    (_LOAD_BYTE, 0, 0, _FLAGS),
    (_JUMP_IF_BITS, 0, 1, _SYN),
    (_RETURN, 0, 0, 0),
    (_RETURN, 0, 0, _WHOLE),
)


def drop_new_connections(listening: socket.socket) -> bool:
    """Have the system drop what begins a connection to a socket, for all who share it, for ever.

    False where the system can't: on others than Linux, or if it refuses.
    """
    if sys.platform != "linux":
        return False
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in _PROGRAM)
    kept = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("@HP", len(_PROGRAM), ctypes.addressof(kept))
    try:
        listening.setsockopt(socket.SOL_SOCKET, ATTACH_FILTER, program)
    except OSError as error:
        log.debug("connections that come just now may be reset: %s", error)
        return False
    return True
