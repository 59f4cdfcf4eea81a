"""Events on disk until a server accepts them.

Any number of processes share a spool, also on a network file system, where locks are unreliable.
So there are none. A file holds events of one priority from one process. It is written under
another name, flushed to the disk and renamed: it is either complete or not there, whenever a
process is killed. It never changes afterwards. If two processes send the same file at once,
the server detects the duplicates, and the second process finds the file deleted.

File names carry what is needed to decide which files to delete first: priority, time and size.
"""

from __future__ import annotations

import errno
import json
import os
import re
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from lamia_gql.client.event import Event, new_id

MAX_SPOOL_BYTES = 64 * 1024 * 1024
"""The size of a spool; each file counts as at least one block."""
MAX_EVENT_BYTES = 1024 * 1024
"""An event that is larger is spooled without its payload. Servers accept 64 KiB by default."""
BLOCK_BYTES = 4096
MAX_REFUSED_FILES = 1000
STALE_CLAIM_S = 120.0
"""The age from which a claim is ignored, because its owner must have died."""
STALE_DRAFT_S = 24 * 3600.0
"""The age from which an unfinished file is deleted."""
DISK_FULL_ERRNOS = (errno.ENOSPC, errno.EDQUOT)


class SpoolResult(NamedTuple):
    """What happened to events that were to be spooled."""

    file_names: dict[str, str]
    """The files of the spooled events, by the events' ids."""
    dropped: int
    """How many events or files were dropped for lack of space."""


class Spool:
    """The part of a spool directory that belongs to one server.

    Args:
        folder: The spool directory, which all servers share.
        url: The address of the server.
        max_bytes: The size from which files are dropped.
    """

    def __init__(self, folder: str, url: str, max_bytes: int = MAX_SPOOL_BYTES) -> None:
        self.folder = os.path.join(folder, _folder_name(url))
        self._url = url
        self._root = folder
        self._max_bytes = max_bytes
        self._refused = os.path.join(self.folder, "refused")
        self._claim = os.path.join(self.folder, ".sending")

    def add(self, events: Iterable[Event]) -> SpoolResult:
        """Write events; they are on the disk when this returns.

        If space is short, the oldest events of the lowest priority are dropped: never an end for
        a beat. Raises OSError if nothing can be written.
        """
        result = SpoolResult({}, 0)
        for priority, lines in _group_into_files(events):
            content = b"".join(lines.values())
            name = f"{priority}-{time.time_ns() // 1000:016}-{len(content):08}-{new_id()}"
            is_written, dropped = self._write_within_limit(name, content)
            names = dict.fromkeys(lines, name) if is_written else {}
            result = SpoolResult({**result.file_names, **names}, result.dropped + dropped)
        return result

    def _write_within_limit(self, name: str, content: bytes) -> tuple[bool, int]:
        """Write a file; returns whether it was written, and how many files were dropped."""
        self._make_folders()
        names = sorted(self.file_names())
        space = self._max_bytes - sum(map(_size_from_name, names)) - _size_from_name(name)
        dropped = 0
        while space < 0:
            if not names or names[0] > name:
                return False, dropped + 1
            space += _size_from_name(names[0])
            dropped += self.remove(names.pop(0))
        while True:
            try:
                self._write(self.folder, name, content)
                return True, dropped
            except OSError as error:
                if error.errno not in DISK_FULL_ERRNOS or not names or names[0] > name:
                    raise
                dropped += self.remove(names.pop(0))

    def file_names(self) -> list[str]:
        """Return the names of all files, unordered; none if the folder can't be read."""
        try:
            found = os.listdir(self.folder) if self._is_ours() else []
        except OSError:
            return []
        return [name for name in found if name[:2] in ("0-", "1-", "2-", "3-")]

    def file_names_by_priority(self) -> list[str]:
        """Return the names of all files, highest priority first, then oldest first."""
        return sorted(self.file_names(), key=lambda name: (-int(name[0]), name))

    def read(self, name: str) -> list[Event]:
        """Return the events of a file; none if it was deleted. Moves invalid lines to ``refused/``.

        Raises OSError if the file exists but can't be read.
        """
        try:
            with open(os.path.join(self.folder, name), "rb") as file:
                lines = file.read().splitlines()
        except FileNotFoundError:
            return []
        events = []
        for line in lines:
            try:
                events.append(Event.decode(line))
            except ValueError as error:
                record = {"reason": str(error), "line": line.decode("utf-8", "replace")}
                self._write_refused(record)
        return events

    def remove(self, name: str) -> bool:
        """Delete a file; returns whether it was still there."""
        try:
            os.unlink(os.path.join(self.folder, name))
        except OSError:
            return False
        return True

    def replace(self, name: str, rest: Sequence[Event]) -> None:
        """Replace a file by one with fewer events. Raises OSError; then the file is unchanged."""
        if rest:
            self.add(rest)
        self.remove(name)

    def add_refused(self, event: Event, reason: str) -> None:
        """Write an event to ``refused/``, from where it is never sent. Never raises."""
        self._write_refused({"reason": reason, "event": event.fields})

    def claim(self) -> bool:
        """Claim the spool for sending; returns False if another process seems to be sending.

        This saves work. Correctness does not depend on it.
        """
        try:
            self._make_folders()
            # The absolute value, because the clock of the file's owner may be ahead of ours.
            if abs(time.time() - os.stat(self._claim).st_mtime) > STALE_CLAIM_S:
                os.unlink(self._claim)
        except OSError:
            pass  # there is no claim, or the next step fails too
        try:
            os.close(os.open(self._claim, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except OSError:
            return False
        self._remove_stale_drafts()
        return True

    def renew_claim(self) -> None:
        """Show others that this process is still sending."""
        try:
            os.utime(self._claim)
        except OSError:
            pass  # another process took it for stale: both send, which does no harm

    def release_claim(self) -> None:
        """Let other processes send."""
        try:
            os.unlink(self._claim)
        except OSError:
            pass

    def _write_refused(self, record: Mapping[str, object]) -> None:
        try:
            self._make_folders()
            for name in sorted(os.listdir(self._refused))[: -MAX_REFUSED_FILES + 1]:
                os.unlink(os.path.join(self._refused, name))
            name = f"{time.time_ns() // 1000:016}-{new_id()}.json"
            self._write(self._refused, name, json.dumps(record, indent=1).encode())
        except OSError:
            pass  # the user has got a warning, and the event can't be sent anyway

    def _make_folders(self) -> None:
        os.makedirs(self._root, 0o700, exist_ok=True)
        if not self._is_ours():
            raise PermissionError(errno.EACCES, "The directory belongs to another user", self._root)
        if not os.path.isdir(self._refused):
            os.makedirs(self._refused, 0o700, exist_ok=True)
            self._write(self.folder, "server", self._url.encode() + b"\n")

    def _is_ours(self) -> bool:
        # In a shared temporary directory, another user may have created a folder of this name.
        return os.getuid() in (0, os.lstat(self._root).st_uid)

    def _write(self, folder: str, name: str, content: bytes) -> None:
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

    def _remove_stale_drafts(self) -> None:
        for folder in (self.folder, self._refused):
            for name in os.listdir(folder):
                path = os.path.join(folder, name)
                try:
                    if (
                        name.endswith(".draft")
                        and time.time() - os.stat(path).st_mtime > STALE_DRAFT_S
                    ):
                        os.unlink(path)
                except OSError:
                    pass  # its writer has just finished it


def _folder_name(url: str) -> str:
    """Return a readable name with a checksum that keeps similar addresses apart."""
    return f"{re.sub('[^A-Za-z0-9.]+', '-', url)[:100]}-{zlib.crc32(url.encode()):08x}"


def _group_into_files(events: Iterable[Event]) -> Iterator[tuple[int, dict[str, bytes]]]:
    """Yield the content of each file: its priority, and lines by event id; the highest first."""
    groups: dict[int, list[Event]] = {}
    for event in events:
        groups.setdefault(event.priority, []).append(event)
    for priority in sorted(groups, reverse=True):
        lines: dict[str, bytes] = {}
        size = 0
        for event in groups[priority]:
            line = event.encode()
            if len(line) > MAX_EVENT_BYTES:
                line = event.without("payload").encode()
            if lines and size + len(line) > MAX_EVENT_BYTES:
                yield priority, lines
                lines, size = {}, 0
            lines[event.id] = line
            size += len(line)
        yield priority, lines


def _size_from_name(name: str) -> int:
    try:
        return max(BLOCK_BYTES, int(name.split("-")[2]))
    except (LookupError, ValueError):
        return BLOCK_BYTES
