"""While others write: every answer shows one state of the database, at all of its levels."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from tests.support.harness import SUBMIT_EVENTS, Server
from tests.support.live_clients import BEGINNING, WebSocketClient

STATES = ("PENDING", "SUBMITTED", "RUNNING", "DONE", "FAILED", "TERMINATED")
SIZE = 12
"""Jobs in an array: all of them are often in the same state, so the others have no job at all."""
ARRAYS = ("a", "b", "c")
EVENTS_OF_JOB = 10
"""Events that are listed of each job."""
ROUNDS = 30
"""How many answers each reader looks at."""

ARRAY = (
    "name counts { total pending submitted running done failed terminated } events(first: 0)"
    " { totalCount } ... on JobArray { stateRanges { first last state } all: jobs(first: 50)"
    " { totalCount nodes { index state events(first: 10) { totalCount nodes { eventClass } } } } "
    + " ".join(
        f"{state.lower()}: jobs(first: 50, filter: {{ states: [{state}] }})"
        " { totalCount nodes { index state } }"
        for state in STATES
    )
    + " moving: jobs(first: 50, filter: { states: [RUNNING, DONE] }) { nodes { index } } }"
)
TASK = f"state counts {{ total running done }} processes {{ nodes {{ {ARRAY} }} }}"
QUERY = f'query {{ task(name: "t") {{ {TASK} }} }}'
PAGE = """query($name: String!, $after: String) { process(task: "t", name: $name) {
  counts { running done } ... on JobArray {
    jobs(first: 5, after: $after, filter: { states: [RUNNING, DONE] }) {
      totalCount nodes { index } pageInfo { endCursor hasNextPage } } } } }"""
SUBMIT = f"""mutation($input: SubmitEventInput!) {{ submitEvent(input: $input) {{
  process {{ {ARRAY} }} userErrors {{ message }} }} }}"""
CHANGES = f'subscription {{ taskChanged(names: ["t"]) {{ {TASK} }} }}'
EVENTS = f"""subscription($after: String) {{ events(task: "t", after: $after) {{
  node {{ process {{ {ARRAY} }} job {{ index process {{ name counts {{ total }} }} }} }} }} }}"""


def faults_of_array(array: Any) -> list[str]:
    """How the lists of an array's jobs disagree with each other, and with its counters."""
    found = []
    by_state = {state: array[state.lower()] for state in STATES}
    for state, page in by_state.items():
        indices = [job["index"] for job in page["nodes"]]
        sizes = array["counts"][state.lower()], page["totalCount"], len(set(indices)), len(indices)
        if len(set(sizes)) != 1 or any(job["state"] != state for job in page["nodes"]):
            found.append(f"{state}: counts, totalCount, distinct, nodes are {sizes}")
    everyone = sorted(job["index"] for page in by_state.values() for job in page["nodes"])
    if everyone != list(range(SIZE)):
        found.append(f"the pages of all states together are {everyone}")
    states = {job["index"]: job["state"] for job in array["all"]["nodes"]}
    ranges = {
        index: run["state"]
        for run in array["stateRanges"]
        for index in range(run["first"], run["last"] + 1)
    }
    if (
        not states
        == ranges
        == {job["index"]: state for state, page in by_state.items() for job in page["nodes"]}
    ):
        found.append("states differ between the lists")
    moving = [job["index"] for job in array["moving"]["nodes"]]
    if moving != [index for index, state in states.items() if state in ("RUNNING", "DONE")]:
        found.append(f"moving are {moving}")
    counted = [job["events"]["totalCount"] for job in array["all"]["nodes"]]
    listed = [len(job["events"]["nodes"]) for job in array["all"]["nodes"]]
    if listed != [min(number, EVENTS_OF_JOB) for number in counted]:
        found.append(f"events of the jobs are {listed}, counted are {counted}")
    if sum(counted) != array["events"]["totalCount"]:
        found.append("events of the jobs are not as many as those of the array")
    return found


def faults_of_task(task: Any) -> list[str]:
    """How the levels of a task disagree with each other."""
    processes = task["processes"]["nodes"]
    found = [fault for process in processes for fault in faults_of_array(process)]
    for key, number in task["counts"].items():
        parts = [process["counts"][key] for process in processes]
        if sum(parts) != number:
            found.append(f"{key} of the task is {number}, of the processes {parts}")
    done = task["counts"]["done"] == task["counts"]["total"]
    if (task["state"] == "SUCCEEDED") != done:
        found.append(f"{task['state']} with {task['counts']}")
    return found


@contextmanager
def storm(server: Server) -> Iterator[None]:
    """Writers that move all jobs of their array between RUNNING and DONE, until the end."""
    stopping = threading.Event()
    refused: list[Any] = []

    def write(name: str) -> None:
        with httpx.Client(timeout=60, verify=False) as client:
            while not stopping.is_set():
                for event_class in ("DONE", "STARTED"):
                    events = [
                        {"task": "t", "process": name, "eventClass": event_class, "index": index}
                        for index in range(SIZE)
                    ]
                    answer = client.post(
                        f"{server.url}/graphql",
                        json={"query": SUBMIT_EVENTS, "variables": {"input": {"events": events}}},
                    ).json()
                    if "errors" in answer:
                        refused.append(answer)
                        return

    writers = [threading.Thread(target=write, args=(name,)) for name in ARRAYS]
    for writer in writers:
        writer.start()
    try:
        yield
    finally:
        stopping.set()
        for writer in writers:
            writer.join()
    assert refused == []


@pytest.fixture
def stormy(server: Server) -> Iterator[Server]:
    """A server on which a storm is going on."""
    server.create("t", *({"name": name, "jobCount": SIZE} for name in ARRAYS))
    server.submit_many(
        [
            {"task": "t", "process": name, "eventClass": "STARTED", "index": index}
            for name in ARRAYS
            for index in range(SIZE)
        ]
    )
    with storm(server):
        yield server
    assert "Traceback" not in server.log()


def look(rounds: int, faults: Callable[[], list[str]]) -> None:
    """Look again and again; no answer may have a fault."""
    found = [fault for fault in (faults() for _ in range(rounds)) if fault]
    assert not found, f"{len(found)} of {rounds} answers are wrong, such as {found[0]}"


def test_a_query_shows_one_state(stormy: Server) -> None:
    """Counters, pages, ranges and events of all levels agree in each answer."""
    look(ROUNDS, lambda: faults_of_task(stormy.graphql(QUERY)["task"]))


@pytest.mark.slow
def test_no_job_is_missing_from_the_pages(stormy: Server) -> None:
    """Every job is RUNNING or DONE all the time, so the pages of both hold each of them once."""

    def faults() -> list[str]:
        found, seen, after = [], [], None
        while True:
            process = stormy.graphql(PAGE, name="a", after=after)["process"]
            page = process["jobs"]
            seen += [job["index"] for job in page["nodes"]]
            if not page["totalCount"] == sum(process["counts"].values()) == SIZE:
                found.append(f"{page['totalCount']} jobs with {process['counts']}")
            if not page["pageInfo"]["hasNextPage"]:
                break
            after = page["pageInfo"]["endCursor"]
        return found if seen == list(range(SIZE)) else [*found, f"the pages have {seen}"]

    look(ROUNDS, faults)


@pytest.mark.slow
def test_the_payload_of_a_mutation_shows_one_state(stormy: Server) -> None:
    """What is read after the write is of one state, and knows of the write."""

    def faults() -> list[str]:
        event = {"task": "t", "process": "a", "eventClass": "BEAT", "index": 3}
        payload = stormy.graphql(SUBMIT, input=event)["submitEvent"]
        assert payload["userErrors"] == []
        return faults_of_array(payload["process"])

    look(ROUNDS, faults)


@pytest.mark.slow
async def test_every_snapshot_of_a_task_shows_one_state(stormy: Server) -> None:
    """Also the task itself, which is read before what is below it."""
    async with WebSocketClient(stormy.url, max_size=None) as wire:
        await wire.subscribe("1", CHANGES)
        found = []
        for _ in range(15):
            message = await wire.receive()
            found.append(faults_of_task(message["payload"]["data"]["taskChanged"]))
    assert not any(found), found


@pytest.mark.slow
async def test_every_event_shows_one_state(stormy: Server) -> None:
    """Past events are read many at once, yet what is below each is of one state."""
    async with WebSocketClient(stormy.url, max_size=None, max_queue=1) as wire:
        await wire.subscribe("1", EVENTS, after=BEGINNING)
        found = []
        for _ in range(2 * ROUNDS):
            message = await wire.receive()
            assert "errors" not in message["payload"], json.dumps(message)[:1000]
            node = message["payload"]["data"]["events"]["node"]
            assert node["job"]["process"]["name"] == node["process"]["name"]
            found.append(faults_of_array(node["process"]))
            await asyncio.sleep(0)
    assert not any(found), [faults for faults in found if faults][:3]


@pytest.mark.slow
def test_rest_shows_one_state(stormy: Server) -> None:
    """The state of a task is that of its processes."""

    def faults() -> list[str]:
        task = stormy.rest("GET", "/t").json()
        states = {process["state"] for process in task["processes"]}
        if (task["state"] == "SUCCEEDED") == (states == {"SUCCEEDED"}):
            return []
        return [f"{task['state']} of {states}"]

    look(3 * ROUNDS, faults)
