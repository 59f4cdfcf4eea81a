"""What tells a file that grows from another one in which a place would be as far behind."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import BinaryIO

MARK_BYTES = 4096
"""How much before a place is compared: several records, for parts of them are always the same."""
HEADER_BYTES = 512
"""How much at the beginning of a file is not compared, once enough stands behind it: HTCondor
writes the header of a log again when it rotates it."""


def mark(file: BinaryIO, offset: int) -> str | None:
    """Return a digest of what stands before a place; None if the file ends before.

    Args:
        file: the file; its position changes.
        offset: the place, in bytes.
    """
    start = max(HEADER_BYTES, offset - MARK_BYTES) if offset > 2 * HEADER_BYTES else 0
    file.seek(start)
    found = file.read(offset - start)
    return hashlib.sha256(found).hexdigest()[:16] if len(found) == offset - start else None


def mark_of(path: Path, offset: int) -> str | None:
    """Return :func:`mark` of a file by its path; None if it can't be read."""
    try:
        with path.open("rb") as file:
            return mark(file, offset)
    except OSError:
        return None
