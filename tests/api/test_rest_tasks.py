"""Tasks by REST: every status and body, and the same data as by GraphQL."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.harness import Server, rest_errors

GRAPH = "QlpoOTFBWSZTWU/lCzkAAFIp////be/r6///L///+J///3+ZhbC8EoJQSAgA"
NIGHT = {
    "_meta": {"host": "login.example.org", "time": 1764000000.25},
    "depGraph": GRAPH,
    "tags": ["testing", "one"],
    "config": "some cfg here",
    "username": "ada",
    "emailNotify": "ada@example.org",
    "comment": "The first night",
    "processes": {"fill": 10, "fit": [10, 8], "merge": None},
}


def names(answer: Any) -> list[str]:
    """The names of the tasks in an answer."""
    assert answer.status_code == 200
    return [task["name"] for task in answer.json()]


def test_a_well_behaved_client_creates_a_task(server: Server) -> None:
    """GET answers 404, then POST creates the task, then GET shows all that was sent."""
    missing = server.rest("GET", "/night")
    assert (missing.status_code, missing.json()) == (404, {"error": "There is no task “night”."})
    made = server.rest("POST", "/night", NIGHT)
    assert (made.status_code, made.json()) == (201, {"created": True})

    found = server.rest("GET", "/night")
    assert found.status_code == 200
    task = found.json()
    processes = task.pop("processes")
    assert task == {
        "name": "night",
        "username": "ada",
        "emailNotify": "ada@example.org",
        "comment": "The first night",
        "submittedAt": "2025-11-24T16:00:00.250000+00:00",
        "hostname": "login.example.org",
        "submHostIP": "127.0.0.1",
        "tags": ["one", "testing"],
        "config": "some cfg here",
        "depGraph": GRAPH,
        "state": "PENDING",
        "progress": 0.0,
        "_links": {"self": "/api/v0/night", "collection": "/api/v0"},
    }
    assert [(p["name"], p["task"], p["type"], p["nJobs"], p["fTolerance"]) for p in processes] == [
        ("fill", "night", "array", 10, 0),
        ("fit", "night", "array", 10, 8),
        ("merge", "night", "solitary", None, None),
    ]
    same = server.graphql(
        """{ task(name: "night") { username email comment tags submittedAt hostname clientAddress
          config dependencies processes { nodes { name jobCount
            ... on JobArray { firstIndex failureTolerance } } } } }"""
    )["task"]
    assert same["processes"]["nodes"] == [
        {"name": "fill", "jobCount": 10, "firstIndex": 0, "failureTolerance": 0},
        {"name": "fit", "jobCount": 10, "firstIndex": 0, "failureTolerance": 8},
        {"name": "merge", "jobCount": 1},
    ]
    assert (same["dependencies"], same["config"]) == (GRAPH, "some cfg here")
    assert (same["email"], same["submittedAt"]) == (task["emailNotify"], task["submittedAt"])


def test_processes_as_a_list(sqlite_server: Server) -> None:
    """The long form: objects, whose thresholds are kept; without a type, nJobs makes an array."""
    processes = [
        {"name": "a", "type": "array", "nJobs": 4, "fTolerance": 1, "thresholdProgress": 2},
        {"name": "b", "nJobs": 2},
        {"name": "c", "type": "solitary", "thresholdProgress": 7.5},
        {"name": "d"},
    ]
    assert sqlite_server.rest("POST", "/t", {"processes": processes}).status_code == 201
    shown = sqlite_server.rest("GET", "/t").json()["processes"]
    assert shown[0] == {
        "name": "a",
        "task": "t",
        "type": "array",
        "nJobs": 4,
        "fTolerance": 1,
        "thresholdProgress": 2.0,
        "lastEventClass": None,
        "progress": 0.0,
        "state": "PENDING",
        "enough": False,
        "_links": {"events": "/api/v0/t/a/event"},
    }
    assert [(p["type"], p["nJobs"], p["thresholdProgress"]) for p in shown[1:]] == [
        ("array", 2, None),
        ("solitary", None, 7.5),
        ("solitary", None, None),
    ]


def test_a_task_can_be_sent_back_as_it_was_shown(sqlite_server: Server) -> None:
    """What GET answers is a body for POST and PUT: what is computed in it is ignored."""
    sqlite_server.rest("POST", "/night", NIGHT)
    shown = sqlite_server.rest("GET", "/night").json()
    assert sqlite_server.rest("POST", "/copy", shown).status_code == 201
    copy = sqlite_server.rest("GET", "/copy").json()
    alike = ("username", "emailNotify", "comment", "tags", "config", "depGraph")
    assert [copy[key] for key in alike] == [shown[key] for key in alike]
    assert sqlite_server.rest("PUT", "/night", shown).json() == {"updated": 1}
    assert sqlite_server.rest("GET", "/night").json() == shown


def test_a_name_that_is_taken(server: Server) -> None:
    """A second task of the same name is a conflict, also if the first was created by GraphQL."""
    server.create("night", {"name": "a"})
    answer = server.rest("POST", "/night", NIGHT)
    assert answer.status_code == 409
    assert answer.json() == {
        "created": False,
        "errors": [
            {
                "reason": "There is a task “night” already.",
                "details": {"code": "NAME_TAKEN", "field": "name"},
            }
        ],
    }


@pytest.mark.parametrize("time", [1764000000, "1764000000", "1764000000.0", "2025-11-24T16:00:00Z"])
def test_times(sqlite_server: Server, time: Any) -> None:
    """Seconds since 1970, as a number or as its digits, like the output of date."""
    sqlite_server.rest("POST", "/t", {"processes": {"a": 1}, "_meta": {"time": time}})
    shown = sqlite_server.rest("GET", "/t").json()
    assert (shown["submittedAt"], shown["hostname"]) == ("2025-11-24T16:00:00+00:00", None)


def test_many_tasks_at_once(server: Server) -> None:
    """A list makes all of its tasks or none, and answers like a single one."""
    some = [{"name": f"t{n}", "processes": {"a": n + 1}} for n in range(3)]
    made = server.rest("POST", "", some)
    assert (made.status_code, made.json()) == (201, {"created": True})
    assert names(server.rest("GET")) == ["t2", "t1", "t0"]

    taken = server.rest("POST", "", [{"name": "new", "processes": {"a": 1}}, some[1]])
    assert (taken.status_code, taken.json()["created"]) == (409, False)
    assert rest_errors(taken) == [("NAME_TAKEN", "tasks.1.name")]
    twice = server.rest("POST", "", [{"name": "new", "processes": {"a": 1}}] * 2)
    assert (twice.status_code, rest_errors(twice)) == (409, [("NAME_TAKEN", "tasks.1.name")])
    for bad, code, field in (
        ([{"name": "new", "processes": {"a": 1}}, {"name": "n"}], "NO_PROCESSES", "tasks.1."),
        ([{"processes": {"a": 1}}], "ARGUMENT_INVALID", "tasks.0.name"),
        ([{"name": "new", "processes": 1}], "ARGUMENT_INVALID", "tasks.0.processes"),
        (["new"], "ARGUMENT_INVALID", "tasks.0"),
        ({"name": "new"}, "ARGUMENT_INVALID", ""),
        ([{"name": f"x{n}", "processes": {"a": 1}} for n in range(101)], "TOO_MANY", "tasks"),
    ):
        answer = server.rest("POST", "", bad)
        assert (answer.status_code, answer.json()["created"]) == (400, False)
        ((found, place),) = rest_errors(answer)
        assert found == code
        assert (place or "").startswith(field)
    assert names(server.rest("GET")) == ["t2", "t1", "t0"]
    assert server.rest("POST", "", []).json() == {"created": True}
    nothing = "mutation { createTasks(input: {tasks: []}) { tasks { id } userErrors { code } } }"
    assert server.graphql(nothing)["createTasks"] == {"tasks": [], "userErrors": []}


def test_edits(server: Server) -> None:
    """PUT changes the given fields; null clears one; omitted ones stay."""
    server.rest("POST", "/night", NIGHT)
    before = server.rest("GET", "/night").json()
    edit = {"comment": "New", "tags": ["b", "a"], "config": {"x": [1]}, "depGraph": None}
    answer = server.rest("PUT", "/night", edit | {"name": "day", "processes": {}, "state": "?"})
    assert (answer.status_code, answer.json()) == (200, {"updated": 1})
    assert server.rest("GET", "/night").json() == before | edit | {"tags": ["a", "b"]}

    server.rest("POST", "/day", NIGHT)
    both = [{"name": "night", "username": "bob"}, {"name": "day", "emailNotify": None, "tags": []}]
    answer = server.rest("PUT", "", both)
    assert (answer.status_code, answer.json()) == (200, {"updated": 2})
    assert server.rest("GET", "/night").json()["username"] == "bob"
    day = server.rest("GET", "/day").json()
    assert (day["emailNotify"], day["tags"], day["username"]) == (None, [], "ada")

    missing = server.rest("PUT", "", [{"name": "day", "comment": "x"}, {"name": "dusk"}])
    assert (missing.status_code, rest_errors(missing)) == (
        404,
        [("TASK_NOT_FOUND", "tasks.1.name")],
    )
    assert server.rest("GET", "/day").json() == day
    missing = server.rest("PUT", "/dusk", {"comment": "x"})
    assert (missing.status_code, rest_errors(missing)) == (404, [("TASK_NOT_FOUND", "name")])
    bad = server.rest("PUT", "/day", {"tags": [1]})
    assert (bad.status_code, rest_errors(bad)) == (400, [("ARGUMENT_INVALID", "tags.0")])


def test_deletions(server: Server) -> None:
    """One by its path, many by a list of names; there is no way to delete all."""
    for name in ("a", "b", "c", "d"):
        server.create(name, {"name": "p"})
    gone = server.rest("DELETE", "/a")
    assert (gone.status_code, gone.json()) == (200, {"deleted": 1})
    missing = server.rest("DELETE", "/a")
    assert (missing.status_code, rest_errors(missing)) == (404, [("TASK_NOT_FOUND", "task")])

    for body in (None, {}, "b", 1, {"names": ["b"]}):
        refused = server.rest("DELETE", "", body)
        assert (refused.status_code, rest_errors(refused)) == (403, [("LIST_REQUIRED", None)])
    bad = server.rest("DELETE", "", ["b", 1])
    assert (bad.status_code, rest_errors(bad)) == (400, [("ARGUMENT_INVALID", "names.1")])
    assert server.rest("DELETE", "", []).json() == {"deleted": 0}
    assert names(server.rest("GET")) == ["d", "c", "b"]

    gone = server.rest("DELETE", "", ["b", "d", "x"])
    assert (gone.status_code, gone.json()) == (200, {"deleted": 2})
    assert names(server.rest("GET")) == ["c"]
    assert server.graphql("{ tasks(first: 9) { nodes { name } } }")["tasks"]["nodes"] == [
        {"name": "c"}
    ]


def test_pages_of_tasks(server: Server) -> None:
    """Newest first; links to the next page stay valid while tasks are created or deleted."""
    for number in range(5):
        server.create(f"t{number}", {"name": "p"}, tags=[f"tag{number % 2}", "all"])
    first = server.rest("GET", "?limit=2")
    assert names(first) == ["t4", "t3"]
    server.create("t5", {"name": "p"})
    server.rest("DELETE", "/t3")
    second = server.get(first.links["next"]["url"])
    assert names(second) == ["t2", "t1"]
    third = server.get(second.links["next"]["url"])
    assert (names(third), third.links) == (["t0"], {})

    assert names(server.rest("GET", "?tag=tag0")) == ["t4", "t2", "t0"]
    assert names(server.rest("GET", "?tag=tag0&tag=tag1")) == ["t4", "t2", "t1", "t0"]
    assert names(server.rest("GET", "?tag=none")) == []
    tagged = server.rest("GET", "?tag=tag0&tag=x&limit=2")
    assert names(tagged) == ["t4", "t2"]
    assert names(server.get(tagged.links["next"]["url"])) == ["t0"]


def test_names_of_all_kinds(server: Server) -> None:
    """Names with blanks and any letters are addressed by percent encoding."""
    name = "Nächtlicher Lauf #7 100%?"
    path = "/N%C3%A4chtlicher%20Lauf%20%237%20100%25%3F"
    assert server.rest("POST", path, {"processes": {"größer": 3}}).status_code == 201
    task = server.rest("GET", path).json()
    assert (task["name"], task["_links"]["self"]) == (name, f"/api/v0{path}")
    events = task["processes"][0]["_links"]["events"]
    for index in (0, 1):
        body = '{"eventClass": "BEAT"}'
        assert server.post(f"{events}?arrayIndex={index}", content=body).status_code == 201
    page = server.get(f"{events}?limit=1")
    assert server.get(page.links["next"]["url"]).json()[0]["procNumInArray"] == 1
    assert server.rest("GET", "/a%00b").status_code == 404
    assert server.rest("POST", "/a%00b", NIGHT).status_code == 400
    assert server.rest("POST", "/@b", NIGHT).status_code == 400
    assert server.rest("GET", "/%FF").status_code == 404


def test_deep_values_come_back(sqlite_server: Server) -> None:
    """The deepest JSON that can be stored is shown, in lists, too; deeper JSON is refused."""
    deep: Any = None
    for _ in range(100):
        deep = [deep]
    body = {"processes": {"a": 1}, "config": deep}
    assert sqlite_server.rest("POST", "/t", body).status_code == 201
    assert sqlite_server.rest("GET").json()[0]["config"] == deep
    refused = sqlite_server.rest("POST", "/u", body | {"config": [deep]})
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["details"]["code"] == "JSON_INVALID"
