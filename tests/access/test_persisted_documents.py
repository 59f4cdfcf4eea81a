"""A server that executes the documents that its operator has named, and no others."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from lamia_gql.graph.stored_operations import load_operation, stored_documents
from tests.support.browser import OpenPage
from tests.support.harness import Server, StartServer, run_cli
from tests.support.job_side import job_environment, run_lamia_job
from tests.support.live_clients import WebSocketClient

NAMES = """\
# The names of all tasks.
query Names($first: Int!) {
  tasks(first: $first) { nodes { ...Name } }
}
fragment Name on Task { name }
"""
PRINTED = """\
query Names($first: Int!) {
  tasks(first: $first) {
    nodes {
      ...Name
    }
  }
}

fragment Name on Task {
  name
}"""
"""The same, as other programs print it."""
OTHER = "{ tasks(first: 1) { totalCount } }"
VARIABLES = {"first": 5}
FOUND = {"tasks": {"nodes": [{"name": "t"}]}}
STREAM = {"accept": "text/event-stream"}
GRAPHQL = {"accept": "application/graphql-response+json"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one document, in a folder of its own, and a file that is none."""
    folder = tmp_path / "documents"
    (folder / "site").mkdir(parents=True)
    (folder / "site" / "names.graphql").write_text(NAMES)
    (folder / "README.md").write_text("{ not a document")
    return folder


def code_of(answer: httpx.Response) -> tuple[int, str]:
    """The status, and the code of the only error."""
    [error] = answer.json()["errors"]
    return answer.status_code, error["extensions"]["code"]


def digest(text: str) -> str:
    """What a client names a document by."""
    return sha256(text.encode()).hexdigest()


def hashed(text: str) -> dict[str, Any]:
    """A request without a document, as Apollo Client and urql send it."""
    named = {"version": 1, "sha256Hash": digest(text)}
    return {"variables": VARIABLES, "extensions": {"persistedQuery": named}}


@pytest.mark.parametrize("compiled", [True, False])
async def test_only_what_is_named_is_executed(
    start_server: StartServer, sqlite_url: str, folder: Path, compiled: bool
) -> None:
    """By every transport, whatever the white space; what our own programs send always is."""
    server = start_server(sqlite_url, persisted_documents=folder, compiled_queries=compiled)
    assert server.rest("POST", "/t", {"processes": {"p": None}}).status_code == 201
    for text in (NAMES, PRINTED):
        assert server.graphql(text, **VARIABLES) == FOUND
        assert '"name":"t"' in server.request(text, VARIABLES, headers=STREAM).text
    listed = server.graphql(load_operation("list_tasks"), first=5)
    assert [task["name"] for task in listed["tasks"]["nodes"]] == ["t"]

    for text in (
        OTHER,
        NAMES + OTHER,
        NAMES.replace("{ name }", "{ name state }"),
        "{ __schema { queryType { name } } }",
        "{ __typename }",
        "{ taks { name } }",
        'mutation { deleteTasks(input: {names: ["t"]}) { deleted } }',
    ):
        for accept in (GRAPHQL, {"accept": "application/json"}):
            refused = server.request(text, VARIABLES, headers=accept)
            assert code_of(refused) == (403, "DOCUMENT_NOT_ALLOWED"), refused.text
            assert "data" not in refused.json()
        streamed = server.request(text, VARIABLES, headers=STREAM)
        assert "DOCUMENT_NOT_ALLOWED" in streamed.text
        assert '"data"' not in streamed.text
    got = server.get("/graphql", params={"query": OTHER})
    assert code_of(got) == (403, "DOCUMENT_NOT_ALLOWED")

    async with WebSocketClient(server.url) as ws:
        await ws.subscribe("1", PRINTED, **VARIABLES)
        assert (await ws.receive())["payload"]["data"] == FOUND
        assert await ws.receive() == {"id": "1", "type": "complete"}
        for text in (OTHER, 'subscription { events(task: "t") { cursor } }'):
            await ws.subscribe("2", text)
            message = await ws.receive()
            assert (message["id"], message["type"]) == ("2", "error")
            assert message["payload"][0]["extensions"]["code"] == "DOCUMENT_NOT_ALLOWED"
        await ws.subscribe("3", load_operation("watch_changes"), filter={})
        await ws.subscribe("4", PRINTED, **VARIABLES)
        assert (await ws.receive())["id"] == "4"
    assert server.rest("GET", "/t").status_code == 200


async def test_a_document_by_its_hash(
    start_server: StartServer, sqlite_url: str, folder: Path
) -> None:
    """That of the file or of what clients print, as `documentId` or as an extension."""
    server = start_server(sqlite_url, persisted_documents=folder)
    server.rest("POST", "/t", {"processes": {"p": None}})
    for text in (NAMES, NAMES.strip(), PRINTED):
        for named in (
            hashed(text),
            {"documentId": f"sha256:{digest(text)}", "variables": VARIABLES},
            {"documentId": f"sha256:{digest(text).upper()}", "variables": VARIABLES},
        ):
            answer = server.post("/graphql", json=named)
            assert (answer.status_code, answer.json()["data"]) == (200, FOUND)
    parameters = {"documentId": f"sha256:{digest(PRINTED)}", "variables": '{"first": 5}'}
    assert server.get("/graphql", params=parameters).json()["data"] == FOUND
    own = {"documentId": f"sha256:{digest(load_operation('probe'))}"}
    assert server.post("/graphql", json=own).json()["data"] == {"__typename": "Query"}

    for named in (hashed(OTHER), {"documentId": "names"}, {"documentId": "sha256:"}):
        answer = server.post("/graphql", json=named)
        assert code_of(answer) == (400, "PERSISTED_QUERY_NOT_FOUND")
        assert answer.json()["errors"][0]["message"] == "PersistedQueryNotFound"
    # To send the document with its hash does not make it known.
    whole = hashed(OTHER) | {"query": OTHER}
    for answered in (whole, whole):
        assert code_of(server.post("/graphql", json=answered)) == (403, "DOCUMENT_NOT_ALLOWED")
    wrong: dict[str, Any]
    for wrong in ({"documentId": 1}, {"documentId": None}, {"extensions": {}}):
        assert code_of(server.post("/graphql", json=wrong)) == (400, "BAD_REQUEST")
    bad: dict[str, Any] = {"extensions": {"persistedQuery": []}}
    assert code_of(server.post("/graphql", json=bad)) == (400, "PERSISTED_QUERY_NOT_FOUND")

    async with WebSocketClient(server.url) as ws:
        await ws.send({"id": "1", "type": "subscribe", "payload": hashed(PRINTED)})
        assert (await ws.receive())["payload"]["data"] == FOUND
        assert (await ws.receive())["type"] == "complete"
        await ws.send({"id": "2", "type": "subscribe", "payload": hashed(OTHER)})
        message = await ws.receive()
        assert (message["id"], message["type"]) == ("2", "error")
        assert message["payload"][0]["extensions"]["code"] == "PERSISTED_QUERY_NOT_FOUND"


def test_our_own_programs(
    start_server: StartServer, sqlite_url: str, tmp_path: Path, folder: Path
) -> None:
    """The command line and the job side work as ever."""
    server = start_server(sqlite_url, persisted_documents=folder)
    for command in (
        ["submit", "--name", "t", "--solitary", "p"],
        ["tasks"],
        ["show", "t"],
        ["delete", "--yes", "t"],
        ["submit", "--name", "t", "--solitary", "p"],
    ):
        done = run_cli(*command, "--url", server.url)
        assert (command, done.returncode, "Traceback" in done.stderr) == (command, 0, False), done
    assert run_lamia_job(job_environment(server.url, tmp_path), "emit", "DONE").returncode == 0
    assert server.rest("GET", "/t/p").json()["state"] == "SUCCEEDED"


def test_all_of_our_own_documents_are_allowed(start_server: StartServer, sqlite_url: str) -> None:
    """Those of the schema folder are never refused, also without any of the operator's."""
    empty = Path(sqlite_url.removeprefix("sqlite:///")).parent / "empty"
    empty.mkdir()
    server = start_server(sqlite_url, persisted_documents=empty)
    for text in stored_documents():
        assert "DOCUMENT_NOT_ALLOWED" not in server.request(text).text, text
    assert code_of(server.request(NAMES)) == (403, "DOCUMENT_NOT_ALLOWED")


def test_the_dashboard(
    start_server: StartServer, sqlite_url: str, folder: Path, open_page: OpenPage
) -> None:
    """Its pages show what they always do, and follow it."""
    server = start_server(sqlite_url, persisted_documents=folder)
    server.rest("POST", "/t", {"processes": {"a": 3}})
    page = open_page(server.url)
    live = page.get_by_role("status").filter(has_text="Live")
    expect(live).to_be_visible()
    page.get_by_role("link", name="t", exact=True).click()
    page.get_by_role("link", name="a", exact=True).click()
    expect(live).to_be_visible()
    server.rest("POST", "/t/a/event?arrayIndex=1", {"eventClass": "FAILED"})
    expect(page.get_by_text("FAILED").first).to_be_visible()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"{ tasks(first: 1) { nodes { nme } } }", "Cannot query field 'nme' on type 'Task'."),
        (b"{ tasks", "Syntax Error: Expected Name, found <EOF>."),
        (b"", "Syntax Error: Unexpected <EOF>."),
        (b"{ a: viewer { name } " + b"b: viewer { name } " * 900 + b"}", "more than 1000 tokens"),
        (b"\xff", "it is not text in UTF-8."),
    ],
)
def test_what_could_never_be_executed(
    sqlite_url: str, folder: Path, content: bytes, problem: str
) -> None:
    """The server does not start, and says which file it is; `check` says the same."""
    (folder / "wrong.graphql").write_bytes(content)
    for command in (["serve", "--port=0"], ["check"]):
        done = run_cli(*command, database_url=sqlite_url, persisted_documents=folder)
        told = done.stderr if command[0] == "serve" else done.stdout
        assert done.returncode == (2 if command[0] == "serve" else 1)
        assert f"The persisted document {folder}/wrong.graphql can't be used: " in told
        assert problem.removesuffix(".") in told
        assert "Traceback" not in done.stderr


def test_a_folder_that_is_none(sqlite_url: str, folder: Path) -> None:
    """The server does not start without the folder."""
    for path, problem in (
        (folder / "nowhere", "does not exist."),
        (folder / "README.md", "is not a folder."),
    ):
        done = run_cli("serve", "--port=0", database_url=sqlite_url, persisted_documents=path)
        told = f"The folder of persisted documents {path} {problem}\n"
        assert (done.returncode, done.stderr) == (2, told)


@pytest.mark.slow
def test_several_workers(start_server: StartServer, postgres_url: str, folder: Path) -> None:
    """Each of them has the same documents."""
    server: Server = start_server(postgres_url, persisted_documents=folder, workers=2)
    server.rest("POST", "/t", {"processes": {"p": None}})
    for _ in range(8):
        # Each on a connection of its own, which any worker may take.
        with httpx.Client(base_url=server.url, verify=False) as client:
            body = {"query": PRINTED, "variables": VARIABLES}
            assert client.post("/graphql", json=body).json()["data"] == FOUND
            assert client.post("/graphql", json={"query": OTHER}).status_code == 403
