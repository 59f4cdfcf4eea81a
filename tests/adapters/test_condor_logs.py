"""Logs that are broken, half written, or rotated are read as far as they can be."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from lamia_gql.adapters.condor.job_target import JobTarget
from lamia_gql.adapters.condor.source import CondorLogs
from lamia_gql.adapters.source import SourceError
from tests.support.condor_log import CondorLog

START = datetime(2026, 11, 20, 12, 0, 0)


class Reading:
    """A source that is read as by a follower."""

    def __init__(self, *paths: Path, place: Any = None) -> None:
        self.source = CondorLogs(paths, JobTarget("night", "fill"))
        self.place = place
        self.problems: list[str] = []

    def read(self) -> list[str]:
        """Read to the end; the classes and jobs of the events."""
        found: list[str] = []
        while True:
            portion = self.source.read(self.place)
            self.place = portion.place
            self.problems += portion.problems
            found += [f"{e.fields['eventClass']} {e.fields['batchId']}" for e in portion.events]
            if portion.is_last:
                return found


OpenLogs = Callable[..., Reading]


@pytest.fixture
def open_logs() -> Iterator[OpenLogs]:
    """Opens logs, at a place, and closes them at the end of the test."""
    with ExitStack() as stack:

        def open_them(*paths: Path, place: Any = None) -> Reading:
            opened = Reading(*paths, place=place)
            stack.callback(opened.source.close)
            return opened

        yield open_them


def test_half_a_record(tmp_path: Path, open_logs: OpenLogs) -> None:
    """A record counts when it is whole, however it is cut."""
    log = CondorLog(tmp_path / "whole.log", START)
    log.submit(0)
    log.execute(0)
    log.terminate(0, code=1)
    whole = log.path.read_bytes()
    path = tmp_path / "job.log"
    path.touch()
    reading, found = open_logs(path), []
    for place in range(0, len(whole), 450):
        with path.open("ab") as file:
            file.write(whole[place : place + 450])
        os.utime(path, (0, 0))  # else attributes of a record would be waited for
        found += reading.read()
    assert found == ["SUBMITTED 57.0", "STARTED 57.0", "FAILED 57.0"]
    assert reading.problems == []


@pytest.mark.parametrize(
    "rubbish",
    [
        b"What is this?\n...\n",
        b"What is this?\nAnd that?\n\n...\n",
        b"\0" * 700 + b"\n...\n",
        b"001 (057.000.000) 2026-11-20 12:00:00 Nothing that is known\n...\n",
        b"999 (057.000.000) 2026-11-20 12:00:00 Something new\n\tand more\n...\n",
        b"005 (057.000.000) 20xx-11-20 12:00:00 Job terminated.\n...\n",
        b"...\n...\n",
        bytes(range(256)) + b"\n...\n",
    ],
)
def test_what_is_not_a_record(tmp_path: Path, open_logs: OpenLogs, rubbish: bytes) -> None:
    """It is skipped, and the next records are read."""
    log = CondorLog(tmp_path / "job.log", START)
    log.submit(0)
    log.execute(0)
    with log.path.open("ab") as file:
        file.write(rubbish)
    log.grow(0, 1000)
    log.terminate(0)
    log.submit(1)
    found = open_logs(log.path).read()
    known = ["SUBMITTED 57.0", "STARTED 57.0", "BEAT 57.0", "DONE 57.0", "SUBMITTED 57.1"]
    assert found[:2] + found[-3:] == known


def test_several_rotations_at_once(tmp_path: Path, open_logs: OpenLogs) -> None:
    """Whoever was away for several rotations reads all of them, in order."""
    path = tmp_path / "EventLog"
    log = CondorLog(path, START, attributes={})
    log.header(1)
    log.submit(0)
    reading = open_logs(path)
    assert reading.read() == ["SUBMITTED 57.0"]
    for proc in (1, 2, 3):
        log.submit(proc)
        for number in (3, 2, 1):
            old = Path(f"{path}.{number}")
            if old.exists():
                old.rename(f"{path}.{number + 1}")
        path.rename(f"{path}.1")
        log.header(proc + 1)
    log.submit(4)
    rest = [f"SUBMITTED 57.{proc}" for proc in (1, 2, 3, 4)]
    again = open_logs(path, place=reading.place)
    assert again.read() == rest
    assert reading.read() == rest
    assert open_logs(path).read() == ["SUBMITTED 57.0", *rest]
    assert again.problems == reading.problems == []


def test_the_old_log_of_another(tmp_path: Path, open_logs: OpenLogs) -> None:
    """Files beside the log of a user are not its rotations; a single rotation is named .old."""
    path = tmp_path / "job.log"
    CondorLog(Path(f"{path}.old"), START, 56).submit(0)
    log = CondorLog(path, START)
    log.submit(0)
    reading = open_logs(path)
    assert reading.read() == ["SUBMITTED 57.0"]
    path.rename(f"{path}.old")
    log.submit(1)
    assert reading.read() == ["SUBMITTED 57.1"]


def test_a_place_that_is_gone(tmp_path: Path, open_logs: OpenLogs) -> None:
    """Then the log is read from its beginning, and the user is told."""
    log = CondorLog(tmp_path / "job.log", START)
    log.submit(0, 1)
    reading = open_logs(log.path)
    reading.read()
    log.path.unlink()
    log.submit(2)
    again = open_logs(log.path, place=reading.place)
    assert again.read() == ["SUBMITTED 57.2"]
    assert again.problems == [f"{log.path} has changed, and is read from its beginning."]


def test_attributes_that_come_late(tmp_path: Path, open_logs: OpenLogs) -> None:
    """The attributes of a record are waited for while its log is new."""
    path = tmp_path / "job.log"
    CondorLog(path, datetime.now(), attributes={"LamiaIndex": 5}).submit(0)
    whole = path.read_bytes()
    first = whole.index(b"...\n") + 4
    path.write_bytes(whole[:first])
    reading = open_logs(path)
    portion = reading.source.read(None)
    assert (portion.events, portion.is_last) == ([], False)
    with path.open("ab") as file:
        file.write(whole[first:])
    portion = reading.source.read(portion.place)
    assert [event.fields["index"] for event in portion.events] == [5]


def test_logs_that_are_missing(tmp_path: Path, open_logs: OpenLogs) -> None:
    """One that is missing does not keep the others; if all are, there is nothing to read."""
    one, other = tmp_path / "one.log", tmp_path / "other.log"
    reading = open_logs(one, other)
    with pytest.raises(SourceError, match=r"one.log can't be read: No such file.*other.log"):
        reading.read()
    CondorLog(one, START).submit(0)
    assert reading.read() == ["SUBMITTED 57.0"]
    CondorLog(other, START, 58).submit(0)
    assert reading.read() == ["SUBMITTED 58.0"]
    one.unlink()
    CondorLog(other, START, 58).submit(1)
    assert reading.read() == ["SUBMITTED 58.1"]


def test_what_is_remembered_stays_small(tmp_path: Path, open_logs: OpenLogs) -> None:
    """Of the jobs that have ended, or do not run yet, nothing is remembered."""
    log = CondorLog(tmp_path / "job.log", START)
    log.submit(*range(500))
    for proc in range(400):
        log.execute(proc)
        log.wait(1)
        log.terminate(proc)
        log.wait(15)
    log.execute(400)
    reading = open_logs(log.path)
    assert len(reading.read()) == 1301
    [place] = reading.place.values()
    assert list(place["history"]["jobs"]) == ["57.400"]
    assert len(place["history"]["recent"]) == 1
