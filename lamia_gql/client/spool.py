"""Events on disk until a server accepts them.

Any number of processes share a spool, also on a network file system, where locks are unreliable.
So there are none. A file holds events of one priority and job from one process. It is written under
another name, flushed to the disk and renamed: it is either complete or not there, whenever a
process is killed. It never changes afterwards. If two processes send the same file at once,
the server detects the duplicates, and the second process finds the file deleted.

The time in the name of a file (``spool_file_name``) is later than those of all that were there,
even if the clock is set back. Files of one time and job were written together, and their events
carry their order. Older versions wrote no job and no order; they read files that have them.
"""

from __future__ import annotations

import binascii
import bisect
import errno
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from lamia_gql.client.down_mark import DownMark
from lamia_gql.client.event import Event
from lamia_gql.client.refused_events import RefusedEvents, write_file
from lamia_gql.client.spool_file_name import (
    job_of_file,
    make_name,
    size_of_file,
    time_of_file,
)

MAX_SPOOL_BYTES = 64 * 1024 * 1024
"""The size of a spool; each file counts as at least one block."""
MAX_EVENT_BYTES = 1024 * 1024
"""An event that is larger is spooled with a part of its payload. Servers accept 64 KiB by default.
"""
MAX_TIME_US = 10**16 - 1
"""The largest time that fits into a file name."""
MAX_BURST_S = 10.0
"""Files of older versions with no more than this between them are sorted by their events' times,
because those that were written together had the ends first."""
MAX_BURST_FILES = 500
STALE_CLAIM_S = 120.0
"""The age from which a claim is ignored, because its owner must have died."""
STALE_DRAFT_S = 24 * 3600.0
"""The age from which an unfinished file is deleted."""
DISK_FULL_ERRNOS = (errno.ENOSPC, errno.EDQUOT)

TYPE_CHECKING = False
if TYPE_CHECKING:
    _Groups = dict[tuple[int, str], list[tuple[str, bytes]]]
    """Ids and lines of events, by their priority and job."""


class SpoolResult(NamedTuple):
    """What happened to events that were to be spooled."""

    file_names: dict[str, str]
    """The files of the spooled events, by the events' ids."""
    dropped: int
    """How many events or files were dropped for lack of space."""
    refused: int
    """How many events can't be encoded, and are in ``refused/``."""


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
        self._claim = os.path.join(self.folder, ".sending")
        self._latest_us = 0
        self._invalid: dict[str, list[dict[str, str]]] = {}
        """The invalid lines of files that were read, for ``refused/``."""
        self.refused = RefusedEvents(os.path.join(self.folder, "refused"))
        self.down = DownMark(os.path.join(self.folder, ".down"))

    def add(self, events: Iterable[Event]) -> SpoolResult:
        """Write events; they are on the disk when this returns.

        If space is short, the oldest events of the lowest priority are dropped: never an end for
        a beat. Raises OSError if nothing can be written.
        """
        self._make_folders()
        file_names: dict[str, str] = {}
        all_dropped = 0
        # Listed once: on a network file system that takes long where many files wait.
        names = sorted(self.file_names())
        time_us = self._next_time_us(names)
        groups, refused = self._encode_groups(events)
        for priority, job, lines in _split_into_files(groups):
            content = b"".join(lines.values())
            name = make_name(str(priority), f"{time_us:016}", content, job)
            is_written, dropped = self._write_within_limit(name, content, names)
            all_dropped += dropped
            if is_written:
                file_names.update(dict.fromkeys(lines, name))
        return SpoolResult(file_names, all_dropped, refused)

    def _next_time_us(self, names: Iterable[str]) -> int:
        """Return the time, later than that of all these files, whoever has written them."""
        known = max(map(time_of_file, names), default=0)
        latest = max(time.time_ns() // 1000, self._latest_us + 1, known + 1)
        self._latest_us = min(latest, MAX_TIME_US)
        return self._latest_us

    def _encode_groups(self, events: Iterable[Event]) -> tuple[_Groups, int]:
        """Return the encoded events, and the number of those that can't be and are refused."""
        groups: _Groups = {}
        refused = 0
        for order, event in enumerate(events):
            try:
                group = groups.setdefault((event.priority, event.job), [])
                group.append((event.id, _encode(event._replace(order=order))))
            except Exception as error:  # whatever is in it, it must not stop the others
                self.add_refused(event, f"It can't be spooled: {error!r}.")
                refused += 1
        return groups, refused

    def _write_within_limit(self, name: str, content: bytes, names: list[str]) -> tuple[bool, int]:
        """Write a file; returns whether it was written, and how many files were dropped.

        ``names`` are those of all files, in order; it is kept up to date.
        """
        space = self._max_bytes - sum(map(size_of_file, names)) - size_of_file(name)
        dropped = 0
        while space < 0:
            if not names or names[0] > name:
                return False, dropped + 1
            space += size_of_file(names[0])
            dropped += self.remove(names.pop(0))
        while True:
            try:
                write_file(self.folder, name, content)
                bisect.insort(names, name)
                return True, dropped
            except OSError as error:
                if error.errno not in DISK_FULL_ERRNOS or not names or names[0] > name:
                    raise
                dropped += self.remove(names.pop(0))

    def check(self) -> None:
        """Raise OSError if the spool is there, and this user can't read it, or must not use it."""
        try:
            self._check_owner()
            os.listdir(self.folder)
        except FileNotFoundError:
            pass  # nothing was ever spooled

    def file_names(self) -> list[str]:
        """Return the names of all files, unordered; none if the folder can't be read."""
        try:
            found = os.listdir(self.folder) if self._is_ours() else []
        except OSError:
            return []
        return [name for name in found if name[:2] in ("0-", "1-", "2-", "3-")]

    def group_files(self, names: Iterable[str]) -> list[list[str]]:
        """Return the names of files, oldest first, in groups that were written together."""
        groups: list[list[str]] = []
        together: dict[tuple[int, str], list[str]] = {}
        burst: list[str] = []
        burst_us = 0
        for time_us, job, name in sorted((time_of_file(n), job_of_file(n), n) for n in names):
            if job:
                group = together.setdefault((time_us, job), [])
            else:
                if time_us - burst_us > MAX_BURST_S * 1e6 or len(burst) >= MAX_BURST_FILES:
                    burst = []
                burst_us, group = time_us, burst
            if not group:
                groups.append(group)
            group.append(name)
        return groups

    def read(self, name: str) -> list[Event]:
        """Return the events of a file; none if it was deleted.

        Invalid lines get to ``refused/`` when it is removed or replaced. Raises OSError if the file
        exists but can't be read.
        """
        try:
            with open(os.path.join(self.folder, name), "rb") as file:
                lines = file.read().splitlines()
        except FileNotFoundError:
            return []
        events = []
        invalid = []
        for line in lines:
            try:
                events.append(Event.decode(line))
            except ValueError as error:
                text = line[:MAX_EVENT_BYTES].decode("utf-8", "replace")
                invalid.append({"reason": str(error), "line": text})
        if invalid:
            self._invalid[name] = invalid
        return events

    def remove(self, name: str) -> bool:
        """Delete a file; returns whether it was still there."""
        invalid = self._invalid.pop(name, [])
        try:
            os.unlink(os.path.join(self.folder, name))
        except OSError:
            return False
        for record in invalid:
            self._write_refused(record)
        return True

    def replace(self, name: str, rest: Sequence[Event]) -> None:
        """Replace a file by one with fewer of its events; they keep their place in the order.

        Raises OSError; then the file is unchanged.
        """
        if rest:
            content = b"".join(map(_encode, rest))
            priority, time_us, *_rest = name.split("-")
            new_name = make_name(priority, time_us, content, job_of_file(name))
            write_file(self.folder, new_name, content)
        self.remove(name)

    def add_refused(self, event: Event, reason: str) -> None:
        """Write an event to ``refused/``, from where it is never sent. Never raises."""
        try:
            event = _fit(event)
        except Exception:
            pass  # it is written as well as possible
        self._write_refused({"reason": reason, "event": event.fields})

    def _write_refused(self, record: Mapping[str, object]) -> None:
        try:
            self._make_folders()
        except OSError:
            return  # the user has got a warning, and the event can't be sent anyway
        self.refused.add(record)

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
        except OSError as error:
            # If there is no room for a claim, sending makes some.
            return error.errno in DISK_FULL_ERRNOS
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

    def _make_folders(self) -> None:
        os.makedirs(self._root, 0o700, exist_ok=True)
        self._check_owner()
        if not os.path.isdir(self.refused.folder):
            # One after the other, because the folders above would get the rights of the umask.
            os.makedirs(self.folder, 0o700, exist_ok=True)
            os.makedirs(self.refused.folder, 0o700, exist_ok=True)
        # Whoever has made the folders may have been killed before, or have had no room for it.
        if not os.path.exists(os.path.join(self.folder, "server")):
            write_file(self.folder, "server", self._url.encode() + b"\n")

    def _is_ours(self) -> bool:
        # In a shared temporary directory, another user may have created a folder of this name.
        return os.getuid() in (0, os.lstat(self._root).st_uid)

    def _check_owner(self) -> None:
        if not self._is_ours():
            raise PermissionError(errno.EACCES, "The directory belongs to another user", self._root)

    def _remove_stale_drafts(self) -> None:
        for folder in (self.folder, self.refused.folder):
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
    return f"{re.sub('[^A-Za-z0-9.]+', '-', url)[:100]}-{binascii.crc32(url.encode()):08x}"


def _split_into_files(groups: _Groups) -> Iterator[tuple[int, str, dict[str, bytes]]]:
    """Yield the priority, the job and the lines by event id of each file; ends come first."""
    for priority, job in sorted(groups, reverse=True):
        lines: dict[str, bytes] = {}
        size = 0
        for id_, line in groups[priority, job]:
            if lines and size + len(line) > MAX_EVENT_BYTES:
                yield priority, job, lines
                lines, size = {}, 0
            lines[id_] = line
            size += len(line)
        if lines:
            yield priority, job, lines


def _encode(event: Event) -> bytes:
    """Return an event as a line of JSON, with as much of its payload as the spool takes."""
    return _fit(event).encode()


def _fit(event: Event) -> Event:
    smaller: Event | None = event
    while smaller is not None and len(smaller.encode()) > MAX_EVENT_BYTES:
        event, smaller = smaller, smaller.shortened()
    return smaller or event
