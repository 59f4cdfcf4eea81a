"""How many files, and with that connections, this process may have open."""

from __future__ import annotations

import sys


def raise_file_limit() -> None:
    """Raise the limit of open files, which is also one of connections, as far as is allowed."""
    try:
        import resource
    except ImportError:  # not on Windows, which has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def open_files() -> int:
    """How many files this process may have open at once."""
    try:
        import resource
    except ImportError:  # not on Windows, whose limit is that of the C library
        return 8192
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft
