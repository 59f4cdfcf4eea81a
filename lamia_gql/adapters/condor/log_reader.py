"""A job event log as it grows and is rotated, as one sequence of records."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from lamia_gql.adapters.condor.log_file import LogFile, Record
from lamia_gql.adapters.file_mark import mark_of

GLOBAL_HEADER = b"Global JobLog:"
"""What stands at the beginning of the event log of a whole access point, which is rotated."""
HEADER_BYTES = 512


class LogReader:
    """Reads a log from a place on.

    A place is a position and a digest of what stands before it: so it is found again in a file
    that was renamed or copied, and not taken for one in another file.

    Args:
        path: the log, as HTCondor writes to it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: LogFile | None = None
        self._problems: list[str] = []

    def open(self, place: Any) -> None:
        """Go to a place; None is the beginning. Raises ``OSError``."""
        self.close()
        if place is not None:
            found = self._find(self._files(), place["offset"], place["mark"])
            if found is not None:
                self._file = LogFile(found, place["offset"])
                return
            self._problems.append(f"{self._path} has changed, and is read from its beginning.")
        self._file = LogFile(self._first())

    def read(self) -> Record | None:
        """Return the next record; None if there is none yet. Raises ``OSError``."""
        assert self._file is not None, "open() comes first"
        record = None if self._file.is_cut() else self._file.read()
        while record is None and (next_file := self._next(self._file)) is not None:
            # What was written before it was moved.
            record = None if self._file.is_cut() else self._file.read()
            if record is None:
                self._note_skipped(self._file)
                self._file.close()
                self._file = next_file
                record = self._file.read()
            else:
                next_file.close()
        self._note_skipped(self._file)
        return record

    def take_problems(self) -> list[str]:
        """Return what was skipped since the last call, one sentence each."""
        problems, self._problems = self._problems, []
        return problems

    def close(self) -> None:
        """Close the file that is open."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _note_skipped(self, file: LogFile) -> None:
        if file.skipped:
            self._problems.append(f"{file.path} has something that is not an event.")
            file.skipped = 0

    def _next(self, file: LogFile) -> LogFile | None:
        """Open the file in which the log goes on behind this one; None if it is still the same."""
        try:
            inode = self._path.stat().st_ino
        except FileNotFoundError:
            return None  # it is being rotated
        if inode == file.inode and not file.is_cut():
            return None
        files = self._files()
        inodes = [path.stat().st_ino for path in files]
        if file.inode in inodes[1:]:
            return LogFile(files[inodes.index(file.inode) - 1])
        # It was copied and cut, or deleted.
        mark = file.end_mark
        copy = self._find(files[1:], file.offset, mark) if file.offset and mark else None
        return LogFile(copy, file.offset) if copy is not None else LogFile(self._first())

    @staticmethod
    def _find(files: list[Path], offset: int, mark: str) -> Path | None:
        return next((path for path in files if mark_of(path, offset) == mark), None)

    def _first(self) -> Path:
        """Return the file with the oldest records.

        Only the event log of an access point is rotated. What has such a name beside the log of a
        user is something else.
        """
        with self._path.open("rb") as file:
            is_global = GLOBAL_HEADER in file.read(HEADER_BYTES)
        return self._files()[-1] if is_global else self._path

    def _files(self) -> list[Path]:
        """Return the log and its rotations, the newest first."""
        numbered = (Path(f"{self._path}.{number}") for number in itertools.count(1))
        old = Path(f"{self._path}.old")
        rotated = itertools.takewhile(Path.exists, numbered)
        return [self._path, *([old] if old.exists() else []), *rotated]
