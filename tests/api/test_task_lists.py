"""Lists of tasks: filters, orders, and pages in both directions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.harness import Server


@pytest.fixture
def tasks_of_three_users(server: Server) -> Server:
    """Six tasks of three users, in different states, submitted a day apart."""
    for place, (name, username, tags) in enumerate(
        [
            ("higgs-2016", "ada", ["run2", "higgs"]),
            ("higgs-2017", "ada", ["run2", "higgs", "redo"]),
            ("top_2017", "bob", ["run2"]),
            ("Top-2018", "bob", []),
            ("100%", "eve", ["odd"]),
            ("a[b]c", None, ["odd"]),
        ]
    ):
        server.create(
            name,
            {"name": "jobs", "jobCount": 2},
            {"name": "merge"},
            username=username,
            tags=tags,
            comment=f"the {name.upper()} search" if username != "eve" else "Überprüfung",
            submittedAt=(datetime(2026, 11, 1, tzinfo=UTC) + timedelta(days=place)).isoformat(),
        )
    for index in (0, 1):
        server.submit("higgs-2016", "jobs", "DONE", index=index)
    server.submit("higgs-2016", "merge", "DONE")
    server.submit("higgs-2017", "jobs", "STARTED", index=0)
    server.submit("top_2017", "jobs", "SUBMITTED", index=0)
    server.submit("Top-2018", "merge", "FAILED")
    return server


def task_names(server: Server, condition: str, rest: str = "") -> list[str]:
    """The names of the tasks for which the condition holds, and their number agrees."""
    found = server.graphql(
        "{ tasks(first: 50, filter: {FILTER} REST) { totalCount nodes { name } } }".replace(
            "FILTER", condition
        ).replace("REST", rest)
    )["tasks"]
    assert found["totalCount"] == len(found["nodes"])
    return [task["name"] for task in found["nodes"]]


def test_every_task_filter(tasks_of_three_users: Server) -> None:
    """Every filter, alone and together."""
    assert task_names(tasks_of_three_users, 'names: ["higgs-*"]') == ["higgs-2017", "higgs-2016"]
    assert task_names(tasks_of_three_users, 'names: ["*2017", "100%"]') == [
        "100%",
        "top_2017",
        "higgs-2017",
    ]
    # What is special to LIKE or GLOB is not special here.
    assert task_names(tasks_of_three_users, 'names: ["a[b]*"]') == ["a[b]c"]
    assert task_names(tasks_of_three_users, 'names: ["?00%"]') == ["100%"]
    assert task_names(tasks_of_three_users, 'names: ["%"]') == []
    assert task_names(tasks_of_three_users, 'names: ["top?2017", "TOP*"]') == ["top_2017"]
    assert task_names(tasks_of_three_users, "names: []") == []
    assert task_names(tasks_of_three_users, 'usernames: ["bob"]') == ["Top-2018", "top_2017"]
    assert task_names(tasks_of_three_users, 'tagsAny: ["redo", "odd"]') == [
        "a[b]c",
        "100%",
        "higgs-2017",
    ]
    assert task_names(tasks_of_three_users, 'tagsAll: ["run2", "higgs"]') == [
        "higgs-2017",
        "higgs-2016",
    ]
    # A tag that nobody can have is one that nobody has.
    assert task_names(tasks_of_three_users, r'tagsAll: ["run2", "\u0000"]') == []
    assert task_names(tasks_of_three_users, r'tagsAny: ["redo", "\u0000"]') == ["higgs-2017"]
    assert task_names(tasks_of_three_users, "states: [SUCCEEDED]") == ["higgs-2016"]
    assert task_names(tasks_of_three_users, "states: [SUBMITTED, RUNNING]") == [
        "Top-2018",
        "top_2017",
        "higgs-2017",
    ]
    assert task_names(tasks_of_three_users, "hasEventClass: [STARTED, FAILED]") == [
        "Top-2018",
        "higgs-2017",
    ]
    assert task_names(tasks_of_three_users, 'text: "ToP"') == ["Top-2018", "top_2017"]
    assert task_names(tasks_of_three_users, 'text: "0%"') == ["100%"]
    assert task_names(tasks_of_three_users, 'text: "REDO"') == ["higgs-2017"]
    assert task_names(tasks_of_three_users, 'text: "bob"') == ["Top-2018", "top_2017"]
    assert task_names(tasks_of_three_users, 'text: "üBER"') == ["100%"]
    window = 'submitted: {after: "2026-11-02T00:00:00Z", before: "2026-11-03T01:00:00+01:00"}'
    assert task_names(tasks_of_three_users, window) == ["higgs-2017"]
    assert task_names(tasks_of_three_users, 'finished: {after: "2026-01-01T00:00:00Z"}') == [
        "higgs-2016"
    ]
    assert task_names(
        tasks_of_three_users, 'usernames: ["ada"], states: [RUNNING], tagsAny: ["redo"]'
    ) == ["higgs-2017"]


def test_every_task_order(tasks_of_three_users: Server) -> None:
    """Every order, ascending and descending."""
    fields = tasks_of_three_users.graphql(
        '{ __type(name: "TaskOrderField") { enumValues { name } } }'
    )
    everything = set(task_names(tasks_of_three_users, ""))
    for field in fields["__type"]["enumValues"]:
        for direction in ("ASC", "DESC"):
            order = f", orderBy: {{field: {field['name']}, direction: {direction}}}"
            assert set(task_names(tasks_of_three_users, "", order)) == everything
    newest = task_names(tasks_of_three_users, "", ", orderBy: {field: SUBMITTED_AT}")
    assert newest == ["a[b]c", "100%", "Top-2018", "top_2017", "higgs-2017", "higgs-2016"]
    by_name = task_names(tasks_of_three_users, "", ", orderBy: {field: NAME, direction: ASC}")
    assert by_name[0] == "100%"
    # Whoever has not finished counts as the oldest.
    assert (
        task_names(tasks_of_three_users, "", ", orderBy: {field: FINISHED_AT}")[0] == "higgs-2016"
    )
    ascending = task_names(
        tasks_of_three_users, "", ", orderBy: {field: FINISHED_AT, direction: ASC}"
    )
    assert ascending[-1] == "higgs-2016"


PAGES = """query($first: Int, $after: String, $last: Int, $before: String, $order: TaskOrder) {
  tasks(first: $first, after: $after, last: $last, before: $before, orderBy: $order) {
    edges { cursor node { name } } nodes { name } totalCount
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""


def walk_pages(server: Server, step: int, forwards: bool, **order: str) -> list[str]:
    """All names, read in pages of this size, forwards or backwards."""
    found: list[str] = []
    cursor = None
    while True:
        arguments: dict[str, Any] = (
            {"first": step, "after": cursor} if forwards else {"last": step, "before": cursor}
        )
        page = server.graphql(PAGES, order=order, **arguments)["tasks"]
        names = [edge["node"]["name"] for edge in page["edges"]]
        assert names == [node["name"] for node in page["nodes"]]
        info = page["pageInfo"]
        assert info["startCursor"] == page["edges"][0]["cursor"]
        assert info["endCursor"] == page["edges"][-1]["cursor"]
        found = found + names if forwards else names + found
        more = info["hasNextPage" if forwards else "hasPreviousPage"]
        # Whoever walks has just been where the other end points to.
        assert info["hasPreviousPage" if forwards else "hasNextPage"] == (cursor is not None)
        if not more:
            return found
        cursor = info["endCursor" if forwards else "startCursor"]


def test_pages_both_ways_and_while_tasks_are_added(tasks_of_three_users: Server) -> None:
    """Pages of any size make up the whole list, in both directions, whatever the order."""
    for field in ("RECEIVED_AT", "NAME", "SUBMITTED_AT", "FINISHED_AT", "LAST_EVENT_AT"):
        for direction in ("ASC", "DESC"):
            order = {"field": field, "direction": direction}
            whole = walk_pages(tasks_of_three_users, 50, True, **order)
            assert len(whole) == 6
            for step in (1, 4):
                assert walk_pages(tasks_of_three_users, step, True, **order) == whole
                assert walk_pages(tasks_of_three_users, step, False, **order) == whole
    first = tasks_of_three_users.graphql(PAGES, first=2)["tasks"]
    tasks_of_three_users.create("newcomer", {"name": "p"})
    second = tasks_of_three_users.graphql(PAGES, first=2, after=first["pageInfo"]["endCursor"])[
        "tasks"
    ]
    seen = [node["name"] for node in first["nodes"] + second["nodes"]]
    assert seen == ["a[b]c", "100%", "Top-2018", "top_2017"]
    assert tasks_of_three_users.graphql(PAGES, first=0)["tasks"]["nodes"] == []
