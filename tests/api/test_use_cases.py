"""The use cases of Lamia's manual, one test each."""

from __future__ import annotations

from tests.support.harness import Server


def test_opaque_jobs_with_nothing_but_ends(server: Server) -> None:
    """Jobs that report only their end: the array's progress counts them."""
    server.create("night", {"name": "opaque", "jobCount": 4, "failureTolerance": 1})
    progress = server.process("night", "opaque")["progress"]
    assert progress == {"ratio": 0.0, "current": 0.0, "target": 4.0, "basis": "DONE_JOBS"}

    for index in (0, 1, 2):
        assert server.submit("night", "opaque", "DONE", index=index)["enough"] is False
    process = server.process("night", "opaque")
    assert process["progress"]["ratio"] == 0.75
    assert (process["state"], process["outlook"]) == ("RUNNING", "ON_TRACK")

    server.submit("night", "opaque", "FAILED", index=3)
    process = server.process("night", "opaque")
    assert (process["state"], process["outlook"]) == ("SUCCEEDED", "ON_TRACK")
    assert process["finishedAt"] == process["lastEventAt"]
    counts = process["counts"]
    assert (counts["total"], counts["done"], counts["failed"], counts["pending"]) == (4, 3, 1, 0)


def test_opaque_solitary_process_has_no_progress_but_a_state(server: Server) -> None:
    """A solitary process without reports has a state but no progress."""
    server.create("one", {"name": "alone"})
    assert server.process("one", "alone")["progress"] is None
    server.submit("one", "alone", "STARTED")
    assert server.process("one", "alone")["state"] == "RUNNING"
    server.submit("one", "alone", "TERMINATED")
    process = server.process("one", "alone")
    assert (process["state"], process["progress"]) == ("FAILED", None)
    assert server.graphql('{ task(name: "one") { state } }')["task"]["state"] == "FAILED"


def test_search_that_stops_when_one_of_many_has_found_it(server: Server) -> None:
    """With a threshold of 1, the first DONE is enough, and every later answer says so."""
    server.create("search", {"name": "needle", "jobCount": 5, "threshold": 1})
    for index in range(5):
        assert server.submit("search", "needle", "STARTED", index=index)["enough"] is False
    assert server.submit("search", "needle", "BEAT", index=1)["enough"] is False

    found = server.submit("search", "needle", "DONE", index=3)
    assert (found["enough"], found["process"]["state"]) == (True, "SUCCEEDED")

    for index in (0, 1, 2, 4):
        assert server.submit("search", "needle", "BEAT", index=index)["enough"] is True
        server.submit("search", "needle", "TERMINATED", index=index)
    process = server.process("search", "needle")
    assert process["state"] == "SUCCEEDED"
    assert process["enough"] is True
    assert process["outlook"] == "ON_TRACK"
    assert process["progress"]["basis"] == "DONE_OF_THRESHOLD"


def test_enough_by_a_number_is_not_as_old_as_a_failure_before_it(server: Server) -> None:
    """A process that is enough finished at that time, not at an earlier failure."""
    server.create("sum", {"name": "entries", "jobCount": 3, "threshold": 10})
    server.submit("sum", "entries", "FAILED", index=0, sentAt="2026-01-01T00:00:00Z")
    server.submit("sum", "entries", "STARTED", index=1, sentAt="2026-01-02T00:00:00Z")
    enough = "2026-01-03T00:00:00+00:00"
    server.submit("sum", "entries", "PROGRESS", index=1, progress=12, sentAt=enough)
    process = server.process("sum", "entries")
    assert (process["state"], process["finishedAt"]) == ("SUCCEEDED", enough)
    task = server.graphql('{ task(name: "sum") { state finishedAt } }')["task"]
    assert task == {"state": "SUCCEEDED", "finishedAt": enough}
    # Once all have ended, it is the latest end: a beat that straggles in moves nothing.
    last = "2026-01-04T00:00:00+00:00"
    server.submit("sum", "entries", "DONE", index=1, sentAt=last)
    server.submit("sum", "entries", "DONE", index=2, sentAt=enough)
    server.submit("sum", "entries", "BEAT", index=2, sentAt="2026-01-05T00:00:00Z")
    assert server.process("sum", "entries")["finishedAt"] == last
    server.check_counters()


def test_percentages_per_job(server: Server) -> None:
    """Without a threshold, reported numbers are percentages per job, averaged over the array."""
    server.create("histograms", {"name": "fill", "jobCount": 4}, {"name": "merge"})
    server.submit("histograms", "fill", "PROGRESS", index=0, progress=50)
    server.submit("histograms", "fill", "PROGRESS", index=1, progress=30)
    server.submit("histograms", "fill", "PROGRESS", index=1, progress=10.5)
    server.submit("histograms", "fill", "DONE", index=2)
    progress = server.process("histograms", "fill")["progress"]
    assert progress == {"ratio": 0.40125, "current": 160.5, "target": 400.0, "basis": "PERCENT"}

    server.submit("histograms", "merge", "PROGRESS", progress=42)
    assert server.process("histograms", "merge")["progress"]["ratio"] == 0.42

    jobs = server.graphql(
        """{ task(name: "histograms") {
          progress { ratio basis }
          process(name: "fill") { ... on JobArray { jobs(first: 4) {
            nodes { index state progress { ratio current target basis } } } } } } }"""
    )["task"]
    assert [job["progress"]["ratio"] for job in jobs["process"]["jobs"]["nodes"]] == [
        0.5,
        0.105,
        1.0,
        0.0,
    ]
    weighted = (0.40125 * 4 + 0.42 * 1) / 5
    assert abs(jobs["progress"]["ratio"] - weighted) < 1e-12


def test_first_n_of_many_jobs(server: Server) -> None:
    """With a threshold and jobs that report nothing, the first n DONE are enough."""
    server.create("asap", {"name": "race", "jobCount": 10, "threshold": 3})
    answers = [server.submit("asap", "race", "DONE", index=i)["enough"] for i in range(4)]
    assert answers == [False, False, True, True]
    progress = server.process("asap", "race")["progress"]
    assert progress == {
        "ratio": 4 / 3,
        "current": 4.0,
        "target": 3.0,
        "basis": "DONE_OF_THRESHOLD",
    }


def test_entries_summed_over_jobs_go_beyond_the_threshold(server: Server) -> None:
    """With a threshold and numbers, the sum counts; jobs do not stop at once, so it may pass 1."""
    server.create("events", {"name": "simulate", "jobCount": 3, "threshold": 1000})
    for index, number in ((0, 300), (1, 300), (2, 300)):
        answer = server.submit("events", "simulate", "PROGRESS", index=index, progress=number)
        assert answer["enough"] is False
    answer = server.submit("events", "simulate", "PROGRESS", index=0, progress=450)
    assert (answer["enough"], answer["process"]["state"]) == (True, "SUCCEEDED")
    server.submit("events", "simulate", "PROGRESS", index=1, progress=500)
    progress = server.process("events", "simulate")["progress"]
    assert progress == {
        "ratio": 1.25,
        "current": 1250.0,
        "target": 1000.0,
        "basis": "VALUE_OF_THRESHOLD",
    }
    job = server.graphql(
        """{ job(task: "events", process: "simulate", index: 1) {
          progress { ratio current target basis } } }"""
    )["job"]
    assert job["progress"] == {
        "ratio": None,
        "current": 500.0,
        "target": None,
        "basis": "VALUE_OF_THRESHOLD",
    }


def test_threshold_that_can_not_be_reached_any_more(server: Server) -> None:
    """The outlook is CANNOT_SUCCEED as soon as the threshold is out of reach."""
    server.create("asap", {"name": "race", "jobCount": 4, "threshold": 3})
    server.submit("asap", "race", "FAILED", index=0)
    assert server.process("asap", "race")["outlook"] == "AT_RISK"
    server.submit("asap", "race", "FAILED", index=1)
    process = server.process("asap", "race")
    assert (process["state"], process["outlook"]) == ("RUNNING", "CANNOT_SUCCEED")
    outlook = server.graphql('{ task(name: "asap") { outlook } }')["task"]["outlook"]
    assert outlook == "CANNOT_SUCCEED"


def test_restart_reopens_a_job_and_forgets_its_progress(server: Server) -> None:
    """A later STARTED reopens an ended job; a late beat does not."""
    server.create("retry", {"name": "job", "jobCount": 1})
    times = [f"2026-01-01T00:0{minute}:00Z" for minute in range(6)]
    server.submit("retry", "job", "STARTED", index=0, sentAt=times[0])
    server.submit("retry", "job", "PROGRESS", index=0, progress=70, sentAt=times[1])
    server.submit("retry", "job", "FAILED", index=0, sentAt=times[3])
    server.submit("retry", "job", "BEAT", index=0, sentAt=times[2])
    assert server.process("retry", "job")["state"] == "FAILED"
    server.submit("retry", "job", "STARTED", index=0, sentAt=times[4])
    job = server.graphql(
        """{ job(task: "retry", process: "job", index: 0) {
          state starts startedAt finishedAt progress { current } } }"""
    )["job"]
    assert job == {
        "state": "RUNNING",
        "starts": 2,
        "startedAt": "2026-01-01T00:04:00+00:00",
        "finishedAt": None,
        "progress": {"current": 0.0},
    }
    server.check_counters()


def test_silence_is_seen_and_a_beat_revives(server: Server) -> None:
    """Two silent beat intervals make a running job LATE, five LOST; a beat makes it ALIVE again."""
    from datetime import UTC, datetime, timedelta

    now = datetime.now(UTC)
    server.create("quiet", {"name": "jobs", "jobCount": 4, "beatInterval": 600})
    for index, beats in ((0, 1), (1, 3), (2, 6)):
        sent_at = (now - timedelta(seconds=600 * beats)).isoformat()
        server.submit("quiet", "jobs", "STARTED", index=index, sentAt=sent_at)
    query = """{ process(task: "quiet", name: "jobs") { outlook ... on JobArray {
      alive: indices(liveness: ALIVE) late: indices(liveness: LATE) lost: indices(liveness: LOST)
      jobs(first: 4) { nodes { liveness } }
      missing: jobs(first: 4, filter: {liveness: LOST}) { totalCount nodes { index } } } } }"""
    process = server.graphql(query)["process"]
    assert (process["alive"], process["late"], process["lost"]) == ("0", "1", "2")
    assert process["outlook"] == "AT_RISK"
    shown = [job["liveness"] for job in process["jobs"]["nodes"]]
    assert shown == ["ALIVE", "LATE", "LOST", None]
    assert process["missing"] == {"totalCount": 1, "nodes": [{"index": 2}]}

    server.submit("quiet", "jobs", "BEAT", index=2)
    process = server.graphql(query)["process"]
    assert (process["lost"], process["outlook"]) == ("", "ON_TRACK")


def test_order_within_a_request_counts(server: Server) -> None:
    """Events without times in one request count in their order."""
    server.create("t", {"name": "p"})
    story = ["STARTED", "FAILED", "STARTED", "DONE", "STARTED"]
    server.submit_many([{"task": "t", "process": "p", "eventClass": word} for word in story])
    job = server.graphql('{ job(task: "t", process: "p") { state starts lastEventClass } }')["job"]
    assert job == {"state": "RUNNING", "starts": 3, "lastEventClass": "STARTED"}
