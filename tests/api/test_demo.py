"""``lamia-gql demo``: something to look at."""

from __future__ import annotations

from tests.support.harness import Server, run_cli


def test_demo_shows_every_row_of_the_table(sqlite_server: Server) -> None:
    """The demonstration has processes of every kind, basis and outlook."""
    done = run_cli("demo", "--minutes", "0.05", "--url", sqlite_server.url)
    assert done.returncode == 0, done.stderr
    tasks = sqlite_server.graphql(
        """{ tasks(first: 10) { nodes { outlook processes { nodes { kind threshold outlook state
          progress { basis } } } } } }"""
    )["tasks"]["nodes"]
    rows = {
        (
            process["kind"],
            process["threshold"] is not None,
            process["progress"] and process["progress"]["basis"],
        )
        for task in tasks
        for process in task["processes"]["nodes"]
    }
    assert rows == {
        ("ARRAY", False, "DONE_JOBS"),
        ("ARRAY", False, "PERCENT"),
        ("ARRAY", True, "DONE_OF_THRESHOLD"),
        ("ARRAY", True, "VALUE_OF_THRESHOLD"),
        ("SOLITARY", False, None),
        ("SOLITARY", False, "PERCENT"),
        ("SOLITARY", True, None),
        ("SOLITARY", True, "VALUE_OF_THRESHOLD"),
    }
    assert {task["outlook"] for task in tasks} >= {"ON_TRACK", "CANNOT_SUCCEED"}
