"""Events that the server will never accept, on disk with the reason, for the user to look at."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping

from lamia_gql.client.event import new_id

MAX_REFUSED_FILES = 1000
MAX_REFUSED_BYTES = 16 * 1024 * 1024
SIZED_NAME_PARTS = 7
"""The number of parts of a file name with the size in it, separated by ``-``; older versions wrote
none."""


class RefusedEvents:
    """The directory ``refused/`` of a spool; bounded, so the oldest files go first.

    Args:
        folder: The directory; it need not be there until something is added.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.has_dropped = False
        """Whether files were deleted for lack of space."""

    def add(self, record: Mapping[str, object]) -> None:
        """Write a record. Never raises."""
        try:
            content = _encode(record)
            self._make_room(len(content))
            name = f"{time.time_ns() // 1000:016}-{len(content):08}-{new_id()}.json"
            write_file(self.folder, name, content)
        except Exception:
            pass  # the user has got a warning, and the event can't be sent anyway

    def _make_room(self, size: int) -> None:
        sizes = {
            name: self._size(name) for name in os.listdir(self.folder) if not name.startswith(".")
        }
        total = sum(sizes.values()) + size
        left = len(sizes)
        for name in sorted(sizes):
            if total <= MAX_REFUSED_BYTES and left < MAX_REFUSED_FILES:
                break
            try:
                os.unlink(os.path.join(self.folder, name))
            except FileNotFoundError:
                pass  # another process needs room too
            total -= sizes[name]
            left -= 1
            self.has_dropped = True

    def _size(self, name: str) -> int:
        parts = name.split("-")
        try:
            if len(parts) == SIZED_NAME_PARTS:
                return int(parts[1])
            return os.stat(os.path.join(self.folder, name)).st_size
        except (OSError, ValueError):
            return 0


def _encode(record: Mapping[str, object]) -> bytes:
    try:
        return json.dumps(record, indent=1, default=repr).encode()
    except Exception:  # whatever is in it
        return json.dumps({"reason": str(record.get("reason")), "event": None}).encode()


def write_file(folder: str, name: str, content: bytes) -> None:
    """Write a file that is complete and on the disk, or not there. Raises OSError."""
    draft = os.path.join(folder, f".{new_id()}.draft")
    try:
        with open(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.rename(draft, os.path.join(folder, name))
    except BaseException:
        try:
            os.unlink(draft)
        except OSError:
            pass
        raise
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        pass  # not every file system supports this for folders
    finally:
        os.close(descriptor)
