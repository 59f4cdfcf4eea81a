"""What Slurm's commands print becomes events; real ones are in ``tests/batch``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from lamia_gql.adapters.slurm.hook import read_events
from lamia_gql.adapters.slurm.hook_call import HookCall, find_call
from lamia_gql.adapters.slurm.job_label import JobLabel
from lamia_gql.adapters.slurm.source import JobSelection, SlurmJobs
from lamia_gql.adapters.source import SourceError
from lamia_gql.client.event import Event
from tests.adapters.slurm_commands import SlurmCommands

ARRAY = {"ArrayJobID": "7", "ArrayTaskID": "3", "JobID": "9", "BatchHost": "node1"}
ENDED = ARRAY | {"State": "COMPLETED", "EndTime": "1020"}
Fields = dict[str, Any]


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SlurmCommands:
    """The commands, which are found first."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return SlurmCommands(tmp_path)


def make_source(since: str | None = None, **selection: Any) -> SlurmJobs:
    """A source that follows everybody's jobs."""
    return SlurmJobs(JobSelection(**selection), 1.0, since)


def read(source: SlurmJobs, place: Any = None) -> list[tuple[str, Fields]]:
    """The classes and fields of what is new."""
    return told(source.read(place).events)


def told(events: list[Event]) -> list[tuple[str, Fields]]:
    """The classes and fields of events."""
    return [(event.fields["eventClass"], event.fields) for event in events]


def classes(found: list[tuple[str, Fields]]) -> list[str]:
    """The classes only."""
    return [name for name, _fields in found]


def test_life_of_a_job(slurm: SlurmCommands) -> None:
    """It is held, released, runs, is suspended, goes on, is requeued and ends."""
    source = make_source()
    pending = ARRAY | {"State": "PENDING", "StartTime": "N/A", "BatchHost": "n/a"}
    again = {"RestartCnt": "1", "SubmitTime": "1015", "StartTime": "1016"}
    steps: list[tuple[Fields, list[str]]] = [
        (pending | {"Reason": "JobHeldUser"}, ["SUBMITTED", "HELD"]),
        (pending | {"Reason": "job requeued in held state"}, []),
        (pending | {"Reason": "Resources"}, ["SUBMITTED"]),
        (pending | {"Reason": "Priority"}, []),
        (ARRAY, ["STARTED"]),
        (ARRAY, []),
        (ARRAY | {"State": "SUSPENDED"}, ["HELD"]),
        (ARRAY, ["STARTED"]),
        (ARRAY | again | {"State": "COMPLETING"}, []),
        (pending | again, ["SUBMITTED"]),
        (ARRAY | again, ["STARTED"]),
        (ARRAY | again | {"State": "COMPLETING"}, []),
        (ENDED | again, ["DONE"]),
        (ENDED | again, []),
    ]
    everything = []
    for number, (job, expected) in enumerate(steps):
        slurm.queue(job)
        found = read(source)
        assert classes(found) == expected, number
        everything += found
    assert {f["index"] for _, f in everything} == {3}
    assert {f["batchId"] for _, f in everything} == {"7_3"}
    assert [f["attempt"] for _, f in everything] == [0] * 6 + [1] * 3
    assert [f["message"] for name, f in everything if name == "HELD"] == [
        "JobHeldUser",
        "SUSPENDED",
    ]
    done = everything[-1][1]
    assert (done["hostname"], done["exitCode"]) == ("node1", 0)
    assert done["usage"] == {"cpus": 1, "requestedMemoryBytes": 4000 * 2**20, "wallSeconds": 4}
    assert done["sentAt"] == "1970-01-01T00:17:00.999000+00:00"


@pytest.mark.parametrize(
    ("state", "exit_code", "reason", "expected"),
    [
        ("COMPLETED", "0", "None", ("DONE", 0, None, None)),
        ("FAILED", "768", "NonZeroExitCode", ("FAILED", 3, None, None)),
        ("FAILED", "11", "JobLaunchFailure", ("FAILED", None, "SIGSEGV", None)),
        (
            "FAILED",
            "53",
            "JobLaunchFailure",
            ("FAILED", None, None, "FAILED (JobLaunchFailure, 0:53)"),
        ),
        ("OUT_OF_MEMORY", "125", "OutOfMemory", ("FAILED", None, None, "OUT_OF_MEMORY")),
        ("NODE_FAIL", "0", "NodeDown", ("FAILED", None, None, "NODE_FAIL")),
        ("TIMEOUT", "0", "TimeLimit", ("TERMINATED", None, None, "TIMEOUT")),
        ("TIMEOUT", "15", "TimeLimit", ("TERMINATED", None, "SIGTERM", "TIMEOUT")),
        ("CANCELLED", "36608", "None", ("TERMINATED", 143, None, "CANCELLED")),
        (
            *("CANCELLED", "0", "DependencyNeverSatisfied"),
            ("TERMINATED", None, None, "CANCELLED (DependencyNeverSatisfied)"),
        ),
        ("PREEMPTED", "0", "None", ("TERMINATED", None, None, "PREEMPTED")),
    ],
)
def test_causes(
    slurm: SlurmCommands, state: str, exit_code: str, reason: str, expected: tuple[Any, ...]
) -> None:
    """Each final state is an end with its cause."""
    slurm.queue(ENDED | {"State": state, "exit_code": exit_code, "Reason": reason})
    (_, started), (name, end) = read(make_source())
    assert started["eventClass"] == "STARTED"
    assert (name, end.get("exitCode"), end.get("signal"), end.get("message")) == expected


def test_arrays_that_wait(slurm: SlurmCommands) -> None:
    """Their jobs are shown on one line. One that vanishes from it was cancelled."""
    pending = {"ArrayJobID": "7", "JobID": "7", "State": "PENDING"}
    slurm.queue(pending | {"ArrayTaskID": "0-2,4%2"})
    source = make_source()
    found = read(source)
    assert [(name, f["index"]) for name, f in found] == [("SUBMITTED", i) for i in (0, 1, 2, 4)]
    slurm.queue(pending | {"ArrayTaskID": "0-1,4%2"})
    ((name, end),) = read(source)
    assert (name, end["index"], end["message"]) == ("TERMINATED", 2, "CANCELLED")


def test_parts_of_a_heterogeneous_job_are_one(slurm: SlurmCommands) -> None:
    """The first part is the job, for the queue, the accounts and the hook."""
    parts = {"7": "7+0", "8": "7+1"}
    queue = [{"ArrayJobID": n, "JobID": n, "JobArrayID": name} for n, name in parts.items()]
    slurm.queue(*(ENDED | {"ArrayTaskID": "N/A"} | part for part in queue))
    assert [(name, f["batchId"]) for name, f in read(make_source())] == [
        ("STARTED", "7"),
        ("DONE", "7"),
    ]
    assert read_events(HookCall(True, "8", {})) == []
    slurm.queue()
    slurm.accounts(
        *({"JobID": name, "JobIDRaw": n, "State": "FAILED"} for n, name in parts.items()),
        {"JobIDRaw": "8.0", "MaxRSS": "1000K"},
    )
    ((_, start), (name, end)) = read(make_source(since="now-1days"))
    assert (start["batchId"], name, end["batchId"]) == ("7", "FAILED", "7")
    assert "maxRssBytes" not in end["usage"]


def test_large_queue_is_read_in_portions(slurm: SlurmCommands) -> None:
    """The place moves only behind the last portion."""
    slurm.queue({"ArrayJobID": "7", "JobID": "7", "State": "PENDING", "ArrayTaskID": "0-2499"})
    source = make_source()
    portions = [source.read(None) for _ in range(3)]
    assert [len(portion.events) for portion in portions] == [1000, 1000, 500]
    assert [portion.is_last for portion in portions] == [False, False, True]
    assert [portion.place is None for portion in portions] == [True, True, False]
    assert source.read(portions[-1].place).events == []


def test_two_followers_tell_the_same(slurm: SlurmCommands) -> None:
    """Whoever looks, and whenever: the ids are equal, and so are those of the hook."""
    slurm.queue(ENDED)
    first, second = (make_source().read(None).events for _ in range(2))
    assert [event.id for event in first] == [event.id for event in second]
    prolog = read_events(HookCall(True, "9", {}))
    epilog = read_events(HookCall(False, "9", {}))
    assert [event.id for event in prolog + epilog] == [event.id for event in first]
    record = {"JOBSTATE": "COMPLETED", "EXITCODE": "0:0", "START": "1010", "END": "1020"}
    slurm.queue(ENDED | {"State": "COMPLETING"})
    assert [e.id for e in read_events(HookCall(False, "9", record))] == [first[1].id]


@pytest.mark.parametrize("state", ["PENDING", "NODE_FAIL"])
def test_hook_of_a_requeue(slurm: SlurmCommands, state: str) -> None:
    """Slurm has counted the restart already: what is told is the next attempt's submission."""
    slurm.queue(ARRAY | {"State": "COMPLETING", "RestartCnt": "1", "StartTime": "1020"})
    times = {"START": "1010", "END": "1020"}
    call = find_call({"JOBID": "9", "JOBSTATE": state, "EXITCODE": "0:0", **times})
    assert call is not None
    ((name, fields),) = told(read_events(call))
    assert (name, fields["attempt"], fields["sentAt"][14:19]) == ("SUBMITTED", 1, "17:00")


def test_hook_of_other_jobs(slurm: SlurmCommands) -> None:
    """Jobs without a label are of no concern, nor are those that Slurm has forgotten."""
    slurm.queue(ENDED | {"Comment": ""})
    assert read_events(HookCall(False, "9", {})) == []
    slurm.answer("squeue", error="slurm_load_jobs error: Invalid job id specified")
    assert read_events(HookCall(False, "9", {})) == []


def test_jobs_are_selected(slurm: SlurmCommands) -> None:
    """By the number of the job or of its array; then a job needs no label."""
    bare = ENDED | {"Comment": "(null)"}
    slurm.queue(bare, bare | {"JobID": "12", "ArrayJobID": "12", "ArrayTaskID": "N/A"})
    label = JobLabel("t", "p")
    for job_id, indices in (("7", [3]), ("9", [3]), ("7_3", [3]), ("12", [None]), ("1", [])):
        source = make_source(job_ids=frozenset([job_id]), label=label)
        found = [(f["task"], f.get("index")) for name, f in read(source) if name == "DONE"]
        assert found == [("t", index) for index in indices]
    assert read(make_source()) == []
    read(make_source(user="ada"))
    assert ["--user=ada" in call for call in slurm.calls("squeue")] == [False] * 6 + [True]


def test_slurm_that_does_not_answer(slurm: SlurmCommands, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sentence says why; the next look goes on."""
    source = make_source()
    slurm.answer("squeue", error="\nslurm_load_jobs error: Unable to contact slurm controller.\n")
    with pytest.raises(
        SourceError, match=r"failed: slurm_load_jobs error: Unable .* controller\.$"
    ):
        source.read(None)
    slurm.queue(ENDED)
    assert classes(read(source)) == ["STARTED", "DONE"]
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(SourceError, match="There is no command squeue here"):
        source.read(None)


def test_accounts_tell_usage(slurm: SlurmCommands) -> None:
    """An end waits for its accounts; they tell what its steps have used."""
    source = make_source()
    slurm.queue(ENDED)
    slurm.accounts()
    assert read(source) == []
    job = {"JobID": "7_3", "JobIDRaw": "9", "TotalCPU": "00:07.5"}
    steps = [
        {"JobIDRaw": "9.batch", "MaxRSS": "1000K", "MaxDiskRead": "1M", "MaxDiskWrite": "2M"},
        {"JobIDRaw": "9.0", "MaxRSS": "3000K", "MaxDiskRead": "1M"},
    ]
    slurm.accounts(job, *steps)
    found = read(source)
    assert classes(found) == ["STARTED", "DONE"]
    assert found[1][1]["usage"] == {
        "cpuSeconds": 7.5,
        "wallSeconds": 10,
        "maxRssBytes": 3000 * 1024,
        "readBytes": 2 * 2**20,
        "writeBytes": 2 * 2**20,
        "cpus": 2,
        "requestedMemoryBytes": 4 * 2**30,
    }


def test_accounts_tell_what_the_controller_has_forgotten(slurm: SlurmCommands) -> None:
    """A job that left the queue unseen, with its restart; and, after a pause, jobs never seen."""
    slurm.queue(ARRAY)
    slurm.accounts()
    source = make_source()
    portion = source.read(None)
    assert classes(told(portion.events)) == ["STARTED"]
    slurm.queue()
    run = {"JobID": "7_3", "JobIDRaw": "9", "Comment": ""}
    requeued = run | {"State": "NODE_FAIL"}
    last = run | {"State": "CANCELLED by 1000", "Start": "1030", "End": "1040"}
    slurm.accounts(requeued, last)
    found = read(source, portion.place)
    assert [(name, f["attempt"]) for name, f in found] == [("STARTED", 1), ("TERMINATED", 1)]
    array = {"JobID": "8_[0-1%1]", "JobIDRaw": "8", "NodeList": "None assigned", "Start": "Unknown"}
    slurm.accounts(array | {"State": "CANCELLED by 0"})
    later = make_source().read(portion.place)
    assert [(n, f["batchId"]) for n, f in told(later.events)] == [
        ("TERMINATED", "8_0"),
        ("TERMINATED", "8_1"),
    ]
    assert any("--starttime=" in call for call in slurm.calls("sacct"))
    assert classes(read(make_source("now-2days"))) == ["TERMINATED"] * 2
    assert "--starttime=now-2days" in slurm.calls("sacct")[-2]


def test_forgotten_without_accounts(slurm: SlurmCommands) -> None:
    """Nobody knows how the job ended; the user is told so once."""
    slurm.queue(ARRAY)
    source = make_source()
    read(source)
    slurm.queue()
    portion = source.read(None)
    assert portion.events == []
    assert portion.problems[0].startswith(
        "Slurm has forgotten how these jobs ended, 1 in all: 7_3."
    )
    assert source.read(None).problems == ()


def test_history_is_read_when_the_accounts_answer(slurm: SlurmCommands) -> None:
    """The queue is told meanwhile, and the place stays."""
    slurm.queue(ARRAY)
    slurm.answer("sacct", error="sacct: error: Problem talking to the database")
    source = make_source()
    first = source.read({"time": 900.0})
    assert (classes(told(first.events)), first.place) == (["STARTED"], {"time": 900.0})
    assert len(first.problems) == 1
    assert source.read(first.place).problems == ()
    slurm.accounts({"JobID": "5", "JobIDRaw": "5", "State": "FAILED", "ExitCode": "2:0"})
    later = source.read(first.place)
    assert [(name, f["batchId"]) for name, f in told(later.events)] == [
        ("STARTED", "5"),
        ("FAILED", "5"),
    ]
    assert later.place["time"] > 900


def test_accounts_that_do_not_answer(slurm: SlurmCommands, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ends are told without the usage after a while; the reason is told once."""
    clock = [5000.0]
    monkeypatch.setattr("lamia_gql.adapters.slurm.source.time.monotonic", lambda: clock[0])
    slurm.queue(ENDED)
    slurm.answer("sacct", error="sacct: error: Problem talking to the database")
    source = make_source()
    first = source.read(None)
    assert first.events == []
    assert first.problems[0].startswith("sacct has failed: sacct: error: Problem talking")
    clock[0] += 11
    second = source.read(first.place)
    assert (classes(told(second.events)), second.problems) == (["STARTED", "DONE"], ())


def test_clock_that_is_set(slurm: SlurmCommands, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for the accounts is neither given up nor kept waiting."""
    clocks = {"time": 5e9, "monotonic": 5000.0}
    for name in clocks:
        place = f"lamia_gql.adapters.slurm.source.time.{name}"
        monkeypatch.setattr(place, lambda name=name: clocks[name])
    running = ARRAY | {"ArrayTaskID": "4", "JobID": "10"}
    slurm.queue(ENDED, running)
    slurm.accounts()
    source = make_source()
    assert classes(read(source)) == ["STARTED"]
    slurm.queue(ENDED)
    clocks["time"] += 7200
    assert source.read(None).problems == ()
    clocks["time"] -= 14400
    clocks["monotonic"] += 11
    assert classes(read(source)) == ["STARTED", "DONE"]
    slurm.accounts({"JobID": "7_4", "JobIDRaw": "10", "State": "FAILED", "ExitCode": "2:0"})
    assert [(name, f["index"]) for name, f in read(source)][-1] == ("FAILED", 4)
