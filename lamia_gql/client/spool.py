"""Events on disk until a server takes them; shared by any processes, also on network folders.

A file holds the events of one rank that one process could not send. It is written under another
name, flushed to the disk and renamed, so it is there whole or not at all, whatever is killed in
between; nobody changes it afterwards. Two that send the same file at once do no harm, because
the server knows an event by its id, and who comes second finds the file gone. So nothing hangs
on locks, which network file systems keep badly.

The names tell all that is needed to find the least worthy files: rank, time and size.
"""

from __future__ import annotations

import errno
import json
import os
import re
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from lamia_gql.client.event import Event, new_id

LARGEST = 64 * 1024 * 1024
"""Bytes that may wait for one server; a file counts as at least one block."""
LARGEST_EVENT = 1024 * 1024
"""Bytes of an event that is kept with its payload; servers take 64 KiB unless told otherwise."""
BLOCK = 4096
MOST_REFUSED = 1000
"""Refused events that are kept for people to look at."""
STALE_LOCK = 120.0
"""Seconds after which a sign that somebody sends what is here is believed no more."""
STALE_DRAFT = 24 * 3600.0
"""Seconds after which a file that was never finished is taken away."""
FULL_DISK = (errno.ENOSPC, errno.EDQUOT)


class Kept(NamedTuple):
    """What became of events that were to be kept."""

    names: dict[str, str]
    """The files of those that are on the disk now, by their ids."""
    lost: int
    """How many events or files were let go."""


class Spool:
    """The part of a spool folder that belongs to one server."""

    def __init__(self, folder: str, url: str, largest: int = LARGEST) -> None:
        self.folder = os.path.join(folder, _folder_name(url))
        self._url = url
        self._root = folder
        self._largest = largest
        self._refused = os.path.join(self.folder, "refused")
        self._lock = os.path.join(self.folder, ".sending")

    def put(self, events: Iterable[Event]) -> Kept:
        """Keep events, on the disk when this returns.

        Where there is no room, the oldest of the lowest rank go: never an end before a beat.
        Raises OSError where nothing can be written at all.
        """
        kept = Kept({}, 0)
        for rank, lines in _files(events):
            content = b"".join(lines.values())
            name = f"{rank}-{time.time_ns() // 1000:016}-{len(content):08}-{new_id()}"
            is_there, lost = self._store(name, content)
            names = dict.fromkeys(lines, name) if is_there else {}
            kept = Kept({**kept.names, **names}, kept.lost + lost)
        return kept

    def _store(self, name: str, content: bytes) -> tuple[bool, int]:
        """Make a file; whether it is there, and how many others, or itself, were let go."""
        self._make_folders()
        names = sorted(self.names())
        room = self._largest - sum(map(_size, names)) - _size(name)
        lost = 0
        while room < 0:
            if not names or names[0] > name:
                return False, lost + 1
            room += _size(names[0])
            lost += self.remove(names.pop(0))
        while True:
            try:
                self._write(self.folder, name, content)
                return True, lost
            except OSError as error:
                if error.errno not in FULL_DISK or not names or names[0] > name:
                    raise
                lost += self.remove(names.pop(0))

    def names(self) -> list[str]:
        """The files that wait, in no order; none where the folder can't be read."""
        try:
            found = os.listdir(self.folder) if self._is_ours() else []
        except OSError:
            return []
        return [name for name in found if name[:2] in ("0-", "1-", "2-", "3-")]

    def in_order(self) -> list[str]:
        """The files that wait in the order in which they should go: what is worth most first."""
        return sorted(self.names(), key=lambda name: (-int(name[0]), name))

    def read(self, name: str) -> list[Event]:
        """The events of a file; none where it has gone. Lines that are no events are put aside.

        Raises OSError where the file is there and can't be read.
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
                self._put_aside({"reason": str(error), "line": line.decode("utf-8", "replace")})
        return events

    def remove(self, name: str) -> bool:
        """Take a file away; whether it was still there."""
        try:
            os.unlink(os.path.join(self.folder, name))
        except OSError:
            return False
        return True

    def replace(self, name: str, rest: Sequence[Event]) -> None:
        """Take a file away, but for some of its events. Raises OSError; then all are still here."""
        if rest:
            self.put(rest)
        self.remove(name)

    def refuse(self, event: Event, reason: str) -> None:
        """Put an event aside, with the reason, where nobody sends it again."""
        self._put_aside({"reason": reason, "event": event.fields})

    def begin_sending(self) -> bool:
        """Whether nobody else seems to be sending what is here: a courtesy, no lock."""
        try:
            self._make_folders()
            # Its maker may have a clock that is ahead of ours.
            if abs(time.time() - os.stat(self._lock).st_mtime) > STALE_LOCK:
                os.unlink(self._lock)
        except OSError:
            pass  # it is not there, or the next step will tell
        try:
            os.close(os.open(self._lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except OSError:
            return False
        self._sweep()
        return True

    def go_on_sending(self) -> None:
        """Show that the sender is alive."""
        try:
            os.utime(self._lock)
        except OSError:
            pass  # somebody thought us dead: both of us send, which is no harm

    def end_sending(self) -> None:
        """Let others send."""
        try:
            os.unlink(self._lock)
        except OSError:
            pass

    def _put_aside(self, record: dict[str, object]) -> None:
        try:
            self._make_folders()
            for name in sorted(os.listdir(self._refused))[: -MOST_REFUSED + 1]:
                os.unlink(os.path.join(self._refused, name))
            name = f"{time.time_ns() // 1000:016}-{new_id()}.json"
            self._write(self._refused, name, json.dumps(record, indent=1).encode())
        except OSError:
            pass  # the reason has been told, and the server will never take it

    def _make_folders(self) -> None:
        os.makedirs(self._root, 0o700, exist_ok=True)
        if not self._is_ours():
            raise PermissionError(errno.EACCES, "The folder is another user's", self._root)
        if not os.path.isdir(self._refused):
            os.makedirs(self._refused, 0o700, exist_ok=True)
            self._write(self.folder, "server", self._url.encode() + b"\n")

    def _is_ours(self) -> bool:
        # In a temporary folder that all may write to, the name could be somebody else's.
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
            pass  # not every file system does that for folders
        finally:
            os.close(descriptor)

    def _sweep(self) -> None:
        for folder in (self.folder, self._refused):
            for name in os.listdir(folder):
                path = os.path.join(folder, name)
                try:
                    if (
                        name.endswith(".draft")
                        and time.time() - os.stat(path).st_mtime > STALE_DRAFT
                    ):
                        os.unlink(path)
                except OSError:
                    pass  # its writer has just finished it


def _folder_name(url: str) -> str:
    """A name for people, and a number that makes it unlike all others."""
    return f"{re.sub('[^A-Za-z0-9.]+', '-', url)[:100]}-{zlib.crc32(url.encode()):08x}"


def _files(events: Iterable[Event]) -> Iterator[tuple[int, dict[str, bytes]]]:
    """What goes into a file each: a rank, and lines by the ids of their events; the best first."""
    groups: dict[int, list[Event]] = {}
    for event in events:
        groups.setdefault(event.rank, []).append(event)
    for rank in sorted(groups, reverse=True):
        lines: dict[str, bytes] = {}
        size = 0
        for event in groups[rank]:
            line = event.encode()
            if len(line) > LARGEST_EVENT:
                line = event.without("payload").encode()
            if lines and size + len(line) > LARGEST_EVENT:
                yield rank, lines
                lines, size = {}, 0
            lines[event.id] = line
            size += len(line)
        yield rank, lines


def _size(name: str) -> int:
    try:
        return max(BLOCK, int(name.split("-")[2]))
    except (LookupError, ValueError):
        return BLOCK
