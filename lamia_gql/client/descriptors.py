"""The descriptors 0, 1 and 2 of this process, in favour of its program."""

from __future__ import annotations

import os


def open_null() -> int:
    """Open a file that is empty, and where writing has no effect outside."""
    try:
        return os.open(os.devnull, os.O_RDWR)
    except OSError:
        return os.memfd_create("null")  # as in a container without devices


def occupy_closed_descriptors() -> set[int]:
    """Open those of descriptors 0, 1 and 2 that are closed, so that no other file gets them.

    Returns them. For the program they stay closed.
    """
    closed = set()
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            closed.add(open_null())
    return closed


def are_same_file(one: int, other: int) -> bool:
    """Whether two descriptors lead to the same file, so that the order between them matters."""
    try:
        return os.path.samestat(os.fstat(one), os.fstat(other))
    except OSError:
        return False


def redirect_to_null(target: int) -> None:
    """Close a descriptor, but keep its number occupied. It stays open if there are no others."""
    try:
        null = open_null()
    except OSError:
        return
    os.dup2(null, target)
    os.close(null)
