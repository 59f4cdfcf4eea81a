"""One file of a job event log, read by HTCondor's own library."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import htcondor2

from lamia_gql.adapters.file_mark import mark

SEPARATOR = b"\n...\n"
"""What ends an event."""
CHUNK_BYTES = 64 * 1024


class Record(NamedTuple):
    """An event in a log."""

    fields: dict[str, Any]
    """The attributes of HTCondor, by their names in its documentation."""
    end: int
    """The position behind it in its file, in bytes."""
    mark: str
    """What stands before that position, as :func:`lamia_gql.adapters.file_mark.mark`."""
    changed_at: float
    """When the file was last written to, in seconds since 1970."""

    @property
    def kind(self) -> int:
        """What it is: see :class:`lamia_gql.adapters.condor.record_fields.RecordType`."""
        return int(self.fields["EventTypeNumber"])

    @property
    def cluster(self) -> int:
        """The number of the cluster; negative if it is about no job."""
        return int(self.fields.get("Cluster", -1))

    @property
    def proc(self) -> int:
        """The number in the cluster; negative if it is about no job."""
        return int(self.fields.get("Proc", -1))

    @property
    def job(self) -> str:
        """The id of the job, such as ``57.3``."""
        return f"{self.cluster}.{self.proc}"


class LogFile:
    """A file that is open for reading. Raises ``OSError`` if it can't be opened."""

    def __init__(self, path: Path, offset: int = 0) -> None:
        self.path = path
        self._bytes = path.open("rb", buffering=0)  # it sees what was changed
        try:
            self._log = htcondor2.JobEventLog(str(path))
        except htcondor2.HTCondorException as error:
            self._bytes.close()
            raise OSError(str(error)) from error
        self.skipped = 0
        """How many times something was skipped that is not an event."""
        self.end_mark: str | None = None
        """The mark of the last position, if there was nothing more to read behind it."""
        # It never waits: this deadline is over.
        self._log.events(stop_after=0)
        if offset:
            self._seek(offset)

    @property
    def inode(self) -> int:
        """What tells the file from others, whatever its name."""
        return os.fstat(self._bytes.fileno()).st_ino

    @property
    def changed_at(self) -> float:
        """When it was last written to, in seconds since 1970."""
        return os.fstat(self._bytes.fileno()).st_mtime

    @property
    def offset(self) -> int:
        """The position behind the last event that was read, in bytes."""
        # The library has no other way to ask; it is documented for pickling.
        offset: int = self._log.__getstate__()[1]
        return offset

    def read(self) -> Record | None:
        """Return the next complete event; None if there is none yet."""
        self.end_mark = None
        while True:
            before = self.offset
            try:
                event = next(self._log)
            except (StopIteration, htcondor2.HTCondorException):
                # Behind what is not an event it may stop, although there is more.
                if self.offset == before and not self._skip():
                    self.end_mark = mark(self._bytes, before)
                    return None
                self.skipped += 1
                continue
            fields = {name: value for name, value in event.items() if _is_plain(value)}
            end = self.offset
            return Record(fields, end, mark(self._bytes, end) or "", self.changed_at)

    def is_cut(self) -> bool:
        """Whether something else stands now before the end that :meth:`read` has found."""
        return self.end_mark is not None and mark(self._bytes, self.offset) != self.end_mark

    def close(self) -> None:
        """Close the file."""
        self._bytes.close()
        self._log.close()

    def _skip(self) -> bool:
        """Go behind the next separator, if there is one: the library can't read what is there."""
        offset = self.offset
        self._bytes.seek(offset)
        rest = b""
        while chunk := self._bytes.read(CHUNK_BYTES):
            rest += chunk
            found = rest.find(SEPARATOR)
            if found >= 0:
                self._seek(offset + found + len(SEPARATOR))
                return True
        return False

    def _seek(self, offset: int) -> None:
        state, _ = self._log.__getstate__()
        self._log.__setstate__((state, offset))


def _is_plain(value: object) -> bool:
    return isinstance(value, (str, int, float, bool))
